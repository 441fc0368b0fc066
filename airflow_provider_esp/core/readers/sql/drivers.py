"""What the drivers need to hand out a query's rows as they come, rather than all of them at once.

PostgreSQL streams through a named cursor on the server, MySQL through a cursor that does not buffer; other drivers are
asked for a few rows at a time, and most of them keep no more.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

log = logging.getLogger(__name__)

Driver = Literal["psycopg2", "psycopg", "MySQLdb", "pymysql", "mysql", "sqlite3", "other"]
_KNOWN: dict[str, Driver] = {
    "psycopg2": "psycopg2", "psycopg": "psycopg", "MySQLdb": "MySQLdb", "pymysql": "pymysql", "mysql": "mysql",
    "sqlite3": "sqlite3",
}  # fmt: skip
MYSQL: frozenset[Driver] = frozenset({"MySQLdb", "pymysql", "mysql"})

_CURSOR_NAME = "esp_rows"
# MySQL's own limit of 60 s would end the query as soon as the service has us wait for a minute.
_WRITE_TIMEOUT = "SET SESSION net_write_timeout = 28800"
_MYSQL_READS = "SET SESSION TRANSACTION READ ONLY"


def driver_of(connection: Any) -> Driver:
    """Return which driver a connection belongs to, also where it is a subclass or wrapped."""
    for kind in connection.__class__.__mro__:  # not type(): a tracing wrapper shows the class of what it wraps
        driver = _KNOWN.get(kind.__module__.partition(".")[0])
        if driver:
            return driver
    return "other"


def read_only(connection: Any, driver: Driver) -> None:
    """Have the database refuse whatever would change something, where the driver can say so.

    ``DELETE … RETURNING`` gives rows as well, and ``ATTACH`` or ``VACUUM INTO`` write files. Of other drivers than
    these nothing is known: there, let the connection's user be one that may only read.

    :param connection: on which nothing has been carried out yet but what its Airflow hook sets.
    """
    match driver:
        case "psycopg2":
            connection.commit()  # what the hook has set stays, and a transaction that is open cannot be changed
            connection.set_session(readonly=True)
        case "psycopg":
            connection.commit()
            connection.read_only = True
        case "MySQLdb" | "pymysql" | "mysql":
            _tell(connection, _MYSQL_READS, "it cannot be kept from changing data")
        case "sqlite3":
            connection.set_authorizer(_sqlite_reads)


def _sqlite_reads(action: int, first: str | None, second: str | None, *place: str | None) -> int:
    """Return what a statement may do in SQLite: the authorizer that `sqlite3` asks while it prepares one."""
    import sqlite3

    reads = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    allowed = action in reads and second != "load_extension"
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


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
    _tell(connection, _WRITE_TIMEOUT, "it may end the query while the service is slow; spool=True avoids that")


def _tell(connection: Any, setting: str, otherwise: str) -> None:
    """Change a setting of the session.

    :param otherwise: what follows where the database does not take it.
    """
    cursor = connection.cursor()
    try:
        cursor.execute(setting)
    except Exception as error:  # noqa: BLE001  # drivers share no class, and databases that only speak like MySQL may not know the setting
        log.warning("This database takes no %r (%s): %s.", setting, type(error).__name__, otherwise)
    finally:
        cursor.close()
