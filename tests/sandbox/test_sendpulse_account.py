"""Templates, senders, the blacklist, tags and webhooks."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def refusal(answer: httpx.Response) -> tuple[int, str, int]:
    return answer.status_code, answer.json()["message"], answer.json()["error_code"]


def test_the_account_is_verified_and_has_money(sendpulse: httpx.Client) -> None:
    user = sendpulse.get("user/info").json()
    assert (user["name"], user["phone_confirm"]) == ("Sandbox Organisation", True)
    assert sendpulse.get("balance").json() == {"currency": "USD", "balance_currency": 100.0}
    assert sendpulse.get("balance/eur").json()["currency"] == "EUR"
    assert refusal(sendpulse.get("balance/XXX"))[0] == 422
    assert sendpulse.get("user/balance/detail").json()["balance"]["main"] == "100.00"


def test_a_template_is_made_edited_and_read(sendpulse: httpx.Client) -> None:
    body = {"name": "Autumn sale", "body": encoded("<p>Знижки</p>"), "lang": "ua"}
    made = sendpulse.post("template", json=body).json()
    assert made["result"] is True
    found = sendpulse.get("template/slug/autumn-sale").json()
    assert (found["real_id"], base64.b64decode(found["body"]).decode()) == (made["real_id"], "<p>Знижки</p>")
    assert found["category_info"] == found["tags"] == []
    edit = {"body": encoded("<p>New</p>")}
    assert sendpulse.post(f"template/edit/{made['real_id']}", json=edit).json() == {"result": True}
    assert sendpulse.get(f"template/{found['id']}").json()["body"] == encoded("<p>New</p>")


def test_the_gallery_is_listed_unless_ones_own_are_asked_for(sendpulse: httpx.Client) -> None:
    assert {row["owner"] for row in sendpulse.get("templates").json()} == {"sendpulse"}
    own = sendpulse.get("templates?owner=me&limit=2").json()
    assert [row["name"] for row in own] == ["Welcome", "Order confirmation"]
    assert "body" not in own[0]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("template", {}, (422, "Argument body missing", 422)),
        ("template", {"body": "<p>"}, (422, "Argument body is invalid string", 422)),
        ("template", {"body": "QQ==", "name": 5}, (422, "Argument name must be string", 422)),
        ("template", {"body": "QQ==", "lang": 5}, (422, "Argument lang must be string", 422)),
        ("template", {"body": "QQ==", "name": "Welcome"}, (422, "Template with such name already exist", 573)),
        ("template/edit/1", {"body": "QQ=="}, (404, "Template not found", 31)),
        (
            "template/edit/700003",
            {"body": "QQ=="},
            (422, "You cant edit templates from layout template editor", 2900),
        ),
    ],
)
def test_a_wrong_template_is_refused(
    sendpulse: httpx.Client, path: str, body: dict[str, Any], expected: tuple[int, str, int]
) -> None:
    assert refusal(sendpulse.post(path, json=body)) == expected


def test_an_unknown_template_has_another_code_when_it_is_read(sendpulse: httpx.Client) -> None:
    for path in ("template/1", "template/700004", "template/slug/nothing"):
        assert refusal(sendpulse.get(path)) == (404, "Template not found", 290)


def test_a_sender_is_activated_by_the_code_in_its_mail(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    address = "news@sandbox.example"
    assert sendpulse.post("senders", json={"email": address, "name": "News"}).json() == {"result": True}
    assert sendpulse.get("senders").json()[1]["status"] == "Requested activation"
    assert refusal(sendpulse.get(f"senders/{address}/code"))[2] == 1004
    sandbox.advance(900)
    assert sendpulse.get(f"senders/{address}/code").json()["result"] is True
    code = sandbox.messages(address)[0]["data"]["code"]
    assert refusal(sendpulse.post(f"senders/{address}/code", json={"code": "wrong"}))[2] == 1005
    answer = sendpulse.post(f"senders/{address}/code", json={"code": code}).json()
    assert answer == {"result": True, "email": address}
    assert address in sendpulse.get("smtp/senders").json()
    assert refusal(sendpulse.get(f"senders/{address}/code"))[2] == 21
    assert sendpulse.request("DELETE", "senders", json={"email": address}).json() == {"result": True}
    assert len(sendpulse.get("senders").json()) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "x"}, (422, "Argument email missing", 422)),
        ({"email": "x", "name": "x"}, (422, "Argument email is invalid", 422)),
        ({"email": "a@sandbox.example"}, (422, "Argument name missing", 422)),
        ({"email": "a@sandbox.example", "name": 5}, (422, "Argument name is invalid", 422)),
        ({"email": "sender@sandbox.example", "name": "x"}, (422, "Email already in use", 902)),
        ({"email": "a@gmail.com", "name": "x"}, (422, "Addresses of free mail services are not allowed", 97)),
    ],
)
def test_a_wrong_sender_is_refused(
    sendpulse: httpx.Client, body: dict[str, Any], expected: tuple[int, str, int]
) -> None:
    assert refusal(sendpulse.post("senders", json=body)) == expected


def test_a_blacklisted_address_cannot_be_a_sender(sendpulse: httpx.Client) -> None:
    sendpulse.post("blacklist", json={"emails": encoded("a@sandbox.example")})
    answer = sendpulse.post("senders", json={"email": "a@sandbox.example", "name": "x"})
    assert refusal(answer) == (422, "This email in blacklist", 904)


def test_the_blacklist_is_changed_in_base64(sendpulse: httpx.Client) -> None:
    both = {"emails": encoded("a@example.com, b@example.com"), "comment": "no"}
    assert sendpulse.post("blacklist", json=both).json() == {"result": True}
    assert sendpulse.get("blacklist").json() == ["a@example.com", "b@example.com"]
    sendpulse.request("DELETE", "blacklist", json={"emails": encoded("a@example.com")})
    assert sendpulse.get("blacklist").json() == ["b@example.com"]
    for emails in ("a@example.com", encoded("nonsense"), 5):
        assert refusal(sendpulse.post("blacklist", json={"emails": emails}))[:2] == (422, "Argument emails is invalid")


def test_tags_are_pinned_and_their_changes_are_said_to_be_queued(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    answer = sendpulse.post("tags", json={"name": "new", "color": "#f0f4f6"}).json()
    assert (answer["code"], answer["success"]) == ("request_sended_to_queue", True)
    (tag,) = sendpulse.get("tags").json()["tags"]
    assert tag == {"id": 1, "name": "new", "color": "#f0f4f6"}
    assert sendpulse.post("tags/pin/email", json={"email": "a@example.com", "tags": [1]}).status_code == 200
    assert refusal(sendpulse.post("tags/pin/email", json={"email": "a@example.com", "tags": [2]}))[0] == 422
    assert refusal(sendpulse.post("tags/pin/other", json={}))[0] == 404
    assert sendpulse.delete("tags/1").status_code == 200
    assert sendpulse.get("tags").json()["tags"] == []
    assert sendpulse.delete("tags/1").status_code == 404


@pytest.mark.parametrize("form", [False, True])
def test_a_webhook_is_one_row_for_each_action(sendpulse: httpx.Client, form: bool) -> None:
    at = "v2/email-service/webhook"
    url = "https://sandbox.example/hook"
    if form:
        made = sendpulse.post(at, data={"url": url, "actions[]": ["open", "spam"]})
    else:
        made = sendpulse.post(at, json={"url": url, "actions": ["open", "spam"]})
    rows = made.json()["data"]
    assert [(row["action"], row["url"]) for row in rows] == [("open", url), ("spam", url)]
    assert sendpulse.get(at).json() == {"success": True, "data": rows}
    number = rows[0]["id"]
    assert sendpulse.put(f"{at}/{number}", json={"url": url + "2"}).json() == {"success": True, "data": [True]}
    assert sendpulse.get(f"{at}/{number}").json()["data"]["url"] == url + "2"
    assert sendpulse.delete(f"{at}/{number}").json() == {"success": True, "data": [True]}
    gone = sendpulse.get(f"{at}/{number}")
    assert (gone.status_code, gone.json()["success"]) == (404, False)
    wrong = sendpulse.post(at, json={"url": url, "actions": ["other"]})
    assert (wrong.status_code, wrong.json()["success"]) == (422, False)
