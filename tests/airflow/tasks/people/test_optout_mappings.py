"""A mapped task whose mapping gives it no opt-outs, where it was meant to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.people.test_optouts import ANN, BEN, CID, addressees, wrote

Write = Callable[[str, str | bytes], str]


@pytest.mark.parametrize("way", ["expand", "kwargs", "native"])
def test_a_mapping_that_gives_no_opt_outs_stops_the_task(
    worker: Any, sandbox: Sandbox, write: Write, way: str, people_line: Any
) -> None:
    from airflow.providers.common.compat.sdk import task

    people = write("people.csv", f"email\n{ANN}\n{BEN}\n{CID}\n")
    with worker.dag() as dag:
        dag.render_template_as_native_obj = way == "native"

        @task
        def optouts() -> Any:
            return [None]

        @task
        def arguments() -> Any:
            return [{"suppress": None}]

        send = SmartSendOperator.partial(
            task_id="send", esp_conn_id="esputnik_default", message_id=1001, source=people, poll_interval=0.05
        )
        if way == "kwargs":
            send.expand_kwargs(arguments())
        else:
            send.expand(suppress=["None"] if way == "native" else optouts())
    (ran,) = [one for one in worker.run_dag(dag).all if one.task_id == "send"]
    assert ran.state == "failed"
    assert wrote(sandbox) == []
    people_line("opt-out source shrunk", f"None, {way}", people_line.sent(of=3), "failed", ran.state)


def test_a_mapped_task_without_opt_outs_sends(worker: Any, sandbox: Sandbox, write: Write) -> None:
    with worker.dag() as dag:
        SmartSendOperator.partial(
            task_id="send", esp_conn_id="esputnik_default", message_id=1001, poll_interval=0.05
        ).expand(source=[write("people.csv", f"email\n{ANN}\n")])
    assert [ran.state for ran in worker.run_dag(dag).all] == ["success"]
    assert addressees(sandbox) == [ANN]
