"""Waiting on a worker for what deferred tasks wait for in a trigger."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from airflow_provider_esp.core.calls import Flow, Perform
from airflow_provider_esp.core.delivery_stats import DeliveryStats
from airflow_provider_esp.core.models import Delivery


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
    tally = DeliveryStats(request_ids)
    while tally.open:
        tally.take(perform(deliveries(tally.open)))
        left = end - time.time()
        if not tally.open or left <= 0:
            break
        pause(min(poll_interval, left))
    return tally.states(), tally.statuses(), len(tally.open)
