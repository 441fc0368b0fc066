"""`send_key` in DAGs: runs, tasks and map indexes that share one reach a person once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.send import send_key
from airflow_provider_esp.core.send.key_folder import KeyFolder, Owner
from airflow_provider_esp.operators.events import SendEventOperator, SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.utils.local_paths import LocalPath
from tests.airflow.tasks.conftest import IS_AIRFLOW_2

Run = Callable[..., Any]
KEY: dict[str, Any] = {"send_key": "spring"}


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    """Arguments with a key, and the folder of it on a disk."""
    return {**KEY, "sent_path": str(tmp_path)}


@pytest.fixture(params=["disk", "object store"])
def any_place(request: pytest.FixtureRequest, place: dict[str, Any]) -> dict[str, Any]:
    """Arguments with a key, and the folder of it wherever it may be."""
    if request.param == "disk":
        return place
    from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

    import_module("airflow.io.store" if IS_AIRFLOW_2 else "airflow.sdk.io").attach("memory", fs=MemoryFileSystem())
    return {**place, "sent_path": f"memory://sent{place['sent_path']}"}


def crowd(first: int, count: int) -> list[dict[str, str]]:
    return [{"email": f"p{number}@example.com"} for number in range(first, first + count)]


def send(source: Any, **arguments: Any) -> SmartSendOperator:
    told: dict[str, Any] = {"task_id": "send", "esp_conn_id": "esputnik_default", "message_id": 1001, **arguments}
    return SmartSendOperator(source=source, **told)


def received(sandbox: Sandbox) -> Counter[str]:
    return Counter(message["to"] for message in sandbox.messages(limit=10_000))


def counted(ran: Any) -> tuple[str, int, int]:
    assert ran.value is not None, ran.error
    return ran.state, ran.value["accepted"], ran.value["suppressed"]


def test_two_runs_of_one_dag_and_another_dag_reach_a_person_once(
    worker: Any, sandbox: Sandbox, any_place: dict[str, Any]
) -> None:
    with worker.dag() as dag:
        send(crowd(0, 2500), **any_place)
    assert counted(worker.run_dag(dag)["send"]) == ("success", 2500, 0)
    assert counted(worker.run_dag(dag)["send"]) == ("success", 0, 2500)
    with worker.dag() as other:
        send(crowd(2000, 1000), message_id=1002, **any_place)
    assert counted(worker.run_dag(other)["send"]) == ("success", 500, 500)
    assert received(sandbox) == {person["email"]: 1 for person in crowd(0, 3000)}


def test_another_key_reaches_everybody_and_a_runs_conf_may_say_it(
    worker: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    with worker.dag() as dag:
        send(crowd(0, 3), send_key="{{ dag_run.conf['campaign'] }}", sent_path=f"{tmp_path}/{{{{ dag.dag_id }}}}")
    assert counted(worker.run_dag(dag, {"campaign": "spring"})["send"]) == ("success", 3, 0)
    assert counted(worker.run_dag(dag, {"campaign": "summer"})["send"]) == ("success", 3, 0)
    assert counted(worker.run_dag(dag, {"campaign": "spring"})["send"]) == ("success", 0, 3)
    nothing = worker.run_dag(dag, {"campaign": ""})["send"]
    assert "send_key= is empty once it is rendered" in nothing.error
    assert set(received(sandbox).values()) == {2}


def test_a_mapped_send_whose_list_comes_in_another_order_reaches_everybody_once(
    worker: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    from airflow.providers.common.compat.sdk import task

    parts = [crowd(0, 3), crowd(3, 3), crowd(6, 3)]
    with worker.dag() as dag:

        @task
        def audience() -> list[list[dict[str, str]]]:
            return parts

        SmartSendOperator.partial(
            task_id="send", esp_conn_id="esputnik_default", message_id=1001, sent_path=str(tmp_path), **KEY
        ).expand(source=audience())
    sandbox.fault("status", "POST", "*/smartsend", status=403, skip=1, times=2)
    states = [ran.state for ran in worker.run_dag(dag).all if ran.task_id == "send"]
    assert sorted(states) == ["failed", "failed", "success"]
    parts.reverse()
    again = worker.run_dag(dag)
    assert [ran.state for ran in again.all if ran.task_id == "send"] == ["success"] * 3
    assert received(sandbox) == {person["email"]: 1 for person in crowd(0, 9)}


def test_whoever_may_have_been_reached_is_not_written_to_by_another_run(
    worker: Any, sandbox: Sandbox, place: dict[str, Any]
) -> None:
    with worker.dag() as dag:
        send(crowd(0, 1500), **place)
    sandbox.fault("reset", "POST", "*/smartsend", processed=True)
    assert "it is unknown" in worker.run_dag(dag)["send"].error
    assert counted(worker.run_dag(dag)["send"]) == ("success", 500, 1000)
    assert set(received(sandbox).values()) == {1}


def test_who_was_refused_may_be_reached_by_another_run(worker: Any, sandbox: Sandbox, place: dict[str, Any]) -> None:
    sandbox.fault("status", "POST", "*/smartsend", status=403)
    with worker.dag() as dag:
        send(crowd(0, 5), **place)
    assert worker.run_dag(dag)["send"].state == "failed"
    assert counted(worker.run_dag(dag)["send"]) == ("success", 5, 0)


def test_a_finished_send_is_sent_again_only_by_itself(worker: Any, sandbox: Sandbox, place: dict[str, Any]) -> None:
    with worker.dag() as dag:
        send(crowd(0, 3), resend="{{ var.value.get('resend', false) }}", **place)
    with pytest.MonkeyPatch.context() as patch:
        assert counted(worker.run_dag(dag)["send"]) == ("success", 3, 0)
        patch.setenv("AIRFLOW_VAR_RESEND", "true")
        assert counted(worker.clear(dag)["send"]) == ("success", 3, 0)
        assert set(received(sandbox).values()) == {2}
        with worker.dag() as other:
            send(crowd(0, 4), resend=True, **place)
        assert counted(worker.run_dag(other)["send"]) == ("success", 1, 3)


def test_an_event_is_told_of_a_person_once(run: Run, sandbox: Sandbox, place: dict[str, Any]) -> None:
    told: dict[str, Any] = {"task_id": "send", "esp_conn_id": "esputnik_default", "event": "bought", **place}
    ran = run(SendEventsOperator(source=[*crowd(0, 2), *crowd(0, 1)], **told))
    assert (ran.value["accepted"], ran.value["duplicate"]) == (2, 1)
    assert counted(run(SendEventOperator(contact_email="P1@Example.com", **told))) == ("success", 0, 1)
    assert counted(run(SendEventOperator(contact_phone="+380501112233", **told))) == ("success", 1, 0)
    ran = run(SendEventsOperator(source=[{"phone": "380501112233"}], phone_format="international", **told))
    assert counted(ran) == ("success", 0, 1)
    assert len(sandbox.rows("esputnik", "events")) == 3


def test_max_recipients_counts_only_who_was_not_reached(worker: Any, sandbox: Sandbox, place: dict[str, Any]) -> None:
    with worker.dag() as dag:
        send(crowd(0, 10), **place)
    worker.run_dag(dag)
    with worker.dag() as more:
        send(crowd(0, 12), max_recipients=1, **place)
    assert "max_recipients allows" in worker.run_dag(more)["send"].error
    more.get_task("send").max_recipients = 2
    assert counted(worker.run_dag(more)["send"]) == ("success", 2, 10)


def test_a_dry_run_says_who_was_reached_and_leaves_nothing(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    with worker.dag() as dag:
        send(crowd(0, 3), sent_path=str(tmp_path), **KEY)
    worker.run_dag(dag)
    before = sorted(tmp_path.rglob("*"))
    with worker.dag() as dry:
        send(crowd(0, 5), sent_path=str(tmp_path), dry_run=True, **KEY)
    assert counted(worker.run_dag(dry)["send"]) == ("success", 0, 3)  # two were held back
    assert sorted(tmp_path.rglob("*")) == before


def test_a_task_that_another_one_keeps_waiting_is_tried_again(
    worker: Any, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_key, "WAIT", 0.0)
    with worker.dag() as dag:
        operator = send(crowd(0, 3), sent_path=str(tmp_path), retries=1, retry_delay=timedelta(0), **KEY)

    def end_of_the_other(context: Any) -> None:
        if context["ti"].try_number == 2:
            (owner,) = tmp_path.rglob("owner.json")
            owner.unlink()

    operator.pre_execute = end_of_the_other  # type: ignore[method-assign]
    folder = KeyFolder(LocalPath(tmp_path), "spring", Patience(0))
    folder.write_owner(Owner("task 'other'", "0" * 12, "elsewhere:1:1"))
    ran = worker.run_dag(dag)["send"]
    assert counted(ran) == ("success", 3, 0)
    assert len(ran.errors) == 1
    assert "task 'other' sends under send_key 'spring'" in str(ran.errors[0])


@pytest.mark.parametrize("operator", [send, SendEventOperator], ids=["send", "event"])
def test_a_key_without_a_folder_is_refused_when_the_dag_is_parsed(operator: Any) -> None:
    told: dict[str, Any] = {"task_id": "send", "esp_conn_id": "esputnik_default", **KEY}
    more: dict[str, Any] = {"source": []} if operator is send else {"event": "bought", "contact_email": "a@example.com"}
    with pytest.raises(ValueError, match="send_key= needs sent_path="):
        operator(**told, **more)


def test_a_mapped_send_without_a_key_says_so_in_its_log(
    worker: Any, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    with worker.dag() as dag:
        SmartSendOperator.partial(task_id="send", esp_conn_id="esputnik_default", message_id=1001).expand(
            source=[crowd(0, 1)]
        )
    worker.run_dag(dag)
    assert "with send_key= nobody is reached twice in any order" in caplog.text + capsys.readouterr().out
