"""`EspNotifier` as Airflow calls it: what is sent, and that nothing that goes wrong reaches the task."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import airflow
import pytest

from airflow_provider_esp.notifications.esp import EspNotifier, facts_of
from airflow_provider_esp.sandbox import Sandbox

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
ANN = "ann@example.com"
SENDER = '"Data team" <sender@sandbox.example>'
pytestmark = pytest.mark.usefixtures("connections")


def context(**more: Any) -> dict[str, Any]:
    from airflow.providers.common.compat.sdk import DAG

    dag = DAG("crm", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None)
    ti = SimpleNamespace(
        dag_id="crm", task_id="upload", run_id="run-1", state="failed", try_number=2, log_url="http://airflow/log"
    )
    return {"dag": dag, "ti": ti, "run_id": "run-1", **more}


def called(notifier: EspNotifier, given: Any) -> None:
    notifier(given)


def awaited(notifier: EspNotifier, given: Any) -> None:
    async def wait() -> None:
        notifier.context = given
        await notifier

    asyncio.run(wait())


WAYS = pytest.mark.parametrize("send", [called, awaited])
Send = Callable[[EspNotifier, Any], None]


@WAYS
def test_a_national_number_is_nobodys_unless_the_connection_says_its_country(
    send: Send, sandbox: Sandbox, connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    notifier = EspNotifier("esputnik_default", sms_to=["0951112233"], text="Failed", sender="SHOP")
    send(notifier, context())
    assert sandbox.messages() == []
    assert "has no country code" in caplog.text
    assert "0951112233" not in caplog.text
    told = json.loads(connections["esputnik_default"]) | {"extra": {"default_country": "UA"}}
    monkeypatch.setenv("AIRFLOW_CONN_ESPUTNIK_DEFAULT", json.dumps(told))
    send(notifier, context())
    assert [message["to"] for message in sandbox.messages()] == ["380951112233"]


@WAYS
def test_an_event_says_what_happened_to_which_task(send: Send, sandbox: Sandbox) -> None:
    send(EspNotifier("esputnik_default", event="dag-{{ ti.state }}", contact_email=ANN), context())
    (row,) = sandbox.requests("*/v2/event", "POST")
    assert row["status"] == 200
    body = json.loads(row["body"])
    assert body["eventTypeKey"] == "dag-failed"
    assert ANN in row["body"]
    for told in ("crm", "upload", "run-1", "http://airflow/log"):
        assert told in row["body"]


@WAYS
@pytest.mark.parametrize("conn_id", ["esputnik_default", "sendpulse_default"])
def test_an_e_mail_goes_to_each_person_apart(send: Send, conn_id: str, sandbox: Sandbox) -> None:
    notifier = EspNotifier(
        conn_id, email_to=f"{ANN}, ben@example.com", subject="{{ run_id }}", text="1 < 2\n& $3", sender=SENDER
    )
    send(notifier, context())
    messages = sandbox.messages()
    assert {message["to"] for message in messages} == {ANN, "ben@example.com"}
    assert {message["subject"] for message in messages} == {"run-1"}
    assert "1 &lt; 2<br>\n&amp; $3" in messages[0]["html"]


@pytest.mark.parametrize(("conn_id", "sender"), [("esputnik_default", "Shop"), ("sendpulse_default", "Shop")])
def test_a_text_message_goes_to_a_phone(conn_id: str, sender: str, sandbox: Sandbox) -> None:
    EspNotifier(conn_id, sms_to=["380501112233"], text="{{ ti.task_id }} failed", sender=sender)(context())
    (message,) = sandbox.messages()
    assert message["text"] == "upload failed"
    assert message["to"].endswith("380501112233")


def test_without_words_of_its_own_a_message_says_which_task_and_its_state(sandbox: Sandbox) -> None:
    EspNotifier("esputnik_default", email_to=ANN, sender=SENDER)(context())
    (message,) = sandbox.messages()
    assert message["subject"] == "Airflow: crm failed"
    assert "task_id: upload" in message["html"]


@pytest.mark.skipif(IS_AIRFLOW_2, reason="deadlines exist since Airflow 3.1")
def test_a_missed_deadline_has_no_task_and_no_dag(sandbox: Sandbox) -> None:
    given = {"dag_run": {"dag_id": "crm", "dag_run_id": "run-1", "state": "running"}, "deadline": {"id": "1"}}
    awaited(EspNotifier("esputnik_default", email_to=ANN, sender=SENDER), given)
    assert sandbox.messages()[0]["subject"] == "Airflow: crm missed its deadline"
    assert facts_of(given) == {"dag_id": "crm", "run_id": "run-1", "state": "missed its deadline"}


# -- what goes wrong ----------------------------------------------------------------------------------------------


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@WAYS
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"email_to": ANN}, "eSputnik needs a sender"),
        ({"event": "paid"}, "give contact_email or contact_phone"),
        ({"email_to": ANN, "text": "{{ 1 / 0 }}"}, "division by zero"),
        ({"email_to": ANN, "text": "{{ no_such.thing }}"}, "no_such"),
    ],
)
def test_what_cannot_be_sent_is_a_line_in_the_log_and_no_error(
    send: Send, arguments: dict[str, Any], why: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    send(EspNotifier("esputnik_default", **arguments), context())
    assert sandbox.messages() == []
    line = told(caplog)[-1]
    assert line.startswith("The notification by esputnik_default was not sent, and nothing else changes: ")
    assert why in line


@WAYS
def test_a_refusal_quotes_neither_key_nor_address(
    send: Send, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.set(esputnik__keys={})
    send(EspNotifier("esputnik_default", email_to=ANN, sender=SENDER), context())
    assert "Check the connection's API key" in told(caplog)[0]
    assert ANN not in caplog.text
    assert "sandbox-key" not in caplog.text


def test_a_connection_that_is_not_there_is_named(caplog: pytest.LogCaptureFixture, airflow_db: Any) -> None:
    EspNotifier("nobody", email_to=ANN, sender=SENDER)(context())
    assert "by nobody was not sent" in told(caplog)[0]


@pytest.mark.parametrize("arguments", [{}, {"event": "x", "email_to": ANN}, {"sms_to": "1", "email_to": ANN}])
def test_a_notifier_sends_one_thing(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one of"):
        EspNotifier("esputnik_default", **arguments)


def test_a_misspelt_argument_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(TypeError, match="mail_to"):
        EspNotifier("esputnik_default", mail_to=ANN)


@WAYS
def test_one_notifier_serves_many_tasks(send: Send, sandbox: Sandbox) -> None:
    notifier = EspNotifier("esputnik_default", email_to=ANN, subject="{{ word }}", sender=SENDER)
    for word in ("one", "two"):
        send(notifier, context(word=word))
    assert {message["subject"] for message in sandbox.messages()} == {"one", "two"}


@pytest.mark.skipif(IS_AIRFLOW_2, reason="deadlines exist since Airflow 3.1")
def test_a_deadline_takes_the_notifier_and_gives_it_a_context(sandbox: Sandbox) -> None:
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.triggers.callback import CallbackTrigger

    callback = AsyncCallback(EspNotifier, kwargs={"esp_conn_id": "esputnik_default", "email_to": ANN, "sender": SENDER})
    given = {"dag_run": {"dag_id": "crm", "run_id": "run-1"}, "deadline": {"id": "1"}}
    trigger = CallbackTrigger(callback.path, {**callback.kwargs, "context": given})

    async def states() -> list[str]:
        return [str(event.payload["state"]) async for event in trigger.run()]

    assert asyncio.run(states())[-1].endswith("success")
    assert sandbox.messages()[0]["subject"] == "Airflow: crm missed its deadline"
