"""`options=`: rendered for each run, refused where a task decides them, stored without an address."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import pytest
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventOperator
from airflow_provider_esp.options import (
    EsputnikBroadcast,
    EsputnikEvent,
    EsputnikUpload,
    SendPulseCampaign,
    SendPulseEvent,
    SendPulseUpload,
    ServiceOptions,
)
from airflow_provider_esp.sandbox import Sandbox

SENDER = "sender@sandbox.example"
KINDS = [EsputnikBroadcast, EsputnikEvent, EsputnikUpload, SendPulseCampaign, SendPulseEvent, SendPulseUpload]
pytestmark = pytest.mark.usefixtures("connections")


class Reference:
    """What Airflow takes for another task's result: it has `resolve`."""

    def resolve(self, context: Any) -> Any:
        raise AssertionError


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in kind().values()], ids=str)
def test_what_another_task_returns_is_refused_by_name(kind: Callable[..., ServiceOptions], name: str) -> None:
    with pytest.raises(ValueError, match=rf"\({name}=\) cannot be what another task returns") as raised:
        kind(**{name: Reference()})
    assert "\n" not in str(raised.value)


def test_a_real_reference_is_refused_inside_and_in_place_of_options(worker: Any) -> None:
    with worker.dag():
        upload = UploadContactsOperator(task_id="first", esp_conn_id="esputnik_default", source=[{"email": "a@x.com"}])
        with pytest.raises(ValueError, match="sender_email"):
            SendPulseCampaign(sender_email=upload.output)  # type: ignore[arg-type]  # what is refused
        with pytest.raises(TypeError, match="written in the DAG file"):
            CreateBroadcastOperator(task_id="second", esp_conn_id="sendpulse_default", options=upload.output)  # type: ignore[arg-type]  # what is refused


def test_templates_are_rendered_for_each_task_that_shares_an_object(worker: Any, sandbox: Sandbox) -> None:
    options = EsputnikUpload(event_key_for_new_contacts="{{ task.task_id }}")
    with worker.dag() as dag:
        for name in ("welcome", "hello"):
            UploadContactsOperator(
                task_id=name, esp_conn_id="esputnik_default", source=[{"email": f"{name}@example.com"}], options=options
            )
    ran = worker.run_dag(dag)
    assert {ran[name].state for name in ("welcome", "hello")} == {"success"}
    types = {row["type"] for row in sandbox.rows("esputnik", "events")}
    assert {"welcome", "hello"} <= types
    assert options.event_key_for_new_contacts == "{{ task.task_id }}"


def test_mapped_tasks_share_them(worker: Any, sandbox: Sandbox) -> None:
    with worker.dag() as dag:
        SendEventOperator.partial(
            task_id="send",
            esp_conn_id="sendpulse_default",
            event="purchase",
            options=SendPulseEvent(automation_id="{{ ti.map_index + 1 }}"),
        ).expand(contact_email=["ann@example.com", "ben@example.com"])
    ran = worker.run_dag(dag)
    assert [one.state for one in ran.all] == ["success", "success"]
    events = {row["email"]: row["automation_id"] for row in sandbox.rows("sendpulse", "events")}
    assert events == {"ann@example.com": 1, "ben@example.com": 2}


def serialized(dag: Any) -> str:
    """Return a DAG as Airflow stores it."""
    serialization = import_module("airflow.serialization.serialized_objects")
    kind = getattr(serialization, "DagSerialization", None) or serialization.SerializedDAG
    return json.dumps(kind.to_dict(dag))


def test_what_airflow_stores_of_them_has_no_address(worker: Any) -> None:
    options: Mapping[str, Any] = {
        "campaign": SendPulseCampaign(sender_email=SENDER, sender_name="Ann", draft=True),
        "upload": SendPulseUpload(confirmation=SENDER),
    }
    with worker.dag() as dag:
        CreateBroadcastOperator(task_id="one", esp_conn_id="sendpulse_default", options=options["campaign"])
        CreateBroadcastOperator.partial(
            task_id="many", esp_conn_id="sendpulse_default", options=options["campaign"]
        ).expand(title=["a", "b"])
        UploadContactsOperator(task_id="up", esp_conn_id="sendpulse_default", source=[], options=options["upload"])
    stored = serialized(dag)
    assert "sandbox.example" not in stored
    assert "Ann" not in stored
    assert "draft=True" in stored
    shown = serialize_template_field(dag.get_task("one").options, "options")
    assert shown == "SendPulseCampaign(sender_name=***, sender_email=***, draft=True)"
