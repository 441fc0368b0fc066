"""Reading the rows of a long answer inside a flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from airflow_provider_esp.core.calls import Flow, Page, Pages

R = TypeVar("R")


def for_each(pages: Pages[R], take: Callable[[R], object]) -> Flow[None]:
    """Read a long answer to its end, and hand every row to a function; none is kept here."""
    answer: Any = None
    try:
        while True:
            item = pages.send(answer)
            if isinstance(item, Page):
                answer = None
                for row in item.rows:
                    take(row)
            else:
                answer = yield item
    except StopIteration:
        return
    finally:
        pages.close()
