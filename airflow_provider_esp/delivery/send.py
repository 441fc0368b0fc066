"""Messages and events go out, each at most once: blocks of rows, an intent before each and its result after.

An upload may be repeated; a message may not. So a block is written down before it leaves, a later try goes on
only past blocks whose result is known, and a block of which nobody can tell what the service did with it stops
the run until the author says what to do.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, Literal, NoReturn, Protocol, TypeVar

import msgspec

from airflow_provider_esp.delivery.errors import AlreadySent, AudienceChanged, SendOutcomeUnknown
from airflow_provider_esp.delivery.halving import Answered, Failed, NotTried, RefusedAlone, send_in_halves
from airflow_provider_esp.delivery.ledger import Intent, Ledger, RollingDigest, SendRecord
from airflow_provider_esp.delivery.lookup import LookUp
from airflow_provider_esp.delivery.mapping import Mapper
from airflow_provider_esp.delivery.outcomes import Counts, Outcome
from airflow_provider_esp.delivery.people import People
from airflow_provider_esp.delivery.report import Report, RowReport, part_name
from airflow_provider_esp.delivery.rows import Table, as_source
from airflow_provider_esp.delivery.send_rows import SETTLED, SendRow, known_of, mark, outcome_of
from airflow_provider_esp.delivery.suppression import Suppression, names_of
from airflow_provider_esp.delivery.upload import Perform
from airflow_provider_esp.services.call import Flow
from airflow_provider_esp.services.neutral import SendResult
from airflow_provider_esp.transport.errors import EspError
from airflow_provider_esp.transport.redaction import redact

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
OnUnknown = Literal["stop", "skip", "resend", "look_up"]

SINGLES_IN_A_BLOCK = 100
MOST_IDS_KEPT = 1000
_PASSED_AT_ONCE = 1000
MOST_UNANSWERED = 3
"""Blocks in a row of which no request is answered: then the service is down, and nobody else is skipped."""


class SendTarget(Protocol[Item_contra]):
    """Where messages or events go: one service, with the author's options."""

    @property
    def batch_size(self) -> int:
        """Items in a request at the most."""

    def send(self, items: Sequence[Item_contra]) -> Flow[list[SendResult]]:
        """Hand items over in one request; the results are in their order."""


@dataclass(slots=True)
class SendRun(Generic[Item]):
    """One run of a send.

    :param target: where the items go.
    :param perform: carries out a flow; called from several threads.
    :param ledger: what earlier tries have done.
    :param report: where results are written, with the request ids of those that were accepted.
    :param once_each: whether a person who stands twice in the audience is written to once.
    :param concurrency: requests under way at once, where each carries one row.
    :param on_unknown: what to do about rows whose outcome is unknown: ``stop``; ``skip`` them, as long as the service
        answers others; fail, and ``resend`` them at the next try; or ``look_up`` whether the service shows them as
        sent, and stop where it does not.
    :param look_up: how to look them up; needed for ``look_up``.
    :param awaits: whether the task waits for the delivery afterwards, and says so in the ledger by `Ledger.end_wait`:
        a try that comes before has nothing left to send, and is not told that it was sent before.
    :param progress: called with this object, first before anything is done and then after each block.
    :param keep_values: whether the report holds the rows themselves.
    :param suppression: who is left out; None for nobody.
    """

    target: SendTarget[Item]
    perform: Perform
    ledger: Ledger
    report: Report
    once_each: bool = True
    concurrency: int = 4
    on_unknown: OnUnknown = "stop"
    look_up: LookUp[Item] | None = None
    awaits: bool = False
    progress: Callable[[SendRun[Any]], None] = lambda run: None
    keep_values: bool = False
    suppression: Suppression | None = None
    request_ids: list[str] = field(default_factory=list)
    all_ids: int = 0
    parts: list[str] = field(default_factory=list)
    _record: SendRecord = field(default_factory=SendRecord)
    _unfinished: Counts = field(default_factory=Counts)
    _digest: RollingDigest = field(default_factory=RollingDigest)
    _seen: People = field(default_factory=People)
    _columns: tuple[str, ...] = ()
    _halt: threading.Event = field(default_factory=threading.Event)
    _unanswered: int = 0
    _resumed: bool = False

    @property
    def counts(self) -> Counts:
        """Rows by outcome, those of earlier tries included."""
        counts = self._record.count()
        for outcome, rows in self._unfinished.by_outcome.items():
            counts.add(outcome, rows)
        return counts

    def run(self, table: Table, mapper: Mapper[Item], *, resend: bool = False) -> None:
        """Send to every row of the table that was not sent to before.

        :param resend: begin anew although this run has sent its messages before.
        :raises AlreadySent: it has, and `resend` is not said.
        :raises AudienceChanged: the rows already sent to are not the same any more.
        :raises SendOutcomeUnknown: nobody can tell what became of some rows.
        :raises EspError: a request failed for a reason that concerns all rows.
        """
        self._columns = table.columns
        self._record = self.ledger.load()
        if self._record.finished_at:
            if self._record.awaiting:
                return
            if not resend:
                raise AlreadySent(
                    f"This was sent at {self._record.finished_at} ({self.counts}); say resend=True to send it again."
                )
            self._record = SendRecord()
        self.progress(self)
        rows = enumerate(table.rows, 1)
        size = self.target.batch_size if self.target.batch_size > 1 else SINGLES_IN_A_BLOCK
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="esp-send") as pool:
            self._pass_over(rows, mapper)
            if self._record.intent is not None:
                self._resume(self._record.intent, rows, mapper, pool)
            while block := self._prepare(islice(rows, size), mapper):
                self._carry_out(block, pool)
        self._record.finished_at, self._record.awaiting = _now(), self.awaits
        self.ledger.save(self._record)

    def _pass_over(self, rows: Iterator[tuple[int, Any]], mapper: Mapper[Item]) -> None:
        """Read past the rows that an earlier try has dealt with, and check that they are the same."""
        left = self._record.rows
        while left and (some := self._prepare(islice(rows, min(left, _PASSED_AT_ONCE)), mapper)):
            left -= len(some)
        if self._record.rows and str(self._digest) != self._record.digest:
            raise AudienceChanged(
                f"The first {self._record.rows:,} rows of the audience are not those that the last try sent to. "
                "Restore them; or send what is left in a run of its own, and see to it that nobody is written to twice."
            )

    def _resume(
        self, intent: Intent, rows: Iterator[tuple[int, Any]], mapper: Mapper[Item], pool: ThreadPoolExecutor
    ) -> None:
        """Go on with the block that was under way when the last try ended."""
        self._resumed = True
        block = self._prepare(islice(rows, intent.rows), mapper)
        if len(block) != intent.rows or str(self._digest) != intent.digest:
            raise AudienceChanged(
                f"Rows {intent.first_row:,} to {intent.first_row + intent.rows - 1:,} of the audience are not those "
                f"that were about to be sent at {intent.at}. Restore them, so that it can be told who may have been "
                "reached."
            )
        known = {row: Outcome(name) for name, numbers in intent.known.items() for row in numbers}
        for row in block:
            before = known.get(row.number)
            if before in SETTLED:  # whatever today's columns make of the row
                mark([row], before)
            elif row.outcome in (None, Outcome.SUPPRESSED) and before is None:
                # Whoever is left out today may have been written to before.
                row.left_out, row.outcome = row.reason, Outcome.UNKNOWN
                row.reason = f"it may have been sent at {intent.at}"
        self._recall_request_ids(block)
        unknown = [row for row in block if row.outcome is Outcome.UNKNOWN]
        if unknown and self.on_unknown == "resend":
            mark([row for row in unknown if not row.left_out], None)
        elif unknown and self.on_unknown == "look_up":
            self._settle(block, pool)
        elif unknown and self.on_unknown == "stop":
            self._stop(block, "the last try ended before it was known")
        self._carry_out(block, pool)

    def _recall_request_ids(self, block: list[SendRow[Item]]) -> None:
        """Take over from the block's part what an earlier try wrote there, because it is written anew."""
        name = self._part_name(block)
        kept = {row.row: row for row in self.report.read_if_there(name)}
        for row in block:
            if row.outcome in SETTLED and row.number in kept:
                row.request_id, row.reason = kept[row.number].request_id, kept[row.number].reason

    def _prepare(self, rows: Iterable[tuple[int, Any]], mapper: Mapper[Item]) -> list[SendRow[Item]]:
        """Check rows, and note who they are."""
        block = []
        for number, values in rows:
            self._digest.add(values)
            item = mapper(values)
            if isinstance(item, str):
                block.append(SendRow[Item](number, values, outcome=Outcome.INVALID, reason=item))
                continue
            row = SendRow(number, values, item, mapper.key(item))
            if self.once_each and not self._seen.add(row.key or ""):
                # Whoever is left out is met all the same, so that a duplicate is one at every try.
                row.outcome, row.reason = Outcome.DUPLICATE, "an earlier row stands for the same person"
            elif self.suppression is not None and (reason := self.suppression.reason(names_of(item))):
                row.outcome, row.reason = Outcome.SUPPRESSED, reason
            block.append(row)
        return block

    def _carry_out(self, block: list[SendRow[Item]], pool: ThreadPoolExecutor) -> None:
        """Send what is still to be sent of a block: intent first, result after."""
        if self.report.kept and all(row.outcome is not None for row in block):
            self._intend(block)  # nothing leaves, but its part is named by how it is cut: the next try must cut it so
        while to_send := [row for row in block if row.outcome is None]:
            self._intend(block)
            try:
                problems = self._send(to_send, pool)
            except BaseException:
                self._interrupt(block)
                raise
            if self.on_unknown == "look_up":
                self._settle(block, pool, next((problem for problem in problems if problem.outcome_unknown), None))
            self._judge(block, to_send, problems)
        self._finish(block)

    def _settle(self, block: list[SendRow[Item]], pool: ThreadPoolExecutor, cause: EspError | None = None) -> None:
        """Look up what is unknown of a block.

        :raises SendOutcomeUnknown: the service does not show some of it.
        """
        unknown = [row for row in block if row.outcome is Outcome.UNKNOWN]
        if not unknown or self._record.intent is None:
            return
        if self.look_up is None:
            self._stop(block, "there is no way to look them up", cause)
        since = datetime.datetime.fromisoformat(self._record.intent.at)
        try:
            reason = self.look_up.settle(unknown, since, pool)
        except BaseException:
            self._interrupt(block)
            raise
        if reason:
            self._stop(block, reason, cause)

    def _intend(self, block: list[SendRow[Item]]) -> None:
        known = known_of(block, leaving=True)
        self._record.intent = Intent(block[0].number, len(block), str(self._digest), _now(), known)
        self.ledger.save(self._record)

    def _judge(self, block: list[SendRow[Item]], sent: list[SendRow[Item]], problems: list[EspError]) -> None:
        """Decide whether the run goes on after some requests.

        :raises SendOutcomeUnknown: nobody can tell what became of some rows, and the author has to decide.
        :raises EspError: a request failed for a reason that concerns all rows, or for which they are sent again.
        """
        unknown = [row for row in sent if row.outcome is Outcome.UNKNOWN]
        final = [problem for problem in problems if not problem.outcome_unknown]
        doubtful = [problem for problem in problems if problem.outcome_unknown]
        if unknown and (self.on_unknown in ("stop", "look_up") or (self.on_unknown == "resend" and not problems)):
            self._stop(block, unknown[0].reason, next(iter(doubtful), None))
        answered = any(row.outcome in SETTLED for row in sent)
        self._unanswered = self._unanswered + 1 if doubtful and not answered else 0
        if final or (doubtful and (self.on_unknown == "resend" or self._unanswered >= MOST_UNANSWERED)):
            self._interrupt(block)
            raise (final or doubtful)[0]

    def _send(self, rows: list[SendRow[Item]], pool: ThreadPoolExecutor) -> list[EspError]:
        """Send rows in as many requests as the target needs, and give what went wrong."""
        self._halt.clear()
        size = self.target.batch_size
        futures = [pool.submit(self._send_chunk, rows[at : at + size]) for at in range(0, len(rows), size)]
        try:
            return [problem for future in futures for problem in future.result()]
        finally:
            # Where this is interrupted, what is under way may end and what waits does not begin.
            self._halt.set()
            for future in futures:
                future.cancel()
            wait(futures)

    def _send_chunk(self, chunk: Sequence[SendRow[Item]]) -> list[EspError]:
        """Send one request (halved where it is refused), and write the results into the rows."""
        # Until the service has answered nobody can tell, and whoever looks at the rows meanwhile shall see that: so
        # they are marked first, and only then is asked whether the run is being halted.
        mark(chunk, Outcome.UNKNOWN, "the run ended while its request was under way")
        if self._halt.is_set():
            mark(chunk, None)
            return []
        problems = []
        for piece in send_in_halves(chunk, self._perform):
            match piece:
                case Answered(rows, results):
                    for row, result in list(zip(rows, results, strict=True)):  # all or, if they do not fit, none
                        row.outcome = outcome_of(result)
                        row.request_id, row.reason = result.request_id, redact(result.reason)
                case RefusedAlone(rows, reason, by_us):
                    mark(rows, Outcome.INVALID if by_us else Outcome.REJECTED, reason)
                case Failed(rows, error):
                    problems.append(error)
                    mark(rows, Outcome.UNKNOWN if error.outcome_unknown else None, error.message)
                    if not (error.outcome_unknown and self.on_unknown == "skip"):
                        self._halt.set()
                case NotTried(rows):
                    mark(rows, None)
        return problems

    def _perform(self, rows: Sequence[SendRow[Item]]) -> list[SendResult]:
        return self.perform(self.target.send([row.item for row in rows if row.item is not None]))

    def _finish(self, block: list[SendRow[Item]]) -> None:
        self._write_part(block)
        counts = self._record.count()
        for row in block:
            counts.add(row.outcome or Outcome.NOT_REACHED)
        self._record.counts = {name: rows for name, rows in counts.as_dict().items() if rows}
        self._record.rows, self._record.digest, self._record.intent = block[-1].number, str(self._digest), None
        self._resumed = False
        self.ledger.save(self._record)
        self.progress(self)

    def _interrupt(self, block: list[SendRow[Item]]) -> str | None:
        """Write down how far a block came that cannot be finished now, and give the name of its part."""
        for row in block:
            self._unfinished.add(row.outcome or Outcome.NOT_REACHED)
        part, intent = None, None
        # Where nothing ever left there is nothing to remember, and the author may change these rows.
        left = self._resumed or any(row.outcome in (*SETTLED, Outcome.UNKNOWN) for row in block)
        if self._record.intent is not None and left:
            part = self._write_part(block)
            intent = msgspec.structs.replace(self._record.intent, known=known_of(block, leaving=False))
        self._record.intent = intent
        self.ledger.save(self._record)
        return part

    def _stop(self, block: list[SendRow[Item]], reason: str, cause: EspError | None = None) -> NoReturn:
        at = self._record.intent.at if self._record.intent else _now()
        part = self._interrupt(block)
        where = f" (listed in the report, {part})" if part else ""
        unknown = sum(row.outcome is Outcome.UNKNOWN for row in block)
        raise SendOutcomeUnknown(
            f"Of {unknown:,} recipients in rows {block[0].number:,} to {block[-1].number:,}{where} nobody can "
            f"tell whether they were reached at {at}: {reason}. "
            'Look them up at the service, then run the task again with on_unknown="skip" or "resend".'
        ) from cause

    def _write_part(self, block: list[SendRow[Item]]) -> str | None:
        reports = [
            RowReport(
                row.number,
                row.outcome or Outcome.NOT_REACHED,
                row.key,
                row.reason,
                row.request_id,
                values=as_source(self._columns, row.values) if self.keep_values else None,
            )
            for row in block
        ]
        ids = [row.request_id for row in block if row.request_id]
        self.all_ids += len(ids)
        self.request_ids += ids[: MOST_IDS_KEPT - len(self.request_ids)]
        part = self.report.write(block[0].number, str(self._digest)[:16], "sent", reports)
        if part is not None:
            self.parts.append(part)
        return part

    def _part_name(self, block: list[SendRow[Item]]) -> str:
        return part_name(block[0].number, str(self._digest)[:16], "sent")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
