"""The example DAG and one that passes rows through an XCom, under a real scheduler and a real triggerer.

It shows that a wait leaves the worker and is taken up again, that every row is accounted for, and that nothing of
what Airflow keeps, in its database or its logs, names a customer or holds a secret.
"""

from __future__ import annotations

import base64
import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "example_dags"
CUSTOMERS = EXAMPLES / "data" / "customers.csv"
XCOM_DAG = """
import csv
from datetime import datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator

with DAG("through_xcom", start_date=datetime(2026, 1, 1), schedule="@once", catchup=False) as dag:

    @task(show_return_value_in_logs=False)
    def find():
        with open(Path(__file__).parent / "data" / "customers.csv", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["email"] and row["phone"]][:50]
        return [{"email": row["email"], "phone": row["phone"], "first_name": row["first_name"]} for row in rows]

    told = {"source": find(), "max_rejects": 50}
    UploadContactsOperator(task_id="upload", esp_conn_id="esputnik_default", deferrable=True, poll_interval=2, **told)
    SmartSendOperator(task_id="send", esp_conn_id="esputnik_default", message_id=1001, **told)
    SendEventsOperator(task_id="event", esp_conn_id="sendpulse_default", event="purchase", **told)
"""
OUTCOMES = ("accepted", "rejected", "invalid", "duplicate", "suppressed", "unknown", "not_reached")


@dataclass
class Seen:
    """What was seen of both runs.

    :ivar deferred: trigger rows that tasks were waiting for, by (DAG, task), as they stood in the database.
    """

    airflow: Any
    sandbox: Sandbox
    report: Path
    deferred: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(start_airflow: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Both DAGs, run to their end."""
    report = tmp_path_factory.mktemp("report")
    # Airflow 3.3 fails a task that is resumed before its scheduler has noted that the worker is free
    # (apache/airflow#72716), so the waits are not too short for a slow machine.
    settings = {"import_seconds": 10.0, "delivery_seconds": 10.0}
    with Sandbox(settings=settings) as sandbox:
        airflow = start_airflow(
            ESP_DEMO_DIR=str(report),
            AIRFLOW_CONN_ESPUTNIK_DEFAULT=json.dumps(
                {"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"}
            ),
            AIRFLOW_CONN_SENDPULSE_DEFAULT=json.dumps(
                {
                    "conn_type": "sendpulse",
                    "host": sandbox.sendpulse_url,
                    "login": "sandbox-id",
                    "password": "sandbox-secret",
                }
            ),
        )
        shutil.copy(EXAMPLES / "winback_campaign.py", airflow.dags)
        (airflow.dags / "data").mkdir()
        shutil.copy(CUSTOMERS, airflow.dags / "data")
        (airflow.dags / "through_xcom.py").write_text(XCOM_DAG)
        airflow.start()
        found = Seen(airflow, sandbox, report)
        known = "SELECT 1 FROM serialized_dag WHERE dag_id = 'winback_campaign'"
        airflow.wait_until(lambda: airflow.rows(known), 90, "Parsing the example")
        airflow.command("dags", "trigger", "winback_campaign")
        airflow.wait_until(lambda: _look(found), 420, "Running both DAGs")
        yield found


def _look(seen: Seen) -> bool:
    """Note who is deferred now; true when both runs have ended."""
    deferred = seen.airflow.rows(
        "SELECT ti.dag_id, ti.task_id, t.* FROM task_instance ti JOIN trigger t ON t.id = ti.trigger_id "
        "WHERE ti.state = 'deferred' AND t.triggerer_id IS NOT NULL"
    )
    seen.deferred.update({(row["dag_id"], row["task_id"]): row for row in deferred})
    states = [row["state"] for row in seen.airflow.rows("SELECT state FROM dag_run")]
    return len(states) == 2 and set(states) <= {"success", "failed"}


def test_both_runs_succeed(seen: Seen) -> None:
    tasks = seen.airflow.rows("SELECT dag_id, task_id, state FROM task_instance")
    assert {task["state"] for task in tasks} == {"success"}, tasks


def test_the_wait_for_imports_left_the_worker_and_a_triggerer_took_it_up(seen: Seen) -> None:
    trigger = seen.deferred["winback_campaign", "upload_contacts"]
    assert trigger["classpath"] == "airflow_provider_esp.triggers.waits.ImportTrigger"
    logs = [
        path for path in (seen.airflow.home / "logs").rglob("*") if "upload_contacts" in str(path) and path.is_file()
    ]
    by_trigger = [path for path in logs if ".trigger." in path.name]
    assert by_trigger, logs
    assert "fired" in "".join(path.read_text() for path in by_trigger)
    asked = seen.sandbox.requests("*/importstatus/*")
    assert len(asked) > len(seen.airflow.returned("winback_campaign", "upload_contacts")["imports"])


def test_the_wait_for_delivery_left_the_worker_as_well(seen: Seen) -> None:
    trigger = seen.deferred["winback_campaign", "send_message"]
    assert trigger["classpath"] == "airflow_provider_esp.triggers.waits.DeliveryTrigger"
    told = seen.airflow.returned("winback_campaign", "send_message")
    assert told["delivered"] + told["failed"] == told["accepted"]


def test_every_row_ends_in_one_of_the_seven_outcomes(seen: Seen) -> None:
    told = seen.airflow.returned("winback_campaign", "upload_contacts")
    assert told["rows"] == sum(told[outcome] for outcome in OUTCOMES) == 10_000
    parts = [path for path in seen.report.rglob("*.ndjson") if path.parent.name == "upload_contacts"]
    rows = [json.loads(line) for path in parts for line in path.read_text().splitlines()]
    assert len(rows) == len({row["row"] for row in rows}) == 10_000 - told["accepted"]
    assert all(row["reason"] for row in rows)


def test_the_tasks_counts_are_the_sandboxs_own(seen: Seen) -> None:
    win_back = next(row for row in seen.sandbox.rows("esputnik", "segments") if row["name"] == "Win-back")
    assert win_back["contacts"] == seen.airflow.returned("winback_campaign", "upload_contacts")["accepted"]
    accepted = {
        service: sum(seen.airflow.returned(*where)["accepted"] for where in tasks)
        for service, tasks in {
            "events": [("winback_campaign", "tell_sendpulse"), ("through_xcom", "event")],
            "messages": [("winback_campaign", "send_message"), ("through_xcom", "send")],
        }.items()
    }
    assert seen.sandbox.counts()["sendpulse"]["events"] == accepted["events"] > 50
    assert seen.sandbox.counts()["esputnik"]["messages"] == accepted["messages"] > 50


# -- secrecy -------------------------------------------------------------------------------------------------------


def forbidden(seen: Seen) -> list[str]:
    """What nobody may find: customers' addresses and phones, keys, secrets, and the tokens that were handed out."""
    with CUSTOMERS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    addresses = [value for row in rows for value in (row["email"].strip(), row["phone"].strip().lstrip("+"))]
    tokens = [row["token"] for row in seen.sandbox.state.store.all("SELECT token FROM sendpulse_tokens")]
    assert tokens
    basic = base64.b64encode(b"api:sandbox-key").decode()
    return [
        *(text for text in addresses if len(text) > 6),
        *tokens,
        basic,
        "sandbox-key",
        "sandbox-id",
        "sandbox-secret",
    ]


def found_in(text: str, needles: list[str]) -> list[str]:
    lowered = text.lower()
    return [needle for needle in needles if needle.lower() in lowered][:5]


def test_nothing_in_the_metadata_database_names_a_customer_or_holds_a_secret(seen: Seen) -> None:
    needles = forbidden(seen)
    tables = [row["name"] for row in seen.airflow.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert {"xcom", "rendered_task_instance_fields", "serialized_dag", "log"} <= set(tables)
    for table in tables:
        rows = seen.airflow.rows(f'SELECT * FROM "{table}"')  # noqa: S608  # the names are the database's own
        if table == "xcom":
            own = [row for row in rows if row["task_id"] == "find"]
            assert found_in(_text(own), needles)  # the author's own XCom, which shows that the search finds
            rows = [row for row in rows if row["task_id"] != "find"]
        assert not found_in(_text(rows), needles), table
    assert not found_in(json.dumps([str(row) for row in seen.deferred.values()]), needles)


def test_rows_through_an_xcom_are_shown_as_their_number(seen: Seen) -> None:
    rendered = seen.airflow.rows(
        "SELECT task_id, rendered_fields FROM rendered_task_instance_fields WHERE dag_id = 'through_xcom'"
    )
    sources = {row["task_id"]: json.loads(row["rendered_fields"]).get("source") for row in rendered}
    assert {sources[task_id] for task_id in ("upload", "send", "event")} == {"50 rows"}


def test_no_log_names_a_customer_or_holds_a_secret(seen: Seen) -> None:
    needles = forbidden(seen)
    logs = [path for path in seen.airflow.home.rglob("*") if path.suffix in (".log", ".out") and path.is_file()]
    assert len([path for path in logs if "task_id=" in str(path)]) >= 8
    for path in logs:
        assert not found_in(path.read_text(errors="replace"), needles), path


def _text(rows: list[dict[str, Any]]) -> str:
    return "\n".join(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for row in rows
        for value in row.values()
    )
