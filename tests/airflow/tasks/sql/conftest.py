"""Real databases on loopback, where each run has a schema of its own. In CI they must be there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.servers import MYSQL, POSTGRES, require_module, require_server

SCHEMA = f"esp_tests_{secrets.token_hex(6)}"

POSTGRES_DRIVERS = ("psycopg2", "psycopg")
MYSQL_DRIVERS = ("MySQLdb", "pymysql", "mysql.connector")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a database of this run's own, in a PostgreSQL that answers."""
    require_server(POSTGRES, "PostgreSQL", "ESP_TEST_POSTGRES")
    psycopg = require_module("psycopg")
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {SCHEMA}")
        yield urlsplit(POSTGRES)._replace(path=f"/{SCHEMA}").geturl()
        connection.execute(f"DROP DATABASE {SCHEMA} WITH (FORCE)")


@pytest.fixture(scope="session")
def mysql() -> Iterator[str]:
    """The address of a schema of this run's own, in a MySQL or MariaDB that answers."""
    require_server(MYSQL, "MySQL or MariaDB", "ESP_TEST_MYSQL")
    driver = require_module("pymysql")
    where = urlsplit(MYSQL)
    with driver.connect(
        host=where.hostname, port=where.port, user=where.username, password=where.password or ""
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
        yield f"{MYSQL.rstrip('/')}/{SCHEMA}"
        cursor.execute(f"DROP DATABASE {SCHEMA}")


class Database:
    """A database through one driver.

    :ivar kind: ``postgres`` or ``mysql``.
    """

    def __init__(self, kind: str, driver: str, connect: Callable[[], Any]) -> None:
        self.kind = kind
        self.driver = driver
        self.connect = connect

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Carry something out on a connection of its own."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            found: list[tuple[Any, ...]] = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            connection.commit()
            return found
        finally:
            connection.close()

    def numbers(self, many: int) -> str:
        """Give a query that counts up to a number and takes its time: its first rows are there at once."""
        if self.kind == "mysql":
            return "SELECT seq AS id FROM seq_1_to_MANY".replace("MANY", str(many))
        thousands = "SELECT (a - 1) * 1000 + b AS id FROM generate_series(1, MANY) a, generate_series(1, 1000) b"
        return thousands.replace("MANY", str(many // 1000))

    def rows(self, sql: str, key: str | None = None, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Read a query as a source does."""
        from airflow_provider_esp.core.readers.sql.query import run_query

        with run_query(self.connect(), sql, parameters, key, "the query") as table:
            return [tuple(row) for row in table.rows]

    def session(self, connection: Any) -> int:
        """Tell the server's number of a session."""
        cursor = connection.cursor()
        cursor.execute("SELECT pg_backend_pid()" if self.kind == "postgres" else "SELECT connection_id()")
        number = int(cursor.fetchone()[0])
        cursor.close()
        return number

    def sessions(self) -> set[int]:
        """List the sessions that the server has."""
        asked = (
            "SELECT pid FROM pg_stat_activity"
            if self.kind == "postgres"
            else "SELECT id FROM information_schema.processlist"
        )
        return {int(number) for (number,) in self.ask(asked)}

    def end(self, session: int) -> None:
        """End somebody's session."""
        self.ask(f"SELECT pg_terminate_backend({session})" if self.kind == "postgres" else f"KILL {session}")


def _database(driver: str, request: pytest.FixtureRequest) -> Database:
    module = require_module(driver)
    if driver in POSTGRES_DRIVERS:
        address = request.getfixturevalue("postgres")
        return Database("postgres", driver, lambda: module.connect(address))
    where = urlsplit(request.getfixturevalue("mysql"))
    arguments = {
        "host": where.hostname, "port": where.port, "user": where.username, "password": where.password or "",
        "database": where.path.strip("/"),
    }  # fmt: skip
    return Database("mysql", driver, lambda: module.connect(**arguments))


@pytest.fixture(params=[*POSTGRES_DRIVERS, *MYSQL_DRIVERS])
def database(request: pytest.FixtureRequest) -> Database:
    return _database(request.param, request)


@pytest.fixture(params=POSTGRES_DRIVERS)
def postgresql(request: pytest.FixtureRequest) -> Database:
    return _database(request.param, request)


@pytest.fixture(params=MYSQL_DRIVERS)
def mariadb(request: pytest.FixtureRequest) -> Database:
    return _database(request.param, request)
