"""One run of a sync: from what is known to a plan, from the plan to the service, and from its answers to what is known.

Nothing is sent before the whole source is read and compared; nothing is committed before everything has its outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, get_args

import msgspec

from airflow_provider_esp.core.calls import Perform
from airflow_provider_esp.core.paging import for_each
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.sync.comparing import Comparison, Pair
from airflow_provider_esp.core.sync.entries import Entry, Flag, flags_of
from airflow_provider_esp.core.sync.errors import SyncRefused
from airflow_provider_esp.core.sync.generations import Facts, Pointer, StateFolder
from airflow_provider_esp.core.sync.journal import Journal, counted
from airflow_provider_esp.core.sync.membership import Member, Membership
from airflow_provider_esp.core.sync.plan import Guards, Plan, Rules, Work
from airflow_provider_esp.core.sync.sorting import RUN_BYTES

Reset = Literal["newest", "take_as_sent", "send_all"]
RESETS: Final[tuple[Reset, ...]] = get_args(Reset)
_PART: Final = 5000


@dataclass(frozen=True, slots=True)
class Run:
    """Which run of which task this is.

    :param id: the same at every try of the run.
    :param logical_date: ISO 8601 in UTC; empty where it has none.
    """

    id: str
    logical_date: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a sync works.

    :param rules: by what is decided; whether everything is sent is found out by the run.
    :param digest: of how rows become contacts: mapping, options, target.
    :param resync: whether the author wants everything to be sent.
    :param resync_every: seconds after which everything is sent again; None for never.
    :param limit: rows that are sent at the most, on trial.
    :param reset: begin anew; see the operator.
    :param allow_older: whether a run may follow one with a later logical date.
    :param keep_generations: how many stay.
    """

    rules: Rules
    guards: Guards = field(default_factory=Guards)
    digest: str = ""
    resync: bool = False
    resync_every: float | None = None
    limit: int | None = None
    reset: Reset | None = None
    allow_older: bool = False
    keep_generations: int = 7


def current(state: StateFolder, settings: Settings, run: Run, *, dry: bool = False) -> Pointer | None:
    """Find the generation that a run follows; begin anew where the author says so.

    :param dry: nothing is written.
    :returns: None where there is none.
    :raises SyncStateUnusable: the state is lost, damaged, newer, or written with another key.
    :raises SyncRefused: a newer run has committed.
    """
    found = _found(state, settings, run, dry=dry)
    if found is None or settings.allow_older or not (run.logical_date and found.facts.logical_date):
        return found
    if run.logical_date < found.facts.logical_date:
        raise SyncRefused(
            f"The run of {found.facts.logical_date} has synced already, and this is that of {run.logical_date}: its "
            "rows may be older than what was sent. Nothing was sent. Say allow_older=True if they are not."
        )
    return found


def _found(state: StateFolder, settings: Settings, run: Run, *, dry: bool) -> Pointer | None:
    if settings.reset is None:
        return state.pointer()
    known: Pointer | None
    try:
        known = state.pointer()
    except Exception:  # noqa: BLE001  # whatever is wrong with it is what the author wants to leave behind
        known = None
    if known is not None and known.facts.run == run.id and known.facts.reset == settings.reset:
        return known  # an earlier try has begun anew
    facts = Facts(run=run.id, reset=settings.reset, complete=False, logical_date=run.logical_date)
    if settings.reset == "newest":
        newest = state.newest()
        if newest is None:
            raise SyncRefused(
                f'{state.folder} holds no generation that is whole and was written with this state_key: reset="newest" '
                'has nothing to take. Say reset="take_as_sent" or reset="send_all".'
            )
        pointer = Pointer(generation=newest.generation, file=newest.file, facts=newest.facts)
        pointer.facts.run, pointer.facts.reset, pointer.facts.result = run.id, settings.reset, {}
    else:
        numbers = [int(name.partition("-")[0]) for name in state.generations()]
        number = max(numbers, default=0) + 1
        if dry:
            return None
        pointer = Pointer(generation=number, file=state.write(number, (), facts), facts=facts)
    if not dry:
        state.point(pointer)
    return pointer


@dataclass
class SyncRun:
    """One run. A context manager: what it has put aside goes when it is left.

    :param state: where the sync keeps what it knows.
    :param base: the generation that the run follows, from `current`.
    :param settings: the author's.
    :param run: which run it is.
    :param dry: nothing is written.
    :param patience: how long the state's place may refuse what is written.
    :param clock: returns the Unix time.
    :param run_bytes: what is held in memory of each thing that is sorted.
    """

    state: StateFolder
    base: Pointer | None
    settings: Settings
    run: Run
    dry: bool = False
    patience: Patience = field(default_factory=lambda: Patience(seconds=0))
    clock: Callable[[], float] = time.time
    run_bytes: int = RUN_BYTES

    def __post_init__(self) -> None:
        self.journal = Journal(self.state, self.base, self.patience, self.run_bytes)
        self.why_everything = self._why_everything()
        rules = self.settings.rules
        if self.why_everything:
            rules = Rules(rules.mode, everything=True, max_tries=rules.max_tries)
        self.plan = Plan(rules, self.settings.limit, self.run_bytes)
        self._forgotten: list[bytes] = []

    @property
    def before(self) -> Facts | None:
        """What is known of the generation that the run follows."""
        return None if self.base is None else self.base.facts

    @property
    def nothing_to_do(self) -> bool:
        """Whether an earlier try of this run has committed, and was cut off before it could say so."""
        facts = self.before
        return facts is not None and facts.run == self.run.id and bool(facts.result) and not _ended(self.base)

    @property
    def rules_changed(self) -> bool:
        """Whether rows became contacts in another way when they were sent last."""
        facts = self.before
        return facts is not None and bool(facts.rules) and facts.rules != self.settings.digest

    def _why_everything(self) -> str:
        facts, settings = self.before, self.settings
        if facts is None or not facts.held:
            return ""
        if settings.resync:
            return "resync='all'"
        if self.rules_changed:
            return "the mapping, an option or the target is another one than when the rows were sent last"
        if settings.resync_every is not None and self.clock() - facts.full_at >= settings.resync_every:
            return "resync_every= has passed since everything was sent last"
        return ""

    # -- the plan

    def load(self) -> Self:
        """Read what earlier tries and runs have done since the generation."""
        self.journal.load()
        return self

    def note_who_was_there(self, membership: Membership, perform: Perform) -> int:
        """At the first run, list the target and remember who is in it, so that nobody of them is ever taken out.

        :returns: how many there are; 0 where an earlier try has listed them.
        """
        marker = self.state.key.digest(b"foreign\0")
        if any(raw[: len(marker)] == marker for raw in self.journal.entries()):
            return 0
        entries: list[Entry] = []
        members = 0

        def note(member: Member) -> None:
            nonlocal members
            members += 1
            for name in member.names:
                key = self.state.key.digest(b"foreign\0" + name.encode())
                entries.append(Entry(key, flags=Flag.FOREIGN, handle=self.state.key.seal(name)))
            if len(entries) >= _PART:
                self._keep(entries)
                entries.clear()

        perform(for_each(membership.members(), note))
        self._keep([*entries, Entry(marker, flags=Flag.FOREIGN)])
        return members

    def _keep(self, entries: list[Entry]) -> None:
        if self.dry:
            return
        self.journal.append(entries)

    def compare(
        self, comparison: Comparison, origin: str, note: Callable[[Work, Pair], None] = lambda work, pair: None
    ) -> Plan:
        """Make the plan, and hold it against the guards.

        :param origin: what messages call the source.
        :param note: told of every decision about what is sent, taken out or parked.
        :raises SyncGuarded: it is not to be carried out.
        :raises SyncStateUnusable: what is known is damaged.
        """
        self.plan.make(self._looked_at(comparison.pairs(self.journal.entries())), note)
        self.settings.guards.check(self.plan, self.before, rules_changed=self.rules_changed, origin=origin)
        for key in self._forgotten:
            self.journal.forget(key)
        return self.plan

    def _looked_at(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        """Note the keys that have left the source and of which nothing has to be known any more."""
        kept = Flag.HELD | Flag.MAYBE | Flag.LEAVING | Flag.FOREIGN
        for pair in pairs:
            if pair.row is None and pair.entry is not None and not flags_of(pair.entry) & kept:
                self._forgotten.append(pair.key)
            yield pair

    # -- the commit

    def commit(self, rows: int, result: dict[str, Any]) -> Pointer:
        """Make what is known now the current generation.

        :param rows: of the source.
        :param result: what the run returns.
        :raises SyncRefused: another run has committed meanwhile.
        """
        there = self.state.pointer()
        if (there and (there.generation, there.file)) != (self.base and (self.base.generation, self.base.file)):
            raise SyncRefused(
                "Another run of this sync has committed while this one worked: what this one has sent stands in no "
                "state. Run it again, and never two of them at once (max_active_runs=1)."
            )
        if self.base is None:  # tells a pointer that is not there yet from one that was lost
            self.journal.append([Entry(self.state.key.digest(b"begun\0"))])
        before, now = self.before or Facts(), self.clock()
        counts = self.plan.counts
        whole = not self.plan.on_trial
        full = whole and bool(self.why_everything or not before.full_at)
        changed = any(counts[work] for work in (Work.ADDED, Work.CHANGED, Work.REMOVED))
        facts = Facts(
            rows=rows,
            rules=self.settings.digest,
            full_at=now if full else before.full_at,
            changed_at=now if changed else before.changed_at,
            complete=whole,
            run=self.run.id,
            logical_date=max(self.run.logical_date, before.logical_date),
            at=now,
            result=result,
        )

        def count(raw: bytes) -> None:
            facts.entries += 1
            facts.held += bool(flags_of(raw) & Flag.HELD)

        number = self.journal.generation + 1
        name = self.state.write(number, counted(self.journal.entries(), count), facts)
        pointer = Pointer(generation=number, file=name, facts=facts)
        self.patience(lambda: self.state.point(pointer), "The sync's state")
        return pointer

    def end(self, pointer: Pointer) -> None:
        """Write down that the run has come to its end, and remove what is over."""
        ended = msgspec.structs.replace(pointer, ended=True)
        self.state.point(ended)
        self.state.prune(self.settings.keep_generations, ended)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.journal.__exit__(*raised)
        self.plan.__exit__(*raised)


def _ended(pointer: Pointer | None) -> bool:
    return pointer is not None and pointer.ended
