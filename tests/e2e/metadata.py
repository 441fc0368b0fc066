"""Airflow's metadata database as a test sees it: SQLite, or a database of its own in a PostgreSQL that runs here."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

POSTGRESQL = os.environ.get("ESP_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


class Metadata:
    """A database to read from.

    :param url: as SQLAlchemy writes it.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, select: str, *values: object) -> list[dict[str, Any]]:
        """Read rows.

        :param select: with a question mark for each value.
        """
        if not self.url.startswith("sqlite"):
            return self._rows_of_postgresql(select, values)
        path = self.url.removeprefix("sqlite:///").partition("?")[0]
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(select, values)]

    def _rows_of_postgresql(self, select: str, values: tuple[object, ...]) -> list[dict[str, Any]]:
        import psycopg2
        from psycopg2.extras import RealDictCursor

        address = self.url.replace("+psycopg2", "")
        with contextlib.closing(psycopg2.connect(address, cursor_factory=RealDictCursor)) as db, db.cursor() as cursor:
            cursor.execute(select.replace("%", "%%").replace("?", "%s"), values)
            return [dict(row) for row in cursor]


@contextlib.contextmanager
def postgresql() -> Iterator[Metadata | None]:
    """Make a database in the PostgreSQL of this machine, and drop it at the end; None where there is no PostgreSQL."""
    import psycopg2

    try:
        db = psycopg2.connect(POSTGRESQL, connect_timeout=60)
    except psycopg2.OperationalError:
        yield None
        return
    name = f"esp_{secrets.token_hex(6)}"
    db.autocommit = True
    with contextlib.closing(db), db.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
        try:
            yield Metadata(urlsplit(POSTGRESQL)._replace(scheme="postgresql+psycopg2", path=name).geturl())
        finally:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
