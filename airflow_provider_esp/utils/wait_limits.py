"""How long a wait may take: the author's `timeout`, and the task's `execution_timeout`, whichever comes first.

Airflow 3 enforces no ``execution_timeout`` while a task is deferred, so it is part of the deadline. Airflow 2 enforces
it from the task's beginning and says only that something timed out; there the wait ends a little earlier,
and says which.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, NamedTuple

from airflow_provider_esp import version_compat

_MARGIN = 60.0
"""Seconds, a tenth of the limit at the most, in which Airflow 2 has to take the task up again."""


class WaitLimit(NamedTuple):
    """What has ended a wait.

    :ivar seconds: its length.
    :ivar name: of the argument that says so.
    """

    seconds: float
    name: str

    def __str__(self) -> str:
        return f"{self.seconds:g} s" + (f" ({self.name})" if self.name != "timeout" else "")


def end_of_wait(task: Any, timeout: float) -> float:
    """Return when a wait that begins now is over, in Unix time.

    :param task: an operator or a sensor.
    :param timeout: seconds that the wait may take.
    """
    now = time.time()
    end = now + timeout
    limit = _execution_timeout(task)
    if limit is None:
        return end
    began = _began(task)
    return min(end, now + limit if began is None else began + limit - min(_MARGIN, limit / 10))


def until_after(end: float) -> timedelta:
    """Return Airflow's own limit for a deferral, which stands a minute behind the trigger's."""
    return timedelta(seconds=max(1.0, end - time.time()) + 60)


def limit_of_wait(task: Any, timeout: float) -> WaitLimit:
    """Return what has ended a wait whose time is up. Arguments as in `end_of_wait`."""
    limit = _execution_timeout(task)
    if limit is None:
        return WaitLimit(timeout, "timeout")
    began = _began(task)
    cut = limit <= timeout if began is None else time.time() >= began + limit - min(_MARGIN, limit / 10)
    return WaitLimit(limit, "execution_timeout") if cut else WaitLimit(timeout, "timeout")


def _execution_timeout(task: Any) -> float | None:
    limit = task.execution_timeout
    return None if limit is None else float(limit.total_seconds())


def _began(task: Any) -> float | None:
    """Return the Unix time from which Airflow 2 counts; None where each stay on a worker is counted by itself."""
    if not version_compat.IS_AIRFLOW_2:
        return None
    from airflow.providers.common.compat.sdk import AirflowException, get_current_context

    try:
        start = get_current_context()["ti"].start_date
    except (AirflowException, RuntimeError, KeyError):  # not in a task
        return None
    return None if start is None else float(start.timestamp())


def came_to(how_far: str) -> str:
    """Say in an error how far a wait came that ended too early; empty where that is not known."""
    return f"; the last look found: {how_far}" if how_far else ""


def default_deferrable() -> bool:
    """Return what Airflow's configuration says of operators that do not say themselves."""
    from airflow.providers.common.compat.sdk import conf

    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))
