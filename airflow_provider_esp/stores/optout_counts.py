"""How many people each opt-out source named when its task last succeeded, in Airflow's Variables.

A task's own state ends with its run, and this has to be known in the next. A Variable holds a number and a date.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from airflow_provider_esp.stores.airflow_variables import VariableSlot

KEY: Final = "esp_optouts"
_DATES: Final = re.compile(r"\d{4}[-_/.]?\d{2}(?:[-_/.]?\d{2})?(?:[T_ -]?\d{2}[-_:.]?\d{2}(?:[-_:.]?\d{2})?)?|\d{5,}")

log = logging.getLogger(__name__)


def source_key(*parts: object) -> str:
    """Return a name for a source that is the same in every run.

    Dates and long numbers count as equal, so that a file or a query named after its day is one source.

    :param parts: what tells the source from others: its kind, its path or its query.
    """
    name = "\n".join(_DATES.sub("#", str(part)) for part in parts)
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class OptOutCounts:
    """The counts of one task, whatever run it is in.

    :param dag_id: of its DAG.
    :param task_id: its own.
    """

    def __init__(self, dag_id: str, task_id: str) -> None:
        self._task = (dag_id, task_id)

    def name(self, key: str) -> str:
        """Return the name of the Variable of a source.

        :param key: as `source_key` gives it.
        """
        digest = hashlib.blake2b("\n".join((*self._task, key)).encode(), digest_size=12).hexdigest()
        return f"{KEY}_{digest}"

    def load(self, key: str) -> int | None:
        """Return how many people a source named; None where that is not known."""
        slot = VariableSlot(self.name(key), "")
        kept = slot.glance() or slot.glance()  # a failure looks like a Variable that is not there
        try:
            people = json.loads(kept)["people"] if kept else None
        except (ValueError, KeyError, TypeError):
            return None
        return people if isinstance(people, int) else None

    def save(self, people: Mapping[str, int]) -> None:
        """Keep how many people sources named; a failure is logged, because everything else is done.

        :param people: by the sources' keys.
        """
        dag_id, task_id = self._task
        about = f"People to leave out, at the last success of task {task_id!r} of DAG {dag_id!r}."
        for key, number in people.items():
            kept: dict[str, Any] = {"people": number, "at": datetime.now(UTC).isoformat(timespec="seconds")}
            try:
                VariableSlot(self.name(key), about).write(json.dumps(kept))
            except Exception:  # whatever Airflow raises there
                log.warning(
                    "How many people suppress= named could not be kept in the Variable %s; the next run compares with "
                    "an older count.",
                    self.name(key),
                    exc_info=True,
                )
                return
