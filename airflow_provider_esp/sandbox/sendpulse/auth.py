"""Authorisation at SendPulse: tokens for a client id and secret, static API keys, and rate limits."""

from __future__ import annotations

import base64
import binascii
import secrets
from urllib.parse import unquote

import msgspec
from starlette.responses import Response

from .. import responses
from ..limits import Limit
from ..responses import Refused
from ..routing import Endpoint, Incoming, Routes
from .arguments import Arguments
from .settings import USER_ID

SCHEMA = "CREATE TABLE sendpulse_tokens (token TEXT PRIMARY KEY, expires REAL);"

LIMITS = {
    "sendpulse.second": Limit(10),
    "sendpulse.minute": Limit(1000, 60),
    "sendpulse.events": Limit(10),
    "sendpulse.campaigns": Limit(4, 3600),
    "sendpulse.resubscribe": Limit(5, 86400),
    "sendpulse.push": Limit(1, 900),
}

ACCOUNT = str(USER_ID)

routes = Routes(open=True)


def buckets(method: str) -> tuple[str, ...]:
    """Return the account's two limits: every request counts against both."""
    return ("sendpulse.second", "sendpulse.minute")


def authorise(incoming: Incoming, endpoint: Endpoint) -> str:
    """Read the bearer: a token that is alive, or a static API key; both may do everything.

    :raises Refused: 401.
    """
    settings = incoming.state.settings
    kind, _, credential = incoming.headers.get("authorization", "").partition(" ")
    known = kind.lower() == "bearer" and not settings["sendpulse.unauthorised"]
    if not known or not (credential in settings["sendpulse.api_keys"] or _is_alive(incoming, credential)):
        raise Refused(401, "Unauthorized!", 401)
    return ACCOUNT


def _is_alive(incoming: Incoming, token: str) -> bool:
    found = incoming.store.value(
        "SELECT 1 FROM sendpulse_tokens WHERE token = ? AND expires > ?",
        token,
        incoming.now,
    )
    return found is not None


@routes("POST", "oauth/access_token")
def access_token(incoming: Incoming) -> Response:
    """Return a token for a client id and its secret, in whichever of three encodings they come."""
    settings = incoming.state.settings
    given = Arguments({**_basic(incoming), **Arguments.of(incoming).all()})
    if given.get("grant_type") != "client_credentials":
        text = "The authorization grant type is not supported by the authorization server."
        return _refusal(400, "unsupported_grant_type", text)
    if not given.has("client_id") or not given.has("client_secret"):
        return _refusal(400, "invalid_request", "The request is missing a required parameter.")
    client, secret = given.get("client_id"), given.get("client_secret")
    if not isinstance(client, str) or settings["sendpulse.clients"].get(client) != secret:
        return _refusal(401, "invalid_client", "Client authentication failed")
    life = settings["sendpulse.token_seconds"]
    if settings["sendpulse.one_token"]:
        incoming.store.run("DELETE FROM sendpulse_tokens")
    token = _token(client, incoming.now, life)
    incoming.store.run("INSERT INTO sendpulse_tokens VALUES (?, ?)", token, incoming.now + life)
    return responses.json({"token_type": "Bearer", "expires_in": life, "access_token": token})


def _basic(incoming: Incoming) -> dict[str, str]:
    """Return client id and secret from HTTP Basic, which OAuth clients try first; those of the body go before them."""
    kind, _, credential = incoming.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return {}
    try:
        client, _, secret = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": unquote(client), "client_secret": unquote(secret)}


def _token(client: str, now: float, life: float) -> str:
    """Return a token in the form of a JWT, as the vendor's are; its signature is random, for nothing checks it."""
    claims = {
        "aud": client,
        "jti": secrets.token_hex(40),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now + life),
        "sub": "",
        "scopes": [],
    }
    parts = [msgspec.json.encode({"typ": "JWT", "alg": "RS256"}), msgspec.json.encode(claims), secrets.token_bytes(256)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _refusal(status: int, error: str, text: str) -> Response:
    return responses.json({"error": error, "error_description": text, "message": text}, status)
