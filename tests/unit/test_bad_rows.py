"""A send that ended with too many refused rows is gone on with: refused rows are tried again, and nobody else is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.ledger import Ledger
from airflow_provider_esp.core.row_ranges import RowRanges
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send import refused_rows
from airflow_provider_esp.core.send.run import SendRun
from airflow_provider_esp.exceptions import AlreadySent, AudienceChanged, LedgerUnreadable, SendOutcomeUnknown
from tests.unit.test_send import Folder, Task, counted, invalid, lost, people, wrong_key


@pytest.fixture(params=[1, 10], ids=["one in a request", "ten in a request"])
def task(request: pytest.FixtureRequest) -> Task:
    return Task(batch_size=request.param)


def fail_at_the_end(task: Task, audience: list[str], **options: Any) -> SendRun[Any]:
    """Run a try that ends with too many refused rows."""
    run = task.run(audience, awaits_delivery=True, **options)
    Ledger(task.store).end(too_many_refused=True)
    return run


def crowd(*, bad: list[int], count: int = 200) -> list[str]:
    """People, and invalid rows at some numbers."""
    return ["bad" if number in bad else f"p{number}" for number in range(1, count + 1)]


# -- corrected, and cleared --


@pytest.mark.parametrize("report", [True, False], ids=["with a report", "without"])
def test_a_corrected_row_is_sent_and_nobody_else(task: Task, report: bool) -> None:
    fail_at_the_end(task, crowd(bad=[7, 150]), report=report)
    run = fail_at_the_end(task, crowd(bad=[150]), report=report)
    assert counted(run) == {"accepted": 199, "invalid": 1}
    run = task.run(crowd(bad=[]), report=report)
    assert counted(run) == {"accepted": 200}
    assert task.service.sent == Counter(crowd(bad=[]))
    if report:
        assert [(row.row, row.outcome) for row in task.folder.rows()] == [(n, "accepted") for n in range(1, 201)]
    with pytest.raises(AlreadySent, match="200 people would be written to a second time"):
        task.run(crowd(bad=[]), report=report)


def test_a_row_that_the_service_refused_may_be_corrected(task: Task) -> None:
    task.service.refuses = frozenset(["p7"])
    assert counted(fail_at_the_end(task, crowd(bad=[]))) == {"accepted": 199, "rejected": 1}
    audience = crowd(bad=[])
    audience[6] = "mended"
    assert counted(task.run(audience)) == {"accepted": 200}
    assert task.service.sent == Counter(audience)
    assert {row.key for row in task.folder.rows()} == set(audience)


def test_a_row_that_is_still_refused_stays_so(task: Task) -> None:
    task.service.refuses = frozenset(["p7"])
    fail_at_the_end(task, crowd(bad=[9]))
    run = fail_at_the_end(task, crowd(bad=[9]))
    assert counted(run) == {"accepted": 198, "rejected": 1, "invalid": 1}
    assert sum("p7" in request for request in task.service.requests) == 2
    assert run.report.reasons["not a person"] == 1
    assert Counter(row.outcome for row in task.folder.rows()) == {"accepted": 198, "rejected": 1, "invalid": 1}


def test_a_corrected_row_that_stands_for_somebody_accepted_is_a_duplicate(task: Task) -> None:
    fail_at_the_end(task, crowd(bad=[2, 50]))
    audience = crowd(bad=[])
    audience[1], audience[49] = "p150", "P1"  # one who comes later, and one who came before
    assert counted(task.run(audience)) == {"accepted": 198, "duplicate": 2}
    assert set(task.service.sent.values()) == {1}


def test_two_refused_rows_that_are_corrected_to_one_person_are_one_message(task: Task) -> None:
    fail_at_the_end(task, crowd(bad=[2, 50]))
    audience = crowd(bad=[])
    audience[1] = audience[49] = "new"
    assert counted(task.run(audience)) == {"accepted": 199, "duplicate": 1}
    assert task.service.sent["new"] == 1


def test_another_row_of_a_person_whose_row_was_refused_is_tried_and_is_no_duplicate(task: Task) -> None:
    def refuse_the_first(request: Any) -> None:
        if "p3" in request and len([one for one in task.service.requests if "p3" in one]) < 3:
            invalid()

    task.service.always = refuse_the_first
    audience = [*crowd(bad=[], count=8), "p3"]
    run = task.run(audience)
    assert run.counts.rows == 9
    assert task.service.sent == Counter(crowd(bad=[], count=8)) or "p3" not in task.service.sent
    for row in task.folder.rows():
        assert row.outcome != "duplicate" or task.service.sent["p3"] == 1


@pytest.mark.parametrize(
    "changed",
    [
        lambda rows: rows[1:],
        lambda rows: [*rows, "more"],
        lambda rows: [rows[1], rows[0], *rows[2:]],
        lambda rows: ["new", *rows[1:]],
    ],
    ids=["one less", "one more", "another order", "another person"],
)
def test_whoever_was_accepted_stays_in_place(task: Task, changed: Any) -> None:
    fail_at_the_end(task, crowd(bad=[7]))
    before = task.service.sent.copy()
    with pytest.raises(AudienceChanged):
        task.run(changed(crowd(bad=[])))
    assert task.service.sent == before


def test_a_try_that_only_has_to_wait_does_not_need_the_rows(task: Task) -> None:
    task.run(crowd(bad=[7]), awaits_delivery=True)
    run = task.run([], awaits_delivery=True)
    assert counted(run) == {"accepted": 199, "invalid": 1}


def test_a_row_corrected_before_its_block_was_done_goes_with_it(task: Task) -> None:
    task.service.before[3 if task.batch_size == 1 else 0] = wrong_key
    audience = ["p1", "bad", "p3", "p4", "p5"]
    task.service.refuses = frozenset(["p1"])
    with pytest.raises(exceptions.Unauthenticated):
        task.run(audience, concurrency=1)
    task.service.refuses = frozenset()
    run = task.run(["p1", "p2", "p3", "p4", "p5"])
    assert "p2" in task.service.sent
    assert set(task.service.sent.values()) == {1}
    assert run.counts.rows == 5


def test_a_row_corrected_to_somebody_of_the_open_block_is_a_duplicate() -> None:
    task = Task(batch_size=1)
    task.service.before[2] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(["bad", "p2", "p3", "p4"], concurrency=1)
    assert counted(task.run(["p3", "p2", "p3", "p4"])) == {"accepted": 3, "duplicate": 1}
    assert set(task.service.sent.values()) == {1}


# -- nobody was reached --


def test_where_everybody_was_refused_everything_may_be_corrected(task: Task) -> None:
    task.service.refuses = frozenset(people(30))
    fail_at_the_end(task, people(30))
    task.service.refuses = frozenset()
    assert counted(task.run(people(12, first=5))) == {"accepted": 12}
    assert [row.outcome for row in task.folder.rows()] == ["accepted"] * 12


def test_where_one_reason_refuses_everybody_the_next_try_begins_anew() -> None:
    task = Task(batch_size=60)
    task.service.always = invalid
    with pytest.raises(exceptions.InvalidRequest):
        task.run(people(60), concurrency=1)
    task.service.always = lambda people: None
    assert counted(task.run(people(60))) == {"accepted": 60}
    assert task.service.sent == Counter(people(60))
    assert [row.outcome for row in task.folder.rows()] == ["accepted"] * 60


def test_a_send_that_begins_anew_leaves_nothing_of_the_one_before_in_the_report(task: Task) -> None:
    task.run(people(40))
    task.run(people(15, first=10), resend=True)
    assert [row.key for row in task.folder.rows()] == people(15, first=10)


# -- killed while refused rows are tried once more --


@pytest.mark.parametrize("on_unknown", ["stop", "skip", "resend"])
def test_a_refused_row_whose_answer_is_lost_is_unknown(task: Task, on_unknown: Any) -> None:
    fail_at_the_end(task, crowd(bad=[7, 9]))
    task.on_unknown = "stop"
    task.service.after[len(task.service.requests)] = lost
    with pytest.raises(SendOutcomeUnknown, match="in rows 7 to 9"):
        task.run(crowd(bad=[9]), concurrency=1)
    task.on_unknown = on_unknown
    if on_unknown == "stop":
        with pytest.raises(SendOutcomeUnknown):
            task.run(crowd(bad=[]))
        return
    expected = {"accepted": 199, "unknown": 1} if on_unknown == "skip" else {"accepted": 200}
    assert counted(task.run(crowd(bad=[]))) == expected
    assert task.service.sent["p7"] == (1 if on_unknown == "skip" else 2)
    assert Counter(row.outcome for row in task.folder.rows()) == expected


def test_a_row_under_way_that_was_changed_stops_the_run(task: Task) -> None:
    fail_at_the_end(task, crowd(bad=[7, 9]))
    task.service.after[len(task.service.requests)] = lost
    with pytest.raises(SendOutcomeUnknown):
        task.run(crowd(bad=[9]), concurrency=1)
    task.on_unknown = "skip"
    audience = crowd(bad=[9])
    audience[6] = "another"
    with pytest.raises(AudienceChanged, match="about to be sent"):
        task.run(audience)


# -- more refused rows than the record has room for --


def scattered(mended: bool = False) -> list[str]:
    return [f"p{n}" if n % 2 or mended else "bad" for n in range(1, 401)]


def test_what_the_record_has_no_room_for_is_in_the_report(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_rows, "MOST_CHARACTERS", 100)
    run = fail_at_the_end(task, scattered())
    assert run.record.refused_elsewhere > 0
    assert run.record.refused_for_good == 0
    assert counted(task.run(scattered(mended=True))) == {"accepted": 400}
    assert task.service.sent == Counter(scattered(mended=True))
    assert [row.outcome for row in task.folder.rows()] == ["accepted"] * 400


def test_without_a_report_what_has_no_room_is_not_tried_again(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_rows, "MOST_CHARACTERS", 250)
    run = fail_at_the_end(task, scattered(), report=False)
    lost_rows = run.record.refused_for_good
    assert 0 < lost_rows < 200
    audience = scattered(mended=True)
    remembered = {n for ranges in run.record.refused.values() for n in RowRanges(ranges)}
    for number in range(2, 401, 2):
        if number not in remembered:
            audience[number - 1] = "bad"
    again = task.run(audience, report=False)
    assert counted(again) == {"accepted": 400 - lost_rows, "invalid": lost_rows}
    assert set(task.service.sent.values()) == {1}


def test_a_report_that_went_missing_is_named(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_rows, "MOST_CHARACTERS", 100)
    fail_at_the_end(task, scattered())
    before = task.service.sent.copy()
    task.folder = Folder()
    with pytest.raises(LedgerUnreadable, match="The report of the last try is needed"):
        task.run(scattered(mended=True))
    assert task.service.sent == before


def test_the_record_stays_small(task: Task) -> None:
    fail_at_the_end(task, ["bad" if n % 3 else f"p{n}" for n in range(1, 9001)])
    assert len(json.dumps(task.store.record)) < 16_000


# -- ranges --


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30))))
@settings(max_examples=300)
def test_ranges_are_a_set_of_numbers(steps: list[tuple[bool, int]]) -> None:
    ranges = RowRanges()
    plain: set[int] = set()
    for adds, number in steps:
        (ranges.add if adds else ranges.discard)(number)
        (plain.add if adds else plain.discard)(number)
        assert list(ranges) == sorted(plain)
        assert len(ranges) == len(plain)
        assert (number in ranges) == (number in plain)
    assert list(RowRanges(str(ranges))) == sorted(plain)


def test_ranges_are_short() -> None:
    assert str(RowRanges.of([3, 1, 2, 7, 9, 10])) == "1-3,7,9-10"


def test_the_parts_of_a_report_are_named_by_row_and_send(tmp_path: Path) -> None:
    task = Task(10)
    run = task.run(people(25))
    assert run.parts.written == [f"part-{row:010d}-{run.record.send}-sent.ndjson" for row in (1, 11, 21)]
    assert Report(task.folder).names("sent") == run.parts.written
