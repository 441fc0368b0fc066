"""The table's lines for eSputnik.

The stage has two contacts in the segment *Newsletter*, Anna (with a phone and a push token) and Boris, a message sent
to both, an event, and a broadcast for later. Ids are those that a fresh sandbox counts from.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import msgspec

from airflow_provider_esp.core import models
from airflow_provider_esp.services.esputnik.api import (
    activity,
    activity_pages,
    broadcasts,
    contacts,
    events,
    general,
    imports,
    messages,
    orders,
    promocodes,
    reading,
    sites,
    templates,
)
from airflow_provider_esp.services.esputnik.api.models import (
    Address,
    Channel,
    ContactField,
    ContactUpdate,
    Device,
    Segment,
)
from airflow_provider_esp.services.esputnik.mapping import contacts as contact_mapping
from airflow_provider_esp.services.esputnik.mapping import messages as message_mapping
from tests.contract.table import Found, longer, method

ANNA, BORIS = 95_064_001, 95_064_002
NEWSLETTER = 3_601_001
WIN_BACK, CODE = 1001, 2001
BROADCAST = 700_001
APP, TOKEN = "4f0e8f6a-0d0c-4b0e-9d3a-2f3c5a7b9d11", "push-token"
FILE = Found("file", "http://127.0.0.1:8000/contacts.csv")
IMPORT = Found("import", "b0adb9d2-19ef-4905-b114-fec2d0b8b33e")
REQUEST, SECOND_REQUEST = (
    Found("request", "6c1c2f5e-6d2f-4d0a-b0f3-97f4d3a1c001"),
    Found("second request", "6c1c2f5e-6d2f-4d0a-b0f3-97f4d3a1c002"),
)
SENDER = '"Sandbox Shop" <shop@sandbox.example>'
SINCE, UNTIL = datetime(2020, 1, 1), datetime(2090, 1, 1)
LATER = datetime(2089, 5, 1, 10)
# The service takes past events of the last three years.
# Activity is read by short periods, so its pages want the time about the stage's making, wherever the account is.
SENT_SINCE, SENT_UNTIL = datetime.now() - timedelta(days=1), datetime.now() + timedelta(days=1)
YESTERDAY = (datetime.now() - timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0)

ANNA_AS_WRITTEN = ContactUpdate(
    first_name="Anna",
    last_name="Koval",
    channels=[
        Channel(type="email", value="anna@example.com"),
        Channel(type="sms", value="380501112233"),
        Channel(type="mobilepush", value=TOKEN, device=Device(app_id=APP, os="Android", locale="uk", active=True)),
    ],
    address=Address(town="Lviv", postcode="79000"),
    fields=[ContactField(id=79810, value="gold"), ContactField(id=79811, value="120")],
    external_customer_id="c-1",
    language_code="uk",
    time_zone="Europe/Kyiv",
)
BORIS_AS_WRITTEN = ContactUpdate(
    channels=[Channel(type="email", value="boris@example.com")], external_customer_id="c-2"
)
NEWCOMER = ContactUpdate(
    channels=[Channel(type="email", value="clara@example.com")],
    first_name="Clara",
    groups=[Segment(id=NEWSLETTER, name="Newsletter", type="Static")],
)
# Two who cannot be matched by e-mail address, for they have none.
DORA = ContactUpdate(channels=[Channel(type="sms", value="380631112233")], fields=[ContactField(id=79818, value="7")])
EVA = ContactUpdate(
    channels=[
        Channel(type="sms", value="380631112244"),
        Channel(type="mobilepush", value="eva", device=Device(app_id=APP, active=True)),
    ],
    fields=[ContactField(id=79818, value="7"), ContactField(id=79811, value="7")],
)
# Everything that can be erased.
ERASED = ContactUpdate(
    channels=[Channel(type="email", value="boris@example.com")],
    first_name=None,
    last_name=None,
    address=Address(region=None, town=None, address=None, postcode=None),
    fields=[ContactField(id=79818, value=None)],
    external_customer_id=None,
    contact_key=None,
    language_code=None,
    time_zone=None,
)
TEMPLATE = templates.EmailContent(
    name="Spring", sender=SENDER, subject="Spring is here", html_text="<p>Hello</p>", css="p {}", tags=["spring"]
)
ORDER = orders.Order(
    external_order_id="o-1",
    total_cost=99.5,
    status="DELIVERED",
    date=datetime(2025, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))),
    currency="UAH",
    email="anna@example.com",
    source="online",
    additional_info={"gift": "yes"},
    items=[orders.OrderItem(external_item_id="i-1", quantity=1, name="Tea", cost=99.5)],
)
LOCAL_ORDER = msgspec.structs.replace(ORDER, date=datetime(2025, 3, 1, 12))
REFUSED_ORDER = msgspec.structs.replace(ORDER, external_order_id="o-2", email="nowhere")
WEB_PUSH = sites.WebPushDomain(
    domain="shop.example",
    service_worker_name="push.js",
    service_worker_path="/push/",
    service_worker_scope="/push/",
)
RECIPIENT = messages.SmartRecipient(
    locator="anna@example.com", json_param='{"name": "Anna"}', language_code="uk", external_request_id="r-1"
)
PARAMS = {"email": "anna@example.com", "total": 10.5, "items": [{"id": 1}]}
PAGE = {"start_index": 1, "max_rows": 10}

GENERAL = (
    method(general.version, {}, {"version": 1}),
    method(general.account_info),
    method(general.balance),
    method(general.balance_history, {}, {"date_from": date(2025, 1, 1), "date_to": date(2025, 1, 31)}),
    method(general.subscription_categories),
    method(general.address_books),
    method(general.email_senders),
    method(general.sms_senders),
    method(general.sms_callouts, PAGE),
    method(general.token_state, {"app_uuid": APP, "token_id": TOKEN}),
    method(general.set_token_state, {"app_uuid": APP, "token_id": TOKEN, "active": False}),
    method(general.token_contact, {"app_uuid": APP, "token_id": TOKEN}),
    method(
        general.report_interaction,
        {
            "interaction_id": "f1a5b0f6-2d61-4d3c-9b26-0f0e6e1f7a01",
            "token": TOKEN,
            "status": "OPENED",
            "time": datetime(2025, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        },
    ),
    method(general.workflows, {}, {"name": "Win", **PAGE}),
    method(templates.add_email, {"content": TEMPLATE}),
    method(templates.emails, {}, {"search": "Win", **PAGE}),
    method(templates.email, {"message_id": WIN_BACK}),
    method(templates.update_email, {"message_id": WIN_BACK, "content": TEMPLATE}),
    method(templates.delete_email, {"message_id": WIN_BACK}),
    method(templates.put_email_translation, {"message_id": WIN_BACK, "language": "uk", "content": TEMPLATE}),
    method(templates.delete_email_translation, {"message_id": WIN_BACK, "language": "uk"}),
    method(templates.email_link, {"message_id": WIN_BACK}),
    method(templates.text_messages, {}, {"search": "Code", **PAGE}),
    method(templates.text_message, {"message_id": CODE}),
)

UPDATING = (
    method(
        imports.bulk_update,
        {"contacts": [ANNA_AS_WRITTEN, NEWCOMER], "dedupe_on": "email"},
        {
            "contacts": [NEWCOMER],
            "dedupe_on": "fieldId",
            "field_id": 79818,
            "contact_fields": ["firstName", "email"],
            "custom_fields_ids": [79810, 79818],
            "group_names": ["Newsletter"],
            "group_names_exclude": ["Leavers"],
            "restore_deleted": True,
            "event_key_for_new_contacts": "registered",
        },
        {"contacts": [ERASED], "dedupe_on": "email"},
        # Nobody in it can be matched: refused at once, one contact and several.
        {"contacts": [ContactUpdate(channels=[])], "dedupe_on": "email"},
        {"contacts": [DORA, EVA], "dedupe_on": "email"},
        {"contacts": [ContactUpdate(channels=[]), ContactUpdate(channels=[])], "dedupe_on": "email"},
    ),
    method(
        imports.upload_file,
        {"link": FILE, "dedupe_on": "email"},
        {"link": "http://127.0.0.1:9/none.csv", "dedupe_on": "sms"},
        {
            "link": FILE,
            "dedupe_on": "email_or_sms",
            "group_names": ["Newsletter"],
            "event_key_for_new_contacts": "registered",
        },
    ),
    method(imports.import_status, {"session_id": IMPORT}),
    method(contacts.upsert, {"contact": NEWCOMER}, {"contact": ERASED}),
    method(contacts.update, {"contact_id": ANNA, "contact": ANNA_AS_WRITTEN}, {"contact_id": BORIS, "contact": ERASED}),
    method(contacts.delete, {"contact_id": ANNA}, {"contact_id": BORIS, "erase": True}),
    method(
        contacts.delete_by_external_id,
        {"external_customer_id": "c-1"},
        {"external_customer_id": "c-2", "erase": True},
    ),
    method(contacts.set_subscriptions, {"contact_id": ANNA, "keys": ["news", "offers"]}),
    method(
        contacts.subscribe,
        {"contact": NEWCOMER, "groups": ["Newsletter"], "subscriptions": ["news"], "form_type": "footer"},
        {"contact": ERASED},
    ),
    method(contacts.unsubscribe_emails, {"emails": ["anna@example.com"]}),
    method(contacts.resubscribe_emails, {"emails": ["anna@example.com"]}),
    method(
        contacts.attach,
        {"group_id": NEWSLETTER, "contact_ids": [ANNA, BORIS]},
        {"group_id": NEWSLETTER, "external_customer_ids": ["c-1"]},
    ),
    method(
        contacts.detach,
        {"group_id": NEWSLETTER, "contact_ids": [ANNA]},
        {"group_id": NEWSLETTER, "external_customer_ids": ["c-2"]},
        {"group_id": NEWSLETTER, "all_contacts": True},
    ),
)

READING = (
    method(
        reading.contacts,
        {},
        {"sort_by_id": True, **PAGE},
        {"email": "anna@example.com", "first_name": "Anna"},
        {"external_customer_id": "c-1"},
        {"sms": "380501112233", "last_name": "Koval"},
    ),
    method(reading.contact, {"contact_id": ANNA}, {"contact_id": BORIS}),
    method(reading.contact_emails, {"contact_ids": [ANNA, BORIS]}, {"contact_ids": [ANNA]}),
    method(reading.contact_subscriptions, {"contact_id": ANNA}, {"contact_id": BORIS}),
    method(reading.groups, {}, {"name": "News", **PAGE}),
    method(
        reading.group_contacts,
        {"group_id": NEWSLETTER},
        {"group_id": NEWSLETTER, "by_time_added": True, "ascending": False, **PAGE},
    ),
)

ACTIVITY = (
    method(
        activity.activity,
        {"date_from": SINCE, "date_to": UNTIL},
        {"date_from": SINCE, "date_to": UNTIL, "activity_status": "DELIVERED", "max_rows": 1},
        {"date_from": date(2020, 1, 1), "date_to": date(2090, 1, 1), "email": "anna@example.com"},
        {"date_from": SINCE, "date_to": UNTIL, "version": 1},
    ),
    method(
        activity.contact_messages,
        {"date_from": SINCE, "date_to": UNTIL, "contact_id": ANNA},
        {
            "date_from": date(2020, 1, 1),
            "date_to": date(2090, 1, 1),
            "email": "boris@example.com",
            "channel_types": ("email", "sms"),
            "max_rows": 10,
        },
    ),
)

EVENTS = (
    method(events.resend, {"event_type_id": 1, "start": date(2025, 1, 1), "end": datetime(2025, 1, 31, 12, 30)}),
    method(
        events.event,
        {"event_type_key": "purchase", "params": PARAMS, "key_value": "anna@example.com"},
        {"event_type_key": "purchase", "params": PARAMS},
        {"event_type_key": "purchase", "params": PARAMS, "key_value": "anna@example.com", "version": 1},
    ),
    method(
        events.past_events,
        *(
            {
                "events": [
                    events.PastEvent(
                        event_type_key="purchase",
                        key_value="anna@example.com",
                        occurred=when,
                        params={"total": 10.5},
                    )
                    for when in moments
                ],
                "version": version,
            }
            for moments in ((YESTERDAY,), (YESTERDAY.date(), YESTERDAY))
            for version in (1, 2)
        ),
    ),
    method(events.delete_past_events, {"start": SINCE, "end": UNTIL}),
)

MESSAGES = (
    method(
        messages.smart_send,
        {"message_id": WIN_BACK, "recipients": [RECIPIENT], "email": True, "from_name": "Shop"},
        {
            "message_id": WIN_BACK,
            "recipients": [RECIPIENT, messages.SmartRecipient(contact_id=BORIS), messages.SmartRecipient(locator="x")],
            "email": True,
        },
        {"message_id": WIN_BACK, "recipients": [RECIPIENT, RECIPIENT], "email": True},
        {"message_id": WIN_BACK, "recipients": [RECIPIENT], "email": True, "campaign_id": 7, "allow_unconfirmed": True},
    ),
    method(
        messages.send,
        {"message_id": WIN_BACK, "email": True, "recipients": ["anna@example.com"], "params": {"name": "Anna"}},
        {"message_id": WIN_BACK, "email": True, "group_id": NEWSLETTER, "external_request_id": "r-1"},
        {"message_id": WIN_BACK, "email": True, "contact_id": BORIS},
    ),
    method(
        messages.send_email,
        {"emails": ["anna@example.com"], "sender": SENDER, "subject": "Hello", "html_text": "<p>Hello</p>"},
        {
            "emails": ["anna@example.com", "boris@example.com"],
            "sender": SENDER,
            "subject": "Hello",
            "html_text": "<p>Hello</p>",
            "plain_text": "Hello",
            "amp_html_text": "<html amp4email></html>",
            "tags": ["news"],
            "subscriptions_keys": ["news"],
            "external_request_id": "r-2",
            "skip_personalisation": True,
            "track_urls": False,
        },
    ),
    method(
        messages.send_sms,
        {"text": "Hello", "sender": "SHOP", "phone_numbers": ["380501112233"]},
        {
            "text": "Hello",
            "sender": "SHOP",
            "group_id": NEWSLETTER,
            "tags": ["news"],
            "external_request_id": "r-3",
            "track_urls": True,
        },
    ),
    method(
        messages.send_viber,
        {"text": "Hello", "ios_expiry_text": "Gone", "phone_numbers": ["380501112233"], "sender": "SHOP"},
        {
            "text": "Hello",
            "ios_expiry_text": "Gone",
            "group_id": NEWSLETTER,
            "ttl_seconds": 600,
            "image_url": "https://sandbox.example/picture.png",
            "button_caption": "Buy",
            "button_url": "https://sandbox.example/",
            "subscriptions_keys": ["news"],
        },
    ),
    method(messages.status, {"request_ids": [REQUEST]}, {"request_ids": [REQUEST, SECOND_REQUEST]}),
    method(messages.email_status, {"request_ids": [REQUEST]}, {"request_ids": [REQUEST, SECOND_REQUEST]}),
    method(messages.sms_status, {"request_ids": [REQUEST]}),
    method(messages.viber_status, {"request_ids": [REQUEST]}),
    method(
        broadcasts.create,
        {"message_id": WIN_BACK, "groups": [NEWSLETTER]},
        {
            "message_id": str(WIN_BACK),
            "groups": [NEWSLETTER],
            "title": "Spring",
            "excluded_groups": [3_601_002],
            "start_date": LATER,
            "batch_size": 100,
            "batch_interval_unit": "HOUR",
        },
    ),
    method(broadcasts.broadcast, {"broadcast_id": BROADCAST}),
    method(broadcasts.cancel, {"broadcast_id": str(BROADCAST)}),
    method(broadcasts.broadcasts, {}, PAGE),
)

BEYOND = (
    method(
        orders.add,
        {"orders": [ORDER, LOCAL_ORDER]},
        {"orders": [REFUSED_ORDER]},
        {"orders": [REFUSED_ORDER, REFUSED_ORDER]},
    ),
    method(promocodes.promocodes, {}, {"type": "spring", "discount": 10, "in_use": False, "active_due_days": 1}),
    method(
        promocodes.add,
        {"codes": ["NEW-1"], "expiration_date": LATER, "discount": 10},
        {"codes": ["NEW-1", "NEW-2"], "expiration_date": LATER, "discount": 10, "type": "spring", "in_use": False},
    ),
    method(promocodes.count, {}, {"type": "spring", "discount": 10, "active_due_days": 1}),
)

# Functions that say a call of the above in the words both services share.
SHARED_ANNA = models.Contact(
    email="anna@example.com",
    phone="380501112233",
    external_id="c-1",
    first_name="Anna",
    town="Lviv",
    postcode=None,
    custom={"LOYALTY.TIER": "gold", "LOYALTY.POINTS": 120},
)
TRANSLATIONS = (
    method(
        contact_mapping.bulk_upload,
        {
            "contacts": [SHARED_ANNA],
            "custom_field_ids": {"LOYALTY.TIER": 79810, "LOYALTY.POINTS": 79811},
            "segments": ["Newsletter"],
        },
        {"contacts": [models.Contact(email="clara@example.com")], "event_key_for_new_contacts": "registered"},
    ),
    method(
        message_mapping.event,
        {"event": models.Event("purchase", params=PARAMS, email="anna@example.com")},
        {"event": models.Event("purchase", phone="380501112233", key="o-1"), "version": 1},
    ),
)

FLOWS = (
    longer(reading.find_contact, email="boris@example.com"),
    longer(contact_mapping.custom_fields),
    longer(contact_mapping.segment_names),
    longer(contact_mapping.import_state, session_id=IMPORT),
    longer(
        message_mapping.smart_send,
        message_id=WIN_BACK,
        recipients=[models.Recipient("nobody at all"), models.Recipient("nowhere")],
    ),
    longer(message_mapping.deliveries, request_ids=[REQUEST, SECOND_REQUEST, "unknown"]),
)
PAGES = (
    longer(reading.contact_pages),
    longer(reading.group_pages),
    longer(reading.group_contact_pages, group_id=NEWSLETTER),
    longer(general.workflow_pages),
    longer(templates.email_pages),
    longer(templates.text_message_pages),
    longer(activity_pages.activity_pages, start=SENT_SINCE, end=SENT_UNTIL),
    longer(activity.contact_message_pages, date_from=SENT_SINCE, date_to=SENT_UNTIL, contact_id=ANNA),
    longer(broadcasts.broadcast_pages),
)

SITE = (
    method(sites.domains),
    method(sites.domain_add, {"domain": "new.example"}),
    method(sites.script),
    method(sites.web_push_domains),
    method(sites.web_push_domains_add, {"domains": [WEB_PUSH]}),
    method(sites.web_push_domain_delete, {"domain": "shop.example"}),
    method(sites.web_push_script, {"domain": "shop.example"}),
)
METHODS = (*GENERAL, *UPDATING, *READING, *ACTIVITY, *EVENTS, *MESSAGES, *BEYOND, *SITE)
