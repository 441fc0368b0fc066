"""A connection whose application may not do a task's work stops it before a row is read, and names the right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.contacts_file import ImportContactsFromUrlOperator
from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sensors.deliveries import DeliverySensor
from airflow_provider_esp.sensors.imports import ImportSensor
from airflow_provider_esp.sources import FileSource

CONN_ID = "consented"


class Unread(FileSource):
    """A source that nobody may open."""

    def __init__(self) -> None:
        super().__init__("people.csv")

    def open(self, *told: Any) -> Any:
        raise AssertionError("a row was read")

    count = open


@pytest.fixture
def consented(airflow_db: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the connection, with a right that its application has."""

    def make(right: str) -> None:
        extra = {
            "client_id": "app",
            "client_secret": "hush",
            "auth_server": "https://uaa.example",
            "application_scope": right,
        }
        told = {"conn_type": "esputnik", "host": sandbox.esputnik_url, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(told))

    return make


def upload() -> Any:
    return UploadContactsOperator(task_id="upload", esp_conn_id=CONN_ID, source=Unread(), suppress=Unread())


def file() -> Any:
    return ImportContactsFromUrlOperator(task_id="file", esp_conn_id=CONN_ID, url="https://files.example/people.csv")


def send() -> Any:
    return SmartSendOperator(
        task_id="send", esp_conn_id=CONN_ID, message_id=1001, source=Unread(), suppress=Unread(), max_recipients=1
    )


def dry() -> Any:
    return SmartSendOperator(task_id="dry", esp_conn_id=CONN_ID, message_id=1001, source=Unread(), dry_run=True)


def event() -> Any:
    return SendEventsOperator(task_id="event", esp_conn_id=CONN_ID, event="bought", source=Unread())


def imports() -> Any:
    return ImportSensor(task_id="imports", esp_conn_id=CONN_ID, import_ids=["1"], deferrable=False)


def deliveries() -> Any:
    return DeliverySensor(task_id="deliveries", esp_conn_id=CONN_ID, request_ids=["1"], deferrable=False)


@pytest.mark.parametrize(
    ("make", "right", "needed"),
    [
        (upload, "messages", "access to events and contacts"),
        (file, "events", "access to events and contacts"),
        (send, "events and contacts", "access to messages"),
        (dry, "events", "access to messages"),
        (event, "messages", "access to events"),
        (imports, "messages", "access to events and contacts"),
        (deliveries, "events", "access to messages"),
    ],
)
def test_a_task_stops_before_a_row_is_read(
    consented: Callable[[str], None], sandbox: Sandbox, make: Callable[[], Any], right: str, needed: str
) -> None:
    consented(right)
    with pytest.raises(AirflowFailException) as raised:
        make().execute({})
    assert repr(CONN_ID) in str(raised.value)
    assert needed in str(raised.value)
    assert sandbox.requests() == []
