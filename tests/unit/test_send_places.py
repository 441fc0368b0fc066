"""A send whose report cannot be written any more: what is known of a block stays known, and nothing else is sent."""

from __future__ import annotations

import errno
from collections import Counter
from typing import IO

import pytest

from airflow_provider_esp.core.ledger import Ledger
from airflow_provider_esp.core.models import Recipient
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send.run import SendRun
from airflow_provider_esp.exceptions import SendOutcomeUnknown, StorageUnwritable
from tests.unit.test_send import Folder, Target, Task, counted, lost, mapper, people, perform, table


class FullDisk(Folder):
    """Takes no file."""

    def __truediv__(self, name: str) -> FullDisk:
        return FullDisk(self.files, name)

    def open(self, mode: str) -> IO[bytes]:
        if mode == "wb":
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().open(mode)


def make(task: Task, folder: Folder) -> SendRun[Recipient]:
    return SendRun(
        target=Target(task.service, task.batch_size),
        perform=perform,
        ledger=Ledger(task.store),
        report=Report(folder, Patience(seconds=0)),
    )


def test_the_ledger_knows_what_the_report_could_not_say_and_the_next_try_goes_on() -> None:
    task = Task(batch_size=10)
    full = make(task, FullDisk())
    with pytest.raises(StorageUnwritable, match="No space left on device"):
        full.run(table(people(25)), mapper())
    assert counted(full) == {"accepted": 10}
    assert task.service.sent == Counter(people(10))

    run = make(task, task.folder)
    run.run(table(people(25)), mapper())
    assert task.service.sent == Counter(people(25))
    assert counted(run) == {"accepted": 25}
    assert task.outcomes() == {"accepted": people(15, 10)}


def test_a_full_disk_does_not_hide_why_a_send_stops() -> None:
    task = Task(batch_size=10)
    task.service.after[0] = lost
    run = make(task, FullDisk())
    with pytest.raises(SendOutcomeUnknown, match="Of 10 recipients in rows 1 to 10 it is unknown"):
        run.run(table(people(25)), mapper())
    assert counted(run) == {"unknown": 10}
    assert task.service.sent == Counter(people(10))
