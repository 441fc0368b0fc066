"""Contacts across all books: `/emails/…`."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..store import Row
from . import contact_store, datetimes
from .arguments import Arguments, body
from .errors import invalid, not_found
from .status_codes import CONTACT

routes = Routes()


@routes("GET", "emails/{email}")
def contact(incoming: Incoming) -> Response:
    """Return one address in every book it is in."""
    rows = _rows(incoming, incoming.params["email"])
    return responses.json(
        [
            {
                "book_id": row["book_id"],
                "email": row["email"],
                "status": row["status"],
                "status_explain": CONTACT[row["status"]],
                "variables": contact_store.listed(incoming.store, row),
            }
            for row in rows
        ]
    )


@routes("GET", "emails/{email}/details")
def details(incoming: Incoming) -> Response:
    """Return when and from where an address came into every book."""
    rows = _rows(incoming, incoming.params["email"])
    return responses.json(
        [
            {
                "list_name": row["book_name"],
                "list_id": row["book_id"],
                "add_date": datetimes.stamp(incoming.state, row["added"]),
                "source": row["source"],
            }
            for row in rows
        ]
    )


@routes("POST", "emails")
def contacts(incoming: Incoming) -> Response:
    """Return several addresses in every book they are in; those that are in none are left out."""
    found = {
        email: [
            {
                "book_id": row["book_id"],
                "status": row["status"],
                "variables": contact_store.listed(incoming.store, row),
            }
            for row in _found(incoming, email)
        ]
        for email in _emails(incoming)
    }
    return responses.json({email: rows for email, rows in found.items() if rows} or [])


@routes("GET", "emails/{email}/campaigns")
def statistics(incoming: Incoming) -> Response:
    """Return the results of campaigns at one address."""
    email = incoming.params["email"]
    rows = _rows(incoming, email)
    return responses.json(
        {
            "statistic": _statistic(incoming, email),
            "blacklist": _is_blacklisted(incoming, email),
            "addressbooks": [{"id": row["book_id"], "address_book_name": row["book_name"]} for row in rows],
        }
    )


@routes("POST", "emails/campaigns")
def statistics_of_many(incoming: Incoming) -> Response:
    """Return the results of campaigns at several addresses; the vendor misspells ``adressbooks`` here."""
    found = {
        email: {
            **_statistic(incoming, email),
            "adressbooks": [{"id": row["book_id"], "name": row["book_name"]} for row in rows],
            "blacklist": _is_blacklisted(incoming, email),
        }
        for email in _emails(incoming)
        if (rows := _found(incoming, email))
    }
    return responses.json(found or [])


@routes("DELETE", "emails/{email}")
def delete(incoming: Incoming) -> Response:
    """Delete an address from all books."""
    for row in _rows(incoming, incoming.params["email"]):
        incoming.store.run("DELETE FROM sendpulse_contacts WHERE id = ?", row["id"])
    return responses.json({"result": True})


def _found(incoming: Incoming, email: str) -> list[Row]:
    return incoming.store.all(
        "SELECT c.*, b.name AS book_name FROM sendpulse_contacts c JOIN sendpulse_books b ON b.id = c.book_id "
        "WHERE c.email = ? ORDER BY c.id",
        email,
    )


def _rows(incoming: Incoming, email: str) -> list[Row]:
    rows = _found(incoming, email)
    if not rows:
        raise not_found("Can't find the email address", 17)
    return rows


def _emails(incoming: Incoming) -> list[str]:
    emails = body(incoming)
    if not isinstance(emails, list):
        given = Arguments.of(incoming)
        given.need("emails")
        emails = given.structure("emails")
    if not isinstance(emails, list) or not all(isinstance(email, str) for email in emails):
        raise invalid("Argument emails is invalid")
    return emails


def _statistic(incoming: Incoming, email: str) -> dict[str, Any]:
    """Return how many campaigns' messages were sent to an address, opened and followed."""
    counts = {
        row["status"]: row["messages"]
        for row in incoming.store.all(
            "SELECT s.status, count(*) AS messages FROM outbox_messages m JOIN outbox_steps s ON s.message_id = m.id "
            "WHERE m.service = 'sendpulse' AND m.recipient = ? AND m.broadcast_id IS NOT NULL AND s.at <= ? "
            "GROUP BY s.status",
            email,
            incoming.now,
        )
    }
    return {
        "sent": counts.get("Sent", 0),
        "open": counts.get("Opened", 0),
        "link": counts.get("Link redirected", 0),
    }


def _is_blacklisted(incoming: Incoming, email: str) -> bool:
    return incoming.store.value("SELECT 1 FROM sendpulse_blacklist WHERE email = ?", email) is not None
