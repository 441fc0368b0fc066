"""Ledgers that two tries of one send may write at once: each try has a record of its own, and one of them is the owner.

A new try writes the owner first and reads the records of earlier tries then. A running try writes what it is about to
send into its own record first and reads the owner then. So either the earlier one sees that it is no longer the owner,
or the later one sees what was about to be sent. That needs no clock: the database behind Variables, and a file that is
locked, are read as they were last written. The task's own state in Airflow 3.3 needs none of this: whoever comes too
late is not let in any more.
"""

from __future__ import annotations

import fcntl
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_esp.core.ledger import RecordStore
from airflow_provider_esp.core.patience import unwritable
from airflow_provider_esp.core.tries import Tries
from airflow_provider_esp.exceptions import SendTakenOver, StorageUnwritable
from airflow_provider_esp.stores import airflow_variables
from airflow_provider_esp.stores.airflow_variables import VariableSlot
from airflow_provider_esp.stores.ledgers import (
    SENT_RETENTION,
    UNTIL,
    FileLedger,
    VariableLedger,
    ledger_store,
    read_record,
)

MORE_TRIES = 5
"""A try that was frozen for long does not know how many came after it: so many further records are looked for."""
_OWNER, _EARLIER = "owner", "earlier_tries"


class _Try:
    """One try of a task, as its number and a mark that no other process has."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.mark = uuid.uuid4().hex[:12]

    def check(self, owner: dict[str, Any] | None) -> None:
        """Find out that a later try is the owner.

        :raises SendTakenOver: it is.
        """
        if owner and owner["try"] > self.number:
            raise SendTakenOver(
                f"Try {owner['try']} of this task has taken over from try {self.number}, which ends here and sends "
                "nothing more."
            )

    def owns(self, owner: dict[str, Any] | None) -> bool:
        """Check whether this is the owner."""
        return owner is not None and owner["mark"] == self.mark

    def as_owner(self) -> dict[str, Any]:
        """Return what is written down of the owner."""
        return {"try": self.number, "mark": self.mark}


class FileTries:
    """Keeps the records of a send's tries in one file, which is locked while it is read and replaced.

    The owner's record is the file itself; those of tries that were overtaken stand inside of it.

    :param path: on a disk that every worker sees and that can lock files.
    :param number: of this try.
    """

    def __init__(self, path: str, number: int) -> None:
        self._file = FileLedger(path)
        self._try = _Try(number)

    def claim(self) -> list[dict[str, Any]]:
        """Make this try the owner, and return the records of all tries.

        :raises SendTakenOver: a later try is the owner.
        """
        with self._locked():
            content = self._file.load() or {}
            owner = content.pop(_OWNER, None)
            self._try.check(owner)
            earlier = content.pop(_EARLIER, {})
            if content:
                earlier[owner["mark"] if owner else "first"] = content
            self._write({}, earlier, self._try.as_owner())
        return list(earlier.values())

    def save(self, record: dict[str, Any]) -> None:
        """Keep this try's record; it is on the disk when this returns."""
        with self._locked():
            content = self._file.load() or {}
            owner, earlier = content.pop(_OWNER, None), content.pop(_EARLIER, {})
            if self._try.owns(owner):
                self._write(record, {}, owner)
            else:
                self._write(content, {**earlier, self._try.mark: record}, owner)

    def is_owner(self) -> bool:
        """Check whether no later try has taken over."""
        with self._locked():
            return self._try.owns((self._file.load() or {}).get(_OWNER))

    def others(self) -> list[dict[str, Any]]:
        """Return the records of tries that were overtaken, as they are now."""
        with self._locked():
            return list((self._file.load() or {}).get(_EARLIER, {}).values())

    def _write(self, record: dict[str, Any], earlier: dict[str, Any], owner: dict[str, Any] | None) -> None:
        more = {_EARLIER: earlier} if earlier else {}
        self._file.save({**record, **more, **({_OWNER: owner} if owner else {})})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self._file.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.with_name(path.name + ".lock").open("ab")
        except OSError as error:
            raise StorageUnwritable(unwritable("The ledger", path, "ledger_path", error)) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go of when the file is closed, also by a kill
            yield


class VariableTries:
    """Keeps the owner and the record of each try of a send in Variables of their own.

    :param name: what their names begin with.
    :param number: of this try.
    :param keep: how long the record of a finished send is kept.
    """

    def __init__(self, name: str, number: int, keep: timedelta = SENT_RETENTION) -> None:
        self._name = name
        self._try = _Try(number)
        self._keep = keep
        self._owner = VariableSlot(f"{name}_owner", "Which try of a task sends; see the ledger docs.")
        self._own = VariableLedger(f"{name}_{number}", keep)
        self._seen: list[int] = []

    def claim(self) -> list[dict[str, Any]]:
        """Make this try the owner, and return the records of all tries.

        :raises SendTakenOver: a later try is the owner.
        """
        before = self._read_owner()
        self._try.check(before)
        # It outlives every record, or a try that was frozen for long could take itself for the owner.
        until = datetime.now(UTC) + 2 * max(self._keep, SENT_RETENTION)
        self._owner.write(json.dumps({**self._try.as_owner(), UNTIL: until.isoformat()}))
        last = max(self._try.number, before["try"] if before else 0) + MORE_TRIES
        records = self._read(list(range(1, last + 1)))
        self._seen = list(records)
        return list(records.values())

    def save(self, record: dict[str, Any]) -> None:
        """Keep this try's record."""
        self._own.save(record)
        while self._seen and self.is_owner():  # what they say is in this try's record now
            number = self._seen.pop()
            if number != self._try.number:
                VariableSlot(f"{self._name}_{number}", "").delete()

    def is_owner(self) -> bool:
        """Check whether no later try has taken over.

        :raises ConnectionError: Airflow does not say who the owner is.
        """
        owner = self._read_owner()
        if owner is None:
            raise ConnectionError(
                f"Variable {self._owner.name} cannot be read, so this task does not know whether it is still the one "
                "that sends. Nothing leaves; a retry goes on."
            )
        return self._try.owns(owner)

    def others(self) -> list[dict[str, Any]]:
        """Return the records that `claim` found, as they are now."""
        return [record for number in self._seen if (record := self._glance(number)) is not None]

    def _read_owner(self) -> dict[str, Any] | None:
        kept = self._owner.read()
        return read_record(kept, f"Variable {self._owner.name}") if kept else None

    def _read(self, numbers: list[int]) -> dict[int, dict[str, Any]]:
        """Read records; where one seems not to be there, more than once (see `VariableSlot.read`)."""
        records: dict[int, dict[str, Any]] = {}
        for pause in (0.0, *airflow_variables.LOOKS):
            if pause:
                time.sleep(pause)
            for number in [number for number in numbers if number not in records]:
                record = self._glance(number)
                if record is not None:
                    records[number] = record
        return dict(sorted(records.items()))

    def _glance(self, number: int) -> dict[str, Any] | None:
        name = f"{self._name}_{number}"
        kept = VariableSlot(name, "").glance()
        if not kept:
            return None
        record = read_record(kept, f"Variable {name}")
        record.pop(UNTIL, None)
        return record


def send_store(context: Any, path: str | None, *, keep: timedelta = SENT_RETENTION) -> RecordStore | Tries:
    """Choose where the ledger of a send is kept, whose tries may overtake each other.

    :param context: Airflow's.
    :param path: the file that the author named, or None.
    :param keep: how long the record of a finished send is kept in Airflow; a file stays until somebody removes it.
    :raises LedgerUnsafe: Airflow is set to forget a task's state when it succeeds, and no path is given.
    """
    number = int(context["ti"].try_number)
    if path:
        return FileTries(path, number)
    store = ledger_store(context, None, keep=keep)
    return VariableTries(store.name, number, keep) if isinstance(store, VariableLedger) else store
