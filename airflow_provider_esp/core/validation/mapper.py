"""From a row's values to a recipient or an event, or to the reason why not; contacts are made in `checking.py`.

A mapper is made once for a table and then called for each row. What is wrong with the columns is an error for
the author and stops the task; what is wrong with one row is that row's *invalid* outcome and stops nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from airflow_provider_esp.core.models import STANDARD_FIELDS, Event, Recipient
from airflow_provider_esp.core.readers.table import MISSING, BadRow, Table
from airflow_provider_esp.core.validation.addresses import email_address
from airflow_provider_esp.core.validation.values import ValueRules, without_zeros
from airflow_provider_esp.exceptions import ColumnError, InvalidValue

Item = TypeVar("Item")
BlankValues = Literal["keep", "clear"]


class Mapper(Generic[Item]):
    """Turns rows into items.

    :param build: makes an item of a row's values, or raises `InvalidValue`.
    :param key: what the item is known by, normalised by `same_key`: two items with one key are one person.
    """

    def __init__(self, build: Callable[[Sequence[Any]], Item], key: Callable[[Item], str]) -> None:
        self._build = build
        self.key = key

    def __call__(self, row: Sequence[Any]) -> Item | str:
        """Return the item, or the reason why there is none."""
        if isinstance(row, BadRow):
            return row.reason
        try:
            return self._build(row)
        except InvalidValue as reason:
            return str(reason)


def same_key(value: object) -> str:
    """Bring a key into the form in which two spellings of one address or number are the same.

    Other keys keep their case: ids that differ in nothing else may well be two people. An id that was once a float is
    the same without its ``.0``.
    """
    key = without_zeros(str(value).strip())
    if "@" in key:
        return key.lower()
    return key[1:] if key[:1] == "+" and key[1:].isdecimal() else key


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


def recipient_mapper(
    table: Table, recipient_column: str, data: Mapping[str, str] | None, values: ValueRules | None = None
) -> Mapper[Recipient]:
    """Make the mapper of a send.

    :param recipient_column: the column with the address or number.
    :param data: source column to the name that the message uses; None for all other columns under their own names.
    :param values: how values are read; None for what holds where nothing is said.
    :raises ColumnError: a column is not there.
    """
    names = data if data is not None else {name: name for name in table.columns if name != recipient_column}
    position = _positions(table)
    absent = [name for name in (recipient_column, *names) if name not in position]
    if table.columns and absent:
        raise ColumnError(
            f"{table.origin}: no column {', '.join(map(repr, absent))}; it has {', '.join(map(repr, table.columns))}."
        )
    table.use([recipient_column, *names])
    at_to = position.get(recipient_column, 0)  # without columns there are no rows
    used = [(position[name], name, field) for name, field in names.items() if name in position]
    values = values or ValueRules()

    def build(row: Sequence[Any]) -> Recipient:
        locator = None if row[at_to] is MISSING else _locator(row[at_to], recipient_column, values)
        if locator is None:
            raise InvalidValue(f"no {recipient_column}")
        return Recipient(
            locator, {field: values.json(row[at], name) for at, name, field in used if row[at] is not MISSING}
        )

    return Mapper(build, lambda recipient: same_key(recipient.locator))


def event_mapper(
    table: Table,
    name: str,
    identity: Mapping[str, str],
    params: Mapping[str, str] | None,
    values: ValueRules | None = None,
) -> Mapper[Event]:
    """Make the mapper of events.

    :param name: the event's name.
    :param identity: source column for each of ``email``, ``phone`` and ``key`` that the rows have.
    :param params: source column to parameter; None for all other columns under their own names.
    :param values: how values are read; None for what holds where nothing is said.
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
    table.use([*named.values(), *names])
    who = [(field, position[column], column) for field, column in named.items()]
    used = [(position[column], column, field) for column, field in names.items() if column in position]

    values = values or ValueRules()
    readers = {"email": values.email, "phone": values.phone, "key": values.id}

    def build(row: Sequence[Any]) -> Event:
        person: dict[str, Any] = {}
        for field, at, column in who:
            plain = None if row[at] is MISSING else readers[field](row[at], column)
            if plain is not None:
                person[field] = plain
        if not person.keys() & {"email", "phone"}:
            raise InvalidValue("neither email nor phone is there")
        data = {field: values.json(row[at], column) for at, column, field in used if row[at] is not MISSING}
        return Event(name, data, **person)

    # Two events of one person are two events: each row is its own.
    return Mapper(build, lambda event: same_key(event.email or event.phone))


def _locator(value: object, column: str, values: ValueRules) -> str | None:
    """Return an address or a number as it is sent; None for a blank one.

    :raises InvalidValue: it is neither.
    """
    plain = values.text(value, column)
    if plain is not None and "@" in plain:
        return email_address(plain)
    try:
        return values.phone(value, column)
    except InvalidValue:
        if plain is not None and not any(map(str.isdigit, plain)):
            raise InvalidValue("neither an e-mail address nor a phone number") from None
        raise
