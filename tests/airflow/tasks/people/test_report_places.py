"""Where reports, ledgers and copies are: never mixed up, tried before anything leaves, private, waited for."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sensors.deliveries import DeliverySensor
from airflow_provider_esp.sources import SqlSource
from airflow_provider_esp.utils.task_identity import safe_name
from tests.airflow.tasks.leaks import LeakSearch
from tests.airflow.tasks.people.conftest import PeopleLine

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
SERVICES = pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
Write = Callable[[str, str | bytes], str]


def crowd(first: int, count: int, bad: int = 0) -> str:
    lines = [f"p{number}@example.com\n" for number in range(first, first + count)]
    return "email\n" + "".join([*lines, *(f"bad{number}\n" for number in range(bad))])


def operator(kind: str, service: str, source: Any, **arguments: Any) -> Any:
    """Make one of the operators that keep a report, called ``task``."""
    arguments = {"task_id": "task", "esp_conn_id": f"{service}_default", "source": source, **arguments}
    if kind == "upload":
        segments: dict[str, Any] = {} if service == "esputnik" else {"segments": ["Readers"], "create_segments": True}
        return UploadContactsOperator(**arguments, **segments, poll_interval=0.05)
    if kind == "events":
        return SendEventsOperator(event="purchase", **arguments)
    extra: dict[str, Any] = {"message_id": 1001}
    if service == "sendpulse":
        extra = {"message_id": 700_001, "subject": "Hello", "sender_email": "sender@sandbox.example"}
    return SmartSendOperator(poll_interval=0.05, **extra, **arguments)


def lines(folder: str | Path) -> list[dict[str, Any]]:
    parts = sorted(Path(folder).glob("part-*.ndjson"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]


def written(sandbox: Sandbox) -> list[str]:
    """What was asked of the services that may change something, tokens aside."""
    rows = [row for row in sandbox.requests() if row["method"] in ("POST", "PUT") and "/oauth/" not in row["path"]]
    reads = ("importstatus", "emails/info", "message/status")
    return [row["path"] for row in rows if not any(read in row["path"] for read in reads)]


KINDS = pytest.mark.parametrize("kind", ["upload", "events", "messages"])
BOTH = [pytest.param(False, id="on the worker"), pytest.param(True, id="in the triggerer")]


# -- one folder for each task instance -----------------------------------------------------------------------------


@pytest.mark.parametrize("deferrable", BOTH)
@SERVICES
def test_two_runs_share_a_report_path_and_each_waits_for_its_own_messages(
    worker: Any, sandbox: Sandbox, write: Write, tmp_path: Path, people_line: PeopleLine, service: str, deferrable: bool
) -> None:
    base = str(tmp_path / "reports")
    arguments = {"wait_for_delivery": True, "deferrable": deferrable, "report_path": base}
    ran = []
    dag = worker.dag()
    dag.add_task(operator("messages", service, "{{ dag_run.conf['source'] }}", **arguments))
    for day, (first, count) in enumerate([(0, 3), (100, 1)]):
        source = write(f"day{day}.csv", crowd(first, count))
        ran.append(worker.run_dag(dag, {"source": source}))
    monday, tuesday = (one["task"].value for one in ran)
    assert (monday["accepted"], monday["delivered"]) == (3, 3)
    assert (tuesday["accepted"], tuesday["delivered"]) == (1, 1)
    folders = [f"{base}/{dag.dag_id}/{safe_name(one.id)}/task" for one in ran]
    assert [monday["report_path"], tuesday["report_path"]] == folders
    assert [len(lines(folder)) for folder in folders] == [3, 1]
    people_line("shared report folder", "two runs", people_line.sent(of=4), "task", folders[1])


@KINDS
def test_the_summary_the_log_and_the_link_give_the_whole_path(
    worker: Any, sandbox: Sandbox, write: Write, tmp_path: Path, leaks: LeakSearch, monkeypatch: Any, kind: str
) -> None:
    monkeypatch.setenv("AIRFLOW__ESP__REPORT_LINK_TEMPLATE", "https://files.example.com/?path={path}")
    dag = worker.dag()
    source = write("a.csv", crowd(0, 2, bad=1))
    dag.add_task(operator(kind, "esputnik", source, report_path=f"{tmp_path}/reports/", max_rejects=1))
    ran = worker.run_dag(dag)
    assert ran["task"].state == "success", ran["task"].error
    folder = f"{tmp_path}/reports/{dag.dag_id}/{safe_name(ran.id)}/task"
    assert ran["task"].value["report_path"] == folder
    assert f"Report: {folder}" in leaks.output()
    assert any(folder.replace("/", "%2F") in str(row) for row in stored(leaks, "xcom"))
    assert [row["outcome"] for row in lines(folder) if row["row"] == 3] == ["invalid"]


def stored(leaks: LeakSearch, table: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{leaks.home}/airflow.db?mode=ro", uri=True)) as db:
        return list(db.execute(f"SELECT * FROM {table}"))  # noqa: S608  # the database's own name


@KINDS
def test_every_map_index_has_a_folder_of_its_own(
    worker: Any, sandbox: Sandbox, write: Write, tmp_path: Path, people_line: PeopleLine, kind: str
) -> None:
    sources = [write(f"{number}.csv", crowd(10 * number, number + 1)) for number in range(3)]
    made = operator(kind, "esputnik", None)
    arguments = {name: getattr(made, name) for name in ("message_id", "event") if hasattr(made, name)}
    with worker.dag() as dag:
        type(made).partial(
            task_id="task", esp_conn_id="esputnik_default", report_path=str(tmp_path / "reports"), **arguments
        ).expand(source=sources)
    ran = worker.run_dag(dag)
    assert [one.state for one in ran.all] == ["success"] * 3
    base = f"{tmp_path}/reports/{dag.dag_id}/{safe_name(ran.id)}/task"
    folders = sorted(one.value["report_path"] for one in ran.all)
    assert folders == [f"{base}/{index}" for index in range(3)]
    if kind != "upload":  # which lists nobody who was accepted
        assert [len(lines(folder)) for folder in folders] == [1, 2, 3]
        outcome = people_line.sent(of=6) if kind == "messages" else "6 of 6 events"
        people_line("shared report folder", "3 map indexes", outcome, "/task/2", folders[2])


@SERVICES
def test_a_sensor_reads_the_folder_that_the_send_returned(
    worker: Any, sandbox: Sandbox, write: Write, tmp_path: Path, service: str
) -> None:
    base = str(tmp_path / "reports")
    for first in (0, 100):
        with worker.dag() as dag:
            send = operator("messages", service, write("a.csv", crowd(first, 2)), report_path=base)
            by_output = DeliverySensor(
                task_id="by_output", esp_conn_id=f"{service}_default", request_ids=send.output, poke_interval=0.05
            )
            by_path = DeliverySensor(
                task_id="by_path",
                esp_conn_id=f"{service}_default",
                report_path="{{ ti.xcom_pull('task')['report_path'] }}",
                poke_interval=0.05,
            )
            by_base = DeliverySensor(
                task_id="by_base", esp_conn_id=f"{service}_default", report_path=base, poke_interval=0.05
            )
            send >> [by_output, by_path, by_base]
        ran = worker.run_dag(dag)
        assert [ran[name].value["total"] for name in ("by_output", "by_path")] == [2, 2]
        assert ran["by_base"].state == "failed"
        assert "this folder holds reports of several tasks" in ran["by_base"].error
        assert f"{dag.dag_id}/{safe_name(ran.id)}/<task_id>" in ran["by_base"].error


# -- a place that cannot be written is found before anything leaves -------------------------------------------------


def in_the_way(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file stands where the folder should be")


@KINDS
@SERVICES
def test_a_file_where_the_report_should_be_stops_the_task_before_anything_leaves(
    run: Any, sandbox: Sandbox, write: Write, tmp_path: Path, people_line: PeopleLine, service: str, kind: str
) -> None:
    in_the_way(tmp_path / "reports")
    ran = run(operator(kind, service, write("a.csv", crowd(0, 3)), report_path=f"{tmp_path}/reports"))
    assert ran.state == "failed"
    assert ran.error.startswith(f"The report cannot be written to {tmp_path}/reports/dag")
    assert "remove the file or link that is in the way, or name another place (report_path=)" in ran.error
    assert written(sandbox) == []
    if kind == "messages":
        people_line("place not writable", "file in the way", people_line.sent(of=3), "that is in the way", ran.error)


@pytest.mark.parametrize(
    ("scheme", "advice"),
    [
        ("s3", "pip install 'apache-airflow-providers-amazon[s3fs]'"),
        ("gs", "pip install 'apache-airflow-providers-google'"),
        ("abfs", "pip install 'apache-airflow-providers-microsoft-azure'"),
        ("lost", "install the provider that brings it, or correct the scheme"),
    ],
)
@KINDS
def test_a_store_whose_provider_is_missing_is_named_with_what_to_install(
    run: Any, sandbox: Sandbox, write: Write, people_line: PeopleLine, kind: str, scheme: str, advice: str
) -> None:
    ran = run(operator(kind, "esputnik", write("a.csv", crowd(0, 3)), report_path=f"{scheme}://user:pw@bucket/x"))
    assert ran.state == "failed"
    assert ran.error.startswith(f"{scheme}://bucket/x: this worker cannot reach {scheme}://")
    assert advice in ran.error
    assert "user:pw" not in ran.error
    assert written(sandbox) == []
    if kind == "messages" and scheme == "s3":
        people_line("place not writable", "s3://, no s3fs", people_line.sent(of=3), "pip install 'apache", ran.error)


@KINDS
def test_a_run_called_dots_does_not_lead_out_of_the_folder(
    worker: Any, sandbox: Sandbox, write: Write, tmp_path: Path, people_line: PeopleLine, kind: str
) -> None:
    dag = worker.dag()
    task = operator(
        kind, "esputnik", write("a.csv", crowd(0, 3)), report_path=f"{tmp_path}/r/{{{{ dag_run.conf['x'] }}}}"
    )
    dag.add_task(task)
    ran = worker.run_dag(dag, {"x": ".."})["task"]
    assert ran.state == "failed"
    assert ran.error.startswith("report_path holds the part '..', which leads out of the folder before it")
    assert written(sandbox) == []
    if kind == "messages":
        people_line("place not writable", "path with ..", people_line.sent(of=3), "holds the part '..'", ran.error)


@KINDS
def test_a_ledger_that_cannot_be_written_stops_the_task_before_anything_leaves(
    run: Any, sandbox: Sandbox, write: Write, tmp_path: Path, people_line: PeopleLine, kind: str
) -> None:
    in_the_way(tmp_path / "ledgers")
    ran = run(operator(kind, "esputnik", write("a.csv", crowd(0, 3)), ledger_path=f"{tmp_path}/ledgers/a.json"))
    assert ran.state == "failed"
    assert ran.error.startswith(f"The ledger cannot be written to {tmp_path}/ledgers/a.json")
    assert written(sandbox) == []
    if kind == "messages":
        people_line("place not writable", "ledger", people_line.sent(of=3), "another place (ledger", ran.error)


@pytest.fixture
def people_db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with three people, which Airflow's sqlite hook opens."""
    path = tmp_path / "people.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE people (id INTEGER, email TEXT)")
        db.executemany("INSERT INTO people VALUES (?, ?)", [(number, f"p{number}@example.com") for number in range(3)])
        db.commit()
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    return "people"


@KINDS
def test_a_copy_that_cannot_be_written_stops_the_task_before_anything_leaves(
    run: Any, sandbox: Sandbox, tmp_path: Path, people_db: str, people_line: PeopleLine, kind: str
) -> None:
    pytest.importorskip("airflow.providers.sqlite.hooks.sqlite", reason="Airflow's sqlite provider is missing")
    in_the_way(tmp_path / "copies")
    sql = "SELECT id AS external_id, email FROM people" if kind == "upload" else "SELECT id, email FROM people"
    source = SqlSource(
        people_db, sql, key=sql.split()[3 if kind == "upload" else 1].strip(","), spool_path=f"{tmp_path}/copies"
    )
    ran = run(operator(kind, "esputnik", source))
    assert ran.state == "failed"
    assert ran.error.startswith(f"The copy of the rows cannot be written to {tmp_path}/copies/"), ran.error
    assert written(sandbox) == []
    if kind == "messages":
        people_line("place not writable", "copy", people_line.sent(of=3), "another place (spool", ran.error)


# -- a disk that refuses for a while is waited for -------------------------------------------------------------------


@KINDS
@SERVICES
def test_a_disk_that_is_full_for_a_while_loses_nothing(
    run: Any,
    sandbox: Sandbox,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    leaks: LeakSearch,
    people_line: PeopleLine,
    service: str,
    kind: str,
) -> None:
    refusals = itertools.count()
    replace = Path.replace

    def full(path: Path, target: Any) -> Path:
        if "part-" in path.name and next(refusals) < 3:
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    ran = run(operator(kind, service, write("a.csv", crowd(0, 4, bad=1)), report_path=f"{tmp_path}/r", max_rejects=1))
    assert ran.state == "success", ran.error
    assert next(refusals) > 3
    assert (ran.value["accepted"], ran.value["invalid"], ran.value["unknown"]) == (4, 1, 0)
    assert "cannot be written (No space left on device). Nothing else is sent meanwhile" in leaks.output()
    assert [row["outcome"] for row in lines(ran.value["report_path"]) if row["row"] == 5] == ["invalid"]
    assert [path for path in Path(ran.value["report_path"]).iterdir() if path.name.startswith(".")] == []
    if kind == "messages":
        people_line(
            "place not writable", "full for a while", people_line.sent(of=4), "No space left on device", leaks.output()
        )


# -- private -----------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize(("mode", "file_mode", "folder_mode"), [(None, "600", "700"), ("640", "640", "750")])
def test_reports_are_private_unless_the_configuration_lets_a_group_in(
    run: Any,
    sandbox: Sandbox,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    mode: str | None,
    file_mode: str,
    folder_mode: str,
) -> None:
    if mode:
        monkeypatch.setenv("AIRFLOW__ESP__FILE_MODE", mode)
    ran = run(
        operator(kind, "esputnik", write("a.csv", crowd(0, 4, bad=1)), report_path=f"{tmp_path}/r", max_rejects=1)
    )
    made = list((tmp_path / "r").rglob("*"))
    assert ran.state == "success", ran.error
    assert {f"{stat.S_IMODE(path.stat().st_mode):o}" for path in made if path.is_file()} == {file_mode}
    assert {f"{stat.S_IMODE(path.stat().st_mode):o}" for path in made if path.is_dir()} == {folder_mode}


@KINDS
def test_a_planted_link_is_not_followed(worker: Any, sandbox: Sandbox, write: Write, tmp_path: Path, kind: str) -> None:
    (tmp_path / "theirs").mkdir()
    dag = worker.dag()
    dag.add_task(operator(kind, "esputnik", write("a.csv", crowd(0, 2, bad=1)), report_path=f"{tmp_path}/r"))
    (tmp_path / "r").mkdir()
    os.symlink(tmp_path / "theirs", tmp_path / "r" / dag.dag_id)
    ran = worker.run_dag(dag)["task"]
    assert (ran.state, "symbolic link" in ran.error) == ("failed", True)
    assert list((tmp_path / "theirs").iterdir()) == []
    assert written(sandbox) == []


# -- object stores -------------------------------------------------------------------------------------------------


@KINDS
def test_an_object_store_keeps_the_report_as_it_did(run: Any, sandbox: Sandbox, write: Write, kind: str) -> None:
    from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

    store = MemoryFileSystem()
    import_module("airflow.io.store" if IS_AIRFLOW_2 else "airflow.sdk.io").attach("memory", fs=store)
    ran = run(
        operator(
            kind,
            "esputnik",
            write("a.csv", crowd(0, 2, bad=1)),
            report_path="memory://bucket/r",
            max_rejects=1,
        )
    )
    assert ran.state == "success", ran.error
    folder = ran.value["report_path"]
    assert folder.startswith("memory://bucket/r/dag")
    (part,) = [path for path in store.find("/bucket/r") if ran.value["report_path"].removeprefix("memory:/") in path]
    assert json.loads(store.cat(part).splitlines()[-1])["outcome"] == "invalid"
