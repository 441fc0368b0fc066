"""Reaching Airflow's Variables and connections from wherever the code runs.

Inside a task or a trigger they go through the task SDK; in a command or in the API server that would not find the
metadata database, and Airflow's models do. Since one request thread may meet another while a token is renewed, and
``dag.test()`` on Airflow 3 takes one message at a time, everything here happens under one lock.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from importlib import import_module
from typing import Any

LOCK = threading.RLock()
"""Held while this package talks to Airflow from more than one thread."""

LOOKS = (0.1, 0.3, 0.6)


def in_task() -> bool:
    """Check whether this is a task or a trigger of Airflow 3, by the mark that Airflow's own models go by."""
    return hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS")


def connection(conn_id: str) -> Any:
    """Return a connection.

    :raises AirflowNotFoundException: there is none of this id.
    """
    with LOCK:
        if in_task():
            from airflow.providers.common.compat.sdk import BaseHook

            return BaseHook.get_connection(conn_id)
        from airflow.models.connection import Connection

        return Connection.get_connection_from_secrets(conn_id)


class VariableSlot:
    """An Airflow Variable as a place for one text.

    :param name: of the Variable.
    :param description: what people read beside it.
    """

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self._description = description

    def read(self) -> str | None:
        """Return the text, or None.

        Airflow answers "not there" as well where reading fails for a moment, so it is asked more than once.
        """
        for pause in LOOKS:
            found = self.glance()
            if found is not None:
                return found
            time.sleep(pause)
        return self.glance()

    def glance(self) -> str | None:
        """Return the text, or None, by looking once."""
        with LOCK:
            found: str | None = _variables().get(self.name, None)
        return found

    def write(self, text: str) -> None:
        """Put a text in the place of what is there."""
        with LOCK:
            _variables().set(self.name, text, description=self._description)

    def delete(self) -> None:
        """Remove the Variable."""
        with LOCK:
            _variables().delete(self.name)


def _variables() -> Any:
    if in_task():
        from airflow.providers.common.compat.sdk import Variable

        return Variable
    from airflow.models.variable import Variable as StoredVariable

    return StoredVariable


def hide(values: Iterable[str]) -> None:
    """Have Airflow replace these texts by asterisks wherever it logs."""
    try:
        masker: Any = import_module("airflow.sdk.log")
    except ImportError:
        masker = import_module("airflow.utils.log.secrets_masker")
    for value in values:
        masker.mask_secret(value)
