"""The rows of a block of a send, and what is written down about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from airflow_provider_esp.delivery.outcomes import Outcome
from airflow_provider_esp.services.neutral import SendResult

Item = TypeVar("Item")

SETTLED = (Outcome.ACCEPTED, Outcome.REJECTED)
"""What the service has said of a row is final."""


@dataclass(slots=True)
class SendRow(Generic[Item]):
    """A source row on its way: what is sent of it, and what became of it."""

    number: int
    values: Sequence[Any]
    item: Item | None = None
    key: str | None = None
    outcome: Outcome | None = None
    reason: str = ""
    request_id: str | None = None
    left_out: str = ""


def outcome_of(result: SendResult) -> Outcome:
    """Say what the service's answer makes of a row."""
    if result.held_back:
        return Outcome.NOT_REACHED
    if result.unknown:
        return Outcome.UNKNOWN
    return Outcome.ACCEPTED if result.accepted else Outcome.REJECTED


def mark(rows: Sequence[SendRow[Any]], outcome: Outcome | None, reason: str = "") -> None:
    """Write the same into several rows."""
    for row in rows:
        row.outcome, row.reason = outcome, reason if outcome else ""


def known_of(block: Sequence[SendRow[Any]], *, leaving: bool) -> dict[str, list[int]]:
    """List row numbers by outcome, for an `Intent`.

    :param leaving: whether the rows that have no outcome yet are about to leave; otherwise they certainly did not.
    """
    known: dict[str, list[int]] = {}
    for row in block:
        if row.outcome in SETTLED:
            known.setdefault(row.outcome, []).append(row.number)
        elif row.item is not None and (
            row.outcome in (Outcome.INVALID, Outcome.SUPPRESSED) or (row.outcome is None and not leaving)
        ):
            known.setdefault(Outcome.NOT_REACHED, []).append(row.number)
    return known
