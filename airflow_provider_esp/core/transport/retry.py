"""Whether a failed request is tried again, and after how long: one pure function.

What the service certainly did not act on (it was never sent, or answered with 429) is tried again for any
call. What it may have acted on is tried again only where the call says that twice is no more than once.
"""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_esp.exceptions import (
    ConnectionFailed,
    ConnectionLost,
    EspError,
    RateLimited,
    ServerFailed,
    TimedOut,
)

_LONGEST_RETRY_AFTER = 1e9  # a generation; a longer number is a mistake, and too long for a clock
_MOST_DOUBLINGS = 60  # more of them are beyond any pause, and in the end beyond a float


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a client is.

    :param attempts: how many times a request is sent before a failure other than 429 is final.
    :param patience: seconds after which no new attempt is begun, and the longest that one call waits for its turn.
    :param first: seconds that the first pause is drawn from; doubled at each attempt.
    :param longest: seconds that a pause is drawn from at the most.
    """

    attempts: int = 5
    patience: float = 600.0
    first: float = 0.5
    longest: float = 30.0


def pause_before_retry(
    policy: RetryPolicy, failure: EspError, *, repeatable: bool, attempt: int, elapsed: float
) -> float | None:
    """Return how many seconds to wait before the next attempt, or None if this failure is final.

    :param failure: what went wrong.
    :param repeatable: whether the call may be sent twice (`Call.repeatable`).
    :param attempt: number of the attempt that failed, from 1.
    :param elapsed: seconds since the call began.
    """
    if not _worth_repeating(failure, repeatable=repeatable):
        return None
    if attempt >= policy.attempts and not isinstance(failure, RateLimited):
        return None
    pause = max(_backoff(policy, attempt), failure.retry_after or 0.0)
    return pause if elapsed + pause <= policy.patience else None


def retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Read the header ``Retry-After``: whole seconds, or an HTTP date.

    :param value: the header's, or None where there is none.
    :param now: the time that a date is compared with, in seconds since the epoch.
    :returns: seconds to wait, at least 0; None where the header says nothing that can be understood.
    """
    value = (value or "").strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        return min(float(value), _LONGEST_RETRY_AFTER)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now())
    except (ValueError, TypeError, OverflowError):
        return None


def _worth_repeating(failure: EspError, *, repeatable: bool) -> bool:
    if isinstance(failure, ConnectionFailed | RateLimited):
        return True
    return repeatable and isinstance(failure, ConnectionLost | TimedOut | ServerFailed)


def _backoff(policy: RetryPolicy, attempt: int) -> float:
    # The whole pause is drawn ("full jitter"): workers that failed together do not come back together.
    doublings = min(attempt - 1, _MOST_DOUBLINGS)
    return random.uniform(0.0, min(policy.longest, policy.first * 2**doublings))
