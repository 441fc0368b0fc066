"""Orders: what customers bought, for segments, product recommendations and workflows.

Not in the vendor's list of method groups, so the right it needs is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.esputnik.api._request import check_size, request
from airflow_provider_esp.services.esputnik.api.models import Model

MOST_ORDERS = 1000
"""Orders a request takes."""


class OrderItem(Model, frozen=True, kw_only=True):
    """One line of an order; older accounts need name, category, cost and both URLs too."""

    external_item_id: str
    quantity: float
    name: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    cost: float | UnsetType = UNSET
    url: str | UnsetType = UNSET
    image_url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class Order(Model, frozen=True, kw_only=True):
    """An order; `external_customer_id`, `email` or `phone` says whose.

    :ivar external_order_id: what an order is recognised by.
    :ivar date: when it was made, to the second; with a zone, or on the account's clock.
    :ivar additional_info: whatever else there is to say, as texts by name.
    """

    _shown: ClassVar[tuple[str, ...]] = ("external_order_id", "status")

    external_order_id: str
    total_cost: float
    status: Literal["INITIALIZED", "IN_PROGRESS", "DELIVERED", "CANCELLED", "ABANDONED_SHOPPING_CART"]
    date: datetime
    currency: str
    external_customer_id: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    shipping: float | UnsetType = UNSET
    discount: float | UnsetType = UNSET
    taxes: float | UnsetType = UNSET
    restore_url: str | UnsetType = UNSET
    status_description: str | UnsetType = UNSET
    store_id: str | UnsetType = UNSET
    source: Literal["online", "offline"] | UnsetType = UNSET
    delivery_method: str | UnsetType = UNSET
    payment_method: str | UnsetType = UNSET
    delivery_address: str | UnsetType = UNSET
    additional_info: Mapping[str, str] | UnsetType = UNSET
    items: list[OrderItem] | UnsetType = UNSET


class FailedOrderKey(Model, frozen=True, kw_only=True):
    """The part of a refused order that says which it is."""

    _shown: ClassVar[tuple[str, ...]] = ("external_order_id",)

    external_order_id: str | None = None


class FailedOrder(Model, frozen=True, kw_only=True):
    """An order that was refused, and why."""

    order: FailedOrderKey | None = None
    error: str = ""


class FailedOrders(Model, frozen=True, kw_only=True):
    """Orders that were refused; empty where all were taken."""

    failed_orders: list[FailedOrder] = field(default_factory=list)


def add(orders: Sequence[Order]) -> Call[FailedOrders]:
    """Add or update orders: `POST v1/orders`.

    An order is recognised by its id, so the data may be sent again; but each accepted order makes an event that
    may start a workflow, so the call is not repeatable. A missing contact is created, an existing one is left
    as it is.

    :param orders: 1 to 1000.
    :return: a call answered with the orders that were refused.
    :raises ValueError: none or too many, or an order of nobody.
    """
    check_size(orders, MOST_ORDERS, "orders")
    for index, order in enumerate(orders):
        if not (order.external_customer_id or order.email or order.phone):
            raise ValueError(
                f"Order {index} has no customer: give an external customer id, an e-mail address or a phone."
            )
    whole_seconds = [msgspec.structs.replace(order, date=order.date.replace(microsecond=0)) for order in orders]
    return request("POST", "v1/orders", answer=FailedOrders, body={"orders": whole_seconds}, repeatable=False)
