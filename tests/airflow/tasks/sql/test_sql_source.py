"""`SqlSource` over Airflow's own hooks, inside and outside of tasks."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import airflow
import psycopg
import pytest
from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_esp.exceptions import ColumnError, SourceError, SourceInterrupted
from airflow_provider_esp.sources.sql import SqlSource
from tests.servers import require_module

hooks = pytest.importorskip(
    "airflow.providers.postgres.hooks.postgres", reason="Airflow's postgres provider is missing"
)
DRIVERS = ["psycopg2"] if airflow.__version__.startswith("2.") else ["psycopg2", "psycopg"]
NUMBERS = "SELECT id, 'user' || id AS name FROM generate_series(1, 5000) AS id"

Session = psycopg.Connection[tuple[Any, ...]]


class Read(BaseOperator):
    """Reads a source, does something, and tells what it read."""

    template_fields = ("source",)
    template_ext = (".sql",)

    def __init__(self, *, source: Any, then: Callable[[], None] = lambda: None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.then = then

    def execute(self, context: Any) -> Any:
        with self.source.open() as table:
            rows = [list(row) for row in table.rows]
        self.then()
        return {"rows": rows, "count": self.source.count()}


@pytest.fixture(params=DRIVERS)
def warehouse(request: pytest.FixtureRequest, postgres: str, airflow_db: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection that Airflow's `PostgresHook` opens with one driver or the other."""
    monkeypatch.setattr(hooks, "USE_PSYCOPG3", request.param == "psycopg")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres.replace("postgresql://", "postgres://"))
    return "warehouse"


@pytest.fixture
def server(postgres: str) -> Iterator[Session]:
    """A session of the test's own."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def people(server: Session) -> Iterator[str]:
    """A table that the test may change."""
    server.execute("DROP TABLE IF EXISTS esp_people")
    server.execute("CREATE TABLE esp_people AS SELECT id, 'user' || id AS name FROM generate_series(1, 3) AS id")
    yield "SELECT * FROM esp_people"
    server.execute("DROP TABLE esp_people")


def rows_of(source: SqlSource) -> list[Any]:
    with source.open() as table:
        return list(table.rows)


def sessions(server: Session, name: str) -> int:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    found = server.execute(asked, [name]).fetchone()
    assert found is not None
    return int(found[0])


def gone(server: Session, name: str) -> bool:
    """Tell whether a session ends within a few seconds."""
    deadline = time.monotonic() + 5
    while sessions(server, name) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not sessions(server, name)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_rows_come_from_a_connection_of_airflow_in_the_order_of_the_key(warehouse: str) -> None:
    source = SqlSource(warehouse, f"{NUMBERS} WHERE id > %(least)s ORDER BY id DESC;", {"least": 4997}, key="id")
    with source.open() as table:
        assert table.columns == ("id", "name")
        assert table.origin == "the query on 'warehouse'"
        assert list(table.rows) == [(4998, "user4998"), (4999, "user4999"), (5000, "user5000")]
    assert source.count() is None


def test_a_cursor_named_in_the_connections_extra_does_not_change_the_rows(
    warehouse: str, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", postgres.replace("postgresql://", "postgres://") + "?cursor=dictcursor"
    )
    assert rows_of(SqlSource(warehouse, "SELECT 2 AS b, 1 AS a", key="a")) == [(2, 1)]


def test_the_session_ends_with_the_context(
    warehouse: str, postgres: str, server: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "esp test: session"
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", f"{postgres.replace('postgresql://', 'postgres://')}?application_name={name}"
    )
    with SqlSource(warehouse, NUMBERS, key="id").open() as table:
        next(table.rows)
        assert sessions(server, name) == 1
    assert gone(server, name)
    with pytest.raises(ColumnError), SqlSource(warehouse, "SELECT 1 AS id", key="x").open():
        pass
    assert gone(server, name)


def test_a_session_that_the_server_ends_is_an_error_that_says_what_to_do(
    warehouse: str, postgres: str, server: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "esp test: broken"
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", f"{postgres.replace('postgresql://', 'postgres://')}?application_name={name}"
    )
    with SqlSource(warehouse, NUMBERS, key="id").open() as table:
        next(table.rows)
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        server.execute(f"{end} AND application_name = %s", [name])
        with pytest.raises(
            SourceInterrupted, match=r"the query on 'warehouse': the query broke off after row 100 "
        ) as broken:
            list(table.rows)
    assert "Run the task again" in str(broken.value)


def test_a_database_that_does_not_answer_is_an_error_without_the_password(
    warehouse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://someone:hunter2@127.0.0.1:1/nowhere")
    with pytest.raises(SourceInterrupted, match=r"'warehouse': no session \(.*Check the connection's host") as refused:
        rows_of(SqlSource(warehouse, NUMBERS))
    assert "hunter2" not in str(refused.value)


def test_a_connection_that_is_no_database_is_refused(airflow_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP", "smtp://127.0.0.1")
    with pytest.raises(SourceError, match="which is not a DbApiHook"):
        rows_of(SqlSource("smtp", "SELECT 1"))


def test_sqlite_is_read_like_any_other_database(
    airflow_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "db")) as connection, connection:
        connection.execute("CREATE TABLE people (name TEXT)")
        connection.executemany("INSERT INTO people VALUES (?)", [("bob",), ("ann",)])
    monkeypatch.setenv("AIRFLOW_CONN_LITE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "db")}))
    assert rows_of(SqlSource("lite", "SELECT * FROM people WHERE name <> ?", ["x"], key="name")) == [("ann",), ("bob",)]


@pytest.mark.parametrize("client", ["mysqlclient", "mysql-connector-python"])
def test_mysql_is_read_through_airflows_hook(
    airflow_db: Path, mysql: str, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_module("airflow.providers.mysql.hooks.mysql")
    require_module("MySQLdb" if client == "mysqlclient" else "mysql.connector")
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", f"{mysql}?client={client}&charset=utf8mb4")
    assert rows_of(SqlSource("shop", "SELECT seq AS id FROM seq_1_to_3000 WHERE seq > %s", [2998], key="id")) == [
        (2999,), (3000,),
    ]  # fmt: skip


def test_nothing_of_the_query_or_its_parameters_is_shown() -> None:
    source = SqlSource("warehouse", "SELECT 'ann@example.org'", ["bob@example.org"], key="id")
    assert "@" not in f"{source} {source!r} {source.origin}"


def test_a_spool_needs_a_folder() -> None:
    with pytest.raises(ValueError, match="give spool_path="):
        SqlSource("warehouse", "SELECT 1", spool=True)


# --- templates --------------------------------------------------------------------------------------------------------


def test_sql_parameters_and_paths_are_templated(warehouse: str, run: Callable[..., Any], tmp_path: Path) -> None:
    source = SqlSource(
        "{{ 'ware' }}house",
        "SELECT '{{ params.word }}' AS a, %(b)s AS b",
        {"b": "{{ ti.task_id }}"},
        spool_path=str(tmp_path / "{{ params.word }}"),
    )
    ran = run(Read(task_id="read", source=source, params={"word": "x"}))
    assert ran.value == {"rows": [["x", "read"]], "count": 1}
    assert (tmp_path / "x").is_dir()


def test_sql_may_stand_in_a_file(warehouse: str, worker: Any, tmp_path: Path) -> None:
    (tmp_path / "people.sql").write_text("SELECT '{{ params.word }}' AS a; -- one row\n")
    dag = worker.dag()
    dag.template_searchpath = [str(tmp_path)]
    dag.add_task(Read(task_id="read", source=SqlSource(warehouse, "people.sql"), params={"word": "x"}))
    assert worker.run_dag(dag)["read"].value["rows"] == [["x"]]


# --- the spool --------------------------------------------------------------------------------------------------------


def test_with_a_spool_no_session_is_open_while_rows_are_read(
    warehouse: str, postgres: str, server: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "esp test: spool"
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", f"{postgres.replace('postgresql://', 'postgres://')}?application_name={name}"
    )
    source = SqlSource(warehouse, NUMBERS, key="id", spool_path=str(tmp_path))
    with source.open() as table:
        assert next(table.rows) == (1, "user1")
        assert gone(server, name)
        assert source.count() == 5000
        assert len(list(table.rows)) == 4999


def test_a_task_that_is_run_again_reads_the_same_rows_until_they_are_discarded(
    warehouse: str, worker: Any, people: str, server: Session, tmp_path: Path
) -> None:
    source = SqlSource(warehouse, people, key="id", spool_path=str(tmp_path))

    dag = worker.dag()
    read = Read(task_id="read", source=source)
    dag.add_task(read)
    first = worker.run_dag(dag)["read"].value["rows"]
    server.execute("DELETE FROM esp_people WHERE id = 2")
    assert worker.clear(dag)["read"].value["rows"] == first == [[1, "user1"], [2, "user2"], [3, "user3"]]
    read.then = source.discard
    worker.clear(dag)
    assert worker.clear(dag)["read"].value["rows"] == [[1, "user1"], [3, "user3"]]


def test_another_task_and_another_run_copy_rows_of_their_own(
    warehouse: str, worker: Any, people: str, server: Session, tmp_path: Path
) -> None:
    dag = worker.dag()
    for task_id in ("one", "two"):
        source = SqlSource(warehouse, people, key="id", spool_path=str(tmp_path))
        dag.add_task(Read(task_id=task_id, source=source))
    first = worker.run_dag(dag)
    server.execute("DELETE FROM esp_people WHERE id = 2")
    second = worker.run_dag(dag)
    assert [len(ran["one"].value["rows"]) for ran in (first, second)] == [3, 2]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_query_that_fails_leaves_no_copy_behind_that_counts(warehouse: str, tmp_path: Path) -> None:
    twice = "SELECT CASE id WHEN 5000 THEN 4999 ELSE id END AS id FROM generate_series(1, 5000) AS id"
    source = SqlSource(warehouse, twice, key="id", spool_path=str(tmp_path))
    with pytest.raises(ColumnError, match="rows 4,999 and 5,000"):
        rows_of(source)
    assert source.count() is None


def test_a_spool_may_stand_in_an_object_store(warehouse: str) -> None:
    fsspec = pytest.importorskip("fsspec")
    attach = pytest.importorskip(
        "airflow.io.store" if airflow.__version__.startswith("2.") else "airflow.sdk.io"
    ).attach
    store = fsspec.filesystem("memory")
    attach("memory", fs=store)
    source = SqlSource(warehouse, NUMBERS, key="id", spool_path="memory://bucket/spool")
    assert rows_of(source) == rows_of(source)
    assert source.count() == 5000
    assert store.find("/bucket/spool")
    source.discard()
    assert not store.find("/bucket/spool")
    assert source.count() is None
