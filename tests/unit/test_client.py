"""Both clients over real sockets, against a server that does everything wrong: one table for the two."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Call, Flow, Kind, Page, Pages, Refusal, Service
from airflow_provider_esp.core.transport import network
from airflow_provider_esp.core.transport.account import Account, Credential, Timeouts
from airflow_provider_esp.core.transport.async_client import AsyncClient
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.core.transport.retry import RetryPolicy
from airflow_provider_esp.core.transport.shared_clients import shared_client
from airflow_provider_esp.core.transport.throttle import Throttle
from airflow_provider_esp.core.transport.tokens import Token, TokenSource


class Reply(msgspec.Struct):
    id: int


Answering = Callable[[socket.socket, bytes], None]


class RawServer:
    """Listens on loopback, reads whole requests, and answers each with the next of some functions."""

    def __init__(self) -> None:
        self.answers: list[Answering] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = threading.Event()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer.connections += 1
                with suppress(OSError):
                    while request := read_request(self.request):
                        outer.requests.append(request)
                        outer.asked.set()
                        outer.answers.pop(0)(self.request, request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Stay quiet: tests look at what the client makes of it."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def read_request(connection: socket.socket) -> bytes:
    """Read one request with its body; nothing where the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def says(status: int, body: bytes, *headers: str, kind: str = "application/json") -> Answering:
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda connection, request: connection.sendall("\r\n".join(lines).encode() + body)


def resets(connection: socket.socket, request: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def closes(connection: socket.socket, request: bytes) -> None:
    connection.close()


def truncates(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id"')
    connection.close()


def babbles(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"220 mail.example.com ready for ann@example.com\r\n")
    connection.close()


def hangs(connection: socket.socket, request: bytes) -> None:
    time.sleep(3)


def drips(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(60):
        connection.sendall(b" ")
        time.sleep(0.05)


OK = says(200, b'{"id": 7}')
HTML = b"<html><body>Bad gateway, ann@example.com</body></html>"


def refusal(status: int, headers: object, content: bytes) -> Refusal | None:
    kinds = {401: Kind.UNAUTHENTICATED, 404: Kind.NOT_FOUND, 429: Kind.RATE_LIMITED, 503: Kind.SERVER}
    return Refusal(kinds[status], "no") if status in kinds else None


TOY = Service("toy", "Toy", "https://toy.example", refusal, ("x-request-id",))


class Running(Protocol):
    """One of the two clients, as the tests use it."""

    def run(self, work: Any) -> Any: ...

    def rows(self, pages: Any) -> list[Any]: ...


@dataclass
class InSync:
    account: Account

    def run(self, work: Any) -> Any:
        with Client(self.account) as client:
            return client.run(work)

    def rows(self, pages: Any) -> list[Any]:
        with Client(self.account) as client:
            return list(client.iterate(pages))


@dataclass
class Async:
    account: Account

    def run(self, work: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(self.account) as client:
                return await client.run(work)

        return asyncio.run(run())

    def rows(self, pages: Any) -> list[Any]:
        async def rows() -> list[Any]:
            async with AsyncClient(self.account) as client:
                return [row async for row in client.iterate(pages)]

        return asyncio.run(rows())


def account(url: str, credential: Credential | None = None, **options: Any) -> Account:
    # Short limits are for tests of the limits: on a busy machine an ordinary answer takes its time.
    limits = {name: options.pop(name, seconds) for name, seconds in (("connect", 30.0), ("silence", 30.0))}
    timeouts = Timeouts(**limits, total=options.pop("total", 60.0))
    return Account(
        TOY,
        url,
        credential or Credential(header="Basic x"),
        Throttle(),
        RetryPolicy(attempts=options.pop("attempts", 1), first=0.01),
        timeouts,
    )


def call(method: str = "POST", path: str = "things", **facts: Any) -> Call[Any]:
    return Call("toy", method, path, facts.pop("answer", Reply), **facts)


@pytest.fixture
def server() -> Iterator[RawServer]:
    running = RawServer()
    yield running
    running.stop()


@pytest.fixture(params=[InSync, Async], ids=["Client", "AsyncClient"])
def kind(request: pytest.FixtureRequest) -> Callable[[Account], Running]:
    chosen: Callable[[Account], Running] = request.param
    return chosen


Kinds = Callable[[Account], Running]


# -- what goes over the wire --


def test_a_request_has_the_calls_body_and_headers(kind: Kinds, server: RawServer) -> None:
    server.answers = [OK]
    made = call(content=b'{"a": 1}', content_type="application/json", query={"deep": True, "none": None})
    assert kind(account(server.url)).run(made) == Reply(7)
    (request,) = server.requests
    assert request.startswith(b"POST /things?deep=true HTTP/1.1\r\n")
    lines = request.lower().split(b"\r\n")
    assert b"authorization: basic x" in lines
    assert b"content-type: application/json" in lines
    assert request.endswith(b'\r\n\r\n{"a": 1}')


def test_headers_are_found_however_they_are_spelled(kind: Kinds, server: RawServer) -> None:
    server.answers = [says(404, b"", "X-REQUEST-ID: r-1")]
    with pytest.raises(exceptions.NotFound) as caught:
        kind(account(server.url)).run(call())
    assert caught.value.request_id == "r-1"


def test_one_connection_serves_a_whole_flow(kind: Kinds, server: RawServer) -> None:
    def flow() -> Flow[list[int]]:
        ids = []
        for _ in range(3):
            reply = yield from call()
            ids.append(reply.id)
        return ids

    server.answers = [OK] * 3
    assert kind(account(server.url)).run(flow()) == [7, 7, 7]
    assert server.connections == 1


def test_rows_come_page_by_page(kind: Kinds, server: RawServer) -> None:
    def pages() -> Pages[int]:
        for _ in range(2):
            reply = yield from call("GET")
            yield Page([reply.id, reply.id + 1])

    server.answers = [OK, OK]
    assert kind(account(server.url)).rows(pages()) == [7, 8, 7, 8]


def test_rows_of_the_first_page_are_there_before_the_second_is_asked_for(server: RawServer) -> None:
    def pages() -> Pages[int]:
        while True:
            reply = yield from call("GET")
            yield Page([reply.id])

    server.answers = [OK]
    with Client(account(server.url)) as client:
        assert next(client.iterate(pages())) == 7

    async def first() -> int:
        async with AsyncClient(account(server.url)) as client:
            rows: AsyncIterator[int] = client.iterate(pages())
            return await anext(rows)

    server.answers = [OK]
    assert asyncio.run(first()) == 7
    assert len(server.requests) == 2


def test_a_body_of_megabytes_arrives_whole(kind: Kinds, server: RawServer) -> None:
    server.answers = [OK]
    body = b"x" * 3_000_000
    assert kind(account(server.url, silence=10.0)).run(call(content=body, content_type="text/csv")) == Reply(7)
    head, _, arrived = server.requests[0].partition(b"\r\n\r\n")
    assert arrived == body
    assert head.lower().count(b"content-type: text/csv") == head.lower().count(b"content-type") == 1


def test_a_body_is_freed_with_its_answer_and_not_when_the_collector_comes_by(kind: Kinds, server: RawServer) -> None:
    ended: list[bool] = []

    class Body(bytes):
        """Bytes that tell of their end."""

        def __del__(self) -> None:
            ended.append(True)

    def send() -> None:
        kind(account(server.url)).run(call(content=Body(b'{"a": 1}')))

    server.answers = [OK]
    gc.disable()
    try:
        send()
        assert ended == [True]
    finally:
        gc.enable()


def test_what_is_encoded_in_a_path_and_a_query_stays_as_it_is(kind: Kinds, server: RawServer) -> None:
    server.answers = [OK]
    kind(account(server.url)).run(call("GET", "a%2Fb%7E%C3%A9", query={"q": "1+1=2&~/\u00e9 %"}))
    assert server.requests[0].startswith(b"GET /a%2Fb%7E%C3%A9?q=1%2B1%3D2%26~%2F%C3%A9%20%25 HTTP/1.1\r\n")


def test_a_proxy_of_the_environment_is_used_for_the_world_and_not_for_this_machine(
    kind: Kinds, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = RawServer()
    proxy.answers = [OK]
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    server.answers = [OK]
    assert kind(account("http://service.example")).run(call()) == Reply(7)
    assert kind(account(server.url)).run(call()) == Reply(7)
    proxy.stop()
    assert [request.split(b"\r\n")[0] for request in proxy.requests] == [b"POST http://service.example/things HTTP/1.1"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("socks5://127.0.0.1:9", "could not be made: the environment names a proxy by socks5"),
        ("127.0.0.1:9", "no connection to service.example"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_as_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, named: str, words: str
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", named)
    with pytest.raises(exceptions.ConnectionFailed, match=words) as caught:
        Async(account("http://service.example")).run(call())
    assert not caught.value.outcome_unknown


def test_passwords_in_the_users_netrc_are_nobodys_business(
    kind: Kinds, server: RawServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.answers = [OK]
    assert kind(account(server.url)).run(call()) == Reply(7)
    assert b"authorization: basic x\r\n" in server.requests[0].lower() + b"\r\n"


def test_a_cookie_of_the_service_is_not_kept(server: RawServer) -> None:
    server.answers = [says(200, b'{"id": 7}', "Set-Cookie: session=1; Path=/"), OK]

    async def twice() -> None:
        async with AsyncClient(account(server.url)) as client:
            await client.run(call())
            await client.run(call())

    asyncio.run(twice())
    assert b"cookie" not in server.requests[1].lower()


# -- what goes wrong --

# what the server does; the error; whether the service may have acted; words of the message
TABLE: dict[str, tuple[Answering, type[exceptions.EspError], bool, str]] = {
    "reset": (resets, exceptions.ConnectionLost, True, "the connection broke before the whole answer came"),
    "closed": (closes, exceptions.ConnectionLost, True, "the connection broke before the whole answer came"),
    "truncated": (truncates, exceptions.ConnectionLost, True, "the connection broke before the whole answer came"),
    "another protocol": (babbles, exceptions.ConnectionLost, True, "the connection broke before the whole answer came"),
    "hanging": (hangs, exceptions.TimedOut, True, "no answer within 0.3 s"),
    "dripping": (drips, exceptions.TimedOut, True, "no whole answer within 0.5 s"),
    "html": (says(200, HTML, kind="text/html"), exceptions.UnexpectedResponse, True, "not what the API promises"),
    "html error": (says(502, HTML, kind="text/html"), exceptions.UnexpectedResponse, True, "HTTP 502"),
    "redirect": (says(302, b"", "Location: http://127.0.0.1:9/login"), exceptions.UnexpectedResponse, True, "HTTP 302"),
    "another shape": (says(200, b'{"id": "x"}'), exceptions.UnexpectedResponse, True, "Expected `int`"),
    "not found": (says(404, b""), exceptions.NotFound, False, "not found: no"),
    "unavailable": (says(503, b""), exceptions.ServerFailed, True, "server: no"),
    "no gzip": (
        says(200, b"no gzip", "Content-Encoding: gzip"),
        exceptions.UnexpectedResponse,
        True,
        "cannot be decompressed",
    ),
}


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_whatever_the_server_does_the_error_says_what_happened(
    kind: Kinds, server: RawServer, case: str, method: str
) -> None:
    answer, expected, unknown, words = TABLE[case]
    server.answers = [answer]
    limits: dict[str, Any] = {"dripping": {"total": 0.5}, "hanging": {"silence": 0.3}}.get(case, {})
    with pytest.raises(exceptions.EspError) as caught:
        kind(account(server.url, **limits)).run(call(method))
    assert type(caught.value) is expected
    assert words in str(caught.value)
    assert f"Toy {method} things" in str(caught.value)
    assert caught.value.outcome_unknown == (unknown and method != "GET")
    assert "ann@" not in str(caught.value)
    assert len(server.requests) == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"http://127.0.0.1:{free_port()}", "no connection to 127.0.0.1"),
        ("http://no-such-host.invalid", "no connection to no-such-host.invalid"),
        ("ftp://127.0.0.1", "could not be made"),
        ("http://127.0.0.1:port", "could not be made"),
    ],
    ids=["refused", "no such host", "no http", "no url"],
)
def test_a_request_that_never_left_is_known_not_to_have_been_acted_on(kind: Kinds, url: str, words: str) -> None:
    with pytest.raises(exceptions.ConnectionFailed) as caught:
        kind(account(url, connect=0.5)).run(call())
    assert not caught.value.outcome_unknown
    assert words in str(caught.value)
    assert "Check the connection's host" in str(caught.value)


def test_a_host_that_does_not_take_the_connection_is_named_with_the_limit(kind: Kinds) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(full.getsockname())
        time.sleep(0.05)
        try:
            with pytest.raises(exceptions.ConnectionFailed, match=r"no connection to 127\.0\.0\.1:\d+ within 0\.5 s"):
                kind(account(url, connect=0.5)).run(call())
        finally:
            for filler in fillers:
                filler.close()


@pytest.mark.parametrize("header", ["Basic x\r\nX-Evil: 1", "Basic secret\n", "Basic s\u00e9cret", "Basic \u0441ecret"])
def test_a_credential_that_no_header_can_carry_is_named_as_such_and_not_quoted(
    kind: Kinds, server: RawServer, header: str
) -> None:
    with pytest.raises(exceptions.Unauthenticated) as caught:
        kind(account(server.url, Credential(header=header))).run(call())
    assert "the credential holds a character" in str(caught.value)
    assert "cret" not in str(caught.value)
    assert not caught.value.outcome_unknown
    assert caught.value.__cause__ is None
    assert server.requests == []


def test_however_often_it_may_be_tried_a_send_whose_answer_is_lost_is_sent_once(kind: Kinds, server: RawServer) -> None:
    for answer, _, _, _ in TABLE.values():
        if answer in (hangs, drips):
            continue
        server.requests.clear()
        server.answers = [answer, OK, OK, OK, OK]
        with pytest.raises(exceptions.EspError):
            kind(account(server.url, attempts=5)).run(call(repeatable=False))
        assert len(server.requests) == 1


def test_a_repeatable_call_is_sent_again_on_a_new_connection(kind: Kinds, server: RawServer) -> None:
    server.answers = [resets, truncates, OK]
    assert kind(account(server.url, attempts=5)).run(call(repeatable=True)) == Reply(7)
    assert len(server.requests) == 3


def test_another_call_is_not(kind: Kinds, server: RawServer) -> None:
    server.answers = [resets, OK]
    with pytest.raises(exceptions.ConnectionLost):
        kind(account(server.url, attempts=5)).run(call(repeatable=False))
    assert len(server.requests) == 1


def test_a_pause_that_the_service_asks_for_is_kept(kind: Kinds, server: RawServer) -> None:
    server.answers = [says(429, b"", "Retry-After: 1"), OK]
    began = time.monotonic()
    assert kind(account(server.url)).run(call()) == Reply(7)
    assert time.monotonic() - began >= 1


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "IDLE_SECONDS", 0.05)
    server.answers = [OK, OK]
    with Client(account(server.url)) as client:
        client.run(call())
        time.sleep(0.1)
        client.run(call())
    assert server.connections == 2


# -- tokens --


def test_a_token_that_is_refused_is_renewed_and_the_request_sent_again(kind: Kinds, server: RawServer) -> None:
    values = iter(["old", "new"])
    tokens = TokenSource(lambda stale: Token(next(values), time.time(), time.time() + 3600))
    server.answers = [says(401, b""), OK]
    assert kind(account(server.url, Credential(tokens=tokens))).run(call()) == Reply(7)
    assert [b"authorization: bearer old" in request.lower() for request in server.requests] == [True, False]
    assert b"authorization: bearer new" in server.requests[1].lower()


def test_where_no_token_can_be_had_nothing_is_sent_and_the_call_was_not_acted_on(
    kind: Kinds, server: RawServer
) -> None:
    lost = exceptions.ConnectionLost("the token server broke the connection", outcome_unknown=True)

    def fetch(stale: Token | None) -> Token:
        raise lost

    with pytest.raises(exceptions.ConnectionLost) as caught:
        kind(account(server.url, Credential(tokens=TokenSource(fetch)))).run(call())
    assert not caught.value.outcome_unknown
    assert lost.outcome_unknown
    assert server.requests == []


# -- logs --


def test_no_line_about_a_request_of_ours_quotes_its_url(
    kind: Kinds, server: RawServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    httpx: Any = vars(import_module(Client.__module__))["httpx"]  # or its fork
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = logging.getLogger(httpx.__name__)
    caplog.set_level(logging.INFO, logger=httpx.__name__)
    monkeypatch.setattr(logger, "disabled", False)  # logging set up elsewhere may have switched it off
    monkeypatch.setattr(logger, "handlers", [Keeping()])
    other = RawServer()
    other.answers = [OK, OK]
    server.answers = [OK]
    kind(account(server.url)).run(call(path="secret-path", query={"email": "ann@example.com"}))
    kind(account(server.url)).run(call(path=f"{other.url}/secret-hash", authorised=False))
    httpx.get(f"{other.url}/somebody-elses")
    other.stop()
    assert [line.split()[3].rpartition("/")[2] for line in lines] == ["somebody-elses"]


# -- the library --


def test_the_fork_of_httpx_is_used_where_it_is_installed_and_httpx_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "httpx2.py").write_text("class HTTPError(Exception): ...\nclass InvalidURL(Exception): ...\n")
    program = (
        "import sys; from airflow_provider_esp.core.transport import client; print(client.httpx.__name__, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    used, *imported = done.stdout.split()
    assert used == "httpx2"
    assert "httpx" not in imported


# -- many at once --


def test_threads_may_share_a_client(server: RawServer) -> None:
    server.answers = [OK] * 40
    found: list[Any] = []
    with Client(account(server.url)) as client:

        def work() -> None:
            found.extend(client.run(call()) for _ in range(10))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [Reply(7)] * 40


def test_a_request_that_finds_no_free_connection_has_not_left(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "CONNECTIONS", 1)
    server.answers = [drips]

    async def second() -> None:
        async with AsyncClient(account(server.url, silence=0.3)) as client:
            first = asyncio.ensure_future(client.run(call()))
            assert await asyncio.to_thread(server.asked.wait, 10)
            try:
                await client.run(call())
            finally:
                first.cancel()

    with pytest.raises(exceptions.ConnectionFailed, match="all connections were busy") as caught:
        asyncio.run(second())
    assert not caught.value.outcome_unknown
    assert len(server.requests) == 1


def test_a_request_that_is_cancelled_ends_at_once(server: RawServer) -> None:
    server.answers = [hangs]

    async def cancelled() -> float:
        async with AsyncClient(account(server.url, silence=30.0)) as client:
            task = asyncio.ensure_future(client.run(call()))
            assert await asyncio.to_thread(server.asked.wait, 10)
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return time.monotonic() - began

    assert asyncio.run(cancelled()) < 20  # the answer would be waited for 30 s


def test_all_who_work_for_one_account_on_one_loop_share_a_client_until_the_last_one_goes(server: RawServer) -> None:
    ours, same = account(server.url), account(server.url)
    same = Account(TOY, ours.base_url, ours.credential, ours.throttle, ours.retry, ours.timeouts)
    other = account(server.url, Credential(identity="somebody else"))
    server.answers = [OK]

    async def use() -> None:
        async with shared_client(ours) as first:
            async with shared_client(same) as second, shared_client(other) as third:
                assert second is first
                assert third is not first
            assert await first.run(call()) == Reply(7)
        with pytest.raises(RuntimeError, match="closed"):
            await first.run(call())
        async with shared_client(ours) as anew:
            assert anew is not first

    asyncio.run(use())


def test_a_loop_that_ended_badly_leaves_its_client_to_no_other(server: RawServer) -> None:
    ours = account(server.url)
    seen: list[AsyncClient] = []

    async def abandon() -> None:
        seen.append(await shared_client(ours).__aenter__())

    for _ in range(5):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(abandon())
        loop.close()
        del loop
    assert len({id(client) for client in seen}) == 5


def test_a_fault_of_the_account_is_found_before_anything_is_sent(kind: Kinds, server: RawServer) -> None:
    with pytest.raises(exceptions.InvalidRequest, match="connection of type other"):
        kind(account(server.url)).run(Call("other", "GET", "x", Reply))
    assert server.requests == []
