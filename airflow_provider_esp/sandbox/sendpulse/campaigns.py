"""Campaigns: making, editing and cancelling them."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..store import Row
from . import campaign_lifecycle
from .arguments import Arguments, whole
from .campaign_lifecycle import CHANGEABLE, status
from .errors import invalid, not_found, too_often
from .schedule import begin
from .senders import is_active
from .settings import CURRENCY
from .templates import by_any_id, from_base64

MOST_LISTS = 10
MOST_FILES = 5

routes = Routes()


@routes("POST", "campaigns")
def create(incoming: Incoming) -> Response:
    """Create a campaign, which sends itself at once or at its date; or a draft, or a test."""
    state, given = incoming.state, Arguments.of(incoming)
    fields = _message(incoming, given)
    lists = _lists(incoming, given)
    is_test = bool(given.flag("is_test"))
    if is_test and len(lists) > 1:
        raise invalid("A test campaign takes one list", 722)
    files = _files(given)
    starts = _starts(incoming, given)
    if not is_test and not _has_addresses(incoming, lists):
        raise invalid("Addressbook is empty", 211)
    excess = state.limits.admit(("sendpulse.campaigns",), incoming.account)
    if excess is not None:
        raise too_often("API campaigns limit is exceeded: 4 per hour", 791, excess.wait)
    count = 1 if is_test else campaign_lifecycle.count(state, lists)
    kind = "draft" if given.string("type") == "draft" else "test" if is_test else ""
    number = incoming.store.run(
        "INSERT INTO sendpulse_campaigns (name, sender_name, sender_email, subject, body, template_id, lists, dynamic, "
        "kind, cancelled, attachments, count, created, starts, pace, planned) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, 0)",
        given.string("name") or fields["subject"],
        fields["sender_name"],
        fields["sender_email"],
        fields["subject"],
        fields["body"],
        fields["template_id"],
        msgspec.json.encode(lists).decode(),
        bool(given.flag("use_dynamic_list")),
        kind,
        msgspec.json.encode(files).decode(),
        count,
        incoming.now,
        starts,
        state.settings["delivery_seconds"],
    )
    row = find(incoming, number)
    campaign_lifecycle.plan(state, row)
    return responses.json(
        {
            "id": number,
            "status": status(state, row),
            "count": count,
            "tariff_email_qty": count,
            "paid_email_qty": 0,
            "overdraft_price": "0.0000",
            # The vendor spells it both ways.
            "ovedraft_currency": CURRENCY,
            "overdraft_currency": CURRENCY,
        }
    )


@routes("PATCH", "campaigns/{id}")
def edit(incoming: Incoming) -> Response:
    """Change a campaign that has not begun to send; what is not given stays."""
    row = _changeable(incoming)
    given = Arguments.of(incoming)
    before = {name: row[name] for name in ("sender_name", "sender_email", "subject", "body", "template_id")}
    fields = _message(incoming, given, before)
    starts = _starts(incoming, given) if given.has("send_date") else row["starts"]
    incoming.store.run(
        "UPDATE sendpulse_campaigns SET name = ?, sender_name = ?, sender_email = ?, subject = ?, body = ?, "
        "template_id = ?, starts = ? WHERE id = ?",
        given.string("name") or row["name"],
        fields["sender_name"],
        fields["sender_email"],
        fields["subject"],
        fields["body"],
        fields["template_id"],
        starts,
        row["id"],
    )
    campaign_lifecycle.plan(incoming.state, find(incoming, row["id"]))
    return responses.json({"result": True, "id": row["id"]})


@routes("DELETE", "campaigns/{id}")
def cancel(incoming: Incoming) -> Response:
    """Cancel a campaign that has not begun to send."""
    row = _changeable(incoming)
    incoming.store.run("UPDATE sendpulse_campaigns SET cancelled = 1 WHERE id = ?", row["id"])
    incoming.state.outbox.cancel("sendpulse", row["id"])
    return responses.json({"result": True})


def find(incoming: Incoming, given: Any) -> Row:
    """Return a campaign by its id, given as a number or as its digits.

    :raises Refused: 404, there is none.
    """
    number = whole(given)
    row = None
    if number is not None:
        row = incoming.store.one("SELECT * FROM sendpulse_campaigns WHERE id = ?", number)
    if row is None:
        raise not_found("Campaign not found", 802)
    return row


def _changeable(incoming: Incoming) -> Row:
    row = find(incoming, incoming.params["id"])
    if status(incoming.state, row) not in CHANGEABLE:
        raise invalid("Can't find the campaign, probably it was already sent", 602)
    return row


def _message(incoming: Incoming, given: Arguments, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a campaign says and from whom.

    :param before: what it said until now, where it is edited.
    """
    fields: dict[str, Any] = dict(before or {})
    for name, text, code in (
        ("sender_name", "Sender's name or email is missing", 701),
        ("sender_email", "Sender's name or email is missing", 701),
        ("subject", "Subject is empty", 720),
    ):
        if given.has(name):
            fields[name] = given.string(name)
        elif name not in fields:
            raise invalid(text, code)
    if given.has("body") or given.has("template_id") or "body" not in fields:
        fields["body"], fields["template_id"] = _content(incoming, given)
    if not is_active(incoming.store, fields["sender_email"]):
        raise not_found("Sender not found", 704)
    return fields


def _content(incoming: Incoming, given: Arguments) -> tuple[str, int | None]:
    """Return the HTML and the number of the template it is from."""
    if given.has("body"):
        html = from_base64(given.string("body"))
        if not html:
            raise invalid("Message is empty", 721)
        return html, None
    if not given.has("template_id"):
        raise invalid("Message is empty", 721)
    template = by_any_id(incoming.store, given.get("template_id"))
    if template is None:
        raise not_found("Template not found", 31)
    return template["body"], template["real_id"]


def _lists(incoming: Incoming, given: Arguments) -> list[int]:
    if given.has("segment_id") and not given.has("list_id"):
        raise not_found("Segment not found")
    if not given.has("list_id"):
        raise invalid("List id is missing", 722)
    wanted = given.structure("list_id")
    wanted = wanted if isinstance(wanted, list) else [wanted]
    if len(wanted) > MOST_LISTS:
        raise invalid(f"Argument list_id may not have more than {MOST_LISTS} items")
    numbers = []
    for one in wanted:
        number = whole(one)
        if number is None or not incoming.store.value("SELECT 1 FROM sendpulse_books WHERE id = ?", number):
            raise not_found("List not found", 703)
        numbers.append(number)
    return numbers


def _has_addresses(incoming: Incoming, lists: list[int]) -> bool:
    return any(
        incoming.store.value("SELECT 1 FROM sendpulse_contacts WHERE book_id = ? AND email IS NOT NULL LIMIT 1", book)
        for book in lists
    )


def _files(given: Arguments) -> list[str]:
    """Return the names of the attached files."""
    names: list[str] = []
    for argument in ("attachments", "attachments_binary"):
        files = given.structure(argument) or {}
        if not isinstance(files, dict) or not all(isinstance(content, str) for content in files.values()):
            raise invalid(f"Argument {argument} is invalid")
        names += files
    if len(names) > MOST_FILES:
        raise invalid(f"Argument attachments may not have more than {MOST_FILES} items")
    return names


def _starts(incoming: Incoming, given: Arguments) -> float:
    """Return when a campaign begins to send: at its date, or as soon as it can."""
    soonest = incoming.now + 2 * float(incoming.state.settings["delivery_seconds"])
    if not given.has("send_date"):
        return soonest
    return max(begin(incoming.state, given.get("send_date")), soonest)
