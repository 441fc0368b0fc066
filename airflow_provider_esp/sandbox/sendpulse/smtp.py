"""Sending one transactional message: `POST /smtp/emails`, with all the ways it can be refused."""

from __future__ import annotations

import base64
import binascii
import secrets
import string
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from .. import responses
from ..outbox import Message
from ..routing import Incoming, Routes
from ..store import Row
from . import outcomes
from .arguments import Arguments, is_email
from .errors import invalid
from .senders import is_active
from .templates import by_any_id, from_base64

SCHEMA = """
CREATE TABLE sendpulse_smtp (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, message_id INTEGER, sender TEXT COLLATE NOCASE,
  recipient TEXT COLLATE NOCASE, subject TEXT, size INTEGER, created REAL);
CREATE INDEX sendpulse_smtp_created ON sendpulse_smtp (created);
"""

MOST_RECIPIENTS = 50
MOST_BYTES = 20_000_000

_LETTERS = string.ascii_lowercase + string.digits

routes = Routes()


@dataclass
class _Content:
    html: str = ""
    text: str = ""
    template: Row | None = None
    variables: dict[str, Any] | None = None


@routes("POST", "smtp/emails")
def send(incoming: Incoming) -> Response:
    """Accept one message to all of ``to``; each recipient sees all addresses."""
    given = Arguments.of(incoming)
    given.need("email")
    if not isinstance(given.structure("email"), dict):
        raise invalid("Badly formed incoming data", 999)
    email = given.inner("email")
    sender = _sender(email)
    people = {name: _people(email, name) for name in ("to", "cc", "bcc")}
    if not people["to"]:
        raise invalid("Argument email.to is invalid", 11)
    if sum(map(len, people.values())) > MOST_RECIPIENTS:
        raise invalid("5.5.3 Too many recipients", 550)
    email.need("subject", 12)
    subject = email.string("subject")
    content = _content(incoming, email)
    files = _files(email)
    size = len(content.html.encode()) + len(content.text.encode()) + sum(files.values())
    if size > MOST_BYTES:
        raise invalid("Message size limit exceeded")
    if not is_active(incoming.store, sender["email"]):
        raise invalid("Sender is not valid")
    number = "-".join("".join(secrets.choice(_LETTERS) for _ in range(length)) for length in (6, 6, 2))
    envelope = {name: value for name, value in {**people, "attachments": sorted(files)}.items() if value}
    message = _message(sender, subject, content)
    message.recipient = ", ".join(person["email"] for person in people["to"])
    message.data = {**message.data, "envelope": envelope}
    message.request_id = number
    message.steps = _way(incoming, people["to"][0]["email"])
    incoming.store.run(
        "INSERT INTO sendpulse_smtp (id, message_id, sender, recipient, subject, size, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        number,
        incoming.state.outbox.add([message])[0],
        sender["email"],
        message.recipient,
        subject,
        size,
        incoming.now,
    )
    return responses.json({"result": True, "id": number})


def _message(sender: dict[str, str], subject: str, content: _Content) -> Message:
    template = content.template
    return Message(
        service="sendpulse",
        channel="email",
        recipient="",
        sender=f"{sender['name']} <{sender['email']}>" if sender["name"] else sender["email"],
        subject=subject,
        html=content.html,
        text=content.text,
        data=content.variables or {},
        name=template["name"] if template else "",
        template_id=template["real_id"] if template else None,
        steps=(),
    )


def _way(incoming: Incoming, address: str) -> outcomes.Steps:
    """Return the planned statuses of the message: for several recipients, those at the first."""
    if incoming.store.value("SELECT 1 FROM sendpulse_smtp_unsubscribed WHERE email = ?", address):
        return outcomes.refused_email(incoming.state, incoming.now)
    return outcomes.email(incoming.state, address, incoming.now)


def _sender(email: Arguments) -> dict[str, str]:
    if not email.has("from"):
        raise invalid("Argument from.email missing", 10)
    if not isinstance(email.structure("from"), dict):
        raise invalid("Argument from is invalid")
    given = email.inner("from")
    if not given.has("email"):
        raise invalid("Argument from.email missing", 10)
    if not is_email(given.get("email")):
        raise invalid("Argument from.email is invalid", 10)
    return {"email": given.string("email"), "name": given.string("name", "is invalid")}


def _people(email: Arguments, name: str) -> list[dict[str, str]]:
    given = email.structure(name)
    if not given:
        return []
    if not isinstance(given, list) or not all(isinstance(person, dict) for person in given):
        raise invalid(f"Argument email.{name} is invalid", 11)
    for person in given:
        if not is_email(person.get("email")):
            raise invalid("Recipient email is invalid")
    return [{"email": person["email"], "name": str(person.get("name") or "")} for person in given]


def _content(incoming: Incoming, email: Arguments) -> _Content:
    if email.has("template"):
        return _from_template(incoming, email)
    if not email.has("html") and not email.has("text"):
        raise invalid("Missed email body", 13)
    html, text = email.get("html"), email.get("text")
    body = from_base64(html) if isinstance(html, str) else ""
    if body is None or not isinstance(html, str | None) or not isinstance(text, str | None):
        raise invalid("Badly formed incoming data", 999)
    return _Content(body, text or "")


def _from_template(incoming: Incoming, email: Arguments) -> _Content:
    if not isinstance(email.structure("template"), dict):
        raise invalid("Argument template is invalid")
    given = email.inner("template")
    if not given.has("id"):
        raise invalid("Argument template.id missing", 10)
    template = by_any_id(incoming.store, given.get("id"))
    if template is None:
        raise invalid("Template not found", 31)
    if not template["body"]:
        raise invalid("Template body is empty", 32)
    variables = given.structure("variables") or {}
    if not isinstance(variables, dict):
        raise invalid("Variables list passed in wrong format", 731)
    return _Content(template["body"], template=template, variables=variables)


def _files(email: Arguments) -> dict[str, int]:
    """Return names of the attached files and their sizes in bytes."""
    sizes: dict[str, int] = {}
    for argument in ("attachments", "attachments_binary"):
        files = email.structure(argument) or {}
        if not isinstance(files, dict) or not all(isinstance(content, str) for content in files.values()):
            raise invalid(f"Argument {argument} is invalid")
        for name, content in files.items():
            sizes[name] = len(content.encode() if argument == "attachments" else _bytes(content))
    return sizes


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Argument attachments_binary is invalid") from None
