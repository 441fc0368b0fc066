"""Flows and long answers of eSputnik, driven by hand: what they ask, and what they make of the answers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Call, Page
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.exceptions import PagingFault
from airflow_provider_esp.services.esputnik import datetimes
from airflow_provider_esp.services.esputnik.api import (
    activity,
    activity_pages,
    broadcasts,
    contacts,
    general,
    reading,
    templates,
)
from airflow_provider_esp.services.esputnik.api.models import Channel, Contact, ContactUpdate, Segment
from airflow_provider_esp.services.esputnik.api.paging import by_index

Answers = Callable[[Call[Any]], Any]


def drive(work: Generator[Any, Any, Any], answer: Answers) -> tuple[Any, list[list[Any]], list[Call[Any]]]:
    """Run a flow or a long answer: what it returns, the pages it hands out, the calls it makes."""
    pages: list[list[Any]] = []
    calls: list[Call[Any]] = []
    reply = None
    while True:
        try:
            step = work.send(reply)
        except StopIteration as end:
            return end.value, pages, calls
        if isinstance(step, Page):
            pages.append(list(step.rows))
            reply = None
        else:
            calls.append(step)
            reply = answer(step)


def canned(*answers: Any) -> Answers:
    left = list(answers)
    return lambda call: left.pop(0)


# -- lists by index --------------------------------------------------------------------------------------------


def segments(first: int, last: int) -> list[Segment]:
    return [Segment(id=number) for number in range(first, last + 1)]


def test_a_list_is_read_until_a_page_is_short() -> None:
    _, pages, calls = drive(
        reading.group_pages("x"), canned(segments(1, 500), segments(501, 1000), segments(1001, 1003))
    )
    assert [len(page) for page in pages] == [500, 500, 3]
    assert [call.query["startindex"] for call in calls] == [1, 501, 1001]
    assert {call.query["name"] for call in calls} == {"x"}


def test_a_list_that_ends_with_a_full_page_takes_one_more_call_and_no_empty_page() -> None:
    _, pages, calls = drive(reading.group_pages(), canned(segments(1, 500), []))
    assert [len(page) for page in pages] == [500]
    assert len(calls) == 2


def test_a_list_that_repeats_itself_is_not_read_for_ever() -> None:
    with pytest.raises(PagingFault, match="GET v1/groups answered the same 500 rows for index 501"):
        drive(reading.group_pages(), lambda call: segments(1, 500))


@given(st.integers(0, 60), st.integers(1, 7))
def test_every_row_of_a_list_comes_once_and_in_order(count: int, size: int) -> None:
    def fetch(index: int) -> Call[list[Segment]]:
        return reading.groups(start_index=index, max_rows=size)

    def answer(call: Call[Any]) -> list[Segment]:
        first = int(call.query["startindex"] or 0)
        return segments(first, min(count, first + size - 1))

    _, pages, _ = drive(by_index(fetch, size), answer)
    assert [row.id for page in pages for row in page] == list(range(1, count + 1))


@pytest.mark.parametrize(
    ("pages", "path"),
    [
        (general.workflow_pages, "v1/workflows"),
        (templates.email_pages, "v1/messages/email"),
        (templates.text_message_pages, "v1/messages/sms"),
        (broadcasts.broadcast_pages, "v1/broadcasts"),
        (lambda: reading.group_contact_pages(7), "v1/group/7/contacts"),
        (reading.contact_pages, "v1/contacts"),
    ],
)
def test_every_long_list_asks_for_500_from_the_first(pages: Any, path: str) -> None:
    _, rows, calls = drive(pages(), canned([]))
    assert rows == []
    assert [(call.path, call.query["startindex"], call.query["maxrows"]) for call in calls] == [(path, 1, 500)]


def test_all_contacts_are_read_in_the_order_that_stays() -> None:
    _, _, calls = drive(reading.contact_pages(), canned([]))
    assert calls[0].query["sortBy"] == "contactId"
    _, _, calls = drive(reading.contact_pages(email="a@b.example"), canned([]))
    assert calls[0].query["sortBy"] is None
    assert calls[0].query["email"] == "a@b.example"


def test_the_messages_of_a_contact_are_counted_from_0_and_read_by_the_hundred() -> None:
    rows = [activity.ContactMessage(message_id=number) for number in range(150)]
    noon = datetime(2025, 3, 1, 12)
    work = activity.contact_message_pages(noon, noon, contact_id=5)
    _, pages, calls = drive(work, canned(rows[:100], rows[100:]))
    assert [row for page in pages for row in page] == rows
    assert [call.query["offset"] for call in calls] == [0, 100]


# -- finding a contact -----------------------------------------------------------------------------------------


def person(number: int, email: str = "", phone: str = "", external_id: str | None = None) -> Contact:
    channels = [Channel(type=kind, value=value) for kind, value in (("email", email), ("sms", phone)) if value]
    return Contact(id=number, channels=channels, external_customer_id=external_id)


def test_a_search_by_address_is_not_exact_so_the_exact_one_is_picked() -> None:
    hits = [person(1, "joann@x.example"), person(2, "Ann@X.example"), person(3, "ann@x.example")]
    found, _, calls = drive(reading.find_contact(email="ann@x.example"), canned(hits))
    assert found == 2
    assert [call.name for call in calls] == ["GET v1/contacts"]


def test_a_phone_is_found_however_it_is_spelled() -> None:
    found, _, _ = drive(reading.find_contact(phone="+38 (050) 111-22-33"), canned([person(4, phone="380501112233")]))
    assert found == 4


def test_an_external_id_is_checked_on_the_contact_itself() -> None:
    answers = canned([person(1), person(2)], person(1, external_id="c-10"), person(2, external_id="c-1"))
    found, _, calls = drive(reading.find_contact(external_id="c-1", email="ann@x.example"), answers)
    assert found == 2
    assert [call.name for call in calls] == ["GET v1/contacts", "GET v1/contact/{id}", "GET v1/contact/{id}"]


def test_what_is_not_there_is_none_after_all_searches() -> None:
    work = reading.find_contact(external_id="c", email="ann@x.example", phone="1")
    found, _, calls = drive(work, canned([], [], [person(9, phone="12")]))
    assert found is None
    assert [sorted(k for k, v in call.query.items() if v and k not in ("startindex", "maxrows")) for call in calls] == [
        ["externalCustomerId"],
        ["email"],
        ["sms"],
    ]


def test_looking_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="Nothing to look for"):
        drive(reading.find_contact(), canned())


# -- requests the service has seen already ---------------------------------------------------------------------

ANN = ContactUpdate(channels=[Channel(type="email", value="ann@x.example"), Channel(type="sms", value="1")])


def test_an_upsert_that_was_done_already_is_answered_by_looking_the_contact_up() -> None:
    call = contacts.upsert(ANN)
    assert call.when_done is not None
    found, _, _ = drive(call.when_done(), canned([person(8, "ann@x.example")]))
    assert found == contacts.ContactId(id=8)


def test_a_subscription_that_was_done_already_is_answered_by_looking_the_contact_up() -> None:
    call = contacts.subscribe(ANN)
    assert call.when_done is not None
    found, _, _ = drive(call.when_done(), canned([], [person(8, phone="1")]))
    assert found == contacts.Subscribed(id=8)


def test_an_update_that_was_done_already_needs_no_look_up() -> None:
    call = contacts.update(5, ANN)
    assert call.when_done is not None
    sentence, _, calls = drive(call.when_done(), canned())
    assert isinstance(sentence, str)
    assert calls == []


def test_a_contact_that_was_taken_and_is_not_found_is_an_error_that_says_what_to_do() -> None:
    call = contacts.upsert(ANN)
    assert call.when_done is not None
    with pytest.raises(LookupError, match="look for the contact in the account") as error:
        drive(call.when_done(), canned([], []))
    assert "ann@" not in str(error.value)


# -- activity ----------------------------------------------------------------------------------------------------

START = datetime(2025, 3, 1)


def did(number: int, at: datetime, status: str = "READ") -> activity.Activity:
    return activity.Activity(
        iid=f"i{number}",
        contact_id=number,
        activity_status=status,
        activity_date_time=at.isoformat(),
        offset=f"o{number}",
    )


class ActivityService:
    """Answers from a list of rows; its cursor can be good, stuck, missing, going back and forth, or at its end at once.

    :param most: rows that it gives at once, whatever it is asked for.
    """

    def __init__(
        self, rows: list[activity.Activity], cursor: str = "good", *, end_belongs: bool = True, most: int = 10**9
    ) -> None:
        self.rows = rows
        self.cursor = cursor
        self.end_belongs = end_belongs
        self.most = most
        self.calls = 0

    def __call__(self, call: Call[Any]) -> list[activity.Activity]:
        self.calls += 1
        first, last = (datetime.fromisoformat(str(call.query[name])) for name in ("dateFrom", "dateTo"))
        last += timedelta(seconds=self.end_belongs)
        rows = [row for row in self.rows if first <= datetime.fromisoformat(str(row.activity_date_time)) < last]
        offset = call.query["offset"]
        size = min(int(call.query["maxrows"] or 0), self.most)
        if offset is not None and self.cursor == "good":
            rows = rows[[row.offset for row in rows].index(str(offset)) + 1 :]
        elif offset is not None and self.cursor == "back and forth":
            rows = rows[size:] if offset == rows[:size][-1].offset else rows
        elif offset is not None and self.cursor == "loses":
            rows = []
        if self.cursor == "missing":
            rows = [msgspec.structs.replace(row, offset=None) for row in rows]
        return rows[:size]


def read_all(service: ActivityService, **options: Any) -> list[str]:
    end = options.pop("end", START + timedelta(hours=6))
    _, pages, _ = drive(activity_pages.activity_pages(START, end, **options), service)
    assert all(pages)
    return [row.iid for page in pages for row in page]


@pytest.mark.parametrize("end_belongs", [True, False])
@pytest.mark.parametrize("cursor", ["good", "stuck", "missing", "back and forth", "loses"])
@given(
    st.lists(st.integers(0, 6 * 3600 - 1), max_size=60),
    st.sampled_from([7, 10, 1000]),
    st.sampled_from([30, 120, 3000]),
    st.sampled_from([7, 8, 11, 10**9]),
)
def test_every_activity_comes_once_whatever_the_cursor_does_and_however_few_rows_come_at_once(
    cursor: str, end_belongs: bool, seconds: list[int], page_rows: int, period: int, most: int
) -> None:
    minutes = [second // 60 for second in seconds]
    few_a_minute = sorted(second for second in seconds if minutes.count(second // 60) <= 3)
    rows = [did(number, START + timedelta(seconds=second)) for number, second in enumerate(few_a_minute)]
    service = ActivityService(rows, cursor, end_belongs=end_belongs, most=most)
    came = read_all(service, page_rows=page_rows, period=timedelta(minutes=period))
    assert sorted(came) == sorted(str(row.iid) for row in rows)


@pytest.mark.parametrize("end_belongs", [True, False])
@pytest.mark.parametrize("period", [timedelta(seconds=90), timedelta(minutes=7), timedelta(hours=6)])
def test_no_activity_is_lost_between_halves(end_belongs: bool, period: timedelta) -> None:
    rows = [did(number, START + timedelta(seconds=30 * number)) for number in range(12 * 60)]
    service = ActivityService(rows, "stuck", end_belongs=end_belongs)
    assert read_all(service, page_rows=5, period=period) == [row.iid for row in rows]


def test_a_good_cursor_leads_past_a_minute_of_more_than_a_page_that_two_periods_share() -> None:
    rows = [did(number, START + timedelta(hours=1)) for number in range(25)]
    assert len(read_all(ActivityService(rows), page_rows=10, period=timedelta(hours=1))) == 25


def test_a_good_cursor_is_followed_and_no_period_is_halved() -> None:
    rows = [did(number, START + timedelta(minutes=1)) for number in range(25)]
    service = ActivityService(rows)
    assert len(read_all(service, page_rows=10, period=timedelta(hours=6))) == 25
    assert service.calls == 5  # three pages, and two looks behind the last: by the cursor, and by time


def test_a_look_behind_a_short_answer_is_taken_only_until_one_was_seen_to_be_whole() -> None:
    rows = [did(number, START + timedelta(hours=number // 9, minutes=number)) for number in range(9 * 5 + 8)]
    service = ActivityService(rows)
    assert len(read_all(service, period=timedelta(hours=1))) == len(rows)
    assert service.calls <= 6 + 2 * 5  # periods, and two looks behind each of the five lengths


@pytest.mark.parametrize("cursor", ["good", "stuck"])
def test_a_service_that_gives_fewer_rows_than_asked_for_loses_none(cursor: str) -> None:
    rows = [did(number, START + timedelta(minutes=number)) for number in range(300)]
    service = ActivityService(rows, cursor, most=50)
    assert sorted(read_all(service)) == sorted(str(row.iid) for row in rows)


def test_more_rows_in_a_minute_than_the_service_gives_at_once_is_an_error_as_soon_as_it_shows() -> None:
    rows = [did(number, START + timedelta(minutes=number // 20)) for number in range(600)]
    with pytest.raises(PagingFault, match="more than 8 rows in the minute"):
        read_all(ActivityService(rows, "stuck", most=8), page_rows=1000)


def test_a_quiet_period_takes_one_call_for_every_two_hours() -> None:
    service = ActivityService([])
    assert read_all(service) == []
    assert service.calls == 3


def test_more_than_a_page_in_one_minute_without_a_cursor_is_an_error_and_not_a_loss() -> None:
    rows = [did(number, START + timedelta(minutes=90)) for number in range(11)]
    with pytest.raises(PagingFault, match="more than 10 rows in the minute from 2025-03-01T01:"):
        read_all(ActivityService(rows, "stuck", most=10), page_rows=10)


@pytest.mark.parametrize("cursor", ["stuck", "missing", "loses"])
def test_more_than_a_page_in_one_minute_is_read_in_one_answer_where_the_cursor_leads_nowhere(cursor: str) -> None:
    rows = [did(number, START + timedelta(minutes=90, seconds=number % 60)) for number in range(1234)]
    assert sorted(read_all(ActivityService(rows, cursor))) == sorted(str(row.iid) for row in rows)


def test_a_cursor_that_loses_what_comes_after_the_first_page_loses_nothing() -> None:
    rows = [did(number, START + timedelta(seconds=3 * number)) for number in range(7000)]
    service = ActivityService(rows, "loses")
    assert sorted(read_all(service)) == sorted(str(row.iid) for row in rows)


def test_the_same_person_reading_and_clicking_is_two_activities() -> None:
    rows = [did(1, START), did(1, START, "CLICKED"), did(1, START + timedelta(seconds=1))]
    assert len(read_all(ActivityService(rows))) == 3


def test_the_end_of_a_period_is_rounded_up_so_that_its_last_seconds_are_read() -> None:
    _, _, calls = drive(activity_pages.activity_pages(START, START + timedelta(minutes=5, seconds=30)), canned([]))
    assert (calls[0].query["dateFrom"], calls[0].query["dateTo"]) == ("2025-03-01T00:00", "2025-03-01T00:06")


def test_what_was_asked_for_is_asked_for_in_every_call() -> None:
    rows = [did(number, START + timedelta(minutes=number)) for number in range(15)]
    service = ActivityService(rows, "stuck")
    pages = activity_pages.activity_pages(
        START, START + timedelta(hours=1), message_tag="t", activity_status="READ", page_rows=5
    )
    _, _, calls = drive(pages, service)
    assert len(calls) > 3
    assert {(call.query["messageTag"], call.query["activityStatus"], call.query["maxrows"]) for call in calls} == {
        ("t", "READ", 5)
    }


@pytest.mark.parametrize(
    ("end", "period"), [(START, timedelta(hours=1)), (START + timedelta(hours=1), timedelta(seconds=59))]
)
def test_a_period_without_length_is_refused(end: datetime, period: timedelta) -> None:
    with pytest.raises(ValueError, match="period"):
        drive(activity_pages.activity_pages(START, end, period=period), canned())


# -- times and models ------------------------------------------------------------------------------------------


def test_a_moment_is_put_on_the_accounts_clock() -> None:
    kyiv = ZoneInfo("Europe/Kyiv")
    assert datetimes.on_account_clock(datetime(2025, 7, 1, 21, 30, tzinfo=UTC), kyiv) == datetime(2025, 7, 2, 0, 30)
    with pytest.raises(ValueError, match="without a time zone"):
        datetimes.on_account_clock(START, kyiv)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))
def test_rounding_up_never_goes_back_and_never_by_a_minute(moment: datetime) -> None:
    up = datetimes.next_minute(moment)
    assert datetimes.whole_minutes(up)
    assert timedelta(0) <= up - moment < timedelta(minutes=1)
    assert datetime.fromisoformat(datetimes.stamp(up)) == up


def test_no_model_shows_a_person() -> None:
    shown = decode(
        b'{"id":5,"firstName":"Ann","channels":{"type":"email","value":"ann@x.example"},"externalCustomerId":"c-1",'
        b'"fields":{"id":"7","value":"secret"},"address":{"town":"Lviv"}}',
        Contact,
    )
    assert repr(shown) == "<Contact id=5>"
    assert repr(shown.channels) == "[<Channel type='email'>]"
    assert repr(shown.fields) == "[<ContactField id=7>]"
    assert repr(shown.address) == "<Address>"
    assert repr(ANN) == "<ContactUpdate>"
    assert "x.example" not in repr(activity.Activity(email="ann@x.example", activity_status="READ"))
