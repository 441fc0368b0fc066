"""`Sandbox`: the server as an object, for tests and for the command line.

It binds to 127.0.0.1 only and runs uvicorn in a thread of its own. Its methods reach into the running sandbox
directly; the control API offers the same over HTTP.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from . import control
from .app import build
from .faults import Fault, Kind
from .http_server import HOST, HttpServer
from .registry import Registry
from .service import Row


class Sandbox:
    """Both services on loopback.

    >>> with Sandbox() as sandbox:  # doctest: +SKIP
    ...     httpx.get(f"{sandbox.esputnik_url}/v1/account/info", auth=("any", "sandbox-key"))

    :param port: TCP port; 0 picks a free one.
    :param db: a database file that outlives the process; None keeps everything in memory.
    :param settings: settings to change at once, see `set`.
    :ivar registry: the services it plays.
    :ivar state: the store, clock, outbox, request log, faults, settings and limits that they share.
    """

    def __init__(self, port: int = 0, db: str | None = None, settings: dict[str, Any] | None = None) -> None:
        self.registry = Registry(file=db)
        self.state = self.registry.state
        self.set(**(settings or {}))
        self._http_server = HttpServer(build(self.registry), port)

    def start(self) -> Sandbox:
        """Start to serve; returns when requests are answered.

        :raises OSError: the port is taken.
        """
        self._http_server.start()
        return self

    def stop(self) -> None:
        """Stop serving; open requests get a second to finish."""
        if self._http_server.stop():
            self.state.store.close()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._http_server.port

    @property
    def url(self) -> str:
        """The page for people; the control API is below it, at ``/_sandbox``."""
        return f"http://{HOST}:{self.port}"

    @property
    def esputnik_url(self) -> str:
        """Base URL of eSputnik's API: ``{esputnik_url}/v1/contacts``."""
        return f"{self.url}/esputnik/api"

    @property
    def sendpulse_url(self) -> str:
        """Base URL of SendPulse's API: ``{sendpulse_url}/addressbooks``."""
        return f"{self.url}/sendpulse"

    def fault(self, kind: Kind, method: str = "*", path: str = "*", **fields: Any) -> int:
        """Set a fault; see `faults.Fault` for the fields.

        :return: its id.
        """
        return self.state.faults.add(Fault(kind=kind, method=method, path=path, **fields))

    def clear_faults(self) -> None:
        """Clear all faults."""
        self.state.faults.clear()

    def set(self, **settings: Any) -> None:
        """Change settings; a service's are written with two underscores: ``set(esputnik__activity=False)``."""
        self.state.settings.change({name.replace("__", ".", 1): value for name, value in settings.items()})

    def limit(self, bucket: str, requests: int | None, seconds: float = 1.0) -> None:
        """Override a rate limit; `requests` None switches it off."""
        control.change_limits(self.state, {bucket: None if requests is None else (requests, seconds)})

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock, and let happen what becomes due."""
        self.state.clock.advance(seconds)
        self.registry.settle()

    def reset(self) -> None:
        """Reset the sandbox to its first state."""
        self.registry.reset()

    def requests(self, path: str = "*", method: str = "*", since: int = 0) -> list[Row]:
        """Return recorded requests, oldest first; `path` is a shell pattern."""
        return self.state.log.find(path, method, since)

    def open_requests(self, path: str = "*", method: str = "*") -> list[int]:
        """Return the numbers of the requests that have arrived and are not answered yet."""
        return self.state.log.open(path, method)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many of everything there are, by service and section."""
        return self.registry.counts()

    def do(self, service: str, action: str, **values: Any) -> Any:
        """Have a service do something that its API cannot: ``do("esputnik", "make_activity", rows=50_000)``."""
        return control.do(self.registry, service, action, values)

    def rows(self, service: str, section: str, q: str = "", limit: int = 1000, offset: int = 0) -> list[Row]:
        """Return what a service keeps, newest first: ``rows("esputnik", "contacts")``."""
        found: list[Row] = control.read_section(self.registry, service, section, q=q, limit=limit, offset=offset)[
            "rows"
        ]
        return found

    def messages(self, q: str = "", service: str = "", limit: int = 1000) -> list[Row]:
        """Return messages that would have gone out, newest first."""
        return self.rows(service, "messages", q, limit)
