"""What an authorisation server may answer, and who may take part in a consent: over TLS, against the sandbox's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.cli import commands
from airflow_provider_esp.core.auth import oauth
from airflow_provider_esp.core.auth.token_set import TokenSet
from airflow_provider_esp.exceptions import GrantRefused, TokenError
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth import registry
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer

Refused = Callable[[str, str, str], None]


@pytest.fixture
def app(uaa: AuthorisationServer) -> oauth.Application:
    return oauth.Application(
        registry.CLIENT_ID,
        registry.CLIENT_SECRET,
        uaa.authorize_url,
        uaa.token_url,
        registry.CALLBACK,
        ca_bundle=str(uaa.ca_file),
    )


OLD = TokenSet("old-access", "old-refresh", 1000.0, 2000.0, 3000.0)
TOKENS = '"access_token": "new-access", "refresh_token": "new-refresh"'


def refreshed(app: oauth.Application, sandbox: Sandbox, body: str, status: int = 200) -> TokenSet:
    sandbox.fault("status", "POST", "*/oauth/token", status=status, body=body)
    return oauth.refresh(app, OLD, lambda: 5000.0)


@pytest.mark.parametrize(
    "expires_in", ["1e999", "true", "-5", "0", '"soon"', "null", "[3]", "NaN", "-Infinity", '"9e9"', "1" * 400]
)
def test_an_odd_lifetime_does_not_cost_the_tokens(
    expires_in: str, app: oauth.Application, sandbox: Sandbox, refused: Refused
) -> None:
    grant = refreshed(app, sandbox, f'{{{TOKENS}, "expires_in": {expires_in}}}')
    assert (grant.access_token, grant.refresh_token) == ("new-access", "new-refresh")
    assert 5000 + 3600 < grant.expires_at <= 5000 + oauth.REFRESH_LIFETIME
    assert json.loads(grant.to_json())
    time.gmtime(grant.expires_at)
    refused("odd token answer", f"expires_in: {expires_in}"[:30], "tokens kept")


@pytest.mark.parametrize(
    "rest", ['"scope": [1, "a", null]', '"scope": {"a": 1}', '"token_type": 7', '"error_uri": []', '"expires_at": "x"']
)
def test_other_odd_fields_do_not_cost_the_tokens(
    rest: str, app: oauth.Application, sandbox: Sandbox, refused: Refused
) -> None:
    grant = refreshed(app, sandbox, f'{{{TOKENS}, "expires_in": 100, {rest}}}')
    assert (grant.refresh_token, grant.expires_at) == ("new-refresh", 5100.0)
    refused("odd token answer", rest.replace('"', "")[:30], "tokens kept")


def test_a_server_may_keep_the_refresh_token(app: oauth.Application, sandbox: Sandbox) -> None:
    grant = refreshed(app, sandbox, '{"access_token": "new-access", "expires_in": 100}')
    assert (grant.access_token, grant.refresh_token) == ("new-access", "old-refresh")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("nested 100,000 deep", "[" * 100_000),
        ("deep inside an object", '{"access_token": ' + "[" * 100_000),
        ("a number of 5,000 digits", '{"expires_in": ' + "1" * 5000 + "}"),
        ("tokens that are numbers", '{"access_token": 1, "refresh_token": 2}'),
        ("not JSON", "access_token=x&refresh_token=y"),
        ("2 MB", " " * 2**21),
    ],
)
def test_what_holds_no_tokens_is_one_error_of_ours(
    name: str, body: str, app: oauth.Application, sandbox: Sandbox, refused: Refused
) -> None:
    with pytest.raises(exceptions.EspError) as caught:
        refreshed(app, sandbox, body)
    assert "POST oauth/token" in str(caught.value)
    refused("odd token answer", name, "an error of our tree")


@pytest.mark.parametrize("wait", ["²", "1e999", "9" * 400, "-1"])
def test_an_odd_retry_after_is_no_traceback(wait: str, app: oauth.Application, sandbox: Sandbox) -> None:
    headers = {"Retry-After": wait.encode().decode("latin-1")}
    sandbox.fault("status", "POST", "*/oauth/token", status=429, body="{}", headers=headers)
    with pytest.raises(exceptions.RateLimited):
        oauth.refresh(app, OLD)


@pytest.mark.parametrize("field", ["error", "error_description", "error_uri"])
def test_a_secret_is_hidden_in_every_field(
    field: str, app: oauth.Application, sandbox: Sandbox, refused: Refused
) -> None:
    answer: dict[str, Any] = {"error": "invalid_grant", field: f"x {registry.CLIENT_SECRET} {OLD.refresh_token}"}
    with pytest.raises(TokenError) as caught:
        refreshed(app, sandbox, json.dumps(answer), 400)
    told = f"{caught.value} {caught.value!r} {caught.value.__dict__}"
    assert registry.CLIENT_SECRET not in told
    assert registry.CLIENT_SECRET.replace("-", "") not in told
    assert OLD.refresh_token not in told
    refused("secret or person quoted", f"secret in {field}", "shown as [secret]")


# -- who takes part in a consent


def test_a_code_without_its_verifier_is_worth_nothing(
    app: oauth.Application, uaa: AuthorisationServer, sandbox: Sandbox, refused: Refused
) -> None:
    code = registry.new_code(sandbox.state, app.client_id, registry.USER, app.redirect_uri, oauth.challenge_of("ours"))
    for verifier in ("", "theirs"):
        with pytest.raises(GrantRefused):
            oauth.exchange_code(app, code, verifier=verifier)
    assert oauth.exchange_code(app, code, verifier="ours").access_token
    refused("consent taken over", "code without its verifier", "refused (PKCE, S256)")


def test_the_question_carries_a_challenge_and_never_the_verifier(app: oauth.Application) -> None:
    url = oauth.authorize_url(app, "state", "the-verifier")
    assert "code_challenge_method=S256" in url
    assert f"code_challenge={oauth.challenge_of('the-verifier')}" in url
    assert "the-verifier" not in url


@pytest.mark.parametrize("said", ["", "n", "no", "yesterday"])
def test_tokens_are_kept_only_after_a_person_has_seen_whose_account_it_is(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refused: Refused
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: said)
    with pytest.raises(TokenError, match="nothing was stored"):
        commands._confirm("Example Shop", yes=False)
    assert "You are connecting 'Example Shop'." in capsys.readouterr().out
    refused("consent taken over", "somebody else's account", "its name is asked about")


def test_where_nobody_can_be_asked_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    with pytest.raises(TokenError, match="Say --yes"):
        commands._confirm("Example Shop", yes=False)
    commands._confirm("Example Shop", yes=True)
    monkeypatch.setattr("builtins.input", lambda prompt: " Yes ")
    commands._confirm("Example Shop", yes=False)
