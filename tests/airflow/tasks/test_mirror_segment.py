"""The example DAG that mirrors a segment: its three days, against the sandbox."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox

EXAMPLE = Path(__file__).parents[3] / "example_dags" / "mirror_segment.py"


@pytest.fixture
def dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ESP_DEMO_DIR", str(tmp_path))
    found = importlib.util.spec_from_file_location("mirror_segment", EXAMPLE)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.dag


def test_the_three_days(worker: Any, dag: Any, sandbox: Sandbox) -> None:
    expected = [
        ({"added": 1500}, {"accepted": 1480, "invalid": 20}, 0, 1480),
        ({"changed": 300, "removed": 50, "unchanged": 1130, "added": 20}, {"accepted": 320}, 50, 1450),
        ({"unchanged": 1450}, {}, 0, 1450),
    ]
    for day, (plan, outcomes, removed, held) in enumerate(expected, 1):
        dag.get_task("mirror").poll_interval = 0.05
        ran = worker.run_dag(dag, {"day": day, "people": 1500})["mirror"]
        assert (ran.state, ran.error) == ("success", "")
        told = ran.value
        assert {name: number for name, number in told["plan"].items() if number} == plan
        assert {name: told[name] for name in ("accepted", "invalid") if told[name]} == outcomes
        assert (told["removed"], told["held"]) == (removed, held)
    members = {
        row["email"] for row in sandbox.rows("esputnik", "contacts", limit=10_000) if "Customers" in row["segments"]
    }
    assert members == {f"customer{number}@example.com" for number in range(1, 1451)}
    detached = sandbox.requests("*/contacts/detach", "POST")
    assert len(detached) == 1
    assert sandbox.requests("*/v1/group/*/contacts", "GET") == []  # known by external ids
