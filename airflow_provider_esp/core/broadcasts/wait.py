"""Waiting for a broadcast, and cancelling one: what a worker, a sensor and a trigger do alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from airflow_provider_esp.core.broadcasts.create import ABSENCE_COUNTS_AFTER
from airflow_provider_esp.core.calls import Flow, Perform
from airflow_provider_esp.core.models import Broadcast, BroadcastGoal, BroadcastLook, BroadcastState
from airflow_provider_esp.core.polling import poll_until
from airflow_provider_esp.exceptions import BroadcastActionRequired, BroadcastFailed, InvalidRequest, NotFound

OnStuck: TypeAlias = Literal["wait", "fail"]

CATCH_UP = 1.0
"""Seconds to the next look where there is more to read already."""


class BroadcastWatch(Protocol):
    """Looks at one broadcast again and again."""

    @property
    def keeps_position(self) -> bool:
        """Whether it has to live from look to look."""

    def look(self, now: float) -> Flow[BroadcastLook]:
        """Look once, at the Unix time `now`."""


class BroadcastLogger:
    """Says in a log how a broadcast goes: what changed, and each warning.

    :param broadcast_id: whose.
    :param info: takes a line.
    :param warn: takes a line that somebody should read.
    :param clock: gives seconds.
    """

    EVERY = 60.0

    def __init__(
        self,
        broadcast_id: str,
        info: Callable[[str], None],
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._id = broadcast_id
        self._info = info
        self._warn = warn
        self._clock = clock
        self._told: tuple[BroadcastState, str] | None = None
        self._told_at = 0.0
        self.how_far = ""

    def tell(self, look: BroadcastLook) -> None:
        """Log what this look has found, unless it was said before or a moment ago."""
        if look.warning:
            self._warn(look.warning)
        self.how_far = look.reason
        now, said = self._clock(), (look.state, look.status)
        if said == self._told and now - self._told_at < self.EVERY:
            return
        if look.state is BroadcastState.ACTION_REQUIRED and said != self._told:
            self._warn(f"Broadcast {self._id} requires manual action in the service: {look.reason}.")
        else:
            self._info(f"Broadcast {self._id} is {look.state.value}: {look.reason}.")
        self._told, self._told_at = said, now


def look(perform: Perform, watch: BroadcastWatch, goal: BroadcastGoal, now: float) -> BroadcastLook:
    """Look once; a broadcast that we have created and that is not there any more has failed.

    :raises NotFound: it is not there, and it is not known that it ever was.
    """
    try:
        return perform(watch.look(now))
    except NotFound:
        found = when_missing(goal, now)
        if found is None:
            raise
        return found


def when_missing(goal: BroadcastGoal, now: float) -> BroadcastLook | None:
    """Return what it means that the service does not know a broadcast; None where it cannot be said.

    :param goal: its `since` is when the broadcast was created, if this task did so.
    """
    if goal.since is None:
        return None
    if now - goal.since < ABSENCE_COUNTS_AFTER:
        return BroadcastLook(BroadcastState.RUNNING, reason="the service does not show it yet")
    return BroadcastLook(BroadcastState.FAILED, reason="no longer listed: it was cancelled or deleted")


def is_over(look: BroadcastLook, on_action_required: OnStuck) -> bool:
    """Check whether the wait ends with this look."""
    if look.state is BroadcastState.ACTION_REQUIRED:
        return on_action_required == "fail"
    return look.state is not BroadcastState.RUNNING


def check(broadcast_id: str, state: BroadcastState, reason: str) -> None:
    """Fail where a broadcast did not end well.

    :raises BroadcastFailed: it failed.
    :raises BroadcastActionRequired: somebody has to act.
    """
    if state is BroadcastState.FAILED:
        raise BroadcastFailed(
            f"Broadcast {broadcast_id} failed: {reason}. See the service's own page of it, and correct what it names."
        )
    if state is BroadcastState.ACTION_REQUIRED:
        raise BroadcastActionRequired(
            f"Broadcast {broadcast_id} requires manual action in the service: {reason}. Do so, then clear the "
            "task: it goes on with the same broadcast. on_action_required='wait' waits instead."
        )


def wait(
    perform: Perform,
    watch: BroadcastWatch,
    goal: BroadcastGoal,
    teller: BroadcastLogger,
    *,
    on_action_required: OnStuck,
    end: float,
    poll_interval: float,
    clock: Callable[[], float] = time.time,
    pause: Callable[[float], None] = time.sleep,
) -> BroadcastLook | None:
    """Look until the wait is over, at least once.

    :param goal: what the watch was made for.
    :param end: Unix time at which to give up.
    :param poll_interval: seconds between two looks; shorter where there is more to read already.
    :param clock: gives the Unix time that looks go by.
    :param pause: sleeps for so many seconds, or less where the task is being ended.
    :returns: what the last look found; None where the time was up before.
    """
    behind = False

    def look_once() -> BroadcastLook | None:
        nonlocal behind
        seen = look(perform, watch, goal, clock())
        teller.tell(seen)
        behind = seen.behind
        return seen if is_over(seen, on_action_required) else None

    def interval() -> float:
        return min(CATCH_UP, poll_interval) if behind else poll_interval

    return poll_until(look_once, end, interval, pause=pause)


def cancel(
    perform: Perform,
    send: Callable[[], Flow[None]],
    read: Callable[[], Flow[Broadcast]],
) -> None:
    """Cancel a broadcast; one that is cancelled already is fine.

    :param send: makes the flow that cancels it.
    :param read: makes the flow that reads it.
    :raises EspError: the service refuses: it has begun, has ended, or is not there.
    """
    try:
        perform(send())
    except (NotFound, InvalidRequest) as refused:
        if isinstance(refused, NotFound) and refused.attempts > 1:
            return  # the answer to our own earlier request was lost
        try:
            told = perform(read())
        except NotFound:
            raise refused from None
        if not told.cancelled:
            raise
