"""The proof of ``benchmarks/export.py``, short: so that it still runs, and still counts what it says it counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "export.py"


@pytest.mark.slow
@pytest.mark.parametrize(("cursor", "form"), [("ignored", "ndjson"), ("repeats", "parquet")])
def test_an_export_past_a_cursor_that_misbehaves_has_every_row_once_and_is_the_same_again(
    cursor: str, form: str
) -> None:
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "--n", "2500", "--cursor", cursor, "--format", form]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  "))
    assert (told["rows_in_file"], told["people_in_file"], told["same_bytes_again"]) == ("2500", "2500", "True")
