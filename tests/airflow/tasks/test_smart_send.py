"""`SmartSendOperator`, run by Airflow against the sandbox: who gets what, and what is known of its delivery."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

ANN, BEN, CID = "ann@example.com", "ben@example.com", "cid@example.com"
PEOPLE = [{"email": ANN}, {"email": BEN}, {"email": CID}]
WIN_BACK, CODE = 1001, 2001
WELCOME = 700_001
WAITS = pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])


def send(source: Any = PEOPLE, **arguments: Any) -> SmartSendOperator:
    told = {"esp_conn_id": "esputnik_default", "message_id": WIN_BACK, "poll_interval": 0.05, **arguments}
    return SmartSendOperator(task_id="send", source=source, **told)


def mail(source: Any = PEOPLE, **arguments: Any) -> SmartSendOperator:
    told = {"message_id": WELCOME, "subject": "Hello", "sender_email": "sender@sandbox.example", **arguments}
    return send(source, esp_conn_id="sendpulse_default", **told)


def report(folder: Path) -> dict[int, dict[str, Any]]:
    lines = [line for part in folder.rglob("*.ndjson") for line in part.read_text().splitlines()]
    return {row["row"]: row for row in map(json.loads, lines)}


# -- what people get ----------------------------------------------------------------------------------------------


def test_each_person_gets_the_message_with_data_of_their_own(run: Run, sandbox: Sandbox, write: Write) -> None:
    path = write("best.csv", f"email,name,percent,internal\n{ANN},Ann,20 %,x\n{BEN},Ben,5 %,y\n")
    ran = run(send(path, data={"name": "name", "percent": "discount"}))
    assert (ran.state, ran.value["rows"], ran.value["accepted"]) == ("success", 2, 2)
    told = {message["to"]: (message["subject"], message["html"]) for message in sandbox.messages()}
    assert told == {
        ANN: ("Ann, we have missed you", "<h1>Hello, Ann</h1><p>Here is 20 % off your next order.</p>"),
        BEN: ("Ben, we have missed you", "<h1>Hello, Ben</h1><p>Here is 5 % off your next order.</p>"),
    }
    assert "internal" not in sandbox.requests("*/smartsend")[0]["body"]


def test_data_keeps_its_structure(run: Run, sandbox: Sandbox) -> None:
    run(send([{"email": ANN, "name": "Ann", "items": [{"sku": "a1", "price": 3}], "vip": True}]))
    assert sandbox.messages()[0]["data"] == {"name": "Ann", "items": [{"sku": "a1", "price": 3}], "vip": True}


def test_somebody_who_stands_twice_in_the_audience_gets_one_message(run: Run, sandbox: Sandbox) -> None:
    ran = run(send([{"email": ANN}, {"email": BEN}, {"email": f" {ANN.title()} "}]))
    assert (ran.value["rows"], ran.value["accepted"], ran.value["duplicate"]) == (3, 2, 1)
    assert sorted(message["to"] for message in sandbox.messages()) == [ANN, BEN]


def test_somebody_who_stands_again_in_a_later_batch_gets_one_message(run: Run, sandbox: Sandbox) -> None:
    crowd = [{"email": f"p{number}@example.com"} for number in range(1100)]
    ran = run(send([*crowd, {"email": "P7@example.com"}]))
    assert (ran.value["accepted"], ran.value["duplicate"]) == (1100, 1)
    assert len(sandbox.messages("p7@", limit=5)) == 1


def test_a_request_carries_a_thousand_people_at_most(run: Run, sandbox: Sandbox) -> None:
    run(send([{"email": f"p{number}@example.com"} for number in range(1001)]))
    sizes = [len(json.loads(row["body"])["recipients"]) for row in sandbox.requests("*/smartsend")]
    assert sizes == [1000, 1]


def test_each_recipient_has_a_result_of_its_own(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    source = [{"email": ANN}, {"email": "ben@example." + "x" * 30}, {"email": "nobody"}, {"email": CID}]
    ran = run(send(source, report_path=str(tmp_path / "report"), max_rejects=2))
    assert (ran.value["accepted"], ran.value["rejected"], ran.value["invalid"]) == (2, 1, 1)
    rows = report(tmp_path / "report")
    assert {number: row["outcome"] for number, row in rows.items()} == {
        1: "accepted",
        2: "rejected",
        3: "invalid",
        4: "accepted",
    }
    assert rows[2]["reason"] == "'[address]' is not valid email"
    ids = {message["to"]: message["request_id"] for message in sandbox.messages()}
    assert (rows[1]["request_id"], rows[4]["request_id"]) == (ids[ANN], ids[CID])
    assert ran.value["request_ids"] == [ids[ANN], ids[CID]]


def test_messages_carry_the_label_of_their_run(worker: Any, sandbox: Sandbox) -> None:
    with worker.dag() as dag:
        send(external_request_id="{{ run_id }}")
    ran = worker.run_dag(dag)
    assert {message["label"] for message in sandbox.messages()} == {ran.id}


def test_the_senders_name_may_be_another(run: Run, sandbox: Sandbox) -> None:
    run(send([{"email": ANN}], sender_name="The Shop"))
    assert "The Shop" in sandbox.messages()[0]["from"]


def test_phone_numbers_get_sms(run: Run, sandbox: Sandbox) -> None:
    source = [{"phone": "+44 7700 900001", "code": 17}]
    assert run(send(source, message_id=CODE, recipient_column="phone")).state == "success"
    (message,) = sandbox.messages()
    assert (message["channel"], message["to"], message["text"]) == ("sms", "+447700900001", "Your code: 17")


def test_a_message_that_does_not_exist_is_named(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(message_id=99))
    assert (ran.state, sandbox.messages()) == ("failed", [])
    assert "Message with id='99' not found" in ran.error
    assert "POST v1/message/{id}/smartsend" in ran.error


# -- delivery -----------------------------------------------------------------------------------------------------


@WAITS
def test_the_task_waits_for_delivery_and_counts_it(run: Run, sandbox: Sandbox, deferrable: bool) -> None:
    source = [{"email": ANN}, {"email": "ben+unread@example.com"}, {"email": "cid+bounce@example.com"}]
    ran = run(send(source, wait_for_delivery=True, deferrable=deferrable))
    assert ran.state == "success"
    assert (ran.value["delivered"], ran.value["failed"], ran.value["pending"]) == (2, 1, 0)
    assert sum(ran.value["statuses"].values()) == 3
    assert ran.value["statuses"]["UNDELIVERED"] == 1
    assert (ran.value["rows"], ran.value["accepted"]) == (3, 3)


@WAITS
def test_with_a_report_delivery_is_awaited_by_the_ids_in_it(
    run: Run, sandbox: Sandbox, tmp_path: Path, deferrable: bool
) -> None:
    crowd = [{"email": f"p{number}@example.com"} for number in range(1200)]
    ran = run(send(crowd, wait_for_delivery=True, deferrable=deferrable, report_path=str(tmp_path / "report")))
    assert (ran.value["delivered"], ran.value["failed"], ran.value["pending"]) == (1200, 0, 0)
    assert len(ran.value["request_ids"]) == 1000


@WAITS
def test_what_is_on_its_way_when_the_time_is_up_is_counted_as_pending(
    run: Run, sandbox: Sandbox, deferrable: bool
) -> None:
    source = [{"email": ANN}, {"email": "ben+stuck@example.com"}]
    ran = run(send(source, wait_for_delivery=True, deferrable=deferrable, timeout=0.6))
    assert ran.state == "success"
    assert (ran.value["delivered"], ran.value["failed"], ran.value["pending"]) == (1, 0, 1)


def test_without_a_wait_nothing_is_asked(run: Run, sandbox: Sandbox) -> None:
    ran = run(send())
    assert "delivered" not in ran.value
    assert not sandbox.requests("*/message/status")


# -- SendPulse ----------------------------------------------------------------------------------------------------


def test_sendpulse_mails_each_person_apart_and_nobody_sees_another(run: Run, sandbox: Sandbox) -> None:
    ran = run(mail([{"email": ANN, "first_name": "Ann"}, {"email": BEN, "first_name": "Ben"}]))
    assert (ran.state, ran.value["accepted"]) == ("success", 2), ran.error
    taken = [row for row in sandbox.requests("*/smtp/emails") if row["status"] == 200]
    assert len(taken) == 2
    for row in taken:
        assert (ANN in row["body"]) != (BEN in row["body"])
        told = json.loads(row["body"])["email"]
        told = json.loads(told) if isinstance(told, str) else told
        assert (len(told["to"]), told.get("cc"), told.get("bcc")) == (1, None, None)
    messages = {message["to"]: message["html"] for message in sandbox.messages(service="sendpulse")}
    assert set(messages) == {ANN, BEN}
    assert "Welcome, Ann!" in messages[ANN]
    assert "Welcome, Ben!" in messages[BEN]


@WAITS
def test_sendpulse_tells_of_delivery(run: Run, sandbox: Sandbox, deferrable: bool) -> None:
    source = [{"email": ANN}, {"email": "bounce@example.com"}]
    ran = run(mail(source, wait_for_delivery=True, deferrable=deferrable, timeout=10))
    assert ran.state == "success", ran.error
    assert (ran.value["delivered"], ran.value["failed"], ran.value["pending"]) == (1, 1, 0)


def test_the_sender_may_stand_in_the_connection(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, connections: dict[str, str]
) -> None:
    told = json.loads(connections["sendpulse_default"])
    told["extra"] = {"sender_email": "sender@sandbox.example", "sender_name": "The Shop"}
    monkeypatch.setenv("AIRFLOW_CONN_SENDPULSE_DEFAULT", json.dumps(told))
    assert run(mail([{"email": ANN}], sender_email=None)).state == "success"
    assert sandbox.messages(service="sendpulse")[0]["from"] == "The Shop <sender@sandbox.example>"


@pytest.mark.parametrize(
    ("missing", "told"),
    [({"sender_email": None}, "SendPulse needs a sender"), ({"subject": None}, "no subject of their own")],
)
def test_what_a_template_lacks_is_missed_before_anything_is_sent(
    run: Run, sandbox: Sandbox, missing: dict[str, Any], told: str
) -> None:
    ran = run(mail(**missing))
    assert (ran.state, sandbox.messages()) == ("failed", [])
    assert told in ran.error


def test_a_template_that_does_not_exist_is_named(run: Run, sandbox: Sandbox) -> None:
    ran = run(mail([{"email": ANN}], message_id=1))
    assert (ran.state, sandbox.messages()) == ("failed", [])
    assert "Template not found" in ran.error


# -- what only one of the services has ----------------------------------------------------------------------------


def test_esputnik_says_that_a_prepared_message_has_its_subject(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(subject="Another"))
    assert (ran.state, sandbox.messages()) == ("failed", [])
    assert ran.error.startswith("eSputnik cannot give a prepared message another subject.")


def test_sendpulse_says_that_it_has_no_labels(run: Run, sandbox: Sandbox) -> None:
    ran = run(mail(subject=None, sender_email=None, external_request_id="x"))
    assert (ran.state, sandbox.messages()) == ("failed", [])
    assert ran.error.startswith("SendPulse cannot label a message")


def test_what_no_service_has_together_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="cannot be combined") as raised:
        send(external_request_id="x", subject="y")
    assert str(raised.value) == (
        "These arguments cannot be combined: external_request_id (eSputnik) and subject (SendPulse)."
    )
