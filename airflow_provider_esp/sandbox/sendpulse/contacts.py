"""Contacts of one book: reading them, changing their variables and phones, unsubscribing and deleting them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..store import Row
from . import addressbooks, contact_store, datetimes
from .arguments import Arguments, is_email, phone_of
from .errors import invalid, not_found
from .status_codes import CONTACT

AT_ONCE = 100
"""The most addresses in one request that unsubscribes or deletes them."""

# The flags are null where not asked for: all contacts, only active ones, only the others.
_SELECT = """
SELECT * FROM sendpulse_contacts WHERE book_id = :book AND email IS NOT NULL
AND (:active IS NULL OR (status = 1) = :active) AND (:idle IS NULL OR (status <> 1) = :idle)
"""
_PAGES = {
    "asc": _SELECT + " ORDER BY id ASC LIMIT :limit OFFSET :offset",
    "desc": _SELECT + " ORDER BY id DESC LIMIT :limit OFFSET :offset",
}

routes = Routes()


@routes("GET", "addressbooks/{id}/emails")
def emails(incoming: Incoming) -> Response:
    """Return a page of a book's addresses, in the order they were added."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    given = Arguments.of(incoming)
    limit, offset = given.page()
    order = given.string("order", default="asc")
    if order not in _PAGES:
        raise invalid("Argument order is invalid")
    values = {
        "book": number,
        "active": given.flag("active", "is invalid"),
        "idle": given.flag("not_active", "is invalid"),
        "limit": limit,
        "offset": offset,
    }
    return responses.json([_listed(incoming, row) for row in incoming.store.named(_PAGES[order], values)])


@routes("GET", "addressbooks/{id}/emails/total")
def total(incoming: Incoming) -> Response:
    """Return how many addresses a book has; with ``active``, how many active ones (or others)."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    active = Arguments.of(incoming).flag("active", "is invalid")
    count = incoming.store.value(
        "SELECT count(*) FROM sendpulse_contacts WHERE book_id = ? AND email IS NOT NULL "
        "AND (? IS NULL OR (status = 1) = ?)",
        number,
        active,
        active,
    )
    return responses.json({"total": count})


@routes("GET", "addressbooks/{id}/emails/{email}")
def email(incoming: Incoming) -> Response:
    """Return one address of a book."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    row = contact_store.of_email(incoming.store, number, incoming.params["email"])
    if row is None:
        raise not_found("Email address not found", 502)
    return responses.json(
        {
            "email": row["email"],
            "abook_id": str(number),
            "phone": row["phone"] or "",
            "status": row["status"],
            "status_explain": CONTACT[row["status"]],
            "variables": contact_store.listed(incoming.store, row, as_texts=True),
        }
    )


@routes("GET", "addressbooks/{id}/variables/{name}/{value}")
def by_variable(incoming: Incoming) -> Response:
    """Return the addresses of a book whose variable has a value."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    name, value = incoming.params["name"], incoming.params["value"]
    if not re.fullmatch(r"[\w .-]{1,255}", name):
        raise invalid("Variable name is invalid")
    if name.lower() == "phone":
        return responses.json([_summary(row) for row in contact_store.of_phone(incoming.store, number, value)])
    kind = incoming.store.value("SELECT type FROM sendpulse_variables WHERE book_id = ? AND name = ?", number, name)
    if kind is None:
        raise not_found("Variable not found", 299)
    if kind == "date" and contact_store.kind(value) != "date":
        raise invalid("Variable value wrong format")
    found = incoming.store.all(
        "SELECT c.* FROM sendpulse_contacts c, json_each(c.variables) v "
        "WHERE c.book_id = ? AND c.email IS NOT NULL AND v.key = ? AND CAST(v.value AS TEXT) = ? ORDER BY c.id",
        number,
        name,
        value,
    )
    return responses.json([_summary(row) for row in found])


@routes("POST", "addressbooks/{id}/emails/variable")
def change_variables(incoming: Incoming) -> Response:
    """Set variables of one address."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    given = Arguments.of(incoming)
    given.need("email")
    if not is_email(given.get("email")):
        raise invalid("Argument email is invalid")
    given.need("variables")
    variables = given.structure("variables")
    if not isinstance(variables, list):
        raise invalid("Argument variables is invalid")
    row = contact_store.of_email(incoming.store, number, given.string("email"))
    if row is None:
        raise invalid("Email address not found", 502)
    contact_store.set_variables(incoming.store, row, contact_store.plain(variables, "Argument variables is invalid"))
    return responses.json({"result": True})


@routes("PUT", "addressbooks/{id}/phone")
def change_phone(incoming: Incoming) -> Response:
    """Set the phone of one address."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    given = Arguments.of(incoming)
    phone = phone_of(given.get("phone"))
    if phone is None:
        raise invalid("Phone is not valid")
    address = given.get("email")
    row = contact_store.of_email(incoming.store, number, address) if is_email(address) else None
    if row is None:
        raise invalid("Email is not valid", 17)
    contact_store.set_phone(incoming.store, row, phone)
    return responses.json({"result": True})


@routes("POST", "addressbooks/{id}/emails/unsubscribe")
def unsubscribe(incoming: Incoming) -> Response:
    """Unsubscribe addresses from a book."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    given = Arguments.of(incoming)
    given.need("emails")
    addresses = _strings(given)
    if len(addresses) > AT_ONCE:
        raise invalid(f"Argument emails may not have more than {AT_ONCE} items")
    changed = incoming.store.change(
        "UPDATE sendpulse_contacts SET status = 4, due = NULL WHERE book_id = ? AND status IN (0, 1) "
        "AND email IN (SELECT value FROM json_each(?))",
        number,
        msgspec.json.encode(addresses).decode(),
    )
    if not changed:
        raise invalid("Active emails not found")
    return responses.json({"result": True})


@routes("DELETE", "addressbooks/{id}/emails")
def delete(incoming: Incoming) -> Response:
    """Delete addresses from a book."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    given = Arguments.of(incoming)
    addresses = _strings(given) if given.has("emails") else []
    if len(addresses) > AT_ONCE:
        raise invalid(f"Limit is exceeded. Max count: {AT_ONCE}")
    deleted = incoming.store.change(
        "DELETE FROM sendpulse_contacts WHERE book_id = ? AND email IN (SELECT value FROM json_each(?))",
        number,
        msgspec.json.encode(addresses).decode(),
    )
    if not deleted:
        raise invalid("No emails", 303)
    return responses.json({"result": True})


def _strings(given: Arguments) -> list[str]:
    values = given.structure("emails")
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise invalid("Argument emails is invalid")
    return values


def _summary(row: Row) -> dict[str, Any]:
    return {"email": row["email"], "status": row["status"], "status_explain": CONTACT[row["status"]]}


def _listed(incoming: Incoming, row: Row) -> dict[str, Any]:
    return {
        **_summary(row),
        # A number where there is a phone, and nothing where there is none, as was recorded.
        **({"phone": int(row["phone"])} if row["phone"] else {}),
        "add_date": datetimes.stamp(incoming.state, row["added"]),
        # PHP writes an empty object as an empty array.
        "variables": contact_store.read(row) or [],
    }
