"""The triggerer is killed with SIGKILL while many waits are open: all end right, and nothing is created twice.

    python benchmarks/triggerer_kill.py --n 200
    python benchmarks/triggerer_kill.py --n 12 --database sqlite

A real Airflow (scheduler, triggerer, API server, processes for tasks) and the sandbox. So many mapped tasks begin: in
turn an upload, a broadcast at eSputnik, a campaign at SendPulse, a `BroadcastSensor` and an `ImportSensor`. Once all
are deferred the triggerer is killed, twice: first its own process alone, then the whole family of processes, as when a
container dies. Each time another one is started, which takes the waits over when the dead one's heartbeat has grown
old (30 s). Then the sandbox lets everything end.

Every task must succeed and return what the sandbox has; the requests that create something must be exactly as many as
tasks that create something. The metadata database is a new one in PostgreSQL (ESP_TEST_POSTGRES, or the one of this
machine), or else SQLite. One line is added to benchmarks/results/triggerer_kill.jsonl.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "triggerer_kill.jsonl"


def soak(n: int, database: str, pause: float, parallel: int) -> dict[str, Any]:
    """Open the waits, kill twice, let everything end, and count."""
    sys.path.insert(0, str(ROOT))  # the tests' Airflow is this one's as well
    from airflow_provider_esp.sandbox import Sandbox
    from tests.e2e.metadata import postgresql
    from tests.e2e.open_waits import OpenWaits, connections
    from tests.e2e.real_airflow import Airflow

    seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(what: str) -> Any:
        began = time.monotonic()
        yield
        seconds[what] = round(time.monotonic() - began, 1)
        print(f"{what}: {seconds[what]} s", file=sys.stderr, flush=True)

    with contextlib.ExitStack() as stack:
        metadata = stack.enter_context(postgresql()) if database == "postgresql" else None
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sandbox = stack.enter_context(Sandbox())
        settings = {**connections(sandbox), "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
        settings |= {"AIRFLOW__CORE__PARALLELISM": str(parallel), "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "1000"}
        airflow = Airflow(home, settings, metadata)
        stack.callback(airflow.stop)
        waits = OpenWaits(airflow, sandbox, n, pause)
        waits.prepare()
        airflow.start()
        with timed("opening all waits"):
            waits.open()
        for whole in (False, True):
            with timed(f"taking over from a killed {'family' if whole else 'process'}"):
                waits.lose_triggerer(whole=whole)
        with timed("ending all waits"):
            waits.end()
        return {
            "n": n,
            "database": "sqlite" if metadata is None else "postgresql",
            "kills": 2,
            "states": waits.states(),
            "created": waits.created(),
            "expected": waits.expected(),
            "wrong": waits.wrong(),
            "seconds": seconds,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="waits")
    parser.add_argument("--pause", type=float, default=10.0, help="seconds between two looks of a wait")
    parser.add_argument("--parallel", type=int, default=2, help="tasks that run at once on workers")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--no-record", action="store_true", help="do not add a line to benchmarks/results")
    chosen = parser.parse_args()
    told = soak(chosen.n, chosen.database, chosen.pause, chosen.parallel)
    result = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "airflow": version("apache-airflow"),
        **told,
        "passed": told["states"] == {"success": chosen.n} and told["created"] == told["expected"] and not told["wrong"],
    }
    print(json.dumps(result))
    if not chosen.no_record:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
