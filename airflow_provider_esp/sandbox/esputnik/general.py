"""eSputnik's methods about the account itself: version, account, balance, address books, senders, tokens, workflows."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..settings import Setting, texts
from . import datetimes, fields, legacy_format

routes = Routes()

_WORKFLOWS: list[dict[str, Any]] = [
    {"id": 200_400, "name": "Contact confirmation", "status": "active", "tags": ["promo"]},
    {"id": 200_401, "name": "Abandoned cart", "status": "active", "tags": ["cart", "sales"]},
    {"id": 200_402, "name": "Birthday", "status": "inactive", "tags": []},
]

SETTINGS = {
    "esputnik.balance": Setting(1500.5, "the account's money"),
    "esputnik.token_seconds": Setting(86400.0, "how long a token of POST v1/auth/token lives"),
    "esputnik.email_senders": Setting(
        ['"Sandbox Shop" <shop@sandbox.example>'], "what GET interfaces/email lists", texts
    ),
    "esputnik.sms_senders": Setting(["SHOP", "SANDBOX"], "what GET interfaces/sms lists", texts),
}

LONGEST_HISTORY = 90


@routes("GET", "v1/version", "v2/version")
def version(incoming: Incoming) -> Response:
    """Return the API's version and protocol: two strings."""
    return responses.json({"version": "20417", "protocolVersion": "1.0"})


@routes("GET", "v1/account/info")
def account(incoming: Incoming) -> Response:
    """Return whose account it is."""
    return responses.json({"userEmail": "api-user1@sandbox.example", "organisationName": "Sandbox", "orgId": 1})


@routes("GET", "v1/balance")
def balance(incoming: Incoming) -> Response:
    """Return money and bonuses."""
    answer = {
        "currentBalance": float(incoming.state.settings["esputnik.balance"]),
        "creditLimit": 0.0,
        "currency": "UAH",
        "bonusEmails": 2500,
        "bonusSmses": 10,
        "sendersReservedBalances": {},
    }
    return legacy_format.answer(incoming, answer)


@routes("GET", "v1/balance/history")
def history(incoming: Incoming) -> Response:
    """Return costs by day and channel, of at most 90 days: what the outbox would have cost."""
    today = datetimes.write(incoming.state, incoming.now)[:10]
    begin, end = (_day(incoming, name, today) for name in ("dateFrom", "dateTo"))
    if end < begin:
        raise Refused(400, "dateTo should not be before dateFrom")
    if (end - begin).days > LONGEST_HISTORY:
        raise Refused(419, f"The period should not be longer than {LONGEST_HISTORY} days")
    rows = incoming.store.all("SELECT channel, created FROM outbox_messages WHERE service = 'esputnik'")
    days: dict[str, dict[str, int]] = {}
    for row in rows:
        day = datetimes.write(incoming.state, row["created"])[:10]
        if begin.isoformat()[:10] <= day <= end.isoformat()[:10]:
            sent = days.setdefault(day, {})
            sent[row["channel"]] = sent.get(row["channel"], 0) + 1
    costs = [
        {"date": day, "channelDetails": [_cost(channel, number) for channel, number in sent.items()]}
        for day, sent in sorted(days.items())
    ]
    return responses.json({"currency": "UAH", "dailyCosts": costs})


def _day(incoming: Incoming, name: str, default: str) -> datetime:
    try:
        return datetime.strptime(incoming.query.get(name) or default, "%Y-%m-%d")
    except ValueError:
        raise Refused(400, f"{name} should look like 2023-08-14") from None


def _cost(channel: str, number: int) -> dict[str, Any]:
    free = number if channel == "email" else 0
    cost = {"mediaType": channel, "totalSent": number, "totalParts": number, "bonusSpent": free}
    money = {"fundsWithdrawal": 0.0 if free else number * 0.5, "fundsRefund": 0.0, "bonusReceived": 0}
    return {**cost, **money, "reservedFundsWithdrawal": 0.0, "reservedFundsRefund": 0.0}


@routes("GET", "v1/addressbooks")
def address_books(incoming: Incoming) -> Response:
    """Return the address book and its additional fields."""
    return legacy_format.answer(incoming, fields.address_books(incoming.state))


@routes("GET", "v1/interfaces/email")
def email_senders(incoming: Incoming) -> Response:
    """Return senders an e-mail may come from."""
    return responses.json(
        [{"type": "email", "value": name} for name in incoming.state.settings["esputnik.email_senders"]]
    )


@routes("GET", "v1/interfaces/sms")
def sms_senders(incoming: Incoming) -> Response:
    """Return alpha names an SMS may come from."""
    return responses.json([{"type": "sms", "value": name} for name in incoming.state.settings["esputnik.sms_senders"]])


@routes("GET", "v1/workflows")
def workflows(incoming: Incoming) -> Response:
    """Return workflows, by part of their name; one tag is a bare string."""
    name = incoming.query.get("name", "").lower()
    found = [flow for flow in _WORKFLOWS if name in flow["name"].lower()]
    first = incoming.number("startindex", 1) - 1
    page = found[first : first + incoming.number("maxrows", 500, high=500)]
    collapse = incoming.state.settings["esputnik.collapse"]
    return responses.json(
        [{**flow, "tags": flow["tags"][0] if collapse and len(flow["tags"]) == 1 else flow["tags"]} for flow in page]
    )


@routes("GET", "v1/callouts/sms")
def callouts(incoming: Incoming) -> Response:
    """Return numbers of SMS broadcasts, newest first: sent, delivered, errors."""
    rows = incoming.store.named(
        _CALLOUTS,
        {
            "now": incoming.now,
            "limit": incoming.number("maxrows", 10, high=500),
            "offset": incoming.number("startindex", 1) - 1,
        },
    )
    return responses.json([{**dict(row), "date": datetimes.write(incoming.state, row["date"])} for row in rows])


_CALLOUTS = """
SELECT json_extract(b.data, '$.title') AS calloutName, json_extract(b.data, '$.groups[0]') AS groupId,
  (SELECT name FROM esputnik_segments g WHERE g.id = json_extract(b.data, '$.groups[0]')) AS groupName,
  b.start AS date, count(m.id) AS sent,
  sum(EXISTS (SELECT 1 FROM outbox_steps s
    WHERE s.message_id = m.id AND s.status = 'DELIVERED' AND s.at <= :now)) AS delivered,
  sum(EXISTS (SELECT 1 FROM outbox_steps s
    WHERE s.message_id = m.id AND s.status LIKE 'SMS%' AND s.at <= :now)) AS errors
FROM esputnik_broadcasts b JOIN outbox_messages m ON m.service = 'esputnik' AND m.broadcast_id = b.id
WHERE m.channel = 'sms' GROUP BY b.id ORDER BY b.start DESC LIMIT :limit OFFSET :offset
"""


@routes("POST", "v1/auth/token")
def token(incoming: Incoming) -> Response:
    """Return a bearer token that opens v1's event methods and nothing else: a bare string."""
    fresh = secrets.token_urlsafe(32)
    expires = incoming.now + incoming.state.settings["esputnik.token_seconds"]
    incoming.store.run("INSERT INTO esputnik_tokens VALUES (?, 'bearer', ?)", fresh, expires)
    return responses.sentence(fresh)
