"""A wait whose time is up names what has ended it, with its length: `timeout`, or the task's `execution_timeout`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_esp.core.waits import (
    BroadcastEnded,
    CreatedState,
    DeliveriesEnded,
    ImportsEnded,
    WaitStatus,
    encode,
)
from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.contacts_file import ImportContactsFromUrlOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.operators.verification import VerifyContactsOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sensors.broadcasts import BroadcastSensor
from airflow_provider_esp.sensors.deliveries import DeliverySensor
from airflow_provider_esp.sensors.imports import ImportSensor
from airflow_provider_esp.utils import wait_limits

TWO_HOURS = 7200.0
AT: dict[str, Any] = {"task_id": "wait", "esp_conn_id": "esputnik_default", "timeout": TWO_HOURS}
TIMED_OUT = WaitStatus.TIMEOUT
CREATED = CreatedState("7", "a title", "created")
WAITS: dict[str, Callable[..., Any]] = {
    "upload": lambda **more: UploadContactsOperator(source=[], **AT, **more)._too_late(3),
    "file": lambda **more: ImportContactsFromUrlOperator(url="https://x.example/a.csv", **AT, **more)._too_late("a1"),
    "broadcast": lambda **more: CreateBroadcastOperator(**AT, **more)._too_late("7", ""),
    "verification": lambda **more: VerifyContactsOperator(source=[], path="out.csv", **AT, **more)._too_late("7"),
    "import sensor": lambda **more: ImportSensor(import_ids="a1", **AT, **more).resume(
        {}, encode(ImportsEnded(status=TIMED_OUT))
    ),
    "broadcast sensor": lambda **more: BroadcastSensor(broadcast_id="7", **AT, **more).resume(
        {}, encode(BroadcastEnded(status=TIMED_OUT))
    ),
    "delivery sensor": lambda **more: DeliverySensor(request_ids="a1", **AT, **more).resume(
        {}, encode(DeliveriesEnded(status=TIMED_OUT))
    ),
}
EVERY_WAIT = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)


@EVERY_WAIT
@pytest.mark.parametrize(
    ("execution_timeout", "limit", "name"),
    [
        (timedelta(hours=1), "after 3600 s (execution_timeout)", "Raise execution_timeout="),
        (timedelta(hours=3), "after 7200 s", "Raise timeout="),
        (None, "after 7200 s", "Raise timeout="),
    ],
    ids=str,
)
def test_what_has_ended_a_wait_is_named_with_its_own_length(
    wait: Callable[..., Any], execution_timeout: timedelta | None, limit: str, name: str
) -> None:
    with pytest.raises((TimeoutError, AirflowSensorTimeout)) as raised:
        wait(execution_timeout=execution_timeout)
    assert limit in str(raised.value)
    assert name in str(raised.value)
    assert ("execution_timeout" in str(raised.value)) is ("execution_timeout" in limit)


@pytest.mark.parametrize(
    "wait",
    [
        lambda far: CreateBroadcastOperator(**AT).resume({}, encode(BroadcastEnded(**far, state=encode(CREATED)))),
        lambda far: BroadcastSensor(broadcast_id="7", **AT).resume({}, encode(BroadcastEnded(**far))),
        lambda far: DeliverySensor(request_ids="a1", **AT).resume({}, encode(DeliveriesEnded(**far))),
        lambda far: ImportSensor(import_ids="a1", **AT).resume({}, encode(ImportsEnded(**far))),
    ],
    ids=["broadcast", "broadcast sensor", "delivery sensor", "import sensor"],
)
def test_a_wait_that_ends_too_early_says_how_far_it_came(wait: Callable[..., Any]) -> None:
    far = "412,000 of 1,000,000 (41 %), newest result 12 s ago"
    with pytest.raises((TimeoutError, AirflowSensorTimeout), match=re.escape(f"the last look found: {far}")):
        wait({"status": TIMED_OUT, "how_far": far})


@pytest.fixture
def _nearly_an_hour_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let deadlines be reckoned from a moment 3,599 seconds ago, so that a wait of an hour takes one more."""
    monkeypatch.setattr(wait_limits, "time", SimpleNamespace(time=lambda: time.time() - 3599))


@pytest.mark.usefixtures("_nearly_an_hour_ago")
def test_execution_timeout_ends_a_deferred_wait_of_an_operator_and_of_a_sensor(worker: Any, sandbox: Sandbox) -> None:
    sandbox.set(import_seconds=100_000.0)
    common: dict[str, Any] = {
        "esp_conn_id": "esputnik_default",
        "timeout": TWO_HOURS,
        "execution_timeout": timedelta(hours=1),
        "deferrable": True,
    }
    with worker.dag() as dag:
        source = [{"email": "ann@example.com"}]
        UploadContactsOperator(task_id="upload", source=source, poll_interval=0.2, **common)
        started = UploadContactsOperator(
            task_id="start", source=source, wait_for_completion=False, esp_conn_id="esputnik_default"
        )
        ids = "{{ ti.xcom_pull(task_ids='start')['imports'][0] }}"
        started >> ImportSensor(task_id="sense", import_ids=ids, poke_interval=0.2, **common)
    ran = worker.run_dag(dag)
    for task_id in ("upload", "sense"):
        assert ran[task_id].state == "failed"
        assert "after 3600 s (execution_timeout)" in ran[task_id].error


@pytest.mark.usefixtures("_nearly_an_hour_ago")
def test_a_send_whose_wait_was_cut_says_so_and_counts_what_is_pending(
    run: Callable[..., Any], sandbox: Sandbox, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ran = run(
        SmartSendOperator(
            task_id="send",
            esp_conn_id="esputnik_default",
            message_id=1001,
            source=[{"email": "ann+stuck@example.com"}],
            wait_for_delivery=True,
            deferrable=True,
            poll_interval=0.2,
            timeout=TWO_HOURS,
            execution_timeout=timedelta(hours=1),
        )
    )
    assert (ran.state, ran.value["pending"]) == ("success", 1), ran.error
    assert (
        "The wait for the delivery ended after 3600 s (execution_timeout)" in "".join(capfd.readouterr()) + caplog.text
    )


def test_airflow_2_counts_from_the_beginning_of_the_task_and_needs_time_to_take_it_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    task = SimpleNamespace(execution_timeout=timedelta(hours=1))
    monkeypatch.setattr(wait_limits, "_began", lambda task: now - 1000)
    assert wait_limits.end_of_wait(task, TWO_HOURS) == now - 1000 + 3600 - 60
    assert wait_limits.limit_of_wait(task, 100.0) == (100.0, "timeout")
    monkeypatch.setattr(wait_limits, "_began", lambda task: now - 3541)
    assert str(wait_limits.limit_of_wait(task, TWO_HOURS)) == "3600 s (execution_timeout)"
