"""Where rate limits are kept that all processes of an account share: one suite for Redis, PostgreSQL and a folder."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_esp.core.transport.shared_throttle import RateStore, SharedThrottle
from airflow_provider_esp.exceptions import ConnectionInvalid
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.hooks.esputnik import EsputnikHook
from airflow_provider_esp.hooks.sendpulse import SendPulseHook
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.services.sendpulse.api import account
from airflow_provider_esp.stores.rates import FileRates, account_key, open_rates
from tests.servers import POSTGRES, REDIS, require_module, require_server

STORES = ("redis", "postgres", "folder")
KEY = "the-key-that-nobody-may-read"


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of an empty database of this run's own."""
    require_server(POSTGRES, "PostgreSQL", "ESP_TEST_POSTGRES")
    psycopg, name = require_module("psycopg"), f"esp_rates_{secrets.token_hex(6)}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What the extra ``rate_store`` says, with a connection to a real server behind it."""
    kind = request.param
    if kind == "redis":
        require_server(REDIS, "Redis", "ESP_TEST_REDIS")
        monkeypatch.setenv("AIRFLOW_CONN_RATES", REDIS.replace("/0", "/?db=0"))
    elif kind == "postgres":
        monkeypatch.setenv("AIRFLOW_CONN_RATES", request.getfixturevalue("database"))
    yield f"file://{tmp_path}/rates" if kind == "folder" else "rates"
    if kind == "redis":
        client = require_module("redis").Redis.from_url(REDIS)
        for name in client.scan_iter("airflow-esp:rates:*"):
            client.delete(name)


def opened(place: str, who: str = "") -> RateStore:
    from airflow_provider_esp.stores.airflow_variables import connection

    return open_rates(place, account_key("https://a", who or secrets.token_hex(8)), lambda: connection(place), "Toy")


# -- what a store promises --


@pytest.mark.parametrize("place", STORES, indirect=True)
def test_a_text_is_swapped_only_for_the_one_that_is_kept(place: str) -> None:
    who = secrets.token_hex(8)
    store, other = opened(place, who), opened(place, who)
    assert store.read()[0] is None
    assert store.swap(None, b"one")
    assert not other.swap(None, b"two")
    assert not other.swap(b"another", b"two")
    assert other.read()[0] == b"one"
    assert other.swap(b"one", b"two")
    assert store.read()[0] == b"two"
    assert opened(place).read()[0] is None  # of another account


@pytest.mark.parametrize("place", STORES, indirect=True)
def test_a_stores_clock_goes_on_as_time_does(place: str) -> None:
    store = opened(place)
    store.read()
    began = time.monotonic()
    first = store.read()[1]
    time.sleep(0.2)
    second = store.read()[1]
    ended = time.monotonic()
    assert 0.19 <= second - first <= ended - began + 0.01


@pytest.mark.parametrize("place", STORES, indirect=True)
def test_nothing_is_lost_where_many_swap_at_once(place: str) -> None:
    who = secrets.token_hex(8)

    def count(_: int) -> None:
        store = opened(place, who)
        for _ in range(20):
            done = False
            while not done:
                text = store.read()[0]
                done = store.swap(text, str(int(text or 0) + 1).encode())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert opened(place, who).read()[0] == b"80"


def test_a_store_that_is_not_there_is_unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("AIRFLOW_CONN_GONE_REDIS", f"redis://:the-password@127.0.0.1:{port}")
    monkeypatch.setenv("AIRFLOW_CONN_GONE_POSTGRES", f"postgres://u:the-password@127.0.0.1:{port}/db")
    (tmp_path / "file").touch()
    for place in ("gone_redis", "gone_postgres", f"file://{tmp_path}/file"):
        with pytest.raises(ConnectionError) as caught:
            opened(place).read()
        assert "the-password" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_the_table_is_made_by_whoever_comes_first(place: str, database: str) -> None:
    with require_module("psycopg").connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS esp_rates")
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda _: opened(place).read()[0], range(6))) == [None] * 6


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_session_that_the_server_ended_is_opened_anew(place: str, database: str) -> None:
    store = opened(place)
    store.read()
    with require_module("psycopg").connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name LIKE 'airflow-provider-esp%' AND datname = current_database()"
        )
    with pytest.raises(ConnectionError):
        store.read()
    assert store.read()[0] is None


def test_a_folder_is_the_owners_alone_and_a_link_in_it_is_not_followed(tmp_path: Path) -> None:
    store = FileRates(tmp_path / "rates", "account")
    assert store.swap(None, b"one")
    assert oct((tmp_path / "rates").stat().st_mode & 0o777) == "0o700"
    assert oct((tmp_path / "rates" / "account").stat().st_mode & 0o777) == "0o600"
    (tmp_path / "elsewhere").write_text("keep me")
    (tmp_path / "rates" / "linked").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "rates" / "pipe")
    for name in ("linked", "pipe"):
        with pytest.raises(ConnectionError):
            FileRates(tmp_path / "rates", name).swap(None, b"one")
    assert (tmp_path / "elsewhere").read_text() == "keep me"


def test_what_was_kept_before_the_machine_started_counts_for_nothing(tmp_path: Path) -> None:
    assert FileRates(tmp_path, "account").swap(None, b"one")
    file = tmp_path / "account"
    file.write_bytes(b"another start\n" + file.read_bytes().partition(b"\n")[2])
    assert FileRates(tmp_path, "account").read()[0] is None


# -- hooks --


def connection_to(sandbox: Sandbox, place: str, **extra: Any) -> str:
    extra |= {"rate_store": place, "api_key": "sandbox-apikey"}
    return json.dumps({"conn_type": "sendpulse", "host": sandbox.sendpulse_url, "extra": extra})


@pytest.mark.parametrize("place", STORES, indirect=True)
def test_a_hook_keeps_the_rate_of_its_account_in_a_task_and_on_an_event_loop(
    place: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", connection_to(sandbox, place, rate_limits={"sendpulse.second": 50}))
    with SendPulseHook("mail") as hook:
        hook.run(account.user_info())
        limiter = hook.account.throttle
        assert isinstance(limiter, SharedThrottle)
        before = limiter._store.read()[0]

    async def in_a_trigger() -> None:
        other = await EspHook.afor_connection("mail")
        await other.arun(account.user_info())

    asyncio.run(in_a_trigger())
    after = limiter._store.read()[0]
    assert before is not None
    assert after not in (None, before)
    assert b"sandbox-apikey" not in before
    assert limiter.unreachable == ""


@pytest.mark.parametrize("place", ["redis"], indirect=True)
def test_two_processes_share_one_rate(place: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", connection_to(sandbox, place))
    script = (
        "from airflow_provider_esp.hooks.sendpulse import SendPulseHook\n"
        "from airflow_provider_esp.services.sendpulse.api import account\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with SendPulseHook('mail') as hook, ThreadPoolExecutor(4) as pool:\n"
        "    hook.account\n"
        "    print('ready', flush=True)\n"
        "    input()\n"
        "    list(pool.map(lambda _: hook.run(account.user_info()), range(20)))\n"
        "    print(hook.account.throttle.unreachable or 'shared')\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert any(line == "ready\n" for line in process.stdout)
    assert [process.communicate("\n", timeout=180)[0].split()[-1] for process in processes] == ["shared", "shared"]
    left = [datetime.fromisoformat(row["time"]).timestamp() for row in sandbox.requests("*/user/info")]
    assert len(left) >= 40
    # A busy machine makes it longer and never shorter; each by itself, they would have been through in half of it.
    assert max(left) - min(left) > 39 / 10 * 0.95


def test_a_store_that_cannot_keep_rates_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FILES", "fs://")
    for place, said in {
        "files": "names the connection 'files' of type fs, not of redis or postgres",
        "nowhere": "names the connection 'nowhere', which is not there",
        "redis://127.0.0.1": "must be the id of an Airflow connection to Redis or PostgreSQL, or a folder",
        "file://host/path": "must be the id of an Airflow connection to Redis or PostgreSQL, or a folder",
    }.items():
        monkeypatch.setenv("AIRFLOW_CONN_MAIL", connection_to(sandbox, place))
        with pytest.raises(ConnectionInvalid, match="rate_store") as caught, SendPulseHook("mail") as hook:
            hook.run(account.user_info())
        assert said in str(caught.value)
    assert sandbox.requests("*/user/info") == []


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_esp.stores import rates

    monkeypatch.setenv("AIRFLOW_CONN_RATES", "redis://127.0.0.1")
    nothing: Callable[[str], None] = lambda _: None  # noqa: E731
    monkeypatch.setattr(rates, "find_spec", nothing)
    with pytest.raises(ConnectionInvalid, match=r"needs the package redis, install airflow-provider-esp\[redis\]"):
        opened("rates")


def test_accounts_are_told_apart_and_not_named() -> None:
    keys = {account_key(host, who) for host in ("https://a", "https://b") for who in (KEY, "another")}
    assert len(keys) == 4
    assert not any(KEY in key for key in keys)


def test_without_the_extra_a_process_keeps_to_its_share(sandbox: Sandbox, connections: Any) -> None:
    with EsputnikHook("esputnik_default") as hook:
        assert not isinstance(hook.account.throttle, SharedThrottle)
