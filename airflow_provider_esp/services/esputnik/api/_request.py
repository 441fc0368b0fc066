"""How this service's calls are put together: the one place that knows what all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from typing import Any, TypeVar

from airflow_provider_esp.core.calls import JSON, Bucket, Call, Flow, json_body, path
from airflow_provider_esp.services.esputnik.limits import DEFAULT
from airflow_provider_esp.services.esputnik.scopes import MethodGroup

T = TypeVar("T")


def request(
    method: str,
    label: str,
    *values: str | int,
    answer: type[T],
    query: Mapping[str, str | int | float | bool | None] | None = None,
    body: object = None,
    buckets: tuple[Bucket, ...] = (DEFAULT,),
    group: MethodGroup = MethodGroup.GENERAL,
    repeatable: bool,
    when_done: Callable[[], Flow[T]] | None = None,
) -> Call[T]:
    """Make a call of a label in the vendor's words and the values for its placeholders.

    :param label: e.g. ``v1/contact/{id}``; stands in logs, so a value never goes into it.
    :param values: for the label's placeholders, in order.
    :param body: encoded as JSON; None sends no body.
    :param group: the vendor's method group; the general one needs no right.
    """
    return Call(
        service="esputnik",
        method=method,
        path=path(label, *values),
        label=label,
        answer=answer,
        query=query or {},
        content=None if body is None else json_body(body),
        content_type=None if body is None else JSON,
        buckets=buckets,
        right=None if group is MethodGroup.GENERAL else str(group),
        repeatable=repeatable,
        when_done=when_done,
    )


def get(
    label: str,
    *values: str | int,
    answer: type[T],
    query: Mapping[str, str | int | float | bool | None] | None = None,
    buckets: tuple[Bucket, ...] = (DEFAULT,),
    group: MethodGroup = MethodGroup.GENERAL,
) -> Call[T]:
    """Make a call that reads, which may always be repeated. Arguments as in `request`."""
    return request("GET", label, *values, answer=answer, query=query, buckets=buckets, group=group, repeatable=True)


def given(**fields: Any) -> dict[str, Any]:
    """Body fields without those that are None."""
    return {name: value for name, value in fields.items() if value is not None}


def check_size(things: Sized, most: int, what: str) -> None:
    """Refuse an empty list, or one longer than a request may carry.

    :raises ValueError: and says how many there may be.
    """
    if not 1 <= len(things) <= most:
        raise ValueError(f"{len(things)} {what}: one request takes 1 to {most}.")
