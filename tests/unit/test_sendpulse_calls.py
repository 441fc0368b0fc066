"""Every SendPulse call: its method, the vendor's name for it, whether it may repeat, and that no value is in it."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.sendpulse import limits
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
    viber,
    webhooks,
)
from airflow_provider_esp.services.sendpulse.api.automation import Element

WHO = "ann@private.example"
PHONE = "380501112233"
ID = 90817263
SECRET = "hush-hush"
URL = "https://events.sendpulse.com/events/id/0123456789abcdef0123456789abcdef/7654321"
VALUES = (WHO, WHO.replace("@", "%40"), PHONE, str(ID), SECRET, "0123456789abcdef", "7654321")

PERSON = smtp.Person(WHO, SECRET)
CAMPAIGN = campaigns.NewCampaign(SECRET, WHO, SECRET, html=SECRET, list_ids=(ID,))
PUSH = push.NewPush(SECRET, ID, SECRET)
VIBER = viber.NewViber(ID, SECRET, recipients=(int(PHONE),))
PHONE_VARIABLES = [sms.PhoneVariable("name", SECRET, "string")]

YES, NO = True, False
READS: list[tuple[Call[Any], str, bool]] = [
    (account.user_info(), "GET user/info", YES),
    (account.balance(), "GET balance", YES),
    (account.balance("USD"), "GET balance/{currency}", YES),
    (account.balance_detail(), "GET user/balance/detail", YES),
    (account.senders(), "GET senders", YES),
    (account.template(ID), "GET template/{template_id}", YES),
    (account.template_by_slug(SECRET), "GET template/slug/{name_slug}", YES),
    (account.templates(), "GET templates", YES),
    (account.templates_in("en"), "GET templates/{lang}", YES),
    (account.blacklist(), "GET blacklist", YES),
    (automation.flows(), "GET a360/autoresponders/list", YES),
    (automation.flow(ID), "GET a360/autoresponders/{ID}", YES),
    (automation.total_stats(ID), "GET a360/autoresponders/{ID}/total-stats", YES),
    (automation.element_stats(Element.START, ID), "GET a360/stats/main-trigger/{ID}/group-stat", YES),
    (automation.element_stats(Element.EMAIL, ID), "GET a360/stats/email/{ID}/group-stat", YES),
    (automation.element_stats(Element.PUSH, ID), "GET a360/stats/push/{ID}/group-stat", YES),
    (automation.element_stats(Element.SMS, ID), "GET a360/stats/sms/{ID}/group-stat", YES),
    (automation.element_stats(Element.MESSENGER, ID), "GET a360/stats/messenger/{ID}/group-stat", YES),
    (automation.element_stats(Element.FILTER, ID), "GET a360/stats/filter/{ID}/group-stat", YES),
    (automation.element_stats(Element.CONDITION, ID), "GET a360/stats/trigger/{ID}/group-stat", YES),
    (automation.element_stats(Element.GOAL, ID), "GET a360/stats/goal/{ID}/group-stat", YES),
    (automation.element_stats(Element.ACTION, ID), "GET a360/stats/action/{ID}/group-stat", YES),
    (automation.conversions(ID), "GET a360/autoresponders/{id}/conversions", YES),
    (automation.conversion_list(ID), "GET a360/autoresponders/{id}/conversions/list/all", YES),
    (addressbooks.books(), "GET addressbooks", YES),
    (addressbooks.book(ID), "GET addressbooks/{id}", YES),
    (addressbooks.book_variables(ID), "GET addressbooks/{id}/variables", YES),
    (addressbooks.book_cost(ID), "GET addressbooks/{id}/cost", YES),
    (addressbooks.book_campaigns(ID), "GET addressbooks/{id}/campaigns", YES),
    (addressbooks.emails(ID), "GET addressbooks/{id}/emails", YES),
    (addressbooks.emails_total(ID), "GET addressbooks/{id}/emails/total", YES),
    (addressbooks.email(ID, WHO), "GET addressbooks/{id}/emails/{email}", YES),
    (
        addressbooks.emails_by_variable(ID, "Phone", PHONE),
        "GET addressbooks/{id}/variables/{variableName}/{searchValue}",
        YES,
    ),
    (emails.info(WHO), "GET emails/{email}", YES),
    (emails.details(WHO), "GET emails/{email}/details", YES),
    (emails.info_of_many([WHO]), "POST emails", YES),
    (emails.stats(WHO), "GET emails/{email}/campaigns", YES),
    (emails.stats_of_many([WHO]), "POST emails/campaigns", YES),
    (campaigns.campaigns(), "GET campaigns", YES),
    (campaigns.campaign(ID), "GET campaigns/{id}", YES),
    (campaigns.campaign_status(ID), "GET campaigns/{id}", YES),
    (campaigns.countries(ID), "GET campaigns/{id}/countries", YES),
    (campaigns.referrals(ID), "GET campaigns/{id}/referrals", YES),
    (campaigns.recipient(ID, WHO), "GET campaigns/{id}/email/{email}", YES),
    (smtp.email(SECRET), "GET smtp/emails/{id}", YES),
    (smtp.emails(recipient=WHO), "GET smtp/emails", YES),
    (smtp.emails_total(), "GET smtp/emails/total", YES),
    (smtp.info([SECRET]), "POST smtp/emails/info", YES),
    (smtp.bounces(), "GET smtp/bounces/day", YES),
    (smtp.bounces_total(), "GET smtp/bounces/day/total", YES),
    (smtp.unsubscribed(), "GET smtp/unsubscribe", YES),
    (smtp.is_unsubscribed(WHO), "GET smtp/unsubscribe/search", YES),
    (smtp.senders(), "GET smtp/senders", YES),
    (smtp.ips(), "GET smtp/ips", YES),
    (smtp.domains(), "GET v2/email-service/smtp/sender_domains", YES),
    (sms.number(ID, PHONE), "GET sms/numbers/info/{addressBookId}/{phoneNumber}", YES),
    (sms.blacklist(), "GET sms/black_list", YES),
    (sms.blacklist_search([PHONE]), "GET sms/black_list/by_numbers", YES),
    (sms.campaign(ID), "GET sms/campaigns/info/{id}", YES),
    (sms.campaigns(), "GET sms/campaigns/list", YES),
    (sms.cost("Shop", SECRET, phones=[PHONE]), "GET sms/campaigns/cost", YES),
    (sms.senders(), "GET sms/senders", YES),
    (smtp.old_domains(), "GET smtp/domains", YES),
    (smtp.old_domain_add(WHO), "POST smtp/domains", YES),
    (smtp.old_domain_verify(WHO), "GET smtp/domains/{email}", YES),
    (viber.update(ID, viber.NewViber(ID, SECRET)), "POST viber/update", YES),
    (viber.campaigns(), "GET viber/task", YES),
    (viber.campaign(ID), "GET viber/task/{id}", YES),
    (viber.recipients(ID), "GET viber/task/{id}/recipients", YES),
    (viber.senders(), "GET viber/senders", YES),
    (viber.sender(ID), "GET viber/senders/{id}", YES),
    (viber.blacklist(), "GET v2/viber-service/phone-exception", YES),
    (push.tasks(), "GET push/tasks", YES),
    (push.task(ID), "GET push/tasks/{id}", YES),
    (push.websites(), "GET push/websites", YES),
    (push.websites_total(), "GET push/websites/total", YES),
    (push.website(ID), "GET push/websites/info/{id}", YES),
    (push.website_variables(ID), "GET push/websites/{id}/variables", YES),
    (push.website_code(ID), "GET push/websites/{id}/code", YES),
    (push.subscriptions(ID), "GET push/websites/{id}/subscriptions", YES),
    (push.subscriptions_total(ID), "GET push/websites/{id}/subscriptions/total", YES),
    (tags.tags(), "GET tags", YES),
    (webhooks.webhooks(), "GET v2/email-service/webhook", YES),
    (webhooks.webhook(ID), "GET v2/email-service/webhook/{id}", YES),
]
CHANGES: list[tuple[Call[Any], str, bool]] = [
    (account.access_token(SECRET, SECRET), "POST oauth/access_token", YES),
    (account.sender_add(WHO, SECRET), "POST senders", NO),
    (account.sender_delete(WHO), "DELETE senders", YES),
    (account.sender_code(WHO), "GET senders/{email}/code", NO),
    (account.sender_activate(WHO, SECRET), "POST senders/{email}/code", NO),
    (account.template_create(SECRET), "POST template", NO),
    (account.template_edit(ID, SECRET), "POST template/edit/{id}", YES),
    (account.blacklist_add([WHO]), "POST blacklist", YES),
    (account.blacklist_remove([WHO]), "DELETE blacklist", YES),
    (automation.delete_log({"id": ID}), "POST a360/events/delete-log", NO),
    (addressbooks.book_create(SECRET), "POST addressbooks", YES),
    (addressbooks.book_rename(ID, SECRET), "PUT addressbooks/{id}", YES),
    (addressbooks.book_delete(ID), "DELETE addressbooks/{id}", YES),
    (addressbooks.upload(ID, [WHO]), "POST addressbooks/{id}/emails", YES),
    (addressbooks.upload(ID, [WHO], dont_update=True, tags=[1]), "POST addressbooks/{id}/emails", YES),
    (addressbooks.upload(ID, [WHO], confirmation="force", sender_email=WHO), "POST addressbooks/{id}/emails", NO),
    (addressbooks.variables_set(ID, WHO, {"x": SECRET}), "POST addressbooks/{id}/emails/variable", YES),
    (addressbooks.phone_set(ID, WHO, PHONE), "PUT addressbooks/{id}/phone", YES),
    (addressbooks.unsubscribe(ID, [WHO]), "POST addressbooks/{id}/emails/unsubscribe", YES),
    (addressbooks.emails_delete(ID, [WHO]), "DELETE addressbooks/{id}/emails", YES),
    (emails.delete(WHO), "DELETE emails/{email}", YES),
    (campaigns.create(CAMPAIGN), "POST campaigns", NO),
    (campaigns.create_test(CAMPAIGN), "POST campaigns", NO),
    (campaigns.create_draft(CAMPAIGN), "POST campaigns", NO),
    (campaigns.change(ID, name=SECRET), "PATCH campaigns/{id}", NO),
    (campaigns.cancel(ID), "DELETE campaigns/{id}", YES),
    (events.event_by_name("purchase", {}, email=WHO), "POST events/name/{event_name}", NO),
    (events.event_by_url(URL, {}, email=WHO), "POST events/id/{event_hash}/{user_id}", NO),
    (events.event_by_url(URL, {}, phone=PHONE, form=True), "POST events/id/{event_hash}/{user_id}", NO),
    (smtp.send(sender=PERSON, to=[PERSON], subject=SECRET, html=SECRET), "POST smtp/emails", NO),
    (smtp.unsubscribe([WHO]), "POST smtp/unsubscribe", YES),
    (smtp.unsubscribe_undo([WHO]), "DELETE smtp/unsubscribe", YES),
    (smtp.resubscribe(WHO, WHO), "POST smtp/resubscribe", NO),
    (smtp.domain_add(SECRET), "POST v2/email-service/smtp/sender_domains/{domain}", NO),
    (sms.numbers_add(ID, [PHONE]), "POST sms/numbers", YES),
    (sms.numbers_add_with_variables(ID, {PHONE: PHONE_VARIABLES}), "POST sms/numbers/variables", YES),
    (sms.numbers_change(ID, [PHONE], PHONE_VARIABLES), "PUT sms/numbers", YES),
    (sms.numbers_delete(ID, [PHONE]), "DELETE sms/numbers", YES),
    (sms.variables_set(ID, PHONE, PHONE_VARIABLES), "POST addressbooks/{id}/phones/variable", YES),
    (sms.blacklist_add([PHONE], SECRET), "POST sms/black_list", YES),
    (sms.blacklist_remove([PHONE]), "DELETE sms/black_list", YES),
    (sms.send("Shop", [PHONE], SECRET), "POST sms/send", NO),
    (sms.send("Shop", [PHONE], SECRET, emulate=True), "POST sms/send", YES),
    (sms.send_to_book("Shop", ID, SECRET), "POST sms/campaigns", NO),
    (sms.send_to_book("Shop", ID, SECRET, emulate=True), "POST sms/campaigns", YES),
    (sms.cancel(ID), "PUT sms/campaigns/cancel/{id}", YES),
    (sms.delete(ID), "DELETE sms/campaigns", YES),
    (viber.send(VIBER), "POST viber", NO),
    (viber.blacklist_add([PHONE], SECRET), "POST v2/viber-service/phone-exception", YES),
    (viber.blacklist_remove([PHONE]), "DELETE v2/viber-service/phone-exception", YES),
    (push.send(PUSH), "POST push/tasks", NO),
    (push.subscription_set(ID, active=False), "POST push/subscriptions/state", YES),
    (tags.tag_create(SECRET, "#fff"), "POST tags", NO),
    (tags.tag_change(ID, SECRET, "#fff"), "PUT tags/{id}", YES),
    (tags.tag_delete(ID), "DELETE tags/{id}", YES),
    (tags.pin_email(WHO, [1]), "POST tags/pin/email", YES),
    (tags.pin_phone(PHONE, [1]), "POST tags/pin/phone", YES),
    (tags.unpin_email(WHO, [1]), "POST tags/unpin/email", YES),
    (tags.unpin_phone(PHONE, [1]), "POST tags/unpin/phone", YES),
    (webhooks.webhook_create(SECRET, ["open"]), "POST v2/email-service/webhook", NO),
    (webhooks.webhook_change(ID, SECRET), "PUT v2/email-service/webhook/{id}", YES),
    (webhooks.webhook_delete(ID), "DELETE v2/email-service/webhook/{id}", YES),
]
CALLS = READS + CHANGES
MODULES: tuple[ModuleType, ...] = (
    account,
    automation,
    addressbooks,
    campaigns,
    emails,
    events,
    push,
    sms,
    smtp,
    tags,
    viber,
    webhooks,
)
UNAUTHORISED = ("POST oauth/access_token", "POST events/id/{event_hash}/{user_id}")

every_call = pytest.mark.parametrize(("call", "name", "repeatable"), CALLS, ids=[name for _, name, _ in CALLS])


@every_call
def test_a_call_is_named_as_the_vendor_names_it(call: Call[Any], name: str, repeatable: bool) -> None:
    assert call.name == name
    assert call.service == "sendpulse"


@every_call
def test_a_call_says_whether_it_may_be_sent_twice(call: Call[Any], name: str, repeatable: bool) -> None:
    assert call.repeatable is repeatable


@every_call
def test_neither_name_nor_repr_of_a_call_holds_a_value(call: Call[Any], name: str, repeatable: bool) -> None:
    told = call.name + repr(call) + "".join(bucket.name for bucket in call.buckets if "push" not in bucket.name)
    assert not [value for value in VALUES if value in told]


@every_call
def test_the_path_is_the_name_with_its_placeholders_filled(call: Call[Any], name: str, repeatable: bool) -> None:
    path = call.path.removeprefix("https://events.sendpulse.com/")
    assert "{" not in path
    assert len(path.split("/")) == len(call.label.split("/"))
    for part, meant in zip(path.split("/"), call.label.split("/"), strict=True):
        assert part == meant or meant.startswith("{")


@every_call
def test_only_events_by_url_and_the_token_go_without_a_credential(call: Call[Any], name: str, repeatable: bool) -> None:
    assert call.authorised is (name not in UNAUTHORISED)


@every_call
def test_every_call_to_the_api_counts_against_the_account(call: Call[Any], name: str, repeatable: bool) -> None:
    if name.startswith("POST events/id/"):
        assert call.buckets == (limits.EVENTS,)
    else:
        assert call.buckets[:2] == (limits.SECOND, limits.MINUTE)


@every_call
def test_a_body_is_json_and_said_to_be(call: Call[Any], name: str, repeatable: bool) -> None:
    if call.content is None:
        assert call.content_type is None
    elif call.content_type == "application/x-www-form-urlencoded":
        assert name.startswith("POST events/id/")
    else:
        assert call.content_type == "application/json; charset=UTF-8"
        assert isinstance(msgspec.json.decode(call.content), dict)


def test_every_function_that_makes_a_call_is_in_the_table() -> None:
    made = {
        f"{next(short for short, value in globals().items() if value is module)}.{name}"
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and str(inspect.signature(function).return_annotation).startswith("Call[")
    }
    table = Path(__file__).read_text()
    assert {name for name in made if f"{name}(" not in table} == set()
    assert len(made) > 100


def test_campaigns_pushes_and_resubscriptions_have_limits_of_their_own() -> None:
    assert campaigns.create(CAMPAIGN).buckets[2:] == (limits.CAMPAIGNS,)
    assert (limits.CAMPAIGNS.limit, limits.CAMPAIGNS.seconds) == (4, 3600)
    assert push.send(PUSH).buckets[2:] == (limits.push(ID),)
    assert limits.push(1) != limits.push(2)
    assert smtp.resubscribe(WHO, WHO).buckets[2:] == (limits.RESUBSCRIBE,)
    assert (limits.SECOND.limit, limits.SECOND.seconds) == (10, 1)
    assert (limits.MINUTE.limit, limits.MINUTE.seconds) == (1000, 60)


@pytest.mark.parametrize("empty", ["", ".", ".."])
def test_an_empty_id_never_turns_a_call_into_another(empty: str) -> None:
    with pytest.raises(ValueError, match=r"^emails/\{email\} needs email, .* Nothing was sent"):
        emails.delete(empty)


def test_slashes_in_an_id_stay_inside_it() -> None:
    assert emails.info("a/b?c@example.com").path == "emails/a%2Fb%3Fc%40example.com"


def test_a_page_of_books_asks_for_limit_and_offset() -> None:
    assert addressbooks.books(10, 20).query_string == "limit=10&offset=20"


def test_booleans_in_a_query_are_ones_and_zeros() -> None:
    call = addressbooks.emails(1, active=True, not_active=False, order="desc")
    assert call.query_string == "limit=100&offset=0&order=desc&active=1&not_active=0"
    assert addressbooks.emails_total(1, active=None).query_string == ""


def test_lists_in_a_query_are_numbered() -> None:
    call = campaigns.campaigns(status=[3, 8], planned=True)
    assert call.query_string == "limit=100&offset=0&planed=1&status%5B0%5D=3&status%5B1%5D=8"


def test_templates_are_the_accounts_own_unless_asked_otherwise() -> None:
    assert "owner=me" in account.templates().query_string
    assert "owner=sendpulse" in account.templates(owner="sendpulse").query_string


def test_the_token_call_sends_the_credential_in_its_body_only() -> None:
    call = account.access_token("id-1", "secret-1")
    assert msgspec.json.decode(call.content or b"") == {
        "grant_type": "client_credentials",
        "client_id": "id-1",
        "client_secret": "secret-1",
    }
    assert call.query == {}


def test_html_and_blacklists_travel_as_base64() -> None:
    template = msgspec.json.decode(account.template_create("<p>Привіт</p>", name="t").content or b"")
    assert template == {"body": "PHA+0J/RgNC40LLRltGCPC9wPg==", "name": "t"}
    blacklist = msgspec.json.decode(account.blacklist_add(["a@b.c", "d@e.f"], comment="c").content or b"")
    assert blacklist == {"emails": "YUBiLmMsZEBlLmY=", "comment": "c"}
