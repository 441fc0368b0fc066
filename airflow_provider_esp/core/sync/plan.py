"""What a run of a sync is about to do: decided key by key, counted, held against the guards before anything is sent."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Self

from airflow_provider_esp.core.sync.comparing import Pair
from airflow_provider_esp.core.sync.entries import NOTHING, Entry, Flag, flags_of, is_settled, unpack
from airflow_provider_esp.core.sync.errors import SyncGuarded
from airflow_provider_esp.core.sync.generations import Facts
from airflow_provider_esp.core.sync.keys import DIGEST_BYTES
from airflow_provider_esp.core.sync.sorting import RUN_BYTES, RecordSorter

Mode = Literal["upsert", "insert_only", "update_only", "mirror"]
MODES: Final[tuple[Mode, ...]] = ("upsert", "insert_only", "update_only", "mirror")


class Work(enum.StrEnum):
    """What is done about a key."""

    ADDED = "added"
    """The service has not accepted it from this sync: it is sent."""
    CHANGED = "changed"
    """Its row is another one than the one accepted last: it is sent."""
    RESENT = "resent"
    """Its row is the same, and everything is sent again."""
    TRIED_AGAIN = "tried_again"
    """It was not accepted at its last try, or nobody knows: it is sent."""
    REMOVED = "removed"
    """It has left the source: the person is taken out."""
    UNCHANGED = "unchanged"
    PARKED = "parked"
    """It was refused too often: it waits until its row changes."""
    LEFT_ALONE = "left_alone"
    """The mode does not send it."""
    ABSENT = "absent"
    """It is not in the source, and stays as it is."""


SENT: Final = frozenset({Work.ADDED, Work.CHANGED, Work.RESENT, Work.TRIED_AGAIN})


@dataclass(frozen=True, slots=True)
class Rules:
    """By what is decided.

    :param mode: see the operator.
    :param everything: whether rows are sent that have not changed.
    :param max_tries: after how many refusals of the same row a key is parked.
    """

    mode: Mode = "upsert"
    everything: bool = False
    max_tries: int = 5

    def decide(self, entry: bytes | None, row: bytes | None) -> Work:
        """Decide what to do about a key.

        :param entry: what is known of it, packed; None for nothing.
        :param row: digest of the source's row; None where there is none.
        """
        if entry is None:
            return Work.LEFT_ALONE if self.mode == "update_only" else Work.ADDED
        if row is None:
            return self._gone(flags_of(entry))
        if is_settled(entry, row) and not self.everything:
            return Work.UNCHANGED
        known = unpack(entry)
        if known.tried == row and not self.everything:
            if known.flags & Flag.SUPPRESSED or known.tries < self.max_tries:
                return Work.TRIED_AGAIN
            return Work.PARKED
        if known.flags & Flag.MAYBE:
            return Work.TRIED_AGAIN
        here = known.flags & Flag.HELD and not known.flags & Flag.LEAVING
        if not here:
            return Work.LEFT_ALONE if self.mode == "update_only" else Work.ADDED
        if self.mode == "insert_only":
            return Work.LEFT_ALONE
        return Work.RESENT if known.accepted == row else Work.CHANGED

    def _gone(self, flags: int) -> Work:
        if self.mode != "mirror" or flags & Flag.FOREIGN:
            return Work.ABSENT
        return Work.REMOVED if flags & (Flag.HELD | Flag.MAYBE | Flag.LEAVING) else Work.ABSENT


class Task(NamedTuple):
    """A row that is to be sent.

    :ivar number: of the row in the source.
    :ivar place: where it is put aside.
    :ivar entry: what is known of its key.
    """

    number: int
    place: int
    work: Work
    row: bytes
    entry: Entry


@dataclass
class Plan:
    """What a run is about to do. A context manager: what it has put aside goes when it is left.

    :param rules: by what is decided.
    :param limit: rows that are sent at the most, on trial; nobody is taken out then. None for all.
    :param run_bytes: work that is held in memory.
    :ivar counts: keys by what is done about them.
    """

    rules: Rules
    limit: int | None = None
    run_bytes: int = RUN_BYTES
    counts: Counter[Work] = field(default_factory=Counter)
    pending_removals: int = 0

    def __post_init__(self) -> None:
        self._tasks = RecordSorter(self.run_bytes)
        self._removals = RecordSorter(self.run_bytes)
        self._parked = RecordSorter(self.run_bytes)

    def make(self, pairs: Iterable[Pair], note: Callable[[Work, Pair], None] = lambda work, pair: None) -> Self:
        """Decide about every key.

        :param note: told of every decision about what is sent, taken out or parked.
        """
        decide, counts = self.rules.decide, self.counts
        unchanged = 0
        for pair in pairs:
            work = decide(pair.entry, pair.row)
            if work is Work.UNCHANGED:
                unchanged += 1
                continue
            counts[work] += 1
            if work in SENT:
                self._tasks.add(_packed(pair, work))
            elif work is Work.REMOVED and pair.entry is not None:
                self._removals.add(pair.entry)
                self.pending_removals += bool(flags_of(pair.entry) & Flag.LEAVING)
            elif work is Work.PARKED:
                self._parked.add(_packed(pair, work))
            else:
                continue
            note(work, pair)
        counts[Work.UNCHANGED] = unchanged
        return self

    @property
    def on_trial(self) -> bool:
        """Whether only a part of the work is done."""
        return self.limit is not None and len(self._tasks) > self.limit

    @property
    def sent(self) -> int:
        """How many rows are to be sent."""
        return len(self._tasks) if self.limit is None else min(self.limit, len(self._tasks))

    def tasks(self) -> Iterator[Task]:
        """Return the rows that are sent, in the order of the source."""
        for at, record in enumerate(self._tasks):
            if self.limit is not None and at >= self.limit:
                return
            yield _unpacked(record)

    def parked(self) -> Iterator[Task]:
        """Return the rows that are parked, in the order of the source."""
        return map(_unpacked, self._parked)

    def removals(self) -> Iterator[Entry]:
        """Return the keys whose people are taken out."""
        return map(unpack, self._removals)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for sorter in (self._tasks, self._removals, self._parked):
            sorter.__exit__(*raised)


_WORKS: Final = tuple(Work)


def _packed(pair: Pair, work: Work) -> bytes:
    head = pair.number.to_bytes(8) + pair.place.to_bytes(8) + bytes((_WORKS.index(work),)) + (pair.row or NOTHING)
    return head + (pair.entry or pair.key)


def _unpacked(record: bytes) -> Task:
    rest = record[17 + DIGEST_BYTES :]
    entry = Entry(rest) if len(rest) == DIGEST_BYTES else unpack(rest)
    number, place = int.from_bytes(record[:8]), int.from_bytes(record[8:16])
    return Task(number, place, _WORKS[record[16]], record[17 : 17 + DIGEST_BYTES], entry)


@dataclass(frozen=True, slots=True)
class Guards:
    """What a run may change at the most; None for anything.

    :param max_change: share of the people held that may be added, changed and removed.
    :param max_removed: share of them that may be removed.
    """

    max_change: float | None = 0.3
    max_removed: float | None = 0.1

    def check(self, plan: Plan, before: Facts | None, *, rules_changed: bool, origin: str) -> None:
        """Hold a plan against the last generation.

        What is tried again, and a removal that was begun before, counts for nothing: it was allowed when it was new.

        :param before: what is known of the last generation; None at the first run.
        :param rules_changed: whether every row counts as changed because of what the author changed.
        :raises SyncGuarded: more would change, or leave, than is allowed.
        """
        if before is None or not before.held or not before.complete:
            return
        removed = plan.counts[Work.REMOVED] - plan.pending_removals
        changed = plan.counts[Work.ADDED] + removed + (0 if rules_changed else plan.counts[Work.CHANGED])
        for argument, limit, number, what in (
            ("max_removed", self.max_removed, removed, "leave"),
            ("max_change", self.max_change, changed, "be added, changed or taken out"),
        ):
            if limit is not None and number > limit * before.held:
                raise SyncGuarded(
                    f"{origin}: {number:,} people would {what}, which is {number / before.held:.0%} of the "
                    f"{before.held:,} that this sync holds, and {argument}= allows {limit:.0%}. Nothing was sent. Look "
                    f"at what the source returned; if it is right, run it with a higher {argument}=, or None."
                )
