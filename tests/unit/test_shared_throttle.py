"""Rate limits that all processes of an account share: one rate, whatever the processes' clocks say."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Bucket
from airflow_provider_esp.core.transport.lanes import PACE, Lane, LaneState
from airflow_provider_esp.core.transport.shared_throttle import SharedThrottle
from airflow_provider_esp.core.transport.throttle import Throttle
from airflow_provider_esp.exceptions import RateLimitTimeout

TEN = Bucket("toy.second", 10)
TWENTY = Bucket("toy.twenty", 20)
MINUTE = Bucket("toy.minute", 60, 60)
HOUR = Bucket("toy.hour", 4, 3600)
FOREVER = 1e9


class World:
    """Processes that share a store, and a time that goes on to whoever is next; each one's clock is off by its own.

    :ivar now: the store's time.
    """

    title = "a store of the tests"

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self.kept: bytes | None = None
        self.reachable = True
        self.overtaken = 0
        self.asked = 0
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Any, Any, Callable[[float], None]]] = []

    def read(self) -> tuple[bytes | None, float]:
        self.asked += 1
        if not self.reachable:
            raise ConnectionError("Connection refused.")
        return self.kept, self.now

    def swap(self, old: bytes | None, new: bytes) -> bool:
        if self.overtaken:
            self.overtaken -= 1
            return False
        if old != self.kept:
            return False
        self.kept = new
        return True

    def process(self, off: float = 0.0, share: float = 1.0, **limits: float) -> SharedThrottle:
        """Start a process whose clock is off by so many seconds."""

        def clock() -> float:
            return self.now + off

        return SharedThrottle(self, Throttle(share, limits, clock), limits, clock)

    def join(self, turn: Iterator[Any], leaves: Callable[[float], None], at: float | None = None) -> None:
        heapq.heappush(self._waiting, (self.now if at is None else at, next(self._order), turn, None, leaves))

    def run(self) -> None:
        """Let everybody wait for their turn."""
        while self._waiting:
            at, _, turn, outcome, leaves = heapq.heappop(self._waiting)
            self.now = max(self.now, at)
            try:
                step = turn.send(outcome)
                while callable(step):
                    step = turn.send(step())
            except StopIteration:
                leaves(self.now)
            else:
                heapq.heappush(self._waiting, (self.now + step, next(self._order), turn, None, leaves))

    def passed(self, throttle: SharedThrottle, *buckets: Bucket, patience: float = FOREVER) -> float:
        """Let one request wait for its turn alone; give the time at which it leaves."""
        left: list[float] = []
        self.join(throttle.turn(buckets, patience), left.append)
        self.run()
        return left[0]


def most_in_a_window(times: list[float], window: float) -> int:
    times = sorted(times)
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window - 1e-6:
            first += 1
        most = max(most, last - first + 1)
    return most


def again_and_again(world: World, throttle: SharedThrottle, bucket: Bucket, count: int, left: list[float]) -> None:
    """Let a thread make so many requests, one after the other."""

    def leaves(at: float) -> None:
        left.append(at)
        nonlocal count
        count -= 1
        if count > 0:
            world.join(throttle.turn((bucket,), FOREVER), leaves)

    world.join(throttle.turn((bucket,), FOREVER), leaves)


# -- one rate --


@pytest.mark.parametrize("bucket", [TEN, TWENTY], ids=lambda bucket: bucket.name)
def test_processes_whose_clocks_differ_keep_one_rate_and_use_it(bucket: Bucket) -> None:
    world = World()
    left: list[float] = []
    for off in (0.0, 3600.0, -3600.0, 1e6):
        throttle = world.process(off)
        for _ in range(4):
            again_and_again(world, throttle, bucket, 30, left)
    world.run()
    assert len(left) == 480
    assert most_in_a_window(left, 1.0) <= bucket.limit
    assert 479 / (max(left) - min(left)) == pytest.approx(bucket.limit * PACE, rel=0.01)


def test_what_one_process_does_not_use_another_one_gets() -> None:
    world = World()
    left: list[float] = []
    world.process()
    again_and_again(world, world.process(), TEN, 50, left)
    world.run()
    assert 49 / (max(left) - min(left)) == pytest.approx(10 * PACE, rel=0.01)


def test_a_long_window_is_filled_by_all_processes_together() -> None:
    world = World()
    left = [world.passed(world.process(off), HOUR) for off in (0, 50, 100, 150, 200)]
    assert left[:4] == [1_000_000.0] * 4
    assert left[4] == pytest.approx(1_000_000 + 3636)


def test_a_process_that_was_overtaken_asks_again() -> None:
    world = World()
    world.overtaken = 3
    assert world.passed(world.process(), TEN) == 1_000_000.0
    assert world.asked == 4


def test_a_call_without_buckets_asks_nobody() -> None:
    world = World()
    assert world.passed(world.process()) == world.now
    assert world.asked == 0


def test_the_accounts_own_limits_hold_for_all() -> None:
    world = World()
    left: list[float] = []
    for _ in range(2):
        again_and_again(world, world.process(**{"toy.second": 2.0}), TEN, 10, left)
    world.run()
    assert most_in_a_window(left, 1.0) <= 2


def test_who_would_wait_too_long_is_told_so_and_takes_no_place() -> None:
    world = World()
    for _ in range(4):
        world.passed(world.process(), HOUR)
    with pytest.raises(RateLimitTimeout):
        world.passed(world.process(), HOUR, patience=3600)
    assert world.passed(world.process(), HOUR, patience=3637) == pytest.approx(1_000_000 + 3636)


def test_a_wait_goes_before_bulk() -> None:
    world = World()
    bulk: list[float] = []
    for _ in range(4):
        throttle = world.process()
        for _ in range(16):
            again_and_again(world, throttle, TEN, 3, bulk)
    waits: list[float] = []

    def a_wait(at: float) -> None:
        world.join(world.process().turn((TEN,), FOREVER, urgent=True), waits.append, at)

    for second in (2.0, 5.0, 8.0):
        a_wait(1_000_000 + second)
    world.run()
    assert all(at - 1_000_000 - second < 0.8 for at, second in zip(waits, (2.0, 5.0, 8.0), strict=True))
    assert most_in_a_window(bulk + waits, 1.0) <= 10


# -- a 429 --


def test_a_429_of_one_process_closes_and_slows_the_lane_for_all() -> None:
    world = World()
    left: list[float] = []
    one, other = world.process(), world.process(3600.0)
    world.passed(one, TEN)
    errand = one.refused((TEN,), 5)
    assert errand() is True
    again_and_again(world, other, TEN, 20, left)
    world.run()
    assert min(left) == pytest.approx(1_000_005)
    assert 19 / (max(left) - min(left)) < 10 * PACE * 0.8


def test_places_that_were_taken_before_a_429_are_void() -> None:
    world = World()
    left: list[float] = []
    one, other = world.process(), world.process()
    for _ in range(4):
        world.join(one.turn((TEN,), FOREVER), left.append)

    def another_ones_429(at: float) -> None:
        assert other.refused((TEN,), 5)()

    def a_moment() -> Iterator[float]:
        yield 0.05

    world.join(a_moment(), another_ones_429)
    world.run()
    assert [at < 1_000_001 for at in sorted(left)] == [True, False, False, False]


# -- a store that is not there --


def test_without_the_store_a_process_goes_back_to_its_share_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    left: list[float] = []
    throttle = world.process(share=0.5)
    world.reachable = False
    with caplog.at_level(logging.INFO, "airflow_provider_esp"):
        again_and_again(world, throttle, TEN, 60, left)
        world.run()
        assert 59 / (max(left) - min(left)) == pytest.approx(5 * PACE, rel=0.02)
        assert throttle.unreachable == "Connection refused."
        asked = world.asked
        world.reachable = True
        again_and_again(world, throttle, TEN, 60, left)
        world.run()
    assert asked <= 4  # once in five seconds
    assert throttle.unreachable == ""
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.messages[0] == (
        "The rate limits that all processes share cannot be read from a store of the tests: Connection refused. "
        "Until they can, this process keeps to its rate_share."
    )


def test_a_refusal_counts_for_the_share_as_well() -> None:
    world = World()
    throttle = world.process()
    world.reachable = False
    assert throttle.refused((TEN,), 5)() is None
    assert world.passed(throttle, TEN) == pytest.approx(1_000_005)


def test_a_store_in_which_others_are_always_faster_is_as_good_as_away() -> None:
    world = World()
    world.overtaken = 10**6
    throttle = world.process()
    assert world.passed(throttle, TEN) == world.now
    assert "other processes changed it" in throttle.unreachable


@pytest.mark.parametrize(
    "kept", [b"", b"{", b"[]", b'{"\xff": []}', b'{"toy.second": "?"}', b"\xff", b'{"toy.second": [1]}' * 2]
)
def test_what_cannot_be_read_counts_for_nothing(kept: bytes) -> None:
    world = World()
    world.kept = kept
    assert world.passed(world.process(), TEN) == world.now


def test_a_store_whose_clock_was_put_back_holds_nobody_up() -> None:
    world = World()
    world.passed(world.process(), TEN)
    world.now -= 3600
    assert world.passed(world.process(), TEN) == world.now


# -- what is remembered --


@settings(max_examples=100)
@given(
    limit=st.sampled_from([1, 4, 60, 150, 1000]),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=300),
    seed=st.integers(0, 9),
)
def test_a_long_window_is_never_too_full_however_its_places_are_remembered(
    limit: int, pauses: list[float], seed: int
) -> None:
    draw = random.Random(seed)
    bucket = Bucket("toy.window", limit, 60)
    lane, now = Lane(bucket, 1.0, LaneState()), 1_000_000.0
    times: list[float] = []
    for pause in pauses:
        now += pause
        for _ in range(draw.randint(1, 20)):
            at = lane.earliest(now)
            lane.take(at, now)
            times.append(at)
    assert most_in_a_window(times, 60) <= limit


def test_a_thousand_places_of_a_window_are_remembered_in_a_hundred_portions() -> None:
    lane, now = Lane(Bucket("toy.window", 1000, 60), 1.0, LaneState()), 1_000_000.0
    for _ in range(3000):
        at = lane.earliest(now)
        assert at == now
        lane.take(at, now)
        now += 60.6 / 990
    assert len(lane.state.taken) <= 102
