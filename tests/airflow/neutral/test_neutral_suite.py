"""What every service does alike, whoever wrote its hook: the words that operators speak."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.contact_columns import ContactColumns
from airflow_provider_esp.core.models import (
    Contact,
    DeliveryState,
    Event,
    EventOptions,
    ImportState,
    MessageOptions,
    Recipient,
    UploadOptions,
)
from airflow_provider_esp.exceptions import Unauthenticated, Unsupported
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.sandbox import Sandbox

ANN, BEN = "ann@example.com", "ben@example.com"
PEOPLE = [Contact(email=ANN, first_name="Ann"), Contact(email=BEN, first_name="Ben")]


def test_the_button_in_the_connections_form_says_whose_account_it_is(hook: EspHook, stage: Any) -> None:
    worked, said = hook.test_connection()
    assert worked
    assert said.startswith(f"Connected to {hook.service.title} as {stage.owner}")


def test_a_wrong_credential_is_told_with_what_to_do_and_never_quoted(
    hook: EspHook, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NEUTRAL", json.dumps(stage.wrong()))
    with pytest.raises(Unauthenticated) as caught:
        hook.run(hook.adapter.account_name())
    assert str(caught.value).startswith(hook.service.title)
    assert "another-key" not in str(caught.value)


def test_contacts_are_uploaded_and_doing_it_again_adds_nobody(hook: EspHook, stage: Any) -> None:
    target = hook.run(hook.adapter.upload(UploadOptions(**stage.upload)))
    columns = ContactColumns.of(PEOPLE)
    assert set(target.identity) <= {"email", "phone", "external_id"}
    assert target.batch_size >= 2
    for _ in range(2):
        for group in target.groups(columns):
            told = hook.run(target.submit(columns.take(group)))
            assert told.rejected == {}
            if told.import_id is not None:
                assert ended(hook, told.import_id) is ImportState.DONE
    assert stage.contacts() == 2


def ended(hook: EspHook, import_id: str) -> ImportState:
    for _ in range(100):
        told = hook.run(hook.adapter.import_state(import_id))
        if told.state is not ImportState.RUNNING:
            assert told.done is None or set(told.done) >= {ANN}
            return told.state
        time.sleep(0.05)
    return ImportState.RUNNING


def test_a_message_reaches_each_person_and_its_delivery_is_told(hook: EspHook, stage: Any) -> None:
    target = hook.adapter.send_messages(MessageOptions(**stage.message))
    ids: list[str] = []
    for person in (ANN, BEN):
        (told,) = hook.run(target.send([Recipient(person, {"name": "you"})]))
        assert told.accepted
        ids.append(str(told.request_id))
    assert stage.messages() == 2
    for _ in range(100):
        states = {one.state for one in hook.run(hook.adapter.deliveries(ids))}
        if states == {DeliveryState.DELIVERED}:
            return
        time.sleep(0.05)
    raise AssertionError(states)


def test_an_event_arrives_once(hook: EspHook, stage: Any) -> None:
    before = stage.events()
    (told,) = hook.run(hook.adapter.send_events(EventOptions()).send([Event("paid", {"total": 3}, ANN)]))
    assert told.accepted
    assert stage.events() == before + 1


def test_an_event_loop_does_the_same(hook: EspHook, stage: Any) -> None:
    async def work() -> str:
        async with hook.keep_open():
            return await hook.arun(hook.adapter.account_name())

    assert asyncio.run(work()).startswith(stage.owner)


def test_what_the_service_cannot_do_is_refused_by_name_before_anything_is_asked(hook: EspHook, stage: Any) -> None:
    assert stage.cannot
    for feature, ask in stage.cannot.items():
        with pytest.raises(Unsupported, match=f"^{hook.service.title} cannot .*") as caught:
            ask(hook)
        assert feature in str(caught.value)


def test_calls_that_do_something_twice_say_so(hook: EspHook, stage: Any) -> None:
    sends = [
        hook.adapter.send_messages(MessageOptions(**stage.message)).send([Recipient(ANN)]),
        hook.adapter.send_events(EventOptions()).send([Event("paid", {}, ANN)]),
    ]
    assert [next(flow).repeatable for flow in sends] == [False, False]


# -- and nothing of this package has to change --------------------------------------------------------------------

SCRIPT = """
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.operators.contacts import UploadContactsOperator

hook = EspHook.for_connection("toy_default")
print(type(hook).__name__, hook.test_connection())
upload = UploadContactsOperator(
    task_id="upload", esp_conn_id="toy_default", source=[{"email": "ann@example.com", "first_name": "Ann"}],
    ledger_path=LEDGER, poll_interval=0.1,
)
print(upload.execute({"ti": None}))
"""


@pytest.mark.slow
def test_the_operators_find_a_third_service_by_its_connections_type(
    sandbox: Sandbox, tmp_path: Path, airflow_db: Path
) -> None:
    from tests.airflow.toy_service.server import KEY, Toy

    installed = tmp_path / "site" / "airflow_provider_toy-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: airflow-provider-toy\nVersion: 1.0\n")
    entry = "[apache_airflow_provider]\nprovider_info = toy_service:get_provider_info\n"
    (installed / "entry_points.txt").write_text(entry)
    paths = [str(tmp_path / "site"), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    with Toy() as toy:
        connection = {"conn_type": "toy", "host": toy.url, "password": KEY}
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "AIRFLOW_CONN_TOY_DEFAULT": json.dumps(connection),
        }
        script = f"LEDGER = {str(tmp_path / 'ledger')!r}\n{SCRIPT}"
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert "ToyHook (True, 'Connected to Toy as Toy and Sons.')" in done.stdout
        assert "'accepted': 1" in done.stdout
        assert set(toy.contacts) == {"ann@example.com"}
