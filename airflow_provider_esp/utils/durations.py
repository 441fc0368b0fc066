"""Durations: as authors and templates write them, and as a log shows them."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PARTS = (("day", 86400), ("h", 3600), ("min", 60), ("s", 1))
_NUMBER_AND_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)")
_AS_TIMEDELTA = re.compile(r"(?:(\d+) days?, )?(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")


def read_duration(name: str, value: Any) -> float:
    """Read a duration as an author or a template gives it.

    :param name: the argument's, for the error.
    :param value: a `timedelta`, a number of seconds, or text: seconds, a number with a unit (``"90min"``, ``"36h"``,
        ``"3d"``), or a `timedelta` as Python writes it (``"1 day, 12:00:00"``).
    :returns: seconds, 0 or more.
    :raises ValueError: it is none of these, or negative.
    """
    seconds = _seconds(value)
    if seconds is None or math.isnan(seconds) or seconds < 0:
        raise ValueError(
            f'{name} must be a timedelta, a number of seconds, or text such as "36h", "90min" or "3d", not {value!r}.'
        )
    return seconds


def _seconds(value: Any) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    if match := _NUMBER_AND_UNIT.fullmatch(text):
        return float(match[1]) * _UNITS[match[2]]
    if match := _AS_TIMEDELTA.fullmatch(text):
        return int(match[1] or 0) * 86400.0 + int(match[2]) * 3600.0 + int(match[3]) * 60.0 + float(match[4])
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None


def in_words(seconds: float) -> str:
    """Return a duration for a person, by its two largest units: ``3 days 4 h``, ``5 h 48 min``, ``45 s``.

    :param seconds: 0 or more; a part of a second is dropped.
    """
    if math.isinf(seconds):
        return "any time"
    left, parts = int(seconds), []
    for unit, size in _PARTS:
        count, left = divmod(left, size)
        if count:
            plural = "s" if unit == "day" and count > 1 else ""
            parts.append(f"{count:,} {unit}{plural}")
        if len(parts) == 2 or (parts and not count):
            break
    return " ".join(parts) or "0 s"
