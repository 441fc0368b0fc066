"""`send_key`: everything that is sent under one key reaches a person once, whichever task, run or map index sends it.

One task sends under a key at a time, and writes down whom it is about to reach before it does. Its order of steps is
that of tries (`stores.tries`): who wants to send writes the owner, and reads then who was reached; who sends writes
whom, and reads the owner then. So either the earlier one sees that it is not the owner any more, or the later one sees
whom it was about to reach. No clock decides anything but for how long somebody is remembered.

What this send itself has done is the ledger's business: its own people are left out of what is looked up here.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from airflow_provider_esp.core.ledger import SendRecord
from airflow_provider_esp.core.send.key_folder import KeyFolder, Owner, SentName, until_text
from airflow_provider_esp.core.send.sorted_digests import SortedDigests
from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.core.tries import has_ended, this_process
from airflow_provider_esp.core.validation.mapper import same_key
from airflow_provider_esp.core.validation.suppression import LeavesOut
from airflow_provider_esp.exceptions import SendKeyTaken, TaskStopped, headline

WAIT = 300.0
"""Seconds for which a task waits until another one that sends under its key has ended."""
REACHED_BEFORE = "left out: reached before under this send_key"

_PAUSE = 1.0
_MOST_IN_FILE = 16_384
"""Digests after which a further file is begun: the one under way is written anew with each block."""
_WHOLE = "0" * 12
"""Stands for a process in the names of files that nobody writes any more."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class SendKey:
    """One task's hold on a key.

    :param folder: where it is kept.
    :param key: as the author has it, for messages.
    :param task: names the task instance for people.
    :param task_digest: names it in files: 16 hexadecimal digits.
    :param keep: for how long a person who is reached counts as reached.
    :param wait: seconds to wait for another task; None for `WAIT`.
    :param stop: says that the task is being ended.
    """

    folder: KeyFolder
    key: str
    task: str
    task_digest: str
    keep: timedelta
    wait: float | None = None
    stop: Stop = field(default_factory=Stop)
    pause: Callable[[float], None] = time.sleep
    _mark: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    _owned: bool = False
    _others: SortedDigests | None = None
    _send: str = ""
    _name: SentName | None = None
    _claims: int = 0
    _claim: str = ""
    _open: set[bytes] = field(default_factory=set)
    _settled: set[bytes] = field(default_factory=set)
    _full: list[SentName] = field(default_factory=list)

    def take(self, record: SendRecord, *, resend: bool = False, only_look: bool = False) -> None:
        """Become the one that sends under the key, and learn whom others have reached.

        :param record: the ledger's: whom this send has reached itself does not count.
        :param resend: whether the record has finished and is about to begin anew.
        :param only_look: do not become it, because nothing will be sent.
        :raises SendKeyTaken: another task sends, and did not end in time.
        :raises TaskStopped: the task is being ended.
        """
        while True:
            if not only_look:
                self._wait_and_own()
            names = self.folder.names()
            # Whoever is written to again was reached before by this very task.
            again = record.resent or resend
            others = [
                name for name in names if name.send != record.send and not (again and name.task == self.task_digest)
            ]
            self.close()
            self._others = self.folder.merged(others)
            # One that is gone was put into another; and another task may have come in the same moment.
            if self._others is not None and (only_look or self._is_owner()):
                return

    def reached(self, person: str) -> bool:
        """Check whether somebody else has reached a person, or was about to."""
        return self._others is not None and self.folder.digest(same_key(person)) in self._others

    def begin(self, record: SendRecord) -> None:
        """Go on from what earlier tries of this send have written down.

        :param record: the ledger's, which has been saved: it says which block may have left.
        :raises SendKeyTaken: another task or try sends under the key by now.
        """
        self._send = record.send
        last = self._read_last(record)
        while last is None:  # an earlier try that still runs has put a file into another
            last = self._read_last(record)
        self._claim = record.claim
        self.check_owner()  # a try that was overtaken knows less than who has overtaken it, and may take nothing away
        if last:
            self._write()
        for name in last:
            self.folder.remove(name)

    def claim(self, people: Iterable[str]) -> str:
        """Write down who is about to be reached, and return what the ledger has to call that.

        :param people: as `same_key` has them.
        """
        self._settled |= self._open
        if len(self._settled) >= _MOST_IN_FILE and self._name is not None:
            self._settled, self._name = set(self._open), self._new_name(self._name.number + 1)
        self._open = {self.folder.digest(same_key(person)) for person in people}
        self._claims += 1
        self._claim = f"{self._mark}-{self._claims}"
        self._write()
        return self._claim

    def settle(self, not_reached: Iterable[str]) -> None:
        """Take back people who were about to be reached, and certainly were not."""
        gone = {self.folder.digest(same_key(person)) for person in not_reached} & self._open
        if gone:
            self._open -= gone
            self._write()

    def check_owner(self) -> None:
        """Find out, before anything leaves, that this is still the task that sends under the key.

        :raises SendKeyTaken: it is not.
        """
        if not self._is_owner():
            raise SendKeyTaken(
                f"Another task sends under send_key {self.key!r} by now: this one stops and sends nothing more. A "
                "retry goes on when that task has ended."
            )

    def finish(self) -> None:
        """Put everybody whom this send has reached into one file, now that it has come to its end."""
        while self._is_scattered(names := self._ours()):
            people = self.folder.merged(names)
            if people is not None:  # no other try has done it in the same moment
                self._put_together(names, people)
                break
        self.folder.remove_expired()
        self._open, self._settled, self._name = set(), set(), None

    def forget(self, send: str) -> None:
        """Remove what is written down of a send that has reached nobody."""
        for name in self.folder.names():
            if name.send == send:
                self.folder.remove(name)

    def release(self) -> None:
        """Let others send; what fails of that is logged, because all else is done."""
        self.close()
        if not self._owned:
            return
        self._owned = False
        try:
            if self._is_owner():
                self.folder.remove_owner()
        except Exception as error:  # noqa: BLE001  # whatever a disk or a store raises
            log.warning(
                "Others cannot send under send_key %r until %s is removed: that failed (%s).",
                self.key,
                self.folder.owner_file,
                headline(error),
            )

    def close(self) -> None:
        """Forget whom others have reached."""
        if self._others is not None:
            self._others.close()
            self._others = None

    # -- the steps --

    def _read_last(self, record: SendRecord) -> list[SentName] | None:
        """Read the last file of each earlier try, the only one that is not full; None where one was removed."""
        unfinished = [name for name in self._own() if name.mark != _WHOLE]
        last = {name.mark: name for name in unfinished}  # they come in the order of their numbers
        self._full = [name for name in unfinished if name not in last.values()]
        self._open, self._settled = set(), set()
        for name in last.values():
            there = self.folder.read(name)
            if there is None:
                return None
            claim, open_ones, settled = there
            self._settled |= settled
            if claim == record.claim:  # otherwise the ledger never said that it is about to leave
                self._open |= open_ones
        return list(last.values())

    def _wait_and_own(self) -> None:
        end: float | None = None
        while (owner := self.folder.owner()) is not None and owner.mark != self._mark:
            if owner.task == self.task or has_ended(owner.process):  # an earlier try, or a process that was killed
                break
            now = time.monotonic()
            if end is None:
                end = now + (WAIT if self.wait is None else self.wait)
                log.info("%s sends under send_key %r: waiting up to %.0f s.", owner.task, self.key, end - now)
            if now >= end:
                raise SendKeyTaken(
                    f"{owner.task} sends under send_key {self.key!r}, and one task does at a time. Nothing was sent; a "
                    "retry waits again. If that task was killed and will not be tried again, remove "
                    f"{self.folder.owner_file}."
                )
            self.pause(min(_PAUSE, end - now))
            if self.stop.requested:
                raise TaskStopped("Airflow ended this task while it waited for its send_key. A retry waits again.")
        self._owned = True
        self.folder.write_owner(Owner(self.task, self._mark, this_process()))

    def _is_owner(self) -> bool:
        owner = self.folder.owner()
        return owner is not None and owner.mark == self._mark

    def _own(self) -> list[SentName]:
        return sorted(
            (name for name in self.folder.names() if name.send == self._send), key=lambda name: (name.mark, name.number)
        )

    def _ours(self) -> list[SentName]:
        """List our files but for those of other tries: of these we have what is true, and one may still be at work."""
        return [name for name in self._own() if name.mark in (_WHOLE, self._mark) or name in self._full]

    def _is_scattered(self, names: list[SentName]) -> bool:
        return len(names) > 1 or (bool(names) and not self._open | self._settled)

    def _put_together(self, names: list[SentName], people: SortedDigests) -> None:
        with people:
            if len(people):
                number = max(name.number for name in names) + 1
                whole = SentName(self._until(), self.task_digest, self._send, _WHOLE, number)
                self.folder.write_settled(whole, len(people), lambda: iter(people))
        for name in names:
            self.folder.remove(name)

    def _write(self) -> None:
        if self._name is None:
            self._name = self._new_name(1)
        self.folder.write(self._name, self._claim, self._open, self._settled - self._open)

    def _new_name(self, number: int) -> SentName:
        return SentName(self._until(), self.task_digest, self._send, self._mark, number)

    def _until(self) -> str:
        return until_text(datetime.now(UTC) + self.keep)


class ReachedBefore:
    """Leaves out whom others have reached under a key, besides the people whom the author leaves out.

    :param send_key: knows who was reached.
    :param suppression: whom the author leaves out; None for nobody.
    """

    def __init__(self, send_key: SendKey, suppression: LeavesOut | None) -> None:
        self._send_key = send_key
        self._suppression = suppression

    def reason(self, names: Iterable[object]) -> str | None:
        """Return why somebody is left out; None for who is not.

        :param names: what the person is known by; the first one decides whether they were reached.
        """
        known = list(names)
        why = None if self._suppression is None else self._suppression.reason(known)
        if why is None and (person := next((name for name in known if isinstance(name, str) and name), None)):
            return REACHED_BEFORE if self._send_key.reached(person) else None
        return why
