"""Contacts as a client sends them: their shape, what is wrong with them, and writing them over a stored contact.

A field that was sent wrongly is dropped, as the vendor says of names and additional fields; a contact that cannot
be reached, or cannot be matched, is refused with a sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from . import fields
from .contacts_store import Person

EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\.[^@\s,;<>\".]{2,24}")
PHONE = re.compile(r"\+?[\d ()-]{7,24}")

CHANNEL_TYPES = frozenset({"email", "sms", "viber", "mobilepush", "webpush", "appinbox", "widget", "inapp"})

_ADDRESSES = frozenset({"email", "sms", "viber"})
"""Types of channels whose value is an address."""

_PLAIN = {
    "firstName": "first_name",
    "lastName": "last_name",
    "contactKey": "contact_key",
    "languageCode": "language_code",
    "timeZone": "time_zone",
}
_ADDRESS = ("region", "town", "address", "postcode")
STANDARD_FIELDS = frozenset(
    {*_PLAIN, *_ADDRESS, "email", "sms", "mobilepush", "webpush", "externalCustomerId", "ordersInfo"}
)
"""What ``contactFields`` may name."""


Int = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A whole number no greater than the store can hold."""


class Channel(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One way to reach a contact."""

    type: str = ""
    value: Any = None
    device: Any = None
    web_push_subscription: Any = None


class FieldValue(msgspec.Struct):
    """The value of one additional field."""

    id: Int
    value: Any = None


class GroupName(msgspec.Struct, omit_defaults=True):
    """A segment named in a contact."""

    id: Int | None = None
    name: str | None = None
    type: str | None = None


class GivenContact(msgspec.Struct, omit_defaults=True, rename="camel"):
    """A contact as sent; UNSET is what was not sent."""

    first_name: Any = UNSET
    last_name: Any = UNSET
    channels: list[Channel] | Channel | None = None
    address: dict[str, Any] | None = None
    fields: list[FieldValue] | FieldValue | None = None
    address_book_id: Any = UNSET
    id: Int | None = None
    external_customer_id: Any = UNSET
    contact_key: Any = UNSET
    groups: list[GroupName] | GroupName | None = None
    language_code: Any = UNSET
    time_zone: Any = UNSET

    def reach(self) -> list[Channel]:
        """Return the channels with a value: shops send an empty phone for each contact that has none."""
        return [channel for channel in as_list(self.channels) if channel.type not in _ADDRESSES or text(channel.value)]

    def field_values(self) -> list[FieldValue]:
        """Return the additional fields, as a list."""
        return as_list(self.fields)

    def value(self, kind: str) -> str:
        """Return the first channel value of a type, trimmed; empty when there is none."""
        return next((text(channel.value) for channel in self.reach() if channel.type == kind), "")

    def external(self) -> str:
        """Return the external id; empty when there is none."""
        return text(self.external_customer_id)


def as_list(value: Any) -> list[Any]:
    """Return a list that may have been sent as its only element, or not at all."""
    return [] if value is None or value is UNSET else value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """Return a scalar as trimmed text; empty for nothing."""
    return "" if value is None or value is UNSET else str(value).strip()


def problem(contact: GivenContact) -> str:
    """Return why a contact cannot be taken; empty when it can."""
    channels = contact.reach()
    if not channels:
        return "contact should have at least one channel"
    for channel in channels:
        if channel.type not in CHANNEL_TYPES:
            return f"'{channel.type}' is not valid channel type"
        wrong = address_problem(channel.type, text(channel.value))
        if wrong:
            return wrong
    if len(channels) > 2:
        crowded = [kind for kind, number in Counter(channel.type for channel in channels).items() if number > 2]
        if crowded:
            return f"contact should have at most two channels of type {crowded[0]}"
    return ""


def address_problem(kind: str, value: str) -> str:
    """Return why a value is no address for a type of channel; empty when it is."""
    if not value:
        return f"{kind} should not be empty"
    if kind == "email" and EMAIL.fullmatch(value) is None:
        return f"'{value}' is not valid email"
    if kind in ("sms", "viber") and PHONE.fullmatch(value) is None:
        return f"'{value}' is not valid phone number"
    return ""


def _name(kind: str, value: str) -> str | None:
    """Return a name as it is saved, or None when it breaks the rules for names."""
    if len(value) > 40 or sum(letter.isdigit() for letter in value) > 3:
        return None
    if any(not (letter.isalnum() or letter in " -'`’.,()&/") for letter in value):  # noqa: RUF001  # a real apostrophe
        return None
    return None if kind == "firstName" and len(value.split()) > 6 else value


@dataclass(frozen=True)
class Scope:
    """What of a contact is written; a named field that was sent without a value is erased.

    :ivar plain: names, language and the like.
    :ivar address: parts of the postal address.
    :ivar channels: channel types whose channels are replaced by those sent.
    :ivar external: whether the external id is written.
    :ivar custom: ids of additional fields.
    """

    plain: tuple[str, ...]
    address: tuple[str, ...]
    channels: frozenset[str]
    external: bool
    custom: tuple[int, ...]

    @classmethod
    def of(cls, names: Collection[str], custom: Iterable[int]) -> Scope:
        """Return the scope of a request that names these fields.

        :param names: standard fields, see `STANDARD_FIELDS`, and other channel types.
        :param custom: ids of additional fields.
        """
        return cls(
            plain=tuple(name for name in _PLAIN if name in names),
            address=tuple(part for part in _ADDRESS if part in names),
            channels=CHANNEL_TYPES.intersection(names),
            external="externalCustomerId" in names,
            custom=tuple(custom),
        )


def overwrite(person: Person, contact: GivenContact, scope: Scope, known: Mapping[int, Mapping[str, Any]]) -> None:
    """Write what a contact carries over a stored one.

    :param known: the additional fields there are, by id; others are not saved.
    """
    for name in scope.plain:
        _write_plain(person.data, name, text(getattr(contact, _PLAIN[name])))
    if scope.channels:
        _replace_channels(person, scope.channels, contact)
    if scope.external:
        person.external_id = contact.external() or None
    if contact.address or "address" in person.data:
        _write_address(person.data, contact.address or {}, scope.address)
    if scope.custom:
        given = {value.id: text(value.value) for value in contact.field_values()}
        for number in scope.custom:
            if number in known:
                _write_field(person, number, given.get(number, ""), known[number])


def _write_plain(data: dict[str, Any], name: str, value: str) -> None:
    if not value:
        data.pop(name, None)
        return
    allowed = _name(name, value) if name in ("firstName", "lastName") else value
    if allowed is not None:
        data[name] = allowed


def _write_address(data: dict[str, Any], given: Mapping[str, Any], parts: Iterable[str]) -> None:
    kept = dict(data.get("address") or {})
    for part in parts:
        value = text(given.get(part))
        if value:
            kept[part] = value
        else:
            kept.pop(part, None)
    if "countryCode" in given:
        kept["countryCode"] = text(given["countryCode"])
    if kept:
        data["address"] = kept
    else:
        data.pop("address", None)


def _write_field(person: Person, number: int, value: str, field: Mapping[str, Any]) -> None:
    if not value:
        person.fields.pop(str(number), None)
    elif fields.fits(field, value):
        person.fields[str(number)] = value


def _replace_channels(person: Person, kinds: frozenset[str], contact: GivenContact) -> None:
    kept = [item for item in person.channels if item["type"] not in kinds]
    kept += [_stored_channel(channel) for channel in contact.reach() if channel.type in kinds]
    person.data["channels"] = kept


def _stored_channel(channel: Channel) -> dict[str, Any]:
    item: dict[str, Any] = {"type": channel.type, "value": text(channel.value)}
    if channel.device:
        item["device"] = channel.device
    if channel.web_push_subscription:
        item["webPushSubscription"] = channel.web_push_subscription
    return item


def carried(contact: GivenContact) -> set[str]:
    """Return the fields and channel types a contact carries, whatever their value: what an update of it writes."""
    named = {name for name, attribute in _PLAIN.items() if getattr(contact, attribute) is not UNSET}
    named |= {channel.type for channel in contact.reach()}
    named |= {part for part in _ADDRESS if part in (contact.address or {})}
    if contact.external_customer_id is not UNSET:
        named.add("externalCustomerId")
    return named


def shown(person: Person, groups: Iterable[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """Return a contact as the API answers it; what has no value is left out.

    :param groups: its segments; None gives the short form that `GET v1/contacts` answers.
    """
    data = person.data
    answer: dict[str, Any] = {name: data[name] for name in ("firstName", "lastName") if name in data}
    answer["channels"] = person.channels
    if person.fields:
        answer["fields"] = [{"id": int(number), "value": value} for number, value in person.fields.items()]
    answer["addressBookId"] = fields.ADDRESS_BOOK
    answer["id"] = person.id
    if groups is None:
        return answer
    if person.external_id:
        answer["externalCustomerId"] = person.external_id
    for name in ("contactKey", "languageCode", "timeZone", "address"):
        if data.get(name):
            answer[name] = data[name]
    answer["groups"] = list(groups)
    return answer
