"""Actions of tests on the SendPulse side that the vendor's API does not have."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from ..state import SandboxState
from . import contact_store
from .arguments import whole
from .contact_store import New

MOST = 1_000_000
_AT_ONCE = 10_000


def revoke_tokens(state: SandboxState, values: Mapping[str, Any]) -> dict[str, int]:
    """Revoke tokens before their time: the one given as ``token``, or all."""
    if "token" in values:
        return {"revoked": state.store.change("DELETE FROM sendpulse_tokens WHERE token = ?", str(values["token"]))}
    return {"revoked": state.store.change("DELETE FROM sendpulse_tokens")}


def make_contacts(state: SandboxState, values: Mapping[str, Any]) -> dict[str, int]:
    """Add many active contacts to a book.

    :param values: ``book`` (its id; a new one is made where there is none), ``count`` (default 1000), ``domain`` of
        their addresses.
    :raises ValueError: there is no such book, or the count is out of range.
    """
    count, domain = int(values.get("count", 1000)), str(values.get("domain", "example.com"))
    if not 0 < count <= MOST:
        raise ValueError(f"count should be 1 to {MOST:,}")
    book = whole(values.get("book"))
    if book is None:
        book = state.store.run(
            "INSERT INTO sendpulse_books (name, status, created) VALUES (?, 0, ?)",
            f"Readers {secrets.token_hex(4)}",
            state.clock.now(),
        )
    elif not state.store.value("SELECT 1 FROM sendpulse_books WHERE id = ?", book):
        raise ValueError(f"there is no book {book}")
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, count))
        people = [
            New(f"reader{number}@{domain}", {"first_name": f"Reader {number}"}, contact_store.ACTIVE)
            for number in numbers
        ]
        contact_store.put(state, book, people)
    return {"book": book, "contacts": count}


ACTIONS = {"make_contacts": make_contacts, "revoke_tokens": revoke_tokens}
