"""Quotation marks that are never closed, or closed lines later: everybody else is written to, by their own name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sources import FileSource

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

SERVICES = pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
MESSAGE: dict[str, dict[str, Any]] = {
    "esputnik": {"message_id": 1001},
    "sendpulse": {"message_id": 700_001, "subject": "Hello", "sender_email": "sender@sandbox.example"},
}
PEOPLE = [f"p{number}@example.com" for number in range(40)]


def send(service: str, source: Any, **arguments: Any) -> SmartSendOperator:
    told = {"esp_conn_id": f"{service}_default", "poll_interval": 0.05, **MESSAGE[service], **arguments}
    return SmartSendOperator(task_id="send", source=source, recipient_column="email", **told)


def upload(service: str, source: Any, **arguments: Any) -> UploadContactsOperator:
    segments = {"segments": ["Readers"], "create_segments": True} if service == "sendpulse" else {}
    told = {"esp_conn_id": f"{service}_default", "poll_interval": 0.05, **segments, **arguments}
    return UploadContactsOperator(task_id="upload", source=source, **told)


def lines(*broken: tuple[int, str]) -> str:
    """Write a file of people, with other lines in the place of some of them."""
    whole = [f"{who},Ann{number},Kyiv" for number, who in enumerate(PEOPLE)]
    for number, line in broken:
        whole[number] = line
    return "\n".join(["email,name,town", *whole]) + "\n"


def names(sandbox: Sandbox) -> dict[str, Any]:
    """Give the name that each person was written to by."""
    return {message["to"]: message["data"].get("name") for message in sandbox.messages()}


NEVER_CLOSED = lines((10, 'p10@example.com,"Ann10,Kyiv'))
CLOSED_LATER = lines((10, 'p10@example.com,"Ann10,Kyiv'), (14, 'p14@example.com,Ann14",Kyiv'))
IN_BETWEEN = {who: f"Ann{number}" for number, who in enumerate(PEOPLE) if number not in (10, 14)}


@SERVICES
@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize(
    ("content", "what"), [(NEVER_CLOSED, "not closed"), (CLOSED_LATER, "closed late")], ids=["never", "later"]
)
def test_an_open_mark_costs_one_line_and_nobody_gets_anothers_name(
    run: Run, sandbox: Sandbox, write: Write, people_line: Any, service: str, content: str, what: str, allow: bool
) -> None:
    source = FileSource(write("people.csv", content), allow_line_breaks=allow)
    ran = run(send(service, source, data={"name": "name"}))
    written_to = names(sandbox)
    assert {who: name for who, name in written_to.items() if who in IN_BETWEEN} == IN_BETWEEN
    assert "p10@example.com" not in written_to
    assert "1 of 40 rows were refused" in ran.error
    assert not any("@" in str(name) for name in written_to.values())
    if not allow:
        people_line("open quotation mark", f'"Bob {what}', people_line.sent(of=40), "see allow_line_breaks=", ran.error)


@SERVICES
def test_a_share_of_refused_rows_is_a_share_of_lines(
    run: Run, sandbox: Sandbox, write: Write, people_line: Any, service: str
) -> None:
    """One mark in the second line used to make one invalid row of the whole file, and the task succeeded."""
    path = write("people.csv", lines((0, 'p0@example.com,"Ann0,Kyiv'), (39, "p39@example.com")))
    ran = run(send(service, path, data={"name": "name"}, max_rejects="3%"))
    assert ran.state == "failed"
    assert "2 of 40 rows were refused" in ran.error
    assert len(names(sandbox)) == 38
    people_line(
        "open quotation mark", 'max_rejects="3%"', people_line.sent(of=40), "2 of 40 rows were refused", ran.error
    )


@SERVICES
def test_an_upload_takes_everybody_but_the_line_of_the_mark(
    run: Run, sandbox: Sandbox, write: Write, service: str
) -> None:
    path = write("people.csv", CLOSED_LATER)
    ran = run(upload(service, path, columns={"email": "email"}, max_rejects=1))
    assert (ran.state, ran.error) == ("success", "")
    assert [ran.value[name] for name in ("rows", "accepted", "invalid")] == [40, 39, 1]


def test_events_are_sent_for_everybody_but_the_line_of_the_mark(run: Run, sandbox: Sandbox, write: Write) -> None:
    path = write("people.csv", NEVER_CLOSED)
    event = SendEventsOperator(
        task_id="event",
        esp_conn_id="esputnik_default",
        event="bought",
        source=path,
        data={"name": "name"},
        max_rejects=1,
    )
    ran = run(event)
    assert (ran.state, ran.value["rows"], ran.value["accepted"], ran.value["invalid"]) == ("success", 40, 39, 1)


@SERVICES
def test_line_breaks_in_a_column_that_nobody_uses_do_no_harm(
    run: Run, sandbox: Sandbox, write: Write, people_line: Any, service: str
) -> None:
    path = write("people.csv", lines((3, 'p3@example.com,Ann3,"Kyiv\nPodil, 5"')))
    ran = run(send(service, path, data={"name": "name"}))
    assert (ran.state, ran.value["rows"], ran.value["accepted"]) == ("success", 40, 40)
    assert names(sandbox)["p3@example.com"] == "Ann3"
    people_line("open quotation mark", "an unused column", people_line.sent(of=40), "success", ran.state)


@SERVICES
def test_where_values_may_span_lines_they_arrive_whole(
    run: Run, sandbox: Sandbox, write: Write, people_line: Any, service: str
) -> None:
    path = write("people.csv", lines((3, 'p3@example.com,"Ann\nMaria",Kyiv')))
    refused = run(send(service, path, data={"name": "name"}))
    assert "2 of 41 rows were refused" in refused.error  # each of its two lines is one
    sandbox.reset()
    ran = run(send(service, FileSource(path, allow_line_breaks=True), data={"name": "name"}))
    assert (ran.state, ran.value["rows"], ran.value["accepted"]) == ("success", 40, 40)
    assert names(sandbox)["p3@example.com"] == "Ann\nMaria"
    people_line("open quotation mark", "allow_line_break", people_line.sent(of=40), "success", ran.state)
