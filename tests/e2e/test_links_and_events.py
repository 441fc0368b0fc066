"""Links that a person follows in a real browser, and DAGs that a real triggerer starts by what happened."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox
from tests.e2e.browsing import browser_page
from tests.e2e.real_airflow import IS_AIRFLOW_2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(IS_AIRFLOW_2, reason="AssetWatcher came with Airflow 3.0"),
]

DAGS = """
from datetime import datetime

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.triggers.asset_events import BroadcastFinishedTrigger, NewClicksTrigger

ACCOUNT = {"esp_conn_id": "esputnik_default", "poll_interval": 2.0, "settle_time": 5.0}
ended = Asset(
    "esputnik://shop/broadcasts", watchers=[AssetWatcher(name="ended", trigger=BroadcastFinishedTrigger(**ACCOUNT))]
)
clicked = Asset("esputnik://shop/activity", watchers=[AssetWatcher(name="clicks", trigger=NewClicksTrigger(**ACCOUNT))])


@task
def tell(triggering_asset_events=None):
    return [event.extra["payload"] for events in triggering_asset_events.values() for event in events]


for name, asset in {"on_broadcast": ended, "on_clicks": clicked}.items():
    with DAG(name, start_date=datetime(2026, 1, 1), schedule=[asset], catchup=False):
        tell()

with DAG("sends", start_date=datetime(2026, 1, 1), schedule=None, catchup=False):
    SmartSendOperator(
        task_id="send",
        esp_conn_id="esputnik_default",
        message_id=1001,
        source=[{"email": f"p{number}+click@example.com"} for number in range(3)],
        wait_for_delivery=True,
        deferrable=True,
        poll_interval=3,
    )
"""
LINKS = "/dags/sends/dagRuns/one/taskInstances/send/links"


@dataclass
class Seen:
    """What was seen.

    :ivar deferred: links of the task while it was deferred, by name.
    :ivar opened: where each link led in the browser: address and status.
    """

    airflow: Any
    sandbox: Sandbox
    broadcast: str
    deferred: dict[str, str]
    opened: dict[str, tuple[str, int]]


@pytest.fixture(scope="module")
def seen(start_airflow: Callable[..., Any]) -> Iterator[Seen]:
    """A send that is followed by its links, and the two DAGs that start by what came of it."""
    settings = {"delivery_seconds": 8.0}
    with Sandbox(settings=settings) as sandbox, browser_page(width=1200, height=800) as page:
        connection = {
            "conn_type": "esputnik",
            "host": sandbox.esputnik_url,
            "password": "sandbox-key",
            # A page that is there, in place of the service's own.
            "extra": {"timezone": "Europe/Kyiv", "link_template": f"{sandbox.url}/see/esputnik/templates?q={{id}}"},
        }
        airflow = start_airflow(
            AIRFLOW_CONN_ESPUTNIK_DEFAULT=json.dumps(connection),
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
        )
        (airflow.dags / "dags.py").write_text(DAGS)
        airflow.start()
        watched = "SELECT 1 WHERE (SELECT count(*) FROM trigger WHERE triggerer_id IS NOT NULL) = 2"
        airflow.wait_until(lambda: airflow.rows(watched), 120, "Taking up both watchers")
        airflow.wait_until(lambda: sandbox.requests("*/contacts/activity"), 60, "The first look")
        broadcast = _broadcast(sandbox)
        airflow.command("dags", "trigger", "sends", "--run-id", "one")
        waits = "SELECT 1 FROM task_instance WHERE task_id = 'send' AND state = 'deferred'"
        airflow.wait_until(lambda: airflow.rows(waits), 120, "Leaving for the triggerer")
        # A database that is busy for a moment means a page without its buttons, which a person loads again.
        deferred = airflow.wait_until(lambda: _links(airflow), 60, "Showing the links")
        opened = {name: _opened(airflow, page, url) for name, url in deferred.items() if url}
        ended = "SELECT 1 WHERE (SELECT count(DISTINCT dag_id) FROM dag_run WHERE state IN ('success', 'failed')) = 3"
        airflow.wait_until(lambda: airflow.rows(ended), 240, "Starting both DAGs")
        yield Seen(airflow, sandbox, broadcast, deferred, opened)


def _broadcast(sandbox: Sandbox) -> str:
    sandbox.do("esputnik", "make_contacts", count=4, segment="Newsletter")
    body = {"messageId": "1001", "groups": [3601001], "title": "Hello"}
    told = httpx.post(f"{sandbox.esputnik_url}/v1/broadcast", json=body, auth=("any", "sandbox-key"))
    return str(told.raise_for_status().json()["broadcastId"])


def _opened(airflow: Any, page: Any, address: str) -> tuple[str, int]:
    """Follow a link from the task's page, as a person does."""
    page.goto(f"{airflow.url}/dags/sends/runs/{quote('one')}/tasks/send/details")
    link = page.locator(f"a[href={json.dumps(address)}]").first
    try:
        link.wait_for()
    except Exception as missing:
        raise AssertionError(page.inner_text("body")) from missing
    with page.context.expect_page() as popup:
        link.click()
    popup.value.wait_for_load_state()
    url = str(popup.value.url)
    popup.value.close()
    return url, httpx.get(url).status_code


def test_links_are_there_while_the_task_is_deferred_and_lead_to_pages_that_exist(seen: Seen) -> None:
    assert {name for name, url in seen.deferred.items() if url} == {"Message", "Sandbox", "Service"}
    assert seen.deferred["Report"] is None
    assert {name: status for name, (_, status) in seen.opened.items()} == dict.fromkeys(seen.opened, 200)
    assert seen.opened["Sandbox"][0] == f"{seen.sandbox.url}/messages"
    assert "1001" in seen.opened["Message"][0]


def test_links_are_the_same_when_the_task_has_ended(seen: Seen) -> None:
    assert seen.airflow.wait_until(lambda: _links(seen.airflow), 60, "Showing the links") == seen.deferred


def _links(airflow: Any) -> dict[str, str] | None:
    found: dict[str, str] = airflow.ask("GET", LINKS)["extra_links"]
    return found if found["Service"] else None


def told(seen: Seen, dag_id: str) -> list[dict[str, Any]]:
    rows = seen.airflow.rows(
        "SELECT value FROM xcom WHERE dag_id = ? AND task_id = 'tell' AND key = 'return_value'", dag_id
    )
    values = [json.loads(row["value"]) for row in rows]
    return [payload for value in values for payload in (json.loads(value) if isinstance(value, str) else value)]


def test_a_broadcast_that_has_finished_starts_a_dag_once(seen: Seen) -> None:
    (payload,) = told(seen, "on_broadcast")
    assert (payload["broadcast_id"], payload["state"], payload["delivered"]) == (seen.broadcast, "done", 4)


def test_new_clicks_start_a_dag_and_name_nobody(seen: Seen) -> None:
    payloads = told(seen, "on_clicks")
    assert sum(payload["clicks"] for payload in payloads) >= 1
    assert "example.com" not in json.dumps(payloads)


def test_both_watchers_have_one_poll_loop(seen: Seen) -> None:
    before, began = len(seen.sandbox.requests("*/contacts/activity")), time.monotonic()

    def looks() -> int:
        return len(seen.sandbox.requests("*/contacts/activity")) - before

    seen.airflow.wait_until(lambda: looks() >= 7, 60, "Seven looks")
    assert looks() <= (time.monotonic() - began) / 1.7 + 1  # one loop; two would look twice as often
