"""Events: one that has just happened, many that happened long ago, and taking the latter back.

The vendor's fifth group of methods. Version 2, the current one, takes any JSON as a parameter's value; version 1
takes text, so that anything else is written as JSON inside a string. None of them may be repeated: whether a
second event with the same key is ignored is something the vendor's pages contradict each other on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import NoneType
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import field

from airflow_provider_esp.core.calls import Call, json_body
from airflow_provider_esp.services.esputnik import limits
from airflow_provider_esp.services.esputnik.api._request import check_size, given, request
from airflow_provider_esp.services.esputnik.api.models import Model
from airflow_provider_esp.services.esputnik.datetimes import stamp, whole_minutes
from airflow_provider_esp.services.esputnik.scopes import MethodGroup

MOST_EVENT_BYTES = 20_000
"""The vendor's 20 kB, in the strict reading, counted over the whole body."""

MOST_PAST_EVENTS = 500
"""Past events a request takes."""

_GROUP = MethodGroup.EVENTS
_FORBIDDEN = re.compile("[<;'\u2019\\\\/|\"`^?!,>]")


class PastEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened before now.

    :ivar event_type_key: the event's type; created if missing.
    :ivar key_value: a value of its own for each contact, e.g. its e-mail address.
    :ivar occurred: a date, or a datetime on the account's clock; seconds are cut off.
    :ivar params: the event's data.
    """

    event_type_key: str
    key_value: str
    occurred: date
    params: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return f"<PastEvent {self.event_type_key}>"


class PastEventResult(Model, frozen=True, kw_only=True):
    """What became of one past event; ACCEPTED is the only good word."""

    _shown: ClassVar[tuple[str, ...]] = ("status",)

    status: str


class PastEventResults(Model, frozen=True, kw_only=True):
    """What became of past events, in the order they were sent (our reading: no key is told)."""

    _shown: ClassVar[tuple[str, ...]] = ("success_count", "error_count")

    results: list[PastEventResult] = field(default_factory=list)
    success_count: int = 0
    error_count: int = 0

    def refused(self) -> list[tuple[int, str]]:
        """Position and status word of each event that was not accepted."""
        return [(index, result.status) for index, result in enumerate(self.results) if result.status != "ACCEPTED"]


def event(
    event_type_key: str,
    params: Mapping[str, Any],
    *,
    key_value: str | None = None,
    version: Literal[1, 2] = 2,
) -> Call[None]:
    """Tell the service that something happened: `POST v2/event`, or `POST v1/event`.

    The service must learn whose event it is: from `key_value` (a contact's address), or from a parameter
    contactId, externalCustomerId, email, phone or pushToken. `translate.event` takes care of that.

    :param event_type_key: the event's type, 100 characters at most; created if missing.
    :param params: the event's data by name, names of 100 characters at most; values are JSON-able.
    :param key_value: what makes the event unique, 300 characters at most.
    :raises ValueError: a key or name breaks the vendor's rules, or the event has more than 20 kB.
    """
    _check_keys(event_type_key, key_value, params)
    body = given(eventTypeKey=event_type_key, keyValue=key_value, params=_params(params, version))
    call = request(
        "POST",
        f"v{version}/event",
        answer=NoneType,
        body=body,
        buckets=(limits.EVENT,),
        group=_GROUP,
        repeatable=False,
    )
    size = len(call.content or b"")
    if size > MOST_EVENT_BYTES:
        raise ValueError(f"The event {event_type_key} has {size} bytes: the service takes {MOST_EVENT_BYTES}.")
    return call


def resend(event_type_id: int, start: date, end: date) -> Call[None]:
    """Have the events of a type and a period raised once more: `GET v1/event`, known from clients alone.

    A GET by its verb only: it starts the workflows again, so it is never repeated.

    :param event_type_id: the type's number in the account.
    :param start: of the period, a date or a datetime on the account's clock, to the minute.
    :param end: of the period.
    :raises ValueError: the period ends before it begins.
    """
    begins, ends = stamp(start), stamp(end)
    if ends < begins:
        raise ValueError(f"The period from {begins} to {ends} ends before it begins.")
    query: dict[str, str | int] = {"eventTypeId": event_type_id, "start": begins, "end": ends}
    return request(
        "GET", "v1/event", answer=NoneType, query=query, buckets=(limits.EVENT,), group=_GROUP, repeatable=False
    )


def past_events(events: Sequence[PastEvent], *, version: Literal[1, 2] = 2) -> Call[PastEventResults]:
    """Load events of the past, without starting workflows: `POST v2/past_events`, or `POST v1/past_events`.

    Their type must be open to segmentation in the account, and their contacts must be there already.

    :param events: 1 to 500.
    :return: a call answered with one result per event; the answer is a success even where all were refused.
    :raises ValueError: none or too many, or a key or name breaks the vendor's rules.
    """
    check_size(events, MOST_PAST_EVENTS, "past events")
    for one in events:
        _check_keys(one.event_type_key, one.key_value, one.params)
    body = {
        "events": [
            {
                "eventTypeKey": one.event_type_key,
                "keyValue": one.key_value,
                "params": _params(one.params, version),
                "occurred": stamp(one.occurred),
            }
            for one in events
        ]
    }
    return request(
        "POST",
        f"v{version}/past_events",
        answer=PastEventResults,
        body=body,
        buckets=(limits.PAST_EVENTS,),
        group=_GROUP,
        repeatable=False,
    )


def delete_past_events(start: datetime, end: datetime) -> Call[None]:
    """Delete **all events of all types** in a period: `DELETE v1/past_events`. There is no way back.

    Off until eSputnik's support switches it on for the account.

    :param start: first minute, inclusive, on the account's clock.
    :param end: last minute, inclusive, on the account's clock.
    :raises ValueError: seconds, which the service cannot say, or a period that ends before it starts.
    """
    if not (whole_minutes(start) and whole_minutes(end)):
        raise ValueError("The period is deleted by whole minutes: give start and end without seconds.")
    period = {"from": stamp(start), "to": stamp(end)}
    if end < start:
        raise ValueError("The period ends before it starts.")
    return request(
        "DELETE",
        "v1/past_events",
        answer=NoneType,
        body=period,
        buckets=(limits.PAST_EVENTS_DELETE,),
        group=_GROUP,
        repeatable=True,
    )


def _params(params: Mapping[str, Any], version: int) -> list[dict[str, Any]]:
    if version == 1:
        return [{"name": name, "value": _text(value)} for name, value in params.items() if value is not None]
    return [{"name": name, "value": value} for name, value in params.items()]


def _text(value: Any) -> str:
    """Write a parameter for version 1, whose values are text; one without a value is left out (our choice)."""
    return value if isinstance(value, str) else json_body(value).decode().strip('"')


def _check_keys(event_type_key: str, key_value: str | None, params: Mapping[str, Any]) -> None:
    _check_key("An event type key", event_type_key, 100)
    if key_value is not None:
        _check_key(f"The key of an event {event_type_key}", key_value, 300)
    for name in params:
        if not 1 <= len(name) <= 100:
            raise ValueError(
                f"A parameter of {event_type_key} has a name of {len(name)} characters: 1 to 100 are taken."
            )


def _check_key(what: str, key: str, most: int) -> None:
    if not 1 <= len(key) <= most:
        raise ValueError(f"{what} has {len(key)} characters: the service takes 1 to {most}.")
    if found := _FORBIDDEN.search(key):
        raise ValueError(f"{what} has the character {found.group()} in it, which the service does not take.")
