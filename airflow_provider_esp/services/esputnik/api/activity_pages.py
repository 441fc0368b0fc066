"""Reading all activity of a period, though neither the cursor nor the length of an answer can be trusted.

The documented way on is a cursor, the last row's `offset`; on some accounts it stands still, goes round or loses rows,
and pages over a thousand rows or periods over a day misbehave. So short periods are read one after the other. Within
each the cursor is followed, and a look behind its end tells whether it lost anything; where it did, or brings nothing
new, the period is halved until every answer is whole.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Protocol

from airflow_provider_esp.core.calls import Call, Page, Pages
from airflow_provider_esp.exceptions import PagingFault
from airflow_provider_esp.services.esputnik.api.activity import PAGE_ROWS, Activity, Status, activity
from airflow_provider_esp.services.esputnik.datetimes import next_minute, stamp

SHORTEST = timedelta(minutes=1)
"""A period that cannot be halved any more: times are told to the minute."""

MOST_ROWS = 25_000
"""Rows to ask for where a minute has more than a page: the service's own choice, which misbehaves on some accounts."""


PERIOD = timedelta(hours=2)
"""How much time `activity_pages` reads at once: what is known to work on busy accounts."""


class Ask(Protocol):
    """Makes the call for a page."""

    def __call__(self, first: datetime, last: datetime, cursor: str | None, rows: int, /) -> Call[list[Activity]]:
        """Ask for so many rows of a period, behind a cursor."""


class PeriodReader:
    """Reads activity by short periods; remembers the rows of one period, and knows those of the period before.

    An answer shorter than was asked for is the last one, unless the service gives less than it is asked for. So an
    answer counts as whole where a longer one was seen to be, and otherwise only once another brings nothing new.

    :param ask: makes the call for a page.
    :param page_rows: rows to ask for at once.
    """

    def __init__(self, ask: Ask, page_rows: int) -> None:
        self._ask = ask
        self._page_rows = page_rows
        self._before: set[int] = set()
        self._now: set[int] = set()
        self._whole = 0  # rows of the longest answer that was seen to be whole
        self._cut = page_rows  # rows of the shortest one that was seen not to be, time and again
        self._doubtful: set[int] = set()

    def read(self, start: datetime, stop: datetime) -> Pages[Activity]:
        """Follow the cursor; where it fails, read the halves.

        :raises PagingFault: more rows in one minute than come at once, and the cursor does not lead past them.
        """
        self._before, self._now = self._now, set()
        unsure = yield from self._follow_cursor(start, stop)
        if unsure:
            yield from self._halve(start, stop, unsure)

    def _follow_cursor(self, start: datetime, stop: datetime) -> Generator[Call[Any] | Page[Activity], Any, int]:
        """Return how many rows the answer had behind which nobody knows what is; 0 where the cursor led to the end."""
        cursor: str | None = None
        length, latest, led = 0, "", False
        while True:
            rows = yield from self._ask(start, stop, cursor, self._page_rows)
            known = len(self._now)
            if fresh := self._fresh(rows):
                yield Page(fresh)
            latest = max([latest, *(row.activity_date_time or "" for row in rows)])
            if not rows:
                return (yield from self._look_behind(latest, stop, length, led))
            if len(self._now) == known:
                return length if self._may_be_cut(length) else 0
            self._learn(length, more=True)
            led = cursor is not None
            if not self._may_be_cut(len(rows)):
                return (yield from self._look_behind(latest, stop, len(rows), led)) if led else 0
            length, cursor = len(rows), rows[-1].offset

    def _look_behind(
        self, latest: str, stop: datetime, length: int, led: bool
    ) -> Generator[Call[Any] | Page[Activity], Any, int]:
        """Ask without the cursor for what comes after the last row; tell what `_follow_cursor` tells.

        That rows come in order of time is seen and not documented.

        :param led: whether the cursor has led to new rows, so that it may be believed about the last minute's.
        """
        try:
            start = datetime.fromisoformat(latest).replace(second=0, microsecond=0, tzinfo=None)
        except ValueError:
            start = stop
        if start < stop:
            rows = yield from self._ask(start, stop, None, self._page_rows)
            if fresh := self._fresh(rows):
                yield Page(fresh)
            if fresh or (not led and len(rows) >= self._cut):
                return max(length, len(rows))
        self._learn(length, more=False)
        return 0

    def _halve(
        self, start: datetime, stop: datetime, rows_of_whole: int
    ) -> Generator[Call[Any] | Page[Activity], Any, None]:
        """Read a period by ever shorter parts. They share the minute between them: its bounds are not documented."""
        if stop - start <= SHORTEST:
            if rows_of_whole >= self._cut:
                yield from self._read_at_once(start, stop, rows_of_whole)
            return
        middle = start + timedelta(minutes=(stop - start) // SHORTEST // 2)
        known = len(self._now)
        for first, last in ((start, middle), (middle, stop)):
            rows = yield from self._ask(first, last, None, self._page_rows)
            fresh = self._fresh(rows)
            if fresh:
                yield Page(fresh)
            if self._may_be_cut(len(rows)) and (fresh or len(rows) >= rows_of_whole):
                yield from self._halve(first, last, len(rows))
        self._learn(rows_of_whole, more=len(self._now) > known)

    def _read_at_once(
        self, start: datetime, stop: datetime, length: int
    ) -> Generator[Call[Any] | Page[Activity], Any, None]:
        """Read a minute that has more than a page in one answer: what is left where the cursor leads nowhere.

        It is believed where it is longer than the page and no limit shows in its length.
        """
        rows = yield from self._ask(start, stop, None, max(MOST_ROWS, self._page_rows))
        if fresh := self._fresh(rows):
            yield Page(fresh)
        if len(rows) <= length or len(rows) >= MOST_ROWS or len(rows) % 100 == 0:
            raise PagingFault(
                f"GET v2/contacts/activity has more than {length} rows in the minute from {stamp(start)}, and its "
                f"cursor does not lead past them. Asking for {MOST_ROWS:,} at once gave {len(rows):,}. Ask for one "
                "sort of activity or one message tag at a time, or let eSputnik's support see to the cursor."
            )

    def _may_be_cut(self, rows: int) -> bool:
        return rows >= min(self._cut, self._whole)

    def _learn(self, rows: int, *, more: bool) -> None:
        """Note that behind an answer of so many rows there was more, or nothing."""
        if more and rows in self._doubtful:
            self._cut = min(self._cut, rows)
        elif more and rows:
            # Once may be chance: rows that came in meanwhile. A limit shows by the same number again.
            self._doubtful.add(rows)
        elif not more and rows < self._cut:
            self._whole = max(self._whole, rows)

    def _fresh(self, rows: list[Activity]) -> list[Activity]:
        fresh = []
        for row in rows:
            mark = hash(identity(row))
            known = mark in self._now or mark in self._before
            self._now.add(mark)
            if not known:
                fresh.append(row)
        return fresh


def identity(row: Activity) -> tuple[object, ...]:
    """Return what two readings of one row have in common."""
    # Not the offset: whether it stays the same from answer to answer is not documented.
    return (
        row.iid,
        row.contact_id,
        row.email or row.sms or row.mob_push_token or row.web_push_token,
        row.media_type,
        row.activity_status,
        row.activity_date_time,
        row.message_id,
        row.message_instance_id,
        row.click_event_link,
        row.status_description,
    )


def activity_pages(
    start: datetime,
    end: datetime,
    *,
    message_tag: str | None = None,
    activity_status: Status | None = None,
    page_rows: int = PAGE_ROWS,
    period: timedelta = PERIOD,
) -> Pages[Activity]:
    """Read all activity of a period, page by page, each row once; the oldest `period` first.

    Rows that are the same in contact, message, status, second and link are taken for one. What is remembered for
    that is a number for each row of two `period`s (about 100 bytes), so a shorter one needs less memory. Nothing is
    lost where the service gives fewer rows at once than it is asked for.

    :param start: on the account's clock; its seconds are cut off.
    :param end: on the account's clock; rounded up to a whole minute.
    :param message_tag: of messages that have this tag.
    :param activity_status: of this sort.
    :param page_rows: rows to ask for at once.
    :param period: how much time to read at once, in whole minutes.
    :raises ValueError: the end is not after the start, or the period is too short.
    :raises PagingFault: more than a page of rows in one minute, and the cursor does not lead past them.
    """
    start, end = start.replace(second=0, microsecond=0), next_minute(end)
    if end <= start:
        raise ValueError("The period ends before it starts.")
    if period < SHORTEST:
        raise ValueError("The period to read at once is a minute at least.")
    period -= period % SHORTEST

    def ask(first: datetime, last: datetime, cursor: str | None, rows: int) -> Call[list[Activity]]:
        return activity(
            first, last, message_tag=message_tag, activity_status=activity_status, offset=cursor, max_rows=rows
        )

    reader = PeriodReader(ask, page_rows)
    while start < end:
        stop = min(start + period, end)
        yield from reader.read(start, stop)
        start = stop
