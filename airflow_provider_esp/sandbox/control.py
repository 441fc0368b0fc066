"""The control API under ``/_sandbox``: to set faults, limits, settings and the clock, and to read what happened.

Everything here is JSON. What the Python class `server.Sandbox` offers does the same without HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import responses
from .faults import Fault
from .limits import Limit
from .registry import Registry
from .settings import WrongSetting
from .state import SandboxState

Window = int | tuple[int, float] | None
"""A limit as tests write it: requests per second, or (requests, seconds), or None for no limit."""


_MOST = 1_000_000_000
_FARTHEST = 100 * 366 * 86_400  # a century, in seconds


class Wrong(Exception):
    """The control request makes no sense; the text says why."""


class Control:
    """The endpoints, over one sandbox; each takes the query and the body, and returns what is answered."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = registry.state

    def faults(self, query: Mapping[str, str], body: bytes) -> Any:
        """Add one fault or several (a list)."""
        given = _decode(body, Fault | list[Fault])
        ids = [self._state.faults.add(fault) for fault in (given if isinstance(given, list) else [given])]
        return {"ids": ids}

    def waiting(self, query: Mapping[str, str], body: bytes) -> Any:
        """Return the faults that have not run out."""
        return self._state.faults.waiting()

    def no_faults(self, query: Mapping[str, str], body: bytes) -> Any:
        """Clear all faults."""
        self._state.faults.clear()
        return {}

    def limits(self, query: Mapping[str, str], body: bytes) -> Any:
        """Override rate limits: ``{"esputnik.default": 10}``, or ``[500, 3600]``, or null for none."""
        change_limits(self._state, _decode(body, dict[str, Window]))
        return self.all_limits(query, b"")

    def all_limits(self, query: Mapping[str, str], body: bytes) -> Any:
        """Return all buckets: ``[requests, seconds]`` or null."""
        return {name: limit and [limit.requests, limit.seconds] for name, limit in self._state.limits.all().items()}

    def settings(self, query: Mapping[str, str], body: bytes) -> Any:
        """Change settings: ``{"import_seconds": 0.1}``."""
        try:
            self._state.settings.change(_decode(body, dict[str, Any]))
        except WrongSetting as error:
            raise Wrong(str(error)) from None
        return self._state.settings.values()

    def all_settings(self, query: Mapping[str, str], body: bytes) -> Any:
        """Return all settings with their values, defaults and meanings."""
        known = self._state.settings.known
        return {
            name: {"value": self._state.settings[name], "default": known[name].default, "meaning": known[name].meaning}
            for name in known
        }

    def clock(self, query: Mapping[str, str], body: bytes) -> Any:
        """Move the clock: ``{"advance": 60}``."""
        for name, seconds in _decode(body, dict[str, float]).items():
            if name != "advance":
                raise Wrong(f"no {name!r} here; the clock takes 'advance', in seconds")
            if not abs(seconds) <= _FARTHEST:  # true of a nan as well
                raise Wrong(f"the clock advances by at most {_FARTHEST:,} seconds at a time")
            self._state.clock.advance(seconds)
        self._registry.settle()
        return self.time(query, b"")

    def time(self, query: Mapping[str, str], body: bytes) -> Any:
        """Return the sandbox's time."""
        now = self._state.clock.now()
        return {"now": now, "utc": self._state.stamp(now)}

    def reset(self, query: Mapping[str, str], body: bytes) -> Any:
        """Reset the sandbox to its first state."""
        self._registry.reset()
        return {}

    def requests(self, query: Mapping[str, str], body: bytes) -> Any:
        """Return the request log, ``?path=*/v1/contacts&method=POST&since=12&limit=100``, and counts per method."""
        limit = _number(query, "limit", 1000)
        rows = self._state.log.find(query.get("path", "*"), query.get("method", "*"), _number(query, "since", 0), limit)
        return {"counts": self._state.log.counts(), "requests": rows}

    def forget(self, query: Mapping[str, str], body: bytes) -> Any:
        """Clear the request log."""
        self._state.log.clear()
        return {}

    def do(self, service: str, action: str, query: Mapping[str, str], body: bytes) -> Any:
        """Have a service do something that its API cannot."""
        return do(self._registry, service, action, _decode(body or b"{}", dict[str, Any]))

    def state(self, query: Mapping[str, str], body: bytes) -> Any:
        """Return counts of everything; with ``?service=&section=`` the rows (``q``, ``limit``, ``offset``)."""
        if "section" not in query:
            return {"now": self._state.stamp(self._state.clock.now()), "counts": self._registry.counts()}
        return read_section(
            self._registry,
            query.get("service", ""),
            query["section"],
            q=query.get("q", ""),
            limit=_number(query, "limit", 100),
            offset=_number(query, "offset", 0),
        )


def read_section(
    registry: Registry, service: str, name: str, *, q: str = "", limit: int = 100, offset: int = 0
) -> dict[str, Any]:
    """Return rows of one section: ``{"total": int, "rows": [...]}``; each service also has the section ``messages``.

    :raises Wrong: there is no such section.
    """
    registry.settle()
    if name == "messages":
        total = registry.state.outbox.count(q, service)
        return {"total": total, "rows": registry.messages(q, limit, offset, service)}
    section = registry.section(service, name)
    if section is None:
        there = [f"{s.name}/{x.name}" for s in registry.services.values() for x in s.sections]
        raise Wrong(f"no section {service}/{name}; there are: {', '.join(there)}, and messages")
    return {"total": section.count(registry.state, q), "rows": section.rows(registry.state, q, limit, offset)}


def do(registry: Registry, service: str, action: str, values: Mapping[str, Any]) -> Any:
    """Have a service do something that its API cannot.

    :raises Wrong: there is no such action, or it cannot work with these values.
    """
    known = registry.services[service].actions
    if action not in known:
        raise Wrong(f"no action {service}/{action}; there are: {', '.join(sorted(known))}")
    try:
        with registry.state.store.transaction():
            return known[action](registry.state, values)
    except (ValueError, TypeError) as error:
        raise Wrong(str(error)) from None


def change_limits(state: SandboxState, windows: Mapping[str, Window]) -> None:
    """Override rate limits.

    :raises Wrong: there is no such bucket.
    """
    for name, window in windows.items():
        match window:
            case None:
                limit = None
            case int():
                limit = Limit(window)
            case (requests, seconds):
                limit = Limit(requests, seconds)
        try:
            state.limits.override(name, limit)
        except KeyError:
            raise Wrong(f"no limit {name!r}; there are: {', '.join(sorted(state.limits.all()))}") from None


def routes(registry: Registry) -> list[Route]:
    """Return the control API's routes."""
    control = Control(registry)
    table: list[tuple[str, str, Callable[[Mapping[str, str], bytes], Any]]] = [
        ("POST", "faults", control.faults),
        ("GET", "faults", control.waiting),
        ("DELETE", "faults", control.no_faults),
        ("POST", "limits", control.limits),
        ("GET", "limits", control.all_limits),
        ("POST", "settings", control.settings),
        ("GET", "settings", control.all_settings),
        ("POST", "clock", control.clock),
        ("GET", "clock", control.time),
        ("POST", "reset", control.reset),
        ("GET", "requests", control.requests),
        ("DELETE", "requests", control.forget),
        ("GET", "state", control.state),
    ]
    for service in registry.services.values():
        for action in service.actions:
            table.append(("POST", f"{service.name}/{action}", partial(control.do, service.name, action)))
    return [Route(f"/_sandbox/{name}", _endpoint(answer), methods=[method]) for method, name, answer in table]


def _endpoint(answer: Callable[[Mapping[str, str], bytes], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            return responses.json(await run_in_threadpool(answer, request.query_params, await request.body()))
        except Wrong as wrong:
            return responses.json({"error": str(wrong)}, 400)

    return endpoint


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Wrong(str(error)) from None
    except RecursionError:
        raise Wrong("the JSON is nested too deeply") from None


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    given = query.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(_MOST)) and int(given) <= _MOST):
        raise Wrong(f"{name} must be a whole number up to {_MOST:,}")
    return int(given)
