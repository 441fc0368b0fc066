"""The list of runs: what it holds, who may read it, and that it costs the same however many runs there are."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from tests.airflow.tasks.conftest import Worker
from tests.airflow.tasks.page.conftest import PEOPLE

AsPerson = Callable[..., Any]
ROWS = [{"email": "ann@example.com"}, {"email": "no address"}, {"email": "bob@example.com"}]


@pytest.fixture
def uploaded(worker: Worker) -> str:
    """Run an upload of which one row is refused; gives its DAG."""
    worker.run(UploadContactsOperator(task_id="upload", esp_conn_id="esputnik_default", source=ROWS, max_rejects=1))
    dag_id: str = worker.dags[-1].dag_id
    return dag_id


def test_a_run_is_listed_with_its_numbers_and_without_an_address(uploaded: str, as_person: AsPerson) -> None:
    answer = as_person("viewer").get("/esp/api/runs", params={"dag_id": uploaded})
    (run,) = answer.json()["runs"]
    assert (run["task_id"], run["operator"], run["state"]) == ("upload", "UploadContactsOperator", "success")
    assert run["record"]["counts"]["accepted"] == 2
    assert run["result"]["rows"] == sum(run["record"]["counts"].values()) == 3
    assert "example.com" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_who_is_not_logged_in_reads_nothing(uploaded: str, as_person: AsPerson) -> None:
    for path in ("/esp/api/runs", "/esp/api/today"):
        told = {who: as_person(who).get(path) for who in ("anonymous", *PEOPLE)}
        assert {who: answer.status_code for who, answer in told.items()} == dict.fromkeys(PEOPLE, 200) | {
            "anonymous": 401
        }
        assert uploaded not in told["anonymous"].text


def test_only_dags_that_a_person_may_read_are_listed(
    uploaded: str, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    allowed = SimpleAuthManager.is_authorized_dag

    def others_only(self: Any, *, details: Any = None, **asked: Any) -> bool:
        return allowed(self, details=details, **asked) and (details is None or details.id != uploaded)

    client = as_person("editor")
    assert client.get("/esp/api/runs", params={"dag_id": uploaded}).json()["runs"]
    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", others_only)
    assert client.get("/esp/api/runs", params={"dag_id": uploaded}).json()["runs"] == []
    assert uploaded not in client.get("/esp/api/runs").text


def test_without_the_right_to_read_xcoms_nothing_is_listed(
    uploaded: str, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    allowed = SimpleAuthManager.is_authorized_dag

    def no_xcoms(self: Any, *, access_entity: Any = None, **asked: Any) -> bool:
        return access_entity is not DagAccessEntity.XCOM and allowed(self, access_entity=access_entity, **asked)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", no_xcoms)
    assert as_person("admin").get("/esp/api/runs").json()["runs"] == []


def test_the_card_sums_the_day_up(uploaded: str, as_person: AsPerson) -> None:
    client = as_person("viewer")
    before = client.get("/esp/api/today").json()
    assert before["tasks"] >= 1
    assert before["counts"]["accepted"] >= 2
    assert before["counts"]["invalid"] >= 1
    assert before["partial"] is False


def test_a_cursor_that_is_none_is_refused(as_person: AsPerson) -> None:
    answer = as_person("viewer").get("/esp/api/runs", params={"cursor": "'; DROP TABLE dag"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "The cursor is none of this list.")


def test_a_mapped_task_is_one_line_and_opens_into_its_instances(worker: Worker, as_person: AsPerson) -> None:
    dag = worker.dag()
    with dag:
        UploadContactsOperator.partial(task_id="upload", esp_conn_id="esputnik_default").expand(
            source=[[{"email": f"p{number}@example.com"}] for number in range(3)]
        )
    worker.run_dag(dag)
    client = as_person("viewer")
    (line,) = client.get("/esp/api/runs", params={"dag_id": dag.dag_id}).json()["runs"]
    assert line["mapped"] == {"success": 3}
    told = client.get("/esp/api/runs", params={"dag_id": dag.dag_id, "task_id": "upload"}).json()["runs"]
    assert sorted(run["map_index"] for run in told) == [0, 1, 2]
    assert all(run["record"]["counts"]["accepted"] == 1 for run in told)
    failed = client.get("/esp/api/runs", params={"dag_id": dag.dag_id, "state": "failed"}).json()["runs"]
    assert failed == []


@contextmanager
def counted_statements() -> Any:
    """Count the statements that the database is given."""
    from airflow import settings
    from sqlalchemy import event

    told: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        told.append(statement)

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        yield told
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)


def copies(dag_id: str, numbers: range) -> None:
    """Give a DAG many runs, which are copies of the one that it has, results included."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import func, insert, select

    with create_session(scoped=False) as session:

        def rows(model: Any) -> list[dict[str, Any]]:
            table = model.__table__
            return [dict(row._mapping) for row in session.execute(select(table).where(table.c.dag_id == dag_id))]

        run, *_ = rows(DagRun)
        instances, xcoms = (
            [one for one in rows(model) if one["run_id"] == run["run_id"]] for model in (TaskInstance, XComModel)
        )
        last = session.scalar(select(func.max(DagRun.id))) or 0
        kind = TaskInstance.__table__.c.id.type.python_type
        made: dict[Any, list[dict[str, Any]]] = {DagRun: [], TaskInstance: [], XComModel: []}
        for number in numbers:
            there = {"run_id": f"copy-{number}"}
            later = run["run_after"] + timedelta(seconds=number)
            made[DagRun].append({**run, **there, "id": last + number + 1, "logical_date": later, "run_after": later})
            made[TaskInstance] += [
                {**one, **there, "id": kind(uuid.uuid4().hex) if kind is uuid.UUID else str(uuid.uuid4())}
                for one in instances
            ]
            made[XComModel] += [{**one, **there, "dag_run_id": last + number + 1} for one in xcoms]
        for model, given in made.items():
            session.execute(insert(model.__table__), given)


def test_ten_runs_and_a_thousand_cost_the_same_number_of_statements(uploaded: str, as_person: AsPerson) -> None:
    client, asked = as_person("viewer"), {"dag_id": uploaded}
    copies(uploaded, range(10))
    client.get("/esp/api/runs", params=asked)
    with counted_statements() as few:
        assert len(client.get("/esp/api/runs", params=asked).json()["runs"]) == 11
    copies(uploaded, range(10, 1000))
    with counted_statements() as many:
        answer = client.get("/esp/api/runs", params=asked).json()
    assert len(answer["runs"]) == 50
    assert len(few) == len(many) <= 8, json.dumps(many, indent=1)
    seen = [run["run_id"] for run in answer["runs"]]
    while answer["next"]:
        answer = client.get("/esp/api/runs", params={**asked, "cursor": answer["next"]}).json()
        seen += [run["run_id"] for run in answer["runs"]]
    assert len(seen) == len(set(seen)) == 1001
