"""The table's lines for SendPulse.

The stage has a mailing list with Anna (whose phone and city are known) and Boris, a campaign that was sent to it and
another one for later, one SMTP message, one text message, a Viber and a push campaign, a tag, a webhook and a sender
that waits for its code. Ids are those that a fresh sandbox counts from.
"""

from __future__ import annotations

from airflow_provider_esp.core import models
from airflow_provider_esp.services.sendpulse.api import (
    account,
    addressbooks,
    automation,
    campaigns,
    emails,
    events,
    push,
    sms,
    smtp,
    tags,
    verifier,
    viber,
    webhooks,
)
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping
from airflow_provider_esp.services.sendpulse.mapping import unsubscribed
from tests.contract.table import Found, Taken, longer, method

ANNA, BORIS, NOBODY = "anna@example.com", "boris@example.com", "nobody@example.com"
PHONE, OTHER_PHONE = "380501112233", "380671112233"
SENDER, NEW_SENDER = "sender@sandbox.example", "second@sandbox.example"
BOOK, EMPTY_BOOK, VERIFIED, FRESH = 500_001, 500_002, 500_003, 500_004
TEMPLATE, EDITED_TEMPLATE = 700_001, 700_002
SENT_CAMPAIGN, PLANNED_CAMPAIGN = 1_000_001, 1_000_002
SENT_SMS, PLANNED_SMS = 2_000_001, 2_000_002
VIBER, PLANNED_VIBER, PUSH, SITE = 3_000_001, 3_000_002, 4_000_001, 53
FLOW = 120_001
ELEMENTS = dict(
    zip(
        (
            automation.Element.START,
            automation.Element.FILTER,
            automation.Element.EMAIL,
            automation.Element.SMS,
            automation.Element.PUSH,
            automation.Element.MESSENGER,
            automation.Element.CONDITION,
            automation.Element.ACTION,
            automation.Element.GOAL,
        ),
        range(5_000_001, 5_000_010),
        strict=True,
    )
)
HTML = '<p><a href="https://sandbox.example/">Hello</a></p>'
LATER = "2089-05-01 10:00:00"
EVENT_URL = Found("event url", "https://events.sendpulse.com/events/id/5eed0000000000000000000000000002/7043663")
HOST = Found("host", "https://events.sendpulse.com")
EMAIL = Found("email", "pzkic9-0afezp-fc")
ACTIVATION = Found("activation code", "000000")

PARAMS = {"order_id": "7", "total": 10.5, "items": [{"id": 1, "name": "Tea"}], "gift": True}
CAMPAIGN = campaigns.NewCampaign(
    sender_name="Sandbox", sender_email=SENDER, subject="News", html=HTML, list_ids=(BOOK,), name="News"
)
WHOLE_CAMPAIGN = campaigns.NewCampaign(
    sender_name="Sandbox",
    sender_email=SENDER,
    subject="News",
    template_id=TEMPLATE,
    list_ids=(BOOK,),
    name="News",
    send_date=LATER,
    attachments={"note.txt": "hello"},
    attachments_binary={"note.bin": b"hello"},
    amp_html="<html amp4email></html>",
    use_dynamic_list=True,
    track_clicks=True,
    track_opens=False,
    utm_campaign="spring",
)
ANNA_AS_PERSON = smtp.Person(email=ANNA, name="Anna")
SANDBOX = smtp.Person(email=SENDER, name="Sandbox")
VARIABLES = [sms.PhoneVariable("city", "Lviv", "string"), sms.PhoneVariable("age", 30, "number")]
NEW_VIBER = viber.NewViber(sender_id=1, message="Hello", recipients=(380_501_112_233,), message_live_time=600)
WHOLE_VIBER = viber.NewViber(
    sender_id=1,
    message="Hello",
    message_type=viber.SYSTEM,
    send_date=LATER,
    address_book=BOOK,
    task_name="News",
    stretch_time=2,
    button_text="Buy",
    button_link="https://sandbox.example/",
    image_link="https://sandbox.example/picture.png",
    resend_sms=viber.SmsFallback(sms_text="Hello", sms_sender_name="Sandbox"),
)
NEW_PUSH = push.NewPush(title="Hello", website_id=SITE, body="News")
PAGE = {"limit": 10, "offset": 0}

ACCOUNT = (
    method(account.access_token, {"client_id": "sandbox-id", "client_secret": "sandbox-secret"}),
    method(account.user_info),
    method(account.balance, {}, {"currency": "UAH"}),
    method(account.balance_detail),
    method(account.senders),
    method(account.sender_add, {"email": "third@sandbox.example", "name": "Third"}),
    method(account.sender_delete, {"email": NEW_SENDER}),
    method(account.sender_code, {"email": NEW_SENDER}),
    method(account.sender_activate, {"email": NEW_SENDER, "code": ACTIVATION}),
    method(account.template_create, {"html": HTML}, {"html": HTML, "name": "Spring", "lang": "en"}),
    method(account.template_edit, {"real_id": TEMPLATE, "html": HTML, "lang": "en"}),
    method(account.template, {"template_id": TEMPLATE}, {"template_id": str(EDITED_TEMPLATE), "lang": "en"}),
    method(account.template_by_slug, {"slug": "welcome"}),
    method(account.templates, {}, {**PAGE, "owner": "sendpulse", "only_active": True}),
    method(account.blacklist),
    method(account.blacklist_add, {"emails": ["x@example.com", "y@example.com"], "comment": "asked"}),
    method(account.blacklist_remove, {"emails": ["x@example.com"]}),
    method(account.templates_in, {"lang": "en"}, {"lang": "ua", "limit": 1, "owner": "sendpulse", "only_active": True}),
)

EVENTS = (
    method(
        events.event_by_url,
        {"event_url": EVENT_URL, "params": PARAMS, "email": ANNA},
        {"event_url": EVENT_URL, "params": PARAMS, "email": ANNA, "phone": PHONE, "form": True},
    ),
    method(
        events.event_by_name,
        {"name": "purchase", "params": PARAMS, "email": ANNA, "automation_id": FLOW},
        {"name": "purchase", "params": {"email": ANNA}, "host": HOST},
    ),
)

AUTOMATION = (
    method(automation.flows, {}, PAGE),
    method(automation.flow, {"flow_id": FLOW}),
    method(automation.total_stats, {"flow_id": FLOW}, {"flow_id": FLOW, "flow_type": "email"}),
    method(automation.element_stats, *({"kind": kind, "element_id": element} for kind, element in ELEMENTS.items())),
    method(automation.conversions, {"flow_id": FLOW}),
    method(automation.conversion_list, {"flow_id": FLOW}),
    method(automation.delete_log, {"fields": {"ids": [1]}}),
)

BOOKS = (
    method(addressbooks.book_create, {"name": "Customers"}),
    method(addressbooks.books, {}, PAGE),
    method(addressbooks.book, {"book_id": BOOK}),
    method(addressbooks.book_rename, {"book_id": BOOK, "name": "Clients"}),
    method(addressbooks.book_delete, {"book_id": EMPTY_BOOK}),
    method(addressbooks.book_variables, {"book_id": BOOK}),
    method(addressbooks.book_cost, {"book_id": BOOK}),
    method(addressbooks.book_campaigns, {"book_id": BOOK}, {"book_id": BOOK, **PAGE}),
    method(
        addressbooks.upload,
        {
            "book_id": BOOK,
            "contacts": [
                addressbooks.NewContact(ANNA, {"city": "Kyiv", "age": 31, "Phone": PHONE}),
                "clara@example.com",
            ],
            "tags": [1],
            "disable_webhook": True,
            "dont_update": False,
            "check_emails": True,
        },
        {
            "book_id": BOOK,
            "contacts": [addressbooks.NewContact("dana@example.com")],
            "confirmation": "force",
            "sender_email": SENDER,
            "message_lang": "en",
            "template_id": str(TEMPLATE),
        },
    ),
    method(
        addressbooks.emails,
        {"book_id": BOOK},
        {"book_id": BOOK, **PAGE, "order": "desc", "active": True, "not_active": False},
    ),
    method(addressbooks.emails_total, {"book_id": BOOK}, {"book_id": BOOK, "active": True}),
    method(addressbooks.email, {"book_id": BOOK, "address": ANNA}, {"book_id": BOOK, "address": BORIS}),
    method(addressbooks.emails_by_variable, {"book_id": BOOK, "variable": "city", "value": "Lviv"}),
    method(addressbooks.variables_set, {"book_id": BOOK, "address": ANNA, "variables": {"city": "Odesa", "age": 32}}),
    method(addressbooks.phone_set, {"book_id": BOOK, "address": BORIS, "phone": OTHER_PHONE}),
    method(addressbooks.unsubscribe, {"book_id": BOOK, "addresses": [ANNA]}),
    method(addressbooks.emails_delete, {"book_id": BOOK, "addresses": [BORIS]}),
    method(emails.info, {"address": ANNA}),
    method(emails.details, {"address": ANNA}),
    method(emails.info_of_many, {"addresses": [ANNA, BORIS]}, {"addresses": [NOBODY]}),
    method(emails.stats, {"address": ANNA}),
    method(emails.stats_of_many, {"addresses": [ANNA, BORIS]}, {"addresses": [NOBODY]}),
    method(emails.delete, {"address": ANNA}),
)

CAMPAIGNS = (
    method(campaigns.create, {"campaign": CAMPAIGN}, {"campaign": WHOLE_CAMPAIGN}),
    method(campaigns.create_test, {"campaign": CAMPAIGN}),
    method(campaigns.create_draft, {"campaign": CAMPAIGN}),
    method(campaigns.campaigns, {}, {**PAGE, "order": "asc", "status": [3, 13, 14], "planned": False}),
    method(campaigns.campaign, {"campaign_id": SENT_CAMPAIGN}, {"campaign_id": PLANNED_CAMPAIGN}),
    method(campaigns.campaign_status, {"campaign_id": SENT_CAMPAIGN}),
    method(
        campaigns.change,
        {"campaign_id": PLANNED_CAMPAIGN, "name": "Other", "subject": "Other"},
        {
            "campaign_id": PLANNED_CAMPAIGN,
            "sender_name": "Sandbox",
            "sender_email": SENDER,
            "subject": "Other",
            "template_id": TEMPLATE,
            "send_date": LATER,
        },
    ),
    method(campaigns.cancel, {"campaign_id": PLANNED_CAMPAIGN}),
    method(campaigns.countries, {"campaign_id": SENT_CAMPAIGN}),
    method(campaigns.referrals, {"campaign_id": SENT_CAMPAIGN}),
    method(campaigns.recipient, {"campaign_id": SENT_CAMPAIGN, "address": ANNA}),
)

SMTP = (
    method(
        smtp.send,
        {"sender": SANDBOX, "to": [ANNA_AS_PERSON], "subject": "Hello", "html": HTML},
        {
            "sender": SANDBOX,
            "to": [ANNA_AS_PERSON, smtp.Person(email=BORIS)],
            "subject": "Hello",
            "html": HTML,
            "text": "Hello",
            "auto_plain_text": False,
            "reply_to": SANDBOX,
            "cc": [smtp.Person(email="copy@example.com")],
            "bcc": [smtp.Person(email="blind@example.com")],
            "attachments": {"note.txt": "hello"},
            "attachments_binary": {"note.bin": b"hello"},
        },
        {
            "sender": SANDBOX,
            "to": [ANNA_AS_PERSON],
            "subject": "Hello",
            "template_id": TEMPLATE,
            "variables": {"first_name": "Anna"},
        },
    ),
    method(smtp.email, {"email_id": EMAIL}),
    method(
        smtp.emails,
        {},
        {
            **PAGE,
            "date_from": "2020-01-01",
            "date_to": "2090-01-01",
            "sender": SENDER,
            "recipient": ANNA,
            "countries": False,
        },
    ),
    method(smtp.emails_total),
    method(smtp.info, {"email_ids": [EMAIL]}),
    method(smtp.bounces, {}, {"date": "2026-01-01", **PAGE}),
    method(smtp.bounces_total),
    method(smtp.unsubscribe, {"addresses": [ANNA]}, {"addresses": [BORIS], "comment": "asked"}),
    method(smtp.unsubscribe_undo, {"addresses": ["left@example.com"]}),
    method(smtp.unsubscribed, {}, {"date": "2026-01-01", **PAGE}),
    method(smtp.is_unsubscribed, {"address": "left@example.com"}, {"address": ANNA}),
    method(smtp.resubscribe, {"address": "left@example.com", "sender": SENDER, "lang": "en"}),
    method(smtp.senders),
    method(smtp.ips),
    method(smtp.domains),
    method(smtp.domain_add, {"domain": "third.example"}),
    method(smtp.old_domains),
    method(smtp.old_domain_add, {"address": "ann@other.example"}),
    method(smtp.old_domain_verify, {"address": "ann@sandbox.example"}),
)

SMS = (
    method(sms.numbers_add, {"book_id": BOOK, "phones": [OTHER_PHONE]}),
    method(sms.numbers_add_with_variables, {"book_id": BOOK, "phones": {OTHER_PHONE: VARIABLES}}),
    method(sms.numbers_change, {"book_id": BOOK, "phones": [PHONE], "variables": VARIABLES}),
    method(sms.numbers_delete, {"book_id": BOOK, "phones": [PHONE]}),
    method(sms.number, {"book_id": BOOK, "phone": PHONE}),
    method(sms.variables_set, {"book_id": BOOK, "phone": PHONE, "variables": VARIABLES}),
    method(sms.blacklist),
    method(sms.blacklist_search, {"phones": [PHONE]}),
    method(sms.blacklist_add, {"phones": [OTHER_PHONE], "description": "asked"}),
    method(sms.blacklist_remove, {"phones": ["380631112233"]}),
    method(
        sms.send,
        {"sender": "Sandbox", "phones": [PHONE], "text": "Hello"},
        {
            "sender": "Sandbox",
            "phones": [PHONE, OTHER_PHONE],
            "text": "Hello",
            "date": LATER,
            "route": {"UA": "national"},
            "track_links": True,
            "keep_protocol": False,
        },
        {"sender": "Sandbox", "phones": [PHONE], "text": "Hello", "emulate": True},
    ),
    method(
        sms.send_to_book,
        {"sender": "Sandbox", "book_id": BOOK, "text": "Hello {{city}}"},
        {
            "sender": "Sandbox",
            "book_id": BOOK,
            "text": "Hello",
            "date": LATER,
            "route": {"UA": "international"},
            "emulate": True,
            "track_links": True,
            "keep_protocol": True,
            "use_dynamic_list": True,
        },
    ),
    method(sms.campaign, {"campaign_id": SENT_SMS}),
    method(sms.campaigns, {}, {"date_from": "2020-01-01 00:00:00", "date_to": "2090-01-01 00:00:00"}),
    method(sms.cancel, {"campaign_id": PLANNED_SMS}),
    method(sms.delete, {"campaign_id": SENT_SMS}),
    method(
        sms.cost,
        {"sender": "Sandbox", "text": "Hello", "book_id": BOOK},
        {"sender": "Sandbox", "text": "Hello", "phones": [PHONE], "route": {"UA": "national"}},
    ),
    method(sms.senders),
)

VIBERS = (
    method(viber.send, {"campaign": NEW_VIBER}, {"campaign": WHOLE_VIBER}),
    method(viber.campaigns, {}, PAGE),
    method(viber.campaign, {"task_id": VIBER}),
    method(viber.recipients, {"task_id": VIBER}),
    method(viber.senders),
    method(viber.sender, {"sender_id": 1}),
    method(viber.blacklist, {}, PAGE),
    method(viber.blacklist_add, {"phones": [PHONE], "description": "asked"}),
    method(viber.blacklist_remove, {"phones": [PHONE]}),
    method(
        viber.update,
        {"task_id": PLANNED_VIBER, "campaign": viber.NewViber(1, "Changed", send_date=LATER)},
        {
            "task_id": PLANNED_VIBER,
            "campaign": viber.NewViber(
                1,
                "Changed",
                address_book=BOOK,
                task_name="Sale",
                send_date=LATER,
                button_text="Buy",
                button_link="https://sandbox.example/",
                image_link="https://sandbox.example/picture.png",
            ),
        },
    ),
)

PUSHES = (
    method(
        push.send,
        {"campaign": NEW_PUSH},
        {
            "campaign": push.NewPush(
                title="Hello",
                website_id=SITE,
                body="News",
                ttl=3600,
                link="https://sandbox.example/",
                filters={"filter_lang": "en"},
                stretch_time=1,
                send_date=LATER,
                buttons='[{"text": "Buy"}]',
                image='{"name": "a.png", "data": ""}',
                icon='{"name": "b.png", "data": ""}',
            )
        },
    ),
    method(push.tasks, {}, {**PAGE, "date_from": "2020-01-01", "date_to": "2090-01-01", "website_id": SITE}),
    method(push.task, {"task_id": PUSH}),
    method(push.websites, {}, PAGE),
    method(push.websites_total),
    method(push.website, {"website_id": SITE}),
    method(push.website_variables, {"website_id": SITE}),
    method(push.website_code, {"website_id": SITE}),
    method(
        push.subscriptions,
        {"website_id": SITE},
        {"website_id": SITE, **PAGE, "date_from": "2020-01-01", "date_to": "2090-01-01"},
    ),
    method(push.subscriptions_total, {"website_id": SITE}),
    method(push.subscription_set, {"subscription_id": 1, "active": False}),
)

VERIFIER = (
    method(verifier.list_verify, {"book_id": FRESH}),
    method(verifier.list_progress, {"book_id": VERIFIED}),
    method(verifier.list_result, {"book_id": VERIFIED}, {"book_id": VERIFIED, "start": 1, "count": 1}),
    method(verifier.verified_lists, {}, {"start": 0, "count": 5}),
    method(verifier.email_verify, {"address": ANNA}),
    method(verifier.email_result, {"address": BORIS}),
    method(verifier.email_result_delete, {"address": BORIS}),
    method(verifier.report_make, {"book_id": VERIFIED}, {"book_id": VERIFIED, "statuses": [1, 3], "lang": "en"}),
    method(verifier.report, {"book_id": VERIFIED}),
)

TAGS = (
    method(tags.tags),
    method(tags.tag_create, {"name": "new", "color": "#f0f4f6"}),
    method(tags.tag_change, {"tag_id": 1, "name": "newer", "color": "#000000"}),
    method(tags.tag_delete, {"tag_id": 1}),
    method(tags.pin_email, {"address": ANNA, "tag_ids": [1]}),
    method(tags.unpin_email, {"address": ANNA, "tag_ids": [1]}),
    method(tags.pin_phone, {"phone": PHONE, "tag_ids": [1]}),
    method(tags.unpin_phone, {"phone": PHONE, "tag_ids": [1]}),
)

WEBHOOKS = (
    method(webhooks.webhooks),
    method(webhooks.webhook, {"webhook_id": 1}),
    method(webhooks.webhook_create, {"url": "https://sandbox.example/hook", "actions": ["open", "spam"]}),
    method(
        webhooks.webhook_change,
        {"webhook_id": 1, "url": "https://sandbox.example/other"},
        {"webhook_id": 1, "actions": ["open", "redirect"]},
    ),
    method(webhooks.webhook_delete, {"webhook_id": 1}),
)

# Functions that say a call of the above in the words both services share.
TRANSLATIONS = (
    method(
        contact_mapping.book_upload,
        {
            "book_id": BOOK,
            "contacts": [models.Contact(email=ANNA, phone=PHONE, first_name="Anna", custom={"age": 31, "vip": True})],
            "tags": [1],
        },
        {"book_id": BOOK, "contacts": [models.Contact(email="dana@example.com")], "confirmation": SENDER},
    ),
    method(
        contact_mapping.event,
        {"event": models.Event("purchase", params=PARAMS, email=ANNA)},
        {"event": models.Event("purchase", params=PARAMS, email=ANNA), "event_url": EVENT_URL, "form": True},
    ),
    method(
        contact_mapping.smtp_template_send,
        {
            "template_id": TEMPLATE,
            "recipient": models.Recipient(ANNA, data={"first_name": "Anna"}),
            "sender_name": "Sandbox",
            "sender_email": SENDER,
            "subject": "Hello",
        },
    ),
)

FLOWS = (
    longer(addressbooks.find, name="Readers"),
    longer(contact_mapping.find_book, name="Readers"),
    longer(contact_mapping.book_id, name_or_id="Readers"),
    longer(contact_mapping.deliveries, email_ids=[EMAIL, "aaaaaa-bbbbbb-cc"]),
    longer(unsubscribed.everybody, take=Taken()),
)
PAGES = (
    longer(account.all_templates),
    longer(automation.all_flows),
    longer(addressbooks.all_books),
    longer(addressbooks.all_book_campaigns, book_id=BOOK),
    longer(addressbooks.all_emails, book_id=BOOK),
    longer(campaigns.all_campaigns),
    longer(smtp.all_emails),
    longer(smtp.all_unsubscribed),
    longer(viber.all_campaigns),
    longer(verifier.list_addresses, book_id=VERIFIED, size=1),
    longer(push.all_tasks),
    longer(push.all_websites),
    longer(push.all_subscriptions, website_id=SITE),
)

METHODS = (
    *(*ACCOUNT, *EVENTS, *AUTOMATION, *BOOKS, *CAMPAIGNS),
    *(*SMTP, *SMS, *VIBERS, *PUSHES, *VERIFIER, *TAGS, *WEBHOOKS),
)
