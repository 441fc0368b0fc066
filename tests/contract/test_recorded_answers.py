"""Answers in shapes that clients of the services have recorded, where they differ from the specification.

Each is read without an error, and what a user would ask of it is there. The values are ours.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.exceptions import DecodingError
from airflow_provider_esp.services.esputnik.api import contacts as people
from airflow_provider_esp.services.esputnik.api import general, imports, messages, orders, reading
from airflow_provider_esp.services.esputnik.api.models import Channel, ContactUpdate
from airflow_provider_esp.services.sendpulse.api import (
    account,
    addressbooks,
    campaigns,
    emails,
    push,
    sms,
    smtp,
    verifier,
    viber,
    webhooks,
)

T = TypeVar("T")

PHONE = "380501112233"
CONTACT = ContactUpdate(channels=[Channel(type="email", value="ann@example.com")])
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
CHANGED = campaigns.change(3, name="Sale")


def read(call: Call[T], answer: Any) -> T:
    return decode(json.dumps(answer, ensure_ascii=False).encode(), call.answer)


@pytest.fixture(autouse=True)
def _nothing_is_lost(caplog: pytest.LogCaptureFixture) -> Any:
    """No answer of this page costs a field."""
    with caplog.at_level(logging.WARNING):
        yield
    assert not caplog.records


def test_a_number_without_an_address_has_false_for_it() -> None:
    data = {"email": False, "status": 0, "variables": {"city": "Lviv"}, "added": "2026-06-30 18:08:07"}
    for answer in ({"result": True, "data": data}, [{"result": True, "data": data}]):
        [number] = read(sms.number(1, PHONE), answer)
        assert (number.data.email, number.data.status, number.data.variables) == (None, 0, {"city": "Lviv"})


HOOK = {"id": 7, "user_id": 1, "url": "https://sandbox.example/hook", "action": "open"}


@pytest.mark.parametrize("rows", [HOOK, [HOOK]], ids=["bare", "list"])
@pytest.mark.parametrize("envelopes", [1, 2])
def test_webhooks_come_in_one_envelope_or_two(rows: Any, envelopes: int) -> None:
    answer = {"success": True, "data": rows} if envelopes == 1 else {"data": {"result": True, "data": rows}}
    assert read(webhooks.webhook(7), answer).data.id == 7
    for call in (webhooks.webhooks(), webhooks.webhook_create("https://sandbox.example/hook", ["open"])):
        assert [(hook.id, hook.action) for hook in read(call, answer).data] == [(7, "open")]


@pytest.mark.parametrize("answer", [{"success": True, "data": [True]}, {"data": {"result": True, "data": [True]}}])
def test_a_changed_webhook_comes_in_one_envelope_or_two(answer: Any) -> None:
    assert read(webhooks.webhook_delete(7), answer).data == [True]


@pytest.mark.parametrize(
    "answer",
    [
        {"result": True, "id": 3},
        {
            "id": 3,
            "status": 13,
            "count": 1,
            "tariff_email_qty": 1,
            "overdraft_price": "0.0044",
            "ovedraft_currency": "USD",
        },
    ],
)
def test_a_changed_campaign_is_answered_with_a_result_or_with_the_campaign(answer: Any) -> None:
    assert read(CHANGED, answer).id == 3


@pytest.mark.parametrize("answer", [{"result": False, "id": 3}, {}, {"ok": 1}])
def test_a_campaign_that_was_not_changed_is_no_success(answer: Any) -> None:
    with pytest.raises(DecodingError):
        read(CHANGED, answer)


def test_a_viber_sender_has_countries_and_an_owner() -> None:
    sender = {"id": 1, "status": "verified", "name": "Shop", "countries": ["UA", "PL"], "owner": "user"}
    for first in (read(viber.senders(), [sender])[0], read(viber.sender(1), sender)):
        assert (first.status, first.countries, first.owner, first.country) == ("verified", ["UA", "PL"], "user", "")


def test_number_variables_are_numbers() -> None:
    variables = [{"name": "age", "type": "number", "value": 21}, {"name": "city", "type": "string", "value": "Lviv"}]
    [found] = read(emails.info("ann@example.com"), [{"book_id": 1, "email": "ann@example.com", "variables": variables}])
    assert [variable.value for variable in found.variables] == [21, "Lviv"]


def test_an_smtp_message_may_have_no_recipient() -> None:
    record: dict[str, Any] = {
        "id": "a-1",
        "recipient": None,
        "smtp_answer_code": None,
        "sender": "shop@example.com",
        "tracking": [],
    }
    assert read(smtp.email("a-1"), record).recipient is None
    assert read(smtp.emails(), [record])[0].tracking.open == 0


def test_contacts_of_a_book_have_a_phone_or_none() -> None:
    rows = [
        {
            "email": "ann@example.com",
            "phone": 380501112233,
            "status": 1,
            "status_explain": "Active",
            "variables": {"a": 1},
        },
        {"email": "bob@example.com", "status": 0, "status_explain": "New", "variables": []},
    ]
    ann, bob = read(addressbooks.emails(1), rows)
    assert (ann.phone, ann.variables, bob.phone, bob.variables) == (PHONE, {"a": 1}, "", {})


def test_what_a_campaign_did_with_an_address_is_dated_by_either_key() -> None:
    for key in ("sent_date", "send_date"):
        answer = {key: "2026-06-30 18:08:07", "global_status": 1, "global_status_explain": "Sent"}
        assert read(campaigns.recipient(3, "ann@example.com"), answer).date == "2026-06-30 18:08:07"


def test_a_site_of_push_says_more_than_specified() -> None:
    site = {"id": 53, "url": "https://sandbox.example", "status": "active", "icon": "https://sandbox.example/i.png"}
    site |= {"add_date": "2026-01-01 10:00:00", "unsubscribed": "2", "subscribers_today": 1, "total_subscribers": "3"}
    found = read(push.website(53), site)
    assert (found.total_subscribers, found.unsubscribed, found.subscribers_today) == (3, 2, 1)
    assert (found.icon, found.add_date) == ("https://sandbox.example/i.png", "2026-01-01 10:00:00")


@pytest.mark.parametrize("category", [[], {"id": 1, "name": "Shops"}])
@pytest.mark.parametrize("tags", [[], {"1": "sale"}])
def test_a_template_of_the_gallery_has_objects_where_ours_have_nothing(category: Any, tags: Any) -> None:
    template = {"id": "5", "real_id": 5, "name": "Sale", "category_info": category, "tags": tags, "is_structure": 0}
    [found] = read(account.templates(owner="sendpulse"), [template])
    assert (found.category_info, found.tags) == (category or {}, tags or {})


@pytest.mark.parametrize("end", ["2026-12-31", "2026-12-31 10:00:00"])
def test_the_end_of_a_plan_is_a_date_or_a_moment(end: str) -> None:
    answer = {
        "balance": {"main": "9.36", "bonus": "0", "currency": "RUR"},
        "push": {"tariff_name": "Free", "end_date": end},
    }
    assert read(account.balance_detail(), answer).push.end_date == end


def test_blacklisted_phones_are_numbers() -> None:
    data = [{"phone": 380501112233, "description": "asked", "add_date": "2026-07-01 08:10:08"}]
    assert read(sms.blacklist(), {"result": True, "data": data}).data[0].phone == PHONE


def test_a_list_of_sms_campaigns_keeps_the_vendors_names() -> None:
    row = {"id": 1, "company_price": 0.81, "company_currency": "UAH", "sender_mail_name": "Shop", "external_stat": []}
    assert read(sms.campaigns(), {"result": True, "data": [row]}).data == [row]


@pytest.mark.parametrize("prefix", ["c", "\u0441"])
def test_the_country_of_a_phone_is_read_in_both_alphabets(prefix: str) -> None:
    phone = {"phone": 380501112233, "status": 2, f"{prefix}ountry_code": "UA", "money_spent": 0.27}
    answer = {"result": True, "data": {"id": 1, "task_phones_info": [phone]}}
    assert read(sms.campaign(1), answer)[0].data.task_phones_info[0].country == "UA"


@pytest.mark.parametrize("answer", [{"id": 564407320}, {"id": "564407320", "emailStatus": "SUBSCRIBED", "new": "true"}])
def test_a_subscription_answers_an_id_alone_or_more(answer: Any) -> None:
    assert read(people.subscribe(CONTACT), answer).id == 564407320


def test_older_methods_of_esputnik_quote_numbers_and_collapse_lists() -> None:
    money = {
        "currentBalance": "0.0",
        "creditLimit": "0.0",
        "currency": "UAH",
        "bonusEmails": "2500",
        "bonusSmses": "10",
    }
    assert read(general.balance(), money).bonus_emails == 2500
    field = {"id": "1", "name": "City", "fieldKey": "CITY", "description": {"type": "textfield", "required": "false"}}
    group = {"name": "Personal", "profileKey": "PERSONAL", "fields": field}
    [book] = read(
        general.address_books(), {"addressBook": {"addressBookId": "7200", "fieldGroups": group}}
    ).address_book
    assert (book.address_book_id, book.field_groups[0].fields[0].id) == (7200, 1)
    failed = {"channels": {"type": "email", "value": "x"}, "error": "'x' is not valid email"}
    answer = {"asyncSessionId": "s-1", "id": "0", "failedContacts": failed}
    result = read(imports.bulk_update([CONTACT], dedupe_on="email"), answer)
    assert (result.async_session_id, result.failed_contacts[0].error) == ("s-1", "'x' is not valid email")
    status = {"results": {"requestId": "r-1", "status": "DELIVERED", "failed": "false", "delivered": "true"}}
    for found in (read(messages.status(["r-1"]), status)[0], read(messages.email_status(["r-1"]), status)):
        assert [(one.delivered, one.failed) for one in found.results] == [(True, False)]
    assert read(people.upsert(CONTACT), {"id": "95064156"}).id == 95064156
    sent = {"id": "0", "results": {"id": "0", "locator": "ann@example.com", "status": "OK", "requestId": "r-1"}}
    recipient = messages.SmartRecipient(locator="ann@example.com")
    assert read(messages.smart_send(1, [recipient], email=True), sent).results[0].request_id == "r-1"
    assert read(reading.contact_emails([1]), {"results": {"contactId": "1", "email": "ann@example.com"}}).results


def test_orders_that_were_all_taken_are_answered_with_nothing_or_an_empty_object() -> None:
    order = orders.Order(
        external_order_id="o-1", total_cost=1, status="DELIVERED", date=WHEN, currency="UAH", email="ann@example.com"
    )
    for body in (b"", b"{}"):
        assert decode(body, orders.add([order]).answer).failed_orders == []


def test_results_of_the_verifier_are_read_while_it_works_and_after() -> None:
    address = {"id": 5, "email_address": "ann@example.com", "check_date": "2026-06-27 15:45:18", "status": 1}
    page = {"id": 11, "address_book_name": "Customers", "all_emails_quantity": 1, "is_updated": 1}
    page |= {"email_addresses": [{**address, "status_text": "Valid"}], "email_addresses_total": 1}
    nothing: tuple[Any, ...] = ({}, [])
    for data in nothing:
        working = read(verifier.report(11), {**page, "status": 0, "data": data, "status_text": "In progress"})
        assert (working.status, working.data, working.is_updated) == (0, {}, True)
    counts = {"0": 0, "1": 1, "2": 0, "3": 0}
    ended = read(verifier.list_result(11), {**page, "status": 1, "data": counts})
    assert (ended.data["1"], ended.email_addresses[0].status) == (1, verifier.VALID)
    summary = {"id": 11, "status": 1, "data": counts, "is_updated": 0, "is_garbage_in_book": True}
    [listed] = read(verifier.verified_lists(), {"total": 1, "list": [summary]}).lists
    assert listed.is_garbage_in_book
    progress = read(verifier.list_progress(11), {"result": True, "data": {"total": 25, "processed": 19}}).data
    assert progress == verifier.Progress(25, 19)
    checks = {"status": 1, "valid_format": 1, "disposable": 0, "webmail": 0, "gibberish": 0, "status_text": "Valid"}
    single = read(
        verifier.email_result("ann@example.com"), {"result": True, "data": {"email": "a@b.c", "checks": checks}}
    )
    assert single.data is not None
    assert (single.data.checks.status, single.data.checks.valid_format) == (1, True)
    with pytest.raises(DecodingError):
        read(verifier.list_result(11), {**page, "status": 1, "data": {}, "email_addresses": "none"})
