"""The verifier: whether the addresses of a book, or single ones, exist; it takes a while, as the vendor's does.

An address whose mail would bounce is invalid, one whose mail is never delivered is unconfirmed, others are valid.
Until its turn comes an address is unverified.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..state import SandboxState
from ..store import Row
from . import addressbooks, datetimes, outcomes
from .arguments import Arguments, is_email, whole
from .errors import invalid, not_found

SCHEMA = """
CREATE TABLE sendpulse_verifications (
  book_id INTEGER PRIMARY KEY, total INTEGER, started REAL, ends REAL, reported INTEGER, statuses TEXT);
CREATE TABLE sendpulse_verified_emails (email TEXT PRIMARY KEY COLLATE NOCASE, started REAL, ends REAL);
"""

MOST = 1000
"""The most rows handed out at once."""

_TEXTS = {0: "Unverified", 1: "Valid", 2: "Unconfirmed", 3: "Invalid"}
_COLOURS = {0: "In progress", 1: "Green", 2: "Yellow", 3: "Red"}
_CODE = {"bounced": 3, "stuck": 2}

routes = Routes()


@routes("POST", "verifier-service/send-list-to-verify")
def verify_list(incoming: Incoming) -> Response:
    """Start to verify a book; one that a campaign has used, is under way or has nothing new is refused."""
    given = Arguments.of(incoming)
    given.need("id")
    book = addressbooks.find(incoming.store, given.get("id"))["id"]
    emails = _emails(incoming, book, incoming.now)
    if not emails:
        raise invalid("Addressbook is empty", 211)
    if incoming.store.value(
        "SELECT 1 FROM sendpulse_campaigns c, json_each(c.lists) l WHERE l.value = ? LIMIT 1", book
    ):
        raise invalid("The address book was used in a campaign")
    row = _row(incoming, book)
    if row is not None and row["ends"] > incoming.now:
        raise invalid("The address book is being verified")
    if row is not None and len(emails) == row["total"]:
        raise invalid("The address book has no new addresses")
    incoming.store.run(
        "INSERT OR REPLACE INTO sendpulse_verifications VALUES (?, ?, ?, ?, 0, '')",
        book,
        len(emails),
        incoming.now,
        incoming.now + incoming.state.settings["sendpulse.verify_seconds"],
    )
    return responses.json({"result": True})


@routes("GET", "verifier-service/get-progress")
def progress(incoming: Incoming) -> Response:
    """Return how many addresses of a book have been looked at."""
    row = _known(incoming)
    return responses.json({"result": True, "data": {"total": row["total"], "processed": _processed(incoming, row)}})


@routes("GET", "verifier-service/check")
def result(incoming: Incoming) -> Response:
    """Return what a book was found to be, with a page of its addresses."""
    row = _known(incoming)
    return responses.json(_result(incoming, row, _addresses(incoming, row)))


@routes("GET", "verifier-service/check-list")
def verified(incoming: Incoming) -> Response:
    """Return a page of the books that were verified, or are being."""
    start, count = _page(Arguments.of(incoming))
    rows = incoming.store.all("SELECT * FROM sendpulse_verifications ORDER BY started DESC, book_id DESC")
    found = [{**_summary(incoming, row), "is_garbage_in_book": False} for row in rows[start : start + count]]
    return responses.json({"total": len(rows), "list": found})


@routes("POST", "verifier-service/send-single-to-verify")
def verify_email(incoming: Incoming) -> Response:
    """Start to verify one address."""
    email = _email(incoming)
    ends = incoming.now + incoming.state.settings["sendpulse.verify_seconds"]
    incoming.store.run("INSERT OR REPLACE INTO sendpulse_verified_emails VALUES (?, ?, ?)", email, incoming.now, ends)
    return responses.json({"result": True})


@routes("GET", "verifier-service/get-single-result")
def email_result(incoming: Incoming) -> Response:
    """Return what one address was found to be."""
    email = _email(incoming)
    row = incoming.store.one("SELECT * FROM sendpulse_verified_emails WHERE email = ?", email)
    if row is None:
        raise not_found("Email result not found")
    status = _status(incoming.state, email) if row["ends"] <= incoming.now else 0
    checks = {"status": status, "valid_format": 1, "disposable": 0, "webmail": 0, "gibberish": 0}
    return responses.json(
        {"result": True, "data": {"email": row["email"], "checks": {**checks, "status_text": _TEXTS[status]}}}
    )


def forget_email(incoming: Incoming) -> Response:
    """Delete the result of one address; clients ask this with GET."""
    if not incoming.store.change("DELETE FROM sendpulse_verified_emails WHERE email = ?", _email(incoming)):
        raise not_found("Email result not found")
    return responses.json({"result": True})


for _verb in ("GET", "DELETE"):
    routes(_verb, "verifier-service/delete-single-result")(forget_email)


@routes("POST", "verifier-service/make-report")
def make_report(incoming: Incoming) -> Response:
    """Create a report of a verified book, of all addresses or of some statuses: ``[1,3]``, also as a text."""
    row, given = _known(incoming), Arguments.of(incoming)
    wanted = given.structure("status")
    statuses = [] if wanted in (None, "") else wanted
    if not isinstance(statuses, list) or any(whole(one) not in _TEXTS for one in statuses):
        raise invalid("Argument status is invalid")
    incoming.store.run(
        "UPDATE sendpulse_verifications SET reported = 1, statuses = ? WHERE book_id = ?",
        ",".join(str(whole(one)) for one in statuses),
        row["book_id"],
    )
    return responses.json({"result": True})


@routes("GET", "verifier-service/check-report")
def report(incoming: Incoming) -> Response:
    """Return the report that was made of a book, with all its addresses."""
    row = _known(incoming)
    if not row["reported"]:
        raise not_found("Report not found")
    statuses = {int(one) for one in row["statuses"].split(",") if one}
    rows = [one for one in _addresses(incoming, row) if not statuses or one["status"] in statuses]
    return responses.json({**_summary(incoming, row), "email_addresses": rows, "email_addresses_total": len(rows)})


def _result(incoming: Incoming, row: Row, rows: list[dict[str, Any]]) -> dict[str, Any]:
    start, count = _page(Arguments.of(incoming))
    shown = rows[start : start + count]
    return {**_summary(incoming, row), "email_addresses": shown, "email_addresses_total": len(rows)}


def _summary(incoming: Incoming, row: Row) -> dict[str, Any]:
    book = addressbooks.find(incoming.store, row["book_id"])
    rows = _addresses(incoming, row)
    done = row["ends"] <= incoming.now
    counts = {str(code): sum(one["status"] == code for one in rows) for code in _TEXTS}
    bad = counts["3"] / len(rows) if rows else 0
    status = 0 if not done else 3 if bad > 0.1 else 2 if bad else 1
    return {
        "id": row["book_id"],
        "address_book_name": book["name"],
        "all_emails_quantity": len(rows),
        "status": status,
        "check_date": datetimes.stamp(incoming.state, row["ends"] if done else row["started"]),
        "data": counts if done else {},
        "is_updated": int(len(_emails(incoming, row["book_id"], incoming.now)) > row["total"]),
        "status_text": _COLOURS[status],
    }


def _addresses(incoming: Incoming, row: Row) -> list[dict[str, Any]]:
    """Return the book's addresses when the verification began; those that have had their turn with a status."""
    turns, found = _processed(incoming, row), []
    for position, one in enumerate(_emails(incoming, row["book_id"], row["started"])):
        status = _status(incoming.state, one["email"]) if position < turns else 0
        found.append(
            {
                "id": one["id"],
                "email_address": one["email"],
                "check_date": datetimes.stamp(incoming.state, row["ends"]),
                "status": status,
                "status_text": _TEXTS[status],
            }
        )
    return found


def _emails(incoming: Incoming, book: int, until: float) -> list[Row]:
    return incoming.store.all(
        "SELECT id, email FROM sendpulse_contacts WHERE book_id = ? AND email IS NOT NULL AND added <= ? ORDER BY id",
        book,
        until,
    )


def _processed(incoming: Incoming, row: Row) -> int:
    if row["ends"] <= incoming.now:
        return int(row["total"])
    return int(row["total"] * (incoming.now - row["started"]) / (row["ends"] - row["started"]))


def _status(state: SandboxState, email: str) -> int:
    return _CODE.get(outcomes.fate(state, email), 1)


def _row(incoming: Incoming, book: int) -> Row | None:
    return incoming.store.one("SELECT * FROM sendpulse_verifications WHERE book_id = ?", book)


def _known(incoming: Incoming) -> Row:
    given = Arguments.of(incoming)
    given.need("id")
    row = _row(incoming, addressbooks.find(incoming.store, given.get("id"))["id"])
    if row is None:
        raise not_found("The address book was not verified")
    return row


def _email(incoming: Incoming) -> str:
    given = Arguments.of(incoming)
    given.need("email")
    email = given.get("email")
    if not is_email(email):
        raise invalid("Argument email is invalid")
    return str(email)


def _page(given: Arguments) -> tuple[int, int]:
    return given.whole("start", 0, 0), given.whole("count", 10, 1, MOST)
