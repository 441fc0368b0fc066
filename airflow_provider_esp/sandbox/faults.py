"""Faults on demand: failures of networks and servers, applied to chosen requests so many times.

An ASGI middleware in front of both services. Faults are tried in the order they were set; the first that matches a
request and has not run out is applied to it, and only that one.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import threading
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal["status", "html", "delay", "reset", "truncate", "drip", "hang"]

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


_HARMLESS = {"content-security-policy": "sandbox", "x-content-type-options": "nosniff"}
"""What a fault answers may be opened in a browser, and may not act as the sandbox there."""


class Fault(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One fault.

    :ivar kind: ``status`` (answer `status`, `body`, `headers`), ``html`` (a gateway's error page, `status` 502
        by default), ``delay`` (wait `seconds`, then continue as usual), ``reset`` (cut the connection), ``truncate``
        (send half of the body, then close), ``drip`` (spread the answer over `seconds`), ``hang`` (never answer).
    :ivar method: HTTP verb it applies to, or ``*``.
    :ivar path: shell pattern of the paths it applies to; ``*`` also matches slashes.
    :ivar times: how many requests it is applied to; None: all, until cleared.
    :ivar skip: how many matching requests are let through first.
    :ivar processed: for status, html, reset and hang: whether the service does the work before the answer is lost.
    :ivar seconds: for delay and drip (1 by default); for hang, after how long the connection is closed after all.
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    skip: int = 0
    processed: bool = False
    status: int | None = None
    body: str = ""
    headers: dict[str, str] = {}
    seconds: float | None = None
    id: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Check whether it is meant for such a request."""
        return self.method.upper() in ("*", method) and fnmatchcase(path, self.path)


class Faults:
    """The faults waiting to happen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> int:
        """Add a fault behind those already set.

        :return: its id.
        """
        with self._lock:
            fault.id = next(self._ids)
            self._waiting.append(fault)
            return fault.id

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for this request, if any, and count it down."""
        with self._lock:
            for fault in self._waiting:
                if not fault.matches(method, path):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                return fault
        return None

    def waiting(self) -> list[Fault]:
        """Return faults that have not run out."""
        with self._lock:
            return list(self._waiting)

    def clear(self) -> None:
        """Clear all faults."""
        with self._lock:
            self._waiting.clear()


class FaultMaker:
    """ASGI middleware that applies `Faults` to the services' requests."""

    def __init__(self, app: ASGIApp, faults: Faults, prefixes: tuple[str, ...]) -> None:
        self._app = app
        self._faults = faults
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or do to it what a fault says."""
        fault = None
        if scope["type"] == "http" and scope["path"].startswith(self._prefixes):
            fault = self._faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        scope["sandbox.notes"]["fault"] = fault.kind
        if fault.kind == "delay":
            await asyncio.sleep(_seconds(fault))
            await self._app(scope, receive, send)
        elif fault.kind in ("truncate", "drip"):
            await self._deform(fault, scope, receive, send)
        else:
            await self._replace(fault, scope, receive, send)

    async def _replace(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Lose the service's response, or never ask the service."""
        if fault.processed:
            await self._run(scope, receive)
        else:
            # Hear the client out: cut off while still sending, it would see the fault in one of several ways.
            while (await receive()).get("more_body", False):
                pass
        if fault.kind in ("reset", "hang"):
            scope["sandbox.finish"]()
        if fault.kind == "reset":
            cut(scope)
            await _gone(receive)
        elif fault.kind == "hang":
            try:
                await asyncio.wait_for(_gone(receive), fault.seconds)
            except TimeoutError:
                scope["sandbox.transport"].close()
        else:
            await _respond(fault, send)

    async def _deform(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the service respond, and spoil how the response arrives."""
        start, body = await self._run(scope, receive)
        await send(start)
        if fault.kind == "truncate":
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            scope["sandbox.finish"]()
            scope["sandbox.transport"].close()
            await _gone(receive)
            return
        pieces = [body[at : at + 1 + len(body) // 20] for at in range(0, len(body), 1 + len(body) // 20)]
        for piece in pieces:
            await asyncio.sleep(_seconds(fault) / len(pieces))
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _run(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """Return the service's response, held back."""
        start: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, keep)
        return start, bytes(body)


def _seconds(fault: Fault) -> float:
    return 1.0 if fault.seconds is None else fault.seconds


async def _respond(fault: Fault, send: Send) -> None:
    if fault.kind == "html":
        status, body, kind = fault.status or 502, fault.body.encode() or HTML, "text/html"
    else:
        status, body, kind = fault.status or 500, fault.body.encode(), "text/plain"
    headers = {"content-type": kind, "content-length": str(len(body))}
    headers.update({name.lower(): value for name, value in fault.headers.items()})
    headers.update(_HARMLESS)
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def cut(scope: Scope) -> None:
    """Reset the connection of a request: the client sees ECONNRESET, not an orderly end."""
    transport: Any = scope["sandbox.transport"]
    # Lingering for zero seconds makes the kernel send RST instead of FIN.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
