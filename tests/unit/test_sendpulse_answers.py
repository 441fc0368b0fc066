"""Answers as the vendor prints them, decoded: samples in its shapes, with its quirks."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import pytest

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.core.models import DeliveryState
from airflow_provider_esp.exceptions import DecodingError
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
from airflow_provider_esp.services.sendpulse.api.campaign_models import RECIPIENT_STATUS

T = TypeVar("T")


def read(call: Call[T], said: Any) -> T:
    return decode(json.dumps(said).encode(), call.answer)


@pytest.mark.parametrize("said", [{"result": True}, {"result": "true"}, {"result": 1}])
def test_done_is_done_however_it_is_printed(said: Any) -> None:
    assert read(events.event_by_name("e", {}, email="a@b.c"), said).result is True


@pytest.mark.parametrize("said", [{"result": False}, {}, [], {"ok": True}])
def test_an_answer_that_does_not_say_done_is_no_success(said: Any) -> None:
    with pytest.raises(DecodingError):
        read(addressbooks.upload(1, ["a@b.c"]), said)


def test_a_message_is_sent_only_where_the_service_gives_its_id() -> None:
    call = smtp.send(sender=smtp.Person("a@b.c"), to=[smtp.Person("a@b.c")], subject="x", html="x")
    assert read(call, {"result": True, "id": "pzkic9-0afezp-fc"}).id == "pzkic9-0afezp-fc"
    for said in ({"result": True}, {"result": False, "id": "x"}):
        with pytest.raises(DecodingError):
            read(call, said)


def test_unsubscribed_may_be_answered_with_no() -> None:
    assert read(smtp.is_unsubscribed("a@b.c"), {"result": False}).result is False


def test_a_token_is_read_and_not_shown() -> None:
    said = {"token_type": "Bearer", "expires_in": "3600", "access_token": "hush"}
    token = read(account.access_token("i", "s"), said)
    assert (token.access_token, token.expires_in) == ("hush", 3600)
    assert "hush" not in repr(token)
    with pytest.raises(DecodingError):
        read(account.access_token("i", "s"), {"token_type": "Bearer", "access_token": "hush"})


def test_the_user_has_a_time_zone_and_may_lack_the_rest() -> None:
    user = read(account.user_info(), {"id": "7", "time_zone": "Europe/Kyiv", "phone": None, "phone_confirm": 0})
    assert (user.id, user.time_zone, user.phone, user.phone_confirm) == (7, "Europe/Kyiv", "", False)


def test_money_is_a_number_though_it_is_printed_as_a_string() -> None:
    said = {
        "balance": {"main": "9.36", "bonus": "5.00", "currency": "USD"},
        "email": {"tariff_name": "Free", "finished_time": "2019-04-25 08:03:02", "emails_left": 9914},
        "smtp": {"tariff_name": "SMTP Free", "end_date": "2018-11-21 15:05:39", "auto_renew": 1},
        "push": [],
    }
    detail = read(account.balance_detail(), said)
    assert (detail.balance.main, detail.email.emails_left, detail.smtp.auto_renew) == (9.36, 9914, True)
    assert detail.push == account.Plan()
    assert read(account.balance(), {"currency": "USD", "balance_currency": "0.02"}).balance_currency == 0.02


def test_a_template_comes_with_lists_where_objects_belong() -> None:
    said = {"id": 77, "real_id": "1042220", "name": "Hi", "tags": [], "category_info": [], "body": "PGI+", "lang": None}
    template = read(account.template(77), said)
    assert (template.id, template.real_id, template.tags, template.lang) == ("77", 1042220, {}, "")


def test_books_come_in_a_list_even_when_there_is_one() -> None:
    book = {"id": 1, "name": "News", "all_email_qty": "5", "status": 0, "creationdate": "2020-01-01 00:00:00"}
    assert [b.all_email_qty for b in read(addressbooks.book(1), [book])] == [5]
    assert [b.id for b in read(addressbooks.book(1), book)] == [1]
    assert read(addressbooks.books(), []) == []


def test_contacts_come_with_their_variables_in_three_shapes() -> None:
    said = [
        {"email": "a@b.c", "status": 1, "status_explain": "Active", "phone": 380501112233, "variables": {"age": 4}},
        {"email": "d@e.f", "status": "0", "variables": []},
    ]
    ann, bob = read(addressbooks.emails(1), said)
    assert (ann.phone, ann.variables) == ("380501112233", {"age": 4})
    assert (bob.status, bob.variables) == (0, {})
    one = {
        "email": "a@b.c",
        "abook_id": "12345",
        "phone": "",
        "status": 1,
        "variables": [{"name": "age", "type": "number", "value": 4}],
    }
    detail = read(addressbooks.email(1, "a@b.c"), one)
    assert (detail.abook_id, detail.variables[0].name, detail.variables[0].value) == (12345, "age", 4)


def test_a_persons_answers_do_not_show_the_person() -> None:
    ann = read(addressbooks.emails(1), [{"email": "ann@example.com"}])
    mail = read(smtp.email("x"), {"id": "x", "recipient": "ann@example.com"})
    where = read(emails.info("ann@example.com"), [{"book_id": 1, "email": "ann@example.com"}])
    assert "ann" not in repr([ann, mail, where])


def test_statistics_of_many_have_a_misspelt_key() -> None:
    said = {"a@b.c": {"sent": 3, "open": 2, "link": 1, "adressbooks": [{"id": 1, "name": "News"}], "blacklist": 0}}
    stats = read(emails.stats_of_many(["a@b.c"]), said)["a@b.c"]
    assert (stats.sent, stats.addressbooks[0].name, stats.blacklist) == (3, "News", False)
    one = {"statistic": {"sent": 3}, "blacklist": True, "addressbooks": [{"id": 1, "address_book_name": "News"}]}
    assert read(emails.stats("a@b.c"), one).addressbooks[0].address_book_name == "News"


@pytest.mark.parametrize("key", ["overdraft_currency", "ovedraft_currency"])
def test_a_new_campaigns_currency_is_read_under_both_spellings(key: str) -> None:
    campaign = campaigns.NewCampaign("S", "s@b.c", "x", html="x", list_ids=(1,))
    made = read(campaigns.create(campaign), {"id": 245587, "status": 13, "overdraft_price": "0.0044", key: "USD"})
    assert (made.id, made.status, made.overdraft_price, made.currency) == (245587, 13, 0.0044, "USD")


def test_a_campaigns_figures_differ_between_the_list_and_the_one() -> None:
    listed = {
        "id": 1,
        "name": "May",
        "message": {"sender_name": "S", "attachments": "", "list_id": 5},
        "status": 3,
        "company_price": "0.50",
        "statistics": {"sent": 10, "delivered": "9"},
    }
    assert read(campaigns.campaigns(), [listed])[0].statistics.delivered == 9
    alone = {**listed, "statistics": {"general": [{"code": 2, "count": 9, "explain": "Delivered"}], "clicks": []}}
    detail = read(campaigns.campaign(1), alone)
    assert (detail.statistics.general[0].count, detail.company_price) == (9, 0.5)


def test_waiting_for_a_campaign_reads_its_status_whatever_else_is_there() -> None:
    said = {"id": 1, "name": "May", "status": 3, "statistics": [{"code": 1, "count": 2, "explain": "Sent"}]}
    assert read(campaigns.campaign_status(1), said).status == 3
    with pytest.raises(DecodingError):
        read(campaigns.campaign_status(1), {"id": 1})


@pytest.mark.parametrize("key", ["sent_date", "send_date"])
def test_a_recipients_date_is_read_under_both_names(key: str) -> None:
    result = read(campaigns.recipient(1, "a@b.c"), {key: "2026-01-01 00:00:00", "global_status": 2})
    assert result.date == "2026-01-01 00:00:00"
    assert result.global_status is not None
    assert RECIPIENT_STATUS[result.global_status] == "delivered"


def test_countries_of_a_campaign_nobody_opened_are_an_empty_list() -> None:
    assert read(campaigns.countries(1), {"UA": "23"}) == {"UA": 23}
    assert read(campaigns.countries(1), []) == {}


def test_a_mail_is_read_before_and_after_its_delivery() -> None:
    early: dict[str, Any] = {"id": "x", "recipient": None, "smtp_answer_code": None, "total_size": "", "tracking": []}
    mail = read(smtp.email("x"), early)
    assert (mail.answer_code, mail.tracking.open) == (None, 0)
    late = {
        "id": "x",
        "total_size": 1100,
        "smtp_answer_code": "250",
        "smtp_answer_code_explain": "Delivered",
        "smtp_answer_subcode": 0,
        "tracking": {
            "click": 1,
            "open": 2,
            "link": [{"url": "https://example.com", "country": None}],
            "client_info": None,
        },
    }
    mail = read(smtp.email("x"), late)
    assert (mail.answer_code, mail.smtp_answer_code_explain, mail.tracking.open) == (250, "Delivered", 2)
    assert mail.tracking.link[0].url == "https://example.com"


def test_bounces_and_unsubscribed_people_are_read() -> None:
    said = {"total": 1, "emails": [{"email_to": "a@b.c", "smtp_answer_code": 550}], "request_limit": 1000, "found": 1}
    assert read(smtp.bounces(), said).emails[0].smtp_answer_code == 550
    people = [{"email": "a@b.c", "unsubscribe_by_link": 1, "unsubscribe_by_user": 0, "spam_complaint": 0}]
    assert read(smtp.unsubscribed(), people)[0].unsubscribe_by_link is True


def test_domains_are_wrapped_twice() -> None:
    said = {"data": {"result": True, "data": [{"id": 1, "service_value": "b.c", "checks": {"check_dkim": 1}}]}}
    assert read(smtp.domains(), said).data.data[0].checks.check_dkim is True


PHONES = [
    {"phone": 380501112233, "status": 2, "\u0441ountry_code": "UA", "money_spent": 0.04},
    {"phone": 380501112234, "status": 12, "country_code": "PL"},
]


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_texts_country_is_read_whichever_alphabet_its_key_begins_in(wrapped: bool) -> None:
    said = {"result": True, "data": {"id": 5, "company_price": 0.08, "task_phones_info": PHONES}}
    (answer,) = read(sms.campaign(5), [said] if wrapped else said)
    first, second = answer.data.task_phones_info
    assert (first.country, second.country, first.phone) == ("UA", "PL", "380501112233")
    assert (first.state, second.state) == (DeliveryState.DELIVERED, DeliveryState.FAILED)
    assert answer.data.finished


@pytest.mark.parametrize("status", [1, 0, 7, None])
def test_a_text_on_its_way_is_not_finished(status: int | None) -> None:
    phones = [*PHONES, {"phone": 1, "status": status}]
    (answer,) = read(sms.campaign(5), {"result": True, "data": {"id": 5, "task_phones_info": phones}})
    assert answer.data.task_phones_info[2].state is DeliveryState.PENDING
    assert not answer.data.finished


def test_a_campaign_without_numbers_is_not_finished() -> None:
    (answer,) = read(sms.campaign(5), {"result": True, "data": {"id": 5, "task_phones_info": []}})
    assert not answer.data.finished


def test_counters_come_as_an_object_or_in_a_list() -> None:
    said = {"result": True, "counters": {"added": 1, "exceptions": 0, "exists": 2}}
    for shape in (said, [said]):
        assert read(sms.numbers_add(1, ["380"]), shape)[0].counters.exists == 2
    sent = read(sms.send("Shop", ["380"], "x"), {"result": True, "campaign_id": 9, "counters": {"sends": 1}})
    assert (sent.campaign_id, sent.counters.sends) == (9, 1)


def test_a_flow_is_wrapped_in_the_list_and_bare_alone() -> None:
    item = {"id": 1, "name": "Welcome", "status": 1, "main_data": {"type": "series"}, "created": "", "changed": ""}
    assert read(automation.flows(), {"data": [item]}).data[0].main_data == {"type": "series"}
    alone = {
        "autoresponder": item,
        "flows": [{"id": 2, "main_id": 1, "af_type": "email", "created": "x", "last_send": None, "task": None}],
        "starts": 4,
        "in_queue": 1,
    }
    stats = read(automation.flow(1), alone)
    assert (stats.starts, stats.in_queue, stats.flows[0].af_type) == (4, 1, "email")


@pytest.mark.parametrize(
    ("kind", "data", "field", "value"),
    [
        (automation.Element.START, {"flow_id": 1, "executed": 3, "deleted": 1}, "deleted", 1),
        (automation.Element.EMAIL, {"flow_id": 1, "sent": 3, "marked_as_spam": 1, "task": {"id": 2}}, "sent", 3),
        (automation.Element.SMS, {"flow_id": 1, "executed": 3, "opened": None, "last_send": None}, "opened", None),
        (automation.Element.PUSH, {"flow_id": 1, "sent": 3, "errors": 2}, "errors", 2),
        (automation.Element.ACTION, {"flow_id": 1, "executed": 3, "last_send": "x"}, "executed", 3),
    ],
)
def test_each_kind_of_element_counts_its_own_things(
    kind: automation.Element, data: dict[str, Any], field: str, value: int | None
) -> None:
    assert getattr(read(automation.element_stats(kind, 1), {"data": data}).data, field) == value


def test_conversions_and_a_log_nobody_documented_are_read() -> None:
    said = {"data": {"total_conversions": 2, "maintrigger": [], "goals": [{"id": 1}]}}
    assert read(automation.conversions(1), said).data.total_conversions == 2
    items = [{"id": 1, "conversion_type": "goal", "email": "a@b.c", "phone": None}]
    assert read(automation.conversion_list(1), {"total": 1, "items": items}).items[0].email == "a@b.c"
    assert decode(b"whatever", automation.delete_log({}).answer) is None


def test_viber_push_tags_and_webhooks_are_read() -> None:
    new = viber.NewViber(1, "Hi", address_book=2)
    assert read(viber.send(new), {"result": True, "data": {"task_id": "5"}}).data.task_id == 5
    assert read(viber.campaigns(), [{"id": 1, "status": None}])[0].status is None
    stats = read(push.task(1), {"id": 1, "message": {"title": "x"}, "status": 3, "send": "21", "delivered": 20})
    assert (stats.send, stats.delivered) == (21, 20)
    assert read(push.send(push.NewPush("t", 1, "b")), {"result": True, "id": 8}).id == 8
    queued = {"code": "request_sended_to_queue", "failure": False, "success": True, "queue_id": "9621c9bf"}
    assert read(tags.pin_email("a@b.c", [1]), queued).queue_id == "9621c9bf"
    hooks = {"success": True, "data": [{"id": 1, "user_id": 2, "url": "https://example.com", "action": "open"}]}
    assert read(webhooks.webhook_create("https://example.com", ["open"]), hooks).data[0].action == "open"
    assert read(webhooks.webhook_delete(1), {"success": True, "data": [True]}).data == [True]
