"""A broadcast is created at most once: the intent, the marker, the look-up after a doubt, and what cannot be told.

The service here keeps broadcasts and lists them late, or not at all. A process is killed at any of its steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.broadcasts.create import (
    ABSENCE_COUNTS_AFTER,
    BroadcastCreator,
    BroadcastLedger,
    BroadcastRecord,
    CreatedBroadcast,
)
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.ledger import MemoryStore
from airflow_provider_esp.core.models import Broadcast
from airflow_provider_esp.exceptions import AlreadySent, BroadcastOutcomeUnknown, LedgerUnreadable

OWNER = "dag\nrun\ntask\n-1"


class Killed(BaseException):
    """The process is no more."""


class World:
    """What outlives a process: the clock, the service's broadcasts, and the ledger."""

    def __init__(self, listed_after: float = 0.0) -> None:
        self.now = 1_000_000.0
        self.listed_after = listed_after
        self.made: dict[str, tuple[str, float]] = {}
        self.store = MemoryStore()

    def listed(self, marker: str) -> list[Broadcast]:
        return [
            Broadcast(id=number, title=title)
            for number, (title, at) in self.made.items()
            if marker in title and at + self.listed_after <= self.now
        ]


class Process:
    """One try of the task.

    :param fault: what happens to its creating request: ``lost before`` or ``lost after`` it took effect, an ``answer``
        that is a refusal, or nothing.
    :param killed_at: the step at which it is killed: a write to the ledger, or a request.
    :param effect_first: whether that step takes effect before.
    """

    def __init__(
        self,
        world: World,
        fault: BaseException | None = None,
        *,
        took_effect: bool = False,
        killed_at: int | None = None,
        effect_first: bool = False,
        lookup: BaseException | None = None,
        content: bytes = b"sale",
    ) -> None:
        self.world = world
        self.fault = fault
        self.took_effect = took_effect
        self.killed_at = killed_at
        self.effect_first = effect_first
        self.lookup = lookup
        self.content = content
        self.steps = 0
        self.warnings: list[str] = []
        self.segments: tuple[str, ...] = ()
        self.excluded: tuple[str, ...] = ()
        self.slept: list[float] = []

    def step(self, effect: Callable[[], Any]) -> Any:
        mine, self.steps = self.steps == self.killed_at, self.steps + 1
        if mine and not self.effect_first:
            raise Killed
        result = effect()
        if mine:
            raise Killed
        return result

    def load(self) -> dict[str, Any] | None:
        return self.world.store.load()

    def save(self, record: dict[str, Any]) -> None:
        self.step(lambda: self.world.store.save(json.loads(json.dumps(record))))

    def clear(self) -> None:
        self.world.store.clear()

    def create(self, title: str) -> Flow[Broadcast]:
        yield from ()
        if self.fault is None or self.took_effect:
            number = str(len(self.world.made) + 1)
            self.world.made[number] = (title, self.world.now)
            if self.fault is None:
                return Broadcast(id=number, title=title)
        fault, self.fault = self.fault, None
        raise fault

    def find(self, marker: str) -> Flow[list[Broadcast]]:
        yield from ()
        if self.lookup is not None:
            raise self.lookup
        return self.world.listed(marker)

    def perform(self, work: Flow[Any]) -> Any:
        def effect() -> Any:
            try:
                next(work)
            except StopIteration as end:
                return end.value
            raise AssertionError("this service needs no calls")

        return self.step(effect)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.world.now += seconds

    def run(self, *, resend: bool = False, owner: str = OWNER) -> CreatedBroadcast:
        creation = BroadcastCreator(
            target=self,
            find=self.find,
            perform=self.perform,
            perform_soon=self.perform,
            ledger=BroadcastLedger(self, owner),
            title="Spring sale",
            content=self.content,
            warn=self.warnings.append,
            clock=lambda: self.world.now,
            sleep=self.sleep,
        )
        return creation.run(resend=resend)

    def end(self, how: str = "it is done") -> None:
        BroadcastLedger(self, OWNER).end(how)


def lost(*, after: bool) -> dict[str, Any]:
    return {"fault": exceptions.ConnectionLost("broke", outcome_unknown=True), "took_effect": after}


# -- one try -------------------------------------------------------------------------------------------------------


def test_a_broadcast_is_created_once_under_a_title_with_a_marker_before_it() -> None:
    world = World()
    made = Process(world).run()
    assert (made.resolution, made.id) == ("created", "1")
    (title,) = [title for title, _ in world.made.values()]
    assert made.title == title
    assert title.startswith("[af-")
    assert title.endswith("] Spring sale")


def test_the_intent_is_written_down_before_the_request_leaves() -> None:
    world = World()
    with pytest.raises(Killed):
        Process(world, killed_at=1).run()
    assert world.made == {}
    assert world.store.record is not None
    assert world.store.record["intended_at"] == world.now
    assert world.store.record["broadcast_id"] is None


def test_a_retry_goes_on_with_the_broadcast_that_is_known() -> None:
    world = World()
    first = Process(world).run()
    second = Process(world).run()
    assert (second.resolution, second.id, second.title) == ("known", first.id, first.title)
    assert len(world.made) == 1


def test_no_two_task_instances_have_the_same_marker() -> None:
    world = World()
    first = Process(world).run()
    world.store.record = None
    other = Process(world).run(owner="dag\nrun\ntask\n0")
    assert first.title != other.title


def test_a_ledger_that_is_lost_does_not_change_the_marker() -> None:
    world = World()
    first = Process(world).run()
    world.store.record = None
    assert Process(world).run().title == first.title


# -- doubts --------------------------------------------------------------------------------------------------------


def test_an_answer_that_is_lost_is_looked_up_at_once() -> None:
    world = World()
    made = Process(world, **lost(after=True)).run()
    assert (made.resolution, made.id) == ("found", "1")
    assert len(world.made) == 1


@pytest.mark.parametrize("after", [True, False], ids=["it was created", "it was not"])
def test_an_answer_that_is_lost_stops_the_task_where_the_broadcast_is_not_listed(after: bool) -> None:
    world = World(listed_after=30)
    with pytest.raises(BroadcastOutcomeUnknown) as stopped:
        Process(world, **lost(after=after)).run()
    said = str(stopped.value)
    assert said.startswith("It is unknown whether broadcast '[af-")
    assert "it is not listed" in said
    assert "Clear the task after 1970-01-12T13:47:40+00:00" in said
    assert len(world.made) == int(after)


def test_a_request_that_took_long_to_fail_is_not_repeated_by_the_same_try() -> None:
    world = World()
    process = Process(world, **lost(after=False))
    create = process.create

    def slow(title: str) -> Flow[Broadcast]:
        world.now += 300
        return (yield from create(title))

    process.create = slow  # type: ignore[method-assign]
    with pytest.raises(BroadcastOutcomeUnknown):
        process.run()
    assert world.made == {}


@pytest.mark.parametrize(("age", "outcome"), [(0, "stop"), (59.9, "stop"), (60, "create"), (3600, "create")])
def test_absence_counts_only_a_minute_after_the_intent(age: float, outcome: str) -> None:
    world = World()
    with pytest.raises(Killed):
        Process(world, killed_at=1).run()
    world.now += age
    if outcome == "stop":
        with pytest.raises(BroadcastOutcomeUnknown, match="it is not listed"):
            Process(world).run()
        assert world.made == {}
    else:
        assert Process(world).run().resolution == "created"
        assert len(world.made) == 1


def test_a_clock_that_goes_backwards_does_not_make_absence_count() -> None:
    world = World()
    with pytest.raises(Killed):
        Process(world, killed_at=1).run()
    world.now -= 3600
    with pytest.raises(BroadcastOutcomeUnknown):
        Process(world).run()


def test_a_broadcast_whose_try_was_killed_is_found_and_taken_over() -> None:
    world = World()
    with pytest.raises(Killed):
        Process(world, killed_at=1, effect_first=True).run()
    made = Process(world).run()
    assert (made.resolution, made.id) == ("found", "1")
    assert Process(world).run().resolution == "known"
    assert len(world.made) == 1


@pytest.mark.parametrize(
    "problem",
    [
        exceptions.ServerFailed("down", service="eSputnik", method="GET v1/broadcasts"),
        exceptions.PermissionDenied("no right"),
        exceptions.Unauthenticated("the key is off"),
        RuntimeError("the same page twice"),
    ],
    ids=lambda problem: type(problem).__name__,
)
@pytest.mark.parametrize("age", [1, 10_000])
def test_where_the_look_up_fails_the_task_stops_whatever_the_age(problem: BaseException, age: float) -> None:
    world = World()
    with pytest.raises(Killed):
        Process(world, killed_at=1, effect_first=True).run()
    world.now += age
    with pytest.raises(BroadcastOutcomeUnknown, match="looking for it failed"):
        Process(world, lookup=problem).run()
    assert len(world.made) == 1
    assert Process(world).run().resolution == "found"


def test_two_broadcasts_with_the_marker_stop_the_task_and_are_named() -> None:
    world = World()
    with pytest.raises(Killed):
        Process(world, killed_at=1, effect_first=True).run()
    world.made["2"] = world.made["1"]
    with pytest.raises(BroadcastOutcomeUnknown, match=r"2 are listed \(1, 2\)"):
        Process(world).run()


def test_a_broadcast_that_was_found_and_is_another_one_than_asked_for_now_is_warned_of() -> None:
    world = World()
    with pytest.raises(Killed):
        Process(world, killed_at=1, effect_first=True).run()
    process = Process(world, content=b"another sale")
    assert process.run().resolution == "found"
    assert "was created by an earlier try, when the task asked for another one" in process.warnings[0]


def test_a_duplicate_is_a_broadcast_that_the_service_knows_already() -> None:
    world = World()
    made = Process(world, exceptions.DuplicateRequest("the same a moment ago"), took_effect=True).run()
    assert made.resolution == "found"


def test_a_service_that_shortens_titles_is_warned_of() -> None:
    world = World()
    process = Process(world)

    def shorten(title: str) -> Flow[Broadcast]:
        yield from ()
        return Broadcast(id="1", title=title[:5])

    process.create = shorten  # type: ignore[method-assign]
    assert process.run().resolution == "created"
    assert "without the marker" in process.warnings[0]


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refused",
    [
        exceptions.InvalidRequest("no such message"),
        exceptions.ConnectionFailed("no such host"),
        ValueError("no segment"),
    ],
    ids=lambda refused: type(refused).__name__,
)
def test_a_broadcast_that_was_certainly_not_created_may_be_created_at_once(refused: Exception) -> None:
    world = World()
    with pytest.raises(type(refused)):
        Process(world, refused).run()
    assert Process(world).run().resolution == "created"
    assert len(world.made) == 1


def test_too_many_requests_are_waited_for_with_an_intent_of_their_own() -> None:
    world = World()
    process = Process(world, exceptions.RateLimited("too many", retry_after=40.0))
    began = world.now
    made = process.run()
    assert (made.resolution, process.slept) == ("created", [40.0])
    assert made.intended_at == began + 40


def test_too_many_requests_for_too_long_are_an_error_and_no_doubt() -> None:
    world = World()
    with pytest.raises(exceptions.RateLimited):
        Process(world, exceptions.RateLimited("too many", retry_after=3600.0)).run()
    assert Process(world).run().resolution == "created"


# -- the end -------------------------------------------------------------------------------------------------------


def test_a_broadcast_that_has_ended_is_not_created_again_unless_the_author_says_so() -> None:
    world = World()
    first = Process(world).run()
    Process(world).end("it has settled")
    with pytest.raises(AlreadySent, match=r"This run's broadcast is 1; it has settled .* Say resend=True"):
        Process(world).run()
    second = Process(world).run(resend=True)
    assert (second.resolution, second.id) == ("created", "2")
    assert second.title != first.title
    assert Process(world).run(resend=True).resolution == "known"


@pytest.mark.parametrize(
    "kept",
    [
        {"rows": 5, "digest": "x"},
        {"kind": "upload", "rows": 5},
        {"kind": "broadcast", "owner": 7},
        {"kind": "broadcast", "owner": "x", "version": 9},
        {"kind": "broadcast", "owner": "another task's"},
    ],
)
def test_a_ledger_that_is_not_this_ones_is_refused(kept: dict[str, Any]) -> None:
    world = World()
    world.store.record = kept
    with pytest.raises(LedgerUnreadable):
        Process(world).run()
    assert world.made == {}


def test_the_record_is_small_and_names_nobody() -> None:
    world = World()
    Process(world).run()
    assert len(json.dumps(world.store.record)) < 400
    assert BroadcastRecord(kind="broadcast", owner="x").marker.startswith("af-")


# -- killed at any moment ------------------------------------------------------------------------------------------

FAULTS = [
    {},
    {},
    {},
    lost(after=True),
    lost(after=False),
    {"fault": exceptions.InvalidRequest("no")},
    {"fault": exceptions.ConnectionFailed("never left")},
]
lives = st.fixed_dictionaries(
    {
        "wait": st.sampled_from([0.0, 1.0, 30.0, 61.0, 4000.0]),
        "fault": st.sampled_from(range(len(FAULTS))),
        "killed_at": st.none() | st.integers(0, 5),
        "effect_first": st.booleans(),
        "lookup_fails": st.sampled_from([False, False, True]),
    }
)


@settings(max_examples=600, deadline=None)
@given(listed_after=st.sampled_from([0.0, 5.0, 49.0]), past=st.lists(lives, max_size=6))
def test_whenever_a_try_is_killed_there_are_never_two_broadcasts(
    listed_after: float, past: list[dict[str, Any]]
) -> None:
    world = World(listed_after)
    for life in past:
        world.now += life["wait"]
        process = Process(
            world,
            **FAULTS[life["fault"]],
            killed_at=life["killed_at"],
            effect_first=life["effect_first"],
            lookup=exceptions.ServerFailed("down") if life["lookup_fails"] else None,
        )
        with suppress(Killed, exceptions.InvalidRequest, exceptions.ConnectionFailed):
            try:
                assert process.run().id == "1"
                event("ended well")
            except BroadcastOutcomeUnknown:
                event("stopped by name")
        assert len(world.made) <= 1
    world.now += ABSENCE_COUNTS_AFTER
    assert Process(world).run().id == "1"
    assert len(world.made) == 1
