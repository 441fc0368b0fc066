"""A real scheduler that catches up, and real backfills: one send of five scheduled runs, none of five backfills."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox
from tests.e2e.real_airflow import IS_AIRFLOW_2, Airflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DAGS = """
from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_esp.operators.messages import SmartSendOperator

LAST = datetime.fromisoformat({last!r})  # when the daily schedule was due for the last time: an hour before the test
DAILY = f"{{LAST.minute}} {{LAST.hour}} * * *"


def send(name, **arguments):
    source = [{{"email": f"{{name}}-ann@example.com"}}, {{"email": f"{{name}}-bob@example.com"}}]
    SmartSendOperator(
        task_id="send", esp_conn_id="esputnik_default", message_id=1001, source=source, **arguments
    )


# The first of five runs: on Airflow 2 a run is due at the end of the day that it is named by.
with DAG("catching_up", start_date=LAST - timedelta(days={first}), schedule=DAILY, catchup=True, max_active_runs=1):
    send("catching_up")

for name, arguments in (("backfilled", {{}}), ("allowed", {{"allow_backfill": True}})):
    with DAG(
        name,
        start_date=LAST - timedelta(days=30),
        end_date=LAST - timedelta(days=10),  # the scheduler itself has nothing to run
        schedule=DAILY,
        catchup=False,
    ):
        send(name, **arguments)
"""


@dataclass(frozen=True)
class Ended:
    """What all runs have come to.

    :ivar states: of the task in each run, by DAG.
    :ivar sent: how many messages each DAG's two people got.
    """

    states: dict[str, list[str]]
    sent: dict[str, int]
    logs: str


@pytest.fixture(scope="module")
def ended(start_airflow: Callable[..., Airflow]) -> Iterator[Ended]:
    """Five runs that are due at once, and two backfills, run to their ends."""
    last = (datetime.now(UTC) - timedelta(hours=1)).replace(second=0, microsecond=0)
    with Sandbox() as sandbox:
        connection = {"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"}
        airflow = start_airflow(AIRFLOW_CONN_ESPUTNIK_DEFAULT=json.dumps(connection))
        text = DAGS.format(last=last.isoformat(), first=5 if IS_AIRFLOW_2 else 4)
        (airflow.dags / "campaigns.py").write_text(text)
        # Before the scheduler begins: two processes that write keep each other out of a database in SQLite.
        airflow.command("db", "migrate")
        airflow.command("dags", "reserialize")
        for name, days in (("backfilled", 5), ("allowed", 2)):
            _backfill(airflow, name, last - timedelta(days=20), last - timedelta(days=21 - days))
        airflow.start()
        airflow.wait_until(lambda: _all_have_ended(airflow), 600, "Twelve runs")
        rows = airflow.rows("SELECT dag_id, state FROM task_instance ORDER BY run_id")
        names = ("catching_up", "backfilled", "allowed")
        yield Ended(
            {name: [row["state"] for row in rows if row["dag_id"] == name] for name in names},
            {name: len(sandbox.messages(f"{name}-")) for name in names},
            "".join(path.read_text() for path in (airflow.home / "logs").rglob("*.log") if "send" in str(path)),
        )


def _backfill(airflow: Airflow, dag_id: str, first: datetime, last: datetime) -> None:
    if not IS_AIRFLOW_2:
        days = ["--from-date", first.isoformat(), "--to-date", last.isoformat()]
        airflow.command("backfill", "create", "--dag-id", dag_id, *days)
        return
    with contextlib.suppress(AssertionError):  # the command fails as the runs do
        airflow.command("dags", "backfill", dag_id, "-s", first.isoformat(), "-e", last.isoformat())


def _all_have_ended(airflow: Airflow) -> bool:
    rows: list[dict[str, Any]] = airflow.rows("SELECT state FROM dag_run")
    return len(rows) == 12 and {row["state"] for row in rows} <= {"success", "failed"}


def test_five_scheduled_runs_with_catchup_send_once(ended: Ended) -> None:
    assert ended.states["catching_up"] == ["failed"] * 4 + ["success"]
    assert ended.sent["catching_up"] == 2


def test_a_backfill_of_five_days_sends_nothing_unless_it_is_allowed(ended: Ended) -> None:
    assert (ended.states["backfilled"], ended.sent["backfilled"]) == (["failed"] * 5, 0)
    assert (ended.states["allowed"], ended.sent["allowed"]) == (["success"] * 2, 4)


def test_each_run_that_sent_nothing_says_why(ended: Ended) -> None:
    assert "This run is too late to send: it was due at " in ended.logs
    assert "This is a backfill of a run that was due at " in ended.logs
