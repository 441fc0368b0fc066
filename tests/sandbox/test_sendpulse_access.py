"""Tokens, static keys, limits and the forms of refusals on the SendPulse side."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

CREDENTIAL = {"grant_type": "client_credentials", "client_id": "sandbox-id", "client_secret": "sandbox-secret"}
UNAUTHORISED = {"message": "Unauthorized!", "error_code": 401}


def ask(sandbox: Sandbox, **request: Any) -> httpx.Response:
    return httpx.post(f"{sandbox.sendpulse_url}/oauth/access_token", **request)


def token(sandbox: Sandbox) -> str:
    return str(ask(sandbox, json=CREDENTIAL).json()["access_token"])


def user(sandbox: Sandbox, credential: str) -> httpx.Response:
    return httpx.get(f"{sandbox.sendpulse_url}/user/info", headers={"Authorization": f"Bearer {credential}"})


@pytest.mark.parametrize(
    "request_body",
    [
        {"json": CREDENTIAL},
        {"data": CREDENTIAL},
        {"files": {name: (None, value) for name, value in CREDENTIAL.items()}},
    ],
    ids=["json", "urlencoded", "multipart"],
)
def test_a_token_is_given_for_a_body_of_every_encoding(sandbox: Sandbox, request_body: dict[str, Any]) -> None:
    answer = ask(sandbox, **request_body)
    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
    assert user(sandbox, answer.json()["access_token"]).json()["name"] == "Sandbox Organisation"


def test_a_token_looks_like_the_vendors(sandbox: Sandbox) -> None:
    head, claims, signature = token(sandbox).split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"typ": "JWT", "alg": "RS256"}
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["aud"] == "sandbox-id"
    assert len(base64.urlsafe_b64decode(signature + "==")) == 256


@pytest.mark.parametrize("wrong", [{"client_id": "nobody"}, {"client_secret": "wrong"}, {"client_secret": ["x"]}])
def test_a_wrong_credential_is_an_invalid_client(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    answer = ask(sandbox, json={**CREDENTIAL, **wrong})
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "invalid_client",
        "error_description": "Client authentication failed",
        "message": "Client authentication failed",
    }


def test_other_grants_and_missing_parameters_are_refused(sandbox: Sandbox) -> None:
    other = ask(sandbox, json={**CREDENTIAL, "grant_type": "password"})
    assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")
    missing = ask(sandbox, json={"grant_type": "client_credentials", "client_id": "sandbox-id"})
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


def test_a_token_lives_an_hour_by_the_sandboxs_clock(sandbox: Sandbox) -> None:
    credential = token(sandbox)
    sandbox.advance(3590)
    assert user(sandbox, credential).status_code == 200
    sandbox.advance(20)
    answer = user(sandbox, credential)
    assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)


def test_a_static_key_never_expires(sandbox: Sandbox) -> None:
    sandbox.advance(10 * 365 * 86400)
    assert user(sandbox, "sandbox-apikey").status_code == 200


def test_several_tokens_live_at_once_unless_the_switch_says_otherwise(sandbox: Sandbox) -> None:
    first, second = token(sandbox), token(sandbox)
    assert first != second
    assert user(sandbox, first).status_code == user(sandbox, second).status_code == 200
    sandbox.set(sendpulse__one_token=True)
    third = token(sandbox)
    assert [user(sandbox, one).status_code for one in (first, second, third)] == [401, 401, 200]


def test_tokens_can_be_revoked_one_by_one_and_all_at_once(sandbox: Sandbox) -> None:
    first, second, third = token(sandbox), token(sandbox), token(sandbox)
    assert sandbox.do("sendpulse", "revoke_tokens", token=first) == {"revoked": 1}
    assert [user(sandbox, one).status_code for one in (first, second)] == [401, 200]
    answer = httpx.post(f"{sandbox.url}/_sandbox/sendpulse/revoke_tokens", json={})
    assert answer.json() == {"revoked": 2}
    assert [user(sandbox, one).status_code for one in (second, third, "sandbox-apikey")] == [401, 401, 200]


def test_a_switch_refuses_even_fresh_tokens(sandbox: Sandbox) -> None:
    sandbox.set(sendpulse__unauthorised=True)
    assert user(sandbox, token(sandbox)).status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic sandbox-apikey", "Bearer b'token'"])
def test_anything_else_is_unauthorised(sandbox: Sandbox, header: str) -> None:
    answer = httpx.get(f"{sandbox.sendpulse_url}/user/info", headers={"Authorization": header})
    assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)


def test_the_documented_limits_hold_unless_they_are_changed(sandbox: Sandbox) -> None:
    limits = httpx.get(f"{sandbox.url}/_sandbox/limits").json()
    assert {name: limit for name, limit in limits.items() if name.startswith("sendpulse.")} == {
        "sendpulse.second": [10, 1],
        "sendpulse.minute": [1000, 60],
        "sendpulse.events": [10, 1],
        "sendpulse.campaigns": [4, 3600],
        "sendpulse.resubscribe": [5, 86400],
        "sendpulse.push": [1, 900],
    }


def test_ten_requests_in_the_window_and_no_more(sandbox: Sandbox) -> None:
    sandbox.limit("sendpulse.second", 10, 60)  # a second may pass before a slow machine has asked ten times
    answers = [user(sandbox, "sandbox-apikey") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].json()["error_code"] == 2020202020
    assert "retry-after" not in answers[-1].headers
    sandbox.advance(60)
    assert user(sandbox, "sandbox-apikey").status_code == 200


def test_a_quota_a_minute_with_a_hint_if_the_switch_says_so(sandbox: Sandbox) -> None:
    sandbox.set(sendpulse__retry_after=True)
    sandbox.limit("sendpulse.minute", 3, 60)
    answers = [user(sandbox, "sandbox-apikey") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 55 <= int(answers[-1].headers["retry-after"]) <= 60


def test_slashes_too_many_do_no_harm(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    for path in ("/user/info", "//user/info", "/user//info/", "/balance/", "/templates/?owner=me"):
        answer = httpx.get(sandbox.sendpulse_url + path, headers=sendpulse.headers)
        assert answer.status_code == 200, path


def test_unknown_paths_and_wrong_verbs_are_refused_in_the_vendors_envelope(sendpulse: httpx.Client) -> None:
    assert sendpulse.get("nothing").json() == {"message": "Not Found", "error_code": 404}
    assert sendpulse.put("balance").json()["error_code"] == 405


def test_a_body_that_is_no_json_is_badly_formed(sendpulse: httpx.Client) -> None:
    for content in (b"{", b"[1]", b"\xff"):
        answer = sendpulse.post("addressbooks", content=content)
        assert answer.status_code == 422
        assert answer.json() == {"message": "Badly formed data. Check API documentation", "error_code": 21356}


def test_no_secret_is_in_the_request_log(sandbox: Sandbox) -> None:
    credential = token(sandbox)
    user(sandbox, credential)
    assert credential not in str(sandbox.requests())
    assert "sandbox-secret" not in str(sandbox.requests())
