"""What the drivers need to hand out a query's rows as they come, rather than all of them at once.

PostgreSQL streams through a named cursor on the server, MySQL through a cursor that does not buffer; other drivers are
asked for a few rows at a time, and most of them keep no more.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

log = logging.getLogger(__name__)

Driver = Literal["psycopg2", "psycopg", "MySQLdb", "pymysql", "mysql", "other"]
_KNOWN: dict[str, Driver] = {
    "psycopg2": "psycopg2", "psycopg": "psycopg", "MySQLdb": "MySQLdb", "pymysql": "pymysql", "mysql": "mysql",
}  # fmt: skip
MYSQL: frozenset[Driver] = frozenset({"MySQLdb", "pymysql", "mysql"})

_CURSOR_NAME = "esp_rows"
# MySQL's own limit of 60 s would end the query as soon as the service has us wait for a minute.
_WRITE_TIMEOUT = "SET SESSION net_write_timeout = 28800"


def driver_of(connection: Any) -> Driver:
    """Tell which driver a connection belongs to, also where it is a subclass or wrapped."""
    for kind in connection.__class__.__mro__:  # not type(): a tracing wrapper shows the class of what it wraps
        driver = _KNOWN.get(kind.__module__.partition(".")[0])
        if driver:
            return driver
    return "other"


def plain_cursor(connection: Any, driver: Driver) -> Any:
    """Make a cursor for a query of a few rows, which hands out tuples however the connection is set up."""
    match driver:
        case "psycopg2":
            from psycopg2.extensions import cursor

            return connection.cursor(cursor_factory=cursor)
        case "psycopg":
            from psycopg.rows import tuple_row

            return connection.cursor(row_factory=tuple_row)
    return connection.cursor()


def streaming_cursor(connection: Any, driver: Driver) -> Any:
    """Make a cursor that holds no more rows than are asked for."""
    match driver:
        case "psycopg2":
            from psycopg2.extensions import cursor

            return connection.cursor(_CURSOR_NAME, cursor_factory=cursor)
        case "psycopg":
            from psycopg.rows import tuple_row

            return connection.cursor(_CURSOR_NAME, row_factory=tuple_row)
        case "MySQLdb":
            from MySQLdb.cursors import SSCursor

            _lengthen_writes(connection)
            return connection.cursor(SSCursor)
        case "pymysql":
            from pymysql.cursors import SSCursor as UnbufferedCursor

            _lengthen_writes(connection)
            return connection.cursor(UnbufferedCursor)
        case "mysql":
            _lengthen_writes(connection)
            return connection.cursor(buffered=False, dictionary=False)
    return connection.cursor()


def hang_up(connection: Any, cursor: Any, driver: Driver) -> None:
    """End the session, without reading what is left of its rows.

    :param cursor: the one that was streamed from, or None.
    """
    if driver == "psycopg" and cursor is not None:
        cursor.close()
    if driver == "pymysql" and getattr(cursor, "_result", None) is not None:
        # When it is collected, PyMySQL would read the rest of the rows from the socket that is closed by then.
        cursor._result.unbuffered_active = False
    connection.close()


def _lengthen_writes(connection: Any) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(_WRITE_TIMEOUT)
    except Exception as error:  # noqa: BLE001  # drivers share no class, and databases that only speak like MySQL may not know the setting
        log.warning(
            "This database takes no %r (%s): it may end the query while the service is slow; spool=True avoids that.",
            _WRITE_TIMEOUT,
            type(error).__name__,
        )
    finally:
        cursor.close()
