"""Ledgers kept by Airflow: in the task's own state since 3.3, in a Variable before, or in a file the author names.

All of these are readable by people who may look into Airflow: a ledger holds digests, numbers and counts only.
Records are kept for a time: that of a finished send, by which a cleared task knows that it has sent, for as long as the
author says; an unfinished one for no less than `SENT_RETENTION` after it was last written. Airflow's own clean-up
removes them from the tasks' state, `forget_expired` from Variables.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_esp import version_compat
from airflow_provider_esp.core.ledger import RecordStore
from airflow_provider_esp.core.patience import unwritable
from airflow_provider_esp.exceptions import LedgerUnreadable, LedgerUnsafe, StorageUnwritable
from airflow_provider_esp.stores.airflow_variables import VariableSlot, in_task
from airflow_provider_esp.utils.task_identity import task_identity

KEY = "esp_ledger"
SENT_RETENTION = timedelta(days=90)
UNTIL = "keep_until"

log = logging.getLogger(__name__)


class TaskStateLedger:
    """Keeps the record in the task's state, which survives retries.

    :param store: ``context["task_state_store"]``; used from the main thread only.
    :param keep: how long the record of a finished send is kept.
    """

    def __init__(self, store: Any, keep: timedelta = SENT_RETENTION) -> None:
        self._store = store
        self._keep = keep

    def load(self) -> dict[str, Any] | None:
        """Return the record, or None where there is none."""
        record: dict[str, Any] | None = self._store.get(KEY)
        return record

    def save(self, record: dict[str, Any]) -> None:
        """Keep the record."""
        self._store.set(KEY, record, retention=_retention(record, self._keep))

    def clear(self) -> None:
        """Remove the record, if there is one."""
        self._store.delete(KEY)


class VariableLedger:
    """Keeps the record in an Airflow Variable named after the task instance.

    :param name: of the variable.
    :param keep: how long the record of a finished send is kept.
    """

    def __init__(self, name: str, keep: timedelta = SENT_RETENTION) -> None:
        self.name = name
        self._keep = keep
        self._slot = VariableSlot(name, "What a task has done; see the ledger docs.")

    def load(self) -> dict[str, Any] | None:
        """Return the record, or None where there is none."""
        kept = self._slot.read()
        if not kept:
            return None
        record = read_record(kept, f"Variable {self._slot.name}")
        record.pop(UNTIL, None)
        return record

    def save(self, record: dict[str, Any]) -> None:
        """Keep the record; and once a send has finished, remove others whose time is up, where that can be done."""
        until = datetime.now(UTC) + _retention(record, self._keep)
        self._slot.write(json.dumps({**record, UNTIL: until.isoformat()}))
        if not _is_finished(record) or in_task():  # there a task cannot list Variables
            return
        try:
            forget_expired()
        except Exception:  # the send itself is done and written down
            log.warning("Ledgers whose time is up could not be removed; the next send tries again.", exc_info=True)

    def clear(self) -> None:
        """Remove the record, if there is one."""
        if self._slot.glance() is not None:
            self._slot.delete()


class FileLedger:
    """Keeps the record in a file that is replaced at once, so that it is never half written.

    :param path: on a disk that every worker sees.
    :raises LedgerUnsafe: it is a URL: what replaces an object in a store is not there for certain when it is read next.
    """

    def __init__(self, path: str) -> None:
        from pathlib import Path

        if "://" in path:
            raise LedgerUnsafe(f"ledger_path must be a file on a disk that every worker sees, not {path}.")
        self.path = Path(path).expanduser()

    def load(self) -> dict[str, Any] | None:
        """Return the record, or None where there is none."""
        try:
            kept = self.path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageUnwritable(unwritable("The ledger", self.path, "ledger_path", error)) from error
        return read_record(kept, f"file {self.path}")

    def save(self, record: dict[str, Any]) -> None:
        """Keep the record; it is on the disk when this returns.

        :raises StorageUnwritable: it cannot be written there.
        """
        try:
            self._save(record)
        except OSError as error:
            raise StorageUnwritable(unwritable("The ledger", self.path, "ledger_path", error)) from error

    def _save(self, record: dict[str, Any]) -> None:
        import os
        import secrets

        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A name that nobody can foresee, and a file that is not there yet: a link planted in its place is not followed.
        fresh = self.path.with_name(f".{self.path.name[:200]}.{secrets.token_hex(8)}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(fresh, flags, 0o600), "w", encoding="utf-8") as file:
                json.dump(record, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)  # the new name has to reach the disk as well
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def clear(self) -> None:
        """Remove the record, if there is one."""
        self.path.unlink(missing_ok=True)


def ledger_store(
    context: Any, path: str | None, *, outlives_success: bool = True, keep: timedelta = SENT_RETENTION
) -> RecordStore:
    """Choose where the ledger of a task instance is kept.

    :param context: Airflow's.
    :param path: the file that the author named, or None.
    :param outlives_success: whether the record is needed after the task has succeeded, as that of a send is.
    :param keep: how long the record of a finished send is kept in Airflow; a file stays until somebody removes it.
    :raises LedgerUnsafe: Airflow is set to forget a task's state when it succeeds, and no path is given.
    """
    if path:
        return FileLedger(path)
    state, identity = version_compat.task_state_store(context), task_identity(context)
    if state is None or identity.in_loop:  # clearing a loop's gate begins with an empty state
        return VariableLedger(f"{KEY}_{identity.digest()}", keep)
    if outlives_success and version_compat.clears_state_on_success():
        raise LedgerUnsafe(
            "[state_store] clear_on_success makes Airflow forget what was sent as soon as the task succeeds, so that a "
            "clear would send it again: give the operator ledger_path=, or switch that setting off."
        )
    return TaskStateLedger(state, keep)


def check_writable(store: RecordStore) -> None:
    """Find out with a real write, before anything leaves, that a ledger can be kept; what is kept stays as it is.

    :raises StorageUnwritable: its file cannot be written.
    """
    record = store.load()
    store.save(record if record is not None else {"trial": True})
    if record is None:
        store.clear()


def forget_expired(now: datetime | None = None) -> int:
    """Remove the records whose time is up from Airflow's Variables.

    It lists Variables, which needs the metadata database: in Airflow 2 every send does it at its end; in Airflow 3 no
    task can, and it is for a command where the database can be reached. Since 3.3 no ledger is in a Variable.

    :param now: the time to go by; None for the present.
    :returns: how many were removed.
    """
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    now = now or datetime.now(UTC)
    with create_session() as session:
        names = [
            variable.key
            for variable in session.query(Variable).filter(Variable.key.startswith(f"{KEY}_", autoescape=True))
            if _is_expired(variable.val, now)
        ]
    for name in names:
        VariableSlot(name, "").delete()
    return len(names)


def _is_finished(record: dict[str, Any]) -> bool:
    return bool(record.get("finished_at")) and not record.get("awaiting")


def _retention(record: dict[str, Any], keep: timedelta) -> timedelta:
    return keep if _is_finished(record) else max(keep, SENT_RETENTION)


def _is_expired(kept: str | None, now: datetime) -> bool:
    """Check whether a record's time is up; one that cannot be read stays, because somebody has to look at it."""
    try:
        return datetime.fromisoformat(json.loads(kept or "")[UNTIL]) < now
    except (ValueError, KeyError, TypeError):
        return False


def read_record(kept: str, place: str) -> dict[str, Any]:
    """Read a record.

    :raises LedgerUnreadable: it is none.
    """
    try:
        record = json.loads(kept)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise LedgerUnreadable(f"The ledger in {place} is damaged. Find out what was sent before you remove it.")
    return record
