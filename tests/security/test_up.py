"""What others on this machine, and web pages, can do with the Airflow that `make up` starts, as a process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

Refused = Callable[[str, str, str], None]
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "up.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(version("apache-airflow").startswith("2."), reason="`make up` runs Airflow 3"),
]


def test_up_asks_for_a_password_and_answers_to_this_machines_names_only(refused: Refused) -> None:
    command = [sys.executable, str(SCRIPT)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if line.startswith("Ctrl-C"):
                    break
            found = re.search(
                r"^Airflow +(http://127\.0\.0\.1:\d+)/plugin/esp +login (\w+), password (\S+)$", printed, re.MULTILINE
            )
            assert found, printed
            url, user, password = found.groups()
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
                assert client.get("/api/v2/connections").status_code == 401
                assert client.get("/auth/token").status_code >= 400
                assert client.post("/auth/token", json={"username": user, "password": "guess"}).status_code == 401
                refused("make up", "no password", "401")

                for host in ("evil.example", "127.0.0.1.evil.example", f"evil.example:{url.rsplit(':')[-1]}"):
                    assert client.get("/", headers={"Host": host}).status_code == 400
                refused("make up", "a name that leads here", "400")

                answer = client.post("/auth/token", json={"username": user, "password": password})
                headers = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
                assert client.get("/api/v2/dags", headers=headers).status_code == 200
                listed = client.get("/api/v2/connections", headers=headers).json()["connections"]
                assert {one["connection_id"] for one in listed} == {"esputnik_default", "sendpulse_default"}
                assert client.get("/esp/api/accounts").status_code == 401
                accounts = client.get("/esp/api/accounts", headers=headers).json()["accounts"]
                assert [one["conn_id"] for one in accounts] == ["esputnik_default", "sendpulse_default"]
                ran = client.get("/api/v2/dags/winback_campaign/dagRuns", headers=headers).json()
                assert ran["total_entries"] >= 1
                connection = {"connection_id": "x", "conn_type": "sqlite", "host": "/tmp/esp-made-by-a-test.db"}
                assert client.post("/api/v2/connections/test", headers=headers, json=connection).status_code == 403
                assert not Path(connection["host"]).exists()
                refused("make up", "a connection test of sqlite", "403, no file")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(300)  # a task that runs is waited for
