"""eSputnik's methods for single contacts: search, read, add or update, delete, and contacts' e-mails by id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..service import Row, table
from ..settings import Setting
from ..state import SandboxState
from ..store import like
from . import contacts_store, fields, legacy_format, segments
from .contacts_store import Directory, Person
from .duplicate_requests import once_a_minute
from .matching import Matcher, Rule
from .schemas import GivenContact, Scope, as_list, carried, overwrite, problem, shown, text

routes = Routes()

SETTINGS = {
    "esputnik.total_count": Setting(True, "whether the TotalCount header tells the truth; otherwise it says 2"),
    "esputnik.search_exactly": Setting(False, "GET v1/contacts finds whole values only; otherwise parts of them too"),
}

MOST_IDS = 500


def known(incoming: Incoming, *, deleted: bool = False) -> Person:
    """Return the contact that a request's path names.

    :raises Refused: 404, there is none.
    """
    found = contacts_store.get(incoming.store, incoming.id(), deleted=deleted)
    if found is None:
        raise Refused(404, f"Contact with id='{incoming.id()}' not found")
    return found


@routes("POST", "v1/contact", right="write")
@once_a_minute
def upsert(incoming: Incoming) -> Response:
    """Add or update one contact, at once, and return its id."""
    given = incoming.decode(GivenContact)
    wrong = problem(given)
    if wrong:
        raise Refused(400, wrong)
    person, _ = write(incoming, given, Rule.of("channels"))
    return responses.json({"id": person.id})


def write(incoming: Incoming, given: GivenContact, rule: Rule, *, keep_channels: bool = False) -> tuple[Person, bool]:
    """Write what a contact carries over the stored one it matches, or make a new one.

    :param keep_channels: whether a stored contact's channels stay as they are.
    :return: the contact, and whether it is new.
    """
    directory = Directory(incoming.store, incoming.now)
    matcher = Matcher(directory, rule)
    matcher.prepare([given])
    match = matcher.find(given)
    person = match.person or directory.add()
    named = carried(given)
    if keep_channels and match.person:
        named -= {channel.type for channel in given.reach()}
    _apply(incoming, person, given, named)
    return person, match.person is None


def _apply(incoming: Incoming, person: Person, given: GivenContact, named: set[str]) -> None:
    custom = [value.id for value in given.field_values()]
    overwrite(person, given, Scope.of(named, custom), fields.by_id(incoming.state))
    person.deleted = False
    person.updated = incoming.now
    contacts_store.save(incoming.store, [person])
    for group in as_list(given.groups):
        number = segments.named(incoming.store, group.name) if group.name else _segment(incoming, group.id)
        if number is not None:
            segments.attach(incoming.store, number, [person.id], incoming.now)


def _segment(incoming: Incoming, number: int | None) -> int | None:
    row = incoming.store.one("SELECT id FROM esputnik_segments WHERE id = ? AND type = 'Static'", number)
    return None if row is None else int(row["id"])


@routes("PUT", "v1/contact/{id}", right="write")
@once_a_minute
def update(incoming: Incoming) -> Response:
    """Write what the body carries over a contact; a deleted contact comes back."""
    person = known(incoming, deleted=True)
    given = incoming.decode(GivenContact)
    wrong = problem(given) if given.channels is not None else ""
    if wrong:
        raise Refused(400, wrong)
    owner = incoming.store.one("SELECT id FROM esputnik_contacts WHERE external_id = ?", given.external() or None)
    if owner is not None and owner["id"] != person.id:
        raise Refused(400, f"externalCustomerId '{given.external()}' belongs to another contact")
    _apply(incoming, person, given, carried(given))
    return responses.sentence(f"Contact with id='{person.id}' has been updated")


@routes("DELETE", "v1/contact/{id}", right="write")
def delete(incoming: Incoming) -> Response:
    """Delete a contact; with ``erase`` every trace of it."""
    person = known(incoming, deleted=incoming.flag("erase"))
    _delete(incoming, person)
    return responses.sentence(f"Contact with id='{person.id}' has been deleted")


@routes("DELETE", "v1/contact", right="write")
def delete_by_external_id(incoming: Incoming) -> Response:
    """Delete the contact with an external id; with ``erase`` every trace of it."""
    external = incoming.query.get("externalCustomerId", "")
    if not external:
        raise Refused(400, "externalCustomerId should not be empty")
    row = incoming.store.one("SELECT * FROM esputnik_contacts WHERE external_id = ?", external)
    if row is None or (row["deleted"] and not incoming.flag("erase")):
        raise Refused(404, f"Contact with externalCustomerId='{external}' not found")
    _delete(incoming, contacts_store.person(row))
    return responses.sentence(f"Contact with externalCustomerId='{external}' has been deleted")


def _delete(incoming: Incoming, person: Person) -> None:
    if incoming.flag("erase"):
        contacts_store.erase(incoming.store, person.id)
    else:
        incoming.store.run(
            "UPDATE esputnik_contacts SET deleted = 1, updated = ? WHERE id = ?", incoming.now, person.id
        )


@routes("GET", "v1/contact/{id}", right="read")
def read(incoming: Incoming) -> Response:
    """Return one contact, whole."""
    person = known(incoming)
    return responses.json(shown(person, segments.of(incoming.store, person.id)))


_SEARCH = """
FROM esputnik_contacts c WHERE NOT c.deleted
  AND (:external IS NULL OR c.external_id = :external)
  AND (:email IS NULL OR c.id IN
    (SELECT contact_id FROM esputnik_channels WHERE type = 'email' AND key LIKE :email ESCAPE '!'))
  AND (:sms IS NULL OR c.id IN
    (SELECT contact_id FROM esputnik_channels WHERE type = 'sms' AND key LIKE :sms ESCAPE '!'))
  AND (:first IS NULL OR json_extract(c.data, '$.firstName') LIKE :first ESCAPE '!')
  AND (:last IS NULL OR json_extract(c.data, '$.lastName') LIKE :last ESCAPE '!')
"""
_BY_ID = f"SELECT c.* {_SEARCH} ORDER BY c.id LIMIT :limit OFFSET :offset"
_BY_UPDATE = f"SELECT c.* {_SEARCH} ORDER BY c.updated DESC, c.id DESC LIMIT :limit OFFSET :offset"
_COUNT = f"SELECT count(*) {_SEARCH}"


@routes("GET", "v1/contacts", right="read", buckets=("esputnik.contacts.search",))
def search(incoming: Incoming) -> Response:
    """Return contacts in short form: all of them, or those with a value."""
    query = incoming.query
    by_id = query.get("sortBy", "") != ""
    if by_id and query["sortBy"] != "contactId":
        raise Refused(400, "sortBy should be contactId")
    given = {name: query.get(name) or None for name in ("externalCustomerId", "email", "sms", "firstname", "lastname")}
    if given["externalCustomerId"] and sum(value is not None for value in given.values()) > 1:
        raise Refused(400, "externalCustomerId cannot be combined with other conditions")
    if by_id and any(given.values()):
        raise Refused(400, "sortBy is for searches without conditions")
    values: dict[str, Any] = {
        "external": given["externalCustomerId"],
        "email": _pattern(incoming, contacts_store.key("email", given["email"] or "")),
        "sms": _pattern(incoming, contacts_store.key("sms", given["sms"] or "")),
        "first": _pattern(incoming, given["firstname"] or ""),
        "last": _pattern(incoming, given["lastname"] or ""),
        "limit": incoming.number("maxrows", 500, high=500),
        "offset": incoming.number("startindex", 1) - 1,
    }
    rows = incoming.store.named(_BY_ID if by_id else _BY_UPDATE, values)
    total = incoming.store.named(_COUNT, values)[0][0] if incoming.state.settings["esputnik.total_count"] else 2
    return responses.json([shown(contacts_store.person(row)) for row in rows], headers={"TotalCount": str(total)})


def _pattern(incoming: Incoming, value: str) -> str | None:
    if not value:
        return None
    exactly = incoming.state.settings["esputnik.search_exactly"]
    return like(value)[1:-1] if exactly else like(value)


@routes("GET", "v1/contacts/email", right="read")
def emails(incoming: Incoming) -> Response:
    """Return e-mail addresses by contact id."""
    given = [item.strip() for item in incoming.query.get("ids", "").split(",") if item.strip()]
    if not given or not all(item.isascii() and item.isdigit() for item in given):
        raise Refused(400, "ids should be a comma separated list of contact ids")
    if len(given) > MOST_IDS:
        raise Refused(400, f"ids should hold at most {MOST_IDS} contact ids")
    found = [contacts_store.get(incoming.store, int(item)) for item in dict.fromkeys(given) if len(item) <= 18]
    results = [
        {"contactId": person.id, "email": person.channel("email")}
        for person in found
        if person and person.channel("email")
    ]
    return legacy_format.answer(incoming, {"results": results})


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    person = contacts_store.Person(
        row["id"], row["external_id"], msgspec.json.decode(row["data"]), row["updated"], row["created"]
    )
    whole = shown(person, ())
    del whole["groups"]
    return {
        **whole,
        "email": person.channel("email"),
        "phone": person.channel("sms"),
        "name": f"{text(person.data.get('firstName'))} {text(person.data.get('lastName'))}".strip(),
        "external_id": person.external_id,
        "confirmed": bool(row["confirmed"]),
        "segments": msgspec.json.decode(row["segments"]),
    }


def _with_keys(
    rows: Callable[[SandboxState, str, int, int], list[Row]],
) -> Callable[[SandboxState, str, int, int], list[Row]]:
    """Return rows with their additional fields under the keys people know: ``LOYALTY.TIER=gold``."""

    def read(state: SandboxState, q: str, limit: int, offset: int) -> list[Row]:
        known = fields.by_id(state)
        found = rows(state, q, limit, offset)
        for row in found:
            row["custom"] = {
                known[item["id"]]["key"]: item["value"] for item in row.get("fields", ()) if item["id"] in known
            }
        return found

    return read


_TABLE = table(
    "contacts",
    "Contacts",
    ("id", "email", "phone", "name", "external_id", "custom"),
    rows="""
    SELECT c.*, (SELECT json_group_array(g.name) FROM esputnik_members m JOIN esputnik_segments g
      ON g.id = m.segment_id WHERE m.contact_id = c.id) AS segments
    FROM esputnik_contacts c WHERE NOT c.deleted
      AND (:all OR c.external_id LIKE :q ESCAPE '!' OR c.data LIKE :q ESCAPE '!')
    ORDER BY c.updated DESC, c.id DESC LIMIT :limit OFFSET :offset
    """,
    count="""
    SELECT count(*) FROM esputnik_contacts c WHERE NOT c.deleted
      AND (:all OR c.external_id LIKE :q ESCAPE '!' OR c.data LIKE :q ESCAPE '!')
    """,
    shape=_listed,
)

SECTION = replace(_TABLE, rows=_with_keys(_TABLE.rows))
