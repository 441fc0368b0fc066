"""What a send or an upload has done so far, in a record of constant size that outlives the process.

A record holds how many source rows are behind it, a digest of exactly those rows, and counts by outcome. That of a send
also holds the one block that is under way: it is written before a block leaves (the intent) and after its result is
known, so whoever comes next knows what is certain. Its digest leaves refused rows out, and it holds their numbers: they
may be corrected in place, and are tried once more where there were too many of them.

That of an upload is written about once a second, since an upload may be repeated; what it needs of imports that are
still open is kept in order only once nothing else is left to hand in. No address is in a record, only digests, numbers,
counts and the service's ids.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from airflow_provider_esp.core import tries
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.readers.table import fingerprint
from airflow_provider_esp.core.row_ranges import RowRanges
from airflow_provider_esp.core.source_mark import SourceMark
from airflow_provider_esp.core.tries import Stamp, Tries, stamped, take_over
from airflow_provider_esp.exceptions import LedgerMismatch, LedgerUnreadable, SendTakenOver, TaskStopped

VERSION = 1
SEND_VERSION = 2
_DIGEST_BYTES = 16
_LOOK = "Find out what was sent, then give the run another ledger_path or remove this record."

AnyRecord = TypeVar("AnyRecord", bound=msgspec.Struct)


class RecordStore(Protocol):
    """Where a record is kept: a file, Airflow's task state, a variable."""

    def load(self) -> dict[str, Any] | None:
        """Return the record, or None where there is none."""

    def save(self, record: dict[str, Any]) -> None:
        """Keep the record; it is there for the next process once this returns."""

    def clear(self) -> None:
        """Remove the record, if there is one."""


class MemoryStore:
    """Keeps a record in this process: for tests, and for work that nothing can repeat by accident."""

    def __init__(self) -> None:
        self.record: dict[str, Any] | None = None

    def load(self) -> dict[str, Any] | None:
        """Return the record, or None where there is none."""
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
    :ivar digest: digest up to its end, without the rows that `known` has as refused.
    :ivar at: when, ISO 8601 in UTC.
    :ivar known: rows by outcome, as ranges of their places in the block from 0: those accepted or rejected are not sent
        again, those invalid or not reached certainly did not leave. Of the others nothing is known.
    :ivar again: numbers of its rows as ranges, where they are refused rows that are tried once more; else empty.
    """

    first_row: int
    rows: int
    digest: str
    at: str
    known: dict[str, str] = {}
    again: str = ""


class SendRecord(msgspec.Struct, kw_only=True):
    """The ledger of a send.

    :ivar task: names the task instance that sends.
    :ivar source: what it sends to; empty where that is not known.
    :ivar send: tells this send from an earlier one of the same task; the parts of its report are named by it.
    :ivar rows: source rows whose result is known.
    :ivar digest: digest of those rows, without the refused ones that can be tried again.
    :ivar counts: rows by outcome.
    :ivar refused: numbers of refused rows by outcome, as ranges.
    :ivar refused_elsewhere: how many more there are, which the parts of the report name.
    :ivar refused_for_good: how many more there are, which nothing names: they are not tried again.
    :ivar intent: the block under way, or None.
    :ivar sent_at: when the last row was done, or None.
    :ivar too_many_refused: whether it ended so: then it has not finished, and refused rows are tried once more.
    :ivar delivery: what the last wait for the delivery counted, and in ``of`` how many messages it waited for.
    :ivar finished_at: when all was done and judged, or None.
    :ivar claim: names the last block that was written down under a ``send_key``; see `SendKey`.
    :ivar resent: whether it began by ``resend=True``: whom this task has reached before, it may reach again.
    """

    version: int = SEND_VERSION
    task: str = ""
    source: SourceMark = SourceMark()
    send: str = ""
    rows: int = 0
    digest: str = ""
    counts: dict[str, int] = {}
    refused: dict[str, str] = {}
    refused_elsewhere: int = 0
    refused_for_good: int = 0
    intent: Intent | None = None
    sent_at: str | None = None
    too_many_refused: bool = False
    delivery: dict[str, Any] = {}
    finished_at: str | None = None
    claim: str = ""
    resent: bool = False

    def count(self) -> Counts:
        """Return the counts as such."""
        return Counts.from_dict(self.counts)

    @property
    def reached(self) -> int:
        """How many people were written to, or may have been."""
        counts, intent = self.count(), self.intent
        under_way = 0
        if intent is not None:
            spared = (Outcome.REJECTED, Outcome.INVALID, Outcome.NOT_REACHED)
            under_way = intent.rows - sum(len(RowRanges(intent.known.get(outcome, ""))) for outcome in spared)
        return counts[Outcome.ACCEPTED] + counts[Outcome.UNKNOWN] + under_way


class Ledger:
    """Reads and writes a send's record.

    :param store: where it is kept.
    :param task: names the task instance, whose record it has to be; empty for any.
    :param patience: seconds for which the answers of an earlier try that may still run are waited for; None for
        `tries.PATIENCE`.
    :param saving: how long the store may refuse a record; None for once only.
    """

    def __init__(
        self, store: RecordStore | Tries, task: str = "", patience: float | None = None, saving: Patience | None = None
    ) -> None:
        self._store = store
        self._task = task
        self._patience = tries.PATIENCE if patience is None else patience
        self._saving = saving or Patience(seconds=0)
        self._stamp = Stamp()
        self._record: SendRecord | None = None

    def load(self) -> SendRecord:
        """Return the record of an earlier try, or a new one; an earlier try that still runs is taken over from.

        :raises LedgerUnreadable: what is kept is no record of this version.
        :raises LedgerMismatch: it is a record of another task.
        :raises SendTakenOver: a later try sends already.
        :raises TaskStopped: the task is being ended while it waits for an earlier try.
        """
        if isinstance(self._store, Tries):
            kept, self._stamp = take_over(self._store, self._patience, self._pause)
        else:
            kept = self._store.load()
        self._record = new_record() if kept is None else self._read(kept)
        self._record.task = self._task or self._record.task
        return self._record

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)
        if self._saving.stopped():
            raise TaskStopped("Airflow ended this task before it began to send. A retry goes on.")

    def save(self, record: SendRecord, *, leaving: bool = False) -> None:
        """Write the record down.

        :param leaving: whether the block in it is about to leave.
        """
        self._record = record
        record.task = self._task or record.task
        content = msgspec.to_builtins(record)
        if isinstance(self._store, Tries):
            self._stamp = self._stamp.next(leaving=leaving)
            content = stamped(content, self._stamp)
        self._saving(lambda: self._save(content), "The ledger")

    def _save(self, content: dict[str, Any]) -> None:
        try:
            self._store.save(content)
        except Exception as error:
            if "404" in str(error) or "not_found" in str(error).lower():  # what Airflow answers a try that is over
                raise SendTakenOver(
                    "Airflow keeps no state for this try any more: another one has begun. It ends here and sends "
                    "nothing more."
                ) from error
            raise

    def check_owner(self) -> None:
        """Find out, after an intent was written and before anything leaves, that a later try has taken over.

        :raises SendTakenOver: it has.
        """
        if not isinstance(self._store, Tries):
            return
        if not self._store.is_owner():
            raise SendTakenOver("A later try of this task has taken over: this one ends here and sends nothing more.")
        self._stamp.checked = True

    def end(self, *, too_many_refused: bool = False) -> None:
        """Write down that nothing is left to be done.

        :param too_many_refused: whether more rows were refused than the author allows; then the send has not finished.
        """
        record = self._record or self.load()
        record.too_many_refused = too_many_refused
        # Where nobody was reached there is nothing to guard, and a cleared task begins anew.
        record.finished_at = record.sent_at if record.reached and not too_many_refused else None
        self.save(record)

    def note_delivery(self, delivery: dict[str, Any]) -> None:
        """Write down what a wait for the delivery has counted, for a later try that does not know these messages."""
        record = self._record or self.load()
        record.delivery = delivery
        self.save(record)

    def _read(self, kept: dict[str, Any]) -> SendRecord:
        if kept.get("version", SEND_VERSION) != SEND_VERSION:
            raise LedgerUnreadable(
                f"The ledger was written by another version of this package (format {kept['version']}, not "
                f"{SEND_VERSION}). {_LOOK}"
            )
        record = _as_record(kept, SendRecord, "a send")
        if self._task and record.task and record.task != self._task:
            raise LedgerMismatch(
                f"The ledger is that of {record.task}, and this is {self._task}. Nothing was sent. Give each task a "
                "ledger_path= of its own, with {{ run_id }} in it, and {{ ti.map_index }} where it is mapped."
            )
        return record


def new_record(*, resent: bool = False) -> SendRecord:
    """Return the record of a send that has yet to begin.

    :param resent: whether it is one that is sent again.
    """
    return SendRecord(send=uuid.uuid4().hex[:16], resent=resent)


class OpenImportRecord(msgspec.Struct, frozen=True):
    """An import whose end another process has to await; it names nobody.

    :ivar id: the service's id.
    :ivar rows: how many contacts of ours are in it.
    :ivar first_row: number of its first row.
    :ivar digest: of its rows; names the parts of the report.
    :ivar part: name of the report's part that says who is in it; None where nobody has written that down.
    """

    id: str
    rows: int
    first_row: int
    digest: str
    part: str | None = None


class UploadRecord(msgspec.Struct, kw_only=True):
    """The ledger of an upload.

    :ivar kind: tells it from a send's.
    :ivar rows: source rows behind it: each has its outcome, or is in one of the imports that are kept as open.
    :ivar digest: rolling digest of those rows, batch by batch.
    :ivar batch_size: how they were cut into batches.
    :ivar counts: those rows by outcome; those in open imports stand as accepted.
    :ivar imports: ids of the first imports, for the summary.
    :ivar imports_total: how many there were.
    :ivar open: the imports to await.
    """

    kind: Literal["upload"]
    version: int = VERSION
    rows: int = 0
    digest: str = ""
    batch_size: int = 0
    counts: dict[str, int] = {}
    imports: list[str] = []
    imports_total: int = 0
    open: list[OpenImportRecord] = []


class UploadLedger:
    """Reads and writes an upload's record.

    :param store: where it is kept; used by the thread that runs the upload alone.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def load(self) -> UploadRecord:
        """Get the record of an earlier try, or a new one; another version's is left behind, since uploads may repeat.

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


class RowsDigest:
    """A digest of numbered rows. They may be added in any order, so that one which was left out can join later.

    :param text: what ``str()`` of another one returned, or nothing.
    """

    __slots__ = ("_sum",)

    def __init__(self, text: str = "") -> None:
        self._sum = int(text or "0", 16)

    def add(self, number: int, row: Sequence[Any]) -> None:
        """Take a row in."""
        data = b"%d %b" % (number, fingerprint(row))
        self._sum += int.from_bytes(hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest())

    def copy(self) -> RowsDigest:
        """Return another one of the same rows."""
        other = RowsDigest()
        other._sum = self._sum
        return other

    def __str__(self) -> str:
        return f"{self._sum % 256**_DIGEST_BYTES:0{2 * _DIGEST_BYTES}x}"
