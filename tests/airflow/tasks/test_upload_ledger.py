"""A task that uploads contacts and fails goes on where it stopped; one that has ended begins anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.options import EsputnikUpload
from airflow_provider_esp.sandbox import Sandbox

CONTACTS = "*/v1/contacts"


@pytest.fixture(params=["kept by Airflow", "kept in a file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Arguments that say where the ledger is kept."""
    return {} if request.param == "kept by Airflow" else {"ledger_path": f"{tmp_path}/ledgers/{{{{ run_id }}}}.json"}


def crowd(count: int) -> str:
    return "email\n" + "".join(f"p{number}@example.com\n" for number in range(count))


def upload(source: Path, **arguments: Any) -> UploadContactsOperator:
    return UploadContactsOperator(
        task_id="upload",
        esp_conn_id="esputnik_default",
        source=str(source),
        batch_size=10,
        concurrency=1,
        poll_interval=0.1,
        report_path=f"{source.parent}/report",
        **arguments,
    )


def handed_in(sandbox: Sandbox) -> int:
    """How many requests the service has answered."""
    return sum(request["status"] == 200 for request in sandbox.requests(CONTACTS, "POST"))


def one_task(worker: Any, task: UploadContactsOperator) -> Any:
    dag = worker.dag()
    dag.add_task(task)
    return dag


def test_a_retry_by_airflow_goes_on(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "people.csv"
    source.write_text(crowd(95))
    sandbox.fault("reset", "POST", CONTACTS, skip=6)  # with an event the request itself may not be repeated
    task = upload(
        source, retries=1, retry_delay=timedelta(0), options=EsputnikUpload(event_key_for_new_contacts="joined")
    )
    ran = worker.run(task)
    assert (ran.state, len(ran.errors)) == ("success", 1)
    assert 10 <= handed_in(sandbox) <= 11
    assert ran.value["accepted"] == 95
    assert sandbox.counts()["esputnik"]["contacts"] == 95


def test_a_cleared_task_goes_on_after_a_final_error(
    worker: Any, sandbox: Sandbox, tmp_path: Path, ledger: dict[str, Any], kept_state: Callable[[], list[str]]
) -> None:
    source = tmp_path / "people.csv"
    source.write_text(crowd(95))
    sandbox.fault("status", "POST", CONTACTS, status=403, skip=6, times=1)
    dag = one_task(worker, upload(source, **ledger))
    before = kept_state()
    first = worker.run_dag(dag)["upload"]
    assert first.state == "failed"
    done = handed_in(sandbox)
    assert 6 <= done < 9

    second = worker.clear(dag)["upload"]
    assert second.state == "success", second.error
    assert handed_in(sandbox) <= 10 + 1  # at most the one that was under way when the other failed goes twice
    assert (second.value["rows"], second.value["accepted"]) == (95, 95)
    assert second.value["imports_total"] == handed_in(sandbox)
    assert sandbox.counts()["esputnik"]["contacts"] == 95
    assert kept_state() == before
    assert not list(tmp_path.glob("ledgers/*"))
    assert not list(tmp_path.glob("report/**/*.ndjson"))


def test_a_task_that_has_succeeded_uploads_again_when_it_is_cleared(
    worker: Any, sandbox: Sandbox, tmp_path: Path, ledger: dict[str, Any]
) -> None:
    source = tmp_path / "people.csv"
    source.write_text(crowd(20))
    dag = one_task(worker, upload(source, **ledger))
    assert worker.run_dag(dag)["upload"].state == "success"
    assert worker.clear(dag)["upload"].value["accepted"] == 20
    assert handed_in(sandbox) == 4


def test_a_task_that_failed_for_its_rejects_uploads_again_when_it_is_cleared(
    worker: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    source = tmp_path / "people.csv"
    source.write_text(crowd(20) + "nobody\n")
    dag = one_task(worker, upload(source))
    assert "21 rows were refused" in worker.run_dag(dag)["upload"].error
    assert "21 rows were refused" in worker.clear(dag)["upload"].error
    assert handed_in(sandbox) == 4


def test_an_upload_whose_source_has_changed_starts_over_and_says_so(
    worker: Any, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "people.csv"
    source.write_text(crowd(40))
    sandbox.fault("status", "POST", CONTACTS, status=403, skip=2, times=1)
    dag = one_task(worker, upload(source))
    assert worker.run_dag(dag)["upload"].state == "failed"
    source.write_text(crowd(40).replace("p3@", "new@"))
    second = worker.clear(dag)["upload"]
    assert (second.state, second.value["accepted"]) == ("success", 40)
    assert "that the last try has uploaded" in caplog.text + capsys.readouterr().out
    assert {f"p{number}@example.com" for number in range(4, 40)} | {"new@example.com"} <= {
        contact["email"] for contact in sandbox.rows("esputnik", "contacts")
    }


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])
def test_a_wait_whose_time_is_up_is_taken_up_by_the_retry_and_nothing_is_uploaded_again(
    worker: Any, sandbox: Sandbox, tmp_path: Path, deferrable: bool, kept_state: Callable[[], list[str]]
) -> None:
    source = tmp_path / "people.csv"
    source.write_text(crowd(30))
    sandbox.set(import_seconds=1000.0)
    dag = one_task(worker, upload(source, timeout=0.4, deferrable=deferrable))
    before = kept_state()
    first = worker.run_dag(dag)["upload"]
    assert "a retry waits for them again" in first.error
    sandbox.advance(1001)
    second = worker.clear(dag)["upload"]
    assert (second.state, second.value["accepted"]) == ("success", 30)
    assert (handed_in(sandbox), second.value["imports_total"]) == (3, 3)
    assert kept_state() == before
    assert not list(tmp_path.glob("report/**/*.ndjson"))
