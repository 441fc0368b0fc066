"""Two hundred calls at once on a token that is no longer good make one token request, and all of them succeed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_esp.core.transport.account import Account, Credential
from airflow_provider_esp.core.transport.async_client import AsyncClient
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.core.transport.tokens import Token, TokenSource
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.services.sendpulse.api import account
from airflow_provider_esp.services.sendpulse.service import SENDPULSE
from tests.contract.stage import unthrottled

THREADS, LOOPS = 20, 2
CALLS = 200
HOUR = 3600


class Wall:
    """A clock that can be moved, as the sandbox's can."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def sendpulse(sandbox: Sandbox, wall: Wall) -> Iterator[Account]:
    """An account with client id and secret, whose rate limits are off on both sides."""
    for bucket in ("second", "minute"):
        sandbox.limit(f"sendpulse.{bucket}", None)
    throttle = unthrottled("sendpulse")
    asking = Account(SENDPULSE, sandbox.sendpulse_url, Credential("asking for tokens"), throttle)
    with Client(asking) as client:

        def fetch(stale: Token | None) -> Token:
            answer = client.run(account.access_token("sandbox-id", "sandbox-secret"))
            return Token(answer.access_token, issued_at=wall(), expires_at=wall() + answer.expires_in)

        credential = Credential("sandbox-id", tokens=TokenSource(fetch, clock=wall))
        yield Account(SENDPULSE, sandbox.sendpulse_url, credential, throttle)


def ask_everywhere(sendpulse: Account) -> int:
    """Make the calls, half of them in threads that share a client, half on two event loops; count the answers."""
    begin = threading.Barrier(THREADS + LOOPS)

    def in_a_thread(client: Client) -> int:
        begin.wait()
        return sum(client.run(account.user_info()).id > 0 for _ in range(CALLS // 2 // THREADS))

    async def at_once(calls: int) -> int:
        async with AsyncClient(sendpulse) as client:
            begin.wait()
            users = await asyncio.gather(*(client.run(account.user_info()) for _ in range(calls)))
        return sum(user.id > 0 for user in users)

    with Client(sendpulse) as client, ThreadPoolExecutor(THREADS + LOOPS) as pool:
        work = [pool.submit(in_a_thread, client) for _ in range(THREADS)]
        work += [pool.submit(asyncio.run, at_once(CALLS // 2 // LOOPS)) for _ in range(LOOPS)]
        return sum(done.result() for done in work)


def ask_once(sendpulse: Account) -> None:
    """Make one call, so that there is a token."""
    with Client(sendpulse) as client:
        client.run(account.user_info())


def test_without_a_token_one_is_fetched_for_all(sandbox: Sandbox, sendpulse: Account) -> None:
    assert ask_everywhere(sendpulse) == CALLS
    assert sandbox.state.log.counts() == {"POST oauth/access_token": 1, "GET user/info": CALLS}


def test_an_expired_token_is_renewed_once_for_all(sandbox: Sandbox, sendpulse: Account, wall: Wall) -> None:
    ask_once(sendpulse)
    sandbox.advance(HOUR + 1)
    wall.ahead = HOUR + 1
    sandbox.state.log.clear()
    assert ask_everywhere(sendpulse) == CALLS
    assert sandbox.state.log.counts() == {"POST oauth/access_token": 1, "GET user/info": CALLS}


@pytest.mark.parametrize("ended", ["revoked", "expired by the service's clock alone"])
def test_a_token_that_the_service_no_longer_takes_is_renewed_once_for_all(
    sandbox: Sandbox, sendpulse: Account, ended: str
) -> None:
    ask_once(sendpulse)
    if ended == "revoked":
        sandbox.do("sendpulse", "revoke_tokens")
    else:
        sandbox.advance(HOUR + 1)
    sandbox.state.log.clear()
    assert ask_everywhere(sendpulse) == CALLS
    answers = [row["status"] for row in sandbox.requests("*/user/info")]
    assert answers.count(200) == CALLS
    assert set(answers) == {200, 401}
    assert sandbox.state.log.counts()["POST oauth/access_token"] == 1
