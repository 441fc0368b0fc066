"""Rate limits of one process: when a request may leave, for all its threads and event loops.

A `Throttle` holds every lane of one account (`lanes.py`) and only ever answers "in so many seconds": who asks does the
waiting, asleep or on an event loop.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping
from typing import Any, Protocol, TypeAlias

from airflow_provider_esp.core.calls import Bucket
from airflow_provider_esp.core.transport import lanes
from airflow_provider_esp.core.transport.lanes import LATE, Lane, LaneState

MOST_MISSED = 3
"""How often one queues anew because one woke up late."""

Errand: TypeAlias = Callable[[], object]
"""Something that takes time and is done away from an event loop; raises nothing, and what it returns is handed back."""

Turn: TypeAlias = Generator[float | Errand, Any, None]
"""A wait for one's turn: seconds to wait, and errands to run, one after the other."""


class RateLimiter(Protocol):
    """Every rate limit of one account."""

    def turn(self, buckets: Collection[Bucket], patience: float, urgent: bool = False) -> Turn:
        """Queue for a place in every bucket; once it ends, the request may leave.

        :param buckets: all of them must admit the request.
        :param patience: seconds that the caller will wait at the most.
        :param urgent: whether it goes before others where they would be in its way: waits go before bulk.
        :raises RateLimitTimeout: it would be longer than the patience.
        """

    def refused(self, buckets: Collection[Bucket], seconds: float) -> Errand | None:
        """Take note of a 429: nobody uses these buckets for so many seconds, and then more slowly.

        :returns: what is left to do, if anything.
        """


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
        self._lanes: dict[str, Lane] = {}

    def turn(self, buckets: Collection[Bucket], patience: float, urgent: bool = False) -> Generator[float, Any, None]:
        """Queue for a place; see `RateLimiter`."""
        end = self._clock() + patience
        tries = 0
        while True:
            place = self._reserve(buckets, end)
            now = self._clock()
            if place.at > now:
                yield place.at - now
            if place.refusals != self._refusals(buckets):
                continue
            # On a busy machine one may wake up late, and would leave side by side with those whose turn it is now.
            tries += 1
            if tries > MOST_MISSED or self._clock() - place.at <= LATE:
                return

    def refused(self, buckets: Collection[Bucket], seconds: float) -> None:
        """Take note of a 429; see `RateLimiter`."""
        with self._lock:
            lanes.refuse(self._those(buckets), self._clock(), seconds)

    def _reserve(self, buckets: Collection[Bucket], end: float) -> lanes.Place:
        with self._lock:
            return lanes.reserve(self._those(buckets), self._clock(), end)

    def _refusals(self, buckets: Collection[Bucket]) -> int:
        with self._lock:
            return lanes.refusals(self._those(buckets))

    def _those(self, buckets: Collection[Bucket]) -> list[Lane]:
        return [self._lane(bucket) for bucket in buckets]

    def _lane(self, bucket: Bucket) -> Lane:
        lane = self._lanes.get(bucket.name)
        if lane is None:
            lane = self._lanes[bucket.name] = Lane(with_limit(bucket, self._limits), self._share, LaneState())
        return lane


def with_limit(bucket: Bucket, limits: Mapping[str, float]) -> Bucket:
    """Return a bucket with the account's own limit, where it has one."""
    limit = limits.get(bucket.name)
    return bucket if limit is None else Bucket(bucket.name, limit, bucket.seconds)


_shared: dict[tuple[object, ...], RateLimiter] = {}
_shared_lock = threading.Lock()


def shared_throttle(
    host: str,
    identity: str,
    share: float,
    limits: Mapping[str, float],
    *,
    rate_store: str | None = None,
    over: Callable[[Throttle], RateLimiter] | None = None,
) -> RateLimiter:
    """Return the one limiter of an account in this process.

    :param host: the service's host; with `identity` it names the account, whatever the connection is called.
    :param identity: what the account is known by (key, client id): only its hash is kept.
    :param rate_store: what names the place that all processes of the account share, or None.
    :param over: makes the limiter that goes by that place, from the one that this process goes by without it.
    """
    who = hashlib.blake2b(identity.encode(), digest_size=16).digest()
    key = (os.getpid(), host, who, share, tuple(sorted(limits.items())), rate_store)
    with _shared_lock:
        if key not in _shared:
            throttle = Throttle(share, limits)
            _shared[key] = throttle if over is None else over(throttle)
        return _shared[key]
