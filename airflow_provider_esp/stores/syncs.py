"""What Airflow keeps of syncs, in Variables: which run works now, who has which target, and the key of a state.

Airflow encrypts Variables in its database where it has a Fernet key. None of these holds an address.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from airflow_provider_esp.core.sync.errors import SyncRefused, SyncStateUnusable, SyncTakenOver
from airflow_provider_esp.core.sync.keys import StateKey
from airflow_provider_esp.core.tries import has_ended, this_process
from airflow_provider_esp.stores.airflow_variables import VariableSlot, hide

OnRunning = Literal["stop", "wait"]
_LOOK: Final = 5.0
"""Seconds between two looks at a run that works."""


def state_name(state_path: str) -> str:
    """Return what the Variables of a state are named after."""
    return hashlib.blake2b(state_path.rstrip("/").encode(), digest_size=12).hexdigest()


def state_key(state_path: str, given: str | None, *, keep: bool = True) -> StateKey:
    """Return the secret of a state: the author's, or the one that Airflow keeps; made where there is none.

    :param given: the author's, or None.
    :param keep: whether one that is made is kept; a dry run keeps none.
    :raises ValueError: the author's is too short.
    """
    if given:
        return StateKey(given)
    slot = VariableSlot(
        f"esp_sync_key_{state_name(state_path)}", "The key of a sync's state; without it nothing is known."
    )
    secret = slot.read()
    if secret is None:
        secret = StateKey.fresh()
        if keep:
            slot.write(secret)
            if slot.read() != secret:
                raise SyncStateUnusable(
                    f"Variable {slot.name}, which is to keep the key of the sync's state, is not what was written: "
                    "something else answers in its place. Nothing was sent. Give the operator state_key=."
                )
    hide([secret])
    return StateKey(secret)


class SyncOwner:
    """Says which run of a sync works: whoever wrote itself down last.

    A run writes itself down before it reads what is known, and looks before each request whether it still stands there.
    So of two tries of one run the later one goes on; another run waits or stops.

    :param state_path: of the sync.
    :param run: tells the runs apart.
    :param number: of the try.
    """

    def __init__(self, state_path: str, run: str, number: int) -> None:
        self._slot = VariableSlot(f"esp_sync_{state_name(state_path)}", "Which run of a sync works; see the sync docs.")
        self._run = run
        self._number = number
        self._mark = uuid.uuid4().hex

    def claim(self, on_running: OnRunning, pause: Callable[[float], None], timeout: float) -> None:
        """Become the run that works.

        :param on_running: whether to wait for another run that works, or to stop.
        :param pause: waits so many seconds; raises where the task is being ended.
        :param timeout: seconds to wait at the most.
        :raises SyncRefused: another run works.
        :raises SyncTakenOver: a later try of this run works.
        """
        end = time.monotonic() + timeout
        while (other := self._working()) is not None:
            if on_running == "stop" or time.monotonic() >= end:
                raise SyncRefused(
                    f"Run {other['run']!r} of this sync works since {other['at']}, and two at once would undo each "
                    "other's work. Nothing was sent. Let it end (max_active_runs=1, or on_running='wait'); if it is "
                    f"gone, clear its task, or remove the Variable {self._slot.name}."
                )
            pause(min(_LOOK, max(0.1, end - time.monotonic())))
        self._write(working=True)

    def _working(self) -> Mapping[str, Any] | None:
        """Return the other run that works, if there is one."""
        owner = self._read()
        if owner is None or not owner["working"]:
            return None
        if owner["run"] == self._run:
            if owner["try"] > self._number:
                raise SyncTakenOver(f"Try {owner['try']} of this task works already: this one does nothing.")
            return None
        return None if has_ended(owner["process"]) else owner

    def check(self) -> None:
        """Find out that another try or run has taken over.

        :raises SyncTakenOver: it has.
        :raises ConnectionError: Airflow does not say which run works.
        """
        owner = _parsed(self._slot.read())
        if owner is None:
            raise ConnectionError(
                f"Variable {self._slot.name} cannot be read, so this task does not know whether it is still the one "
                "that syncs. Nothing more leaves; a retry goes on."
            )
        if owner["mark"] != self._mark:
            raise SyncTakenOver("Another try or run of this sync works now: this one ends here and does nothing more.")

    def release(self) -> None:
        """Say that this run works no more, unless another one has taken over."""
        owner = self._read()
        if owner is not None and owner["mark"] == self._mark:
            self._write(working=False)

    def _read(self) -> dict[str, Any] | None:
        return _parsed(self._slot.glance() or self._slot.glance())  # a failure looks like a Variable that is not there

    def _write(self, *, working: bool) -> None:
        told = {
            "run": self._run,
            "try": self._number,
            "mark": self._mark,
            "process": this_process(),
            "working": working,
        }
        self._slot.write(json.dumps({**told, "at": datetime.now(UTC).isoformat(timespec="seconds")}))


def _parsed(kept: str | None) -> dict[str, Any] | None:
    """Return what a Variable says of the run that works; None where it says nothing."""
    try:
        found = json.loads(kept) if kept else None
    except ValueError:
        return None
    named = isinstance(found, dict) and {"run", "try", "mark", "process", "working"} <= found.keys()
    return found if named else None


def claim_target(place: str, state_path: str, task: str, mode: str) -> None:
    """Write down that a sync has a target; refuse where it and another one would take out each other's people.

    :param place: what tells the target from others: connection and name.
    :param task: what messages call the sync.
    :raises SyncRefused: another sync has the target, and one of both takes people out.
    """
    name = hashlib.blake2b(place.encode(), digest_size=12).hexdigest()
    slot = VariableSlot(f"esp_sync_target_{name}", "Which syncs have a segment or mailing list; see the sync docs.")
    kept = slot.glance() or slot.glance()
    syncs: dict[str, dict[str, str]] = json.loads(kept) if kept else {}
    own = state_name(state_path)
    for other, told in syncs.items():
        if other != own and "mirror" in (mode, told["mode"]):
            raise SyncRefused(
                f"{told['task']} syncs into this target as well, with a state of its own, and a mirror takes out "
                "whom another sync has put there. Nothing was sent. Give each its own target; if that sync is no more, "
                f"remove the Variable {slot.name}."
            )
    if syncs.get(own) != {"task": task, "mode": mode}:
        slot.write(json.dumps({**syncs, own: {"task": task, "mode": mode}}))
