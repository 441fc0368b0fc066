"""Everything the sandbox knows, in one value that endpoints, the control API and the page share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from . import outbox, settings
from .clock import Clock
from .faults import Faults
from .limits import Limit, Limits
from .outbox import Outbox
from .request_log import RequestLog
from .routing import Row, Section, Service
from .store import Row as StoredRow
from .store import Store


class World:
    """The state of one sandbox.

    :param services: the vendors it plays.
    :param file: a database file that outlives the process; None keeps everything in memory.
    """

    def __init__(self, services: Sequence[Service], file: str | None = None) -> None:
        self.services = {service.name: service for service in services}
        self.clock = Clock()
        self.store = Store(file)
        self.outbox = Outbox(self.store, self.clock)
        self.log = RequestLog(self.clock)
        self.faults = Faults()
        known = dict(settings.FRAME)
        documented: dict[str, Limit] = {}
        for service in services:
            known.update(service.settings)
            documented.update(service.limits)
        self.settings = settings.Settings(known)
        self.limits = Limits(documented, self.clock)
        if not self.store.has_tables():
            self._set_up()

    def reset(self) -> None:
        """Back to a fresh sandbox: data, clock, settings, limits, faults and the request log."""
        self.clock.reset()
        self.settings.reset()
        self.limits.reset()
        self.faults.clear()
        self.log.clear()
        with self.store.exclusive():
            self.store.clear()
            self._set_up()

    def _set_up(self) -> None:
        self.store.script(outbox.SCHEMA)
        for service in self.services.values():
            self.store.script(service.schema)
        with self.store.transaction():
            for service in self.services.values():
                service.seed(self)

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        for service in self.services.values():
            with self.store.transaction():
                service.settle(self)

    def section(self, service: str, name: str) -> Section | None:
        """A service's section by name."""
        known = self.services.get(service)
        return next((section for section in known.sections if section.name == name), None) if known else None

    def message(self, row: StoredRow) -> Row:
        """One message of the outbox as people and tests see it, rendered, with its way so far."""
        data = msgspec.json.decode(row["data"])
        render = self.services[row["service"]].render
        way = [{"at": self.stamp(step["at"]), **_without_at(step)} for step in self.outbox.way(row["id"])]
        return {
            "id": row["id"],
            "service": row["service"],
            "channel": row["channel"],
            "from": row["sender"],
            "to": row["recipient"],
            "name": row["name"],
            "subject": render(row["subject"], data),
            "html": render(row["html"], data),
            "text": render(row["text"], data),
            "data": data,
            "status": way[-1]["status"] if way else "",
            "history": way,
            "request_id": row["request_id"],
            "label": row["label"],
            "contact_id": row["contact_id"],
            "template_id": row["template_id"],
            "broadcast_id": row["broadcast_id"],
            "tags": msgspec.json.decode(row["tags"]),
            "language": row["language"],
            "created": self.stamp(row["created"]),
        }

    def messages(self, q: str = "", limit: int = 100, offset: int = 0, service: str = "") -> list[Row]:
        """Messages that would have gone out, newest first."""
        return [self.message(row) for row in self.outbox.page(q, limit, offset, service)]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of everything there are, by service and section."""
        self.settle()
        found: dict[str, dict[str, int]] = {}
        for name, service in self.services.items():
            found[name] = {section.name: section.count(self, "") for section in service.sections}
            found[name]["messages"] = self.outbox.count(service=name)
        return found

    def stamp(self, at: float) -> str:
        """A moment as text: ISO 8601, UTC, to the millisecond."""
        return self.clock.moment(at).isoformat(timespec="milliseconds")


def _without_at(step: StoredRow) -> dict[str, Any]:
    return {"status": step["status"], "note": step["note"]}
