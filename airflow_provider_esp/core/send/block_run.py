"""One block of a send: its intent before it leaves, its result after, and what is done where neither is certain."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar

from airflow_provider_esp.core.calls import Perform
from airflow_provider_esp.core.ledger import Intent, Ledger, RowsDigest, SendRecord
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.row_keys import RowKeys
from airflow_provider_esp.core.row_ranges import RowRanges
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send.blocks import SETTLED, Block, SendRow, known_of
from airflow_provider_esp.core.send.refused_rows import REFUSED, RefusedRows
from airflow_provider_esp.core.send.report_parts import SendParts
from airflow_provider_esp.core.send.requests import SendRequests, SendTarget
from airflow_provider_esp.core.send.sent_lookup import LookUp
from airflow_provider_esp.core.source_mark import SourceMark
from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.core.validation.key_set import CompactKeySet
from airflow_provider_esp.core.validation.suppression import LeavesOut
from airflow_provider_esp.exceptions import (
    EspError,
    SendOutcomeUnknown,
    SendTakenOver,
    StorageUnwritable,
    TaskStopped,
)

if TYPE_CHECKING:  # a send without a key does not pay for it
    from airflow_provider_esp.core.send.send_key import SendKey

Item = TypeVar("Item")
OnUnknown = Literal["stop", "skip", "resend", "lookup"]

MOST_UNANSWERED = 3
"""Blocks in a row of which no request is answered: then the service is down, and nobody else is skipped."""


@dataclass(slots=True)
class BlockRun(Generic[Item]):
    """What carries out the blocks of one send, and keeps its record.

    :param target: where the items go.
    :param perform: carries out a flow; called from several threads.
    :param ledger: what earlier tries have done.
    :param report: where results are written, with the request ids of those that were accepted.
    :param deduplicate: whether a person who stands twice in the audience is written to once.
    :param concurrency: requests under way at once, where each carries one row.
    :param on_unknown: what to do about rows whose outcome is unknown: ``stop``; ``skip`` them, as long as the service
        answers others; fail, and ``resend`` them at the next try; or ``lookup``: ask whether the service shows them as
        sent, and stop where it does not.
    :param look_up: how to look them up; needed for ``lookup``.
    :param awaits_delivery: whether something is left to be done afterwards (a wait, a decision) that `Ledger.end`
        ends: a try that comes before has nothing left to send, and is not told that it was sent before.
    :param progress: called with this object, first before anything is done and then after each block.
    :param keep_values: whether the report holds the rows themselves.
    :param suppression: who is left out; None for nobody.
    :param send_key: what this send shares with others, so that a person is reached once; None for nothing. Whom they
        have reached, `suppression` leaves out.
    :param row_keys: by what the report names rows; None for what people are known by.
    :param source: what the rows come from; None where there is nothing to tell apart.
    :param stop: says that the task is being ended: then nothing more leaves, and what is known is written down.
    :param mapped: whether the task is one of several that differ by their place in a list, which may change its order.
    """

    target: SendTarget[Item]
    perform: Perform
    ledger: Ledger
    report: Report
    deduplicate: bool = True
    concurrency: int = 4
    on_unknown: OnUnknown = "stop"
    look_up: LookUp[Item] | None = None
    awaits_delivery: bool = False
    progress: Callable[[BlockRun[Any]], None] = lambda run: None
    keep_values: bool = False
    suppression: LeavesOut | None = None
    send_key: SendKey | None = None
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

    def _run_block(self, block: Block[Item], requests: SendRequests[Item]) -> None:
        """Send what is still to be sent of a block: intent first, result after."""
        if self.report.kept and not block.to_send():
            self._write_intent(
                block
            )  # nothing leaves, but its part is named by how it is cut: the next try must cut it so
        while to_send := block.to_send():
            if self.stop.requested:
                self._end_block(block)
            self._write_intent(block)
            try:
                problems = requests.send(to_send)
            except BaseException:
                self._interrupt(block)
                raise
            if self.stop.requested:
                block.release_duplicates(self._met)
                if any(row.outcome in (None, Outcome.UNKNOWN) for row in block.rows):
                    self._end_block(block)
            if self.on_unknown == "lookup":
                self._settle(block, requests, next((problem for problem in problems if problem.outcome_unknown), None))
            self._decide(block, to_send, problems)
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

    def _end_block(self, block: Block[Item]) -> NoReturn:
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

    def _write_intent(self, block: Block[Item]) -> None:
        """Write down what is about to leave, and see to it that no later try sends it as well.

        :raises SendTakenOver: one does.
        :raises SendKeyTaken: another task sends under the same key by now.
        """
        if self.send_key is not None:
            self._claim(block, self.send_key)
        self.record.intent = self._intent(block, now(), leaving=True)
        written = False
        try:
            self.ledger.save(self.record, leaving=True)
            written = True
            self.ledger.check_owner()
            if self.send_key is not None:
                self.send_key.check_owner()
        except BaseException as error:
            if written or (self.stop.requested and not isinstance(error, SendTakenOver)):
                self._interrupt(block)  # takes the intent back: nothing of it has left
            raise

    def _claim(self, block: Block[Item], send_key: SendKey) -> None:
        """Write down under the key whom a block is about to reach."""
        people = [row.key for row in block.to_send() if row.key is not None]
        if not people:
            return
        try:
            send_key.settle(block.not_reached())
            self.record.claim = send_key.claim(people)
        except BaseException:
            self._interrupt(block)
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

    def _decide(self, block: Block[Item], sent: list[SendRow[Item]], problems: list[EspError]) -> None:
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
        refusal = self._try_settle(block) or refusal
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
        self._try_settle(block)  # whoever stays written down without need is only left out by others
        # Where nothing ever left there is nothing to remember, and the author may change these rows.
        left = self._resumed or block.reached or any(row.outcome in SETTLED for row in block.rows)
        if self.record.intent is not None and left:
            part, _ = self._try_part(block)  # the run is ending for another reason
            intent = self._intent(block, self.record.intent.at, leaving=False)
        self.record.intent = intent
        self.ledger.save(self.record)
        return part

    def _stop(self, block: Block[Item], reason: str, cause: EspError | None = None) -> NoReturn:
        at = self.record.intent.at if self.record.intent else now()
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

    def _try_settle(self, block: Block[Item]) -> StorageUnwritable | None:
        """Take back under the key who was not reached, and return why that cannot be written."""
        if self.send_key is None:
            return None
        try:
            self.send_key.settle(block.not_reached())
        except StorageUnwritable as refusal:
            return refusal
        return None


def _moves(row: SendRow[Any]) -> tuple[Outcome, Outcome]:
    """Return what a row that is tried once more was, and what it is now."""
    before = row.before or Outcome.NOT_REACHED
    return before, row.outcome or before


def now() -> str:
    """Return the time as records have it: ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
