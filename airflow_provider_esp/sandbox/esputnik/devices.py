"""eSputnik's methods for push tokens of mobile apps, and for what a device reports about a push message."""

from __future__ import annotations

from datetime import datetime

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes

routes = Routes()

STATUSES = ("DELIVERED", "OPENED", "CLICKED")

_OWNER = """
SELECT h.contact_id FROM esputnik_channels h JOIN esputnik_contacts c ON c.id = h.contact_id
WHERE h.type = 'mobilepush' AND h.key = ? AND NOT c.deleted
"""


def _owner(incoming: Incoming) -> int | None:
    found = incoming.store.value(_OWNER, incoming.params["token_id"])
    return None if found is None else int(found)


@routes("GET", "v1/contact/token/{app_uuid}/{token_id}/contactId", buckets=("esputnik.token.contact",))
def contact(incoming: Incoming) -> Response:
    """Return the contact a push token belongs to."""
    owner = _owner(incoming)
    if owner is None:
        raise Refused(404, "Token not found")
    return responses.json({"id": owner})


@routes("GET", "v1/contact/token/activated/{app_uuid}/{token_id}")
def activated(incoming: Incoming) -> Response:
    """Return whether a push token may be written to; a token that was never switched off may, if a contact has it."""
    switched = incoming.store.value(
        "SELECT active FROM esputnik_device_tokens WHERE app = ? AND token = ?",
        incoming.params["app_uuid"],
        incoming.params["token_id"],
    )
    if switched is None and _owner(incoming) is None:
        raise Refused(404, "Token not found")
    return responses.json({"active": switched is None or bool(switched)})


class Activation(msgspec.Struct):
    """Whether a token is active."""

    active: bool


@routes("PUT", "v1/contact/token/activated/{app_uuid}/{token_id}")
def activate(incoming: Incoming) -> Response:
    """Switch a push token on or off."""
    body = incoming.decode(Activation)
    incoming.store.run(
        "INSERT OR REPLACE INTO esputnik_device_tokens VALUES (?, ?, ?)",
        incoming.params["app_uuid"],
        incoming.params["token_id"],
        body.active,
    )
    return responses.json(body)


class Interaction(msgspec.Struct):
    """What a device did with a push message."""

    token: str
    status: str
    time: str


@routes("PUT", "v1/interactions/{interaction_id}/status", buckets=("esputnik.interactions",))
def interaction(incoming: Incoming) -> Response:
    """Record what became of a push message, as a device reports it; an empty answer."""
    body = incoming.decode(Interaction)
    if body.status not in STATUSES:
        raise Refused(400, f"status should be one of: {', '.join(STATUSES)}")
    try:
        datetime.fromisoformat(body.time)
    except ValueError:
        raise Refused(400, "time should look like 2023-09-15T14:30:00+02:00") from None
    incoming.store.run(
        "INSERT INTO esputnik_interactions (interaction, token, status, time) VALUES (?, ?, ?, ?)",
        incoming.params["interaction_id"],
        body.token,
        body.status,
        body.time,
    )
    return responses.empty()
