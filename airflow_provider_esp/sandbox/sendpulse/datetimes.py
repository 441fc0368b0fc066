"""Dates as SendPulse writes them: ``Y-m-d H:i:s`` in the account's time zone, which only ``GET /user/info`` returns."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ..state import SandboxState

_FORM = "%Y-%m-%d %H:%M:%S"


def stamp(state: SandboxState, at: float) -> str:
    """Format a time as the vendor writes it."""
    return state.clock.moment(at).astimezone(_zone(state)).strftime(_FORM)


def read(state: SandboxState, text: Any) -> float | None:
    """Parse a text into a time, Unix seconds; None where it names none."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=_zone(state)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def day(state: SandboxState, text: Any) -> tuple[float, float] | None:
    """Return begin and end of the day that a text like ``2026-01-31`` names, Unix seconds; None where it names none."""
    if not isinstance(text, str):
        return None
    try:
        begin = datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=_zone(state))
        return begin.timestamp(), (begin + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _zone(state: SandboxState) -> ZoneInfo:
    return ZoneInfo(state.settings["sendpulse.time_zone"])
