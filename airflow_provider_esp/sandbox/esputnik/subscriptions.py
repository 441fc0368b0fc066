"""eSputnik's subscriptions: categories, subscribing a contact (with double opt-in), and unsubscribed addresses."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..service import table
from ..settings import Setting
from ..store import Store
from . import datetimes, events, segments
from .contacts import known, write
from .contacts_store import Person, key, save
from .duplicate_requests import once_a_minute
from .matching import Rule
from .schemas import GivenContact, as_list, problem

routes = Routes()

MOST_ADDRESSES = 3000

SETTINGS = {
    "esputnik.subscriptions_as_list": Setting(True, "GET contact/{id}/subscriptions answers a list, or its first item"),
}

# Where a new subscriber is looked for, in order; external ids come first by themselves.
_RULE = Rule("subscribe", ("email", "sms"))


def is_unsubscribed(store: Store, email: str) -> bool:
    """Check whether an address gets no bulk mail."""
    return store.one("SELECT 1 FROM esputnik_unsubscribed WHERE email = ?", key("email", email)) is not None


@routes("GET", "v1/subscriptions")
def categories(incoming: Incoming) -> Response:
    """Return subscription categories, each with the number of its contacts."""
    rows = incoming.store.all(
        "SELECT c.*, (SELECT count(*) FROM esputnik_subscriptions s WHERE s.key = c.key) AS contacts "
        "FROM esputnik_categories c ORDER BY c.id"
    )
    return responses.json(
        [
            {
                "id": row["id"],
                "key": row["key"],
                "groupId": row["id"] + 4_000_000,
                "contactsCount": row["contacts"],
                "createdDate": datetimes.write(incoming.state, row["created"]),
                "updatedDate": datetimes.write(incoming.state, row["updated"]),
                "name": row["name"],
            }
            for row in rows
        ]
    )


@routes("GET", "v1/contact/{id}/subscriptions", right="read")
def of_contact(incoming: Incoming) -> Response:
    """Return the categories a contact is subscribed to."""
    rows = incoming.store.all(
        "SELECT c.* FROM esputnik_subscriptions s JOIN esputnik_categories c ON c.key = s.key "
        "WHERE s.contact_id = ? ORDER BY c.id",
        known(incoming).id,
    )
    found = [
        {"id": row["id"], "key": row["key"], "groupId": row["id"] + 4_000_000, "name": row["name"]} for row in rows
    ]
    if incoming.state.settings["esputnik.subscriptions_as_list"]:
        return responses.json(found)
    return responses.json(found[0] if found else {})


class Chosen(msgspec.Struct):
    """The body of ``PUT contact/{id}/subscriptions``."""

    subscriptions: list[str] | str


@routes("PUT", "v1/contact/{id}/subscriptions", right="write")
def choose(incoming: Incoming) -> Response:
    """Replace the set of categories a contact is subscribed to."""
    person = known(incoming)
    _subscribe(incoming, person, as_list(incoming.decode(Chosen).subscriptions), replace=True)
    return responses.sentence(f"Subscriptions of contact with id='{person.id}' have been updated")


def _subscribe(incoming: Incoming, person: Person, keys: list[str], *, replace: bool) -> None:
    there = {row[0] for row in incoming.store.all("SELECT key FROM esputnik_categories")}
    unknown = [name for name in keys if name not in there]
    if unknown:
        raise Refused(400, f"Subscription with key '{unknown[0]}' not found")
    if replace:
        incoming.store.run("DELETE FROM esputnik_subscriptions WHERE contact_id = ?", person.id)
    rows = ((person.id, name) for name in keys)
    incoming.store.many("INSERT OR IGNORE INTO esputnik_subscriptions VALUES (?, ?)", rows)


class Subscriber(msgspec.Struct, rename="camel"):
    """The body of ``POST contact/subscribe``."""

    contact: GivenContact
    groups: list[str] | str | None = None
    subscriptions: list[str] | str | None = None
    form_type: str | None = None


@routes("POST", "v1/contact/subscribe", right="write")
@once_a_minute
def subscribe(incoming: Incoming) -> Response:
    """Subscribe a contact: a new one is unconfirmed, a known one keeps its channels; raises an event either way."""
    body = incoming.decode(Subscriber)
    wrong = problem(body.contact)
    if wrong:
        raise Refused(400, wrong)
    person, new = write(incoming, body.contact, _RULE, keep_channels=True)
    email = person.channel("email")
    status = "SUBSCRIBED"
    if email and is_unsubscribed(incoming.store, email):
        status = "BLACKLISTED"
    elif new:
        person.confirmed, status = False, "NEED_CONFIRMATION"
        save(incoming.store, [person])
    elif person.confirmed:
        status = "ALREADY_SUBSCRIBED"
    for name in as_list(body.groups):
        segment = segments.named(incoming.store, name)
        if segment is not None:
            segments.attach(incoming.store, segment, [person.id], incoming.now)
    _subscribe(incoming, person, as_list(body.subscriptions), replace=False)
    kind = "subscribeFromApi" if new else "subscribeUpdateFromApi"
    kind += f"-{body.form_type}" if body.form_type else ""
    params = {"ContactId": person.id, "EmailAddress": email or ""}
    event = events.Stored(kind, str(person.id), params, person.id, "subscribe", incoming.now)
    events.keep(incoming.state, [event])
    return responses.json({"id": person.id, "emailStatus": status, "new": new})


class Addresses(msgspec.Struct):
    """The body of ``emails/unsubscribed/add`` and ``/delete``."""

    emails: list[str] | str


def _addresses(incoming: Incoming) -> list[str]:
    given = as_list(incoming.decode(Addresses).emails)
    if not 1 <= len(given) <= MOST_ADDRESSES:
        raise Refused(400, f"emails should hold 1 to {MOST_ADDRESSES} items")
    return [key("email", email) for email in given]


@routes("POST", "v1/emails/unsubscribed/add", right="write")
def unsubscribe(incoming: Incoming) -> Response:
    """Unsubscribe addresses: they get no more bulk mail."""
    rows = ((email, incoming.now) for email in _addresses(incoming))
    incoming.store.many("INSERT OR IGNORE INTO esputnik_unsubscribed VALUES (?, ?)", rows)
    return responses.empty()


@routes("POST", "v1/emails/unsubscribed/delete", right="write")
def resubscribe(incoming: Incoming) -> Response:
    """Resubscribe addresses: they may get bulk mail again."""
    rows = ((email,) for email in _addresses(incoming))
    incoming.store.many("DELETE FROM esputnik_unsubscribed WHERE email = ?", rows)
    return responses.empty()


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {"email": row["email"]}


SECTION = table(
    "unsubscribed",
    "Unsubscribed",
    ("email",),
    rows="""
    SELECT email FROM esputnik_unsubscribed WHERE :all OR email LIKE :q ESCAPE '!'
    ORDER BY at DESC LIMIT :limit OFFSET :offset
    """,
    count="SELECT count(*) FROM esputnik_unsubscribed WHERE :all OR email LIKE :q ESCAPE '!'",
    shape=_shown,
)
