"""eSputnik's events: ``POST v1/event`` and ``v2/event``, past events, and the events other methods raise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..service import table
from ..settings import Setting, texts
from ..state import SandboxState
from . import contacts_store, datetimes, legacy_format
from .contacts_store import Person
from .schemas import EMAIL, PHONE, as_list, text

routes = Routes(right="events")

BIGGEST = 20 * 1024
MOST_PAST = 500


def _lists_of_texts(value: dict[str, Any]) -> bool:
    return all(isinstance(names, list) and texts(names) for names in value.values())


SETTINGS = {
    "esputnik.ignore_repeated_events": Setting(False, "an event whose type and key were seen before is dropped"),
    "esputnik.event_segmentation": Setting(True, "events may create contacts (v2), and past events are taken"),
    "esputnik.event_params": Setting({}, "params an event type must have: {type: [names]}", _lists_of_texts),
    "esputnik.delete_past_events": Setting(False, "whether DELETE v1/past_events is switched on"),
    "esputnik.past_events_days": Setting(1096, "how many days back a past event may lie"),
}

_FORBIDDEN = re.compile(r"[<;'\\/|\"`^?!,>]")

# Names a param may have to say whose event it is, in the vendor's order of priority.
_IDENTIFIERS = (
    ("id", ("contactid", "contact_id")),
    ("externalCustomerId", ("externalcustomerid",)),
    ("email", ("email", "emailaddress", "useremail", "contactemail")),
    ("sms", ("phone", "sms", "phonenumber")),
    ("push", ("pushtoken",)),
    ("contactKey", ("contactkey", "contact_key")),
)


class Param(msgspec.Struct):
    """One named value of an event."""

    name: str
    value: Any = None


class GivenEvent(msgspec.Struct, rename="camel"):
    """An event as sent."""

    event_type_key: str
    key_value: Any = None
    params: list[Param] | Param | None = None
    occurred: str | None = None


class GivenEvents(msgspec.Struct):
    """The body of ``POST past_events``."""

    events: list[GivenEvent] | GivenEvent


@dataclass(frozen=True)
class Stored:
    """An event as it is kept.

    :ivar source: what raised it: ``v1``, ``v2``, ``past``, ``import``, ``subscribe``, ``order``, ``resent``.
    :ivar occurred: Unix time.
    """

    type: str
    key: str
    params: Mapping[str, Any]
    contact_id: int | None
    source: str
    occurred: float


def keep(state: SandboxState, events: Iterable[Stored]) -> None:
    """Save events, but for repeated ones where those are ignored."""
    fresh = list(events)
    if state.settings["esputnik.ignore_repeated_events"]:
        known = "SELECT 1 FROM esputnik_events WHERE type = ? AND key = ?"
        fresh = [event for event in fresh if state.store.one(known, event.type, event.key) is None]
    now = state.clock.now()
    state.store.many(
        "INSERT INTO esputnik_events (type, key, params, contact_id, source, occurred, received)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                event.type,
                event.key,
                msgspec.json.encode(event.params).decode(),
                event.contact_id,
                event.source,
                event.occurred,
                now,
            )
            for event in fresh
        ),
    )


@routes("POST", "v1/event", buckets=("esputnik.event",))
def event_v1(incoming: Incoming) -> Response:
    """Raise an event whose params are strings; an empty answer."""
    return _take(incoming, "v1")


@routes("GET", "v1/event", buckets=("esputnik.event",))
def resend(incoming: Incoming) -> Response:
    """Raise the events of a type and a period once more, as older clients ask for it; an empty answer.

    The sandbox numbers the types of events in the order in which they first occurred, from 1.
    """
    number = incoming.number("eventTypeId", 0)
    types = [
        row["type"] for row in incoming.store.all("SELECT type FROM esputnik_events GROUP BY type ORDER BY min(id)")
    ]
    if not 1 <= number <= len(types):
        raise Refused(404, f"Event type with id='{number}' not found")
    try:
        begin, end = (datetimes.read(incoming.state, incoming.query.get(name, "")) for name in ("start", "end"))
    except ValueError:
        raise Refused(400, "start and end should look like 2023-08-14T10:25") from None
    rows = incoming.store.all(
        "SELECT * FROM esputnik_events WHERE type = ? AND source <> 'past' AND occurred BETWEEN ? AND ? ORDER BY id",
        types[number - 1],
        begin,
        end,
    )
    again = [
        Stored(row["type"], row["key"], msgspec.json.decode(row["params"]), row["contact_id"], "resent", incoming.now)
        for row in rows
    ]
    keep(incoming.state, again)
    return responses.empty()


@routes("POST", "v2/event", buckets=("esputnik.event",))
def event_v2(incoming: Incoming) -> Response:
    """Raise an event whose params are any JSON; an empty answer."""
    return _take(incoming, "v2")


def _take(incoming: Incoming, version: str) -> Response:
    if len(incoming.body) > BIGGEST:
        raise Refused(400, "The event should not be larger than 20 kB")
    event = incoming.decode(GivenEvent)
    params = _checked(event, version)
    required = incoming.state.settings["esputnik.event_params"].get(event.event_type_key, ())
    if any(name not in params for name in required):
        wanted = msgspec.json.encode([{"name": name, "required": True} for name in required]).decode()
        raise Refused(400, f"The event should have the following params: {wanted}")
    identity = _identity(incoming.state, event, params)
    if identity is None:
        raise Refused(400, "The event should have a contact identifier in keyValue or params")
    person = _person(incoming.state, *identity)
    if person is None and version == "v2" and incoming.state.settings["esputnik.event_segmentation"]:
        person = _create(incoming.state, *identity)
    contact = person.id if person else None
    keep(incoming.state, [Stored(event.event_type_key, text(event.key_value), params, contact, version, incoming.now)])
    return responses.empty()


def _checked(event: GivenEvent, version: str) -> dict[str, Any]:
    """Check an event's params and return them by name.

    :raises Refused: 400, the event breaks a rule.
    """
    if not event.event_type_key or len(event.event_type_key) > 100 or _FORBIDDEN.search(event.event_type_key):
        raise Refused(400, "eventTypeKey should be 1 to 100 characters long, without < ; ' \\ / | \" ` ^ ? ! , >")
    if len(text(event.key_value)) > 300:
        raise Refused(400, "keyValue should be at most 300 characters long")
    params: dict[str, Any] = {}
    for param in as_list(event.params):
        if not param.name or len(param.name) > 100:
            raise Refused(400, "The name of a param should be 1 to 100 characters long")
        if param.name in params:
            raise Refused(400, f"The param '{param.name}' is given twice")
        if version == "v1" and isinstance(param.value, dict | list):
            raise Refused(400, f"The value of the param '{param.name}' should be a string")
        params[param.name] = param.value
    return params


def _identity(state: SandboxState, event: GivenEvent, params: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return whose event it is: (kind, value), or None when it does not say."""
    lowered = {name.lower(): text(value) for name, value in params.items()}
    for kind, names in _IDENTIFIERS:
        for name in names:
            value = lowered.get(name, "")
            if value and not (kind == "externalCustomerId" and value == "null"):
                return kind, value
    value = text(event.key_value)
    if EMAIL.fullmatch(value):
        return "email", value
    known = next((kind for kind in ("id", "externalCustomerId") if value and _person(state, kind, value)), None)
    if known is None and PHONE.fullmatch(value):
        return "sms", value
    return (known, value) if known else None


def _person(state: SandboxState, kind: str, value: str) -> Person | None:
    if kind == "contactKey":
        row = state.store.one(
            "SELECT * FROM esputnik_contacts WHERE json_extract(data, '$.contactKey') = ? AND NOT deleted", value
        )
        return contacts_store.person(row) if row else None
    directory = contacts_store.Directory(state.store, state.clock.now())
    kinds = ("mobilepush", "webpush") if kind == "push" else (kind,)
    for one in kinds:
        directory.look_up(one, [value])
        found = [person for person in directory.having(one, value) if not person.deleted]
        if found:
            return found[0]
    return None


def _create(state: SandboxState, kind: str, value: str) -> Person | None:
    """Create a contact for an event about an unknown one, where the identifier is an address."""
    if (kind, bool(EMAIL.fullmatch(value))) != ("email", True) and kind != "sms":
        return None
    person = contacts_store.new(state.store, state.clock.now())
    person.channels.append({"type": kind, "value": value})
    contacts_store.save(state.store, [person])
    return person


@routes("POST", "v1/past_events", buckets=("esputnik.past_events",))
def past_v1(incoming: Incoming) -> Response:
    """Add events that happened earlier, params as strings; one status per event, by position."""
    return _take_past(incoming, "v1")


@routes("POST", "v2/past_events", buckets=("esputnik.past_events",))
def past_v2(incoming: Incoming) -> Response:
    """Add events that happened earlier, params as any JSON; one status per event, by position."""
    return _take_past(incoming, "v2")


def _take_past(incoming: Incoming, version: str) -> Response:
    given = as_list(incoming.decode(GivenEvents).events)
    if not 1 <= len(given) <= MOST_PAST:
        raise Refused(400, f"events should hold 1 to {MOST_PAST} items")
    statuses, rows = [], []
    for event in given:
        params = _checked(event, version)
        if not text(event.key_value):
            raise Refused(400, "keyValue should not be empty")
        status, at = _past_status(incoming.state, event)
        statuses.append(status)
        if status == "ACCEPTED":
            identity = _identity(incoming.state, event, params)
            person = _person(incoming.state, *identity) if identity else None
            rows.append(
                Stored(event.event_type_key, text(event.key_value), params, person.id if person else None, "past", at)
            )
    keep(incoming.state, rows)
    results = [{"status": status} for status in statuses]
    answer = {"results": results, "successCount": len(rows), "errorCount": len(results) - len(rows)}
    return legacy_format.answer(incoming, answer, quoted=False)


def _past_status(state: SandboxState, event: GivenEvent) -> tuple[str, float]:
    if not state.settings["esputnik.event_segmentation"]:
        return "EVENT_SEGMENTATION_DISABLED", 0
    if not event.occurred:
        return "OCCURRED_DATE_IS_REQUIRED", 0
    try:
        at = datetimes.read(state, event.occurred)
    except ValueError:
        return "INCORRECT_OCCURRED_DATE_FORMAT", 0
    now = state.clock.now()
    if at > now:
        return "OCCURRED_TIME_IN_FUTURE", at
    if at < now - state.settings["esputnik.past_events_days"] * 86400:
        return "OCCURRED_TIME_TOO_DEPTH", at
    return "ACCEPTED", at


class Period(msgspec.Struct, rename={"begin": "from", "end": "to"}):
    """Two moments, both inclusive."""

    begin: str
    end: str


@routes("DELETE", "v1/past_events", buckets=("esputnik.past_events.delete",))
def delete_past(incoming: Incoming) -> Response:
    """Remove the past events of a period; off until support switches it on."""
    if not incoming.state.settings["esputnik.delete_past_events"]:
        raise Refused(400, "Contact support to enable deleting of past events.")
    period = incoming.decode(Period)
    try:
        begin, end = datetimes.read(incoming.state, period.begin), datetimes.read(incoming.state, period.end)
    except ValueError:
        raise Refused(400, "from and to should look like 2023-08-14T10:25") from None
    if end < begin:
        raise Refused(400, "to should not be before from")
    incoming.store.run("DELETE FROM esputnik_events WHERE source = 'past' AND occurred BETWEEN ? AND ?", begin, end)
    return responses.empty()


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    row["params"] = msgspec.json.decode(row["params"])
    row["occurred"] = datetime.fromtimestamp(row["occurred"], datetimes.UTC).isoformat(timespec="milliseconds")
    return row


SECTION = table(
    "events",
    "Events",
    ("type", "key", "contact_id", "source", "params", "occurred"),
    rows="""
    SELECT * FROM esputnik_events WHERE :all OR type LIKE :q ESCAPE '!' OR key LIKE :q ESCAPE '!'
      OR params LIKE :q ESCAPE '!' ORDER BY id DESC LIMIT :limit OFFSET :offset
    """,
    count="""
    SELECT count(*) FROM esputnik_events WHERE :all OR type LIKE :q ESCAPE '!' OR key LIKE :q ESCAPE '!'
      OR params LIKE :q ESCAPE '!'
    """,
    shape=_shown,
)
