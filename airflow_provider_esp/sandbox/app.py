"""The whole sandbox as one ASGI application: both services, the control API and the page for people.

From the outside in: only loopback names are answered (a web page elsewhere must not reach the sandbox through a
name that points here), requests are recorded, faults are made, and then each part gets the paths under its prefix.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import control
from .faults import FaultMaker
from .origins import SameOrigin
from .registry import Registry
from .request_log import Recorder
from .router import ServiceRouter
from .ui import views


class _Name(bytes):
    """The name of a header that stays as it is spelled, where the web server would write it in small letters."""

    def lower(self) -> bytes:
        return self


_NAMES = {b"totalcount": b"TotalCount", b"www-authenticate": b"WWW-Authenticate"}
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")
"""Headers that the web server itself must recognise."""

_MOST_BYTES = 64 * 2**20
"""Of one request; the services take much less."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def build(registry: Registry) -> ASGIApp:
    """Return the application that serves a sandbox."""
    state = registry.state
    parts = {f"{service.prefix}/": ServiceRouter(service, state) for service in registry.services.values()}
    prefixes = tuple(parts)
    rest = Starlette(routes=[*control.routes(registry), *views.routes(registry)])

    def label(scope: Scope) -> str:
        return next(part.label(scope) for prefix, part in parts.items() if scope["path"].startswith(prefix))

    faulty = FaultMaker(_ByPrefix(parts, rest), state.faults, prefixes)
    return _HeaderNames(_Loopback(SameOrigin(_BodyLimit(Recorder(faulty, state.log, prefixes, label)), prefixes)))


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


class _TooLarge(HTTPException):
    """The body of a request is larger than the sandbox keeps in memory."""

    def __init__(self) -> None:
        super().__init__(413, f"The sandbox takes requests of at most {_MOST_BYTES // 2**20} MB.")


class _BodyLimit:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
        left = _MOST_BYTES

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLarge
            return message

        try:
            if any(value.isdigit() and int(value) > _MOST_BYTES for value in lengths):
                raise _TooLarge
            await self._app(scope, counted, send)
        except _TooLarge as refused:  # no endpoint answers before it has read the body
            await PlainTextResponse(refused.detail, 413, {"Connection": "close"})(scope, receive, send)
