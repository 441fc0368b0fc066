"""Taking out who has left: only whom this sync has put there, and nobody whom another of its keys stands for."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_esp.core.calls import Perform
from airflow_provider_esp.core.paging import for_each
from airflow_provider_esp.core.splitting import Answered, Failed, NotTried, RefusedAlone, send_in_halves
from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.core.sync.entries import NOTHING, Entry, Flag, flags_of, unpack
from airflow_provider_esp.core.sync.journal import Journal
from airflow_provider_esp.core.sync.keys import StateKey
from airflow_provider_esp.core.sync.membership import Member, Membership, Person
from airflow_provider_esp.exceptions import EspError, TaskStopped

_PART: Final = 5000
"""Entries that are written down together."""


@dataclass(slots=True)
class Removing:
    """Takes out who has left.

    :param key: the sync's secret.
    :param journal: of the run.
    :param membership: of the target.
    :param perform: carries out a flow.
    :param check: called before anything leaves; raises where this run may not go on.
    :param refused: called with the name of each whom the service does not let go, and why.
    :param stop: says that the task is being ended.
    :ivar removed: whom the service has taken out, or had not.
    :ivar kept: who stays because another key stands for the same person, or was there before this sync.
    :ivar refusals: whom the service does not let go; tried again in the next run.
    """

    key: StateKey
    journal: Journal
    membership: Membership
    perform: Perform
    check: Callable[[], None] = lambda: None
    refused: Callable[[str, str], None] = lambda name, reason: None
    stop: Stop = field(default_factory=Stop)
    removed: int = 0
    kept: int = 0
    refusals: int = 0

    def run(self, leaving: Iterable[Entry]) -> None:
        """Take people out.

        :param leaving: entries of keys that have left; more are in the journal.
        :raises EspError: a request failed; who was in it is taken out again by whoever comes next.
        :raises TaskStopped: the task is being ended.
        """
        entries = iter(leaving)
        while some := list(itertools.islice(entries, _PART)):
            # Whom no handle names was never handed over.
            self.journal.append(_leaving(entry) if entry.handle else Entry(entry.key) for entry in some)
        handles = {entry.handle for entry in self._entries_leaving()}
        if not handles:
            return
        handles -= self._standing(handles)
        listed = self._listed(handles)
        handles.difference_update(listed.spared)
        waiting: list[tuple[Entry, Person]] = []
        for entry in self._entries_leaving():
            if entry.handle not in handles:
                self.kept += 1
                self.journal.append([Entry(entry.key)])
                continue
            waiting.append((entry, Person(self.key.open(entry.handle), listed.members(entry.handle))))
            if len(waiting) == self.membership.batch_size:
                self._take_out(waiting)
                waiting = []
        if waiting:
            self._take_out(waiting)

    def _entries_leaving(self) -> list[Entry]:
        """Return the entries of who leaves: a list, because they change meanwhile."""
        return [unpack(raw) for raw in self.journal.entries() if flags_of(raw) & Flag.LEAVING]

    def _standing(self, handles: set[bytes]) -> set[bytes]:
        """Return those of some handles that somebody else stands for."""
        found = set()
        for raw in self.journal.entries():
            flags = flags_of(raw)
            if flags & (Flag.HELD | Flag.MAYBE | Flag.FOREIGN) and not flags & Flag.LEAVING:
                handle = unpack(raw).handle
                if handle in handles:
                    found.add(handle)
        return found

    def _listed(self, handles: set[bytes]) -> _Listed:
        """Find in the target's list those who have to be looked up there; it is read only if there is one."""
        listed = _Listed()
        names = {self.key.open(handle): handle for handle in handles}
        names = {name: handle for name, handle in names.items() if self.membership.is_looked_up(name)}
        if not names:
            return listed

        def look(member: Member) -> None:
            for name in member.names:
                if name in names:
                    listed.found[names[name]].append(member)
                    for other in member.names:
                        if other != name:
                            listed.also[self.key.seal(other)].add(names[name])

        self.perform(for_each(self.membership.members(), look))
        for other in self._standing(set(listed.also)):
            listed.spared |= listed.also[other]
        return listed

    def _take_out(self, people: Sequence[tuple[Entry, Person]]) -> None:
        if self.stop.requested:
            raise TaskStopped(
                f"Airflow ended this task while it took out who has left: {self.removed:,} are out. A retry goes on."
            )
        self.check()
        done: list[Entry] = []
        problems: list[EspError] = []
        for piece in send_in_halves(list(people), self._ask):
            match piece:
                case Answered(some, _):
                    self.removed += len(some)
                    done += [Entry(entry.key) for entry, _ in some]
                case RefusedAlone(some, reason, _):
                    self.refusals += len(some)
                    for entry, person in some:
                        done.append(entry._replace(tries=entry.tries + 1))
                        self.refused(person.name.partition(":")[2], reason)
                case Failed(_, error):
                    problems.append(error)
                case NotTried():
                    pass
        self.journal.append(done)
        if problems:
            raise problems[0]

    def _ask(self, people: list[tuple[Entry, Person]]) -> None:
        self.perform(self.membership.take_out([person for _, person in people]))


@dataclass(slots=True)
class _Listed:
    """What the target's list says of those who leave.

    :ivar found: the members of each handle.
    :ivar also: handles by the other names of their members.
    :ivar spared: handles whose member another key stands for under another name.
    """

    found: dict[bytes, list[Member]] = field(default_factory=lambda: defaultdict(list))
    also: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    spared: set[bytes] = field(default_factory=set)

    def members(self, handle: bytes) -> tuple[Member, ...]:
        return tuple(self.found.get(handle, ()))


def _leaving(entry: Entry) -> Entry:
    return entry._replace(accepted=NOTHING, flags=Flag.LEAVING, tried=b"", marks=b"")
