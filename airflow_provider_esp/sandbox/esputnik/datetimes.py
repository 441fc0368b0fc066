"""Dates as eSputnik writes them: without a zone, in the zone of the account."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..settings import Setting
from ..state import SandboxState


def _exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


SETTINGS = {
    "esputnik.time_zone": Setting("Europe/Kyiv", "the account's time zone: dates without a zone are in it", _exists),
}

_SHAPE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?", re.ASCII)


def read(state: SandboxState, text: str, *, end: bool = False) -> float:
    """Parse a date or date-time of the API into Unix time.

    :param end: whether a date without a time means the end of that day.
    :raises ValueError: it is neither.
    """
    if _SHAPE.fullmatch(text) is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    if end and "T" not in text:
        moment = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return moment.replace(tzinfo=zone(state)).timestamp()


def write(state: SandboxState, at: float) -> str:
    """Format a time as the API writes it: ``2023-09-14T08:30:03``, account time."""
    return datetime.fromtimestamp(at, zone(state)).strftime("%Y-%m-%dT%H:%M:%S")


def zone(state: SandboxState) -> ZoneInfo:
    """Return the account's zone."""
    return ZoneInfo(state.settings["esputnik.time_zone"])


__all__ = ["SETTINGS", "UTC", "read", "write", "zone"]
