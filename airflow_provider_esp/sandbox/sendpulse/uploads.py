"""`POST /addressbooks/{id}/emails`: contacts into a book, in all the shapes they come in.

The answer is ``{"result": true}`` and nothing more: what is no address is left out without a word, an address that is
there gets the new variables.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import responses
from ..outbox import Message
from ..routing import Incoming, Routes
from ..state import SandboxState
from . import addressbooks, contact_store, outcomes
from .arguments import Arguments, is_email, whole
from .contact_store import New
from .errors import broken, invalid
from .senders import is_active
from .templates import LANGUAGES, by_any_id

routes = Routes()


@routes("POST", "addressbooks/{id}/emails")
def upload(incoming: Incoming) -> Response:
    """Add or update contacts of a book; with ``confirmation`` they are asked by mail first."""
    state = incoming.state
    number = addressbooks.find(incoming.store, incoming.params["id"])["id"]
    given = Arguments.of(incoming)
    given.need("emails")
    said = _contacts(state, given.structure("emails"))
    contacts = contact_store.merged(new for new in said if is_email(new.email))
    update = not given.flag("dont_update")
    given.flag("disable_webhook")
    given.flag("check_emails")
    tags = _tags(incoming, given)
    sender = _confirmation(incoming, given)
    if sender:
        _ask(incoming, number, contacts, sender, given)
    else:
        for new in contacts:
            new.due = incoming.now + state.settings["import_seconds"]
    contact_store.put(state, number, contacts, update)
    for tag in tags:
        incoming.store.many(
            "INSERT OR IGNORE INTO sendpulse_pins VALUES (?, ?)", [(tag, new.email) for new in contacts]
        )
    return responses.json({"result": True})


def _contacts(state: SandboxState, given: Any) -> list[New]:
    if isinstance(given, dict):
        raise broken(state)  # one object where a list belongs: the vendor's program does not survive it
    if not isinstance(given, list):
        raise invalid("Argument emails must be array")
    return [_contact(state, item) for item in given]


def _contact(state: SandboxState, item: Any) -> New:
    match item:
        case str():
            return New(item.strip())
        case list():
            raise broken(state)
        case {"email": str(email)}:
            wrong = "Argument emails.*.variables is invalid"
            return New(email.strip(), contact_store.plain(item.get("variables") or {}, wrong))
        case dict():
            raise invalid("Argument email is invalid")
    raise invalid("Argument emails is invalid")


def _tags(incoming: Incoming, given: Arguments) -> list[int]:
    tags = given.structure("tags")
    if tags is None:
        return []
    if not isinstance(tags, list):
        raise invalid("Argument tags must be array")
    known = {row["id"] for row in incoming.store.all("SELECT id FROM sendpulse_tags")}
    numbers = [number for number in map(whole, tags) if number is not None]
    if len(numbers) < len(tags) or not known.issuperset(numbers):
        raise invalid("Argument tags is invalid")
    return numbers


def _confirmation(incoming: Incoming, given: Arguments) -> str:
    """Return the sender of the request to confirm; "" where none is asked for."""
    confirmation = given.string("confirmation")
    if given.has("template_id") and not isinstance(given.get("template_id"), str):
        raise invalid("Argument template_id is invalid")
    if given.string("message_lang", "is invalid", "en") not in LANGUAGES:
        raise invalid("Argument message_lang is invalid")
    if not confirmation:
        return ""
    if confirmation != "force":
        raise invalid("Argument confirmation is invalid")
    given.need("sender_email")
    sender = given.string("sender_email", "is invalid")
    if not is_email(sender):
        raise invalid("Argument sender_email is invalid")
    if not is_active(incoming.store, sender):
        raise invalid("Sender not found", 1003)
    return sender


def _ask(incoming: Incoming, book_id: int, contacts: list[New], sender: str, given: Arguments) -> None:
    """Mail each new address a request to confirm; who reads mail, confirms after reading it."""
    state, pace = incoming.state, incoming.state.settings["delivery_seconds"]
    html = "<p>Please confirm your subscription.</p>"
    if given.has("template_id"):
        template = by_any_id(incoming.store, given.get("template_id"))
        if template is None:
            raise invalid("Argument template_id is invalid")
        html = template["body"]
    asked = [new for new in contacts if contact_store.of_email(incoming.store, book_id, new.email) is None]
    for new in asked:
        new.status = contact_store.UNCONFIRMED
        new.due = incoming.now + 3 * pace if outcomes.reads(state, new.email) else None
    state.outbox.add(
        Message(
            service="sendpulse",
            channel="email",
            recipient=new.email,
            sender=sender,
            subject="Confirm your subscription",
            html=html,
            data={**new.variables, "email": new.email},
            name="confirmation",
            steps=outcomes.email(state, new.email, incoming.now),
        )
        for new in asked
    )
