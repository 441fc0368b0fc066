"""The page for people: what the sandbox was told, and every message that would have gone out, newest first.

Plain server-rendered HTML: an overview at ``/``, one listing per kind of thing with a filter and pages, and one page
per message that shows it as its recipient would see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..registry import Registry
from ..service import Row, Section, Service
from .html import Html, counts, document, facts, grid, link, pager, search, text, with_query

SIZE = 25
GLANCE = 8
MESSAGE_COLUMNS = ("message", "to", "channel", "service", "status", "time")


class Page:
    """The pages, over one sandbox."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._state = registry.state

    def overview(self, request: Request) -> Response:
        """Counts, the newest messages, and a glance at everything else."""
        q = request.query_params.get("q", "")
        body = [self._counts(), search("/", q), *self._glance_at_messages(q)]
        for service in self._registry.services.values():
            for section in service.sections:
                body += self._glance(service, section, q)
        return document("Sandbox", body, *self._aside(request, "/", q))

    def messages(self, request: Request) -> Response:
        """All messages, newest first."""
        q, number = request.query_params.get("q", ""), _page(request)
        self._registry.settle()
        total = self._state.outbox.count(q)
        rows = self._message_rows(q, SIZE, (number - 1) * SIZE)
        turn = pager("/messages", q, number, SIZE, total)
        body = [search("/messages", q), turn, grid(MESSAGE_COLUMNS, rows), turn]
        return document("Messages", body, *self._aside(request, "/messages", q))

    def message(self, request: Request) -> Response:
        """One message as its recipient would see it, and its way."""
        self._registry.settle()
        number = request.path_params["number"]
        row = self._state.outbox.get(int(number)) if re.fullmatch(r"\d{1,18}", number, re.ASCII) else None
        if row is None:
            return document("No such message", [], status=404)
        shown = self._registry.message(row)
        names = ("from", "to", "subject", "channel", "name", "status", "created", "request_id", "label", "contact_id")
        body = [
            facts((name.replace("_", " "), shown[name]) for name in names),
            *_content(shown),
            "<h2>Its way</h2>",
            grid(("at", "status", "note"), shown["history"]),
            "<h2>Data</h2>",
            f"<pre>{escape(msgspec.json.format(msgspec.json.encode(shown['data'])).decode())}</pre>",
        ]
        return document(f"Message {row['id']}", body, *self._aside(request, f"/messages/{row['id']}", ""))

    def section(self, request: Request) -> Response:
        """One kind of thing of one service."""
        name, kind = request.path_params["service"], request.path_params["section"]
        section = self._registry.section(name, kind)
        if section is None:
            return document("No such page", [], status=404)
        q, number, path = request.query_params.get("q", ""), _page(request), f"/see/{name}/{kind}"
        self._registry.settle()
        total = section.count(self._state, q)
        rows = section.rows(self._state, q, SIZE, (number - 1) * SIZE)
        turn = pager(path, q, number, SIZE, total)
        title = f"{self._registry.services[name].title} {section.title.lower()}"
        return document(
            title,
            [search(path, q), turn, grid(section.columns, rows), turn],
            *self._aside(request, path, q),
        )

    def _counts(self) -> str:
        found = self._registry.counts()
        total = sum(numbers["messages"] for numbers in found.values())
        lines = [counts("Everything", [("/messages", "messages", total)])]
        for name, service in self._registry.services.items():
            cells = [
                (f"/see/{name}/{section.name}", section.title.lower(), found[name][section.name])
                for section in service.sections
            ]
            lines.append(counts(service.title, cells))
        return "".join(lines)

    def _glance_at_messages(self, q: str) -> list[str]:
        rows = self._message_rows(q, SIZE, 0)
        total = self._state.outbox.count(q)
        head = f"<h2>Messages that would have gone out {_all(with_query('/messages', q=q), total, SIZE)}</h2>"
        return [head, grid(MESSAGE_COLUMNS, rows)]

    def _glance(self, service: Service, section: Section, q: str) -> list[str]:
        rows = section.rows(self._state, q, GLANCE, 0)
        if not rows:
            return []
        address = with_query(f"/see/{service.name}/{section.name}", q=q)
        more = _all(address, section.count(self._state, q), GLANCE)
        head = f"<h2>{escape(service.title)}: {escape(section.title.lower())} {more}</h2>"
        return [head, grid(section.columns, rows)]

    def _message_rows(self, q: str, limit: int, offset: int) -> list[Row]:
        return [
            {
                "message": link(
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

    def _aside(self, request: Request, path: str, q: str) -> tuple[Html, int]:
        given = request.query_params.get("refresh", "")
        refresh = int(given) if given.isascii() and given.isdigit() and len(given) < 5 else 0
        now = self._state.stamp(self._state.clock.now())[:19].replace("T", " ")
        turn = (
            link(with_query(path, q=q), "stop refreshing")
            if refresh
            else link(with_query(path, q=q, refresh=5), "refresh every 5 s")
        )
        return Html(f"{text(now)} UTC · {turn}"), refresh


def routes(registry: Registry) -> list[Route]:
    """Return the pages' routes."""
    page = Page(registry)
    return [
        Route("/", _endpoint(page.overview)),
        Route("/messages", _endpoint(page.messages)),
        Route("/messages/{number}", _endpoint(page.message)),
        Route("/see/{service}/{section}", _endpoint(page.section)),
    ]


def _endpoint(show: Callable[[Request], Response]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(show, request)

    return endpoint


def _page(request: Request) -> int:
    given = request.query_params.get("page", "1")
    return int(given) if given.isascii() and given.isdigit() and 0 < len(given) < 10 and int(given) else 1


def _all(address: str, total: int, shown: int) -> Html:
    return Html(f'<span class="dim">{link(address, f"all {total:,}")}</span>') if total > shown else Html("")


def _content(shown: Row) -> list[str]:
    parts = []
    if shown["html"]:
        # The frame may run no scripts and load nothing: `sandbox` and the page's own policy see to it.
        parts += ["<h2>As read</h2>", f'<iframe sandbox srcdoc="{escape(shown["html"])}" title="the message"></iframe>']
    if shown["text"]:
        parts += ["<h2>Text</h2>", f"<pre>{escape(shown['text'])}</pre>"]
    return parts
