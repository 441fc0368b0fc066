"""Tags on addresses and phone numbers. The service queues every change and answers with the queue's id."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.sendpulse.api._request import call


class Tag(msgspec.Struct, frozen=True):
    """A tag; `color` like ``#f0f4f6``."""

    id: int
    name: str = ""
    color: str = ""


class Tags(msgspec.Struct, frozen=True):
    """Every tag of the account."""

    tags: list[Tag] = []
    user_id: int | None = None
    version: str = ""


class Queued(msgspec.Struct, frozen=True):
    """A change that the service will make soon."""

    success: bool
    queue_id: str = ""
    code: str = ""
    description: str = ""
    failure: bool = False
    http_code: int | None = None
    user_id: int | None = None
    version: str = ""


def tags() -> Call[Tags]:
    """List the account's tags: `GET tags`."""
    return call("GET", "tags", Tags)


def tag_create(name: str, color: str) -> Call[Queued]:
    """Make a tag: `POST tags`."""
    return call("POST", "tags", Queued, body={"name": name, "color": color})


def tag_change(tag_id: int, name: str, color: str) -> Call[Queued]:
    """Rename or recolour a tag: `PUT tags/{id}`."""
    return call("PUT", "tags/{id}", Queued, tag_id, body={"name": name, "color": color})


def tag_delete(tag_id: int) -> Call[Queued]:
    """Delete a tag: `DELETE tags/{id}`."""
    return call("DELETE", "tags/{id}", Queued, tag_id)


def pin_email(address: str, tag_ids: Sequence[int]) -> Call[Queued]:
    """Return an address tags: `POST tags/pin/email`."""
    return _pinned("tags/pin/email", tag_ids, email=address)


def unpin_email(address: str, tag_ids: Sequence[int]) -> Call[Queued]:
    """Take tags off an address: `POST tags/unpin/email`."""
    return _pinned("tags/unpin/email", tag_ids, email=address)


def pin_phone(phone: str, tag_ids: Sequence[int]) -> Call[Queued]:
    """Return a phone number tags: `POST tags/pin/phone`."""
    return _pinned("tags/pin/phone", tag_ids, phone=phone)


def unpin_phone(phone: str, tag_ids: Sequence[int]) -> Call[Queued]:
    """Take tags off a phone number: `POST tags/unpin/phone`."""
    return _pinned("tags/unpin/phone", tag_ids, phone=phone)


def _pinned(label: str, tag_ids: Sequence[int], **whom: str) -> Call[Queued]:
    if not tag_ids:
        raise ValueError("There is no tag to pin or unpin.")
    return call("POST", label, Queued, body={**whom, "tags": list(tag_ids)}, repeatable=True)
