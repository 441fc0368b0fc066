"""Dates and times as eSputnik writes them: wall clock of the account, to the minute, no zone.

The vendor's pages disagree on whose zone it is (the requesting user's or the contact's); what was seen in use
is the account's, and that is assumed throughout. Functions of this package therefore take naive datetimes on
the account's clock; `on_account_clock` makes one.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo


def on_account_clock(moment: datetime, zone: tzinfo) -> datetime:
    """Turn an aware moment into the account's wall clock.

    :param zone: the account's time zone, e.g. ``ZoneInfo("Europe/Kyiv")``.
    :return: a naive datetime.
    :raises ValueError: `moment` has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("A moment without a time zone cannot be converted to the account's clock.")
    return moment.astimezone(zone).replace(tzinfo=None)


def stamp(moment: date) -> str:
    """Write a date as ``YYYY-MM-DD``, a datetime as ``YYYY-MM-DDTHH:mm``; seconds are cut off.

    :raises ValueError: a datetime with a zone, which the API has no way to say.
    """
    if not isinstance(moment, datetime):
        return moment.isoformat()
    if moment.tzinfo is not None:
        raise ValueError("eSputnik's times are the account's wall clock: convert with on_account_clock(moment, zone).")
    return moment.isoformat(timespec="minutes")


def whole_minutes(moment: datetime) -> bool:
    """Check whether `stamp` writes the moment without loss."""
    return moment.second == 0 and moment.microsecond == 0


def next_minute(moment: datetime) -> datetime:
    """Round up to a whole minute, so that the end of a period loses nothing when its seconds are cut off."""
    return moment if whole_minutes(moment) else moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
