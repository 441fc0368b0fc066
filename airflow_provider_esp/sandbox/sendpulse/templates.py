"""E-mail templates: made, edited and read over the API, with the body in Base64; and how placeholders are filled."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..store import Row, Store
from . import datetimes
from .arguments import Arguments, whole
from .errors import invalid, not_found

SCHEMA = """
CREATE TABLE sendpulse_templates (
  real_id INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, name TEXT, slug TEXT, lang TEXT, body TEXT,
  structure INTEGER, owner TEXT, created REAL);
"""

LANGUAGES = ("en", "ru", "ua", "tr", "es", "pt")
OWNERS = ("me", "sendpulse")

_PLACEHOLDER = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")

_GALLERY = {"id": 1, "name": "Sandbox", "meta_description": "", "full_description": "", "code": "sandbox", "sort": 1}
"""The category of the gallery's templates; PHP writes an empty object as an empty array."""

routes = Routes()


def render(template: str, data: Mapping[str, Any]) -> str:
    """Fill ``{{name}}`` and ``{{order.id}}`` from the data; what the data lack stays as it is, to be seen."""

    def fill(match: re.Match[str]) -> str:
        value: Any = data
        for key in match[1].split("."):
            if not isinstance(value, Mapping) or key not in value:
                return match[0]
            value = value[key]
        return str(value)

    return _PLACEHOLDER.sub(fill, template)


def add(
    store: Store, now: float, name: str, body: str, lang: str = "en", *, owner: str = "me", structure: int = 0
) -> int:
    """Save a template.

    :param structure: 1 if it belongs to the drag-and-drop editor, which alone can edit it.
    :return: its number (``real_id``).
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return store.run(
        "INSERT INTO sendpulse_templates (id, name, slug, lang, body, structure, owner, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        secrets.token_hex(16),
        name,
        slug,
        lang,
        body,
        structure,
        owner,
        now,
    )


def by_any_id(store: Store, given: Any) -> Row | None:
    """Return a template by its hash or by its number."""
    number = whole(given)
    if number is not None:
        found = store.one("SELECT * FROM sendpulse_templates WHERE real_id = ?", number)
        if found:
            return found
    return store.one("SELECT * FROM sendpulse_templates WHERE id = ?", given) if isinstance(given, str) else None


def from_base64(text: str) -> str | None:
    """Decode Base64 text; None where it is none."""
    try:
        return base64.b64decode(re.sub(r"\s", "", text), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


@routes("POST", "template")
def create(incoming: Incoming) -> Response:
    """Create a template."""
    given = Arguments.of(incoming)
    body, lang = _body(given), _language(given)
    name = given.string("name")
    if name and incoming.store.value("SELECT 1 FROM sendpulse_templates WHERE name = ? AND owner = 'me'", name):
        raise invalid("Template with such name already exist", 573)
    number = add(incoming.store, incoming.now, name, body, lang)
    if not name:
        incoming.store.run(
            "UPDATE sendpulse_templates SET name = ?, slug = ? WHERE real_id = ?",
            f"Template {number}",
            f"template-{number}",
            number,
        )
    return responses.json({"result": True, "real_id": number})


@routes("POST", "template/edit/{id}")
def edit(incoming: Incoming) -> Response:
    """Change a template's body."""
    row = by_any_id(incoming.store, incoming.params["id"])
    if row is None or row["owner"] != "me":
        raise not_found("Template not found", 31)
    if row["structure"]:
        raise invalid("You cant edit templates from layout template editor", 2900)
    given = Arguments.of(incoming)
    body, lang = _body(given), _language(given, row["lang"])
    incoming.store.run(
        "UPDATE sendpulse_templates SET body = ?, lang = ? WHERE real_id = ?", body, lang, row["real_id"]
    )
    return responses.json({"result": True})


@routes("GET", "template/slug/{slug}")
def by_slug(incoming: Incoming) -> Response:
    """Return one template by its slug, with its body."""
    found = incoming.store.one(
        "SELECT * FROM sendpulse_templates WHERE slug = ? AND owner = ?", incoming.params["slug"], _owner(incoming)
    )
    return _details(incoming, found)


@routes("GET", "template/{id}")
def template(incoming: Incoming) -> Response:
    """Return one template by its id or number, with its body."""
    row = by_any_id(incoming.store, incoming.params["id"])
    return _details(incoming, row if row and row["owner"] == _owner(incoming) else None)


@routes("GET", "templates", "templates/{lang}")
def templates(incoming: Incoming) -> Response:
    """Return a page of the templates; of the vendor's own gallery by default."""
    given = Arguments.of(incoming)
    limit, offset = given.page()
    found = incoming.store.all(
        "SELECT * FROM sendpulse_templates WHERE owner = ? AND (? = '' OR lang = ?) ORDER BY real_id LIMIT ? OFFSET ?",
        _owner(incoming, "sendpulse"),
        incoming.params.get("lang", ""),
        incoming.params.get("lang", ""),
        limit,
        offset,
    )
    return responses.json([_template(incoming, row) for row in found])


def _owner(incoming: Incoming, default: str = "me") -> str:
    owner = Arguments.of(incoming).string("owner", "is invalid", default)
    if owner not in OWNERS:
        raise invalid("Argument owner is invalid")
    return owner


def _body(given: Arguments) -> str:
    given.need("body")
    body = given.get("body")
    text = from_base64(body) if isinstance(body, str) else None
    if text is None:
        raise invalid("Argument body is invalid string")
    return text


def _language(given: Arguments, default: str = "en") -> str:
    language = given.string("lang", default=default)
    if language not in LANGUAGES:
        raise invalid("Argument lang is invalid")
    return language


def _details(incoming: Incoming, row: Row | None) -> Response:
    if row is None:
        raise Refused(404, "Template not found", 290)
    body = base64.b64encode(row["body"].encode()).decode()
    return responses.json({**_template(incoming, row), "body": body})


def _template(incoming: Incoming, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "real_id": row["real_id"],
        "lang": row["lang"],
        "name": row["name"],
        "name_slug": row["slug"],
        "created": datetimes.stamp(incoming.state, row["created"]),
        "full_description": "",
        "is_structure": bool(row["structure"]),
        "category": "Sandbox" if row["owner"] != "me" else "",
        "category_info": _GALLERY if row["owner"] != "me" else [],
        "tags": {"1": "sandbox"} if row["owner"] != "me" else [],
        "owner": row["owner"],
        "preview": "",
    }
