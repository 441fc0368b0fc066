"""Promo codes: adding them, and reading those that are left.

Not in the vendor's list of method groups, so the right they need is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from msgspec import field

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.esputnik.api._request import get, given, request
from airflow_provider_esp.services.esputnik.api.models import Model
from airflow_provider_esp.services.esputnik.datetimes import stamp


class PromocodeBatch(Model, frozen=True, kw_only=True):
    """Promo codes of one sort, as they were taken."""

    _shown: ClassVar[tuple[str, ...]] = ("expiration_date", "discount", "type")

    promocodes: list[str] = field(default_factory=list)
    expiration_date: str | None = None
    discount: int | None = None
    type: str | None = None
    in_use: bool | None = None


def promocodes(
    *,
    type: str | None = None,
    in_use: bool | None = None,
    active_due_days: int | None = None,
    discount: int | None = None,
) -> Call[str]:
    """Read promo codes: `GET v1/promocodes`.

    :param type: their type.
    :param in_use: True for used ones, False for those that are not.
    :param active_due_days: those that stay valid for so many days, from tomorrow.
    :param discount: those that give this discount.
    :return: a call answered with JSON text, which the vendor describes no further.
    """
    query = {"type": type, "inUse": in_use, "activeDueDays": active_due_days, "discount": discount}
    return get("v1/promocodes", answer=str, query=query)


def add(
    codes: Sequence[str],
    *,
    expiration_date: datetime,
    discount: int,
    type: str | None = None,
    in_use: bool | None = None,
) -> Call[PromocodeBatch]:
    """Add promo codes, or update those that are there: `POST v1/promocodes`.

    :param expiration_date: on the account's clock, to the minute.
    :raises ValueError: no codes.
    """
    if not codes:
        raise ValueError("No promo codes were given.")
    body = given(
        promocodes=list(codes), expirationDate=stamp(expiration_date), discount=discount, type=type, inUse=in_use
    )
    return request("POST", "v1/promocodes", answer=PromocodeBatch, body=body, repeatable=True)


def count(*, type: str | None = None, active_due_days: int | None = None, discount: int | None = None) -> Call[str]:
    """Count the promo codes that are left: `GET v1/promocodes/count`. Arguments as in `promocodes`.

    :return: a call answered with text: the vendor does not say what the answer looks like.
    """
    query = {"type": type, "activeDueDays": active_due_days, "discount": discount}
    return get("v1/promocodes/count", answer=str, query=query)
