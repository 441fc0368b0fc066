"""How far an upload is: which batches have come to their end, and what the ledger may say of it.

The checkpoint moves past a batch once each of its rows has its outcome for good: all its requests are answered and all
its imports have ended. So while rows are read nothing about open imports has to be kept; a process that is killed
uploads their batches again. Only in order, when nothing is left to hand in or the run fails, the members of the open
imports are written into the report and the checkpoint moves past their batches as well.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_esp.core.ledger import UploadLedger, UploadRecord
from airflow_provider_esp.core.models import Import
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.readers.table import Table, fingerprints
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.upload.open_imports import OpenImport, close_import
from airflow_provider_esp.exceptions import SourceChanged

MOST_IDS_KEPT = 100
MOST_OPEN_KEPT = 60
"""Open imports in a record at the most, which keeps it below 16 KB; batches of further ones are uploaded again."""

_FOR_GOOD = (Outcome.ACCEPTED, Outcome.REJECTED, Outcome.INVALID, Outcome.DUPLICATE, Outcome.SUPPRESSED)


@dataclass(slots=True, eq=False)
class Batch:
    """Source rows that were read together.

    :param first_row: number of the first.
    :param rows: how many there are.
    :param digest: of the source rows.
    :ivar counts: those that have an outcome, by outcome.
    :ivar requests: of its requests, those that are not answered yet.
    :ivar imports: those that have not ended yet.
    """

    first_row: int
    rows: int
    digest: str
    counts: Counts = field(default_factory=Counts)
    requests: int = 0
    imports: dict[str, OpenImport] = field(default_factory=dict)

    @property
    def handed_in(self) -> bool:
        """Whether there is nothing to do about it but to await imports."""
        return not self.requests and sum(self.counts[outcome] for outcome in _FOR_GOOD) == self.rows


class Checkpoint:
    """Keeps the ledger of one run of an upload; used by the thread that runs it.

    :param ledger: what earlier tries have done.
    :param every: seconds between two writes at the least.
    """

    def __init__(self, ledger: UploadLedger, every: float = 1.0) -> None:
        self._ledger = ledger
        self._every = every
        self._written_at = time.monotonic()
        self._batches: deque[Batch] = deque()
        self._owners: dict[str, Batch] = {}
        self._behind = Counts()
        self._record = UploadRecord(kind="upload")
        self._rolling = hashlib.blake2b(digest_size=16)
        self._kept: dict[str, OpenImport] = {}
        self._outdated = False
        self._served: list[str] = []

    def resume(self, table: Table, batch_size: int, report: Report) -> tuple[int, Counts, list[OpenImport]]:
        """Read past the rows that an earlier try has dealt with, and check that they are the same.

        :param batch_size: how the rows behind the checkpoint will be cut.
        :param report: from which parts are removed that a killed process could not remove any more.
        :returns: how many rows there are, their counts, and the imports that are still to be awaited.
        :raises SourceChanged: they are not the same.
        """
        record = self._ledger.load()
        if record.rows and record.batch_size != batch_size:
            raise SourceChanged(
                f"The last try has uploaded {record.rows:,} rows in batches of {record.batch_size} and not of "
                f"{batch_size}: the upload starts over."
            )
        awaited = {str(item.part) for item in record.open}
        passed = 0
        while passed < record.rows and (rows := table.take(batch_size, [])):
            digest = digest_of(rows)
            self._rolling.update(digest.encode())
            report.renew(passed + 1, len(rows), digest, stage="open", but=awaited)
            passed += len(rows)
        if passed != record.rows or (passed and self._rolling.hexdigest() != record.digest):
            raise SourceChanged(
                f"The first {record.rows:,} rows of {table.origin} are not those that the last try has uploaded, or "
                "others have come between them and the end: the upload starts over."
            )
        record.batch_size = batch_size
        self._record, self._behind = record, Counts.from_dict(record.counts)
        self._kept = {item.id: OpenImport.of(item) for item in record.open}
        return record.rows, Counts.from_dict(record.counts), list(self._kept.values())

    def add_batch(self, batch: Batch) -> None:
        """Take note of a batch that was read; they come in their order."""
        self._batches.append(batch)

    def import_opened(self, batch: Batch, item: OpenImport) -> None:
        """Take note of an import that contacts of a batch are in."""
        batch.imports[item.id] = item
        self._owners[item.id] = batch
        self._record.imports_total += 1
        if len(self._record.imports) < MOST_IDS_KEPT:
            self._record.imports.append(item.id)

    @property
    def imports(self) -> dict[str, Any]:
        """Ids of the first imports of all tries, and how many there were: ``imports``, ``imports_total``."""
        return {"imports": self._record.imports, "imports_total": self._record.imports_total}

    def import_closed(self, item: OpenImport, state: Import, report: Report) -> Counts:
        """Take note of an import that has ended.

        :returns: what it changes in the counts.
        """
        change = Counts()
        close_import(item, state, change, report)
        if item.id in self._owners:
            batch = self._owners.pop(item.id)
            del batch.imports[item.id]
            batch.counts.include(change)
        else:
            del self._kept[item.id]
            self._behind.include(change)
            self._outdated = True
        if item.part is not None:
            self._served.append(item.part)
        return change

    def flush(self, report: Report) -> None:
        """Write down who is in the open imports, and move past their batches as far as nothing else is left to do."""
        while self._batches and self._batches[0].handed_in:
            batch = self._batches[0]
            if len(self._kept) + len(batch.imports) > MOST_OPEN_KEPT:
                break
            for item in batch.imports.values():
                item.hand_over(report)
                self._kept[item.id] = item
                del self._owners[item.id]
            self._move_past(self._batches.popleft())
        self.write(report)

    def maybe_flush(self, report: Report) -> None:
        """Write the ledger, if it is time and there is something to say."""
        if time.monotonic() - self._written_at >= self._every:
            self.write(report)

    def write(self, report: Report) -> None:
        """Write the ledger, if there is something to say. What it tells of stands in the report before."""
        while self._batches and self._batches[0].handed_in and not self._batches[0].imports:
            self._move_past(self._batches.popleft())
        if self._outdated:
            record = self._record
            record.digest = self._rolling.hexdigest()
            record.counts = {name: rows for name, rows in self._behind.as_dict().items() if rows}
            record.open = [item.record() for item in self._kept.values()]
            self._ledger.save(record)
            self._outdated = False
        while self._served:  # nobody will ask again who was in these
            report.remove(self._served.pop())
        self._written_at = time.monotonic()

    def _move_past(self, batch: Batch) -> None:
        self._rolling.update(batch.digest.encode())
        self._behind.include(batch.counts)
        self._record.rows = batch.first_row + batch.rows - 1
        self._outdated = True

    def clear(self, report: Report) -> None:
        """Remove the record: the upload has come to its end, whatever is said of its rows."""
        self.write(report)
        self._ledger.clear()


def digest_of(rows: Sequence[Sequence[Any]]) -> str:
    """Make a short digest of source rows, the same for the same rows at every try."""
    return hashlib.blake2b(fingerprints(rows), digest_size=8).hexdigest()
