"""SMS campaigns: to given phones or to a book, their details, list, cost and cancelling; and the senders."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..outbox import Message
from ..routing import Incoming, Routes
from ..state import SandboxState
from ..store import Row
from . import addressbooks, datetimes, outcomes
from .arguments import Arguments, whole
from .errors import invalid, not_found
from .schedule import begin
from .settings import CURRENCY
from .sms_numbers import phones_of, wrapped
from .status_codes import SMS, SMS_SENDER

SCHEMA = """
CREATE TABLE sendpulse_sms (
  id INTEGER PRIMARY KEY AUTOINCREMENT, book_id INTEGER, sender TEXT, body TEXT, dynamic INTEGER, cancelled INTEGER,
  deleted INTEGER, created REAL, starts REAL, planned INTEGER);
"""

LONGEST_SENDER = 11
PRICE = 0.05

_CODE = {explain: code for code, explain in SMS.items()}
_COUNTRIES = {"380": "UA", "48": "PL", "44": "GB", "49": "DE", "1": "US"}

routes = Routes()


@routes("POST", "sms/send")
def send(incoming: Incoming) -> Response:
    """Send to given phones; with ``emulate`` only return what would happen."""
    given = Arguments.of(incoming)
    sender, text = _content(given)
    phones, wrong = phones_of(given)
    allowed = [phone for phone in phones if phone not in _excluded(incoming.state)]
    starts = begin(incoming.state, given.get("date"))
    counters = {"exceptions": wrong + len(phones) - len(allowed), "sends": len(allowed)}
    if not allowed:
        raise invalid("Recipients not found", 11)
    if given.flag("emulate"):
        return responses.json({"result": True, "counters": counters})
    row = _create(incoming, None, sender, text, starts, dynamic=False)
    incoming.state.outbox.add(_message(incoming.state, row, phone, {}) for phone in allowed)
    return responses.json({"result": True, "campaign_id": row["id"], "counters": counters})


@routes("POST", "sms/campaigns")
def campaign(incoming: Incoming) -> Response:
    """Send to the phones of a book."""
    given = Arguments.of(incoming)
    sender, text = _content(given)
    given.need("addressBookId")
    book = addressbooks.find(incoming.store, given.get("addressBookId"))["id"]
    starts = begin(incoming.state, given.get("date"))
    if not _people(incoming.state, book):
        raise invalid("Recipients not found", 11)
    if given.flag("emulate"):
        return responses.json({"result": True})
    row = _create(incoming, book, sender, text, starts, dynamic=bool(given.flag("use_dynamic_list")))
    _plan(incoming.state, row)
    return responses.json({"result": True, "campaign_id": row["id"]})


@routes("GET", "sms/campaigns/info/{id}")
def info(incoming: Incoming) -> Response:
    """Return one campaign with the state of every phone."""
    row = _find(incoming, incoming.params["id"])
    found = incoming.store.all(
        "SELECT id, recipient FROM outbox_messages WHERE service = 'sendpulse' AND broadcast_id = ? ORDER BY id",
        row["id"],
    )
    data = {**_campaign(incoming.state, row, len(found)), "task_phones_info": [_phone(incoming, one) for one in found]}
    return wrapped(incoming, {"result": True, "data": data})


@routes("GET", "sms/campaigns/list")
def campaigns(incoming: Incoming) -> Response:
    """Return campaigns whose date of sending is between two dates."""
    given = Arguments.of(incoming)
    first, last = (datetimes.read(incoming.state, given.get(name)) for name in ("dateFrom", "dateTo"))
    found = incoming.store.all(
        "SELECT s.*, (SELECT count(*) FROM outbox_messages m WHERE m.service = 'sendpulse' AND m.broadcast_id = s.id) "
        "AS messages FROM sendpulse_sms s WHERE NOT deleted AND (? IS NULL OR starts >= ?) "
        "AND (? IS NULL OR starts <= ?) ORDER BY id DESC",
        first,
        first,
        last,
        last,
    )
    return responses.json({"result": True, "data": [_listed(incoming.state, row) for row in found]})


@routes("PUT", "sms/campaigns/cancel/{id}")
def cancel(incoming: Incoming) -> Response:
    """Cancel a campaign that has not begun."""
    row = _find(incoming, incoming.params["id"])
    if row["starts"] <= incoming.now or row["cancelled"]:
        raise invalid("Can't find the campaign, probably it was already sent", 602)
    incoming.store.run("UPDATE sendpulse_sms SET cancelled = 1 WHERE id = ?", row["id"])
    incoming.state.outbox.cancel("sendpulse", row["id"])
    return responses.json({"result": True})


@routes("DELETE", "sms/campaigns")
def delete(incoming: Incoming) -> Response:
    """Remove a campaign from the list; what was sent stays sent, what waits is not sent."""
    given = Arguments.of(incoming)
    given.need("id")
    row = _find(incoming, given.get("id"))
    incoming.store.run("UPDATE sendpulse_sms SET deleted = 1, cancelled = 1 WHERE id = ?", row["id"])
    incoming.state.outbox.cancel("sendpulse", row["id"])
    return responses.json({"result": True})


@routes("GET", "sms/campaigns/cost")
def cost(incoming: Incoming) -> Response:
    """Return what a campaign would cost."""
    given = Arguments.of(incoming)
    _content(given)
    if given.has("addressBookId"):
        people = len(_people(incoming.state, addressbooks.find(incoming.store, given.get("addressBookId"))["id"]))
    else:
        people = len(phones_of(given)[0])
    return responses.json({"result": True, "data": {"price": round(people * PRICE, 2), "currency": CURRENCY}})


@routes("GET", "sms/senders")
def senders(incoming: Incoming) -> Response:
    """Return names that SMS may come from; the sandbox takes every other name as well."""
    sender = {"id": 1, "sender": "Sandbox", "country": "Ukraine", "country_code": "UA"}
    return responses.json([{**sender, "status": 1, "status_explain": SMS_SENDER[1]}])


def settle(state: SandboxState) -> None:
    """Start the campaigns to dynamic lists whose time has come."""
    due = state.store.all(
        "SELECT * FROM sendpulse_sms WHERE NOT planned AND NOT cancelled AND book_id IS NOT NULL AND starts <= ?",
        state.clock.now(),
    )
    for row in due:
        _plan(state, row)


def _content(given: Arguments) -> tuple[str, str]:
    for name in ("sender", "body"):
        given.need(name)
    sender = given.string("sender")
    if len(sender) > LONGEST_SENDER:
        raise invalid(f"Argument sender may not be greater than {LONGEST_SENDER} characters")
    return sender, given.string("body")


def _create(incoming: Incoming, book: int | None, sender: str, text: str, starts: float, *, dynamic: bool) -> Row:
    number = incoming.store.run(
        "INSERT INTO sendpulse_sms (book_id, sender, body, dynamic, cancelled, deleted, created, starts, planned) "
        "VALUES (?, ?, ?, ?, 0, 0, ?, ?, 0)",
        book,
        sender,
        text,
        dynamic,
        incoming.now,
        starts,
    )
    return _find(incoming, number)


def _find(incoming: Incoming, given: Any) -> Row:
    number = whole(given)
    row = None
    if number is not None:
        row = incoming.store.one("SELECT * FROM sendpulse_sms WHERE id = ? AND NOT deleted", number)
    if row is None:
        raise not_found("Campaign not found", 802)
    return row


def _plan(state: SandboxState, row: Row) -> None:
    """Save a campaign's messages in the outbox; a dynamic list is read when the sending begins."""
    if row["dynamic"] and state.clock.now() < row["starts"]:
        return
    people = _people(state, row["book_id"])
    state.outbox.add(_message(state, row, phone, variables) for phone, variables in people.items())
    state.store.run("UPDATE sendpulse_sms SET planned = 1 WHERE id = ?", row["id"])


def _people(state: SandboxState, book: int) -> dict[str, dict[str, Any]]:
    """Return the phones of a book that may get SMS, each once, with their variables."""
    found = state.store.all(
        "SELECT phone, variables FROM sendpulse_contacts WHERE book_id = ? AND phone IS NOT NULL "
        "AND phone_status IN (0, 1) ORDER BY id DESC",
        book,
    )
    return {row["phone"]: msgspec.json.decode(row["variables"]) for row in found}


def _excluded(state: SandboxState) -> set[str]:
    return {row["phone"] for row in state.store.all("SELECT phone FROM sendpulse_sms_blacklist")}


def _message(state: SandboxState, row: Row, phone: str, variables: dict[str, Any]) -> Message:
    return Message(
        service="sendpulse",
        channel="sms",
        recipient=phone,
        sender=row["sender"],
        text=row["body"],
        data=variables,
        name=f"SMS campaign {row['id']}",
        broadcast_id=row["id"],
        steps=outcomes.phone(state, phone, row["starts"]),
    )


def _campaign(state: SandboxState, row: Row, messages: int) -> dict[str, Any]:
    return {
        "id": row["id"],
        "address_book_id": row["book_id"] or 0,
        "currency": CURRENCY,
        "company_price": round(messages * PRICE, 2),
        "send_date": datetimes.stamp(state, row["starts"]),
        "date_created": datetimes.stamp(state, row["created"]),
        "sender_name": row["sender"],
    }


def _listed(state: SandboxState, row: Row) -> dict[str, Any]:
    """Return a campaign as the list has it: other names than its details have."""
    campaign = _campaign(state, row, row["messages"])
    currency, sender = campaign.pop("currency"), campaign.pop("sender_name")
    campaign |= {"company_currency": currency, "sender_mail_address": "", "sender_mail_name": sender}
    return {**campaign, "external_stat": []}


def _phone(incoming: Incoming, message: Row) -> dict[str, Any]:
    explain = incoming.state.outbox.status(message["id"]) or SMS[0]
    # The vendor's own example spells the key's first letter in Cyrillic.
    key = "\u0441ountry_code" if incoming.state.settings["sendpulse.cyrillic_country_code"] else "country_code"
    return {
        "phone": int(message["recipient"]),
        "status": _CODE[explain],
        "status_explain": explain,
        key: next((code for prefix, code in _COUNTRIES.items() if message["recipient"].startswith(prefix)), ""),
        "money_spent": PRICE if explain == "Delivered" else 0,
    }
