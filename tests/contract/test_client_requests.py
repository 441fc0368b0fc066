"""Requests in the shapes that real clients of both services send, replayed over a socket, and what comes of them.

The values are ours; the shapes are those of the vendors' own libraries and plugins, and of clients in use.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

ANN, BOB, PHONE = "ann@example.com", "bob@example.com", "380501112233"
SENDER = {"name": "Sandbox", "email": "sender@sandbox.example"}
LIBRARY_WORDS = ("Expected `", "got `", "$.", "msgspec", "Object missing")


@pytest.fixture
def sendpulse(sandbox: Sandbox) -> Iterator[httpx.Client]:
    sandbox.limit("sendpulse.second", None)
    headers = {"Authorization": "Bearer sandbox-apikey"}
    with httpx.Client(base_url=sandbox.sendpulse_url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def esputnik(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.esputnik_url, auth=("any", "sandbox-key"), timeout=30) as client:
        yield client


def serialized(value: Any, *, characters: bool = False) -> str:
    """Write a value as PHP's ``serialize()`` does.

    :param characters: count characters and not bytes, as some clients in other languages do.
    """
    match value:
        case None:
            return "N;"
        case bool():
            return f"b:{int(value)};"
        case int():
            return f"i:{value};"
        case float():
            return f"d:{value!r};"
        case str():
            return f's:{len(value if characters else value.encode())}:"{value}";'
        case list():
            return serialized(dict(enumerate(value)), characters=characters)
    items = "".join(serialized(part, characters=characters) for item in value.items() for part in item)
    return f"a:{len(value)}:{{{items}}}"


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def addresses(client: httpx.Client, book: int) -> list[str]:
    return sorted(row["email"] for row in client.get(f"addressbooks/{book}/emails").json())


@pytest.fixture
def book(sendpulse: httpx.Client) -> int:
    return int(sendpulse.post("addressbooks", json={"bookName": "Customers"}).json()["id"])


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
@pytest.mark.parametrize("characters", [False, True], ids=["bytes", "characters"])
def test_contacts_come_and_go_as_serialized_values(
    sendpulse: httpx.Client, book: int, form: bool, characters: bool
) -> None:
    contacts = [{"email": ANN, "variables": {"name": "Анна", "age": 30, "vip": True, "note": None}}, {"email": BOB}]
    body = {"emails": serialized(contacts, characters=characters)}
    answer = sendpulse.post(f"addressbooks/{book}/emails", data=body if form else None, json=None if form else body)
    assert answer.json() == {"result": True}
    assert addresses(sendpulse, book) == [ANN, BOB]
    variables = sendpulse.get(f"addressbooks/{book}/emails").json()
    assert {"name": "Анна", "age": 30, "vip": 1} in [row["variables"] for row in variables]
    left = sendpulse.request("DELETE", f"addressbooks/{book}/emails", json={"emails": serialized([BOB])})
    assert left.json() == {"result": True}
    assert addresses(sendpulse, book) == [ANN]


@pytest.mark.parametrize(
    "emails",
    [
        serialized([ANN])[:-1],
        serialized([ANN]) + "x",
        'a:2:{i:0;s:15:"ann@example.com";}',
        'O:8:"stdClass":0:{}',
        "a:1:{i:0;r:1;}",
        "a:1:{a:0:{}i:0;}",
        "a:999999999:{",
        's:999999999:"x";',
        "d:1e999;",
        "a:1:{i:0;" * 50 + "N;" + "}" * 50,
        serialized(ANN),
    ],
)
def test_what_is_no_list_in_any_writing_is_refused_in_the_vendors_words(
    sendpulse: httpx.Client, book: int, emails: str
) -> None:
    answer = sendpulse.post(f"addressbooks/{book}/emails", json={"emails": emails})
    assert (answer.status_code, answer.json()["error_code"]) == (422, 422)
    assert answer.json()["message"].startswith("Argument email")
    assert addresses(sendpulse, book) == []


def test_strings_are_no_lists_where_the_switch_says_so(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    sandbox.set(sendpulse__json_strings=False)
    answer = sendpulse.post(f"addressbooks/{book}/emails", json={"emails": serialized([ANN])})
    assert answer.json() == {"message": "Argument emails must be array", "error_code": 422}


def test_a_message_is_sent_from_a_serialized_value(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    email = {
        "html": base64_of("<p>Привіт</p>"),
        "text": "Hello",
        "subject": "Hello",
        "from": SENDER,
        "to": [{"name": "Ann", "email": ANN}],
        "attachments": {"note.txt": "Текст"},
    }
    answer = sendpulse.post("smtp/emails", json={"email": serialized(email)})
    assert answer.json()["result"] is True
    [message] = sandbox.messages()
    assert (message["to"], message["html"]) == (ANN, "<p>Привіт</p>")
    assert message["data"]["envelope"]["attachments"] == ["note.txt"]


def test_people_are_unsubscribed_and_back_by_serialized_values(sendpulse: httpx.Client) -> None:
    people = serialized([{"email": ANN, "comment": "asked"}])
    assert sendpulse.post("smtp/unsubscribe", json={"emails": people}).json() == {"result": True}
    assert sendpulse.get("smtp/unsubscribe/search", params={"email": ANN}).json() == {"result": True}
    assert sendpulse.request("DELETE", "smtp/unsubscribe", json={"emails": serialized([ANN])}).json() == {
        "result": True
    }
    assert sendpulse.get("smtp/unsubscribe/search", params={"email": ANN}).json() == {"result": False}


def test_a_campaigns_attachments_may_be_serialized(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    sendpulse.post(f"addressbooks/{book}/emails", json={"emails": [ANN]})
    campaign = {"sender_name": "Sandbox", "sender_email": SENDER["email"], "subject": "Sale", "list_id": book}
    campaign |= {"body": base64_of("<p>Sale</p>"), "attachments": serialized({"note.txt": "hello"})}
    answer = sendpulse.post("campaigns", json=campaign)
    assert answer.json()["status"] == 13
    for wrong in (serialized({"note.txt": 5}), serialized([1]), "note.txt"):
        answer = sendpulse.post("campaigns", json={**campaign, "attachments": wrong})
        assert answer.json()["message"] == "Argument attachments is invalid"


@pytest.mark.parametrize("limit", ["0", "", "500"])
def test_messages_are_listed_whatever_a_clients_default_limit_is(sendpulse: httpx.Client, limit: str) -> None:
    email = {"html": base64_of("x"), "subject": "x", "from": SENDER, "to": [{"email": ANN}]}
    sendpulse.post("smtp/emails", json={"email": email})
    for path in ("smtp/emails", "smtp/unsubscribe", "smtp/bounces/day"):
        answer = sendpulse.get(path, params={"limit": limit, "offset": "0", "from": "", "to": "", "sender": ""})
        assert answer.status_code == 200, answer.text
    assert len(sendpulse.get("smtp/emails", params={"limit": limit}).json()) == 1
    assert sendpulse.get("smtp/emails", params={"limit": "-1"}).status_code == 422


def test_a_domain_is_added_listed_and_verified_the_old_way(sendpulse: httpx.Client) -> None:
    assert sendpulse.post("smtp/domains", json={"email": "shop@other.example"}).json() == {"result": True}
    assert "@other.example" in sendpulse.get("smtp/domains").json()
    assert sendpulse.get("smtp/domains/shop@other.example").json() == {"result": True}
    refused = sendpulse.get("smtp/domains/shop@unknown.example")
    assert (refused.status_code, refused.json()) == (404, {"message": "Domain not found", "error_code": 404})


@pytest.mark.parametrize("path", ["emails", "emails/campaigns"])
def test_addresses_are_looked_up_from_a_bare_list_or_a_wrapped_one(
    sendpulse: httpx.Client, book: int, path: str
) -> None:
    sendpulse.post(f"addressbooks/{book}/emails", json={"emails": [ANN]})
    bodies: tuple[Any, ...] = ([ANN], {"emails": [ANN]}, {"emails": serialized([ANN])}, {"emails": json.dumps([ANN])})
    for body in bodies:
        assert list(sendpulse.post(path, json=body).json()) == [ANN]


@pytest.mark.parametrize("none", [0, "0", None])
def test_a_viber_campaign_to_phones_may_say_book_0(sandbox: Sandbox, sendpulse: httpx.Client, none: Any) -> None:
    task = {"message_type": 2, "sender_id": 1, "message_live_time": 600, "send_date": "now", "message": "Hello"}
    answer = sendpulse.post(
        "viber", json={**task, "address_book": none, "recipients": [int(PHONE)], "additional": None}
    )
    assert answer.json()["result"] is True
    assert [message["to"] for message in sandbox.messages()] == [PHONE]
    assert sendpulse.post("viber", json={**task, "address_book": none, "recipients": None}).status_code == 422


def test_a_token_is_given_for_basic_credentials(sandbox: Sandbox) -> None:
    url, body = f"{sandbox.sendpulse_url}/oauth/access_token", {"grant_type": "client_credentials"}
    answer = httpx.post(url, data=body, auth=("sandbox-id", "sandbox-secret"))
    assert answer.json()["token_type"] == "Bearer"
    assert httpx.post(url, data=body, auth=("sandbox-id", "wrong")).json()["error"] == "invalid_client"
    assert httpx.post(url, data=body, headers={"Authorization": "Basic ?"}).json()["error"] == "invalid_request"


@pytest.mark.parametrize("currency", ["rub", "RUB", "rur", "RUR"])
def test_roubles_have_two_codes(sendpulse: httpx.Client, currency: str) -> None:
    assert sendpulse.get(f"balance/{currency}").json()["currency"] == "RUR"


def test_a_webhook_is_changed_by_its_actions_alone(sendpulse: httpx.Client) -> None:
    hook = {"url": "https://sandbox.example/hook", "actions": ["open"]}
    number = sendpulse.post("v2/email-service/webhook", json=hook).json()["data"][0]["id"]
    path = f"v2/email-service/webhook/{number}"
    assert sendpulse.put(path, json={"actions": ["redirect", "spam"]}).json() == {"success": True, "data": [True]}
    rows = sendpulse.get("v2/email-service/webhook").json()["data"]
    assert [(row["url"], row["action"]) for row in rows] == [(hook["url"], "redirect"), (hook["url"], "spam")]
    for wrong in ({}, {"actions": ["x"]}, {"url": "x", "actions": ["open"]}):
        assert sendpulse.put(path, json=wrong).json()["success"] is False


def test_answers_have_the_names_and_types_that_were_recorded(sendpulse: httpx.Client, book: int) -> None:
    sendpulse.post("sms/numbers", json={"addressBookId": book, "phones": [PHONE]})
    assert sendpulse.get(f"sms/numbers/info/{book}/{PHONE}").json()["data"]["email"] is False
    sendpulse.post("sms/black_list", json={"phones": ["380631112233"], "description": "asked"})
    search = sendpulse.request("GET", "sms/black_list/by_numbers", json={"phones": ["380631112233"]})
    assert search.json()["data"][0]["phone"] == 380631112233
    sendpulse.post("sms/send", json={"sender": "Shop", "phones": [PHONE], "body": "Hello"})
    [campaign] = sendpulse.get("sms/campaigns/list").json()["data"]
    assert set(campaign) == {
        *("id", "address_book_id", "company_price", "company_currency", "send_date", "date_created"),
        *("sender_mail_address", "sender_mail_name", "external_stat"),
    }
    sendpulse.post(f"addressbooks/{book}/emails", json={"emails": [{"email": ANN, "variables": {"age": 21}}]})
    [row] = sendpulse.get(f"emails/{ANN}").json()
    assert row["variables"] == [{"name": "age", "type": "number", "value": 21}]
    assert "phone" not in next(row for row in sendpulse.get(f"addressbooks/{book}/emails").json() if row["email"])
    assert sendpulse.get("viber/senders").json()[0]["countries"] == ["UA"]
    assert {"icon", "add_date", "unsubscribed", "subscribers_today"} <= set(
        sendpulse.get("push/websites/info/53").json()
    )
    [template] = sendpulse.get("templates", params={"owner": "sendpulse"}).json()
    assert isinstance(template["category_info"], dict)
    assert isinstance(template["tags"], dict)


def test_a_record_may_have_no_recipient(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    email = {"html": base64_of("x"), "subject": "x", "from": SENDER, "to": [{"email": ANN}]}
    number = sendpulse.post("smtp/emails", json={"email": email}).json()["id"]
    sandbox.set(sendpulse__smtp_no_recipient=True)
    assert sendpulse.get(f"smtp/emails/{number}").json()["recipient"] is None


@pytest.mark.parametrize("empty", ["", " ", None])
def test_a_shop_sends_an_empty_phone_for_a_customer_without_one(
    sandbox: Sandbox, esputnik: httpx.Client, empty: Any
) -> None:
    channels = [{"type": "email", "value": ANN}, {"type": "sms", "value": empty}]
    number = esputnik.post("v1/contact", json={"channels": channels, "firstName": "Ann"}).json()["id"]
    assert esputnik.get(f"v1/contact/{number}").json()["channels"] == [{"type": "email", "value": ANN}]
    bulk = {"contacts": [{"channels": [{**channels[0], "value": BOB}, channels[1]]}], "dedupeOn": "email"}
    answer = esputnik.post("v1/contacts", json=bulk).json()
    assert "failedContacts" not in answer
    sandbox.advance(5)
    assert esputnik.get("v1/contacts", params={"email": BOB}).json()[0]["channels"] == [{"type": "email", "value": BOB}]
    nobody = esputnik.post("v1/contact", json={"channels": [{"type": "sms", "value": empty}]})
    assert (nobody.status_code, nobody.text) == (400, "contact should have at least one channel")


def test_an_empty_phone_leaves_the_one_that_is_known(esputnik: httpx.Client) -> None:
    known = [{"type": "email", "value": ANN}, {"type": "sms", "value": PHONE}]
    number = esputnik.post("v1/contact", json={"channels": known}).json()["id"]
    esputnik.post("v1/contact", json={"channels": [known[0], {"type": "sms", "value": ""}], "firstName": "Ann"})
    found = esputnik.get(f"v1/contact/{number}").json()
    assert (found["firstName"], {one["value"] for one in found["channels"]}) == ("Ann", {ANN, PHONE})


def test_a_flag_beside_a_recipient_is_no_address(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    template = esputnik.get("v1/messages/email").json()[0]["id"]
    for flag in (True, False, "true"):
        recipient = {"locator": ANN, "email": flag, "jsonParam": None}
        body = {"recipients": [recipient], "email": True, "campaignId": None, "allowUnconfirmed": False}
        answer = esputnik.post(f"v1/message/{template}/smartsend", json=body)
        assert answer.json()["results"]["status"] == "OK"
    assert {message["to"] for message in sandbox.messages()} == {ANN}


def test_older_clients_name_the_address_email(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    template = esputnik.get("v1/messages/email").json()[0]["id"]
    answer = esputnik.post(f"v1/message/{template}/smartsend", json={"recipients": [{"email": ANN}], "email": True})
    assert answer.json()["results"]["locator"] == ANN


SHOP_ORDER = {
    "externalOrderId": "1001",
    "externalCustomerId": "7",
    "totalCost": "21.00",
    "status": "DELIVERED",
    "date": "2026-01-02T10:00:00.000+00:00",
    "currency": "UAH",
    "email": ANN,
    "discount": "",
    "taxes": "",
    "shipping": "5",
    "source": "checkout",
    "items": [{"externalItemId": "1", "name": "Cup", "quantity": "2", "cost": "10.5", "url": "", "imageUrl": ""}],
}


def test_a_shops_order_has_its_numbers_as_texts(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    assert esputnik.post("v1/orders", json={"orders": [SHOP_ORDER]}).json() == {}
    [order] = sandbox.rows("esputnik", "orders")
    assert (order["order"]["totalCost"], order["order"]["items"][0]["cost"], order["order"]["discount"]) == (
        21,
        10.5,
        None,
    )


@pytest.mark.parametrize("name", ["totalCost", "discount", "taxes", "shipping"])
@pytest.mark.parametrize("value", ["a lot", "1,5", True, {"a": 1}, "1e5", "0x1"])
def test_what_is_no_number_fails_its_order_in_the_services_words(esputnik: httpx.Client, name: str, value: Any) -> None:
    failed = esputnik.post("v1/orders", json={"orders": [{**SHOP_ORDER, name: value}]}).json()["failedOrders"]
    assert failed["error"] == f"{name} should be a number"
    assert failed["order"][name] == value


@pytest.mark.parametrize(("erase", "gone"), [("1", True), ("true", True), ("TRUE", True), ("0", False), ("", False)])
def test_a_contact_is_erased_by_1_as_by_true(esputnik: httpx.Client, erase: str, gone: bool) -> None:
    channels = [{"type": "email", "value": ANN}]
    number = esputnik.post("v1/contact", json={"channels": channels, "externalCustomerId": "7"}).json()["id"]
    assert esputnik.delete("v1/contact", params={"externalCustomerId": "7", "erase": "perhaps"}).status_code == 400
    answer = esputnik.delete("v1/contact", params={"externalCustomerId": "7", "erase": erase})
    assert answer.status_code == 200
    restored = esputnik.put(f"v1/contact/{number}", json={"channels": channels})
    assert restored.status_code == (404 if gone else 200)


@pytest.mark.parametrize("none", [0, None])
def test_a_group_of_0_beside_phones_is_none(sandbox: Sandbox, esputnik: httpx.Client, none: Any) -> None:
    body = {"from": "SHOP", "text": "Hello", "phoneNumbers": [PHONE], "groupId": none}
    assert esputnik.post("v1/message/sms", json=body).json()["results"]["status"] == "OK"
    assert esputnik.post("v1/message/sms", json={**body, "phoneNumbers": []}).status_code == 400


@pytest.mark.parametrize("path", ["v1/contacts", "v1/messages/email"])
def test_names_of_headers_are_spelled_as_the_vendor_does(sandbox: Sandbox, path: str) -> None:
    host = urlsplit(sandbox.esputnik_url)
    key = base64_of("any:sandbox-key")
    head = f"GET {host.path}/{path} HTTP/1.1\r\nHost: {host.netloc}\r\nAuthorization: Basic {key}\r\n"
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=30) as connection:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    names = {line.partition(b":")[0] for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    assert {b"TotalCount", b"Content-Type"} <= names


@pytest.mark.parametrize(
    ("verb", "path", "body", "text"),
    [
        ("POST", "v1/message/1/smartsend", {}, None),
        ("POST", "v1/message/sms", {"text": True}, "text should be text"),
        ("POST", "v1/contact", {"channels": 5}, "channels should be an object"),
        ("POST", "v1/contacts", {"dedupeOn": "email"}, "contacts should not be empty"),
        ("POST", "v1/orders", {"orders": [5]}, "orders[0] should be an object"),
        ("POST", "v2/event", {"params": []}, None),
        ("POST", "v1/broadcast", {"groups": {}}, None),
        ("PUT", "v1/contact/1/subscriptions", {"subscriptions": [[]]}, None),
        ("POST", "v1/contact", "{", "Malformed JSON"),
        ("POST", "v1/promocodes", {"promocodes": {}}, None),
    ],
)
def test_what_is_wrong_is_said_in_the_services_words(
    esputnik: httpx.Client, verb: str, path: str, body: Any, text: str | None
) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    answer = esputnik.request(verb, path, content=content, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert not any(word in answer.text for word in LIBRARY_WORDS), answer.text
    assert text in (None, answer.text)


def test_a_book_is_verified_as_clients_do(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    emails = [ANN, "bounce@example.com", "wait@example.com"]
    sandbox.set(outcomes={"wait@example.com": "stuck"}, sendpulse__verify_seconds=10)
    assert sendpulse.post("verifier-service/send-list-to-verify/", json={"id": book}).json()["error_code"] == 211
    sendpulse.post(f"addressbooks/{book}/emails", json={"emails": emails})
    assert sendpulse.post("verifier-service/send-list-to-verify/", json={"id": book}).json() == {"result": True}
    again = sendpulse.post("verifier-service/send-list-to-verify/", json={"id": book})
    assert (again.status_code, again.json()["message"]) == (422, "The address book is being verified")
    sandbox.advance(5)
    progress = sendpulse.get(f"verifier-service/get-progress/?id={book}").json()
    assert progress == {"result": True, "data": {"total": 3, "processed": 1}}
    early = sendpulse.get(f"verifier-service/check/?id={book}").json()
    assert (early["status"], early["data"]) == (0, {})
    sandbox.advance(6)
    result = sendpulse.get(f"verifier-service/check/?id={book}&start=0&count=2").json()
    assert result["data"] == {"0": 0, "1": 1, "2": 1, "3": 1}
    assert (result["email_addresses_total"], len(result["email_addresses"])) == (3, 2)
    rows = sendpulse.get(f"verifier-service/check?id={book}").json()["email_addresses"]
    assert {row["email_address"]: row["status"] for row in rows} == dict(zip(emails, (1, 3, 2), strict=True))
    assert sendpulse.get("verifier-service/check-list?start=0&count=10").json()["list"][0]["id"] == book
    nothing_new = sendpulse.post("verifier-service/send-list-to-verify/", json={"id": book})
    assert nothing_new.json()["message"] == "The address book has no new addresses"
    assert sendpulse.get(f"verifier-service/check-report?id={book}").status_code == 404
    made = sendpulse.post("verifier-service/make-report", json={"id": book, "status": "[3]"})
    assert made.json() == {"result": True}
    report = sendpulse.get(f"verifier-service/check-report?id={book}").json()
    assert [row["email_address"] for row in report["email_addresses"]] == ["bounce@example.com"]


def test_a_book_that_a_campaign_has_used_is_not_verified(sendpulse: httpx.Client, book: int) -> None:
    sendpulse.post(f"addressbooks/{book}/emails", json={"emails": [ANN]})
    campaign = {"sender_name": "Sandbox", "sender_email": SENDER["email"], "subject": "Sale", "list_id": book}
    sendpulse.post("campaigns", json={**campaign, "body": base64_of("<p>Sale</p>")})
    refused = sendpulse.post("verifier-service/send-list-to-verify/", json={"id": book})
    assert refused.json() == {"message": "The address book was used in a campaign", "error_code": 422}


def test_one_address_is_verified_and_forgotten(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    path, email = "verifier-service/get-single-result/", {"email": "bounce@example.com"}
    assert sendpulse.get(path, params=email).status_code == 404
    assert sendpulse.post("verifier-service/send-single-to-verify/", json=email).json() == {"result": True}
    assert sendpulse.get(path, params=email).json()["data"]["checks"]["status"] == 0
    sandbox.advance(5)
    assert sendpulse.get(path, params=email).json()["data"]["checks"]["status"] == 3
    # The Go client sends this as a GET with a body.
    gone = sendpulse.request("GET", "verifier-service/delete-single-result", json=email)
    assert gone.json() == {"result": True}
    assert sendpulse.get(path, params=email).status_code == 404


def test_a_planned_viber_campaign_is_changed(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    task = {"message_type": 2, "sender_id": 1, "message_live_time": 600, "message": "Hello"}
    planned = {**task, "send_date": "2090-01-01 10:00:00", "recipients": [int(PHONE)]}
    number = sendpulse.post("viber", json=planned).json()["data"]["task_id"]
    change = {**task, "main_task_id": number, "message": "Changed", "send_date": "2090-01-02 10:00:00"}
    assert sendpulse.post("viber/update", json=change).json() == {"result": True}
    shown = sendpulse.get(f"viber/task/{number}").json()
    assert (shown["message"], shown["send_date"]) == ("Changed", "2090-01-02 10:00:00")
    assert [(one["to"], one["text"]) for one in sandbox.messages()] == [(PHONE, "Changed")]
    begun = sendpulse.post("viber", json={**planned, "send_date": "now"}).json()["data"]["task_id"]
    assert sendpulse.post("viber/update", json={**change, "main_task_id": begun}).json()["error_code"] == 602


def test_a_shop_sets_web_push_up(esputnik: httpx.Client) -> None:
    site = {"domain": "https://shop.example", "serviceWorkerName": "push.js"}
    site |= {"serviceWorkerPath": "/push/", "serviceWorkerScope": "/push/"}
    assert esputnik.post("v1/site/domains", json={"domain": "shop.example"}).status_code == 201
    assert esputnik.post("v1/site/domains", json={"domain": "shop.example"}).status_code == 200
    assert esputnik.get("v1/site/domains").json() == [{"domain": "shop.example"}]
    assert esputnik.get("v1/site/script").headers["content-type"].startswith("text/plain")
    assert esputnik.get("v1/site/webpush/script", params={"domain": "shop.example"}).status_code == 404
    assert esputnik.post("v1/site/webpush/domains", json={"domains": [site]}).status_code == 200
    assert esputnik.get("v1/site/webpush/domains").json() == {"domains": [site]}
    script = esputnik.get("v1/site/webpush/script", params={"domain": "https://shop.example"}).json()
    assert set(script) == {"script", "serviceWorker"}
    assert esputnik.delete("v1/site/webpush/domains", params={"domain": "shop.example"}).status_code == 200
    wrong = esputnik.post("v1/site/webpush/domains", json={"domains": [{**site, "serviceWorkerPath": "push"}]})
    assert (wrong.status_code, wrong.text) == (400, "serviceWorkerPath should start and end with a slash")


def test_events_of_a_period_are_raised_once_more(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    esputnik.post("v2/event", json={"eventTypeKey": "purchase", "keyValue": ANN, "params": []})
    esputnik.post("v2/event", json={"eventTypeKey": "visit", "keyValue": ANN, "params": []})
    period: dict[str, str | int] = {"eventTypeId": 1, "start": "2000-01-01T00:00", "end": "2099-01-01T00:00"}
    answer = esputnik.get("v1/event", params=period)
    assert (answer.status_code, answer.content) == (200, b"")
    kinds = [(event["type"], event["source"]) for event in sandbox.rows("esputnik", "events")]
    assert kinds == [("purchase", "resent"), ("visit", "v2"), ("purchase", "v2")]
    assert esputnik.get("v1/event", params={**period, "eventTypeId": 9}).status_code == 404
    assert esputnik.get("v1/event", params={**period, "start": "yesterday"}).status_code == 400
