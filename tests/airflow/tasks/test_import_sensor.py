"""`ImportSensor`, run by Airflow against the sandbox, in each of its three ways of waiting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sensors.imports import ImportSensor

Run = Callable[..., Any]

ROWS = [{"email": f"p{number}@example.com"} for number in range(4)]
WAYS = pytest.mark.parametrize(
    "way", [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}], ids=["poke", "reschedule", "deferrable"]
)


def sense(import_ids: Any, **arguments: Any) -> ImportSensor:
    told = {"esp_conn_id": "esputnik_default", "poke_interval": 0.1, "timeout": 20, **arguments}
    return ImportSensor(task_id="sense", import_ids=import_ids, **told)


@pytest.fixture
def wait_for(worker: Any) -> Callable[..., Any]:
    """Upload rows in two imports without waiting, have a sensor wait for them, and tell how it ended."""

    def go(choose: Callable[[Any], Any] = lambda output: output, **arguments: Any) -> Any:
        with worker.dag() as dag:
            upload = UploadContactsOperator(
                task_id="upload", esp_conn_id="esputnik_default", source=ROWS, batch_size=2, wait_for_completion=False
            )
            sense(choose(upload.output), **arguments)
            upload >> dag.get_task("sense")
        return worker.run_dag(dag)["sense"]

    return go


@WAYS
def test_the_sensor_waits_until_every_import_has_ended(
    wait_for: Callable[..., Any], sandbox: Sandbox, way: dict[str, Any], end_after_looks: Callable[[int], None]
) -> None:
    end_after_looks(4)
    assert wait_for(**way, timeout=60).state == "success"
    assert len(sandbox.rows("esputnik", "contacts")) == len(ROWS)


@WAYS
def test_an_import_that_failed_fails_the_sensor_for_good(
    wait_for: Callable[..., Any], sandbox: Sandbox, way: dict[str, Any]
) -> None:
    sandbox.set(esputnik__import_outcome="error")
    ran = wait_for(**way, retries=2, retry_delay=timedelta(0))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "2 of 2 imports failed" in ran.error


@WAYS
def test_an_import_that_never_ends_fails_the_sensor_when_its_time_is_up(
    wait_for: Callable[..., Any], sandbox: Sandbox, way: dict[str, Any]
) -> None:
    sandbox.set(esputnik__import_outcome="never")
    ran = wait_for(**way, timeout=0.5, retries=2, retry_delay=timedelta(0))
    assert (ran.state, len(ran.errors), type(ran.errors[0]).__name__) == ("failed", 1, "AirflowSensorTimeout")


@WAYS
@pytest.mark.parametrize("outcome", ["error", "never"])
def test_a_soft_fail_skips_instead(
    wait_for: Callable[..., Any], sandbox: Sandbox, way: dict[str, Any], outcome: str
) -> None:
    sandbox.set(esputnik__import_outcome=outcome)
    assert wait_for(**way, timeout=0.5, soft_fail=True).state == "skipped"


def test_imports_that_have_ended_need_no_trigger(wait_for: Callable[..., Any], sandbox: Sandbox) -> None:
    sandbox.set(import_seconds=0.0)
    assert wait_for(deferrable=True).state == "success"
    assert len(sandbox.requests("*/importstatus/*")) == 2


def test_the_ids_may_be_a_list(wait_for: Callable[..., Any], sandbox: Sandbox) -> None:
    from airflow.providers.common.compat.sdk import task

    @task
    def choose(summary: dict[str, Any]) -> list[str]:
        return list(summary["imports"])

    assert wait_for(choose).state == "success"
    assert len({row["path"] for row in sandbox.requests("*/importstatus/*")}) == 2


def test_one_id_may_be_a_template(worker: Any) -> None:
    with worker.dag() as dag:
        upload = UploadContactsOperator(
            task_id="upload", esp_conn_id="esputnik_default", source=ROWS, wait_for_completion=False
        )
        upload >> sense("{{ ti.xcom_pull('upload')['imports'][0] }}")
    assert worker.run_dag(dag)["sense"].state == "success"


def test_an_import_that_nobody_knows_is_named(run: Run) -> None:
    ran = run(sense("00000000-0000-0000-0000-000000000000"))
    assert ran.state == "failed"
    assert "eSputnik GET v1/importstatus/{sessionId}: not found" in ran.error


@WAYS
def test_sendpulse_says_that_it_has_no_imports(run: Run, way: dict[str, Any]) -> None:
    ran = run(sense("1", esp_conn_id="sendpulse_default", **way))
    assert ran.state == "failed"
    assert "SendPulse cannot tell how far an import is." in ran.error
