"""Rows out of a DB-API cursor that has a query under way: a few thousand cells at a time, and never more of them.

What a driver raises becomes a `SourceError` that says what to do. A driver's own words are shortened first, and left
out where they quote what is in the table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.exceptions import ColumnError, SourceError, SourceInterrupted
from airflow_provider_esp.utils.redaction import redact

CELLS_AT_ONCE = 24_000
"""How many cells are fetched at once, so that wide rows need no more memory than narrow ones."""
_FIRST_ROWS = 100

# The classes of PEP 249 for what the same query meets again. Drivers share only the names.
_LASTING = frozenset({"ProgrammingError", "DataError", "IntegrityError", "NotSupportedError"})
_READ_ONLY_STATES = frozenset({"25006"})
_READ_ONLY_NUMBERS = frozenset({1792})  # MySQL's
_READ_ONLY_WORDS = ("not authorized", "authorization denied")  # what sqlite3 says where its authorizer refuses
_QUOTING = frozenset({"DataError", "IntegrityError"})


class Cursor(Protocol):
    """A cursor of PEP 249 after `execute`."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """One sequence for each column, its name first; some drivers know it only after the first fetch."""

    def fetchmany(self, size: int) -> Sequence[Any]:
        """Return the next rows, none at the end."""


def read_cursor(cursor: Cursor, origin: str, key: str | None = None) -> Table:
    """Read the rows of a query.

    :param cursor: with the query under way.
    :param origin: what messages call the source.
    :param key: a column by which the rows are ordered; that no two rows have the same is checked while they are read.
    :returns: a table whose rows are tuples.
    :raises ColumnError: the query names a column twice, has no column like the key, or the key is not unique; the
        message names row numbers and never a value.
    :raises SourceInterrupted: the connection broke.
    :raises SourceError: the database refuses to go on.
    """
    first = _fetch(cursor, _FIRST_ROWS, origin, 0)  # before the description: psycopg2 has none until then
    columns = column_names(cursor, origin)
    chunks = itertools.chain([first], _chunks(cursor, len(columns), origin, len(first)) if first else ())
    rows: Iterator[tuple[Any, ...]] = itertools.chain.from_iterable(_tuples(chunk, columns) for chunk in chunks)
    if key is not None:
        rows = _one_each(rows, position_of(columns, key, origin), key, origin)
    return Table(columns, rows, origin)


def column_names(cursor: Cursor, origin: str) -> tuple[str, ...]:
    """Name the columns of a query.

    :raises SourceError: it has none, so it is no query.
    :raises ColumnError: two have the same name.
    """
    if not cursor.description:
        raise SourceError(f"{origin}: the statement gives no rows; sql= takes one SELECT.")
    names = tuple(str(column[0]) for column in cursor.description)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ColumnError(f"{origin}: the query names {', '.join(map(repr, twice))} twice; rename one with AS.")
    return names


def position_of(columns: Sequence[str], key: str, origin: str) -> int:
    """Return which column the key is, from 0.

    :raises ColumnError: none of them.
    """
    if key not in columns:
        raise ColumnError(
            f"{origin}: key={key!r} is not a column of the query; it has {', '.join(map(repr, columns))}. Select it, "
            "or name it as the query does (upper and lower case differ)."
        )
    return columns.index(key)


def raise_failure(error: Exception, told: str, *, lasting: str, passing: str) -> NoReturn:
    """Raise what a driver raised as an error of ours.

    :param told: the source and what failed there.
    :param lasting: what to do where the same query would meet the same again.
    :param passing: what to do where the next try may go well.
    :raises SourceInterrupted: the next try may go well.
    :raises SourceError: it would meet the same again.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    words = f"{told} ({_words(error, kinds)})."
    # The driver's own exception is left out of the log: it quotes the statement, and some quote values.
    if _would_write(error):
        raise SourceError(f"{words} sql= takes one SELECT, and this would change data: nothing was.") from None
    if kinds & _LASTING:
        raise SourceError(f"{words} {lasting}") from None
    raise SourceInterrupted(f"{words} {passing}") from None


def _would_write(error: Exception) -> bool:
    """Check whether a database refused a statement because the session may only read; see `drivers.read_only`."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    number = next(iter(error.args), None)
    return state in _READ_ONLY_STATES or number in _READ_ONLY_NUMBERS or str(error).startswith(_READ_ONLY_WORDS)


def _words(error: Exception, kinds: set[str]) -> str:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    name = type(error).__name__ + (f" {state}" if state else "")
    said = getattr(error, "msg", None) or error  # mysql.connector adds numbers to it
    lines = str(said).strip().splitlines()  # PostgreSQL quotes the statement and values from the second line on
    return f"{name}: {redact(lines[0])}" if lines and not kinds & _QUOTING else name


def _chunks(cursor: Cursor, width: int, origin: str, read: int) -> Iterator[Sequence[Any]]:
    size = max(1, CELLS_AT_ONCE // width)
    while chunk := _fetch(cursor, size, origin, read):
        read += len(chunk)
        yield chunk


def _fetch(cursor: Cursor, size: int, origin: str, read: int) -> Sequence[Any]:
    try:
        return cursor.fetchmany(size)
    except Exception as error:  # noqa: BLE001  # drivers share no class, and nothing but the driver runs here
        where = f"after row {read:,}" if read else "before the first row"
        raise_failure(
            error,
            f"{origin}: the query broke off {where}",
            lasting="It will do so again: correct that value, or convert it in the query.",
            passing="Run the task again. Where the database ends queries that stand open while the service is slow, "
            "copy the rows first: spool=True.",
        )


def _tuples(chunk: Sequence[Any], columns: Sequence[str]) -> Sequence[tuple[Any, ...]]:
    """Bring rows to tuples: a connection may be set up to hand out dictionaries or rows of the driver's own kind."""
    if isinstance(chunk[0] if chunk else (), tuple):
        return chunk
    if isinstance(chunk[0], Mapping):
        return [tuple([row[name] for name in columns]) for row in chunk]
    return [tuple(row) for row in chunk]


def _one_each(rows: Iterator[tuple[Any, ...]], at: int, key: str, origin: str) -> Iterator[tuple[Any, ...]]:
    """Check that no two rows have one key: they are ordered by it, so that its double would be its neighbour."""
    before: Any = object()
    for number, row in enumerate(rows, 1):
        if row[at] == before:
            raise ColumnError(
                f"{origin}: rows {number - 1:,} and {number:,} have the same {key!r}, and key= names a column in which "
                "every value stands once. Name another, or leave the doubles out in the query."
            )
        before = row[at]
        yield row
