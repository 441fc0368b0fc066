"""When something that may be sent later begins to be sent: the date argument of campaigns of every channel."""

from __future__ import annotations

from typing import Any

from ..state import SandboxState
from . import datetimes
from .errors import invalid


def begin(state: SandboxState, given: Any) -> float:
    """Return the time that a date argument names, Unix seconds; now where there is none or it is ``now``.

    :raises Refused: 422, code 799: it is no date, or in the past.
    """
    now = state.clock.now()
    if given in (None, "", "now"):
        return now
    at = datetimes.read(state, given)
    if at is None or at < int(now):
        raise invalid("Date is wrong or in the past", 799)
    return max(at, now)
