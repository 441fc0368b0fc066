"""SendPulse's address books (mailing lists): making, reading, renaming and deleting them, their variables and cost."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..store import Row, Store
from . import datetimes
from .arguments import Arguments, whole
from .campaign_lifecycle import ACTIVE, status
from .errors import invalid, not_found
from .settings import CURRENCY
from .status_codes import BOOK

SCHEMA = """
CREATE TABLE sendpulse_books (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, status INTEGER, created REAL);
CREATE TABLE sendpulse_variables (book_id INTEGER, name TEXT, type TEXT, PRIMARY KEY (book_id, name)) WITHOUT ROWID;
"""

_SELECT = """
SELECT b.*,
  count(c.email) AS emails, count(CASE WHEN c.status = 1 THEN c.email END) AS active,
  count(CASE WHEN c.phone_status = 0 THEN c.phone END) AS phones_new,
  count(CASE WHEN c.phone_status = 1 THEN c.phone END) AS phones_active,
  count(CASE WHEN c.phone_status = 2 THEN c.phone END) AS phones_excluded
FROM (SELECT * FROM sendpulse_books WHERE :id IS NULL OR id = :id ORDER BY id LIMIT :limit OFFSET :offset) b
LEFT JOIN sendpulse_contacts c ON c.book_id = b.id GROUP BY b.id ORDER BY b.id
"""

_FREE = 1_000_000
_PRICE = 0.0044

routes = Routes()


def find(store: Store, given: Any) -> Row:
    """Return a book by its id, given as a number or as its digits.

    :raises Refused: 404, there is none.
    """
    number = whole(given)
    row = None if number is None else store.one("SELECT * FROM sendpulse_books WHERE id = ?", number)
    if row is None:
        raise not_found("Book not found", 213)
    return row


@routes("POST", "addressbooks")
def create(incoming: Incoming) -> Response:
    """Create a book; its name is the only one of that name."""
    name = _name(incoming, "bookName")
    number = incoming.store.run(
        "INSERT INTO sendpulse_books (name, status, created) VALUES (?, 0, ?)", name, incoming.now
    )
    return responses.json({"id": number})


@routes("GET", "addressbooks")
def books(incoming: Incoming) -> Response:
    """Return a page of the books, oldest first."""
    limit, offset = Arguments.of(incoming).page()
    found = incoming.store.named(_SELECT, {"id": None, "limit": limit, "offset": offset})
    return responses.json([_book(incoming, row) for row in found])


@routes("GET", "addressbooks/{id}")
def book(incoming: Incoming) -> Response:
    """Return one book, in an array of one."""
    number = find(incoming.store, incoming.params["id"])["id"]
    found = incoming.store.named(_SELECT, {"id": number, "limit": 1, "offset": 0})
    return responses.json([_book(incoming, row) for row in found])


@routes("PUT", "addressbooks/{id}")
def rename(incoming: Incoming) -> Response:
    """Rename a book."""
    row = find(incoming.store, incoming.params["id"])
    name = _name(incoming, "name", row["id"])
    incoming.store.run("UPDATE sendpulse_books SET name = ? WHERE id = ?", name, row["id"])
    return responses.json({"result": True})


@routes("DELETE", "addressbooks/{id}")
def delete(incoming: Incoming) -> Response:
    """Delete a book with its contacts, unless a campaign is on its way to it."""
    number = find(incoming.store, incoming.params["id"])["id"]
    if any(status(incoming.state, campaign) in ACTIVE for campaign in _campaigns(incoming, number)):
        raise invalid("The address book has active campaign")
    incoming.store.run("DELETE FROM sendpulse_contacts WHERE book_id = ?", number)
    incoming.store.run("DELETE FROM sendpulse_variables WHERE book_id = ?", number)
    incoming.store.run("DELETE FROM sendpulse_verifications WHERE book_id = ?", number)
    incoming.store.run("DELETE FROM sendpulse_books WHERE id = ?", number)
    return responses.json({"result": True})


@routes("GET", "addressbooks/{id}/variables")
def variables(incoming: Incoming) -> Response:
    """Return the variables that contacts of a book have had."""
    number = find(incoming.store, incoming.params["id"])["id"]
    found = incoming.store.all("SELECT name, type FROM sendpulse_variables WHERE book_id = ? ORDER BY name", number)
    return responses.json([dict(row) for row in found])


@routes("GET", "addressbooks/{id}/cost")
def cost(incoming: Incoming) -> Response:
    """Return what a campaign to a book would cost beyond the plan."""
    number = find(incoming.store, incoming.params["id"])["id"]
    emails = incoming.store.value(
        "SELECT count(*) FROM sendpulse_contacts WHERE book_id = ? AND email IS NOT NULL AND status IN (0, 1)", number
    )
    if not emails:
        raise invalid("Addressbook is empty", 211)
    free = int(incoming.state.settings["sendpulse.campaigns_free"])
    excess = max(0, emails - free)
    return responses.json(
        {
            "cur": CURRENCY,
            "sent_emails_qty": emails,
            "overdraftAllEmailsPrice": round(excess * _PRICE, 4),
            "addressesDeltaFromBalance": excess,
            "addressesDeltaFromTariff": emails - excess,
            "max_emails_per_task": _FREE,
            "result": True,
        }
    )


@routes("GET", "addressbooks/{id}/campaigns")
def campaigns(incoming: Incoming) -> Response:
    """Return a page of the campaigns to a book, newest first."""
    number = find(incoming.store, incoming.params["id"])["id"]
    limit, offset = Arguments.of(incoming).page()
    found = _campaigns(incoming, number, limit, offset)
    return responses.json(
        [{"task_id": row["id"], "task_name": row["name"], "task_status": status(incoming.state, row)} for row in found]
    )


def _campaigns(incoming: Incoming, number: int, limit: int = -1, offset: int = 0) -> list[Row]:
    return incoming.store.all(
        "SELECT * FROM sendpulse_campaigns c WHERE EXISTS (SELECT 1 FROM json_each(c.lists) WHERE value = ?) "
        "ORDER BY id DESC LIMIT ? OFFSET ?",
        number,
        limit,
        offset,
    )


def _name(incoming: Incoming, argument: str, own: int = 0) -> str:
    """Return a name for a book that no other book has."""
    given = Arguments.of(incoming)
    given.need(argument)
    name = given.string(argument)
    if incoming.store.value("SELECT 1 FROM sendpulse_books WHERE name = ? AND id <> ?", name, own):
        raise invalid("Name already in use", 203)
    return name


def _book(incoming: Incoming, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "all_email_qty": row["emails"],
        "active_email_qty": row["active"],
        "inactive_email_qty": row["emails"] - row["active"],
        "new_phones_quantity": row["phones_new"],
        "active_phones_quantity": row["phones_active"],
        "exc_phones_quantity": row["phones_excluded"],
        "creationdate": datetimes.stamp(incoming.state, row["created"]),
        "status": row["status"],
        "status_explain": BOOK[row["status"]],
    }
