"""Addresses that get no campaigns: `/blacklist`, with the addresses in Base64."""

from __future__ import annotations

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from .arguments import Arguments, is_email
from .errors import invalid
from .templates import from_base64

SCHEMA = "CREATE TABLE sendpulse_blacklist (email TEXT PRIMARY KEY COLLATE NOCASE, comment TEXT, at REAL);"

routes = Routes()


@routes("GET", "blacklist")
def blacklist(incoming: Incoming) -> Response:
    """Return all addresses."""
    return responses.json([row["email"] for row in incoming.store.all("SELECT email FROM sendpulse_blacklist")])


@routes("POST", "blacklist")
def add(incoming: Incoming) -> Response:
    """Add addresses."""
    given = Arguments.of(incoming)
    comment = given.string("comment")
    incoming.store.many(
        "INSERT OR REPLACE INTO sendpulse_blacklist VALUES (?, ?, ?)",
        [(email, comment, incoming.now) for email in _addresses(given)],
    )
    return responses.json({"result": True})


@routes("DELETE", "blacklist")
def remove(incoming: Incoming) -> Response:
    """Remove addresses."""
    emails = _addresses(Arguments.of(incoming))
    incoming.store.many("DELETE FROM sendpulse_blacklist WHERE email = ?", [(email,) for email in emails])
    return responses.json({"result": True})


def _addresses(given: Arguments) -> list[str]:
    given.need("emails")
    said = given.get("emails")
    text = from_base64(said) if isinstance(said, str) else None
    if text is None:
        raise invalid("Argument emails is invalid")
    emails = [part.strip() for part in text.split(",")]
    if not all(map(is_email, emails)):
        raise invalid("Argument emails is invalid")
    return emails
