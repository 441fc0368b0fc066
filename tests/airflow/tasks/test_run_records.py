"""What tasks leave for the page in Airflow: counts, ids and times, in the task's state or an XCom; no address."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import airflow
import pytest

from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sensors.deliveries import DeliverySensor
from airflow_provider_esp.stores import run_records
from airflow_provider_esp.stores.run_records import KEY, RunRecord
from tests.airflow.tasks.conftest import Worker

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")

pytestmark = pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 has no page, and nothing is left for one")


@pytest.fixture
def left(airflow_db: Any) -> Callable[[], dict[str, dict[str, Any]]]:
    """The records of the latest run, by task."""

    def read() -> dict[str, dict[str, Any]]:
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        model: Any = XComModel
        with contextlib.suppress(ImportError):  # before Airflow 3.3
            model = import_module("airflow.models.task_state_store").TaskStateStoreModel
        with create_session() as session:
            rows = session.query(model).filter(model.key == KEY).order_by(model.dag_run_id).all()
            return {row.task_id: json.loads(row.value) for row in rows}

    return read


def test_an_upload_leaves_its_counts_reasons_and_imports(worker: Worker, left: Callable[[], Any]) -> None:
    rows = [{"email": "ann@example.com"}, {"email": "no address"}, {"email": "bob@example.com"}]
    ran = worker.run(
        UploadContactsOperator(
            task_id="upload",
            esp_conn_id="esputnik_default",
            source=rows,
            max_rejects=1,
            deferrable=True,
            poll_interval=0.1,
        )
    )
    assert ran.state == "success"
    record = left()["upload"]
    assert (record["service"], record["conn_id"], record["kind"]) == ("esputnik", "esputnik_default", "import")
    assert record["counts"] == {name: ran.value[name] for name in record["counts"]}
    assert (record["counts"]["accepted"], record["counts"]["invalid"]) == (2, 1)
    assert sum(number for _, number in record["reasons"]) == 1
    assert record["deadline"] > record["at"]
    assert record["id"] in ran.value["imports"]
    assert "example.com" not in json.dumps(record)


def test_a_failure_leaves_its_first_line(worker: Worker, left: Callable[[], Any]) -> None:
    ran = worker.run(
        UploadContactsOperator(task_id="refused", esp_conn_id="esputnik_default", source=[{"email": "no address"}])
    )
    assert ran.state == "failed"
    said = left()["refused"]["said"]
    assert said.startswith("1 of 1 rows were refused")
    assert "\n" not in said


def test_a_broadcast_leaves_title_and_audience(
    worker: Worker,
    sandbox: Sandbox,
    left: Callable[[], Any],
    connections: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = {**json.loads(connections["esputnik_default"]), "extra": {"timezone": "Europe/Kyiv"}}
    monkeypatch.setenv("AIRFLOW_CONN_ESPUTNIK_DEFAULT", json.dumps(told))
    sandbox.do("esputnik", "make_contacts", count=3, segment="Newsletter")
    ran = worker.run(
        CreateBroadcastOperator(
            task_id="broadcast",
            esp_conn_id="esputnik_default",
            title="Spring",
            message_id=1001,
            segments="Newsletter",
            wait_for_completion=True,
            settle_time=0.5,
            poll_interval=0.2,
        )
    )
    assert ran.state == "success"
    record = left()["broadcast"]
    assert (record["title"], record["id"]) == ("Spring", ran.value["broadcast_id"])
    assert record["broadcast"]["state"] == "done"
    assert record["audience"] == ["Newsletter"]


def test_a_wait_for_deliveries_leaves_how_far_they_are(worker: Worker, left: Callable[[], Any]) -> None:
    dag = worker.dag()
    with dag:
        send = SmartSendOperator(
            task_id="send", esp_conn_id="esputnik_default", message_id=1001, source=[{"email": "ann@example.com"}]
        )
        DeliverySensor(
            task_id="wait", esp_conn_id="esputnik_default", request_ids=send.output, poke_interval=0.1, timeout=600
        )
    ran = worker.run_dag(dag)["wait"]
    assert ran.state == "success"
    assert left()["wait"]["delivery"] == {name: ran.value[name] for name in left()["wait"]["delivery"]}
    assert left()["wait"]["delivery"]["delivered"] == 1


def test_records_are_written_every_five_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now, kept = 0.0, []
    context = {"ti": type("TI", (), {"try_number": 2})()}
    monkeypatch.setattr(run_records, "_context", lambda: context)
    monkeypatch.setattr(run_records, "_read", lambda context: {"try": 1, "said": "of an earlier try"})
    monkeypatch.setattr(run_records, "_write", lambda context, record: kept.append(dict(record)))
    record = RunRecord(lambda: now)
    for number in range(101):
        now = number / 10  # ten times a second for ten seconds
        record.note(rows=number)
    assert [one["rows"] for one in kept] == [0, 50, 100]
    assert all(one["try"] == 2 and "said" not in one for one in kept)
    record.note(soon=False, rows=None, done=True)
    assert kept[-1]["done"]
    assert "rows" not in kept[-1]


def test_a_record_that_cannot_be_written_is_said_once_and_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*told: Any) -> None:
        raise ConnectionError("Airflow does not answer")

    monkeypatch.setattr(run_records, "_context", lambda: {"ti": type("TI", (), {"try_number": 1})()})
    monkeypatch.setattr(run_records, "_read", refuse)
    record = RunRecord()
    with caplog.at_level("WARNING"):
        record.note(rows=1)
        record.note(soon=False, rows=2)
    assert caplog.text.count("Airflow does not answer") == 1
