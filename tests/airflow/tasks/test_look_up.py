"""A send whose answer was lost asks the service whom it has written to, and never sends again by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_esp.core.send import sent_lookup as lookup
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.operators.events import SendEventOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

Run = Callable[..., Any]

SMARTSEND = "*/smartsend"
ACTIVITY = "*/contacts/activity"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "FIRST_PAUSE", 0.2)


def crowd(count: int) -> list[dict[str, str]]:
    return [{"email": f"p{number}@example.com"} for number in range(count)]


def send(source: Any, **arguments: Any) -> SmartSendOperator:
    usual: dict[str, Any] = {
        "esp_conn_id": "esputnik_default",
        "message_id": 1001,
        "external_request_id": "spring-{{ run_id }}",
        "on_unknown": "lookup",
        "lookup_timeout": 20,
    }
    return SmartSendOperator(task_id="send", source=source, **{**usual, **arguments})


def received(sandbox: Sandbox) -> Counter[str]:
    return Counter(message["to"] for message in sandbox.messages(limit=10_000))


def lose_the_answer(sandbox: Sandbox, **arguments: Any) -> None:
    sandbox.fault("reset", "POST", SMARTSEND, processed=True, **arguments)


def test_who_is_shown_by_the_activity_was_sent_to(run: Run, sandbox: Sandbox) -> None:
    lose_the_answer(sandbox)
    ran = run(send(crowd(2), wait_for_delivery=True, poll_interval=0.1))
    assert (ran.state, ran.value["accepted"], ran.value["unknown"]) == ("success", 2, 0)
    assert len(ran.value["request_ids"]) == 2
    assert ran.value["delivered"] == 2
    assert set(received(sandbox).values()) == {1}


def test_activity_that_appears_late_is_waited_for(run: Run, sandbox: Sandbox) -> None:
    sandbox.set(esputnik__activity_delay_seconds=2.0)
    lose_the_answer(sandbox)
    ran = run(send(crowd(3)))
    assert (ran.state, ran.value["accepted"]) == ("success", 3)
    assert len(sandbox.requests(ACTIVITY)) > 3
    assert set(received(sandbox).values()) == {1}


def test_the_rest_goes_out_once_the_first_are_found(run: Run, sandbox: Sandbox) -> None:
    lose_the_answer(sandbox)
    ran = run(send(crowd(1100)))
    assert (ran.state, ran.value["accepted"], ran.value["rows"]) == ("success", 1100, 1100)
    assert (len(received(sandbox)), set(received(sandbox).values())) == (1100, {1})


def test_who_is_never_shown_stays_unknown_and_is_not_sent_to_again(run: Run, sandbox: Sandbox) -> None:
    sandbox.set(esputnik__activity_hidden=["p1@example.com"])
    lose_the_answer(sandbox)
    ran = run(send(crowd(3), lookup_timeout=1, retries=2, retry_delay=timedelta(0)))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "Of 1 recipients in rows 1 to 3" in ran.error
    assert "the service does not show them after 1 s" in ran.error
    assert len(sandbox.requests(SMARTSEND)) == 1


def test_a_request_that_never_arrived_is_not_sent_again_by_itself(run: Run, sandbox: Sandbox) -> None:
    sandbox.fault("reset", "POST", SMARTSEND)
    ran = run(send(crowd(3), lookup_timeout=0))
    assert "Of 3 recipients" in ran.error
    assert received(sandbox) == {}


def test_a_later_try_looks_up_what_the_one_before_left_open(worker: Any, sandbox: Sandbox) -> None:
    sandbox.set(esputnik__activity=False)
    lose_the_answer(sandbox, skip=1)
    with worker.dag() as dag:
        send(crowd(1500))
    first = worker.run_dag(dag)["send"]
    assert first.state == "failed"
    assert "Of 500 recipients in rows 1,001 to 1,500" in first.error
    assert "Contact support to enable ContactActivity" in first.error
    sandbox.set(esputnik__activity=True)
    again = worker.clear(dag)["send"]
    assert (again.state, again.value["accepted"], again.value["rows"]) == ("success", 1500, 1500)
    assert set(received(sandbox).values()) == {1}
    assert len(sandbox.requests(SMARTSEND)) == 2


def test_a_phone_is_looked_up_as_one(run: Run, sandbox: Sandbox) -> None:
    lose_the_answer(sandbox)
    ran = run(send([{"phone": "+44 7700 900001", "code": 17}], message_id=2001, recipient_column="phone"))
    assert (ran.state, ran.value["accepted"]) == ("success", 1)


def test_another_runs_label_proves_nothing(run: Run, sandbox: Sandbox) -> None:
    assert run(send(crowd(1), external_request_id="autumn")).state == "success"
    sandbox.fault("reset", "POST", SMARTSEND)
    assert "it is unknown" in run(send(crowd(1), lookup_timeout=0)).error


def test_without_a_label_nothing_can_be_looked_up_and_the_dag_says_so() -> None:
    with pytest.raises(ValueError, match="by external_request_id only"):
        send(crowd(1), external_request_id=None)


def test_a_label_that_renders_to_nothing_stops_before_anything_is_sent(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(crowd(1), external_request_id="{{ '' }}"))
    assert "by external_request_id only" in ran.error
    assert len(sandbox.requests(SMARTSEND)) == 0


def test_events_cannot_be_looked_up() -> None:
    with pytest.raises(Unsupported, match="activity shows messages") as raised:
        SendEventOperator(
            task_id="send", esp_conn_id="x", event="e", contact_email="ann@example.com", on_unknown="lookup"
        )
    assert str(raised.value).startswith("eSputnik and SendPulse cannot tell which events they have taken")


def test_sendpulse_has_no_labels(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(crowd(1), esp_conn_id="sendpulse_default"))
    assert ran.state == "failed"
    assert "label a message (external_request_id)" in ran.error
    assert sandbox.messages() == []
