"""Statistics of automation flows (A360): the flows, their elements and conversions; and the event log's end.

A run of a flow counts as converted when its e-mail's link was followed.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from ..store import Row
from . import datetimes, flows, outcomes
from .arguments import Arguments, whole
from .errors import badly_formed, not_found

KINDS = ("main-trigger", "email", "push", "sms", "messenger", "filter", "trigger", "goal", "action")

_CONVERSIONS = """
SELECT r.*, s.at AS converted FROM sendpulse_runs r
JOIN sendpulse_elements e ON e.flow_id = r.flow_id AND e.kind = 'email'
JOIN outbox_messages m ON m.service = 'sendpulse' AND m.broadcast_id = e.id AND m.label = CAST(r.id AS TEXT)
JOIN outbox_steps s ON s.message_id = m.id AND s.status = 'Link redirected' AND s.at <= ?
WHERE r.flow_id = ? ORDER BY r.id DESC
"""

routes = Routes()


@routes("GET", "a360/autoresponders/list")
def autoresponders(incoming: Incoming) -> Response:
    """Return a page of the flows."""
    limit, offset = Arguments.of(incoming).page()
    found = incoming.store.all("SELECT * FROM sendpulse_flows ORDER BY id LIMIT ? OFFSET ?", limit, offset)
    return responses.json({"data": [{**_flow(incoming, row), "main_data": _main(row)} for row in found]})


@routes("GET", "a360/autoresponders/{id}")
def autoresponder(incoming: Incoming) -> Response:
    """Return one flow with its elements and figures; this response has no envelope."""
    row = _find(incoming, incoming.params["id"])
    elements = flows.elements(incoming.state, row["id"])
    runs = _runs(incoming, row["id"])
    going = incoming.now - incoming.state.settings["delivery_seconds"]
    waiting = sum(run["at"] > going for run in runs)
    counts = outcomes.reached(incoming.state, [element["id"] for element in elements])
    return responses.json(
        {
            "autoresponder": _flow(incoming, row),
            "flows": [_element(incoming, element) for element in elements],
            "starts": len(runs),
            "in_queue": waiting,
            "end_count": len(runs) - waiting,
            "send_messages": sum(one.get("Sent", 0) for one in counts.values()),
            "conversions": len(_conversions(incoming, row["id"])),
        }
    )


@routes("GET", "a360/autoresponders/{id}/total-stats")
def total_stats(incoming: Incoming) -> Response:
    """Return the figures of a flow's e-mails and SMS together, or of one kind of element."""
    row = _find(incoming, incoming.params["id"])
    kind = Arguments.of(incoming).string("flow_type")
    elements = [one for one in flows.elements(incoming.state, row["id"]) if kind in ("", one["kind"])]
    counts = outcomes.reached(incoming.state, [element["id"] for element in elements])
    figures = [_figures(one) for one in counts.values()]
    return responses.json({"data": {name: sum(one[name] for one in figures) for name in _figures({})}})


@routes("GET", "a360/stats/{kind}/{id}/group-stat")
def element(incoming: Incoming) -> Response:
    """Return the figures of one element; which there are depends on its kind."""
    kind, number = incoming.params["kind"], whole(incoming.params["id"])
    row = None
    if kind in KINDS and number is not None:
        row = incoming.store.one("SELECT * FROM sendpulse_elements WHERE id = ? AND kind = ?", number, kind)
    if row is None:
        raise not_found("Element not found")
    runs = _runs(incoming, row["flow_id"])
    last = datetimes.stamp(incoming.state, runs[0]["at"]) if runs else None
    figures = _figures(outcomes.reached(incoming.state, [row["id"]])[row["id"]])
    return responses.json({"data": {"flow_id": row["id"], **_statistics(incoming, row, figures, len(runs), last)}})


@routes("GET", "a360/autoresponders/{id}/conversions")
def conversions(incoming: Incoming) -> Response:
    """Return how often a flow reached what it is for."""
    row = _find(incoming, incoming.params["id"])
    count = len(_conversions(incoming, row["id"]))
    elements = flows.elements(incoming.state, row["id"])
    goals = [{"id": one["id"], "conversions": count} for one in elements if one["kind"] == "goal"]
    first = next(one["id"] for one in elements if one["kind"] == "main-trigger")
    return responses.json(
        {
            "data": {
                "total_conversions": count,
                "maintrigger_conversions": 0,
                "goal_conversions": count,
                "maintrigger": {"id": first, "conversions": 0},
                "goals": goals,
            }
        }
    )


@routes("GET", "a360/autoresponders/{id}/conversions/list/all")
def conversion_list(incoming: Incoming) -> Response:
    """Return all conversions of a flow, newest first."""
    row = _find(incoming, incoming.params["id"])
    found = _conversions(incoming, row["id"])
    items = [
        {
            "id": one["id"],
            "conversion_type": "goal",
            "flow_id": row["id"],
            "email": one["email"] or None,
            "phone": one["phone"] or None,
            "conversion_date": datetimes.stamp(incoming.state, one["converted"]),
            "start_date": datetimes.stamp(incoming.state, one["at"]),
        }
        for one in found
    ]
    return responses.json({"total": len(items), "items": items})


@routes("POST", "a360/events/delete-log")
def delete_log(incoming: Incoming) -> Response:
    """Delete events from the log: those whose numbers are given as ``ids``, a name of the sandbox's own."""
    given = Arguments.of(incoming).structure("ids")
    ids = [whole(one) for one in given] if isinstance(given, list) else [] if given is None else [None]
    if None in ids:
        raise badly_formed()
    incoming.store.many("DELETE FROM sendpulse_events WHERE id = ?", [(number,) for number in ids])
    return responses.json({"result": True})


def _find(incoming: Incoming, given: Any) -> Row:
    number = whole(given)
    row = None if number is None else incoming.store.one("SELECT * FROM sendpulse_flows WHERE id = ?", number)
    if row is None:
        raise not_found("Automation not found")
    return row


def _runs(incoming: Incoming, flow_id: int) -> list[Row]:
    return incoming.store.all("SELECT * FROM sendpulse_runs WHERE flow_id = ? ORDER BY at DESC", flow_id)


def _conversions(incoming: Incoming, flow_id: int) -> list[Row]:
    return incoming.store.all(_CONVERSIONS, incoming.now, flow_id)


def _flow(incoming: Incoming, row: Row) -> dict[str, Any]:
    created = datetimes.stamp(incoming.state, row["created"])
    return {"id": row["id"], "name": row["name"], "status": 1, "created": created, "changed": created}


def _main(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "type": "series",
        "automation_name": row["name"],
        "address_book_id": "0",
        "sender_email_address": row["sender_email"],
        "sender_email_name": row["sender_name"],
        "sent_time_hour": 0,
        "task_lang": "en",
        "aWeekDays": [1] * 7,
    }


def _element(incoming: Incoming, row: Row) -> dict[str, Any]:
    runs = _runs(incoming, row["flow_id"])
    return {
        "id": row["id"],
        "main_id": row["flow_id"],
        "af_type": row["kind"],
        "created": datetimes.stamp(incoming.state, row["created"]),
        "last_send": datetimes.stamp(incoming.state, runs[0]["at"]) if runs else None,
        "task": _task(incoming, row) if row["kind"] == "email" else None,
    }


def _task(incoming: Incoming, row: Row) -> dict[str, Any]:
    flow = _find(incoming, row["flow_id"])
    return {
        "id": row["id"],
        "address_book_id": 0,  # what the vendor writes where a flow starts from an event
        "message_title": row["subject"],
        "sender_mail_address": flow["sender_email"],
        "sender_mail_name": flow["sender_name"],
        "created": datetimes.stamp(incoming.state, row["created"]),
    }


def _figures(counts: dict[str, int]) -> dict[str, int]:
    return {
        "sent": counts.get("Sent", 0),
        "delivered": counts.get("Delivered", 0),
        "opened": counts.get("Opened", 0),
        "clicked": counts.get("Link redirected", 0),
        "errors": outcomes.errors(counts) + counts.get("Not delivered", 0),
        "unsubscribed": counts.get("User unsubscribed", 0),
        "marked_as_spam": counts.get("Marked as spam", 0),
    }


def _statistics(
    incoming: Incoming, row: Row, figures: dict[str, int], executed: int, last: str | None
) -> dict[str, Any]:
    match row["kind"]:
        case "main-trigger":
            return {"executed": executed, "deleted": 0}
        case "email":
            return {"task": _task(incoming, row), **figures, "last_send": last}
        case "push":
            names = ("sent", "delivered", "clicked", "errors")
            return {**{name: figures[name] for name in names}, "last_send": last}
        case "sms" | "goal":
            known = {name: figures[name] for name in ("sent", "delivered", "errors")}
            return {"executed": executed, **known, "opened": None, "clicked": None, "last_send": last}
        case "messenger":
            return {"executed": executed, "sent": figures["sent"], "last_send": last}
    return {"executed": executed, "last_send": last}
