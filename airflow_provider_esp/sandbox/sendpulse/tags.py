"""Tags: short names pinned to addresses and phones. Changes are answered as "queued" and done at once."""

from __future__ import annotations

import re
import uuid

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from .arguments import Arguments, is_email, phone_of, whole
from .errors import invalid, not_found
from .settings import USER_ID

SCHEMA = """
CREATE TABLE sendpulse_tags (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, color TEXT);
CREATE TABLE sendpulse_pins (tag_id INTEGER, whom TEXT COLLATE NOCASE, PRIMARY KEY (tag_id, whom)) WITHOUT ROWID;
"""

_VERSION = "2.7.3"

routes = Routes()


@routes("GET", "tags")
def tags(incoming: Incoming) -> Response:
    """Return all tags."""
    found = [dict(row) for row in incoming.store.all("SELECT * FROM sendpulse_tags ORDER BY id")]
    return responses.json({"tags": found, "user_id": USER_ID, "version": _VERSION})


@routes("POST", "tags")
def create(incoming: Incoming) -> Response:
    """Create a tag."""
    incoming.store.run("INSERT INTO sendpulse_tags (name, color) VALUES (?, ?)", *_fields(incoming))
    return _queued()


@routes("PUT", "tags/{id}")
def edit(incoming: Incoming) -> Response:
    """Change a tag's name and colour."""
    number = _tag(incoming)
    incoming.store.run("UPDATE sendpulse_tags SET name = ?, color = ? WHERE id = ?", *_fields(incoming), number)
    return _queued()


@routes("DELETE", "tags/{id}")
def delete(incoming: Incoming) -> Response:
    """Delete a tag, also from those it is pinned to."""
    number = _tag(incoming)
    incoming.store.run("DELETE FROM sendpulse_tags WHERE id = ?", number)
    incoming.store.run("DELETE FROM sendpulse_pins WHERE tag_id = ?", number)
    return _queued()


@routes("POST", "tags/pin/{kind}")
def pin(incoming: Incoming) -> Response:
    """Pin tags to an address or a phone."""
    whom, numbers = _pins(incoming)
    incoming.store.many("INSERT OR IGNORE INTO sendpulse_pins VALUES (?, ?)", [(number, whom) for number in numbers])
    return _queued()


@routes("POST", "tags/unpin/{kind}")
def unpin(incoming: Incoming) -> Response:
    """Remove tags from an address or a phone."""
    whom, numbers = _pins(incoming)
    incoming.store.many(
        "DELETE FROM sendpulse_pins WHERE tag_id = ? AND whom = ?", [(number, whom) for number in numbers]
    )
    return _queued()


def _tag(incoming: Incoming) -> int:
    number = whole(incoming.params["id"])
    if number is None or not incoming.store.value("SELECT 1 FROM sendpulse_tags WHERE id = ?", number):
        raise not_found("Tag not found")
    return number


def _fields(incoming: Incoming) -> tuple[str, str]:
    given = Arguments.of(incoming)
    given.need("name")
    given.need("color")
    color = given.string("color", "is invalid")
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise invalid("Argument color is invalid")
    return given.string("name"), color


def _pins(incoming: Incoming) -> tuple[str, list[int]]:
    kind = incoming.params["kind"]
    if kind not in ("email", "phone"):
        raise not_found("Not Found")
    given = Arguments.of(incoming)
    given.need(kind)
    said = given.get(kind)
    whom = (said if is_email(said) else None) if kind == "email" else phone_of(said)
    if whom is None:
        raise invalid(f"Argument {kind} is invalid")
    given.need("tags")
    numbers = given.structure("tags")
    if not isinstance(numbers, list):
        raise invalid("Argument tags must be array")
    known = {row["id"] for row in incoming.store.all("SELECT id FROM sendpulse_tags")}
    found = [number for number in map(whole, numbers) if number in known and number is not None]
    if len(found) < len(numbers):
        raise invalid("Argument tags is invalid")
    return whom, found


def _queued() -> Response:
    return responses.json(
        {
            "code": "request_sended_to_queue",
            "description": "Request sended to queue",
            "failure": False,
            "http_code": 200,
            "queue_id": str(uuid.uuid4()),
            "success": True,
            "user_id": USER_ID,
            "version": _VERSION,
        }
    )
