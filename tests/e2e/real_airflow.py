"""Airflow as it runs in earnest: its parts as processes of their own, on loopback, in a home of their own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.metadata import Metadata

IS_AIRFLOW_2 = version("apache-airflow").startswith("2.")
BUSY = 5
"""How many times longer everything may take on a busy machine. What comes to its end does not wait for that."""


class Airflow:
    """Scheduler, triggerer and, from Airflow 3 on, DAG processor and API server.

    :param home: an empty folder.
    :param settings: environment variables besides those that make the parts find each other.
    :param metadata: its database; None for a SQLite file in its home.
    """

    def __init__(self, home: Path, settings: Mapping[str, str], metadata: Metadata | None = None) -> None:
        self.home = home
        # Airflow's parts lock each other out; on a busy machine one holds the file for longer than Python's 5 s.
        self._metadata = metadata or Metadata(f"sqlite:///{home}/airflow.db?timeout=300")
        self.dags = home / "dags"
        self.dags.mkdir()
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._metadata.url,
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            # A busy machine may be silent for longer than Airflow's 5 s, and a task that cannot begin has failed.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "300",
            "AIRFLOW__TRIGGERER__RUNNER_HEALTH_CHECK_THRESHOLD": "300",
            **settings,
        }
        # The log servers would listen on every address of the machine.
        self._commands = {part: [part, "--skip-serve-logs"] for part in ("scheduler", "triggerer")}
        self._port = None if IS_AIRFLOW_2 else port
        if self._port is not None:
            server = ["api-server", "--host", "127.0.0.1", "--port", str(port)]
            self._commands = {"api-server": server, **self._commands, "dag-processor": ["dag-processor"]}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: list[subprocess.Popen[bytes]] = []
        self._token = ""

    def start(self) -> None:
        """Make the database, and start the parts."""
        self.command("db", "migrate")
        for part in self._commands:
            self.start_part(part)
            if part == "api-server":  # a task that starts before it answers fails
                self.wait_until(self._answers, 120, "Starting the API server")

    def start_part(self, part: str) -> None:
        """Start a part: one that was killed, or one that has not run yet."""
        with (self.home / f"{part}.out").open("ab") as out:
            self._processes[part] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *self._commands[part]],
                env=self._environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill_part(self, part: str, *, whole: bool) -> None:
        """Kill a part with SIGKILL.

        :param whole: with the processes that it has started, as when a container dies; otherwise the part's own
            process alone, as when the system runs out of memory.
        """
        process = self._processes.pop(part)
        (os.killpg if whole else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        self._killed.append(process)

    def _answers(self) -> bool:
        """Tell whether somebody listens on the API server's port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port or 0)) == 0

    def stop(self) -> None:
        """Stop the parts, and whatever they have started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in (*self._processes.values(), *self._killed):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            end = time.monotonic() + 5
            while time.monotonic() < end and any(process.poll() is None for process in self._processes.values()):
                time.sleep(0.1)

    def command(self, *arguments: str) -> str:
        """Run one of Airflow's commands to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self._environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, select: str, *values: object) -> list[dict[str, Any]]:
        """Read from the metadata database."""
        return self._metadata.rows(select, *values)

    def returned(self, dag_id: str, task_id: str) -> Any:
        """What a task returned."""
        (row,) = self.rows(
            "SELECT value FROM xcom WHERE dag_id = ? AND task_id = ? AND key = 'return_value'", dag_id, task_id
        )
        return json.loads(row["value"])

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Use Airflow's REST API; every visitor of these tests' Airflow is an administrator.

        :param path: behind ``/api/v2``.
        """
        with httpx.Client(base_url=self.url, trust_env=False, timeout=300) as client:
            self._token = self._token or client.get("/auth/token").raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = client.request(method, f"/api/v2{path}", headers=headers, json=body or None)
        assert answer.is_success, answer.text
        return answer.json()

    def wait_until(self, what: Callable[[], Any], seconds: float, why: str) -> Any:
        """Look again and again until there is something to be seen, and return it.

        :param seconds: that it may take on a machine with nothing else to do.
        """
        end = time.monotonic() + BUSY * seconds
        while not (found := what()):
            assert time.monotonic() < end, f"{why} took longer than {BUSY * seconds:g} s\n{self.said()}"
            for part, process in self._processes.items():
                assert process.poll() is None, f"Airflow's {part[0]} ended\n{self.said()}"
            time.sleep(0.1)
        return found

    def said(self) -> str:
        """The end of what each part has written, for a person who looks why a test failed."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in sorted(self.home.glob("*.out")))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
