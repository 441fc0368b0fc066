"""Messages and events go out, each at most once: blocks of rows, an intent before each and its result after.

An upload may be repeated; a message may not. So a block is written down before it leaves, a later try goes on
only past blocks whose result is known, and a block with unknown outcome stops
the run until the author says what to do. A send that ended with too many refused rows is gone on with: those rows
are tried once more, since they may have been corrected in place, and nobody else is.
"""

from __future__ import annotations

import datetime
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NoReturn, TypeVar

from airflow_provider_esp.core.calls import Perform
from airflow_provider_esp.core.ledger import Intent, Ledger, RowsDigest, SendRecord, new_record
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_keys import RowKeys
from airflow_provider_esp.core.row_ranges import RowRanges
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send.blocks import SETTLED, Block, SendRow, known_of, mark, read_known
from airflow_provider_esp.core.send.refused_rows import REFUSED, RefusedRows
from airflow_provider_esp.core.send.report_parts import SendParts
from airflow_provider_esp.core.send.requests import SendRequests, SendTarget
from airflow_provider_esp.core.send.sent_lookup import LookUp
from airflow_provider_esp.core.source_mark import SourceMark
from airflow_provider_esp.core.stopping import Stop, threads
from airflow_provider_esp.core.validation.key_set import CompactKeySet
from airflow_provider_esp.core.validation.mapper import Mapper
from airflow_provider_esp.core.validation.suppression import Suppression, names_of
from airflow_provider_esp.exceptions import (
    AlreadySent,
    AudienceChanged,
    EspError,
    SendOutcomeUnknown,
    SendTakenOver,
    StorageUnwritable,
    TaskStopped,
)

__all__ = ["OnUnknown", "SendRun", "SendTarget"]

Item = TypeVar("Item")
OnUnknown = Literal["stop", "skip", "resend", "lookup"]
Numbered = tuple[int, Sequence[Any]]

SINGLES_IN_A_BLOCK = 100
_PASSED_AT_ONCE = 1000
MOST_UNANSWERED = 3
"""Blocks in a row of which no request is answered: then the service is down, and nobody else is skipped."""

log = logging.getLogger(__name__)


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
    :param awaits: whether something is left to be done afterwards (a wait, a judgement) that `Ledger.end` ends:
        a try that comes before has nothing left to send, and is not told that it was sent before.
    :param progress: called with this object, first before anything is done and then after each block.
    :param keep_values: whether the report holds the rows themselves.
    :param suppression: who is left out; None for nobody.
    :param row_keys: by what the report names rows; None for what people are known by.
    :param source: what the rows come from; None where there is nothing to tell apart.
    :param stop: says that the task is being ended: then nothing more leaves, and what is known is written down.
    :param mapped: whether the task is one of several that differ by their place in a list, which may change its order.
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
    row_keys: RowKeys | None = None
    source: SourceMark | None = None
    mapped: bool = False
    stop: Stop = field(default_factory=Stop)
    parts: SendParts = field(init=False)
    record: SendRecord = field(default_factory=SendRecord)
    _refused: RefusedRows = field(init=False)
    _unfinished: Counts = field(default_factory=Counts)
    _digest: RowsDigest = field(default_factory=RowsDigest)
    _met: CompactKeySet = field(default_factory=CompactKeySet)
    _columns: tuple[str, ...] = ()
    _unanswered: int = 0
    _resumed: bool = False

    def __post_init__(self) -> None:
        self.parts = SendParts(self.report, keep_values=self.keep_values, row_keys=self.row_keys)

    @property
    def counts(self) -> Counts:
        """Rows by outcome, those of earlier tries included."""
        counts = self.record.count()
        counts.include(self._unfinished)
        return counts

    @property
    def request_ids(self) -> list[str]:
        """The first ids of messages that this try sent."""
        return self.parts.request_ids

    @property
    def all_ids(self) -> int:
        """How many messages this try sent whose ids are known."""
        return self.parts.all_ids

    def run(self, table: Table, mapper: Mapper[Item], *, resend: bool = False) -> None:
        """Send to every row of the table that was not sent to before.

        :param resend: begin anew although this run has sent its messages before.
        :raises AlreadySent: it has, and `resend` is not said.
        :raises AudienceChanged: the rows already sent to are not the same any more.
        :raises SendOutcomeUnknown: some rows have an unknown outcome.
        :raises TaskStopped: the task is being ended.
        :raises EspError: a request failed for a reason that concerns all rows.
        """
        self._columns = table.columns
        self.record = self.ledger.load()
        if not (self.record.finished_at and resend):
            self._check_source()
        if self.record.finished_at:
            self._begin_anew(resend)
        elif (self.record.sent_at or self.record.rows or self.record.intent) and not self.record.reached:
            self.parts.remove(self.record.send)  # nobody was reached, so the author may change whatever was wrong
            self.record = new_record()
        if not self.record.sent_at or self.record.too_many_refused:
            self._send(table, mapper)
        if not self.awaits:
            self.ledger.end()

    def _send(self, table: Table, mapper: Mapper[Item]) -> None:
        self._refused = RefusedRows(self.record)
        self._recall_refused()
        if self.source is not None and self.record.source != self.source:
            self.record.source = self.source
            self.ledger.save(self.record)
        self.progress(self)
        rows: Iterator[Numbered] = enumerate(table.rows, 1)
        size = self.target.batch_size if self.target.batch_size > 1 else SINGLES_IN_A_BLOCK
        with threads(self.concurrency, "esp-send", self.stop) as pool:
            skips = self.on_unknown == "skip"
            requests = SendRequests(self.target, self.perform, pool, skips_unknown=skips, stop=self.stop)
            refused = self._pass_over(rows, mapper)
            if self.record.intent is not None:
                self._resume(self.record.intent, rows, refused, mapper, requests)
            if self.record.too_many_refused:
                self._try_refused(rows, refused, size, mapper, requests)
            while block := self._prepare(itertools.islice(rows, size), mapper):
                self._carry_out(Block(block), requests)
        self.record.sent_at, self.record.too_many_refused = _now(), False
        self.ledger.save(self.record)

    # -- what earlier tries have done --

    def _check_source(self) -> None:
        """Find out that the rows come from elsewhere than at the last try.

        :raises AudienceChanged: they do, and somebody may be written to twice, and others never.
        """
        before, now = self.record.source, self.source
        if now is None or not before.digest or before.is_same(now) or not (self.mapped or self.record.reached):
            return
        corrected = (before.sample and now.sample) or (self.record.too_many_refused and not self.mapped)
        if corrected and self.record.reached and not self.record.finished_at:
            return  # refused rows may be corrected, however many of them there are; the digest of the others decides
        mapped = " The list that this task is mapped over has come in another order: restore it." if self.mapped else ""
        raise AudienceChanged(
            f"The source is another one than at the last try: it was {before}, and now it is {now}. Nothing was sent "
            f"by this try.{mapped} If you meant to change it, send to it in a run of its own."
        )

    def _begin_anew(self, resend: bool) -> None:
        """Forget a send that has finished.

        :raises AlreadySent: the author does not want that.
        """
        people = f"{self.record.reached:,} {'person' if self.record.reached == 1 else 'people'}"
        if not resend:
            raise AlreadySent(
                f"This was sent at {self.record.finished_at} ({self.counts}). With resend=True it is sent again: "
                f"{people} would be written to a second time."
            )
        log.warning("resend=True: %s to whom this was sent at %s may get it again.", people, self.record.finished_at)
        self.parts.remove(self.record.send)
        self.record = new_record()

    def _recall_refused(self) -> None:
        if self.record.refused_elsewhere:
            again = RowRanges(self.record.intent.again if self.record.intent else "")
            self._refused.recall(self.parts.refused(self.record.send, self.record.rows), again)

    def _pass_over(self, rows: Iterator[Numbered], mapper: Mapper[Item]) -> list[Numbered]:
        """Read past the rows that an earlier try has dealt with, and check that they are the same.

        :returns: the refused ones among them, if they may be tried once more.
        """
        wanted = self.record.too_many_refused or (self.record.intent is not None and bool(self.record.intent.again))
        refused: list[Numbered] = []
        left = self.record.rows
        while left and (some := list(itertools.islice(rows, min(left, _PASSED_AT_ONCE)))):
            left -= len(some)
            for number, values in some:
                if self._refused.outcome(number) is not None:
                    refused += [(number, values)] if wanted else []
                    continue
                self._digest.add(number, values)
                item = mapper(values) if self.once_each else ""
                if not isinstance(item, str):
                    self._met.add(mapper.key(item) or "")
        if left or (self.record.rows and str(self._digest) != self.record.digest):
            raise AudienceChanged(
                f"The first {self.record.rows:,} rows of the audience are not those that the last try sent to: only "
                "refused rows may be corrected, each in its place. Restore the others; or send what is left in a run "
                "of its own, and make sure that no one is messaged twice."
            )
        return refused

    def _resume(
        self,
        intent: Intent,
        rows: Iterator[Numbered],
        refused: list[Numbered],
        mapper: Mapper[Item],
        requests: SendRequests[Item],
    ) -> None:
        """Go on with the block that was under way when the last try ended."""
        self._resumed = True
        again = RowRanges(intent.again)
        source = (row for row in refused if row[0] in again) if intent.again else itertools.islice(rows, intent.rows)
        known = read_known(intent.known)
        block = Block(self._prepare(source, mapper, known), again=bool(intent.again))
        digest = self._digest.copy()
        for place, row in enumerate(block.rows):
            if known.get(place) not in REFUSED:
                digest.add(row.number, row.values)
        if len(block.rows) != intent.rows or str(digest) != intent.digest:
            raise AudienceChanged(
                f"Rows {intent.first_row:,} to {intent.first_row + intent.rows - 1:,} of the audience are not those "
                f"that were about to be sent at {intent.at}. Restore them, so that it can be told who may have been "
                "reached."
            )
        for place, row in enumerate(block.rows):
            if known.get(place) in SETTLED:  # whatever today's columns make of the row
                mark([row], known[place])
            elif row.outcome in (None, Outcome.SUPPRESSED) and place not in known:
                # Whoever is left out today may have been written to before.
                row.left_out, row.outcome = row.reason, Outcome.UNKNOWN
                row.reason = f"it may have been sent at {intent.at}"
        self._recall_answers(block)
        unknown = [row for row in block.rows if row.outcome is Outcome.UNKNOWN]
        if unknown and self.on_unknown == "resend":
            mark([row for row in unknown if not row.left_out], None)
        elif unknown and self.on_unknown == "lookup":
            self._settle(block, requests)
        elif unknown and self.on_unknown == "stop":
            hint = "" if self.report.kept else " (with report_path= its answers would have been kept beside the ledger)"
            self._stop(block, f"the last try ended before it was known{hint}")
        self._carry_out(block, requests)

    def _recall_answers(self, block: Block[Item]) -> None:
        """Take over what an earlier try wrote into the block's part: it is a second witness, and is written anew."""
        written = self.parts.read_block(self.record.send, block.rows, again=block.again)
        # A part is written before the ledger, so it may know more. What it has as refused was true once: of rows that
        # are tried once more it may be older than the request that was under way.
        proofs = (Outcome.ACCEPTED,) if block.again else SETTLED
        for row in block.rows:
            there = written.get(row.number)
            if there is None:
                continue
            if row.outcome is Outcome.UNKNOWN and there.outcome in proofs:
                row.outcome, row.left_out = Outcome(there.outcome), ""
            if row.outcome in SETTLED:
                row.request_id, row.reason = there.request_id, there.reason

    def _prepare(
        self, rows: Iterable[Numbered], mapper: Mapper[Item], known: dict[int, Outcome] | None = None
    ) -> list[SendRow[Item]]:
        """Check rows, and note who they are.

        :param known: outcomes by place in the block, where an earlier try began with it.
        """
        known = known or {}
        block = [SendRow[Item](number, values, before=self._refused.outcome(number)) for number, values in rows]
        # A row that was refused may have been corrected: whoever another row has reached comes first.
        for place in sorted(range(len(block)), key=lambda at: known.get(at) in REFUSED) if known else range(len(block)):
            row = block[place]
            item = mapper(row.values)
            if isinstance(item, str):
                row.outcome, row.reason = Outcome.INVALID, item
                continue
            row.item, row.key = item, mapper.key(item)
            if known.get(place) is Outcome.REJECTED:
                continue  # nobody counts as met by a row that was refused
            row.stands = self.once_each and self._met.add(row.key or "")
            if self.once_each and not row.stands:
                # Whoever is left out is met all the same, so that a duplicate is one at every try.
                row.outcome, row.reason = Outcome.DUPLICATE, "duplicate of an earlier row"
            elif self.suppression is not None and (reason := self.suppression.reason(names_of(item))):
                row.outcome, row.reason = Outcome.SUPPRESSED, reason
        return block

    def _try_refused(
        self,
        rows: Iterator[Numbered],
        refused: list[Numbered],
        size: int,
        mapper: Mapper[Item],
        requests: SendRequests[Item],
    ) -> None:
        """Try the refused rows of a send once more that ended with too many of them.

        :raises AudienceChanged: there are more rows now, so that it cannot be told which ones were corrected.
        """
        if next(rows, None) is not None:
            raise AudienceChanged(
                f"The audience has more than the {self.record.rows:,} rows that the last try dealt with. Correct "
                "refused rows in their places, and send new ones in a run of their own."
            )
        left = iter([row for row in refused if self._refused.outcome(row[0]) is not None])
        while block := self._prepare(itertools.islice(left, size), mapper):
            self._carry_out(Block(block, again=True), requests)

    # -- a block --

    def _carry_out(self, block: Block[Item], requests: SendRequests[Item]) -> None:
        """Send what is still to be sent of a block: intent first, result after."""
        if self.report.kept and not block.to_send():
            self._intend(block)  # nothing leaves, but its part is named by how it is cut: the next try must cut it so
        while to_send := block.to_send():
            if self.stop.requested:
                self._end_here(block)
            self._intend(block)
            try:
                problems = requests.send(to_send)
            except BaseException:
                self._interrupt(block)
                raise
            if self.stop.requested:
                block.release_duplicates(self._met)
                if any(row.outcome in (None, Outcome.UNKNOWN) for row in block.rows):
                    self._end_here(block)
            if self.on_unknown == "lookup":
                self._settle(block, requests, next((problem for problem in problems if problem.outcome_unknown), None))
            self._judge(block, to_send, problems)
            block.release_duplicates(self._met)
        before = self.record.rows
        try:
            self._finish(block)
        except BaseException as error:
            # Airflow 2 ends a task by an exception that comes at any place: what is known is written down once more.
            if self.stop.requested and not isinstance(error, SendTakenOver):
                if self.record.intent is None:
                    self.ledger.save(self.record)
                elif self.record.rows == before and not block.again:
                    self._interrupt(block)
            raise

    def _end_here(self, block: Block[Item]) -> NoReturn:
        """Write down how far a block came, because the task is being ended.

        :raises TaskStopped: always.
        """
        self._interrupt(block)
        counts = self.counts
        unknown = counts[Outcome.UNKNOWN]
        doubt = f", and of {unknown:,} no answer had come (see on_unknown=)" if unknown else ""
        raise TaskStopped(
            f"Airflow ended this task while it was sending: {counts[Outcome.ACCEPTED]:,} are accepted{doubt}; nothing "
            "more leaves. That is written down, and a retry goes on with the rest."
        )

    def _settle(self, block: Block[Item], requests: SendRequests[Item], cause: EspError | None = None) -> None:
        """Look up what is unknown of a block.

        :raises SendOutcomeUnknown: the service does not show some of it.
        """
        unknown = [row for row in block.rows if row.outcome is Outcome.UNKNOWN]
        if not unknown or self.record.intent is None:
            return
        if self.look_up is None:
            self._stop(block, "there is no way to look them up", cause)
        since = datetime.datetime.fromisoformat(self.record.intent.at)
        try:
            reason = self.look_up.settle(unknown, since, requests.pool)
        except BaseException:
            self._interrupt(block)
            raise
        if reason:
            self._stop(block, reason, cause)

    def _intend(self, block: Block[Item]) -> None:
        """Write down what is about to leave, and see to it that no later try sends it as well.

        :raises SendTakenOver: one does.
        """
        self.record.intent = self._intent(block, _now(), leaving=True)
        written = False
        try:
            self.ledger.save(self.record, leaving=True)
            written = True
            self.ledger.check_owner()
        except BaseException as error:
            if written or (self.stop.requested and not isinstance(error, SendTakenOver)):
                self._interrupt(block)  # takes the intent back: nothing of it has left
            raise

    def _intent(self, block: Block[Item], at: str, *, leaving: bool) -> Intent:
        numbers = str(RowRanges.of(row.number for row in block.rows)) if block.again else ""
        digest = self._digest_after(block)
        known = known_of(block.rows, leaving=leaving)
        return Intent(block.rows[0].number, len(block.rows), str(digest), at, known, numbers)

    def _digest_after(self, block: Block[Item], *, with_refused: bool = False) -> RowsDigest:
        digest = self._digest.copy()
        for row in block.rows:
            if with_refused or row.outcome not in REFUSED:
                digest.add(row.number, row.values)
        return digest

    def _judge(self, block: Block[Item], sent: list[SendRow[Item]], problems: list[EspError]) -> None:
        """Decide whether the run goes on after some requests.

        :raises SendOutcomeUnknown: some rows have an unknown outcome, and the author has to decide.
        :raises EspError: a request failed for a reason that concerns all rows, or for which they are sent again.
        """
        unknown = [row for row in sent if row.outcome is Outcome.UNKNOWN]
        final = [problem for problem in problems if not problem.outcome_unknown]
        doubtful = [problem for problem in problems if problem.outcome_unknown]
        if unknown and (self.on_unknown in ("stop", "lookup") or (self.on_unknown == "resend" and not problems)):
            self._stop(block, unknown[0].reason, next(iter(doubtful), None))
        answered = any(row.outcome in SETTLED for row in sent)
        self._unanswered = self._unanswered + 1 if doubtful and not answered else 0
        if final or (doubtful and (self.on_unknown == "resend" or self._unanswered >= MOST_UNANSWERED)):
            self._interrupt(block)
            raise (final or doubtful)[0]

    def _finish(self, block: Block[Item]) -> None:
        part, refusal = self._try_part(block)
        counts, record, lost = self.record.count(), self.record, False
        if block.again:
            for row in block.rows:
                counts.move(1, *_moves(row))
                self._refused.change(row.number, row.outcome if row.outcome in REFUSED else None)
        else:
            for row in block.rows:
                counts.add(row.outcome or Outcome.NOT_REACHED)
            record.rows = block.rows[-1].number
            lost = bool(block.refused) and not self._refused.add(block.refused, in_parts=part is not None)
        self._digest = self._digest_after(block, with_refused=lost)
        record.counts = {name: rows for name, rows in counts.as_dict().items() if rows}
        record.digest, record.intent = str(self._digest), None
        self._resumed = False
        self.ledger.save(record)
        self.progress(self)
        if refusal is not None:  # what is known stays known, and nothing else is sent that no report would name
            raise refusal

    def _interrupt(self, block: Block[Item]) -> str | None:
        """Write down how far a block came that cannot be finished now, and give the name of its part."""
        block.release_duplicates(self._met)
        for row in block.rows:
            if block.again:
                self._unfinished.move(1, *_moves(row))
            else:
                self._unfinished.add(row.outcome or Outcome.NOT_REACHED)
        part, intent = None, None
        # Where nothing ever left there is nothing to remember, and the author may change these rows.
        left = self._resumed or block.reached or any(row.outcome in SETTLED for row in block.rows)
        if self.record.intent is not None and left:
            part, _ = self._try_part(block)  # the run is ending for another reason
            intent = self._intent(block, self.record.intent.at, leaving=False)
        self.record.intent = intent
        self.ledger.save(self.record)
        return part

    def _stop(self, block: Block[Item], reason: str, cause: EspError | None = None) -> NoReturn:
        at = self.record.intent.at if self.record.intent else _now()
        part = self._interrupt(block)
        where = f" (listed in the report, {part})" if part else ""
        unknown = sum(row.outcome is Outcome.UNKNOWN for row in block.rows)
        raise SendOutcomeUnknown(
            f"Of {unknown:,} recipients in rows {block.rows[0].number:,} to {block.rows[-1].number:,}{where} it "
            f"is unknown whether they were reached at {at}: {reason}. "
            'Look them up at the service, then run the task again with on_unknown="skip" or "resend".'
        ) from cause

    def _try_part(self, block: Block[Item]) -> tuple[str | None, StorageUnwritable | None]:
        """Write a block's part, and return its name, or why it cannot be written: the ledger is saved all the same."""
        try:
            return self.parts.write(self.record.send, self._columns, block.rows, again=block.again), None
        except StorageUnwritable as refusal:
            return None, refusal


def _moves(row: SendRow[Any]) -> tuple[Outcome, Outcome]:
    """Return what a row that is tried once more was, and what it is now."""
    before = row.before or Outcome.NOT_REACHED
    return before, row.outcome or before


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
