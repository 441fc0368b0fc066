"""When a request may leave: the rules of one account's rate limits, as values that can be kept anywhere.

A `Lane` is the queue in front of one limit. Its `LaneState` is all that has to be remembered, so that it may lie in
this process (`throttle.py`) or where every process of an account sees it (`shared_throttle.py`). Times are seconds of
whatever clock the state's owner goes by.

Short windows are paced evenly at 97 % of the documented rate (99 % was measured to draw refusals from a sliding
window, 97 % none); long ones (a minute, an hour) let requests through as they come until the window is full. A 429
closes a call's lanes for everybody, and slows them down until the service accepts what we send: an account may be
stricter than its documentation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from airflow_provider_esp.core.calls import Bucket
from airflow_provider_esp.exceptions import RateLimitTimeout

PACE = 0.97
PACED_WINDOW = 1.0
LATE = PACED_WINDOW * (1 - PACE) / 2
"""How late one may leave, in seconds: later, the place is another's."""

_LONG_WINDOW_MARGIN = 1.01
_SLOW_DOWN = 0.7
_SLOWEST = 0.02
_RECOVERY_PER_SECOND = 0.005
_PORTIONS = 100
"""Requests of a long window that holds more than this are remembered in so many portions, not one by one."""


class LaneState(msgspec.Struct, array_like=True):
    """What is remembered of a lane.

    :ivar next_at: when the next place of a paced lane is free.
    :ivar closed_until: until when a 429 closes it.
    :ivar refusals: how many there were.
    :ivar speed: part of the pace at `speed_at`; a 429 lowers it, and it recovers.
    :ivar slowed_at: when it was lowered last.
    :ivar taken: places of a long window in order: (time, how many).
    """

    next_at: float = 0.0
    closed_until: float = 0.0
    refusals: int = 0
    speed: float = 1.0
    speed_at: float = 0.0
    slowed_at: float = 0.0
    taken: list[tuple[float, int]] = []


class Lane:
    """The queue in front of one bucket.

    :param bucket: the limit.
    :param share: the part of it that may be used, from above 0 to 1.
    :param state: what is remembered of it; changed in place.
    """

    def __init__(self, bucket: Bucket, share: float, state: LaneState) -> None:
        self.state = state
        self._paced = bucket.seconds <= PACED_WINDOW
        # A long window is filled to the last request (97 % of 4 an hour would be 3), and taken a little longer instead.
        self.window = bucket.seconds if self._paced else bucket.seconds * _LONG_WINDOW_MARGIN
        self._allowed = bucket.limit * share
        if self._paced:
            # A part of a request is no place: a window of 1.5 would hold two of them now and then.
            self._allowed = min(self._allowed * PACE, int(self._allowed) or math.inf)
        self._whole = max(int(self._allowed), 1)
        self._portion = self.window / _PORTIONS if self._whole > _PORTIONS else 0.0

    @property
    def interval(self) -> float:
        """Seconds between two places of a paced lane; 0 for a long window."""
        return self.window / (self._allowed * self.state.speed) if self._paced else 0.0

    def earliest(self, now: float) -> float:
        """Return when the next place is free."""
        state = self.state
        soonest = max(now, state.closed_until)
        if self._paced:
            return max(soonest, state.next_at)
        if state.taken and state.taken[0][0] <= now - self.window:
            state.taken = [portion for portion in state.taken if portion[0] > now - self.window]
        if state.taken:  # in order, so that a window is full where its first and last place say so
            soonest = max(soonest, state.taken[-1][0])
        free = self._whole
        for at, count in reversed(state.taken):
            free -= count
            if free <= 0:
                return max(soonest, at + self.window)
        return soonest

    def take(self, at: float, now: float) -> None:
        """Take the place at a time that `earliest` gave."""
        state = self.state
        if self._paced:
            self._recover(now)
            state.next_at = at + self.interval
            return
        if self._portion and at <= now and state.taken:
            last, count = state.taken[-1]
            if last <= now and last // self._portion == at // self._portion:
                state.taken[-1] = (at, count + 1)  # it counts until its last request is a window old: never too early
                return
        state.taken.append((at, 1))

    def refuse(self, now: float, seconds: float) -> None:
        """Take note of a 429."""
        state = self.state
        state.closed_until = max(state.closed_until, now + seconds)
        # Places taken ahead are void: they were spaced for a faster service. Whoever holds one queues again.
        state.refusals += 1
        state.next_at = state.closed_until
        while state.taken and state.taken[-1][0] > now:
            state.taken.pop()
        # Requests already under way draw their own 429s: one slowing a window is enough for all of them.
        if self._paced and now - state.slowed_at >= self.window:
            self._recover(now)
            state.speed = max(_SLOWEST, state.speed * _SLOW_DOWN)
            state.slowed_at = now

    def _recover(self, now: float) -> None:
        if self.state.speed < 1.0:
            self.state.speed = min(1.0, self.state.speed + _RECOVERY_PER_SECOND * (now - self.state.speed_at))
        self.state.speed_at = now


@dataclass(frozen=True, slots=True)
class Place:
    """When a request may leave.

    :param at: the time.
    :param refusals: how many 429s its lanes had seen, with which it stands and falls; None where no place was taken
        and one has to be asked for again at that time.
    """

    at: float
    refusals: int | None


def reserve(lanes: Sequence[Lane], now: float, end: float, ahead: float = math.inf) -> Place:
    """Take the next place that is free in every lane.

    :param end: until when the caller has patience.
    :param ahead: seconds; who would get a place later than that takes none, and asks again so long before it is free.
    :raises RateLimitTimeout: none is free until `end`.
    """
    places = [lane.earliest(now) for lane in lanes]
    at = max(places, default=now)
    if at > end:
        raise RateLimitTimeout
    # Who waits long for one lane takes no place in another: that would close it for everybody until then.
    if at - min(places, default=at) > PACED_WINDOW:
        return Place(at, None)
    if at - now > ahead:
        return Place(at - ahead, None)
    for lane in lanes:
        lane.take(at, now)
    return Place(at, refusals(lanes))


def refuse(lanes: Sequence[Lane], now: float, seconds: float) -> None:
    """Take note of a 429: nobody uses these lanes for so many seconds, and then more slowly.

    A pause that is longer than a lane's window is about another lane of the call, if there is one.
    """
    for lane in [lane for lane in lanes if lane.window >= seconds] or lanes:
        lane.refuse(now, seconds)


def refusals(lanes: Sequence[Lane]) -> int:
    """Return how many 429s the lanes have seen."""
    return sum(lane.state.refusals for lane in lanes)
