"""The toy itself, on loopback: keeps contacts, messages and events in memory."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "toy-key-1234"


class Toy:
    """A server that runs in a thread, as a context manager."""

    def __init__(self) -> None:
        self.contacts: dict[str, Any] = {}
        self.imports: list[list[str]] = []
        self.sent: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api"

    def __enter__(self) -> Toy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, place: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Do what a request asks."""
        match (method, place.split("/")):
            case "GET", ["owner"]:
                return 200, {"name": "Toy and Sons"}
            case "PUT", ["contacts"]:
                self.contacts |= {one["email"]: one for one in body["contacts"]}
                self.imports.append([one["email"] for one in body["contacts"]])
                return 200, {"import_id": str(len(self.imports))}
            case "GET", ["imports", number] if number.isdigit() and 0 < int(number) <= len(self.imports):
                return 200, {"finished": True, "written": self.imports[int(number) - 1]}
            case "POST", ["messages", "1", "send"]:
                self.sent += body["to"]
                return 200, {"ids": ["" if "nobody" in one["email"] else one["email"][:3] for one in body["to"]]}
            case "POST", ["status"]:
                return 200, [{"id": one, "status": "arrived"} for one in body["ids"]]
            case "POST", ["events"]:
                self.events.append(body)
                return 204, None
        return 404, {"error": "there is no such thing"}


def _handler(toy: Toy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size)) if size else {}
            if self.headers.get("authorization") != f"Bearer {KEY}":
                status, told = 401, {"error": "wrong key"}
            else:
                status, told = toy.answer(self.command, re.sub(r"^/api/", "", self.path), body)
            content = b"" if told is None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = _serve  # noqa: N815  # the library's names

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: lines would hold addresses."""

    return Handler
