"""A broadcast whose start has passed, or is an hour that the clock does not show once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.people.timing import Clock, Play, broadcast, sent

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
SERVICES = pytest.mark.parametrize("service", ["esputnik", "sendpulse"])

pytestmark = pytest.mark.usefixtures("readers")


@pytest.fixture(autouse=True)
def _ten_o_clock(set_clock: Clock) -> None:
    set_clock.set(NOW)


def start_told(sandbox: Sandbox, service: str) -> Any:
    """Return the start that the service was told; None for at once."""
    path, name = {"esputnik": ("*/v1/broadcast", "startDate"), "sendpulse": ("*/campaigns", "send_date")}[service]
    return json.loads(sandbox.requests(path, "POST")[-1]["body"]).get(name)


@SERVICES
@pytest.mark.parametrize("start", ["2020-01-01T09:00", NOW - timedelta(minutes=16)], ids=str)
def test_a_start_in_the_past_creates_nothing(
    play: Play, sandbox: Sandbox, people_line: Any, service: str, start: Any
) -> None:
    ran = play(broadcast(service, start=start, retries=2, retry_delay=timedelta(0)), "manual")
    assert (ran.state, sent(sandbox), len(ran.errors)) == ("failed", 0, 1)
    assert ran.error.startswith(
        f"start {'2020-01-01T09:00' if isinstance(start, str) else '2026-03-03T09:44'}+00:00 was "
    )
    assert "start_grace allows 15 min. Nothing was created." in ran.error
    people_line("start in the past", "2020-01-01T09:00", people_line.sent(of=3), "Nothing was created", ran.error)


@SERVICES
@pytest.mark.parametrize(
    "arguments",
    [
        {"start": NOW - timedelta(minutes=15)},
        {"start": "{{ '2026-03-03T09:50' }}"},
        {"start": "2026-03-03T09:00", "start_grace": timedelta(hours=1)},
        {"start": "2026-03-03T09:00", "start_grace": "{{ '1h' }}"},
        {"start": "2020-01-01T09:00", "start_in_past": "send_now"},
        {"start": "2020-01-01T09:00", "start_in_past": "{{ 'send_now' }}"},
    ],
    ids=str,
)
def test_a_start_that_has_just_passed_or_is_meant_so_is_now(
    play: Play, sandbox: Sandbox, service: str, arguments: dict[str, Any]
) -> None:
    ran = play(broadcast(service, **arguments), "manual")
    assert (ran.state, sent(sandbox), start_told(sandbox, service)) == ("success", 1, None), ran.error


@SERVICES
def test_a_retry_goes_on_with_a_broadcast_that_was_created_before_its_start(
    play: Play, sandbox: Sandbox, set_clock: Clock, service: str
) -> None:
    sandbox.fault("reset", "POST", {"esputnik": "*/v1/broadcast", "sendpulse": "*/campaigns"}[service], processed=True)
    sandbox.fault("status", "GET", {"esputnik": "*/v1/broadcasts", "sendpulse": "*/campaigns"}[service], status=403)
    start = datetime.now(UTC) + timedelta(days=1)
    set_clock.set(start - timedelta(hours=1))
    task = broadcast(service, start=start)
    assert play(task, "manual").state == "failed"
    set_clock.set(start + timedelta(hours=1))
    ran = play.again(task)
    assert (ran.state, ran.value["resolution"], sent(sandbox)) == ("success", "found", 1), ran.error


@SERVICES
def test_a_wait_for_the_hours_counts_for_a_start_that_has_passed(
    play: Play, sandbox: Sandbox, set_clock: Clock, service: str
) -> None:
    task = broadcast(service, start="2026-03-03T09:50", send_window=("12:00", "21:00"))
    ran = play(task, "manual")
    assert (ran.state, sent(sandbox), set_clock.slept) == ("failed", 0, 0.0)
    assert "was 2 h 10 min before the time of sending" in ran.error


@SERVICES
@pytest.mark.parametrize(
    ("start", "told", "warning"),
    [
        ("2027-03-28T03:30", "2027-03-28T04:30", "does not exist in Europe/Kyiv"),
        ("2027-10-31T03:30", "2027-10-31T03:30", "comes twice in Europe/Kyiv"),
        ("2027-07-01T09:30", "2027-07-01T09:30", ""),
    ],
)
def test_an_hour_that_does_not_come_once_is_named(
    play: Play,
    sandbox: Sandbox,
    connections: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    service: str,
    start: str,
    told: str,
    warning: str,
) -> None:
    sandbox.set(esputnik__time_zone="Europe/Kyiv", sendpulse__time_zone="Europe/Kyiv")
    in_kyiv = {**json.loads(connections[f"{service}_default"]), "extra": {"timezone": "Europe/Kyiv"}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{service.upper()}_DEFAULT", json.dumps(in_kyiv))
    assert play(broadcast(service, start=start), "manual").state == "success"
    assert start_told(sandbox, service).replace(" ", "T").startswith(told)
    said = "".join(capfd.readouterr()) + caplog.text
    assert (f"start {start} {warning}" in said) if warning else (f"start {start} " not in said)


@pytest.mark.parametrize(
    "arguments", [{"start_grace": "soon"}, {"start_grace": -1}, {"start_in_past": "skip"}], ids=str
)
def test_arguments_that_mean_nothing_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^start_(grace|in_past) must be"):
        broadcast(**arguments)


@SERVICES
def test_a_dry_run_says_that_it_would_be_refused(play: Play, sandbox: Sandbox, service: str) -> None:
    ran = play(broadcast(service, start="2020-01-01T09:00", dry_run=True), "manual")
    assert (ran.state, sent(sandbox)) == ("success", 0), ran.error
    assert "Nothing was created" in ran.value["would_refuse"][0]
