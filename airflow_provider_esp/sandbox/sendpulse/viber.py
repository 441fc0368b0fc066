"""Viber: tasks to given phones or to a book, their results, senders, and phones that get none."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..outbox import Message
from ..routing import Incoming, Routes
from ..state import SandboxState
from ..store import Row
from . import addressbooks, datetimes, outcomes
from .arguments import Arguments, phone_of, whole
from .errors import invalid, not_found, second_version
from .schedule import begin

SCHEMA = """
CREATE TABLE sendpulse_viber (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, message TEXT, kind INTEGER, created REAL, starts REAL);
CREATE TABLE sendpulse_viber_excluded (phone TEXT PRIMARY KEY, description TEXT, at REAL);
"""

LONGEST = 1000
KINDS = (2, 3)
LIFE = (60, 86400)

_SENDER: dict[str, Any] = {
    "id": 1,
    "status": "active",
    "name": "Sandbox",
    "service_type": "Sandbox",
    "web_site": "https://sandbox.example",
    "description": "",
    "country": "Ukraine",
    "countries": ["UA"],
    "traffic_type": "promo",
    "admin_comment": None,
    "owner": "user",
}

routes = Routes()


@routes("POST", "viber")
def create(incoming: Incoming) -> Response:
    """Create a task, which sends itself at once or at its date."""
    state, given = incoming.state, Arguments.of(incoming)
    for name in ("message_type", "sender_id", "message_live_time", "send_date", "message"):
        given.need(name)
    message, kind, starts = _wanted(state, given)
    people = _people(incoming, given)
    number = incoming.store.run(
        "INSERT INTO sendpulse_viber (name, message, kind, created, starts) VALUES (?, ?, ?, ?, ?)",
        given.string("task_name") or "Viber",
        message,
        kind,
        incoming.now,
        starts,
    )
    row = _find(incoming, number)
    state.outbox.add(_message(state, row, phone, data) for phone, data in people.items())
    return responses.json({"result": True, "data": {"task_id": number}})


@routes("POST", "viber/update")
def update(incoming: Incoming) -> Response:
    """Change a task that has not begun to be sent, in a body without the nesting that making one has."""
    state, given = incoming.state, Arguments.of(incoming)
    given.need("main_task_id")
    row = _find(incoming, given.get("main_task_id"))
    if row["starts"] <= incoming.now:
        raise invalid("Can't find the campaign, probably it was already sent", 602)
    for name in ("message_type", "sender_id", "message_live_time", "send_date", "message"):
        given.need(name)
    message, kind, starts = _wanted(state, given)
    people = _people(incoming, given) if given.has("address_book") or given.has("recipients") else None
    incoming.store.run(
        "UPDATE sendpulse_viber SET name = ?, message = ?, kind = ?, starts = ? WHERE id = ?",
        given.string("task_name") or row["name"],
        message,
        kind,
        starts,
        row["id"],
    )
    waiting = incoming.store.all(
        "SELECT recipient, data FROM outbox_messages WHERE service = 'sendpulse' AND broadcast_id = ?", row["id"]
    )
    if people is None:
        people = {one["recipient"]: msgspec.json.decode(one["data"]) for one in waiting}
    state.outbox.cancel("sendpulse", row["id"])
    row = _find(incoming, row["id"])
    state.outbox.add(_message(state, row, phone, data) for phone, data in people.items())
    return responses.json({"result": True})


@routes("GET", "viber/task")
def tasks(incoming: Incoming) -> Response:
    """Return a page of tasks, newest first."""
    limit, offset = Arguments.of(incoming).page()
    found = incoming.store.all("SELECT * FROM sendpulse_viber ORDER BY id DESC LIMIT ? OFFSET ?", limit, offset)
    return responses.json([_task(incoming.state, row) for row in found])


@routes("GET", "viber/task/{id}")
def task(incoming: Incoming) -> Response:
    """Return one task with its figures."""
    row = _find(incoming, incoming.params["id"])
    counts = outcomes.reached(incoming.state, [row["id"]])[row["id"]]
    figures = {
        "sent": counts.get("Sent", 0),
        "delivered": counts.get("Delivered", 0),
        "read": counts.get("Read", 0),
        "redirected": 0,
        "undelivered": counts.get("Not delivered", 0),
        "errors": 0,
    }
    return responses.json({**_task(incoming.state, row), "statistic": figures})


@routes("GET", "viber/task/{id}/recipients")
def recipients(incoming: Incoming) -> Response:
    """Return the phones of a task and their states, in words."""
    row = _find(incoming, incoming.params["id"])
    found = incoming.store.all(
        "SELECT id, recipient FROM outbox_messages WHERE service = 'sendpulse' AND broadcast_id = ? ORDER BY id",
        row["id"],
    )
    people = [
        {"phone": int(one["recipient"]), "status": incoming.state.outbox.status(one["id"]).lower() or "queued"}
        for one in found
    ]
    return responses.json({"task_id": row["id"], "recipients": people})


@routes("GET", "viber/senders")
def senders(incoming: Incoming) -> Response:
    """Return names that Viber messages may come from."""
    return responses.json([_SENDER])


@routes("GET", "viber/senders/{id}")
def sender(incoming: Incoming) -> Response:
    """Return one sender."""
    if whole(incoming.params["id"]) != _SENDER["id"]:
        raise not_found("Sender not found")
    return responses.json(_SENDER)


@routes("GET", "v2/viber-service/phone-exception")
def excluded(incoming: Incoming) -> Response:
    """Return a page of the phones that get no Viber messages."""
    limit, offset = Arguments.of(incoming).page()
    found = incoming.store.all(
        "SELECT * FROM sendpulse_viber_excluded ORDER BY at, phone LIMIT ? OFFSET ?", limit, offset
    )
    items = [
        {
            "phone": row["phone"],
            "description": row["description"],
            "created_at": datetimes.stamp(incoming.state, row["at"]),
        }
        for row in found
    ]
    total = incoming.store.value("SELECT count(*) FROM sendpulse_viber_excluded")
    return responses.json({"success": True, "data": {"items": items, "total": total}})


@routes("POST", "v2/viber-service/phone-exception")
def exclude(incoming: Incoming) -> Response:
    """Exclude phones from Viber messages."""
    given = Arguments.of(incoming)
    description = given.string("description")
    incoming.store.many(
        "INSERT OR IGNORE INTO sendpulse_viber_excluded VALUES (?, ?, ?)",
        [(phone, description, incoming.now) for phone in _phones(given)],
    )
    return responses.json({"success": True, "data": [True]})


@routes("DELETE", "v2/viber-service/phone-exception")
def include(incoming: Incoming) -> Response:
    """Include phones in Viber messages again."""
    phones = _phones(Arguments.of(incoming))
    incoming.store.many("DELETE FROM sendpulse_viber_excluded WHERE phone = ?", [(phone,) for phone in phones])
    return responses.json({"success": True, "data": [True]})


def _wanted(state: SandboxState, given: Arguments) -> tuple[str, int, float]:
    """Return the message, its kind, and when it is sent."""
    kind = given.whole("message_type")
    if kind not in KINDS:
        raise invalid("Argument message_type is invalid")
    given.whole("message_live_time", 0, *LIFE)
    given.whole("stretch_time", 0, 0, 5)
    if given.whole("sender_id") != _SENDER["id"]:
        raise not_found("Sender not found")
    message = given.string("message")
    if len(message) > LONGEST:
        raise invalid(f"Argument message may not be greater than {LONGEST} characters")
    return message, kind, begin(state, given.get("send_date"))


def _phones(given: Arguments) -> list[str]:
    said = given.structure("phones")
    if not isinstance(said, list) or not said:
        raise second_version("Argument phones is invalid")
    phones = [phone for phone in map(phone_of, said) if phone is not None]
    if len(phones) < len(said):
        raise second_version("Argument phones is invalid")
    return phones


def _find(incoming: Incoming, given: Any) -> Row:
    number = whole(given)
    row = None if number is None else incoming.store.one("SELECT * FROM sendpulse_viber WHERE id = ?", number)
    if row is None:
        raise not_found("Task not found")
    return row


def _people(incoming: Incoming, given: Arguments) -> dict[str, dict[str, Any]]:
    """Return the phones of the book or list that is given, but for the excluded, with their variables."""
    out = {row["phone"] for row in incoming.store.all("SELECT phone FROM sendpulse_viber_excluded")}
    people: dict[str, dict[str, Any]] = {}
    if given.has("address_book") and whole(given.get("address_book")) != 0:  # 0 is what clients send for none
        book = addressbooks.find(incoming.store, given.get("address_book"))["id"]
        for row in incoming.store.all(
            "SELECT phone, variables FROM sendpulse_contacts WHERE book_id = ? AND phone IS NOT NULL", book
        ):
            people[row["phone"]] = msgspec.json.decode(row["variables"])
    else:
        given.need("recipients")
        said = given.structure("recipients")
        phones = [phone_of(one) for one in said] if isinstance(said, list) else [None]
        people = {phone: {} for phone in phones if phone is not None}
        if len(people) < len(set(phones)):
            raise invalid("Argument recipients is invalid")
    people = {phone: data for phone, data in people.items() if phone not in out}
    if not people:
        raise invalid("Recipients not found", 11)
    return people


def _message(state: SandboxState, row: Row, phone: str, data: dict[str, Any]) -> Message:
    return Message(
        service="sendpulse",
        channel="viber",
        recipient=phone,
        sender=_SENDER["name"],
        text=row["message"],
        data=data,
        name=row["name"],
        broadcast_id=row["id"],
        steps=outcomes.phone(state, phone, row["starts"], "Read"),
    )


def _task(state: SandboxState, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "message": row["message"],
        "sender_name": _SENDER["name"],
        "send_date": datetimes.stamp(state, row["starts"]),
        "status": "send" if state.clock.now() >= row["starts"] else "moderation",
        "created": datetimes.stamp(state, row["created"]),
    }
