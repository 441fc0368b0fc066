"""Deferred tasks under a real triggerer: it is killed, and another one goes on; or a person ends the tasks.

Under a real scheduler, API server and triggerer, because only these move waits from one triggerer to another, and tell
a trigger that somebody has ended its task. ``benchmarks/triggerer_kill.py`` kills while hundreds of waits are open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox
from tests.e2e.open_waits import OpenWaits, connections, run
from tests.e2e.real_airflow import IS_AIRFLOW_2, Airflow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow tells triggers since 3.3"),
]

DAG_ID = "scheduled"
WAYS = ("failed", "cleared")
TASKS = [*(f"{way}_{what}" for way in WAYS for what in ("asked", "left")), "sensor_asked"]
DAG_FILE = """
import json
from datetime import datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
from airflow_provider_esp.sensors.broadcasts import BroadcastSensor

told = {"esp_conn_id": "esputnik_default", "deferrable": True}
later = {"message_id": 1003, "segments": "Readers", "start": "2099-01-01T09:00", "wait_for_completion": True}

with DAG("scheduled", start_date=datetime(2026, 1, 1), schedule=None, catchup=False):
    for way in ("failed", "cleared"):
        for asked in (True, False):
            name = f"{way}_{'asked' if asked else 'left'}"
            CreateBroadcastOperator(
                task_id=name, title=name, cancel_on_kill=asked, poll_interval=5, **later, **told
            )
    BroadcastSensor(
        task_id="sensor_asked",
        broadcast_id=Path(__file__).with_suffix(".txt").read_text(),
        cancel_on_kill=True,
        poke_interval=5,
        **told,
    )
"""


@pytest.fixture(scope="module")
def waits(start_airflow: Callable[..., Airflow]) -> Iterator[OpenWaits]:
    """One Airflow for all tests of this module, with its sandbox and the DAG of `OpenWaits`, not yet begun."""
    with Sandbox() as sandbox:
        airflow = start_airflow(
            **connections(sandbox),
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
            # How long another triggerer lets a silent one keep its waits: 30 s unless said.
            AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD="8",
            AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC="2",
        )
        waits = OpenWaits(airflow, sandbox, n=6)
        waits.prepare()
        (airflow.dags / f"{DAG_ID}.txt").write_text(on_the_way(sandbox))
        (airflow.dags / f"{DAG_ID}.py").write_text(DAG_FILE)
        airflow.start()
        yield waits
        airflow.stop()


def test_waits_that_were_open_when_the_triggerer_was_killed_end_right_and_create_nothing_again(
    waits: OpenWaits,
) -> None:
    waits.open()
    waits.lose_triggerer(whole=False)
    assert waits.states() == {"deferred": 6}
    assert waits.created() == waits.expected() == {"upload": 2, "broadcast": 1, "campaign": 1}
    waits.end()
    assert waits.states() == {"success": 6}
    assert waits.created() == waits.expected()
    assert waits.wrong() == []


def on_the_way(sandbox: Sandbox) -> str:
    """Create the broadcast that the sensor waits for; gives its id."""
    (segment,) = [row["id"] for row in sandbox.rows("esputnik", "segments") if row["name"] == "Readers"]
    body = {"messageId": "1003", "groups": [segment], "title": "sensor_asked", "startDate": "2099-01-01T09:00"}
    answer = httpx.post(f"{sandbox.esputnik_url}/v1/broadcast", json=body, auth=("any", "sandbox-key"))
    return str(answer.raise_for_status().json()["broadcastId"])


def states(sandbox: Sandbox) -> dict[str, str]:
    """How each scheduled broadcast is, by the name of its task."""
    found = {row["title"].rpartition("] ")[2]: row["status"] for row in sandbox.rows("esputnik", "broadcasts")}
    return {name: status for name, status in found.items() if name in TASKS}


def end(airflow: Airflow, run_id: str, task_id: str, way: str) -> None:
    """Do what a person does in the UI."""
    if way == "cleared":
        wanted = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "only_failed": False}
        airflow.ask("POST", f"/dags/{DAG_ID}/clearTaskInstances", **wanted)
    else:
        airflow.ask("PATCH", f"/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}", new_state=way)


def test_what_a_person_ends_is_cancelled_where_asked_and_left_otherwise(waits: OpenWaits) -> None:
    airflow, sandbox = waits.airflow, waits.sandbox
    before = len(sandbox.requests("*/v1/broadcast", "POST"))
    run_id = run(airflow, DAG_ID)
    deferred = (
        "SELECT ti.task_id FROM task_instance ti JOIN trigger t ON t.id = ti.trigger_id "
        "WHERE ti.dag_id = ? AND ti.state = 'deferred' AND t.triggerer_id IS NOT NULL"
    )
    airflow.wait_until(lambda: len(airflow.rows(deferred, DAG_ID)) == len(TASKS), 240, "Deferring")
    assert set(states(sandbox).values()) == {"SCHEDULED"}

    for task_id in TASKS:
        way = task_id.partition("_")[0]
        end(airflow, run_id, task_id, "failed" if way == "sensor" else way)
    cancelled = {task_id for task_id in TASKS if task_id.endswith("asked")}

    def those_asked() -> bool:
        return {task_id for task_id, status in states(sandbox).items() if status == "CANCELLED"} >= cancelled

    airflow.wait_until(those_asked, 90, "Cancelling")
    # The cleared tasks begin anew, and neither makes another broadcast. The one whose broadcast is cancelled fails a
    # minute later, for so long a broadcast may not be shown yet; nobody waits for that here.
    again = "SELECT 1 FROM task_instance WHERE task_id LIKE 'cleared_%' AND state = 'deferred' AND try_number = 2"
    airflow.wait_until(lambda: len(airflow.rows(again)) == 2, 120, "Waiting anew")
    assert {task_id: status for task_id, status in states(sandbox).items() if status != "CANCELLED"} == dict.fromkeys(
        ("failed_left", "cleared_left"), "SCHEDULED"
    )
    made = len(TASKS) - 1  # all but the sensor's
    assert len(sandbox.requests("*/v1/broadcast", "POST")) - before == made
