"""Addresses that get no transactional mail: `/smtp/unsubscribe` and `/smtp/resubscribe`."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..outbox import Message
from ..responses import Refused
from ..routing import Incoming, Routes
from ..state import SandboxState
from . import datetimes, outcomes
from .arguments import Arguments, body, is_email
from .errors import badly_formed, invalid
from .senders import is_active
from .templates import LANGUAGES

SCHEMA = """
CREATE TABLE sendpulse_smtp_unsubscribed (
  email TEXT PRIMARY KEY COLLATE NOCASE, by_link INTEGER, by_user INTEGER, complaint INTEGER, comment TEXT, at REAL);
CREATE TABLE sendpulse_smtp_returns (email TEXT COLLATE NOCASE, at REAL);
"""

routes = Routes()


@routes("POST", "smtp/unsubscribe")
def add(incoming: Incoming) -> Response:
    """Stop transactional mail to addresses: a list of ``{"email", "comment"}``, bare or under ``emails``."""
    incoming.store.many(
        "INSERT OR REPLACE INTO sendpulse_smtp_unsubscribed VALUES (?, 0, 1, 0, ?, ?)",
        [(email, comment, incoming.now) for email, comment in _people(incoming)],
    )
    return responses.json({"result": True})


@routes("DELETE", "smtp/unsubscribe")
def remove(incoming: Incoming) -> Response:
    """Allow transactional mail again: a list of addresses, bare or under ``emails``."""
    addresses = [email for email, _ in _people(incoming)]
    incoming.store.run(
        "DELETE FROM sendpulse_smtp_unsubscribed WHERE email IN (SELECT value FROM json_each(?))",
        msgspec.json.encode(addresses).decode(),
    )
    return responses.json({"result": True})


@routes("GET", "smtp/unsubscribe")
def unsubscribed(incoming: Incoming) -> Response:
    """Return a page of the addresses that get no transactional mail."""
    given = Arguments.of(incoming)
    limit, offset = given.loose_page()
    day = datetimes.day(incoming.state, given.get("date"))
    begin, end = day or (0.0, incoming.now + 1)
    found = incoming.store.all(
        "SELECT * FROM sendpulse_smtp_unsubscribed WHERE at >= ? AND at < ? ORDER BY at, email LIMIT ? OFFSET ?",
        begin,
        end,
        limit,
        offset,
    )
    return responses.json(
        [
            {
                "email": row["email"],
                "unsubscribe_by_link": row["by_link"],
                "unsubscribe_by_user": row["by_user"],
                "spam_complaint": row["complaint"],
                "date": datetimes.stamp(incoming.state, row["at"]),
            }
            for row in found
        ]
    )


@routes("GET", "smtp/unsubscribe/search")
def search(incoming: Incoming) -> Response:
    """Return whether an address gets no transactional mail."""
    email = Arguments.of(incoming).get("email")
    if not email:
        raise invalid("Empty email parameter")
    if not is_email(email):
        raise invalid("Wrong email parameter")
    return responses.json({"result": _is_in(incoming, email)})


@routes("POST", "smtp/resubscribe")
def resubscribe(incoming: Incoming) -> Response:
    """Mail an address a request to come back; who reads mail, does so after reading it."""
    state = incoming.state
    given = Arguments.of(incoming)
    given.need("email")
    email = given.get("email")
    if not is_email(email):
        raise invalid("Argument email is invalid")
    given.need("sender")
    sender = given.string("sender")
    if given.string("lang", default="en") not in LANGUAGES:
        raise invalid("Argument lang must be string")
    if not is_active(incoming.store, sender):
        raise invalid("Smtp user not found", 503)
    if not _is_in(incoming, email):
        raise invalid("Blocked email not found")
    if state.limits.admit(("sendpulse.resubscribe",), incoming.account) is not None:
        raise invalid("No more than 5 are allowed per day")
    message = Message(
        service="sendpulse",
        channel="email",
        recipient=email,
        sender=sender,
        subject="Subscribe again",
        text="Please confirm that you want our messages again.",
        name="resubscribe",
        steps=outcomes.email(state, email, incoming.now),
    )
    number = state.outbox.add([message])[0]
    if outcomes.reads(state, email):
        due = incoming.now + 3 * state.settings["delivery_seconds"]
        incoming.store.run("INSERT INTO sendpulse_smtp_returns VALUES (?, ?)", email, due)
    return responses.json({"result": True, "id": str(number)})


def settle(state: SandboxState) -> None:
    """Resubscribe the addresses that were asked to come back and have read the request."""
    now = state.clock.now()
    if state.store.value("SELECT 1 FROM sendpulse_smtp_returns WHERE at <= ?", now):
        state.store.run(
            "DELETE FROM sendpulse_smtp_unsubscribed WHERE email IN "
            "(SELECT email FROM sendpulse_smtp_returns WHERE at <= ?)",
            now,
        )
        state.store.run("DELETE FROM sendpulse_smtp_returns WHERE at <= ?", now)


def _is_in(incoming: Incoming, email: str) -> bool:
    found = incoming.store.value("SELECT 1 FROM sendpulse_smtp_unsubscribed WHERE email = ?", email)
    return found is not None


def _people(incoming: Incoming) -> list[tuple[str, str]]:
    """Return addresses and comments, in any of the shapes that clients send."""
    said = body(incoming)
    if isinstance(said, dict):
        said = Arguments(said, incoming.state.settings["sendpulse.json_strings"]).structure("emails")
    if not said:
        raise Refused(400, "Empty emails", 14)
    if not isinstance(said, list):
        raise badly_formed()
    return [_person(item) for item in said]


def _person(item: Any) -> tuple[str, str]:
    given = {"email": item} if isinstance(item, str) else item
    if not isinstance(given, dict) or not is_email(given.get("email")):
        raise invalid("Argument email is invalid")
    return given["email"], str(given.get("comment") or "")
