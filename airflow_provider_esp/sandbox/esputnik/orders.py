"""eSputnik's orders: up to a thousand at once, each checked by itself; every accepted one raises an event."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
from starlette.responses import Response

from ..responses import Refused
from ..routing import Incoming, Routes
from ..service import table
from . import contacts_store, events, fields, legacy_format
from .matching import Matcher, Rule
from .schemas import EMAIL, Channel, GivenContact, Scope, as_list, carried, overwrite, text

routes = Routes(right="write")

MOST = 1000
STATUSES = ("INITIALIZED", "IN_PROGRESS", "DELIVERED", "CANCELLED", "ABANDONED_SHOPPING_CART")

NUMBERS = ("totalCost", "shipping", "discount", "taxes", "cost", "quantity")
"""Fields of an order and of its items that are numbers."""

_DECIMAL = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_RULE = Rule("order", ("email", "sms"))


class Orders(msgspec.Struct):
    """The body of ``POST orders``."""

    orders: list[dict[str, Any]] | dict[str, Any]


@routes("POST", "v1/orders")
def upsert(incoming: Incoming) -> Response:
    """Add or update orders by their external id; those that cannot be taken come back with a reason."""
    given = as_list(incoming.decode(Orders).orders)
    if not 1 <= len(given) <= MOST:
        raise Refused(400, f"orders should hold 1 to {MOST} items")
    failed = []
    raised = []
    for sent in given:
        order = _with_numbers(sent)
        wrong = _problem(order)
        if wrong:
            failed.append({"order": sent, "error": wrong})
            continue
        contact = _customer(incoming, order)
        number = text(order["externalOrderId"])
        incoming.store.run(
            "INSERT OR REPLACE INTO esputnik_orders VALUES (?, ?, ?, ?)",
            number,
            msgspec.json.encode(order).decode(),
            contact,
            incoming.now,
        )
        kind = f"order{order['status']}"
        raised.append(events.Stored(kind, number, order, contact, "order", incoming.now))
    events.keep(incoming.state, raised)
    return legacy_format.answer(incoming, {"failedOrders": failed}, quoted=False)


def _with_numbers(order: dict[str, Any]) -> dict[str, Any]:
    """Return an order with its numbers as numbers: shops write them as text, and "" for one that there is not."""
    read = {name: _number(value) if name in NUMBERS else value for name, value in order.items()}
    items = read.get("items")
    if isinstance(items, dict):
        items = [items]
    if isinstance(items, list):
        read["items"] = [_with_numbers(item) if isinstance(item, dict) else item for item in items]
    return read


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.strip()
    if not _DECIMAL.fullmatch(value):
        return value or None
    return float(value) if "." in value else int(value)


def _problem(order: dict[str, Any]) -> str:
    """Return why an order cannot be taken; empty when it can."""
    for name in ("externalOrderId", "totalCost", "status", "date", "currency"):
        if not text(order.get(name)):
            return f"{name} should not be empty"
    for part in (order, *(item for item in order.get("items") or () if isinstance(item, dict))):
        for name in NUMBERS:
            value = part.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                return f"{name} should be a number"
    if order["status"] not in STATUSES:
        return f"status should be one of: {', '.join(STATUSES)}"
    try:
        datetime.fromisoformat(str(order["date"]))
    except ValueError:
        return "date should be an ISO 8601 date-time"
    if not any(text(order.get(name)) for name in ("externalCustomerId", "email", "phone")):
        return "one of externalCustomerId, email and phone should be given"
    email = text(order.get("email"))
    if email and EMAIL.fullmatch(email) is None:
        return f"'{email}' is not valid email"
    items = order.get("items") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return "items should be a list of objects"
    if any(not text(item.get(name)) for item in items for name in ("externalItemId", "quantity")):
        return "every item should have externalItemId and quantity"
    return ""


def _customer(incoming: Incoming, order: dict[str, Any]) -> int:
    """Return the contact an order belongs to: a new one is made, a known one is left as it is."""
    given = GivenContact(
        first_name=order.get("firstName"),
        last_name=order.get("lastName"),
        external_customer_id=order.get("externalCustomerId"),
    )
    kinds = (("email", "email"), ("sms", "phone"))
    given.channels = [Channel(kind, order[name]) for kind, name in kinds if text(order.get(name))]
    directory = contacts_store.Directory(incoming.store, incoming.now)
    matcher = Matcher(directory, _RULE)
    matcher.prepare([given])
    found = matcher.find(given).person
    if found is not None:
        return found.id
    person = directory.add()
    overwrite(person, given, Scope.of(carried(given), ()), fields.by_id(incoming.state))
    contacts_store.save(incoming.store, [person])
    return person.id


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    order = msgspec.json.decode(row["data"])
    return {
        "id": row["external_id"],
        "status": order["status"],
        "total": f"{order['totalCost']} {order['currency']}",
        "contact_id": row["contact_id"],
        "order": order,
    }


SECTION = table(
    "orders",
    "Orders",
    ("id", "status", "total", "contact_id"),
    rows="""
    SELECT * FROM esputnik_orders WHERE :all OR data LIKE :q ESCAPE '!'
    ORDER BY updated DESC LIMIT :limit OFFSET :offset
    """,
    count="SELECT count(*) FROM esputnik_orders WHERE :all OR data LIKE :q ESCAPE '!'",
    shape=_shown,
)
