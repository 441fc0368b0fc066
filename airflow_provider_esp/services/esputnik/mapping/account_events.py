"""What happens at an eSputnik account, by its contacts' activity: clicks, and broadcasts that come to rest.

The API documents no status of a broadcast, so one counts as finished when no new result (delivered or not) has come
for a while; by its clock that is `WatchOptions.settle_time` after the last one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from airflow_provider_esp.core.account_events import AccountEvent, BroadcastFinished, NewClicks, WatchOptions
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.services.esputnik.api.activity import Activity
from airflow_provider_esp.services.esputnik.mapping.broadcast_progress import ActivityReader

MOST_PAGES = 50
"""Pages of activity that one look reads; what is left is read at the next."""


@dataclass(slots=True)
class _Course:
    """How a broadcast has gone so far."""

    last: float = 0.0
    results: Counter[str] = field(default_factory=Counter)


class AccountWatch:
    """Looks at an account's activity.

    :param watching: what to look at.
    :param zone: the account's.
    """

    def __init__(self, watching: WatchOptions, zone: tzinfo) -> None:
        self._watching = watching
        self._zone = zone
        self._reader = ActivityReader(datetime.fromtimestamp(watching.since, UTC), zone)
        self._courses: dict[str, _Course] = {}

    def look(self, now: float) -> Flow[list[AccountEvent]]:
        """Read the activity since the last look: `GET v2/contacts/activity`."""
        clicks: Counter[tuple[str, float]] = Counter()
        moment = datetime.fromtimestamp(now, UTC)
        for _ in range(MOST_PAGES):
            for row in (yield from self._reader.read(moment)):
                self._take(row, now, clicks)
            if not self._reader.behind:
                break
        new = [NewClicks(id=thing, at=at, clicks=number) for (thing, at), number in sorted(clicks.items())]
        return [*new] if self._reader.behind else [*new, *self._finished(now)]

    def _take(self, row: Activity, now: float, clicks: Counter[tuple[str, float]]) -> None:
        at = self._time_of(row, now)
        if at < self._watching.since:
            return
        broadcast = str(row.broadcast_id) if row.broadcast_id else None
        if row.activity_status == "CLICKED":
            clicks[broadcast or str(row.message_id or ""), at] += 1
        elif broadcast and row.activity_status in ("DELIVERED", "UNDELIVERED"):
            course = self._courses.setdefault(broadcast, _Course())
            course.last = max(course.last, at)
            course.results[row.activity_status.lower()] += 1

    def _finished(self, now: float) -> list[BroadcastFinished]:
        finished = []
        for broadcast, course in list(self._courses.items()):
            rested_at = course.last + self._watching.settle_time
            if rested_at <= now:
                del self._courses[broadcast]
                counts = {name: course.results[name] for name in ("delivered", "undelivered")}
                finished.append(BroadcastFinished(id=broadcast, at=rested_at, state="done", counts=counts))
        return finished

    def _time_of(self, row: Activity, now: float) -> float:
        try:
            return datetime.fromisoformat(row.activity_date_time or "").replace(tzinfo=self._zone).timestamp()
        except ValueError:
            return now
