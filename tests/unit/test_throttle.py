"""Rate limits, with a clock of our own: no window ever holds more than it may, and nobody is sent away."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Bucket
from airflow_provider_esp.core.transport.lanes import PACE
from airflow_provider_esp.core.transport.throttle import Throttle, shared_throttle
from airflow_provider_esp.exceptions import RateLimitTimeout

TEN = Bucket("toy.second", 10)
MINUTE = Bucket("toy.minute", 60, 60)
HOUR = Bucket("toy.hour", 4, 3600)
FOREVER = 1e9


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def passed(throttle: Throttle, clock: Clock, *buckets: Bucket, patience: float = FOREVER) -> float:
    """Queue and wait; give the time at which the request leaves."""
    for seconds in throttle.turn(buckets, patience):
        clock.now += seconds
    return clock.now


def most_in_a_window(times: list[float], window: float) -> int:
    """Requests in the fullest window that is open at one end."""
    times = sorted(times)
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window - 1e-6:  # sums of floats
            first += 1
        most = max(most, last - first + 1)
    return most


class Queue:
    """Requests that queue together: each waits for itself, and the clock goes on to whoever is next."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.left: list[float] = []
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Iterator[float], Callable[[], None]]] = []

    def join(self, turn: Iterator[float], leaves: Callable[[], None] = lambda: None, at: float | None = None) -> None:
        heapq.heappush(self._waiting, (self.clock.now if at is None else at, next(self._order), turn, leaves))

    def run(self) -> None:
        while self._waiting:
            at, _, turn, leaves = heapq.heappop(self._waiting)
            self.clock.now = max(self.clock.now, at)
            seconds = next(turn, None)
            if seconds is None:
                self.left.append(self.clock.now)
                leaves()
            else:
                self.join(turn, leaves, self.clock.now + seconds)


# -- the limits --


def test_the_first_request_leaves_at_once() -> None:
    clock = Clock()
    assert passed(Throttle(clock=clock), clock, TEN) == 1000.0


def test_a_short_window_is_paced_evenly_at_97_percent() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    times = [passed(throttle, clock, TEN) for _ in range(98)]
    assert times[-1] - times[0] == pytest.approx(97 / (10 * PACE))
    assert {round(later - before, 6) for before, later in itertools.pairwise(times)} == {round(0.1 / PACE, 6)}


def test_a_pause_gives_no_right_to_a_burst() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    passed(throttle, clock, TEN)
    clock.now += 3600
    assert most_in_a_window([passed(throttle, clock, TEN) for _ in range(40)], 1.0) <= 10


def test_a_long_window_lets_requests_through_as_they_come_until_it_is_full() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    times = [passed(throttle, clock, HOUR) for _ in range(9)]
    assert times[:4] == [1000.0] * 4
    assert times[4:8] == [pytest.approx(1000 + 3636)] * 4
    assert times[8] == pytest.approx(1000 + 2 * 3636)


def test_a_long_window_of_less_than_one_request_still_lets_one_through() -> None:
    clock = Clock()
    throttle = Throttle(share=0.1, clock=clock)
    assert passed(throttle, clock, HOUR) == 1000.0
    assert passed(throttle, clock, HOUR) == pytest.approx(4636)


def test_a_process_may_be_given_a_share_of_a_limit() -> None:
    clock = Clock()
    throttle = Throttle(share=0.5, clock=clock)
    times = [passed(throttle, clock, TEN) for _ in range(11)]
    assert times[-1] - times[0] == pytest.approx(10 / (5 * PACE))


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_a_share_is_above_0_and_at_most_1(share: float) -> None:
    with pytest.raises(ValueError, match="rate_share must be above 0 and at most 1"):
        Throttle(share=share)


def test_a_connection_may_know_a_limit_better_than_the_documentation() -> None:
    clock = Clock()
    throttle = Throttle(limits={"toy.second": 2}, clock=clock)
    times = [passed(throttle, clock, TEN) for _ in range(3)]
    assert times[-1] - times[0] == pytest.approx(2 / (2 * PACE))


def test_buckets_do_not_slow_each_other_down() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    other = Bucket("toy.other", 10)
    assert passed(throttle, clock, TEN) == passed(throttle, clock, other) == 1000.0


def test_a_call_waits_for_all_its_buckets() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    times = [passed(throttle, clock, TEN, HOUR) for _ in range(5)]
    assert times[1] - times[0] == pytest.approx(0.1 / PACE)
    assert times[4] - times[0] >= 3600


def test_a_call_without_buckets_never_waits() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    throttle.refused((), 60)
    assert passed(throttle, clock) == 1000.0


def test_whoever_waits_for_a_long_window_does_not_close_the_short_one_for_others() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    for _ in range(4):
        passed(throttle, clock, TEN, HOUR)
    before = clock.now
    queue = Queue(clock)
    queue.join(throttle.turn((TEN, HOUR), FOREVER))
    for _ in range(5):
        queue.join(throttle.turn((TEN,), FOREVER))
    queue.run()
    assert queue.left[4] - before < 1
    assert queue.left[5] - before > 3600


def test_whoever_would_wait_too_long_is_told_so_and_takes_no_place() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    first = [passed(throttle, clock, HOUR) for _ in range(4)]
    for _ in range(3):
        with pytest.raises(RateLimitTimeout):
            passed(throttle, clock, HOUR, patience=3635)
    clock.now = first[0]
    assert passed(throttle, clock, HOUR, patience=3637) == pytest.approx(4636)


def test_patience_counts_from_the_beginning_of_the_wait() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    turn = throttle.turn((TEN,), 10)
    passed(throttle, clock, TEN)
    clock.now += next(turn)
    throttle.refused((TEN,), 20)
    with pytest.raises(RateLimitTimeout):
        next(turn)


def test_a_clock_that_stands_still_is_no_reason_for_a_burst() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    waits = [sum(throttle.turn((TEN,), FOREVER)) for _ in range(1)]
    turns = [throttle.turn((TEN,), FOREVER) for _ in range(30)]
    waits += [next(turn) for turn in turns]
    assert most_in_a_window(waits, 1.0) <= 10
    for _ in range(100):
        throttle.refused((TEN,), 1)
    queue = Queue(clock)
    for _ in range(10):
        queue.join(throttle.turn((TEN,), FOREVER))
    queue.run()
    assert queue.left[-1] - queue.left[0] == pytest.approx(9 / (10 * PACE * 0.7), rel=0.1)


windows = st.builds(
    Bucket,
    name=st.sampled_from(["a", "b", "c"]),
    limit=st.integers(1, 8),
    seconds=st.sampled_from([0.5, 1.0, 10.0, 60.0]),
)


@settings(max_examples=200, deadline=None)
@given(
    buckets=st.lists(windows, min_size=1, max_size=3, unique_by=lambda bucket: bucket.name),
    requests=st.lists(st.tuples(st.floats(0, 5), st.sets(st.integers(0, 2), min_size=1)), max_size=40),
    refusals=st.lists(st.tuples(st.floats(0, 30), st.integers(0, 2), st.floats(0, 20)), max_size=3),
    share=st.sampled_from([1.0, 0.5]),
)
def test_no_window_of_any_bucket_ever_holds_more_than_its_limit(
    buckets: list[Bucket],
    requests: list[tuple[float, set[int]]],
    refusals: list[tuple[float, int, float]],
    share: float,
) -> None:
    clock = Clock(0.0)
    throttle = Throttle(share=share, clock=clock)
    queue = Queue(clock)
    left: dict[str, list[float]] = {bucket.name: [] for bucket in buckets}
    at = 0.0
    for pause, which in requests:
        at += pause
        mine = [bucket for number, bucket in enumerate(buckets) if number in which]

        def leaves(mine: list[Bucket] = mine) -> None:
            for bucket in mine:
                left[bucket.name].append(clock.now)

        queue.join(throttle.turn(mine, FOREVER), leaves, at)
    for when, number, seconds in refusals:
        refused = buckets[number % len(buckets)]
        queue.join(iter(()), lambda refused=refused, seconds=seconds: throttle.refused((refused,), seconds), when)  # type: ignore[misc]  # a default is how a loop's value is bound
    queue.run()
    assert len(queue.left) == len(requests) + len(refusals)
    for bucket in buckets:
        allowed = max(1, int(bucket.limit * share))
        assert most_in_a_window(left[bucket.name], bucket.seconds) <= allowed


# -- after a 429 --


def test_a_429_keeps_everybody_away_for_as_long_as_the_service_says() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    throttle.refused((TEN,), 17)
    assert passed(throttle, clock, TEN) == pytest.approx(1017)


def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    throttle.refused((TEN,), 17)
    throttle.refused((TEN,), 1)
    assert passed(throttle, clock, TEN) == pytest.approx(1017)


def test_a_429_concerns_the_buckets_of_its_call_and_no_others() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    throttle.refused((TEN,), 17)
    assert passed(throttle, clock, Bucket("toy.other", 10)) == 1000.0


def test_a_long_pause_is_about_the_long_window_if_there_is_one() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    throttle.refused((TEN, HOUR), 1800)
    assert passed(throttle, clock, TEN) == 1000.0
    assert passed(throttle, clock, HOUR) == pytest.approx(2800)


def test_whoever_waits_already_when_a_429_comes_queues_again_behind_it() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    queue = Queue(clock)
    for _ in range(30):
        queue.join(throttle.turn((TEN,), FOREVER))
    queue.join(iter(()), lambda: throttle.refused((TEN,), 20), 1000.55)
    queue.run()
    before = [at for at in queue.left if at < 1000.55]
    after = sorted(at for at in queue.left if at > 1000.56)
    assert len(before) == 6
    assert after[0] == pytest.approx(1020.55)
    assert len(after) == 24
    assert most_in_a_window(after, 1.0) <= 7


def test_places_that_a_429_voided_do_not_fill_a_long_window() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    queue = Queue(clock)
    for _ in range(6):
        queue.join(throttle.turn((HOUR,), FOREVER))
    queue.join(iter(()), lambda: throttle.refused((HOUR,), 10), 1001)
    queue.run()
    assert sorted(queue.left)[-1] == pytest.approx(4636)


def test_a_429_slows_a_bucket_down_and_time_heals_it() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)

    def spacing() -> float:
        first = passed(throttle, clock, TEN)
        return passed(throttle, clock, TEN) - first

    usual = spacing()
    throttle.refused((TEN,), 1)
    clock.now += 1
    slow = spacing()
    assert slow == pytest.approx(usual / 0.7, rel=0.01)
    clock.now += 30
    assert usual < spacing() < slow
    clock.now += 60
    assert spacing() == pytest.approx(usual)


def test_refusals_of_requests_that_were_under_way_together_slow_down_once() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    for _ in range(50):
        throttle.refused((TEN,), 1)
    clock.now += 1
    first = passed(throttle, clock, TEN)
    assert passed(throttle, clock, TEN) - first == pytest.approx(0.1 / PACE / 0.7, rel=0.01)


def test_refusals_that_go_on_slow_down_further_although_requests_are_made_in_between() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    for _ in range(5):
        for _ in range(4):
            passed(throttle, clock, TEN)
        throttle.refused((TEN,), 1)
        clock.now += 1
    first = passed(throttle, clock, TEN)
    assert passed(throttle, clock, TEN) - first > 0.1 / 0.7**3


def test_however_often_it_is_refused_a_bucket_never_stops() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    for _ in range(100):
        throttle.refused((TEN,), 1)
        clock.now += 1.5
    first = passed(throttle, clock, TEN)
    assert passed(throttle, clock, TEN) - first < 1 / (10 * 0.02)


class Strict:
    """A service that admits so many requests in any second, and refuses the rest."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken: deque[float] = deque()
        self.refusals: list[float] = []

    def admits(self, now: float) -> bool:
        while self.taken and self.taken[0] <= now - 1.0:
            self.taken.popleft()
        if len(self.taken) < self.limit:
            self.taken.append(now)
            return True
        self.refusals.append(now)
        return False


@pytest.mark.parametrize(("limit", "together"), [(3, 4), (3, 200), (1, 4), (9, 50)])
def test_an_account_that_is_stricter_than_documented_settles_and_nobody_is_sent_away(limit: int, together: int) -> None:
    clock, dice = Clock(), random.Random(7)
    throttle, queue, service = Throttle(clock=clock), Queue(clock), Strict(limit)
    waited: list[float] = []
    todo = iter(range(300))

    def request(began: float, tries: int = 1) -> None:
        def leaves() -> None:
            if service.admits(clock.now):
                waited.append(clock.now - began)
                if next(todo, None) is not None:
                    request(clock.now)
                return
            throttle.refused((TEN,), 1.0)
            pause = dice.uniform(0, min(30.0, 0.5 * 2 ** (tries - 1)))
            queue.join(iter([pause]), lambda: request(began, tries + 1))

        queue.join(throttle.turn((TEN,), 600.0), leaves)

    for _ in range(together):
        request(clock.now)
    queue.run()
    assert len(waited) == 300 + together
    assert max(waited) < 600
    accepted = len(waited) / (clock.now - 1000)
    assert accepted > 0.7 * limit
    assert len(service.refusals) < 0.2 * len(waited)


# -- one for all --


def test_one_account_has_one_throttle_whatever_its_connections_are_called() -> None:
    one = shared_throttle("https://a", "key", 1.0, {})
    assert shared_throttle("https://a", "key", 1.0, {}) is one
    assert shared_throttle("https://b", "key", 1.0, {}) is not one
    assert shared_throttle("https://a", "other key", 1.0, {}) is not one
    assert shared_throttle("https://a", "key", 0.5, {}) is not one
    assert shared_throttle("https://a", "key", 1.0, {"toy.second": 5}) is not one


def test_who_wakes_up_late_does_not_leave_beside_those_whose_turn_it_is() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    for _ in range(3):
        passed(throttle, clock, TEN)
    turn = throttle.turn((TEN,), FOREVER)
    clock.now += next(turn) + 0.09  # asleep for too long: the next place is nearly there
    assert next(turn) > 0


def test_who_always_wakes_up_late_leaves_all_the_same() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    passed(throttle, clock, TEN)
    for seconds in throttle.turn((TEN,), FOREVER):
        clock.now += seconds + 1.0
    assert clock.now < 1010
