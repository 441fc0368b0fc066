"""What Airflow's metrics are told of a task: each row once, wherever the task went on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_esp import version_compat
from airflow_provider_esp.operators import _progress as progress
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

Run = Callable[..., Any]


class Recorded:
    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.tags: set[tuple[tuple[str, str], ...]] = set()

    def incr(self, name: str, count: int = 1, rate: float = 1, *, tags: Mapping[str, str]) -> None:
        self.counters[name] += count
        self.tags.add(tuple(sorted((key, value) for key, value in tags.items() if key != "dag_id")))

    def gauge(self, name: str, value: float, rate: float = 1, *, tags: Mapping[str, str]) -> None:
        pass


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(version_compat, "stats", lambda: recorded)
    return recorded


def crowd(count: int) -> list[dict[str, str]]:
    return [{"email": f"p{number}@example.com"} for number in range(count)]


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])
def test_an_uploads_rows_are_counted_once(
    run: Run,
    sandbox: Sandbox,
    stats: Recorded,
    deferrable: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    sandbox.set(import_seconds=0.5, esputnik__import_missing=["p1@example.com"])
    source = [*crowd(25), {"email": "nobody"}]
    ran = run(
        UploadContactsOperator(
            task_id="upload",
            esp_conn_id="esputnik_default",
            source=source,
            batch_size=10,
            max_rejects=2,
            deferrable=deferrable,
            poll_interval=0.1,
        )
    )
    assert ran.state == "success"
    assert stats.counters == {"esp.rows.accepted": 24, "esp.rows.rejected": 1, "esp.rows.invalid": 1}
    assert stats.tags == {(("operator", "UploadContactsOperator"), ("service", "esputnik"), ("task_id", "upload"))}
    assert " of 26 rows, " in "".join(capfd.readouterr()) + caplog.text


def test_rows_that_an_earlier_try_has_counted_are_not_counted_again(
    run: Run, sandbox: Sandbox, stats: Recorded
) -> None:
    sandbox.fault("reset", "POST", "*/smartsend", skip=1)
    send = SmartSendOperator(
        task_id="send",
        esp_conn_id="esputnik_default",
        message_id=1001,
        source=crowd(1500),
        on_unknown="resend",
        retries=1,
        retry_delay=timedelta(0),
    )
    ran = run(send)
    assert (ran.state, len(ran.errors)) == ("success", 1)
    assert stats.counters == {"esp.rows.accepted": 1500, "esp.rows.unknown": 500}
