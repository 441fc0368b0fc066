"""The parts of a send's report: each block's answers, written before the ledger counts on them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.readers.table import as_source
from airflow_provider_esp.core.row_keys import RowKeys
from airflow_provider_esp.core.row_report import Report, RowReport, part_name
from airflow_provider_esp.core.send.blocks import SendRow
from airflow_provider_esp.core.send.refused_rows import REFUSED

STAGE = "sent"
MOST_IDS_KEPT = 1000


class SendParts:
    """Writes what became of rows into the report, and reads what earlier tries wrote of the same send.

    A part is named by its first row and the send that it belongs to.

    :param report: where it goes.
    :param keep_values: whether it holds the rows themselves.
    :param row_keys: by what it names rows; None for what people are known by.
    :ivar written: names of the parts that this try wrote.
    :ivar request_ids: the first ids of messages that were accepted.
    :ivar all_ids: how many there are.
    """

    def __init__(self, report: Report, *, keep_values: bool, row_keys: RowKeys | None = None) -> None:
        self.report = report
        self._row_keys = row_keys
        self.written: list[str] = []
        self.request_ids: list[str] = []
        self.all_ids = 0
        self._keep_values = keep_values

    def write(self, send: str, columns: Sequence[str], block: Sequence[SendRow[Any]], *, again: bool) -> str | None:
        """Write the part of a block, which is closed when this returns.

        :param again: whether these are refused rows that were tried once more: they change in the parts they stand in.
        :returns: the part's name, of several the first; None where there is no report.
        """
        self._count_ids(block)
        if again:
            return self._update(send, columns, block)
        return self._note(self.report.write(block[0].number, send, STAGE, [self._about(columns, row) for row in block]))

    def names(self, send: str) -> list[str]:
        """List the parts of a send, in the order of their rows."""
        return [name for name in self.report.names(STAGE) if f"-{send}-" in name]

    def remove(self, send: str) -> None:
        """Take away what is written of a send."""
        for name in self.names(send) if send else ():
            self.report.remove(name)

    def read_block(self, send: str, block: Sequence[SendRow[Any]], *, again: bool) -> dict[int, RowReport]:
        """Read what is written of a block's rows, by number.

        :param again: whether these are refused rows that are tried once more.
        """
        if not self.report.kept:
            return {}
        numbers = {row.number for row in block}
        names = self.names(send) if again else [part_name(block[0].number, send, STAGE)]
        return {row.row: row for name in names for row in self.report.read_if_there(name) if row.row in numbers}

    def refused(self, send: str, upto: int) -> dict[int, Outcome]:
        """Read which rows the parts of a send have as refused.

        :param upto: number of the last row that matters.
        """
        return {
            row.row: Outcome(row.outcome)
            for name in self.names(send)
            for row in self.report.read_if_there(name)
            if row.row <= upto and row.outcome in REFUSED
        }

    def _update(self, send: str, columns: Sequence[str], block: Sequence[SendRow[Any]]) -> str | None:
        changed = {row.number: self._about(columns, row) for row in block}
        for row in changed.values():
            if row.reason and row.outcome != Outcome.DUPLICATE:
                self.report.count_reason(row.reason)
        if not self.report.kept:
            return None
        reasons, names = dict(self.report.reasons), self.names(send)
        firsts = [int(name.split("-")[1]) for name in names]
        by_part: dict[int, list[int]] = defaultdict(list)
        for number in changed:
            by_part[bisect_right(firsts, number) - 1].append(number)
        first = None
        for at, numbers in sorted(by_part.items()):
            there = {row.row: row for row in self.report.read_if_there(names[at])} if at >= 0 else {}
            there |= {number: changed[number] for number in numbers}
            part = self._note(self.report.write(min(there), send, STAGE, [there[number] for number in sorted(there)]))
            first = first or part
        self.report.reasons = reasons  # those of rows that stay as they are have been told
        return first

    def _about(self, columns: Sequence[str], row: SendRow[Any]) -> RowReport:
        return RowReport(
            row.number,
            row.outcome or row.before or Outcome.NOT_REACHED,
            (self._row_keys and self._row_keys(row.values)) or row.key,
            row.reason,
            row.request_id,
            values=as_source(columns, row.values) if self._keep_values else None,
        )

    def _count_ids(self, block: Sequence[SendRow[Any]]) -> None:
        ids = [row.request_id for row in block if row.request_id]
        self.all_ids += len(ids)
        self.request_ids += ids[: MOST_IDS_KEPT - len(self.request_ids)]

    def _note(self, part: str | None) -> str | None:
        if part is not None:
            self.written.append(part)
        return part
