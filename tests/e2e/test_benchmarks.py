"""The benchmarks' machinery, with numbers so small that their figures say nothing: each runs to its end and tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import airflow
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(airflow.__version__.startswith("2."), reason="the benchmarks measure the newest Airflow"),
]

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def figures(name: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """Run a benchmark and give its figures; on a busy machine a bar of speed may be missed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(BENCHMARKS / f"{name}.py"), *arguments],
        env={**os.environ, "ESP_FIGURES": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.removeprefix("#figure ") for line in done.stdout.splitlines() if line.startswith("#figure ")]
    found = [json.loads(line) for line in lines]
    assert found, done.stdout + done.stderr
    assert done.returncode == int(any(figure["held"] is False for figure in found)), done.stdout + done.stderr
    return {figure["what"]: figure for figure in found}


def test_the_throughput_is_measured_and_each_broken_row_is_found() -> None:
    told = figures("throughput", "--rows", "6000", "--pairs", "1")
    assert told["broken rows found"]["value"] == "12 of 12 kinds"
    assert {"ours to `DictReader` and `HttpHook`", "ours to the fast loop"} <= told.keys()


def test_two_checkouts_are_measured_in_pairs() -> None:
    """This one against itself, so that the machinery is tried and not the speed."""
    command = [str(BENCHMARKS / "pairs.py"), str(BENCHMARKS.parent), "--rows", "2000", "--pairs", "1"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command], capture_output=True, text=True, check=False
    )  # on a busy machine a bar may be missed
    lines = done.stdout.splitlines()
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert [line.split(",")[0] for line in lines[-3:]] == ["plain", "plain", "mixed"], done.stdout + done.stderr
    assert max(map(len, lines)) <= 80
    assert done.returncode == int("MISSED" in done.stdout)


def test_the_memory_is_measured_for_each_source() -> None:
    told = figures("memory", "--rows", "20000")
    assert {what.split(":")[0] for what in told} == {"csv", "parquet", "sql"}
    assert all(figure["held"] for what, figure in told.items() if what.endswith("over an idle task"))


def test_waits_are_taken_up_and_none_is_missed() -> None:
    told = figures("waiting", "--n", "20", "--poll", "2", "--seconds", "6")
    assert told["tasks resumed with their import's end"]["value"] == "20 of 20"
    assert len(told) == 6


def test_the_use_of_a_rate_limit_is_measured() -> None:
    told = figures("rate", "--seconds", "4")
    given_up = next(figure for what, figure in told.items() if what.startswith("calls given up"))
    assert given_up["held"]
    assert "refusals (429)" in told


def test_the_cost_of_an_import_is_measured() -> None:
    assert figures("import_cost", "--runs", "1", "--limit", "1000")
