"""Reports of campaigns: the list, the details, and statistics by country, link and address."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..store import Row
from . import campaign_lifecycle, datetimes, outcomes
from .arguments import Arguments, whole
from .campaign_lifecycle import status
from .campaigns import find
from .errors import invalid, not_found
from .settings import CURRENCY
from .status_codes import RECIPIENT

_PAGES = {
    "asc": "SELECT * FROM sendpulse_campaigns ORDER BY id ASC",
    "desc": "SELECT * FROM sendpulse_campaigns ORDER BY id DESC",
}

routes = Routes()


@routes("GET", "campaigns")
def campaigns(incoming: Incoming) -> Response:
    """Return a page of campaigns, newest first by default."""
    state, given = incoming.state, Arguments.of(incoming)
    limit, offset = given.page()
    order = given.string("order", default="desc")
    if order not in _PAGES:
        raise invalid("Argument order is invalid")
    wanted, planned = _statuses(given), given.flag("planed", "is invalid")
    hidden = {str(one) for one in state.settings["sendpulse.hidden"]}
    seen = incoming.now - state.settings["sendpulse.list_delay"]
    rows = [
        row
        for row in incoming.store.all(_PAGES[order])
        if row["created"] <= seen
        and not hidden & {str(row["id"]), "*"}
        and (not wanted or status(state, row) in wanted)
        and planned in (None, row["starts"] > incoming.now)
    ][offset : offset + limit]
    counts = outcomes.reached(state, [row["id"] for row in rows])
    return responses.json(
        [{**_campaign(incoming, row), "statistics": campaign_lifecycle.figures(counts[row["id"]])} for row in rows]
    )


@routes("GET", "campaigns/{id}")
def campaign(incoming: Incoming) -> Response:
    """Return one campaign with its text, and statistics of another shape than the list's."""
    row = find(incoming, incoming.params["id"])
    counts = outcomes.reached(incoming.state, [row["id"]])[row["id"]]
    about = _campaign(incoming, row)
    clicks = [{"url": link["link"], "count": link["count"]} for link in _links(row, counts)]
    return responses.json(
        {
            **about,
            "message": {**about["message"], "body": row["body"], "preheader": ""},
            "statistics": {"general": outcomes.tally(counts), "clicks": clicks},
            "external_stat": {"check_open_email": True, "check_redirect_link": True},
            "permalink": "",
        }
    )


@routes("GET", "campaigns/{id}/countries")
def countries(incoming: Incoming) -> Response:
    """Return who opened a campaign, by country."""
    row = find(incoming, incoming.params["id"])
    found = Counter(_country(message["recipient"]) for message in _opened(incoming, row))
    return responses.json(dict(found) or [])


@routes("GET", "campaigns/{id}/referrals")
def referrals(incoming: Incoming) -> Response:
    """Return the links of a campaign and how often they were followed."""
    row = find(incoming, incoming.params["id"])
    return responses.json(_links(row, outcomes.reached(incoming.state, [row["id"]])[row["id"]]))


@routes("GET", "campaigns/{id}/email/{email}")
def recipient(incoming: Incoming) -> Response:
    """Return what became of a campaign's message to one address."""
    row = find(incoming, incoming.params["id"])
    number = incoming.store.value(
        "SELECT id FROM outbox_messages WHERE service = 'sendpulse' AND broadcast_id = ? "
        "AND recipient = ? COLLATE NOCASE",
        row["id"],
        incoming.params["email"],
    )
    if number is None:
        raise not_found("Email address not found", 502)
    detail = outcomes.code(incoming.state.outbox.status(number))
    overall = 1 if detail else 0
    return responses.json(
        {
            "sent_date": datetimes.stamp(incoming.state, row["starts"]) if detail else "",
            "global_status": overall,
            "global_status_explain": RECIPIENT[overall],
            "detail_status": detail,
            "detail_status_explain": RECIPIENT[detail],
        }
    )


def _statuses(given: Arguments) -> list[int]:
    wanted = given.structure("status")
    if wanted in (None, ""):
        return []
    numbers = [whole(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
    if None in numbers:
        raise invalid("Argument status is invalid")
    return [number for number in numbers if number is not None]


def _campaign(incoming: Incoming, row: Row) -> dict[str, Any]:
    lists = campaign_lifecycle.lists(row)
    return {
        "id": row["id"],
        "name": row["name"],
        "message": {
            "sender_name": row["sender_name"],
            "sender_email": row["sender_email"],
            "subject": row["subject"],
            # An empty string where there is no file, as the vendor's answers have it.
            "attachments": msgspec.json.decode(row["attachments"]) or "",
            "list_id": lists[0] if len(lists) == 1 else lists,
        },
        "status": status(incoming.state, row),
        "is_sms": False,
        "is_viber": False,
        "all_email_qty": row["count"],
        "tariff_email_qty": row["count"],
        "paid_email_qty": 0,
        "overdraft_price": 0,
        "overdraft_currency": CURRENCY,
        "company_price": "0.00",
        "send_date": datetimes.stamp(incoming.state, row["starts"]),
    }


def _links(row: Row, counts: dict[str, int]) -> list[dict[str, Any]]:
    link = campaign_lifecycle.first_link(row["body"])
    return [{"link": link, "count": counts.get("Link redirected", 0)}] if link else []


def _opened(incoming: Incoming, row: Row) -> list[Row]:
    return incoming.store.all(
        "SELECT m.recipient FROM outbox_messages m JOIN outbox_steps s ON s.message_id = m.id "
        "WHERE m.service = 'sendpulse' AND m.broadcast_id = ? AND s.status = 'Opened' AND s.at <= ?",
        row["id"],
        incoming.now,
    )


def _country(address: str) -> str:
    """Return an address's country: its domain's, and otherwise Ukraine, for the sandbox has no map."""
    top = address.rpartition(".")[2]
    return top.upper() if len(top) == 2 else "UA"
