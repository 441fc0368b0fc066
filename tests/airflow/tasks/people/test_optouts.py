"""Whoever said no is left out, or nothing is sent: every way into `suppress=`, as tasks against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sources import FileSource, SqlSource
from tests.unit.optout_decorations import ADDRESSES, ANYWHERE, BLANK, NATIONAL, NUMBERS, UNREADABLE

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

ANN, BEN, CID = "ann@example.com", "ben@example.com", "cid@example.com"
PEOPLE = [{"email": ANN}, {"email": BEN}, {"email": CID}]
DATABASE = "optouts_db"
NOTHING_SENT = "Nothing was sent."


def send(source: Any = PEOPLE, **arguments: Any) -> SmartSendOperator:
    given = {"esp_conn_id": "esputnik_default", "message_id": 1001, "poll_interval": 0.05, **arguments}
    return SmartSendOperator(task_id="send", source=source, **given)


def mail(source: Any = PEOPLE, **arguments: Any) -> SmartSendOperator:
    given = {"message_id": 700_001, "subject": "Hello", "sender_email": "sender@sandbox.example", **arguments}
    return send(source, esp_conn_id="sendpulse_default", **given)


def upload(source: Any = PEOPLE, **arguments: Any) -> UploadContactsOperator:
    given = {"esp_conn_id": "esputnik_default", "poll_interval": 0.05, **arguments}
    return UploadContactsOperator(task_id="upload", source=source, **given)


def upload_to_list(source: Any = PEOPLE, **arguments: Any) -> UploadContactsOperator:
    return upload(source, esp_conn_id="sendpulse_default", segments=["Readers"], create_segments=True, **arguments)


def events(source: Any = PEOPLE, **arguments: Any) -> SendEventsOperator:
    given = {"esp_conn_id": "esputnik_default", "event": "bought", **arguments}
    return SendEventsOperator(task_id="events", source=source, **given)


def events_at_sendpulse(source: Any = PEOPLE, **arguments: Any) -> SendEventsOperator:
    return events(source, esp_conn_id="sendpulse_default", **arguments)


OPERATORS = [send, mail, upload, upload_to_list, events, events_at_sendpulse]


def addressees(sandbox: Sandbox) -> list[str]:
    return sorted({message["to"] for message in sandbox.messages(limit=10_000)})


def wrote(sandbox: Sandbox) -> list[str]:
    """Return what was asked of the services that may change something, tokens aside."""
    asked = [row for row in sandbox.requests() if row["method"] != "GET" and "/oauth/" not in row["path"]]
    return [f"{row['method']} {row['path']}" for row in asked]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A database with opt-outs, as an Airflow connection."""
    import sqlite3

    path = tmp_path / "optouts.sqlite"
    monkeypatch.setenv(f"AIRFLOW_CONN_{DATABASE.upper()}", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    with sqlite3.connect(path) as connection:
        yield connection


# -- every way in, every operator -----------------------------------------------------------------------------------


def parquet(path: Path, entries: list[str]) -> FileSource:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    write_table(pa.table({"contact": entries}), path)
    return FileSource(str(path))


WAYS = ["list", "text", "nested", "rows", "csv", "tsv", "ndjson", "parquet", "sql"]


def given(way: str, entries: list[str], folder: Path, database: Any) -> Any:
    """Return what an author writes in ``suppress=``."""
    match way:
        case "list":
            return entries
        case "text":
            return ", ".join(entries)
        case "nested":
            return [[entry] for entry in entries]
        case "rows":
            return [{"who": entry, "why": "x"} for entry in entries]
        case "csv" | "tsv":
            delimiter = {"csv": ";", "tsv": "\t"}[way]
            quoted = ['"' + entry.replace('"', '""') + '"' for entry in entries]
            path = folder / f"optouts.{way}"
            path.write_text("".join(f"{entry}{delimiter}x\n" for entry in ["who", *quoted]))
            return str(path)
        case "ndjson":
            path = folder / "optouts.ndjson"
            path.write_text("".join(f"{json.dumps({'who': entry})}\n" for entry in entries))
            return FileSource(str(path))
        case "parquet":
            return parquet(folder / "optouts.parquet", entries)
        case "sql":
            database.execute("CREATE TABLE optouts (who TEXT, why TEXT)")
            database.executemany("INSERT INTO optouts VALUES (?, 'x')", [(entry,) for entry in entries])
            database.commit()
            return SqlSource(DATABASE, "SELECT * FROM optouts")
    raise AssertionError(way)


@pytest.mark.parametrize("way", WAYS)
def test_an_entry_is_understood_whichever_way_it_comes(
    run: Run, sandbox: Sandbox, tmp_path: Path, database: Any, way: str, people_line: Any
) -> None:
    ran = run(send(suppress=given(way, [f"mailto:{ANN}", f"\u200bBen <{BEN}>"], tmp_path, database)))
    assert (ran.state, ran.error, ran.value["suppressed"]) == ("success", "", 2)
    assert addressees(sandbox) == [CID]
    assert ran.value["suppression"]["unreadable"] == 0
    people_line("opt-out not read", f"mailto:, {way}", people_line.sent(of=3), "suppressed", str(ran.value))


@pytest.mark.parametrize("make", OPERATORS)
def test_each_operator_understands_entries_or_stops_before_anything_is_sent(
    run: Run, sandbox: Sandbox, make: Any
) -> None:
    ran = run(make(suppress=[ANN, "ben@example"], retries=2))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "the list in suppress=: 1 of 2 entries contain no email, phone or id: row 2. Nothing was" in ran.error
    assert 'on_unreadable_suppression="ignore"' in ran.error
    assert "@" not in ran.error
    assert wrote(sandbox) == []
    ran = run(make(suppress=[f"mailto:{ANN.upper()}; '{BEN}'."]))
    assert (ran.state, ran.error, ran.value["accepted"], ran.value["suppressed"]) == ("success", "", 1, 2)


# -- decorations, whole ---------------------------------------------------------------------------------------------

CODE = 42


def people_of(table: dict[str, Callable[[str], str]]) -> dict[str, str]:
    """Give everybody an address and a way in which it is written in the list of opt-outs."""
    return {f"p{at}@example.com": decorate(f"p{at}@example.com") for at, decorate in enumerate(table.values())}


@pytest.mark.parametrize("make", [send, mail])
def test_every_decoration_of_an_address_leaves_its_person_out(
    run: Run, sandbox: Sandbox, make: Any, people_line: Any, tmp_path: Path, database: Any
) -> None:
    listed = people_of({**ANYWHERE, **ADDRESSES})
    others = [f"x{one}" for one in listed]
    source = [{"email": one} for one in [*listed, *others]]
    ran = run(make(source, suppress=given("rows", list(listed.values()), tmp_path, database)))
    assert (ran.state, ran.error) == ("success", "")
    assert addressees(sandbox) == sorted(others)
    said = str(ran.value["suppression"])
    sent = people_line.sent(of=len(source))
    people_line("opt-out not read", f"{len(listed)} decorations", sent, "'unreadable': 0", said)


@pytest.mark.parametrize("country", [None, "UA"])
def test_every_spelling_of_a_number_leaves_its_person_out(
    run: Run, sandbox: Sandbox, country: str | None, people_line: Any
) -> None:
    ways = [*NUMBERS.values(), *(lambda digits, way=way: way(digits[3:]) for way in NATIONAL.values())]
    listed = {f"+38097{1_000_000 + at * 17}": way(f"38097{1_000_000 + at * 17}") for at, way in enumerate(ways)}
    others = [f"+38067{2_000_000 + at}" for at in range(len(listed))]
    source = [{"email": "", "phone": one} for one in [*listed, *others]]
    ran = run(events(source, suppress=[*listed.values()], default_country=country))
    assert (ran.state, ran.error) == ("success", "")
    assert (ran.value["accepted"], ran.value["suppressed"]) == (len(others), len(listed))
    said = str(ran.value["suppression"])
    people_line("opt-out not read", f"phones, {country or 'anywhere'}", "listed: none", "'unreadable': 0", said)


def test_blank_entries_are_passed_over_and_counted(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(suppress=[{"email": one} for one in [ANN, *BLANK]]))
    assert (ran.state, ran.value["suppressed"]) == ("success", 1)
    assert ran.value["suppression"]["blank"] == len(BLANK)
    assert addressees(sandbox) == [BEN, CID]


def test_unreadable_entries_are_ignored_and_counted_where_the_author_says_so(
    run: Run, sandbox: Sandbox, people_line: Any
) -> None:
    suppress = [{"email": one} for one in [*UNREADABLE, ANN]]
    ran = run(send(suppress=suppress, on_unreadable_suppression="{{ 'ignore' }}"))
    assert (ran.state, ran.error) == ("success", "")
    assert ran.value["suppression"]["unreadable"] == len(UNREADABLE)
    assert ANN not in addressees(sandbox)
    sent = people_line.sent(of=3)
    people_line(
        "opt-out not read", "nobody, ignore", sent, f"'unreadable': {len(UNREADABLE)}", str(ran.value["suppression"])
    )


def test_rows_that_name_nobody_are_listed_up_to_twenty(
    run: Run, sandbox: Sandbox, write: Write, people_line: Any
) -> None:
    path = write("optouts.csv", "email\n" + "".join(f"x{number}@example\n" for number in range(30)))
    ran = run(send(suppress=path))
    assert ran.state == "failed"
    assert "optouts.csv: 30 of 30 entries contain no email, phone or id: rows 1, 2, 3," in ran.error
    assert "19, 20 and 10 more. Nothing was sent." in ran.error
    assert wrote(sandbox) == []
    people_line("opt-out not read", "30 x x@example", people_line.sent(of=3), NOTHING_SENT, ran.error)


def test_unsubscribed_never_stops_the_task(run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_esp.services.sendpulse.mapping import unsubscribed

    def some(take: Callable[[str], object], book: str | None = None) -> Any:
        yield from ()
        for address in (ANN, "not an address", ""):
            take(address)

    ran = run(mail(suppress="unsubscribed"))  # the service's own list may be empty
    assert (ran.state, ran.value["suppressed"]) == ("success", 0)
    monkeypatch.setattr(unsubscribed, "everybody", some)
    ran = run(mail(suppress=["unsubscribed"]))
    assert (ran.state, ran.value["suppressed"]) == ("success", 1)


# -- files as they come ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("email;reason", f"email;reason\n{ANN};complaint\n{BEN};bounced\n"),
        ("no header", f"{ANN}\n{BEN}\n"),
        ("no header, ;", f"{ANN};1\n{BEN};2\n"),
        ("other names", f"Контакт,Причина\n{ANN},x\n{BEN},y\n"),
        ("UTF-16, tabs", f"contact\treason\n{ANN}\tx\n{BEN}\ty\n".encode("utf-16")),
        ("other delimiter", f"email^reason\n{ANN}^x\n{BEN}^y\n"),
        ("open quotation", f'reason,email\n"x,{ANN}\ny,{BEN}\n'),
    ],
)
def test_an_opt_out_file_is_read_as_it_is_meant(
    run: Run, sandbox: Sandbox, write: Write, what: str, text: str | bytes, people_line: Any
) -> None:
    ran = run(send(suppress=write("optouts.csv", text)))
    assert (ran.state, ran.error, ran.value["suppressed"]) == ("success", "", 2)
    assert addressees(sandbox) == [CID]
    people_line("opt-out file", what, people_line.sent(of=3), "'suppressed': 2", str(ran.value))


def test_an_opt_out_file_in_which_nobody_can_be_found_stops_the_task(
    run: Run, sandbox: Sandbox, write: Write, people_line: Any
) -> None:
    ran = run(send(suppress=write("optouts.csv", "first,last\nAnn,Smith\n")))
    assert ran.state == "failed"
    assert "optouts.csv: no column is called 'email'" in ran.error
    assert "suppress_column=" in ran.error
    assert wrote(sandbox) == []
    people_line("opt-out file", "names alone", people_line.sent(of=3), "Say in suppress_column=", ran.error)


# -- empty and shrunk -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "way", ["0 bytes", "header alone", "blank rows", "list", "rows", "sql", "template", "None", "nested"]
)
def test_an_empty_opt_out_source_stops_the_task(
    run: Run, sandbox: Sandbox, write: Write, database: Any, way: str, people_line: Any
) -> None:
    database.execute("CREATE TABLE optouts (email TEXT)")
    database.commit()
    empty: dict[str, Any] = {
        "0 bytes": FileSource(write("empty.csv", "")),
        "header alone": write("header.csv", "email,reason\n"),
        "blank rows": write("blank.csv", "email,reason\n,x\nn/a,y\n"),
        "list": [],
        "rows": [{}],
        "sql": SqlSource(DATABASE, "SELECT email FROM optouts"),
        "template": "{{ '' }}",
        "None": "{{ dag_run.conf.get('opt_outs') }}",
        "nested": [ANN, []],
    }
    ran = run(send(suppress=empty[way], retries=2))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "so it would suppress nobody. Nothing was sent." in ran.error
    assert 'on_empty_suppression="continue"' in ran.error
    assert wrote(sandbox) == []
    people_line("opt-out source shrunk", way, people_line.sent(of=3), NOTHING_SENT, ran.error)
    ran = run(send(suppress=empty[way], on_empty_suppression="{{ 'continue' }}"))
    assert (ran.state, ran.error) == ("success", "")


@pytest.mark.parametrize("value", [None, [], ""])
def test_an_xcom_without_opt_outs_stops_the_task(worker: Any, sandbox: Sandbox, value: Any) -> None:
    from airflow.providers.common.compat.sdk import task

    with worker.dag() as dag:

        @task
        def optouts() -> Any:
            return value

        @task
        def more() -> Any:
            return value

        SmartSendOperator(
            task_id="a", esp_conn_id="esputnik_default", message_id=1001, source=PEOPLE, suppress=optouts()
        )
        SmartSendOperator(
            task_id="b", esp_conn_id="esputnik_default", message_id=1001, source=PEOPLE, suppress=[more(), ANN]
        )
    ran = worker.run_dag(dag)
    for name in ("a", "b"):
        assert ran[name].state == "failed"
        assert "the list in suppress= has no entries" in ran[name].error
    assert wrote(sandbox) == []


def shrinking(worker: Any, path: Path, **arguments: Any) -> Callable[[int], Any]:
    """Make a DAG of a send whose opt-outs are in a file, and return what runs it with so many of them."""
    with worker.dag() as dag:
        source = [{"email": CID}]
        SmartSendOperator(
            task_id="send",
            esp_conn_id="esputnik_default",
            message_id=1001,
            source=source,
            suppress=str(path),
            poll_interval=0.05,
            **arguments,
        )

    def run(number: int) -> Any:
        path.write_text("email\n" + "".join(f"gone{at}@example.com\n" for at in range(number)))
        return worker.run_dag(dag)["send"]

    return run


def test_lists_of_mapped_tasks_are_each_held_against_their_own(worker: Any, sandbox: Sandbox, leaks: Any) -> None:
    lists = [[f"p{at}@example.com" for at in range(count)] for count in (10, 2)]
    leaks.allow(*lists[0], CID)  # they stand in the DAG itself
    with worker.dag() as dag:
        SmartSendOperator.partial(
            task_id="send", esp_conn_id="esputnik_default", message_id=1001, source=[{"email": CID}], poll_interval=0.05
        ).expand(suppress=lists)
    for _ in range(2):
        assert [ran.state for ran in worker.run_dag(dag).all] == ["success", "success"]
    assert len(sandbox.messages()) == 4


def test_an_opt_out_source_that_shrank_since_the_last_success_stops_the_task(
    worker: Any, sandbox: Sandbox, tmp_path: Path, people_line: Any, whole_database: Callable[[], str]
) -> None:
    run = shrinking(worker, tmp_path / "optouts.csv")
    assert run(100).state == "success"
    assert run(80).state == "success"  # a fifth is allowed, and 80 are what the next run is held against
    ran = run(63)
    assert ran.state == "failed"
    assert "optouts.csv names 63 people to leave out, and named 80 when this task last succeeded" in ran.error
    assert "more than 20% are gone (max_suppression_shrink). Nothing was sent." in ran.error
    assert run(63).state == "failed"  # a failure is no new measure
    assert len(sandbox.messages()) == 2
    assert run(64).state == "success"
    people_line("opt-out source shrunk", "63 of 80 people", "0 of 1 sent", NOTHING_SENT, ran.error)
    assert "gone1@example.com" not in whole_database()


@pytest.mark.parametrize("most", [None, "{{ None }}", "50%", 0.5])
def test_how_much_a_source_may_shrink_is_said_by_the_author(
    worker: Any, sandbox: Sandbox, tmp_path: Path, most: Any
) -> None:
    run = shrinking(worker, tmp_path / "optouts.csv", max_suppression_shrink=most)
    assert [run(number).state for number in (10, 5)] == ["success", "success"]
    assert run(2).state == ("failed" if str(most) in ("50%", "0.5") else "success")


def test_a_dry_run_and_a_failure_leave_the_measure_as_it_was(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    run = shrinking(worker, tmp_path / "optouts.csv", dry_run="{{ dag_run.run_id is none }}")
    assert run(10).state == "success"
    path = tmp_path / "optouts.csv"
    dry = send(PEOPLE, suppress=str(path), dry_run=True)
    assert worker.run(dry).state == "success"
    assert run(5).state == "failed"


def test_an_upload_that_waits_in_the_triggerer_keeps_its_measure(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "optouts.csv"
    with worker.dag() as dag:
        upload(suppress=str(path), deferrable=True)
    states = []
    for number in (10, 5):
        path.write_text("email\n" + "".join(f"p{at}@example.com\n" for at in range(number)))
        ran = worker.run_dag(dag)["upload"]
        states.append(ran.state)
    assert states == ["success", "failed"]


@pytest.mark.parametrize("least", [3, "{{ 1 + 2 }}"])
def test_fewer_people_than_there_have_to_be_stop_the_task(
    run: Run, sandbox: Sandbox, least: Any, people_line: Any
) -> None:
    ran = run(send(suppress=[ANN, {"email": BEN}], min_suppressed=least))
    assert ran.state == "failed"
    assert "suppress= names 2 people to leave out, and min_suppressed asks for at least 3. Nothing was" in ran.error
    assert wrote(sandbox) == []
    people_line("opt-out source shrunk", "2, at least 3", people_line.sent(of=3), "Nothing was sent", ran.error)
    assert run(send(suppress=[ANN, {"email": BEN}], min_suppressed=2)).state == "success"


@pytest.mark.parametrize(
    "arguments",
    [
        {"on_unreadable_suppression": "skip"},
        {"on_empty_suppression": "go_on"},
        {"max_suppression_shrink": 20},
        {"max_suppression_shrink": "a fifth"},
        {"min_suppressed": -1},
        {"min_suppressed": "many"},
    ],
    ids=str,
)
def test_arguments_that_say_nothing_are_refused_where_the_dag_is_written(arguments: dict[str, Any]) -> None:
    (name,) = arguments
    with pytest.raises(ValueError, match=name):
        send(**arguments)
