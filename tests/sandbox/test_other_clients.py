"""Other people's clients from PyPI, unchanged but for the address they ask: what works, and which faults are their own.

A fault that is named here is of the version that is pinned: when a new one mends it, its test fails and goes.
"""

from __future__ import annotations

import asyncio
import collections
import inspect
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

aiosendpulse = pytest.importorskip("aiosendpulse", reason="pip install aiosendpulse, which is in the extra dev")
sendpulse = pytest.importorskip("sendpulse", reason="pip install sendpulse-sdk, which is in the extra dev")
with pytest.MonkeyPatch.context() as patch:
    # ok-esputnik holds trafaret at 1.2.0, which looks for what Python 3.10 has taken out of this module.
    for name in ("Mapping", "Iterable", "Callable"):
        patch.setattr(collections, name, getattr(collections.abc, name), raising=False)
    esputnik = pytest.importorskip("esputnik.esputnik", reason="pip install ok-esputnik, which is in the extra dev")

ANN, BOB, PHONE = "ann@example.com", "bob@example.com", "380501112233"
SENDER = "sender@sandbox.example"


# -- aiosendpulse ----------------------------------------------------------------------------------------------------


class Tokens:
    """A token storage in memory: the package's own is Redis."""

    def __init__(self) -> None:
        self.token: str | None = None

    async def set(self, token: str, ex: Any) -> None:
        self.token = token

    async def get(self) -> str | None:
        return self.token


class Below(httpx.AsyncHTTPTransport):
    """Puts the sandbox's prefix back, which the client drops: it joins paths that begin with a slash."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(raw_path=b"/sendpulse" + request.url.raw_path)
        return await super().handle_async_request(request)


@pytest.fixture
def aio(sandbox: Sandbox) -> Callable[[], Any]:
    for name in ("second", "minute"):
        sandbox.limit(f"sendpulse.{name}", None)
    # It cannot make a book itself: one of its faults.
    key = {"Authorization": "Bearer sandbox-apikey"}
    made = httpx.post(f"{sandbox.sendpulse_url}/addressbooks", headers=key, json={"bookName": "Customers"})
    assert made.json() == {"id": 500001}

    @asynccontextmanager
    async def connect(secret: str = "sandbox-secret") -> AsyncIterator[Any]:  # the sandbox's own
        client = aiosendpulse.AioSendPulseClient("sandbox-id", secret, Tokens())
        client.base_url = httpx.URL(sandbox.url)
        await client.http_client.aclose()
        client.http_client = httpx.AsyncClient(transport=Below())
        async with client:
            yield client

    return connect


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(work())  # type: ignore[arg-type]  # every one of them is a coroutine


def test_aiosendpulse_renames_a_book_and_fills_it(sandbox: Sandbox, aio: Any) -> None:
    async def work() -> None:
        async with aio() as client:
            emails = [{"email": ANN, "variables": {"city": "Lviv"}}, {"email": BOB}]
            assert (await client.email.addressbook.edit(500001, "Clients")).result
            assert (await client.email.addressbook.add_emails(500001, emails)).result

    run(work)
    found = {row["email"]: row["variables"] for row in sandbox.rows("sendpulse", "contacts")}
    assert found == {ANN: {"city": "Lviv"}, BOB: {}}
    assert [row["name"] for row in sandbox.rows("sendpulse", "books")] == ["Clients"]


def test_aiosendpulse_sends_and_keeps_templates_and_a_blacklist(sandbox: Sandbox, aio: Any) -> None:
    async def work() -> None:
        async with aio() as client:
            made = await client.email.template.create("<p>Hello</p>", "en", "Mine")
            assert (await client.email.template.edit(made.real_id, "<p>Changed</p>")).result
            assert (await client.email.blacklist.add_emails_to_blacklist([BOB], "asked")).result
            sent = await client.smtp.send_email(
                subject="Hello",
                sender={"name": "Sandbox", "email": SENDER},
                to=[{"name": "Ann", "email": ANN}],
                html="<p>Привіт</p>",
            )
            assert sent.result
            assert (await client.email.blacklist.delete_emails_from_blacklist([BOB])).result

    run(work)
    assert [(one["to"], one["html"]) for one in sandbox.messages()] == [(ANN, "<p>Привіт</p>")]
    assert "Mine" in {row["name"] for row in sandbox.rows("sendpulse", "templates")}
    assert sandbox.rows("sendpulse", "blacklist") == []


def test_aiosendpulse_asks_with_a_wrong_secret_until_its_stack_is_full(sandbox: Sandbox, aio: Any) -> None:
    """A fault of its own: a refused token request asks for a token."""

    async def work() -> None:
        async with aio("wrong"):
            pass

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 200)
    try:
        with pytest.raises(RecursionError):
            run(work)
    finally:
        sys.setrecursionlimit(limit)
    assert {row["status"] for row in sandbox.requests("*/oauth/access_token")} == {401}


AIO_FAULTS: dict[str, tuple[Callable[[Any], Awaitable[Any]], type[Exception], str]] = {
    "a new book is asked for without its name (boolName)": (
        lambda client: client.email.addressbook.create("Customers"),
        httpx.HTTPStatusError,
        "422",
    ),
    "every list is refused once it has arrived": (
        lambda client: client.email.addressbook.get_list(),
        ValueError,
        "",
    ),
    "a total has no type to be read as": (
        lambda client: client.email.addressbook.get_total_emails(500001),
        AttributeError,
        "__returning__",
    ),
    "a search has a path that does not exist": (
        lambda client: client.email.addressbook.search_emails(500001, "city", "Lviv"),
        httpx.HTTPStatusError,
        "404",
    ),
    "a template must have is_structured, which is called is_structure": (
        lambda client: client.email.template.get(700001),
        ValueError,
        "is_structured",
    ),
}


@pytest.mark.parametrize("fault", AIO_FAULTS)
def test_faults_of_aiosendpulse_itself(aio: Any, fault: str) -> None:
    call, kind, text = AIO_FAULTS[fault]

    async def work() -> None:
        async with aio() as client:
            await call(client)

    with pytest.raises(kind, match=text):
        run(work)


# -- sendpulse-sdk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sdk(sandbox: Sandbox) -> Any:
    sandbox.limit("sendpulse.second", None)
    return sendpulse.SendPulseClient("sandbox-id", "sandbox-secret", api_url=sandbox.sendpulse_url)


def test_sendpulse_sdk_sends_one_and_many(sandbox: Sandbox, sdk: Any) -> None:
    assert sdk.health() == {"ok": True, "status": "authenticated", "client_id": "sandbox-id"}
    sent = sdk.send_email(ANN, "Hello", "<p>Привіт</p>", SENDER, from_name="Sandbox", to_name="Ann")
    assert sent["result"] is True
    rows = [
        {"to_email": ANN, "subject": "A", "body": "a", "type": "text"},
        {"to_email": "x", "subject": "B", "body": "b"},
    ]
    results = sdk.send_bulk_emails(rows, SENDER)
    assert [one["status"] for one in results] == ["success", "failed"]
    assert "Recipient email is invalid" in results[1]["error"]
    assert [one["to"] for one in sandbox.messages()] == [ANN, ANN]


def test_sendpulse_sdk_renews_its_token(sandbox: Sandbox, sdk: Any) -> None:
    sdk.health()
    sandbox.do("sendpulse", "revoke_tokens")
    assert sdk.send_email(ANN, "Hello", "Hello", SENDER, type="text")["result"] is True
    assert [row["status"] for row in sandbox.requests("*/smtp/emails")] == [401, 200]


def test_sendpulse_sdk_is_refused_with_a_wrong_secret(sandbox: Sandbox) -> None:
    client = sendpulse.SendPulseClient("sandbox-id", "wrong", api_url=sandbox.sendpulse_url)
    assert client.health()["ok"] is False
    with pytest.raises(Exception, match="Client authentication failed"):
        client.send_email(ANN, "Hello", "Hello", SENDER)


def test_fault_of_sendpulse_sdk_itself(sandbox: Sandbox, sdk: Any) -> None:
    """The address to reply to goes as a text, where the vendor has an object."""
    sdk.send_email(ANN, "Hello", "Hello", SENDER, type="text", reply_to=BOB)
    [request] = sandbox.requests("*/smtp/emails")
    assert json.loads(request["body"])["email"]["reply_to"] == BOB


# -- ok-esputnik -----------------------------------------------------------------------------------------------------


@pytest.fixture
def ok(sandbox: Sandbox) -> Any:
    return esputnik.ESputnikAPIAdaptor("any", "sandbox-key", host=f"{sandbox.esputnik_url}/")


def email(address: str) -> dict[str, Any]:
    return {"channels": [{"type": "email", "value": address}], "first_name": "Ann"}


def test_ok_esputnik_reads_the_account(ok: Any) -> None:
    for answer in (ok.version(), ok.account_info(), ok.addressbooks(), ok.balance(), ok.groups(), ok.get_contacts()):
        assert answer.status_code == 200, answer
    assert ok.account_info().data["organisationName"]


def test_ok_esputnik_adds_changes_finds_and_deletes_contacts(sandbox: Sandbox, ok: Any) -> None:
    number = ok.add_contact(email(ANN)).data["id"]
    assert b"has been updated" in ok.update_contact(str(number), {**email(ANN), "last_name": "Example"}).data
    assert ok.get_contact(str(number)).data["lastName"] == "Example"
    assert [one["id"] for one in ok.get_contacts({"email": ANN}).data] == [number]
    bulk = {"contacts": [email(BOB)], "contact_fields": ["firstName", "email"], "group_names": ["Readers"]}
    assert ok.add_contacts(bulk).data["asyncSessionId"]
    sandbox.advance(5)
    assert {row["email"] for row in sandbox.rows("esputnik", "contacts")} == {ANN, BOB}
    assert ok.contact_subscribe({"contact": email("cat@example.com"), "form_type": "web"}).data["new"] is True
    assert ok.emails_unsubscribed_add(BOB).status_code == 200
    assert ok.emails_unsubscribed_delete([BOB]).status_code == 200
    assert b"has been deleted" in ok.delete_contact(str(number)).data


def test_ok_esputnik_sends_messages_and_tells_events(sandbox: Sandbox, ok: Any) -> None:
    assert (
        ok.event({"event_type_key": "visit", "key_value": ANN, "params": [{"name": "a", "value": "b"}]}).status_code
        == 200
    )
    smart = ok.message_smartsend("1001", {"recipients": [{"locator": ANN, "json_param": "{}"}]})
    assert smart.data["results"]["status"] == "OK"
    old = ok.message_send("1001", {"recipients": [BOB], "params": [{"key": "name", "value": "Bob"}]})
    assert old.data["results"]["status"] == "OK"
    mail = {"from": '"Shop" <shop@sandbox.example>', "subject": "Hello", "html_text": "<p>x</p>", "plain_text": "x"}
    assert ok.message_email({**mail, "emails": [ANN]}).data["results"]["status"] == "OK"
    text = ok.message_sms({"from": "SHOP", "text": "Hello", "phone_numbers": [PHONE]})
    assert text.data["results"]["status"] == "OK"
    # An int of 0 is "no group": the client lets it through beside the numbers.
    assert ok.message_sms({"from": "SHOP", "text": "x", "phone_numbers": [PHONE], "group_id": 0}).status_code == 200
    ids = [smart.data["results"]["requestId"]]
    assert ok.message_status(ids).data["results"]["requestId"] == ids[0]
    assert {message["to"] for message in sandbox.messages()} == {ANN, BOB, PHONE}


ORDER = {
    "id": "o-1",
    "user_id": "7",
    "total_cost": 21.5,
    "status": "DELIVERED",
    "date": "2026-01-02T10:00:00",
    "email": ANN,
    "items": [
        {
            "id": "1",
            "name": "Cup",
            "quantity": 2,
            "cost": 10.5,
            "url": "https://x.example",
            "image_url": "x",
            "category": "c",
        }
    ],
}


def test_ok_esputnik_tells_orders(sandbox: Sandbox, ok: Any) -> None:
    assert ok.client.post("orders", json.dumps(esputnik.prepare_order({"orders": [ORDER]}))).status_code == 200
    assert [row["id"] for row in sandbox.rows("esputnik", "orders")] == ["o-1"]


def test_faults_of_ok_esputnik_itself(sandbox: Sandbox, ok: Any) -> None:
    # The values of additional fields are dropped: only their ids travel.
    ok.add_contact({**email(ANN), "fields": [{"id": 1, "value": "Lviv"}]})
    assert json.loads(sandbox.requests("*/v1/contact*")[0]["body"])["fields"] == [{"id": 1}]
    # A moment cannot be written as JSON, though the order takes any.
    with pytest.raises(TypeError, match="datetime"):
        json.dumps(esputnik.prepare_order({"orders": [{**ORDER, "date": datetime(2026, 1, 1, tzinfo=UTC)}]}))
    # A text message to a segment needs phone numbers as well, and then names two kinds of recipients.
    with pytest.raises(Exception, match="phone_numbers"):
        ok.message_sms({"from": "SHOP", "text": "Hello", "group_id": 3601001})
    both = ok.message_sms({"from": "SHOP", "text": "Hello", "phone_numbers": [PHONE], "group_id": 3601001})
    assert both.status_code == 400
