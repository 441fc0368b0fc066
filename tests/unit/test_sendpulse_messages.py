"""One message or many: what SMTP, SMS, Viber and web push send."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.sendpulse.api import push, sms, smtp, viber

SHOP = smtp.Person("shop@example.com", "Shop")
ANN = smtp.Person("ann@example.com")


def sent(call: Call[Any]) -> Any:
    return msgspec.json.decode(call.content or b"")


def test_a_mail_is_an_object_with_its_html_in_base64() -> None:
    call = smtp.send(sender=SHOP, to=[ANN], subject="Привіт", html="<b>Hi</b>", text="Hi")
    assert sent(call) == {
        "email": {
            "from": {"name": "Shop", "email": "shop@example.com"},
            "to": [{"email": "ann@example.com"}],
            "subject": "Привіт",
            "html": base64.b64encode(b"<b>Hi</b>").decode(),
            "text": "Hi",
        }
    }


def test_a_mail_without_text_lets_the_service_make_one() -> None:
    email = sent(smtp.send(sender=SHOP, to=[ANN], subject="Hi", html="x"))["email"]
    assert (email["text"], email["auto_plain_text"]) == ("", True)
    email = sent(smtp.send(sender=SHOP, to=[ANN], subject="Hi", html="x", auto_plain_text=False))["email"]
    assert (email["text"], email["auto_plain_text"]) == ("", False)


def test_a_template_stands_for_the_html() -> None:
    call = smtp.send(
        sender=SHOP,
        to=[ANN],
        subject="Hi",
        template_id=77,
        variables={"name": "Ann"},
        reply_to=SHOP,
        cc=[ANN],
        bcc=[SHOP],
        attachments={"a.txt": "text"},
        attachments_binary={"b.bin": b"\x00\x01"},
    )
    email = sent(call)["email"]
    assert email["template"] == {"id": 77, "variables": {"name": "Ann"}}
    assert email["reply_to"] == {"name": "Shop", "email": "shop@example.com"}
    assert email["cc"] == [{"email": "ann@example.com"}]
    assert email["bcc"] == [{"name": "Shop", "email": "shop@example.com"}]
    assert email["attachments"] == {"a.txt": "text"}
    assert email["attachments_binary"] == {"b.bin": "AAE="}
    assert not {"html", "text", "auto_plain_text"} & email.keys()


@pytest.mark.parametrize(
    "wrong",
    [{"html": None}, {"html": "x", "template_id": 1}, {"html": "x", "to": []}],
)
def test_a_mail_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs"):
        smtp.send(**{"sender": SHOP, "to": [ANN], "subject": "Hi", **wrong})


def test_five_hundred_mails_can_be_asked_for_at_once() -> None:
    ids = [f"id-{number}" for number in range(500)]
    assert sent(smtp.info(ids)) == {"emails": ids}
    for wrong in ([], [*ids, "one"]):
        with pytest.raises(ValueError, match="from 1 to 500"):
            smtp.info(wrong)


def test_mails_are_filtered_under_the_vendors_names() -> None:
    call = smtp.emails(10, 5, date_from="2026-01-01", date_to="2026-01-02", recipient="a@b.c", countries=False)
    assert call.query_string == "limit=10&offset=5&from=2026-01-01&to=2026-01-02&recipient=a%40b.c&country=off"


def test_unsubscribing_wraps_addresses_as_the_vendors_clients_do() -> None:
    assert sent(smtp.unsubscribe(["a@b.c"], comment="asked")) == {"emails": [{"email": "a@b.c", "comment": "asked"}]}
    assert sent(smtp.unsubscribe_undo(["a@b.c"])) == {"emails": ["a@b.c"]}
    assert sent(smtp.resubscribe("a@b.c", "shop@b.c", lang="ua")) == {
        "email": "a@b.c",
        "sender": "shop@b.c",
        "lang": "ua",
    }
    for change in (smtp.unsubscribe, smtp.unsubscribe_undo):
        with pytest.raises(ValueError, match="no address"):
            change([])


def test_a_text_goes_to_numbers_or_to_a_list() -> None:
    assert sent(sms.send("Shop", ["380"], "Hi", date="2030-01-01 00:00:00", route={"UA": "national"})) == {
        "sender": "Shop",
        "phones": ["380"],
        "body": "Hi",
        "date": "2030-01-01 00:00:00",
        "route": {"UA": "national"},
    }
    assert sent(sms.send_to_book("Shop", 7, "Hi {{name}}", use_dynamic_list=True, track_links=True)) == {
        "sender": "Shop",
        "addressBookId": 7,
        "body": "Hi {{name}}",
        "use_dynamic_list": True,
        "stat_link_tracking": True,
    }


def test_a_trial_run_says_so_and_may_be_repeated() -> None:
    call = sms.send("Shop", ["380"], "Hi", emulate=True)
    assert sent(call)["emulate"] is True
    assert call.repeatable
    assert "emulate" not in sent(sms.send("Shop", ["380"], "Hi"))


def test_numbers_with_variables_are_lists_in_lists() -> None:
    call = sms.numbers_add_with_variables(7, {"380": [sms.PhoneVariable("age", 4, "number")]})
    assert sent(call) == {"addressBookId": 7, "phones": {"380": [[{"name": "age", "type": "number", "value": 4}]]}}
    plain = sms.variables_set(7, "380", [sms.PhoneVariable("age", 4)])
    assert sent(plain) == {"phone": "380", "variables": [{"name": "age", "value": 4}]}


def test_the_price_of_a_text_is_asked_with_numbered_phones() -> None:
    call = sms.cost("Shop", "Hi", phones=["380", "381"], route={"UA": "national"})
    assert call.query_string == "body=Hi&sender=Shop&phones%5B0%5D=380&phones%5B1%5D=381&route%5BUA%5D=national"
    for wrong in ({}, {"book_id": 1, "phones": ["380"]}):
        with pytest.raises(ValueError, match="either book_id or phones"):
            sms.cost("Shop", "Hi", **wrong)  # type: ignore[arg-type]  # both or neither is what is tested


@pytest.mark.parametrize("name", ["", "twelve chars"])
def test_a_senders_name_has_up_to_eleven_characters(name: str) -> None:
    with pytest.raises(ValueError, match="from 1 to 11"):
        sms.send(name, ["380"], "Hi")
    assert sms.send("eleven char", ["380"], "Hi").content


def test_a_text_needs_a_number() -> None:
    with pytest.raises(ValueError, match="no phone number"):
        sms.send("Shop", [], "Hi")


VIBER = viber.NewViber(3, "Hi", address_book=7)


def test_a_viber_campaign_goes_to_a_list_or_to_numbers() -> None:
    assert sent(viber.send(VIBER)) == {
        "message_type": 2,
        "sender_id": 3,
        "message_live_time": 86400,
        "send_date": "now",
        "address_book": 7,
        "message": "Hi",
    }
    full = replace(
        VIBER,
        address_book=None,
        recipients=(380,),
        task_name="May",
        button_text="Buy",
        button_link="https://example.com",
        image_link="https://example.com/i.png",
        resend_sms=viber.SmsFallback("Hi", "Shop"),
        stretch_time=1,
    )
    body = sent(viber.send(full))
    assert body["recipients"] == [380]
    assert body["additional"] == {
        "button": {"text": "Buy", "link": "https://example.com"},
        "image": {"link": "https://example.com/i.png"},
        "resend_sms": {"status": True, "sms_text": "Hi", "sms_sender_name": "Shop"},
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"address_book": None}, "either address_book or recipients"),
        ({"recipients": (380,)}, "either address_book or recipients"),
        ({"message": "x" * 1001}, "up to 1000"),
        ({"button_text": "Buy"}, "both its text and its link"),
        ({"message_live_time": 59}, "from 60 to 86400"),
    ],
)
def test_a_viber_campaign_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        viber.send(replace(VIBER, **changes))


def test_a_push_sends_the_vendors_filters_as_they_are() -> None:
    campaign = push.NewPush("Sale", 5, "Now", ttl=60, link="https://example.com", filters={"filter_lang": "uk"})
    assert sent(push.send(campaign)) == {
        "title": "Sale",
        "website_id": 5,
        "body": "Now",
        "ttl": 60,
        "link": "https://example.com",
        "filter_lang": "uk",
    }
    assert sent(push.subscription_set(9, active=True)) == {"id": 9, "state": 1}


@pytest.mark.parametrize("ttl", [-1, 86401])
def test_a_push_lives_for_a_day_at_most(ttl: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 86400"):
        push.send(push.NewPush("Sale", 5, "Now", ttl=ttl))
