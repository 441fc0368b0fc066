"""The rows of a plan on their way through an upload, and what becomes of each of them in the journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from airflow_provider_esp.core.contact_columns import ContactColumns
from airflow_provider_esp.core.ledger import MemoryStore, UploadLedger
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.readers.table import Table, fingerprint
from airflow_provider_esp.core.row_report import Folder, Report, RowReport
from airflow_provider_esp.core.sync.entries import NOTHING, Entry, Flag
from airflow_provider_esp.core.sync.journal import Journal
from airflow_provider_esp.core.sync.keys import StateKey
from airflow_provider_esp.core.sync.membership import name_of
from airflow_provider_esp.core.sync.plan import Task
from airflow_provider_esp.core.upload.checkpoint import Batch, Checkpoint
from airflow_provider_esp.core.validation.batch import Checker, ValidatedBatch

_NAMED_BY: Final = ("external_id", "email", "phone")


def gone_key(key: StateKey, handle: bytes) -> bytes:
    """Return the key under which somebody is to be taken out whom a key of the source no longer stands for."""
    return key.digest(b"gone\0" + handle)


def field_marks(key: StateKey, row_key: bytes, values: Sequence[Any]) -> bytes:
    """Return a byte for each value of a row, which tells nothing but whether the value is another one."""
    return b"".join(
        key.mark(row_key + bytes((at & 255,)) + fingerprint((value,))) for at, value in enumerate(values[:255])
    )


class _Pending(NamedTuple):
    task: Task
    marks: bytes
    handle: bytes = b""


@dataclass(slots=True)
class Sending:
    """Hands the rows of a plan to an upload, and writes intents and outcomes into the journal.

    :param key: the sync's secret.
    :param journal: None for a dry run.
    :param tasks: the plan's rows.
    :param values: returns a row that was put aside: the columns that are used, and the key behind them.
    :param handles: fields by which somebody is taken out, the best first.
    :param mirrors: whether people are taken out.
    :param check: called before anything leaves; raises where this run may not go on.
    """

    key: StateKey
    journal: Journal | None
    tasks: Iterator[Task]
    values: Callable[[int], tuple[Any, ...]]
    handles: Sequence[str]
    mirrors: bool
    check: Callable[[], None] = lambda: None
    _pending: dict[int, _Pending] = field(default_factory=dict)
    _outcomes: dict[int, str] = field(default_factory=dict)

    def table(self, columns: tuple[str, ...], origin: str) -> Table:
        """Return the rows as a table.

        :param columns: names of the columns that are used, and of the key behind them if it is not one of these.
        """
        return Table(columns, self._rows(len(columns)), origin)

    def _rows(self, width: int) -> Iterator[Sequence[Any]]:
        for number, task in enumerate(self.tasks, 1):
            values = self.values(task.place)
            self._pending[number] = _Pending(task, field_marks(self.key, task.entry.key, values[:-1]))
            yield values[:width]

    def number(self, row: int) -> int:
        """Return the number that a row of the table has in the source."""
        return self._pending[row].task.number

    # -- before they leave

    def checker(self, checker: Checker) -> Checker:
        """Return what checks the rows, and writes down who is about to leave."""
        return _IntentChecker(checker, self)

    def about_to_leave(self, first_row: int, checked: ValidatedBatch) -> None:
        """Write down who is about to leave.

        :param first_row: number of the first row that was checked.
        :raises EspException: this run may not go on.
        """
        if self.journal is None:
            for row in [row for row in self._pending if row < first_row]:
                del self._pending[row]
            return
        intents: list[Entry] = []
        for at, row in enumerate(checked.rows):
            names = _names(checked.contacts, at)
            called = next((names[name] for name in self.handles if name in names), None)
            handle = b"" if called is None else self.key.seal(called)
            intents += self._stands_for(row, handle, names.values())
            known = self._pending[row].task.entry
            flags = Flag.MAYBE | (known.flags & Flag.HELD)
            intents.append(known._replace(accepted=NOTHING, flags=flags, handle=handle))
        for row, _, _, winner in checked.duplicates:  # the same person as the winner
            intents += self._stands_for(row, self._pending[winner].handle, ())
        self.check()
        self.journal.append(intents)

    def _stands_for(self, row: int, handle: bytes, names: Collection[str]) -> list[Entry]:
        """Note whom a row stands for; return the entry of whom it stood for before, if that is somebody else."""
        pending = self._pending[row]
        self._pending[row] = pending._replace(handle=handle)
        known = pending.task.entry
        if not (self.mirrors and _has_left(known, handle)) or self.key.open(known.handle) in names:
            return []
        return [Entry(gone_key(self.key, known.handle), flags=Flag.LEAVING, handle=known.handle)]

    # -- after their answers

    def note(self, row: int, outcome: str) -> None:
        """Take note of a row that was not accepted."""
        self._outcomes[row] = outcome

    def settle(self, first_row: int, rows: int) -> None:
        """Write down what became of rows that follow each other; what nobody knows stays an intent."""
        entries = []
        for row in range(first_row, first_row + rows):
            pending = self._pending.pop(row)
            entry = _after(pending, self._outcomes.pop(row, Outcome.ACCEPTED))
            if entry is not None:
                entries.append(entry)
        if self.journal is not None:
            self.journal.append(entries)

    def checkpoint(self) -> Checkpoint:
        """Return what tells an upload's batches apart from those that are settled."""
        return _SettlingCheckpoint(self)


def _names(contacts: ContactColumns, at: int) -> dict[str, str]:
    """Return all names of a contact, by field."""
    values = {name: contacts.standard[name][at] for name in _NAMED_BY if name in contacts.standard}
    return {name: name_of(name, value) for name, value in values.items() if isinstance(value, str) and value}


def _has_left(known: Entry, handle: bytes) -> bool:
    """Check whether somebody may be there whom the row no longer stands for."""
    return bool(known.handle and known.handle != handle and known.flags & (Flag.HELD | Flag.MAYBE | Flag.LEAVING))


def _after(pending: _Pending, outcome: str) -> Entry | None:
    """Return what is known of a key once its row has its outcome; None where that is what was known before."""
    task, known = pending.task, pending.task.entry
    if outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE):
        return Entry(known.key, task.row, Flag.HELD, marks=pending.marks, handle=pending.handle or known.handle)
    # Whoever was about to be taken out is in the source again, and may or may not be there.
    flags = known.flags & ~Flag.LEAVING | Flag.MAYBE if known.flags & Flag.LEAVING else known.flags
    if outcome == Outcome.SUPPRESSED:
        return known._replace(flags=flags | Flag.SUPPRESSED, tries=0, tried=task.row)
    if outcome in (Outcome.REJECTED, Outcome.INVALID):
        tries = known.tries if known.tried == task.row and not known.flags & Flag.SUPPRESSED else 0
        return known._replace(flags=flags & ~Flag.SUPPRESSED, tries=tries + 1, tried=task.row)
    return None


class _IntentChecker:
    """Checks rows as another checker does, and has it written down who is about to leave."""

    def __init__(self, checker: Checker, sending: Sending) -> None:
        self._checker = checker
        self._sending = sending

    def check(self, first_row: int, rows: Sequence[Sequence[Any]]) -> ValidatedBatch:
        """Check rows that follow each other.

        :param first_row: number of the first.
        """
        checked = self._checker.check(first_row, rows)
        self._sending.about_to_leave(first_row, checked)
        number = self._sending.number
        checked.duplicates = [(row, values, key, number(winner)) for row, values, key, winner in checked.duplicates]
        return checked


class _SettlingCheckpoint(Checkpoint):
    """Settles batches when they have come to their end; the journal is the ledger."""

    def __init__(self, sending: Sending) -> None:
        super().__init__(UploadLedger(MemoryStore()), every=0)
        self._sending = sending

    def flush(self, report: Report) -> None:
        """Settle what can be settled; who is in an open import is sent again by the next try."""
        self.write(report)
        for batch in list(self._batches):
            if not batch.requests and not batch.imports:
                self._sending.settle(batch.first_row, batch.rows)
                self._batches.remove(batch)

    def _move_past(self, batch: Batch) -> None:
        super()._move_past(batch)
        self._sending.settle(batch.first_row, batch.rows)


class SyncReport(Report):
    """A report in which rows have the numbers that they have in the source; the sending is told of each.

    :param folder: where the parts go, or None.
    """

    def __init__(self, folder: Folder | None, patience: Patience | None = None) -> None:
        super().__init__(folder, patience)
        self.sending: Sending | None = None

    def write(self, first_row: int, digest: str, stage: str, rows: Sequence[RowReport]) -> str | None:
        """Write one part and close it.

        :returns: its name, or None where nothing was written.
        """
        sending = self.sending
        if sending is None:
            return super().write(first_row, digest, stage, rows)
        numbered = [msgspec.structs.replace(row, row=sending.number(row.row)) for row in rows]
        for row in rows:
            sending.note(row.row, row.outcome)
        return super().write(first_row, digest, stage, numbered)
