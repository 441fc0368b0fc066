"""Instant messages, their statuses, and templates."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

SMART = "/v1/message/1001/smartsend"


def send(esputnik: httpx.Client, *recipients: dict[str, Any], path: str = SMART) -> Any:
    answer = esputnik.post(path, json={"recipients": list(recipients), "email": True})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def statuses(esputnik: httpx.Client, *ids: str, path: str = "/v1/message/status") -> Any:
    return esputnik.get(path, params={"ids": ",".join(ids)}).json().get("results")


def test_one_recipients_result_is_an_object_and_twos_a_list(esputnik: httpx.Client) -> None:
    one = send(esputnik, {"locator": "anna@example.com"})
    assert (one["status"], one["locator"]) == ("OK", "anna@example.com")
    assert uuid.UUID(one["requestId"])
    two = send(esputnik, {"locator": "anna@example.com"}, {"locator": "boris@example.com"})
    assert [result["status"] for result in two] == ["OK", "OK"]
    assert isinstance(two[0]["id"], int)


def test_a_wrong_address_is_an_error_of_that_recipient_alone(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    bad, good = send(esputnik, {"locator": "nobody"}, {"locator": "anna@example.com"})
    assert bad == {"locator": "nobody", "status": "ERROR", "message": "'nobody' is not valid email"}
    assert good["status"] == "OK"
    assert len(sandbox.messages()) == 1


def test_each_recipient_reads_data_of_its_own(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    send(
        esputnik,
        {"locator": "anna@example.com", "jsonParam": '{"name": "Anna", "discount": "10 %"}', "externalRequestId": "r1"},
        {"locator": "oksana@example.com", "jsonParam": '{"name": "Оксана"}', "languageCode": "uk"},
    )
    second, first = sandbox.messages()
    assert first["subject"] == "Anna, we have missed you"
    assert "10 % off your next order" in first["html"]
    assert first["label"] == "r1"
    assert second["subject"] == "Оксана, ми сумували"
    assert "$!data" not in second["html"]


def test_data_that_is_no_json_is_an_error_of_that_recipient(esputnik: httpx.Client) -> None:
    result = send(esputnik, {"locator": "anna@example.com", "jsonParam": "{"})
    assert (result["status"], result["message"]) == ("ERROR", "jsonParam is not valid JSON")


def test_recipients_may_be_named_by_contact_or_external_id(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    contact = {"channels": [{"type": "email", "value": "anna@example.com"}], "externalCustomerId": "E1"}
    number = esputnik.post("/v1/contact", json=contact).json()["id"]
    results = send(esputnik, {"contactId": number}, {"externalCustomerId": "E1"}, {"contactId": 1})
    assert [result["status"] for result in results] == ["OK", "OK", "ERROR"]
    assert {message["to"] for message in sandbox.messages()} == {"anna@example.com"}


def test_an_address_of_nobody_becomes_a_confirmed_contact_once(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    send(esputnik, {"locator": "anna@example.com"}, {"locator": "ANNA@example.com"})
    (contact,) = sandbox.rows("esputnik", "contacts")
    assert (contact["email"], contact["confirmed"], contact["segments"]) == ("anna@example.com", True, [])


def test_an_unknown_template_is_404_and_too_many_recipients_400(esputnik: httpx.Client) -> None:
    recipient = {"locator": "anna@example.com"}
    assert esputnik.post("/v1/message/9/smartsend", json={"recipients": [recipient]}).status_code == 404
    for recipients in ([], [recipient] * 1001):
        assert esputnik.post(SMART, json={"recipients": recipients}).status_code == 400


def test_statuses_move_with_the_clock_and_print_booleans_in_quotes(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    ids = send(esputnik, {"locator": "anna@example.com"})["requestId"]
    seen = []
    for _ in range(3):
        seen.append(statuses(esputnik, ids))
        sandbox.advance(1)
    assert [(item["status"], item["delivered"], item["failed"]) for item in seen] == [
        ("IN_QUEUE", "false", "false"),
        ("DELIVERED", "true", "false"),
        ("READ", "true", "false"),
    ]
    assert sandbox.messages()[0]["status"] == "READ"


@pytest.mark.parametrize(
    ("address", "final"),
    [
        ("a+bounce@example.com", ("UNDELIVERED", "false", "true")),
        ("a+unread@example.com", ("DELIVERED", "true", "false")),
        ("a+click@example.com", ("CLICKED", "true", "false")),
        ("a+spam@example.com", ("SPAM", "true", "false")),
        ("a+unsubscribe@example.com", ("UNSUBSCRIBED", "true", "false")),
        ("a+stuck@example.com", ("IN_QUEUE", "false", "false")),
    ],
)
def test_an_address_can_say_what_becomes_of_its_message(
    sandbox: Sandbox, esputnik: httpx.Client, address: str, final: tuple[str, str, str]
) -> None:
    ids = send(esputnik, {"locator": address})["requestId"]
    sandbox.advance(10)
    found = statuses(esputnik, ids)
    assert (found["status"], found["delivered"], found["failed"]) == final


def test_so_can_a_setting(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.set(outcomes={"anna@example.com": "bounced"})
    ids = send(esputnik, {"locator": "anna@example.com"})["requestId"]
    sandbox.advance(10)
    assert statuses(esputnik, ids)["status"] == "UNDELIVERED"


def test_unknown_ids_are_left_out_and_none_at_all_is_400(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    ids = send(esputnik, {"locator": "anna@example.com"})["requestId"]
    assert statuses(esputnik, ids, "nobody")["requestId"] == ids
    assert esputnik.get("/v1/message/status?ids=nobody").json() == {}
    assert esputnik.get("/v1/message/status").status_code == 400
    sandbox.set(esputnik__status_as_list=True)
    assert esputnik.get(f"/v1/message/status?ids={ids}").json()[0]["results"][0]["delivered"] is False


def test_the_older_status_twins_know_their_channel_only(esputnik: httpx.Client) -> None:
    ids = send(esputnik, {"locator": "anna@example.com"})["requestId"]
    assert statuses(esputnik, ids, path="/v1/message/email/status")["requestId"] == ids
    assert statuses(esputnik, ids, path="/v1/message/sms/status") is None


def test_the_older_send_fills_its_own_kind_of_placeholders(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    template = {"name": "Old", "from": "a@b.example", "subject": "Hi %TEMPLATE.name%", "htmlText": "<p>x</p>"}
    number = esputnik.post("/v1/messages/email", json=template).json()["id"]
    body = {"recipients": ["anna@example.com"], "params": [{"key": "name", "value": "Anna"}]}
    assert esputnik.post(f"/v1/message/{number}/send", json=body).json()["results"]["status"] == "OK"
    assert sandbox.messages()[0]["subject"] == "Hi Anna"


def test_the_older_send_reaches_a_segment_or_a_contact(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_contacts", count=4, segment="Readers")
    group = esputnik.get("/v1/groups?name=Readers").json()[0]["id"]
    contact = sandbox.rows("esputnik", "contacts")[0]["id"]
    assert len(esputnik.post("/v1/message/1003/send", json={"groupId": group}).json()["results"]) == 4
    assert esputnik.post("/v1/message/1003/send", json={"contactId": contact}).status_code == 200
    assert esputnik.post("/v1/message/1003/send", json={}).status_code == 400
    assert esputnik.post("/v1/message/1003/send", json={"groupId": 1}).status_code == 404


def test_an_email_an_sms_and_a_viber_message_are_written_on_the_spot(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    email = {"from": "a@b.example", "subject": "Hi", "htmlText": "<p>Hi</p>", "emails": ["anna@example.com"]}
    assert esputnik.post("/v1/message/email", json=email).json()["results"]["status"] == "OK"
    sms = {"from": "SHOP", "text": "Code 1", "phoneNumbers": ["+380501112233", "x"]}
    results = esputnik.post("/v1/message/sms", json=sms).json()["results"]
    assert [result["status"] for result in results] == ["OK", "ERROR"]
    viber = {"text": "Hi", "iosExpirityText": "Late", "phoneNumbers": ["380501112233"]}
    assert esputnik.post("/v1/message/viber", json=viber).json()["results"]["status"] == "OK"
    assert [message["channel"] for message in sandbox.messages()] == ["viber", "sms", "email"]
    sandbox.advance(10)
    assert [message["status"] for message in sandbox.messages()] == ["READ", "DELIVERED", "READ"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("email", {"from": "a@b.example", "subject": "", "htmlText": "x", "emails": ["a@example.com"]}),
        ("email", {"from": "a@b.example", "subject": "x", "htmlText": "x", "emails": []}),
        ("email", {"subject": "x", "htmlText": "x", "emails": ["a@example.com"]}),
        ("sms", {"text": "x", "phoneNumbers": ["380501112233"]}),
        ("sms", {"from": "SHOP", "text": "x"}),
        ("viber", {"text": "x", "phoneNumbers": ["380501112233"]}),
    ],
)
def test_a_message_without_a_required_part_is_400(esputnik: httpx.Client, path: str, body: dict[str, Any]) -> None:
    assert esputnik.post(f"/v1/message/{path}", json=body).status_code == 400


@pytest.mark.parametrize("channel", ["email", "sms", "viber", "mobilepush", "appinbox", "telegram"])
def test_templates_live_their_life_in_every_channel(esputnik: httpx.Client, channel: str) -> None:
    base = f"/v1/messages/{channel}"
    template = {
        "name": "New",
        "from": "SHOP",
        "subject": "s",
        "htmlText": "h",
        "title": "t",
        "text": "x",
        "tags": ["q7"],
    }
    number = esputnik.post(base, json=template).json()["id"]
    assert esputnik.get(f"{base}/{number}").json()["translations"] == []
    found = esputnik.get(base, params={"search": "q7"})
    assert ([item["id"] for item in found.json()], found.headers["TotalCount"]) == ([number], "1")
    assert esputnik.put(f"{base}/{number}/uk", json={**template, "name": "Нове"}).status_code == 200
    assert esputnik.put(f"{base}/{number}", json={**template, "name": "Newer"}).status_code == 200
    whole = esputnik.get(f"{base}/{number}").json()
    assert (whole["name"], whole["languages"], whole["translations"][0]["name"]) == ("Newer", ["uk"], "Нове")
    assert esputnik.delete(f"{base}/{number}/uk").status_code == 200
    assert esputnik.delete(f"{base}/{number}/uk").status_code == 404
    assert esputnik.delete(f"{base}/{number}").status_code == 200
    assert esputnik.get(f"{base}/{number}").status_code == 404


def test_a_template_needs_its_parts_and_belongs_to_its_channel(esputnik: httpx.Client) -> None:
    assert esputnik.post("/v1/messages/email", json={"name": "x"}).status_code == 400
    assert esputnik.get("/v1/messages/sms/1001").status_code == 404
    assert esputnik.get("/v1/messages/email/1001/viewLink").json()["link"].startswith("http://127.0.0.1")
    assert esputnik.get("/v1/messages/email/9/viewLink").status_code == 404
