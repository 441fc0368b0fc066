"""Broadcasts: a prepared message to whole segments, now or later.

Part of the vendor's sixth group of methods. No status of a broadcast is documented: how it goes is seen in the
contacts' activity, by its id. Where an answer has a `status` all the same, it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import NoneType
from typing import ClassVar, Literal

from msgspec import field

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.esputnik.api._request import get, given, request
from airflow_provider_esp.services.esputnik.api.models import Model
from airflow_provider_esp.services.esputnik.api.paging import MOST_ROWS, by_index
from airflow_provider_esp.services.esputnik.datetimes import stamp
from airflow_provider_esp.services.esputnik.scopes import MethodGroup

_GROUP = MethodGroup.MESSAGES


class Broadcast(Model, frozen=True, kw_only=True):
    """A broadcast; ids are text, and `start_date` is as the service writes it.

    :ivar group_ids: segments it goes to; the specification has one, some answers several.
    :ivar status: the specification has none.
    """

    _shown: ClassVar[tuple[str, ...]] = ("broadcast_id", "title", "start_date", "status")

    broadcast_id: str
    title: str | None = None
    message_id: str | None = None
    group_ids: list[str] = field(name="groupId", default_factory=list)
    start_date: str | None = None
    batch_size: int | None = None
    batch_interval_unit: str | None = None
    status: str | None = None


def create(
    message_id: int | str,
    groups: Sequence[int],
    *,
    title: str | None = None,
    excluded_groups: Sequence[int] = (),
    start_date: datetime | None = None,
    batch_size: int | None = None,
    batch_interval_unit: Literal["MINUTE", "HOUR", "DAY", "MONTH"] | None = None,
    domain: str | None = None,
    app_id: str | None = None,
) -> Call[Broadcast]:
    """Send a prepared message to segments: `POST v1/broadcast`. Sent twice it makes two broadcasts.

    Addresses in several segments get one message. eSputnik may have people look at a broadcast before it goes.

    :param groups: ids of segments, at least one.
    :param excluded_groups: ids of segments whose contacts get nothing.
    :param start_date: when, on the account's clock, to the minute; None for at once.
    :param batch_size: messages per `batch_interval_unit`, to send slowly; the two go together (our reading).
    :param domain: of a web push broadcast.
    :param app_id: of a mobile push or Telegram broadcast.
    :raises ValueError: no segments, or half a speed.
    """
    if not groups:
        raise ValueError("A broadcast needs at least one segment.")
    if (batch_size is None) != (batch_interval_unit is None):
        raise ValueError("batch_size and batch_interval_unit go together.")
    body = given(
        messageId=str(message_id),
        groups=list(groups),
        title=title,
        excludedGroups=list(excluded_groups) or None,
        startDate=None if start_date is None else stamp(start_date),
        batchSize=batch_size,
        batchIntervalUnit=batch_interval_unit,
        domain=domain,
        appId=app_id,
    )
    return request("POST", "v1/broadcast", answer=Broadcast, body=body, group=_GROUP, repeatable=False)


def broadcast(broadcast_id: int | str) -> Call[Broadcast]:
    """Read a broadcast: `GET v1/broadcast/{broadcast_id}`."""
    return get("v1/broadcast/{broadcast_id}", broadcast_id, answer=Broadcast, group=_GROUP)


def cancel(broadcast_id: int | str) -> Call[None]:
    """Cancel a broadcast that has not started: `DELETE v1/broadcast/{broadcast_id}`.

    What happens to one that has started is not documented.
    """
    label = "v1/broadcast/{broadcast_id}"
    return request("DELETE", label, broadcast_id, answer=NoneType, group=_GROUP, repeatable=True)


def broadcasts(start_index: int = 1, max_rows: int = MOST_ROWS) -> Call[list[Broadcast]]:
    """Read a page of the account's broadcasts: `GET v1/broadcasts`; their order is not documented.

    :param start_index: index of the first row; the first of all is 1.
    :param max_rows: most rows to answer, 500 at most.
    """
    query = {"startindex": start_index, "maxrows": max_rows}
    return get("v1/broadcasts", answer=list[Broadcast], query=query, group=_GROUP)


def broadcast_pages() -> Pages[Broadcast]:
    """Read all broadcasts, page by page."""
    return by_index(broadcasts, MOST_ROWS)
