"""Each line of a report says which row of the source it is about: by the source's key, or the address as it stood."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sources import SqlSource
from tests.airflow.tasks.leaks import LeakSearch
from tests.airflow.tasks.people.conftest import PeopleLine
from tests.airflow.tasks.people.test_report_places import KINDS, SERVICES, lines, operator

PEOPLE = [("a1", "Ann@Example.com"), ("b2", "bob@"), ("c3", "no address"), ("d4", ""), ("e5", " Eve@example.com ")]
REFUSED = {2: "bob@", 3: "no address", 4: None}
Write = Callable[[str, str | bytes], str]


@pytest.fixture(params=["csv", "ndjson", "list"])
def people(request: pytest.FixtureRequest, write: Write) -> Any:
    """The same five people in a source of each kind."""
    rows = [{"email": address, "language": "uk"} for _, address in PEOPLE]
    if request.param == "list":
        return rows
    if request.param == "ndjson":
        return write("people.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
    return write("people.csv", "email,language\n" + "".join(f"{address},uk\n" for _, address in PEOPLE))


def about(ran: Any) -> dict[int, dict[str, Any]]:
    return {row["row"]: row for row in lines(ran.value["report_path"])}


@KINDS
@SERVICES
def test_an_invalid_row_is_named_by_its_address_as_it_stood(
    run: Any, sandbox: Sandbox, tmp_path: Path, people_line: PeopleLine, people: Any, service: str, kind: str
) -> None:
    ran = run(operator(kind, service, people, report_path=f"{tmp_path}/r", max_rejects=3))
    assert ran.state == "success", ran.error
    rows = about(ran)
    assert {number: row.get("key") for number, row in rows.items() if row["outcome"] == "invalid"} == REFUSED
    assert all(row["reason"] for row in rows.values() if row["outcome"] == "invalid")
    if kind != "upload":
        assert (rows[1]["key"], rows[5]["key"]) == ("Ann@Example.com", "Eve@example.com")
    if kind == "messages":
        people_line("row cannot be found", "invalid address", people_line.sent(of=5), "bob@", rows[2]["key"])


@KINDS
@SERVICES
def test_the_key_of_a_query_names_every_row(
    run: Any,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    people_line: PeopleLine,
    service: str,
    kind: str,
) -> None:
    pytest.importorskip("airflow.providers.sqlite.hooks.sqlite", reason="Airflow's sqlite provider is missing")
    path = tmp_path / "people.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE people (id TEXT, email TEXT)")
        db.executemany("INSERT INTO people VALUES (?, ?)", PEOPLE)
        db.commit()
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    columns = {"columns": {"email": "email"}} if kind == "upload" else {}
    source = SqlSource("people", "SELECT id, email FROM people", key="id")
    ran = run(operator(kind, service, source, report_path=f"{tmp_path}/r", max_rejects=3, **columns))
    assert ran.state == "success", ran.error
    rows = about(ran)
    assert {number: row["key"] for number, row in rows.items()} == {
        number: key for number, (key, _) in enumerate(PEOPLE, 1) if kind != "upload" or number in REFUSED
    }
    assert "example.com" not in json.dumps(list(rows.values()))
    if kind == "messages":
        people_line("row cannot be found", "a query's key", people_line.sent(of=5), "c3", rows[3]["key"])


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_row_that_an_import_leaves_out_is_named_as_it_stood(
    run: Any, sandbox: Sandbox, tmp_path: Path, deferrable: bool
) -> None:
    sandbox.set(esputnik__import_outcome="error")
    rows = [{"email": "Ann@Example.com"}, {"email": " Bob@Example.com"}]
    ran = run(
        operator("upload", "esputnik", rows, report_path=f"{tmp_path}/r", max_rejects="100%", deferrable=deferrable)
    )
    assert ran.state == "success", ran.error
    assert [(row["key"], row["outcome"]) for row in about(ran).values()] == [
        ("Ann@Example.com", "rejected"),
        ("Bob@Example.com", "rejected"),
    ]


@SERVICES
def test_reasons_end_with_how_many_more_there_are(
    run: Any, sandbox: Sandbox, write: Write, leaks: LeakSearch, people_line: PeopleLine, service: str
) -> None:
    broken = "".join(f'{{"email": {number}\n' for number in range(8))
    source = write("people.ndjson", '{"email": "ann@example.com"}\n' + broken)
    ran = run(SendEventsOperator(task_id="task", esp_conn_id=f"{service}_default", event="bought", source=source))
    assert ran.state == "failed"
    assert ", and 5 more." in ran.error
    assert "       3  for other reasons: and 3 more" in leaks.output()
    people_line("row cannot be found", "eight reasons", "1 of 9 events", ", and 5 more.", ran.error)
