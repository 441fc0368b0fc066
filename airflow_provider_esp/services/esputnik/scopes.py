"""Which application may call what: the method groups and application rights of eSputnik's OAuth 2.0 page.

The page lists its methods in six groups and offers four rights to an application; it does not say which right
opens which group. `COVERS` is our reading of the names, on the careful side: what it names is surely meant.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

from airflow_provider_esp.exceptions import ScopeMissing
from airflow_provider_esp.services.esputnik.service import ESPUTNIK


class MethodGroup(enum.StrEnum):
    """A group of methods, as the vendor's OAuth 2.0 page lists them; `Call.right` holds one.

    Methods of the first group need an authorised account and no right: their calls carry None.
    """

    GENERAL = "general methods"
    UPDATING = "updating contacts and segments"
    READING = "reading contacts and segments"
    ACTIVITY = "contact activity"
    EVENTS = "events"
    MESSAGES = "messages and broadcasts"


class Right(enum.StrEnum):
    """What an application may be given when it is registered in the account, "For partners"."""

    FULL = "full API access"
    EVENTS = "access to events"
    EVENTS_AND_CONTACTS = "access to events and contacts"
    MESSAGES = "access to messages"


COVERS: dict[Right, frozenset[MethodGroup]] = {
    Right.FULL: frozenset(MethodGroup),
    Right.EVENTS: frozenset({MethodGroup.GENERAL, MethodGroup.EVENTS}),
    Right.EVENTS_AND_CONTACTS: frozenset(
        {MethodGroup.GENERAL, MethodGroup.EVENTS, MethodGroup.UPDATING, MethodGroup.READING}
    ),
    Right.MESSAGES: frozenset({MethodGroup.GENERAL, MethodGroup.MESSAGES}),
}
"""Which groups a right opens: **our reading**, the vendor does not say.

That the general group is open to all is the vendor's word. Contact activity is counted to full access alone,
since no other right names it.
"""


def rights_for(group: MethodGroup) -> tuple[Right, ...]:
    """Return the rights that open a group of methods, the widest first (our reading, see `COVERS`)."""
    return tuple(right for right in Right if group in COVERS[right])


RIGHTS: Mapping[str, Right] = {
    "full": Right.FULL,
    "events": Right.EVENTS,
    "events and contacts": Right.EVENTS_AND_CONTACTS,
    "messages": Right.MESSAGES,
}
"""Rights by the words that a connection has for them."""

GROUPS: Mapping[str, MethodGroup] = {
    "upload": MethodGroup.UPDATING,
    "imports": MethodGroup.UPDATING,
    "events": MethodGroup.EVENTS,
    "messages": MethodGroup.MESSAGES,
    "deliveries": MethodGroup.MESSAGES,
    "contacts": MethodGroup.READING,
    "activity": MethodGroup.ACTIVITY,
    "broadcasts": MethodGroup.MESSAGES,
}
"""The methods that a task's work needs, by `core.adapter.Work`."""


def check(groups: Iterable[MethodGroup], right: str, conn_id: str) -> None:
    """Refuse groups of methods that an application's right does not open.

    :param right: one of `RIGHTS`.
    :raises ScopeMissing: naming the right that is missing.
    """
    for group in groups:
        if group not in COVERS[RIGHTS[right]]:
            raise ScopeMissing(
                f"connection {conn_id!r} has an application with {RIGHTS[right]}, and this needs {group}",
                service=ESPUTNIK.title,
                advice=f"{advice(group)} Then set application_scope in the connection.",
            )


def advice(group: MethodGroup) -> str:
    """Return what to do so that an application may call a group of methods."""
    return (
        f"Give the application {' or '.join(rights_for(group))} in the account, at its registration, and consent again."
    )
