"""Contacts by column: what a batch of an upload is, because a column is checked and encoded much faster than a row.

Each column is a list with one value for every contact: text, None where a value is to be erased, or `UNSET` where
the contact does not carry the field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from itertools import repeat
from operator import is_, itemgetter
from typing import Any, Literal

from msgspec import UNSET

from airflow_provider_esp.core.models import STANDARD_FIELDS, Contact

Column = Sequence[Any]


FieldKind = Literal["text", "whole", "date", "datetime"]


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What a service asks of a field's text.

    :param pattern: regular expression that the whole text must match.
    :param reason: what is said of a row whose text does not; quotes no value.
    :param kind: what the field holds, so that a value that is right but for its spelling can be written as the service
        takes it: a whole number with ``.0``, a date with a midnight, a moment with a zone.
    :param explain: says what is wrong with a text that does not match, or None where it is right after all. Where it
        says nothing at all, it is the reason.
    """

    pattern: str
    reason: str
    kind: FieldKind = "text"
    explain: Callable[[str], str | None] | None = None


def picker(positions: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Make a function that picks values of a sequence, by position: one call for all of them, which is quick.

    :param positions: at most as many as the sequence has values.
    """
    return itemgetter(*positions) if len(positions) > 1 else lambda values: [values[at] for at in positions]


def _has_gap(column: Column) -> bool:
    return any(map(is_, column, repeat(UNSET)))


class ContactColumns:
    """Some contacts, by column.

    :param size: how many there are.
    :param standard: columns by neutral field (`STANDARD_FIELDS`).
    :param custom: columns by the key of an additional field (SendPulse: the variable's name).
    :param gaps: names of the columns that may hold `UNSET`; None to look for it.
    """

    __slots__ = ("custom", "gaps", "size", "standard")

    def __init__(
        self, size: int, standard: dict[str, Column], custom: dict[str, Column], gaps: Set[str] | None = None
    ) -> None:
        self.size = size
        self.standard = standard
        self.custom = custom
        if gaps is None:
            gaps = {name for name, column in [*standard.items(), *custom.items()] if _has_gap(column)}
        self.gaps = gaps

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<{self.size} contacts with {', '.join([*self.standard, *self.custom])}>"

    def take(self, positions: Sequence[int]) -> ContactColumns:
        """Return some of the contacts, in the order of the positions."""
        pick = picker(positions)
        standard = {name: pick(column) for name, column in self.standard.items()}
        custom = {name: pick(column) for name, column in self.custom.items()}
        columns = {**custom, **standard}
        gaps = frozenset(name for name in self.gaps if _has_gap(columns[name]))
        return ContactColumns(len(positions), standard, custom, gaps)

    def part(self, start: int, stop: int) -> ContactColumns:
        """Return the contacts from one position up to another."""
        return ContactColumns(
            stop - start,
            {name: column[start:stop] for name, column in self.standard.items()},
            {name: column[start:stop] for name, column in self.custom.items()},
            None if self.gaps else self.gaps,
        )

    def by_fields(self) -> list[Sequence[int]]:
        """Divide the contacts (by position) into groups that all carry the same fields."""
        if not self.gaps:
            return [range(self.size)] if self.size else []
        partial = [column for name, column in [*self.standard.items(), *self.custom.items()] if name in self.gaps]
        groups: dict[tuple[bool, ...], list[int]] = {}
        signatures = zip(*(map(is_, column, repeat(UNSET)) for column in partial), strict=True)
        for position, signature in enumerate(signatures):
            groups.setdefault(signature, []).append(position)
        return [*groups.values()]

    def carried(self) -> ContactColumns:
        """Leave out the columns that no contact carries; for contacts that all carry the same fields.

        :raises ValueError: they do not.
        """
        if not self.gaps:
            return self

        def whole(columns: dict[str, Column]) -> dict[str, Column]:
            kept = {}
            for name, column in columns.items():
                missing = sum(map(is_, column, repeat(UNSET))) if name in self.gaps else 0
                if 0 < missing < self.size:
                    raise ValueError(f"{missing} of {self.size} contacts do not carry {name!r}: it would be erased.")
                if not missing:
                    kept[name] = column
            return kept

        return ContactColumns(self.size, whole(self.standard), whole(self.custom), frozenset())

    def contacts(self) -> list[Contact]:
        """Return the contacts one by one, for a service whose requests are made of single contacts."""
        names, keys = list(self.standard), list(self.custom)
        rows = zip(*self.standard.values(), strict=True) if names else iter([()] * self.size)
        extras = zip(*self.custom.values(), strict=True) if keys else iter([()] * self.size)
        return [
            Contact(
                **dict(zip(names, row, strict=True)),
                custom={key: value for key, value in zip(keys, extra, strict=True) if value is not UNSET},
            )
            for row, extra in zip(rows, extras, strict=True)
        ]

    @classmethod
    def of(cls, contacts: Sequence[Contact]) -> ContactColumns:
        """Make columns of single contacts."""
        keys = dict.fromkeys(key for contact in contacts for key in contact.custom)
        standard = {name: [getattr(contact, name) for contact in contacts] for name in STANDARD_FIELDS}
        return cls(
            len(contacts),
            {name: column for name, column in standard.items() if any(value is not UNSET for value in column)},
            {key: [contact.custom.get(key, UNSET) for contact in contacts] for key in keys},
        )
