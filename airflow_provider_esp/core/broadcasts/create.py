"""A broadcast is created at most once, whatever happens to the task that creates it.

A broadcast reaches a whole audience and no service takes a key that would make its creation repeatable. So the intent
is written down first, with a marker that the broadcast's title carries. Whoever comes after a try whose end is not
known looks the broadcast up by that marker. Found means created. Not found means not created only some time after the
intent, since lists are known to lag; before that, or where the list cannot be read, the work stops and says so.
"""

from __future__ import annotations

import datetime
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, Protocol

import msgspec

from airflow_provider_esp.core.calls import Flow, Perform
from airflow_provider_esp.core.ledger import RecordStore
from airflow_provider_esp.core.models import Broadcast
from airflow_provider_esp.exceptions import (
    AlreadySent,
    BroadcastOutcomeUnknown,
    DuplicateRequest,
    EspError,
    LedgerUnreadable,
    RateLimited,
    headline,
)

VERSION = 1

ABSENCE_COUNTS_AFTER = 60.0
"""Seconds after the intent from which on a broadcast that is not listed was not created."""

LEAVES_WITHIN = 10.0
"""Seconds after the intent in which the request leaves, or does not leave at all: lists have the rest to catch up."""

PATIENCE = 600.0
"""Seconds for which a service may say that there are too many requests."""

_PAUSE = 15.0

_LOOK = "Look for the broadcast at the service, then give the run another ledger_path or remove this record."


class BroadcastTarget(Protocol):
    """A broadcast that can be created: one service, with the author's options."""

    @property
    def segments(self) -> tuple[str, ...]:
        """Ids of the segments that it goes to."""

    @property
    def excluded(self) -> tuple[str, ...]:
        """Ids of the segments that are left out."""

    def create(self, title: str) -> Flow[Broadcast]:
        """Create it under a title."""


class BroadcastRecord(msgspec.Struct, kw_only=True):
    """The ledger of a broadcast.

    :ivar kind: tells it from a send's or an upload's.
    :ivar owner: digest of the task instance that it belongs to.
    :ivar number: which of the task instance's broadcasts it is, from 1; more than one where the author said so.
    :ivar digest: of what was to be created.
    :ivar intended_at: Unix time at which the request was about to leave; None where it certainly did not.
    :ivar broadcast_id: what the service calls it, once that is known.
    :ivar finished_at: when nothing was left to be done about it, ISO 8601 in UTC; None until then.
    :ivar end: how it ended, for a person.
    """

    kind: Literal["broadcast"]
    owner: str
    version: int = VERSION
    number: int = 1
    digest: str = ""
    intended_at: float | None = None
    broadcast_id: str | None = None
    finished_at: str | None = None
    end: str = ""

    @property
    def marker(self) -> str:
        """The text in the title that the broadcast is known by: made of the task instance, not drawn by lot."""
        return f"af-{_digest(f'{self.owner}/{self.number}'.encode(), 8)}"


class BroadcastLedger:
    """Reads and writes a broadcast's record.

    :param store: where it is kept.
    :param owner: what names the task instance: `TaskIdentity.key`.
    """

    def __init__(self, store: RecordStore, owner: str) -> None:
        self._store = store
        self._owner = _digest(owner.encode(), 12)

    def load(self) -> BroadcastRecord:
        """Return the record of an earlier try, or a new one.

        :raises LedgerUnreadable: what is kept is no record of this version, or another task instance's.
        """
        kept = self._store.load()
        if kept is None:
            return BroadcastRecord(kind="broadcast", owner=self._owner)
        try:
            record = msgspec.convert(kept, BroadcastRecord)
        except msgspec.ValidationError as error:
            raise LedgerUnreadable(f"What the ledger holds is no record of a broadcast: {error}. {_LOOK}") from None
        if record.version != VERSION:
            raise LedgerUnreadable(
                f"The ledger was written by another version of this package (format {record.version}, not {VERSION}). "
                f"{_LOOK}"
            )
        if record.owner != self._owner:
            raise LedgerUnreadable(
                "The ledger is that of another run or task: give each a ledger_path of its own, with {{ run_id }} and "
                "the task's name in it."
            )
        return record

    def save(self, record: BroadcastRecord) -> None:
        """Write the record down."""
        self._store.save(msgspec.to_builtins(record))

    def end(self, outcome: str) -> None:
        """Write down that nothing is left to be done about the broadcast.

        :param outcome: how it ended, for a person.
        """
        record = self.load()
        record.finished_at, record.end = _iso(time.time()), outcome
        self.save(record)


class CreatedBroadcast(msgspec.Struct, frozen=True):
    """A broadcast that is there.

    :ivar resolution: ``created`` by this try; ``found``, created by an earlier one that was killed before it wrote it
        down; or ``known`` from an earlier one.
    :ivar title: the title with its marker.
    :ivar intended_at: Unix time at which its creation began.
    :ivar starts_at: when it is to start, aware, if it was created just now and the service says so.
    """

    id: str
    resolution: Literal["created", "found", "known"]
    title: str
    intended_at: float
    starts_at: datetime.datetime | None = None


@dataclass(slots=True)
class BroadcastCreator:
    """Creates a broadcast, or finds the one that an earlier try created.

    :param target: what is to be created.
    :param find: looks broadcasts up by a text in their title, in the whole list.
    :param perform: carries out a flow.
    :param perform_soon: carries out a flow whose requests leave within `LEAVES_WITHIN`, or fail.
    :param ledger: what earlier tries have done.
    :param title: for people; the marker is put before it, where a service that shortens titles leaves it alone.
    :param content: what is to be created, encoded; a later try with another content is told of it.
    :param warn: is told what somebody should know.
    :param clock: gives Unix time.
    :param sleep: waits so many seconds.
    :param before: is called before each try to create it, and raises where that may not be now.
    """

    target: BroadcastTarget
    find: Callable[[str], Flow[list[Broadcast]]]
    perform: Perform
    perform_soon: Perform
    ledger: BroadcastLedger
    title: str
    content: bytes = b""
    warn: Callable[[str], None] = lambda message: None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    before: Callable[[], None] = lambda: None

    def run(self, *, resend: bool = False) -> CreatedBroadcast:
        """Ensure that the broadcast is there, once.

        :param resend: create another one although this task instance's has come to its end.
        :raises AlreadySent: it has, and `resend` is not said.
        :raises BroadcastOutcomeUnknown: it is unknown whether an earlier request created it.
        :raises EspError: the service refused to create it, or was not reached.
        """
        record = self.ledger.load()
        if record.finished_at:
            if not resend:
                raise AlreadySent(
                    f"This run's broadcast is {record.broadcast_id}; {record.end} ({record.finished_at}). Say "
                    "resend=True to create another one."
                )
            record = BroadcastRecord(kind="broadcast", owner=record.owner, number=record.number + 1)
        if record.broadcast_id is not None:
            return self._made(record, "known")
        if record.intended_at is not None:
            found = self._look_up(record, "an earlier try ended before the service's answer was written down")
            if found is not None:
                return self._note(record, found, "found")
        return self._create_patiently(record)

    def _create_patiently(self, record: BroadcastRecord) -> CreatedBroadcast:
        """Create it; where there are too many requests try again, each time with an intent of its own."""
        end = self.clock() + PATIENCE
        while True:
            self.before()
            try:
                return self._create(record)
            except RateLimited as refused:
                pause = max(refused.retry_after or 0.0, _PAUSE)
                if refused.outcome_unknown or self.clock() + pause > end:
                    raise
            self.sleep(pause)

    def _create(self, record: BroadcastRecord) -> CreatedBroadcast:
        record.intended_at, record.digest = self.clock(), _digest(self.content, 12)
        self.ledger.save(record)
        try:
            created = self.perform_soon(self.target.create(self._title(record)))
        except EspError as error:
            if not (error.outcome_unknown or isinstance(error, DuplicateRequest)):
                self._forget(record)
                raise
            # The request is like no other, by its marker: a duplicate is one of which the service knows already.
            found = self._look_up(record, headline(error))
            if found is None:
                self._stop(record, headline(error), "it is not listed")
            return self._note(record, found, "found")
        except (ValueError, TypeError):  # it could not even be told to the service
            self._forget(record)
            raise
        if record.marker not in created.title:
            self.warn(
                f"The service calls broadcast {created.id} {created.title!r}, without the marker {record.marker}: a "
                "try that ends at the wrong moment will not find its broadcast. Give it a shorter title."
            )
        return msgspec.structs.replace(self._note(record, created.id, "created"), starts_at=created.starts_at)

    def _forget(self, record: BroadcastRecord) -> None:
        """Write down that nothing was created: the service said so, or was never asked."""
        record.intended_at = None
        self.ledger.save(record)

    def _look_up(self, record: BroadcastRecord, reason: str) -> str | None:
        """Find the broadcast that an earlier request may have created.

        :returns: its id; or None where it was certainly not created.
        """
        began = self.clock()
        try:
            found = self.perform(self.find(record.marker))
        except (EspError, RuntimeError, ValueError) as error:
            self._stop(record, reason, f"looking for it failed: {headline(error)}")
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            self._stop(record, reason, f"{len(found)} are listed ({ids}), which is one too many: cancel all but one")
        if found:
            if record.digest != _digest(self.content, 12):
                self.warn(
                    f"Broadcast {found[0].id} was created by an earlier try, when the task asked for another one."
                )
            return found[0].id
        if began - (record.intended_at or began) < ABSENCE_COUNTS_AFTER:
            self._stop(record, reason, "it is not listed")
        return None

    def _stop(self, record: BroadcastRecord, reason: str, seen: str) -> NoReturn:
        intended = record.intended_at or 0.0
        raise BroadcastOutcomeUnknown(
            f"It is unknown whether broadcast {self._title(record)!r} was created at {_iso(intended)}: "
            f"{reason.rstrip('.')}; {seen.rstrip('.')}. Clear the task after {_iso(intended + ABSENCE_COUNTS_AFTER)}: "
            "it looks again, goes on with the broadcast if it is listed, and creates it if it is not."
        )

    def _note(
        self, record: BroadcastRecord, broadcast_id: str, resolution: Literal["created", "found"]
    ) -> CreatedBroadcast:
        record.broadcast_id = broadcast_id
        self.ledger.save(record)
        return self._made(record, resolution)

    def _made(self, record: BroadcastRecord, resolution: Literal["created", "found", "known"]) -> CreatedBroadcast:
        return CreatedBroadcast(
            record.broadcast_id or "", resolution, self._title(record), record.intended_at or self.clock()
        )

    def _title(self, record: BroadcastRecord) -> str:
        return f"[{record.marker}] {self.title}"


def content_of(*parts: Any) -> bytes:
    """Encode what is to be created, so that two tries can be compared."""
    return msgspec.json.encode(parts)


def _digest(content: bytes, size: int) -> str:
    return hashlib.blake2b(content, digest_size=size).hexdigest()


def _iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="seconds")
