"""Refused rows on the page: masked for readers, whole for few, and only of the report that the task itself writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.plugins.page.reports import ReportReader, ReportRefused, masked
from airflow_provider_esp.stores.run_records import KEY
from airflow_provider_esp.utils.task_identity import TaskIdentity
from tests.airflow.tasks.conftest import Worker
from tests.airflow.tasks.page.conftest import PEOPLE

AsPerson = Callable[..., Any]
SECRET = "not an address of ann"


@dataclass
class Uploaded:
    """An upload that has refused rows.

    :ivar asked: its task instance, as the routes ask for it.
    """

    root: Path
    folder: Path
    asked: dict[str, Any]


@pytest.fixture
def uploaded(worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uploaded:
    """An upload of which a hundred and one rows are refused, with a report below a root that is shown."""
    root = tmp_path / "reports"
    monkeypatch.setenv("AIRFLOW__ESP__REPORT_ROOTS", str(root))
    rows = [
        {"email": SECRET},
        {"email": "ann@example.com"},
        *({"email": f"{number} {SECRET}"} for number in range(100)),
    ]
    upload = UploadContactsOperator(
        task_id="upload",
        esp_conn_id="esputnik_default",
        source=rows,
        max_rejects="100%",
        report_path=str(root),
        report_rows=True,
    )
    dag = worker.dag()
    dag.add_task(upload)
    ran = worker.run_dag(dag)
    asked = {"dag_id": dag.dag_id, "run_id": ran.id, "task_id": "upload"}
    return Uploaded(root, Path(ran["upload"].value["report_path"]), asked)


def test_rows_are_masked_and_come_page_by_page(uploaded: Uploaded, as_person: AsPerson) -> None:
    client = as_person("viewer")
    first = client.get("/esp/api/rows", params=uploaded.asked)
    told = first.json()
    assert len(told["rows"]) == 100
    assert not told["may_show_whole"]
    assert told["parts"] == []
    assert sum(rows for _, rows in told["reasons"]) == 101
    second = client.get("/esp/api/rows", params={**uploaded.asked, "cursor": told["next"]})
    rows = [*told["rows"], *second.json()["rows"]]
    assert sorted(row["row"] for row in rows) == [1, *range(3, 103)]
    assert second.json()["next"] is None
    assert SECRET not in first.text + second.text
    (reason,) = {row["reason"] for row in rows}
    assert len(client.get("/esp/api/rows", params={**uploaded.asked, "reason": reason}).json()["rows"]) == 100
    assert client.get("/esp/api/rows", params={**uploaded.asked, "reason": "another"}).json()["rows"] == []


@pytest.mark.parametrize("show_rows", ["False", "True"])
def test_who_may_see_rows(
    uploaded: Uploaded, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch, show_rows: str
) -> None:
    monkeypatch.setenv("AIRFLOW__ESP__SHOW_ROWS", show_rows)
    (part,) = os.listdir(uploaded.folder)
    for who in ("anonymous", *PEOPLE):
        client = as_person(who)
        masked = client.get("/esp/api/rows", params=uploaded.asked)
        whole = client.get("/esp/api/rows", params={**uploaded.asked, "whole": "true"})
        given = client.get("/esp/api/part", params={**uploaded.asked, "name": part})
        told = [answer.status_code for answer in (masked, whole, given)]
        assert SECRET not in masked.text, who
        if who == "anonymous":
            assert told == [401] * 3
        elif show_rows == "True" and who != "viewer":
            assert told == [200] * 3, who
            assert whole.json()["rows"][0]["key"] == SECRET
            assert given.content == (uploaded.folder / part).read_bytes()
            assert audited(uploaded) >= {("esp_show_rows", who), ("esp_download_part", who)}
        else:
            assert told == [200, 403, 403], who
            assert SECRET not in whole.text + given.text
    few = {"editor", "operator", "admin"} if show_rows == "True" else set()
    assert {owner for _, owner in audited(uploaded)} == few


def audited(uploaded: Uploaded) -> set[tuple[str, str | None]]:
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        rows = session.query(Log).filter(Log.dag_id == uploaded.asked["dag_id"], Log.event.like("esp_%")).all()
        return {(row.event, row.owner) for row in rows}


def test_without_the_right_to_read_logs_no_row_is_given(
    uploaded: Uploaded, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    allowed = SimpleAuthManager.is_authorized_dag

    def no_logs(self: Any, *, access_entity: Any = None, **asked: Any) -> bool:
        return access_entity is not DagAccessEntity.TASK_LOGS and allowed(self, access_entity=access_entity, **asked)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", no_logs)
    assert as_person("admin").get("/esp/api/rows", params=uploaded.asked).status_code == 403


def test_without_a_root_no_row_is_given(
    uploaded: Uploaded, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW__ESP__REPORT_ROOTS")
    answer = as_person("admin").get("/esp/api/rows", params=uploaded.asked)
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "This Airflow shows no rows: [esp] report_roots names no folder.",
    )


NAMED = ("/etc", "/etc/passwd", "{root}", "{folder}/../../../..", "{other}", "s3://thief@bucket/{own}")


def test_a_record_that_names_another_folder_is_not_followed(
    uploaded: Uploaded, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ESP__SHOW_ROWS", "True")
    own = uploaded.folder.relative_to(uploaded.root)
    other = uploaded.root / "another_dag" / Path(*own.parts[1:])
    other.mkdir(parents=True)
    (other / "part-0000000001-ab-checked.ndjson").write_text(
        json.dumps({"row": 1, "outcome": "invalid", "key": SECRET})
    )
    for named in NAMED:
        point_at(uploaded, named.format(root=uploaded.root, folder=uploaded.folder, other=other, own=own))
        answer = as_person("admin").get("/esp/api/rows", params={**uploaded.asked, "whole": "true"})
        assert answer.status_code == 404, named
        assert SECRET not in answer.text


def point_at(uploaded: Uploaded, folder: str) -> None:
    """Have the task's record and result name a folder, as a DAG's author could."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        rows = session.query(XComModel).filter(XComModel.dag_id == uploaded.asked["dag_id"]).all()
        kept = [row for row in rows if row.key in (KEY, "return_value")]
        try:
            from airflow.models.task_state_store import TaskStateStoreModel
        except ImportError:  # before Airflow 3.3
            pass
        else:
            state = session.query(TaskStateStoreModel).filter_by(dag_id=uploaded.asked["dag_id"], key=KEY)
            kept += state.all()
        assert kept
        for row in kept:
            value = json.loads(row.value) if isinstance(row.value, str) else row.value
            told = {**value, **({"report": folder} if row.key == KEY else {"report_path": folder})}
            row.value = json.dumps(told) if isinstance(row.value, str) else told


@pytest.mark.parametrize("step", range(4))
def test_a_link_on_the_way_is_not_followed(tmp_path: Path, step: int) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    identity = TaskIdentity("dag", "run", "task")
    name = "part-0000000001-ab-checked.ndjson"
    steps = ["dag", "run", "task", name]
    real = elsewhere.joinpath(*steps)
    real.parent.mkdir(parents=True)
    real.write_text(json.dumps({"row": 1, "outcome": "invalid", "key": SECRET}))
    link = root.joinpath(*steps[: step + 1])
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere.joinpath(*steps[: step + 1]))
    reader = ReportReader(f"{root}/dag/run/task", identity, [str(root)])
    with pytest.raises(ReportRefused):
        reader.rows(None, "")


def test_a_part_that_is_no_file_and_one_that_was_cut_off_do_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "dag" / "run" / "task"
    folder.mkdir(parents=True)
    line = json.dumps({"row": 7, "outcome": "invalid", "reason": "why"})
    (folder / "part-0000000001-ab-checked.ndjson").write_text(f"{line}\n{line[:9]}")
    (folder / "notes.txt").write_text(SECRET)
    reader = ReportReader(str(folder), TaskIdentity("dag", "run", "task"), [str(tmp_path)])
    assert [row.row for row in reader.rows(None, "")[0]] == [7]
    with pytest.raises(ReportRefused):
        reader.read("notes.txt")
    os.mkfifo(folder / "part-0000000002-ab-checked.ndjson")
    with pytest.raises(ReportRefused):
        reader.read("part-0000000002-ab-checked.ndjson")


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("ann@example.com", "a***@e***.com"),
        ("+380671234567", "+3***67"),
        ("x", "***"),
        ("@", "***@***."),
        (None, None),
        ("", ""),
    ],
)
def test_keys_are_masked(key: str | None, shown: str | None) -> None:
    assert masked(key) == shown
