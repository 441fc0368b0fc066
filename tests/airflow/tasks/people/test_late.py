"""A campaign that comes too late: scheduled runs send for a day, backfills not by accident, whatever the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.people.timing import (
    ANN,
    ASSET_RUN,
    BOB,
    EVERY_SENDER,
    IS_AIRFLOW_2,
    PEOPLE,
    SOME_SENDERS,
    Clock,
    Play,
    events,
    make,
    message,
    sent,
)

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
THURSDAY = MONDAY + timedelta(days=3)

pytestmark = pytest.mark.usefixtures("readers")


@pytest.fixture(autouse=True)
def _thursday(set_clock: Clock) -> None:
    set_clock.set(THURSDAY)


@EVERY_SENDER
def test_mondays_campaign_does_not_go_out_on_thursday(
    play: Play, sandbox: Sandbox, people_line: Any, kind: str, service: str
) -> None:
    ran = play(make(kind, service, retries=2, retry_delay=timedelta(0)), "scheduled", MONDAY)
    assert (ran.state, sent(sandbox), len(ran.errors)) == ("failed", 0, 1)
    assert ran.error.startswith(
        "This run is too late to send: it was due at 2026-03-02T09:00+00:00, 3 days before the time of sending, and "
        "max_lateness allows 1 day, the default for scheduled runs."
    )
    people_line("campaign too late", "3 days late", people_line.sent(of=3), "too late to send", ran.error)


@SOME_SENDERS
def test_a_run_within_a_day_sends(play: Play, sandbox: Sandbox, kind: str, service: str) -> None:
    ran = play(make(kind, service), "scheduled", THURSDAY - timedelta(hours=24))
    assert (ran.state, bool(sent(sandbox))) == ("success", True), ran.error


@EVERY_SENDER
def test_a_backfill_sends_only_where_the_author_says_so(
    play: Play, sandbox: Sandbox, people_line: Any, kind: str, service: str
) -> None:
    ran = play(make(kind, service), "backfill", THURSDAY)
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert ran.error.startswith("This is a backfill of a run that was due at 2026-03-05T09:00+00:00, and backfills do")
    people_line("campaign too late", "a backfill", people_line.sent(of=3), "backfills do not send", ran.error)
    ran = play(make(kind, service, allow_backfill=True), "backfill", MONDAY)
    assert (ran.state, bool(sent(sandbox))) == ("success", True), ran.error


@pytest.mark.parametrize("run_type", ["manual", ASSET_RUN, *([] if IS_AIRFLOW_2 else ["operator_triggered"])])
def test_a_run_that_somebody_or_something_triggered_has_no_limit_but_an_explicit_one(
    play: Play, sandbox: Sandbox, run_type: str
) -> None:
    assert play(message(), run_type, MONDAY).state == "success"
    assert sent(sandbox) == 1
    ran = play(message(max_lateness=timedelta(days=2)), run_type, MONDAY)
    assert (ran.state, sent(sandbox)) == ("failed", 1)
    assert "max_lateness allows 2 days. " in ran.error
    assert play(message(max_lateness="4d"), run_type, MONDAY).state == "success"


def test_a_manual_run_is_due_when_it_was_asked_for_and_not_when_its_interval_ended(
    play: Play, set_clock: Clock, worker: Any
) -> None:
    # The logical date of `dag.test()` is in January; a weekly DAG that is triggered then has an older interval.
    set_clock.set(datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert play(message(max_lateness="1d"), "manual", datetime(2025, 12, 29, tzinfo=UTC)).state == "success"


@pytest.mark.skipif(IS_AIRFLOW_2, reason="every run of Airflow 2 has a logical date")
def test_a_run_without_an_interval_is_due_when_it_may_run(
    play: Play, sandbox: Sandbox, set_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.dagrun import DagRun

    monkeypatch.setattr(
        "airflow_provider_esp.operators._send_policy._logical_date", lambda dag_run: None
    )  # dag.test() makes none without, a manual run of the UI may have none
    asked_for = datetime.now(UTC)  # Airflow's own clock made run_after
    set_clock.set(asked_for + timedelta(hours=2))
    assert DagRun.run_after is not None
    assert play(message(max_lateness="1h"), "manual", None).state == "failed"
    assert play(message(max_lateness="3h"), "manual", None).state == "success"
    assert play(message(), "scheduled", None).state == "success"  # a partition's run: Airflow 3.2 and later
    set_clock.set(asked_for + timedelta(hours=25))
    assert play(message(), "scheduled", None).state == "failed"


@SOME_SENDERS
def test_a_late_run_may_be_skipped_instead(
    play: Play, sandbox: Sandbox, people_line: Any, kind: str, service: str
) -> None:
    for run_type in ("scheduled", "backfill"):
        ran = play(make(kind, service, on_late="skip"), run_type, MONDAY)
        assert (ran.state, sent(sandbox)) == ("skipped", 0)


def test_the_only_run_of_a_dag_is_never_too_late(play: Play, worker: Any, sandbox: Sandbox) -> None:
    from airflow.providers.common.compat.sdk import DAG

    dag = DAG("only_once", start_date=datetime(2025, 12, 1, tzinfo=UTC), schedule="@once")
    task = message()
    dag.add_task(task)
    assert play(task, "scheduled", MONDAY, dag=dag).state == "success"


@pytest.mark.parametrize(("conf", "state"), [({}, "failed"), ({"late": "4d"}, "success"), ({"late": "off"}, "success")])
def test_the_limit_may_come_from_a_runs_conf(play: Play, conf: dict[str, Any], state: str) -> None:
    task = message(max_lateness="{{ dag_run.conf.get('late') }}")  # None, if the conf does not say
    assert play(task, "scheduled", MONDAY, conf=conf).state == state


@pytest.mark.parametrize(("said", "state"), [("True", "success"), ("no", "failed"), ("", "failed")])
def test_whether_backfills_send_may_come_from_a_runs_conf(play: Play, said: str, state: str) -> None:
    task = message(allow_backfill="{{ dag_run.conf['said'] }}")
    assert play(task, "backfill", MONDAY, conf={"said": said}).state == state


@pytest.mark.parametrize("said", ["soon", ""])
def test_a_limit_that_cannot_be_read_stops_the_task(play: Play, sandbox: Sandbox, said: str) -> None:
    ran = play(message(max_lateness="{{ dag_run.conf['late'] }}"), "scheduled", THURSDAY, conf={"late": said})
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert ran.error.startswith("max_lateness must be a timedelta, a number of seconds, or text")


def test_arguments_that_mean_nothing_are_refused_when_the_dag_is_parsed() -> None:
    for arguments, name in (
        ({"max_lateness": "soon"}, "max_lateness"),
        ({"max_lateness": timedelta(hours=-1)}, "max_lateness"),
        ({"on_late": "ignore"}, "on_late"),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be"):
            message(**arguments)


# -- cleared later --------------------------------------------------------------------------------------------------


def test_a_task_that_is_cleared_a_week_later_sends_nothing(
    play: Play, sandbox: Sandbox, set_clock: Clock, people_line: Any
) -> None:
    sandbox.fault("status", "POST", "*/smartsend", status=403)
    task = message()
    set_clock.set(MONDAY)
    assert play(task, "scheduled", MONDAY).state == "failed"
    sandbox.clear_faults()
    set_clock.set(MONDAY + timedelta(days=7))
    ran = play.again(task)
    assert (ran.state, sandbox.messages()) == ("failed", [])
    assert "7 days before the time of sending" in ran.error
    people_line("campaign too late", "cleared late", people_line.sent(of=3), "too late to send", ran.error)


@pytest.mark.parametrize("kind", ["messages", "events"])
def test_what_earlier_tries_have_sent_is_said_and_never_skipped_over(
    play: Play, sandbox: Sandbox, set_clock: Clock, kind: str
) -> None:
    crowd = [{"email": f"p{number}@example.com"} for number in range(150)]
    sandbox.fault("status", "POST", "*/smtp/emails" if kind == "messages" else "*/events/*", status=403, skip=120)
    task = make(kind, "sendpulse", source=crowd, concurrency=1, on_late="skip")
    set_clock.set(MONDAY)
    assert play(task, "scheduled", MONDAY).state == "failed"
    before = sent(sandbox)
    set_clock.set(THURSDAY)
    ran = play.again(task)
    assert (ran.state, sent(sandbox)) == ("failed", before)
    assert ran.error.endswith("Earlier tries have dealt with 100 rows; what is left was not sent.")


@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
def test_a_retry_that_only_waits_is_never_too_late(
    play: Play, sandbox: Sandbox, set_clock: Clock, service: str, tmp_path: Path
) -> None:
    task = message(service, wait_for_delivery=True, timeout=30, report_path=str(tmp_path))
    set_clock.set(MONDAY)
    sandbox.fault(
        "status", "*", {"esputnik": "*/message/status", "sendpulse": "*/smtp/emails/info"}[service], status=403
    )
    assert play(task, "scheduled", MONDAY).state == "failed"
    assert len(sandbox.messages()) == 3
    sandbox.clear_faults()
    set_clock.set(THURSDAY)
    ran = play.again(task)
    assert (ran.state, ran.value["delivered"], len(sandbox.messages())) == ("success", 3, 3), ran.error


@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
def test_a_broadcast_that_was_created_in_time_is_awaited_however_late_it_is(
    play: Play, sandbox: Sandbox, set_clock: Clock, service: str
) -> None:
    task = make("broadcast", service)
    set_clock.set(MONDAY)
    reading, sending = (
        ("*/v1/broadcast", "*/v1/broadcasts") if service == "esputnik" else ("*/campaigns", "*/campaigns")
    )
    sandbox.fault("reset", "POST", reading, processed=True, times=1)
    sandbox.fault("status", "GET", sending, status=403, times=1)
    assert play(task, "scheduled", MONDAY).state == "failed"  # whether it was created is not known
    set_clock.set(THURSDAY)
    ran = play.again(task)
    assert (ran.state, ran.value["resolution"]) == ("success", "found"), ran.error
    assert sent(sandbox) == 1


def test_resend_repeats_nothing_that_is_too_late(play: Play, sandbox: Sandbox, set_clock: Clock) -> None:
    task = message(resend=True)
    set_clock.set(MONDAY)
    assert play(task, "scheduled", MONDAY).state == "success"
    set_clock.set(THURSDAY)
    ran = play.again(task)
    assert (ran.state, sent(sandbox)) == ("failed", 1)
    assert ran.error.startswith("This run is too late to send")


def test_a_mapped_task_is_judged_like_any_other(play: Play, worker: Any, sandbox: Sandbox) -> None:
    from airflow_provider_esp.operators.messages import SmartSendOperator

    with worker.dag() as dag:
        SmartSendOperator.partial(task_id="send", esp_conn_id="esputnik_default", message_id=1001).expand(
            source=[[{"email": ANN}], [{"email": BOB}]]
        )
    with play.typed("scheduled", MONDAY):
        ran = worker.run_dag(dag)
    assert ({one.state for one in ran.all}, len(ran.all), sent(sandbox)) == ({"failed"}, 2, 0)


# -- what is not touched --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
def test_an_upload_is_never_too_late(play: Play, sandbox: Sandbox, service: str, run_type: str) -> None:
    task = UploadContactsOperator(
        task_id="upload", esp_conn_id=f"{service}_default", source=PEOPLE, segments=["Readers"], poll_interval=0.05
    )
    assert play(task, run_type, MONDAY).state == "success"


@SOME_SENDERS
def test_a_dry_run_says_what_would_happen_and_goes_on(
    play: Play, sandbox: Sandbox, kind: str, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    ran = play(make(kind, service, dry_run=True), "scheduled", MONDAY)
    assert (ran.state, sent(sandbox)) == ("success", 0), ran.error
    (reason,) = ran.value["would_refuse"]
    assert reason.startswith("This run is too late to send")
    assert "would_refuse" not in play(events(dry_run=True), "scheduled", THURSDAY).value
