"""The vendor's own Python client works against the sandbox with nothing changed but the address it asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pysendpulse import pysendpulse as client_module

from airflow_provider_esp.sandbox import Sandbox


def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, path: str = "") -> Any:
    """A client of its own kind; `path` is where it keeps its token, nowhere unless told."""
    monkeypatch.setattr(client_module.PySendPulse, "_PySendPulse__api_url", sandbox.sendpulse_url)
    return client_module.PySendPulse("sandbox-id", "sandbox-secret", "FILE", token_file_path=path)


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    sandbox.limit("sendpulse.second", None)  # it knows nothing of the limit
    return connect(sandbox, monkeypatch)


def test_it_gets_a_token(sandbox: Sandbox, client: Any) -> None:
    assert client.get_balance() == {"currency": "USD", "balance_currency": 100.0}
    assert client.get_balance("uah")["currency"] == "UAH"
    assert len(sandbox.requests("*/oauth/access_token")) == 1


def test_wrong_credentials_are_refused(sandbox: Sandbox, client: Any) -> None:
    with pytest.raises(Exception, match="check your ID and SECRET"):
        client_module.PySendPulse("sandbox-id", "wrong")


def test_it_renews_a_token_that_has_expired(sandbox: Sandbox, client: Any) -> None:
    sandbox.advance(3601)
    assert client.get_balance()["currency"] == "USD"
    assert [row["status"] for row in sandbox.requests()] == [200, 401, 200, 200]


def test_a_token_it_has_read_from_a_file_as_bytes_is_refused_once(
    sandbox: Sandbox, client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connect(sandbox, monkeypatch, f"{tmp_path}/tokens/")
    since = sandbox.requests()[-1]["number"]
    assert connect(sandbox, monkeypatch, f"{tmp_path}/tokens/").get_balance()["currency"] == "USD"
    assert [row["status"] for row in sandbox.requests(since=since)] == [401, 200, 200]


def test_books_and_contacts(sandbox: Sandbox, client: Any) -> None:
    book = client.add_addressbook("Customers")["id"]
    assert client.edit_addressbook(book, "Clients") == {"result": True}
    emails = [{"email": "anna@example.com", "variables": {"first_name": "Anna"}}, {"email": "boris@example.com"}]
    assert client.add_emails_to_addressbook(book, emails) == {"result": True}
    assert [row["name"] for row in client.get_list_of_addressbooks(limit=1)] == ["Clients"]
    assert client.get_addressbook_info(book)[0]["all_email_qty"] == 2
    variables = [{"name": "city", "value": "Lviv"}]
    assert client.set_variables_for_email(book, "anna@example.com", variables) == {"result": True}
    assert {"name": "city", "type": "string"} in client.get_addressbook_variables(book)
    found = client.get_email_info_from_one_addressbooks(book, "anna@example.com")
    assert {one["name"]: one["value"] for one in found["variables"]} == {"first_name": "Anna", "city": "Lviv"}
    assert client.get_emails_stat_by_campaigns(["anna@example.com"])["anna@example.com"]["sent"] == 0
    assert client.delete_emails_from_addressbook(book, ["boris@example.com"]) == {"result": True}
    assert [row["email"] for row in client.get_emails_from_addressbook(book)] == ["anna@example.com"]
    assert client.delete_addressbook(book) == {"result": True}
    assert client.get_addressbook_info(book)["data"] == {
        "is_error": True,
        "http_code": 404,
        "message": f"Sorry, the page you are looking for {sandbox.sendpulse_url}/addressbooks/{book}?%7B%7D could not "
        "be found.",
    }


def test_events(sandbox: Sandbox, client: Any) -> None:
    answer = client.send_event("purchase", {"email": "anna@example.com", "phone": "+123456789", "order_id": 7})
    assert answer == {"result": True}
    (event,) = sandbox.rows("sendpulse", "events")
    assert (event["event"], event["params"]["order_id"]) == ("purchase", 7)


def test_transactional_mail_as_a_string_of_json(sandbox: Sandbox, client: Any) -> None:
    email = {
        "subject": "Hello",
        "from": {"name": "Sandbox", "email": "sender@sandbox.example"},
        "to": [{"name": "Anna", "email": "anna@example.com"}],
        "html": "<p>Привіт, Anna</p>",
        "text": "Hello",
    }
    number = client.smtp_send_mail(dict(email))["id"]
    sent = json.loads(sandbox.requests("*/smtp/emails", "POST")[0]["body"])
    assert isinstance(sent["email"], str)
    assert sandbox.messages()[0]["html"] == "<p>Привіт, Anna</p>"
    sandbox.advance(1)
    assert client.smtp_get_email_info_by_id(number)["smtp_answer_code"] == 250
    assert [row["id"] for row in client.smtp_get_list_of_emails(limit=10)] == [number]


def test_transactional_mail_from_a_template(sandbox: Sandbox, client: Any) -> None:
    email = {
        "subject": "Hello",
        "from": {"name": "Sandbox", "email": "sender@sandbox.example"},
        "to": [{"email": "anna@example.com"}],
        "template": {"id": 700001, "variables": {"first_name": "Anna"}},
    }
    assert client.smtp_send_mail_with_template(email)["result"] is True
    assert "Welcome, Anna!" in sandbox.messages()[0]["html"]


def test_unsubscribing_sms_and_push(sandbox: Sandbox, client: Any) -> None:
    assert client.smtp_add_emails_to_unsubscribe([{"email": "anna@example.com", "comment": "asked"}])["result"]
    assert client.smtp_delete_emails_from_unsubscribe(["anna@example.com"])["result"]
    book = client.add_addressbook("Phones")["id"]
    assert client.sms_add_phones(book, ["380501112233"])["counters"] == {"added": 1, "exceptions": 0, "exists": 0}
    assert client.sms_add_campaign_by_phones("Sandbox", ["380501112233"], "Hello")["campaign_id"]
    assert client.push_create("Hello", 53, "News", 3600)["result"] is True
    assert {row["channel"] for row in sandbox.messages()} == {"sms", "push"}
