"""One SELECT, carried out: wrapped so that its rows come in the order of a key, streamed, and its session ended.

The key's place among the columns is found by asking for the query's columns alone, so that ordering needs no name and
no database's way to quote one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_esp.core.readers.sql.cursor import column_names, position_of, raise_failure, read_cursor
from airflow_provider_esp.core.readers.sql.drivers import (
    MYSQL,
    driver_of,
    hang_up,
    plain_cursor,
    read_only,
    streaming_cursor,
)
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.exceptions import SourceError

# Numbers of the MySQL protocol for columns that have a collation (CHAR, VARCHAR, TEXT, ENUM, SET).
_MYSQL_TEXT = frozenset({15, 247, 248, 249, 250, 251, 252, 253, 254})


@contextmanager
def run_query(connection: Any, sql: str, parameters: Any, key: str | None, origin: str) -> Iterator[Table]:
    """Carry out a query and hand its rows out; the session is ended when the context is left.

    :param connection: of any driver of PEP 249; it is closed here.
    :param sql: one SELECT; a semicolon and comments at its end do no harm.
    :param parameters: for the driver's placeholders, or None.
    :param key: the unique column by which the rows are ordered, or None for the query's own order.
    :param origin: what messages call the source.
    :raises SourceError: the database refuses the query, or goes away.
    :raises ColumnError: the columns are not what they must be; see `read_cursor`.
    """
    driver = driver_of(connection)
    cursor = None
    try:
        statement = trimmed(sql, origin, backslashes=driver in MYSQL)
        read_only(connection, driver)
        if key is not None:
            statement = _ordered(connection, statement, parameters, key=key, origin=origin)
        cursor = streaming_cursor(connection, driver)
        _execute(cursor, statement, parameters, origin, wrapped=key is not None)
        yield read_cursor(cursor, origin, key)
    finally:
        hang_up(connection, cursor, driver)


def _ordered(connection: Any, sql: str, parameters: Any, *, key: str, origin: str) -> str:
    driver = driver_of(connection)
    cursor = plain_cursor(connection, driver)
    try:
        inner = f"SELECT * FROM (\n{sql}\n) esp_rows"  # noqa: S608  # the author's own SQL, and nothing else
        _execute(cursor, f"{inner} WHERE 1 = 0", parameters, origin, wrapped=True)
        cursor.fetchall()
        at = position_of(column_names(cursor, origin), key, origin)
        collated = driver in MYSQL and cursor.description[at][1] in _MYSQL_TEXT
    finally:
        cursor.close()
    # A collation may hold 'a' and 'A' for the same, and then leaves their order open: bytes do not.
    by = f"CAST(esp_rows.`{key.replace('`', '``')}` AS BINARY)" if collated else str(at + 1)
    return f"{inner} ORDER BY {by}"


def _execute(cursor: Any, sql: str, parameters: Any, origin: str, *, wrapped: bool) -> None:
    try:
        if parameters:
            cursor.execute(sql, parameters)
        else:  # without them, a per cent sign is itself
            cursor.execute(sql)
    except Exception as error:  # noqa: BLE001  # drivers share no class, and nothing but the driver runs here
        around = " It ran inside SELECT * FROM (…) ORDER BY, because of key=." if wrapped else ""
        raise_failure(
            error,
            f"{origin}: the database refused the query",
            lasting=f"sql= takes one SELECT; correct it.{around}",
            passing=f"Run the task again; if it says the same, correct sql=.{around}",
        )


def _tokens(strings: str) -> re.Pattern[str]:
    return re.compile(
        rf"""
        (?P<blank> \s+ | --[^\n]* | /\*.*?\*/ )
        | (?P<semicolon> ; )
        | {strings} | "(?:[^"]|"")*" | `[^`]*` | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$
        | (?P<quote> ['"`] )
        | [^\s;'"`$/eE-]+ | .
        """,
        re.VERBOSE | re.DOTALL,
    )


# Whether a backslash hides the quote behind it differs by database; in PostgreSQL it does in E'' alone.
_ESCAPED = r"'(?:[^'\\]|''|\\.)*'"
_STANDARD = _tokens(rf"[eE]{_ESCAPED} | '(?:[^']|'')*'")
_BACKSLASHES = _tokens(_ESCAPED)


def trimmed(sql: str, origin: str, *, backslashes: bool = False) -> str:
    """Take the semicolon off a statement's end, with the comments behind it.

    Comments that end the statement itself stay: what is added to it begins on a line of its own.

    :param backslashes: whether a backslash hides the quote behind it in this database; where that reading leaves a
        quote open, the other one counts.
    :raises SourceError: there is no statement, or more than one.
    """
    readings = (_BACKSLASHES, _STANDARD) if backslashes else (_STANDARD, _BACKSLASHES)
    for reading in readings:
        end: int | None = None
        statements = quoted = 0
        for token in reading.finditer(sql):
            if token["semicolon"]:
                end = token.start() if end is None else end
            elif not token["blank"]:
                statements += end is not None or not statements
                end = None
                quoted += bool(token["quote"])
        if not quoted:
            break
    else:
        return sql.strip()  # a quote is left open: the database will say where
    if statements != 1:
        what = "is empty" if not statements else "holds more than one statement"
        raise SourceError(f"{origin}: sql= {what}; give it one SELECT.")
    return sql[:end].strip()
