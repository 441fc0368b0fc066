"""Receiving the answer of a person's consent: by a small web server on this machine, or from an address pasted in.

The answer is looked at here and not by oauthlib, which refuses every http address, a loopback one included: it has to
come to the registered callback, bring the state that was sent, and hold one code or one error.
"""

from __future__ import annotations

import hmac
import html
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_esp.exceptions import CallbackRefused, ConsentDenied, TokenError
from airflow_provider_esp.utils.urls import is_loopback, web_address

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'",
}


def read_answer(url: str, redirect_uri: str, state: str) -> str:
    """Read the code out of the address that the browser was sent to.

    :param url: the whole address.
    :param redirect_uri: the registered callback.
    :param state: what was sent along with the question.
    :raises CallbackRefused: it came to another address, or with another state, or without a code.
    :raises ConsentDenied: it brings an error.
    """
    came, registered = urlsplit(url.strip()), urlsplit(redirect_uri)
    if (came.scheme, came.netloc.lower()) != (registered.scheme, registered.netloc.lower()):
        raise CallbackRefused("the answer came to another host than the registered callback's")
    if (came.path or "/") != (registered.path or "/"):
        raise CallbackRefused("the answer came to another path than the registered callback's")
    fields = parse_qs(came.query, keep_blank_values=True)
    if any(len(values) > 1 for values in fields.values()):
        raise CallbackRefused("the answer says something twice")
    given = {name: values[0] for name, values in fields.items()}
    if not hmac.compare_digest(given.get("state", "").encode(), state.encode()):
        raise CallbackRefused(
            "the answer's state is not the one that was sent: it belongs to another authorization request, or it was "
            "forged"
        )
    if "error" in given:
        raise _denied(given["error"])
    if not given.get("code"):
        raise CallbackRefused("the answer holds neither a code nor an error")
    return given["code"]


def _denied(error: str) -> ConsentDenied:
    if error == "access_denied":
        return ConsentDenied("access was denied on the consent page", advice="Nothing was stored or changed.")
    name = "".join(c for c in error if c.isalnum() or c in "_-")[:40]
    return ConsentDenied(
        f"the authorisation server answered with the error {name!r} instead of a code",
        advice="Compare the connection with the application's registration.",
    )


class CallbackServer:
    """Waits on loopback for the browser to come back; says nothing about what it gets, in any log.

    :param redirect_uri: the registered callback, http on this machine.
    :param state: what was sent along with the question.
    :param tell: is given a sentence about each answer that is not ours; waiting goes on after it.
    """

    def __init__(self, redirect_uri: str, state: str, tell: Callable[[str], None]) -> None:
        self._result: str | TokenError | None = None
        handler = _handler(self, redirect_uri, state, tell)
        self._servers = [_listener(place, handler) for place in _places(redirect_uri)]

    @staticmethod
    def can_serve(redirect_uri: str) -> bool:
        """Check whether a callback is one that this server can answer."""
        return redirect_uri.lower().startswith("http:") and is_loopback(redirect_uri)

    def wait(self, seconds: float) -> str:
        """Wait for the code.

        :raises ConsentDenied: the answer is no.
        :raises CallbackRefused: no answer came in time.
        """
        end = time.monotonic() + seconds
        while self._result is None:
            if time.monotonic() >= end:
                raise CallbackRefused(f"no response from the consent page within {seconds:g} s")
            for server in self._servers:
                server.handle_request()
        if isinstance(self._result, TokenError):
            raise self._result
        return self._result

    def take(self, result: str | TokenError) -> bool:
        """Take the first answer; a second one is none of ours."""
        if self._result is not None:
            return False
        self._result = result
        return True

    def __enter__(self) -> CallbackServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.server_close()


def _places(redirect_uri: str) -> list[tuple[str, int]]:
    """Return where to listen for a callback: a browser may take ``localhost`` for either of its two addresses."""
    address = web_address(redirect_uri)
    if address.host != "localhost":
        return [(address.host, address.port)]
    return [("127.0.0.1", address.port), *([("::1", address.port)] if socket.has_dualstack_ipv6() else [])]


def _listener(place: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        daemon_threads = True
        timeout = 0.1

    return Server(place, handler)


def _handler(
    server: CallbackServer, redirect_uri: str, state: str, tell: Callable[[str], None]
) -> type[BaseHTTPRequestHandler]:
    registered = urlsplit(redirect_uri)

    class Handler(BaseHTTPRequestHandler):
        server_version = "callback"
        sys_version = ""
        timeout = 10

        def do_GET(self) -> None:
            if urlsplit(self.path).path != (registered.path or "/"):
                self._say(404, "There is nothing here.")
                return
            try:
                code = read_answer(f"http://{self.headers.get('Host', '')}{self.path}", redirect_uri, state)
            except CallbackRefused as refused:
                tell(f"Ignored: {refused.message}.")
                self._say(400, f"This is not the answer that is waited for: {refused.message}.")
            except ConsentDenied as denied:
                server.take(denied)
                self._say(200, "Access was not given. You can close this page.")
            else:
                if server.take(code):
                    self._say(200, "Thank you. You can close this page and go back to the command.")
                else:
                    self._say(400, "The answer was here already.")

        def _say(self, status: int, text: str) -> None:
            body = f"<!doctype html><title>Airflow</title><p>{html.escape(text)}</p>".encode()
            self.send_response(status)
            for name, value in {**_HEADERS, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # the base class's name for it
            """Say nothing: the request line holds the code."""

    return Handler
