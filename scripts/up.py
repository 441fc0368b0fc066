"""Airflow's own UI and the sandbox together on this machine, until Ctrl-C.

``python scripts/up.py``. It opens on the page of the email services, with a campaign that runs. The example DAGs are
there to be triggered; the connections, which people see in *Admin*, lead to the sandbox. Airflow's four parts are
started one by one: ``airflow standalone`` would serve task logs to the whole network.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from local_airflow import AIRFLOW_VERSION, RUN, connections, environment, migrate, shown

from airflow_provider_esp.sandbox import Sandbox

WORK = RUN / "up"
LOG = WORK / "airflow.log"
USER = "admin"
PASSWORDS = "passwords.json"
PLUGINS = Path(__file__).resolve().parent / "up_plugins"
PATIENCE = 180
CAMPAIGN = "winback_campaign"
# Without log servers: they listen on every interface, and on one machine the UI reads the files themselves.
PARTS = (["api-server"], ["scheduler", "--skip-serve-logs"], ["dag-processor"], ["triggerer", "--skip-serve-logs"])


def main() -> int:
    """Start everything, wait for Ctrl-C, stop everything.

    :returns: the process's exit code.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    home = WORK / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    try:
        with Sandbox(free_port(8025)) as sandbox, ExitStack() as running:
            port = free_port(8080)
            address = f"http://127.0.0.1:{port}"
            env = without_connections(environment(sandbox, home, WORK / "report")) | served_at(address, port)
            password = new_password(home / PASSWORDS)
            say(f"Starting Airflow {AIRFLOW_VERSION}, about half a minute. What it says goes to {shown(LOG)}.")
            migrate(env, LOG)
            keep_connections(sandbox, env)
            parts = [running.enter_context(started(part, env)) for part in PARTS]
            if not is_up(f"{address}/api/v2/monitor/health", parts):
                say(f"Airflow did not start; {shown(LOG)} says why.")
                return 1
            if not start_campaign(address, password):
                say(f"The campaign {CAMPAIGN} did not start; {shown(LOG)} says why.")
            say(f"Airflow   {address}/plugin/esp    login {USER}, password {password}")
            say(f"Sandbox   {sandbox.url}    contacts, messages and events of both services")
            say("Ctrl-C stops both.")
            while all(part.poll() is None for part in parts):
                time.sleep(0.5)
            say(f"A part of Airflow has ended by itself; {shown(LOG)} says why.")
            return 1
    except KeyboardInterrupt:
        return 0


def without_connections(env: dict[str, str]) -> dict[str, str]:
    """Leave out connections that the environment names: Airflow does not list those."""
    return {name: value for name, value in env.items() if not name.startswith("AIRFLOW_CONN_")}


def keep_connections(sandbox: Sandbox, env: dict[str, str]) -> None:
    """Put the connections into Airflow's database, in the place of an earlier start's.

    :raises SystemExit: Airflow could not.
    """
    file = WORK / "airflow" / "connections.json"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(connections(sandbox)))
    command = [sys.executable, "-m", "airflow", "connections", "import", "--overwrite", str(file)]
    with LOG.open("a") as output:
        done = subprocess.run(command, env=env, stdout=output, stderr=subprocess.STDOUT, check=False)
    file.unlink()
    if done.returncode:
        raise SystemExit(f"Airflow could not keep the connections; {shown(LOG)} says why.")


def start_campaign(address: str, password: str) -> bool:
    """Start the example campaign, so that there is something to be seen; False where Airflow does not know it."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    token = ""

    def ask(method: str, path: str, **body: object) -> dict[str, object]:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{address}{path}", data, headers, method=method)  # noqa: S310  # our own
        with direct.open(request, timeout=30) as answer:
            found: dict[str, object] = json.load(answer)
        return found

    token = str(ask("POST", "/auth/token", username=USER, password=password)["access_token"])
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(OSError):  # the DAG is not read yet
            ask("PATCH", f"/api/v2/dags/{CAMPAIGN}", is_paused=False)
            ask("POST", f"/api/v2/dags/{CAMPAIGN}/dagRuns", logical_date=None)
            return True
        time.sleep(1)
    return False


def new_password(path: Path) -> str:
    """Make a password for this start of Airflow, and leave it where Airflow looks for it.

    :param path: of the file, which only its owner can read.
    """
    password = secrets.token_urlsafe(9)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({USER: password}))
    return password


def served_at(address: str, port: int) -> dict[str, str]:
    """Return what keeps Airflow on this machine, small and quick to see a changed DAG."""
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(WORK / "airflow" / PASSWORDS),
        # Off, as it is in every Airflow: a connection of another type makes a file wherever its test is told to.
        "AIRFLOW__CORE__TEST_CONNECTION": "Disabled",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__ESP__REPORT_ROOTS": str(WORK / "report"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    }


@contextmanager
def started(part: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run one part of Airflow, and end it and its workers afterwards."""
    # A group of its own: Ctrl-C reaches this script only, and leftover workers can be found.
    with LOG.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", *part],
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            say(f"{part[0]} does not stop by itself and is killed.")
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port(wanted: int) -> int:
    """Return the wanted port, or any other that is free."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_up(address: str, parts: list[subprocess.Popen[bytes]]) -> bool:
    """Wait until Airflow says of each part that it is healthy; False when one ends or the patience does."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + PATIENCE
    while all(part.poll() is None for part in parts) and time.monotonic() < end:
        with suppress(OSError), direct.open(address, timeout=5) as answer:  # not listening yet, or not answering
            health = json.load(answer)
            if all(health[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "dag_processor")):
                return True
        time.sleep(1)
    return False


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
