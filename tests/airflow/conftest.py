"""A real Airflow on SQLite for the tests below this folder: its home is made before anything imports Airflow."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_esp.sandbox import Sandbox

if "airflow" in sys.modules:
    raise pytest.UsageError("Airflow was imported before tests/airflow/conftest.py could give it a home of its own.")

for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]  # the developer's own Airflow must neither be used nor touched
HOME = Path(tempfile.mkdtemp(prefix="airflow-provider-esp-tests-"))
DAGS = HOME / "dags"
DAGS.mkdir()
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
}


def pytest_unconfigure() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """Airflow's home, without a database yet."""
    return HOME


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> Path:
    """Airflow's home with its database migrated; ``dags`` in it is the folder that DAG files belong in."""
    from airflow.utils.db import initdb

    initdb()
    return airflow_home


@pytest.fixture
def connections(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Connections `esputnik_default` and `sendpulse_default` to the sandbox, from the environment; by id, as JSON."""
    told = {
        "esputnik_default": {"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"},
        "sendpulse_default": {
            "conn_type": "sendpulse",
            "host": sandbox.sendpulse_url,
            "login": "sandbox-id",
            "password": "sandbox-secret",
        },
    }
    encoded = {conn_id: json.dumps(fields) for conn_id, fields in told.items()}
    for conn_id, text in encoded.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)
    return encoded
