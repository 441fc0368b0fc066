"""Runs the example campaign to its end with other versions of Airflow, and with the newer Pythons that are there.

``python scripts/matrix.py``, from an environment that `install.py` made. Each combination gets a virtual environment
of its own, which is kept. The exit code says whether every run succeeded.
"""

from __future__ import annotations

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
    """Run every combination.

    :returns: 0 when all runs succeeded, 1 otherwise.
    """
    ends = {name: run(name, pins, oldest, newest) for name, pins, oldest, newest in COMBINATIONS}
    print()
    for name, end in ends.items():
        print(f"{name:<8} {end}")
    return int("FAILED" in ends.values())


def run(name: str, pins: str, oldest: int, newest: int) -> str:
    """Run one combination.

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
    install = [found.stdout.strip(), "scripts/install.py", str(venv), pins, "sandbox"]
    demo = [str(venv / "bin" / "python"), "scripts/run_demo.py"]
    for command in (install, demo):
        if subprocess.run(command, check=False).returncode:
            return "FAILED"
    return "ok"


if __name__ == "__main__":
    sys.exit(main())
