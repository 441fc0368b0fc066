"""Whom an entry of an opt-out list names: every address, number and id that it can mean.

Whatever an entry can mean is taken, because somebody who is left out by mistake can be written to tomorrow. What
names nobody is said to be unreadable, so that a task can stop before anything is sent. Two mailboxes stay two: neither
dots nor plus tags of an address are removed.
"""

from __future__ import annotations

import decimal
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_esp.core.readers.table import MISSING
from airflow_provider_esp.core.validation.addresses import PhoneRules, ordinary_email
from airflow_provider_esp.core.validation.mapper import same_key
from airflow_provider_esp.core.validation.numbering_plans import possible_number
from airflow_provider_esp.core.validation.optouts.addresses import addresses_in
from airflow_provider_esp.core.validation.optouts.names import is_people_name
from airflow_provider_esp.core.validation.optouts.numbers import numbers_in, whole_id
from airflow_provider_esp.core.validation.optouts.text import is_blank, readings
from airflow_provider_esp.core.validation.values import has_lost_digits, text
from airflow_provider_esp.exceptions import InvalidValue

_IDS_SEPARATED: Final = str.maketrans(dict.fromkeys(",;|\t\n\r", " "))
_ALONE: Final = PhoneRules()
_QUOTES: Final = "'\"`= \t"


class Meaning(enum.Enum):
    """What came of an entry."""

    BLANK = enum.auto()
    """It says nothing."""
    READ = enum.auto()
    """It names somebody."""
    WORDS = enum.auto()
    """It has letters only: it names nobody, but no address or number can have been meant by it."""
    UNREADABLE = enum.auto()
    """An address or number was meant by it, or by a part of it, and cannot be told."""


class Use(enum.Enum):
    """What the values of a column, or of a list, are."""

    PEOPLE = enum.auto()
    """Addresses and phone numbers."""
    IDS = enum.auto()
    """Ids, which may be written like numbers."""
    TEXT = enum.auto()
    """Anything, of which addresses and certain numbers count."""


@dataclass(slots=True)
class Entry:
    """What an entry means.

    :ivar meaning: what came of it.
    :ivar people: for each person the names that the person may have in the rows: an address in lower case, a number in
        digits with its country code, or an id.
    :ivar endings: digits of national numbers of which the country is not known.
    :ivar exact: the entry as it is written, which may be an id.
    :ivar certain: whether an address, or a number with its country code, stands in it.
    """

    meaning: Meaning
    people: list[set[str]] = field(default_factory=list)
    endings: set[str] = field(default_factory=set)
    exact: set[str] = field(default_factory=set)
    certain: bool = False

    @property
    def names(self) -> set[str]:
        """All names that anybody in it may have."""
        return self.exact.union(*self.people)


def read_entry(value: object, rules: PhoneRules, use: Use = Use.PEOPLE) -> Entry:
    """Return what an entry means.

    :param value: of any type that a cell can have, also a list or a dictionary.
    :param rules: how phone numbers are read.
    :param use: what the values of its column are.
    """
    if isinstance(value, str) and use is not Use.IDS and ordinary_email(value) and value[0].isalnum():
        return Entry(Meaning.READ, [{value.lower()}], certain=True)
    if isinstance(value, str) and use is not Use.IDS and value[:1] == "+" and possible_number()(value):
        return Entry(Meaning.READ, [{value[1:]}], certain=True)
    if isinstance(value, Mapping) and use is Use.TEXT and value:
        return joined([read_entry(part, rules, _use_of(name, use)) for name, part in value.items()])
    parts = list(_parts(value))
    if len(parts) == 1:
        return _read_text(parts[0], rules, use)
    return joined([_read_text(part, rules, use) for part in parts])


def _use_of(name: object, use: Use) -> Use:
    """Return what the values of a key are, by its name."""
    return Use.PEOPLE if is_people_name(str(name)) else use


def joined(entries: list[Entry]) -> Entry:
    """Return what several entries mean together, such as the cells of a row."""
    meanings = {entry.meaning for entry in entries}
    order = (Meaning.UNREADABLE, Meaning.READ, Meaning.WORDS)
    whole = Entry(next((one for one in order if one in meanings), Meaning.BLANK))
    for entry in entries:
        whole.people += entry.people
        whole.endings |= entry.endings
        whole.exact |= entry.exact
        whole.certain |= entry.certain
    return whole


def _parts(value: object) -> Iterator[str]:
    """Yield the texts that a value is made of."""
    if value is MISSING or value is None:
        return
    match value:
        case str():
            yield value
        case bytes() | bytearray() | memoryview():
            yield bytes(value).decode("utf-8", "replace")
        case Mapping():
            for part in value.values():
                yield from _parts(part)
        case list() | tuple() | set() | frozenset():
            for part in value:
                yield from _parts(part)
        case decimal.Decimal() if value.is_finite():
            yield str(value) if has_lost_digits(value) else f"{value:f}" if value.adjusted() > -40 else "1E99"
        case _ if getattr(value, "shape", None) and callable(tolist := getattr(value, "tolist", None)):  # an array
            yield from _parts(tolist())
        case _:
            try:
                yield text(value, "") or ""
            except InvalidValue:
                yield f"a {type(value).__name__}"


def _read_text(value: str, rules: PhoneRules, use: Use) -> Entry:
    texts = readings(value)
    if is_blank(texts[0]) and not (use is Use.IDS and texts[0].isdecimal()):
        return Entry(Meaning.BLANK)
    exact = {same_key(value.strip()), same_key(texts[0])}
    if use is Use.IDS:
        exact |= _ids(texts[0])
    entry = Entry(Meaning.READ, exact=exact)
    complete = False  # whether in one of the readings every @ belongs to an address
    numbers_lost = True
    if use is Use.IDS:
        rules = _ALONE  # an id in digits may look like a number of any country
    for reading in texts:
        found = addresses_in(reading)
        complete |= found.complete
        _add_people(entry, found.people)
        numbers = numbers_in(found.rest, rules, beside=bool(found.people), certain_only=use is not Use.PEOPLE)
        numbers_lost &= numbers.lost
        _add_people(entry, [{number} for number in numbers.exact])
        entry.endings |= numbers.endings
    entry.certain = bool(entry.people)
    if use is Use.IDS:
        return entry
    if not complete or (numbers_lost and use is Use.PEOPLE):
        entry.meaning = Meaning.UNREADABLE
    elif not (entry.people or entry.endings):
        has_digits = use is Use.PEOPLE and any(map(str.isdecimal, texts[0]))
        entry.meaning = Meaning.UNREADABLE if has_digits else Meaning.WORDS
    return entry


def _add_people(entry: Entry, people: list[set[str]]) -> None:
    for names in people:
        if names not in entry.people:
            entry.people.append(names)


def _ids(value: str) -> set[str]:
    """Return the ids that a value may be: without quotes, as the whole number it once was, each of several."""
    ids = {value.strip(_QUOTES)}
    ids.update(value.translate(_IDS_SEPARATED).split())
    return ids | {whole for one in ids if (whole := whole_id(one)) is not None}
