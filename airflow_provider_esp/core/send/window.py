"""The hours in which something may be sent, on the clock of the people who get it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from typing import Any

_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)(?::00)?")
_MINUTE = 60
_MOST_MINUTES = 3 * 24 * 60
"""Longer than any day, those on which clocks are changed included."""


@dataclass(frozen=True, slots=True)
class SendWindow:
    """Hours of a day, over midnight where they end before they begin.

    What the clock on the wall shows decides: an hour that clocks skip in spring is no hour, and one that comes twice in
    autumn counts twice.

    :param start: minutes after midnight at which it opens.
    :param end: minutes after midnight at which it closes, up to 24 hours; this minute is outside.
    :param zone: whose clock.
    """

    start: int
    end: int
    zone: tzinfo

    def is_open(self, at: float) -> bool:
        """Check whether a moment is inside.

        :param at: Unix time in seconds.
        """
        local = self.local(at)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def opens_at(self, at: float) -> float:
        """Return the Unix time from which on it is open: that of the next opening, or `at` itself."""
        return self._next(at, wanted=True)

    def closes_at(self, at: float) -> float:
        """Return the Unix time from which on it is closed: that of the next closing, or `at` itself."""
        return self._next(at, wanted=False)

    def local(self, at: float) -> datetime:
        """Return a moment on the clock of the window's zone."""
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone)

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)} ({self.zone})"

    def _next(self, at: float, *, wanted: bool) -> float:
        # Minute by minute, as the clock on the wall goes: that is right on every day on which clocks are changed, and
        # takes milliseconds once in a task.
        if self.is_open(at) is wanted:
            return at
        minute = (int(at) // _MINUTE + 1) * _MINUTE
        for later in range(minute, minute + _MOST_MINUTES * _MINUTE, _MINUTE):
            if self.is_open(later) is wanted:
                return float(later)
        return float("inf")  # a window of the whole day never closes


def read_window(value: Any, zone: tzinfo) -> SendWindow:
    """Read a window as an author or a template gives it.

    :param value: two times of day, ``("09:00", "21:00")``, as text or as `datetime.time`; or ``"09:00-21:00"``.
    :param zone: whose clock it is about.
    :raises ValueError: it is something else, or both times are the same.
    """
    parts = re.split(r"\s*[-\u2013]\s*", value.strip()) if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or len(parts) != 2:
        raise _unreadable(value)
    start, end = (_minutes(part, value) for part in parts)
    if start in (end, 24 * 60):
        raise _unreadable(value)
    return SendWindow(start, end, zone)


def _minutes(part: Any, value: Any) -> int:
    if isinstance(part, time) and part.tzinfo is None and not (part.second or part.microsecond):
        return part.hour * 60 + part.minute
    match = _CLOCK.fullmatch(part.strip()) if isinstance(part, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else 24 * 60 + 1
    if minutes > 24 * 60:
        raise _unreadable(value)
    return minutes


def _unreadable(value: Any) -> ValueError:
    return ValueError(
        'send_window must be two different times of day such as ("09:00", "21:00"), or "09:00-21:00", without a zone: '
        f"the connection's timezone applies. Not {value!r}."
    )


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
