"""Whom the author asked to leave out: addresses, phone numbers and ids, from lists, sources and the service itself.

Of each person a digest of 16 bytes is kept, under the name that the rows have after checking, so that two spellings of
one address or number are the same here as well. A list of people who must not be written to is read to its end or not
at all: whatever cannot be read in it stops the task before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_esp.delivery.addresses import email_address, phone_number
from airflow_provider_esp.delivery.checking import Checked, Checker
from airflow_provider_esp.delivery.errors import ColumnError, Refused, SourceError
from airflow_provider_esp.delivery.mapping import same_key
from airflow_provider_esp.delivery.people import People
from airflow_provider_esp.delivery.rows import MISSING, BadRow, Table
from airflow_provider_esp.delivery.values import text
from airflow_provider_esp.services.neutral import Event, Recipient

USUAL_COLUMNS = ("email", "phone", "external_id")
"""The columns that are looked for where the author names none."""


class OneList:
    """People whom one place names.

    :param origin: what messages call the place.
    :ivar odd: values that are neither an address nor a number: only an id can be meant by them.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.people = 0
        self.odd = 0
        self._names = People()

    def take(self, value: str) -> None:
        """Take somebody in.

        :param value: an address, a number or an id, however it is written.
        """
        names, ordinary = _spellings(value)
        self.people += sum(map(self._names.add, names)) > 0  # a sum, so that every name is taken in
        self.odd += not ordinary

    def has(self, names: Iterable[str]) -> bool:
        """Tell whether somebody of one of these names was taken in."""
        return any(name in self._names for name in names)


class Suppression:
    """People who are left out, by the place that names them."""

    def __init__(self) -> None:
        self._lists: list[OneList] = []

    def open(self, origin: str) -> OneList:
        """Give a list to take people into.

        :param origin: what messages call the place that they come from.
        """
        self._lists.append(OneList(origin))
        return self._lists[-1]

    def take_given(self, values: Iterable[object], origin: str) -> OneList:
        """Take people in whom the author has written down one by one.

        :raises SourceError: one of them is neither an address nor a number, e.g. a path that was meant to be read.
        """
        given = self.open(origin)
        for number, value in enumerate(values, 1):
            given.take(_given(value, number, origin))
        return given

    def take_rows(self, table: Table, columns: Sequence[str] | None = None) -> OneList:
        """Take in everybody whom a table names.

        :param columns: those that hold addresses, numbers or ids; of several the ones that the table has. None for
            the columns called ``email``, ``phone`` and ``external_id``, or the only one there is.
        :raises ColumnError: it has none of them, or they hold nothing.
        :raises SourceError: a row cannot be read.
        """
        at = _positions(table, columns)
        named = self.open(table.origin)
        rows = 0
        for number, row in enumerate(table.rows, 1):
            rows = number
            for value in _cells(row, at, number, table):
                named.take(value)
        if rows and not named.people:
            raise ColumnError(f"{table.origin}: {rows:,} rows, and not one of them names anybody to leave out.")
        return named

    def reason(self, names: Iterable[object]) -> str | None:
        """Say why somebody is left out; None for who is not.

        :param names: what the person is known by, as it is sent; what is no text is passed over.
        """
        known = {same_key(name) for name in names if isinstance(name, str)}
        for one in self._lists:
            if one.has(known):
                return f"left out: stands in {one.origin}"
        return None

    def __len__(self) -> int:
        return sum(one.people for one in self._lists)


class SuppressingChecker:
    """Checks batches, and takes those out of them who are to be left out.

    A row that another row of its batch stands for stays a duplicate; of the others each is looked at under its
    address, its number and its ids, whichever it is matched by.

    :param checker: does the checking.
    :param suppression: who is left out.
    """

    def __init__(self, checker: Checker, suppression: Suppression) -> None:
        self._checker = checker
        self._suppression = suppression

    def check(self, first_row: int, rows: Sequence[Sequence[Any]]) -> Checked:
        """Check rows that follow each other.

        :param first_row: number of the first.
        """
        checked = self._checker.check(first_row, rows)
        standard = checked.contacts.standard
        names = [checked.keys, *(standard[name] for name in USUAL_COLUMNS if name in standard)]
        out = {at: why for at, who in enumerate(zip(*names, strict=True)) if (why := self._suppression.reason(who))}
        if not out:
            return checked
        kept = [at for at in range(len(checked.rows)) if at not in out]
        return Checked(
            checked.contacts.take(kept),
            [checked.rows[at] for at in kept],
            [checked.keys[at] for at in kept],
            [checked.values[at] for at in kept],
            checked.invalid,
            checked.duplicates,
            [(checked.rows[at], checked.values[at], checked.keys[at], why) for at, why in out.items()],
        )


def names_of(item: object) -> tuple[str | None, ...]:
    """Give everything that a recipient, or whoever an event is about, is known by."""
    match item:
        case Recipient():
            return (item.locator, item.external_id)
        case Event():
            return (item.email, item.phone)
    raise TypeError(f"Nobody is known by a {type(item).__name__}.")


def _spellings(value: str) -> tuple[set[str], bool]:
    """Give the names that somebody may have in the rows, and whether the value is an address or a number.

    An id may look like a phone number, so it is kept as it is written as well.
    """
    plain = value.strip()
    names = {same_key(plain)}
    try:
        names.add(same_key(email_address(plain) if "@" in plain else phone_number(plain)))
    except Refused:
        return names, False
    return names, True


def _given(value: object, number: int, origin: str) -> str:
    try:
        plain = text(value, origin) or ""
    except Refused:
        plain = ""
    if not _spellings(plain)[1]:
        raise SourceError(
            f"{origin}: entry {number} is neither an e-mail address nor a phone number. Correct it; a file is named "
            "by FileSource(path)."
        )
    return plain


def _positions(table: Table, columns: Sequence[str] | None) -> list[tuple[int, str]]:
    """Find the columns that name people; none where there are no rows."""
    wanted = USUAL_COLUMNS if columns is None else columns
    found = [(at, name) for at, name in enumerate(table.columns) if name in wanted]
    if not found and columns is None and len(table.columns) == 1:
        return [(0, table.columns[0])]
    if table.columns and not found:
        raise ColumnError(
            f"{table.origin}: no column {' or '.join(map(repr, wanted))}; it has "
            f"{', '.join(map(repr, table.columns))}. Say in suppress_column= which names the people to leave out."
        )
    return found


def _cells(row: Sequence[Any], at: Sequence[tuple[int, str]], number: int, table: Table) -> Iterable[str]:
    if isinstance(row, BadRow):
        raise _unreadable(number, row.reason, table)
    for position, name in at:
        try:
            value = None if row[position] is MISSING else text(row[position], name)
        except Refused as reason:
            raise _unreadable(number, str(reason), table) from None
        if value is not None:
            yield value


def _unreadable(number: int, reason: str, table: Table) -> SourceError:
    return SourceError(
        f"{table.origin}: row {number:,} cannot be read: {reason}. Nothing is sent until everybody in it who is to be "
        "left out is known."
    )
