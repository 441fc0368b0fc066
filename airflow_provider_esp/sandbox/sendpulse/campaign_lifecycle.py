"""The life of a campaign: its status by now, its recipients, and the results of its messages.

Nothing runs in the background. A campaign is created (13), queued (14), sending (2) and sent (3) by the clock; its
messages are put into the outbox ahead of time, with the times at which they will be sent. A setting keeps a campaign
in any other status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ..outbox import Message
from ..state import SandboxState
from ..store import Row
from . import outcomes
from .settings import OWNER

SCHEMA = """
CREATE TABLE sendpulse_campaigns (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, sender_name TEXT, sender_email TEXT, subject TEXT, body TEXT,
  template_id INTEGER, lists TEXT, dynamic INTEGER, kind TEXT, cancelled INTEGER, attachments TEXT,
  count INTEGER, created REAL, starts REAL, pace REAL, planned INTEGER);
"""

ACTIVE = frozenset({0, 1, 2, 7, 9, 10, 11, 13, 14, 15, 22, 27, 28})
"""Statuses of a campaign that is on its way."""

CHANGEABLE = frozenset({0, 1, 11, 13, 14, 26, 27})
"""Statuses of a campaign that has not begun to send."""

_RECIPIENTS = """
FROM sendpulse_contacts WHERE book_id IN (SELECT value FROM json_each(?)) AND email IS NOT NULL AND status IN (0, 1)
AND email NOT IN (SELECT email FROM sendpulse_blacklist)
"""


def status(state: SandboxState, row: Row) -> int:
    """Return the status a campaign has now."""
    kept = state.settings["sendpulse.campaign_status"]
    wanted = kept.get(str(row["id"]), kept.get("*"))
    if isinstance(wanted, int):
        return wanted
    if row["cancelled"]:
        return 16
    if row["kind"] == "draft":
        return 26
    now = state.clock.now()
    if now < row["created"] + row["pace"]:
        return 13
    if row["kind"] == "test":
        return 4 if now < row["starts"] + row["pace"] else 8
    if now < row["starts"]:
        return 14
    if not row["count"]:
        return 12
    return 2 if now < row["starts"] + row["pace"] else 3


def count(state: SandboxState, lists: list[int]) -> int:
    """Return how many contacts a campaign to these books would reach now."""
    return int(state.store.value("SELECT count(DISTINCT email) " + _RECIPIENTS, _json(lists)))


def plan(state: SandboxState, row: Row) -> None:
    """Save a campaign's messages in the outbox, in place of those that have not set out yet.

    A dynamic list is read when the sending begins, any other when the campaign is made.
    """
    state.outbox.cancel("sendpulse", row["id"])
    waits = row["dynamic"] and state.clock.now() < row["starts"]
    if row["kind"] == "draft" or row["cancelled"] or waits or outcomes.has_set_out(state, row["id"]):
        return
    numbers = state.outbox.add(_messages(state, row))
    state.store.run("UPDATE sendpulse_campaigns SET planned = 1, count = ? WHERE id = ?", len(numbers), row["id"])


def settle(state: SandboxState) -> None:
    """Start the campaigns to dynamic lists whose time has come."""
    due = state.store.all(
        "SELECT * FROM sendpulse_campaigns WHERE planned = 0 AND dynamic AND kind <> 'draft' AND NOT cancelled "
        "AND starts <= ?",
        state.clock.now(),
    )
    for row in due:
        plan(state, row)


def lists(row: Row) -> list[int]:
    """Return the books a campaign goes to."""
    found: list[int] = msgspec.json.decode(row["lists"])
    return found


def figures(counts: dict[str, int]) -> dict[str, int]:
    """Return statistics as the list of campaigns has them."""
    return {
        "sent": counts.get("Sent", 0),
        "delivered": counts.get("Delivered", 0),
        "opening": counts.get("Opened", 0),
        "link_redirected": counts.get("Link redirected", 0),
        "unsubscribe": counts.get("User unsubscribed", 0),
        "error": outcomes.errors(counts),
    }


def first_link(html: str) -> str:
    """Return where the clicks of a campaign go; "" where it has no link."""
    match = re.search(r"""href\s*=\s*["']([^"']+)""", html, re.IGNORECASE)
    return match[1] if match else ""


def _messages(state: SandboxState, row: Row) -> Iterator[Message]:
    for contact_id, email, data in _people(state, row):
        yield Message(
            service="sendpulse",
            channel="email",
            recipient=email,
            sender=f"{row['sender_name']} <{row['sender_email']}>",
            subject=row["subject"],
            html=row["body"],
            data={**data, "email": email},
            name=row["name"],
            contact_id=contact_id,
            template_id=row["template_id"],
            broadcast_id=row["id"],
            steps=outcomes.email(state, email, row["starts"]),
        )


def _people(state: SandboxState, row: Row) -> list[tuple[int | None, str, dict[str, Any]]]:
    """Return the recipients: the active and new addresses of its books, each once; a test goes to the owner."""
    if row["kind"] == "test":
        return [(None, OWNER, {})]
    found = state.store.all("SELECT min(id) AS id, email, variables " + _RECIPIENTS + " GROUP BY email", row["lists"])
    return [(one["id"], one["email"], msgspec.json.decode(one["variables"])) for one in found]


def _json(value: list[int]) -> str:
    return msgspec.json.encode(value).decode()
