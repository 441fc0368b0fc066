"""The kill runs of ``benchmarks/broadcast_kills.py``, short: each service, and all that can become of a request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "broadcast_kills.py"


@pytest.mark.slow
@pytest.mark.parametrize("store", ["file", "variable"])
def test_a_task_that_is_killed_while_it_creates_a_broadcast_never_makes_two(store: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--store", store, "--n", "8", "--no-record"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["kills"], result["broadcasts"], result["most_of_one_run"]) == (8, 8, 1)
    assert result["wrong"] == []
    came = result["what_came_of_it"]
    assert came["listed, next try: found"] == 2
    assert came["late, next try: BroadcastOutcomeUnknown"] == came["late, a minute later: found"] == 2
    assert came["lost, next try: BroadcastOutcomeUnknown"] == came["lost, a minute later: created"] == 2
