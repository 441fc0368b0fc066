"""The kill runs of ``benchmarks/kills.py``, short: so that they still run, and still count what they say they count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.mark.slow
@pytest.mark.parametrize("store", ["file", "variable"])
def test_tasks_that_are_killed_and_started_again_lose_nobody_and_write_to_nobody_twice(store: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--store", store, "--n", "6", "--no-record"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["kills"] == 6
    assert result["wrong"] == []
    assert set(result["jobs"]) == {"upload", "send"}
