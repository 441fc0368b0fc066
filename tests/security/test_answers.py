"""What a hostile or broken server may answer: bombs, quoted secrets, odd numbers. All three clients, over sockets."""

from __future__ import annotations

import asyncio
import base64
import gzip
import http.server
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any
from urllib.parse import quote

import pytest
import requests
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.transport import requests_session
from airflow_provider_esp.core.transport.account import Account, Credential
from airflow_provider_esp.core.transport.async_client import AsyncClient
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.core.transport.response_bodies import Body
from airflow_provider_esp.core.transport.retry import RetryPolicy, retry_after
from airflow_provider_esp.core.transport.throttle import Throttle
from airflow_provider_esp.exceptions import BodyRefused, BodyTooLarge
from airflow_provider_esp.services.esputnik.service import ESPUTNIK
from airflow_provider_esp.utils.redaction import hide_secrets, redact, redact_code, shown_counts

Refused = Callable[[str, str, str], None]
MB = 2**20


class Server:
    """Answers every request with one status, some headers and one body."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, {}, b""  # type: int, dict[str, str], bytes
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked_with = dict(self.headers)
                self.send_response(outer.status)
                for name, value in {"Content-Length": str(len(outer.body)), **outer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, format: str, *args: Any) -> None:
                """Stay quiet."""

        self.asked_with: dict[str, str] = {}
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


def account(server: Server, header: str = "Basic x") -> Account:
    return Account(ESPUTNIK, server.url, Credential(header=header), Throttle(), RetryPolicy(attempts=1))


def call(answer: Any = NoneType) -> Call[Any]:
    return Call("esputnik", "GET", "v1/things", answer)


def ask_client(server: Server, header: str = "Basic x") -> object:
    with Client(account(server, header)) as client:
        return client.run(call())


def ask_async(server: Server, header: str = "Basic x") -> object:
    async def run() -> object:
        async with AsyncClient(account(server, header)) as client:
            return await client.run(call())

    return asyncio.run(run())


def ask_requests(server: Server, header: str = "Basic x") -> object:
    with requests.Session() as session:
        requests_session.restrain(session, server.url, None)
        return session.get(server.url, timeout=30).content


ASK: dict[str, Callable[..., object]] = {"httpx": ask_client, "aiohttp": ask_async, "requests": ask_requests}


def gzip_bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(MB)
    return b"".join(packer.compress(block) for _ in range(size // MB)) + packer.flush()


# -- bombs


@pytest.mark.slow
@pytest.mark.parametrize("client", ASK)
def test_an_answer_that_unpacks_to_gigabytes_costs_a_few_megabytes(
    client: str, server: Server, refused: Refused
) -> None:
    server.body, server.headers = gzip_bomb(1500 * MB), {"Content-Encoding": "gzip"}
    tracemalloc.start()
    try:
        with pytest.raises((exceptions.UnexpectedResponse, BodyTooLarge), match=r"larger than \d+ MB"):
            ASK[client](server)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 110 * MB  # the limit, joined chunks of it, and the packed body, which is 1.5 MB
    refused("bomb in an answer", f"{client}: gzip of 1.5 GB", "an error at the limit")


@pytest.mark.parametrize("client", ASK)
def test_only_gzip_is_asked_for_and_nothing_else_is_unpacked(client: str, server: Server, refused: Refused) -> None:
    server.body, server.headers = zstandard.compress(bytes(64 * MB)), {"Content-Encoding": "zstd"}
    with pytest.raises((exceptions.UnexpectedResponse, BodyRefused), match="packed by zstd, and gzip was asked for"):
        ASK[client](server)
    assert server.asked_with["Accept-Encoding"] == "gzip"
    refused("bomb in an answer", f"{client}: zstd, not asked for", "refused by name")


@pytest.mark.parametrize("client", ASK)
def test_a_large_answer_that_is_not_packed_is_refused_as_well(client: str, server: Server, refused: Refused) -> None:
    server.body = bytes(33 * MB)
    with pytest.raises((exceptions.UnexpectedResponse, BodyTooLarge), match=r"larger than \d+ MB"):
        ASK[client](server)
    refused("bomb in an answer", f"{client}: 33 MB, not packed", "an error at the limit")


@pytest.mark.parametrize("client", ASK)
def test_an_ordinary_packed_answer_is_read(client: str, server: Server) -> None:
    server.body, server.headers = gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"}
    assert ASK[client](server) in (None, b'{"a": 1}')


def test_a_call_may_allow_more(server: Server) -> None:
    server.body = b" " * (33 * MB) + b"{}"
    with Client(account(server)) as client:
        client.run(Call("esputnik", "GET", "v1/things", NoneType, most_bytes=64 * MB))


@given(st.lists(st.binary(max_size=50), max_size=4), st.integers(1, 7))
def test_a_packed_body_is_read_however_it_is_cut(parts: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, parts))  # several members are one body
    body = Body("gzip", 1000)
    for at in range(0, len(packed), size):
        body.add(packed[at : at + size])
    assert body.end() == b"".join(parts)


def test_a_body_that_ends_early_is_not_taken_for_whole() -> None:
    body = Body("gzip", 1000)
    body.add(gzip.compress(b"x" * 100)[:-3])
    with pytest.raises(BodyRefused, match="its end is missing"):
        body.end()


@pytest.mark.parametrize("client", ["httpx", "aiohttp", "requests"])
def test_no_client_keeps_what_a_service_sets_as_a_cookie(client: str, server: Server, refused: Refused) -> None:
    server.headers = {"Set-Cookie": "account=ann; Path=/"}
    if client == "httpx":
        with Client(account(server)) as sync:
            sync.run(call())
            sync.run(call())
    elif client == "aiohttp":

        async def twice() -> None:
            async with AsyncClient(account(server)) as asynchronous:
                await asynchronous.run(call())
                await asynchronous.run(call())

        asyncio.run(twice())
    else:
        with requests.Session() as session:
            requests_session.restrain(session, server.url, None)
            session.get(server.url, timeout=30)
            session.get(server.url, timeout=30)
    assert server.asked_with
    assert "Cookie" not in server.asked_with
    refused("held before", f"{client}: a cookie", "not sent back")


def test_a_page_of_nothing_but_open_tags_is_read_in_no_time(refused: Refused) -> None:
    refusal = ESPUTNIK.refusal(502, {}, b"<html>" + b"<title>" * 4_000_000)  # a pattern that looks ahead takes days
    assert refusal is not None
    assert refusal.message == "no title"
    refused("bomb in an answer", "28 MB of open tags", "its first 10 KB are read")


# -- what a service quotes

PAIR = "api:s3cret-key/+ю"
BASIC = base64.b64encode(PAIR.encode()).decode()
QUOTED = {
    "plain": "s3cret-key/+ю",
    "Basic header": f"Basic {BASIC}",
    "base64, without padding": BASIC.rstrip("="),
    "percent-encoded": quote("s3cret-key/+ю", safe=""),
    "in lower case": quote("s3cret-key/+ю", safe="").lower(),
    "base64, percent-encoded": quote(BASIC, safe=""),
    "user and key": PAIR,
    "escaped twice": quote(quote("s3cret-key/+ю", safe=""), safe=""),
}


@pytest.mark.parametrize("form", QUOTED)
@pytest.mark.parametrize("client", ["httpx", "aiohttp"])
def test_our_own_credential_is_in_no_error_however_the_service_quotes_it(
    form: str, client: str, server: Server, refused: Refused
) -> None:
    server.status, server.body = 400, f"no rights for {QUOTED[form]} here".encode()
    with pytest.raises(exceptions.EspError) as caught:
        ASK[client](server, f"Basic {BASIC}")
    said = str(caught.value)
    assert "no rights for" in said
    for secret in ("s3cret", BASIC[:12], "czNjcmV0"):
        assert secret not in said
    refused("secret or person quoted", f"key {form}"[:30], "shown as [secret]")


def wide(text: str) -> str:
    """Write ASCII in fullwidth letters."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


ADDRESSES = {
    "plain": "ann@example.com",
    "percent-encoded": "ann%40example.com",
    "percent-encoded twice": "ann%2540example.com",
    "fullwidth sign": "ann\uff20example.com",
    "small sign": "ann\ufe6bexample.com",
    "quoted, with a blank": '"ann smith"@example.com',
    "with = and +": "user=ann+tag@example.com",
    "HTML escape": "ann&#64;example.com",
    "JSON escape": "ann\\u0040example.com",
    "invisible character": "an\u200bn@exam\u2060ple.com",
    "comment": "ann(home)@example.com",
    "fullwidth letters": wide("ann@example.com"),
    "mailto": "mailto:ann@example.com?subject=x",
    "phone": "+380 50 123-45-67",
    "phone, percent-encoded": "%2B380%2050%20123%2045%2067",
    "phone, fullwidth": wide("+380501234567"),
}


@pytest.mark.parametrize("form", ADDRESSES)
def test_a_quoted_person_is_hidden_however_it_is_spelled(form: str, refused: Refused) -> None:
    said = redact(f"the value {ADDRESSES[form]} is wrong")
    assert said.startswith("the value ")
    assert said.endswith(" is wrong")
    for part in ("ann", "example", "smith", "123", wide("ann"), wide("123"), "user="):
        assert part not in said
    refused("secret or person quoted", form, "hidden")


word = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="\"'<>"), min_size=1, max_size=9)


@given(word, word, st.sampled_from(["@", "%40", "\uff20", "&#x40;", "\\u0040"]))
def test_whatever_stands_around_it_no_address_is_left(before: str, after: str, sign: str) -> None:
    said = redact(f"{before} ann.lee-7{sign}mail.example.org {after}")
    assert "ann.lee" not in said
    assert "mail.example" not in said


def test_half_a_secret_or_person_is_not_shown_where_a_long_text_is_cut() -> None:
    hide_secrets("Half-of-this-is-too-much")
    for longest in (300, 500, 2000):
        for filling in ("x ", "x", "ann@example.com,"):
            text = (filling * longest)[: longest - 8] + " Half-of-this-is-too-much bob.planted@example.com"
            assert "Half" not in redact(text)
            assert "bob" not in redact(text)


@pytest.mark.parametrize("code", ["2020202020", "213", "invalid_grant", "b0adb9d2-19ef-4905-b114-fec2d0b8b33e"])
def test_a_code_or_an_id_stays_as_it_is(code: str) -> None:
    assert redact_code(code) == code


@pytest.mark.parametrize(
    "code", ["ann@example.com", "ann%40example.com", "380501234567", "s3cret-code-1", "x s3cret-code-1"]
)
def test_a_code_that_is_a_person_or_a_secret_is_hidden(code: str) -> None:
    hide_secrets("s3cret-code-1")
    assert redact_code(code) in ("[address]", "[number]", "[secret]", "x [secret]")
    assert shown_counts({code: 2, "SENT": 1})["SENT"] == 1
    assert code not in shown_counts({code: 2})


def test_ordinary_words_stay_as_they_are() -> None:
    said = "Expected `int`, got `str` - at `$.id` (100 %, 3,000 contacts, code 17) … and more"
    assert redact(said) == said


# -- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("²", None),
        ("٣", None),
        ("1_000", None),
        ("nan", None),
        ("inf", None),
        ("-5", None),
        ("1e999", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("9" * 400, 1e9),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=lambda: 10.0) == seconds


@given(st.text(max_size=20))
def test_whatever_retry_after_says_there_is_no_traceback(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("value", ["²", "1e999", "9" * 400])
def test_an_odd_retry_after_is_an_ordinary_429(value: str, server: Server) -> None:
    server.status, server.headers = 429, {"Retry-After": value.encode().decode("latin-1")}
    policy = RetryPolicy(attempts=1, patience=0.01)
    with (
        Client(Account(ESPUTNIK, server.url, Credential(header="Basic x"), Throttle(), policy)) as client,
        pytest.raises(exceptions.RateLimited),
    ):
        client.run(call())
