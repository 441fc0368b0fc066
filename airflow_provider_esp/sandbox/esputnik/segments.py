"""eSputnik's segments: listing them, their members, attaching and detaching contacts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..service import table
from ..store import Store, like
from .contacts_store import person
from .schema import next_id
from .schemas import Int, shown

routes = Routes()


def named(store: Store, name: str) -> int | None:
    """Return the id of the static segment of that name; created when there is none of that name at all.

    :return: None when the name belongs to a segment that contacts cannot be put into.
    """
    row = store.one("SELECT id, type FROM esputnik_segments WHERE name = ?", name)
    if row is not None:
        return int(row["id"]) if row["type"] == "Static" else None
    number = next_id(store, "segment")
    store.run("INSERT INTO esputnik_segments VALUES (?, ?, 'Static')", number, name)
    return number


def attach(store: Store, segment: int, contacts: Iterable[int], now: float) -> None:
    """Add contacts to a segment; those already in it stay where they are."""
    rows = ((segment, contact, now) for contact in contacts)
    store.many("INSERT OR IGNORE INTO esputnik_members VALUES (?, ?, ?)", rows)


def detach(store: Store, segment: int, contacts: Iterable[int]) -> None:
    """Remove contacts from a segment."""
    rows = ((segment, contact) for contact in contacts)
    store.many("DELETE FROM esputnik_members WHERE segment_id = ? AND contact_id = ?", rows)


def of(store: Store, contact: int) -> list[dict[str, Any]]:
    """Return the static segments a contact is in, as the API shows them."""
    rows = store.all(
        "SELECT g.* FROM esputnik_members m JOIN esputnik_segments g ON g.id = m.segment_id "
        "WHERE m.contact_id = ? ORDER BY g.id",
        contact,
    )
    return [dict(row) for row in rows]


def members(store: Store, segment: int) -> list[int]:
    """Return ids of a segment's contacts; a dynamic segment of the sandbox holds all contacts."""
    kind = store.value("SELECT type FROM esputnik_segments WHERE id = ?", segment)
    if kind == "Static":
        rows = store.all(
            "SELECT m.contact_id FROM esputnik_members m JOIN esputnik_contacts c ON c.id = m.contact_id "
            "WHERE m.segment_id = ? AND NOT c.deleted ORDER BY m.contact_id",
            segment,
        )
    else:
        rows = store.all("SELECT id FROM esputnik_contacts WHERE NOT deleted AND ? IS NOT NULL ORDER BY id", kind)
    return [row[0] for row in rows]


def known(incoming: Incoming) -> str:
    """Return the type of the segment a request names.

    :raises Refused: 404, there is none.
    """
    kind = incoming.store.value("SELECT type FROM esputnik_segments WHERE id = ?", incoming.id())
    if kind is None:
        raise Refused(404, f"Group with id='{incoming.id()}' not found")
    return str(kind)


@routes("GET", "v1/groups", right="read")
def groups(incoming: Incoming) -> Response:
    """Return segments, by part of their name."""
    rows = incoming.store.all(
        "SELECT id, name, type FROM esputnik_segments WHERE name LIKE ? ESCAPE '!' ORDER BY id LIMIT ? OFFSET ?",
        like(incoming.query.get("name", "")),
        incoming.number("maxrows", 500, high=500),
        incoming.number("startindex", 1) - 1,
    )
    return responses.json([dict(row) for row in rows])


_ORDERS = {
    (False, True): "SELECT c.* {} ORDER BY c.id LIMIT ? OFFSET ?",
    (False, False): "SELECT c.* {} ORDER BY c.id DESC LIMIT ? OFFSET ?",
    (True, True): "SELECT c.* {} ORDER BY m.added, c.id LIMIT ? OFFSET ?",
    (True, False): "SELECT c.* {} ORDER BY m.added DESC, c.id DESC LIMIT ? OFFSET ?",
}
_STATIC = (
    "FROM esputnik_members m JOIN esputnik_contacts c ON c.id = m.contact_id WHERE m.segment_id = ? AND NOT c.deleted"
)
_DYNAMIC = (
    "FROM esputnik_contacts c LEFT JOIN esputnik_members m ON m.contact_id = c.id AND m.segment_id = ? "
    "WHERE NOT c.deleted"
)


@routes("GET", "v1/group/{id}/contacts", right="read")
def contacts(incoming: Incoming) -> Response:
    """Return full contacts of a segment."""
    kind, number = known(incoming), incoming.id()
    order = _ORDERS[incoming.flag("orderByTs"), incoming.flag("asc", default=True)]
    rows = incoming.store.all(
        order.format(_STATIC if kind == "Static" else _DYNAMIC),
        number,
        incoming.number("maxrows", 500, high=500),
        incoming.number("startindex", 1) - 1,
    )
    people = [shown(person(row), of(incoming.store, row["id"])) for row in rows]
    return responses.json(people, headers={"TotalCount": str(len(members(incoming.store, number)))})


class Chosen(msgspec.Struct, rename="camel"):
    """Which contacts to move: one kind of id."""

    contact_ids: list[Int] | Int | None = None
    external_customer_ids: list[str] | str | None = None


def _chosen(incoming: Incoming) -> list[int] | None:
    """Return ids of the contacts a request names; None when it names none at all."""
    body = incoming.decode(Chosen) if incoming.body.strip() else Chosen()
    by_id = [body.contact_ids] if isinstance(body.contact_ids, int) else body.contact_ids or []
    given = body.external_customer_ids or []
    by_external = [given] if isinstance(given, str) else given
    if by_id and by_external:
        raise Refused(400, "Only one of contactIds and externalCustomerIds is allowed")
    if max(len(by_id), len(by_external)) > 500:
        raise Refused(400, "No more than 500 contacts are allowed")
    if not by_id and not by_external:
        return None
    rows = incoming.store.all(
        "SELECT id FROM esputnik_contacts WHERE NOT deleted AND (id IN (SELECT value FROM json_each(?))"
        " OR external_id IN (SELECT value FROM json_each(?)))",
        msgspec.json.encode(by_id).decode(),
        msgspec.json.encode(by_external).decode(),
    )
    return [row[0] for row in rows]


def _static(incoming: Incoming) -> int:
    if known(incoming) != "Static":
        raise Refused(400, "Contacts of a dynamic group cannot be changed")
    return incoming.id()


@routes("POST", "v1/group/{id}/contacts/attach", right="write")
def add(incoming: Incoming) -> Response:
    """Add contacts to a static segment."""
    segment, chosen = _static(incoming), _chosen(incoming)
    if chosen is None:
        raise Refused(400, "contactIds or externalCustomerIds should not be empty")
    attach(incoming.store, segment, chosen, incoming.now)
    return responses.sentence("Contacts were attached")


@routes("POST", "v1/group/{id}/contacts/detach", right="write")
def remove(incoming: Incoming) -> Response:
    """Remove contacts from a static segment; without any ids, all of them."""
    segment, chosen = _static(incoming), _chosen(incoming)
    if chosen is None:
        incoming.store.run("DELETE FROM esputnik_members WHERE segment_id = ?", segment)
    else:
        detach(incoming.store, segment, chosen)
    return responses.sentence("Contacts were detached")


SECTION = table(
    "segments",
    "Segments",
    ("id", "name", "type", "contacts"),
    rows="""
    SELECT g.id, g.name, g.type, CASE g.type WHEN 'Static'
      THEN (SELECT count(*) FROM esputnik_members m WHERE m.segment_id = g.id)
      ELSE (SELECT count(*) FROM esputnik_contacts WHERE NOT deleted) END AS contacts
    FROM esputnik_segments g WHERE :all OR g.name LIKE :q ESCAPE '!' ORDER BY g.id DESC LIMIT :limit OFFSET :offset
    """,
    count="SELECT count(*) FROM esputnik_segments g WHERE :all OR g.name LIKE :q ESCAPE '!'",
)
