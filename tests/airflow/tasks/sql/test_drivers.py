"""Queries over each driver that there is something special about, against real servers."""

from __future__ import annotations

import datetime
import decimal
import gc
import sqlite3
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_esp.core.readers.sql.drivers import driver_of
from airflow_provider_esp.core.readers.sql.query import run_query
from airflow_provider_esp.exceptions import ColumnError, SourceError, SourceInterrupted

if TYPE_CHECKING:
    from tests.airflow.tasks.sql.conftest import Database

MANY = 3_000_000


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """Nothing that is left open may be noticed when it is collected."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
        gc.collect()


def resident() -> int:
    """Give the memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_the_driver_is_told_by_its_connection(database: Database) -> None:
    connection = database.connect()
    assert driver_of(connection) == database.driver.partition(".")[0]
    connection.close()


def test_a_driver_that_is_not_known_is_another() -> None:
    assert driver_of(object()) == "other"
    connection = sqlite3.connect(":memory:")
    assert driver_of(connection) == "sqlite3"
    connection.close()


@pytest.mark.parametrize(
    "statement", ["DELETE FROM changed RETURNING id", "INSERT INTO changed VALUES (2) RETURNING id"]
)
@pytest.mark.parametrize("key", [None, "id"])
def test_a_statement_that_changes_data_is_refused(database: Database, statement: str, key: str | None) -> None:
    database.ask("DROP TABLE IF EXISTS changed")
    database.ask("CREATE TABLE changed (id INT)")
    database.ask("INSERT INTO changed VALUES (1)")
    with pytest.raises(SourceError, match=r"would change data|takes one SELECT") as caught:
        database.rows(statement, key)
    assert not isinstance(caught.value, SourceInterrupted)
    assert database.ask("SELECT id FROM changed") == [(1,)]


@pytest.mark.parametrize("key", [None, "id"])
def test_rows_are_tuples_with_the_columns_names(database: Database, key: str | None) -> None:
    sql = "SELECT 2 AS id, 'x' AS name UNION ALL SELECT 3, NULL -- two\n; -- the end"
    with run_query(database.connect(), sql, None, key, "the query") as table:
        assert table.columns == ("id", "name")
        rows = list(table.rows)
    assert rows == [(2, "x"), (3, None)]
    assert {type(row) for row in rows} == {tuple}


@pytest.mark.parametrize("key", [None, "id"])
def test_all_rows_come_once_over_several_fetches(database: Database, key: str | None) -> None:
    assert database.rows(database.numbers(90_000), key) == [(number,) for number in range(1, 90_001)]


def test_rows_come_before_the_query_is_read_to_its_end_and_leaving_early_reads_no_more(database: Database) -> None:
    before = resident()
    with run_query(database.connect(), database.numbers(MANY), None, None, "the query") as table:
        assert next(table.rows)[0] == 1
        assert resident() - before < 16 << 20  # three million rows would be hundreds of megabytes


@pytest.mark.parametrize("left_early", [False, True])
def test_the_session_ends_when_the_context_is_left(database: Database, left_early: bool) -> None:
    connection = database.connect()
    session = database.session(connection)
    with run_query(connection, database.numbers(MANY if left_early else 1000), None, None, "the query") as table:
        assert session in database.sessions()
        next(table.rows) if left_early else list(table.rows)
    deadline = time.monotonic() + 5
    while session in database.sessions() and time.monotonic() < deadline:
        time.sleep(0.01)  # a server takes a moment to notice
    assert session not in database.sessions()


def test_a_connection_that_breaks_in_the_middle_says_where_and_what_to_do(database: Database) -> None:
    connection = database.connect()
    session = database.session(connection)
    with run_query(connection, database.numbers(MANY), None, None, "the query") as table:
        next(table.rows)
        database.end(session)
        with pytest.raises(
            SourceInterrupted, match=r"broke off after row [0-9,]+ \(.+\)\. Run the task again\."
        ) as broken:
            list(table.rows)
    assert "spool=True" in str(broken.value)


def test_a_query_that_is_refused_says_so_with_the_databases_words(database: Database) -> None:
    for key in (None, "id"):
        with pytest.raises(SourceError, match=r"refused the query \(.*nowhere") as refused:
            database.rows("SELECT 1 AS id FROM nowhere", key)
        assert not isinstance(refused.value, SourceInterrupted)
        assert "SELECT 1" not in str(refused.value)


def test_a_key_that_stands_twice_is_found(database: Database) -> None:
    with pytest.raises(ColumnError, match="rows 1 and 2 have the same 'id'"):
        database.rows("SELECT 7 AS id UNION ALL SELECT 8 UNION ALL SELECT 7", "id")


def test_parameters_are_the_drivers_own(database: Database) -> None:
    assert database.rows("SELECT %s AS id", "id", ["it's"]) == [("it's",)]
    assert database.rows("SELECT %(who)s AS id", None, {"who": "ann"}) == [("ann",)]
    assert database.rows("SELECT 'a%b' AS x") == [("a%b",)]


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_postgresql_reads_through_one_cursor_on_the_server_and_leaves_none(postgresql: Database) -> None:
    connection = postgresql.connect()
    with run_query(connection, postgresql.numbers(MANY), None, "id", "the query") as table:
        next(table.rows)
        cursor = connection.cursor()
        cursor.execute("SELECT name, statement FROM pg_cursors WHERE name <> ''")
        [(name, statement)] = [row for row in cursor.fetchall() if row[0] == "esp_rows"]
        assert name == "esp_rows"
        assert "esp_rows ORDER BY 1" in statement
        cursor.close()
    assert connection.closed


def test_postgresql_rows_are_tuples_however_the_connection_is_set_up(postgres: str) -> None:
    psycopg2, extras = pytest.importorskip("psycopg2"), pytest.importorskip("psycopg2.extras")
    psycopg, rows = pytest.importorskip("psycopg"), pytest.importorskip("psycopg.rows")
    for connection in (
        psycopg2.connect(postgres, cursor_factory=extras.RealDictCursor),
        psycopg2.connect(postgres, connection_factory=type("Mine", (psycopg2.extensions.connection,), {})),
        psycopg.connect(postgres, row_factory=rows.dict_row),
    ):
        with run_query(connection, "SELECT 2 AS b, 1 AS a", None, "a", "the query") as table:
            assert list(table.rows) == [(2, 1)]


def test_postgresql_values_are_pythons_own(postgresql: Database) -> None:
    [row] = postgresql.rows(
        "SELECT 1.50::numeric AS n, date '2026-01-02' AS d, timestamptz '2026-01-02 03:04+02' AS at, "
        """'{"a": [1]}'::jsonb AS j, ARRAY['x', 'y'] AS l, true AS b, interval '1 day' AS i"""
    )
    moment = datetime.datetime(2026, 1, 2, 1, 4, tzinfo=datetime.UTC)
    day = datetime.timedelta(days=1)
    assert row == (decimal.Decimal("1.50"), moment.date(), moment, {"a": [1]}, ["x", "y"], True, day)


def test_postgresql_says_no_value_of_a_row_that_it_cannot_convert(postgresql: Database) -> None:
    sql = "SELECT CASE id WHEN 90000 THEN 'ann@example.org' ELSE '1' END::int AS id FROM generate_series(1, 90000) id"
    with pytest.raises(SourceError, match=r"the query: the query broke off after row [0-9,]+ \(.*22P02\)") as refused:
        postgresql.rows(sql)
    assert "ann" not in str(refused.value)
    assert not isinstance(refused.value, SourceInterrupted)


# --- MySQL and MariaDB ------------------------------------------------------------------------------------------------


def test_mysql_does_not_end_the_query_while_the_service_is_slow(mariadb: Database) -> None:
    sql = "SELECT @@session.net_write_timeout AS seconds"
    assert mariadb.rows(sql)[0][0] >= 8 * 60 * 60
    assert mariadb.ask(sql)[0][0] < 8 * 60 * 60


@pytest.mark.parametrize("rows", [["a", "A", "b"], ["A", "a", "e", "é"]])
def test_mysql_orders_text_by_its_bytes_where_the_collation_leaves_the_order_open(
    mariadb: Database, rows: list[str]
) -> None:
    mariadb.ask("CREATE OR REPLACE TABLE words (w VARCHAR(20) COLLATE utf8mb4_general_ci)")
    for word in reversed(rows):
        mariadb.ask("INSERT INTO words VALUES ('WORD')".replace("WORD", word))
    assert [word for (word,) in mariadb.rows("SELECT w FROM words", "w")] == sorted(rows, key=str.encode)


def test_mysql_finds_a_double_among_spellings_that_its_collation_holds_the_same(mariadb: Database) -> None:
    mariadb.ask("CREATE OR REPLACE TABLE words (`the ``word` VARCHAR(20) COLLATE utf8mb4_general_ci)")
    mariadb.ask("INSERT INTO words VALUES ('ann'), ('Ann'), ('ann')")
    with pytest.raises(ColumnError, match="rows 2 and 3"):
        mariadb.rows("SELECT * FROM words", "the `word")


def test_mysql_reads_a_number_key_in_the_order_of_its_index(mariadb: Database) -> None:
    with run_query(mariadb.connect(), mariadb.numbers(MANY), None, "id", "the query") as table:
        next(table.rows)
        running = [text for (text,) in mariadb.ask("SELECT info FROM information_schema.processlist") if text]
    assert [text for text in running if "esp_rows ORDER BY 1" in text]


def test_mysql_reads_a_backslash_in_a_string_as_mysql_does(mariadb: Database) -> None:
    assert mariadb.rows(r"SELECT 'it\'s; -- not' AS x ; -- end", "x") == [("it's; -- not",)]
