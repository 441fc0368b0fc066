"""When a run was due, and whether it may still send: scheduled runs for a day, backfills where the author says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from airflow_provider_esp.utils.durations import in_words, read_duration

DEFAULT_LATENESS = 24 * 60 * 60.0
"""Seconds that a scheduled run may be late where the author does not say."""

OFF = "off"
"""What stands in ``max_lateness=`` for no limit."""


class RunKind(StrEnum):
    """Why a run was made, as far as it matters here."""

    SCHEDULED = "scheduled"
    BACKFILL = "backfill"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class RunTime:
    """A run of a DAG.

    :ivar kind: scheduled, a backfill, or anything else: manual, triggered by an asset or another DAG.
    :ivar due: aware; when it should have run. None where nothing tells.
    """

    kind: RunKind
    due: datetime | None


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """What an author says about late runs.

    :ivar max_lateness: seconds; infinite for no limit, None for the default, which depends on the run.
    :ivar allow_backfill: whether backfills send; they are late by nature, so `max_lateness` is not asked then.
    """

    max_lateness: float | None = None
    allow_backfill: bool = False

    def refusal(self, run: RunTime, at: float) -> str:
        """Return why a run may not send; empty where it may.

        :param at: Unix time at which it would send.
        """
        if run.kind is RunKind.BACKFILL:
            return "" if self.allow_backfill else _of_backfill(run)
        allowed = self.max_lateness
        if allowed is None:
            allowed = DEFAULT_LATENESS if run.kind is RunKind.SCHEDULED else float("inf")
        if run.due is None or at - run.due.timestamp() <= allowed:
            return ""
        late = in_words(at - run.due.timestamp())
        usual = ", the default for scheduled runs" if self.max_lateness is None else ""
        return (
            f"This run is too late to send: it was due at {_iso(run.due)}, {late} before the time of sending, and "
            f"max_lateness allows {in_words(allowed)}{usual}. To send it all the same, give max_lateness a longer time "
            f'or "{OFF}" (it is templated, so a Variable can say it) and clear the task.'
        )


def read_limit(max_lateness: Any, *, allow_backfill: bool) -> TimeLimit:
    """Read the arguments of an operator.

    :param max_lateness: a duration as `read_duration` takes it, ``"off"``, or None (also as text) for the default.
    :param allow_backfill: whether backfills send.
    :raises ValueError: the duration cannot be read.
    """
    text = max_lateness.strip().lower() if isinstance(max_lateness, str) else max_lateness
    if text is None or text == "none":
        return TimeLimit(None, allow_backfill)
    if text == OFF:
        return TimeLimit(float("inf"), allow_backfill)
    try:
        return TimeLimit(read_duration("max_lateness", max_lateness), allow_backfill)
    except ValueError as error:
        raise ValueError(f'{str(error).rstrip(".")}. "{OFF}" means no limit.') from None


def _of_backfill(run: RunTime) -> str:
    due = f" that was due at {_iso(run.due)}" if run.due else ""
    return (
        f"This is a backfill of a run{due}, and backfills do not send unless allow_backfill=True: they repeat what was "
        "to be sent in the past. To send it all the same, say allow_backfill=True (it is templated) and clear the task."
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="minutes")
