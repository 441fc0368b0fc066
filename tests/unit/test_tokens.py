"""One current token for everybody, and one refresh at a time: for threads and event loops together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_esp.core.calls import Call, Service
from airflow_provider_esp.core.transport.account import Account, Credential
from airflow_provider_esp.core.transport.async_client import AsyncClient
from airflow_provider_esp.core.transport.throttle import Throttle
from airflow_provider_esp.core.transport.tokens import Token, TokenSource, shared_tokens
from airflow_provider_esp.exceptions import ConnectionFailed


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Gives tokens for an hour, one after the other, when it is let."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.asked: list[Token | None] = []
        self.threads: list[threading.Thread] = []
        self.began = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.problem: BaseException | None = None

    def fetch(self, stale: Token | None) -> Token:
        self.asked.append(stale)
        self.threads.append(threading.current_thread())
        self.began.set()
        assert self.may_answer.wait(timeout=120)
        if self.problem is not None:
            raise self.problem
        return Token(f"token-{len(self.asked)}", self.clock.now, self.clock.now + 3600)

    def source(self, early: float = 0.05) -> TokenSource:
        return TokenSource(self.fetch, early, self.clock)


def test_there_is_no_token_before_one_is_fetched() -> None:
    source = Server().source()
    assert source.current() is None
    token = source.renew(None).result(timeout=120)
    assert source.current() is token


def test_a_token_counts_as_too_old_a_little_before_its_end() -> None:
    server = Server()
    source = server.source(early=0.05)
    source.prime()
    server.clock.now += 3600 * 0.89
    assert source.current() is not None
    server.clock.now = 1000 + 3600 * 0.951
    assert source.current() is None


def test_a_token_may_say_itself_when_it_is_too_old() -> None:
    clock = Clock()
    source = TokenSource(lambda stale: Token("t", 1000, 1_000_000, renew_at=1500), clock=clock)
    source.prime()
    clock.now = 1499
    assert source.current() is not None
    clock.now = 1500
    assert source.current() is None


def test_sources_made_together_do_not_renew_together() -> None:
    moments = {TokenSource(Server().fetch)._early for _ in range(20)}
    assert len(moments) > 1
    assert all(0.05 <= moment <= 0.10 for moment in moments)


def test_however_many_ask_at_once_there_is_one_fetch() -> None:
    server = Server()
    server.may_answer.clear()
    source = server.source()
    with ThreadPoolExecutor(20) as pool:
        promises = [pool.submit(lambda: source.renew(None).result(timeout=120)) for _ in range(20)]

        async def many() -> list[Token]:
            return await asyncio.gather(*(asyncio.wrap_future(source.renew(None)) for _ in range(20)))

        loops = [pool.submit(lambda: asyncio.run(many())) for _ in range(3)]
        server.may_answer.set()
        tokens = [promise.result(timeout=120) for promise in promises]
        for loop in loops:
            tokens += loop.result(timeout=120)
    assert {id(token) for token in tokens} == {id(source.current())}
    assert server.asked == [None]


def test_a_refused_token_is_renewed_once_however_many_find_it_refused() -> None:
    server = Server()
    source = server.source()
    source.prime()
    old = source.current()
    first = source.renew(old).result(timeout=120)
    assert [source.renew(old).result(timeout=120) for _ in range(5)] == [first] * 5
    assert server.asked == [None, old]


def test_a_newer_token_that_is_too_old_itself_is_not_given_out() -> None:
    server = Server()
    source = server.source()
    source.prime()
    old = source.current()
    source.renew(old).result(timeout=120)
    server.clock.now += 3600
    assert source.renew(old).result(timeout=120).value == "token-3"


def test_the_fetch_runs_in_a_thread_of_its_own() -> None:
    server = Server()
    server.source().renew(None).result(timeout=120)
    assert server.threads != [threading.current_thread()]
    assert server.threads[0].daemon


def test_a_failed_fetch_is_told_to_everybody_who_waits_and_the_next_one_begins_anew() -> None:
    server = Server()
    server.may_answer.clear()
    server.problem = ConnectionFailed("no connection")
    source = server.source()
    promises = [source.renew(None) for _ in range(3)]
    server.may_answer.set()
    for promise in promises:
        with pytest.raises(ConnectionFailed):
            promise.result(timeout=120)
    server.problem = None
    assert source.renew(None).result(timeout=120).value == "token-2"


def test_a_waiter_who_gives_up_takes_the_token_from_nobody() -> None:
    server = Server()
    server.may_answer.clear()
    source = server.source()
    in_a_thread: Future[Token] = source.renew(None)

    async def give_up() -> None:
        waiting = [asyncio.ensure_future(asyncio.wrap_future(source.renew(None))) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        server.may_answer.set()
        assert (await waiting[1]).value == "token-1"
        assert waiting[0].cancelled()

    asyncio.run(give_up())
    assert in_a_thread.result(timeout=120).value == "token-1"
    assert source.current() is not None


def test_an_event_loop_goes_on_while_a_token_is_fetched() -> None:
    server = Server()
    server.may_answer.clear()
    service = Service("toy", "Toy", "http://127.0.0.1:9", lambda status, headers, body: None)
    account = Account(service, "http://127.0.0.1:9", Credential(tokens=server.source()), Throttle())
    call: Call[Any] = Call("toy", "GET", "x", type(None))

    async def others_first() -> list[str]:
        order: list[str] = []

        async def request() -> None:
            async with AsyncClient(account) as client:
                with pytest.raises(ConnectionFailed):
                    await client.run(call)
            order.append("request")

        async def other() -> None:
            assert await asyncio.to_thread(server.began.wait, 10)
            order.append("other")
            server.problem = ConnectionFailed("no connection")
            server.may_answer.set()

        await asyncio.gather(request(), other())
        return order

    assert asyncio.run(others_first()) == ["other", "request"]


# -- prime --


def test_priming_fetches_on_the_calling_thread_what_is_missing() -> None:
    server = Server()
    source = server.source()
    source.prime()
    assert server.threads == [threading.current_thread()]
    assert source.current() is not None


def test_priming_fetches_nothing_that_is_there() -> None:
    server = Server()
    source = server.source()
    source.prime()
    source.prime()
    assert len(server.asked) == 1


def test_a_failed_priming_says_so_and_does_not_stand_in_the_way() -> None:
    server = Server()
    server.problem = ConnectionFailed("no connection")
    source = server.source()
    with pytest.raises(ConnectionFailed):
        source.prime()
    server.problem = None
    source.prime()
    assert source.current() is not None


def test_whoever_asks_while_another_primes_is_given_the_same_token() -> None:
    server = Server()
    server.may_answer.clear()
    source = server.source()
    with ThreadPoolExecutor(1) as pool:
        primed = pool.submit(source.prime)
        assert server.began.wait(timeout=120)
        promise = source.renew(None)
        server.may_answer.set()
        assert promise.result(timeout=120).value == "token-1"
        primed.result(timeout=120)
    assert len(server.asked) == 1


# -- secrets, and one source for all --


def test_a_token_does_not_show() -> None:
    assert "secret" not in repr(Token("secret", 0, 1))


def test_an_application_has_one_source_in_a_process() -> None:
    made: list[int] = []

    def maker(number: int) -> Callable[[], TokenSource]:
        def make() -> TokenSource:
            made.append(number)
            return Server().source()

        return make

    one = shared_tokens("test: url, id, secret", maker(1))
    assert shared_tokens("test: url, id, secret", maker(2)) is one
    assert shared_tokens("test: url, id, another secret", maker(3)) is not one
    assert made == [1, 3]
