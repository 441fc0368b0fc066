"""OAuth from end to end: the command, a person's browser, the callback, the first call, and DAG runs on a real Airflow.

The runs cover what no other test can: a worker and a triggerer, each a process of its own without a way to the
database, renewing and saving the tokens; a wait that outlives its token; and whatever Airflow then has in its logs and
database. With ESP_PICTURES naming a folder, the pages are photographed for the documentation.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth import registry
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer
from tests.e2e.browsing import browser_page, require_browser
from tests.servers import callback_port

pytestmark = pytest.mark.slow

IS_AIRFLOW_2 = version_of("apache-airflow").startswith("2.")
DAG = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, task
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.tokens import RefreshTokensOperator

with DAG("uses_consent", start_date=datetime(2026, 1, 1), schedule=None) as dag:

    @task
    def whose():
        from airflow_provider_esp.hooks.esp import EspHook

        hook = EspHook.for_connection("consented")
        hook.check_access("upload")
        return hook.run(hook.adapter.account_name())

    upload = UploadContactsOperator(
        task_id="upload",
        esp_conn_id="consented",
        source=[{"email": "ann@example.com"}],
        deferrable=True,
        poll_interval=1,
    )
    whose() >> upload >> RefreshTokensOperator(task_id="keep", renew_after=0)
"""


@dataclass
class Seen:
    """What was seen of the whole way.

    :ivar printed: what the command printed, and its arguments as other users of the machine see them.
    :ivar asked: how many token requests there were after each step.
    """

    airflow: Any
    sandbox: Sandbox
    uaa: AuthorisationServer
    printed: str
    version: str
    asked: dict[str, int]


def consent(url: str, pictures: Path | None) -> str:
    """Log in and allow, in a browser; gives what the callback's page says."""
    # The browser does not know the sandbox's CA; the command and the tasks verify it.
    with browser_page(width=900, height=330) as page:

        def photograph(name: str) -> None:
            if pictures:
                page.screenshot(path=pictures / f"oauth-{name}.png")

        if pictures:
            page.goto(url.partition("/oauth/authorize")[0] + "/applications")
            photograph("register")
        page.goto(url)
        page.get_by_label("Login").fill(registry.USER)
        page.get_by_label("Password").fill(registry.PASSWORD)
        photograph("login")
        page.get_by_role("button", name="Log in").click()
        page.get_by_text("asks for access to your eSputnik account").wait_for()
        photograph("consent")
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(re.compile(r"/callback\?"))
        photograph("done")
        said: str = page.inner_text("body")
        return said


@pytest.fixture(scope="module")
def seen(start_airflow: Callable[..., Any]) -> Iterator[Seen]:
    """The whole way, to its end."""
    require_browser()
    pictures = Path(os.environ["ESP_PICTURES"]) if "ESP_PICTURES" in os.environ else None
    with Sandbox(settings={"import_seconds": 60.0}) as sandbox, AuthorisationServer(sandbox) as uaa:
        sandbox.set(uaa__reuse_revokes_family=True, uaa__refresh_ends_access=True)
        extra = {
            "client_id": registry.CLIENT_ID,
            "client_secret": registry.CLIENT_SECRET,
            "auth_server": uaa.url,
            "ca_bundle": str(uaa.ca_file),
        }
        connection = {"conn_type": "esputnik", "host": sandbox.esputnik_url, "extra": extra}
        airflow = start_airflow(
            AIRFLOW_CONN_CONSENTED=json.dumps(connection),
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
        )
        (airflow.dags / "uses_consent.py").write_text(DAG)
        airflow.start()
        asked: dict[str, int] = {}

        def note(step: str) -> None:
            asked[step] = len(sandbox.requests("/uaa/oauth/token"))

        printed = authorize(airflow._environment, lambda url: consent(url, pictures))
        note("authorized")
        version = re.search(r"version (\S+) of the API answered", printed)
        known = "SELECT 1 FROM serialized_dag WHERE dag_id = 'uses_consent'"
        airflow.wait_until(lambda: airflow.rows(known), 90, "Parsing the DAG")
        ended = "SELECT 1 WHERE (SELECT count(*) FROM dag_run WHERE state IN ('success', 'failed')) = ?"
        airflow.command("dags", "trigger", "uses_consent")
        deferred = "SELECT 1 FROM task_instance ti JOIN trigger t ON t.id = ti.trigger_id WHERE t.triggerer_id > 0"
        airflow.wait_until(lambda: airflow.rows(deferred), 120, "Deferring the upload")
        note("deferred")
        sandbox.advance(3 * 86_400)  # the access token ends while the task waits
        airflow.wait_until(lambda: airflow.rows(ended, 1), 180, "The first run")
        note("first run ended")
        sandbox.set(import_seconds=0.1)
        sandbox.advance(3 * 86_400)  # and here before a task begins, whose worker believes it to be good
        airflow.command("dags", "trigger", "uses_consent")
        airflow.wait_until(lambda: airflow.rows(ended, 2), 180, "The second run")
        note("second run ended")
        yield Seen(airflow, sandbox, uaa, printed, version[1] if version else "", asked)


def authorize(environment: dict[str, str], person: Callable[[str], str], *arguments: str) -> str:
    """Run the command, with somebody who does what it says; gives what it printed and what its arguments were."""
    command = [sys.executable, "-m", "airflow_provider_esp", "authorize", "--conn-id", "consented", "--yes", *arguments]
    with (
        callback_port(),
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        printed = Path(f"/proc/{process.pid}/cmdline").read_text()
        for line in process.stdout:
            printed += line
            found = re.search(r"https://\S+", line)
            if found:
                assert "go back to the command" in person(found[0])
        assert process.wait(300) == 0, printed
    return printed


def secrets(sandbox: Sandbox) -> list[str]:
    rows = sandbox.state.store.all("SELECT access, refresh FROM uaa_tokens")
    codes = sandbox.state.store.all("SELECT code FROM uaa_codes")
    return [registry.CLIENT_SECRET, *(value for row in [*rows, *codes] for value in row)]


def test_the_command_says_which_version_of_the_api_answered(seen: Seen) -> None:
    assert seen.version == "20417"
    assert "Connection 'consented' is authorised" in seen.printed


def test_both_runs_use_the_tokens_and_succeed(seen: Seen) -> None:
    tasks = seen.airflow.rows("SELECT run_id, task_id, state FROM task_instance")
    assert [task["state"] for task in tasks] == ["success"] * 6, f"{tasks}\n{task_logs(seen)}"
    calls = seen.sandbox.requests("*/v1/account/info")
    assert [call["status"] for call in calls] == [200, 200, 401, 200]  # the command, and two runs


def task_logs(seen: Seen) -> str:
    return "\n".join(f"== {path}\n{path.read_text()[-3000:]}" for path in seen.airflow.home.rglob("attempt=*.log"))


def test_the_triggerer_renews_and_saves_a_token_that_ends_during_the_wait(seen: Seen) -> None:
    # One refresh by the trigger, one by the keeper's task behind it, which reads what the trigger saved: a refresh
    # token used twice would have revoked everything.
    assert seen.asked["first run ended"] - seen.asked["deferred"] == 2
    refused = [call for call in seen.sandbox.requests("*/v1/importstatus/*") if call["status"] == 401]
    assert len(refused) == 2  # in the second run the triggerer remembers an old token, and reads what the worker saved
    assert not seen.sandbox.state.store.value("SELECT count(*) FROM uaa_tokens WHERE revoked != ''")


def test_a_worker_renews_and_saves_a_token_that_the_service_refuses(seen: Seen) -> None:
    assert seen.asked["second run ended"] - seen.asked["first run ended"] == 2


def test_the_keeper_found_the_connection_that_the_command_authorised(seen: Seen) -> None:
    kept = seen.airflow.rows("SELECT value FROM xcom WHERE task_id = 'keep' AND key = 'return_value'")
    assert len(kept) == 2
    assert all("consented" in str(row["value"]) for row in kept)


def test_the_tokens_are_encrypted_in_the_database(seen: Seen) -> None:
    rows = seen.airflow.rows('SELECT "key", val, is_encrypted FROM variable')
    assert any(row["key"].startswith("esp_oauth_token_") for row in rows)
    assert all(row["is_encrypted"] for row in rows)


def test_nothing_secret_is_in_what_was_printed_logged_or_kept(seen: Seen) -> None:
    places = {"the command's output": seen.printed}
    for path in [*seen.airflow.home.rglob("*.log"), *seen.airflow.home.glob("*.out")]:
        places[str(path)] = path.read_text(errors="replace")
    places["the database"] = (seen.airflow.home / "airflow.db").read_bytes().decode("latin-1")
    wal = seen.airflow.home / "airflow.db-wal"
    if wal.exists():
        places["the database's log"] = wal.read_bytes().decode("latin-1")
    hidden = secrets(seen.sandbox)
    assert len(hidden) == 12  # the client's, the code, and five pairs of tokens
    for place, text in places.items():
        for secret in hidden:
            assert secret not in text, place
    assert sum(name.endswith(".log") for name in places) >= 6


@pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 has its REST API in the web server, which does not run here")
def test_a_laptop_without_the_database_authorizes_through_the_rest_api(seen: Seen, tmp_path: Path) -> None:
    base = seen.airflow._environment["AIRFLOW__API__BASE_URL"]
    with sqlite3.connect(seen.airflow.home / "airflow.db", timeout=30) as db:
        db.execute("DELETE FROM variable")
    laptop = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_API_TOKEN": httpx.get(f"{base}/auth/token").json()["access_token"],
        "ESP_CLIENT_SECRET": registry.CLIENT_SECRET,
    }
    extra = {"client_id": registry.CLIENT_ID, "client_secret": registry.CLIENT_SECRET, "auth_server": seen.uaa.url}
    told = json.dumps({"conn_type": "esputnik", "host": seen.sandbox.esputnik_url, "extra": extra})
    seen.airflow.command("connections", "add", "consented", "--conn-json", told)
    arguments = ("--airflow-url", base, "--ca-bundle", str(seen.uaa.ca_file))
    printed = authorize(laptop, lambda url: consent(url, None), *arguments)
    kept = seen.airflow.rows('SELECT "key", is_encrypted FROM variable')
    assert sorted(row["key"][:16] for row in kept) == ["esp_oauth_connec", "esp_oauth_token_"]
    assert all(row["is_encrypted"] for row in kept)
    for secret in secrets(seen.sandbox):
        assert secret not in printed
    status = subprocess.run(
        [sys.executable, "-m", "airflow_provider_esp", "status"],
        env=seen.airflow._environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "authorised       yes" in status.stdout
