"""eSputnik's activity: what contacts did with messages, as the outbox's clock tells it.

The cursor ``offset`` looks like a time-ordered uuid and stands for one row: its time, message and step. Settings
play what was met in the field: the method switched off, rows that come late or never, a cursor that cannot be
trusted.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..outbox import Message
from ..responses import Refused
from ..routing import Incoming, Routes
from ..settings import Setting, texts
from ..state import SandboxState
from ..store import Row
from . import datetimes, delivery, template_rendering
from .contacts_store import key

routes = Routes(right="activity")

CURSORS = ("works", "repeats", "ignored", "loses", "ends")
DAY = 86400

SETTINGS = {
    "esputnik.activity": Setting(True, "whether contacts/activity is switched on; otherwise it answers 400"),
    "esputnik.activity_cursor": Setting(
        "works",
        "the cursor of contacts/activity: works, repeats (each page begins with the last row of the one before), "
        "ignored (always the first page), loses (a window longer than a day loses its later pages), ends (there is "
        "never a second page)",
        CURSORS.__contains__,
    ),
    "esputnik.activity_delay_seconds": Setting(0.0, "how late rows appear in contacts/activity"),
    "esputnik.activity_hidden": Setting([], "addresses whose rows never appear in contacts/activity", texts),
    "esputnik.activity_most": Setting(
        25000, "the most rows contacts/activity gives in one page, whatever maxrows says"
    ),
}

_ROWS = """
SELECT s.at, s.message_id, s.position, s.status AS word, s.note, m.*, c.external_id
FROM outbox_steps s JOIN outbox_messages m ON m.id = s.message_id
LEFT JOIN esputnik_contacts c ON c.id = m.contact_id
WHERE m.service = 'esputnik' AND s.at >= :begin AND s.at < :end AND s.at <= :now
  AND (s.at, s.message_id, s.position) > (:at, :message, :position)
  AND s.status IN (SELECT value FROM json_each(:words))
  AND m.recipient NOT IN (SELECT value FROM json_each(:hidden))
  AND (:email = '' OR (m.channel = 'email' AND lower(m.recipient) = :email))
  AND (:sms = '' OR (m.channel IN ('sms', 'viber') AND ltrim(m.recipient, '+') = :sms))
  AND (:push = '' OR (m.channel = 'mobilepush' AND m.recipient = :push))
  AND (:web = '' OR (m.channel = 'webpush' AND m.recipient = :web))
  AND (:tag = '' OR EXISTS (SELECT 1 FROM json_each(m.tags) WHERE value = :tag))
ORDER BY s.at, s.message_id, s.position LIMIT :limit
"""


@routes("GET", "v1/contacts/activity", "v2/contacts/activity")
def activity(incoming: Incoming) -> Response:
    """Return what contacts did with messages in a period: rows in order of time."""
    settings = incoming.state.settings
    if not settings["esputnik.activity"]:
        raise Refused(400, "Contact support to enable ContactActivity.")
    begin, end = window(incoming)
    query = incoming.query
    limit = min(incoming.number("maxrows", 25000), settings["esputnik.activity_most"])
    at, message, position = _cursor(incoming, end - begin)
    values = {
        "begin": begin,
        "end": end,
        "now": incoming.now - settings["esputnik.activity_delay_seconds"],
        "at": at,
        "message": message,
        "position": position,
        "words": msgspec.json.encode(_words(query.get("activityStatus", ""))).decode(),
        "hidden": msgspec.json.encode(settings["esputnik.activity_hidden"]).decode(),
        "email": key("email", query.get("email", "")),
        "sms": key("sms", query.get("sms", "")),
        "push": query.get("mobPushToken", ""),
        "web": query.get("webPushToken", ""),
        "tag": query.get("messageTag", ""),
        "limit": limit,
    }
    return responses.json([_row(incoming, row) for row in incoming.store.named(_ROWS, values)])


def window(incoming: Incoming) -> tuple[float, float]:
    """Return the period a request names: from dateFrom up to, but without, the second after dateTo.

    :raises Refused: 400, a date is missing or none, or they are the wrong way round.
    """
    found = []
    for name in ("dateFrom", "dateTo"):
        given = incoming.query.get(name, "")
        if not given:
            raise Refused(400, f"{name} should not be empty")
        try:
            found.append(datetimes.read(incoming.state, given, end=name == "dateTo"))
        except ValueError:
            raise Refused(400, f"{name} should look like 2023-08-14 or 2023-08-14T10:25") from None
    begin, end = found
    if end < begin:
        raise Refused(400, "dateTo should not be before dateFrom")
    return begin, int(end) + 1


def _words(status: str) -> list[str]:
    return [word for word, shown in delivery.ACTIVITY.items() if status in ("", shown)]


def _cursor(incoming: Incoming, length: float) -> tuple[float, int, int]:
    """Return the row after which a page begins: (time, message, step)."""
    given, behaviour = incoming.query.get("offset", ""), incoming.state.settings["esputnik.activity_cursor"]
    if not given or behaviour == "ignored":
        return 0.0, 0, 0
    try:
        number = uuid.UUID(given).int
    except ValueError:
        raise Refused(400, "offset should be the offset of a row") from None
    at, message, position = (number >> 64) / 1_000_000, (number >> 16) & (2**48 - 1), number & 0xFFFF
    if behaviour == "ends" or (behaviour == "loses" and length > DAY):
        return float("inf"), 0, 0
    return (at, message, position - 1) if behaviour == "repeats" else (at, message, position)


def _offset(row: Row) -> str:
    return str(uuid.UUID(int=round(row["at"] * 1_000_000) << 64 | row["message_id"] << 16 | row["position"]))


def _row(incoming: Incoming, row: Row) -> dict[str, Any]:
    host = incoming.headers.get("host", "127.0.0.1")
    email, word = row["channel"] == "email", delivery.ACTIVITY[row["word"]]
    tags = msgspec.json.decode(row["tags"])
    shown: dict[str, Any] = {
        "iid": row["request_id"] or str(uuid.UUID(int=row["id"])),
        "externalRequestId": row["label"],
        "contactId": row["contact_id"],
        "externalCustomerId": row["external_id"],
        "email": row["recipient"] if email else None,
        "mobPushToken": row["recipient"] if row["channel"] == "mobilepush" else None,
        "sms": row["recipient"] if row["channel"] in ("sms", "viber") else None,
        "mediaType": "telegrambot" if row["channel"] == "telegram" else row["channel"],
        "activityStatus": word,
        "messageId": row["template_id"] or 0,
        "messageInstanceId": row["broadcast_id"] or 0,
        "messageName": row["name"] or None,
        "messageTag": ",".join(tags) or None,
        "activityDateTime": datetimes.write(incoming.state, row["at"]),
        "statusDescription": row["note"] or None if word == "UNDELIVERED" else None,
        "hardBounce": True if word == "UNDELIVERED" and email else None,
        "viewMessageLink": f"http://{host}/messages/{row['message_id']}" if email else None,
        "clickEventLink": "https://shop.example/" if word == "CLICKED" else None,
        "offset": _offset(row),
        "messageLanguageCode": row["language"],
        "broadcastId": row["broadcast_id"],
        "from": row["sender"] or None,
    }
    return {name: value for name, value in shown.items() if value is not None}


_MESSAGES = """
SELECT m.*, c.subject, c.html, c.text,
  (SELECT s.status FROM outbox_steps s WHERE s.message_id = m.id AND s.at <= :now ORDER BY s.position DESC LIMIT 1)
    AS word,
  (SELECT min(s.at) FROM outbox_steps s WHERE s.message_id = m.id) AS sent
FROM outbox_messages m JOIN outbox_contents c ON c.id = m.content
WHERE m.service = 'esputnik' AND m.contact_id = :contact AND sent >= :begin AND sent < :end AND sent <= :now
  AND (:channels = '[]' OR m.channel IN (SELECT value FROM json_each(:channels)))
ORDER BY sent DESC, m.id DESC LIMIT :limit OFFSET :offset
"""

_CONTACT = """
SELECT id FROM esputnik_contacts c WHERE NOT deleted AND (id = :id OR external_id = :external
  OR id IN (SELECT contact_id FROM esputnik_channels WHERE type = 'email' AND key = :email)
  OR id IN (SELECT contact_id FROM esputnik_channels WHERE type = 'sms' AND key = :phone)) ORDER BY updated DESC
"""


@routes("GET", "v2/contacts/messages", buckets=("esputnik.contacts.messages",))
def messages(incoming: Incoming) -> Response:
    """Return messages one contact was sent in a period, newest first."""
    begin, end = window(incoming)
    query = incoming.query
    given = {name: query.get(name, "") for name in ("contactId", "externalCustomerId", "email", "phone")}
    if sum(1 for value in given.values() if value) != 1:
        raise Refused(400, "one of contactId, externalCustomerId, email and phone should be given")
    contact = incoming.store.named(
        _CONTACT,
        {
            "id": incoming.number("contactId", -1, low=0),
            "external": given["externalCustomerId"] or None,
            "email": key("email", given["email"]) or None,
            "phone": key("sms", given["phone"]) or None,
        },
    )
    channels = [item.strip() for item in query.get("channelTypes", "").split(",") if item.strip()]
    values = {
        "now": incoming.now,
        "contact": contact[0]["id"] if contact else None,
        "begin": begin,
        "end": end,
        "channels": msgspec.json.encode(channels).decode(),
        "limit": incoming.number("maxrows", 10, high=100),
        "offset": incoming.number("offset", 0, low=0),
    }
    return responses.json([_message(incoming, row) for row in incoming.store.named(_MESSAGES, values)])


def _message(incoming: Incoming, row: Row) -> dict[str, Any]:
    data, email = msgspec.json.decode(row["data"]), row["channel"] == "email"
    host = incoming.headers.get("host", "127.0.0.1")
    shown: dict[str, Any] = {
        "contactId": row["contact_id"],
        "email": row["recipient"] if email else None,
        "phone": None if email else row["recipient"],
        "messageId": row["template_id"] or 0,
        "messageInstanceId": row["broadcast_id"] or 0,
        "messageTags": msgspec.json.decode(row["tags"]),
        "channelType": row["channel"],
        "sentDateTime": datetimes.write(incoming.state, row["sent"]),
        "activityStatus": delivery.ACTIVITY.get(row["word"]),
        "from": row["sender"],
        "subject": template_rendering.render(row["subject"], data) or None,
        "text": None if email else template_rendering.render(row["text"], data),
        "viewMessageLink": f"http://{host}/messages/{row['id']}" if email else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def make(state: SandboxState, values: Mapping[str, Any]) -> dict[str, Any]:
    """Make many delivered messages, evenly over a period, so that there is much activity to read.

    :param values: ``rows`` (default 1000), ``seconds`` the period's length up to now (default a day), ``broadcast``
        the id they belong to (optional), ``mixed`` for messages that are read, clicked, bounced and so on in the usual
        shares, where a message is one to three rows, ``name`` of the message.
    """
    rows, seconds = int(values.get("rows", 1000)), float(values.get("seconds", DAY))
    if not 0 < rows <= 1_000_000 or seconds < 0:
        raise ValueError("rows should be 1 to 1,000,000 and seconds not negative")
    end = state.clock.now()
    begin, name = end - seconds, str(values.get("name", "Made for a test"))
    made = 0

    def message(number: int) -> Message:
        nonlocal made
        at = begin + seconds * number / rows
        recipient = f"reader{number}{_tag(number) if values.get('mixed') else ''}@example.com"
        ways = delivery.way(state, "email", recipient, at) if values.get("mixed") else [(at, "DELIVERED", "")]
        steps = [step for step in ways if step[1] in delivery.ACTIVITY]
        made += len(steps)
        return Message(
            service="esputnik",
            channel="email",
            recipient=recipient,
            steps=steps,
            sender="shop@sandbox.example",
            subject=name,
            name=name,
            broadcast_id=int(values["broadcast"]) if "broadcast" in values else None,
        )

    state.outbox.add(map(message, range(rows)))
    return {"rows": made}


def _tag(number: int) -> str:
    """Return the tag that decides what becomes of a message: of a thousand, so many each."""
    place = number * 377 % 1000  # all of them come soon, and in no order that shows
    for tag, upto in (("bounce", 25), ("unread", 615), ("click", 705), ("unsubscribe", 712), ("spam", 714)):
        if place < upto:
            return f"+{tag}"
    return ""
