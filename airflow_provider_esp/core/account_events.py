"""What happened at a service: the words of a watch over a whole account, which starts DAGs rather than ends waits."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from airflow_provider_esp.core.calls import Flow

Kind: TypeAlias = Literal["broadcast_finished", "clicks"]


class AccountEvent(msgspec.Struct, frozen=True):
    """Something that happened at a service; it names nobody.

    :ivar kind: what sort of thing.
    :ivar id: of the broadcast (eSputnik also: of a message that was no broadcast's).
    :ivar at: when, in seconds since the epoch.
    :ivar facts: counts and words, JSON-able.
    """

    kind: Kind
    id: str
    at: float
    facts: dict[str, Any] = {}


class AccountWatcher(Protocol):
    """Looks at an account again and again; what it has seen lives in memory."""

    def look(self, now: float) -> Flow[list[AccountEvent]]:
        """Return what has happened since the last look.

        :param now: in seconds since the epoch.
        """


class WatchOptions(msgspec.Struct, frozen=True):
    """What a watch is to look at.

    :ivar since: seconds since the epoch from which on things count.
    :ivar settle_time: seconds without a new result after which a broadcast counts as finished, where the service
        gives no status.
    """

    since: float
    settle_time: float = 900.0
