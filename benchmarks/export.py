"""Activity out of an account whose cursor misbehaves: every row once, memory flat, the same bytes when run again.

    python benchmarks/export.py [--n 200000] [--cursor ignored] [--format ndjson] [--above 60] [--write]

The sandbox, a process of its own, holds n rows of activity, spread over a day, and its cursor is ``ignored`` (always
the first page), ``repeats`` (each page begins with the last row of the one before), ``loses`` (nothing behind the first
page of a long period), ``ends`` (never a second page) or ``works``. `ExportActivityOperator` writes them to a file,
each time in a fresh process: a tenth of the rows, all of them, and all of them again.

Bars: the file holds every row once; its bytes are the same the second time; the peak over the idle task is at most
``--above`` megabytes, and no more than 1.25 times that of a tenth of the rows plus 10 MB. With ``--write`` the result
is appended to ``results/export.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "export.jsonl"
DAY = 86_400


@contextmanager
def sandbox() -> Iterator[str]:
    """Run a sandbox in a process of its own; gives its address."""
    command = [sys.executable, "-m", "airflow_provider_esp.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1].rstrip("/")
        finally:
            process.terminate()


def tell(url: str, path: str, **body: Any) -> Any:
    """Use the sandbox's control API; without a body only ask."""
    import httpx

    if not body:
        return httpx.get(f"{url}/_sandbox/{path}", timeout=60).json()
    answer = httpx.post(f"{url}/_sandbox/{path}", json=body, timeout=600)
    answer.raise_for_status()
    return answer.json()


def export(path: str, start: str, end: str) -> None:
    """Export in this process, and print the summary, the idle task's memory and the peak."""
    from airflow.providers.common.compat.sdk import BaseHook

    from airflow_provider_esp.operators.exports import ExportActivityOperator

    BaseHook.get_hook("bench")
    if path.endswith(".parquet"):
        import pyarrow.parquet  # noqa: F401  # what any task that writes Parquet has loaded
    idle, began = megabytes("VmRSS"), time.monotonic()
    operator = ExportActivityOperator(task_id="export", esp_conn_id="bench", path=path, start=start, end=end)
    summary = operator.execute({})
    print(json.dumps({**summary, "idle": idle, "peak": megabytes("VmHWM"), "seconds": time.monotonic() - began}))


def megabytes(name: str) -> float:
    """Read a figure of this process from the system."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def measure(url: str, folder: str, path: str, days: tuple[datetime, datetime]) -> dict[str, Any]:
    """Export in a fresh process, and give what it printed."""
    connection = {"conn_type": "esputnik", "host": f"{url}/esputnik/api", "password": "sandbox-key"}
    extra = {"timezone": "Europe/Kyiv"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--export", path, *(day.isoformat() for day in days)],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "AIRFLOW_HOME": folder,
            "AIRFLOW_CONN_BENCH": json.dumps({**connection, "extra": extra}),
        },
    )
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def people(path: str) -> Iterator[str]:
    """Return whom each row of a file is about."""
    if path.endswith(".parquet"):
        import pyarrow.parquet

        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(columns=["address"]):
            yield from batch.column(0).to_pylist()
        return
    with Path(path).open("rb") as file:
        for line in file:
            yield json.loads(line)["address"]


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and give the line of the results."""
    few = max(1, options.n // 10)
    with sandbox() as url, tempfile.TemporaryDirectory() as folder:
        tell(url, "settings", **{"esputnik.activity_cursor": options.cursor})

        def export_rows(rows: int, *names: str) -> list[dict[str, Any]]:
            tell(url, "reset", now=True)
            tell(url, "settings", **{"esputnik.activity_cursor": options.cursor})
            tell(url, "esputnik/make_activity", rows=rows, seconds=DAY)
            now = datetime.fromisoformat(tell(url, "state")["now"]).astimezone(UTC)
            days = (now - timedelta(days=2), now + timedelta(hours=1))
            return [measure(url, folder, f"{folder}/{name}.{options.format}", days) for name in names]

        (small,) = export_rows(few, "few")
        first, again = export_rows(options.n, "all", "again")
        found = list(people(first["path"]))
        asked = tell(url, "requests")["counts"]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "cursor": options.cursor,
        "format": options.format,
        "rows": options.n,
        "rows_in_file": len(found),
        "people_in_file": len(set(found)),
        "rows_in_file_of_a_tenth": small["rows"],
        "same_bytes_again": first["sha256"] == again["sha256"],
        "megabytes": round(first["bytes"] / 2**20, 1),
        "requests": sum(count for name, count in asked.items() if "contacts/activity" in name) // 2,
        "seconds": round(first["seconds"], 1),
        "rows_per_second": round(options.n / first["seconds"]),
        "peak_over_idle_of_a_tenth_mb": round(small["peak"] - small["idle"], 1),
        "peak_over_idle_mb": round(first["peak"] - first["idle"], 1),
    }


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and say whether the bars are held."""
    if arguments[:1] == ["--export"]:
        export(*arguments[1:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200_000, help="rows of activity")
    parser.add_argument("--cursor", choices=("ignored", "repeats", "loses", "ends", "works"), default="ignored")
    parser.add_argument("--format", choices=("ndjson", "parquet"), default="ndjson")
    parser.add_argument("--above", type=float, default=60.0, help="most megabytes over the idle task")
    parser.add_argument("--write", action="store_true", help="append the result to results/export.jsonl")
    options = parser.parse_args(arguments)
    result = run(options)
    peak, small = result["peak_over_idle_mb"], result["peak_over_idle_of_a_tenth_mb"]
    bars = {
        "every row once": options.n == result["rows_in_file"] == result["people_in_file"],
        "the same bytes again": result["same_bytes_again"],
        f"at most {options.above:g} MB over the idle task": peak <= options.above,
        "flat": peak <= 1.25 * small + 10,
    }
    result["passed"] = all(bars.values())
    for name, value in result.items():
        print(f"  {name:<32} {value}")
    for name, held in bars.items():
        print(f"  {'held' if held else 'MISSED':<8} {name}")
    if options.write:
        with RESULTS.open("a") as file:
            file.write(json.dumps(result) + "\n")
    return int(not result["passed"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
