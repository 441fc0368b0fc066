"""What a send or an upload has done so far, in a record of constant size that outlives the process.

A record holds how many source rows are behind it, a rolling digest of exactly those rows, and counts by outcome. That
of a send also holds the one block that is under way: it is written before a block leaves (the intent) and after its
result is known, so whoever comes next knows what is certain. That of an upload is written about once a second, since
an upload may be repeated; what it needs of imports that are still open is kept in order only once nothing else is
left to hand in. No address is in a record, only digests, numbers, counts and the service's ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from airflow_provider_esp.delivery.errors import LedgerUnreadable
from airflow_provider_esp.delivery.outcomes import Counts
from airflow_provider_esp.delivery.rows import fingerprint

VERSION = 1
_LOOK = "Find out what was sent, then give the run another ledger_path or remove this record."

AnyRecord = TypeVar("AnyRecord", bound=msgspec.Struct)


class RecordStore(Protocol):
    """Where a record is kept: a file, Airflow's task state, a variable."""

    def load(self) -> dict[str, Any] | None:
        """Give the record, or None where there is none."""

    def save(self, record: dict[str, Any]) -> None:
        """Keep the record; it is there for the next process once this returns."""

    def clear(self) -> None:
        """Remove the record, if there is one."""


class MemoryStore:
    """Keeps a record in this process: for tests, and for work that nothing can repeat by accident."""

    def __init__(self) -> None:
        self.record: dict[str, Any] | None = None

    def load(self) -> dict[str, Any] | None:
        """Give the record, or None where there is none."""
        return self.record

    def save(self, record: dict[str, Any]) -> None:
        """Keep the record."""
        self.record = record

    def clear(self) -> None:
        """Remove the record, if there is one."""
        self.record = None


class Intent(msgspec.Struct, frozen=True):
    """A block that was about to leave.

    :ivar first_row: number of its first source row.
    :ivar rows: source rows in it.
    :ivar digest: rolling digest up to its end.
    :ivar at: when, ISO 8601 in UTC.
    :ivar known: row numbers by outcome, where a run ended in order before the whole block was done: those accepted or
        rejected are not sent again, those not reached certainly did not leave. Of the others nothing is known.
    """

    first_row: int
    rows: int
    digest: str
    at: str
    known: dict[str, list[int]] = {}


class SendRecord(msgspec.Struct, kw_only=True):
    """The ledger of a send.

    :ivar rows: source rows whose result is known.
    :ivar digest: rolling digest of those rows.
    :ivar counts: rows by outcome.
    :ivar intent: the block under way, or None.
    :ivar finished_at: when the last row was done, or None.
    :ivar awaiting: whether the task has yet to wait for the delivery of what it has sent.
    """

    version: int = VERSION
    rows: int = 0
    digest: str = ""
    counts: dict[str, int] = {}
    intent: Intent | None = None
    finished_at: str | None = None
    awaiting: bool = False

    def count(self) -> Counts:
        """Give the counts as such."""
        return Counts.from_dict(self.counts)


class Ledger:
    """Reads and writes a send's record.

    :param store: where it is kept.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def load(self) -> SendRecord:
        """Give the record of an earlier try, or a new one.

        :raises LedgerUnreadable: what is kept is no record of this version.
        """
        kept = self._store.load()
        if kept is None:
            return SendRecord()
        record = _as_record(kept, SendRecord, "a send")
        if record.version != VERSION:
            raise LedgerUnreadable(
                f"The ledger was written by another version of this package (format {record.version}, not {VERSION}). "
                f"{_LOOK}"
            )
        return record

    def save(self, record: SendRecord) -> None:
        """Write the record down."""
        self._store.save(msgspec.to_builtins(record))

    def end_wait(self) -> None:
        """Write down that nobody has to wait for the delivery any more."""
        record = self.load()
        record.awaiting = False
        self.save(record)


class UploadRecord(msgspec.Struct, kw_only=True):
    """The ledger of an upload.

    :ivar kind: tells it from a send's.
    :ivar rows: source rows behind it: each has its outcome, or is in one of the imports that are kept as open.
    :ivar digest: rolling digest of those rows, batch by batch.
    :ivar batch_size: how they were cut into batches.
    :ivar counts: those rows by outcome; those in open imports stand as accepted.
    :ivar imports: ids of the first imports, for the summary.
    :ivar imports_total: how many there were.
    :ivar open: the imports to await, as `OpenImport.hand_over` gives them.
    """

    kind: Literal["upload"]
    version: int = VERSION
    rows: int = 0
    digest: str = ""
    batch_size: int = 0
    counts: dict[str, int] = {}
    imports: list[str] = []
    imports_total: int = 0
    open: list[dict[str, Any]] = []


class UploadLedger:
    """Reads and writes an upload's record.

    :param store: where it is kept; used by the thread that runs the upload alone.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def load(self) -> UploadRecord:
        """Give the record of an earlier try, or a new one; another version's is left behind, since uploads may repeat.

        :raises LedgerUnreadable: what is kept is no record of an upload, and might be missed.
        """
        kept = self._store.load()
        if kept is None:
            return UploadRecord(kind="upload")
        if kept.get("kind") == "upload" and kept.get("version") != VERSION:
            return UploadRecord(kind="upload")
        return _as_record(kept, UploadRecord, "an upload")

    def save(self, record: UploadRecord) -> None:
        """Write the record down."""
        self._store.save(msgspec.to_builtins(record))

    def clear(self) -> None:
        """Remove the record: what it tells of has come to its end."""
        self._store.clear()


def _as_record(kept: dict[str, Any], kind: type[AnyRecord], name: str) -> AnyRecord:
    try:
        return msgspec.convert(kept, kind)
    except msgspec.ValidationError as error:
        raise LedgerUnreadable(f"What the ledger holds is no record of {name}: {error}. {_LOOK}") from None


class RollingDigest:
    """A digest of source rows in their order, which can be read at any row."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, row: Sequence[Any]) -> None:
        """Take the next row in."""
        self._digest.update(fingerprint(row))

    def __str__(self) -> str:
        return self._digest.hexdigest()
