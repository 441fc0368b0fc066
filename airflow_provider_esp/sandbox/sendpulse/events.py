"""Events of automation flows, in both ways: by the event's own URL without a credential, and by name with one.

Every event is kept and shown; one that a flow waits for starts it (see `flows`).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from . import flows
from .arguments import Arguments, is_email, phone_of, whole
from .errors import invalid, not_found
from .settings import USER_ID

SCHEMA = """
CREATE TABLE sendpulse_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT, way TEXT, email TEXT, phone TEXT, automation_id INTEGER,
  params TEXT, at REAL);
"""

routes = Routes(buckets=("sendpulse.events",))


@routes("POST", "events/id/{hash}/{user}", open=True)
def by_url(incoming: Incoming) -> Response:
    """Raise an event by its own URL: JSON or form data, no credential."""
    event = incoming.params["hash"]
    if not re.fullmatch(r"[0-9a-f]{32}", event) or incoming.params["user"] != str(USER_ID):
        raise not_found("Event not found")
    return _take(incoming, event)


@routes("POST", "events/name/{name}", buckets=("sendpulse.second", "sendpulse.minute", "sendpulse.events"))
def by_name(incoming: Incoming) -> Response:
    """Raise an event by its name, with a credential."""
    return _take(incoming, incoming.params["name"])


def _take(incoming: Incoming, event: str) -> Response:
    known = incoming.state.settings["sendpulse.events"]
    if known is not None and event not in known:
        raise not_found("Event not found")
    form = incoming.headers.get("content-type", "").lower().startswith(("application/x-www-form", "multipart/"))
    given = Arguments.of(incoming)
    email, phone = _identity(given)
    flow = given.get("automation_id")
    # A form knows no numbers; in JSON the vendor asks for one, and not for its digits.
    if flow is not None and (whole(flow) is None or (isinstance(flow, str) and not form)):
        raise invalid("Argument automation_id must be integer")
    number = incoming.store.run(
        "INSERT INTO sendpulse_events (event, way, email, phone, automation_id, params, at) VALUES (?,?,?,?,?,?,?)",
        event,
        "form" if form else "JSON",
        email,
        phone,
        whole(flow),
        msgspec.json.encode(given.all()).decode(),
        incoming.now,
    )
    flows.start(incoming.state, flows.Event(number, event, email, phone, whole(flow), given.all()))
    return responses.json({"result": True})


def _identity(given: Arguments) -> tuple[str, str]:
    email, phone = given.string("email").strip(), given.string("phone").strip()
    if not email and not phone:
        raise invalid("Argument email or phone missing")
    if email and not is_email(email):
        raise invalid("Argument email is invalid")
    if not email and phone_of(phone) is None:
        raise invalid("Argument phone is invalid")
    return email, phone


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return an event as people and tests see it."""
    return {**row, "params": msgspec.json.decode(row["params"])}
