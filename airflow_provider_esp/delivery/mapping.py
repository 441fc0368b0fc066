"""From a row's values to a recipient or an event, or to the reason why not; contacts are made in `checking.py`.

A mapper is made once for a table and then called for each row. What is wrong with the columns is an error for
the author and stops the task; what is wrong with one row is that row's *invalid* outcome and stops nothing.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec

from airflow_provider_esp.delivery.addresses import NoCountry, email_address, phone_number
from airflow_provider_esp.delivery.errors import ColumnError, Refused
from airflow_provider_esp.delivery.rows import MISSING, BadRow, Table
from airflow_provider_esp.services.neutral import STANDARD_FIELDS, Event, Recipient

Item = TypeVar("Item")
Blank = Literal["keep", "erase"]

_EXACT = 2**53
_MOST_BITS = 1024  # a number of 300 digits is nobody's; Python does not even spell one of 5000


class Mapper(Generic[Item]):
    """Turns rows into items.

    :param build: makes an item of a row's values, or raises `Refused`.
    :param key: what the item is known by, normalised by `same_key`: two items with one key are one person.
    """

    def __init__(self, build: Callable[[Sequence[Any]], Item], key: Callable[[Item], str]) -> None:
        self._build = build
        self.key = key

    def __call__(self, row: Sequence[Any]) -> Item | str:
        """Give the item, or the reason why there is none."""
        if isinstance(row, BadRow):
            return row.reason
        try:
            return self._build(row)
        except Refused as reason:
            return str(reason)


def same_key(value: object) -> str:
    """Bring a key into the form in which two spellings of one address or number are the same.

    Other keys keep their case: ids that differ in nothing else may well be two people.
    """
    key = str(value).strip()
    if "@" in key:
        return key.lower()
    return key[1:] if key[:1] == "+" and key[1:].isdecimal() else key


def text(value: object, column: str) -> str | None:
    """Bring a value into the form that the services take: None for a blank one.

    :raises Refused: it is a list, a dictionary or another thing that has no plain spelling.
    """
    match value:
        case str():
            return value.strip() or None
        case None:
            return None
        case enum.Enum():
            return text(value.value, column)
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > _MOST_BITS:
            raise Refused(f"column {column!r} holds a number that is too large")
        case int() | uuid.UUID() | ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return str(value)
        case float() | decimal.Decimal():
            return _number(value, column)
        case datetime.datetime():
            return value.isoformat(timespec="minutes")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return _duration(value)
    raise Refused(f"column {column!r} holds a {type(value).__name__}, which is not one value")


def _number(value: float | decimal.Decimal, column: str) -> str | None:
    number = decimal.Decimal(value)
    if number.is_nan():
        return None  # how a table says blank
    if number.is_infinite():
        raise Refused(f"column {column!r} holds an infinite number")
    # A table with gaps turns whole numbers (ids, phones) into floats: they are written as what they were.
    if isinstance(value, decimal.Decimal) or (value.is_integer() and abs(value) <= _EXACT):
        return f"{number:f}"
    return f"{value:.15g}"


def _duration(value: datetime.timedelta) -> str:
    """Write a span of time as hours, minutes and seconds: some databases give a time of day as one."""
    minutes, seconds = divmod(abs(value) // datetime.timedelta(seconds=1), 60)
    sign = "-" if value < datetime.timedelta() else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


_CHECKS: dict[str, Callable[[str], str]] = {"email": email_address, "phone": phone_number}


def targets_of(table: Table, columns: Mapping[str, str] | None) -> list[tuple[int, str, str]]:
    """List (position, source column, contact field) for the columns that are used; none where there are no rows.

    :raises ColumnError: a column is unknown or named twice.
    """
    if not table.columns:
        return []
    if columns is None:
        unknown = [name for name in table.columns if name not in STANDARD_FIELDS]
        if unknown:
            raise ColumnError(
                f"{table.origin}: unknown column {', '.join(map(repr, unknown))}; give columns= to say what each is "
                f"({', '.join(STANDARD_FIELDS)}, or a custom field's key), or leave it out there."
            )
        columns = {name: name for name in table.columns}
    known = set(table.columns)
    absent = [name for name in columns if name not in known]
    if absent:
        raise ColumnError(
            f"{table.origin}: columns= names {', '.join(map(repr, absent))}, which the source does not have; "
            f"it has {', '.join(map(repr, table.columns))}."
        )
    twice = sorted(field for field, times in Counter(columns.values()).items() if times > 1)
    if twice:
        raise ColumnError(f"columns= gives two columns for {', '.join(map(repr, twice))}; keep one of them.")
    at = _positions(table)
    return [(at[name], name, field) for name, field in columns.items()]


def _positions(table: Table) -> dict[str, int]:
    return {name: position for position, name in enumerate(table.columns)}


def custom_fields(table: Table, columns: Mapping[str, str] | None) -> tuple[str, ...]:
    """Name the custom fields that an upload of this table writes.

    :raises ColumnError: a column is unknown or named twice.
    """
    return tuple(field for _, _, field in targets_of(table, columns) if field not in STANDARD_FIELDS)


def recipient_mapper(table: Table, to: str, data: Mapping[str, str] | None) -> Mapper[Recipient]:
    """Make the mapper of a send.

    :param to: the column with the address or number.
    :param data: source column to the name that the message uses; None for all other columns under their own names.
    :raises ColumnError: a column is not there.
    """
    names = data if data is not None else {name: name for name in table.columns if name != to}
    position = _positions(table)
    absent = [name for name in (to, *names) if name not in position]
    if table.columns and absent:
        raise ColumnError(
            f"{table.origin}: no column {', '.join(map(repr, absent))}; it has {', '.join(map(repr, table.columns))}."
        )
    at_to = position.get(to, 0)  # without columns there are no rows
    used = [(position[name], name, field) for name, field in names.items() if name in position]

    def build(row: Sequence[Any]) -> Recipient:
        locator = None if row[at_to] is MISSING else text(row[at_to], to)
        if locator is None:
            raise Refused(f"no {to}")
        return Recipient(
            _locator(locator), {field: _json(row[at], name) for at, name, field in used if row[at] is not MISSING}
        )

    return Mapper(build, lambda recipient: same_key(recipient.locator))


def event_mapper(
    table: Table, name: str, identity: Mapping[str, str], params: Mapping[str, str] | None
) -> Mapper[Event]:
    """Make the mapper of events.

    :param name: the event's name.
    :param identity: source column for each of ``email``, ``phone`` and ``key`` that the rows have.
    :param params: source column to parameter; None for all other columns under their own names.
    :raises ColumnError: a column is not there, or neither an e-mail nor a phone column is.
    """
    position = _positions(table)
    named = {field: column for field, column in identity.items() if column in position}
    # Columns called like their fields are looked for whether or not the author named them.
    missing = [column for field, column in identity.items() if field not in named and column not in ("email", "phone")]
    if table.columns and missing:
        raise ColumnError(
            f"{table.origin}: no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, table.columns))}."
        )
    if table.columns and not named.keys() & {"email", "phone"}:
        raise ColumnError(f"{table.origin}: an event needs an email or phone column, which tells whose it is.")
    names = (
        params if params is not None else {column: column for column in table.columns if column not in named.values()}
    )
    absent = [column for column in names if column not in position]
    if table.columns and absent:
        raise ColumnError(
            f"{table.origin}: data= names {', '.join(map(repr, absent))}, which the source does not have."
        )
    who = [(field, position[column], column) for field, column in named.items()]
    used = [(position[column], column, field) for column, field in names.items() if column in position]

    def build(row: Sequence[Any]) -> Event:
        given: dict[str, Any] = {}
        for field, at, column in who:
            plain = None if row[at] is MISSING else text(row[at], column)
            if plain is not None:
                check = _CHECKS.get(field)
                given[field] = check(plain) if check else plain
        if not given.keys() & {"email", "phone"}:
            raise Refused("neither email nor phone is there")
        values = {field: _json(row[at], column) for at, column, field in used if row[at] is not MISSING}
        return Event(name, values, **given)

    # Two events of one person are two events: each row is its own.
    return Mapper(build, lambda event: same_key(event.email or event.phone))


def _locator(value: str) -> str:
    if "@" in value:
        return email_address(value)
    try:
        return phone_number(value)
    except NoCountry:
        raise
    except Refused:
        raise Refused("neither an e-mail address nor a phone number") from None


def _json(value: object, column: str) -> Any:
    """Give a value as JSON takes it; numbers, booleans, lists and objects stay what they are.

    :raises Refused: JSON cannot hold it.
    """
    if isinstance(value, enum.Enum):
        return _json(value.value, column)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if text(value, column) else None
    if isinstance(value, float):
        return None if text(value, column) is None else value
    if isinstance(value, list | dict):
        try:
            msgspec.json.encode(value)
        except (TypeError, ValueError, RecursionError):
            raise Refused(f"column {column!r} holds a {type(value).__name__} that JSON cannot hold") from None
        return value
    return text(value, column)
