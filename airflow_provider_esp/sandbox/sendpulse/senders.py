"""Senders: addresses that mail may come from, and their activation by a code that is mailed to them."""

from __future__ import annotations

import secrets

from starlette.responses import Response

from .. import responses
from ..outbox import Message
from ..routing import Incoming, Routes
from ..store import Row, Store
from . import outcomes
from .arguments import Arguments, is_email
from .errors import invalid, not_found

SCHEMA = """
CREATE TABLE sendpulse_senders (
  email TEXT PRIMARY KEY COLLATE NOCASE, name TEXT, active INTEGER, code TEXT, code_sent REAL);
"""

COOLDOWN = 15 * 60
"""Seconds between two mails with a code to the same sender."""

_FREE_MAIL = frozenset({"gmail.com", "googlemail.com", "yahoo.com", "outlook.com", "hotmail.com", "icloud.com"})

routes = Routes()


def is_active(store: Store, email: str) -> bool:
    """Check whether mail may be sent from an address."""
    return store.value("SELECT 1 FROM sendpulse_senders WHERE email = ? AND active", email) is not None


@routes("GET", "senders")
def senders(incoming: Incoming) -> Response:
    """Return all senders."""
    found = incoming.store.all("SELECT * FROM sendpulse_senders ORDER BY rowid")
    return responses.json(
        [
            {
                "email": row["email"],
                "name": row["name"],
                "status": "Active" if row["active"] else "Requested activation",
                "is_allowed_for_smtp": bool(row["active"]),
            }
            for row in found
        ]
    )


@routes("POST", "senders")
def add(incoming: Incoming) -> Response:
    """Register a sender and mail it its code."""
    given = Arguments.of(incoming)
    given.need("email")
    email = given.string("email", "is invalid")
    if not is_email(email):
        raise invalid("Argument email is invalid")
    given.need("name")
    name = given.string("name", "is invalid")
    if email.rpartition("@")[2].lower() in _FREE_MAIL:
        raise invalid("Addresses of free mail services are not allowed", 97)
    if _row(incoming.store, email):
        raise invalid("Email already in use", 902)
    if incoming.store.value("SELECT 1 FROM sendpulse_blacklist WHERE email = ?", email):
        raise invalid("This email in blacklist", 904)
    incoming.store.run("INSERT INTO sendpulse_senders VALUES (?, ?, 0, '', 0)", email, name)
    _mail_code(incoming, email)
    return responses.json({"result": True})


@routes("DELETE", "senders")
def delete(incoming: Incoming) -> Response:
    """Remove a sender."""
    given = Arguments.of(incoming)
    given.need("email")
    email = given.string("email", "is invalid")
    if not incoming.store.change("DELETE FROM sendpulse_senders WHERE email = ?", email):
        raise not_found("Sender not found", 1003)
    return responses.json({"result": True})


@routes("GET", "senders/{email}/code")
def code(incoming: Incoming) -> Response:
    """Mail a sender its code again, at most every fifteen minutes."""
    row = _waiting(incoming)
    if incoming.now < row["code_sent"] + COOLDOWN:
        raise invalid("The code was sent less than 15 minutes ago", 1004)
    _mail_code(incoming, row["email"])
    return responses.json({"result": True, "email": row["email"]})


@routes("POST", "senders/{email}/code")
def activate(incoming: Incoming) -> Response:
    """Activate a sender with its code."""
    row = _waiting(incoming)
    given = Arguments.of(incoming)
    given.need("code")
    if str(given.get("code")) != row["code"]:
        raise invalid("Argument code is invalid", 1005)
    incoming.store.run("UPDATE sendpulse_senders SET active = 1, code = '' WHERE email = ?", row["email"])
    return responses.json({"result": True, "email": row["email"]})


def _row(store: Store, email: str) -> Row | None:
    return store.one("SELECT * FROM sendpulse_senders WHERE email = ?", email)


def _waiting(incoming: Incoming) -> Row:
    """Return the sender that the path names, which is to be activated yet."""
    row = _row(incoming.store, incoming.params["email"])
    if row is None:
        raise not_found("Sender not found", 1003)
    if row["active"]:
        raise invalid("No sender is waiting for activation", 21)
    return row


def _mail_code(incoming: Incoming, email: str) -> None:
    made = f"{secrets.randbelow(10**6):06}"
    incoming.store.run(
        "UPDATE sendpulse_senders SET code = ?, code_sent = ? WHERE email = ?", made, incoming.now, email
    )
    message = Message(
        service="sendpulse",
        channel="email",
        recipient=email,
        subject="Confirm your sender address",
        text="Your activation code: {{code}}",
        data={"code": made},
        name="sender activation",
        steps=outcomes.email(incoming.state, email, incoming.now),
    )
    incoming.state.outbox.add([message])
