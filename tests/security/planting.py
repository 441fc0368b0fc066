"""A service that gives away what it was told: a proxy before the sandbox that plants secrets and people in answers.

What it plants are the account's own credential, as each request carried it and in every encoding, and an address and
a phone number of a person in odd spellings. Nothing of them may be found in a log, an exception, or in Airflow.
"""

from __future__ import annotations

import base64
import html
import http.client
import http.server
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlsplit

LOCAL, DOMAIN, PHONE = "zoe.planted", "hidden-mail.example", "380991234567"


def wide(text: str) -> str:
    """Write ASCII in full-width letters."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


_ADDRESS = f"{LOCAL}@{DOMAIN}"
_PEOPLE = (
    _ADDRESS,
    quote(_ADDRESS, safe=""),
    quote(quote(_ADDRESS, safe=""), safe=""),
    f"{LOCAL}\uff20{DOMAIN}",
    f'"{LOCAL} smith"@{DOMAIN}',
    f"user={LOCAL}+tag@{DOMAIN}",
    f"{LOCAL}&#64;{DOMAIN}",
    f"{LOCAL}\\u0040{DOMAIN}",
    f"zoe\u200b.planted@{DOMAIN}",
    wide(_ADDRESS),
    f"<{_ADDRESS}>",
    f"+{PHONE[:3]} {PHONE[3:5]} {PHONE[5:8]}-{PHONE[8:]}",
    PHONE,
)


def forms(secret: str) -> Iterator[str]:
    """Return a secret in the ways in which a service may quote it."""
    raw = secret.encode()
    packed = base64.b64encode(raw).decode()
    yield from (secret, packed, packed.rstrip("="), base64.urlsafe_b64encode(raw).decode())
    yield from (quote(secret, safe=""), quote(packed, safe=""), quote(quote(secret, safe=""), safe=""))
    yield from (html.escape(secret), json.dumps(secret)[1:-1], secret.upper())


@dataclass(frozen=True)
class Asked:
    """A request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def secrets(self) -> set[str]:
        """Return what it was authorised with: header, pair, key, and the secrets of a request for a token."""
        found = set()
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        found.add(value)
        if scheme == "Basic":
            pair = base64.b64decode(value).decode()
            found |= {pair, pair.partition(":")[2]}
        try:
            told = json.loads(self.body)
        except ValueError:
            told = {name: values[0] for name, values in parse_qs(self.body.decode("latin-1")).items()}
        found |= {told[name] for name in ("client_secret", "refresh_token") if isinstance(told, dict) and name in told}
        return found - {""}


@dataclass(frozen=True)
class Answer:
    """What is answered: a whole response, or with `raw` bytes in place of one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reason: str = "Whatever"
    raw: bytes | None = None


Attack = Callable[[Answer, str], Answer]
_JSON, _TEXT = {"Content-Type": "application/json"}, {"Content-Type": "text/plain; charset=utf-8"}


def _told(words: str) -> bytes:
    return json.dumps(
        {
            **dict.fromkeys(("message", "errorMessage", "error", "error_description", "error_code", "code"), words),
            **{"is_error": True, "success": False, "errors": {words: [words]}, "data": {"field": words}},
        }
    ).encode()


def _refused(status: int) -> dict[str, Attack]:
    return {
        f"{status}, a sentence": lambda _, words: Answer(status, _TEXT, f"Not so: {words} is wrong.".encode()),
        f"{status}, JSON": lambda _, words: Answer(status, _JSON, _told(words)),
        f"{status}, a page": lambda _, words: Answer(
            status, {"Content-Type": "text/html"}, f"<html><title>{words}</title><h1>{words}</h1>".encode()
        ),
    }


def _at_the_edge(longest: int) -> Attack:
    """Plant where a long sentence is cut off."""
    return lambda _, words: Answer(400, _JSON, json.dumps({"message": f"{'x' * (longest - 9)} {words}"}).encode())


def _headers(words: str) -> dict[str, str]:
    told = words.encode("utf-8").decode("latin-1").replace("\r", "").replace("\n", "")
    names = ("X-Request-Id", "X-Correlation-Id", "Retry-After", "WWW-Authenticate", "Server", "Set-Cookie")
    return dict.fromkeys(names, told)


def _replaced(value: Any, words: str) -> Any:
    """Put words in the place of every text of an answer."""
    if isinstance(value, dict):
        return {name: _replaced(item, words) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, words) for item in value]
    return words if isinstance(value, str) else value


def _in_texts(answer: Answer, words: str) -> Answer:
    try:
        told = json.loads(answer.body)
    except ValueError:
        return replace(answer, body=words.encode())
    return replace(answer, body=json.dumps(_replaced(told, words)).encode())


def _in_numbers(answer: Answer, words: str) -> Answer:
    """Put words in the place of every number: the answer is of another shape then."""
    try:
        told = json.loads(answer.body, parse_int=lambda _: words, parse_float=lambda _: words)
    except ValueError:
        return answer
    return replace(answer, body=json.dumps(told).encode())


def _in_names(answer: Answer, words: str) -> Answer:
    try:
        told = json.loads(answer.body)
    except ValueError:
        return answer
    return replace(answer, body=json.dumps({words: told, "data": {words: words}}).encode())


_PLAIN = {
    "success that is none": lambda _, words: Answer(200, _JSON, _told(words)),
    "success, a page": lambda _, words: Answer(200, {}, f"<html><title>{words}</title>".encode()),
    "success, broken JSON": lambda _, words: Answer(200, _JSON, f'{{"a": "{words}'.encode()),
    "redirect": lambda _, words: Answer(302, {"Location": f"https://elsewhere.example/?x={quote(words)}"}),
    "packed oddly": lambda _, words: Answer(200, {"Content-Encoding": quote(words)}, b"x"),
    "header of nonsense": lambda _, words: Answer(0, raw=f"HTTP/1.1 200 OK\r\n{words}\r\n\r\n".encode()),
    "no HTTP": lambda _, words: Answer(0, raw=f"{words}\r\n\r\n".encode()),
    "chunks of nonsense": lambda _, words: Answer(
        0, raw=f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{words}\r\n".encode()
    ),
    "400, headers": lambda _, words: Answer(400, _headers(words), b"no", quote(words)),
    "429, headers": lambda _, words: Answer(429, _headers(words), b"no", quote(words)),
    "400, cut at 300": _at_the_edge(300),
    "400, cut at 500": _at_the_edge(500),
    "400, cut at 2000": _at_the_edge(2000),
}
REFUSALS: Mapping[str, Attack] = {
    name: attack
    for attacks in (*map(_refused, (400, 401, 403, 404, 409, 422, 429, 500)), _PLAIN)
    for name, attack in attacks.items()
}
"""Answers that are no success, or none that can be read."""

CHANGES: Mapping[str, Attack] = {"texts": _in_texts, "numbers": _in_numbers, "names": _in_names}
"""What is done to an answer that was a success."""


class Planter:
    """A proxy that plants.

    :param target: the server behind it.
    :ivar attack: what it does to answers; None passes them on as they are.
    :ivar spared: parts of paths whose answers are passed on as they are.
    :ivar authorization: what the server behind it is told, in place of what came; None passes that on.
    """

    def __init__(self, target: str) -> None:
        self.attack: Attack | None = None
        self.spared: tuple[str, ...] = ()
        self.authorization: str | None = None
        self.planted = 0
        self._secrets: set[str] = set()
        self._turns = itertools.count()
        self._lock = threading.Lock()
        outer, self._target = self, urlsplit(target)

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                self.close_connection = True
                if self.raw_requestline and self.parse_request():
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    outer._serve(self, Asked(self.command, self.path, dict(self.headers), body))

            def log_message(self, format: str, *args: Any) -> None:
                """Stay quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def needles(self) -> set[str]:
        """Return what may be found nowhere: the beginnings of what was planted, so that halves are found as well."""
        secrets = {form for secret in self._secrets for form in forms(secret)}
        people = {LOCAL, DOMAIN, wide(LOCAL), wide(DOMAIN), PHONE, PHONE[5:8] + "-" + PHONE[8:]}
        return {secret[:10] for secret in secrets} | people

    def _serve(self, handler: http.server.BaseHTTPRequestHandler, asked: Asked) -> None:
        answer = self._ask(asked)
        if self.attack is not None and not any(part in asked.path for part in self.spared):
            answer = self.attack(answer, self._words(asked))
        if answer.raw is not None:
            handler.wfile.write(answer.raw)
            return
        handler.send_response(answer.status, answer.reason)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)

    def _words(self, asked: Asked) -> str:
        """Return the next of what can be planted."""
        with self._lock:
            self.planted += 1
            secrets = asked.secrets()
            self._secrets |= secrets
            choice = [*(form for secret in sorted(secrets) for form in forms(secret)), *_PEOPLE]
            return choice[next(self._turns) % len(choice)]

    def _ask(self, asked: Asked) -> Answer:
        connection = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=60)
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in ("accept-encoding",)}
        if self.authorization is not None and "Authorization" in headers:
            headers["Authorization"] = self.authorization
        try:
            connection.request(asked.method, asked.path, asked.body, headers)
            answer = connection.getresponse()
            kept = {
                name: value for name, value in answer.getheaders() if name.lower() in ("content-type", "retry-after")
            }
            return Answer(answer.status, kept, answer.read(), answer.reason)
        finally:
            connection.close()
