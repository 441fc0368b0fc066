"""The wrong hour: outside of `send_window` a task waits, deferred, or fails; the clock is the connection's."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.utils import clock
from tests.airflow.tasks.people.timing import (
    EVERY_SENDER,
    IS_AIRFLOW_2,
    SOME_SENDERS,
    Clock,
    Play,
    broadcast,
    make,
    message,
    sent,
)

DAY = ("09:00", "21:00")
THREE = datetime(2026, 3, 3, 3, tzinfo=UTC)
NINE = datetime(2026, 3, 3, 9, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("readers")


@pytest.fixture(autouse=True)
def _three_at_night(set_clock: Clock) -> None:
    set_clock.set(THREE)


@EVERY_SENDER
def test_at_three_at_night_a_task_waits_deferred_until_nine(
    play: Play, sandbox: Sandbox, set_clock: Clock, kind: str, service: str
) -> None:
    before = []
    clock_sleep = set_clock.sleep

    async def sleep(seconds: float) -> None:
        before.append(sent(sandbox))
        await clock_sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "sleep", sleep)
        ran = play(make(kind, service, send_window=DAY), "scheduled", THREE)
    assert (ran.state, bool(sent(sandbox))) == ("success", True), ran.error
    assert set(before) == {0}
    assert set_clock.now == NINE.timestamp()
    assert set_clock.slept == 6 * 3600


@SOME_SENDERS
def test_within_its_hours_a_task_sends_at_once(
    play: Play, sandbox: Sandbox, set_clock: Clock, kind: str, service: str
) -> None:
    set_clock.set(NINE)
    ran = play(make(kind, service, send_window=DAY), "scheduled", NINE)
    assert (ran.state, bool(sent(sandbox)), set_clock.slept) == ("success", True, 0.0), ran.error


@EVERY_SENDER
def test_it_fails_instead_where_the_author_says_so(
    play: Play, sandbox: Sandbox, set_clock: Clock, people_line: Any, kind: str, service: str
) -> None:
    task = make(kind, service, send_window=DAY, on_outside_window="fail", retries=2, retry_delay=timedelta(0))
    ran = play(task, "scheduled", THREE)
    assert (ran.state, sent(sandbox), set_clock.slept, len(ran.errors)) == ("failed", 0, 0.0, 1)
    assert ran.error == (
        "It is 03:00, outside of send_window 09:00-21:00 (UTC), and on_outside_window is 'fail'. Clear the task after "
        "2026-03-03T09:00+00:00."
    )
    people_line("wrong hour", "03:00", people_line.sent(of=3), "outside of send_window", ran.error)


def test_the_clock_is_that_of_the_connection_on_the_day_on_which_it_is_changed(
    play: Play, set_clock: Clock, connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_kyiv = {**json.loads(connections["esputnik_default"]), "extra": {"timezone": "Europe/Kyiv"}}
    monkeypatch.setenv("AIRFLOW_CONN_ESPUTNIK_DEFAULT", json.dumps(in_kyiv))
    evening = set_clock.set("2026-03-28T22:00+02:00")  # clocks are put forward in this night
    assert play(message(send_window=DAY), "scheduled", evening).state == "success"
    assert set_clock.slept == 10 * 3600
    assert set_clock.now == datetime.fromisoformat("2026-03-29T09:00+03:00").timestamp()


def test_hours_may_be_over_midnight_and_come_from_a_template(play: Play, set_clock: Clock) -> None:
    task = message(send_window=("{{ dag_run.conf['from'] }}", "06:00"))
    assert play(task, "scheduled", THREE, conf={"from": "22:00"}).state == "success"
    assert set_clock.slept == 0.0
    task = message(send_window="{{ dag_run.conf['hours'] }}")
    assert play(task, "scheduled", THREE, conf={"hours": "22:00-02:30"}).state == "success"
    assert set_clock.now == datetime(2026, 3, 3, 22, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("hours", ["", "None"])
def test_a_template_that_says_nothing_is_no_window(play: Play, set_clock: Clock, hours: str) -> None:
    task = message(send_window="{{ dag_run.conf['hours'] }}")
    assert play(task, "scheduled", THREE, conf={"hours": hours}).state == "success"
    assert set_clock.slept == 0.0


def test_hours_that_cannot_be_read_stop_the_task(play: Play, sandbox: Sandbox) -> None:
    ran = play(message(send_window="{{ dag_run.conf['hours'] }}"), "scheduled", THREE, conf={"hours": "day"})
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert ran.error.startswith("send_window must be two different times of day")


@pytest.mark.parametrize("arguments", [{"send_window": ("21:00",)}, {"on_outside_window": "later"}])
def test_arguments_that_mean_nothing_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(send_window|on_outside_window) must be"):
        message(**arguments)


# -- the two limits together ----------------------------------------------------------------------------------------


@SOME_SENDERS
def test_a_run_that_would_be_too_late_when_its_hours_begin_does_not_wait_for_them(
    play: Play, sandbox: Sandbox, set_clock: Clock, kind: str, service: str
) -> None:
    ran = play(make(kind, service, send_window=DAY, max_lateness="5h"), "scheduled", THREE)
    assert (ran.state, sent(sandbox), set_clock.slept) == ("failed", 0, 0.0)
    assert "6 h before the time of sending, and max_lateness allows 5 h." in ran.error


@SOME_SENDERS
def test_a_wait_that_ends_late_is_judged_again(
    play: Play, sandbox: Sandbox, set_clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: str, service: str
) -> None:
    async def sleep_for_two_days(seconds: float) -> None:  # the triggerer was down
        set_clock.now = (NINE + timedelta(days=2)).timestamp()

    monkeypatch.setattr(clock, "sleep", sleep_for_two_days)
    ran = play(make(kind, service, send_window=DAY), "scheduled", THREE)
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert ran.error.startswith("This run is too late to send")


def test_a_wait_that_ends_outside_of_the_hours_waits_again(
    play: Play, sandbox: Sandbox, set_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [datetime(2026, 3, 3, 22, tzinfo=UTC), datetime(2026, 3, 4, 9, tzinfo=UTC)]
    waits = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        set_clock.now = ends[len(waits) - 1].timestamp()

    monkeypatch.setattr(clock, "sleep", sleep)
    assert play(message(send_window=DAY, max_lateness="2d"), "scheduled", THREE).state == "success"
    assert len(waits) == 2


@pytest.mark.skipif(not IS_AIRFLOW_2, reason="Airflow 3 does not count a wait in the triggerer as execution")
def test_airflow_2_would_cut_the_wait_by_execution_timeout_and_that_is_said_at_once(
    play: Play, sandbox: Sandbox, set_clock: Clock
) -> None:
    now = set_clock.set(datetime.now(UTC))  # Airflow's own clock tells when the task began
    window = [(now + timedelta(hours=hours)).strftime("%H:%M") for hours in (6, 18)]
    ran = play(message(send_window=window, execution_timeout=timedelta(minutes=10)), "manual", now)
    assert (ran.state, sent(sandbox)) == ("failed", 0)
    assert "Airflow 2 ends this task by its execution_timeout (10 min) before that" in ran.error


# -- under way when the hours end -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "service"), [("messages", "esputnik"), ("messages", "sendpulse"), ("events", "esputnik")]
)
@pytest.mark.parametrize("with_report", [True, False], ids=["report", "no report"])
def test_a_send_that_the_end_of_the_hours_interrupts_goes_on_in_the_morning_and_writes_to_everybody_once(
    play: Play,
    sandbox: Sandbox,
    set_clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    kind: str,
    service: str,
    with_report: bool,
) -> None:
    size = 1000 if (kind, service) == ("messages", "esputnik") else 100
    crowd = [{"email": f"p{number}@example.com"} for number in range(size * 2 + 10)]
    set_clock.set(datetime(2026, 3, 3, 20, 59, tzinfo=UTC))
    asked = itertools.count()
    closed: list[int] = []

    def now() -> float:
        # The hours end when the first block is sent; every 50th question looks, because looking takes time.
        if not closed and next(asked) % 50 == 0 and sent(sandbox) >= (1 if size == 1000 else 100):
            closed.append(1)
            set_clock.now += 120
        return set_clock.now

    monkeypatch.setattr(clock, "now", now)
    place = {"report_path": str(tmp_path)} if with_report else {}
    ran = play(make(kind, service, source=crowd, send_window=DAY, **place), "scheduled", NINE)
    assert (ran.state, ran.value["accepted"], ran.value["rows"]) == ("success", len(crowd), len(crowd)), ran.error
    assert set_clock.slept > 11 * 3600
    if kind == "messages":
        assert len(sandbox.messages(limit=10_000)) == len({one["to"] for one in sandbox.messages(limit=10_000)})
        assert len(sandbox.messages(limit=10_000)) == len(crowd)
    else:
        assert len(sandbox.rows("esputnik", "events", limit=10_000)) == len(crowd)


def test_a_send_that_may_not_wait_says_so_when_its_hours_end(
    play: Play, sandbox: Sandbox, set_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = [{"email": f"p{number}@example.com"} for number in range(1100)]
    asked = itertools.count()
    set_clock.set(datetime(2026, 3, 3, 20, 59, tzinfo=UTC))

    def now() -> float:
        if next(asked) % 50 == 0 and sandbox.requests("*/smartsend"):
            set_clock.set(datetime(2026, 3, 3, 21, 1, tzinfo=UTC))
        return set_clock.now

    monkeypatch.setattr(clock, "now", now)
    task = message(source=crowd, send_window=DAY, on_outside_window="fail")
    ran = play(task, "scheduled", NINE)
    assert (ran.state, sent(sandbox)) == ("failed", 1)
    assert ran.error.startswith("It is 21:01, outside of send_window")
    assert len(sandbox.messages(limit=10_000)) == 1000
    monkeypatch.setattr(clock, "now", lambda: set_clock.now)
    assert play.again(task).state == "failed"
    set_clock.set(NINE + timedelta(days=1))
    assert play.again(task).state == "success"
    assert len(sandbox.messages(limit=10_000)) == 1100


# -- broadcasts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
def test_a_broadcast_for_later_is_judged_by_its_start(
    play: Play, sandbox: Sandbox, set_clock: Clock, service: str
) -> None:
    set_clock.set(datetime.now(UTC).replace(hour=3))
    inside, outside = datetime(2099, 1, 1, 10, tzinfo=UTC), datetime(2099, 1, 1, 22, tzinfo=UTC)
    assert play(broadcast(service, start=inside, send_window=DAY)).state == "success"
    assert (sent(sandbox), set_clock.slept) == (1, 0.0)
    ran = play(broadcast(service, start=outside, send_window=DAY))
    assert (ran.state, sent(sandbox)) == ("failed", 1)
    assert ran.error == "start is 22:00, outside of send_window 09:00-21:00 (UTC): change one."


@SOME_SENDERS
def test_a_dry_run_says_that_it_would_wait_and_goes_on(
    play: Play, sandbox: Sandbox, set_clock: Clock, kind: str, service: str
) -> None:
    ran = play(make(kind, service, send_window=DAY, dry_run=True), "scheduled", THREE)
    assert (ran.state, sent(sandbox), set_clock.slept) == ("success", 0, 0.0)
    (reason,) = ran.value["would_refuse"]
    assert reason.endswith("the task would wait until 2026-03-03T09:00+00:00, in 6 h.")
