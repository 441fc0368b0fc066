"""Which application may call what: the method groups and application rights of eSputnik's OAuth 2.0 page.

The page lists its methods in six groups and offers four rights to an application; it does not say which right
opens which group. `COVERS` is our reading of the names, on the careful side: what it names is surely meant.
"""

from __future__ import annotations

import enum


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
    """The rights that open a group of methods, the widest first (our reading, see `COVERS`)."""
    return tuple(right for right in Right if group in COVERS[right])
