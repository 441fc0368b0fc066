"""Web push: tasks to the subscribers of a site, and the sites with their subscribers."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import outbox, responses
from ..outbox import Message
from ..routing import Incoming, Routes
from ..state import SandboxState
from ..store import Row
from . import datetimes, outcomes
from .arguments import Arguments, whole
from .errors import not_found, too_often
from .schedule import begin

SCHEMA = """
CREATE TABLE sendpulse_sites (id INTEGER PRIMARY KEY, url TEXT, added REAL);
CREATE TABLE sendpulse_subscriptions (id INTEGER PRIMARY KEY, site_id INTEGER, state INTEGER, added REAL);
CREATE TABLE sendpulse_push (
  id INTEGER PRIMARY KEY AUTOINCREMENT, site_id INTEGER, title TEXT, body TEXT, link TEXT, created REAL, starts REAL);
"""

LONGEST_LIFE = 86400

routes = Routes()


@routes("POST", "push/tasks")
def create(incoming: Incoming) -> Response:
    """Create a task to all subscribers of a site, one in fifteen minutes."""
    state, given = incoming.state, Arguments.of(incoming)
    for name in ("title", "website_id", "body", "ttl"):
        given.need(name)
    title, body, link = (given.string(name) for name in ("title", "body", "link"))
    given.whole("ttl", 0, 0, LONGEST_LIFE)
    site = _site(incoming, given.get("website_id"))
    starts = begin(state, given.get("send_date"))
    excess = state.limits.admit(("sendpulse.push",), f"site {site['id']}")
    if excess is not None:
        raise too_often("Please wait: one push campaign per site in 15 minutes", 711, excess.wait)
    number = incoming.store.run(
        "INSERT INTO sendpulse_push (site_id, title, body, link, created, starts) VALUES (?, ?, ?, ?, ?, ?)",
        site["id"],
        title,
        body,
        link,
        incoming.now,
        starts,
    )
    row, people = _find(incoming, number), _subscriptions(incoming, site["id"], active=True)
    state.outbox.add(_message(state, row, site["url"], f"subscriber-{one['id']}") for one in people)
    return responses.json({"result": True, "id": number})


@routes("GET", "push/tasks")
def tasks(incoming: Incoming) -> Response:
    """Return a page of tasks, newest first."""
    given = Arguments.of(incoming)
    limit, offset = given.page()
    first, last = (datetimes.read(incoming.state, given.get(name)) for name in ("from", "to"))
    site = given.whole("website_id")
    found = incoming.store.all(
        "SELECT * FROM sendpulse_push WHERE (? = 0 OR site_id = ?) AND (? IS NULL OR starts >= ?) "
        "AND (? IS NULL OR starts <= ?) ORDER BY id DESC LIMIT ? OFFSET ?",
        site,
        site,
        first,
        first,
        last,
        last,
        limit,
        offset,
    )
    return responses.json(
        [
            {
                "id": row["id"],
                "title": row["title"],
                "body": row["body"],
                "website_id": row["site_id"],
                "from": datetimes.stamp(incoming.state, row["created"]),
                "to": datetimes.stamp(incoming.state, row["starts"]),
                "status": _status(incoming.state, row),
            }
            for row in found
        ]
    )


@routes("GET", "push/tasks/{id}")
def task(incoming: Incoming) -> Response:
    """Return one task with its figures; the number of messages sent is a string, as the vendor writes it."""
    row = _find(incoming, incoming.params["id"])
    counts = outcomes.reached(incoming.state, [row["id"]])[row["id"]]
    return responses.json(
        {
            "id": row["id"],
            "message": {"title": row["title"], "text": row["body"], "link": row["link"]},
            "website": _site(incoming, row["site_id"])["url"],
            "website_id": row["site_id"],
            "status": _status(incoming.state, row),
            "send": str(counts.get("Sent", 0)),
            "delivered": counts.get("Delivered", 0),
            "redirect": counts.get("Link redirected", 0),
        }
    )


@routes("GET", "push/websites")
def sites(incoming: Incoming) -> Response:
    """Return a page of the sites."""
    limit, offset = Arguments.of(incoming).page()
    found = incoming.store.all("SELECT * FROM sendpulse_sites ORDER BY id LIMIT ? OFFSET ?", limit, offset)
    return responses.json(
        [
            {"id": row["id"], "url": row["url"], "add_date": datetimes.stamp(incoming.state, row["added"]), "status": 1}
            for row in found
        ]
    )


@routes("GET", "push/websites/total")
def sites_total(incoming: Incoming) -> Response:
    """Return how many sites there are."""
    return responses.json({"total": incoming.store.value("SELECT count(*) FROM sendpulse_sites")})


@routes("GET", "push/websites/info/{id}")
def site_info(incoming: Incoming) -> Response:
    """Return one site."""
    row = _site(incoming, incoming.params["id"])
    total, active = len(_subscriptions(incoming, row["id"])), len(_subscriptions(incoming, row["id"], active=True))
    return responses.json(
        {
            "id": row["id"],
            "url": row["url"],
            "status": "active",
            "total_subscribers": total,
            "active_subscribers": active,
            "icon": "",
            "add_date": datetimes.stamp(incoming.state, row["added"]),
            "unsubscribed": total - active,
            "subscribers_today": 0,
        }
    )


@routes("GET", "push/websites/{id}/variables")
def variables(incoming: Incoming) -> Response:
    """Return the variables of a site's subscribers; the sandbox's have none."""
    _site(incoming, incoming.params["id"])
    return responses.json([])


@routes("GET", "push/websites/{id}/subscriptions")
def subscriptions(incoming: Incoming) -> Response:
    """Return a page of a site's subscribers, of those who came between two days if these are given."""
    row, given = _site(incoming, incoming.params["id"]), Arguments.of(incoming)
    limit, offset = given.page()
    first, last = (datetimes.day(incoming.state, given.get(f"subscription_date_{end}")) for end in ("from", "to"))
    found = [
        one
        for one in _subscriptions(incoming, row["id"])
        if (first is None or one["added"] >= first[0]) and (last is None or one["added"] < last[1])
    ][offset : offset + limit]
    return responses.json(
        [
            {
                "id": one["id"],
                "browser": "Sandbox",
                "lang": "en",
                "os": "Sandbox",
                "country_code": "UA",
                "city": "",
                "variables": [],
                "subscription_date": datetimes.stamp(incoming.state, one["added"]),
                "status": one["state"],
            }
            for one in found
        ]
    )


@routes("GET", "push/websites/{id}/subscriptions/total")
def subscriptions_total(incoming: Incoming) -> Response:
    """Return how many subscribers a site has."""
    return responses.json({"total": len(_subscriptions(incoming, _site(incoming, incoming.params["id"])["id"]))})


@routes("GET", "push/websites/{id}/code")
def code(incoming: Incoming) -> Response:
    """Return the script that a site would embed."""
    url = f"{_site(incoming, incoming.params['id'])['url']}/push.js"
    return responses.json({"script_url": url, "script_code": f'<script src="{url}" async></script>'})


@routes("POST", "push/subscriptions/state")
def change_state(incoming: Incoming) -> Response:
    """Switch a subscriber on or off."""
    given = Arguments.of(incoming)
    for name in ("id", "state"):
        given.need(name)
    wanted = given.whole("state", 0, 0, 1)
    if not incoming.store.change(
        "UPDATE sendpulse_subscriptions SET state = ? WHERE id = ?", wanted, given.whole("id")
    ):
        raise not_found("Subscription not found")
    return responses.json({"result": True})


def _site(incoming: Incoming, given: Any) -> Row:
    number = whole(given)
    row = None if number is None else incoming.store.one("SELECT * FROM sendpulse_sites WHERE id = ?", number)
    if row is None:
        raise not_found("Website not found")
    return row


def _subscriptions(incoming: Incoming, site: int, active: bool = False) -> list[Row]:
    return incoming.store.all(
        "SELECT * FROM sendpulse_subscriptions WHERE site_id = ? AND state >= ? ORDER BY id", site, int(active)
    )


def _find(incoming: Incoming, given: Any) -> Row:
    number = whole(given)
    row = None if number is None else incoming.store.one("SELECT * FROM sendpulse_push WHERE id = ?", number)
    if row is None:
        raise not_found("Task not found")
    return row


def _status(state: SandboxState, row: Row) -> int:
    return 3 if state.clock.now() >= row["starts"] + state.settings["delivery_seconds"] else 13


def _message(state: SandboxState, row: Row, url: str, whom: str) -> Message:
    pace, starts = state.settings["delivery_seconds"], row["starts"]
    steps = [(starts, "Sent", ""), (starts + pace, "Delivered", "")]
    if outbox.fate(state.settings, whom) == "clicked":
        steps.append((starts + 2 * pace, "Link redirected", row["link"]))
    return Message(
        service="sendpulse",
        channel="push",
        recipient=whom,
        sender=url,
        subject=row["title"],
        text=row["body"],
        name=row["title"],
        broadcast_id=row["id"],
        steps=steps,
    )
