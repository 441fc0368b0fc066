"""`POST oauth/token`: codes and refresh tokens against access tokens.

The client's id and secret are taken from HTTP Basic, the form or the query, all of which the vendor shows. Error
answers follow RFC 6749: the vendor does not document its own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..store import Row
from . import registry
from .secure import over_tls

routes = Routes(open=True)

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@routes("POST", "oauth/token")
@over_tls
def token(incoming: Incoming) -> Response:
    """Exchange a code, or a refresh token."""
    given = {**incoming.query, **incoming.form}
    app = _client(incoming, given)
    if app is None:
        headers = {"WWW-Authenticate": 'Basic realm="uaa"'}
        return _error("invalid_client", "Bad client credentials", 401, headers)
    match given.get("grant_type"):
        case "authorization_code":
            return _exchange(incoming, app, given)
        case "refresh_token":
            return _refresh(incoming, app, given)
        case None | "":
            return _error("invalid_request", "Missing grant type")
        case _:
            return _error("unsupported_grant_type", "Unsupported grant type")


def _client(incoming: Incoming, given: Mapping[str, str]) -> Row | None:
    name, secret = given.get("client_id", ""), given.get("client_secret", "")
    kind, _, credential = incoming.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(credential, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    app = registry.application(incoming.store, name)
    return app if app and hmac.compare_digest(app["secret"].encode(), secret.encode()) else None


def _exchange(incoming: Incoming, app: Row, given: Mapping[str, str]) -> Response:
    code = incoming.store.one("SELECT * FROM uaa_codes WHERE code = ?", given.get("code", ""))
    if code is None or code["client_id"] != app["client_id"]:
        return _error("invalid_grant", "Invalid authorization code")
    if code["used"]:
        return _error("invalid_grant", "The authorization code was used before")
    if code["expires"] <= incoming.now:
        return _error("invalid_grant", "The authorization code has expired")
    if given.get("redirect_uri") != code["redirect_uri"]:
        return _error("invalid_grant", "Redirect URI mismatch")
    if code["challenge"] and not hmac.compare_digest(code["challenge"], _challenge(given.get("code_verifier", ""))):
        return _error("invalid_grant", "The code verifier does not belong to the code")
    incoming.store.change("UPDATE uaa_codes SET used = 1 WHERE code = ?", code["code"])
    # The vendor's sample shows fewer seconds than a whole life: a person who consents again gets the living token.
    made = registry.living(incoming.state, app["client_id"], code["user"])
    return _answer(incoming, made or registry.new_tokens(incoming.state, app["client_id"], code["user"]))


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _refresh(incoming: Incoming, app: Row, given: Mapping[str, str]) -> Response:
    old = incoming.store.one("SELECT * FROM uaa_tokens WHERE refresh = ?", given.get("refresh_token", ""))
    if old is None or old["client_id"] != app["client_id"]:
        return _error("invalid_grant", "Invalid refresh token")
    if old["revoked"]:
        return _error("invalid_grant", "The refresh token was revoked")
    if old["refreshed"]:
        if incoming.state.settings["uaa.reuse_revokes_family"]:
            incoming.store.change("UPDATE uaa_tokens SET revoked = 'reuse' WHERE family = ?", old["family"])
        return _error("invalid_grant", "The refresh token was used before")
    if old["refresh_ends"] <= incoming.now:
        return _error("invalid_grant", "The refresh token has expired")
    incoming.store.change("UPDATE uaa_tokens SET refreshed = 1 WHERE id = ?", old["id"])
    if incoming.state.settings["uaa.refresh_ends_access"]:
        incoming.store.change("UPDATE uaa_tokens SET access_ends = ? WHERE id = ?", incoming.now, old["id"])
    return _answer(incoming, registry.new_tokens(incoming.state, app["client_id"], old["user"], old["family"]))


def _answer(incoming: Incoming, made: Row) -> Response:
    body = {
        "access_token": made["access"],
        "token_type": "bearer",
        "refresh_token": made["refresh"],
        "expires_in": int(made["access_ends"] - incoming.now),
        "scope": "UseRestApi",
    }
    return responses.json(body, headers=_NO_STORE)


def _error(error: str, text: str, status: int = 400, headers: Mapping[str, str] | None = None) -> Response:
    # Returned and not raised: a raised refusal would undo what the request has written.
    return responses.json({"error": error, "error_description": text}, status, {**_NO_STORE, **(headers or {})})
