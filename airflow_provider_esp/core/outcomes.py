"""Where a row ends: the seven outcomes, and counts of them that add up to the rows read."""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


class Outcome(enum.StrEnum):
    """How one row ended. A row has exactly one of these."""

    ACCEPTED = "accepted"
    """The service took it (unverified where it answers only for the whole batch)."""
    REJECTED = "rejected"
    """The service refused it."""
    INVALID = "invalid"
    """We refused it: it could not be sent as it is."""
    DUPLICATE = "duplicate"
    """Duplicate of another row of the same run."""
    SUPPRESSED = "suppressed"
    """The author asked to leave this person out."""
    UNKNOWN = "unknown"
    """It was sent, and its outcome is unknown."""
    NOT_REACHED = "not_reached"
    """The run ended before its turn."""


HELD_BACK = "dry run: it would have been sent"
"""The reason of a row that a dry run did not reach."""


@dataclass(slots=True)
class Counts:
    """Rows by outcome.

    :ivar by_outcome: rows by outcome; one that did not occur may be missing.
    """

    by_outcome: dict[Outcome, int] = field(default_factory=dict)

    def add(self, outcome: Outcome, rows: int = 1) -> None:
        """Count rows."""
        if rows:
            self.by_outcome[outcome] = self.by_outcome.get(outcome, 0) + rows

    def include(self, others: Counts) -> None:
        """Count what others have counted."""
        for outcome, rows in others.by_outcome.items():
            self.add(outcome, rows)

    def move(self, rows: int, source: Outcome, target: Outcome) -> None:
        """Count rows as something else than before, e.g. accepted ones that an import left out."""
        self.add(source, -rows)
        self.add(target, rows)

    def __getitem__(self, outcome: Outcome) -> int:
        return self.by_outcome.get(outcome, 0)

    @property
    def rows(self) -> int:
        """All rows counted."""
        return sum(self.by_outcome.values())

    @property
    def refused(self) -> int:
        """Rows that count against ``max_rejects``: rejected and invalid ones."""
        return self[Outcome.REJECTED] + self[Outcome.INVALID]

    def as_dict(self) -> dict[str, int]:
        """All seven by name, zeros included, in the order of the outcomes: JSON-able."""
        return {outcome.value: self[outcome] for outcome in Outcome}

    @classmethod
    def from_dict(cls, counts: Mapping[str, int]) -> Counts:
        """Read what `as_dict` gave."""
        return cls({Outcome(name): number for name, number in counts.items() if number})

    def __str__(self) -> str:
        told = [f"{number:,} {outcome.value}" for outcome in Outcome if (number := self[outcome])]
        return ", ".join(told) or "no rows"


def allowed_rejects(limit: int | float | str, rows: int) -> int:
    """Return how many refused rows ``max_rejects`` allows.

    :param limit: a number of rows, or a share such as ``"1%"``.
    :param rows: rows read.
    :raises ValueError: it is neither.
    """
    said = str(limit).strip()
    share = said.endswith("%")
    try:
        number = Decimal(said.removesuffix("%"))  # exact: 29 % of 100 rows are 29
        most = Decimal(100) if share else Decimal(sys.maxsize)
        if 0 <= number <= most and (share or number == int(number)):
            return int(rows * number / 100) if share else int(number)
    except ArithmeticError:
        pass  # no number at all
    raise ValueError(f'max_rejects must be a number of rows or a share such as "1%", not {limit!r}.')
