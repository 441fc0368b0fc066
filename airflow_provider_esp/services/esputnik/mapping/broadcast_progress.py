"""Seeing how far a broadcast is where the API gives no status: by the contacts' activity.

Activity cannot be asked for one broadcast, so the account's whole activity since the broadcast's start is read, one
page of at most a thousand rows at a look, going on from where the last look ended. Periods are short, because long
ones misbehave. How many rows a page has at the most is not documented: one is taken for the last if it is
empty, or shorter than another was. The cursor is followed; where it leads nowhere the period begins anew at the last
row's minute. What is remembered is the place, two counts and the last rows' marks, however long it takes.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta, tzinfo

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.models import Broadcast, BroadcastGoal, BroadcastLook, BroadcastState
from airflow_provider_esp.exceptions import PagingFault
from airflow_provider_esp.services.esputnik.api.activity import PAGE_ROWS, Activity, activity
from airflow_provider_esp.services.esputnik.api.activity_pages import PERIOD, identity
from airflow_provider_esp.services.esputnik.datetimes import next_minute, on_account_clock
from airflow_provider_esp.services.esputnik.mapping import broadcasts as broadcast_mapping
from airflow_provider_esp.utils.durations import in_words

LATE = timedelta(minutes=2)
"""How long after its end a period is still read, for rows that come late (our choice)."""

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_REMEMBERED = 10_000


class ActivityReader:
    """Reads an account's activity forward, page by page, for ever.

    :param start: aware; nothing before it is read, give or take a minute.
    :param zone: the account's.
    """

    def __init__(self, start: datetime, zone: tzinfo) -> None:
        self._begin = start.astimezone(UTC).replace(second=0, microsecond=0)
        self._zone = zone
        self._cursor: str | None = None
        self._known: set[int] = set()
        self._order: deque[int] = deque()
        self._longest = 0
        self.behind = True
        self.caught_up = False

    def read(self, now: datetime) -> Flow[list[Activity]]:
        """Read the next page; then `behind` says that there is more to read, `caught_up` that there is no more by now.

        :param now: aware.
        :returns: rows that were not read before.
        :raises PagingFault: more than a page of rows in one minute, and the cursor does not lead past them.
        """
        now = max(next_minute(now.astimezone(UTC)), self._begin)
        end = min(now, self._begin + PERIOD)
        first, last = self._on_account_clock(self._begin, end)
        rows = yield from activity(first, last, offset=self._cursor, max_rows=PAGE_ROWS)
        fresh = [row for row in rows if self._is_new(row)]
        short = len(rows) < min(self._longest, PAGE_ROWS)
        self._longest = max(self._longest, len(rows))
        whole = not self._moved_on(rows, bool(fresh), short)
        over = whole and end + LATE <= now
        if over:
            self._begin, self._cursor = end, None
        self.behind = over or not whole
        self.caught_up = whole and end >= now
        return fresh

    def _moved_on(self, rows: list[Activity], brought_new: bool, short: bool) -> bool:
        """Move on behind a page, by the cursor or else by time; tells whether there may be more behind it.

        :param short: whether longer pages were seen, so that this one was not cut.
        :raises PagingFault: there is more, and no way leads there.
        """
        if rows and brought_new and rows[-1].offset:
            self._cursor = rows[-1].offset
            return not short
        if not rows or short:
            return False
        begin = self._minute_of(rows[-1])
        if begin is not None and begin > self._begin:
            self._begin, self._cursor = begin, None
            return True
        if len(rows) >= PAGE_ROWS:
            raise PagingFault(
                f"GET v2/contacts/activity gives {len(rows)} rows of one minute, from {self._begin:%Y-%m-%d %H:%M} UTC "
                "on, and its cursor does not lead past them. Wait for the broadcast by its start (until='started'), or "
                "ask eSputnik's support about the cursor."
            )
        return False

    def _minute_of(self, row: Activity) -> datetime | None:
        moment = self.moment_of(row)
        return None if moment is None else moment.replace(second=0, microsecond=0)

    def moment_of(self, row: Activity) -> datetime | None:
        """Return when something happened; None where the row does not say it."""
        try:
            moment = datetime.fromisoformat(row.activity_date_time or "")
        except ValueError:
            return None
        return moment.replace(tzinfo=self._zone).astimezone(UTC)

    def _on_account_clock(self, begin: datetime, end: datetime) -> tuple[datetime, datetime]:
        first, last = sorted((on_account_clock(begin, self._zone), on_account_clock(end, self._zone)))
        if begin.astimezone(self._zone).utcoffset() != end.astimezone(self._zone).utcoffset():
            # The hour that the clock shows twice, or not at all: no row of it may be missed.
            first, last = first - _HOUR, last + _HOUR
        return first, last

    def _is_new(self, row: Activity) -> bool:
        mark = hash(identity(row))
        if mark in self._known:
            return False
        self._known.add(mark)
        self._order.append(mark)
        if len(self._order) > _REMEMBERED:
            self._known.discard(self._order.popleft())
        return True


class BroadcastWatch:
    """Looks at one broadcast again and again.

    :param goal: what counts as finished.
    :param zone: the account's.
    :raises ValueError: a share is asked for and there is nothing to measure it by.
    """

    keeps_position = True
    """Whether it has to live from look to look: one that is made anew begins at the start of the broadcast."""

    def __init__(self, broadcast_id: str, goal: BroadcastGoal, zone: tzinfo) -> None:
        if isinstance(goal.until, float) and not goal.expected:
            raise ValueError(
                "A share of the recipients needs their number: give expected=, or segments that have some."
            )
        self._id = broadcast_id
        self._goal = goal
        self._zone = zone
        self._told: Broadcast | None = None
        self._reader: ActivityReader | None = None
        self._warned = goal.warned
        self._seen = False
        self._delivered = self._undelivered = 0
        self._changed_at: datetime | None = None
        self._newest: datetime | None = None

    def look(self, now: float) -> Flow[BroadcastLook]:
        """Look once: at the broadcast, and at one page of activity where its status does not answer.

        :param now: Unix time.
        """
        moment = datetime.fromtimestamp(now, UTC)
        if self._told is None or self._reader is None or not self._reader.behind:
            self._told = yield from broadcast_mapping.read(self._id, self._zone)
        by_status = self._by_status(self._told)
        if by_status is not None:
            return by_status
        if self._reader is None:
            self._reader = ActivityReader(self._beginning(self._told, moment), self._zone)
        elif not self._seen and self._told.starts_at and self._told.starts_at - _MINUTE > moment:
            return self._running(f"it is to start at {self._told.starts_at:%Y-%m-%d %H:%M %Z}")
        for row in (yield from self._reader.read(moment)):
            self._take(row, moment)
        return self._by_activity(moment)

    def _beginning(self, told: Broadcast, now: datetime) -> datetime:
        since = self._goal.since
        known = told.starts_at or (datetime.fromtimestamp(since, UTC) if since is not None else now - _DAY)
        return min(known, now) - LATE

    def _by_status(self, told: Broadcast) -> BroadcastLook | None:
        """Decide by the status where the answer has one that is documented; None leaves it to the activity."""
        if not told.status or not told.documented:
            return None
        if told.state is not BroadcastState.RUNNING:
            return self._found(told.state, f"its status is {told.status}")
        if self._goal.until == "started" and told.started:
            return self._found(BroadcastState.DONE, f"it has started: its status is {told.status}")
        return None if isinstance(self._goal.until, float) else self._running(f"its status is {told.status}")

    def _take(self, row: Activity, now: datetime) -> None:
        if row.broadcast_id is None or str(row.broadcast_id) != self._id:
            return
        self._seen = True
        match row.activity_status:
            case "DELIVERED":
                self._delivered += 1
            case "UNDELIVERED":
                self._undelivered += 1
            case _:
                return
        self._changed_at = now
        moment = self._reader.moment_of(row) if self._reader else None
        if moment is not None and (self._newest is None or moment > self._newest):
            self._newest = moment

    def _by_activity(self, now: datetime) -> BroadcastLook:
        until, ended = self._goal.until, self._delivered + self._undelivered
        if until == "started":
            if self._seen:
                return self._found(BroadcastState.DONE, "it has started: activity shows its first messages")
            return self._running("activity shows none of its messages yet")
        if isinstance(until, float):
            expected = self._goal.expected or 0
            if ended >= until * expected:
                words = f"{ended:,} of {expected:,} expected recipients have a result"
                return self._found(BroadcastState.DONE, words)
            return self._running(f"{ended:,} of {expected:,} ({100 * ended // expected} %), {self._newest_result(now)}")
        if self._changed_at is None:
            return self._running("activity shows no result of it yet; it may wait for its time or a moderator")
        quiet = (now - self._changed_at).total_seconds()
        if self._reader is not None and self._reader.caught_up and quiet >= self._goal.settle_time:
            return self._found(BroadcastState.DONE, f"it has settled: no new result for {self._goal.settle_time:g} s")
        return self._running(f"{ended:,} results, {self._newest_result(now)}")

    def _newest_result(self, now: datetime) -> str:
        """Say how old the newest result is; while there is more to read already, up to when it was read."""
        if self._newest is None:
            return "no result yet"
        age = in_words(max(0.0, (now - self._newest).total_seconds()))
        if self._reader is not None and not self._reader.caught_up:
            return f"read up to {age} ago"
        return f"newest result {age} ago"

    def _running(self, reason: str) -> BroadcastLook:
        return self._found(BroadcastState.RUNNING, reason)

    def _found(self, state: BroadcastState, reason: str) -> BroadcastLook:
        told, warning = self._told, ""
        if told is not None and not told.documented and not self._warned:
            self._warned = True
            warning = f"Broadcast {self._id} has a status that is not documented, {told.status}: taken for running."
        return BroadcastLook(
            state=state,
            status=told.status if told else "",
            reason=reason,
            delivered=self._delivered,
            undelivered=self._undelivered,
            behind=self._reader is not None and self._reader.behind,
            warning=warning,
        )
