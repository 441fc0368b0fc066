"""No message and no event goes twice by itself: unknown outcomes, retries, clears, and where the ledger is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.events import SendEventOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

SMARTSEND = "*/smartsend"


@pytest.fixture(params=["kept by Airflow", "kept in a file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Arguments that say where the ledger is kept."""
    return {} if request.param == "kept by Airflow" else {"ledger_path": f"{tmp_path}/ledgers/{{{{ run_id }}}}.json"}


def crowd(count: int) -> list[dict[str, str]]:
    return [{"email": f"p{number}@example.com"} for number in range(count)]


def send(source: Any, **arguments: Any) -> SmartSendOperator:
    return SmartSendOperator(
        task_id="send", esp_conn_id="esputnik_default", message_id=1001, source=source, poll_interval=0.05, **arguments
    )


def received(sandbox: Sandbox) -> Counter[str]:
    """How many messages each address got."""
    return Counter(message["to"] for message in sandbox.messages(limit=10_000))


def test_a_send_whose_answer_is_lost_is_not_repeated_and_not_retried(
    run: Run, sandbox: Sandbox, ledger: dict[str, Any]
) -> None:
    sandbox.fault("reset", "POST", SMARTSEND, processed=True)
    ran = run(send(crowd(3), retries=2, retry_delay=timedelta(0), **ledger))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "Of 3 recipients in rows 1 to 3 it is unknown whether they were reached" in ran.error
    assert 'on_unknown="skip" or "resend"' in ran.error
    assert len(sandbox.requests(SMARTSEND)) == 1
    assert set(received(sandbox).values()) == {1}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "status", "status": 503},
        {"kind": "html", "status": 200},
        {"kind": "truncate"},
    ],
    ids=lambda fault: fault["kind"],
)
def test_whatever_hides_the_answer_the_send_is_not_repeated(run: Run, sandbox: Sandbox, fault: dict[str, Any]) -> None:
    sandbox.fault(method="POST", path=SMARTSEND, **fault)
    ran = run(send(crowd(3)))
    assert ran.state == "failed"
    assert "it is unknown" in ran.error
    assert len(sandbox.requests(SMARTSEND)) == 1


def test_an_event_whose_answer_is_lost_is_not_repeated(run: Run, sandbox: Sandbox, ledger: dict[str, Any]) -> None:
    sandbox.fault("reset", "POST", "*/v2/event", processed=True)
    event: dict[str, Any] = {"esp_conn_id": "esputnik_default", "event": "purchase", "contact_email": "ann@example.com"}
    ran = run(SendEventOperator(task_id="send", retries=1, retry_delay=timedelta(0), **event, **ledger))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "it is unknown" in ran.error
    assert len(sandbox.rows("esputnik", "events")) == 1


def test_a_cleared_task_still_stops_at_the_unknown(worker: Any, sandbox: Sandbox, ledger: dict[str, Any]) -> None:
    sandbox.fault("reset", "POST", SMARTSEND, processed=True)
    with worker.dag() as dag:
        send(crowd(3), **ledger)
    assert worker.run_dag(dag)["send"].state == "failed"
    again = worker.clear(dag)["send"]
    assert again.state == "failed"
    assert "it is unknown" in again.error
    assert len(sandbox.requests(SMARTSEND)) == 1


def test_unknown_rows_are_skipped_where_the_author_says_so_and_the_others_go(
    run: Run, sandbox: Sandbox, ledger: dict[str, Any]
) -> None:
    sandbox.fault("reset", "POST", SMARTSEND, processed=True)
    ran = run(send(crowd(1500), on_unknown="skip", **ledger))
    assert ran.state == "success"
    assert (ran.value["unknown"], ran.value["accepted"], ran.value["rows"]) == (1000, 500, 1500)
    assert set(received(sandbox).values()) == {1}


def test_unknown_rows_are_sent_again_by_a_retry_where_the_author_says_so_and_only_they(
    run: Run, sandbox: Sandbox, ledger: dict[str, Any]
) -> None:
    sandbox.fault("reset", "POST", SMARTSEND, processed=True, skip=1)
    ran = run(send(crowd(1500), on_unknown="resend", retries=1, retry_delay=timedelta(0), **ledger))
    assert (ran.state, len(ran.errors)) == ("success", 1)
    assert (ran.value["accepted"], ran.value["rows"]) == (1500, 1500)
    times = received(sandbox)
    assert {address for address, count in times.items() if count == 2} == {
        f"p{n}@example.com" for n in range(1000, 1500)
    }
    assert len(times) == 1500


def test_a_finished_send_that_is_cleared_says_that_it_was_sent(
    worker: Any, sandbox: Sandbox, ledger: dict[str, Any]
) -> None:
    with worker.dag() as dag:
        send(crowd(3), retries=1, retry_delay=timedelta(0), **ledger)
    assert worker.run_dag(dag)["send"].state == "success"
    again = worker.clear(dag)["send"]
    assert (again.state, len(again.errors)) == ("failed", 1)
    assert "This was sent at" in again.error
    assert "3 accepted" in again.error
    assert "resend=True" in again.error
    assert set(received(sandbox).values()) == {1}


def test_a_variable_may_say_that_it_is_to_be_sent_again(
    worker: Any, sandbox: Sandbox, ledger: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker.dag() as dag:
        send(crowd(3), resend="{{ var.value.get('resend', 'no') }}", **ledger)
    assert worker.run_dag(dag)["send"].state == "success"
    monkeypatch.setenv("AIRFLOW_VAR_RESEND", "yes")
    assert worker.clear(dag)["send"].state == "success"
    assert set(received(sandbox).values()) == {2}


def test_another_run_is_another_send(worker: Any, sandbox: Sandbox, ledger: dict[str, Any]) -> None:
    with worker.dag() as dag:
        send(crowd(3), **ledger)
    assert [worker.run_dag(dag)["send"].state for _ in range(2)] == ["success", "success"]
    assert set(received(sandbox).values()) == {2}


def test_the_next_try_goes_on_after_the_rows_that_are_done(
    worker: Any, sandbox: Sandbox, ledger: dict[str, Any], write: Write
) -> None:
    lines = [row["email"].encode() for row in crowd(2500)]
    path = write("crowd.csv", b"\n".join([b"email", *lines[:1500], b"\xff@example.com", *lines[1501:]]))
    with worker.dag() as dag:
        send(path, **ledger)
    first = worker.run_dag(dag)["send"]
    assert first.state == "failed"
    assert "not UTF-8" in first.error
    assert len(received(sandbox)) == 1000
    write("crowd.csv", b"\n".join([b"email", *lines]))
    second = worker.clear(dag)["send"]
    assert (second.state, second.value["rows"], second.value["accepted"]) == ("success", 2500, 2500)
    assert len(received(sandbox)) == 2500
    assert set(received(sandbox).values()) == {1}


def test_an_audience_that_changed_meanwhile_is_not_sent_to(
    worker: Any, sandbox: Sandbox, ledger: dict[str, Any], write: Write
) -> None:
    lines = [row["email"].encode() for row in crowd(1500)]
    path = write("crowd.csv", b"\n".join([b"email", *lines, b"\xff@example.com"]))
    with worker.dag() as dag:
        send(path, **ledger)
    worker.run_dag(dag)
    write("crowd.csv", b"\n".join([b"email", b"new@example.com", *lines]))
    ran = worker.clear(dag)["send"]
    assert ran.state == "failed"
    assert "are not those that the last try sent to" in ran.error
    assert "new@example.com" not in received(sandbox)


WAITS = pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])


@WAITS
def test_a_wait_for_delivery_that_fails_is_taken_up_again_and_nothing_is_sent_again(
    worker: Any, sandbox: Sandbox, ledger: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    sandbox.fault("status", "GET", "*/message/status", status=403)
    waiting = {"wait_for_delivery": True, "deferrable": deferrable, "report_path": f"{tmp_path}/report"}
    with worker.dag() as dag:
        send(crowd(3), resend=True, **waiting, **ledger)
    first = worker.run_dag(dag)["send"]
    assert first.state == "failed"
    second = worker.clear(dag)["send"]
    assert (second.state, second.value["accepted"], second.value["delivered"]) == ("success", 3, 3)
    assert set(received(sandbox).values()) == {1}


def test_without_a_report_a_wait_cannot_be_taken_up_again_and_the_error_says_so(worker: Any, sandbox: Sandbox) -> None:
    sandbox.fault("status", "GET", "*/message/status", status=403)
    with worker.dag() as dag:
        send(crowd(3), wait_for_delivery=True)
    worker.run_dag(dag)
    again = worker.clear(dag)["send"]
    assert again.state == "failed"
    assert "3 messages were sent by an earlier try, and their ids are not known any more" in again.error
    assert set(received(sandbox).values()) == {1}


@WAITS
def test_a_wait_that_has_ended_does_not_allow_another_send(worker: Any, sandbox: Sandbox, deferrable: bool) -> None:
    with worker.dag() as dag:
        send(crowd(3), wait_for_delivery=True, deferrable=deferrable)
    assert worker.run_dag(dag)["send"].state == "success"
    assert "This was sent at" in worker.clear(dag)["send"].error
    assert set(received(sandbox).values()) == {1}


def test_each_of_several_mapped_tasks_has_a_ledger_of_its_own(worker: Any, sandbox: Sandbox) -> None:
    told = {"task_id": "send", "esp_conn_id": "esputnik_default", "message_id": 1001}
    with worker.dag() as dag:
        SmartSendOperator.partial(**told).expand(source=[[{"email": "a@example.com"}], [{"email": "b@example.com"}]])
    assert {ran.state for ran in worker.run_dag(dag).all} == {"success"}
    assert received(sandbox) == {"a@example.com": 1, "b@example.com": 1}


def test_what_airflow_keeps_of_a_send_holds_no_address_and_stays_small(
    worker: Any, sandbox: Sandbox, ledger: dict[str, Any], tmp_path: Path, kept_state: Callable[[], list[str]]
) -> None:
    with worker.dag() as dag:
        send(crowd(1500), **ledger)
    before = set(kept_state())
    worker.run_dag(dag)
    files = {path.read_text() for path in (tmp_path / "ledgers").glob("*.json")}
    (text,) = files or {kept for kept in set(kept_state()) - before if '"rows"' in kept}  # and not who the owner is
    record = json.loads(text)
    assert (record["rows"], record["counts"]) == (1500, {"accepted": 1500})
    assert "example.com" not in text
    assert len(text) < 16_000
