"""The toy itself, on loopback, in a thread: keeps contacts, messages and events in memory."""

import json
import threading
from typing import Any, Self
from wsgiref.simple_server import make_server

KEY = "toy-key-1234"


class Toy:
    def __init__(self) -> None:
        self.contacts: dict[str, Any] = {}
        self.sent: list[Any] = []
        self.events: list[Any] = []
        self._server = make_server("127.0.0.1", 0, self._serve)
        self.url = f"http://127.0.0.1:{self._server.server_port}/api"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, request: dict[str, Any], start_response: Any) -> list[bytes]:
        body = json.loads(request["wsgi.input"].read(int(request.get("CONTENT_LENGTH") or 0)) or "null")
        known = request.get("HTTP_AUTHORIZATION") == f"Bearer {KEY}"
        answer = self._answer(request["REQUEST_METHOD"], request["PATH_INFO"].split("/")[2:], body) if known else None
        status = "401 Unauthorized" if not known else "404 Not Found" if answer is None else "200 OK"
        start_response(status, [("content-type", "application/json")])
        return [json.dumps({"error": "wrong key or path"} if answer is None else answer).encode()]

    def _answer(self, method: str, path: list[str], body: Any) -> Any:
        match method, path:
            case "GET", ["owner"]:
                return "Toy and Sons"
            case "PUT", ["contacts"]:
                self.contacts |= {contact["email"]: contact for contact in body}
                return {"id": "1", "state": "running"}
            case "GET", ["imports", "1"]:
                return {"id": "1", "state": "done", "done": list(self.contacts)}
            case "POST", ["messages", "1", "send"]:
                self.sent += body
                return [person["locator"][:3] for person in body]
            case "POST", ["status"]:
                return dict.fromkeys(body, "arrived")
            case "POST", ["events"]:
                self.events.append(body)
                return {}
