"""eSputnik's promo codes: adding some, taking one, counting those left."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from . import datetimes

routes = Routes(right="messages")


class Codes(msgspec.Struct, rename="camel", omit_defaults=True):
    """The body of ``POST promocodes``."""

    promocodes: list[str]
    expiration_date: str
    discount: int
    type: str | None = None
    in_use: bool | None = None


@routes("POST", "v1/promocodes")
def add(incoming: Incoming) -> Response:
    """Add codes; the answer repeats them."""
    codes = incoming.decode(Codes)
    try:
        datetime.fromisoformat(codes.expiration_date)
    except ValueError:
        raise Refused(400, "expirationDate should be a date") from None
    if not codes.promocodes or not -(2**31) <= codes.discount < 2**31:
        raise Refused(400, "promocodes should not be empty, and discount should be a number")
    rows = (
        (code, codes.type or "", codes.discount, codes.expiration_date[:10], bool(codes.in_use))
        for code in codes.promocodes
    )
    incoming.store.many("INSERT OR REPLACE INTO esputnik_promocodes VALUES (?, ?, ?, ?, ?)", rows)
    return responses.json(codes)


_FREE = """
FROM esputnik_promocodes WHERE NOT in_use AND (:type = '' OR type = :type) AND (:discount < 0 OR discount = :discount)
  AND expires >= :today AND expires >= :until
"""


def _values(incoming: Incoming) -> dict[str, object]:
    today = datetimes.write(incoming.state, incoming.now)[:10]
    days = incoming.number("activeDueDays", 0, low=0, high=36500)
    return {
        "type": incoming.query.get("type", ""),
        "discount": incoming.number("discount", -1, low=0),
        "today": today,
        "until": (datetime.fromisoformat(today) + timedelta(days=days)).date().isoformat(),
    }


@routes("GET", "v1/promocodes")
def take(incoming: Incoming) -> Response:
    """Return one free code, as a JSON string; with ``inUse=true`` it is not given out again."""
    rows = incoming.store.named(f"SELECT code {_FREE} ORDER BY rowid LIMIT 1", _values(incoming))
    if not rows:
        raise Refused(404, "Promocode not found")
    if incoming.flag("inUse"):
        incoming.store.run("UPDATE esputnik_promocodes SET in_use = 1 WHERE code = ?", rows[0]["code"])
    return responses.json(rows[0]["code"])


@routes("GET", "v1/promocodes/count")
def count(incoming: Incoming) -> Response:
    """Return how many codes are free: a bare number."""
    return responses.json(incoming.store.named(f"SELECT count(*) {_FREE}", _values(incoming))[0][0])
