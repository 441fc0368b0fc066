"""Campaigns: their life from "creating" to "sent", whom they reach, and how they are changed, stopped and counted."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

SENDER = "sender@sandbox.example"
HTML = '<p>Hello, {{first_name}}: <a href="https://sandbox.example/news">news</a></p>'


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def book(sendpulse: httpx.Client) -> int:
    return make_book(sendpulse, "Readers", "anna@example.com", "boris@example.com")


def make_book(sendpulse: httpx.Client, name: str, *emails: str) -> int:
    number = int(sendpulse.post("addressbooks", json={"bookName": name}).json()["id"])
    if emails:
        people = [{"email": email, "variables": {"first_name": email.partition("@")[0].title()}} for email in emails]
        assert sendpulse.post(f"addressbooks/{number}/emails", json={"emails": people}).status_code == 200
    return number


def campaign(book: Any, **more: Any) -> dict[str, Any]:
    return {
        "sender_name": "Sandbox",
        "sender_email": SENDER,
        "subject": "News for {{first_name}}",
        "body": encoded(HTML),
        "list_id": book,
        **more,
    }


def create(sendpulse: httpx.Client, book: Any, **more: Any) -> int:
    answer = sendpulse.post("campaigns", json=campaign(book, **more))
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def status(sendpulse: httpx.Client, number: int) -> int:
    return int(sendpulse.get(f"campaigns/{number}").json()["status"])


def in_hours(sandbox: Sandbox, hours: float) -> str:
    zone = ZoneInfo("Europe/Kyiv")
    return (sandbox.state.clock.moment() + timedelta(hours=hours)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def refusal(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error_code"]


def test_a_campaign_is_found_by_its_id_and_by_its_name(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    ids = {name: create(sendpulse, book, name=name) for name in ("Sale", "Autumn")}
    for name, number in ids.items():
        for q in (name, str(number)):
            assert [row["id"] for row in sandbox.rows("sendpulse", "campaigns", q=q)] == [number]


def test_a_new_campaign_says_how_many_it_reaches_in_both_spellings(sendpulse: httpx.Client, book: int) -> None:
    answer = sendpulse.post("campaigns", json=campaign(book)).json()
    assert (answer["status"], answer["count"], answer["tariff_email_qty"]) == (13, 2, 2)
    assert answer["ovedraft_currency"] == answer["overdraft_currency"] == "USD"


def test_a_campaign_lives_from_creating_to_sent(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    sandbox.set(delivery_seconds=60)
    number = create(sendpulse, book)
    seen = []
    for _ in range(4):
        seen.append(status(sendpulse, number))
        sandbox.advance(60)
    assert seen == [13, 14, 2, 3]


def test_everybody_gets_their_own_text_once(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    other = make_book(sendpulse, "Others", "ANNA@example.com", "clara@example.com")
    create(sendpulse, [book, other])
    sandbox.advance(5)
    messages = sandbox.messages()
    assert sorted(row["to"] for row in messages) == ["anna@example.com", "boris@example.com", "clara@example.com"]
    assert {row["subject"] for row in messages} == {"News for Anna", "News for Boris", "News for Clara"}
    assert messages[0]["status"] == "Opened"


def test_the_unsubscribed_and_the_blacklisted_get_nothing(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    sendpulse.post(f"addressbooks/{book}/emails/unsubscribe", json={"emails": ["anna@example.com"]})
    sendpulse.post("blacklist", json={"emails": encoded("boris@example.com")})
    number = create(sendpulse, book)
    sandbox.advance(5)
    assert status(sendpulse, number) == 12
    assert sandbox.messages() == []


def test_a_scheduled_campaign_waits_for_its_date(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    date = in_hours(sandbox, 2)
    number = create(sendpulse, book, send_date=date)
    sandbox.advance(3600)
    assert status(sendpulse, number) == 14
    assert [row["id"] for row in sendpulse.get("campaigns?planed=1").json()] == [number]
    assert {row["status"] for row in sandbox.messages()} == {""}
    sandbox.advance(3601)
    found = sendpulse.get(f"campaigns/{number}").json()
    assert (found["status"], found["send_date"]) == (3, date)


def test_a_dynamic_list_is_read_when_the_sending_begins(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    date = in_hours(sandbox, 2)
    dynamic, fixed = (
        create(sendpulse, book, send_date=date, use_dynamic_list=dynamic, name=str(dynamic))
        for dynamic in (True, False)
    )
    sendpulse.post(f"addressbooks/{book}/emails", json={"emails": ["clara@example.com"]})
    sandbox.advance(7300)
    assert [sendpulse.get(f"campaigns/{number}").json()["all_email_qty"] for number in (dynamic, fixed)] == [3, 2]
    assert len(sandbox.messages()) == 5


def test_a_draft_is_never_sent_and_a_test_goes_to_the_owner(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    sandbox.set(delivery_seconds=60)
    draft, test = create(sendpulse, book, type="draft"), create(sendpulse, book, is_test=True)
    sandbox.advance(120)
    assert (status(sendpulse, draft), status(sendpulse, test)) == (26, 4)
    sandbox.advance(60)
    assert (status(sendpulse, draft), status(sendpulse, test)) == (26, 8)
    assert [row["to"] for row in sandbox.messages()] == ["owner@sandbox.example"]


def test_a_switch_keeps_a_campaign_in_any_status(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    first, second = create(sendpulse, book), create(sendpulse, book)
    sandbox.set(sendpulse__campaign_status={str(first): 5, "*": 1})
    assert (status(sendpulse, first), status(sendpulse, second)) == (5, 1)
    assert [row["id"] for row in sendpulse.get("campaigns?status[]=5&status[]=16").json()] == [first]
    sandbox.set(sendpulse__campaign_status={})
    sandbox.advance(5)
    assert status(sendpulse, first) == 3
    with pytest.raises(ValueError, match="campaign_status"):
        sandbox.set(sendpulse__campaign_status={str(first): 999})


def test_four_campaigns_an_hour(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    answers = [sendpulse.post("campaigns", json=campaign(book)) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert answers[4].json()["error_code"] == 791
    sandbox.advance(3600)
    assert sendpulse.post("campaigns", json=campaign(book)).status_code == 200


def test_a_refused_campaign_does_not_count(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    sandbox.limit("sendpulse.campaigns", 1, 3600)
    assert sendpulse.post("campaigns", json=campaign(book, subject="")).status_code == 422
    create(sendpulse, book)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sender_name": ""}, (422, 701)),
        ({"sender_email": None}, (422, 701)),
        ({"sender_email": "other@example.com"}, (404, 704)),
        ({"subject": ""}, (422, 720)),
        ({"body": None}, (422, 721)),
        ({"body": "<p>not encoded</p>"}, (422, 721)),
        ({"body": None, "template_id": 1}, (404, 31)),
        ({"list_id": None}, (422, 722)),
        ({"list_id": 1}, (404, 703)),
        ({"list_id": list(range(11))}, (422, 422)),
        ({"list_id": None, "segment_id": 1}, (404, 404)),
        ({"send_date": "2020-01-01 10:00:00"}, (422, 799)),
        ({"send_date": "tomorrow"}, (422, 799)),
        ({"attachments": {f"{n}.txt": "x" for n in range(6)}}, (422, 422)),
    ],
)
def test_a_wrong_campaign_is_refused(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int, change: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert refusal(sendpulse.post("campaigns", json=campaign(book, **change))) == expected
    assert sandbox.counts()["sendpulse"]["campaigns"] == 0


def test_an_empty_book_is_refused(sendpulse: httpx.Client) -> None:
    empty = make_book(sendpulse, "Empty")
    assert refusal(sendpulse.post("campaigns", json=campaign(empty))) == (422, 211)


def test_a_test_takes_one_list(sendpulse: httpx.Client, book: int) -> None:
    other = make_book(sendpulse, "Others", "clara@example.com")
    assert refusal(sendpulse.post("campaigns", json=campaign([book, other], is_test=True))) == (422, 722)


def test_a_template_may_stand_for_the_body(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    create(sendpulse, book, body=None, template_id="700001")
    assert "Welcome, Boris!" in sandbox.messages("boris")[0]["html"]


def test_a_waiting_campaign_is_changed_and_a_sent_one_is_not(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    number = create(sendpulse, book, send_date=in_hours(sandbox, 2))
    later = {"subject": "Later news", "send_date": in_hours(sandbox, 3)}
    assert sendpulse.patch(f"campaigns/{number}", json=later).json() == {"result": True, "id": number}
    sandbox.advance(2.5 * 3600)
    assert status(sendpulse, number) == 14
    sandbox.advance(3600)
    assert {row["subject"] for row in sandbox.messages()} == {"Later news"}
    assert len(sandbox.messages()) == 2
    assert refusal(sendpulse.patch(f"campaigns/{number}", json={"name": "x"})) == (422, 602)


def test_a_waiting_campaign_is_cancelled_and_a_sent_one_is_not(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    waiting, sent = create(sendpulse, book, send_date=in_hours(sandbox, 2)), create(sendpulse, book)
    sandbox.advance(5)
    assert sendpulse.delete(f"campaigns/{waiting}").json() == {"result": True}
    assert refusal(sendpulse.delete(f"campaigns/{sent}")) == (422, 602)
    assert refusal(sendpulse.delete(f"campaigns/{waiting}")) == (422, 602)
    assert refusal(sendpulse.delete("campaigns/1")) == (404, 802)
    sandbox.advance(7200)
    assert status(sendpulse, waiting) == 16
    assert len(sandbox.messages()) == 2


def test_statistics_count_in_two_shapes(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    people = (
        "anna+click@example.com",
        "boris+unread@example.com",
        "bounce@example.com",
        "clara+unsubscribe@example.pl",
    )
    book = make_book(sendpulse, "Readers", *people)
    number = create(sendpulse, book)
    sandbox.advance(10)
    (row,) = sendpulse.get("campaigns").json()
    assert row["statistics"] == {
        "sent": 4,
        "delivered": 3,
        "opening": 2,
        "link_redirected": 1,
        "unsubscribe": 1,
        "error": 1,
    }
    found = sendpulse.get(f"campaigns/{number}").json()
    general = {one["code"]: (one["count"], one["explain"]) for one in found["statistics"]["general"]}
    assert general == {
        1: (4, "Sent"),
        2: (3, "Delivered"),
        3: (2, "Opened"),
        4: (1, "Link redirected"),
        5: (1, "User unsubscribed"),
        6: (1, "No such e-mail"),
    }
    assert found["statistics"]["clicks"] == [{"url": "https://sandbox.example/news", "count": 1}]
    assert found["message"]["body"] == HTML
    assert sendpulse.get(f"campaigns/{number}/referrals").json() == [
        {"link": "https://sandbox.example/news", "count": 1}
    ]
    assert sendpulse.get(f"campaigns/{number}/countries").json() == {"UA": 1, "PL": 1}
    assert sendpulse.get("emails/anna+click@example.com/campaigns").json()["statistic"] == {
        "sent": 1,
        "open": 1,
        "link": 1,
    }


def test_who_leaves_by_a_campaigns_link_is_unsubscribed_from_its_book(
    sandbox: Sandbox, sendpulse: httpx.Client
) -> None:
    book = make_book(sendpulse, "Readers", "anna+unsubscribe@example.com")
    create(sendpulse, book)
    sandbox.advance(10)
    (row,) = sendpulse.get(f"addressbooks/{book}/emails").json()
    assert row["status_explain"] == "Unsubscribed"


def test_one_recipients_result(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    sandbox.set(delivery_seconds=60)
    number = create(sendpulse, book, send_date=in_hours(sandbox, 1))

    def result(email: str) -> tuple[int, str]:
        found = sendpulse.get(f"campaigns/{number}/email/{email}").json()
        return found["detail_status"], found["detail_status_explain"]

    assert result("anna@example.com") == (0, "In queue")
    sandbox.advance(3660)
    assert result("anna@example.com") == (2, "Delivered")
    assert sendpulse.get(f"campaigns/{number}/email/nobody@example.com").status_code == 404


def test_countries_of_a_campaign_that_nobody_opened_are_an_empty_array(sendpulse: httpx.Client, book: int) -> None:
    number = create(sendpulse, book, type="draft")
    assert sendpulse.get(f"campaigns/{number}/countries").json() == []


def test_the_list_is_newest_first_and_may_lag_or_lack_rows(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    first, second = create(sendpulse, book), create(sendpulse, book)

    def listed(query: str = "") -> list[int]:
        return [row["id"] for row in sendpulse.get(f"campaigns?{query}").json()]

    assert listed() == [second, first]
    assert listed("order=asc") == [first, second]
    assert listed("limit=1&offset=1") == [first]
    sandbox.set(sendpulse__hidden=[first])
    assert listed() == [second]
    sandbox.set(sendpulse__hidden=["*"])
    assert listed() == []
    sandbox.set(sendpulse__hidden=[], sendpulse__list_delay=60.0)
    assert listed() == []
    sandbox.advance(60)
    assert listed() == [second, first]
    assert status(sendpulse, first) == 3


def test_several_lists_come_back_as_a_list_and_one_as_a_number(sendpulse: httpx.Client, book: int) -> None:
    other = make_book(sendpulse, "Others", "clara@example.com")
    one, both = create(sendpulse, book), create(sendpulse, [book, other])
    assert sendpulse.get(f"campaigns/{one}").json()["message"]["list_id"] == book
    assert sendpulse.get(f"campaigns/{both}").json()["message"]["list_id"] == [book, other]
