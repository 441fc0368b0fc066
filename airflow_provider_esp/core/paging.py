"""Long answers inside a flow: their rows turned into others, or handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from airflow_provider_esp.core.calls import Flow, Page, Pages

R = TypeVar("R")
S = TypeVar("S")


def map_pages(pages: Pages[R], make: Callable[[R], S | None]) -> Pages[S]:
    """Turn each row of a long answer into another as it comes; None leaves it out."""
    answer: Any = None
    try:
        while True:
            item = pages.send(answer)
            if isinstance(item, Page):
                answer = None
                if rows := [made for row in item.rows if (made := make(row)) is not None]:
                    yield Page(rows)
            else:
                answer = yield item
    except StopIteration:
        return
    finally:
        pages.close()


def for_each(pages: Pages[R], take: Callable[[R], object]) -> Flow[None]:
    """Read a long answer to its end, and hand every row to a function; none is kept here."""

    def hand_over(row: R) -> None:
        take(row)

    # No row becomes another one, so no page comes out: what is left are the calls.
    return cast("Flow[None]", map_pages(pages, hand_over))
