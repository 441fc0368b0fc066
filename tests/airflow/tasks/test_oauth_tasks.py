"""Connections with an application instead of a key, in tasks: tokens, renewal, rights, and the keeper's long run."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_esp.cli import authorize
from airflow_provider_esp.connections import parse
from airflow_provider_esp.core.auth import oauth, variable_lock
from airflow_provider_esp.core.auth.token_set import TokenSet
from airflow_provider_esp.core.transport import tokens as shared
from airflow_provider_esp.exceptions import ConsentRequired, PermissionDenied, ScopeMissing, TokensExpiring
from airflow_provider_esp.hooks import credentials as credential
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.hooks.esputnik import EsputnikHook
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.tokens import RefreshTokensOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth import registry
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer
from airflow_provider_esp.services.esputnik.api import events, general, imports
from airflow_provider_esp.stores import tokens as stored

DAY = 86_400.0
CONN_ID = "consented"


class World:
    """A connection somebody consented to, in the environment, and a clock that moves with the sandbox's."""

    def __init__(
        self, sandbox: Sandbox, uaa: AuthorisationServer, patch: pytest.MonkeyPatch, right: str, oauth_store: str
    ) -> None:
        self.sandbox, self.patch = sandbox, patch
        self.moved = 0.0
        client = uaa.register("DAGs", registry.CALLBACK, right)
        extra = {
            "client_id": client[0],
            "client_secret": client[1],
            "auth_server": uaa.url,
            "ca_bundle": str(uaa.ca_file),
            "application_scope": right,
            "oauth_store": oauth_store,
        }
        fields = {"conn_type": "esputnik", "host": sandbox.esputnik_url, "extra": extra}
        patch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(fields))
        patch.setattr(EspHook, "clock", staticmethod(self.clock))
        settings: Any = parse("esputnik", host=sandbox.esputnik_url, extra=extra)
        self.app = credential.application(settings.oauth, settings.ca_bundle)
        self.store = stored.token_store(settings.oauth, CONN_ID)
        code = uaa.consent(client[0], registry.CALLBACK)
        authorize.keep(self.store, oauth.exchange_code(self.app, code, self.clock))
        self.asked_before = self._asked()

    def clock(self) -> float:
        return time.time() + self.moved

    def advance(self, seconds: float) -> None:
        self.sandbox.advance(seconds)
        self.moved += seconds

    def new_process(self) -> None:
        """Forget what a process remembers, as the next task's process does."""
        self.patch.setattr(shared, "_shared", {})

    def _asked(self) -> int:
        return len(self.sandbox.requests("/uaa/oauth/token"))

    @property
    def refreshes(self) -> int:
        return self._asked() - self.asked_before

    def kept(self) -> TokenSet:
        kept = self.store.load()
        assert kept is not None
        return kept


@pytest.fixture
def make_world(
    worker: Any, sandbox: Sandbox, uaa: AuthorisationServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    made: list[World] = []

    def make(right: str = "full", oauth_store: str = "variable") -> World:
        made.append(World(sandbox, uaa, monkeypatch, right, oauth_store))
        made[-1].new_process()
        return made[-1]

    yield make
    for one in made:
        one.store.forget()
    stored.dismiss(CONN_ID)


class CallOperator(BaseOperator):
    """Calls the API from as many threads as told, as an upload does."""

    def __init__(self, threads: int = 1, **told: Any) -> None:
        super().__init__(**told)
        self.threads = threads

    def execute(self, context: Any) -> list[str]:
        hook = EspHook.for_connection(CONN_ID)
        hook.check_access("upload")
        hook.get_conn()
        with ThreadPoolExecutor(self.threads) as pool:
            names = list(pool.map(lambda _: hook.run(hook.adapter.account_name()), range(self.threads)))
        hook.close()
        return names


# -- tokens in tasks


def test_a_task_uses_the_tokens_of_a_consent(run: Any, make_world: Any) -> None:
    world = make_world()
    ran = run(CallOperator(task_id="call"))
    assert (ran.state, ran.value) == ("success", ["Sandbox"])
    assert world.refreshes == 0


def test_a_task_renews_a_token_that_has_ended_and_the_next_one_reads_it(run: Any, make_world: Any) -> None:
    world = make_world()
    world.advance(3 * DAY)
    for _ in range(2):
        world.new_process()
        assert run(CallOperator(task_id="call", threads=4)).state == "success"
    assert world.refreshes == 1


def test_a_token_refused_in_a_request_thread_is_renewed_from_there(run: Any, make_world: Any) -> None:
    world = make_world()
    world.sandbox.advance(3 * DAY)  # the worker's own clock has not moved: the service's 401 tells
    ran = run(CallOperator(task_id="call", threads=8))
    assert ran.state == "success", ran.error
    assert world.refreshes == 1
    assert world.kept().access_token == world.sandbox.state.store.value(
        "SELECT access FROM uaa_tokens ORDER BY id DESC LIMIT 1"
    )


def test_a_task_without_consent_fails_with_the_command_to_run(run: Any, make_world: Any) -> None:
    world = make_world()
    world.store.forget()
    ran = run(CallOperator(task_id="call"))
    assert ran.state == "failed"
    assert "python -m airflow_provider_esp authorize --conn-id consented" in ran.error


def test_the_connection_test_says_whose_account_it_is(make_world: Any) -> None:
    make_world()
    assert EsputnikHook(CONN_ID).test_connection() == (True, "Connected to eSputnik as Sandbox.")


def test_the_connection_test_finds_the_tokens_under_whatever_id_it_runs(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    make_world()
    monkeypatch.setenv("AIRFLOW_CONN_A1B2C3", os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"])
    assert EsputnikHook("a1b2c3").test_connection()[0]


def test_an_event_loop_renews_too(make_world: Any) -> None:
    world = make_world()
    world.advance(3 * DAY)

    async def calls() -> list[str]:
        hook = EsputnikHook(CONN_ID)
        await hook._aaccount()
        return [answer.version for answer in await asyncio.gather(*(hook.arun(general.version()) for _ in range(10)))]

    assert len(asyncio.run(calls())) == 10
    assert world.refreshes == 1


# -- rights


@pytest.mark.parametrize(
    ("right", "works"),
    [
        ("full", {"upload", "imports", "events", "messages", "deliveries", "contacts", "activity"}),
        ("events", {"events"}),
        ("events and contacts", {"upload", "imports", "events", "contacts"}),
        ("messages", {"messages", "deliveries"}),
    ],
)
def test_work_that_the_right_does_not_cover_is_refused_before_anything_is_sent(
    make_world: Any, right: str, works: set[str]
) -> None:
    world = make_world(right)
    hook = EsputnikHook(CONN_ID)
    before = len(world.sandbox.requests())
    allowed = set()
    for work in ("upload", "imports", "events", "messages", "deliveries", "contacts", "activity"):
        try:
            hook.check_access(work)
        except ScopeMissing as error:
            said = str(error)
            assert "'consented'" in said
            assert "full API access" in said
        else:
            allowed.add(work)
    assert allowed == works
    assert len(world.sandbox.requests()) == before


def test_what_require_lets_through_the_sandbox_lets_through(make_world: Any) -> None:
    make_world("events")
    hook = EsputnikHook(CONN_ID)
    hook.check_access("events")
    hook.run(events.event("bought", {"email": "ann@example.com"}))


def test_a_call_that_is_refused_all_the_same_is_explained_by_the_right(make_world: Any) -> None:
    make_world("events")
    with pytest.raises(PermissionDenied) as caught:
        EsputnikHook(CONN_ID).run(imports.import_status("1"))
    assert "has access to events, and this method is one of updating contacts and segments" in str(caught.value)
    assert "full API access or access to events and contacts" in str(caught.value)


def test_a_key_has_nothing_to_say_about_rights(connections: Any) -> None:
    EsputnikHook("esputnik_default").check_access("upload", "messages")


# -- the keeper


def test_the_keeper_refreshes_every_authorised_connection(run: Any, make_world: Any) -> None:
    world = make_world()
    stored.remember(CONN_ID)
    world.advance(DAY)
    ran = run(RefreshTokensOperator(task_id="keep"))
    assert ran.state == "success", ran.error
    assert ran.value == {CONN_ID: pytest.approx(30, abs=0.1)}
    assert world.refreshes == 1
    world.new_process()
    assert run(CallOperator(task_id="call")).state == "success"
    assert world.refreshes == 1


def test_the_keeper_with_nothing_to_keep_succeeds(run: Any) -> None:
    assert run(RefreshTokensOperator(task_id="keep")).value == {}


def test_the_keeper_says_how_long_each_connection_will_still_work(run: Any, make_world: Any) -> None:
    world = make_world()
    oauth.refresh(world.app, world.kept(), world.clock)  # somebody else's: the stored refresh token is dead
    world.advance(DAY)
    before = world.kept()
    ran = run(RefreshTokensOperator(task_id="keep", conn_ids=[CONN_ID, "nobody", "sendpulse_default"]))
    assert ran.state == "failed"
    assert isinstance(ran.errors[-1], TokensExpiring)
    assert "3 of 3 connections could not be kept" in ran.error
    assert re.search(r"consented: its refresh token ends in 29\.0 days, its access token in 1\.0\. ", ran.error)
    assert "authorize --conn-id consented" in ran.error
    assert "nobody: there is no such connection" in ran.error
    assert "sendpulse_default: it does not use OAuth" in ran.error
    assert world.kept() == before


@pytest.mark.slow
@pytest.mark.parametrize("oauth_store", ["file", "variable"])
def test_sixty_days_with_the_keeper_no_call_fails_and_thirty_one_without_are_one_clear_error(
    make_world: Any, tmp_path: Any, oauth_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody else asks meanwhile, so the seconds that decide between two need not pass; nor may a machine be too slow.
    waited = [0.0]
    passing = SimpleNamespace(monotonic=lambda: sum(waited), sleep=waited.append, time=time.time)
    monkeypatch.setattr(variable_lock, "time", passing)
    world = make_world(oauth_store=str(tmp_path / "tokens.json") if oauth_store == "file" else "variable")
    world.sandbox.set(uaa__reuse_revokes_family=True, uaa__refresh_ends_access=True)
    keeper = RefreshTokensOperator(task_id="keep", conn_ids=[CONN_ID])
    calls = 0
    for _ in range(60):
        keeper.execute({})
        for days in (0.9, 0.1):  # just after the keeper, and when its tokens are oldest
            world.new_process()
            hook = EsputnikHook(CONN_ID)
            assert hook.run(hook.adapter.account_name()) == "Sandbox"
            calls += 1
            hook.close()
            world.advance(days * DAY)
    assert (calls, world.refreshes) == (120, 59)  # the first day's tokens are as fresh as can be
    world.advance(31 * DAY)
    world.new_process()
    with pytest.raises(ConsentRequired, match="authorize --conn-id consented"):
        EsputnikHook(CONN_ID).run(general.version())
    with pytest.raises(TokensExpiring, match="authorize --conn-id consented"):
        keeper.execute({})


# -- what is never seen


def test_neither_tokens_nor_the_secret_are_in_logs_rendered_fields_or_xcom(
    worker: Any, make_world: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    caplog.set_level(logging.DEBUG)
    world = make_world()
    secrets = {*world.kept().secrets, world.app.client_secret}
    world.advance(3 * DAY)
    dag = worker.dag()
    call, keep = CallOperator(task_id="call", threads=3), RefreshTokensOperator(task_id="keep", conn_ids=[CONN_ID])
    dag.add_task(call)
    dag.add_task(keep)
    keep >> call
    ran = worker.run_dag(dag)
    assert {task.state for task in ran.all} == {"success"}
    world.store.forget()
    world.new_process()
    assert worker.run(CallOperator(task_id="call")).state == "failed"
    secrets |= {
        value
        for column in ("access", "refresh")
        for value in (row[column] for row in world.sandbox.state.store.all("SELECT access, refresh FROM uaa_tokens"))
    }
    with create_session() as session:
        kept = [
            str(tuple(row))
            for table in ("xcom", "rendered_task_instance_fields", "log")
            for row in session.execute(text(f"SELECT * FROM {table}"))  # noqa: S608  # names written here
        ]
    output = capfd.readouterr()
    for place in (caplog.text, output.out, output.err, *kept):
        for secret in secrets:
            assert secret not in place
    assert len(secrets) >= 5


def test_contacts_can_be_uploaded_with_the_right_for_it(run: Any, make_world: Any) -> None:
    world = make_world("events and contacts")
    ran = run(
        UploadContactsOperator(
            task_id="upload", esp_conn_id=CONN_ID, source=[{"email": "ann@example.com"}], poll_interval=0.1
        )
    )
    assert ran.state == "success", ran.error
    assert [row["email"] for row in world.sandbox.rows("esputnik", "contacts", q="ann@example.com")]
