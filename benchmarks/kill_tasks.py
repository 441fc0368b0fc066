"""The tasks that `kills.py` kills: the package's own operators, with each of the ledgers that they can have.

A try of a task is a process that is forked from a warm one, so that no import is paid for. It says when it begins and,
if it lives that long, how it ended.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

BATCH = 100
PRELOAD = [
    "airflow_provider_esp.operators.contacts",
    "airflow_provider_esp.operators.messages",
    "airflow_provider_esp.core.validation.batch",
    "airflow_provider_esp.core.upload.run",
    "airflow_provider_esp.core.send.run",
    "airflow_provider_esp.hooks.esputnik",
    "airflow_provider_esp.services.esputnik.targets",
    "airflow_provider_esp.stores.ledgers",
    "airflow_provider_esp.core.transport.client",
]
PRELOAD_DATABASE = ["airflow.models.variable", "airflow.state.metastore"]


class TaskState:
    """The store that Airflow 3.3 gives a task, over the backend that its API server uses, without the server between.

    :param run_id: of a run that stands in the metadata database.
    """

    def __init__(self, run_id: str) -> None:
        from airflow._shared.state import TaskScope
        from airflow.state.metastore import MetastoreBackend

        self._scope = TaskScope(dag_id="kills", run_id=run_id, task_id="task", map_index=-1)
        self._backend = MetastoreBackend()

    def get(self, key: str) -> Any:
        """Return a value, or None."""
        kept = self._backend.get(self._scope, key)
        return None if kept is None else json.loads(kept)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Keep a value."""
        ends = None if retention is None else datetime.now(UTC) + retention
        self._backend.set(self._scope, key, json.dumps(value), expires_at=ends)

    def delete(self, key: str) -> None:
        """Forget a value."""
        self._backend.delete(self._scope, key)


def make_run(run_id: str) -> None:
    """Put a run into the metadata database, for `TaskState`."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(DagRun(dag_id="kills", run_id=run_id, run_type="manual", state="running"))


def context_of(store: str, run_id: str) -> dict[str, Any]:
    """Make what Airflow hands to a task, as far as these tasks use it."""
    ti = SimpleNamespace(
        dag_id="kills", run_id=run_id, task_id="task", map_index=-1, try_number=1, xcom_push=lambda *_, **__: None
    )
    context: dict[str, Any] = {"ti": ti}
    if store == "task_state":
        context["task_state_store"] = TaskState(run_id)
    return context


def operator_of(kind: str, place: dict[str, Any], on_unknown: str) -> Any:
    """Make the operator of a job."""
    shared = {
        "task_id": "task",
        "esp_conn_id": "kills",
        "source": place["source"],
        "report_path": place["report"],
        "max_rejects": "100%",
        "ledger_path": place["ledger"] if place["store"] == "file" else None,
        "deferrable": False,
    }
    if kind == "upload":
        from airflow_provider_esp.operators.contacts import UploadContactsOperator

        return UploadContactsOperator(**shared, batch_size=BATCH, poll_interval=0.1)
    from airflow_provider_esp.operators.messages import SmartSendOperator
    from airflow_provider_esp.services.esputnik import targets

    whole = targets.messages
    targets.messages = lambda options: replace(whole(options), batch_size=BATCH)  # the operator has no such argument
    return SmartSendOperator(**shared, message_id=1001, on_unknown=on_unknown)


def attempt(kind: str, place: dict[str, Any], on_unknown: str, told: Any) -> None:
    """Make one try, and tell how it ended: the kind of the error ("" for none), its words, the counts."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what tasks log is Airflow's to show
    os.dup2(nowhere, 2)
    os.environ["AIRFLOW_CONN_KILLS"] = place["connection"]
    operator = operator_of(kind, place, on_unknown)
    context = context_of(place["store"], place["run_id"])
    told.send("ready")
    try:
        value = operator.execute(context)
    except Exception as error:  # noqa: BLE001  # whatever it is, the parent judges it
        cause = error.__cause__ or error
        told.send((type(cause).__name__, str(error), {}))
    else:
        told.send(("", "", {name: value[name] for name in ("rows", "accepted", "unknown")}))
