"""The sandbox's clock: real time, plus whatever a test has moved it by.

Everything that asks "what time is it" in the sandbox asks here, so that a test reaches the end of an import, of a
rate limit's window or of a token's life without waiting for it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Unix time that can be moved forwards (and back to real time)."""

    def __init__(self) -> None:
        self._shift = 0.0

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return time.time() + self._shift

    def moment(self, at: float | None = None) -> datetime:
        """Return `at` (default: now) as a date-time in UTC."""
        return datetime.fromtimestamp(self.now() if at is None else at, UTC)

    def advance(self, seconds: float) -> None:
        """Move the clock by that many seconds; negative moves it back."""
        self._shift += seconds

    def reset(self) -> None:
        """Reset to real time."""
        self._shift = 0.0
