"""The pages for people: what the sandbox holds, and every message that would have gone out, newest first.

Plain HTML made on the server: an overview at ``/``, one listing per kind of thing with a filter and pages, and one
page per message that shows it as its recipient would see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..registry import Registry
from ..service import Row, Section, Service
from .rendering import Link, page, with_query

SIZE = 25
GLANCE = 8
MESSAGE_COLUMNS = ("message", "to", "channel", "service", "status", "time")
_FACTS = ("from", "to", "subject", "channel", "name", "status", "created", "request_id", "label", "contact_id")


class Count(NamedTuple):
    """How many of a thing there are, and the address of their list."""

    address: str
    label: str
    number: int


class Counts(NamedTuple):
    """One line of numbers."""

    title: str
    cells: Sequence[Count]


class Listing(NamedTuple):
    """The first rows of a list.

    :ivar address: where all of its rows are.
    :ivar shown: how many rows are shown at most.
    :ivar total: how many there are.
    """

    title: str
    address: str
    columns: Sequence[str]
    rows: Sequence[Row]
    shown: int
    total: int


class Views:
    """The pages of one sandbox."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = registry.state

    def overview(self, request: Request) -> Response:
        """Return counts, the newest messages, and the first rows of everything else."""
        q = request.query_params.get("q", "")
        lines = self._counts()
        address = with_query("/messages", q=q)
        rows, total = self._message_rows(q, SIZE, 0), self._state.outbox.count(q)
        messages = Listing("Messages", address, MESSAGE_COLUMNS, rows, SIZE, total)
        glances = (self._glance(service, part, q) for service in self._services for part in service.sections)
        return page(
            "overview.html",
            "Sandbox",
            lines=lines,
            messages=messages,
            sections=[listing for listing in glances if listing.rows],
            **self._frame(request, "/", q),
        )

    def messages(self, request: Request) -> Response:
        """Return all messages, newest first."""
        q, number = request.query_params.get("q", ""), _page_number(request)
        self._registry.settle()
        return page(
            "listing.html",
            "Messages",
            page=number,
            size=SIZE,
            total=self._state.outbox.count(q),
            columns=MESSAGE_COLUMNS,
            rows=self._message_rows(q, SIZE, (number - 1) * SIZE),
            **self._frame(request, "/messages", q),
        )

    def message(self, request: Request) -> Response:
        """Return one message as its recipient would see it, and its history."""
        self._registry.settle()
        number = request.path_params["number"]
        row = self._state.outbox.get(int(number)) if re.fullmatch(r"\d{1,18}", number, re.ASCII) else None
        if row is None:
            return page("base.html", "No such message", 404)
        message = self._registry.message(row)
        return page(
            "message.html",
            f"Message {row['id']}",
            message=message,
            pairs=[(name.replace("_", " "), message[name]) for name in _FACTS],
            data=msgspec.json.format(msgspec.json.encode(message["data"])).decode(),
            **self._frame(request, f"/messages/{row['id']}", ""),
        )

    def section(self, request: Request) -> Response:
        """Return one section of a service."""
        name, kind = request.path_params["service"], request.path_params["section"]
        section = self._registry.section(name, kind)
        if section is None:
            return page("base.html", "No such page", 404)
        q, number = request.query_params.get("q", ""), _page_number(request)
        self._registry.settle()
        return page(
            "listing.html",
            f"{self._registry.services[name].title} {section.title.lower()}",
            page=number,
            size=SIZE,
            total=section.count(self._state, q),
            columns=section.columns,
            rows=section.rows(self._state, q, SIZE, (number - 1) * SIZE),
            **self._frame(request, f"/see/{name}/{kind}", q),
        )

    @property
    def _services(self) -> Sequence[Service]:
        return list(self._registry.services.values())

    def _counts(self) -> list[Counts]:
        counts = self._registry.counts()
        total = sum(numbers["messages"] for numbers in counts.values())
        lines = [Counts("Everything", [Count("/messages", "messages", total)])]
        for service in self._services:
            numbers = counts[service.name]
            cells = [
                Count(f"/see/{service.name}/{section.name}", section.title.lower(), numbers[section.name])
                for section in service.sections
            ]
            lines.append(Counts(service.title, cells))
        return lines

    def _glance(self, service: Service, section: Section, q: str) -> Listing:
        rows = section.rows(self._state, q, GLANCE, 0)
        return Listing(
            f"{service.title}: {section.title.lower()}",
            with_query(f"/see/{service.name}/{section.name}", q=q),
            section.columns,
            rows,
            GLANCE,
            section.count(self._state, q) if rows else 0,
        )

    def _message_rows(self, q: str, limit: int, offset: int) -> list[Row]:
        return [
            {
                "message": Link(
                    f"/messages/{row['id']}", row["subject"] or row["text"][:80] or row["name"] or row["id"]
                ),
                "to": row["to"],
                "channel": row["channel"],
                "service": self._registry.services[row["service"]].title,
                "status": row["status"],
                "time": row["created"][:19].replace("T", " "),
            }
            for row in self._registry.messages(q, limit, offset)
        ]

    def _frame(self, request: Request, path: str, q: str) -> dict[str, Any]:
        """Return what `sandbox.html` shows on every page: its path and filter, the time, and how often it is loaded."""
        given = request.query_params.get("refresh", "")
        refresh = int(given) if given.isascii() and given.isdigit() and len(given) < 5 else 0
        now = self._state.stamp(self._state.clock.now())[:19].replace("T", " ")
        return {"path": path, "q": q, "now": now, "refresh": refresh}


def routes(registry: Registry) -> list[Route]:
    """Return the pages' routes."""
    views = Views(registry)
    return [
        Route("/", _endpoint(views.overview)),
        Route("/messages", _endpoint(views.messages)),
        Route("/messages/{number}", _endpoint(views.message)),
        Route("/see/{service}/{section}", _endpoint(views.section)),
    ]


def _endpoint(view: Callable[[Request], Response]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(view, request)

    return endpoint


def _page_number(request: Request) -> int:
    given = request.query_params.get("page", "1")
    return int(given) if given.isascii() and given.isdigit() and 0 < len(given) < 10 and int(given) else 1
