"""The sandbox's authorisation server: applications, login and consent, codes, tokens, its switches, its rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth import registry
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer

QUESTION = {
    "response_type": "code",
    "client_id": registry.CLIENT_ID,
    "redirect_uri": registry.CALLBACK,
    "state": "the-state",
}
CLIENT = (registry.CLIENT_ID, registry.CLIENT_SECRET)


@pytest.fixture
def browser(sandbox: Sandbox, uaa: AuthorisationServer) -> Iterator[httpx.Client]:
    import ssl

    trusted = ssl.create_default_context(cafile=str(uaa.ca_file))
    with httpx.Client(base_url=uaa.url, verify=trusted, trust_env=False) as client:
        yield client


def fields(page: httpx.Response) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text.replace("&amp;", "&")))


def log_in(browser: httpx.Client, **changed: str) -> httpx.Response:
    page = browser.get("/oauth/authorize", params=QUESTION | changed)
    form = fields(page) | {"login": registry.USER, "password": registry.PASSWORD}
    return browser.post("/login", data=form, follow_redirects=True)


def answer(browser: httpx.Client, decision: str) -> dict[str, str]:
    page = log_in(browser)
    sent = browser.post("/oauth/authorize", data=fields(page) | {"decision": decision})
    assert sent.status_code == 302
    assert sent.headers["location"].startswith(registry.CALLBACK + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}


def exchange(browser: httpx.Client, code: str, **changed: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": registry.CALLBACK, **changed}
    return browser.post("/oauth/token", data=form, auth=CLIENT)


def refresh(browser: httpx.Client, token: str) -> httpx.Response:
    return browser.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": token}, auth=CLIENT)


def tokens(browser: httpx.Client, uaa: AuthorisationServer) -> dict[str, Any]:
    made: dict[str, Any] = exchange(browser, uaa.consent(registry.CLIENT_ID, registry.CALLBACK)).json()
    return made


def api(sandbox: Sandbox, token: str, method: str = "GET", path: str = "v2/version") -> int:
    headers = {"Authorization": f"Bearer {token}"}
    body: dict[str, Any] | None = {} if method == "POST" else None
    return httpx.request(method, f"{sandbox.esputnik_url}/{path}", headers=headers, json=body).status_code


# -- what a person sees


def test_a_person_logs_in_and_is_asked_who_wants_what(browser: httpx.Client) -> None:
    page = log_in(browser)
    assert "<b>Airflow</b> asks for access" in page.text
    assert "Full API access" in page.text
    assert registry.USER in page.text


def test_a_wrong_password_is_told_and_logs_nobody_in(browser: httpx.Client) -> None:
    form = QUESTION | {"login": registry.USER, "password": "guess"}
    page = browser.post("/login", data=form)
    assert page.status_code == 401
    assert "Wrong login or password" in page.text
    assert not browser.cookies


def test_allowing_brings_a_code_and_the_state_to_the_callback(browser: httpx.Client) -> None:
    given = answer(browser, "allow")
    assert set(given) == {"code", "state"}
    assert given["state"] == "the-state"
    assert exchange(browser, given["code"]).status_code == 200


def test_denying_brings_the_error_that_rfc_6749_names(browser: httpx.Client) -> None:
    assert answer(browser, "deny") == {"error": "access_denied", "state": "the-state"}


@pytest.mark.parametrize("wrong", [{"redirect_uri": "https://elsewhere.example/"}, {"client_id": "nobody"}])
def test_an_unknown_application_or_callback_gets_a_page_and_never_a_redirect(
    browser: httpx.Client, wrong: dict[str, str]
) -> None:
    page = browser.get("/oauth/authorize", params=QUESTION | wrong)
    assert page.status_code == 400
    assert "location" not in page.headers


def test_another_response_type_is_refused_at_the_callback(browser: httpx.Client) -> None:
    sent = browser.get("/oauth/authorize", params=QUESTION | {"response_type": "token"})
    assert "error=unsupported_response_type" in sent.headers["location"]


def test_a_decision_that_another_site_sends_is_refused(browser: httpx.Client) -> None:
    form = fields(log_in(browser)) | {"decision": "allow"}
    assert browser.post("/oauth/authorize", data=form | {"form": "guessed"}).status_code == 400
    browser.cookies.clear()
    assert browser.post("/oauth/authorize", data=form).status_code == 400


def test_what_is_asked_is_escaped_on_the_page(browser: httpx.Client) -> None:
    page = browser.get("/oauth/authorize", params=QUESTION | {"state": '"><script>'})
    assert "<script>" not in page.text


def test_an_application_is_registered_on_a_page_and_its_secret_shown_once(
    browser: httpx.Client, sandbox: Sandbox
) -> None:
    form = {"name": "CRM", "callback": "https://crm.example/back", "scope": "events"}
    page = browser.post("/applications", data=form)
    assert "Client Secret" in page.text
    assert "CRM" in browser.get("/applications").text
    assert [row["scope"] for row in sandbox.rows("uaa", "applications", q="CRM")] == ["events"]
    assert browser.post("/applications", data=form | {"scope": "everything"}).status_code == 400


def test_nothing_is_answered_without_tls(browser: httpx.Client, sandbox: Sandbox) -> None:
    for path in ("oauth/authorize", "applications"):
        assert httpx.get(f"{sandbox.url}/uaa/{path}").status_code == 403
    for path in ("oauth/token", "login"):
        assert httpx.post(f"{sandbox.url}/uaa/{path}").status_code == 403


# -- codes


def test_a_code_works_once(browser: httpx.Client, uaa: AuthorisationServer) -> None:
    code = uaa.consent(registry.CLIENT_ID, registry.CALLBACK)
    assert exchange(browser, code).status_code == 200
    again = exchange(browser, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_code_ends(browser: httpx.Client, uaa: AuthorisationServer, sandbox: Sandbox) -> None:
    code = uaa.consent(registry.CLIENT_ID, registry.CALLBACK)
    sandbox.advance(301)
    assert "expired" in exchange(browser, code).json()["error_description"]


def test_a_code_belongs_to_its_application_and_callback(browser: httpx.Client, uaa: AuthorisationServer) -> None:
    code = uaa.consent(registry.CLIENT_ID, registry.CALLBACK)
    assert exchange(browser, code, redirect_uri="https://elsewhere.example/").json()["error"] == "invalid_grant"
    other = uaa.register("other", "https://other.example/")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": registry.CALLBACK}
    assert browser.post("/oauth/token", data=form, auth=other).json()["error"] == "invalid_grant"
    assert exchange(browser, code).status_code == 200


# -- tokens


def test_tokens_come_in_the_vendors_shape_with_its_lifetimes(browser: httpx.Client, uaa: AuthorisationServer) -> None:
    made = tokens(browser, uaa)
    assert set(made) == {"access_token", "token_type", "refresh_token", "expires_in", "scope"}
    assert (made["token_type"], made["scope"]) == ("bearer", "UseRestApi")
    assert 172_790 < made["expires_in"] <= 172_800


def test_consenting_again_gives_the_living_token_with_what_is_left_of_it(
    browser: httpx.Client, uaa: AuthorisationServer, sandbox: Sandbox
) -> None:
    first = tokens(browser, uaa)
    sandbox.advance(259)
    second = tokens(browser, uaa)
    assert second["access_token"] == first["access_token"]
    assert second["expires_in"] == pytest.approx(172_541, abs=2)


@pytest.mark.parametrize("way", ["basic", "form", "query"])
def test_the_client_may_say_who_it_is_in_three_ways(browser: httpx.Client, uaa: AuthorisationServer, way: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": tokens(browser, uaa)["refresh_token"]}
    who = {"client_id": CLIENT[0], "client_secret": CLIENT[1]}
    if way == "basic":
        sent = browser.post("/oauth/token", data=form, auth=CLIENT)
    elif way == "form":
        sent = browser.post("/oauth/token", data=form | who)
    else:
        sent = browser.post("/oauth/token", params=form | who)
    assert sent.status_code == 200


@pytest.mark.parametrize("who", [("nobody", "x"), (registry.CLIENT_ID, "x"), (registry.CLIENT_ID, "")])
def test_a_wrong_client_is_refused(browser: httpx.Client, who: tuple[str, str]) -> None:
    sent = browser.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": "x"}, auth=who)
    assert (sent.status_code, sent.json()["error"]) == (401, "invalid_client")


def test_a_refresh_replaces_the_refresh_token_and_refuses_the_old_one(
    browser: httpx.Client, uaa: AuthorisationServer, sandbox: Sandbox
) -> None:
    first = tokens(browser, uaa)
    second = refresh(browser, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert refresh(browser, first["refresh_token"]).json()["error"] == "invalid_grant"
    assert refresh(browser, second["refresh_token"]).status_code == 200
    assert [api(sandbox, made["access_token"]) for made in (first, second)] == [200, 200]


def test_a_switch_ends_the_old_access_token_at_a_refresh(
    browser: httpx.Client, uaa: AuthorisationServer, sandbox: Sandbox
) -> None:
    sandbox.set(uaa__refresh_ends_access=True)
    first = tokens(browser, uaa)
    second = refresh(browser, first["refresh_token"]).json()
    assert [api(sandbox, made["access_token"]) for made in (first, second)] == [401, 200]


def test_a_switch_revokes_everything_when_a_refresh_token_is_used_twice(
    browser: httpx.Client, uaa: AuthorisationServer, sandbox: Sandbox
) -> None:
    sandbox.set(uaa__reuse_revokes_family=True)
    first = tokens(browser, uaa)
    second = refresh(browser, first["refresh_token"]).json()
    assert refresh(browser, first["refresh_token"]).status_code == 400
    assert [api(sandbox, made["access_token"]) for made in (first, second)] == [401, 401]
    assert refresh(browser, second["refresh_token"]).status_code == 400


def test_tokens_end_by_the_sandboxes_clock(browser: httpx.Client, uaa: AuthorisationServer, sandbox: Sandbox) -> None:
    made = tokens(browser, uaa)
    sandbox.advance(172_799)
    assert api(sandbox, made["access_token"]) == 200
    sandbox.advance(2)
    assert api(sandbox, made["access_token"]) == 401
    sandbox.advance(2_592_000 - 172_801)
    assert "expired" in refresh(browser, made["refresh_token"]).json()["error_description"]


def test_a_missing_or_unknown_grant_type_is_refused(browser: httpx.Client) -> None:
    assert browser.post("/oauth/token", auth=CLIENT).json()["error"] == "invalid_request"
    sent = browser.post("/oauth/token", data={"grant_type": "password"}, auth=CLIENT)
    assert sent.json()["error"] == "unsupported_grant_type"


# -- rights


@pytest.mark.parametrize(
    ("right", "opened"),
    [
        ("full", {"events", "contacts", "reading", "messages", "activity"}),
        ("events", {"events"}),
        ("events and contacts", {"events", "contacts", "reading", "activity"}),
        ("messages", {"messages"}),
    ],
)
def test_a_right_opens_its_groups_of_methods_and_no_others(
    browser: httpx.Client, uaa: AuthorisationServer, sandbox: Sandbox, right: str, opened: set[str]
) -> None:
    who = uaa.register("app", registry.CALLBACK, right)
    form = {"grant_type": "authorization_code", "code": uaa.consent(who[0], registry.CALLBACK)}
    made = browser.post("/oauth/token", data=form | {"redirect_uri": registry.CALLBACK}, auth=who).json()
    methods = {
        "events": ("POST", "v2/event"),
        "contacts": ("POST", "v1/contacts"),
        "reading": ("GET", "v1/contacts"),
        "messages": ("GET", "v1/message/status"),
        "activity": ("GET", "v2/contacts/activity"),
    }
    found = {group for group, (verb, path) in methods.items() if api(sandbox, made["access_token"], verb, path) != 403}
    assert found == opened
    assert api(sandbox, made["access_token"]) == 200
