"""What eSputnik's methods share: the base of all models, contacts and segments.

A field that an answer does not carry reads as None or as an empty list. What is written is another thing than
what is read: `ContactUpdate` leaves an unset field out of the request, and sends null for None.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType, field


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of this service's models; shows no field in a log except those a model names as harmless."""

    _shown: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        told = [f"{name}={getattr(self, name)!r}" for name in self._shown]
        return f"<{' '.join([type(self).__name__, *told])}>"


class Device(Model, frozen=True, kw_only=True):
    """A phone that takes mobile push messages."""

    app_id: str | None = None
    device_model: str | None = None
    os: str | None = None
    locale: str | None = None
    client_version: str | None = None
    app_version: str | None = None
    active: bool | None = None


class WebPushSubscription(Model, frozen=True, kw_only=True):
    """A browser that takes web push messages."""

    app_id: int | None = None
    user_agent: str | None = None
    user_agent_version: str | None = None
    user_agent_language: str | None = None
    os: str | None = None
    ip: str | None = None
    subscription_page: str | None = None
    sw_active_version: str | None = None


class Channel(Model, frozen=True, kw_only=True):
    """One address of a contact.

    :ivar type: email, sms, viber, mobilepush, webpush, appinbox, widget or inapp.
    :ivar value: the address itself.
    """

    _shown: ClassVar[tuple[str, ...]] = ("type",)

    type: str = ""
    value: str | None = None
    device: Device | None = None
    web_push_subscription: WebPushSubscription | None = None


class Address(Model, frozen=True, kw_only=True):
    """A postal address; as in `ContactUpdate`, None is sent as null."""

    region: str | UnsetType | None = UNSET
    town: str | UnsetType | None = UNSET
    address: str | UnsetType | None = UNSET
    postcode: str | UnsetType | None = UNSET


class ContactField(Model, frozen=True, kw_only=True):
    """The value of an additional field.

    :ivar id: from `GET v1/addressbooks`.
    :ivar value: as text; None, sent as null, erases it.
    """

    _shown: ClassVar[tuple[str, ...]] = ("id",)

    id: int
    value: str | UnsetType | None = UNSET


class Segment(Model, frozen=True, kw_only=True):
    """A segment, "group" in the API.

    :ivar type: ``Static``, ``Dynamic`` or ``Combined``; contacts can be added to static ones only.
    """

    _shown: ClassVar[tuple[str, ...]] = ("id", "name", "type")

    id: int
    name: str = ""
    type: str = ""


class Contact(Model, frozen=True, kw_only=True):
    """A contact as eSputnik shows it; a search leaves out address, segments and external id."""

    _shown: ClassVar[tuple[str, ...]] = ("id",)

    id: int
    first_name: str | None = None
    last_name: str | None = None
    channels: list[Channel] = field(default_factory=list)
    address: Address | None = None
    fields: list[ContactField] = field(default_factory=list)
    address_book_id: int | None = None
    external_customer_id: str | None = None
    contact_key: str | None = None
    groups: list[Segment] = field(default_factory=list)
    language_code: str | None = None
    time_zone: str | None = None


class ContactUpdate(Model, frozen=True, kw_only=True):
    """A contact as it is written: what is unset is left out, None is sent as null.

    :ivar channels: addresses, at most two of one type; the API wants the list even when it is empty.
    :ivar id: only for a bulk update that matches contacts by id.
    """

    id: int | UnsetType = UNSET
    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    channels: list[Channel]
    address: Address | UnsetType = UNSET
    fields: list[ContactField] | UnsetType = UNSET
    address_book_id: int | UnsetType = UNSET
    external_customer_id: str | UnsetType | None = UNSET
    contact_key: str | UnsetType | None = UNSET
    groups: list[Segment] | UnsetType = UNSET
    language_code: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
