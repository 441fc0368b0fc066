"""Loops of Airflow 3.4: every iteration, and every map index in it, has a report folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import airflow
import pytest
from packaging.version import Version

from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.utils.task_identity import safe_name
from tests.airflow.tasks.people.conftest import PeopleLine

pytestmark = pytest.mark.skipif(
    Version(Version(airflow.__version__).base_version) < Version("3.4"), reason="loops came with Airflow 3.4"
)


def test_every_iteration_of_a_loop_has_its_own_report(
    worker: Any, sandbox: Sandbox, write: Any, tmp_path: Path, people_line: PeopleLine
) -> None:
    from airflow.sdk import task_group

    sources = [write(f"{number}.csv", f"email\np{number}@example.com\n") for number in range(2)]
    dag = worker.dag()
    with dag:

        @task_group
        def body() -> None:
            SmartSendOperator.partial(
                task_id="send", esp_conn_id="esputnik_default", message_id=1001, report_path=str(tmp_path / "reports")
            ).expand(source=sources)

        body.loop(max_iterations=2)  # type: ignore[attr-defined,unused-ignore]  # of the SDK of 3.4
    ran = worker.run_dag(dag)
    base = tmp_path / "reports" / dag.dag_id / safe_name(ran.id) / "body.send"
    folders = sorted(str(path.relative_to(base)) for path in base.glob("*/*"))
    assert folders == [f"{index}/loop-{iteration}" for index in range(2) for iteration in range(2)]
    keys = [json.loads(line)["key"] for part in base.rglob("part-*") for line in part.read_text().splitlines()]
    assert sorted(keys) == sorted(["p0@example.com", "p1@example.com"] * 2)
    people_line("shared report folder", "a loop", people_line.sent(of=2), "loop-1", folders[-1])
