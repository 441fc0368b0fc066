"""The messages of one request to eSputnik: each recipient's own result, and what goes to the sandbox's outbox."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from ..outbox import Message
from ..routing import Incoming
from . import contacts_store, delivery, legacy_format
from .contacts_store import Person
from .schemas import address_problem


class Refusal(Exception):
    """One recipient cannot be written to; the text says why."""


def address_kind(channel: str) -> str:
    """Return the type of address a channel uses."""
    return channel if channel in ("email", "mobilepush", "appinbox") else "sms"


class Post:
    """The messages of one request, and their results by position."""

    def __init__(self, incoming: Incoming, channel: str) -> None:
        self.channel = channel
        self._incoming = incoming
        self._directory = contacts_store.Directory(incoming.store, incoming.now)
        self._messages: list[Message] = []
        self._results: list[dict[str, Any]] = []

    def add_all(
        self,
        chosen: Iterable[tuple[str, Person | None]],
        *,
        content: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
        label: str | None = None,
    ) -> None:
        """Accept the same message for many, or add a result that says why not for each of them."""
        for address, person in chosen:
            try:
                self.add(address, content=content, data=data or {}, person=person, label=label)
            except Refusal as refusal:
                self.refuse(address, str(refusal))

    def add(
        self,
        address: str,
        *,
        content: Mapping[str, Any],
        data: Mapping[str, Any],
        person: Person | None,
        label: str | None = None,
        language: str | None = None,
    ) -> None:
        """Accept a message to one recipient.

        :raises Refusal: the address is none.
        """
        wrong = address_problem(address_kind(self.channel), address.strip())
        if wrong:
            raise Refusal(wrong)
        person = person or self._owner(address.strip())
        request_id = str(uuid.uuid4())
        self._messages.append(
            Message(
                service="esputnik",
                channel=self.channel,
                recipient=address.strip(),
                steps=delivery.way(self._incoming.state, self.channel, address.strip(), self._incoming.now),
                sender=content.get("from", ""),
                subject=content.get("subject") or content.get("title") or "",
                html=content.get("htmlText") or "",
                text=content.get("text") or "",
                data=data,
                name=content.get("name", ""),
                request_id=request_id,
                label=label,
                contact_id=person.id,
                template_id=content.get("id"),
                tags=content.get("tags") or (),
                language=language or content.get("languageCode"),
            )
        )
        self._results.append({"id": person.id, "locator": address, "status": "OK", "requestId": request_id})

    def refuse(self, address: str, reason: str) -> None:
        """Add an error as the result of one recipient."""
        self._results.append({"locator": address, "status": "ERROR", "message": reason})

    def _owner(self, address: str) -> Person:
        """Return the contact with an address; a new, confirmed one where there is none."""
        kind = address_kind(self.channel)
        self._directory.look_up(kind, [address])
        found = [person for person in self._directory.having(kind, address) if not person.deleted]
        if found:
            return found[0]
        person = self._directory.add()
        person.channels.append({"type": kind, "value": address})
        contacts_store.save(self._incoming.store, [person])
        return person

    def answer(self) -> Response:
        """Save the messages and return the results, in the order of the request."""
        self._incoming.state.outbox.add(self._messages)
        return legacy_format.answer(self._incoming, {"id": 0, "results": self._results}, quoted=False)
