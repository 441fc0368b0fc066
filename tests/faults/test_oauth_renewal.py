"""Renewing tokens when something goes wrong: the server, the network, the store, other processes, the rights."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.auth import oauth
from airflow_provider_esp.core.auth.oauth import Application
from airflow_provider_esp.core.auth.refresher import TokenRefresher
from airflow_provider_esp.core.auth.token_set import TokenSet
from airflow_provider_esp.core.auth.token_store import MemoryTokens, TokenStore
from airflow_provider_esp.core.transport.account import Account, Credential
from airflow_provider_esp.core.transport.async_client import AsyncClient
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.core.transport.retry import RetryPolicy
from airflow_provider_esp.core.transport.throttle import shared_throttle
from airflow_provider_esp.core.transport.tokens import Token, TokenSource
from airflow_provider_esp.exceptions import (
    ApplicationRefused,
    ConsentRequired,
    StoreShadowed,
    StoreUnusable,
    TokenError,
)
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth import registry
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer
from airflow_provider_esp.services.esputnik.api import general
from airflow_provider_esp.services.esputnik.service import ESPUTNIK

LIFETIME = registry.ACCESS_SECONDS


class World:
    """The sandbox, one consent, and a clock that moves with the sandbox's."""

    def __init__(self, sandbox: Sandbox, uaa: AuthorisationServer) -> None:
        self.sandbox, self.uaa = sandbox, uaa
        self.moved = 0.0
        self.app = Application(
            registry.CLIENT_ID,
            registry.CLIENT_SECRET,
            uaa.authorize_url,
            uaa.token_url,
            registry.CALLBACK,
            ca_bundle=str(uaa.ca_file),
        )
        self.store = MemoryTokens(self.consent())
        self.asked_before = self.asked_in_all

    def consent(self) -> TokenSet:
        code = self.uaa.consent(registry.CLIENT_ID, registry.CALLBACK)
        return oauth.exchange_code(self.app, code, self.clock)

    def clock(self) -> float:
        return time.time() + self.moved

    def advance(self, seconds: float) -> None:
        self.sandbox.advance(seconds)
        self.moved += seconds

    @property
    def asked_in_all(self) -> int:
        return len(self.sandbox.requests("/uaa/oauth/token"))

    @property
    def refreshes(self) -> int:
        return self.asked_in_all - self.asked_before

    def renewal(self, store: TokenStore | None = None, app: Application | None = None) -> TokenRefresher:
        return TokenRefresher(app or self.app, store or self.store, "my_conn", self.clock, wait_for_save=1.0)

    def account(self, renewal: TokenRefresher | None = None) -> Account:
        source = TokenSource((renewal or self.renewal()).fetch, clock=self.clock)
        base = self.sandbox.esputnik_url
        credential = Credential(identity="x", tokens=source)
        return Account(ESPUTNIK, base, credential, shared_throttle(base, "x", 1.0, {}), RetryPolicy(attempts=1))

    def call(self, account: Account | None = None) -> str:
        with Client(account or self.account()) as client:
            return client.run(general.version()).version

    def kept(self) -> TokenSet:
        kept = self.store.load()
        assert kept is not None
        return kept

    def newest(self) -> str:
        found: str = self.sandbox.state.store.value("SELECT access FROM uaa_tokens ORDER BY id DESC LIMIT 1")
        return found


@pytest.fixture
def world(sandbox: Sandbox, uaa: AuthorisationServer) -> World:
    return World(sandbox, uaa)


class Unlocked(MemoryTokens):
    """A store without turns: everybody may refresh at once, as if the lease had failed."""

    locked = False

    @contextmanager
    def turn(self, enough: Callable[[], bool], patience: float) -> Iterator[bool]:
        yield True


# -- when


def test_a_fresh_token_is_used_as_it_is(world: World) -> None:
    account = world.account()
    for _ in range(3):
        assert world.call(account)
    assert world.refreshes == 0


def test_a_token_is_renewed_ahead_of_its_end_with_the_last_refresh_token(world: World) -> None:
    account = world.account()
    for number in range(1, 6):
        world.advance(LIFETIME * 0.65)
        assert world.call(account)
        assert world.refreshes == number
        assert world.kept().access_token == world.newest()


def test_a_token_is_not_renewed_before_its_half_life(world: World) -> None:
    account = world.account()
    world.advance(LIFETIME * 0.49)
    assert world.call(account)
    assert world.refreshes == 0


@pytest.mark.parametrize("ended", [LIFETIME * 0.8, LIFETIME + 60.0])
def test_however_many_threads_and_loops_ask_a_process_refreshes_once(world: World, ended: float) -> None:
    world.sandbox.set(uaa__refresh_ends_access=True, uaa__reuse_revokes_family=True)
    account = world.account()
    world.advance(ended)

    async def loop_calls() -> list[str]:
        async with AsyncClient(account) as client:
            return [
                answer.version for answer in await asyncio.gather(*(client.run(general.version()) for _ in range(10)))
            ]

    with ThreadPoolExecutor(24) as pool, Client(account) as client:
        single = [pool.submit(lambda: client.run(general.version()).version) for _ in range(20)]
        loops = [pool.submit(lambda: asyncio.run(loop_calls())) for _ in range(3)]
        assert len({future.result() for future in single} | {v for future in loops for v in future.result()}) == 1
    assert world.refreshes == 1


def test_a_token_the_service_refuses_is_renewed_and_the_call_repeated(world: World) -> None:
    account = world.account()
    assert world.call(account)
    world.sandbox.advance(LIFETIME + 60)  # the worker's clock is behind: it believes the token to be good
    assert world.call(account)
    assert world.refreshes == 1


def test_a_token_that_another_process_renewed_is_read_and_not_renewed_again(world: World) -> None:
    world.sandbox.set(uaa__refresh_ends_access=True)
    first, second = world.account(), world.account()
    assert world.call(first)
    world.store.save(oauth.refresh(world.app, world.kept(), world.clock))
    asked = world.refreshes
    assert world.call(first)
    assert world.call(second)
    assert world.refreshes == asked


def test_a_stored_token_that_is_refused_as_well_is_renewed(world: World) -> None:
    world.sandbox.set(uaa__reuse_revokes_family=True)
    account = world.account()
    assert world.call(account)
    world.store.save(oauth.refresh(world.app, world.kept(), world.clock))
    asked = world.refreshes
    world.sandbox.advance(LIFETIME + 60)  # both the remembered token and the stored one have ended
    assert world.call(account)
    assert world.refreshes == asked + 1


def test_a_call_refused_for_other_reasons_does_not_refresh_for_ever(world: World) -> None:
    world.sandbox.fault("status", "GET", "*/v2/version", status=401, times=1000)
    account = world.account()
    for _ in range(5):
        with pytest.raises(exceptions.Unauthenticated):
            world.call(account)
    assert world.refreshes == 1


# -- the server and the network


@pytest.mark.parametrize("kind", ["reset", "truncate", "html", "status"])
def test_a_renewal_ahead_of_time_that_fails_leaves_the_token_in_use_and_is_not_tried_at_every_call(
    world: World, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.sandbox.fault(kind, "POST", "*/oauth/token", times=100)
    world.advance(LIFETIME * 0.8)
    account = world.account()
    for _ in range(5):
        assert world.call(account)
    assert world.refreshes == 1
    assert "'my_conn' still works for 9.6 h, but:" in caplog.text


@pytest.mark.parametrize("kind", ["reset", "html", "status"])
def test_a_renewal_that_fails_when_the_token_has_ended_is_the_calls_error(world: World, kind: Any) -> None:
    world.sandbox.fault(kind, "POST", "*/oauth/token", times=1)
    world.advance(LIFETIME + 60)
    with pytest.raises(exceptions.EspError, match="authorisation server"):
        world.call()
    assert world.call()


def test_an_authorisation_server_that_is_not_there_is_asked_again_before_it_is_an_error(world: World) -> None:
    world.advance(LIFETIME + 60)
    nowhere = replace(world.app, token_url="https://127.0.0.1:1/uaa/oauth/token")
    began = time.monotonic()
    with pytest.raises(exceptions.ConnectionFailed, match="no connection"):
        world.call(world.account(world.renewal(app=nowhere)))
    assert time.monotonic() - began > 2


def test_a_lost_answer_is_not_asked_for_again_while_the_token_works(world: World) -> None:
    world.sandbox.fault("reset", "POST", "*/oauth/token", processed=True, times=1)
    world.advance(LIFETIME * 0.8)
    account = world.account()
    assert world.call(account)
    assert world.refreshes == 1
    world.advance(LIFETIME)
    with pytest.raises(ConsentRequired):
        world.call(account)


def test_a_redirect_of_the_token_request_is_not_followed(world: World) -> None:
    world.sandbox.fault("status", "POST", "*/oauth/token", status=307, headers={"Location": f"{world.uaa.url}/else"})
    world.advance(LIFETIME + 60)
    with pytest.raises(exceptions.UnexpectedResponse, match="follows no redirect"):
        world.call()
    assert not world.sandbox.requests("/uaa/else")


def test_a_certificate_of_an_unknown_ca_is_refused(world: World) -> None:
    world.advance(LIFETIME + 60)
    with pytest.raises(exceptions.ConnectionFailed, match="certificate is not trusted") as caught:
        world.call(world.account(world.renewal(app=replace(world.app, ca_bundle=None))))
    assert "ca_bundle" in str(caught.value)


# -- what is dead


def test_a_dead_refresh_token_is_one_error_that_names_the_connection_and_the_command(world: World) -> None:
    before = world.kept()
    world.advance(31 * 86_400)
    with pytest.raises(ConsentRequired) as caught:
        world.call()
    assert "'my_conn'" in str(caught.value)
    assert "python -m airflow_provider_esp authorize --conn-id my_conn" in str(caught.value)
    assert world.kept() == before
    assert world.refreshes == 0  # it is known to have ended: the server is not asked


@pytest.mark.parametrize("switch", [False, True])
def test_a_refresh_token_that_was_used_elsewhere_is_the_same_error_and_nothing_is_deleted(
    world: World, switch: bool
) -> None:
    world.sandbox.set(uaa__reuse_revokes_family=switch)
    before = world.kept()
    oauth.refresh(world.app, before, world.clock)
    world.advance(LIFETIME + 60)
    account = world.account()
    for _ in range(2):
        with pytest.raises(ConsentRequired, match=r"used before|revoked"):
            world.call(account)
    assert world.kept() == before


def test_no_tokens_at_all_is_an_error_that_says_what_to_run(world: World) -> None:
    world.store.forget()
    with pytest.raises(ConsentRequired, match=r"'my_conn' is not authorised.*authorize --conn-id my_conn"):
        world.call()


def test_a_wrong_secret_is_a_sentence_about_the_registration(world: World) -> None:
    world.advance(LIFETIME + 60)
    with pytest.raises(ApplicationRefused, match="Compare id, secret and redirect address"):
        world.call(world.account(world.renewal(app=replace(world.app, client_secret="wrong-secret"))))


def test_a_living_token_that_is_given_again_does_not_make_the_refresh_token_younger(world: World) -> None:
    first = world.kept()
    world.advance(86_400)
    again = world.consent()
    assert again.access_token == first.access_token
    assert again.expires_at == pytest.approx(first.expires_at, abs=3)
    assert again.refresh_expires_at == pytest.approx(first.refresh_expires_at, abs=3)


# -- other processes


def test_without_any_lock_everybody_ends_with_what_one_of_them_saved(world: World) -> None:
    store = Unlocked(world.kept())
    world.advance(LIFETIME + 60)
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: world.call(world.account(world.renewal(store))), range(8)))
    assert len(set(versions)) == 1
    kept = store.load()
    assert kept is not None
    assert kept.access_token == world.newest()


def test_whoever_is_refused_waits_a_bounded_time_for_the_others_save(world: World) -> None:
    store = Unlocked(world.kept())
    fresh = oauth.refresh(world.app, world.kept(), world.clock)
    world.advance(LIFETIME + 60)
    late = replace(fresh, issued_at=world.clock(), expires_at=world.clock() + LIFETIME)
    threading.Timer(0.5, lambda: store.save(late)).start()
    token = world.renewal(store).fetch(None)
    assert token.value == fresh.access_token


def test_a_grant_is_later_than_the_one_it_came_from_whatever_the_clock_says(world: World) -> None:
    behind = oauth.refresh(world.app, world.kept(), lambda: world.clock() - 3600)
    assert behind.issued_at > world.kept().issued_at
    assert world.store.save(behind) == behind


# -- the store


class Failing(MemoryTokens):
    """A store that cannot save for a while."""

    def __init__(self, grant: TokenSet, failures: int, error: Exception) -> None:
        super().__init__(grant)
        self.failures, self.error = failures, error

    def save(self, grant: TokenSet) -> TokenSet:
        self.failures -= 1
        if self.failures >= 0:
            raise self.error
        return super().save(grant)


def test_saving_is_tried_again_because_the_tokens_cannot_be_had_twice(world: World) -> None:
    store = Failing(world.kept(), 2, ConnectionError("the database is away"))
    world.advance(LIFETIME + 60)
    assert world.call(world.account(world.renewal(store)))
    kept = store.load()
    assert kept is not None
    assert kept.access_token == world.newest()


def test_tokens_that_cannot_be_saved_are_an_error_and_are_saved_when_it_works_again(world: World) -> None:
    store = Failing(world.kept(), 4, StoreUnusable("the disk is full"))
    world.advance(LIFETIME + 60)
    account = world.account(world.renewal(store))
    with pytest.raises(TokenError, match="could not be saved in this process's memory: the disk is full"):
        world.call(account)
    assert world.call(account)
    kept = store.load()
    assert kept is not None
    assert kept.access_token == world.newest()
    assert world.refreshes == 1


def test_a_shadowed_store_is_said_at_once(world: World) -> None:
    store = Failing(world.kept(), 1, StoreShadowed("something else answers"))
    world.advance(LIFETIME + 60)
    with pytest.raises(StoreShadowed):  # another try would have worked
        world.call(world.account(world.renewal(store)))


def test_a_store_that_cannot_be_written_is_found_out_before_the_refresh_token_is_spent(world: World) -> None:
    class ReadOnly(MemoryTokens):
        @contextmanager
        def turn(self, enough: Callable[[], bool], patience: float) -> Iterator[bool]:
            raise StoreUnusable("nothing can be written here")
            yield False

    world.advance(LIFETIME + 60)
    with pytest.raises(StoreUnusable):
        world.call(world.account(world.renewal(ReadOnly(world.kept()))))
    assert world.refreshes == 0


# -- both ways of sending the credentials, and what is never seen


@pytest.mark.parametrize("credentials_in", ["header", "query"])
@pytest.mark.parametrize("send_code", [False, True])
def test_both_ways_of_sending_the_credentials_work_and_nothing_secret_is_logged(
    world: World, credentials_in: str, send_code: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    app = replace(world.app, credentials_in=credentials_in, send_code=send_code)
    code = world.uaa.consent(registry.CLIENT_ID, registry.CALLBACK)
    first = oauth.exchange_code(app, code, world.clock)
    second = oauth.refresh(app, first, world.clock)
    assert second.access_token == world.newest()
    assert second.code == (code if send_code else "")
    request = world.sandbox.requests("/uaa/oauth/token")[-1]
    assert ("client_id" in request["query"]) == (credentials_in == "query")
    for bad in (replace(app, client_secret="wrong-secret"), replace(app, token_url=f"{world.uaa.url}/nothing")):
        with pytest.raises(exceptions.EspError) as caught:
            oauth.refresh(bad, first, world.clock)
        caplog.handler.emit(logging.makeLogRecord({"msg": f"{caught.value} {caught.value!r} {bad!r} {first!r}"}))
    for secret in (*first.secrets, *second.secrets, code, registry.CLIENT_SECRET, "wrong-secret"):
        assert secret not in caplog.text


def test_what_the_server_quotes_is_hidden(world: World) -> None:
    body = b'{"error": "invalid_grant", "error_description": "Invalid authorization code: the-code"}'
    world.sandbox.fault("status", "POST", "*/oauth/token", status=400, body=body.decode())
    with pytest.raises(exceptions.EspError) as caught:
        oauth.exchange_code(world.app, "the-code")
    assert "the-code" not in str(caught.value)
    assert "Invalid authorization code: [secret]" in str(caught.value)


def test_neither_a_token_nor_the_secret_is_in_a_repr(world: World) -> None:
    grant = world.kept()
    shown = f"{grant!r} {world.app!r} {Token(grant.access_token, 0, 1)!r} {world.account()!r}"
    for secret in (*grant.secrets, registry.CLIENT_SECRET):
        assert secret not in shown
