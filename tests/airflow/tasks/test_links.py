"""Links beside a task, as Airflow keeps them: found while the task runs, before it defers, and never in its way."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import airflow
import httpx
import pytest

from airflow_provider_esp.links.esp import ALL
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
PEOPLE = [{"email": "ann@example.com"}]
Read = Callable[[str], dict[str, Any]]


@pytest.fixture
def kept(airflow_db: Path) -> Callable[[str], dict[str, Any]]:
    """What a task of the last run has left as XComs, by key."""

    def read(task_id: str) -> dict[str, Any]:
        with contextlib.closing(sqlite3.connect(f"file:{airflow_db}/airflow.db?mode=ro", uri=True)) as db:
            found = db.execute("SELECT key, value FROM xcom WHERE task_id = ? ORDER BY dag_run_id", (task_id,))
            return {key: _decoded(value) for key, value in found}

    return read


def _decoded(value: Any) -> Any:
    told = json.loads(value)
    return json.loads(told) if isinstance(told, str) and told[:1] in ("{", "[", '"') else told


def ui_links(kept: Mapping[str, Any], task_id: str) -> dict[str, str]:
    """Give the links as Airflow's UI gets them: Airflow 3 from XComs of its own, Airflow 2 by asking the class."""
    if not IS_AIRFLOW_2:
        return {link().name: kept[f"_link_{link.__name__}"] for link in ALL if kept[f"_link_{link.__name__}"]}
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        ti = session.query(TaskInstance).filter_by(task_id=task_id).order_by(TaskInstance.start_date.desc()).first()
        assert ti is not None
        key = ti.key
    found = {link().name: link().get_link(None, ti_key=key) for link in ALL}
    return {name: url for name, url in found.items() if url}


def test_a_sent_message_has_links_to_itself_and_to_the_sandboxs_page(
    run: Callable[..., Any], sandbox: Sandbox, kept: Read
) -> None:
    ran = run(SmartSendOperator(task_id="linked_send", esp_conn_id="esputnik_default", message_id=1001, source=PEOPLE))
    assert ran.state == "success"
    found = ui_links(kept("linked_send"), "linked_send")
    assert set(found) == {"Message", "Sandbox"}
    assert "1001" in found["Message"]
    for url in found.values():
        assert httpx.get(url).status_code == 200


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])
def test_an_upload_has_links_to_its_import_and_its_report(
    run: Callable[..., Any],
    sandbox: Sandbox,
    kept: Read,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    connections: Mapping[str, str],
    deferrable: bool,
) -> None:
    told = json.loads(connections["esputnik_default"])
    told["extra"] = {"link_template": "https://my.example.com/{kind}/{id}"}
    monkeypatch.setenv("AIRFLOW_CONN_ESPUTNIK_DEFAULT", json.dumps(told))
    monkeypatch.setenv("AIRFLOW__ESP__REPORT_LINK_TEMPLATE", "https://files.example.com/?at={path}")
    task_id = f"linked_upload_{deferrable}"
    upload = UploadContactsOperator(
        task_id=task_id,
        esp_conn_id="esputnik_default",
        source=PEOPLE,
        report_path=str(tmp_path / "report"),
        deferrable=deferrable,
        poll_interval=0.1,
    )
    ran = run(upload)
    assert ran.state == "success"
    found = ui_links(kept(task_id), task_id)
    import_id = ran.value["imports"][0]
    assert found["Service"] == f"https://my.example.com/import/{import_id}"
    assert found["Report"].startswith("https://files.example.com/?at=%2F")
    assert import_id in httpx.get(found["Sandbox"]).text


def test_an_event_has_links_although_it_fails(run: Callable[..., Any], sandbox: Sandbox, kept: Read) -> None:
    event = SendEventOperator(task_id="linked_event", esp_conn_id="esputnik_default", event="paid")
    assert run(event).state == "failed"
    assert ui_links(kept("linked_event"), "linked_event") == {"Sandbox": f"{sandbox.url}/see/esputnik/events?q=paid"}


def test_a_service_that_does_not_tell_the_messages_page_does_not_keep_it_from_being_sent(
    run: Callable[..., Any], sandbox: Sandbox, kept: Read
) -> None:
    sandbox.fault("status", "GET", "*/viewLink", status=500, times=None)
    ran = run(SmartSendOperator(task_id="no_page", esp_conn_id="esputnik_default", message_id=1001, source=PEOPLE))
    assert (ran.state, ran.value["accepted"]) == ("success", 1)
    assert set(ui_links(kept("no_page"), "no_page")) == {"Sandbox"}
    assert len(sandbox.requests("*/viewLink")) == 1
