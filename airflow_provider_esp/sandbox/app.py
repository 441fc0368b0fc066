"""The whole sandbox as one ASGI application: both services, the control API and the page for people.

From the outside in: only loopback names are answered (a web page elsewhere must not reach the sandbox through a
name that points here), requests are recorded, faults are made, and then each part gets the paths under its prefix.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import control, page
from .dispatch import Dispatcher
from .faults import FaultMaker
from .recording import Recorder
from .world import World


class _Name(bytes):
    """The name of a header that stays as it is spelled, where the web server would write it in small letters."""

    def lower(self) -> bytes:
        return self


_NAMES = {b"totalcount": b"TotalCount", b"www-authenticate": b"WWW-Authenticate"}
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")
"""Headers that the web server itself must recognise."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def build(world: World) -> ASGIApp:
    """The application over one world."""
    parts = {f"{service.prefix}/": Dispatcher(service, world) for service in world.services.values()}
    prefixes = tuple(parts)
    rest = Starlette(routes=[*control.routes(world), *page.routes(world)])

    def label(scope: Scope) -> str:
        return next(part.label(scope) for prefix, part in parts.items() if scope["path"].startswith(prefix))

    faulty = FaultMaker(_ByPrefix(parts, rest), world.faults, prefixes)
    return _HeaderNames(_Loopback(Recorder(faulty, world.log, prefixes, label)))


class _HeaderNames:
    """Spell the names of headers as the services do: some clients compare them letter by letter."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def spelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name if name in _FRAMING else _Name(_NAMES.get(name, name.title())), value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self._app(scope, receive, spelled)


class _ByPrefix:
    def __init__(self, parts: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._parts = parts
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for prefix, part in self._parts.items():
                if scope["path"].startswith(prefix):
                    await part(scope, receive, send)
                    return
        await self._rest(scope, receive, send)


class _Loopback:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if any(host.rsplit(":", 1)[0] not in _LOOPBACK and host not in _LOOPBACK for host in hosts):
                await PlainTextResponse("The sandbox answers to loopback names only.", 400)(scope, receive, send)
                return
        await self._app(scope, receive, send)
