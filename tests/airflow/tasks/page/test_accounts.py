"""Accounts on the page: what is told of connections, to whom, and how one is checked and connected."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from airflow_provider_esp.plugins.page import account_routes
from airflow_provider_esp.plugins.page.accounts import Checks
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth import registry
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer
from tests.airflow.tasks.page.conftest import BASE_URL, PEOPLE

AsPerson = Callable[..., Any]
CALLBACK = f"{BASE_URL}/esp/oauth/callback"
CONN_ID = "shop"


@pytest.fixture
def uaa(sandbox: Sandbox) -> Iterator[AuthorisationServer]:
    """The sandbox's authorisation server, which knows the page's callback."""
    with AuthorisationServer(sandbox) as server:
        sandbox.state.store.run("UPDATE uaa_applications SET callback = ?", CALLBACK)
        yield server


@pytest.fixture
def shop(airflow_db: Any, sandbox: Sandbox, uaa: AuthorisationServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A connection with an application, in Airflow's database; gone afterwards, with its tokens."""
    from airflow.models.connection import Connection
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE_URL)
    extra = {
        "client_id": registry.CLIENT_ID,
        "client_secret": registry.CLIENT_SECRET,
        "auth_server": uaa.url,
        "ca_bundle": str(uaa.ca_file),
    }
    made = Connection(conn_id=CONN_ID, conn_type="esputnik", host=sandbox.esputnik_url, extra=json.dumps(extra))
    with create_session(scoped=False) as session:
        session.add(made)
    yield CONN_ID
    with create_session(scoped=False) as session:
        session.query(Connection).filter(Connection.conn_id == CONN_ID).delete()
        session.query(Variable).delete()


def consent(url: str, uaa: AuthorisationServer) -> str:
    """Do what a person does at the service; gives the address that the browser is led back to."""
    with httpx.Client(verify=str(uaa.ca_file), follow_redirects=False, trust_env=False, timeout=60) as browser:
        answer = browser.get(url)
        while not (address := answer.headers.get("location", "")).startswith(CALLBACK):
            answer = browser.get(str(answer.url.join(address))) if address else submit(browser, answer)
        return str(address)


def submit(browser: httpx.Client, page: httpx.Response) -> httpx.Response:
    """Fill in the form of a page, and send it with its first button."""
    assert page.status_code == 200, page.text
    fields = {
        name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    }
    if "login" in page.text:
        fields |= {"login": registry.USER, "password": registry.PASSWORD}
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)
    button = re.search(r'<button name="([^"]+)" value="([^"]+)"', page.text)
    assert action, page.text
    return browser.post(str(page.url.join(action[1])), data=fields | ({button[1]: button[2]} if button else {}))


def begin(client: Any) -> str:
    answer = client.post("/esp/oauth/start", json={"conn_id": CONN_ID})
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["url"]
    return url


def back(client: Any, address: str) -> str:
    """Follow the service back; gives the word that the page is told."""
    answer = client.get(address.removeprefix(BASE_URL))
    assert answer.status_code == 303, answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert urlsplit(answer.headers["location"]).path == "/plugin/esp"
    return str(parse_qs(urlsplit(answer.headers["location"]).query)["oauth"][0])


def kept() -> list[str]:
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        return [variable.key for variable in session.query(Variable) if variable.key.startswith("esp_oauth_token_")]


def test_an_account_is_connected_used_and_forgotten(
    shop: str, uaa: AuthorisationServer, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_routes, "_checks", Checks())
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    client = as_person("operator")
    (before,) = [one for one in client.get("/esp/api/accounts").json()["accounts"] if one["conn_id"] == shop]
    assert (before["oauth"], before["credential"]) == ("not connected", "OAuth")
    assert back(client, consent(begin(client), uaa)) == "confirm"
    assert kept() == []
    waiting = client.get("/esp/oauth/pending").json()
    assert waiting["conn_id"] == shop
    assert waiting["owner"]
    assert client.post("/esp/oauth/keep", json={"wanted": True}).json() == {"conn_id": shop, "kept": True}
    assert len(kept()) == 1
    assert client.get("/esp/oauth/pending").json() == {}
    (after,) = [one for one in client.get("/esp/api/accounts").json()["accounts"] if one["conn_id"] == shop]
    assert after["oauth"] == "connected"
    assert after["refresh_ends"] > time.time() + 20 * 86_400
    checked = client.post("/esp/api/check", json={"conn_id": shop}).json()
    assert checked["works"], checked
    assert waiting["owner"] in checked["said"]
    assert client.post("/esp/oauth/forget", json={"conn_id": shop}).status_code == 200
    assert kept() == []
    assert audited() >= {"esp_oauth_start", "esp_oauth_connect", "esp_oauth_forget"}


def audited() -> set[str]:
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        return {row.event for row in session.query(Log).filter(Log.owner == "operator", Log.extra == CONN_ID)}


def test_an_account_that_is_not_the_one_is_thrown_away(
    shop: str, uaa: AuthorisationServer, as_person: AsPerson
) -> None:
    client = as_person("operator")
    back(client, consent(begin(client), uaa))
    assert client.post("/esp/oauth/keep", json={"wanted": False}).json()["kept"] is False
    assert kept() == []
    assert client.post("/esp/oauth/keep", json={"wanted": True}).status_code == 409


def test_a_foreign_state_is_refused(shop: str, uaa: AuthorisationServer, as_person: AsPerson) -> None:
    client = as_person("operator")
    address = consent(begin(client), uaa)
    foreign = re.sub(r"state=[^&]+", "state=somebody-elses", address)
    assert back(client, foreign) == "state"
    assert back(client, address) == "nothing"  # the question is used up by then
    assert client.get("/esp/oauth/pending").json() == {}


def test_an_answer_counts_once(shop: str, uaa: AuthorisationServer, as_person: AsPerson) -> None:
    client = as_person("operator")
    address = consent(begin(client), uaa)
    assert back(client, address) == "confirm"
    assert back(client, address) == "nothing"


def test_another_person_cannot_answer(shop: str, uaa: AuthorisationServer, as_person: AsPerson) -> None:
    client, other = as_person("operator"), as_person("operator", "mallory")
    address = consent(begin(client), uaa)
    for name, value in client.cookies.items():
        if name.startswith("esp_oauth"):
            other.cookies.set(name, value)
    assert back(other, address) == "person"
    assert back(as_person("operator", "mallory"), address) == "nothing"


def test_without_a_session_the_answer_is_refused(shop: str, uaa: AuthorisationServer, as_person: AsPerson) -> None:
    address = consent(begin(as_person("operator")), uaa)
    assert as_person("anonymous").get(address.removeprefix(BASE_URL)).status_code == 401


def test_an_answer_that_comes_too_late_is_refused(
    shop: str, uaa: AuthorisationServer, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_esp.plugins.page import consent as page_consent

    client = as_person("operator")
    monkeypatch.setattr(page_consent, "GOOD_FOR", -1)
    url = begin(client)
    # A browser drops such a cookie by itself; somebody may have copied it before.
    question = page_consent.sealed({**page_consent.new_question(CONN_ID, "operator"), "state": "s"})
    client.cookies.set("esp_oauth_asked_0", question[0])
    assert url
    assert back(client, f"{CALLBACK}?code=c&state=s") == "expired"


def test_two_api_servers_share_the_way(shop: str, uaa: AuthorisationServer, as_person: AsPerson) -> None:
    from starlette.testclient import TestClient

    from airflow_provider_esp.plugins.page.app import make_app

    client = as_person("operator")
    address = consent(begin(client), uaa)
    second = TestClient(make_app("/esp"), base_url=BASE_URL, follow_redirects=False)
    for name, value in client.cookies.items():
        second.cookies.set(name, value)
    told = second.get(address.removeprefix(f"{BASE_URL}/esp"))
    assert told.headers["location"].endswith("oauth=confirm")


def test_a_refusal_of_the_service_is_never_quoted(shop: str, as_person: AsPerson) -> None:
    client = as_person("operator")
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    markup = "<script>alert(1)</script>"
    answer = client.get("/esp/oauth/callback", params={"state": state, "error": markup, "error_description": markup})
    assert answer.headers["location"].endswith("oauth=failed")
    assert "script" not in answer.text + str(answer.headers)
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    assert back(client, f"{CALLBACK}?state={state}&error=access_denied") == "denied"


def test_without_a_fernet_key_nothing_begins(shop: str, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models import crypto

    monkeypatch.setattr(crypto, "get_fernet", crypto._NullFernet)
    client = as_person("operator")
    answer = client.post("/esp/oauth/start", json={"conn_id": CONN_ID})
    assert answer.status_code == 409
    assert "fernet_key" in answer.json()["detail"]
    forged = json.dumps(
        {"what": "esp_oauth_asked", "state": "s", "conn_id": CONN_ID, "person": "operator", "until": 9e9}
    )
    client.cookies.set("esp_oauth_asked_0", forged)
    assert back(client, f"{CALLBACK}?code=c&state=s") == "nothing"


def test_over_plain_http_nothing_begins(shop: str, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example")
    answer = as_person("operator").post("/esp/oauth/start", json={"conn_id": CONN_ID})
    assert answer.status_code == 409
    assert "https" in answer.json()["detail"]


def test_cookies_are_the_browsers_alone(shop: str, as_person: AsPerson) -> None:
    answer = as_person("operator").post("/esp/oauth/start", json={"conn_id": CONN_ID})
    (cookie,) = [told for told in answer.headers.get_list("set-cookie") if told.startswith("esp_oauth_asked_0=")]
    for wanted in ("HttpOnly", "Secure", "SameSite=lax", "Path=/esp/oauth", "Max-Age=600"):
        assert wanted in cookie
    assert registry.CLIENT_SECRET not in cookie


@pytest.mark.parametrize("who", ["anonymous", *PEOPLE])
def test_who_may_what_with_accounts(shop: str, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    monkeypatch.setattr(account_routes, "_checks", Checks())
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    client = as_person(who)
    answers = {
        "accounts": client.get("/esp/api/accounts"),
        "pending": client.get("/esp/oauth/pending"),
        "check": client.post("/esp/api/check", json={"conn_id": shop}),
        "start": client.post("/esp/oauth/start", json={"conn_id": shop}),
        "forget": client.post("/esp/oauth/forget", json={"conn_id": shop}),
        "keep": client.post("/esp/oauth/keep", json={"wanted": True}),
    }
    told = {name: answer.status_code for name, answer in answers.items()}
    if who == "anonymous":
        assert set(told.values()) == {401}
    elif who in ("viewer", "editor"):
        assert told == dict.fromkeys(("accounts", "check", "start", "forget"), 403) | {"pending": 200, "keep": 409}
    else:
        assert told == dict.fromkeys(("accounts", "pending", "check", "start", "forget"), 200) | {"keep": 409}
    for answer in answers.values():
        assert registry.CLIENT_SECRET not in answer.text


@pytest.mark.parametrize("path", ["start", "forget", "keep"])
def test_a_form_of_another_site_changes_nothing(shop: str, as_person: AsPerson, path: str) -> None:
    answer = as_person("admin").post(f"/esp/oauth/{path}", data={"conn_id": shop, "wanted": "true"})
    assert answer.status_code == 415


def test_a_check_needs_the_administrators_leave_and_comes_once_in_half_a_minute(
    shop: str, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(account_routes, "_checks", Checks(lambda: now))
    client = as_person("admin")
    asked = {"json": {"conn_id": shop}}
    assert client.post("/esp/api/check", **asked).status_code == 403
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    first = client.post("/esp/api/check", **asked)
    assert first.json()["works"] is False  # it is not connected yet
    assert "authorize" in first.json()["said"]
    assert client.post("/esp/api/check", **asked).status_code == 429
    now = 131.0
    assert client.post("/esp/api/check", **asked).status_code == 200


def test_where_airflow_cannot_list_a_persons_connections_each_is_asked_about(
    shop: str, as_person: AsPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.delattr(BaseAuthManager, "get_authorized_connections", raising=False)  # as before Airflow 3.2
    listed = as_person("operator").get("/esp/api/accounts").json()["accounts"]
    assert [one["conn_id"] for one in listed if one["where"] == "database"] == [shop]
    allowed = SimpleAuthManager.is_authorized_connection

    def others_only(self: Any, *, details: Any = None, **asked: Any) -> bool:
        return allowed(self, details=details, **asked) and (details is None or details.conn_id != shop)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_connection", others_only)
    assert shop not in as_person("operator").get("/esp/api/accounts").text
