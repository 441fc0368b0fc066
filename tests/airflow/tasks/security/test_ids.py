"""Ids of broadcasts that would change a request's path end the task before any request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_esp.operators.broadcasts import CancelBroadcastOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sensors.broadcasts import BroadcastSensor

Refused = Callable[[str, str, str], None]

OPERATORS: dict[str, Callable[..., Any]] = {
    "CancelBroadcast": lambda value, **told: CancelBroadcastOperator(broadcast_id=value, **told),
    "CancelBroadcast, from XCom": lambda value, **told: CancelBroadcastOperator(
        broadcast_id={"broadcast_id": value}, **told
    ),
    "BroadcastSensor": lambda value, **told: BroadcastSensor(broadcast_id=value, **told),
    "BroadcastSensor, deferrable": lambda value, **told: BroadcastSensor(broadcast_id=value, deferrable=True, **told),
}


@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
@pytest.mark.parametrize("value", [".", "..", ""])
@pytest.mark.parametrize("name", OPERATORS)
def test_such_an_id_makes_no_request(
    name: str, value: str, service: str, run: Callable[..., Any], sandbox: Sandbox, refused: Refused
) -> None:
    ran = run(
        OPERATORS[name](value, task_id="task", esp_conn_id=f"{service}_default", retries=2, retry_delay=timedelta(0))
    )
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "broadcast_id is" in ran.error
    assert not sandbox.requests()
    refused("id that changes the path", "operators: a broadcast's id", "a sentence, no request")
