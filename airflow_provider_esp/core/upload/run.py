"""Rows become contacts at a service: batches out, answers and imports back, each row in one of the outcomes.

The main thread reads, checks and counts; a few threads carry requests. At most `concurrency` + 1 requests are
alive at once and at most `max_open_imports` imports open at the service, so memory is that of a few batches
however long the source is. Uploads are upserts: whoever is interrupted goes on at the first batch that the ledger
(see `checkpoint`) does not tell has come to its end, and may repeat a few.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from airflow_provider_esp.core.calls import Flow, Perform
from airflow_provider_esp.core.contact_columns import ContactColumns, FieldRule, picker
from airflow_provider_esp.core.ledger import MemoryStore, OpenImportRecord, UploadLedger
from airflow_provider_esp.core.models import Import, ImportState, Submitted
from airflow_provider_esp.core.outcomes import HELD_BACK, Counts, Outcome
from airflow_provider_esp.core.polling import poll_until
from airflow_provider_esp.core.readers.table import Picked, Table, as_source
from airflow_provider_esp.core.row_keys import RowKeys
from airflow_provider_esp.core.row_report import Report, RowReport
from airflow_provider_esp.core.splitting import Answered, Failed, NotTried, Piece, RefusedAlone, send_in_halves
from airflow_provider_esp.core.stopping import Stop, threads
from airflow_provider_esp.core.upload.checkpoint import Batch, Checkpoint, digest_of
from airflow_provider_esp.core.upload.heap import heap_set_aside
from airflow_provider_esp.core.upload.open_imports import Members, OpenImport
from airflow_provider_esp.core.validation.batch import Checker
from airflow_provider_esp.exceptions import EspError, TaskEnding, TaskStopped
from airflow_provider_esp.utils.redaction import redact

T = TypeVar("T")

_LOOKS_WHEN_FULL = 5
"""How much sooner than usual the first look is where an upload can go no further until an import ends."""

ENDED_BEFORE = "not sent: the run ended first"


class UploadTarget(Protocol):
    """Where contacts go: one service, with the author's options."""

    @property
    def batch_size(self) -> int:
        """Contacts in a request at the most."""

    @property
    def identity(self) -> Sequence[str]:
        """The fields of which a contact needs one."""

    @property
    def names(self) -> Sequence[str]:
        """The fields by which an import may name a contact."""

    @property
    def rules(self) -> Mapping[str, FieldRule]:
        """What the service asks of single fields."""

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        """Divide contacts (by position) into those that can travel in one request."""

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        """Hand one group to the service."""

    def import_state(self, import_id: str) -> Flow[Import]:
        """Ask how far an import is."""


@dataclass(slots=True)
class Group:
    """Rows that travel in one request.

    :param contacts: what is sent.
    :param rows: numbers of the source rows.
    :param keys: what each contact is known by.
    :param values: the source rows.
    :param batch: that they come from.
    """

    contacts: ContactColumns
    rows: Sequence[int]
    keys: Sequence[str]
    values: Sequence[Sequence[Any]]
    batch: Batch

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> Group:
        start, stop, _ = part.indices(len(self.rows))
        return Group(self.contacts.part(start, stop), self.rows[part], self.keys[part], self.values[part], self.batch)

    def take(self, positions: Sequence[int]) -> Group:
        """Return some of the rows, by position."""
        if len(positions) == len(self.rows):
            return self
        pick = picker(positions)
        return Group(
            self.contacts.take(positions),
            pick(self.rows),
            pick(self.keys),
            Picked(self.values, positions),
            self.batch,
        )


GroupPiece = Piece[Group, Submitted]


@dataclass(slots=True)
class Upload:
    """One run of an upload.

    :param target: where the contacts go.
    :param perform: carries out a flow; called from several threads.
    :param report: where rows that are not accepted are written.
    :param concurrency: requests under way at once.
    :param max_open_imports: imports open at the service at once (more where the service refuses a request as a
        whole, because its parts become imports of their own).
    :param poll_interval: seconds between looks at the open imports, while uploading and while waiting.
    :param progress: called with this object, first before anything is done and then often.
    :param keep_values: whether the report holds the rows themselves.
    :param row_keys: by what the report names rows; None for what the service knows people by.
    :param stop: says that the task is being ended: then nothing more leaves, and what is known is written down.
    :param checkpoint: tells what earlier tries have done, and keeps what this one has.
    """

    target: UploadTarget
    perform: Perform
    report: Report
    concurrency: int = 4
    max_open_imports: int = 50
    poll_interval: float = 5.0
    progress: Callable[[Upload], None] = lambda upload: None
    keep_values: bool = False
    row_keys: RowKeys | None = None
    stop: Stop = field(default_factory=Stop)
    checkpoint: Checkpoint = field(default_factory=lambda: Checkpoint(UploadLedger(MemoryStore())))
    counts: Counts = field(default_factory=Counts)
    passed: int = 0
    imports: list[str] = field(default_factory=list)
    open_imports: dict[str, OpenImport] = field(default_factory=dict)
    _columns: tuple[str, ...] = ()
    _polled_at: float = 0.0
    _reading: Sequence[Sequence[Any]] = ()
    _ready: deque[Group] = field(default_factory=deque)
    _under_way: dict[Future[list[GroupPiece]], Group] = field(default_factory=dict)

    def run(self, table: Table, checker: Checker) -> None:
        """Read the table to its end and hand everything to the service; imports may still be open afterwards.

        :param checker: made for the table and the target.
        :raises SourceChanged: the rows that earlier tries have uploaded are not the same: clear the ledger, and run
            another upload over the table from its beginning.
        :raises TaskStopped: the task is being ended.
        :raises EspError: a request failed for good; `counts` and `report` tell what became of the rows so far.
        """
        self._columns = table.columns
        self.passed, counts, still_open = self.checkpoint.resume(table, self.target.batch_size, self.report)
        self.counts.include(counts)
        self.open_imports.update((item.id, item) for item in still_open)
        self.progress(self)
        with heap_set_aside(), threads(self.concurrency, "esp-upload", self.stop) as pool:
            try:
                first_row = self.passed + 1
                while self._read(table):
                    first_row += self._validate_and_group(first_row, checker)
                    while self._ready:
                        self._submit_next(pool)
                while self._under_way:
                    self._collect()
                self.checkpoint.write(self.report)
            except BaseException as error:
                self._abort(error)
                if self.stop.requested and isinstance(error, TaskStopped | EspError):
                    raise TaskStopped(self._how_far()) from error
                raise

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every import has ended.

        :param timeout: seconds, or None for as long as it takes.
        :returns: whether all have; False where the time was up first.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        return bool(poll_until(self._all_ended, end, self.poll_interval, pause=self._pause, clock=time.monotonic))

    def _all_ended(self) -> bool | None:
        """Look once whether every import has ended; None where one has not."""
        if self.open_imports:
            self._look_at_imports()
            self.progress(self)
        return None if self.open_imports else True

    def _pause(self, seconds: float) -> None:
        self.stop.pause(seconds)
        self._check_stop()

    def hand_over(self) -> list[OpenImportRecord]:
        """Write down what must be known of the open imports once this process has ended, and that all is handed in.

        :returns: the imports, for `close_import` in another process (`OpenImport.of` takes them back).
        """
        self.checkpoint.flush(self.report)
        return [item.hand_over(self.report) for item in self.open_imports.values()]

    def _read(self, table: Table) -> bool:
        """Read a batch. Where the source breaks off in it, what was read by then is known all the same."""
        begun: list[Sequence[Any]] = []
        self._reading = begun
        self._reading = table.take(self.target.batch_size, begun)
        return bool(self._reading)

    def _validate_and_group(self, first_row: int, checker: Checker) -> int:
        """Check the rows that were read, report those that cannot go, and divide the others into requests.

        :returns: how many rows there are.
        """
        batch = Batch(first_row, len(self._reading), digest_of(self._reading))
        checked = checker.check(first_row, self._reading)
        everybody = Group(checked.contacts, checked.rows, checked.keys, checked.values, batch)
        groups = [everybody.take(positions) for positions in self.target.groups(checked.contacts)]
        refused = [self._about(row, Outcome.INVALID, None, reason, values) for row, values, reason in checked.invalid]
        refused += [  # within a batch the last row wins
            self._about(row, Outcome.DUPLICATE, key, f"duplicate of row {winner}", values)
            for row, values, key, winner in checked.duplicates
        ]
        refused += [
            self._about(row, Outcome.SUPPRESSED, key, why, values) for row, values, key, why in checked.suppressed
        ]
        self._reading = ()
        self._ready.extend(groups)
        batch.requests = len(groups)
        self.checkpoint.add_batch(batch)
        self._count(batch, Outcome.INVALID, len(checked.invalid))
        self._count(batch, Outcome.DUPLICATE, len(checked.duplicates))
        self._count(batch, Outcome.SUPPRESSED, len(checked.suppressed))
        self.report.renew(first_row, batch.rows, batch.digest)
        self.report.write(first_row, batch.digest, "checked", sorted(refused, key=lambda row: row.row))
        return batch.rows

    def _submit_next(self, pool: ThreadPoolExecutor) -> None:
        while len(self._under_way) > self.concurrency:
            self._collect()
        self._apply_backpressure()
        self._check_stop()
        group = self._ready.popleft()
        self._under_way[pool.submit(self._submit, group)] = group
        self.progress(self)

    def _submit(self, group: Group) -> list[GroupPiece]:
        return send_in_halves(group, self._ask)

    def _ask(self, group: Group) -> Submitted:
        if self.stop.requested:  # half of a request that was refused as a whole, or one that was still to begin
            raise TaskEnding("the request was not made, because Airflow ends this task")
        return self.perform(self.target.submit(group.contacts))

    def _check_stop(self) -> None:
        if self.stop.requested:
            raise TaskStopped("Airflow ended this task while it waited for imports. A retry waits for them again.")

    def _how_far(self) -> str:
        unknown = self.counts[Outcome.UNKNOWN]
        doubt = f", and of {unknown:,} no answer had come" if unknown else ""
        return (
            f"Airflow ended this task while it was uploading: {self.counts[Outcome.ACCEPTED]:,} rows are accepted"
            f"{doubt}; nothing more leaves. A retry goes on, and repeats what is not known to have been imported."
        )

    def _collect(self) -> None:
        """Take in the requests that have been answered; wait for one where none has.

        :raises EspError: what the first of them failed with, after all of them are counted.
        """
        self.stop.wait_for(self._under_way, "FIRST_COMPLETED")
        answered = [future for future in self._under_way if future.done()]
        problems = [problem for future in answered for problem in self._settle(future)]
        self.checkpoint.maybe_flush(self.report)
        self.progress(self)
        if problems:
            raise problems[0]
        if not answered:
            self._check_stop()

    def _settle(self, future: Future[list[GroupPiece]]) -> list[EspError]:
        """Count the rows of one request, and give what went wrong."""
        group = self._under_way.pop(future)
        group.batch.requests -= 1
        if future.cancelled():
            self._count_lost(group, Outcome.NOT_REACHED, ENDED_BEFORE)
            return []
        if not future.done():  # the task is being ended, and cannot wait for it
            self._count_lost(group, Outcome.UNKNOWN, "the run ended while its request was under way")
            return []
        if future.exception() is not None:  # a bug: no service and no network causes one that is not in the pieces
            self._count_lost(group, Outcome.UNKNOWN, "unexpected error while sending the request")
        problems = []
        for piece in future.result():
            match piece:
                case Answered(some, answer):
                    self._record_response(some, answer)
                case RefusedAlone(some, reason, by_us):
                    self._count_lost(some, Outcome.INVALID if by_us else Outcome.REJECTED, reason)
                case NotTried(some, error):
                    self._count_lost(some, Outcome.NOT_REACHED, error.message)
                case Failed(some, error):
                    outcome = Outcome.UNKNOWN if error.outcome_unknown else Outcome.NOT_REACHED
                    self._count_lost(some, outcome, error.message)
                    problems.append(error)
        return problems

    def _record_response(self, group: Group, answer: Submitted) -> None:
        if answer.held_back:
            self._count(group.batch, Outcome.NOT_REACHED, len(group))
            self.report.count_reason(HELD_BACK, len(group))
            return
        refused = sorted(answer.rejected)
        self.report.write(
            group.rows[0],
            group.batch.digest,
            "answered",
            [self._of(group, at, Outcome.REJECTED, redact(answer.rejected[at])) for at in refused],
        )
        taken = group.take([at for at in range(len(group)) if at not in answer.rejected]) if refused else group
        self._count(group.batch, Outcome.REJECTED, len(refused))
        self._count(group.batch, Outcome.ACCEPTED, len(taken))
        if answer.import_id is not None and len(taken):
            columns = taken.contacts.standard
            aliases = [columns[name] for name in self.target.names if name in columns]
            names = None if self.row_keys is None else self.row_keys.of_all(taken.values)
            members = Members(taken.rows, taken.keys, aliases, names)
            item = OpenImport(answer.import_id, len(taken), taken.rows[0], taken.batch.digest, members=members)
            self.imports.append(item.id)
            self.open_imports[item.id] = item
            self.checkpoint.import_opened(group.batch, item)

    def _count_lost(self, group: Group, outcome: Outcome, reason: str) -> None:
        self._count(group.batch, outcome, len(group))
        lost = [self._of(group, at, outcome, reason) for at in range(len(group))]
        self.report.write(group.rows[0], group.batch.digest, "ended", lost)

    def _count(self, batch: Batch, outcome: Outcome, rows: int) -> None:
        self.counts.add(outcome, rows)
        batch.counts.add(outcome, rows)

    def _apply_backpressure(self) -> None:
        """Look after the open imports now and then, and wait while there are too many."""
        if self.open_imports and time.monotonic() - self._polled_at >= self.poll_interval:
            self._look_at_imports()
        pause = self.poll_interval / _LOOKS_WHEN_FULL
        while len(self.open_imports) + len(self._under_way) >= self.max_open_imports:
            if self._under_way:  # each of them opens an import
                self._collect()
            else:  # soon at first, because nothing goes on meanwhile
                self.stop.pause(max(0.0, self._polled_at + pause - time.monotonic()))
                self._check_stop()
                self._look_at_imports()
                self.progress(self)
                pause = min(pause * 2, self.poll_interval)

    def _look_at_imports(self) -> None:
        for item in list(self.open_imports.values()):
            state = self.perform(self.target.import_state(item.id))
            if state.state is not ImportState.RUNNING:
                del self.open_imports[item.id]
                self.counts.include(self.checkpoint.import_closed(item, state, self.report))
        self.checkpoint.maybe_flush(self.report)
        self._polled_at = time.monotonic()

    def _abort(self, error: BaseException) -> None:
        """Count what was under way or next when something failed: nobody lost, nobody counted twice."""
        self.counts.add(Outcome.NOT_REACHED, len(self._reading))
        self._reading = ()
        for future in self._under_way:
            future.cancel()
        self.stop.wait_for(self._under_way, "ALL_COMPLETED")
        while self._under_way:
            with suppress(Exception):  # what began it all is being raised; the rows of this one are counted
                self._settle(next(iter(self._under_way)))
        while self._ready:
            self._count_lost(self._ready.popleft(), Outcome.NOT_REACHED, ENDED_BEFORE)
        try:
            self.checkpoint.flush(self.report)
        except Exception as problem:  # noqa: BLE001  # it may be what began it all; the next try uploads a little more again
            error.add_note(f"The ledger of the upload could not be written ({type(problem).__name__}).")

    def _of(self, group: Group, at: int, outcome: Outcome, reason: str) -> RowReport:
        return self._about(group.rows[at], outcome, group.keys[at], reason, group.values[at])

    def _about(self, row: int, outcome: Outcome, key: str | None, reason: str, values: Sequence[Any]) -> RowReport:
        whole = as_source(self._columns, values) if self.keep_values else None
        named = None if self.row_keys is None else self.row_keys(values)
        return RowReport(row, outcome, named or key, reason, values=whole)
