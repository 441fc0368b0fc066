"""What happened at a service: the words of a watch over a whole account, which starts DAGs rather than ends waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from airflow_provider_esp.core.calls import Flow


class BroadcastFinished(msgspec.Struct, frozen=True, kw_only=True):
    """A broadcast has ended; it names nobody.

    :ivar id: the broadcast's.
    :ivar at: when, in seconds since the epoch.
    :ivar state: ``done`` or ``failed``.
    :ivar counts: messages, by what the service counts: ``sent``, ``delivered``, ``undelivered``.
    :ivar status: the service's own status with its meaning; empty where it gives none.
    """

    id: str
    at: float
    state: str
    counts: dict[str, int]
    status: str = ""

    def payload(self) -> dict[str, Any]:
        """Return what the asset's event carries."""
        status = {"status": self.status} if self.status else {}
        return {"broadcast_id": self.id, "state": self.state, **status, **self.counts}


class NewClicks(msgspec.Struct, frozen=True, kw_only=True):
    """Links of a message were followed; it names nobody.

    :ivar id: of the broadcast (eSputnik also: of a message that was no broadcast's).
    :ivar at: when, in seconds since the epoch.
    :ivar clicks: how often, since the last look.
    """

    id: str
    at: float
    clicks: int

    @staticmethod
    def payload(events: Sequence[NewClicks]) -> dict[str, Any]:
        """Return what an asset's event carries of some of these: clicks in all, and by broadcast."""
        counts: dict[str, int] = {}
        for event in events:
            counts[event.id] = counts.get(event.id, 0) + event.clicks
        return {"clicks": sum(counts.values()), "broadcasts": counts}


AccountEvent: TypeAlias = BroadcastFinished | NewClicks


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


class AssetMemory(msgspec.Struct):
    """What a trigger that starts DAGs has told, as Airflow keeps it with an asset.

    :ivar since: Unix time from which on it watches.
    :ivar until: Unix time up to which things were told.
    :ivar told: ids of things that were told.
    """

    since: float
    until: float = 0.0
    told: list[str] = []

    @classmethod
    def of(cls, kept: object) -> AssetMemory | None:
        """Read what Airflow has kept; None where there is nothing that could be read."""
        try:
            return msgspec.convert(kept, cls)
        except msgspec.ValidationError:
            return None

    def encoded(self) -> dict[str, Any]:
        """Return it as Airflow keeps it."""
        encoded: dict[str, Any] = msgspec.to_builtins(self)
        return encoded
