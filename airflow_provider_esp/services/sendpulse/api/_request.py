"""What the modules of this package share: how a call is put together, paging, and answers many methods give."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

import msgspec

from airflow_provider_esp.core.calls import JSON, Bucket, Call, Flow, Page, Pages, json_body, path
from airflow_provider_esp.services.sendpulse.limits import ACCOUNT, PAGE
from airflow_provider_esp.services.sendpulse.service import SENDPULSE

T = TypeVar("T")
R = TypeVar("R")

_REPEATABLE_VERBS = ("GET", "PUT", "DELETE")


class Quiet(msgspec.Struct, frozen=True):
    """An answer that holds a person's address or a secret: its repr says no more than what it is."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Done(msgspec.Struct, frozen=True):
    """The answer ``{"result": true}``.

    ``{"result": false}`` is documented nowhere and is no success, so it is refused as an answer that the API
    does not promise.
    """

    result: bool

    def __post_init__(self) -> None:
        if not self.result:
            raise ValueError("the service answered result: false")


class Total(msgspec.Struct, frozen=True):
    """How many there are."""

    total: int


class Variable(Quiet, frozen=True):
    """A variable of one contact."""

    name: str
    value: Any = None
    type: str = ""


def call(
    method: str,
    label: str,
    answer: type[T],
    *ids: str | int,
    query: Mapping[str, str | int | None] | None = None,
    body: object = None,
    buckets: tuple[Bucket, ...] = ACCOUNT,
    repeatable: bool | None = None,
) -> Call[T]:
    """Put a call together.

    :param label: the vendor's path with its placeholders, e.g. ``addressbooks/{id}/emails``.
    :param ids: what stands for the placeholders, in their order.
    :param body: sent as JSON, or None for no body.
    :param repeatable: None for what the verb says: GET, PUT and DELETE are, POST and PATCH are not.
    :raises ValueError: an id is empty, so that the path would mean another method.
    """
    return Call(
        service=SENDPULSE.name,
        method=method,
        path=path(label, *ids),
        answer=answer,
        label=label,
        query=query or {},
        content=None if body is None else json_body(body),
        content_type=None if body is None else JSON,
        buckets=buckets,
        repeatable=method in _REPEATABLE_VERBS if repeatable is None else repeatable,
    )


def given(**fields: Any) -> dict[str, Any]:
    """Keep the fields that were given, which is all that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def flag(value: bool | None) -> int | None:
    """Spell a boolean for a query: 1 or 0, as the vendor's own PHP client does."""
    return None if value is None else int(value)


def numbered(name: str, values: Sequence[str | int]) -> dict[str, str | int]:
    """Spell a list for a query in PHP's way: ``status[0]=3&status[1]=8``."""
    return {f"{name}[{position}]": value for position, value in enumerate(values)}


def base64_text(text: str) -> str:
    """Encode a text as Base64 of its UTF-8 bytes, the form the vendor wants HTML in."""
    return b64encode(text.encode()).decode()


def at_most(limit: int, values: Sequence[T], what: str) -> list[T]:
    """Check that there is something, and no more than one request may hold.

    :raises ValueError: there is nothing or too much.
    """
    if not 0 < len(values) <= limit:
        raise ValueError(f"{len(values)} {what}, but one request takes from 1 to {limit}.")
    return list(values)


def vendor_time(moment: datetime, zone: tzinfo) -> str:
    """Spell a moment in the vendor's way, ``Y-m-d H:i:s`` in the account's time zone.

    :param moment: timezone-aware.
    :param zone: the account's, see `account.user_info`.
    :raises ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("A moment without a time zone cannot be told to SendPulse; give it one.")
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def moment(written: str, zone: tzinfo) -> datetime | None:
    """Read a moment as the vendor writes it, in UTC; None where it is none.

    :param zone: the account's, in which the vendor writes.
    """
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def paged(fetch: Callable[[int, int], Call[list[R]] | Flow[list[R]]], size: int = PAGE) -> Pages[R]:
    """Read a list page by page: the vendor gives no total, a short page is the last.

    :param fetch: makes the call for a page from its limit and offset.
    :param size: rows asked for at once.
    """
    offset = 0
    while True:
        rows: list[R] = yield from fetch(size, offset)
        if rows:
            yield Page(rows)
        if len(rows) < size:
            return
        offset += size
