"""The log of requests: what was asked, what was answered, over which connection; for tests to look at.

Of the ``Authorization`` header only the scheme is kept (``basic``, ``bearer``; null where there was none); bodies of
token requests and secrets in a query are never kept, and bodies of the last few requests only.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .clock import Clock

KEPT_REQUESTS = 20_000
KEPT_BODIES = 100
KEPT_BODY_BYTES = 32_000_000
_SECRET = {"client_secret", "access_token", "refresh_token", "token", "code", "password", "api_key"}


class RequestLog:
    """The last requests, and counts of all of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._rows: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)
        self._bodies: deque[tuple[dict[str, Any], int]] = deque()
        self._bytes = 0
        self._counts: Counter[str] = Counter()
        self._open: dict[int, tuple[str, str]] = {}

    def begin(self, method: str, path: str) -> int:
        """Record that a request has arrived, and return its number."""
        number = next(self._numbers)
        with self._lock:
            self._open[number] = (method, path)
        return number

    def open(self, path: str = "*", method: str = "*") -> list[int]:
        """Return the numbers of the requests that have arrived and are not answered yet; see `find`."""
        with self._lock:
            return [
                number
                for number, (verb, where) in self._open.items()
                if method in ("*", verb) and fnmatchcase(where, path)
            ]

    def add(self, row: dict[str, Any], body: bytes) -> None:
        """Record one finished request; its body under ``body`` as text, until newer bodies push it out."""
        row["time"] = self._clock.moment().isoformat()
        with self._lock:
            self._open.pop(row["number"], None)
            self._counts[f"{row['method']} {row['label']}"] += 1
            self._rows.append(row)
            if body and "/oauth/" not in row["path"]:
                row["body"] = body.decode("utf-8", "replace")
                self._bodies.append((row, len(body)))
                self._bytes += len(body)
            while len(self._bodies) > KEPT_BODIES or (self._bytes > KEPT_BODY_BYTES and len(self._bodies) > 1):
                old, size = self._bodies.popleft()
                self._bytes -= size
                old.pop("body", None)

    def find(
        self, path: str = "*", method: str = "*", since: int = 0, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return requests, oldest first.

        :param path: shell pattern the path must match, e.g. ``*/v1/contacts``.
        :param method: HTTP verb, or ``*``.
        :param since: only requests with a greater number.
        :param limit: only the newest so many.
        """
        with self._lock:
            found = [
                dict(row)
                for row in self._rows
                if row["number"] > since and method in ("*", row["method"]) and fnmatchcase(row["path"], path)
            ]
        return found if limit is None else found[len(found) - min(limit, len(found)) :]

    def counts(self) -> dict[str, int]:
        """Return how many requests each method had, e.g. ``{"POST v1/contacts": 3}``; never forgets until cleared."""
        with self._lock:
            return dict(self._counts)

    def clear(self) -> None:
        """Clear all requests; numbers go on."""
        with self._lock:
            self._rows.clear()
            self._bodies.clear()
            self._counts.clear()
            self._bytes = 0


class Recorder:
    """ASGI middleware that writes every service request into the log (the control API and the page are left out).

    :param prefixes: where the services are.
    :param label: tells the path of a request as the vendor writes it.
    """

    def __init__(self, app: ASGIApp, log: RequestLog, prefixes: tuple[str, ...], label: Callable[[Scope], str]) -> None:
        self._label = label
        self._app = app
        self._log = log
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record what happens."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefixes):
            await self._app(scope, receive, send)
            return
        request = _Request(self._log, scope, self._label)
        # A fault that loses the answer says so itself: the client must not see the end before the log does.
        scope["sandbox.finish"] = request.finish

        async def hear() -> Message:
            message = await receive()
            request.body.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                if (b"content-length", b"0") in message["headers"]:  # then its head is all that the client waits for
                    request.finish()
            elif not message.get("more_body", False):
                request.finish()
            await send(message)

        try:
            await self._app(scope, hear, say)
        finally:
            request.finish()


class _Request:
    """One request being recorded."""

    def __init__(self, log: RequestLog, scope: Scope, label: Callable[[Scope], str]) -> None:
        self._label = label
        self.status: int | None = None
        self.body = bytearray()
        self._log = log
        self._scope = scope
        self._number = log.begin(scope["method"], scope["path"])
        self._begin = time.perf_counter()
        self._notes: dict[str, Any] = {}
        self._finished = False
        scope["sandbox.notes"] = self._notes

    def finish(self) -> None:
        """Write the request into the log, once."""
        if self._finished:
            return
        self._finished = True
        scope, notes = self._scope, self._notes
        row = {
            "number": self._number,
            "method": scope["method"],
            "path": scope["path"],
            "label": self._label(scope),
            "query": _harmless(scope["query_string"].decode("latin-1")),
            "status": self.status,
            "seconds": round(time.perf_counter() - self._begin, 6),
            "connection": (scope.get("client") or ("", 0))[1],
            "fault": notes.get("fault"),
            "credential": _scheme(scope),
            "size": len(self.body),
        }
        self._log.add(row, bytes(self.body))


def _scheme(scope: Scope) -> str | None:
    """Return the kind of credential a request brought; None for none."""
    header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
    return None if header is None else header.decode("latin-1").partition(" ")[0].lower()


def _harmless(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(name in _SECRET for name, _ in pairs):
        return query
    return urlencode([(name, "***" if name in _SECRET else value) for name, value in pairs])
