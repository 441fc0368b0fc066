"""eSputnik's message templates, for every channel: list, read, create, change, delete, translations, view link.

The channels differ in their required fields only, so one set of functions serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..service import table
from ..store import Row, Store, like
from .schema import next_id

routes = Routes()

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "email": ("name", "from", "subject", "htmlText"),
    "sms": ("name", "from", "text"),
    "viber": ("name", "from", "text"),
    "mobilepush": ("name", "title", "text"),
    "appinbox": ("name", "title", "text"),
    "telegram": ("name",),
}

_READ_ONLY = ("id", "languages", "translations")


def find(store: Store, number: int, channel: str | None = None) -> dict[str, Any] | None:
    """Return a template's content by id, with its ``channel``; None when there is none (of that channel)."""
    row = store.one("SELECT * FROM esputnik_templates WHERE id = ?", number)
    if row is None or (channel is not None and row["channel"] != channel):
        return None
    return {**_content(row), "channel": row["channel"]}


def in_language(template: Mapping[str, Any], language: str | None) -> Mapping[str, Any]:
    """Return the translation for a language, or the template itself."""
    for translation in template.get("translations", ()):
        if language and translation.get("languageCode") == language:
            return {**template, **translation}
    return template


def _content(row: Row) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.json.decode(row["data"])
    translations = content.pop("translations", [])
    languages = [content.get("languageCode"), *(item["languageCode"] for item in translations)]
    tail = {"languages": [language for language in languages if language], "translations": translations}
    return {"id": row["id"], **content, **tail}


def _save(store: Store, number: int, channel: str, content: Mapping[str, Any]) -> None:
    encoded = msgspec.json.encode(content).decode()
    store.run("INSERT OR REPLACE INTO esputnik_templates VALUES (?, ?, ?)", number, channel, encoded)


def _given(incoming: Incoming, channel: str) -> dict[str, Any]:
    """Return the template a request carries.

    :raises Refused: 400, a required field is missing or empty.
    """
    body = incoming.decode(dict[str, Any])
    for name in REQUIRED[channel]:
        if not isinstance(body.get(name), str) or not body[name]:
            raise Refused(400, f"{name} should not be empty")
    return {name: value for name, value in body.items() if name not in _READ_ONLY and value is not None}


def _known(incoming: Incoming, channel: str) -> dict[str, Any]:
    found = find(incoming.store, incoming.id(), channel)
    if found is None:
        raise Refused(404, f"Message with id='{incoming.id()}' not found")
    del found["channel"]
    return found


def _register(channel: str) -> None:
    """Register the methods of one channel."""
    base = f"v1/messages/{channel}"
    one_limits = ["esputnik.default", f"esputnik.templates.{channel}.hour"]
    if channel == "email":
        one_limits[0] = "esputnik.templates.email"

    @routes("GET", base, buckets=("esputnik.default", f"esputnik.templates.{channel}.list.hour"))
    def search(incoming: Incoming) -> Response:
        """Return templates by part of a name or tag."""
        values = {
            "channel": channel,
            "q": like(incoming.query.get("search", "")),
            "limit": incoming.number("maxrows", 500, high=500),
            "offset": incoming.number("startindex", 1) - 1,
        }
        rows = incoming.store.named(_SEARCH, values)
        total = incoming.store.named(_COUNT, values)[0][0]
        return responses.json([_content(row) for row in rows], headers={"TotalCount": str(total)})

    @routes("POST", base)
    def create(incoming: Incoming) -> Response:
        """Create a template and return its id."""
        content = _given(incoming, channel)
        number = next_id(incoming.store, "template")
        _save(incoming.store, number, channel, content)
        return responses.json({"id": number})

    @routes("GET", base + "/{id}", buckets=tuple(one_limits))
    def read(incoming: Incoming) -> Response:
        """Return one template, with its translations."""
        return responses.json(_known(incoming, channel))

    @routes("PUT", base + "/{id}")
    def change(incoming: Incoming) -> Response:
        """Replace a template's content; its translations stay."""
        known = _known(incoming, channel)
        content = {**_given(incoming, channel), "translations": known["translations"]}
        _save(incoming.store, known["id"], channel, content)
        return responses.sentence(f"Message with id='{known['id']}' has been updated")

    @routes("DELETE", base + "/{id}")
    def delete(incoming: Incoming) -> Response:
        """Delete a template."""
        known = _known(incoming, channel)
        incoming.store.run("DELETE FROM esputnik_templates WHERE id = ?", known["id"])
        return responses.sentence(f"Message with id='{known['id']}' has been deleted")

    @routes("PUT", base + "/{id}/{language}")
    def translate(incoming: Incoming) -> Response:
        """Add or replace a translation."""
        known, language = _known(incoming, channel), incoming.params["language"]
        content = {**_given(incoming, channel), "languageCode": language}
        others = [item for item in known["translations"] if item["languageCode"] != language]
        _save_translations(incoming, channel, known, [*others, content])
        return responses.sentence(f"Translation '{language}' of message with id='{known['id']}' has been updated")

    @routes("DELETE", base + "/{id}/{language}")
    def untranslate(incoming: Incoming) -> Response:
        """Delete a translation."""
        known, language = _known(incoming, channel), incoming.params["language"]
        others = [item for item in known["translations"] if item["languageCode"] != language]
        if len(others) == len(known["translations"]):
            raise Refused(404, f"Translation '{language}' of message with id='{known['id']}' not found")
        _save_translations(incoming, channel, known, others)
        return responses.sentence(f"Translation '{language}' of message with id='{known['id']}' has been deleted")


def _save_translations(
    incoming: Incoming, channel: str, known: dict[str, Any], translations: list[dict[str, Any]]
) -> None:
    content = {name: value for name, value in known.items() if name not in _READ_ONLY}
    _save(incoming.store, known["id"], channel, {**content, "translations": translations})


@routes("GET", "v1/messages/email/{id}/viewLink", buckets=("esputnik.default", "esputnik.templates.email.link.hour"))
def view_link(incoming: Incoming) -> Response:
    """Return the address of the sandbox's page about the template."""
    number = _known(incoming, "email")["id"]
    host = incoming.headers.get("host", "127.0.0.1")
    return responses.json({"link": f"http://{host}/see/esputnik/templates?q={number}"})


for _channel in REQUIRED:
    _register(_channel)


_SEARCH = """
SELECT * FROM esputnik_templates WHERE channel = :channel AND (json_extract(data, '$.name') LIKE :q ESCAPE '!'
  OR json_extract(data, '$.tags') LIKE :q ESCAPE '!') ORDER BY id LIMIT :limit OFFSET :offset
"""
_COUNT = """
SELECT count(*) FROM esputnik_templates WHERE channel = :channel AND (json_extract(data, '$.name') LIKE :q ESCAPE '!'
  OR json_extract(data, '$.tags') LIKE :q ESCAPE '!')
"""


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    content = msgspec.json.decode(row["data"])
    said = content.get("subject") or content.get("text") or content.get("title") or ""
    return {"id": row["id"], "channel": row["channel"], "name": content["name"], "says": said, "content": content}


SECTION = table(
    "templates",
    "Templates",
    ("id", "channel", "name", "says"),
    rows="""
    SELECT * FROM esputnik_templates WHERE :all OR CAST(id AS TEXT) LIKE :q ESCAPE '!' OR data LIKE :q ESCAPE '!'
    ORDER BY id DESC LIMIT :limit OFFSET :offset
    """,
    count="""
    SELECT count(*) FROM esputnik_templates
    WHERE :all OR CAST(id AS TEXT) LIKE :q ESCAPE '!' OR data LIKE :q ESCAPE '!'
    """,
    shape=_shown,
)
