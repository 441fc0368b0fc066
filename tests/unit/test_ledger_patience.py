"""A ledger that cannot be written for a while: nothing leaves meanwhile, and what is in the report stays known."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_provider_esp.core.ledger import Ledger
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send.run import SendRun
from airflow_provider_esp.exceptions import SendOutcomeUnknown, SendTakenOver
from tests.unit.test_send import Store, Target, Task, counted, mapper, people, perform, table


class Away(Store):
    """A store that cannot be reached from its n-th write on, for so many seconds of its own clock."""

    def __init__(self, first: int, seconds: float, words: str = "connection refused") -> None:
        super().__init__()
        self.writes, self.first, self.seconds, self.now, self.words = 0, first, seconds, 0.0, words
        self.sent_meanwhile: list[int] = []

    def save(self, record: dict[str, Any]) -> None:
        self.writes += 1
        if self.writes >= self.first and self.now < self.seconds:
            raise ConnectionError(self.words)
        super().save(record)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def run(task: Task, store: Away, patience: float, *, report: bool = True) -> SendRun[Any]:
    saving = Patience(patience, clock=lambda: store.now, sleep=store.sleep)
    send = SendRun(
        Target(task.service, 10),
        perform,
        Ledger(store, saving=saving),
        Report(task.folder if report else None),
    )
    send.run(table(people(50)), mapper())
    return send


@pytest.mark.parametrize("first", range(1, 12))
@pytest.mark.parametrize("seconds", [5, 20, 90, 290])
def test_the_same_try_goes_on_when_the_ledger_can_be_written_again(first: int, seconds: float) -> None:
    task, store = Task(), Away(first, seconds)
    assert counted(run(task, store, 300)) == {"accepted": 50}
    assert task.service.sent == Counter(people(50))


@pytest.mark.parametrize("first", range(1, 12))
def test_with_a_report_nobody_is_unknown_whose_answer_had_come(first: int) -> None:
    task, store = Task(), Away(first, 10_000)
    with pytest.raises(ConnectionError):
        run(task, store, 300)
    at_most = len(task.service.requests)
    store.seconds = 0
    assert counted(run(task, store, 300)) == {"accepted": 50}
    assert task.service.sent == Counter(people(50))
    assert at_most <= first // 2 + 1  # nothing left while it could not be written


def test_without_a_report_they_are_unknown_and_the_message_says_what_would_have_helped() -> None:
    task, store = Task(), Away(4, 10_000)
    with pytest.raises(ConnectionError):
        run(task, store, 300, report=False)
    store.seconds = 0
    with pytest.raises(SendOutcomeUnknown, match="with report_path= its answers would have been kept"):
        run(task, store, 300, report=False)
    assert set(task.service.sent.values()) == {1}


def test_a_try_that_airflow_does_not_let_in_any_more_ends_at_once() -> None:
    task, store = Task(), Away(3, 10_000, "404: not_found")
    with pytest.raises(SendTakenOver):
        run(task, store, 300)
    assert store.now == 0
