"""Words that mean nothing are no names: nobody reads "NULL, we have missed you"."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sources import NULL_VALUES, FileSource, ListSource
from tests.airflow.tasks.people.test_quotes import SERVICES, send, upload

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

WORDS = [r"\N", "<NA>", "#N/A", "NaN", "nan"]
ROWS = [{"email": f"p{number}@example.com", "name": word} for number, word in enumerate([*WORDS, "Nan"])]


def source_of(kind: str, rows: list[dict[str, str]], folder: Path, null_values: Any = None) -> Any:
    if kind == "list":
        return ListSource(rows, null_values=null_values)
    path = folder / f"people.{kind}"
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "ndjson":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text("".join(",".join(row) + "\n" for row in [["email", "name"], *map(dict.values, rows)]))
    return FileSource(str(path), null_values=null_values)


def names(sandbox: Sandbox) -> dict[str, Any]:
    return {message["to"]: message["data"].get("name") for message in sandbox.messages()}


KINDS = pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "list"])


@SERVICES
@KINDS
def test_words_that_nobody_is_called_are_blank(
    run: Run, sandbox: Sandbox, tmp_path: Path, people_line: Any, leaks: Any, service: str, kind: str
) -> None:
    ran = run(send(service, source_of(kind, ROWS, tmp_path), data={"name": "name"}))
    assert (ran.state, ran.value["accepted"]) == ("success", 6)
    given = names(sandbox)
    assert given.pop("p5@example.com") == "Nan"  # somebody's name
    assert set(given.values()) <= {None, ""}
    people_line("words for nothing", r"\N in " + kind, people_line.sent(of=6), "success", ran.state)


@SERVICES
@KINDS
def test_words_that_may_be_names_are_counted_in_one_warning(
    run: Run,
    sandbox: Sandbox,
    tmp_path: Path,
    people_line: Any,
    service: str,
    kind: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [{"email": f"p{number}@example.com", "name": "NULL" if number < 3 else "None"} for number in range(5)]
    ran = run(send(service, source_of(kind, rows, tmp_path), data={"name": "name"}, max_recipients=100))
    assert ran.state == "success"
    assert sorted(map(str, names(sandbox).values())) == ["NULL", "NULL", "NULL", "None", "None"]
    told = [record.getMessage() for record in caplog.records if "null_values=" in record.getMessage()]
    origin = "the list of rows" if kind == "list" else f"people.{kind}"
    assert told == [
        f"{origin}: 3 x 'NULL', 2 x 'None' stand in it as text and are taken as values. If they mean that there is no "
        "value, say so: null_values=[*NULL_VALUES, 'NULL', 'None']."
    ]
    people_line("words for nothing", f"NULL in {kind}", people_line.sent(of=5), "3 x 'NULL', 2 x 'None'", told[0])


@SERVICES
@KINDS
def test_words_that_the_author_names_are_blank(
    run: Run, sandbox: Sandbox, tmp_path: Path, service: str, kind: str
) -> None:
    rows = [{"email": "ann@example.com", "name": " NULL "}, {"email": "bob@example.com", "name": r"\N"}]
    run(send(service, source_of(kind, rows, tmp_path, [*NULL_VALUES, "NULL"]), data={"name": "name"}))
    assert set(names(sandbox).values()) <= {None, ""}
    sandbox.reset()
    run(send(service, source_of(kind, rows, tmp_path, []), data={"name": "name"}))
    assert names(sandbox)["bob@example.com"] == r"\N"


@KINDS
def test_an_upload_leaves_what_such_a_word_stands_for_alone(
    run: Run, sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    rows = [{"email": "ann@example.com", "name": "#N/A"}, {"email": "<NA>", "name": "Bob"}]
    ran = run(upload("esputnik", source_of(kind, rows, tmp_path), columns={"email": "email", "name": "first_name"}))
    assert "1 of 2 rows were refused" in ran.error  # nobody is called <NA>, and no address is that
    (contact,) = sandbox.rows("esputnik", "contacts", "ann@")
    assert not contact.get("firstName")


@KINDS
def test_events_carry_no_such_word(run: Run, sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    event = SendEventsOperator(
        task_id="event",
        esp_conn_id="esputnik_default",
        event="bought",
        source=source_of(kind, ROWS, tmp_path),
        data={"name": "name"},
    )
    assert run(event).value["accepted"] == 6
    asked = "".join(row["body"] for row in sandbox.requests("*/event*", "POST"))
    assert "Nan" in asked
    assert not [word for word in ("#N/A", "<NA>", "NaN") if word in asked]
