"""Broadcasts created, awaited and cancelled by tasks, at both services."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.operators.broadcasts import CancelBroadcastOperator, CreateBroadcastOperator
from airflow_provider_esp.options import EsputnikBroadcast, SendPulseCampaign
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sensors.broadcasts import BroadcastSensor

Run = Callable[..., Any]

BROADCAST, CAMPAIGNS, ACTIVITY = "*/v1/broadcast", "*/campaigns", "*/v2/contacts/activity"
SOON: dict[str, Any] = {"poll_interval": 0.2, "timeout": 60, "settle_time": 1.0}
NO_RETRY_HELPS: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0)}


@pytest.fixture(autouse=True)
def _accounts(worker: Any, connections: Mapping[str, str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account each, in the connections' time zone, with readers; SendPulse's takes many campaigns an hour."""
    sandbox.set(esputnik__time_zone="UTC", sendpulse__time_zone="UTC")
    sandbox.limit("sendpulse.campaigns", None)
    sandbox.do("esputnik", "make_contacts", count=5, segment="Readers")
    sandbox.do("esputnik", "make_contacts", count=2, segment="Staff")
    told = {**json.loads(connections["sendpulse_default"]), "extra": {"rate_limits": {"sendpulse.campaigns": 1000}}}
    monkeypatch.setenv("AIRFLOW_CONN_SENDPULSE_DEFAULT", json.dumps(told))
    with_book()


def with_book() -> None:
    from airflow_provider_esp.services.sendpulse.api import addressbooks

    hook = EspHook.for_connection("sendpulse_default")
    book = hook.run(addressbooks.book_create("Readers")).id
    hook.run(addressbooks.upload(book, [addressbooks.NewContact("ann@example.com", {})]))
    hook.close()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let tasks believe that it is so many seconds later."""

    def go(seconds: float) -> None:
        monkeypatch.setattr(EspHook, "clock", staticmethod(lambda: time.time() + seconds))

    return go


def create(**arguments: Any) -> CreateBroadcastOperator:
    told = {"title": "Sale", "message_id": 1003, "segments": "Readers", **arguments}
    return CreateBroadcastOperator(task_id="create", esp_conn_id="esputnik_default", **told)


def campaign(**arguments: Any) -> CreateBroadcastOperator:
    told = {
        "title": "News",
        "subject": "News",
        "body": "<b>Hi</b>",
        "segments": ["Readers"],
        "options": SendPulseCampaign(sender_email="sender@sandbox.example"),
        **arguments,
    }
    return CreateBroadcastOperator(task_id="create", esp_conn_id="sendpulse_default", **told)


def draft(**arguments: Any) -> CreateBroadcastOperator:
    return campaign(options=SendPulseCampaign(draft=True, sender_email="sender@sandbox.example"), **arguments)


def made(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [dict(row) for row in sandbox.rows("esputnik", "broadcasts")]


# -- creating ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, [], "", "Staff"])
def test_an_xcom_that_names_nobody_to_leave_out_stops_the_task(worker: Any, sandbox: Sandbox, value: Any) -> None:
    from airflow.providers.common.compat.sdk import BaseOperator

    class Names(BaseOperator):
        def execute(self, context: Any) -> Any:
            return value

    with worker.dag() as dag:
        create(segments_exclude=Names(task_id="names").output)
    ran = worker.run_dag(dag)["create"]
    assert len(made(sandbox)) == (value == "Staff")
    assert ran.state == ("success" if value == "Staff" else "failed")
    assert value or "segments_exclude" in ran.error or "no segment ''" in ran.error


def test_a_broadcast_is_created_and_its_id_handed_on(run: Run, sandbox: Sandbox) -> None:
    ran = run(create(segments=["Readers"], segments_exclude=["Staff"]))
    assert ran.state == "success"
    (row,) = made(sandbox)
    assert ran.value["broadcast_id"] == str(row["id"])
    assert ran.value["resolution"] == "created"
    assert row["title"] == ran.value["title"]
    assert row["title"].endswith("] Sale")
    assert {message["to"] for message in sandbox.messages()} == {f"reader{n}@example.com" for n in (2, 3, 4)}


def test_a_campaign_is_created_for_its_date(run: Run, sandbox: Sandbox) -> None:
    ran = run(campaign(start="{{ (logical_date + macros.timedelta(days=9000)).isoformat() }}"))
    assert ran.state == "success", ran.error
    (row,) = sandbox.rows("sendpulse", "campaigns")
    assert (row["name"], str(row["id"])) == (ran.value["title"], ran.value["broadcast_id"])
    (sent,) = sandbox.requests(CAMPAIGNS, "POST")
    assert json.loads(sent["body"])["send_date"].startswith("2050-08-23 ")


def test_an_answer_that_is_lost_is_looked_up(run: Run, sandbox: Sandbox) -> None:
    sandbox.fault("reset", "POST", BROADCAST, processed=True)
    ran = run(create())
    assert (ran.state, ran.value["resolution"]) == ("success", "found")
    assert ran.value["broadcast_id"] == str(made(sandbox)[0]["id"])
    assert len(made(sandbox)) == 1


@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
def test_a_broadcast_that_is_not_listed_yet_stops_the_task_for_good_and_a_clear_finds_it(
    worker: Any, sandbox: Sandbox, service: str, later: Callable[[float], None]
) -> None:
    sandbox.set(esputnik__broadcasts_delay_seconds=50, sendpulse__list_delay=50)
    sandbox.fault("reset", "POST", BROADCAST if service == "esputnik" else CAMPAIGNS, processed=True)
    with worker.dag() as dag:
        create(**NO_RETRY_HELPS) if service == "esputnik" else campaign(**NO_RETRY_HELPS)
    ran = worker.run_dag(dag)["create"]
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "It is unknown whether broadcast" in ran.error
    again = worker.clear(dag)["create"]
    assert (again.state, again.error.count("it is not listed")) == ("failed", 1)
    sandbox.advance(61)
    later(61)
    found = worker.clear(dag)["create"]
    assert (found.state, found.value["resolution"]) == ("success", "found")
    assert len(sandbox.rows(service, "broadcasts" if service == "esputnik" else "campaigns")) == 1


def test_a_broadcast_that_was_not_created_is_created_by_a_clear_a_minute_later(
    worker: Any, sandbox: Sandbox, later: Callable[[float], None]
) -> None:
    sandbox.fault("reset", "POST", BROADCAST)
    with worker.dag() as dag:
        create()
    assert "it is not listed" in worker.run_dag(dag)["create"].error
    later(61)
    ran = worker.clear(dag)["create"]
    assert (ran.state, ran.value["resolution"]) == ("success", "created")
    assert len(made(sandbox)) == 1


def test_where_the_list_cannot_be_read_the_task_stops_whatever_the_time(
    worker: Any, sandbox: Sandbox, later: Callable[[float], None]
) -> None:
    sandbox.fault("reset", "POST", BROADCAST, processed=True)
    sandbox.fault("html", "GET", "*/v1/broadcasts", times=None, status=200)
    with worker.dag() as dag:
        create()
    assert "looking for it failed" in worker.run_dag(dag)["create"].error
    later(4000)
    assert "looking for it failed" in worker.clear(dag)["create"].error
    assert len(made(sandbox)) == 1


def test_a_refusal_fails_the_task_and_leaves_no_doubt(worker: Any, sandbox: Sandbox) -> None:
    with worker.dag() as dag:
        create(message_id="{{ var.value.get('broadcast_message', '9') }}", **NO_RETRY_HELPS)
    ran = worker.run_dag(dag)["create"]
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "Message with id='9' not found" in ran.error


def test_a_cleared_broadcast_is_not_created_again_unless_the_author_says_so(
    worker: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker.dag() as dag:
        create(resend="{{ var.value.get('again', 'no') }}")
    first = worker.run_dag(dag)["create"]
    again = worker.clear(dag)["create"]
    assert (again.state, len(made(sandbox))) == ("failed", 1)
    assert f"This run's broadcast is {first.value['broadcast_id']}" in again.error
    monkeypatch.setenv("AIRFLOW_VAR_AGAIN", "yes")
    assert worker.clear(dag)["create"].state == "success"
    assert len(made(sandbox)) == 2


def test_a_ledger_in_a_file_does_the_same(worker: Any, sandbox: Sandbox, tmp_path: Any) -> None:
    sandbox.set(esputnik__broadcasts_delay_seconds=50)
    sandbox.fault("reset", "POST", BROADCAST, processed=True)
    with worker.dag() as dag:
        create(ledger_path=f"{tmp_path}/{{{{ run_id }}}}.json")
    assert worker.run_dag(dag)["create"].state == "failed"
    assert worker.clear(dag)["create"].state == "failed"
    assert len(made(sandbox)) == 1
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_size < 600


@pytest.mark.parametrize("build", [create, campaign])
def test_a_dry_run_shows_the_request_and_creates_nothing(
    run: Run, sandbox: Sandbox, build: Any, kept_state: Callable[[], list[str]]
) -> None:
    posts = len(sandbox.requests(method="POST"))
    before = kept_state()
    ran = run(build(dry_run=True, wait_for_completion=True))
    assert ran.state == "success"
    assert (ran.value["dry_run"], ran.value["broadcast_id"]) == (True, None)
    assert ran.value["requests_held_back"] == 1
    after = [row["label"] for row in sandbox.requests(method="POST")[posts:]]
    assert [label for label in after if "token" not in label] == []
    assert kept_state() == before


def test_what_belongs_to_different_services_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="cannot be combined") as raised:
        create(subject="Hi", options=EsputnikBroadcast(batch_size=5))
    assert str(raised.value) == (
        "These arguments cannot be combined: options=EsputnikBroadcast (eSputnik) and subject (SendPulse)."
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": "done"},
        {"until": 1.5},
        {"until": 0},
        {"until": True},
        {"settle_time": 0},
        {"on_action_required": "go on"},
        {"sent_retention": timedelta(0)},
        {"wait_for_completion": True, "options": EsputnikBroadcast(batch_size=5, batch_interval="HOUR")},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_when_the_dag_is_parsed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|settle"):
        create(**wrong)


# -- waiting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "deferred"])
def test_the_task_waits_until_the_broadcast_has_settled(run: Run, sandbox: Sandbox, deferrable: bool) -> None:
    ran = run(create(wait_for_completion=True, deferrable=deferrable, **SOON))
    assert ran.state == "success", ran.error
    assert (ran.value["state"], ran.value["delivered"], ran.value["undelivered"]) == ("done", 5, 0)
    assert len(made(sandbox)) == 1


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "deferred"])
def test_the_task_waits_for_a_share_of_the_contacts_it_counted(run: Run, sandbox: Sandbox, deferrable: bool) -> None:
    sandbox.set(outcomes={"reader4@example.com": "stuck", "reader3@example.com": "bounced"})
    ran = run(create(segments_exclude="Staff", until=0.66, wait_for_completion=True, deferrable=deferrable, **SOON))
    assert ran.state == "success", ran.error
    assert (ran.value["delivered"], ran.value["undelivered"]) == (1, 1)
    assert ran.value["reason"] == "2 of 3 expected recipients have a result"


def test_a_campaign_is_waited_for_by_its_status(run: Run, sandbox: Sandbox) -> None:
    ran = run(campaign(wait_for_completion=True, deferrable=True, **SOON))
    assert ran.state == "success", ran.error
    assert (ran.value["state"], ran.value["status"]) == ("done", "3 (sent)")


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "deferred"])
def test_a_campaign_that_failed_fails_the_task_for_good_and_a_clear_creates_no_other(
    worker: Any, sandbox: Sandbox, deferrable: bool
) -> None:
    sandbox.set(sendpulse__campaign_status={"*": 5})
    with worker.dag() as dag:
        campaign(wait_for_completion=True, deferrable=deferrable, **NO_RETRY_HELPS, **SOON)
    ran = worker.run_dag(dag)["create"]
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "failed: its status is 5 (blocked by the service)" in ran.error
    assert "Say resend=True" in worker.clear(dag)["create"].error
    assert len(sandbox.rows("sendpulse", "campaigns")) == 1


def test_a_draft_needs_a_person_and_the_task_says_so(worker: Any, sandbox: Sandbox) -> None:
    with worker.dag() as dag:
        draft(wait_for_completion=True, on_action_required="fail", **SOON)
    ran = worker.run_dag(dag)["create"]
    assert ran.state == "failed"
    assert "requires manual action in the service: its status is 26 (draft)" in ran.error
    sandbox.set(sendpulse__campaign_status={"*": 3})  # somebody has launched it
    assert worker.clear(dag)["create"].value["resolution"] == "known"


def test_a_wait_that_took_too_long_fails_and_a_retry_only_waits_again(worker: Any, sandbox: Sandbox) -> None:
    sandbox.set(sendpulse__campaign_status={"*": 2})
    with worker.dag() as dag:
        campaign(wait_for_completion=True, poll_interval=0.2, timeout=0.5)
    assert "had not come to its end after 0.5 s" in worker.run_dag(dag)["create"].error
    sandbox.set(sendpulse__campaign_status={"*": 3})
    assert worker.clear(dag)["create"].state == "success"
    assert len(sandbox.rows("sendpulse", "campaigns")) == 1


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "deferred"])
def test_a_broadcast_that_somebody_cancelled_has_ended_and_another_one_can_be_asked_for(
    worker: Any, sandbox: Sandbox, deferrable: bool, later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker.dag() as dag:
        create(
            start="2099-01-01T09:00",
            resend="{{ var.value.get('again', 'no') }}",
            wait_for_completion=True,
            deferrable=deferrable,
            **{**SOON, "timeout": 1.0},
        )
    assert "had not come to its end after 1 s" in worker.run_dag(dag)["create"].error
    sandbox.state.store.run("UPDATE esputnik_broadcasts SET state = 'CANCELLED'")
    later(61)
    assert "it was cancelled or deleted" in worker.clear(dag)["create"].error
    assert "Say resend=True" in worker.clear(dag)["create"].error
    monkeypatch.setenv("AIRFLOW_VAR_AGAIN", "yes")
    assert "had not come to its end" in worker.clear(dag)["create"].error
    assert sorted(row["status"] for row in made(sandbox)) == ["CANCELLED", "SCHEDULED"]


def test_activity_that_is_switched_off_is_said_at_once_with_the_vendors_words(run: Run, sandbox: Sandbox) -> None:
    sandbox.set(esputnik__activity=False)
    ran = run(create(wait_for_completion=True, deferrable=True, **NO_RETRY_HELPS, **SOON))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "Contact support to enable ContactActivity." in ran.error
    assert len(sandbox.requests(ACTIVITY)) == 1


def test_what_the_service_cannot_tell_is_refused_before_anything_is_created(run: Run, sandbox: Sandbox) -> None:
    ran = run(campaign(until="settled", wait_for_completion=True))
    assert ran.state == "failed"
    assert "Leave until out" in ran.error
    assert sandbox.rows("sendpulse", "campaigns") == []


def test_a_task_that_is_killed_while_it_waits_cancels_what_it_scheduled_where_asked(sandbox: Sandbox) -> None:
    hook = EspHook.for_connection("esputnik_default")
    start = datetime.now(UTC) + timedelta(hours=2)
    for asked in (True, False):
        operator = create(wait_for_completion=True, cancel_on_kill=asked)
        target = hook.run(hook.adapter.prepare_broadcast(operator._options(hook, start)))
        operator.on_kill()  # before anything is created there is nothing to cancel
        operator._waiting_for = hook.run(target.create("Sale")).id
        operator.on_kill()
    hook.close()
    assert [row["status"] for row in made(sandbox)] == ["SCHEDULED", "CANCELLED"]


# -- the sensor ----------------------------------------------------------------------------------------------------

WAYS: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


def sense(broadcast_id: Any, conn: str = "esputnik", **arguments: Any) -> BroadcastSensor:
    told = {"esp_conn_id": f"{conn}_default", "poke_interval": 0.2, "timeout": 60, **arguments}
    return BroadcastSensor(task_id="sense", broadcast_id=broadcast_id, **told)


def sensed(worker: Any, build: Any, **arguments: Any) -> Any:
    with worker.dag() as dag:
        creating = build()
        sensing = sense(creating.output, creating.esp_conn_id.partition("_")[0], **arguments)
        creating >> sensing
    return worker.run_dag(dag)["sense"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_sensor_waits_for_a_campaign(worker: Any, sandbox: Sandbox, way: dict[str, Any]) -> None:
    ran = sensed(worker, campaign, **way)
    assert ran.state == "success", ran.error
    assert ran.value["status"] == "3 (sent)"


@pytest.mark.parametrize("way", ["poke", "deferrable"])
def test_the_sensor_waits_until_a_broadcast_has_settled(worker: Any, sandbox: Sandbox, way: str) -> None:
    ran = sensed(worker, create, settle_time=1.0, **WAYS[way])
    assert ran.state == "success", ran.error
    assert (ran.value["state"], ran.value["delivered"]) == ("done", 5)


def test_a_sensor_that_forgets_where_it_was_is_refused(worker: Any) -> None:
    ran = sensed(worker, create, mode="reschedule")
    assert ran.state == "failed"
    assert "say deferrable=True, or mode='poke'" in ran.error


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_sensor_says_at_once_that_activity_is_switched_off(
    worker: Any, sandbox: Sandbox, way: dict[str, Any]
) -> None:
    if way.get("mode") == "reschedule":
        way = {"mode": "poke", "soft_fail": True}
    sandbox.set(esputnik__activity=False)
    ran = sensed(worker, create, **way)
    assert ran.state == ("skipped" if way.get("soft_fail") else "failed")
    assert len(sandbox.requests(ACTIVITY)) == 1
    if ran.state == "failed":
        assert "Contact support to enable ContactActivity." in ran.error


def test_the_sensor_counts_the_segments_that_the_service_names(worker: Any, sandbox: Sandbox) -> None:
    ran = sensed(worker, create, until=1, deferrable=True)
    assert ran.state == "success", ran.error
    assert ran.value["reason"] == "5 of 5 expected recipients have a result"


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_campaign_that_failed_fails_the_sensor(worker: Any, sandbox: Sandbox, way: dict[str, Any]) -> None:
    sandbox.set(sendpulse__campaign_status={"*": 12})
    ran = sensed(worker, campaign, **NO_RETRY_HELPS, **way)
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "its status is 12 (no active addresses)" in ran.error


# -- cancelling ----------------------------------------------------------------------------------------------------


def cancel(broadcast_id: Any, conn: str = "esputnik", **arguments: Any) -> CancelBroadcastOperator:
    return CancelBroadcastOperator(
        task_id="cancel", esp_conn_id=f"{conn}_default", broadcast_id=broadcast_id, **arguments
    )


def cancelled(worker: Any, build: Any, start: str | None = "2099-01-01T09:00", **arguments: Any) -> Any:
    with worker.dag() as dag:
        creating = build(start=start)
        cancelling = cancel(creating.output, creating.esp_conn_id.partition("_")[0], **arguments)
        creating >> cancelling
    return dag, worker.run_dag(dag)["cancel"]


def test_a_scheduled_broadcast_is_cancelled(worker: Any, sandbox: Sandbox) -> None:
    assert cancelled(worker, create)[1].state == "success"
    assert made(sandbox)[0]["status"] == "CANCELLED"


def test_a_campaign_that_is_cancelled_already_is_fine(worker: Any, sandbox: Sandbox, run: Run) -> None:
    _, ran = cancelled(worker, campaign)
    assert ran.state == "success"
    assert run(cancel(ran.value["broadcast_id"], "sendpulse")).state == "success"


@pytest.mark.parametrize("build", [create, campaign])
def test_a_broadcast_that_has_begun_cannot_be_cancelled(worker: Any, sandbox: Sandbox, build: Any) -> None:
    sandbox.set(sendpulse__campaign_status={"*": 3})
    assert cancelled(worker, build, None)[1].state == "failed"
    assert cancelled(worker, build, None, on_late="skip")[1].state == "skipped"


def test_a_dry_run_cancels_nothing(worker: Any, sandbox: Sandbox) -> None:
    assert cancelled(worker, create, dry_run=True)[1].value["dry_run"] is True
    assert made(sandbox)[0]["status"] == "SCHEDULED"


def test_a_cancellation_whose_answer_is_lost_is_not_an_error(worker: Any, sandbox: Sandbox) -> None:
    sandbox.fault("reset", "DELETE", "*/v1/broadcast/*", processed=True)
    assert cancelled(worker, create)[1].state == "success"
    assert made(sandbox)[0]["status"] == "CANCELLED"
