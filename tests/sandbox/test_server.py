"""Starting and stopping: as an object, and from the command line."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.__main__ import main

COMMAND = [sys.executable, "-m", "airflow_provider_esp.sandbox"]


def test_two_sandboxes_know_nothing_of_each_other() -> None:
    with Sandbox() as one, Sandbox() as two:
        one.do("esputnik", "make_contacts", count=5)
        assert one.port != two.port
        assert (one.counts()["esputnik"]["contacts"], two.counts()["esputnik"]["contacts"]) == (5, 0)


def test_it_listens_on_loopback_only() -> None:
    with Sandbox() as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        with socket.socket() as other:
            other.bind(("127.0.0.2", sandbox.port))  # free: the sandbox did not take every address


def test_a_stopped_sandbox_answers_no_more_even_while_a_request_hangs() -> None:
    with Sandbox() as sandbox:
        sandbox.fault("hang")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{sandbox.esputnik_url}/v1/groups", timeout=0.1)
        begin = time.perf_counter()
    assert time.perf_counter() - begin < 60
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.url)


def test_a_name_that_is_not_loopback_is_refused(sandbox: Sandbox) -> None:
    assert httpx.get(sandbox.url, headers={"Host": "sandbox.example"}).status_code == 400
    assert httpx.get(f"http://localhost:{sandbox.port}/").status_code == 200


def test_a_database_file_outlives_the_process(tmp_path: Path) -> None:
    file = str(tmp_path / "sandbox.db")
    with Sandbox(db=file) as sandbox:
        sandbox.do("esputnik", "make_contacts", count=7)
    with Sandbox(db=file) as again:
        assert again.counts()["esputnik"]["contacts"] == 7


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_its_addresses_and_stops_cleanly(name: signal.Signals) -> None:
    with subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        addresses = {line.split()[0]: line.split()[1] for line in lines[:4]}
        assert set(addresses) == {"page", "eSputnik", "SendPulse", "control"}
        assert "sandbox-key" in lines[1]
        answer = httpx.get(f"{addresses['eSputnik']}/v1/account/info", auth=("", "sandbox-key"))
        assert answer.status_code == 200
        process.send_signal(name)
        assert process.wait(timeout=120) == 0


def test_a_taken_port_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert re.search(rf"cannot listen on 127\.0\.0\.1:{port}: .+in use", capsys.readouterr().err)


def test_many_clients_at_once_get_whole_answers(sandbox: Sandbox) -> None:
    sandbox.set(import_seconds=0)
    sandbox.limit("esputnik.default", None)

    def work(number: int) -> set[int]:
        with httpx.Client(base_url=sandbox.esputnik_url, auth=("", "sandbox-key"), timeout=30) as client:
            statuses = set()
            for batch in range(3):
                name = f"c{number}-{batch}"
                contacts = [{"channels": [{"type": "email", "value": f"{name}-{n}@example.com"}]} for n in range(100)]
                answer = client.post("/v1/contacts", json={"contacts": contacts, "dedupeOn": "email"})
                session = answer.json()["asyncSessionId"]
                statuses |= {answer.status_code, client.get(f"/v1/importstatus/{session}").status_code}
            return statuses

    with ThreadPoolExecutor(8) as pool:
        assert set().union(*pool.map(work, range(8))) == {200}
    assert sandbox.counts()["esputnik"]["contacts"] == 8 * 3 * 100


@pytest.mark.parametrize(
    "start",
    [
        "from airflow_provider_esp.sandbox import Sandbox",
        "import runpy; runpy.run_module('airflow_provider_esp.sandbox', run_name='__main__')",
    ],
)
@pytest.mark.parametrize("missing", ["uvicorn", "starlette", "jinja2"])
def test_without_its_extra_it_says_what_to_install(start: str, missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; {start}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"The sandbox needs {missing}: install airflow-provider-esp[sandbox].")
