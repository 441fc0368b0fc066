"""`esp_sandbox` in a project of somebody else's: found by its entry point, fresh for each test, cheap to load."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

THREE_LINES = """
def test_the_page_is_there(esp_sandbox):
    import httpx
    assert httpx.get(esp_sandbox.url).status_code == 200
"""

MORE = """
import json, os
import httpx
import pytest

TASKS = ["first", "second"]


@pytest.mark.parametrize("task", TASKS)
def test_each_test_finds_it_fresh(esp_sandbox, task):
    contact = {"channels": [{"type": "email", "value": f"{task}@example.com"}]}
    told = json.loads(os.environ["AIRFLOW_CONN_ESPUTNIK_DEFAULT"])
    before = esp_sandbox.counts()["esputnik"]["contacts"]
    assert httpx.post(f"{told['host']}/v1/contact", json=contact, auth=("any", told["password"])).status_code == 200
    assert esp_sandbox.counts()["esputnik"]["contacts"] == before + 1 == 1
    assert told["host"] == esp_sandbox.esputnik_url


def test_both_services_are_there(esp_sandbox):
    told = json.loads(os.environ["AIRFLOW_CONN_SENDPULSE_DEFAULT"])
    assert told["host"] == esp_sandbox.sendpulse_url
    asked = {"grant_type": "client_credentials", "client_id": told["login"], "client_secret": told["password"]}
    assert httpx.post(f"{esp_sandbox.sendpulse_url}/oauth/access_token", json=asked).status_code == 200


def test_without_it_there_are_no_connections():
    assert "AIRFLOW_CONN_ESPUTNIK_DEFAULT" not in os.environ
"""


def run_pytest(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=project, env=clean, capture_output=True, text=True, timeout=120, check=False)


def test_three_lines_are_enough_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_dags.py").write_text(THREE_LINES)
    done = run_pytest(tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert len(THREE_LINES.strip().splitlines()) == 3


def test_connections_lead_there_and_every_test_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "test_dags.py").write_text(MORE)
    done = run_pytest(tmp_path)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_where_the_extra_is_missing_the_test_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import sys\nsys.modules['starlette'] = None\n")
    (tmp_path / "test_dags.py").write_text(THREE_LINES + "\n\ndef test_another_one():\n    assert True\n")
    done = run_pytest(tmp_path)
    assert "1 passed, 1 error" in done.stdout
    assert "pip install 'airflow-provider-esp[sandbox]'" in done.stdout


def test_loading_the_plugin_imports_neither_airflow_nor_the_sandbox() -> None:
    asked = (
        "import sys, airflow_provider_esp.sandbox.pytest_plugin;"
        "print(sorted(name.split('.')[0] for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert not set(re.findall(r"'(\w+)'", done.stdout)) & {
        *("airflow", "starlette", "uvicorn", "jinja2", "httpx", "msgspec")
    }
