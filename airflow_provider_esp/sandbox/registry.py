"""The services that the sandbox plays, and what concerns all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from . import outbox
from .esputnik import ESPUTNIK
from .limits import Limit
from .oauth import UAA
from .sendpulse import SENDPULSE
from .service import Row, Section, Service
from .settings import Setting
from .state import SandboxState
from .store import Row as StoredRow

SERVICES: tuple[Service, ...] = (ESPUTNIK, UAA, SENDPULSE)
"""In the order in which people see them."""


class Registry:
    """The services of one sandbox, and the state that they share.

    :param services: the services to play.
    :param file: a database file that outlives the process; None keeps everything in memory.
    """

    def __init__(self, services: Sequence[Service] = SERVICES, file: str | None = None) -> None:
        self.services = {service.name: service for service in services}
        settings: dict[str, Setting] = {}
        limits: dict[str, Limit] = {}
        for service in services:
            settings.update(service.settings)
            limits.update(service.limits)
        self.state = SandboxState(settings, limits, file)
        if not self.state.store.has_tables():
            self._create_tables()

    def reset(self) -> None:
        """Reset the sandbox to its first state: data, clock, settings, limits, faults and the request log."""
        self.state.reset()
        with self.state.store.exclusive():
            self.state.store.clear()
            self._create_tables()

    def _create_tables(self) -> None:
        store = self.state.store
        store.script(outbox.SCHEMA)
        for service in self.services.values():
            store.script(service.schema)
        with store.transaction():
            for service in self.services.values():
                service.seed(self.state)

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        for service in self.services.values():
            with self.state.store.transaction():
                service.settle(self.state)

    def section(self, service: str, name: str) -> Section | None:
        """Return a service's section by name; None where there is no such service or section."""
        if service not in self.services:
            return None
        return next((section for section in self.services[service].sections if section.name == name), None)

    def message(self, row: StoredRow) -> Row:
        """Return one message of the outbox as people and tests see it: rendered, with its history so far."""
        data = msgspec.json.decode(row["data"])
        render = self.services[row["service"]].render
        history = [
            {"at": self.state.stamp(step["at"]), **_without_at(step)} for step in self.state.outbox.way(row["id"])
        ]
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
            "status": history[-1]["status"] if history else "",
            "history": history,
            "request_id": row["request_id"],
            "label": row["label"],
            "contact_id": row["contact_id"],
            "template_id": row["template_id"],
            "broadcast_id": row["broadcast_id"],
            "tags": msgspec.json.decode(row["tags"]),
            "language": row["language"],
            "created": self.state.stamp(row["created"]),
        }

    def messages(self, q: str = "", limit: int = 100, offset: int = 0, service: str = "") -> list[Row]:
        """Return messages that would have gone out, newest first.

        :param q: only those whose recipient, name, request id, data or subject contains it.
        :param service: only this service's; empty: all.
        """
        return [self.message(row) for row in self.state.outbox.page(q, limit, offset, service)]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many of everything there are, by service and section."""
        self.settle()
        counts: dict[str, dict[str, int]] = {}
        for name, service in self.services.items():
            counts[name] = {section.name: section.count(self.state, "") for section in service.sections}
            counts[name]["messages"] = self.state.outbox.count(service=name)
        return counts


def _without_at(step: StoredRow) -> dict[str, Any]:
    return {"status": step["status"], "note": step["note"]}
