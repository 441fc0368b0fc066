"""Rate limits of an account that all its processes share: workers, triggerers, machines.

The lanes of an account (`lanes.py`) are one small text in a `RateStore`, and times are those of the store's clock: a
process's own clock measures how long it sleeps and nothing else. To take a place is to read the text, work out the
next one, and swap it for the old; whoever was overtaken does it again. So idle shares go to those who need them, and a
429 that one process meets closes and slows the lane for all of them.

Bulk takes places at most half a second ahead; waits take the next one, however far it is. So a wait has at most those
before it that bulk has already. Where the store cannot be reached, each process goes back to its `rate_share`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import msgspec

from airflow_provider_esp.core.calls import Bucket
from airflow_provider_esp.core.transport import lanes
from airflow_provider_esp.core.transport.lanes import LATE, Lane, LaneState
from airflow_provider_esp.core.transport.throttle import MOST_MISSED, Throttle, Turn, with_limit
from airflow_provider_esp.exceptions import RateLimitTimeout

T = TypeVar("T")

log = logging.getLogger(__name__)

_AHEAD = 0.5
_MOST_OVERTAKEN = 200
_RETRY_AFTER = 5.0
_VOID_AFTER = 0.05
_MOST_AHEAD = 60.0


class RateStore(Protocol):
    """Where the lanes of one account are kept, for all its processes.

    Both methods raise `ConnectionError` where it cannot be reached.
    """

    title: str
    """What messages call it."""

    def read(self) -> tuple[bytes | None, float]:
        """Return what is kept, None where nothing is; and the time of the store's clock, in seconds."""

    def swap(self, old: bytes | None, new: bytes) -> bool:
        """Keep the new text if the old one is what is kept now; tell whether it was."""


@dataclass(frozen=True, slots=True)
class _Granted:
    """A place in this process's own time.

    :param due: when to leave, or to ask again.
    :param refusals: as in `lanes.Place`.
    """

    due: float
    refusals: int | None


_NEVER = _Granted(float("inf"), None)
_States = dict[str, LaneState]
_decoder = msgspec.json.Decoder(_States)


class SharedThrottle:
    """Every rate limit of one account, over all its processes; a `RateLimiter`.

    :param store: where its lanes are kept.
    :param local: what this process goes by while the store cannot be reached.
    :param limits: requests per window by bucket name, where the account's differ from the documented ones.
    :param clock: seconds that only ever grow.
    """

    def __init__(
        self,
        store: RateStore,
        local: Throttle,
        limits: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._local = local
        self._limits = dict(limits or {})
        self._clock = clock
        # Threads of one process queue here, so that they do not overtake each other in the store.
        self._lock = threading.Lock()
        self._reachable_at = self._asked_next = float("-inf")
        self.unreachable = ""
        """Why the store cannot be reached, or empty."""

    def turn(self, buckets: Collection[Bucket], patience: float, urgent: bool = False) -> Turn:
        """Queue for a place; see `RateLimiter`."""
        end = self._clock() + patience
        tries = 0
        while buckets:
            granted = yield partial(self._ask, partial(self._reserve, buckets, end, urgent))
            now = self._clock()
            if granted is None:
                yield from self._local.turn(buckets, max(end - now, 0.0), urgent)
                return
            if granted.due > end:
                raise RateLimitTimeout
            if granted.due > now:
                yield granted.due - now
            if granted.refusals is None:
                continue
            if granted.due - now > _VOID_AFTER:  # a 429 may have come meanwhile, which makes the place void
                refusals = yield partial(self._ask, partial(self._refusals, buckets))
                if refusals not in (None, granted.refusals):
                    continue
            tries += 1
            if tries > MOST_MISSED or self._clock() - granted.due <= LATE:
                return

    def refused(self, buckets: Collection[Bucket], seconds: float) -> Callable[[], object]:
        """Take note of a 429; see `RateLimiter`."""
        self._local.refused(buckets, seconds)
        return partial(self._ask, partial(self._refuse, buckets, seconds))

    def _ask(self, work: Callable[[], T]) -> T | None:
        """Do something with the store.

        :returns: what came of it, or None where the store cannot be reached.
        """
        with self._lock:
            if self._clock() < self._reachable_at:
                return None
            try:
                done = work()
            except ConnectionError as error:
                if not self.unreachable:
                    log.warning(
                        "The rate limits that all processes share cannot be read from %s: %s. Until they can, this "
                        "process keeps to its rate_share.",
                        self._store.title,
                        str(error).rstrip("."),
                    )
                self.unreachable = str(error) or type(error).__name__
                self._reachable_at = self._clock() + _RETRY_AFTER
                return None
            if self.unreachable:
                log.info("The rate limits that all processes share are read from %s again.", self._store.title)
                self.unreachable = ""
            return done

    def _reserve(self, buckets: Collection[Bucket], end: float, urgent: bool) -> _Granted:
        def take(those: list[Lane], now: float, here: float) -> tuple[lanes.Place, float, float]:
            place = lanes.reserve(those, now, now + end - here, float("inf") if urgent else _AHEAD)
            return place, here + place.at - now, max(lane.interval for lane in those)

        try:
            place, due, interval = self._change(buckets, take)
        except RateLimitTimeout:
            return _NEVER
        if place.refusals is None:
            # Each thread of this process asks again at another time, or all of them would come at once.
            due = self._asked_next = max(due, self._asked_next + interval)
        return _Granted(due, place.refusals)

    def _refuse(self, buckets: Collection[Bucket], seconds: float) -> bool:
        def note(those: list[Lane], now: float, _: float) -> bool:
            lanes.refuse(those, now, seconds)
            return True

        return self._change(buckets, note)

    def _refusals(self, buckets: Collection[Bucket]) -> int:
        text, now = self._store.read()
        return lanes.refusals(self._lanes(_states(text, now), buckets))

    def _change(self, buckets: Collection[Bucket], change: Callable[[list[Lane], float, float], T]) -> T:
        """Read the lanes, change them, and keep them, if nobody else did so in between; else again.

        :param change: is given the lanes, and the same moment on the store's clock and on this process's.
        """
        for _ in range(_MOST_OVERTAKEN):
            text, now = self._store.read()
            here = self._clock()
            states = _states(text, now)
            done = change(self._lanes(states, buckets), now, here)
            if self._store.swap(text, msgspec.json.encode(states)):
                return done
        raise ConnectionError(f"other processes changed it {_MOST_OVERTAKEN} times while this one wanted to")

    def _lanes(self, states: _States, buckets: Collection[Bucket]) -> list[Lane]:
        return [
            Lane(with_limit(bucket, self._limits), 1.0, states.setdefault(bucket.name, LaneState()))
            for bucket in buckets
        ]


def _states(text: bytes | None, now: float) -> _States:
    """Read what is kept. What cannot be read counts for nothing; so does what a clock wrote that was put back since."""
    states: _States = {}
    if text is not None:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            states = _decoder.decode(text)
    return {name: state for name, state in states.items() if state.speed_at <= now + _MOST_AHEAD}
