"""Sends that leave people out: counted apart, read anew at every try, and never a second message because of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.models import Recipient
from airflow_provider_esp.core.send.run import OnUnknown, SendRun
from airflow_provider_esp.core.validation.suppression import Suppression
from airflow_provider_esp.exceptions import SendOutcomeUnknown
from tests.unit.test_send import Task, counted, people, wrong_key


def left_out(*persons: str) -> Suppression:
    suppression = Suppression()
    place = suppression.open("optouts.csv")
    for person in persons:
        place.take(person)
    return suppression


def run(task: Task, crowd: Iterable[str], *persons: str, **options: Any) -> SendRun[Recipient]:
    return task.run(crowd, suppression=left_out(*persons), **options)


def killed_in_request(task: Task, number: int, crowd: Sequence[str], *persons: str) -> None:
    """Run until a request is under way, and forget whatever the process does after that."""
    kept: list[str] = []

    def die(who: Sequence[str]) -> None:
        kept.append(json.dumps(task.store.record))
        raise exceptions.ConnectionLost("the connection broke", outcome_unknown=True)

    task.service.after[number] = die
    before = dict(task.folder.files)
    with pytest.raises(SendOutcomeUnknown):
        run(task, crowd, *persons)
    task.service.after.clear()
    task.store.record = json.loads(kept[0])
    task.folder.files.clear()
    task.folder.files.update(before)


def test_whoever_is_left_out_gets_nothing_and_is_counted_apart() -> None:
    task = Task(batch_size=4)
    done = run(task, people(10), "p2", "P7", "p7", "somebody else")
    assert counted(done) == {"accepted": 8, "suppressed": 2}
    assert sorted(task.service.sent) == sorted(set(people(10)) - {"p2", "p7"})
    assert task.outcomes()["suppressed"] == ["p2", "p7"]
    assert done.report.reasons == {"left out: stands in optouts.csv": 2}


def test_blocks_are_cut_before_anybody_is_left_out() -> None:
    task = Task(batch_size=4)
    run(task, people(10), "p0", "p1", "p5")
    assert task.service.requests == [["p2", "p3"], ["p4", "p6", "p7"], ["p8", "p9"]]


def test_a_block_of_which_everybody_is_left_out_makes_no_request() -> None:
    task = Task(batch_size=4)
    done = run(task, people(8), *people(4))
    assert task.service.requests == [people(4, 4)]
    assert counted(done) == {"accepted": 4, "suppressed": 4}


def test_somebody_who_stands_twice_is_left_out_once_and_a_duplicate_once() -> None:
    task = Task()
    assert counted(run(task, ["p1", "p2", "P1"], "p1")) == {"accepted": 1, "suppressed": 1, "duplicate": 1}


def test_who_was_sent_to_before_stays_accepted_when_left_out_now() -> None:
    task = Task(batch_size=4)
    task.service.before[1] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        run(task, people(12))
    done = run(task, people(12), "p1", "p5", "p9")
    assert counted(done) == {"accepted": 10, "suppressed": 2}
    assert task.service.sent["p1"] == 1
    assert not {"p5", "p9"} & task.service.sent.keys()
    assert max(task.service.sent.values()) == 1


def test_who_was_left_out_before_and_is_not_now_is_written_to_where_the_block_had_not_ended() -> None:
    task = Task(batch_size=4)
    task.service.before[1] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        run(task, people(8), "p1", "p5")
    done = run(task, people(8))
    assert counted(done) == {"accepted": 7, "suppressed": 1}
    assert "p1" not in task.service.sent  # its block had ended
    assert task.service.sent["p5"] == 1


@pytest.mark.parametrize("on_unknown", ["skip", "resend"])
def test_who_may_have_been_written_to_and_is_left_out_now_is_unknown_and_not_written_to(on_unknown: OnUnknown) -> None:
    task = Task(batch_size=4)
    killed_in_request(task, 0, people(8))
    task.on_unknown = on_unknown
    done = run(task, people(8), "p1", "p6")
    if on_unknown == "skip":
        assert counted(done) == {"accepted": 3, "suppressed": 1, "unknown": 4}
    else:
        assert counted(done) == {"accepted": 6, "suppressed": 1, "unknown": 1}
    assert task.service.sent["p1"] == 1
    assert task.service.sent["p6"] == 0


def test_who_was_left_out_when_the_process_was_killed_is_in_no_doubt() -> None:
    task = Task(batch_size=4)
    killed_in_request(task, 0, people(8), "p1")
    with pytest.raises(SendOutcomeUnknown, match="Of 3 recipients in rows 1 to 4"):
        run(task, people(8), "p1")
    task.on_unknown = "skip"
    assert counted(run(task, people(8), "p1")) == {"accepted": 4, "suppressed": 1, "unknown": 3}
    assert task.service.sent["p1"] == 0


def test_who_was_left_out_when_the_process_was_killed_may_be_written_to_later() -> None:
    task = Task(batch_size=4)
    killed_in_request(task, 0, people(4), "p1")
    task.on_unknown = "skip"
    assert counted(run(task, people(4))) == {"accepted": 1, "unknown": 3}
    assert task.service.sent["p1"] == 1


def test_a_doubt_about_somebody_who_is_left_out_now_stops_the_run_as_any_other() -> None:
    task = Task(batch_size=4)
    killed_in_request(task, 0, people(4))
    with pytest.raises(SendOutcomeUnknown, match="Of 4 recipients"):
        run(task, people(4), *people(4))
    task.on_unknown = "resend"
    assert counted(run(task, people(4), *people(4))) == {"unknown": 4}
    assert len(task.service.requests) == 1


def test_a_block_of_a_thousand_people_who_are_left_out_fits_the_ledger() -> None:
    task = Task(batch_size=1000)  # its store refuses a record of 16,000 bytes
    done = run(task, people(2000), *people(1999))
    assert counted(done) == {"accepted": 1, "suppressed": 1999}
