"""The sandbox's data: one SQLite database, in memory or in a file.

One connection is shared by all threads behind one lock. Every request runs in one transaction, so a request that
fails half-way leaves nothing behind, and requests see each other's work whole or not at all.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Row = sqlite3.Row


class Store:
    """A SQLite database for many threads.

    :param file: path of the database file; None keeps it in memory.
    """

    def __init__(self, file: str | None = None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        # Autocommit mode: `transaction` says BEGIN and COMMIT itself.
        self._db = sqlite3.connect(file or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")  # a sandbox may lose its last writes when the power goes
        self._db.execute("PRAGMA temp_store = MEMORY")

    @contextmanager
    def transaction(self) -> Iterator[Store]:
        """Make everything inside happen wholly or not at all; may be nested (the outermost one decides)."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN")
            self._depth += 1
            try:
                yield self
            except BaseException:
                if self._depth == 1:
                    self._db.execute("ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self._db.execute("COMMIT")
            finally:
                self._depth -= 1

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep every other thread out, without a transaction: for `clear` and `script`."""
        with self._lock:
            yield

    def run(self, sql: str, *values: Any) -> int:
        """Execute one statement; return the last row id where it was an INSERT."""
        with self.transaction():
            return self._db.execute(sql, values).lastrowid or 0

    def change(self, sql: str, *values: Any) -> int:
        """Execute one UPDATE or DELETE; return the number of rows it touched."""
        with self.transaction():
            return self._db.execute(sql, values).rowcount

    def many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Execute one statement for every row of values."""
        with self.transaction():
            self._db.executemany(sql, rows)

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Return all rows of a query."""
        with self.transaction():
            return self._db.execute(sql, values).fetchall()

    def named(self, sql: str, values: dict[str, Any]) -> list[Row]:
        """Return all rows of a query with ``:named`` values."""
        with self.transaction():
            return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> Row | None:
        """Return the first row of a query, or None."""
        with self.transaction():
            row: Row | None = self._db.execute(sql, values).fetchone()
            return row

    def value(self, sql: str, *values: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.one(sql, *values)
        return None if row is None else row[0]

    def has_tables(self) -> bool:
        """Check whether anything was ever set up in this database."""
        return bool(self.value("SELECT count(*) FROM sqlite_master WHERE type = 'table'"))

    def script(self, sql: str) -> None:
        """Execute several statements, outside any transaction."""
        with self._lock:
            self._db.executescript(sql)

    def clear(self) -> None:
        """Drop every table."""
        with self._lock:
            names = self._db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall()
            for (name,) in names:
                self._db.execute(f'DROP TABLE "{name}"')

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()


def like(text: str) -> str:
    """Return a LIKE pattern that matches values containing `text`, for use with ``ESCAPE '!'``."""
    escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
