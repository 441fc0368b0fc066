"""The search for addresses that is made after each test of this folder finds them wherever they can be left."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from tests.airflow.tasks.leaks import LeakSearch

ANN = "ann@example.com"
PHONE = "380971112233"


def operator(action: Any) -> Any:
    from airflow.providers.common.compat.sdk import BaseOperator

    class Leaky(BaseOperator):
        template_fields = ("argument",)

        def __init__(self, argument: str = "", **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.argument = argument

        def execute(self, context: Any) -> Any:
            return action(context)

    return Leaky


def print_it(context: Any) -> None:
    print(ANN)


def log_it(context: Any) -> None:
    logging.getLogger("airflow.task").warning("Row of %s", ANN)


def push_it(context: Any) -> None:
    context["ti"].xcom_push("other", {"deep": [PHONE]})


def fail(context: Any) -> None:
    raise ValueError(f"{ANN} is no good")


def fail_quietly(context: Any) -> None:
    raise ValueError("a row is no good")


@pytest.mark.parametrize(
    ("action", "place"),
    [
        (lambda context: {"first": ANN}, "table xcom"),
        (push_it, "table xcom"),
        (print_it, "the log"),
        (log_it, "the log"),
        (fail, "the log"),
    ],
    ids=["return", "xcom", "print", "log", "exception"],
)
def test_an_address_is_found_where_a_task_leaves_it(
    worker: Any, leaks: LeakSearch, write: Any, action: Any, place: str
) -> None:
    write("people.csv", f"email,phone\n{ANN},{PHONE}\n")
    worker.run(operator(action)(task_id="leaky"))
    assert any(place in found for found in leaks.places())
    with pytest.raises(AssertionError, match="left behind"):
        leaks.check()
    leaks.allow(ANN, PHONE)
    assert leaks.places() == []


def test_an_address_is_found_in_a_rendered_field(worker: Any, leaks: LeakSearch, write: Any) -> None:
    write("people.csv", f"email\n{ANN}\n")
    dag = worker.dag()
    dag.add_task(operator(fail_quietly)(task_id="leaky", argument="{{ dag_run.conf['whom'] }}"))
    worker.run_dag(dag, {"whom": ANN})
    assert any("table rendered_task_instance_fields" in found for found in leaks.places())
    leaks.allow(ANN)


def test_nothing_is_found_where_nothing_was_left(run: Any, leaks: LeakSearch) -> None:
    rows = [{"email": ANN}, {"email": "bob@example"}]
    ran = run(UploadContactsOperator(task_id="up", esp_conn_id="esputnik_default", source=rows))
    assert ran.state == "failed"
    assert ANN in leaks.addresses()
    assert "Why rows were not accepted" in leaks.output()
    assert leaks.places() == []


def test_a_triggers_arguments_are_searched(run: Any, leaks: LeakSearch) -> None:
    leaks.watch("import_id")  # it stands there in any case
    rows = [{"email": ANN}]
    ran = run(UploadContactsOperator(task_id="up", esp_conn_id="esputnik_default", source=rows, deferrable=True))
    assert ran.state == "success"
    assert leaks.deferred
    leaks.watch(leaks.deferred[0][:20])
    assert any("a trigger's arguments" in found for found in leaks.places())
    leaks.allow("import_id", leaks.deferred[0][:20])
