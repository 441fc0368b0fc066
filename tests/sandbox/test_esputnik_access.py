"""Credentials, rights, refusals, and the serializer's habits."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox


def test_any_user_name_will_do_even_none(sandbox: Sandbox) -> None:
    for user in ("", "any", "api-user"):
        assert httpx.get(f"{sandbox.esputnik_url}/v1/account/info", auth=(user, "sandbox-key")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic !!"},
        {"Authorization": "Basic"},
        {"Authorization": "Bearer nobody"},
        {"Authorization": "Basic c2FuZGJveC1rZXk="},
    ],
)
def test_a_wrong_credential_is_401_with_a_json_body(sandbox: Sandbox, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{sandbox.esputnik_url}/v1/account/info", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["status"] == 401


@pytest.mark.parametrize(
    ("key", "allowed", "refused"),
    [
        ("sandbox-key-events", "/v1/account/info", "/v1/groups"),
        ("sandbox-key-update", "/v1/importstatus/x", "/v1/contacts"),
        ("sandbox-key-messages", "/v1/broadcasts", "/v1/contacts"),
        ("sandbox-key-contacts", "/v1/contacts", "/v1/broadcasts"),
    ],
)
def test_a_key_opens_only_what_its_scope_holds(sandbox: Sandbox, key: str, allowed: str, refused: str) -> None:
    with httpx.Client(base_url=sandbox.esputnik_url, auth=("", key)) as client:
        assert client.get(allowed).status_code in (200, 404)
        assert client.get(refused).status_code == 403


def test_keys_can_be_switched(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.set(esputnik__keys={"another": "full"})
    assert esputnik.get("/v1/account/info").status_code == 401
    assert httpx.get(f"{sandbox.esputnik_url}/v1/account/info", auth=("", "another")).status_code == 200


def test_a_bearer_token_opens_first_generation_events_only_and_expires(
    sandbox: Sandbox, esputnik: httpx.Client
) -> None:
    token = esputnik.post("/v1/auth/token").text
    with httpx.Client(base_url=sandbox.esputnik_url, headers={"Authorization": f"Bearer {token}"}) as client:
        event = {"eventTypeKey": "seen", "keyValue": "a@example.com"}
        assert client.post("/v1/event", json=event).status_code == 200
        assert client.post("/v2/event", json=event).status_code == 403
        assert client.get("/v1/account/info").status_code == 200
        assert client.get("/v1/contacts").status_code == 403
        sandbox.advance(86401)
        assert client.post("/v1/event", json=event).status_code == 401


def test_a_trailing_slash_and_double_slashes_do_not_matter(esputnik: httpx.Client) -> None:
    assert esputnik.get("/v1/balance/").status_code == 200
    assert esputnik.get("/v1//balance").status_code == 200


def test_unknown_paths_wrong_verbs_and_wrong_content_types_are_told_apart(esputnik: httpx.Client) -> None:
    assert esputnik.get("/v1/nothing").status_code == 404
    answer = esputnik.delete("/v1/contacts")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert esputnik.post("/v1/contact", content=b"a=1").status_code == 415


def test_both_versions_are_told_as_strings(esputnik: httpx.Client) -> None:
    for path in ("/v1/version", "/v2/version"):
        assert esputnik.get(path).json() == {"version": "20417", "protocolVersion": "1.0"}


def test_one_address_book_is_an_object_and_its_numbers_are_in_quotes(esputnik: httpx.Client) -> None:
    book = esputnik.get("/v1/addressbooks").json()["addressBook"]
    assert book["addressBookId"] == "7200"
    groups = {group["profileKey"]: group["fields"] for group in book["fieldGroups"]}
    assert isinstance(groups["SHOP"], dict)  # a group of one field
    assert isinstance(groups["LOYALTY"], list)
    assert groups["SHOP"]["description"]["required"] == "false"


def test_the_habits_can_be_switched_off(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.set(esputnik__collapse=False, esputnik__quote=False)
    (book,) = esputnik.get("/v1/addressbooks").json()["addressBook"]
    assert book["addressBookId"] == 7200
    assert esputnik.get("/v1/balance").json()["currentBalance"] == 1500.5


def test_the_balance_is_printed_as_strings(esputnik: httpx.Client) -> None:
    balance = esputnik.get("/v1/balance").json()
    assert (balance["currentBalance"], balance["bonusEmails"], balance["currency"]) == ("1500.5", "2500", "UAH")


def test_additional_fields_can_be_those_of_the_real_account(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.set(esputnik__fields=[{"id": 5, "key": "CRM.LTV", "name": "LTV", "type": "DECIMAL"}])
    group = esputnik.get("/v1/addressbooks").json()["addressBook"]["fieldGroups"]
    assert (group["profileKey"], group["fields"]["fieldKey"], group["fields"]["id"]) == ("CRM", "LTV", "5")


def test_senders_and_workflows_are_listed(esputnik: httpx.Client) -> None:
    assert esputnik.get("/v1/interfaces/email").json()[0]["type"] == "email"
    assert [item["value"] for item in esputnik.get("/v1/interfaces/sms").json()] == ["SHOP", "SANDBOX"]
    flows = esputnik.get("/v1/workflows").json()
    assert [flow["tags"] for flow in flows] == ["promo", ["cart", "sales"], []]
    assert [flow["name"] for flow in esputnik.get("/v1/workflows?name=cart").json()] == ["Abandoned cart"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("dateFrom=2020-01-01", 419),
        ("dateFrom=2026-01-02&dateTo=2026-01-01", 400),
        ("dateFrom=soon", 400),
    ],
)
def test_the_costs_of_at_most_ninety_days_are_told(esputnik: httpx.Client, query: str, status: int) -> None:
    assert esputnik.get(f"/v1/balance/history?{query}").status_code == status
