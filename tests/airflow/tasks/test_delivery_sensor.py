"""`DeliverySensor`, run by Airflow against the sandbox: e-mail and SMS, in each of its three ways of waiting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.models import MessageOptions, Recipient
from airflow_provider_esp.hooks.sendpulse import SendPulseHook
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sensors.deliveries import DeliverySensor
from airflow_provider_esp.services.sendpulse.api import sms

WAYS = pytest.mark.parametrize(
    "way", [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}], ids=["poke", "reschedule", "deferrable"]
)
GOOD, BOUNCES, STUCK = "{}@example.com", "{}+bounce@example.com", "{}+stuck@example.com"


def people(**kinds: int) -> list[dict[str, str]]:
    templates = {"good": GOOD, "bounces": BOUNCES, "stuck": STUCK}
    return [{"email": templates[kind].format(f"{kind}{n}")} for kind, number in kinds.items() for n in range(number)]


def sense(**arguments: Any) -> DeliverySensor:
    told = {"esp_conn_id": "esputnik_default", "poke_interval": 0.1, "timeout": 60, **arguments}
    return DeliverySensor(task_id="sense", **told)


@pytest.fixture
def wait_for(run: Callable[..., Any]) -> Callable[..., Any]:
    """Send a message to people, have a sensor wait for its delivery, and tell how it ended."""

    def go(source: list[dict[str, str]], conn_id: str = "esputnik_default", **arguments: Any) -> Any:
        from airflow_provider_esp.hooks.esp import EspHook

        to = [Recipient(person["email"]) for person in source]
        hook = EspHook.for_connection(conn_id)
        try:
            sendpulse = conn_id == "sendpulse_default"
            more = {"subject": "Hello", "sender_email": "sender@sandbox.example"} if sendpulse else {}
            target = hook.adapter.send_messages(MessageOptions("700001" if sendpulse else "1001", **more))
            size = target.batch_size
            sent = [one for n in range(0, len(to), size) for one in hook.run(target.send(to[n : n + size]))]
        finally:
            hook.close()
        return run(sense(esp_conn_id=conn_id, request_ids=[one.request_id for one in sent], **arguments))

    return go


def sends(worker: Any, count: int, **arguments: Any) -> Any:
    """Send to so many people by `SmartSendOperator`, and have a sensor wait for what it returned."""
    told: dict[str, Any] = {"esp_conn_id": "esputnik_default", "message_id": 1001, "source": people(good=count)}
    deferrable = arguments.pop("deferrable", False)
    with worker.dag() as dag:
        message = SmartSendOperator(task_id="send", **told, **arguments)
        message >> sense(request_ids=message.output, deferrable=deferrable)
    return worker.run_dag(dag)["sense"]


@WAYS
def test_the_sensor_waits_until_every_message_has_ended_and_counts_them(
    wait_for: Callable[..., Any], way: dict[str, Any]
) -> None:
    ran = wait_for(people(good=3, bounces=1), **way)
    assert ran.state == "success"
    assert {name: ran.value[name] for name in ("total", "pending", "delivered", "failed")} == {
        "total": 4,
        "pending": 0,
        "delivered": 3,
        "failed": 1,
    }
    assert ran.value["words"]["bounced"] == 1
    assert ran.value["statuses"]["UNDELIVERED"] == 1


@WAYS
def test_a_share_is_enough_although_some_never_end(wait_for: Callable[..., Any], way: dict[str, Any]) -> None:
    ran = wait_for(people(good=9, stuck=1), until=0.9, **way)
    assert (ran.state, ran.value["delivered"], ran.value["pending"]) == ("success", 9, 1)


@WAYS
def test_too_many_bounces_fail_the_sensor_for_good(
    wait_for: Callable[..., Any], whole_database: Callable[[], str], way: dict[str, Any]
) -> None:
    ran = wait_for(
        people(good=8, bounces=2), until=0.5, fail_when={"bounced": 0.05}, retries=2, retry_delay=timedelta(0), **way
    )
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "2 of 10 messages (20.0%) are bounced, and fail_when allows 5.0%" in ran.error
    assert "bounces0+bounce@example.com" not in whole_database()


@WAYS
def test_a_soft_fail_skips_instead(wait_for: Callable[..., Any], way: dict[str, Any]) -> None:
    assert wait_for(people(bounces=2), until=0.5, soft_fail=True, **way).state == "skipped"


@WAYS
def test_messages_that_never_end_fail_the_sensor_when_its_time_is_up(
    wait_for: Callable[..., Any], way: dict[str, Any]
) -> None:
    ran = wait_for(people(stuck=1), **{**way, "timeout": 0.5})
    assert (ran.state, type(ran.errors[0]).__name__) == ("failed", "AirflowSensorTimeout")


@pytest.mark.parametrize("deferrable", [False, True])
def test_all_ids_are_read_from_the_sends_report_where_it_kept_one(
    worker: Any, sandbox: Sandbox, tmp_path: Path, deferrable: bool
) -> None:
    ran = sends(worker, 1100, report_path=str(tmp_path / "report"), deferrable=deferrable)
    assert (ran.state, ran.value["total"], ran.value["delivered"]) == ("success", 1100, 1100)
    asked = [row["query"] for row in sandbox.requests("*/message/status")]
    assert len(asked[0].split("%2C")) == len(asked[1].split("%2C")) == 100


def test_without_a_report_those_that_the_send_returned_are_waited_for(worker: Any) -> None:
    assert sends(worker, 3).value["delivered"] == 3


def test_the_report_may_be_named_instead_and_an_empty_one_is_the_end(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run(sense(report_path=str(tmp_path / "none"), until=0.95)).value["total"] == 0


@WAYS
def test_sendpulses_mail_is_judged_by_the_answer_of_the_mail_server(
    wait_for: Callable[..., Any], way: dict[str, Any]
) -> None:
    ran = wait_for(people(good=2, bounces=1), "sendpulse_default", **way)
    assert (ran.state, ran.value["delivered"], ran.value["failed"]) == ("success", 2, 1)
    assert ran.value["words"]["bounced"] == 1


@WAYS
def test_text_messages_are_awaited_phone_by_phone(run: Callable[..., Any], way: dict[str, Any]) -> None:
    hook = SendPulseHook("sendpulse_default")
    made = hook.run(sms.send("SHOP", ["380501110001", "380501110002", "380501110000"], "Hello"))
    hook.close()
    ran = run(sense(esp_conn_id="sendpulse_default", sms_campaign_ids=made.campaign_id, **way))
    assert (ran.state, ran.value["total"], ran.value["delivered"], ran.value["failed"]) == ("success", 3, 2, 1)


def test_esputnik_says_that_it_has_no_sms_campaigns_to_look_up(run: Callable[..., Any]) -> None:
    ran = run(sense(sms_campaign_ids="7"))
    assert ran.state == "failed"
    assert "eSputnik cannot look SMS campaigns up" in ran.error


@pytest.mark.parametrize("given", [{}, {"request_ids": ["a"], "report_path": "/x"}])
def test_what_to_wait_for_is_said_in_one_way(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one of request_ids, report_path and sms_campaign_ids"):
        sense(**given)


def test_a_share_that_makes_no_sense_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="until is a share"):
        sense(request_ids=["a"], until=95)
