"""The example `campaign_report`, run by Airflow against the sandbox."""

from __future__ import annotations

import csv
import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox

EXAMPLE = Path(__file__).parents[3] / "example_dags" / "campaign_report.py"


@pytest.fixture
def dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("ESP_DEMO_DIR", str(tmp_path))
    found = importlib.util.spec_from_file_location("campaign_report", EXAMPLE)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.dag


def test_the_report_has_the_activity_a_table_a_picture_and_a_page(
    worker: Any, dag: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.set(esputnik__time_zone="UTC")
    sandbox.do("esputnik", "make_activity", rows=1200, seconds=36_000, mixed=True, name="Win-back")
    sandbox.do("esputnik", "make_activity", rows=300, seconds=36_000, mixed=True, name="Weekly digest")
    sandbox.advance(10)
    now = datetime.fromtimestamp(sandbox.state.clock.now(), UTC)
    conf = {"start": (now - timedelta(days=1)).isoformat(), "end": (now + timedelta(minutes=1)).isoformat()}
    ran = worker.run_dag(dag, conf)
    assert {one.state for one in ran.all} == {"success"}
    (folder,) = tmp_path.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        "activity.ndjson",
        "funnel.csv",
        "funnel.png",
        "report.html",
    ]
    with (folder / "funnel.csv").open(newline="") as file:
        table = {(row["message"], row["stage"]): int(row["recipients"]) for row in csv.DictReader(file)}
    assert (table["Win-back", "sent"], table["Weekly digest", "sent"]) == (1200, 300)
    assert table["Win-back", "delivered"] > table["Win-back", "read"] > table["Win-back", "clicked"] > 0
    assert (folder / "funnel.png").read_bytes().startswith(b"\x89PNG")
    assert "1,500 sent" in (folder / "report.html").read_text()
    assert "@example.com" not in (folder / "activity.ndjson").read_text()
