"""Retries as Airflow makes them: none for what is final, after the service's own pause for what passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_esp import exceptions
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.policies.retry import HAS_POLICIES, final_errors, retry_arguments
from airflow_provider_esp.sandbox import Sandbox


class Failing(BaseOperator):
    """Somebody's own task: raises one error after the other, then succeeds."""

    tries: list[float]

    def __init__(self, *, raises: list[Exception], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.raises = raises

    def execute(self, context: Any) -> int:
        number = context["ti"].try_number
        TRIES.append(time.monotonic())
        with final_errors():
            if number <= len(self.raises):
                raise self.raises[number - 1]
        return int(number)


TRIES: list[float] = []


@pytest.fixture(autouse=True)
def _no_tries() -> None:
    TRIES.clear()


def test_what_is_final_is_tried_once_whatever_the_task_says(run: Callable[..., Any]) -> None:
    task = Failing(task_id="final", raises=[exceptions.Unauthenticated("wrong key")], **retry_arguments(3))
    assert run(task).state == "failed"
    assert len(TRIES) == 1


@pytest.mark.skipif(not HAS_POLICIES, reason="Airflow has retry policies since 3.3")
def test_a_rate_limit_waits_what_the_service_says_and_not_what_the_task_does(run: Callable[..., Any]) -> None:
    arguments = retry_arguments(3, retry_delay=timedelta(minutes=30))
    task = Failing(task_id="limited", raises=[exceptions.RateLimited("slow down", retry_after=1.0)], **arguments)
    ran = run(task)
    assert (ran.state, ran.value) == ("success", 2)
    assert 1.0 <= TRIES[1] - TRIES[0] < 60


def test_an_operator_with_a_wrong_key_is_tried_once(run: Callable[..., Any], sandbox: Sandbox) -> None:
    sandbox.set(esputnik__keys={})
    task = SmartSendOperator(
        task_id="send",
        esp_conn_id="esputnik_default",
        message_id=1001,
        source=[{"email": "ann@example.com"}],
        **retry_arguments(3, retry_delay=timedelta(0)),
    )
    ran = run(task)
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "Check the connection's API key" in ran.error
