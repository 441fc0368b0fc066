"""The refused rows of a send, which are tried once more after it has ended with too many of them.

Their numbers stand in the ledger's record as far as it has room. What does not fit stands in the parts of the report;
without a report those rows are not tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_provider_esp.core.ledger import SendRecord
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.row_ranges import RowRanges
from airflow_provider_esp.exceptions import LedgerUnreadable

REFUSED = (Outcome.INVALID, Outcome.REJECTED)
MOST_CHARACTERS = 6000
"""Room for row numbers in a record, which stays below 16 KB in all."""


class RefusedRows:
    """The numbers of refused rows, by outcome.

    :param record: the ledger's.
    """

    def __init__(self, record: SendRecord) -> None:
        self._record = record
        self._listed = {outcome: RowRanges(record.refused.get(outcome, "")) for outcome in REFUSED}
        self._in_parts: dict[int, Outcome] = {}

    def recall(self, in_parts: Mapping[int, Outcome], under_way: Iterable[int] = ()) -> None:
        """Take over what the parts of the report say of the rows that the record has no room for.

        :param in_parts: refused rows by number, those that the record lists included.
        :param under_way: rows that were being tried once more when the last try ended: of these the parts may be ahead.
        :raises LedgerUnreadable: the parts lack some of them.
        """
        self._in_parts = {number: outcome for number, outcome in in_parts.items() if self._list_of(number) is None}
        for number in under_way:
            if self.outcome(number) is None:
                rejected = sum(outcome is Outcome.REJECTED for outcome in self._in_parts.values())
                rejected += len(self._listed[Outcome.REJECTED])
                ahead = self._record.count()[Outcome.REJECTED] > rejected
                self._in_parts[number] = Outcome.REJECTED if ahead else Outcome.INVALID
        missing = self._record.refused_elsewhere - len(self._in_parts)
        if missing:
            raise LedgerUnreadable(
                f"The report of the last try is needed here, and {abs(missing):,} of its rows do not match the ledger: "
                "it names the refused rows for which the ledger has no room. Restore the report folder (report_path=), "
                "or send what is left in a run of its own and leave out everybody who was written to."
            )

    def outcome(self, number: int) -> Outcome | None:
        """Return what a row was refused as; None where it was not, or where it cannot be tried again."""
        return self._list_of(number) or self._in_parts.get(number)

    def add(self, rows: Mapping[int, Outcome], *, in_parts: bool) -> bool:
        """Take the refused rows of a block in.

        :param rows: outcome by number.
        :param in_parts: whether the parts of the report name them.
        :returns: whether they can be tried again: False where nothing remembers them.
        """
        for number, outcome in rows.items():
            self._listed[outcome].add(number)
        if sum(len(str(ranges)) for ranges in self._listed.values()) > MOST_CHARACTERS:
            for number, outcome in rows.items():
                self._listed[outcome].discard(number)
            if in_parts:
                self._record.refused_elsewhere += len(rows)
            else:
                self._record.refused_for_good += len(rows)
                return False
        self._write()
        return True

    def change(self, number: int, outcome: Outcome | None) -> None:
        """Note how a refused row ended that was tried once more.

        :param outcome: what it was refused as this time; None where it was not.
        """
        listed = self._list_of(number)
        if listed is not None:
            self._listed[listed].discard(number)
            if outcome is not None:
                self._listed[outcome].add(number)
            self._write()
        elif outcome is not None:
            self._in_parts[number] = outcome
        else:
            del self._in_parts[number]
            self._record.refused_elsewhere -= 1

    def _list_of(self, number: int) -> Outcome | None:
        return next((outcome for outcome, ranges in self._listed.items() if number in ranges), None)

    def _write(self) -> None:
        self._record.refused = {outcome.value: str(ranges) for outcome, ranges in self._listed.items() if ranges}
