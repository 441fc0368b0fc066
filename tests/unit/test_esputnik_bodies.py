"""What eSputnik's calls write, and what they refuse to write."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from airflow_provider_esp.core.calls import Call
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

WHO = "ann@private.example"
PHONE = "380501112233"
ID = 90817263
SECRET = "hush-hush"

PERSON = ContactUpdate(channels=[Channel(type="email", value=WHO)])
MAIL = templates.EmailContent(name=SECRET, sender=WHO, subject=SECRET, html_text=SECRET)
NOON = datetime(2025, 3, 1, 12, 0)
ORDER = orders.Order(external_order_id=SECRET, total_cost=9.5, status="DELIVERED", date=NOON, currency="UAH", email=WHO)
PAST = events.PastEvent(event_type_key="bought", key_value=WHO, occurred=NOON, params={"sum": 5})
SMART = messages.SmartRecipient(locator=WHO)


def query(call: Call[Any]) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(call.query_string, keep_blank_values=True).items()}


def body(call: Call[Any]) -> Any:
    return msgspec.json.decode(call.content or b"")


def test_erasing_must_be_said() -> None:
    assert query(contacts.delete(7)) == {"erase": "false"}
    assert query(contacts.delete(7, erase=True)) == {"erase": "true"}
    assert query(contacts.delete_by_external_id("c 1")) == {"externalCustomerId": "c 1", "erase": "false"}
    with pytest.raises(TypeError):
        contacts.delete(7, True)  # type: ignore[call-arg]  # the test is that this is refused
    with pytest.raises(ValueError, match="names no contact"):
        contacts.delete_by_external_id("")


def test_detaching_nobody_is_refused_because_the_service_would_detach_all() -> None:
    with pytest.raises(ValueError, match="all of them out of the segment"):
        contacts.detach(5, contact_ids=[])
    with pytest.raises(ValueError, match="all of them out of the segment"):
        contacts.detach(5)


def test_a_segment_is_emptied_only_when_asked_by_name() -> None:
    assert body(contacts.detach(5, all_contacts=True)) == {}
    with pytest.raises(ValueError, match="not both"):
        contacts.detach(5, contact_ids=[1], all_contacts=True)


def test_members_of_a_segment_are_named_in_one_way() -> None:
    assert body(contacts.detach(5, contact_ids=[1, 2])) == {"contactIds": [1, 2]}
    assert body(contacts.attach(5, external_customer_ids=["a"])) == {"externalCustomerIds": ["a"]}
    with pytest.raises(ValueError, match="one kind"):
        contacts.attach(5, contact_ids=[1], external_customer_ids=["a"])


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda n: imports.bulk_update([PERSON] * n, dedupe_on="email"), 3000),
        (lambda n: contacts.attach(5, contact_ids=range(n)), 500),
        (lambda n: contacts.detach(5, external_customer_ids=["a"] * n), 500),
        (lambda n: messages.smart_send(1, [SMART] * n, email=True), 1000),
        (lambda n: events.past_events([PAST] * n), 500),
        (lambda n: orders.add([ORDER] * n), 1000),
    ],
)
def test_more_than_a_request_takes_is_refused_and_as_many_as_it_takes_are_not(make: Any, most: int) -> None:
    assert make(most).content is not None
    with pytest.raises(ValueError, match=f"{most + 1} .*1 to {most}"):
        make(most + 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: imports.bulk_update([], dedupe_on="email"),
        lambda: contacts.attach(5),
        lambda: messages.smart_send(1, [], email=True),
        lambda: events.past_events([]),
        lambda: orders.add([]),
        lambda: contacts.unsubscribe_emails([]),
        lambda: reading.contact_emails([]),
        lambda: messages.status([]),
        lambda: broadcasts.create(1, []),
        lambda: promocodes.add([], expiration_date=NOON, discount=1),
    ],
)
def test_nothing_is_not_sent(make: Any) -> None:
    with pytest.raises(ValueError, match=r"0 \w|No |at least one"):
        make()


def test_a_bulk_update_leaves_out_what_was_not_asked() -> None:
    assert body(imports.bulk_update([PERSON], dedupe_on="email")) == {
        "contacts": [{"channels": [{"type": "email", "value": WHO}]}],
        "dedupeOn": "email",
        "restoreDeleted": False,
    }


def test_a_bulk_update_says_all_it_was_asked() -> None:
    call = imports.bulk_update(
        [ContactUpdate(channels=[], id=5, first_name=None)],
        dedupe_on="fieldId",
        field_id=12,
        contact_fields=["firstName"],
        custom_fields_ids=[],
        group_names=["a"],
        group_names_exclude=["b"],
        restore_deleted=True,
        event_key_for_new_contacts="new",
    )
    assert body(call) == {
        "contacts": [{"id": 5, "firstName": None, "channels": []}],
        "dedupeOn": "fieldId",
        "fieldId": 12,
        "contactFields": ["firstName"],
        "customFieldsIDs": [],
        "groupNames": ["a"],
        "groupNamesExclude": ["b"],
        "restoreDeleted": True,
        "eventKeyForNewContacts": "new",
    }


def test_a_field_to_match_on_goes_with_matching_on_a_field() -> None:
    with pytest.raises(ValueError, match="field_id goes with"):
        imports.bulk_update([PERSON], dedupe_on="fieldId")
    with pytest.raises(ValueError, match="field_id goes with"):
        imports.bulk_update([PERSON], dedupe_on="email", field_id=5)


def test_an_event_key_of_more_than_a_hundred_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="101 characters"):
        imports.upload_file("https://x.example/a.csv", dedupe_on="email", event_key_for_new_contacts="k" * 101)


def test_either_name_of_a_file_imports_id_is_read() -> None:
    assert imports.FileResult(import_id="a").session_id == "a"
    assert imports.FileResult(async_session_id="b").session_id == "b"
    assert imports.FileResult().session_id is None


def test_times_with_a_zone_are_refused_where_the_service_cannot_say_it() -> None:
    with pytest.raises(ValueError, match="on_account_clock"):
        broadcasts.create(1, [1], start_date=NOON.replace(tzinfo=UTC))
    with pytest.raises(ValueError, match="time zone"):
        general.report_interaction("i", token="t", status="OPENED", time=NOON)


def test_a_smart_recipient_must_be_somebody() -> None:
    with pytest.raises(ValueError, match="Recipient 1 "):
        messages.smart_send(1, [SMART, messages.SmartRecipient(json_param="{}")], email=True)


def test_smart_send_writes_what_each_recipient_has() -> None:
    people = [SMART, messages.SmartRecipient(contact_id=5, json_param='{"a":1}', external_request_id="r")]
    call = messages.smart_send(77, people, email=False, from_name="Shop")
    assert call.path == "v1/message/77/smartsend"
    assert body(call) == {
        "recipients": [{"locator": WHO}, {"contactId": 5, "jsonParam": '{"a":1}', "externalRequestId": "r"}],
        "email": False,
        "fromName": "Shop",
    }


def test_the_old_send_names_its_parameters_by_key() -> None:
    call = messages.send(7, contact_id=5, params={"a": "b"}, email=True, external_request_id="r")
    assert body(call) == {
        "contactId": 5,
        "params": [{"key": "a", "value": "b"}],
        "email": True,
        "externalRequestId": "r",
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: messages.send(7, email=True),
        lambda: messages.send(7, email=True, recipients=[WHO], group_id=5),
        lambda: messages.send_sms("t", sender="s"),
        lambda: messages.send_viber("t", ios_expiry_text="t", phone_numbers=[PHONE], group_id=5),
    ],
)
def test_a_message_goes_to_one_kind_of_audience(make: Any) -> None:
    with pytest.raises(ValueError, match="exactly one of"):
        make()


def test_messages_that_are_not_prepared_say_all_they_were_given() -> None:
    mail = messages.send_email(
        [WHO],
        sender='"Shop" <shop@private.example>',
        subject="Hi",
        html_text="<p>Hi</p>",
        plain_text="Hi",
        amp_html_text="<amp>",
        tags=["a"],
        subscriptions_keys=["k"],
        external_request_id="r",
        skip_personalisation=True,
        track_urls=False,
    )
    assert body(mail) == {
        "from": '"Shop" <shop@private.example>',
        "subject": "Hi",
        "htmlText": "<p>Hi</p>",
        "plainText": "Hi",
        "ampHtmlText": "<amp>",
        "emails": [WHO],
        "tags": ["a"],
        "subscriptionsKeys": ["k"],
        "externalRequestId": "r",
        "skipPersonalisation": True,
        "trackUrls": False,
    }
    sms = messages.send_sms("Hi", sender="SHOP", group_id=5)
    assert body(sms) == {"from": "SHOP", "text": "Hi", "groupId": 5}
    viber = messages.send_viber(
        "Hi",
        ios_expiry_text="gone",
        phone_numbers=[PHONE],
        sender="SHOP",
        ttl_seconds=60,
        image_url="i",
        button_caption="c",
        button_url="u",
    )
    assert body(viber) == {
        "text": "Hi",
        "iosExpirityText": "gone",
        "phoneNumbers": [PHONE],
        "from": "SHOP",
        "ttlSeconds": 60,
        "img": "i",
        "caption": "c",
        "action": "u",
    }


def test_ids_travel_separated_by_commas() -> None:
    assert query(messages.status(["a", "b"])) == {"ids": "a,b"}
    assert query(reading.contact_emails([1, 2])) == {"ids": "1,2"}


def test_a_broadcast_says_its_message_as_text_and_when() -> None:
    call = broadcasts.create(
        12,
        [1, 2],
        title="Sale",
        excluded_groups=[3],
        start_date=NOON,
        batch_size=50,
        batch_interval_unit="HOUR",
        domain="d",
        app_id="a",
    )
    assert body(call) == {
        "messageId": "12",
        "groups": [1, 2],
        "title": "Sale",
        "excludedGroups": [3],
        "startDate": "2025-03-01T12:00",
        "batchSize": 50,
        "batchIntervalUnit": "HOUR",
        "domain": "d",
        "appId": "a",
    }
    with pytest.raises(ValueError, match="go together"):
        broadcasts.create(12, [1], batch_size=50)


def test_an_order_of_nobody_is_refused() -> None:
    nobody = msgspec.structs.replace(ORDER, email=msgspec.UNSET)
    with pytest.raises(ValueError, match="Order 1 has no customer"):
        orders.add([ORDER, nobody])


def test_an_order_is_written_with_its_items_and_whole_seconds() -> None:
    order = msgspec.structs.replace(
        ORDER,
        date=datetime(2025, 3, 1, 12, 0, 5, 123, tzinfo=UTC),
        items=[orders.OrderItem(external_item_id="i", quantity=2, image_url="u")],
    )
    assert body(orders.add([order])) == {
        "orders": [
            {
                "externalOrderId": SECRET,
                "totalCost": 9.5,
                "status": "DELIVERED",
                "date": "2025-03-01T12:00:05Z",
                "currency": "UAH",
                "email": WHO,
                "items": [{"externalItemId": "i", "quantity": 2.0, "imageUrl": "u"}],
            }
        ]
    }


def test_conditions_of_a_search_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be combined with email"):
        reading.contacts(external_customer_id="c", email=WHO)
    with pytest.raises(ValueError, match="cannot be combined with conditions"):
        reading.contacts(sms=PHONE, sort_by_id=True)


def test_a_search_spells_names_as_the_api_does() -> None:
    call = reading.contacts(first_name="Ann", last_name="Lee", start_index=501)
    assert query(call) == {"firstname": "Ann", "lastname": "Lee", "startindex": "501", "maxrows": "500"}
    assert query(reading.contacts(sort_by_id=True))["sortBy"] == "contactId"
    assert query(reading.group_contacts(5, by_time_added=True, ascending=False)) == {
        "startindex": "1",
        "maxrows": "500",
        "orderByTs": "true",
        "asc": "false",
    }


def test_messages_of_one_contact_need_one_contact() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        activity.contact_messages(NOON, NOON)
    with pytest.raises(ValueError, match="exactly one"):
        activity.contact_messages(NOON, NOON, contact_id=1, email=WHO)
    call = activity.contact_messages(NOON, NOON, phone=PHONE, channel_types=("email", "sms"))
    assert query(call)["channelTypes"] == "email,sms"


def test_the_balance_is_asked_by_day() -> None:
    assert query(general.balance_history(date(2025, 1, 1), datetime(2025, 2, 3, 4, 5))) == {
        "dateFrom": "2025-01-01",
        "dateTo": "2025-02-03",
    }
