"""Reading a long list by `startindex` and `maxrows`, the way most of eSputnik's lists are read.

The `TotalCount` header is not used: it was seen to say 2 for an account of twenty thousand contacts. A page
shorter than asked for is the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_provider_esp.core.calls import Call, Page, Pages
from airflow_provider_esp.exceptions import PagingFault

R = TypeVar("R")

MOST_ROWS = 500
"""Rows a page may have, where the vendor's specification does not say otherwise."""


def by_index(fetch: Callable[[int], Call[list[R]]], page_size: int, first: int = 1) -> Pages[R]:
    """Read a list from `first` to its end.

    :param fetch: makes the call for the page that begins at an index.
    :param page_size: rows a page is asked for.
    :param first: index of the first row; eSputnik counts from 1 nearly everywhere.
    :raises PagingFault: a full page came twice in a row, as if the index were ignored.
    """
    index = first
    previous: list[R] = []
    while True:
        call = fetch(index)
        rows = yield from call
        if rows and rows == previous:
            raise PagingFault(
                f"{call.name} answered the same {len(rows)} rows for index {index} as for the page before. "
                "Nothing after them can be read; tell eSputnik's support."
            )
        if rows:
            yield Page(rows)
        if len(rows) < page_size:
            return
        index += len(rows)
        previous = rows
