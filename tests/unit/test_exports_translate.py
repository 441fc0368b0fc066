"""What the services hand out for files, in the columns that both share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_esp.core.calls import Call, Page
from airflow_provider_esp.core.export.schema import Period
from airflow_provider_esp.exceptions import ObjectNotFound, Unsupported
from airflow_provider_esp.services.esputnik.api import activity, broadcasts, general
from airflow_provider_esp.services.esputnik.api.models import Address, Channel, Contact, ContactField, Segment
from airflow_provider_esp.services.esputnik.mapping.exports import Exports as Esputnik
from airflow_provider_esp.services.sendpulse.api import addressbooks
from airflow_provider_esp.services.sendpulse.api.campaign_models import Campaign, Figures
from airflow_provider_esp.services.sendpulse.mapping.exports import Exports as SendPulse

KYIV = ZoneInfo("Europe/Kyiv")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def rows_of(pages: Generator[Any, Any, None], answer: Callable[[Call[Any]], Any]) -> list[Any]:
    """Read a long answer to its end."""
    rows: list[Any] = []
    reply = None
    while True:
        try:
            step = pages.send(reply)
        except StopIteration:
            return rows
        if isinstance(step, Page):
            rows.extend(step.rows)
            reply = None
        else:
            reply = answer(step)


def did(at: str, status: str = "READ", **more: Any) -> activity.Activity:
    return activity.Activity(activity_date_time=at, activity_status=status, **more)


class ActivityService:
    """Gives every row of the period that it is asked for, bounds included."""

    def __init__(self, *rows: activity.Activity) -> None:
        self.rows = rows
        self.calls: list[Call[Any]] = []

    def __call__(self, call: Call[Any]) -> list[activity.Activity]:
        self.calls.append(call)
        if call.query["offset"] is not None:
            return []
        first, last = str(call.query["dateFrom"]), str(call.query["dateTo"])
        return [row for row in self.rows if first <= (row.activity_date_time or first)[:16] <= last]


# -- eSputnik ------------------------------------------------------------------------------------------------------


def test_activity_is_told_in_shared_words_and_in_utc() -> None:
    row = did(
        "2026-01-01T14:30:00",
        "SPAM",
        iid="i1",
        contact_id=5,
        email="ann@example.com",
        media_type="email",
        message_id=1001,
        message_name="Win-back",
        broadcast_id=7,
        from_="Shop",
        status_data=activity.StatusData(subscription=activity.SubscriptionChange(subscriptions=["offers", "news"])),
    )
    (made,) = rows_of(Esputnik(KYIV).activity(Period(NOON, NOON + DAY)), ActivityService(row))
    assert made.occurred_at == datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
    assert (made.status, made.service_status) == ("complained", "SPAM")
    assert (made.contact_id, made.message_id, made.broadcast_id) == ("5", "1001", "7")
    assert (made.address, made.sender, made.service) == ("ann@example.com", "Shop", "esputnik")
    assert made.subscriptions == ["news", "offers"]


def test_a_status_that_nobody_has_documented_is_kept_as_it_is() -> None:
    (made,) = rows_of(Esputnik(UTC).activity(Period(NOON, NOON + DAY)), ActivityService(did("2026-01-01T13:00", "NEW")))
    assert (made.status, made.service_status) == ("new", "NEW")


def test_periods_that_follow_each_other_share_no_row_and_lose_none() -> None:
    rows = [did((NOON + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%S"), iid=str(n)) for n in range(0, 7200, 30)]
    service = ActivityService(*rows)
    cuts = [NOON, NOON + timedelta(minutes=10), NOON + timedelta(minutes=71, seconds=30), NOON + timedelta(hours=2)]
    found = [
        made.interaction_id
        for start, end in pairwise(cuts)
        for made in rows_of(Esputnik(UTC).activity(Period(start, end)), service)
    ]
    assert sorted(found) == sorted(row.iid for row in rows if row.iid)


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize("day", [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 21, tzinfo=UTC)])
def test_when_the_clock_changes_every_row_is_still_in_one_period(day: datetime, hours: int) -> None:
    clock = [(day + timedelta(minutes=n)).astimezone(KYIV).replace(tzinfo=None) for n in range(0, 25 * 60, 10)]
    rows = [did(at.isoformat(), iid=str(number)) for number, at in enumerate(clock)]
    service = ActivityService(*rows)
    starts = [day + timedelta(hours=hours * n) for n in range(-2, 28 // hours + 3)]
    found = [
        made.interaction_id
        for start in starts
        for made in rows_of(Esputnik(KYIV).activity(Period(start, start + timedelta(hours=hours))), service)
    ]
    assert sorted(found) == sorted(str(number) for number in range(len(clock)))


def test_one_status_is_asked_for_and_several_are_chosen_here() -> None:
    service = ActivityService(did("2026-01-01T13:00", "READ"), did("2026-01-01T13:01", "CLICKED"))
    exports, period = Esputnik(UTC), Period(NOON, NOON + DAY)
    assert [row.status for row in rows_of(exports.activity(period, statuses=["read"]), service)] == ["read"]
    assert {call.query["activityStatus"] for call in service.calls} == {"READ"}
    service.calls.clear()
    found = rows_of(exports.activity(period, statuses=["clicked", "complained"], message_tag="sale"), service)
    assert [row.status for row in found] == ["clicked"]
    assert {(call.query["activityStatus"], call.query["messageTag"]) for call in service.calls} == {(None, "sale")}


FIELDS = general.AddressBooks(
    address_book=[
        general.AddressBook(
            field_groups=[
                general.FieldGroup(profile_key="LOYALTY", fields=[general.Field(id=3, field_key="TIER")]),
            ]
        )
    ]
)
ANN = Contact(
    id=1,
    first_name="Ann",
    channels=[Channel(type="email", value="ann@example.com"), Channel(type="sms", value="380501112233")],
    address=Address(town="Lviv"),
    fields=[ContactField(id=3, value="gold"), ContactField(id=99, value="x"), ContactField(id=4)],
    groups=[Segment(id=7, name="Readers"), Segment(id=8, name="Buyers")],
    external_customer_id="c-1",
)


def test_a_segments_contacts_carry_all_that_is_known_of_them() -> None:
    def answer(call: Call[Any]) -> Any:
        return {
            "v1/addressbooks": FIELDS,
            "v1/groups": [Segment(id=7, name="Readers")],
            "v1/group/7/contacts": [ANN],
        }[call.path]

    (row,) = rows_of(Esputnik(KYIV).contacts("Readers"), answer)
    assert (row.contact_id, row.email, row.phone, row.town) == ("1", "ann@example.com", "380501112233", "Lviv")
    assert (row.external_id, row.segments, row.segment) == ("c-1", ["Buyers", "Readers"], "Readers")
    assert row.fields == '{"4":null,"99":"x","LOYALTY.TIER":"gold"}'


def test_the_whole_account_is_read_in_the_order_that_stays() -> None:
    calls: list[Call[Any]] = []

    def answer(call: Call[Any]) -> Any:
        calls.append(call)
        return FIELDS if call.path == "v1/addressbooks" else [ANN]

    (row,) = rows_of(Esputnik(KYIV).contacts(None), answer)
    assert (row.segment, calls[-1].path, calls[-1].query["sortBy"]) == (None, "v1/contacts", "contactId")


def test_a_segment_that_is_not_there_is_named() -> None:
    with pytest.raises(ObjectNotFound, match="no segment 'Reders'"):
        rows_of(Esputnik(KYIV).contacts("Reders"), lambda call: FIELDS if "addressbooks" in call.path else [])


def test_a_broadcast_without_a_status_has_no_state() -> None:
    listed = [broadcasts.Broadcast(broadcast_id="7", title="Spring", start_date="2026-01-01T14:00")]
    (row,) = rows_of(Esputnik(KYIV).broadcasts(), lambda call: listed)
    assert (row.broadcast_id, row.name, row.state, row.starts_at) == ("7", "Spring", None, NOON)


# -- SendPulse -----------------------------------------------------------------------------------------------------


def test_sendpulse_says_that_it_has_no_activity_and_what_it_has() -> None:
    with pytest.raises(Unsupported, match=r"SendPulse cannot list what people did.*ExportBroadcastStatsOperator"):
        SendPulse(KYIV).activity(Period(NOON, NOON + DAY))


def test_the_contacts_of_all_mailing_lists_carry_the_lists_name() -> None:
    def answer(call: Call[Any]) -> Any:
        if call.label == "addressbooks":
            return [addressbooks.Book(id=5, name="Readers"), addressbooks.Book(id=6, name="Gone", status=1)]
        return [
            addressbooks.BookEmail(
                email="ann@example.com",
                status=1,
                status_explain="Active",
                add_date="2026-01-01 14:00:00",
                variables={"first_name": "Ann", "Phone": 380501112233, "tier": "gold"},
            )
        ]

    (row,) = rows_of(SendPulse(KYIV).contacts(None), answer)
    assert (row.segment, row.email, row.first_name, row.phone) == ("Readers", "ann@example.com", "Ann", "380501112233")
    assert (row.status, row.added_at, row.contact_id) == ("Active", NOON, None)
    assert row.fields == '{"Phone":380501112233,"tier":"gold"}'


def test_a_campaign_has_the_services_own_figures_and_messages_by_phone_are_none() -> None:
    figures = Figures(sent=9, delivered=8, opening=5, link_redirected=2, unsubscribe=1, error=1)
    listed = [
        Campaign(id=7, name="Spring", status=3, statistics=figures, all_email_qty=10, send_date="2026-01-01 14:00:00"),
        Campaign(id=8, is_sms=True),
    ]
    (row,) = rows_of(SendPulse(KYIV).broadcasts(), lambda call: listed)
    assert (row.broadcast_id, row.state, row.status, row.starts_at) == ("7", "done", "3 (sent)", NOON)
    assert (row.recipients, row.sent, row.delivered, row.undelivered) == (10, 9, 8, 1)
    assert (row.read, row.clicked, row.unsubscribed, row.complained) == (5, 2, 1, None)
    assert (row.counted_from, row.period_start) == ("service", None)
