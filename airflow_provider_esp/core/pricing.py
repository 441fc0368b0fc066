"""What a service tells of prices and of the account's money before something is sent, and what follows from it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

# The alphabet of GSM 03.38.
_PLAIN = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("^{}\\[~]|€\f")
_PLACEHOLDER = re.compile(r"\$!?\{?data\.get\(\s*['\"]([^'\"]+)['\"]\s*\)\}?")


def sms_parts(text: str) -> int:
    """Return in how many parts a text message is sent and paid for.

    One part holds 160 characters of the GSM alphabet (some of them count two) or 70 of any other; where there are
    several, 153 or 67 each.
    """
    if all(character in _PLAIN or character in _ESCAPED for character in text):
        length, one, several = len(text) + sum(character in _ESCAPED for character in text), 160, 153
    else:
        length, one, several = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if length <= one else math.ceil(length / several)


def filled(text: str, data: Mapping[str, Any]) -> str:
    """Return a text with the values of one recipient in place of ``$!data.get('name')``; a missing one is empty."""

    def value(match: re.Match[str]) -> str:
        found = data.get(match[1])
        return "" if found is None else str(found)

    return _PLACEHOLDER.sub(value, text)


class Pricing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before a message is sent.

    :ivar unit: what is counted: ``SMS parts`` or ``e-mails``.
    :ivar text: of a text message, whose parts are counted for each recipient; None where each message is one unit.
    :ivar included: units that cost nothing (a plan, a bonus); None for any number.
    :ivar price: of a unit beyond these, in `currency`; None where the service tells none.
    :ivar basis: where the price comes from, for a person.
    :ivar available: money that may be spent; None where units beyond the plan cannot be paid for.
    """

    unit: str
    text: str | None = None
    included: int | None = 0
    price: float | None = None
    basis: str = ""
    available: float | None = None
    currency: str = ""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a send needs, and whether the account has it.

    :ivar messages: recipients.
    :ivar units: parts or messages that are counted.
    :ivar cost: in `currency`; None where no price is told.
    :ivar shortfall: why the account cannot pay; empty where it can, or where nothing tells.
    :ivar words: all of it in a sentence, for a person.
    """

    messages: int
    units: int
    cost: float | None
    currency: str
    available: float | None
    shortfall: str
    words: str


def estimate(pricing: Pricing, messages: int, units: int) -> Estimate:
    """Compare what a send needs with what the account has.

    :param messages: recipients.
    :param units: their parts or messages, as `Pricing.unit` says.
    """
    paid = 0 if pricing.included is None else max(0, units - pricing.included)
    cost = 0.0 if not paid else None if pricing.price is None else paid * pricing.price
    words = [f"{messages:,} messages, {units:,} {pricing.unit}"]
    if pricing.included:
        words.append(f"{min(units, pricing.included):,} of them free")
    if cost is not None and pricing.price:
        words.append(f"{_money(cost, pricing.currency)} at {pricing.price:g} each ({pricing.basis})")
    elif paid and pricing.available is not None:
        words.append("the service tells no price")
    if pricing.available is not None:
        words.append(f"the account has {_money(pricing.available, pricing.currency)}")
    return Estimate(
        messages=messages,
        units=units,
        cost=cost,
        currency=pricing.currency,
        available=pricing.available,
        shortfall=_shortfall(pricing, paid, cost),
        words="; ".join(words),
    )


def _shortfall(pricing: Pricing, paid: int, cost: float | None) -> str:
    if not paid:
        return ""
    if pricing.available is None:
        return f"the plan has {pricing.included or 0:,} {pricing.unit} left, which is {paid:,} too few"
    if cost is not None and cost > pricing.available:
        return f"{_money(cost - pricing.available, pricing.currency)} are missing"
    if cost is None and pricing.available <= 0:
        return "the account is empty"
    return ""


def _money(amount: float, currency: str) -> str:
    return f"{amount:,.2f} {currency}".strip()
