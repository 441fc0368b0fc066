"""Every eSputnik call: its name in the vendor's words, its limits and right, whether it may repeat, and no value."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import msgspec
import pytest

from airflow_provider_esp.core.calls import Bucket, Call
from airflow_provider_esp.core.models import Contact, Event
from airflow_provider_esp.services.esputnik import limits
from airflow_provider_esp.services.esputnik.api import (
    activity,
    broadcasts,
    contacts,
    events,
    general,
    imports,
    messages,
    orders,
    promocodes,
    reading,
    templates,
)
from airflow_provider_esp.services.esputnik.api.models import Channel, ContactUpdate
from airflow_provider_esp.services.esputnik.mapping import contacts as contact_mapping
from airflow_provider_esp.services.esputnik.mapping import messages as message_mapping
from airflow_provider_esp.services.esputnik.scopes import COVERS, MethodGroup, Right, rights_for

WHO = "ann@private.example"
PHONE = "380501112233"
ID = 90817263
SECRET = "hush-hush"
VALUES = (WHO, WHO.replace("@", "%40"), PHONE, str(ID), SECRET)

PERSON = ContactUpdate(channels=[Channel(type="email", value=WHO)])
MAIL = templates.EmailContent(name=SECRET, sender=WHO, subject=SECRET, html_text=SECRET)
NOON = datetime(2025, 3, 1, 12, 0)
ORDER = orders.Order(external_order_id=SECRET, total_cost=9.5, status="DELIVERED", date=NOON, currency="UAH", email=WHO)
PAST = events.PastEvent(event_type_key="bought", key_value=WHO, occurred=NOON, params={"sum": 5})
SMART = messages.SmartRecipient(locator=WHO)

YES, NO = True, False
NO_RIGHT = None
UPDATING, READING, ACTIVITY = MethodGroup.UPDATING, MethodGroup.READING, MethodGroup.ACTIVITY
EVENTS, MESSAGES = MethodGroup.EVENTS, MethodGroup.MESSAGES
LINE = (limits.DEFAULT,)

CALLS: list[tuple[Call[Any], str, bool, MethodGroup | None, tuple[Bucket, ...]]] = [
    (general.version(), "GET v2/version", YES, NO_RIGHT, LINE),
    (general.version(1), "GET v1/version", YES, NO_RIGHT, LINE),
    (general.account_info(), "GET v1/account/info", YES, NO_RIGHT, LINE),
    (general.balance(), "GET v1/balance", YES, NO_RIGHT, LINE),
    (general.balance_history(date(2025, 1, 1)), "GET v1/balance/history", YES, NO_RIGHT, LINE),
    (general.subscription_categories(), "GET v1/subscriptions", YES, NO_RIGHT, LINE),
    (general.address_books(), "GET v1/addressbooks", YES, NO_RIGHT, LINE),
    (general.email_senders(), "GET v1/interfaces/email", YES, NO_RIGHT, LINE),
    (general.sms_senders(), "GET v1/interfaces/sms", YES, NO_RIGHT, LINE),
    (general.sms_callouts(), "GET v1/callouts/sms", YES, NO_RIGHT, LINE),
    (general.token_state(SECRET, SECRET), "GET v1/contact/token/activated/{app_uuid}/{token_id}", YES, NO_RIGHT, LINE),
    (
        general.set_token_state(SECRET, SECRET, active=True),
        "PUT v1/contact/token/activated/{app_uuid}/{token_id}",
        YES,
        NO_RIGHT,
        LINE,
    ),
    (
        general.token_contact(SECRET, SECRET),
        "GET v1/contact/token/{app_uuid}/{token_id}/contactId",
        YES,
        NO_RIGHT,
        (limits.TOKEN_CONTACT,),
    ),
    (
        general.report_interaction(SECRET, token=SECRET, status="OPENED", time=NOON.replace(tzinfo=UTC)),
        "PUT v1/interactions/{interaction_id}/status",
        NO,
        NO_RIGHT,
        (limits.INTERACTIONS,),
    ),
    (general.workflows(SECRET), "GET v1/workflows", YES, NO_RIGHT, LINE),
    (templates.add_email(MAIL), "POST v1/messages/email", NO, NO_RIGHT, LINE),
    (templates.emails(SECRET), "GET v1/messages/email", YES, NO_RIGHT, (*LINE, limits.EMAIL_TEMPLATES_HOUR)),
    (
        templates.email(ID),
        "GET v1/messages/email/{id}",
        YES,
        NO_RIGHT,
        (limits.EMAIL_TEMPLATE, limits.EMAIL_TEMPLATE_HOUR),
    ),
    (templates.update_email(ID, MAIL), "PUT v1/messages/email/{id}", YES, NO_RIGHT, LINE),
    (templates.delete_email(ID), "DELETE v1/messages/email/{id}", YES, NO_RIGHT, LINE),
    (
        templates.put_email_translation(ID, SECRET, MAIL),
        "PUT v1/messages/email/{id}/{language}",
        YES,
        NO_RIGHT,
        LINE,
    ),
    (
        templates.delete_email_translation(ID, SECRET),
        "DELETE v1/messages/email/{id}/{language}",
        YES,
        NO_RIGHT,
        LINE,
    ),
    (
        templates.email_link(ID),
        "GET v1/messages/email/{id}/viewLink",
        YES,
        NO_RIGHT,
        (*LINE, limits.EMAIL_LINK_HOUR),
    ),
    (templates.text_messages(SECRET), "GET v1/messages/sms", YES, NO_RIGHT, (*LINE, limits.SMS_TEMPLATES_HOUR)),
    (templates.text_message(ID), "GET v1/messages/sms/{id}", YES, NO_RIGHT, (*LINE, limits.SMS_TEMPLATE_HOUR)),
    (imports.bulk_update([PERSON], dedupe_on="email"), "POST v1/contacts", YES, UPDATING, LINE),
    (
        imports.bulk_update([PERSON], dedupe_on="email", event_key_for_new_contacts="new"),
        "POST v1/contacts",
        NO,
        UPDATING,
        LINE,
    ),
    (imports.upload_file(SECRET, dedupe_on="email"), "POST v1/contacts/upload", YES, UPDATING, LINE),
    (
        imports.upload_file(SECRET, dedupe_on="email", event_key_for_new_contacts="new"),
        "POST v1/contacts/upload",
        NO,
        UPDATING,
        LINE,
    ),
    (imports.import_status(SECRET), "GET v1/importstatus/{sessionId}", YES, UPDATING, LINE),
    (contacts.upsert(PERSON), "POST v1/contact", YES, UPDATING, LINE),
    (contacts.update(ID, PERSON), "PUT v1/contact/{id}", YES, UPDATING, LINE),
    (contacts.delete(ID), "DELETE v1/contact/{id}", YES, UPDATING, LINE),
    (contacts.delete_by_external_id(SECRET), "DELETE v1/contact", YES, UPDATING, LINE),
    (contacts.set_subscriptions(ID, ["news"]), "PUT v1/contact/{id}/subscriptions", YES, UPDATING, LINE),
    (contacts.subscribe(PERSON), "POST v1/contact/subscribe", NO, UPDATING, LINE),
    (contacts.unsubscribe_emails([WHO]), "POST v1/emails/unsubscribed/add", YES, UPDATING, LINE),
    (contacts.resubscribe_emails([WHO]), "POST v1/emails/unsubscribed/delete", YES, UPDATING, LINE),
    (contacts.attach(ID, contact_ids=[ID]), "POST v1/group/{id}/contacts/attach", YES, UPDATING, LINE),
    (contacts.detach(ID, contact_ids=[ID]), "POST v1/group/{id}/contacts/detach", YES, UPDATING, LINE),
    (reading.contacts(email=WHO), "GET v1/contacts", YES, READING, (limits.CONTACTS_SEARCH,)),
    (reading.contact(ID), "GET v1/contact/{id}", YES, READING, LINE),
    (reading.contact_emails([ID]), "GET v1/contacts/email", YES, READING, LINE),
    (reading.contact_subscriptions(ID), "GET v1/contact/{id}/subscriptions", YES, READING, LINE),
    (reading.groups(SECRET), "GET v1/groups", YES, READING, LINE),
    (reading.group_contacts(ID), "GET v1/group/{id}/contacts", YES, READING, LINE),
    (activity.activity(NOON, NOON, email=WHO), "GET v2/contacts/activity", YES, ACTIVITY, LINE),
    (activity.activity(NOON, NOON, sms=PHONE, version=1), "GET v1/contacts/activity", YES, ACTIVITY, LINE),
    (
        activity.contact_messages(NOON, NOON, contact_id=ID),
        "GET v2/contacts/messages",
        YES,
        ACTIVITY,
        (limits.CONTACTS_MESSAGES,),
    ),
    (events.event("bought", {"email": WHO}), "POST v2/event", NO, EVENTS, (limits.EVENT,)),
    (events.event("bought", {"email": WHO}, version=1), "POST v1/event", NO, EVENTS, (limits.EVENT,)),
    (events.past_events([PAST]), "POST v2/past_events", NO, EVENTS, (limits.PAST_EVENTS,)),
    (events.past_events([PAST], version=1), "POST v1/past_events", NO, EVENTS, (limits.PAST_EVENTS,)),
    (events.delete_past_events(NOON, NOON), "DELETE v1/past_events", YES, EVENTS, (limits.PAST_EVENTS_DELETE,)),
    (events.resend(ID, NOON, NOON), "GET v1/event", NO, EVENTS, (limits.EVENT,)),
    (messages.smart_send(ID, [SMART], email=True), "POST v1/message/{id}/smartsend", NO, MESSAGES, LINE),
    (messages.send(ID, recipients=[WHO], email=True), "POST v1/message/{id}/send", NO, MESSAGES, LINE),
    (messages.status([SECRET]), "GET v1/message/status", YES, MESSAGES, LINE),
    (
        messages.send_email([WHO], sender=WHO, subject=SECRET, html_text=SECRET),
        "POST v1/message/email",
        NO,
        MESSAGES,
        LINE,
    ),
    (messages.email_status([SECRET]), "GET v1/message/email/status", YES, MESSAGES, LINE),
    (messages.send_sms(SECRET, sender=SECRET, phone_numbers=[PHONE]), "POST v1/message/sms", NO, MESSAGES, LINE),
    (messages.sms_status([SECRET]), "GET v1/message/sms/status", YES, MESSAGES, LINE),
    (
        messages.send_viber(SECRET, ios_expiry_text=SECRET, phone_numbers=[PHONE]),
        "POST v1/message/viber",
        NO,
        MESSAGES,
        LINE,
    ),
    (messages.viber_status([SECRET]), "GET v1/message/viber/status", YES, MESSAGES, LINE),
    (broadcasts.create(ID, [ID]), "POST v1/broadcast", NO, MESSAGES, LINE),
    (broadcasts.broadcast(ID), "GET v1/broadcast/{broadcast_id}", YES, MESSAGES, LINE),
    (broadcasts.cancel(ID), "DELETE v1/broadcast/{broadcast_id}", YES, MESSAGES, LINE),
    (broadcasts.broadcasts(), "GET v1/broadcasts", YES, MESSAGES, LINE),
    (orders.add([ORDER]), "POST v1/orders", NO, NO_RIGHT, LINE),
    (promocodes.promocodes(type=SECRET), "GET v1/promocodes", YES, NO_RIGHT, LINE),
    (promocodes.add([SECRET], expiration_date=NOON, discount=5), "POST v1/promocodes", YES, NO_RIGHT, LINE),
    (promocodes.count(type=SECRET), "GET v1/promocodes/count", YES, NO_RIGHT, LINE),
    (contact_mapping.bulk_upload([Contact(email=WHO)]), "POST v1/contacts", YES, UPDATING, LINE),
    (message_mapping.event(Event("bought", email=WHO)), "POST v2/event", NO, EVENTS, (limits.EVENT,)),
]
NAMES = [name for _, name, *_ in CALLS]


@pytest.mark.parametrize(("call", "name", "repeatable", "right", "buckets"), CALLS, ids=NAMES)
def test_a_call_carries_the_vendors_name_its_right_its_limits_and_whether_it_may_repeat(
    call: Call[Any], name: str, repeatable: bool, right: MethodGroup | None, buckets: tuple[Bucket, ...]
) -> None:
    assert call.service == "esputnik"
    assert call.name == name
    assert call.repeatable is repeatable
    assert call.right == right
    assert call.buckets == buckets
    assert call.authorised


@pytest.mark.parametrize("call", [call for call, *_ in CALLS], ids=NAMES)
def test_no_value_reaches_the_name_or_the_repr_of_a_call(call: Call[Any]) -> None:
    for value in VALUES:
        assert value not in call.name
        assert value not in repr(call)


@pytest.mark.parametrize("call", [call for call, *_ in CALLS], ids=NAMES)
def test_a_body_is_json_and_goes_with_its_content_type(call: Call[Any]) -> None:
    assert (call.content is None) == (call.content_type is None)
    if call.content is not None:
        assert isinstance(msgspec.json.decode(call.content), dict)
        assert call.content_type == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    "module",
    [
        activity,
        broadcasts,
        contacts,
        events,
        general,
        imports,
        messages,
        orders,
        promocodes,
        reading,
        templates,
        contact_mapping,
        message_mapping,
    ],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_every_function_that_makes_a_call_is_in_the_table(module: ModuleType) -> None:
    made = set()
    for name, function in inspect.getmembers(module, inspect.isfunction):
        answers = get_type_hints(function).get("return") if function.__module__ == module.__name__ else None
        if not name.startswith("_") and getattr(answers, "__origin__", None) is Call:
            made.add(name)
    table = Path(__file__).read_text().partition("CALLS: list")[2].partition("NAMES =")[0]
    short = next(name for name, value in globals().items() if value is module)
    assert made
    assert [name for name in sorted(made) if not re.search(rf"\b{short}\.{name}\(", table)] == []


def test_placeholders_are_filled_in_and_encoded() -> None:
    assert general.token_state("a/b", "c d").path == "v1/contact/token/activated/a%2Fb/c%20d"
    assert imports.import_status("../x").path == "v1/importstatus/..%2Fx"
    assert contacts.delete(7).path == "v1/contact/7"


def test_buckets_are_known_by_name_and_say_what_the_vendor_says() -> None:
    said = {name: (bucket.limit, bucket.seconds) for name, bucket in limits.BUCKETS.items()}
    assert said == {
        "esputnik.default": (200, 1),
        "esputnik.contacts.search": (50, 1),
        "esputnik.token.contact": (150, 1),
        "esputnik.event": (350, 1),
        "esputnik.past_events": (100, 1),
        "esputnik.past_events.delete": (5, 1),
        "esputnik.interactions": (300, 1),
        "esputnik.contacts.messages": (10, 1),
        "esputnik.templates.email": (10, 1),
        "esputnik.templates.email.hour": (500, 3600),
        "esputnik.templates.email.list.hour": (500, 3600),
        "esputnik.templates.email.link.hour": (500, 3600),
        "esputnik.templates.sms.hour": (500, 3600),
        "esputnik.templates.sms.list.hour": (500, 3600),
    }


def test_every_bucket_of_a_call_can_be_overridden_by_name() -> None:
    for call, *_ in CALLS:
        for bucket in call.buckets:
            assert limits.BUCKETS[bucket.name] is bucket


def test_full_access_opens_all_and_every_right_opens_the_general_methods() -> None:
    assert COVERS[Right.FULL] == set(MethodGroup)
    assert all(MethodGroup.GENERAL in COVERS[right] for right in Right)
    assert rights_for(MethodGroup.EVENTS) == (Right.FULL, Right.EVENTS, Right.EVENTS_AND_CONTACTS)
    assert rights_for(MethodGroup.ACTIVITY) == (Right.FULL,)
