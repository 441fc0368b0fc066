"""Waiting on a worker, which is where a task waits that does not defer: one loop for all that is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from airflow_provider_esp.core.calls import Flow, Perform
from airflow_provider_esp.core.delivery_stats import DeliveryStats
from airflow_provider_esp.core.models import Delivery

T = TypeVar("T")


def poll_until(
    look: Callable[[], T | None],
    end: float,
    poll_interval: float | Callable[[], float],
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> T | None:
    """Look until there is a result or the time is up; at least once, and once more at the very end.

    :param look: returns the result, or None to go on waiting; what it raises ends the wait.
    :param end: when to give up, in seconds by `clock`.
    :param poll_interval: seconds between two looks; a function is asked after each look.
    :param pause: sleeps for so many seconds, or less where the task is being ended.
    :returns: the result; None where the time was up first.
    """
    while True:
        result = look()
        if result is not None:
            return result
        left = end - clock()
        if left <= 0:
            return None
        interval = poll_interval() if callable(poll_interval) else poll_interval
        pause(min(interval, left))


def wait_for_deliveries(
    perform: Perform,
    deliveries: Callable[[Sequence[str]], Flow[list[Delivery]]],
    request_ids: Sequence[str],
    end: float,
    poll_interval: float,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[dict[str, int], dict[str, int], int]:
    """Look until every message is delivered or has failed, or the time is up; at least once.

    :param end: seconds since the epoch.
    :param pause: sleeps for so many seconds, or less where the task is being ended.
    :returns: counts by state, counts by the service's own word, and how many are still on their way.
    """
    stats = DeliveryStats(request_ids)

    def look() -> bool | None:
        if stats.open:
            stats.take(perform(deliveries(stats.open)))
        return None if stats.open else True

    poll_until(look, end, poll_interval, pause=pause)
    return stats.states(), stats.statuses(), len(stats.open)
