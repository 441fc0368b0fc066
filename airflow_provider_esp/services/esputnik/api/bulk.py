"""Contacts by column written as the JSON of a bulk update, faster than a file can be read.

The same words as `translate.contact_wire` writes for one contact; a test holds the two against each other. All contacts
of a request carry the same fields, so everything but the values is the same in each: whether a column's values need
escapes is asked in one call, and each contact is its values joined with what stands between them, never an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from typing import cast

import msgspec

from airflow_provider_esp.core.contact_columns import Column, ContactColumns

Piece = str | Sequence[str]
"""A part of each contact's JSON: the same for all of them, or one text for each."""

_CHANNELS = (("email", "email"), ("sms", "phone"))
_NAMES = {
    "externalCustomerId": "external_id",
    "firstName": "first_name",
    "lastName": "last_name",
    "languageCode": "language",
    "timeZone": "time_zone",
}
_POSTAL = {name: name for name in ("region", "town", "address", "postcode")}

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class EncodedContacts:
    """Contacts as a request carries them.

    :param size: how many there are.
    :param json: an array of them.
    """

    size: int
    json: msgspec.Raw

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<{self.size} encoded contacts>"


def encode_contacts(contacts: ContactColumns, field_ids: Mapping[str, int]) -> EncodedContacts:
    """Write contacts that all carry the same fields in the API's words.

    :param field_ids: ids of additional fields by key.
    :raises UnicodeEncodeError: a text holds half of a surrogate pair.
    """
    size = len(contacts)
    pieces: list[Piece] = ['{"channels":[', *_channels(contacts), "]"]
    pieces += _members(_NAMES, contacts.standard, ",")
    postal = list(_members(_POSTAL, contacts.standard, ""))
    if postal:
        pieces += [',"address":{', *postal, "}"]
    if contacts.custom:
        pieces += [',"fields":[', *_fields(contacts.custom, field_ids), "]"]
    pieces.append("}")
    rows = zip(*(repeat(piece, size) if isinstance(piece, str) else piece for piece in _merged(pieces)), strict=True)
    return EncodedContacts(size, msgspec.Raw(f"[{','.join(map(''.join, rows))}]".encode()))


def _merged(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Join pieces that follow each other and are the same for all contacts."""
    for same, group in groupby(pieces, lambda piece: isinstance(piece, str)):
        if same:
            yield "".join(cast(Iterator[str], group))
        else:
            yield from group


def _values(column: Column) -> Iterator[Piece]:
    """Write a column's values: texts, or null for those to be erased."""
    text = _whole(column)
    if text is None:
        yield [_encode(value).decode() for value in column]
        return
    yield '"'
    if len(_encode(text)) == len(text.encode()) + 2:
        yield column
    elif column:
        # The marks between two texts of an array never stand inside of one, where each mark is escaped.
        yield _encode(column).decode()[2:-2].split('","')
    yield '"'


def _whole(column: Column) -> str | None:
    """Return a column's texts as one; None where one of them is to be erased."""
    try:
        return "".join(column)
    except TypeError:
        return None


def _members(names: Mapping[str, str], columns: Mapping[str, Column], before: str) -> Iterator[Piece]:
    """Write those members of an object that the contacts carry.

    :param before: what stands before the first of them.
    """
    for name, neutral in names.items():
        if neutral in columns:
            yield f'{before}"{name}":'
            yield from _values(columns[neutral])
            before = ","


def _channels(contacts: ContactColumns) -> Iterator[Piece]:
    columns = [(kind, contacts.standard[name]) for kind, name in _CHANNELS if name in contacts.standard]
    if any(_whole(column) is None for _, column in columns):  # an erased channel is one that is not named
        rows = zip(*(column for _, column in columns), strict=True)
        kinds = [kind for kind, _ in columns]
        yield [
            ",".join([_channel(kind, value) for kind, value in zip(kinds, row, strict=True) if value is not None])
            for row in rows
        ]
        return
    for number, (kind, column) in enumerate(columns):
        yield f'{"," if number else ""}{{"type":"{kind}","value":'
        yield from _values(column)
        yield "}"


def _channel(kind: str, value: str) -> str:
    return f'{{"type":"{kind}","value":{_encode(value).decode()}}}'


def _fields(columns: Mapping[str, Column], field_ids: Mapping[str, int]) -> Iterator[Piece]:
    for number, (key, column) in enumerate(columns.items()):
        yield f'{"," if number else ""}{{"id":{field_ids[key]},"value":'
        yield from _values(column)
        yield "}"
