"""Connections as accounts: the *Test* button's answer, what counts as given, and one token for a whole process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_esp.exceptions import DryRunWrite, ServerFailed, TimedOut
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.services.sendpulse.api import account as sendpulse_account

SECRETS = ("sandbox-key", "sandbox-id", "sandbox-secret", "sandbox-apikey", "not-the-key")


@pytest.fixture
def connect(connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., EspHook]:
    """Change fields of a default connection and give its hook: ``connect("esputnik", password="x")``."""

    def change(conn_type: str, **fields: Any) -> EspHook:
        told = {**json.loads(connections[f"{conn_type}_default"]), **fields}
        monkeypatch.setenv("AIRFLOW_CONN_TRIED", json.dumps(told))
        return EspHook.for_connection("tried")

    return change


def tried(hook: EspHook) -> tuple[bool, str]:
    """What the *Test* button says: one sentence, and no secret in it."""
    works, said = hook.test_connection()
    assert "\n" not in said
    assert said.endswith(".")
    assert not [secret for secret in SECRETS if secret in said]
    return works, said


# -- test_connection ----------------------------------------------------------------------------------------------


def test_a_good_esputnik_connection_tells_whose_account_it_is(
    sandbox: Sandbox, connect: Callable[..., EspHook]
) -> None:
    works, said = tried(connect("esputnik"))
    assert works
    assert said.startswith("Connected to eSputnik as Sandbox")
    assert [row["label"] for row in sandbox.requests()] == ["v1/account/info"]


@pytest.mark.parametrize(
    "credential",
    [{}, {"login": None, "password": None, "extra": {"api_key": "sandbox-apikey"}}],
    ids=["client id and secret", "api key"],
)
def test_a_good_sendpulse_connection_tells_whose_account_it_is(
    sandbox: Sandbox, connect: Callable[..., EspHook], credential: dict[str, Any]
) -> None:
    works, said = tried(connect("sendpulse", **credential))
    assert works
    assert said.startswith("Connected to SendPulse as Sandbox")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"password": "not-the-key"}, "Check the connection's API key"),
        ({"password": ""}, "put the API key into the password field"),
        ({"host": "http://esputnik.example"}, "the host must begin with https://"),
        ({"extra": {"timezone": "Kyiv"}}, "the extra timezone must be an IANA name such as Europe/Kyiv"),
        ({"extra": {"rate_shares": 1}}, "rename it to 'rate_share'"),
    ],
)
def test_a_wrong_esputnik_connection_says_what_to_change(
    connect: Callable[..., EspHook], fields: dict[str, Any], told: str
) -> None:
    works, said = tried(connect("esputnik", **fields))
    assert not works
    assert told in said


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"password": "not-the-key"}, "SendPulse POST oauth/access_token: "),
        ({"password": None}, "go together, give both or neither"),
        ({"login": None, "password": None}, "give it a client ID (login) and a client secret (password)"),
        ({"login": None, "password": None, "extra": {"api_key": "not-the-key"}}, "SendPulse GET user/info: "),
        ({"extra": {"api_key": "sandbox-apikey"}}, "not both"),
    ],
)
def test_a_wrong_sendpulse_connection_says_what_to_change(
    sandbox: Sandbox, connect: Callable[..., EspHook], fields: dict[str, Any], told: str
) -> None:
    works, said = tried(connect("sendpulse", **fields))
    assert not works
    assert told in said


def test_a_host_that_nobody_answers_at_says_so(connect: Callable[..., EspHook]) -> None:
    works, said = tried(connect("esputnik", host="http://127.0.0.1:9/api"))
    assert (works, "no connection to 127.0.0.1:9" in said) == (False, True)
    assert "Check the connection's host" in said


def test_a_website_in_the_services_place_is_noticed(sandbox: Sandbox, connect: Callable[..., EspHook]) -> None:
    sandbox.fault("html", status=200, times=None)
    works, said = tried(connect("esputnik"))
    assert (works, "Check the connection's host" in said) == (False, True)


def test_the_button_works_under_whatever_id_airflow_gives_the_connection(
    sandbox: Sandbox, connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat.sdk import Connection

    monkeypatch.setenv("AIRFLOW_CONN_ABC123", connections["esputnik_default"])
    hook = Connection(conn_id="abc123", conn_type="esputnik").get_hook()
    assert hook.test_connection()[0]


# -- null and "" mean unset ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unset", [None, ""])
def test_what_an_untouched_form_saves_counts_as_not_given(
    sandbox: Sandbox, connect: Callable[..., EspHook], unset: str | None
) -> None:
    from airflow_provider_esp.connections import metadata

    for conn_type in ("esputnik", "sendpulse"):
        (form,) = [entry for entry in metadata() if entry["connection-type"] == conn_type]
        extra = dict.fromkeys(form["conn-fields"], unset)
        hook = connect(conn_type, extra=extra, schema=unset, port=None)
        works, said = tried(hook)
        assert works, said
        assert hook.settings == connect(conn_type).settings


# -- the token -----------------------------------------------------------------------------------------------------


@pytest.fixture
def unpaced(connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> str:
    """A connection to an account whose rate limits are as good as none; gives its id."""
    for bucket in ("second", "minute"):
        sandbox.limit(f"sendpulse.{bucket}", None)
    sandbox.set(sendpulse__clients={"unpaced-id": "sandbox-secret"})
    told = json.loads(connections["sendpulse_default"]) | {"login": "unpaced-id"}
    told["extra"] = {"rate_limits": {"sendpulse.second": 100_000, "sendpulse.minute": 1_000_000}}
    monkeypatch.setenv("AIRFLOW_CONN_UNPACED", json.dumps(told))
    return "unpaced"


def calls_in_threads(conn_id: str, calls: int) -> None:
    """Make calls at once in ten threads, each with a hook of its own, as tasks of one process do."""

    def ask(calls: int) -> None:
        hook = EspHook.for_connection(conn_id)
        for _ in range(calls):
            hook.run(sendpulse_account.user_info())
        hook.close()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(ask, [calls // 10] * 10))


def calls_on_a_loop(conn_id: str, calls: int) -> None:
    """Make calls at once on an event loop of their own, as triggers do."""

    async def ask() -> None:
        hook = await EspHook.afor_connection(conn_id)
        await hook.arun(sendpulse_account.user_info())

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(calls):
                group.create_task(ask())

    asyncio.run(all_of_them())


def test_two_hundred_calls_from_threads_and_loops_share_one_token(sandbox: Sandbox, unpaced: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        works = [
            pool.submit(calls_in_threads, unpaced, 100),
            pool.submit(calls_on_a_loop, unpaced, 50),
            pool.submit(calls_on_a_loop, unpaced, 50),
        ]
        for work in works:
            work.result()
    assert sandbox.state.log.counts() == {"POST oauth/access_token": 1, "GET user/info": 200}


def test_a_token_that_is_revoked_is_renewed_once_for_everybody(sandbox: Sandbox, unpaced: str) -> None:
    calls_in_threads(unpaced, 10)
    sandbox.do("sendpulse", "revoke_tokens")
    calls_in_threads(unpaced, 40)
    assert sandbox.state.log.counts()["POST oauth/access_token"] == 2
    assert len([row for row in sandbox.requests("*/user/info") if row["status"] == 200]) == 50


def test_a_token_shows_in_no_repr(sandbox: Sandbox, connect: Callable[..., EspHook]) -> None:
    for conn_type in ("esputnik", "sendpulse"):
        hook = connect(conn_type)
        hook.run(hook.adapter.account_name())
        client = hook.get_conn()
        shown = " ".join(map(repr, (hook, hook.settings, hook.account, client, hook.account.credential.tokens)))
        hook.close()
        assert not [secret for secret in (*SECRETS, "Bearer", "eyJ") if secret in shown]


# -- running ------------------------------------------------------------------------------------------------------


def test_a_hook_closes_its_connections_at_the_end_of_a_with(sandbox: Sandbox, connect: Callable[..., EspHook]) -> None:
    with connect("esputnik") as hook:
        hook.run(hook.adapter.account_name())
        client = hook.get_conn()
    with pytest.raises(RuntimeError, match="closed"):
        client.run(hook.adapter.account_name())
    with hook:
        assert hook.run(hook.adapter.account_name()) == "Sandbox"


def test_a_single_attempt_with_a_short_timeout_gives_up_and_leaves_the_hook_as_patient_as_it_was(
    sandbox: Sandbox, connect: Callable[..., EspHook]
) -> None:
    sandbox.fault("delay", path="*/account/info", seconds=1.0, times=2)
    with connect("esputnik") as hook:
        with pytest.raises(TimedOut) as caught:
            hook.run(hook.adapter.account_name(), timeout=0.2, retries=0)
        assert caught.value.attempts == 1
        assert hook.run(hook.adapter.account_name()) == "Sandbox"


def test_no_request_leaves_after_the_deadline(sandbox: Sandbox, connect: Callable[..., EspHook]) -> None:
    sandbox.fault("status", path="*/account/info", status=503, headers={"Retry-After": "2"}, times=1)
    with connect("esputnik") as hook:
        with pytest.raises(ServerFailed) as caught:
            hook.run(hook.adapter.account_name(), deadline=1)
        assert caught.value.attempts == 1
    assert len(sandbox.requests("*/account/info")) == 1


@pytest.mark.parametrize("limits", [{}, {"timeout": 5.0, "retries": 0}, {"deadline": 5.0}], ids=str)
def test_a_hook_that_only_reads_refuses_what_writes_however_it_is_run(
    sandbox: Sandbox, connect: Callable[..., EspHook], limits: dict[str, Any]
) -> None:
    with connect("esputnik") as hook:
        hook.reads_only = True
        with pytest.raises(DryRunWrite, match="DELETE v1/broadcast"):
            hook.run(hook.adapter.cancel_broadcast("7"), **limits)
    assert sandbox.requests() == []
