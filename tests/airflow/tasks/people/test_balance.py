"""An account that cannot pay: with `check_balance=True` cost is shown, and nothing begins that it does not cover."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_esp.options import SendPulseCampaign
from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.people.timing import PEOPLE, Play, broadcast, message, sent

CODE = 2001  # "Your code: $!data.get('code')"
BONUS = 10  # the sandbox's free text messages

pytestmark = pytest.mark.usefixtures("readers")


def phones(count: int, code: str = "17") -> list[dict[str, str]]:
    return [{"phone": f"+3809511{number:05}", "code": code} for number in range(count)]


def texts(source: Any, **arguments: Any) -> Any:
    return message(source=source, recipient_column="phone", message_id=CODE, check_balance=True, **arguments)


def test_text_messages_on_an_empty_balance_are_refused_before_the_first(
    play: Play, sandbox: Sandbox, people_line: Any
) -> None:
    sandbox.set(esputnik__balance=0.0)
    ran = play(texts(phones(BONUS + 90), retries=2, retry_delay=timedelta(0)), "manual")
    assert (ran.state, sent(sandbox), len(ran.errors)) == ("failed", 0, 1)
    assert ran.error.startswith(
        "The account cannot pay for this send: the account is empty (100 messages, 100 SMS parts; 10 of them free; "
    )
    people_line("account cannot pay", "SMS, no money", people_line.sent(of=100), "the account is empty", ran.error)


def test_what_text_messages_have_cost_lately_is_their_price(play: Play, sandbox: Sandbox) -> None:
    assert (
        play(message(source=phones(4), recipient_column="phone", message_id=CODE), "manual").state == "success"
    )  # 0.50 each
    sandbox.set(esputnik__balance=44.0)
    ran = play(texts(phones(100)), "manual")
    assert (ran.state, sent(sandbox)) == ("failed", 1)
    assert "1.00 UAH are missing" in ran.error
    assert "45.00 UAH at 0.5 each (the average of the last 30 days); the account has 44.00 UAH" in ran.error
    sandbox.set(esputnik__balance=45.0)
    ran = play(texts(phones(100)), "manual")
    assert ran.state == "success", ran.error
    told = ran.value["estimate"]
    assert (told["messages"], told["parts"], told["cost"], told["available"]) == (100, 100, 45.0, 45.0)


def test_parts_are_counted_for_each_recipient_who_gets_one(play: Play, sandbox: Sandbox) -> None:
    source = [*phones(2), *phones(2), *phones(3, "я" * 60)[2:], {"phone": "nobody", "code": "1"}]
    ran = play(texts(source, suppress=[source[1]["phone"]], max_rejects=1, dry_run=True), "manual")
    told = ran.value["estimate"]
    assert (ran.state, sent(sandbox), told["messages"], told["parts"]) == ("success", 0, 2, 1 + 2), ran.error


def test_a_dry_run_shows_what_is_missing_and_goes_on(play: Play, sandbox: Sandbox) -> None:
    sandbox.set(esputnik__balance=0.0)
    ran = play(texts(phones(100), dry_run=True), "manual")
    assert (ran.state, sent(sandbox)) == ("success", 0), ran.error
    assert ran.value["would_refuse"][0].startswith("The account cannot pay for this send")
    assert ran.value["estimate"]["words"].endswith("the account has 0.00 UAH")


def test_a_send_that_has_begun_is_not_asked_again(play: Play, sandbox: Sandbox) -> None:
    sandbox.set(esputnik__balance=10_000.0)
    sandbox.fault("status", "POST", "*/smartsend", status=403, skip=1)
    task = texts(phones(1200))
    assert play(task, "manual").state == "failed"
    sandbox.set(esputnik__balance=0.0)
    ran = play.again(task)
    assert (ran.state, ran.value["accepted"]) == ("success", 1200), ran.error


def test_without_the_argument_nothing_is_asked(play: Play, sandbox: Sandbox) -> None:
    sandbox.set(esputnik__balance=0.0)
    assert play(message(source=phones(20), recipient_column="phone", message_id=CODE), "manual").state == "success"
    assert not sandbox.requests("*/balance*")


@pytest.mark.parametrize("kind", [message, broadcast])
def test_esputnik_tells_no_price_of_an_e_mail(play: Play, sandbox: Sandbox, kind: Any) -> None:
    ran = play(kind(check_balance=True), "manual")
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert ran.error.startswith("eSputnik cannot tell what message 100")


def test_an_esputnik_broadcast_of_a_text_message_is_counted_by_its_segments(play: Play, sandbox: Sandbox) -> None:
    sandbox.set(esputnik__balance=0.0)
    sandbox.do("esputnik", "make_contacts", count=30, segment="Crowd")
    task = broadcast(message_id=CODE, segments=["Crowd"], check_balance=True)
    ran = play(task, "manual")
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert "the account is empty (30 messages, 30 SMS parts; 10 of them free" in ran.error
    sandbox.set(esputnik__balance=1.0)
    assert play.again(task).state == "success"


# -- SendPulse ------------------------------------------------------------------------------------------------------


def test_e_mails_beyond_the_plan_for_smtp_are_refused(play: Play, sandbox: Sandbox, people_line: Any) -> None:
    sandbox.set(sendpulse__smtp_left=2)
    ran = play(message("sendpulse", check_balance=True), "manual")
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert "the plan has 2 e-mails left, which is 1 too few" in ran.error
    people_line("account cannot pay", "2 mails left", people_line.sent(of=3), "which is 1 too few", ran.error)
    sandbox.set(sendpulse__smtp_left=3)
    assert play(message("sendpulse", check_balance="{{ 'yes' }}"), "manual").state == "success"


def test_a_plan_that_names_no_limit_covers_everybody(play: Play, sandbox: Sandbox) -> None:
    ran = play(message("sendpulse", check_balance=True), "manual")
    assert (ran.state, ran.value["estimate"]["messages"], sent(sandbox)) == ("success", len(PEOPLE), 3), ran.error


def test_a_campaign_that_the_balance_does_not_cover_is_refused(play: Play, sandbox: Sandbox) -> None:
    sandbox.set(sendpulse__campaigns_free=0, sendpulse__balance=0.0)  # two e-mails cost 0.0088
    task = broadcast("sendpulse", check_balance=True)
    ran = play(task, "manual")
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert ran.error.startswith("The account cannot pay for this send: 0.01 USD are missing (2 messages, 2 e-mails;")
    sandbox.set(sendpulse__balance=1.0)
    assert play.again(task).state == "success"


def test_a_campaign_within_the_plan_costs_nothing(play: Play, sandbox: Sandbox) -> None:
    sandbox.set(sendpulse__balance=0.0)
    ran = play(broadcast("sendpulse", check_balance=True, dry_run=True), "manual")
    assert (ran.state, ran.value["estimate"]["cost"]) == ("success", 0.0), ran.error
    assert "would_refuse" not in ran.value


def test_a_campaign_to_a_segment_has_no_price(play: Play, sandbox: Sandbox) -> None:
    ran = play(
        broadcast(
            "sendpulse",
            options=SendPulseCampaign(sender_email="sender@sandbox.example", segment_id=5),
            segments=(),
            check_balance=True,
        ),
        "manual",
    )
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert "tell what a campaign to a segment costs (check_balance)" in ran.error
