"""eSputnik's broadcasts: a template to whole segments, now or at a time, all at once or in batches.

A broadcast has no status in the API, unless a setting gives it one. It starts when its time has come by the sandbox's
clock; only then is it known who is in its segments, and the messages go to the outbox. The list of broadcasts can be
late and leave rows out, as a client finds that looks for a broadcast which was made a moment ago.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..outbox import Message
from ..responses import Refused
from ..routing import Incoming, Routes
from ..service import table
from ..settings import Setting, texts
from ..state import SandboxState
from ..store import Row
from . import datetimes, delivery, segments, templates
from .contacts_store import Person, key, person
from .outgoing import address_kind
from .schema import next_id
from .schemas import Int, as_list

routes = Routes(right="messages")

UNITS = {"MINUTE": 60, "HOUR": 3600, "DAY": 86400, "MONTH": 30 * 86400}

SETTINGS = {
    "esputnik.moderation_seconds": Setting(0.0, "how long a broadcast waits for moderation before it starts"),
    "esputnik.broadcasts_delay_seconds": Setting(0.0, "how late a new broadcast appears in GET broadcasts"),
    "esputnik.broadcasts_hidden": Setting([], 'ids of broadcasts that GET broadcasts leaves out; ["*"] for all', texts),
    "esputnik.broadcast_status": Setting(
        {}, 'a status in the views of broadcasts: {"700001": "PAUSED"}, or {"*": "RUNNING"} for all; the API has none'
    ),
}


class Wanted(msgspec.Struct, rename="camel", omit_defaults=True):
    """The body of ``POST broadcast``."""

    message_id: str | Int
    groups: list[Int] | Int
    title: str | None = None
    excluded_groups: list[Int] | Int | None = None
    start_date: str | None = None
    batch_size: Int | None = None
    batch_interval_unit: str | None = None
    domain: str | None = None
    app_id: str | None = None


@routes("POST", "v1/broadcast")
def create(incoming: Incoming) -> Response:
    """Create a broadcast and return its view."""
    wanted = incoming.decode(Wanted)
    number = str(wanted.message_id)
    template = templates.find(incoming.store, int(number)) if re.fullmatch(r"\d{1,18}", number, re.ASCII) else None
    if template is None:
        raise Refused(404, f"Message with id='{number}' not found")
    if not as_list(wanted.groups):
        raise Refused(400, "groups should not be empty")
    for group in [*as_list(wanted.groups), *as_list(wanted.excluded_groups)]:
        if incoming.store.one("SELECT 1 FROM esputnik_segments WHERE id = ?", group) is None:
            raise Refused(404, f"Group with id='{group}' not found")
    if (wanted.batch_size is None) != (wanted.batch_interval_unit is None) or wanted.batch_size == 0:
        raise Refused(400, "batchSize and batchIntervalUnit belong together")
    if wanted.batch_interval_unit not in (None, *UNITS):
        raise Refused(400, f"batchIntervalUnit should be one of: {', '.join(UNITS)}")
    start = incoming.now + incoming.state.settings["esputnik.moderation_seconds"]
    if wanted.start_date:
        try:
            start = max(start, datetimes.read(incoming.state, wanted.start_date))
        except ValueError:
            raise Refused(400, "startDate should look like 2023-10-28T14:00") from None
    wanted.title = wanted.title or template["name"]
    broadcast = next_id(incoming.store, "broadcast")
    data = msgspec.json.encode({**msgspec.to_builtins(wanted), "groups": as_list(wanted.groups)}).decode()
    incoming.store.run(
        "INSERT INTO esputnik_broadcasts VALUES (?, ?, ?, 'SCHEDULED', 0, ?)", broadcast, data, start, incoming.now
    )
    return responses.json(_view(incoming.state, _known(incoming, broadcast)))


def _known(incoming: Incoming, number: int) -> Row:
    row = incoming.store.one("SELECT * FROM esputnik_broadcasts WHERE id = ? AND state <> 'CANCELLED'", number)
    if row is None:
        raise Refused(404, f"Broadcast with id='{number}' not found")
    return row


def _view(state: SandboxState, row: Row) -> dict[str, Any]:
    data = msgspec.json.decode(row["data"])
    shown = {
        "broadcastId": str(row["id"]),
        "title": data["title"],
        "messageId": str(data["messageId"]),
        "groupId": str(data["groups"][0]),
        "startDate": datetimes.write(state, row["start"]),
        "batchSize": data.get("batchSize"),
        "batchIntervalUnit": data.get("batchIntervalUnit"),
        "status": _status(state, row["id"]),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _status(state: SandboxState, number: int) -> Any:
    given = state.settings["esputnik.broadcast_status"]
    return given.get(str(number), given.get("*"))


@routes("GET", "v1/broadcast/{broadcast_id}")
def read(incoming: Incoming) -> Response:
    """Return one broadcast; as a rule it has no status."""
    return responses.json(_view(incoming.state, _known(incoming, incoming.id("broadcast_id"))))


@routes("DELETE", "v1/broadcast/{broadcast_id}")
def cancel(incoming: Incoming) -> Response:
    """Cancel a broadcast that has not started."""
    row = _known(incoming, incoming.id("broadcast_id"))
    if row["state"] != "SCHEDULED":
        raise Refused(400, f"Broadcast with id='{row['id']}' has already started")
    incoming.store.run("UPDATE esputnik_broadcasts SET state = 'CANCELLED' WHERE id = ?", row["id"])
    return responses.empty()


_LISTED = """
SELECT b.* FROM esputnik_broadcasts b WHERE state <> 'CANCELLED' AND created <= :seen
  AND NOT EXISTS (SELECT 1 FROM json_each(:hidden) WHERE value IN ('*', CAST(b.id AS TEXT)))
ORDER BY b.id DESC LIMIT :limit OFFSET :offset
"""


@routes("GET", "v1/broadcasts")
def listing(incoming: Incoming) -> Response:
    """Return broadcasts, newest first."""
    settings = incoming.state.settings
    rows = incoming.store.named(
        _LISTED,
        {
            "seen": incoming.now - settings["esputnik.broadcasts_delay_seconds"],
            "hidden": msgspec.json.encode(settings["esputnik.broadcasts_hidden"]).decode(),
            "limit": incoming.number("maxrows", 10, high=500),
            "offset": incoming.number("startindex", 1) - 1,
        },
    )
    return responses.json([_view(incoming.state, row) for row in rows])


def settle(state: SandboxState) -> None:
    """Start the broadcasts whose time has come."""
    due = state.store.all(
        "SELECT * FROM esputnik_broadcasts WHERE state = 'SCHEDULED' AND start <= ? ORDER BY start", state.clock.now()
    )
    for row in due:
        _start(state, row)


def _start(state: SandboxState, row: Row) -> None:
    wanted = msgspec.json.decode(row["data"], type=Wanted)
    template = templates.find(state.store, int(wanted.message_id))
    if template is None:  # deleted since
        state.store.run("UPDATE esputnik_broadcasts SET state = 'STARTED' WHERE id = ?", row["id"])
        return
    channel, interval = template["channel"], UNITS.get(wanted.batch_interval_unit or "", 0)
    messages: list[Message] = []
    for address, one in _audience(state, wanted, channel).items():
        said = templates.in_language(template, one.data.get("languageCode"))
        start = row["start"] + interval * (len(messages) // (wanted.batch_size or 1))
        message = Message(
            service="esputnik",
            channel=channel,
            recipient=address,
            steps=delivery.way(state, channel, address, start),
            sender=said.get("from", ""),
            subject=said.get("subject") or said.get("title") or "",
            html=said.get("htmlText") or "",
            text=said.get("text") or "",
            name=wanted.title or "",
            contact_id=one.id,
            template_id=template["id"],
            broadcast_id=row["id"],
            tags=template.get("tags") or (),
            language=said.get("languageCode"),
        )
        messages.append(message)
    state.outbox.add(messages)
    state.store.run(
        "UPDATE esputnik_broadcasts SET state = 'STARTED', recipients = ? WHERE id = ?", len(messages), row["id"]
    )


def _audience(state: SandboxState, wanted: Wanted, channel: str) -> dict[str, Person]:
    """Return the recipients of a broadcast by address: each once, without unsubscribed ones and excluded segments."""
    members: dict[int, None] = {}
    for group in as_list(wanted.groups):
        members.update(dict.fromkeys(segments.members(state.store, group)))
    for group in as_list(wanted.excluded_groups):
        for number in segments.members(state.store, group):
            members.pop(number, None)
    rows = state.store.all(
        "SELECT * FROM esputnik_contacts WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        msgspec.json.encode(list(members)).decode(),
    )
    silent = {row[0] for row in state.store.all("SELECT email FROM esputnik_unsubscribed")}
    kind = address_kind(channel)
    found: dict[str, Person] = {}
    seen: set[str] = set()
    for one in map(person, rows):
        address = one.channel(kind)
        same = key(kind, address or "")
        if address and same not in seen and not (kind == "email" and (same in silent or not one.confirmed)):
            seen.add(same)
            found[address] = one
    return found


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    data = msgspec.json.decode(row["data"])
    return {
        "id": row["id"],
        "title": data["title"],
        "template": data["messageId"],
        "groups": data["groups"],
        "status": row["state"],
        "recipients": row["recipients"],
    }


SECTION = table(
    "broadcasts",
    "Broadcasts",
    ("id", "title", "template", "groups", "status", "recipients"),
    rows="""
    SELECT * FROM esputnik_broadcasts WHERE :all OR data LIKE :q ESCAPE '!' OR id LIKE :q ESCAPE '!'
    ORDER BY id DESC LIMIT :limit OFFSET :offset
    """,
    count="SELECT count(*) FROM esputnik_broadcasts WHERE :all OR data LIKE :q ESCAPE '!' OR id LIKE :q ESCAPE '!'",
    shape=_shown,
)
