"""Which stored contact a sent one is: eSputnik's rules for finding the contact to update.

An external id is looked for first, whatever the request says to dedupe on. One that no contact has goes to a contact
found by the request's own rule, if that contact has no external id yet. Where several contacts fit, the one updated
last wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .contacts_store import Directory, Person
from .schemas import GivenContact, text

RULES: Mapping[str, tuple[str, ...]] = {
    "email": ("email",),
    "sms": ("sms",),
    "push": ("mobilepush", "webpush"),
    "webpush": ("webpush",),
    "email_or_sms": ("sms", "email"),
    "id": ("id",),
    "externalCustomerId": ("externalCustomerId",),
    # Of one contact sent by itself (`POST v1/contact`).
    "channels": ("email", "sms", "mobilepush", "webpush", "viber", "appinbox", "widget", "inapp"),
}


@dataclass(frozen=True)
class Rule:
    """By what contacts are matched.

    :ivar name: the request's ``dedupeOn``.
    :ivar kinds: what is compared, in order: channel types, ``id``, ``externalCustomerId`` or ``field:N``.
    """

    name: str
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, name: str, field: int | None = None) -> Rule:
        """Return the rule of that name; `field` is the additional field of ``fieldId``."""
        return cls(name, (f"field:{field}",) if name == "fieldId" else RULES[name])

    def keys(self, contact: GivenContact) -> list[tuple[str, str]]:
        """Return what a sent contact is looked for by: (kind, value), empty values left out."""
        return [(kind, value) for kind in self.kinds if (value := _value(contact, kind))]


def _value(contact: GivenContact, kind: str) -> str:
    if kind == "id":
        return "" if contact.id is None else str(contact.id)
    if kind == "externalCustomerId":
        return contact.external()
    if kind.startswith("field:"):
        number = int(kind[6:])
        return next((text(field.value) for field in contact.field_values() if field.id == number), "")
    return contact.value(kind)


@dataclass(frozen=True)
class Match:
    """What a sent contact turned out to be.

    :ivar person: the stored contact, or None for a new one.
    :ivar by: the kind it was found by; empty for a new one.
    """

    person: Person | None
    by: str = ""


class Matcher:
    """Matches a batch of contacts by one rule."""

    def __init__(self, directory: Directory, rule: Rule) -> None:
        self._directory = directory
        self._rule = rule
        self._kinds = dict.fromkeys(("externalCustomerId", *rule.kinds))

    def prepare(self, contacts: Iterable[GivenContact]) -> None:
        """Fetch every contact that a batch may be about."""
        wanted: dict[str, list[str]] = {kind: [] for kind in self._kinds}
        for contact in contacts:
            wanted["externalCustomerId"].append(contact.external())
            for kind, value in self._rule.keys(contact):
                wanted[kind].append(value)
        for kind, values in wanted.items():
            self._directory.look_up(kind, values)

    def find(self, contact: GivenContact) -> Match:
        """Return the stored contact that a sent one is."""
        external = contact.external()
        if external:
            found = self._having("externalCustomerId", external)
            if found:
                return Match(found[0], "externalCustomerId")
        for kind, value in self._rule.keys(contact):
            found = self._having(kind, value)
            if external:
                # A contact with another external id is another contact.
                found = [person for person in found if person.external_id is None]
            if found:
                return Match(found[0], kind)
        return Match(None)

    def learn(self, person: Person) -> None:
        """Make a contact that was just written findable for the rest of the batch."""
        self._directory.learn(person, self._kinds)

    def _having(self, kind: str, value: str) -> list[Person]:
        # Living contacts come before deleted ones.
        found = self._directory.having(kind, value)
        return sorted(found, key=lambda person: person.deleted)
