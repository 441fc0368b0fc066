"""Runs the example campaign to its end with other versions of Airflow, and with the newer Pythons that are there.

``python scripts/matrix.py [--tests] [NAME ...]``, from an environment that `install.py` made, where a name is one of
`COMBINATIONS`. With ``--tests`` the tests run as well, but for those that import nothing of Airflow. Each combination
gets a virtual environment of its own, which is kept. The exit code says whether every run succeeded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

NEWEST = "constraints.txt"
COMBINATIONS = (
    # name of the environment, its pins, the Pythons it may have (3.x to 3.y)
    ("3.1", "constraints/airflow-3.1.txt", 11, 13),
    ("3.2", "constraints/airflow-3.2.txt", 11, 13),
    ("py3.12", NEWEST, 12, 12),
    ("py3.13", NEWEST, 13, 13),
    ("py3.14", NEWEST, 14, 14),
)


def main() -> int:
    """Run every combination, or those that the command line names.

    :returns: 0 when all runs succeeded, 1 otherwise.
    """
    parser = argparse.ArgumentParser(description="Run the example campaign with other versions.")
    parser.add_argument("--tests", action="store_true", help="run the tests that import Airflow as well")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(name for name, *_ in COMBINATIONS))
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - {name for name, *_ in COMBINATIONS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    ends = {
        name: run(name, pins, oldest, newest, tests=chosen.tests)
        for name, pins, oldest, newest in COMBINATIONS
        if name in chosen.names or not chosen.names
    }
    print()
    for name, end in ends.items():
        print(f"{name:<8} {end}")
    return int("FAILED" in ends.values())


def run(name: str, pins: str, oldest: int, newest: int, *, tests: bool) -> str:
    """Run one combination.

    :param tests: whether the tests run besides the campaign.
    :returns: how it ended.
    """
    print(f"\n== {name}", flush=True)
    found = subprocess.run(
        ["/bin/sh", "scripts/find-python.sh", str(oldest), str(newest)], capture_output=True, text=True, check=False
    )
    if found.returncode:
        print(found.stderr.strip())
        return "left out: no such Python here"
    venv = Path(f".venv-{name}")
    python = str(venv / "bin" / "python")
    commands = [
        [found.stdout.strip(), "scripts/install.py", str(venv), pins, "dev" if tests else "sandbox"],
        [python, "scripts/run_demo.py"],
    ]
    if tests:
        commands.append([python, "-m", "pytest", "-n", "logical", "--dist", "loadfile", "--airflow-only"])
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            return "FAILED"
    return "ok"


if __name__ == "__main__":
    sys.exit(main())
