"""Messages and events go out, each at most once: blocks of rows, an intent before each and its result after.

An upload may be repeated; a message may not. So a block is written down before it leaves, a later try goes on
only past blocks whose result is known, and a block with unknown outcome stops the run until the author says what to
do. A send that ended with too many refused rows goes on with those rows alone: they are tried once more, since they
may have been corrected in place.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_esp.core.ledger import Intent, new_record
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_ranges import RowRanges
from airflow_provider_esp.core.send.block_run import BlockRun, OnUnknown, now
from airflow_provider_esp.core.send.blocks import SETTLED, Block, SendRow, mark, read_known
from airflow_provider_esp.core.send.refused_rows import REFUSED, RefusedRows
from airflow_provider_esp.core.send.requests import SendRequests, SendTarget
from airflow_provider_esp.core.stopping import threads
from airflow_provider_esp.core.validation.mapper import Mapper
from airflow_provider_esp.core.validation.suppression import names_of
from airflow_provider_esp.exceptions import (
    AlreadySent,
    AudienceChanged,
)

__all__ = ["OnUnknown", "SendRun", "SendTarget"]

Item = TypeVar("Item")
Numbered = tuple[int, Sequence[Any]]

SINGLES_IN_A_BLOCK = 100
_PASSED_AT_ONCE = 1000

log = logging.getLogger(__name__)


@dataclass(slots=True)
class SendRun(BlockRun[Item]):
    """One run of a send, block after block; arguments are those of `BlockRun`."""

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
            if self.send_key is not None:
                self.send_key.forget(self.record.send)
            self.record = new_record(resent=self.record.resent)
        if not self.record.sent_at or self.record.too_many_refused:
            self._send(table, mapper)
        if not self.awaits_delivery:
            self.ledger.end()

    def _send(self, table: Table, mapper: Mapper[Item]) -> None:
        self._refused = RefusedRows(self.record)
        self._recall_refused()
        another = self.source is not None and self.record.source != self.source
        if another or self.send_key is not None:  # what is written down under the key names this send
            self.record.source = self.source or self.record.source
            self.ledger.save(self.record)
        if self.send_key is not None:
            self.send_key.begin(self.record)
        self.progress(self)
        rows: Iterator[Numbered] = enumerate(table.rows, 1)
        size = self.target.batch_size if self.target.batch_size > 1 else SINGLES_IN_A_BLOCK
        with threads(self.concurrency, "esp-send", self.stop) as pool:
            skips = self.on_unknown == "skip"
            requests = SendRequests(self.target, self.perform, pool, skips_unknown=skips, stop=self.stop)
            refused = self._skip_sent(rows, mapper)
            if self.record.intent is not None:
                self._resume(self.record.intent, rows, refused, mapper, requests)
            if self.record.too_many_refused:
                self._try_refused(rows, refused, size, mapper, requests)
            while block := self._prepare(itertools.islice(rows, size), mapper):
                self._run_block(Block(block), requests)
        if self.send_key is not None:
            self.send_key.finish()
        self.record.sent_at, self.record.too_many_refused = now(), False
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
        self.record = new_record(resent=True)

    def _recall_refused(self) -> None:
        if self.record.refused_elsewhere:
            again = RowRanges(self.record.intent.again if self.record.intent else "")
            self._refused.recall(self.parts.refused(self.record.send, self.record.rows), again)

    def _skip_sent(self, rows: Iterator[Numbered], mapper: Mapper[Item]) -> list[Numbered]:
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
                item = mapper(values) if self.deduplicate else ""
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
        self._run_block(block, requests)

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
            row.stands = self.deduplicate and self._met.add(row.key or "")
            if self.deduplicate and not row.stands:
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
            self._run_block(Block(block, again=True), requests)
