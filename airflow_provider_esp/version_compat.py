"""The few things that are spelled differently in Airflow 2.11 and 3.x and that `common.compat` 1.12 does not cover."""

from __future__ import annotations

from typing import Any

import airflow

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")


def task_state_store(context: Any) -> Any | None:
    """Return the task's own key-value store, which Airflow has since 3.3; None before."""
    try:
        return context["task_state_store"]
    except KeyError:
        return None


def clears_state_on_success() -> bool:
    """Check whether this Airflow is set to forget a task's state when it succeeds."""
    from airflow.providers.common.compat.sdk import conf

    return bool(conf.getboolean("state_store", "clear_on_success", fallback=False))


def stats() -> Any:
    """Return Airflow's own metrics: ``incr`` and ``gauge``, with tags."""
    from airflow.providers.common.compat.sdk import Stats

    return Stats


def is_of_mapped_task(operator: Any) -> bool:
    """Check whether an operator was made for one map index of a mapped task, with what the mapping gives it."""
    return bool(getattr(operator, "_BaseOperator__from_mapped", False))  # as Airflow's own decorators ask
