"""Tasks that Airflow ends while they send, upload or wait: nothing more leaves, and a cleared task goes on."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.conftest import IS_AIRFLOW_2

PEOPLE = [f"p{number}@example.com" for number in range(400)]
PAUSE = 0.02
HANGS = 6.0
"""Seconds after which the sandbox closes a connection that hangs: longer than a task waits for answers."""

Ends = Callable[[Any, str, int], None]


@pytest.fixture
def end_when(sandbox: Sandbox) -> Iterator[Ends]:
    """End a task, as Airflow does, once so many requests have come to a path."""
    over, watching = threading.Event(), []
    earlier = signal.getsignal(signal.SIGTERM)

    def go(operator: Any, path: str, requests: int, *, by_signal: bool = False) -> None:
        running: list[Any] = []
        operator.pre_execute = lambda context: running.append(context["task"])

        def watch() -> None:
            while not running or len(sandbox.requests(path)) < requests:
                if over.wait(PAUSE):
                    return
            if by_signal:
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                running[0].on_kill()

        watching.append(threading.Thread(target=watch))
        watching[-1].start()

    yield go
    over.set()
    for thread in watching:
        thread.join()
    signal.signal(signal.SIGTERM, earlier)


@dataclass(frozen=True)
class Case:
    """An operator that does something for each of `PEOPLE`.

    :ivar path: of its requests.
    :ivar a_request: people in each.
    """

    make: Callable[..., Any]
    service: str
    path: str
    a_request: int
    arguments: dict[str, Any]

    def operator(self, people: int = len(PEOPLE), **arguments: Any) -> Any:
        told = {**self.arguments, "source": [{"email": email} for email in PEOPLE[:people]], **arguments}
        return self.make(task_id="work", esp_conn_id=f"{self.service}_default", **told)


MESSAGES = Case(SmartSendOperator, "esputnik", "*/smartsend", 1000, {"message_id": 1001})
MAILS = Case(
    SmartSendOperator,
    "sendpulse",
    "*/smtp/emails",
    1,
    {"message_id": 700_001, "subject": "Hello", "sender_email": "sender@sandbox.example"},
)
EVENTS = Case(SendEventsOperator, "esputnik", "*/v2/event", 1, {"event": "bought", "email_column": "email"})
UPLOAD = Case(UploadContactsOperator, "esputnik", "*/v1/contacts", 20, {"batch_size": 20})
UPLOAD_SP = Case(
    UploadContactsOperator,
    "sendpulse",
    "*/addressbooks/*/emails",
    20,
    {"batch_size": 20, "segments": ["Newsletter"], "create_segments": True},
)


def outcomes(folder: Path) -> Counter[str]:
    lines = [line for part in folder.rglob("*-sent.ndjson") for line in part.read_text().splitlines()]
    return Counter(json.loads(line)["outcome"] for line in lines)


def tried(sandbox: Sandbox, path: str) -> list[dict[str, Any]]:
    """Requests that the service may have acted on: not those too soon, nor with a token of another test."""
    return [row for row in sandbox.requests(path, "POST") if row["status"] not in (401, 429)]


@pytest.mark.parametrize("by_signal", [False, True], ids=["on_kill", "SIGTERM"])
@pytest.mark.parametrize("case", [MAILS, EVENTS], ids=["mails", "events"])
def test_a_send_that_is_ended_leaves_only_what_was_under_way_in_doubt(
    case: Case, by_signal: bool, worker: Any, sandbox: Sandbox, end_when: Any, tmp_path: Path
) -> None:
    sandbox.fault("hang", "POST", case.path, skip=20, seconds=HANGS)
    with worker.dag() as dag:
        operator = case.operator(60, report_path=str(tmp_path), on_unknown="skip")
    end_when(operator, case.path, 21, by_signal=by_signal)
    if by_signal and IS_AIRFLOW_2:  # `dag.test()` lets its own exception through
        with pytest.raises(BaseException, match="SIGTERM"):
            worker.run_dag(dag)
    else:
        ran = worker.run_dag(dag)["work"]
        assert ran.state == "failed"
        assert "Airflow ended this task while it was sending" in ran.error
    left = len(tried(sandbox, case.path))
    assert left < 60
    there = outcomes(tmp_path)
    assert 1 <= there["unknown"] <= 4  # those under way
    assert there["accepted"] + there["unknown"] == left
    del operator.pre_execute
    again = worker.clear(dag)["work"]
    assert (again.state, again.value["unknown"]) == ("success", there["unknown"]), again.error
    assert again.value["accepted"] == 60 - there["unknown"]
    assert len(tried(sandbox, case.path)) == 60  # nobody twice


def test_messages_that_hang_are_unknown_to_the_next_try_which_stops(
    worker: Any, sandbox: Sandbox, end_when: Any, tmp_path: Path
) -> None:
    sandbox.fault("hang", "POST", MESSAGES.path, seconds=HANGS)
    with worker.dag() as dag:
        operator = MESSAGES.operator(report_path=str(tmp_path))
    end_when(operator, MESSAGES.path, 1)
    ran = worker.run_dag(dag)["work"]
    assert ran.state == "failed"
    assert "of 400 no answer had come" in ran.error
    assert outcomes(tmp_path) == {"unknown": 400}
    del operator.pre_execute
    again = worker.clear(dag)["work"]
    assert "it is unknown" in again.error
    assert len(sandbox.requests(MESSAGES.path, "POST")) == 1


@pytest.mark.parametrize("case", [UPLOAD, UPLOAD_SP], ids=["esputnik", "sendpulse"])
def test_an_upload_that_is_ended_hands_nothing_more_over_and_goes_on_when_cleared(
    case: Case, worker: Any, sandbox: Sandbox, end_when: Any
) -> None:
    sandbox.fault("hang", "POST", case.path, skip=3, seconds=HANGS)
    with worker.dag() as dag:
        operator = case.operator()
    end_when(operator, case.path, 4)
    ran = worker.run_dag(dag)["work"]
    assert ran.state == "failed"
    assert "Airflow ended this task while it was uploading" in ran.error
    assert len(sandbox.requests(case.path, "POST")) < len(PEOPLE) // case.a_request
    del operator.pre_execute
    again = worker.clear(dag)["work"]
    assert (again.state, again.value["accepted"]) == ("success", len(PEOPLE)), again.error


def test_the_wait_for_the_delivery_ends_and_nobody_is_written_to_again(
    worker: Any, sandbox: Sandbox, end_when: Any, tmp_path: Path
) -> None:
    sandbox.set(delivery_seconds=1000.0)
    with worker.dag() as dag:
        told: dict[str, Any] = {"wait_for_delivery": True, "deferrable": False, "poll_interval": 600.0}
        operator = MESSAGES.operator(report_path=str(tmp_path), **told)
    end_when(operator, "*/message/status", 1)
    ran = worker.run_dag(dag)["work"]
    assert ran.state == "failed"
    assert "Airflow ends this task" in ran.error
    del operator.pre_execute
    sandbox.advance(1001)
    again = worker.clear(dag)["work"]
    assert (again.state, again.value["delivered"] + again.value["failed"]) == ("success", 400), again.error
    assert len(sandbox.requests(MESSAGES.path, "POST")) == 1
