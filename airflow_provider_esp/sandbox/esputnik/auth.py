"""Authorisation at eSputnik: API keys, bearer tokens and their scopes; rate limits; the shape of a refusal.

A credential's scope names the groups of methods it opens, as the vendor's key settings do. Methods of the group
"general" need a valid credential and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import math

from starlette.responses import Response

from .. import responses
from ..limits import Limit
from ..oauth import registry
from ..responses import Refused
from ..routing import Endpoint, Incoming
from ..settings import Setting
from ..state import SandboxState

SCOPES: dict[str, frozenset[str]] = {
    "full": frozenset({"write", "read", "activity", "events", "messages"}),
    "events": frozenset({"events"}),
    "events and contacts": frozenset({"events", "write", "read", "activity"}),
    "events and contacts, update only": frozenset({"events", "write"}),
    "messages": frozenset({"messages"}),
    # What `POST v1/auth/token` hands out: v1 events only.
    "bearer": frozenset({"v1 events"}),
}

KEYS = {
    "sandbox-key": "full",
    "sandbox-key-events": "events",
    "sandbox-key-contacts": "events and contacts",
    "sandbox-key-update": "events and contacts, update only",
    "sandbox-key-messages": "messages",
}

SETTINGS = {
    "esputnik.keys": Setting(
        KEYS,
        f"API keys and their scopes: {', '.join(SCOPES)}",
        lambda keys: all(scope in SCOPES for scope in keys.values()),
    ),
    "esputnik.retry_after": Setting(False, "whether a 429 says in Retry-After when to come back"),
}

_HOURLY = ("email", "sms", "viber", "mobilepush", "appinbox", "telegram")

LIMITS: dict[str, Limit] = {
    "esputnik.default": Limit(200),
    "esputnik.contacts.search": Limit(50),
    "esputnik.token.contact": Limit(150),
    "esputnik.event": Limit(350),
    "esputnik.past_events": Limit(100),
    "esputnik.past_events.delete": Limit(5),
    "esputnik.interactions": Limit(300),
    "esputnik.contacts.messages": Limit(10),
    "esputnik.templates.email": Limit(10),
    "esputnik.templates.email.link.hour": Limit(500, 3600),
    **{f"esputnik.templates.{channel}.list.hour": Limit(500, 3600) for channel in _HOURLY},
    **{f"esputnik.templates.{channel}.hour": Limit(500, 3600) for channel in _HOURLY},
}


def authorise(incoming: Incoming, endpoint: Endpoint) -> str:
    """Read the credential: HTTP Basic with any user and an API key as password, or a bearer token.

    :return: what stands for the account in rate limits.
    :raises Refused: 401 no or unknown credential, 403 its scope does not hold the endpoint's right, 415 a body that
        does not say it is JSON.
    """
    kind, _, credential = incoming.headers.get("authorization", "").partition(" ")
    scope: str | None = None
    if kind.lower() == "basic":
        credential = _password(credential)
        scope = incoming.state.settings["esputnik.keys"].get(credential)
    elif kind.lower() == "bearer":
        scope = incoming.store.value(
            "SELECT scope FROM esputnik_tokens WHERE token = ? AND expires > ?", credential, incoming.now
        ) or registry.scope_of(incoming.state, credential)
    if not credential or scope is None:
        raise Refused(401, "Unauthorized", headers={"WWW-Authenticate": 'Basic realm="eSputnik"'})
    rights = SCOPES.get(scope, frozenset())
    bearer_events = endpoint.path in ("v1/event", "v1/past_events") and "v1 events" in rights
    if endpoint.right and endpoint.right not in rights and not bearer_events:
        raise Refused(403, "Access denied")
    if incoming.body and not incoming.headers.get("content-type", "").lower().startswith("application/json"):
        raise Refused(415, "Unsupported Media Type")
    return credential


def _password(credential: str) -> str:
    try:
        return base64.b64decode(credential, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def refuse(state: SandboxState, refused: Refused) -> Response:
    """Return a refusal as the vendor does: a bare sentence, but for 401 and 403 a JSON object."""
    headers = dict(refused.headers)
    if refused.wait is not None and state.settings["esputnik.retry_after"]:
        headers["Retry-After"] = str(max(1, math.ceil(refused.wait)))
    if refused.status in (401, 403):
        phrase = "Unauthorized" if refused.status == 401 else "Forbidden"
        stamp = state.stamp(state.clock.now())
        body = {"timestamp": stamp, "status": refused.status, "error": phrase, "message": refused.text}
        return responses.json(body, refused.status, headers)
    return responses.sentence(refused.text, refused.status, headers)


def buckets(method: str) -> tuple[str, ...]:
    """Return the one limit that every method which the vendor's table does not list shares."""
    return ("esputnik.default",)
