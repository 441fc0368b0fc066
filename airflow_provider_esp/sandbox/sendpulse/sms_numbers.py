"""Phones in address books and the list of phones that get no SMS: `/sms/numbers` and `/sms/black_list`."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from . import addressbooks, contact_store, datetimes
from .arguments import Arguments, phone_of
from .errors import broken, invalid, not_found

SCHEMA = "CREATE TABLE sendpulse_sms_blacklist (phone TEXT PRIMARY KEY, description TEXT, at REAL);"

routes = Routes()


def wrapped(incoming: Incoming, value: dict[str, Any]) -> Response:
    """Return an answer as it is, or in an array of one, which is how the vendor's documents show some of them."""
    return responses.json([value] if incoming.state.settings["sendpulse.sms_in_array"] else value)


def phones_of(given: Arguments) -> tuple[list[str], int]:
    """Return the argument ``phones``: numbers as digits, each once, and how many were none.

    :raises Refused: 422, it is missing or no list.
    """
    given.need("phones")
    said = given.structure("phones")
    if not isinstance(said, list):
        raise invalid("Argument phones must be array")
    numbers = [phone_of(one) for one in said]
    found = list(dict.fromkeys(number for number in numbers if number is not None))
    return found, sum(number is None for number in numbers)


@routes("POST", "sms/numbers")
def add(incoming: Incoming) -> Response:
    """Add phones to a book."""
    given = Arguments.of(incoming)
    number = _book(incoming, given)
    phones, wrong = phones_of(given)
    added, exists = contact_store.put_phones(incoming.state, number, {phone: {} for phone in phones})
    counters = {"added": added, "exceptions": wrong, "exists": exists}
    return responses.json({"result": True, "counters": counters})


@routes("POST", "sms/numbers/variables")
def add_with_variables(incoming: Incoming) -> Response:
    """Add phones with variables, ``{"380…": [[{"name", "type", "value"}]]}``; the double array is the vendor's."""
    given = Arguments.of(incoming)
    number = _book(incoming, given)
    given.need("phones")
    said = given.structure("phones")
    if not isinstance(said, dict):
        raise invalid("Argument phones must be array")
    phones: dict[str, dict[str, Any]] = {}
    wrong = 0
    for written, variables in said.items():
        if not isinstance(variables, list) or not all(isinstance(inner, list) for inner in variables):
            raise broken(incoming.state)  # a single array broke the vendor's program
        phone = phone_of(written)
        if phone is None:
            wrong += 1
            continue
        flat = [item for inner in variables for item in inner]
        phones[phone] = contact_store.plain(flat, "Argument variables is invalid")
    added, exists = contact_store.put_phones(incoming.state, number, phones)
    return wrapped(incoming, {"result": True, "counters": {"added": added, "exceptions": wrong, "exists": exists}})


@routes("PUT", "sms/numbers")
def change(incoming: Incoming) -> Response:
    """Set the same variables of several phones."""
    given = Arguments.of(incoming)
    number = _book(incoming, given)
    phones, _ = phones_of(given)
    given.need("variables")
    variables = contact_store.plain(given.structure("variables"), "Argument variables is invalid")
    rows = [row for phone in phones for row in contact_store.of_phone(incoming.store, number, phone)]
    for row in rows:
        contact_store.set_variables(incoming.store, row, variables)
    return wrapped(incoming, {"result": True, "counters": {"updated": len(rows)}})


@routes("DELETE", "sms/numbers")
def delete(incoming: Incoming) -> Response:
    """Remove phones from a book; a contact that has an address stays without its phone."""
    given = Arguments.of(incoming)
    number = _book(incoming, given)
    phones, _ = phones_of(given)
    deleted = 0
    for phone in phones:
        for row in contact_store.of_phone(incoming.store, number, phone):
            deleted += 1
            if row["email"] is None:
                incoming.store.run("DELETE FROM sendpulse_contacts WHERE id = ?", row["id"])
            else:
                incoming.store.run(
                    "UPDATE sendpulse_contacts SET phone = NULL, phone_due = NULL WHERE id = ?", row["id"]
                )
    return responses.json({"result": True, "counters": {"deleted": deleted}})


@routes("GET", "sms/numbers/info/{book}/{phone}")
def info(incoming: Incoming) -> Response:
    """Return one phone of a book."""
    number = addressbooks.find(incoming.store, incoming.params["book"])["id"]
    phone = phone_of(incoming.params["phone"])
    rows = contact_store.of_phone(incoming.store, number, phone) if phone else []
    if not rows:
        raise not_found("Phone not found")
    row = rows[0]
    data = {
        "status": row["phone_status"],
        # PHP writes an empty object as an empty array.
        "variables": contact_store.read(row) or [],
        "added": datetimes.stamp(incoming.state, row["added"]),
        "email": row["email"] or False,  # PHP's nothing
    }
    return wrapped(incoming, {"result": True, "data": data})


@routes("POST", "addressbooks/{id}/phones/variable")
def change_one(incoming: Incoming) -> Response:
    """Set variables of one phone."""
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    given = Arguments.of(incoming)
    given.need("phone")
    phone = phone_of(given.get("phone"))
    if phone is None:
        raise invalid("Phone is not valid")
    given.need("variables")
    variables = contact_store.plain(given.structure("variables"), "Argument variables is invalid")
    rows = contact_store.of_phone(incoming.store, number, phone)
    if not rows:
        raise not_found("Phone not found")
    for row in rows:
        contact_store.set_variables(incoming.store, row, variables)
    return responses.json({"result": True})


@routes("GET", "sms/black_list", "sms/black_list/by_numbers")
def blacklist(incoming: Incoming) -> Response:
    """Return phones that get no SMS: all, or those among the given ones."""
    given = Arguments.of(incoming)
    wanted = set(phones_of(given)[0]) if incoming.path.endswith("by_numbers") else None
    found = incoming.store.all("SELECT * FROM sendpulse_sms_blacklist ORDER BY at, phone")
    data = [
        {
            "phone": int(row["phone"]),
            "description": row["description"],
            "add_date": datetimes.stamp(incoming.state, row["at"]),
        }
        for row in found
        if wanted is None or row["phone"] in wanted
    ]
    return responses.json({"result": True, "data": data})


@routes("POST", "sms/black_list")
def exclude(incoming: Incoming) -> Response:
    """Exclude phones from SMS."""
    given = Arguments.of(incoming)
    phones, wrong = phones_of(given)
    description = given.string("description")
    added = 0
    for phone in phones:
        added += incoming.store.change(
            "INSERT OR IGNORE INTO sendpulse_sms_blacklist VALUES (?, ?, ?)", phone, description, incoming.now
        )
    _mark(incoming, phones, contact_store.PHONE_EXCLUDED)
    counters = {"added": added, "exceptions": wrong, "exists": len(phones) - added}
    return wrapped(incoming, {"result": True, "counters": counters})


@routes("DELETE", "sms/black_list")
def include(incoming: Incoming) -> Response:
    """Include phones in SMS again."""
    phones, _ = phones_of(Arguments.of(incoming))
    removed = incoming.store.change(
        "DELETE FROM sendpulse_sms_blacklist WHERE phone IN (SELECT value FROM json_each(?))", _json(phones)
    )
    _mark(incoming, phones, contact_store.PHONE_ACTIVE)
    return wrapped(incoming, {"result": True, "counters": {"removed": removed}})


def _book(incoming: Incoming, given: Arguments) -> int:
    given.need("addressBookId")
    return int(addressbooks.find(incoming.store, given.get("addressBookId"))["id"])


def _mark(incoming: Incoming, phones: list[str], status: int) -> None:
    incoming.store.run(
        "UPDATE sendpulse_contacts SET phone_status = ?, phone_due = NULL "
        "WHERE phone IN (SELECT value FROM json_each(?))",
        status,
        _json(phones),
    )


def _json(phones: list[str]) -> str:
    return msgspec.json.encode(phones).decode()
