"""What importing the operators costs a DAG file, over Airflow's own BaseOperator and BaseHook.

    python benchmarks/import_cost.py [--runs 7] [--limit 10]

Each figure is the median of fresh processes that read bytecode, as users' processes do: pip compiles what it installs.
With ``--limit`` the command fails when the difference is more than so many milliseconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

from results import Figure, exit_code

BASE = "from airflow.providers.common.compat.sdk import BaseHook, BaseOperator"
OURS = (
    "import airflow_provider_esp.operators.contacts, airflow_provider_esp.operators.events, "
    "airflow_provider_esp.operators.messages"
)
HEAVY = ("httpx", "aiohttp", "requests_oauthlib", "msgspec", "csv")

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
PROGRAM = f"""
import sys, time
{BASE}
before = set(sys.modules)
began = time.perf_counter()
{OURS}
print((time.perf_counter() - began) * 1000)
print(*sorted(set(sys.modules) - before))
"""


def measure() -> tuple[float, list[str]]:
    """Run once in a fresh process: milliseconds, and the modules that came on top of Airflow's own."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    milliseconds, modules = done.stdout.strip().splitlines()[-2:]
    return float(milliseconds), modules.split()


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="fresh processes")
    parser.add_argument("--limit", type=float, help="most milliseconds that the median may be")
    options = parser.parse_args()
    measure()  # the first run writes the bytecode
    runs = [measure() for _ in range(options.runs)]
    median = statistics.median(milliseconds for milliseconds, _ in runs)
    modules = runs[0][1]
    heavy = ", ".join(name for name in HEAVY if name in modules)
    bar = "" if options.limit is None else f"at most {options.limit:g} ms"
    return exit_code(
        [
            Figure(
                f"operators over `BaseOperator` and `BaseHook` (median of {options.runs})",
                f"{median:.1f} ms, {len(modules)} modules",
                bar,
                options.limit is None or median <= options.limit,
            ),
            Figure("heavy modules among them", heavy or "none", "none", not heavy),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
