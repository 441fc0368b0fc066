"""What a task leaves behind while it runs, so that the page in Airflow can show it: counts, ids and times.

It stands in the task's own state since Airflow 3.3, in an XCom before; both are readable by whoever may look into the
DAG, so no address is in it. Airflow 2 has no page, and nothing is left there. A task does its work without a record as
well: what goes wrong is said once in its log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

KEY = "esp_run"
"""The key of the record in a task's state, or of its XCom."""

WAIT = "esp_wait"
"""The key of the XCom that a trigger leaves."""

EVERY = 5.0
"""Seconds between two records of a task that goes on."""

_LONGEST = 500

_log = logging.getLogger(__name__)


class RunRecord:
    """Keeps the record of the running try of a task instance.

    What a try has said before its deferral is read once and kept.

    :param clock: gives seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._facts: dict[str, Any] | None = None
        self._written_at: float | None = None
        self._failed = False

    def note(self, *, soon: bool = True, **facts: Any) -> None:
        """Add facts to the record; to be called from the main thread.

        :param soon: whether they may wait until five seconds have passed since the last writing.
        :param facts: JSON-able, without an address. One that is None is taken out.
        """
        if self._failed:
            return
        try:
            self._note(soon, facts)
        except Exception as error:  # noqa: BLE001  # a record is an extra
            from airflow_provider_esp.exceptions import headline

            self._failed = True
            _log.warning("The page in Airflow does not show how far this task is: %s", headline(error))

    def _note(self, soon: bool, facts: Mapping[str, Any]) -> None:
        now = self._clock()
        early = soon and self._written_at is not None and now - self._written_at < EVERY
        if early and self._facts is not None:
            self._facts |= facts
            return
        context = _context()
        if context is None:
            return
        if self._facts is None:
            number = int(context["ti"].try_number)
            kept = _read(context)
            self._facts = kept if kept.get("try") == number else {"try": number}
        self._facts |= facts
        self._facts = {name: fact for name, fact in self._facts.items() if fact is not None}
        _write(context, {**self._facts, "at": round(time.time(), 1)})
        self._written_at = now


def record_of(task: Any) -> RunRecord:
    """Return the record of an operator's or sensor's running try; made when it is first asked for."""
    record: RunRecord = task.__dict__.setdefault("_esp_record", RunRecord())
    return record


def note_failure(error: Exception) -> None:
    """Add the first line of an error to the record of the running task, if that is one of ours."""
    from airflow_provider_esp.exceptions import headline

    context = _context()
    if context is not None and hasattr(context["task"], "esp_conn_id"):
        record_of(context["task"]).note(soon=False, said=headline(error)[:_LONGEST])


def leave_wait(ti: Any, how_far: str) -> None:
    """Leave how far a deferred task's wait is; a trigger has no way to the task's state, so it is an XCom.

    :param ti: the task instance that the trigger works for.
    :param how_far: without an address.
    """
    from airflow_provider_esp.version_compat import IS_AIRFLOW_2

    if IS_AIRFLOW_2:
        return
    from airflow.sdk.execution_time.xcom import XCom

    place = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
    XCom.set(key=WAIT, value={"how_far": how_far[:_LONGEST], "at": round(time.time(), 1)}, **place)


def _context() -> Any | None:
    """Return the context of the running task; None outside of one, and in Airflow 2."""
    from airflow.providers.common.compat.sdk import AirflowException, get_current_context

    from airflow_provider_esp.version_compat import IS_AIRFLOW_2

    if IS_AIRFLOW_2:
        return None
    try:
        return get_current_context()
    except (AirflowException, RuntimeError):
        return None


def _read(context: Any) -> dict[str, Any]:
    from airflow_provider_esp.version_compat import task_state_store

    store, ti = task_state_store(context), context["ti"]
    if store is not None:
        found = store.get(KEY)
    else:
        found = ti.xcom_pull(key=KEY, task_ids=ti.task_id, map_indexes=ti.map_index)
    return dict(found) if isinstance(found, Mapping) else {}


def _write(context: Any, record: Mapping[str, Any]) -> None:
    from airflow_provider_esp.version_compat import task_state_store

    store = task_state_store(context)
    if store is not None:
        store.set(KEY, dict(record))
    else:
        context["ti"].xcom_push(key=KEY, value=dict(record))
