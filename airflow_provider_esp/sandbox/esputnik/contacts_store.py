"""Contacts in the store: finding them the way eSputnik matches, saving them, erasing them.

A `Person` is a contact in memory. `Directory` finds contacts for a whole batch with a few queries and keeps what the
batch itself adds, so that the second row of a batch sees what the first one did.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..store import Row, Store
from .schema import next_id


@dataclass
class Person:
    """One contact.

    :ivar data: what the API calls firstName, lastName, languageCode, timeZone, contactKey, address (an object),
        channels (a list) and fields (values by field id, as text).
    :ivar updated: Unix time of the last change.
    :ivar confirmed: False after a subscription that waits for its double opt-in.
    """

    id: int
    external_id: str | None
    data: dict[str, Any]
    updated: float
    created: float
    deleted: bool = False
    confirmed: bool = True

    @property
    def channels(self) -> list[dict[str, Any]]:
        """The contact's channels, as the API writes them."""
        found: list[dict[str, Any]] = self.data.setdefault("channels", [])
        return found

    @property
    def fields(self) -> dict[str, str]:
        """Return the additional fields: values by id."""
        found: dict[str, str] = self.data.setdefault("fields", {})
        return found

    def channel(self, kind: str) -> str | None:
        """Return the first value of a channel type."""
        return next((item["value"] for item in self.channels if item["type"] == kind), None)


def key(kind: str, value: str) -> str:
    """Return by what two values of a channel are the same: e-mail in any case, phones by their digits."""
    if kind in ("sms", "viber"):
        return re.sub(r"\D", "", value)
    return value.strip().lower() if kind == "email" else value.strip()


def person(row: Row) -> Person:
    """Return a contact from its row."""
    return Person(
        id=row["id"],
        external_id=row["external_id"],
        data=msgspec.json.decode(row["data"]),
        updated=row["updated"],
        created=row["created"],
        deleted=bool(row["deleted"]),
        confirmed=bool(row["confirmed"]),
    )


def get(store: Store, number: int, *, deleted: bool = False) -> Person | None:
    """Return a contact by id; deleted ones only when asked for."""
    row = store.one("SELECT * FROM esputnik_contacts WHERE id = ?", number)
    return None if row is None or (row["deleted"] and not deleted) else person(row)


def new(store: Store, now: float) -> Person:
    """Create a contact that is not saved yet, with an id that no contact ever had."""
    return Person(id=next_id(store, "contact"), external_id=None, data={}, updated=now, created=now)


def save(store: Store, people: Iterable[Person]) -> None:
    """Insert or replace contacts, with their channels."""
    people = list(people)
    encode = msgspec.json.encode
    store.many("DELETE FROM esputnik_channels WHERE contact_id = ?", ((one.id,) for one in people))
    store.many(
        "INSERT OR REPLACE INTO esputnik_contacts VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (one.id, one.external_id, encode(one.data).decode(), one.updated, one.created, one.deleted, one.confirmed)
            for one in people
        ),
    )
    store.many(
        "INSERT INTO esputnik_channels VALUES (?, ?, ?)",
        ((one.id, item["type"], key(item["type"], item["value"])) for one in people for item in one.channels),
    )


def erase(store: Store, number: int) -> None:
    """Remove every trace of a contact: profile, segments, subscriptions, events."""
    store.run("DELETE FROM esputnik_contacts WHERE id = ?", number)
    for sql in (
        "DELETE FROM esputnik_channels WHERE contact_id = ?",
        "DELETE FROM esputnik_members WHERE contact_id = ?",
        "DELETE FROM esputnik_subscriptions WHERE contact_id = ?",
        "DELETE FROM esputnik_events WHERE contact_id = ?",
        "DELETE FROM outbox_steps WHERE message_id IN"
        " (SELECT id FROM outbox_messages WHERE service = 'esputnik' AND contact_id = ?)",
        "DELETE FROM outbox_messages WHERE service = 'esputnik' AND contact_id = ?",
    ):
        store.run(sql, number)


_BY_CHANNEL = """
SELECT c.*, h.key FROM esputnik_channels h JOIN esputnik_contacts c ON c.id = h.contact_id
WHERE h.type = ? AND h.key IN (SELECT value FROM json_each(?))
"""
_BY_EXTERNAL = "SELECT * FROM esputnik_contacts WHERE external_id IN (SELECT value FROM json_each(?))"
_BY_ID = "SELECT * FROM esputnik_contacts WHERE id IN (SELECT value FROM json_each(?))"
_BY_FIELD = """
SELECT * FROM esputnik_contacts
WHERE json_extract(data, ?) IN (SELECT value FROM json_each(?))
"""


@dataclass
class Directory:
    """Contacts found for a batch, and those the batch adds.

    :ivar people: every contact known so far, by id.
    """

    store: Store
    now: float
    people: dict[int, Person] = field(default_factory=dict)
    _found: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))

    def look_up(self, kind: str, values: Iterable[str]) -> None:
        """Fetch every contact that has one of these values.

        :param kind: a channel type, ``id``, ``externalCustomerId``, or ``field:N`` for an additional field.
        """
        wanted = sorted({self._key(kind, value) for value in values if value})
        if not wanted:
            return
        listed = msgspec.json.encode(wanted).decode()
        if kind == "id":
            rows = self.store.all(_BY_ID, msgspec.json.encode([int(value) for value in wanted if value.isdigit()]))
        elif kind == "externalCustomerId":
            rows = self.store.all(_BY_EXTERNAL, listed)
        elif kind.startswith("field:"):
            rows = self.store.all(_BY_FIELD, f'$.fields."{kind[6:]}"', listed)
        else:
            rows = self.store.all(_BY_CHANNEL, kind, listed)
        for row in rows:
            if row["id"] not in self.people:
                self.people[row["id"]] = person(row)
        for row in rows:
            has_key = "key" in row.keys()  # noqa: SIM118  # `in` alone would look among a row's values
            value = row["key"] if has_key else self._value(kind, self.people[row["id"]])
            self._note(kind, value, row["id"])

    def having(self, kind: str, value: str) -> list[Person]:
        """Return every contact with that value, last updated first."""
        found = [self.people[number] for number in self._found.get((kind, self._key(kind, value)), ())]
        return sorted(found, key=lambda one: one.updated, reverse=True)

    def add(self) -> Person:
        """Add a new contact."""
        one = new(self.store, self.now)
        self.people[one.id] = one
        return one

    def learn(self, one: Person, kinds: Iterable[str]) -> None:
        """Make a contact findable under the values it has by now."""
        for kind in kinds:
            value = self._value(kind, one)
            if value:
                self._note(kind, self._key(kind, value), one.id)

    def _note(self, kind: str, value: str, number: int) -> None:
        listed = self._found[kind, value]
        if number not in listed:
            listed.append(number)

    @staticmethod
    def _key(kind: str, value: str) -> str:
        return value if kind in ("id", "externalCustomerId") or kind.startswith("field:") else key(kind, value)

    @staticmethod
    def _value(kind: str, one: Person) -> str:
        if kind == "id":
            return str(one.id)
        if kind == "externalCustomerId":
            return one.external_id or ""
        if kind.startswith("field:"):
            return one.fields.get(kind[6:], "")
        return one.channel(kind) or ""
