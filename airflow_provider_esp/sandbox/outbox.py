"""Every message that would have gone out, for all services: its recipient, its text, its statuses.

Nothing is ever sent. The statuses of a message are planned when it is accepted, with the times they are reached,
in the service's own words; which status it has *now* is a question to the clock. What a message says is
kept once per template or request (`content`), with each recipient's own data beside it, and rendered when it is
looked at, so that a broadcast to thirty thousand contacts costs little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .clock import Clock
from .settings import FATES, Settings
from .store import Row, Store, like

SCHEMA = """
CREATE TABLE outbox_contents (id TEXT PRIMARY KEY, subject TEXT, html TEXT, text TEXT);
CREATE TABLE outbox_messages (
  id INTEGER PRIMARY KEY, service TEXT, channel TEXT, sender TEXT, recipient TEXT, content TEXT, data TEXT,
  name TEXT, request_id TEXT, label TEXT, contact_id INTEGER, template_id INTEGER, broadcast_id INTEGER,
  tags TEXT, language TEXT, created REAL);
CREATE INDEX outbox_messages_request ON outbox_messages (service, request_id);
CREATE INDEX outbox_messages_recipient ON outbox_messages (recipient);
CREATE INDEX outbox_messages_broadcast ON outbox_messages (service, broadcast_id);
CREATE TABLE outbox_steps (
  at REAL, message_id INTEGER, position INTEGER, status TEXT, note TEXT, PRIMARY KEY (message_id, position))
  WITHOUT ROWID;
CREATE INDEX outbox_steps_at ON outbox_steps (at, message_id, position);
"""

_TAGS = {"unread": "delivered", "click": "clicked", "bounce": "bounced", "unsubscribe": "unsubscribed"}


def fate(settings: Settings, recipient: str) -> str:
    """Return what becomes of a message to `recipient`: one of `settings.FATES`.

    The setting ``outcomes`` decides for the addresses it names; otherwise a plus tag in the address does
    (``anna+bounce@example.com``, ``+unread``, ``+click``, ``+spam``, ``+unsubscribe``, ``+stuck``), and otherwise it
    is delivered and read.
    """
    wanted = settings["outcomes"].get(recipient)
    if wanted is not None:
        return str(wanted)
    local, _, domain = recipient.partition("@")
    tag = local.rpartition("+")[2] if domain and "+" in local else ""
    tag = _TAGS.get(tag, tag)
    return tag if tag in FATES else "read"


@dataclass
class Message:
    """One message to one recipient.

    :param channel: ``email``, ``sms``, ``viber`` ...
    :param steps: the message's planned statuses: (Unix time, status in the service's words, note), in order.
    :param subject: with html and text: what it says, placeholders included.
    :param data: what the placeholders are filled with for this recipient.
    :param name: its name for people: the template's or broadcast's name.
    :param request_id: by which the sender asks about it later.
    :param label: the sender's own id for it (``externalRequestId``).
    """

    service: str
    channel: str
    recipient: str
    steps: Sequence[tuple[float, str, str]]
    sender: str = ""
    subject: str = ""
    html: str = ""
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    request_id: str | None = None
    label: str | None = None
    contact_id: int | None = None
    template_id: int | None = None
    broadcast_id: int | None = None
    tags: Sequence[str] = ()
    language: str | None = None


class Outbox:
    """Messages and their statuses."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, messages: Iterable[Message]) -> list[int]:
        """Save messages.

        :return: their numbers, in the same order.
        """
        with self._store.transaction() as store:
            first = (store.value("SELECT max(id) FROM outbox_messages") or 0) + 1
            contents: dict[tuple[str, str, str], str] = {}
            rows: list[tuple[Any, ...]] = []
            steps: list[tuple[Any, ...]] = []
            now = self._clock.now()
            for number, message in enumerate(messages, start=first):
                said = (message.subject, message.html, message.text)
                content = contents.get(said) or contents.setdefault(said, _digest(said))
                rows.append(_row(number, message, content, now))
                for position, (at, status, note) in enumerate(message.steps):
                    # Whole microseconds, so that a time survives being written down and read again.
                    steps.append((round(at, 6), number, position, status, note))
            store.many(
                "INSERT OR IGNORE INTO outbox_contents VALUES (?, ?, ?, ?)",
                ((key, *said) for said, key in contents.items()),
            )
            store.many("INSERT INTO outbox_messages VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
            store.many("INSERT INTO outbox_steps VALUES (?, ?, ?, ?, ?)", steps)
        return [row[0] for row in rows]

    def way(self, number: int) -> list[Row]:
        """Return the statuses a message has reached by now: rows of (at, status, note), oldest first."""
        return self._store.all(
            "SELECT at, status, note FROM outbox_steps WHERE message_id = ? AND at <= ? ORDER BY position",
            number,
            self._clock.now(),
        )

    def status(self, number: int) -> str:
        """Return the status a message has now."""
        way = self.way(number)
        return str(way[-1]["status"]) if way else ""

    def by_request(self, service: str, request_id: str) -> Row | None:
        """Return the message that was accepted under a request id."""
        return self._store.one(
            "SELECT * FROM outbox_messages WHERE service = ? AND request_id = ?", service, request_id
        )

    def get(self, number: int) -> Row | None:
        """Return a message with its text (columns of messages and contents)."""
        return self._store.one(_SELECT_ONE, number)

    def page(self, q: str, limit: int, offset: int, service: str = "") -> list[Row]:
        """Return messages, newest first, whose recipient, name, request id or content contains `q`."""
        values = {"q": like(q), "all": not q, "limit": limit, "offset": offset, "service": service}
        return self._store.named(_SELECT_PAGE, values)

    def count(self, q: str = "", service: str = "") -> int:
        """Return how many messages `page` has in all."""
        values = {"q": like(q), "all": not q, "service": service}
        return int(self._store.named(_SELECT_COUNT, values)[0][0])

    def cancel(self, service: str, broadcast_id: int) -> None:
        """Delete a broadcast's messages that have not set out yet."""
        values = (service, broadcast_id, self._clock.now())
        ids = [
            row[0]
            for row in self._store.all(
                "SELECT m.id FROM outbox_messages m JOIN outbox_steps s ON s.message_id = m.id AND s.position = 0 "
                "WHERE m.service = ? AND m.broadcast_id = ? AND s.at > ?",
                *values,
            )
        ]
        self._store.many("DELETE FROM outbox_steps WHERE message_id = ?", ((number,) for number in ids))
        self._store.many("DELETE FROM outbox_messages WHERE id = ?", ((number,) for number in ids))


_SELECT_ONE = """
SELECT m.*, c.subject, c.html, c.text FROM outbox_messages m JOIN outbox_contents c ON c.id = m.content WHERE m.id = ?
"""

_SELECT_PAGE = """
SELECT m.*, c.subject, c.html, c.text FROM outbox_messages m JOIN outbox_contents c ON c.id = m.content
WHERE (:service = '' OR m.service = :service) AND (:all OR m.recipient LIKE :q ESCAPE '!' OR m.name LIKE :q ESCAPE '!'
  OR m.request_id LIKE :q ESCAPE '!' OR m.data LIKE :q ESCAPE '!' OR c.subject LIKE :q ESCAPE '!')
ORDER BY m.id DESC LIMIT :limit OFFSET :offset
"""

_SELECT_COUNT = """
SELECT count(*) FROM outbox_messages m JOIN outbox_contents c ON c.id = m.content
WHERE (:service = '' OR m.service = :service) AND (:all OR m.recipient LIKE :q ESCAPE '!' OR m.name LIKE :q ESCAPE '!'
  OR m.request_id LIKE :q ESCAPE '!' OR m.data LIKE :q ESCAPE '!' OR c.subject LIKE :q ESCAPE '!')
"""


def _digest(said: tuple[str, str, str]) -> str:
    return hashlib.blake2b(msgspec.json.encode(said), digest_size=12).hexdigest()


def _row(number: int, message: Message, content: str, now: float) -> tuple[Any, ...]:
    return (
        number,
        message.service,
        message.channel,
        message.sender,
        message.recipient,
        content,
        msgspec.json.encode(message.data).decode(),
        message.name,
        message.request_id,
        message.label,
        message.contact_id,
        message.template_id,
        message.broadcast_id,
        msgspec.json.encode(list(message.tags)).decode(),
        message.language,
        now,
    )
