"""Rate limits: when a request may leave, for all threads and event loops of a process.

A `Throttle` holds every bucket of one account and only ever answers "in so many seconds": who asks does the
waiting, asleep or on an event loop. Short windows are paced evenly at 97 % of the documented rate (99 % was
measured to draw refusals from a sliding window, 97 % none); long ones (a minute, an hour) let requests through
as they come until the window is full. A 429 closes the call's buckets for everybody, and slows them down until the
service accepts what we send: an account may be stricter than its documentation.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping

from airflow_provider_esp.core.calls import Bucket
from airflow_provider_esp.exceptions import RateLimitTimeout

PACE = 0.97
_PACED_WINDOW = 1.0
_LATE = _PACED_WINDOW * (1 - PACE) / 2
_MOST_MISSED = 3
_LONG_WINDOW_MARGIN = 1.01
_SLOW_DOWN = 0.7
_SLOWEST = 0.02
_RECOVERY_PER_SECOND = 0.005


class _BucketState:
    """The queue in front of one bucket."""

    def __init__(self, bucket: Bucket, share: float) -> None:
        self.paced = bucket.seconds <= _PACED_WINDOW
        # A long window is filled to the last request (97 % of 4 an hour would be 3), and taken a little longer instead.
        self.window = bucket.seconds if self.paced else bucket.seconds * _LONG_WINDOW_MARGIN
        self.allowed = bucket.limit * share
        if self.paced:
            # A part of a request is no place: a window of 1.5 would hold two of them now and then.
            self.allowed = min(self.allowed * PACE, int(self.allowed) or math.inf)
        self.closed_until = self.next_at = float("-inf")
        self.refusals = 0
        self.speed = 1.0
        self.speed_at = self.slowed_at = float("-inf")
        self.taken: deque[float] = deque()

    def earliest(self, now: float) -> float:
        soonest = max(now, self.closed_until)
        if self.paced:
            return max(soonest, self.next_at)
        whole = max(int(self.allowed), 1)
        while self.taken and self.taken[0] <= now - self.window:
            self.taken.popleft()
        if self.taken:  # in order, so that a window is full where its first and last place say so
            soonest = max(soonest, self.taken[-1])
        return soonest if len(self.taken) < whole else max(soonest, self.taken[-whole] + self.window)

    def take(self, at: float, now: float) -> None:
        if self.paced:
            self.recover(now)
            self.next_at = at + self.window / (self.allowed * self.speed)
        else:
            self.taken.append(at)

    def recover(self, now: float) -> None:
        if self.speed < 1.0:
            self.speed = min(1.0, self.speed + _RECOVERY_PER_SECOND * (now - self.speed_at))
        self.speed_at = now

    def refused(self, now: float, seconds: float) -> None:
        self.closed_until = max(self.closed_until, now + seconds)
        # Places taken ahead are void: they were spaced for a faster service. Whoever holds one queues again.
        self.refusals += 1
        self.next_at = self.closed_until
        while self.taken and self.taken[-1] > now:
            self.taken.pop()
        # Requests already under way draw their own 429s: one slowing a window is enough for all of them.
        if self.paced and now - self.slowed_at >= self.window:
            self.recover(now)
            self.speed = max(_SLOWEST, self.speed * _SLOW_DOWN)
            self.slowed_at = now


class Throttle:
    """Every rate limit of one account at one service.

    :param share: this process's part of each limit, from above 0 to 1.
    :param limits: requests per window by bucket name, where the account's differ from the documented ones.
    :param clock: seconds that only ever grow.
    """

    def __init__(
        self,
        share: float = 1.0,
        limits: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"rate_share must be above 0 and at most 1, not {share:g}.")
        self._share = share
        self._limits = dict(limits or {})
        self._clock = clock
        self._lock = threading.Lock()
        self._lanes: dict[str, _BucketState] = {}

    def turn(self, buckets: Collection[Bucket], patience: float) -> Iterator[float]:
        """Queue for a place in every bucket; once the iteration ends, the request may leave.

        :param buckets: all of them must admit the request.
        :param patience: seconds that the caller will wait at the most.
        :returns: seconds to wait, one time after the other.
        :raises RateLimitTimeout: it would be longer than the patience.
        """
        end = self._clock() + patience
        tries = 0
        while True:
            at, refusals = self._reserve(buckets, end)
            now = self._clock()
            if at > now:
                yield at - now
            if refusals != self._refusals(buckets):
                continue
            # On a busy machine one may wake up late, and would leave side by side with those whose turn it is now.
            tries += 1
            if tries > _MOST_MISSED or self._clock() - at <= _LATE:
                return

    def refused(self, buckets: Collection[Bucket], seconds: float) -> None:
        """Take note of a 429: nobody uses these buckets for so many seconds, and then more slowly.

        A pause that is longer than a bucket's window is about another bucket of the call, if there is one.
        """
        with self._lock:
            now = self._clock()
            lanes = [self._lane(bucket) for bucket in buckets]
            for lane in [lane for lane in lanes if lane.window >= seconds] or lanes:
                lane.refused(now, seconds)

    def _reserve(self, buckets: Collection[Bucket], end: float) -> tuple[float, int | None]:
        """Take the next free place.

        :returns: its time, and the number of refusals so far, with which it stands and falls; None in its stead where
            no place is taken and it has to be asked for again at that time.
        """
        with self._lock:
            now = self._clock()
            lanes = [self._lane(bucket) for bucket in buckets]
            places = [lane.earliest(now) for lane in lanes]
            at = max(places, default=now)
            if at > end:
                raise RateLimitTimeout
            # Who waits long for one bucket takes no place in another: that would close it for everybody until then.
            if at - min(places, default=at) > _PACED_WINDOW:
                return at, None
            for lane in lanes:
                lane.take(at, now)
            return at, sum(lane.refusals for lane in lanes)

    def _refusals(self, buckets: Collection[Bucket]) -> int:
        with self._lock:
            return sum(self._lane(bucket).refusals for bucket in buckets)

    def _lane(self, bucket: Bucket) -> _BucketState:
        lane = self._lanes.get(bucket.name)
        if lane is None:
            limit = self._limits.get(bucket.name, bucket.limit)
            lane = self._lanes[bucket.name] = _BucketState(Bucket(bucket.name, limit, bucket.seconds), self._share)
        return lane


_shared: dict[tuple[object, ...], Throttle] = {}
_shared_lock = threading.Lock()


def shared_throttle(host: str, identity: str, share: float, limits: Mapping[str, float]) -> Throttle:
    """Return the one throttle of an account in this process.

    :param host: the service's host; with `identity` it names the account, whatever the connection is called.
    :param identity: what the account is known by (key, client id): only its hash is kept.
    """
    who = hashlib.blake2b(identity.encode(), digest_size=16).digest()
    key = (host, who, share, tuple(sorted(limits.items())))
    with _shared_lock:
        return _shared.setdefault(key, Throttle(share, limits))
