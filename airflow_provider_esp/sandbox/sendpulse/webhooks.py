"""Webhooks of the e-mail service: kept and listed. The sandbox calls none of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..store import Row
from .arguments import Arguments, whole
from .errors import second_version
from .settings import USER_ID

SCHEMA = "CREATE TABLE sendpulse_webhooks (id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT, action TEXT);"

ACTIONS = (
    "delivered",
    "open",
    "redirect",
    "unsubscribe",
    "new_emails",
    "delete",
    "spam",
    "task_status_update",
    "soft_bounces",
    "hard_bounces",
)

routes = Routes()


@routes("GET", "v2/email-service/webhook")
def webhooks(incoming: Incoming) -> Response:
    """Return all webhooks."""
    found = incoming.store.all("SELECT * FROM sendpulse_webhooks ORDER BY id")
    return responses.json({"success": True, "data": [_webhook(row) for row in found]})


@routes("POST", "v2/email-service/webhook")
def create(incoming: Incoming) -> Response:
    """Create webhooks, one for each action."""
    given = Arguments.of(incoming)
    url, actions = _url(given), _actions(given)
    numbers = [
        incoming.store.run("INSERT INTO sendpulse_webhooks (url, action) VALUES (?, ?)", url, action)
        for action in actions
    ]
    return responses.json({"success": True, "data": [_webhook(_find(incoming, number)) for number in numbers]})


@routes("GET", "v2/email-service/webhook/{id}")
def webhook(incoming: Incoming) -> Response:
    """Return one webhook."""
    return responses.json({"success": True, "data": _webhook(_find(incoming, incoming.params["id"]))})


@routes("PUT", "v2/email-service/webhook/{id}")
def edit(incoming: Incoming) -> Response:
    """Change a webhook's address, actions, or both: its row keeps the first action, others get rows."""
    row, given = _find(incoming, incoming.params["id"]), Arguments.of(incoming)
    actions = _actions(given) if given.has("actions") else [row["action"]]
    url = row["url"] if given.has("actions") and not given.has("url") else _url(given)
    incoming.store.run("UPDATE sendpulse_webhooks SET url = ?, action = ? WHERE id = ?", url, actions[0], row["id"])
    for action in actions[1:]:
        incoming.store.run("INSERT INTO sendpulse_webhooks (url, action) VALUES (?, ?)", url, action)
    return responses.json({"success": True, "data": [True]})


@routes("DELETE", "v2/email-service/webhook/{id}")
def delete(incoming: Incoming) -> Response:
    """Delete a webhook."""
    incoming.store.run("DELETE FROM sendpulse_webhooks WHERE id = ?", _find(incoming, incoming.params["id"])["id"])
    return responses.json({"success": True, "data": [True]})


def _actions(given: Arguments) -> list[str]:
    actions = given.structure("actions")
    if not isinstance(actions, list) or not actions or any(action not in ACTIONS for action in actions):
        raise second_version("Argument actions is invalid")
    return actions


def _url(given: Arguments) -> str:
    url = given.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")) or not _host(url):
        raise second_version("Argument url is invalid")
    return url


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _find(incoming: Incoming, given: Any) -> Row:
    number = whole(given)
    row = None if number is None else incoming.store.one("SELECT * FROM sendpulse_webhooks WHERE id = ?", number)
    if row is None:
        raise second_version("Webhook not found", 404)
    return row


def _webhook(row: Row) -> dict[str, Any]:
    return {"id": row["id"], "user_id": USER_ID, "url": row["url"], "action": row["action"]}
