"""When a broadcast is to start: from what an author writes to a moment that exists once on the account's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any


@dataclass(frozen=True, slots=True)
class StartTime:
    """A moment, and what a person should know about how it was read.

    :ivar moment: aware, in the account's zone.
    :ivar warning: why the clock does not show it once; empty where it does.
    """

    moment: datetime
    warning: str = ""


def read_start(value: Any, zone: tzinfo) -> StartTime | None:
    """Read a start as an author or a template gives it.

    :param value: a datetime or its ISO form; without a zone it is on the account's clock. None, ``""`` and ``"None"``
        mean at once.
    :param zone: the account's.
    :raises ValueError: it is no moment.
    """
    if value is None or (isinstance(value, str) and value.strip() in ("", "None")):
        return None
    moment = value
    if not isinstance(moment, datetime):
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError:
            raise ValueError(
                f"start must look like 2026-01-31T09:30 or 2026-01-31T09:30+02:00, not {value!r}."
            ) from None
    on_account_clock = moment.tzinfo is None
    if on_account_clock:
        moment = moment.replace(tzinfo=zone)
    # By way of UTC, because a conversion within one zone leaves an hour that clocks skip as it stands.
    local = moment.astimezone(UTC).astimezone(zone)
    return StartTime(local, _warning(moment, local, zone, on_account_clock=on_account_clock))


def _warning(moment: datetime, local: datetime, zone: tzinfo, *, on_account_clock: bool) -> str:
    same_clock = moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) == moment.replace(tzinfo=None)
    if not same_clock:
        return (
            f"start {_clock(moment)} does not exist in {moment.tzinfo}: clocks are put forward then. "
            f"{local.isoformat(timespec='minutes')} is meant instead; give start an hour that exists, or an offset."
        )
    other = local.replace(fold=1 - local.fold)
    if other.utcoffset() == local.utcoffset():
        return ""
    which = "second" if local.fold else "first"
    taken = f"the {which} of the two, {local.isoformat(timespec='minutes')}, is taken"
    if on_account_clock:
        return (
            f"start {_clock(local)} comes twice in {zone}: clocks are put back then; {taken}, and the service may take "
            "the other. Give start another hour."
        )
    return (
        f"start {_clock(local)} comes twice on the account's clock ({zone}), which is all that the service is told: "
        f"{taken}, and the service may take the other. Give start another hour."
    )


def _clock(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="minutes")
