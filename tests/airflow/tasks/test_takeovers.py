"""Two tries of one task at once: whoever comes later sends, the other one stops, and nobody gets two messages."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core import tries
from airflow_provider_esp.core.send.requests import SendRequests
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.conftest import IS_AIRFLOW_2

PEOPLE = [f"p{number}@example.com" for number in range(4000)]


class LaterTry:
    """A task instance as the next try sees it."""

    def __init__(self, ti: Any) -> None:
        self._ti = ti
        self.try_number = ti.try_number + 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)


def received(sandbox: Sandbox) -> Counter[str]:
    return Counter(message["to"] for message in sandbox.messages(limit=10_000))


def send(**arguments: Any) -> SmartSendOperator:
    source = [{"email": email} for email in PEOPLE]
    return SmartSendOperator(
        task_id="send", esp_conn_id="esputnik_default", message_id=1001, source=source, on_unknown="skip", **arguments
    )


@pytest.mark.parametrize(
    "kept",
    [
        "a file",
        pytest.param("Airflow", marks=pytest.mark.skipif(not IS_AIRFLOW_2, reason="task state fences by itself")),
    ],
)
def test_a_try_that_was_taken_over_from_sends_nothing_more(
    kept: str, worker: Any, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "PATIENCE", 0.0)
    arguments = {"ledger_path": f"{tmp_path}/{{{{ run_id }}}}.json"} if kept == "a file" else {}
    later: list[dict[str, Any]] = []
    sends = SendRequests.send
    contexts: list[tuple[Any, Any]] = []

    def overtaken(requests: Any, rows: Any) -> Any:
        if len(contexts) == 1 and not later:  # the first block's intent is written, and nothing of it has left
            operator, context = contexts[0]
            later.append({})
            later[0] = copy.copy(operator).execute({**context, "ti": LaterTry(context["ti"])})
        return sends(requests, rows)

    monkeypatch.setattr(SendRequests, "send", overtaken)
    with worker.dag() as dag:
        operator = send(**arguments)
        operator.pre_execute = lambda context: contexts.append((context["task"], context))  # type: ignore[method-assign]
    ran = worker.run_dag(dag)["send"]
    assert later[0]["unknown"] == 1000
    assert later[0]["accepted"] == 3000
    assert ran.state == "failed"
    assert "taken over" in ran.error
    assert received(sandbox) == dict.fromkeys(PEOPLE, 1)


@pytest.mark.parametrize("second", ["other", "send"])
def test_a_ledger_file_that_two_tasks_share_by_mistake_is_refused(
    second: str, worker: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    shared: dict[str, Any] = {
        "ledger_path": f"{tmp_path}/ledger.json",
        "esp_conn_id": "esputnik_default",
        "message_id": 1001,
    }
    with worker.dag() as first:
        SmartSendOperator(task_id="send", source=[{"email": PEOPLE[0]}], **shared)
    with worker.dag() as other:
        SmartSendOperator(task_id=second, source=[{"email": PEOPLE[1]}], **shared)
    assert worker.run_dag(first)["send"].state == "success"
    error = worker.run_dag(other)[second].error
    assert f"The ledger is that of task 'send' of DAG '{first.dag_id}'" in error
    assert f"this is task '{second}' of DAG '{other.dag_id}'" in error
    assert received(sandbox) == {PEOPLE[0]: 1}


def test_a_mapped_send_whose_list_came_in_another_order_stops_and_names_both(
    worker: Any,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from airflow.providers.common.compat.sdk import task

    caplog.set_level("INFO")
    for name, first in (("a", 0), ("b", 3)):
        (tmp_path / f"{name}.csv").write_text("\n".join(["email", *PEOPLE[first : first + 3]]))
    paths = [f"{tmp_path}/a.csv", f"{tmp_path}/b.csv"]

    with worker.dag() as dag:

        @task
        def parts() -> list[str]:
            return paths

        SmartSendOperator.partial(task_id="send", esp_conn_id="esputnik_default", message_id=1001).expand(
            source=parts()
        )
    sandbox.fault("status", "POST", "*/smartsend", status=403, skip=1)
    states = [ran.state for ran in worker.run_dag(dag).all if ran.task_id == "send"]
    assert sorted(states) == ["failed", "success"]
    assert len(received(sandbox)) == 3
    assert "keep the order of the list" in caplog.text + capsys.readouterr().out
    paths.reverse()
    caplog.clear()
    states = [ran.state for ran in worker.clear(dag).all if ran.task_id == "send"]
    assert states == ["failed", "failed"]
    said = caplog.text + capsys.readouterr().out
    assert f"it was {tmp_path}/a.csv" in said
    assert f"now it is {tmp_path}/b.csv" in said
    assert set(received(sandbox).values()) == {1}
    assert len(received(sandbox)) == 3


def test_a_variable_may_say_how_to_go_on_after_a_stop(
    worker: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.fault("reset", "POST", "*/smartsend", processed=True)
    source = [{"email": email} for email in PEOPLE[:1500]]
    told: dict[str, Any] = {"on_unknown": "{{ var.value.get('on_unknown', 'stop') }}", "message_id": 1001}
    with worker.dag() as dag:
        SmartSendOperator(task_id="send", esp_conn_id="esputnik_default", source=source, **told)
    assert "it is unknown" in worker.run_dag(dag)["send"].error
    monkeypatch.setenv("AIRFLOW_VAR_ON_UNKNOWN", "perhaps")
    assert "on_unknown must be 'stop', 'skip'" in worker.clear(dag)["send"].error
    monkeypatch.setenv("AIRFLOW_VAR_ON_UNKNOWN", "lookup")
    assert "external_request_id" in worker.clear(dag)["send"].error
    monkeypatch.setenv("AIRFLOW_VAR_ON_UNKNOWN", "skip")
    ran = worker.clear(dag)["send"]
    assert (ran.state, ran.value["unknown"], ran.value["accepted"]) == ("success", 1000, 500), ran.error
    assert set(received(sandbox).values()) == {1}
