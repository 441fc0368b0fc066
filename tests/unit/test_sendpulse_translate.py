"""Contacts, recipients and events in SendPulse's words."""

from __future__ import annotations

import datetime
import decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.models import STANDARD_FIELDS, Contact, Event, Recipient
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.services.sendpulse.api import _request as common
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping


def sent(call: Call[Any]) -> Any:
    return msgspec.json.decode(call.content or b"")


def test_a_contacts_phone_goes_into_the_vendors_variable_and_the_rest_into_ours() -> None:
    contact = Contact(
        email=" ann@example.com ",
        phone="+380501112233",
        external_id="7",
        first_name="Ann",
        last_name="Lee",
        language="uk",
        time_zone="Europe/Kyiv",
        address="Street 1",
        town="Kyiv",
        region="Kyiv",
        postcode="01001",
        custom={"loyalty": 5},
    )
    assert sent(contact_mapping.book_upload(3, [contact])) == {
        "emails": [
            {
                "email": "ann@example.com",
                "variables": {
                    "Phone": "+380501112233",
                    "external_id": "7",
                    "first_name": "Ann",
                    "last_name": "Lee",
                    "language": "uk",
                    "time_zone": "Europe/Kyiv",
                    "address": "Street 1",
                    "town": "Kyiv",
                    "region": "Kyiv",
                    "postcode": "01001",
                    "loyalty": 5,
                },
            }
        ]
    }


def test_what_was_not_given_is_not_written() -> None:
    assert sent(contact_mapping.book_upload(3, [Contact(email="ann@example.com")])) == {
        "emails": [{"email": "ann@example.com"}]
    }


def test_a_confirmation_names_its_sender_and_forbids_repeating() -> None:
    people = [Contact(email="ann@example.com")]
    call = contact_mapping.book_upload(3, people, confirmation="shop@example.com", message_lang="en", tags=[1])
    assert not call.repeatable
    assert sent(call) == {
        "emails": [{"email": "ann@example.com"}],
        "confirmation": "force",
        "sender_email": "shop@example.com",
        "message_lang": "en",
        "tags": [1],
    }
    assert contact_mapping.book_upload(3, people).repeatable


@pytest.mark.parametrize(
    ("contact", "why"),
    [
        (Contact(phone="380"), "no email"),
        (Contact(email=None), "no email"),
        (Contact(email=" "), "no email"),
        (Contact(email="ann@example.com", phone="1", custom={"Phone": "2"}), "'Phone' is given twice"),
        (Contact(email="ann@example.com", town="a", custom={"town": "b"}), "'town' is given twice"),
        (Contact(email="ann@example.com", custom={"x": [1]}), "'x' is neither a text nor a number but list"),
        (Contact(email="ann@example.com", custom={"x": float("nan")}), "'x' is not a number"),
        (Contact(email="ann@example.com", custom={"x": decimal.Decimal("Infinity")}), "'x' is not a number"),
    ],
)
def test_a_contact_that_cannot_be_uploaded_is_known_beforehand(contact: Contact, why: str) -> None:
    reason = contact_mapping.problem(contact)
    assert reason is not None
    assert why in reason
    assert "example.com" not in reason
    with pytest.raises(ValueError, match="The"):
        contact_mapping.book_upload(3, [Contact(email="fine@example.com"), contact])


@pytest.mark.parametrize("contact", [Contact("a@b.c", first_name=None), Contact("a@b.c", custom={"x": None})])
def test_erasing_is_something_sendpulse_cannot_do(contact: Contact) -> None:
    with pytest.raises(Unsupported, match="SendPulse cannot erase the variable"):
        contact_mapping.book_upload(3, [contact])
    assert "empty string" in (contact_mapping.problem(contact) or "")


def test_a_good_contact_has_no_problem() -> None:
    assert contact_mapping.problem(Contact(email="ann@example.com", first_name="")) is None


def test_what_a_database_hands_out_becomes_what_variables_take() -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    custom = {
        "whole": decimal.Decimal("12.00"),
        "part": decimal.Decimal("12.50"),
        "day": datetime.date(2026, 1, 2),
        "moment": moment,
        "zoned": moment.replace(tzinfo=datetime.UTC),
        "yes": True,
    }
    assert contact_mapping.new_contact(Contact(email="a@b.c", custom=custom)).variables == {
        "whole": 12,
        "part": 12.5,
        "day": "2026-01-02",
        "moment": "2026-01-02T03:04:05",
        "zoned": "2026-01-02T03:04:05+00:00",
        "yes": 1,
    }


TEXT = st.text(max_size=6)
VARIABLE = TEXT | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(min_size=1, max_size=6).filter(lambda name: name not in (*STANDARD_FIELDS, "Phone"))
STANDARD = st.fixed_dictionaries({}, optional={name: TEXT for name in STANDARD_FIELDS if name != "email"})


@given(st.lists(st.tuples(STANDARD, st.dictionaries(NAMES, VARIABLE, max_size=3)), min_size=1, max_size=3))
def test_an_upload_says_everything_given_and_nothing_else(people: list[tuple[dict[str, str], dict[str, Any]]]) -> None:
    contacts = [Contact(email="ann@example.com", custom=custom, **standard) for standard, custom in people]
    rows = sent(contact_mapping.book_upload(3, contacts))["emails"]
    for row, (standard, custom) in zip(rows, people, strict=True):
        expected = {"Phone" if name == "phone" else name: value for name, value in standard.items()} | custom
        assert row == {"email": "ann@example.com", **({"variables": expected} if expected else {})}


@given(
    st.builds(
        Contact,
        email=st.sampled_from(["secret@example.com", "", None]),
        phone=st.sampled_from(["secret", None]),
        custom=st.dictionaries(NAMES, st.sampled_from(["secret", None, ["secret"], {"secret": 1}]), max_size=2),
    )
)
def test_a_problem_never_quotes_a_value(contact: Contact) -> None:
    reason = contact_mapping.problem(contact)
    assert (reason is None) == _uploads(contact)
    assert "secret" not in (reason or "")


def _uploads(contact: Contact) -> bool:
    try:
        contact_mapping.book_upload(3, [contact])
    except (ValueError, Unsupported):
        return False
    return True


def test_an_event_goes_by_name_or_to_its_url() -> None:
    event = Event("purchase", {"sum": decimal.Decimal("9.50"), "day": datetime.date(2026, 1, 2)}, email="a@b.c")
    by_name = contact_mapping.event(event, automation_id=5)
    assert by_name.path == "events/name/purchase"
    assert sent(by_name) == {"email": "a@b.c", "automation_id": 5, "sum": 9.5, "day": "2026-01-02"}
    url = "http://127.0.0.1:1/sendpulse/events/id/a/1"
    by_url = contact_mapping.event(event, event_url=url)
    assert (by_url.path, by_url.authorised) == (url, False)
    form = contact_mapping.event(event, event_url=url, form=True)
    assert form.content == b"email=a%40b.c&sum=9.50&day=2026-01-02"


def test_an_event_keeps_its_structures() -> None:
    event = Event("purchase", {"products": [{"price": decimal.Decimal(3)}]}, phone="380")
    assert sent(contact_mapping.event(event)) == {"phone": "380", "products": [{"price": 3}]}


def test_a_form_needs_an_event_url() -> None:
    with pytest.raises(ValueError, match="event URL"):
        contact_mapping.event(Event("e", email="a@b.c"), form=True)


def test_an_event_without_a_person_is_refused() -> None:
    with pytest.raises(ValueError, match="email or phone"):
        contact_mapping.event(Event("e"))


def test_an_events_key_is_something_sendpulse_does_not_know() -> None:
    with pytest.raises(Unsupported, match="SendPulse cannot tell a repeated event by its key"):
        contact_mapping.event(Event("e", email="a@b.c", key="k"))


def test_a_template_goes_to_exactly_one_person() -> None:
    recipient = Recipient("ann@example.com", {"sum": decimal.Decimal("1.5"), "items": [1]}, external_id="7")
    call = contact_mapping.smtp_template_send(
        12, recipient, sender_name="Shop", sender_email="shop@example.com", subject="Order"
    )
    assert not call.repeatable
    assert sent(call) == {
        "email": {
            "from": {"name": "Shop", "email": "shop@example.com"},
            "to": [{"email": "ann@example.com"}],
            "subject": "Order",
            "template": {"id": 12, "variables": {"sum": 1.5, "items": [1]}},
        }
    }


def test_a_phone_number_gets_no_mail() -> None:
    with pytest.raises(ValueError, match="not an e-mail address") as caught:
        contact_mapping.smtp_template_send(1, Recipient("+380"), sender_name="S", sender_email="s@b.c", subject="x")
    assert "380" not in str(caught.value)


def test_a_language_cannot_be_chosen() -> None:
    with pytest.raises(Unsupported, match="language"):
        contact_mapping.smtp_template_send(
            1, Recipient("a@b.c", language="uk"), sender_name="S", sender_email="s@b.c", subject="x"
        )


def test_moments_are_told_in_the_accounts_time_zone() -> None:
    moment = datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.UTC)
    assert common.vendor_time(moment, ZoneInfo("Europe/Kyiv")) == "2026-07-01 15:00:00"
    with pytest.raises(ValueError, match="time zone"):
        common.vendor_time(moment.replace(tzinfo=None), ZoneInfo("Europe/Kyiv"))
