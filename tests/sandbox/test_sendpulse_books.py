"""Address books and their contacts: what an upload does, what is read back, and the vendor's own words of refusal."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

ANNA = {"email": "anna@example.com", "variables": {"first_name": "Anna", "age": 30, "born": "1996-01-31"}}


@pytest.fixture
def book(sandbox: Sandbox, sendpulse: httpx.Client) -> int:
    sandbox.set(import_seconds=60)
    return int(sendpulse.post("addressbooks", json={"bookName": "Customers"}).json()["id"])


def upload(sendpulse: httpx.Client, book: int, emails: Any, **options: Any) -> httpx.Response:
    return sendpulse.post(f"addressbooks/{book}/emails", json={"emails": emails, **options})


def refusal(answer: httpx.Response) -> tuple[int, str, int]:
    return answer.status_code, answer.json()["message"], answer.json()["error_code"]


def test_a_book_is_made_read_renamed_and_deleted(sendpulse: httpx.Client, book: int) -> None:
    (read,) = sendpulse.get(f"addressbooks/{book}").json()
    assert (read["id"], read["name"], read["all_email_qty"], read["status_explain"]) == (book, "Customers", 0, "Active")
    assert sendpulse.put(f"addressbooks/{book}", json={"name": "Clients"}).json() == {"result": True}
    assert [row["name"] for row in sendpulse.get("addressbooks").json()] == ["Clients"]
    assert sendpulse.delete(f"addressbooks/{book}").json() == {"result": True}
    assert sendpulse.get("addressbooks").json() == []
    assert refusal(sendpulse.get(f"addressbooks/{book}")) == (404, "Book not found", 213)


def test_a_book_keeps_its_own_name_and_takes_no_other_books(sendpulse: httpx.Client, book: int) -> None:
    other = sendpulse.post("addressbooks", json={"bookName": "Others"}).json()["id"]
    assert sendpulse.put(f"addressbooks/{other}", json={"name": "Others"}).status_code == 200
    assert refusal(sendpulse.put(f"addressbooks/{other}", json={"name": "Customers"})) == (
        422,
        "Name already in use",
        203,
    )


@pytest.mark.parametrize(
    ("body", "text", "code"),
    [
        ({}, "Argument bookName missing", 422),
        ({"bookName": 5}, "Argument bookName must be string", 422),
        ({"bookName": "Customers"}, "Name already in use", 203),
    ],
)
def test_a_wrong_name_is_refused(sendpulse: httpx.Client, book: int, body: Any, text: str, code: int) -> None:
    assert refusal(sendpulse.post("addressbooks", json=body)) == (422, text, code)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=x", "Argument limit must be integer"),
        ("limit=0", "Argument limit must be at least 1"),
        ("limit=101", "Argument limit may not be greater than 100"),
        ("offset=1.5", "Argument offset must be integer"),
        ("offset=-1", "Argument offset must be at least 0"),
    ],
)
@pytest.mark.parametrize("path", ["addressbooks", "addressbooks/500001/emails", "templates"])
def test_a_wrong_page_is_refused(sendpulse: httpx.Client, book: int, path: str, query: str, text: str) -> None:
    assert refusal(sendpulse.get(f"{path}?{query}")) == (422, text, 422)


def test_a_query_that_is_one_document_is_ignored_and_a_body_is_read(sendpulse: httpx.Client, book: int) -> None:
    sendpulse.post("addressbooks", json={"bookName": "Others"})
    assert len(sendpulse.get('addressbooks?{"limit": 0, "offset": 1}').json()) == 2
    assert len(sendpulse.request("GET", "addressbooks", json={"limit": 1}).json()) == 1


def test_pages_of_books_and_contacts_follow_each_other(sendpulse: httpx.Client, book: int) -> None:
    upload(sendpulse, book, [f"reader{number}@example.com" for number in range(250)])
    pages = [sendpulse.get(f"addressbooks/{book}/emails?limit=100&offset={at}").json() for at in (0, 100, 200, 300)]
    assert [len(page) for page in pages] == [100, 100, 50, 0]
    found = [row["email"] for page in pages for row in page]
    assert found == [f"reader{number}@example.com" for number in range(250)]
    newest = sendpulse.get(f"addressbooks/{book}/emails?limit=1&order=desc").json()
    assert newest[0]["email"] == "reader249@example.com"


def test_an_upload_says_nothing_about_its_rows_and_leaves_out_what_is_no_address(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    answer = upload(sendpulse, book, [ANNA, "boris@example.com", "nonsense", {"email": "a@b"}])
    assert answer.json() == {"result": True}
    assert [row["email"] for row in sandbox.rows("sendpulse", "contacts")] == ["boris@example.com", "anna@example.com"]


def test_an_upload_updates_what_is_there_unless_told_not_to(sendpulse: httpx.Client, book: int) -> None:
    upload(sendpulse, book, [ANNA])
    upload(sendpulse, book, [{"email": "ANNA@example.com", "variables": {"age": 31, "city": "Lviv"}}])
    upload(sendpulse, book, [{"email": "anna@example.com", "variables": {"age": 99}}], dont_update=True)
    (row,) = sendpulse.get(f"addressbooks/{book}/emails").json()
    assert row["email"] == "anna@example.com"
    assert row["variables"] == {"first_name": "Anna", "age": 31, "born": "1996-01-31", "city": "Lviv"}


def test_an_address_twice_in_one_upload_is_one_contact_with_both_variables(sendpulse: httpx.Client, book: int) -> None:
    both = [{"email": "anna@example.com", "variables": {"a": 1}}, {"email": "Anna@example.com", "variables": {"b": 2}}]
    upload(sendpulse, book, both)
    (row,) = sendpulse.get(f"addressbooks/{book}/emails").json()
    assert row["variables"] == {"a": 1, "b": 2}


def test_new_addresses_and_phones_become_active_after_the_import(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    upload(sendpulse, book, [{"email": "anna@example.com", "variables": {"Phone": "+380 (50) 111-22-33"}}])

    def state() -> tuple[int, int, int]:
        (read,) = sendpulse.get(f"addressbooks/{book}").json()
        return read["active_email_qty"], read["new_phones_quantity"], read["active_phones_quantity"]

    assert state() == (0, 1, 0)
    assert sendpulse.get(f"addressbooks/{book}/emails").json()[0]["status_explain"] == "New"
    sandbox.advance(60)
    assert state() == (1, 0, 1)
    (row,) = sendpulse.get(f"addressbooks/{book}/emails").json()
    assert (row["status"], row["phone"]) == (1, 380501112233)


def test_emails_as_a_string_of_json_are_taken_unless_the_switch_is_off(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    assert upload(sendpulse, book, json.dumps([ANNA])).json() == {"result": True}
    assert sendpulse.get(f"addressbooks/{book}/emails/total").json() == {"total": 1}
    sandbox.set(sendpulse__json_strings=False)
    assert refusal(upload(sendpulse, book, json.dumps([ANNA]))) == (422, "Argument emails must be array", 422)


@pytest.mark.parametrize("emails", [{"email": "anna@example.com"}, [[{"email": "anna@example.com"}]]])
def test_wrong_nesting_breaks_the_service(sandbox: Sandbox, sendpulse: httpx.Client, book: int, emails: Any) -> None:
    answer = upload(sendpulse, book, emails)
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert sandbox.counts()["sendpulse"]["contacts"] == 0
    sandbox.set(sendpulse__html_500=False)
    assert refusal(upload(sendpulse, book, emails)) == (422, "Badly formed data. Check API documentation", 21356)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("Argument emails missing", 422)),
        ({"emails": []}, ("Argument emails missing", 422)),
        ({"emails": "anna@example.com"}, ("Argument emails must be array", 422)),
        ({"emails": [5]}, ("Argument emails is invalid", 422)),
        ({"emails": [{"email": 5}]}, ("Argument email is invalid", 422)),
        ({"emails": [{"email": "a@b.example", "variables": "x"}]}, ("Argument emails.*.variables is invalid", 422)),
        ({"emails": ["a@b.example"], "confirmation": 1}, ("Argument confirmation must be string", 422)),
        ({"emails": ["a@b.example"], "confirmation": "x"}, ("Argument confirmation is invalid", 422)),
        ({"emails": ["a@b.example"], "confirmation": "force"}, ("Argument sender_email missing", 422)),
        (
            {"emails": ["a@b.example"], "confirmation": "force", "sender_email": "x"},
            ("Argument sender_email is invalid", 422),
        ),
        (
            {"emails": ["a@b.example"], "confirmation": "force", "sender_email": "a@b.example"},
            ("Sender not found", 1003),
        ),
        ({"emails": ["a@b.example"], "template_id": 5}, ("Argument template_id is invalid", 422)),
        ({"emails": ["a@b.example"], "message_lang": "xx"}, ("Argument message_lang is invalid", 422)),
        ({"emails": ["a@b.example"], "disable_webhook": "x"}, ("Argument disable_webhook must be boolean", 422)),
        ({"emails": ["a@b.example"], "dont_update": 2}, ("Argument dont_update must be boolean", 422)),
        ({"emails": ["a@b.example"], "check_emails": []}, ("Argument check_emails must be boolean", 422)),
        ({"emails": ["a@b.example"], "tags": 1}, ("Argument tags must be array", 422)),
        ({"emails": ["a@b.example"], "tags": [1]}, ("Argument tags is invalid", 422)),
    ],
)
def test_a_wrong_upload_is_refused_in_the_vendors_words(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int, body: Any, expected: tuple[str, int]
) -> None:
    assert refusal(sendpulse.post(f"addressbooks/{book}/emails", json=body)) == (422, *expected)
    assert sandbox.counts()["sendpulse"]["contacts"] == 0


def test_a_confirmation_is_mailed_and_who_reads_it_becomes_active(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    sandbox.set(delivery_seconds=60)
    people = ["anna@example.com", "boris+unread@example.com"]
    upload(sendpulse, book, people, confirmation="force", sender_email="sender@sandbox.example", template_id="700001")
    assert {row["to"] for row in sandbox.messages()} == set(people)
    sandbox.advance(120)
    rows = sendpulse.get(f"addressbooks/{book}/emails").json()
    assert [row["status_explain"] for row in rows] == ["Confirmation requested"] * 2
    sandbox.advance(60)
    rows = sendpulse.get(f"addressbooks/{book}/emails").json()
    assert [row["status_explain"] for row in rows] == ["Active", "Confirmation requested"]


def test_variables_are_declared_by_their_first_value_and_can_be_searched(sendpulse: httpx.Client, book: int) -> None:
    upload(sendpulse, book, [ANNA])
    assert sendpulse.get(f"addressbooks/{book}/variables").json() == [
        {"name": "age", "type": "number"},
        {"name": "born", "type": "date"},
        {"name": "first_name", "type": "string"},
    ]
    found = sendpulse.get(f"addressbooks/{book}/variables/age/30").json()
    assert found == [{"email": "anna@example.com", "status": 0, "status_explain": "New"}]
    assert refusal(sendpulse.get(f"addressbooks/{book}/variables/city/Lviv")) == (404, "Variable not found", 299)
    assert refusal(sendpulse.get(f"addressbooks/{book}/variables/born/yesterday")) == (
        422,
        "Variable value wrong format",
        422,
    )
    assert refusal(sendpulse.get(f"addressbooks/{book}/variables/a*/1")) == (422, "Variable name is invalid", 422)


def test_one_contact_is_read_with_its_odd_shapes(sendpulse: httpx.Client, book: int) -> None:
    upload(sendpulse, book, [{"email": "anna@example.com", "variables": {"age": 30}}, "boris@example.com"])
    assert sendpulse.get(f"addressbooks/{book}/emails/anna@example.com").json() == {
        "email": "anna@example.com",
        "abook_id": str(book),
        "phone": "",
        "status": 0,
        "status_explain": "New",
        "variables": [{"name": "age", "type": "number", "value": "30"}],
    }
    assert sendpulse.get(f"addressbooks/{book}/emails").json()[1]["variables"] == []
    assert refusal(sendpulse.get(f"addressbooks/{book}/emails/nobody@example.com"))[0] == 404


def test_variables_and_phone_of_one_contact_are_changed(sendpulse: httpx.Client, book: int) -> None:
    upload(sendpulse, book, [ANNA])
    at = f"addressbooks/{book}"
    body = {"email": "anna@example.com", "variables": [{"name": "city", "value": "Lviv"}]}
    assert sendpulse.post(f"{at}/emails/variable", json=body).json() == {"result": True}
    body = {"email": "anna@example.com", "phone": "380501112233"}
    assert sendpulse.put(f"{at}/phone", json=body).json() == {"result": True}
    (row,) = sendpulse.get(f"{at}/emails").json()
    assert (row["variables"]["city"], row["phone"]) == ("Lviv", 380501112233)
    unknown = {"email": "nobody@example.com", "variables": [{"name": "city", "value": "Lviv"}], "phone": "380501112233"}
    assert refusal(sendpulse.post(f"{at}/emails/variable", json=unknown)) == (422, "Email address not found", 502)
    assert refusal(sendpulse.put(f"{at}/phone", json=unknown)) == (422, "Email is not valid", 17)
    assert refusal(sendpulse.put(f"{at}/phone", json={**unknown, "phone": "x"})) == (422, "Phone is not valid", 422)


def test_unsubscribing_is_for_active_contacts_and_survives_an_upload(sendpulse: httpx.Client, book: int) -> None:
    upload(sendpulse, book, ["anna@example.com", "boris@example.com"])
    at = f"addressbooks/{book}/emails"
    assert sendpulse.post(f"{at}/unsubscribe", json={"emails": ["anna@example.com"]}).json() == {"result": True}
    assert refusal(sendpulse.post(f"{at}/unsubscribe", json={"emails": ["anna@example.com"]})) == (
        422,
        "Active emails not found",
        422,
    )
    assert refusal(sendpulse.post(f"{at}/unsubscribe", json={"emails": ["a@b.example"] * 101})) == (
        422,
        "Argument emails may not have more than 100 items",
        422,
    )
    upload(sendpulse, book, ["anna@example.com"])
    assert sendpulse.get(f"{at}/anna@example.com").json()["status_explain"] == "Unsubscribed"


def test_contacts_are_deleted_by_a_body_of_at_most_a_hundred(sendpulse: httpx.Client, book: int) -> None:
    upload(sendpulse, book, ["anna@example.com", "boris@example.com"])
    at = f"addressbooks/{book}/emails"
    assert sendpulse.request("DELETE", at, json={"emails": ["anna@example.com"]}).json() == {"result": True}
    assert [row["email"] for row in sendpulse.get(at).json()] == ["boris@example.com"]
    assert refusal(sendpulse.request("DELETE", at, json={"emails": ["anna@example.com"]})) == (422, "No emails", 303)
    assert refusal(sendpulse.request("DELETE", at, json={"emails": ["a@b.example"] * 101})) == (
        422,
        "Limit is exceeded. Max count: 100",
        422,
    )


def test_lists_and_totals_are_filtered_by_activity(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    upload(sendpulse, book, ["anna@example.com"])
    sandbox.advance(60)
    upload(sendpulse, book, ["boris@example.com"])
    at = f"addressbooks/{book}/emails"
    assert [row["email"] for row in sendpulse.get(f"{at}?active=1").json()] == ["anna@example.com"]
    assert [row["email"] for row in sendpulse.get(f"{at}?not_active=true").json()] == ["boris@example.com"]
    assert sendpulse.get(f"{at}/total?active=1").json() == {"total": 1}
    assert refusal(sendpulse.get(f"{at}?active=perhaps")) == (422, "Argument active is invalid", 422)
    assert refusal(sendpulse.get(f"{at}?order=up")) == (422, "Argument order is invalid", 422)


def test_cost_is_for_books_with_contacts(sendpulse: httpx.Client, book: int) -> None:
    assert refusal(sendpulse.get(f"addressbooks/{book}/cost")) == (422, "Addressbook is empty", 211)
    upload(sendpulse, book, [ANNA])
    assert sendpulse.get(f"addressbooks/{book}/cost").json()["sent_emails_qty"] == 1


def test_an_address_is_found_in_all_books_and_deleted_from_all(sendpulse: httpx.Client, book: int) -> None:
    other = sendpulse.post("addressbooks", json={"bookName": "Others"}).json()["id"]
    for number in (book, other):
        upload(sendpulse, number, [ANNA])
    assert [row["book_id"] for row in sendpulse.get("emails/anna@example.com").json()] == [book, other]
    assert [row["list_name"] for row in sendpulse.get("emails/anna@example.com/details").json()] == [
        "Customers",
        "Others",
    ]
    asked = {"emails": ["anna@example.com", "nobody@example.com"]}
    found = sendpulse.post("emails", json=asked).json()
    assert [row["book_id"] for row in found.pop("anna@example.com")] == [book, other]
    assert found == {}
    statistics = sendpulse.post("emails/campaigns", json=asked).json()["anna@example.com"]
    assert [row["name"] for row in statistics["adressbooks"]] == ["Customers", "Others"]
    assert sendpulse.delete("emails/anna@example.com").json() == {"result": True}
    assert refusal(sendpulse.get("emails/anna@example.com")) == (404, "Can't find the email address", 17)
    assert sendpulse.post("emails", json=asked).json() == []


def test_many_contacts_can_be_made_for_a_test(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    made = sandbox.do("sendpulse", "make_contacts", count=150)
    (read,) = sendpulse.get(f"addressbooks/{made['book']}").json()
    assert (read["all_email_qty"], read["active_email_qty"]) == (150, 150)
    answer = httpx.post(f"{sandbox.url}/_sandbox/sendpulse/make_contacts", json={"book": 1})
    assert (answer.status_code, answer.json()) == (400, {"error": "there is no book 1"})


def test_a_book_with_a_campaign_on_its_way_cannot_be_deleted(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    upload(sendpulse, book, [ANNA])
    campaign = {
        "sender_name": "Sandbox",
        "sender_email": "sender@sandbox.example",
        "subject": "News",
        "template_id": 700001,
        "list_id": book,
    }
    sandbox.set(delivery_seconds=60)
    number = sendpulse.post("campaigns", json=campaign).json()["id"]
    refused = (422, "The address book has active campaign", 422)
    assert refusal(sendpulse.delete(f"addressbooks/{book}")) == refused
    (row,) = sendpulse.get(f"addressbooks/{book}/campaigns").json()
    assert (row["task_id"], row["task_name"], row["task_status"]) == (number, "News", 13)
    sandbox.advance(600)
    assert sendpulse.delete(f"addressbooks/{book}").json() == {"result": True}
