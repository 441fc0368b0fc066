"""A web server on loopback, in a thread of its own: uvicorn, with what the sandbox needs besides."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

HOST = "127.0.0.1"


class _Reachable:
    """Mixin for uvicorn's protocol: tells the application its connection's transport, so that a fault can cut it."""

    app: Any

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Remember the transport for every request of this connection."""
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["sandbox.transport"] = transport
            await app(scope, receive, send)

        self.app = with_transport
        super().connection_made(transport)  # type: ignore[misc]  # the protocol class beside this mixin has it


_Protocol: type[asyncio.Protocol] = type("_Protocol", (_Reachable, AutoHTTPProtocol), {})


class HttpServer:
    """A web server for an application, on 127.0.0.1.

    :param port: TCP port; 0 picks a free one.
    :param tls: makes it https.
    """

    def __init__(self, app: ASGIApp, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self._app = app
        self._tls = tls
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to serve; returns when requests are answered.

        :raises OSError: the port is taken.
        """
        # asyncio turns Nagle's algorithm off only for sockets that say TCP; left on, every answer would take 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = self._tls
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, args=(self._server, listener), daemon=True, name="sandbox")
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    @staticmethod
    def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
        with listener:
            asyncio.run(server.serve(sockets=[listener]))

    def stop(self) -> bool:
        """Stop serving; open requests get a second to finish.

        :return: whether it was running.
        """
        if self._server is None or self._thread is None:
            return False
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._server = self._thread = None
        return True
