"""Transactional mail: what is taken, what is refused, what becomes of it, and who wants none."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

SENDER = "sender@sandbox.example"
ANNA = "anna@example.com"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def email(*to: str, **more: Any) -> dict[str, Any]:
    return {
        "subject": "Hello",
        "from": {"name": "Sandbox", "email": SENDER},
        "to": [{"email": address} for address in to or (ANNA,)],
        "html": encoded("<p>Hello</p>"),
        "text": "Hello",
        **more,
    }


def send(sendpulse: httpx.Client, message: Any) -> str:
    answer = sendpulse.post("smtp/emails", json={"email": message})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def record(sendpulse: httpx.Client, number: str) -> dict[str, Any]:
    found: dict[str, Any] = sendpulse.get(f"smtp/emails/{number}").json()
    return found


def refusal(answer: httpx.Response) -> tuple[int, str, int]:
    return answer.status_code, answer.json()["message"], answer.json()["error_code"]


@pytest.mark.parametrize("as_string", [False, True])
def test_a_message_is_taken_as_an_object_and_as_a_string_of_json(
    sandbox: Sandbox, sendpulse: httpx.Client, as_string: bool
) -> None:
    number = send(sendpulse, json.dumps(email()) if as_string else email())
    (message,) = sandbox.messages()
    assert (message["to"], message["subject"], message["html"]) == (ANNA, "Hello", "<p>Hello</p>")
    assert (message["from"], message["request_id"]) == (f"Sandbox <{SENDER}>", number)


def test_strings_of_json_can_be_switched_off(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    sandbox.set(sendpulse__json_strings=False)
    answer = sendpulse.post("smtp/emails", json={"email": json.dumps(email())})
    assert refusal(answer) == (422, "Badly formed incoming data", 999)


def test_several_recipients_get_one_message_that_shows_them_all(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    send(sendpulse, email(ANNA, "boris@example.com", cc=[{"email": "clara@example.com"}]))
    (message,) = sandbox.messages()
    assert message["to"] == "anna@example.com, boris@example.com"
    assert message["data"]["envelope"]["cc"] == [{"email": "clara@example.com", "name": ""}]


@pytest.mark.parametrize("by", ["id", "real_id"])
def test_a_template_is_filled_with_the_variables(sandbox: Sandbox, sendpulse: httpx.Client, by: str) -> None:
    template = sendpulse.get("templates?owner=me").json()[0]
    message = email(template={"id": template[by], "variables": {"first_name": "Anna"}}, html=None, text=None)
    send(sendpulse, message)
    assert "Welcome, Anna!" in sandbox.messages()[0]["html"]
    assert sandbox.messages()[0]["template_id"] == template["real_id"]


def test_an_answer_comes_after_the_pace_of_delivery(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    sandbox.set(delivery_seconds=60)
    number = send(sendpulse, email())
    assert record(sendpulse, number)["smtp_answer_code"] is None
    assert record(sendpulse, number)["tracking"]["open"] == 0
    sandbox.advance(60)
    assert (record(sendpulse, number)["smtp_answer_code"], record(sendpulse, number)["tracking"]["open"]) == (250, 0)
    sandbox.advance(60)
    assert record(sendpulse, number)["tracking"]["open"] == 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("bounce@example.com", (550, 0, 0)),
        ("bounce.anna@example.com", (550, 0, 0)),
        ("anna+bounce@example.com", (550, 0, 0)),
        ("anna+stuck@example.com", (None, 0, 0)),
        ("anna+unread@example.com", (250, 0, 0)),
        ("anna+click@example.com", (250, 1, 1)),
        ("anna+spam@example.com", (250, 0, 0)),
    ],
)
def test_the_address_decides_what_becomes_of_it(
    sandbox: Sandbox, sendpulse: httpx.Client, address: str, expected: tuple[int | None, int, int]
) -> None:
    number = send(sendpulse, email(address))
    sandbox.advance(10)
    found = record(sendpulse, number)
    assert (found["smtp_answer_code"], found["tracking"]["open"], found["tracking"]["click"]) == expected


def test_a_switch_decides_for_the_addresses_it_names(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    sandbox.set(outcomes={ANNA: "bounced", "bounce@example.com": "delivered"})
    numbers = [send(sendpulse, email(address)) for address in (ANNA, "bounce@example.com")]
    sandbox.advance(1)
    assert [record(sendpulse, number)["smtp_answer_code"] for number in numbers] == [550, 250]


def test_before_the_answer_there_may_be_a_zero_or_nothing_at_all(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    sandbox.set(delivery_seconds=60, sendpulse__smtp_pending="zero")
    number = send(sendpulse, email())
    assert record(sendpulse, number)["smtp_answer_code"] == 0
    sandbox.set(sendpulse__smtp_pending="absent")
    assert refusal(sendpulse.get(f"smtp/emails/{number}")) == (400, "No such email", 14)
    assert refusal(sendpulse.post("smtp/emails/info", json={"emails": [number]})) == (400, "No such emails", 14)
    sandbox.advance(60)
    sandbox.set(sendpulse__string_codes=True)
    assert record(sendpulse, number)["smtp_answer_code"] == "250"


def test_several_records_are_read_at_once_and_unknown_ids_are_left_out(sendpulse: httpx.Client) -> None:
    numbers = [send(sendpulse, email()) for _ in range(3)]
    found = sendpulse.post("smtp/emails/info", json={"emails": [*numbers, "unknown"]}).json()
    assert [row["id"] for row in found] == numbers
    wrong = "Emails param empty or incorrect"
    for ids in ([], ["x"] * 501, "x", [5]):
        assert refusal(sendpulse.post("smtp/emails/info", json={"emails": ids})) == (400, wrong, 832)
    assert refusal(sendpulse.post("smtp/emails/info", json={"emails": ["unknown"]})) == (400, "No such emails", 14)


def test_the_list_is_newest_first_filtered_and_may_lag_or_lack_rows(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    first, second = send(sendpulse, email()), send(sendpulse, email("boris@example.com"))

    def listed(query: str = "") -> list[str]:
        return [row["id"] for row in sendpulse.get(f"smtp/emails?{query}").json()]

    assert listed() == [second, first]
    assert listed(f"recipient={ANNA}") == [first]
    assert listed("to=2020-01-01") == []
    assert listed("limit=1&offset=1") == [first]
    sandbox.set(sendpulse__hidden=[first])
    assert listed() == [second]
    sandbox.set(sendpulse__list_delay=60.0)
    assert listed() == []
    sandbox.advance(60)
    assert listed() == [second]
    assert sendpulse.get("smtp/emails/total").json() == {"total": 2}


@pytest.mark.parametrize(
    ("change", "text", "code"),
    [
        ({"from": None}, "Argument from.email missing", 10),
        ({"from": "x"}, "Argument from is invalid", 422),
        ({"from": {"name": "x"}}, "Argument from.email missing", 10),
        ({"from": {"email": "x"}}, "Argument from.email is invalid", 10),
        ({"from": {"email": "other@example.com"}}, "Sender is not valid", 422),
        ({"to": []}, "Argument email.to is invalid", 11),
        ({"to": "anna@example.com"}, "Argument email.to is invalid", 11),
        ({"to": ["anna@example.com"]}, "Argument email.to is invalid", 11),
        ({"to": [{"email": "x"}]}, "Recipient email is invalid", 422),
        ({"to": [{"email": ANNA}] * 51}, "5.5.3 Too many recipients", 550),
        ({"subject": ""}, "Argument subject missing", 12),
        ({"html": None, "text": None}, "Missed email body", 13),
        ({"html": "<p>not encoded</p>"}, "Badly formed incoming data", 999),
        ({"template": "x"}, "Argument template is invalid", 422),
        ({"template": {"variables": {}}}, "Argument template.id missing", 10),
        ({"template": {"id": 1}}, "Template not found", 31),
        ({"template": {"id": 700001, "variables": [1]}}, "Variables list passed in wrong format", 731),
        ({"attachments_binary": {"a.txt": "not encoded"}}, "Argument attachments_binary is invalid", 422),
    ],
)
def test_a_wrong_message_is_refused_in_the_vendors_words(
    sandbox: Sandbox, sendpulse: httpx.Client, change: dict[str, Any], text: str, code: int
) -> None:
    assert refusal(sendpulse.post("smtp/emails", json={"email": email(**change)})) == (422, text, code)
    assert sandbox.messages() == []


def test_no_message_at_all_is_refused(sendpulse: httpx.Client) -> None:
    assert refusal(sendpulse.post("smtp/emails", json={})) == (422, "Argument email missing", 422)


def test_bounces_are_listed_for_a_day(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    sandbox.set(delivery_seconds=60)
    send(sendpulse, email())
    send(sendpulse, email("bounce@example.com"))
    assert sendpulse.get("smtp/bounces/day/total").json() == {"total": 0}
    sandbox.advance(60)
    found = sendpulse.get("smtp/bounces/day").json()
    assert (found["total"], found["found"], found["request_limit"]) == (1, 1, 1000)
    assert (found["emails"][0]["email_to"], found["emails"][0]["smtp_answer_code"]) == ("bounce@example.com", 550)
    assert sendpulse.get("smtp/bounces/day?date=2020-01-01").json()["total"] == 0
    sandbox.advance(2 * 86400)
    assert sendpulse.get("smtp/bounces/day/total").json() == {"total": 0}


@pytest.mark.parametrize(
    "body", [[{"email": ANNA}], {"emails": [{"email": ANNA, "comment": "asked"}]}, {"emails": [ANNA]}]
)
def test_who_is_unsubscribed_gets_nothing(sandbox: Sandbox, sendpulse: httpx.Client, body: Any) -> None:
    assert sendpulse.post("smtp/unsubscribe", json=body).json() == {"result": True}
    assert sendpulse.get(f"smtp/unsubscribe/search?email={ANNA}").json() == {"result": True}
    number = send(sendpulse, email())
    sandbox.advance(1)
    assert record(sendpulse, number)["smtp_answer_code"] == 550
    assert sendpulse.request("DELETE", "smtp/unsubscribe", json=[ANNA]).json() == {"result": True}
    assert sendpulse.get(f"smtp/unsubscribe/search?email={ANNA}").json() == {"result": False}


def test_who_leaves_by_a_link_or_complains_is_noted(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    for address in ("anna+unsubscribe@example.com", "boris+spam@example.com"):
        send(sendpulse, email(address))
    sandbox.advance(10)
    rows = {row["email"]: row for row in sendpulse.get("smtp/unsubscribe").json()}
    assert rows["anna+unsubscribe@example.com"]["unsubscribe_by_link"] == 1
    assert rows["boris+spam@example.com"]["spam_complaint"] == 1


def test_empty_and_wrong_lists_of_the_unsubscribed_are_refused(sendpulse: httpx.Client) -> None:
    assert refusal(sendpulse.post("smtp/unsubscribe", json={})) == (400, "Empty emails", 14)
    assert refusal(sendpulse.post("smtp/unsubscribe", json=["x"])) == (422, "Argument email is invalid", 422)
    assert refusal(sendpulse.get("smtp/unsubscribe/search")) == (422, "Empty email parameter", 422)
    assert refusal(sendpulse.get("smtp/unsubscribe/search?email=x")) == (422, "Wrong email parameter", 422)


def test_five_people_a_day_are_asked_to_come_back(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    people = [f"reader{number}@example.com" for number in range(6)]
    sendpulse.post("smtp/unsubscribe", json={"emails": people})
    answers = [sendpulse.post("smtp/resubscribe", json={"email": one, "sender": SENDER}) for one in people]
    assert [answer.status_code for answer in answers] == [200] * 5 + [422]
    assert answers[5].json()["message"] == "No more than 5 are allowed per day"
    sandbox.advance(3)
    assert [row["email"] for row in sendpulse.get("smtp/unsubscribe").json()] == ["reader5@example.com"]
    nobody = sendpulse.post("smtp/resubscribe", json={"email": ANNA, "sender": SENDER})
    assert refusal(nobody) == (422, "Blocked email not found", 422)


def test_dates_are_written_in_the_accounts_time_zone(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    number = send(sendpulse, email())
    here = record(sendpulse, number)["send_date"]
    sandbox.set(sendpulse__time_zone="Pacific/Auckland")
    assert sendpulse.get("user/info").json()["time_zone"] == "Pacific/Auckland"
    assert record(sendpulse, number)["send_date"] != here
