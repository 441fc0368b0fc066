"""The identity of a task instance: what ledgers, copies of queries, broadcast markers and report folders are named by.

It is the same for every try, also after a clear, and no two task instances share one. Map index and, since Airflow
3.4, the index of a loop's iteration are part of it: in a loop every iteration has the map index -1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NOT_MAPPED = -1
_UNSAFE = re.compile(r"[^\w.-]|^\.+|\.+$")
_NAME_BYTES = 150
"""How long a folder's name is at most: file systems end at 255 bytes."""


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """What tells one task instance from every other.

    :param map_index: -1 where the task is not mapped.
    :param loop_index: number of the loop's iteration, from 0; None outside of loops.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = _NOT_MAPPED
    loop_index: int | None = None

    @property
    def in_loop(self) -> bool:
        """Whether it runs in an iteration of a loop, where clearing the loop's gate empties the task's own state."""
        return self.loop_index is not None

    @property
    def key(self) -> str:
        """The identity as one text, different for every task instance."""
        parts = [self.dag_id, self.run_id, self.task_id, str(self.map_index)]
        return "\n".join([*parts, f"loop-{self.loop_index}"] if self.in_loop else parts)

    @property
    def folder(self) -> str:
        """Its own folder: ``<dag_id>/<run_id>/<task_id>[/<map_index>][/loop-<n>]``, each name as `safe_name` has it."""
        parts = [safe_name(self.dag_id), safe_name(self.run_id), safe_name(self.task_id)]
        if self.map_index != _NOT_MAPPED:
            parts.append(str(self.map_index))
        if self.in_loop:
            parts.append(f"loop-{self.loop_index}")
        return "/".join(parts)

    def digest(self, size: int = 12) -> str:
        """Return a hexadecimal digest of the identity.

        :param size: in bytes; twice as many characters.
        """
        return hashlib.blake2b(self.key.encode(), digest_size=size).hexdigest()

    def __str__(self) -> str:
        mapped = "" if self.map_index == _NOT_MAPPED else f", map index {self.map_index}"
        iteration = f", loop iteration {self.loop_index}" if self.in_loop else ""
        return f"task {self.task_id!r} of DAG {self.dag_id!r}, run {self.run_id!r}{mapped}{iteration}"


def task_identity(context: Mapping[str, Any]) -> TaskIdentity:
    """Return the identity of the task instance that a context belongs to.

    :param context: Airflow's.
    """
    ti = context["ti"]
    try:
        loop_index = int(context["loop"].index)
    except KeyError:  # not in a loop, or before Airflow 3.4
        loop_index = None
    return TaskIdentity(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, loop_index)


def current_task_identity() -> TaskIdentity | None:
    """Return the identity of the task instance that this code runs in; None outside of a task."""
    from airflow.providers.common.compat.sdk import AirflowException, get_current_context

    try:
        context: Any = get_current_context()
    except (AirflowException, RuntimeError):  # 2.x, 3.x: there is no task
        return None
    return task_identity(context)


def safe_name(name: str) -> str:
    """Turn a name into one that every file system and object store takes as a single folder.

    Letters, digits, ``_``, ``-`` and dots inside stay. A name that holds anything else (a colon, a plus sign, a slash,
    ``..``) or is too long gets a short digest of what it was, so that two different names stay different.

    :returns: the name, the same one for the same argument always.
    """
    safe = _UNSAFE.sub(lambda match: "_" * len(match.group()), name)
    if safe == name and name and len(name.encode()) <= _NAME_BYTES:
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    shortened = safe.encode()[: _NAME_BYTES - 9].decode("utf-8", "ignore")
    return f"{shortened}-{digest}"
