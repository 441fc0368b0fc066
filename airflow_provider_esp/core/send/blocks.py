"""The rows of a block of a send, and what is written down about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from airflow_provider_esp.core.models import SendResult
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.row_ranges import RowRanges
from airflow_provider_esp.core.send.refused_rows import REFUSED
from airflow_provider_esp.core.validation.key_set import CompactKeySet

Item = TypeVar("Item")

SETTLED = (Outcome.ACCEPTED, Outcome.REJECTED)
"""What the service has said of a row is final."""


@dataclass(slots=True)
class SendRow(Generic[Item]):
    """A source row on its way: what is sent of it, and what became of it.

    :ivar stands: whether it is the row by which its person counts as met.
    :ivar before: what it was refused as, where it is tried once more.
    """

    number: int
    values: Sequence[Any]
    item: Item | None = None
    key: str | None = None
    outcome: Outcome | None = None
    reason: str = ""
    request_id: str | None = None
    left_out: str = ""
    stands: bool = False
    before: Outcome | None = None


@dataclass(slots=True)
class Block(Generic[Item]):
    """Rows that the ledger moves past at once.

    :param rows: in the order of their numbers; at least one.
    :param again: whether they are refused rows that are tried once more; otherwise they follow each other.
    """

    rows: list[SendRow[Item]]
    again: bool = False

    @property
    def reached(self) -> bool:
        """Whether anybody in it was written to, or may have been."""
        return any(row.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN) for row in self.rows)

    @property
    def refused(self) -> dict[int, Outcome]:
        """Its refused rows, by number."""
        return {row.number: row.outcome for row in self.rows if row.outcome in REFUSED and row.outcome is not None}

    def not_reached(self) -> set[str]:
        """Return the people in it who certainly were not written to, or not yet."""
        reached = {row.key for row in self.rows if row.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)}
        spared = (None, Outcome.NOT_REACHED, *REFUSED)
        return {row.key for row in self.rows if row.outcome in spared and row.key and row.key not in reached}

    def to_send(self) -> list[SendRow[Item]]:
        """Return the rows that have no outcome yet."""
        return [row for row in self.rows if row.outcome is None]

    def release_duplicates(self, met: CompactKeySet) -> None:
        """Let another row of a person go whose row was refused: it may be right.

        :param met: everybody who counts as met; whoever is refused does not.
        """
        for row in self.rows:
            if not (row.stands and row.outcome in REFUSED and row.key is not None):
                continue
            row.stands = False
            met.discard(row.key)
            for other in self.rows:
                if other.key == row.key and other.outcome is Outcome.DUPLICATE:
                    met.add(row.key)
                    other.stands = True
                    mark([other], None)
                    break


def outcome_of(result: SendResult) -> Outcome:
    """Return what the service's answer makes of a row."""
    if result.held_back:
        return Outcome.NOT_REACHED
    if result.unknown:
        return Outcome.UNKNOWN
    return Outcome.ACCEPTED if result.accepted else Outcome.REJECTED


def mark(rows: Sequence[SendRow[Any]], outcome: Outcome | None, reason: str = "") -> None:
    """Write the same into several rows."""
    for row in rows:
        row.outcome, row.reason = outcome, reason if outcome else ""


def known_of(block: Sequence[SendRow[Any]], *, leaving: bool) -> dict[str, str]:
    """List the places of rows in a block by outcome, for an `Intent`.

    :param leaving: whether the rows that have no outcome yet are about to leave; otherwise they certainly did not.
    """
    known: dict[str, RowRanges] = {}
    for place, row in enumerate(block):
        if row.outcome in (*SETTLED, *REFUSED):
            known.setdefault(row.outcome, RowRanges()).add(place)
        elif row.outcome in (Outcome.SUPPRESSED, Outcome.DUPLICATE) or (row.outcome is None and not leaving):
            known.setdefault(Outcome.NOT_REACHED, RowRanges()).add(place)
    return {outcome: str(places) for outcome, places in known.items()}


def read_known(known: dict[str, str]) -> dict[int, Outcome]:
    """Return what an `Intent` knows of its rows, by their place in the block."""
    return {place: Outcome(name) for name, places in known.items() for place in RowRanges(places)}
