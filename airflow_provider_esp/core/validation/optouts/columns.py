"""Which columns of an opt-out source hold people: by their names, and by what stands in them where no name fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_esp.core.validation.optouts.entries import Entry, Meaning, Use
from airflow_provider_esp.core.validation.optouts.names import EMAILS, PARTS, PHONES, name_of
from airflow_provider_esp.core.validation.optouts.numbers import is_digest
from airflow_provider_esp.exceptions import ColumnError

SAMPLE: Final = 1000
"""Rows that are looked at to tell what a column holds."""

USUAL_COLUMNS: Final = ("email", "phone", "external_id")
"""What the columns are called in this package: they are always read."""

_EMAIL_WORDS: Final = ("mail", "почт", "пошт", "courriel", "correo")
_PHONE_WORDS: Final = ("phone", "telef", "mobil", "msisdn", "телеф", "whatsapp", "viber")
_PHONE_PARTS: Final = frozenset(("tel", "cell", "gsm", "sms", "mob", "tlf", "моб", "тел"))
_NUMBER_PARTS: Final = frozenset(("number", "numbers", "num", "nr", "no", "contact", "contacts", "номер", "номера"))
_OF_OTHER_THINGS: Final = frozenset(
    ("id", "order", "invoice", "card", "ticket", "row", "line", "customer", "client", "user", "account", "member")
)
_ID_NAMES: Final = """
    id ids uid uuid guid key code no nr num number customer client user contact account member subscriber profile
"""
_ID_PARTS: Final = frozenset(_ID_NAMES.split())
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MOSTLY: Final = 0.8
_FEWEST_ALIKE: Final = 9
_MOST_ALIKE: Final = 16

OTHERS: Final = "(other keys)"
"""The name of a column of values whose keys the first rows do not have."""

Read = Callable[[object, Use], Entry]


@dataclass(frozen=True, slots=True)
class Identity:
    """A column that holds people.

    :ivar at: its position.
    :ivar use: what its values are.
    """

    at: int
    use: Use


@dataclass(frozen=True, slots=True)
class Others:
    """The columns that are not known to hold people, where the author has not said which ones do.

    :ivar at: their positions.
    :ivar empty: those of them that nothing stands in at first, so that nobody can tell yet what they hold.
    :ivar emails: whether addresses count that turn up in the empty ones, because no column is sure to hold them all.
    :ivar phones: whether numbers do, likewise.
    :ivar named: whether the columns have names.
    """

    at: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    emails: bool = True
    phones: bool = True
    named: bool = True

    def people(self, row: Sequence[Any], read: Read, *, alone: bool) -> list[Entry]:
        """Return the entries in these columns of a row that certainly name somebody.

        :param read: gives what an entry means.
        :param alone: whether nothing stands in the columns that hold people: then it is these that name the person.
        """
        found = []
        for at in self.at if alone else self.empty:
            written = str(row[at]).strip()
            entry = read(row[at], Use.PEOPLE)
            if entry.meaning is not Meaning.READ:
                continue
            if "@" in written:
                counts = entry.certain and (alone or self.emails)
            else:
                counts = (alone or self.phones) and _is_phone(written, entry, sure=not self.named)
            if counts:
                found.append(entry)
        return found


def is_row(columns: Iterable[str], read: Read) -> bool:
    """Check whether what stands in the place of the names of columns is a row itself: it names somebody.

    :param read: gives what an entry means.
    """
    return any("@" in name or _is_number(read(name, Use.PEOPLE)) for name in columns)


def identities(
    columns: Sequence[str], sample: Sequence[Sequence[Any]], wanted: Sequence[str] | None, read: Read, origin: str
) -> tuple[list[Identity], Others]:
    """Find the columns that hold people, and those that may turn out to.

    :param columns: their names; empty texts where the source has none.
    :param sample: the first rows.
    :param wanted: names that the author gives, of which one is enough; None for those that fit.
    :param read: gives what an entry means.
    :param origin: what messages call the source.
    :returns: the columns that hold people, and the others; no others where the author has said which do.
    :raises ColumnError: there are none.
    """
    named = any(columns)
    looks = [_Look(name, [row[at] for row in sample], read) for at, name in enumerate(columns)]
    if wanted is not None and named:
        asked = {name_of(name) for name in wanted}
        found = [at for at, look in enumerate(looks) if look.name in wanted] or [
            at for at, look in enumerate(looks) if look.key and look.key in asked
        ]
        if not found:
            raise ColumnError(
                f"{origin}: no column {' or '.join(map(repr, wanted))}; it has {_shown(columns)}. Say in "
                "suppress_column= which names the people to leave out."
            )
        uses = {at: Use.IDS if looks[at].are_ids else Use.PEOPLE for at in found}
        return _sorted(uses, columns), Others()
    found_at = _by_name(looks)
    uses = dict.fromkeys(found_at, Use.PEOPLE) | {at: Use.IDS for at in found_at if looks[at].key == "externalid"}
    if len(columns) == 1 and not uses:
        uses = {0: Use.IDS if looks[0].are_ids else Use.PEOPLE}
    emails, phones = (
        any(getattr(looks[at], kind) and looks[at].is_sure for at in found_at) for kind in ("is_email", "is_phone")
    )
    if not emails:
        uses |= {at: Use.TEXT for at, look in enumerate(looks) if at not in uses and look.addresses}
    if not phones:
        uses |= {at: Use.PEOPLE for at, look in enumerate(looks) if at not in uses and look.are_phones(named)}
    if not uses:
        uses = {at: Use.PEOPLE for at, look in enumerate(looks) if look.are_numbers}
    if not uses:  # nothing in the sample tells, so the names have to do
        uses = {at: Use.PEOPLE for at, look in enumerate(looks) if look.is_exact}
    if not uses:
        raise ColumnError(
            f"{origin}: no column is called {', '.join(map(repr, USUAL_COLUMNS))} or the like, and none holds "
            f"addresses or phone numbers in the first {len(sample):,} rows; it has {_shown(columns)}. Say in "
            "suppress_column= which names the people to leave out."
        )
    people = _sorted(uses, columns)
    others = tuple(at for at in range(len(columns)) if at not in {one.at for one in people})
    empty = tuple(at for at in others if looks[at].is_blank)
    return people, Others(others, empty, emails=not emails, phones=not phones, named=named)


def _sorted(uses: dict[int, Use], columns: Sequence[str]) -> list[Identity]:
    """List columns in their order, with that of values whose keys the first rows do not have."""
    others = {len(columns) - 1: Use.PEOPLE} if len(columns) > 1 and any(columns) and columns[-1] == OTHERS else {}
    return [Identity(at, use) for at, use in sorted((others | uses).items())]


class _Look:
    """What a column's name and its first values say of it.

    :param name: of the column.
    :param values: the first ones.
    :param read: gives what an entry means.
    """

    def __init__(self, name: str, values: list[Any], read: Read) -> None:
        self.name = name
        self.key = name_of(name)
        parts = set(PARTS.findall(_CAMEL.sub(" ", name).casefold().replace("_", " ")))
        self.is_email = self.key in EMAILS or any(word in self.key for word in _EMAIL_WORDS)
        self.is_phone = self.key in PHONES or any(word in self.key for word in _PHONE_WORDS)
        self.is_phone = self.is_phone or bool(parts & _PHONE_PARTS)
        self.is_exact = self.key in EMAILS or self.key in PHONES
        self._named_id = bool(parts & _ID_PARTS)
        self._named_number = bool(parts & _NUMBER_PARTS) and not parts & _OF_OTHER_THINGS
        entries = [read(value, Use.PEOPLE) for value in values]
        self._filled = [
            (str(value).strip(), entry)
            for value, entry in zip(values, entries, strict=True)
            if entry.meaning is not Meaning.BLANK
        ]
        self.addresses = any("@" in written and entry.certain for written, entry in self._filled)
        self.signs = any("@" in written for written, _ in self._filled)
        self.is_blank = not self._filled  # it may be filled further down
        self.is_sure = not self.is_blank or self.key in ("email", "phone")
        self.reads = any(entry.meaning is Meaning.READ for _, entry in self._filled)

    def are_phones(self, named: bool) -> bool:
        """Check whether nearly all values are phone numbers: their country is known, or they are written like one.

        :param named: whether the columns have names: then numbers in digits alone are not taken for phones.
        """
        sure = not named or self._named_number
        return self._share(lambda written, entry: _is_phone(written, entry, sure=sure))

    @property
    def are_numbers(self) -> bool:
        """Whether nearly all values can be phone numbers, and nothing else."""
        return self._share(lambda written, entry: _is_number(entry) and not any(map(str.isalpha, written)))

    @property
    def are_ids(self) -> bool:
        """Whether the values are ids: neither addresses nor numbers, or such as its name says to be ids."""
        if self.key == "externalid":
            return True
        if self.is_email or self.is_phone or self.signs or not self._filled:
            return False
        if self._named_id:
            return True
        return not self.reads and all(
            len(written.split()) == 1 and any(map(str.isdigit, written)) and not is_digest(written)
            for written, _ in self._filled
        )

    def _share(self, holds: Callable[[str, Entry], bool]) -> bool:
        fitting = sum(holds(written, entry) for written, entry in self._filled)
        return bool(self._filled) and fitting >= _MOSTLY * len(self._filled)


def _by_name(looks: Sequence[_Look]) -> list[int]:
    """Return the positions of the columns whose names say that they hold people."""
    found = []
    for at, look in enumerate(looks):
        usual = look.key in ("email", "phone", "externalid")
        named = (look.is_email or look.is_phone) and (look.reads or look.is_blank or (look.is_exact and look.signs))
        if usual or named:
            found.append(at)
    return found


def _is_phone(written: str, entry: Entry, *, sure: bool) -> bool:
    """Check whether a value is a phone number: its country is known, or it is written like one.

    :param sure: whether digits alone are one as well.
    """
    digits = sum(map(str.isdigit, written))
    if "@" in written or not _is_number(entry) or not _FEWEST_ALIKE <= digits <= _MOST_ALIKE:
        return False
    return entry.certain or sure or written[0] in "+0(" or not written.isalnum()


def _is_number(entry: Entry) -> bool:
    return entry.meaning is Meaning.READ and bool(entry.endings or entry.certain)


def _shown(columns: Sequence[str]) -> str:
    """List columns; where a name may be somebody's address or number, its position."""
    return ", ".join(
        f"column {at}" if not name or "@" in name or sum(map(str.isdigit, name)) > 4 else repr(name)
        for at, name in enumerate(columns, 1)
    )
