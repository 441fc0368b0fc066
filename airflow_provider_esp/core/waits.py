"""Waits in a triggerer: what a trigger tells the task at the end, and what the task left behind for itself.

Both travel through Airflow as JSON. They are written by `encode` and read by `read_event` and `WaitEvent.left`, and
nowhere else are their keys spelled. None of them holds an address: Airflow keeps them in the clear.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from airflow_provider_esp.core.ledger import OpenImportRecord
from airflow_provider_esp.core.models import BroadcastLook, BroadcastState, ImportState

S = TypeVar("S", bound=msgspec.Struct)
E = TypeVar("E", bound="WaitEvent")


class WaitStatus(enum.Enum):
    """How a wait has ended."""

    DONE = "done"
    TIMEOUT = "timeout"
    ERROR = "error"


class WaitEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="wait", tag="none"):
    """What a trigger tells the task that has waited.

    :ivar status: how the wait has ended; results are there where it is DONE.
    :ivar message: what went wrong, where it is ERROR.
    :ivar how_far: how far the wait had come, where it is TIMEOUT; without an address.
    :ivar state: what the task left behind, encoded; see `left`.
    """

    status: WaitStatus
    message: str = ""
    how_far: str = ""
    state: dict[str, Any] | None = None

    def left(self, kind: type[S]) -> S:
        """Read what the task left behind when it deferred.

        :param kind: as what it was encoded.
        """
        return msgspec.convert(self.state, kind)

    def expect(self, kind: type[E]) -> E:
        """Return this event as one of a kind.

        :raises TypeError: it is of another kind: the task was resumed by a trigger that is not its own.
        """
        if not isinstance(self, kind):
            raise TypeError(f"The task waits for {kind.__name__} and was resumed by {type(self).__name__}.")
        return self


class ImportsEnded(WaitEvent, frozen=True, kw_only=True, omit_defaults=True, tag_field="wait", tag="imports"):
    """Imports have ended.

    :ivar imports: how, by id.
    """

    imports: dict[str, ImportState] = {}


class VerificationEnded(WaitEvent, frozen=True, kw_only=True, omit_defaults=True, tag_field="wait", tag="verification"):
    """A mailing list is verified.

    :ivar processed: addresses that were looked at.
    """

    processed: int = 0


class DeliveriesEnded(WaitEvent, frozen=True, kw_only=True, omit_defaults=True, tag_field="wait", tag="deliveries"):
    """Messages are delivered, as far as was waited for.

    :ivar states: those that have ended, by state.
    :ivar statuses: the same, by the service's own words.
    :ivar summary: counts of all, as `DeliveryStats.summary` has them.
    :ivar success: whether they ended as the author wants it.
    :ivar reason: what decided that, for a person.
    """

    states: dict[str, int] = {}
    statuses: dict[str, int] = {}
    summary: dict[str, Any] = {}
    success: bool = True
    reason: str = ""


class BroadcastResult(msgspec.Struct, frozen=True):
    """How a broadcast has ended; the fields of `BroadcastLook` that a task returns."""

    state: BroadcastState
    status: str
    reason: str
    delivered: int
    undelivered: int

    @classmethod
    def of(cls, look: BroadcastLook) -> BroadcastResult:
        """Take the result out of the last look."""
        return cls(look.state, look.status, look.reason, look.delivered, look.undelivered)


class BroadcastEnded(WaitEvent, frozen=True, kw_only=True, omit_defaults=True, tag_field="wait", tag="broadcast"):
    """A broadcast has come to its end, or requires manual action.

    :ivar broadcast: how; None where the wait did not get there.
    """

    broadcast: BroadcastResult | None = None


class SendWindowOpened(WaitEvent, frozen=True, kw_only=True, omit_defaults=True, tag_field="wait", tag="send_window"):
    """The hours have begun in which a task may send: it begins only now."""


AnyWaitEvent: TypeAlias = ImportsEnded | VerificationEnded | DeliveriesEnded | BroadcastEnded | SendWindowOpened


class UploadState(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload leaves behind.

    :ivar open: the imports that it waits for.
    :ivar counts: rows by outcome; those of open imports stand as accepted.
    :ivar reasons: why rows were refused, and how many.
    :ivar suppression: who was left out, as the task returns it.
    :ivar imports: ids of the first imports, for the result.
    :ivar imports_total: how many there were.
    """

    open: list[OpenImportRecord]
    counts: dict[str, int]
    reasons: dict[str, int]
    suppression: dict[str, Any] | None
    imports: list[str]
    imports_total: int


class UrlImportState(msgspec.Struct, frozen=True):
    """What the import of a file leaves behind.

    :ivar import_id: of the one import.
    """

    import_id: str


class SendState(msgspec.Struct, frozen=True, kw_only=True):
    """What a send leaves behind that waits for its delivery.

    :ivar result: what the task returns, without the delivery.
    :ivar reasons: why rows were refused, in words.
    :ivar delivery: how messages of earlier tries ended whose ids are not known any more; empty for none.
    """

    result: dict[str, Any]
    reasons: str
    delivery: dict[str, Any]


class CreatedState(msgspec.Struct, frozen=True):
    """What a broadcast's creation leaves behind; also the result of a task that does not wait."""

    broadcast_id: str
    title: str
    resolution: str


class VerificationState(msgspec.Struct, frozen=True):
    """What a verification leaves behind.

    :ivar list_id: of the mailing list.
    :ivar counts: the source's rows by outcome.
    """

    list_id: str
    counts: dict[str, int]


def encode(value: msgspec.Struct) -> dict[str, Any]:
    """Return an event or a state as Airflow stores it: what JSON can say."""
    encoded: dict[str, Any] = msgspec.to_builtins(value)
    return encoded


def read_event(payload: Mapping[str, Any]) -> AnyWaitEvent:
    """Read what a trigger has told.

    :param payload: of the `TriggerEvent`.
    :raises msgspec.ValidationError: it is none of this provider's triggers'.
    """
    event: AnyWaitEvent = msgspec.convert(dict(payload), AnyWaitEvent)
    return event
