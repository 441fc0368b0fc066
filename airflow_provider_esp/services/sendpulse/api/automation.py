"""Automation 360: what flows are there and what they achieved. Events, which start them, are in `events`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_esp.core.calls import Call, Flow, Pages
from airflow_provider_esp.services.sendpulse.api._request import Quiet, call, paged


class Element(enum.Enum):
    """The kinds of elements in a flow, by the vendor's word in their path."""

    START = "main-trigger"
    EMAIL = "email"
    PUSH = "push"
    SMS = "sms"
    MESSENGER = "messenger"
    FILTER = "filter"
    CONDITION = "trigger"
    GOAL = "goal"
    ACTION = "action"


class AutoFlow(Quiet, frozen=True):
    """A flow; `status` is 1 where it is active, the other codes are not documented."""

    id: int
    name: str = ""
    status: int | None = None
    created: str = ""
    changed: str = ""
    main_data: dict[str, Any] = msgspec.field(default_factory=dict)


class AutoFlows(msgspec.Struct, frozen=True):
    """A page of flows, in the answer's wrapping."""

    data: list[AutoFlow]


class FlowElement(Quiet, frozen=True):
    """An element of a flow; `af_type` is its kind."""

    id: int
    main_id: int | None = None
    af_type: str = ""
    created: str = ""
    last_send: str | None = None
    task: dict[str, Any] | None = None


class FlowStats(msgspec.Struct, frozen=True):
    """What a flow did so far."""

    autoresponder: AutoFlow
    flows: list[FlowElement] = []
    starts: int = 0
    in_queue: int = 0
    end_count: int = 0
    send_messages: int = 0
    conversions: int = 0


class Mail(Quiet, frozen=True):
    """The message of an e-mail element; `address_book_id` is 0 where the flow starts from an event."""

    id: int | None = None
    address_book_id: int | None = None
    message_title: str = ""
    sender_mail_address: str = ""
    sender_mail_name: str = ""
    created: str = ""


class ElementStats(msgspec.Struct, frozen=True):
    """What one element did; what its kind does not count is None."""

    flow_id: int
    executed: int | None = None
    deleted: int | None = None
    sent: int | None = None
    delivered: int | None = None
    opened: int | None = None
    clicked: int | None = None
    errors: int | None = None
    unsubscribed: int | None = None
    marked_as_spam: int | None = None
    last_send: str | None = None
    task: Mail | None = None


class ElementAnswer(msgspec.Struct, frozen=True):
    """What one element did, in the answer's wrapping."""

    data: ElementStats


class ConversionTotals(msgspec.Struct, frozen=True):
    """How often a flow's goals were reached, by where."""

    total_conversions: int = 0
    maintrigger_conversions: int = 0
    goal_conversions: int = 0
    maintrigger: dict[str, Any] = {}
    goals: list[dict[str, Any]] = []


class Conversions(msgspec.Struct, frozen=True):
    """How often a flow's goals were reached, in the answer's wrapping."""

    data: ConversionTotals


class Conversion(Quiet, frozen=True):
    """One person who reached a goal."""

    id: int
    conversion_type: str = ""
    flow_id: int | None = None
    email: str | None = None
    phone: str | None = None
    conversion_date: str = ""
    start_date: str = ""


class ConversionList(msgspec.Struct, frozen=True):
    """The people who reached a flow's goals."""

    total: int = 0
    items: list[Conversion] = []


def flows(limit: int = 100, offset: int = 0) -> Call[AutoFlows]:
    """Read a page of flows: `GET a360/autoresponders/list`."""
    return call("GET", "a360/autoresponders/list", AutoFlows, query={"limit": limit, "offset": offset})


def all_flows() -> Pages[AutoFlow]:
    """Read every flow: `GET a360/autoresponders/list`, page by page."""
    return paged(_page)


def _page(limit: int, offset: int) -> Flow[list[AutoFlow]]:
    answer = yield from flows(limit, offset)
    return answer.data


def flow(flow_id: int) -> Call[FlowStats]:
    """Read a flow with what it did: `GET a360/autoresponders/{ID}`."""
    return call("GET", "a360/autoresponders/{ID}", FlowStats, flow_id)


def total_stats(flow_id: int, *, flow_type: str | None = None, deleted: str | None = None) -> Call[dict[str, Any]]:
    """Read what every element of a flow did: `GET a360/autoresponders/{ID}/total-stats`.

    :returns: an object whose shape the vendor does not document.
    """
    query = {"flow_type": flow_type, "deleted": deleted}
    return call("GET", "a360/autoresponders/{ID}/total-stats", dict[str, Any], flow_id, query=query)


def element_stats(kind: Element, element_id: int) -> Call[ElementAnswer]:
    """Read what one element of a flow did: `GET a360/stats/{kind}/{ID}/group-stat`.

    :param kind: of the element; the path's word for a condition is ``trigger``, for the start ``main-trigger``.
    """
    return call("GET", f"a360/stats/{kind.value}/{{ID}}/group-stat", ElementAnswer, element_id)


def conversions(flow_id: int) -> Call[Conversions]:
    """Count how often a flow's goals were reached: `GET a360/autoresponders/{id}/conversions`."""
    return call("GET", "a360/autoresponders/{id}/conversions", Conversions, flow_id)


def conversion_list(flow_id: int) -> Call[ConversionList]:
    """List who reached a flow's goals: `GET a360/autoresponders/{id}/conversions/list/all`.

    The vendor's specification lacks this method; a client in wide use has it.
    """
    return call("GET", "a360/autoresponders/{id}/conversions/list/all", ConversionList, flow_id)


def delete_log(fields: Mapping[str, Any]) -> Call[None]:
    """Delete event logs, for good: `POST a360/events/delete-log`.

    :param fields: sent as it is: the vendor documents neither the fields nor the answer.
    """
    return call("POST", "a360/events/delete-log", type(None), body=dict(fields))
