"""An Airflow of this repository's own, below ``.run/``, that knows nothing but the sandbox.

Shared by the demo and by ``make up``; the environment is all it takes, so nothing of the developer's own Airflow is
read or changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from airflow_provider_esp.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / ".run"
EXAMPLES = ROOT / "example_dags"
AIRFLOW_VERSION = version("apache-airflow")


def environment(sandbox: Sandbox, home: Path, report: Path) -> dict[str, str]:
    """Return the environment of every Airflow process.

    :param home: Airflow's home folder.
    :param report: where the example DAGs put their reports.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return inherited | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "ESP_DEMO_DIR": str(report),
        "NO_PROXY": "127.0.0.1,localhost",  # a company's proxy does not know the way to this machine
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",  # macOS would end Airflow's forked workers
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections(sandbox).items()},
    }


def connections(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    """Return the connections that lead to the sandbox, by their ids."""
    return {
        "esputnik_default": {"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"},
        "sendpulse_default": {
            "conn_type": "sendpulse",
            "host": sandbox.sendpulse_url,
            "login": "sandbox-id",
            "password": "sandbox-secret",
        },
    }


def migrate(env: dict[str, str], log: Path) -> None:
    """Make or update the database of Airflow's home.

    :raises SystemExit: Airflow could not.
    """
    with log.open("a") as output:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        done = subprocess.run(command, env=env, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"Airflow could not prepare its database; {shown(log)} says why.")


def shown(path: Path) -> str:
    """Write a path as somebody in this repository's folder would."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
