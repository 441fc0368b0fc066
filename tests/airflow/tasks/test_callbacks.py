"""The notifier on tasks that Airflow runs: it tells of a failure, and its own failure changes no state."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_esp.notifications.esp import EspNotifier
from airflow_provider_esp.sandbox import Sandbox

ANN, SENDER = "ann@example.com", '"Data team" <sender@sandbox.example>'


class Does(BaseOperator):
    """Somebody's task."""

    def __init__(self, *, fails: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fails = fails

    def execute(self, context: Any) -> str:
        if self.fails:
            raise RuntimeError("no such table")
        return "done"


def test_callbacks_tell_of_tasks_and_never_change_their_state(worker: Any, sandbox: Sandbox) -> None:
    mail = EspNotifier("esputnik_default", email_to=ANN, sender=SENDER, subject="{{ ti.task_id }} in {{ dag.dag_id }}")
    broken = EspNotifier("no_such_connection", email_to=ANN, text="{{ 1 / 0 }}")
    with worker.dag() as dag:
        Does(task_id="good", fails=False, on_success_callback=[broken, mail])
        Does(task_id="bad", fails=True, on_failure_callback=[broken, mail])
    ran = worker.run_dag(dag)
    assert (ran["good"].state, ran["bad"].state) == ("success", "failed")
    assert {message["subject"] for message in sandbox.messages()} == {
        f"good in {dag.dag_id}",
        f"bad in {dag.dag_id}",
    }
