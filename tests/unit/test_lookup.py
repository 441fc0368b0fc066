"""Looking up what a send does not know: how long, how often, and what a failure of the question means."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.ledger import Ledger, MemoryStore
from airflow_provider_esp.core.models import Recipient, SendResult
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send.blocks import SendRow
from airflow_provider_esp.core.send.run import SendRun
from airflow_provider_esp.core.send.sent_lookup import LookUp
from airflow_provider_esp.core.validation.mapper import Mapper

SINCE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Activity:
    """What a service shows; each answer is the next of some sets of people, or an error."""

    def __init__(self, *shown: set[str] | exceptions.EspError) -> None:
        self.shown = list(shown)
        self.asked: list[list[str]] = []
        self.since: list[datetime.datetime] = []

    def __call__(self, items: Sequence[Recipient], since: datetime.datetime) -> Flow[list[SendResult | None]]:
        yield from ()
        self.asked.append([item.locator for item in items])
        self.since.append(since)
        now = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        if isinstance(now, exceptions.EspError):
            raise now
        return [
            SendResult(accepted=True, request_id=f"id-{item.locator}") if item.locator in now else None
            for item in items
        ]


def perform(work: Flow[Any]) -> Any:
    try:
        next(work)
    except StopIteration as end:
        return end.value
    raise AssertionError("this service needs no calls")


def doubtful(*people: str) -> list[SendRow[Recipient]]:
    return [
        SendRow(number, (who,), Recipient(who), who, Outcome.UNKNOWN, "lost") for number, who in enumerate(people, 1)
    ]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def settle(
    activity: Activity, rows: list[SendRow[Recipient]], threads: ThreadPoolExecutor, wait: float = 60
) -> tuple[str, list[float]]:
    """Look up without losing time, and give the reason and the pauses."""
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)

    return LookUp(activity, perform, wait, pause).settle(rows, SINCE, threads), paused


def test_who_is_shown_is_accepted_with_the_messages_id(threads: ThreadPoolExecutor) -> None:
    rows = doubtful("ann", "bob")
    assert settle(Activity({"ann", "bob"}), rows, threads) == ("", [])
    assert [(row.outcome, row.reason, row.request_id) for row in rows] == [
        (Outcome.ACCEPTED, "", "id-ann"),
        (Outcome.ACCEPTED, "", "id-bob"),
    ]


def test_only_who_is_missing_is_asked_about_again_and_ever_more_rarely(threads: ThreadPoolExecutor) -> None:
    activity = Activity({"ann"}, set(), set(), {"bob"})
    rows = doubtful("ann", "bob")
    reason, paused = settle(activity, rows, threads)
    assert (reason, paused) == ("", [5, 10, 20])
    assert activity.asked == [["ann", "bob"], ["bob"], ["bob"], ["bob"]]
    assert set(activity.since) == {SINCE}


def test_who_is_not_shown_in_time_stays_unknown(threads: ThreadPoolExecutor) -> None:
    rows = doubtful("ann", "bob")
    reason, _ = settle(Activity({"ann"}), rows, threads, wait=0)
    assert reason == "the service does not show them after 0 s"
    assert [row.outcome for row in rows] == [Outcome.ACCEPTED, Outcome.UNKNOWN]


def test_a_passing_failure_of_the_question_is_no_answer(threads: ThreadPoolExecutor) -> None:
    rows = doubtful("ann")
    assert (
        settle(Activity(exceptions.ServerFailed("500"), exceptions.TimedOut("slow"), {"ann"}), rows, threads)[0] == ""
    )
    assert rows[0].outcome is Outcome.ACCEPTED


def test_a_question_that_fails_to_the_end_is_told(threads: ThreadPoolExecutor) -> None:
    reason, _ = settle(Activity(exceptions.ServerFailed("it is down")), doubtful("ann"), threads, wait=0)
    assert reason.startswith("the service does not show them after 0 s, and when it was last asked: it is down")


def test_a_refused_question_is_not_put_again(threads: ThreadPoolExecutor) -> None:
    activity = Activity(exceptions.MethodDisabled("Contact support to enable ContactActivity", advice="Ask support."))
    reason, paused = settle(activity, doubtful("ann"), threads)
    assert reason == "they cannot be looked up: Contact support to enable ContactActivity. Ask support"
    assert (len(activity.asked), paused) == (1, [])


def test_a_thousand_people_are_asked_about_in_parts(threads: ThreadPoolExecutor) -> None:
    people = [f"p{number}" for number in range(1000)]
    activity = Activity(set(people))
    assert settle(activity, doubtful(*people), threads)[0] == ""
    assert sorted(who for part in activity.asked for who in part) == sorted(people)
    assert max(map(len, activity.asked)) < 100


class Losing:
    """Takes everything and never answers."""

    batch_size = 10

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, items: Sequence[Recipient]) -> Flow[list[SendResult]]:
        yield from ()
        self.sent += [item.locator for item in items]
        raise exceptions.ConnectionLost("the connection broke", outcome_unknown=True)


def run_with(look_up: LookUp[Recipient], target: Losing, store: MemoryStore) -> SendRun[Recipient]:
    return SendRun(target, perform, Ledger(store), Report(None), on_unknown="lookup", look_up=look_up)


def audience() -> tuple[Table, Mapper[Recipient]]:
    table = Table(("who",), iter([(f"p{number}",) for number in range(25)]), "people")
    return table, Mapper(lambda row: Recipient(row[0]), lambda recipient: recipient.locator)


def test_a_look_up_that_is_interrupted_leaves_the_ledger_true() -> None:
    store, target = MemoryStore(), Losing()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    first = run_with(LookUp(Activity({"p3"}), perform, 60, interrupted), target, store)
    with pytest.raises(KeyboardInterrupt):
        first.run(*audience())
    assert (first.counts[Outcome.ACCEPTED], first.counts[Outcome.UNKNOWN]) == (1, 9)
    everybody = {f"p{number}" for number in range(25)}
    activity = Activity(everybody)
    second = run_with(LookUp(activity, perform, 60, time.sleep), target, store)
    second.run(*audience())
    assert second.counts.as_dict()["accepted"] == second.counts.rows == 25
    assert sorted(target.sent) == sorted(everybody)
    assert "p3" not in activity.asked[0]
    assert activity.since == sorted(activity.since)
