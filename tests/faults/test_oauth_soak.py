"""The long proofs of ``benchmarks/``, short: so that they still run, and still count what they say they count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

pytestmark = pytest.mark.slow


def run(script: str, *arguments: str, home: Path | None = None) -> list[dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    if home is not None:
        environment |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_processes_that_race_for_a_token_in_a_file_refresh_it_once_a_round() -> None:
    results = run("oauth_race.py", "--store", "file", "--rounds", "3", "--processes", "5")
    assert [result["switch"] for result in results] == ["reuse_revokes_family", "refresh_ends_access"]
    for result in results:
        assert (result["calls"], result["failed_calls"], result["tokens_revoked"]) == (15, 0, 0)
        assert result["refreshes_per_round"] <= 1.1
        assert result["store_has_newest_token"]


def test_processes_that_race_for_a_token_in_a_variable_of_a_real_airflow_all_get_it(tmp_path: Path) -> None:
    (result,) = run(
        "oauth_race.py", "--store", "variable", "--switch", "both", "--rounds", "2", "--processes", "3", home=tmp_path
    )
    assert (result["calls"], result["failed_calls"], result["tokens_revoked"]) == (6, 0, 0)
    assert result["store_has_newest_token"]


def test_a_process_killed_between_refresh_and_save_leaves_the_next_one_a_way_on_or_one_clear_error() -> None:
    (result,) = run("oauth_kill.py", "--store", "file", "--n", "4")
    assert sum(result["what_came_of_it"].values()) == 4
    assert not result["wrong"]
