"""Whom the author asked to leave out: addresses, phone numbers and ids, from lists, sources and the service itself.

Of each person a digest of 16 bytes is kept, under the name that the rows have after checking, so that two spellings of
one address or number are the same here as well. Whatever an entry can mean is left out (`optout_entries`); what names
nobody is counted, with the first rows, and whoever reads the lists decides what that means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, Final, Protocol

from airflow_provider_esp.core.models import Event, Recipient
from airflow_provider_esp.core.readers.table import BadRow, Table
from airflow_provider_esp.core.validation.addresses import PhoneRules
from airflow_provider_esp.core.validation.batch import Checker, ValidatedBatch
from airflow_provider_esp.core.validation.key_set import CompactKeySet
from airflow_provider_esp.core.validation.mapper import same_key
from airflow_provider_esp.core.validation.optouts.columns import SAMPLE, Identity, Others, identities, is_row
from airflow_provider_esp.core.validation.optouts.entries import Entry, Meaning, Use, joined, read_entry
from airflow_provider_esp.core.validation.optouts.files import TornRow
from airflow_provider_esp.core.validation.optouts.numbers import FEWEST_DIGITS, MOST_DIGITS
from airflow_provider_esp.exceptions import SourceError

NAMED_ROWS: Final = 20
"""Rows that name nobody which a message lists."""


class LeavesOut(Protocol):
    """Knows who is not to be written to."""

    def reason(self, names: Iterable[object]) -> str | None:
        """Return why somebody is left out, of whom these are the names; None for who is not."""


class OneList:
    """CompactKeySet whom one place names.

    :param origin: what messages call the place.
    :param rules: how phone numbers in it are read.
    :ivar entries: rows, or entries of a list.
    :ivar people: different people among them.
    :ivar blank: entries that say nothing.
    :ivar unreadable: entries that name nobody, although they say something.
    :ivar unreadable_rows: the first of them, by number.
    """

    def __init__(self, origin: str, rules: PhoneRules | None = None) -> None:
        self.origin = origin
        self.entries = 0
        self.people = 0
        self.blank = 0
        self.unreadable = 0
        self.unreadable_rows: list[int] = []
        self._rules = rules or PhoneRules()
        self._names = CompactKeySet()
        self._endings = CompactKeySet()
        self._lengths: set[int] = set()

    def read(self, value: object, use: Use = Use.PEOPLE) -> Entry:
        """Return what an entry means; nobody is taken in.

        :param value: of any type that a cell can have.
        :param use: what the values of its column are.
        """
        return read_entry(value, self._rules, use)

    def take(self, value: object) -> None:
        """Take in everybody whom an entry names.

        :param value: addresses, numbers or ids, however they are written.
        """
        self.take_entry(self.read(value))

    def take_entry(self, entry: Entry) -> None:
        """Take in everybody whom an entry that was read names; one that names nobody is counted."""
        self.entries += 1
        new = 0
        for names in entry.people:
            new += sum(map(self._names.add, names)) > 0  # a sum, so that every name is taken in
        for digits in entry.endings:
            self._lengths.add(len(digits))
            new += self._endings.add(digits)
        others = sum(map(self._names.add, entry.exact))
        self.people += new or (others > 0 and not entry.people and entry.meaning is Meaning.READ)
        if entry.meaning is Meaning.BLANK:
            self.blank += 1
        elif entry.meaning is not Meaning.READ:
            self.unreadable += 1
            if len(self.unreadable_rows) < NAMED_ROWS:
                self.unreadable_rows.append(self.entries)

    def take_extra(self, entry: Entry) -> None:
        """Take in everybody whom something names that is no entry by itself."""
        for name in entry.names:
            self.people += self._names.add(name)
        for digits in entry.endings:
            self._lengths.add(len(digits))
            self.people += self._endings.add(digits)

    def has(self, names: Iterable[str], numbers: Iterable[str] = ()) -> bool:
        """Check whether somebody of one of these names was taken in.

        :param names: as `same_key` gives them.
        :param numbers: those of them that are phone numbers, in digits.
        """
        if any(name in self._names for name in names):
            return True
        return any(number[-size:] in self._endings for number in numbers for size in self._lengths)


class Suppression:
    """CompactKeySet who are left out, by the place that names them.

    :param rules: how phone numbers of these places are read.
    """

    def __init__(self, rules: PhoneRules | None = None) -> None:
        self.lists: list[OneList] = []
        self._rules = rules

    def open(self, origin: str) -> OneList:
        """Return a list to take people into.

        :param origin: what messages call the place that they come from.
        """
        self.lists.append(OneList(origin, self._rules))
        return self.lists[-1]

    def take_given(self, values: Iterable[object], origin: str) -> OneList:
        """Take people in whom the author has written down one by one.

        :raises SourceError: one of them is the path of a file.
        """
        given = self.open(origin)
        for number, value in enumerate(values, 1):
            if isinstance(value, str) and _is_path(value):
                raise SourceError(f"{origin}: entry {number} is a path. Name a file by FileSource(path).")
            given.take(value)
        return given

    def take_rows(self, table: Table, columns: Sequence[str] | None = None) -> OneList:
        """Take in everybody whom a table names.

        :param columns: those that hold addresses, numbers or ids; of several the ones that the table has. None for
            the columns whose names say so, or else those in which addresses stand, or the only one there is.
        :raises ColumnError: it has none of them.
        """
        named = self.open(table.origin)
        sample = list(islice(table.rows, SAMPLE))
        if not sample and not (table.columns and is_row(table.columns, named.read)):
            return named
        names: Sequence[str] = table.columns
        if not names:
            for row in chain(sample, table.rows):
                named.take_entry(Entry(Meaning.UNREADABLE if isinstance(row, BadRow) else Meaning.BLANK))
            return named
        if is_row(names, named.read):
            sample.insert(0, names)
            names = [""] * len(names)
        whole = [row for row in sample if not isinstance(row, BadRow)]
        at, others = identities(names, whole, columns, named.read, table.origin)
        everywhere = not any(names) or any(one.use is Use.TEXT for one in at)
        for row in chain(sample, table.rows):
            _take_row(named, row, at, others, everywhere=everywhere)
        return named

    def reason(self, names: Iterable[object]) -> str | None:
        """Return why somebody is left out; None for who is not.

        :param names: what the person is known by, as it is sent; phone numbers with a plus. What is no text is passed
            over.
        """
        texts = [name for name in names if isinstance(name, str)]
        known = set(map(same_key, texts))
        numbers = [name[1:] for name in texts if name[:1] == "+" and name[1:].isdecimal()]
        for one in self.lists:
            if one.has(known, numbers):
                return f"left out: stands in {one.origin}"
        return None

    def __len__(self) -> int:
        return sum(one.people for one in self.lists)


class SuppressingValidator:
    """Checks batches, and takes those out of them who are to be left out.

    A row that another row of its batch stands for stays a duplicate; of the others each is looked at under its
    address, its number and its ids, whichever it is matched by.

    :param checker: does the checking.
    :param suppression: who is left out.
    """

    def __init__(self, checker: Checker, suppression: Suppression) -> None:
        self._checker = checker
        self._suppression = suppression

    def check(self, first_row: int, rows: Sequence[Sequence[Any]]) -> ValidatedBatch:
        """Check rows that follow each other.

        :param first_row: number of the first.
        """
        checked = self._checker.check(first_row, rows)
        standard = checked.contacts.standard
        names = [checked.keys, *(standard[name] for name in ("email", "external_id") if name in standard)]
        if "phone" in standard:
            names.append(list(map(as_number, standard["phone"])))
        out = {at: why for at, who in enumerate(zip(*names, strict=True)) if (why := self._suppression.reason(who))}
        if not out:
            return checked
        kept = [at for at in range(len(checked.rows)) if at not in out]
        return ValidatedBatch(
            checked.contacts.take(kept),
            [checked.rows[at] for at in kept],
            [checked.keys[at] for at in kept],
            [checked.values[at] for at in kept],
            checked.invalid,
            checked.duplicates,
            [(checked.rows[at], checked.values[at], checked.keys[at], why) for at, why in out.items()],
        )


def names_of(item: object) -> tuple[str | None, ...]:
    """Return everything that a recipient, or whoever an event is about, is known by; phone numbers with a plus."""
    match item:
        case Recipient():
            return (as_number(item.locator), item.external_id)
        case Event():
            return (item.email, as_number(item.phone))
    raise TypeError(f"Nobody is known by a {type(item).__name__}.")


def as_number(value: Any) -> Any:
    """Return a phone number with a plus, so that it is told apart from an id; anything else as it is."""
    is_number = isinstance(value, str) and value.isdecimal() and FEWEST_DIGITS <= len(value) <= MOST_DIGITS
    return f"+{value}" if is_number else value


def _take_row(named: OneList, row: Sequence[Any], at: Sequence[Identity], others: Others, *, everywhere: bool) -> None:
    """Take in whom a row names.

    :param others: the columns that are not known to hold people.
    :param everywhere: whether addresses in its other cells count where the columns that hold people name nobody.
    """
    if isinstance(row, TornRow):
        _take_torn(named, row, at)
        return
    if isinstance(row, BadRow):
        named.take_entry(Entry(Meaning.UNREADABLE))
        return
    if len(at) == 1:
        entry = named.read(row[at[0].at], at[0].use)
    else:
        entry = joined([named.read(row[one.at], one.use) for one in at])
    if everywhere and entry.meaning is not Meaning.READ:
        signed = [named.read(cell, Use.TEXT) for cell in row if "@" in str(cell)]
        entry = joined([entry, *signed]) if signed else entry
    alone = entry.meaning is Meaning.BLANK
    if (alone or others.empty) and (more := others.people(row, named.read, alone=alone)):
        entry = joined([entry, *more])
    named.take_entry(entry)


def _take_torn(named: OneList, row: TornRow, at: Sequence[Identity]) -> None:
    """Take in whom a row names that does not fit its columns."""
    if row.cells is not None:
        named.take_extra(joined([named.read(row.cells[one.at], one.use) for one in at]))
    if row.extra:
        named.take_extra(named.read(row.text, Use.TEXT))
        return
    entry = named.read(row.text)
    if entry.meaning is Meaning.WORDS and row.cells is None and len(row.text.split()) == 0:
        entry = Entry(Meaning.BLANK)
    named.take_entry(entry)


def _is_path(value: str) -> bool:
    plain = value.strip().lower()
    endings = (".csv", ".tsv", ".ndjson", ".jsonl", ".parquet", ".pq", ".txt", ".gz", ".zst")
    return "@" not in plain.rpartition("/")[2] and plain.endswith(endings)
