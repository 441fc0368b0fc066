"""eSputnik's broadcasts: statuses, segments by name, and a wait that reads the account's activity forward."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from unittest import mock
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Call, Flow
from airflow_provider_esp.core.models import BroadcastGoal, BroadcastLook, BroadcastOptions, BroadcastState
from airflow_provider_esp.exceptions import ObjectNotFound, PagingFault, Unsupported
from airflow_provider_esp.services.esputnik.api import broadcasts
from airflow_provider_esp.services.esputnik.api.activity import Activity
from airflow_provider_esp.services.esputnik.api.models import Contact, Segment
from airflow_provider_esp.services.esputnik.mapping import broadcast_progress
from airflow_provider_esp.services.esputnik.mapping import broadcasts as broadcast_mapping
from airflow_provider_esp.services.esputnik.mapping.broadcast_progress import ActivityReader, BroadcastWatch

T = TypeVar("T")

KYIV = ZoneInfo("Europe/Kyiv")
NOON = datetime(2026, 3, 3, 12, 0, tzinfo=KYIV)
OPTIONS = BroadcastOptions(message_id="1003", segments=("Readers",))
RUNNING, DONE, FAILED, ACTION_REQUIRED = BroadcastState


def run(flow: Flow[T], answer: Callable[[Call[Any]], Any]) -> T:
    try:
        call = next(flow)
        while True:
            call = flow.send(answer(call))
    except StopIteration as end:
        result: T = end.value
        return result


# -- statuses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state", "started"),
    [
        ("IDLE", DONE, True),
        ("RUNNING", RUNNING, True),
        ("PAUSED", ACTION_REQUIRED, True),
        ("SCHEDULED", RUNNING, False),
        ("UNCONFIRMED", ACTION_REQUIRED, False),
        ("CONSIDERATION", ACTION_REQUIRED, False),
        ("BLOCKED", FAILED, None),
        ("idle", DONE, True),
    ],
)
def test_every_status_says_how_far_the_broadcast_is(word: str, state: BroadcastState, started: bool | None) -> None:
    told = broadcast_mapping.broadcast(broadcasts.Broadcast(broadcast_id="7", status=word), KYIV)
    assert (told.state, told.started, told.documented) == (state, started, True)
    assert told.status.startswith(f"{word} (")


def test_the_table_has_the_documented_words_and_no_others() -> None:
    words = {"IDLE", "RUNNING", "PAUSED", "SCHEDULED", "UNCONFIRMED", "CONSIDERATION", "BLOCKED"}
    assert set(broadcast_mapping.Status.__members__) == words


def test_a_status_nobody_documented_is_running() -> None:
    told = broadcast_mapping.broadcast(broadcasts.Broadcast(broadcast_id="7", status="ON_HOLD"), KYIV)
    assert (told.state, told.documented, told.status) == (RUNNING, False, "ON_HOLD (not documented)")


def test_an_answer_without_a_status_is_running_and_says_so_little() -> None:
    view = broadcasts.Broadcast(broadcast_id="7", title="Sale", start_date="2026-03-03T12:00:00", group_ids=["5"])
    told = broadcast_mapping.broadcast(view, KYIV)
    assert (told.state, told.documented, told.status, told.started) == (RUNNING, True, "", None)
    assert (told.starts_at, told.segments) == (NOON, ("5",))


@pytest.mark.parametrize("written", ["", None, "soon", "03.03.2026"])
def test_a_start_that_cannot_be_read_is_no_start(written: str | None) -> None:
    view = broadcasts.Broadcast(broadcast_id="7", start_date=written)
    assert broadcast_mapping.broadcast(view, KYIV).starts_at is None


# -- what is created -----------------------------------------------------------------------------------------------


def listing(call: Call[Any]) -> Any:
    assert call.name == "GET v1/groups"
    names = ["Readers", "VIP", "Twice", "Twice"]
    return [Segment(id=number, name=name) for number, name in enumerate(names, 101)]


def test_a_broadcast_is_sent_with_everything_that_was_asked_for() -> None:
    options = BroadcastOptions(
        message_id="1003",
        segments=("Readers", " VIP "),
        segments_exclude=("999",),
        start=datetime(2026, 3, 3, 10, 5, 59, tzinfo=UTC),
        batch_size=50,
        batch_interval="HOUR",
        domain="shop.example",
        app_id="app",
    )
    target = run(broadcast_mapping.prepare(options, KYIV), listing)
    assert (target.segments, target.excluded) == (("101", "102"), ("999",))
    sent: list[Any] = []

    def answer(call: Call[Any]) -> Any:
        assert (call.name, call.repeatable) == ("POST v1/broadcast", False)
        sent.append(msgspec.json.decode(call.content or b""))
        return broadcasts.Broadcast(broadcast_id="7", title="[af-1] Sale")

    made = run(target.create("[af-1] Sale"), answer)
    assert (made.id, made.title) == ("7", "[af-1] Sale")
    assert sent == [
        {
            "messageId": "1003",
            "groups": [101, 102],
            "title": "[af-1] Sale",
            "excludedGroups": [999],
            "startDate": "2026-03-03T12:05",
            "batchSize": 50,
            "batchIntervalUnit": "HOUR",
            "domain": "shop.example",
            "appId": "app",
        }
    ]


@pytest.mark.parametrize(("name", "said"), [("Redaers", "has no segment 'Redaers'"), ("Twice", "has 2 segments")])
def test_a_segment_that_is_not_there_or_not_one_is_refused(name: str, said: str) -> None:
    with pytest.raises(ObjectNotFound, match=said):
        run(broadcast_mapping.segment_ids(["Readers"], [name]), listing)


def test_ids_need_no_look_up() -> None:
    def nothing(call: Call[Any]) -> Any:
        raise AssertionError(call)

    assert run(broadcast_mapping.segment_ids(["5", "6"], []), nothing) == (("5", "6"), ())


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"subject": "Hi"}, Unsupported),
        ({"body": "<p>"}, Unsupported),
        ({"sender_name": "Shop"}, Unsupported),
        ({"sender_email": "shop@example.com"}, Unsupported),
        ({"segment_id": 5}, Unsupported),
        ({"is_test": True}, Unsupported),
        ({"draft": True}, Unsupported),
        ({"message_id": None}, ValueError),
        ({"segments": ()}, ValueError),
        ({"batch_size": 5}, ValueError),
        ({"batch_interval": "DAY"}, ValueError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_had_is_refused_before_anything_is_asked(wrong: dict[str, Any], error: type[Exception]) -> None:
    def nothing(call: Call[Any]) -> Any:
        raise AssertionError(call)

    with pytest.raises(error):
        run(broadcast_mapping.prepare(msgspec.structs.replace(OPTIONS, **wrong), KYIV), nothing)


def test_a_broadcast_is_found_by_its_marker_on_whichever_page() -> None:
    views = [broadcasts.Broadcast(broadcast_id=str(number), title=f"No {number}") for number in range(1200)]
    views[1100] = broadcasts.Broadcast(broadcast_id="1100", title="[af-12] Sale")
    views[3] = broadcasts.Broadcast(broadcast_id="3")
    asked: list[int] = []

    def answer(call: Call[Any]) -> Any:
        first, most = int(call.query["startindex"] or 0), int(call.query["maxrows"] or 0)
        asked.append(first)
        return views[first - 1 : first - 1 + most]

    assert [one.id for one in run(broadcast_mapping.find("af-12", KYIV), answer)] == ["1100"]
    assert run(broadcast_mapping.find("af-99", KYIV), answer) == []
    assert asked == [1, 501, 1001] * 2


def test_recipients_are_counted_once_each_and_without_the_excluded() -> None:
    members = {"5": range(700), "6": range(600, 800), "9": range(100)}

    def answer(call: Call[Any]) -> Any:
        first, most = int(call.query["startindex"] or 0), int(call.query["maxrows"] or 0)
        found = members[call.path.split("/")[2]]
        return [Contact(id=number) for number in found[first - 1 : first - 1 + most]]

    assert run(broadcast_mapping.count_recipients(["5", "6"], ["9"]), answer) == 700


# -- the account's activity ----------------------------------------------------------------------------------------


class Account:
    """An account's activity as the service hands it out; times are the moments at which things happened.

    :param cursor: ``works``, ``repeats`` the last row, or is ``ignored``.
    :param most: rows that a page has at the most, whatever it is asked for.
    """

    def __init__(
        self, cursor: str = "works", status: str | None = None, start: datetime | None = NOON, most: int = 100_000
    ) -> None:
        self.cursor = cursor
        self.most = most
        self.status = status
        self.start = start
        self.now = NOON
        self.rows: list[tuple[datetime, Activity]] = []
        self.asked: list[Call[Any]] = []

    def happen(self, at: datetime, broadcast_id: int | None = 7, status: str = "DELIVERED", count: int = 1) -> None:
        for _ in range(count):
            number = len(self.rows)
            local = at.astimezone(KYIV).replace(tzinfo=None)
            row = Activity(
                iid=f"i{number}",
                email=f"p{number}@example.com",
                activity_status=status,
                activity_date_time=local.isoformat(timespec="seconds"),
                broadcast_id=broadcast_id,
            )
            self.rows.append((at, row))

    def answer(self, call: Call[Any]) -> Any:
        self.asked.append(call)
        if call.name == "GET v1/broadcast/{broadcast_id}":
            start = None if self.start is None else self.start.astimezone(KYIV).strftime("%Y-%m-%dT%H:%M:%S")
            return broadcasts.Broadcast(broadcast_id="7", start_date=start, status=self.status)
        assert call.name == "GET v2/contacts/activity"
        first, last = (datetime.fromisoformat(str(call.query[name])) for name in ("dateFrom", "dateTo"))
        there = sorted((at, number) for number, (at, row) in enumerate(self.rows) if at <= self.now)
        within = [
            (at, number)
            for at, number in there
            if first <= datetime.fromisoformat(self.rows[number][1].activity_date_time or "") <= last
        ]
        after = call.query.get("offset")
        if after and self.cursor != "ignored":
            stamp, _, order = str(after).partition("/")
            place = (datetime.fromisoformat(stamp), int(order))
            within = [one for one in within if (one >= place if self.cursor == "repeats" else one > place)]
        page = within[: min(int(call.query["maxrows"] or 0), self.most)]
        return [
            msgspec.structs.replace(self.rows[number][1], offset=f"{at.astimezone(UTC).isoformat()}/{number}")
            for at, number in page
        ]

    def look(self, watch: BroadcastWatch) -> BroadcastLook:
        return run(watch.look(self.now.timestamp()), self.answer)

    def until_over(self, watch: BroadcastWatch, step: timedelta = timedelta(minutes=1), most: int = 500) -> int:
        """Look again and again; gives after how many looks it was over."""
        for looks in range(1, most):
            found = self.look(watch)
            if found.state is not RUNNING:
                return looks
            self.now += timedelta(0) if found.behind else step
        raise AssertionError("it never ended")


def watching(until: Any = None, *, settle_time: float = 600.0, expected: int | None = None) -> BroadcastWatch:
    return BroadcastWatch("7", BroadcastGoal(until=until, settle_time=settle_time, expected=expected), KYIV)


def test_settled_is_when_no_new_result_has_come_for_the_settle_time() -> None:
    account = Account()
    for minute in range(10):
        account.happen(NOON + timedelta(minutes=minute))
    account.until_over(watching())
    assert account.now == NOON + timedelta(minutes=9 + 10)


def test_what_others_do_and_what_readers_do_does_not_keep_it_from_settling() -> None:
    account = Account()
    account.happen(NOON)
    for minute in range(60):
        account.happen(NOON + timedelta(minutes=minute), broadcast_id=8)
        account.happen(NOON + timedelta(minutes=minute), status="READ")
        account.happen(NOON + timedelta(minutes=minute), broadcast_id=None)
    account.until_over(watching())
    assert account.now == NOON + timedelta(minutes=10)


def test_a_broadcast_that_nothing_was_seen_of_does_not_settle() -> None:
    account = Account()
    account.happen(NOON, broadcast_id=8)
    watch = watching(settle_time=60)
    for _ in range(300):
        look = account.look(watch)
        assert look.state is RUNNING
        account.now += timedelta(minutes=1)
    assert "it may wait for its time or a moderator" in look.reason


def test_a_batch_that_comes_late_begins_the_settle_time_anew() -> None:
    account = Account()
    account.happen(NOON)
    account.happen(NOON + timedelta(minutes=8), status="UNDELIVERED")
    account.until_over(watching())
    assert account.now == NOON + timedelta(minutes=18)


@pytest.mark.parametrize("status", ["DELIVERED", "UNDELIVERED", "READ", "CLICKED"])
def test_started_is_when_activity_shows_anything_of_it(status: str) -> None:
    account = Account()
    account.happen(NOON + timedelta(minutes=7), status=status)
    account.happen(NOON, broadcast_id=8)
    account.until_over(watching("started"))
    assert account.now == NOON + timedelta(minutes=7)


def test_a_share_is_reached_by_delivered_and_undelivered_together() -> None:
    account = Account()
    for minute in range(100):
        account.happen(NOON + timedelta(minutes=minute), status="UNDELIVERED" if minute % 10 == 0 else "DELIVERED")
    watch = watching(0.5, expected=100)
    account.until_over(watch)
    look = account.look(watch)
    assert account.now == NOON + timedelta(minutes=49)
    assert (look.delivered, look.undelivered) == (45, 5)
    assert look.reason == "50 of 100 expected recipients have a result"


def test_a_long_wait_says_how_far_it_is_and_how_old_the_newest_result() -> None:
    account = Account()
    account.happen(NOON + timedelta(minutes=1), count=400)
    account.happen(NOON + timedelta(minutes=2), status="UNDELIVERED", count=12)
    account.now = NOON + timedelta(minutes=2, seconds=12)
    watch = watching(0.98, expected=1000)
    # The first page may have been cut; that there is no more is known when the next one brings nothing.
    assert account.look(watch).reason == "412 of 1,000 (41 %), read up to 12 s ago"
    assert account.look(watch).reason == "412 of 1,000 (41 %), newest result 12 s ago"
    account.now += timedelta(minutes=5)
    assert account.look(watch).reason == "412 of 1,000 (41 %), newest result 5 min 12 s ago"


def test_a_wait_that_is_behind_says_up_to_when_it_has_read() -> None:
    account = Account()
    for minute in range(50):
        account.happen(NOON + timedelta(minutes=minute), count=40)
    account.now = NOON + timedelta(hours=1)
    look = account.look(watching(1.0, expected=2000))
    assert look.behind
    assert look.reason == "1,000 of 2,000 (50 %), read up to 36 min ago"


@pytest.mark.parametrize("expected", [None, 0])
def test_a_share_of_nobody_is_refused(expected: int | None) -> None:
    with pytest.raises(ValueError, match="needs their number"):
        watching(0.98, expected=expected)


@pytest.mark.parametrize("most", [100_000, 300])
@pytest.mark.parametrize("cursor", ["works", "repeats", "ignored"])
def test_rows_that_have_piled_up_are_read_a_page_at_a_look_and_counted_once(cursor: str, most: int) -> None:
    account = Account(cursor, most=most)
    for second in range(2500):
        account.happen(NOON + timedelta(seconds=second), broadcast_id=7 if second % 2 else 8)
    account.now = NOON + timedelta(hours=1)
    watch = watching(1.0, expected=1250)
    looks = 0
    while (look := account.look(watch)).state is RUNNING:
        looks += 1
        assert look.behind
        assert looks < 50
    assert look.delivered == 1250
    pages = [call for call in account.asked if call.name.endswith("activity")]
    assert all(call.query["maxrows"] == 1000 for call in pages)
    assert len(pages) == looks + 1


def test_while_it_is_behind_the_broadcast_itself_is_not_asked_for_again() -> None:
    account = Account()
    account.happen(NOON, count=3000)
    account.now = NOON + timedelta(minutes=5)
    watch = watching()
    for _ in range(4):
        account.look(watch)
    assert [call.name for call in account.asked].count("GET v1/broadcast/{broadcast_id}") == 1


def test_it_has_not_settled_while_there_is_more_to_read() -> None:
    account = Account()
    account.happen(NOON)
    account.happen(NOON + timedelta(minutes=1), broadcast_id=8, count=5000)
    account.happen(NOON + timedelta(minutes=2))
    account.now = NOON + timedelta(minutes=30)
    watch = watching(settle_time=1)
    for _ in range(5):
        assert account.look(watch).state is RUNNING
        account.now += timedelta(seconds=30)
    look = account.look(watch)
    assert look.delivered == 2


def test_an_account_that_never_rests_is_not_chased() -> None:
    account = Account()
    account.happen(NOON)
    for second in range(3600):
        account.happen(NOON + timedelta(seconds=second), broadcast_id=8, count=2)
    account.now += timedelta(seconds=1)
    watch, looks = watching(settle_time=600), 0
    while (found := account.look(watch)).state is RUNNING:
        looks += 1
        account.now += timedelta(seconds=1 if found.behind else 60)
    assert NOON + timedelta(minutes=10) <= account.now < NOON + timedelta(minutes=12)
    assert looks < 30


def test_a_cursor_that_leads_nowhere_within_one_minute_is_an_error_that_says_so() -> None:
    account = Account("ignored")
    account.happen(NOON, broadcast_id=8, count=1500)
    account.now = NOON + timedelta(minutes=5)
    watch = watching()
    account.look(watch)
    account.look(watch)
    with pytest.raises(PagingFault, match="gives 1000 rows of one minute, from 2026-03-03 10:00 UTC on"):
        account.look(watch)


def test_a_wait_of_days_reads_by_short_periods_and_remembers_little() -> None:
    account = Account()
    moment = NOON
    while moment < NOON + timedelta(days=3):
        account.happen(moment)
        moment += timedelta(minutes=5)
    watch = watching(1.0, expected=len(account.rows))
    with mock.patch.object(broadcast_progress, "_REMEMBERED", 50):
        account.until_over(watch, timedelta(minutes=30))
    assert account.now >= moment - timedelta(minutes=5)
    for call in account.asked:
        if call.name.endswith("activity"):
            first, last = (datetime.fromisoformat(str(call.query[name])) for name in ("dateFrom", "dateTo"))
            assert last - first <= timedelta(hours=2)


@pytest.mark.parametrize("turn", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
def test_the_night_in_which_the_clock_is_changed_loses_no_row_and_counts_none_twice(turn: datetime) -> None:
    account = Account(start=turn - timedelta(hours=2))
    account.now = turn - timedelta(hours=2)
    for minute in range(240):
        account.happen(turn + timedelta(minutes=minute - 120))
    watch = watching(1.0, expected=240)
    account.until_over(watch, timedelta(minutes=7))
    assert account.look(watch).delivered == 240


def test_a_broadcast_whose_time_has_not_come_is_asked_for_and_its_activity_but_once() -> None:
    account = Account(start=NOON + timedelta(hours=5))
    account.happen(NOON + timedelta(hours=5, minutes=1))
    watch = watching("started")
    account.until_over(watch, timedelta(minutes=10))
    assert account.now >= NOON + timedelta(hours=5)
    before = [call for call in account.asked if call.name.endswith("activity")]
    assert len(before) < 10


def test_a_broadcast_without_a_start_is_looked_for_from_where_the_goal_says() -> None:
    account = Account(start=None)
    account.happen(NOON - timedelta(hours=1))
    account.look(BroadcastWatch("7", BroadcastGoal(since=(NOON - timedelta(hours=2)).timestamp()), KYIV))
    assert account.asked[-1].query["dateFrom"] == "2026-03-03T09:58"
    account.look(watching())
    assert account.asked[-1].query["dateFrom"] == "2026-03-02T11:58"


@pytest.mark.parametrize(
    ("status", "until", "state"),
    [
        ("IDLE", None, DONE),
        ("BLOCKED", None, FAILED),
        ("CONSIDERATION", "settled", ACTION_REQUIRED),
        ("PAUSED", 0.5, ACTION_REQUIRED),
        ("RUNNING", "started", DONE),
        ("SCHEDULED", "started", RUNNING),
        ("RUNNING", None, RUNNING),
    ],
)
def test_a_status_that_the_answer_has_is_used_and_no_activity_is_asked_for(
    status: str, until: Any, state: BroadcastState
) -> None:
    account = Account(status=status)
    look = account.look(watching(until, expected=100))
    assert (look.state, look.status.split()[0]) == (state, status)
    assert [call.name for call in account.asked] == ["GET v1/broadcast/{broadcast_id}"]


def test_a_share_is_counted_while_the_status_says_running() -> None:
    account = Account(status="RUNNING")
    account.happen(NOON, count=60)
    account.now += timedelta(minutes=1)
    assert account.look(watching(0.5, expected=100)).state is DONE


def test_an_undocumented_status_is_warned_of_once_and_the_activity_decides() -> None:
    account = Account(status="ON_HOLD")
    account.happen(NOON)
    watch = watching()
    warnings = []
    while (look := account.look(watch)).state is RUNNING:
        warnings.append(look.warning)
        account.now += timedelta(minutes=1)
    assert (
        warnings[0] == "Broadcast 7 has a status that is not documented, ON_HOLD (not documented): taken for running."
    )
    assert set(warnings[1:]) == {""}
    assert account.look(BroadcastWatch("7", BroadcastGoal(warned=True), KYIV)).warning == ""


@settings(max_examples=150, deadline=None)
@given(
    cursor=st.sampled_from(["works", "repeats", "ignored"]),
    gaps=st.lists(st.integers(0, 4000), min_size=1, max_size=60),
    mine=st.lists(st.sampled_from([7, 8, None]), min_size=1, max_size=60),
    step=st.integers(5, 9000),
    page=st.sampled_from([3, 10]),
    most=st.sampled_from([2, 5, 100]),
)
def test_however_rows_come_and_looks_fall_each_is_counted_once(
    cursor: str, gaps: list[int], mine: list[int | None], step: int, page: int, most: int
) -> None:
    account, at = Account(cursor, most=most), NOON
    for gap, broadcast_id in zip(gaps, mine, strict=False):
        at += timedelta(seconds=gap)
        account.happen(at, broadcast_id)
    wanted = sum(row.broadcast_id == 7 for _, row in account.rows)
    reader, seen = ActivityReader(NOON, KYIV), 0
    with mock.patch.object(broadcast_progress, "PAGE_ROWS", page):
        try:
            while True:
                seen += sum(row.broadcast_id == 7 for row in run(reader.read(account.now), account.answer))
                if reader.caught_up and account.now > at:
                    break
                account.now += timedelta(0) if reader.behind else timedelta(seconds=step)
        except PagingFault:
            assert cursor == "ignored"
            return
    # Where the cursor is ignored and pages are cut, rows of one minute that do not fit into a page cannot be seen.
    assert seen == wanted or (cursor == "ignored" and most < page and seen < wanted)
