"""The sections of the SendPulse side: what its pages and tests show, beside the messages."""

from __future__ import annotations

from typing import Any

import msgspec

from ..service import Section, table
from ..state import SandboxState
from . import campaign_lifecycle, datetimes, status_codes
from .events import shown


def _contact(row: dict[str, Any]) -> dict[str, Any]:
    variables = msgspec.json.decode(row["variables"])
    return {**row, "status_explain": status_codes.CONTACT[row["status"]], "variables": variables}


def _sender(row: dict[str, Any]) -> dict[str, Any]:
    return {"email": row["email"], "name": row["name"], "active": bool(row["active"])}


_CAMPAIGNS = "FROM sendpulse_campaigns WHERE instr(name, :q) OR instr(subject, :q) OR instr(id, :q) OR :q = ''"


def _campaigns(state: SandboxState, q: str, limit: int, offset: int) -> list[dict[str, Any]]:
    rows = state.store.named(
        f"SELECT * {_CAMPAIGNS} ORDER BY id DESC LIMIT :limit OFFSET :offset",
        {"q": q, "limit": limit, "offset": offset},
    )
    return [
        {
            "id": row["id"],
            "name": row["name"],
            "subject": row["subject"],
            "lists": campaign_lifecycle.lists(row),
            "count": row["count"],
            "status": campaign_lifecycle.status(state, row),
            "status_explain": status_codes.CAMPAIGN.get(campaign_lifecycle.status(state, row), ""),
            "send_date": datetimes.stamp(state, row["starts"]),
        }
        for row in rows
    ]


def _campaign_count(state: SandboxState, q: str) -> int:
    return int(state.store.named(f"SELECT count(*) {_CAMPAIGNS}", {"q": q})[0][0])


SECTIONS: tuple[Section, ...] = (
    table(
        "events",
        "Events",
        ("event", "email", "phone", "automation_id", "params", "way"),
        rows="SELECT * FROM sendpulse_events WHERE :all OR event LIKE :q ESCAPE '!' OR params LIKE :q ESCAPE '!' "
        "ORDER BY id DESC LIMIT :limit OFFSET :offset",
        count="SELECT count(*) FROM sendpulse_events WHERE :all OR event LIKE :q ESCAPE '!' "
        "OR params LIKE :q ESCAPE '!'",
        shape=shown,
    ),
    table(
        "books",
        "Address books",
        ("id", "name", "contacts"),
        rows="SELECT b.id, b.name, (SELECT count(*) FROM sendpulse_contacts c WHERE c.book_id = b.id) AS contacts "
        "FROM sendpulse_books b WHERE :all OR b.name LIKE :q ESCAPE '!' ORDER BY b.id DESC LIMIT :limit OFFSET :offset",
        count="SELECT count(*) FROM sendpulse_books WHERE :all OR name LIKE :q ESCAPE '!'",
    ),
    table(
        "contacts",
        "Contacts",
        ("book_id", "email", "phone", "status_explain", "variables"),
        rows="SELECT id, book_id, email, phone, status, phone_status, variables FROM sendpulse_contacts "
        "WHERE :all OR email LIKE :q ESCAPE '!' OR phone LIKE :q ESCAPE '!' ORDER BY id DESC "
        "LIMIT :limit OFFSET :offset",
        count="SELECT count(*) FROM sendpulse_contacts WHERE :all OR email LIKE :q ESCAPE '!' "
        "OR phone LIKE :q ESCAPE '!'",
        shape=_contact,
    ),
    Section(
        "campaigns",
        "Campaigns",
        ("id", "name", "lists", "count", "status", "status_explain", "send_date"),
        _campaigns,
        _campaign_count,
    ),
    table(
        "templates",
        "Templates",
        ("real_id", "id", "name", "lang", "owner"),
        rows="SELECT real_id, id, name, lang, owner FROM sendpulse_templates WHERE :all OR name LIKE :q ESCAPE '!' "
        "ORDER BY real_id DESC LIMIT :limit OFFSET :offset",
        count="SELECT count(*) FROM sendpulse_templates WHERE :all OR name LIKE :q ESCAPE '!'",
    ),
    table(
        "senders",
        "Senders",
        ("email", "name", "active"),
        rows="SELECT * FROM sendpulse_senders WHERE :all OR email LIKE :q ESCAPE '!' ORDER BY rowid DESC "
        "LIMIT :limit OFFSET :offset",
        count="SELECT count(*) FROM sendpulse_senders WHERE :all OR email LIKE :q ESCAPE '!'",
        shape=_sender,
    ),
    table(
        "blacklist",
        "Blacklist",
        ("email", "comment"),
        rows="SELECT email, comment FROM sendpulse_blacklist WHERE :all OR email LIKE :q ESCAPE '!' "
        "ORDER BY at DESC LIMIT :limit OFFSET :offset",
        count="SELECT count(*) FROM sendpulse_blacklist WHERE :all OR email LIKE :q ESCAPE '!'",
    ),
    table(
        "unsubscribed",
        "SMTP unsubscribed",
        ("email", "by_link", "by_user", "complaint", "comment"),
        rows="SELECT * FROM sendpulse_smtp_unsubscribed WHERE :all OR email LIKE :q ESCAPE '!' "
        "ORDER BY at DESC LIMIT :limit OFFSET :offset",
        count="SELECT count(*) FROM sendpulse_smtp_unsubscribed WHERE :all OR email LIKE :q ESCAPE '!'",
    ),
)
