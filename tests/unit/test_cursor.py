"""Rows out of cursors and queries, on SQLite; the other databases are in tests/airflow/sql."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.sql.cursor import CELLS_AT_ONCE, read_cursor
from airflow_provider_esp.core.readers.sql.query import run_query, trimmed
from airflow_provider_esp.exceptions import ColumnError, SourceError, SourceInterrupted

NUMBERS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 30000) SELECT id FROM n"


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def rows_of(
    sql: str, key: str | None = None, parameters: Any = None, connection: sqlite3.Connection | None = None
) -> list[tuple[Any, ...]]:
    with run_query(connection or sqlite3.connect(":memory:"), sql, parameters, key, "the query") as table:
        return [tuple(row) for row in table.rows]


class Counting(sqlite3.Cursor):
    """SQLite's cursor, which notes how many rows are asked for at once."""

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        self.asked = [*getattr(self, "asked", []), size]
        return super().fetchmany(size)


def test_rows_are_tuples_in_the_order_of_the_named_columns(database: sqlite3.Connection) -> None:
    cursor = database.execute("SELECT 'ann' AS name, 7 AS points UNION ALL SELECT 'bob', NULL")
    table = read_cursor(cursor, "the query")
    assert table.columns == ("name", "points")
    assert list(table.rows) == [("ann", 7), ("bob", None)]


def test_a_query_without_rows_still_has_columns(database: sqlite3.Connection) -> None:
    table = read_cursor(database.execute("SELECT 1 AS id WHERE 1 = 0"), "the query")
    assert (table.columns, list(table.rows)) == (("id",), [])


@pytest.mark.parametrize("width", [1, 12, 1500])
def test_no_more_cells_are_fetched_at_once_however_wide_the_rows_are(database: sqlite3.Connection, width: int) -> None:
    cursor = database.cursor(Counting)
    names = ", ".join(f"id AS c{at}" for at in range(width))
    cursor.execute(f"WITH ids AS ({NUMBERS}) SELECT {names} FROM ids LIMIT 900")  # noqa: S608  # made of numbers
    assert len(list(read_cursor(cursor, "the query").rows)) == 900
    assert max(cursor.asked[1:]) * width <= CELLS_AT_ONCE
    assert max(cursor.asked[1:]) == CELLS_AT_ONCE // width


def test_a_connection_that_hands_out_dictionaries_gives_tuples_all_the_same(database: sqlite3.Connection) -> None:
    database.row_factory = lambda cursor, row: dict(zip([name for name, *_ in cursor.description], row, strict=True))
    assert rows_of("SELECT 2 AS b, 1 AS a", connection=database) == [(2, 1)]


def test_a_connection_that_hands_out_rows_of_its_own_kind_gives_tuples_all_the_same(
    database: sqlite3.Connection,
) -> None:
    database.row_factory = sqlite3.Row
    with run_query(database, "SELECT 2 AS b, 1 AS a", None, None, "the query") as table:
        assert [type(row) for row in table.rows] == [tuple]


def test_a_statement_without_rows_is_refused(database: sqlite3.Connection) -> None:
    with pytest.raises(SourceError, match="this would change data"):
        rows_of("CREATE TABLE t (id)", connection=database)


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ColumnError, match="names 'id' twice"):
        rows_of("SELECT 1 AS id, 2 AS id")


# --- the key ----------------------------------------------------------------------------------------------------------


def test_rows_come_in_the_order_of_the_key() -> None:
    sql = "SELECT 'c' AS x, 3 AS id UNION ALL SELECT 'a', 1 UNION ALL SELECT 'b', 2"
    assert rows_of(sql, "id") == [("a", 1), ("b", 2), ("c", 3)]
    assert rows_of(sql) == [("c", 3), ("a", 1), ("b", 2)]


def test_a_key_may_be_called_anything() -> None:
    assert rows_of("SELECT 2 AS \"order by 'x'`; -- \" UNION SELECT 1", "order by 'x'`; -- ") == [(1,), (2,)]


def test_a_key_that_is_no_column_is_refused_and_the_columns_are_named() -> None:
    with pytest.raises(ColumnError, match=r"key='Id' is not a column of the query; it has 'id', 'name'\."):
        rows_of("SELECT 1 AS id, 'x' AS name", "Id")


def test_a_key_that_stands_twice_is_refused_by_row_numbers_and_without_the_value() -> None:
    with pytest.raises(ColumnError, match="rows 2 and 3 have the same 'email'") as refused:
        rows_of(
            "SELECT 'b@example.org' AS email UNION ALL SELECT 'a@example.org' UNION ALL SELECT 'b@example.org'", "email"
        )
    assert "@" not in str(refused.value)


@given(st.lists(st.integers(-5, 5) | st.none(), max_size=12))
def test_a_key_is_refused_exactly_where_a_value_stands_twice(values: list[int | None]) -> None:
    sql = " UNION ALL ".join(f"SELECT {'NULL' if value is None else value} AS id" for value in values)
    sql = sql or "SELECT 1 AS id WHERE 1 = 0"
    if len(set(values)) == len(values):
        assert sorted(rows_of(sql, "id"), key=str) == sorted([(value,) for value in values], key=str)
    else:
        with pytest.raises(ColumnError, match="have the same 'id'"):
            rows_of(sql, "id")


# --- what fails -------------------------------------------------------------------------------------------------------


def test_a_query_that_breaks_off_says_where_and_keeps_the_reason(database: sqlite3.Connection) -> None:
    value = "CASE WHEN id = 25000 THEN -9223372036854775807 - 1 ELSE id END"
    sql = f"SELECT abs({value}) AS id FROM ({NUMBERS})"  # noqa: S608  # made of what stands above
    with (
        pytest.raises(SourceInterrupted, match=r"broke off after row 24,100 \(OperationalError: integer overflow\)"),
        run_query(database, sql, None, None, "the query") as table,
    ):
        list(table.rows)


def test_a_query_that_the_database_refuses_is_a_source_error() -> None:
    with pytest.raises(SourceError, match=r"the query: the database refused the query \(.*no such table: nowhere"):
        rows_of("SELECT * FROM nowhere")


def test_a_refusal_quotes_no_address(database: sqlite3.Connection) -> None:
    with pytest.raises(SourceError, match="refused the query") as refused:
        rows_of('SELECT "ann@example.org".x')
    assert "@" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_the_session_is_closed_however_the_context_is_left() -> None:
    read = sqlite3.connect(":memory:")
    rows_of(NUMBERS, "id", connection=read)
    left = sqlite3.connect(":memory:")
    with run_query(left, NUMBERS, None, None, "the query") as table:
        next(table.rows)
    refused = sqlite3.connect(":memory:")
    with pytest.raises(SourceError):
        rows_of("nonsense", connection=refused)
    for connection in (read, left, refused):
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_parameters_reach_the_driver_and_without_them_a_per_cent_sign_is_itself() -> None:
    assert rows_of("SELECT ? AS id", "id", ["x"]) == [("x",)]
    assert rows_of("SELECT :who AS id", None, {"who": "y"}) == [("y",)]
    assert rows_of("SELECT '100%' AS id") == [("100%",)]


# --- the statement's end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("SELECT 1", "SELECT 1"),
        ("\n SELECT 1 ;\n", "SELECT 1"),
        ("SELECT 1;;; ; -- the end\n/* really; */", "SELECT 1"),
        ("SELECT 1 -- one; only\n", "SELECT 1 -- one; only"),
        ("SELECT ';' ; -- ';", "SELECT ';'"),
        ("SELECT 'it''s; -- not' ;", "SELECT 'it''s; -- not'"),
        (r"SELECT E'it\'s; -- not' ; -- end", r"SELECT E'it\'s; -- not'"),
        (r"SELECT 'it\'s' ; -- end", r"SELECT 'it\'s'"),
        (r"SELECT 'C:\' ; -- end", r"SELECT 'C:\'"),
        ('SELECT "a;b" ;', 'SELECT "a;b"'),
        ("SELECT `a;b` ;", "SELECT `a;b`"),
        ("SELECT $$a;'b$$ ;", "SELECT $$a;'b$$"),
        ("SELECT $q$ $$;' $q$; --", "SELECT $q$ $$;' $q$"),
        ("SELECT '{\"a\": 1}' #>> '{a}' ;", "SELECT '{\"a\": 1}' #>> '{a}'"),
        ("SELECT 6 / 2 - 1 /* ; */;", "SELECT 6 / 2 - 1 /* ; */"),
    ],
)
def test_a_semicolon_at_the_end_goes_and_all_else_stays(sql: str, kept: str) -> None:
    assert trimmed(sql, "the query") == kept


def test_where_a_backslash_hides_a_quote_the_string_goes_on() -> None:
    sql = r"SELECT 'it\'s; -- not' ; -- end"
    assert trimmed(sql, "the query", backslashes=True) == r"SELECT 'it\'s; -- not'"


@pytest.mark.parametrize("sql", ["", " \n", ";", "-- nothing\n;", "/* nothing */"])
def test_nothing_is_not_a_statement(sql: str) -> None:
    with pytest.raises(SourceError, match="sql= is empty"):
        trimmed(sql, "the query")


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "SELECT 1; -- a\nDROP TABLE t;", "; SELECT 1; SELECT 2"])
def test_two_statements_are_refused_and_neither_is_run(sql: str) -> None:
    with pytest.raises(SourceError, match="more than one statement"):
        trimmed(sql, "the query")


WORDS = st.text("a;'\"-/*\\ \n$`#%", max_size=12)
TAILS = st.lists(st.sampled_from([" ", "\n", ";", "/* ;' */", "-- it's; \"\n", "--\n", "/**/"]), max_size=6).map(
    "".join
)


@given(value=WORDS, comment=WORDS, tail=TAILS)
def test_whatever_stands_in_a_string_or_comment_the_wrapped_query_means_the_same(
    value: str, comment: str, tail: str
) -> None:
    literal = "'" + value.replace("'", "''") + "'"
    remark = "--" + comment.replace("\n", " ") + "\n"
    sql = f"SELECT {literal} AS x {remark} {tail}"
    assert rows_of(sql, "x") == [(value,)]
