"""One bad row does not end a send for good: it is corrected in place, the task is cleared, and each person gets one."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.events import SendEventOperator, SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

Write = Callable[[str, str | bytes], str]
COUNT, BAD = 200, 102
"""Rows, and the one of the second block that is bad."""
SERVICES = ("esputnik", "sendpulse")


@pytest.fixture
def report(with_report: bool, tmp_path: Path) -> dict[str, Any]:
    """Arguments that say where the report goes, or that there is none."""
    return {"report_path": f"{tmp_path}/report"} if with_report else {}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What tasks have logged."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text


def message(service: str, source: Any, **arguments: Any) -> SmartSendOperator:
    own = {"message_id": 1001} if service == "esputnik" else {"message_id": 700_001, "subject": "Hello"}
    sender = {} if service == "esputnik" else {"sender_email": "sender@sandbox.example"}
    options = {"poll_interval": 0.05, "concurrency": 8, **own, **sender, **arguments}
    return SmartSendOperator(task_id="send", esp_conn_id=f"{service}_default", source=source, **options)


def event(service: str, source: Any, **arguments: Any) -> SendEventsOperator:
    options = {"event": "purchase", "concurrency": 8, **arguments}
    return SendEventsOperator(task_id="send", esp_conn_id=f"{service}_default", source=source, **options)


def people(*, bad: dict[int, str] | None = None, count: int = COUNT) -> list[dict[str, str]]:
    return [{"email": (bad or {}).get(number, f"p{number}@example.com")} for number in range(1, count + 1)]


def csv(rows: list[dict[str, str]]) -> str:
    return "\n".join(["email", *(row["email"] for row in rows)]) + "\n"


def reached(sandbox: Sandbox, service: str, operator: Any) -> Counter[str]:
    """How often each person was written to, or told of."""
    if operator is message:
        return Counter(one["to"] for one in sandbox.messages(service=service, limit=10_000))
    rows = sandbox.rows(service, "events", limit=10_000)
    return Counter(row.get("email") or row["params"]["email"] for row in rows)


EACH_SERVICE = pytest.mark.parametrize("service", SERVICES)
EACH_REPORT = pytest.mark.parametrize("with_report", [True, False], ids=["with a report", "without"])
EACH_PAIR = pytest.mark.parametrize(
    ("service", "operator", "with_report"),
    [
        pytest.param("esputnik", message, True, id="esputnik-messages-with a report"),
        pytest.param("sendpulse", message, False, id="sendpulse-messages-without"),
        pytest.param("esputnik", event, False, id="esputnik-events-without"),
        pytest.param("sendpulse", event, True, id="sendpulse-events-with a report"),
    ],
)
"""Each service with each operator, and each of both with a report and without."""
ONCE = dict.fromkeys((row["email"] for row in people()), 1)


@EACH_SERVICE
@pytest.mark.parametrize("operator", [message, event], ids=["messages", "events"])
@EACH_REPORT
def test_the_row_is_corrected_and_the_task_cleared(
    service: str, operator: Any, worker: Any, sandbox: Sandbox, write: Write, report: dict[str, Any], people_line: Any
) -> None:
    path = write("people.csv", csv(people(bad={BAD: "p102"})))
    waits = {"wait_for_delivery": True, "deferrable": False} if operator is message else {}
    with worker.dag() as dag:
        operator(service, path, retries=2, **waits, **report)
    first = worker.run_dag(dag)["send"]
    assert (first.state, len(first.errors)) == ("failed", 1)
    assert "1 of 200 rows were refused and max_rejects allows 0" in first.error
    said = first.error  # a clear adds to it
    assert "clear this task: it tries only them again" in said
    assert (first.value["accepted"], first.value["invalid"]) == (199, 1)
    if waits:
        assert first.value["delivered"] == 199
        assert "Of their messages: 199 delivered" in said
    still_bad = worker.clear(dag)["send"]
    assert still_bad.state == "failed"
    assert "1 of 200 rows were refused" in still_bad.error
    write("people.csv", csv(people()))
    second = worker.clear(dag)["send"]
    assert second.state == "success", second.error
    assert (second.value["rows"], second.value["accepted"], second.value["invalid"]) == (200, 200, 0)
    if waits:
        assert (second.value["delivered"], second.value["failed"], second.value["pending"]) == (200, 0, 0)
    assert reached(sandbox, service, operator) == ONCE
    third = worker.clear(dag)["send"]
    assert "200 people would be written to a second time" in third.error
    assert reached(sandbox, service, operator) == ONCE
    if operator is message:
        people_line("one bad row", "1 of 200, mended", people_line.sent(of=200), "1 of 200 rows were refuse", said)


@EACH_PAIR
def test_max_rejects_is_raised_and_the_task_cleared(
    service: str, operator: Any, worker: Any, sandbox: Sandbox, report: dict[str, Any], people_line: Any
) -> None:
    rows = people(bad={BAD: "p102"})
    waits = {"wait_for_delivery": True, "deferrable": True} if operator is message else {}
    with worker.dag() as dag:
        operator(service, rows, max_rejects="{{ var.value.get('limit', 0) }}", **waits, **report)
    said = worker.run_dag(dag)["send"].error
    assert "1 of 200 rows were refused" in said
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_VAR_LIMIT", "5%")
        second = worker.clear(dag)["send"]
        assert second.state == "success", second.error
        assert (second.value["accepted"], second.value["invalid"]) == (199, 1)
        if waits:
            assert (second.value["delivered"], second.value["pending"]) == (199, 0)
        assert "199 people would be written to a second time" in worker.clear(dag)["send"].error
    received = reached(sandbox, service, operator)
    assert received == {email: 1 for email in ONCE if email != f"p{BAD}@example.com"}
    if operator is message:
        people_line("one bad row", "max_rejects up", people_line.sent(of=200), "max_rejects allows 0", said)


@EACH_REPORT
def test_the_deferred_wait_ends_before_refused_rows_fail_the_task(
    worker: Any, sandbox: Sandbox, report: dict[str, Any], log: Callable[[], str]
) -> None:
    with worker.dag() as dag:
        message("esputnik", people(bad={1: "p1"}, count=3), wait_for_delivery=True, deferrable=True, **report)
    ran = worker.run_dag(dag)["send"]
    assert ran.state == "failed"
    assert "(1)" in ran.error  # the reason has outlived the wait
    assert ran.value["delivered"] == 2
    assert set(ran.value) >= {"rows", "accepted", "invalid", "delivered", "failed", "pending", "statuses"}
    assert "kept" not in ran.value


@EACH_SERVICE
@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_whatever_the_rows_are_written_in_the_corrected_one_is_sent(
    service: str, kind: str, worker: Any, sandbox: Sandbox, tmp_path: Path, write: Write
) -> None:
    def keep(rows: list[dict[str, str]]) -> str:
        if kind == "csv":
            return write("people.csv", csv(rows))
        if kind == "ndjson":
            return write("people.ndjson", "\n".join(map(json.dumps, rows)))
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "people.parquet")
        return str(tmp_path / "people.parquet")

    path = keep(people(bad={3: "p3", 20: "nobody at all"}, count=20))
    with worker.dag() as dag:
        message(service, path)
    assert "2 of 20 rows were refused" in worker.run_dag(dag)["send"].error
    keep(people(bad={20: "p5@example.com"}, count=20))
    second = worker.clear(dag)["send"]
    assert (second.state, second.value["accepted"], second.value["duplicate"]) == ("success", 19, 1), second.error
    assert reached(sandbox, service, message) == {f"p{number}@example.com": 1 for number in range(1, 20)}


def test_rows_that_were_accepted_stay_what_they_are(worker: Any, sandbox: Sandbox, write: Write) -> None:
    path = write("people.csv", csv(people(bad={3: "p3"}, count=5)))
    with worker.dag() as dag:
        message("esputnik", path)
    worker.run_dag(dag)
    write("people.csv", csv(people(bad={1: "new@example.com"}, count=5)))
    assert "are not those that the last try sent to" in worker.clear(dag)["send"].error
    write("people.csv", csv(people(count=6)))
    assert "more than the 5 rows" in worker.clear(dag)["send"].error
    assert len(reached(sandbox, "esputnik", message)) == 4


@EACH_PAIR
def test_a_mistake_that_refuses_every_row_is_corrected_and_the_task_begins_anew(
    service: str, operator: Any, worker: Any, sandbox: Sandbox, write: Write, report: dict[str, Any], people_line: Any
) -> None:
    path = write("people.csv", "email\nann\nbob\n")
    with worker.dag() as dag:
        operator(service, path, **report)
    said = worker.run_dag(dag)["send"].error
    assert "2 of 2 rows were refused" in said
    assert "clear this task, which then starts over" in said
    write("people.csv", csv(people(count=5)))
    second = worker.clear(dag)["send"]
    assert (second.state, second.value["accepted"]) == ("success", 5), second.error
    assert set(reached(sandbox, service, operator).values()) == {1}
    if operator is message:
        people_line("author's mistake", "every row bad", people_line.sent(of=5), "2 of 2 rows were refused", said)


def test_what_the_service_refused_for_every_row_is_no_finished_send(worker: Any, sandbox: Sandbox) -> None:
    sandbox.fault("status", "POST", "*/smartsend", status=400)
    with worker.dag() as dag:
        message("esputnik", people(count=1))
    first = worker.run_dag(dag)["send"]
    assert "1 of 1 rows were refused" in first.error, first.error
    assert worker.clear(dag)["send"].state == "success"
    assert reached(sandbox, "esputnik", message) == {"p1@example.com": 1}


def test_one_event_that_was_refused_is_corrected(worker: Any, sandbox: Sandbox) -> None:
    sandbox.fault("status", "POST", "*/v2/event", status=400)
    with worker.dag() as dag:
        SendEventOperator(
            task_id="send",
            esp_conn_id="esputnik_default",
            event="purchase",
            contact_email="ann@example.com",
            data={"total": "{{ var.value.get('total', 'wrong') }}"},
        )
    assert worker.run_dag(dag)["send"].state == "failed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_VAR_TOTAL", "7")
        assert worker.clear(dag)["send"].state == "success"
    assert [row["params"]["total"] for row in sandbox.rows("esputnik", "events")] == ["7"]


def test_resend_says_how_many_people_get_it_a_second_time(
    worker: Any, sandbox: Sandbox, log: Callable[[], str]
) -> None:
    with worker.dag() as dag:
        message("esputnik", people(count=3), resend="{{ var.value.get('again', 'no') }}")
    worker.run_dag(dag)
    assert "3 people would be written to a second time" in worker.clear(dag)["send"].error
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_VAR_AGAIN", "yes")
        assert worker.clear(dag)["send"].state == "success"
    assert "resend=True: 3 people to whom this was sent" in log()
    assert set(reached(sandbox, "esputnik", message).values()) == {2}
