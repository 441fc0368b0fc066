"""A request that the service refuses as a whole is halved until the bad rows stand alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from airflow_provider_esp.exceptions import EspError, InvalidRequest, Unsupported
from airflow_provider_esp.utils.redaction import redact


class Divisible(Protocol):
    """Several items that can be cut in two, as a list can."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, part: slice, /) -> Self:
        """Return some of them."""


Items = TypeVar("Items", bound=Divisible)
Answer = TypeVar("Answer")

SAME_REFUSALS = 20
"""So many rows in a row refused alone for one reason, and none taken: it is the request, not the rows."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[Items, Answer]):
    """These were sent in one request, and the service answered."""

    items: Items
    answer: Answer


@dataclass(frozen=True, slots=True)
class RefusedAlone(Generic[Items]):
    """This one is refused although it was to be sent by itself: by the service, or by us before it left."""

    items: Items
    reason: str
    by_us: bool


@dataclass(frozen=True, slots=True)
class Failed(Generic[Items]):
    """The request failed for a reason that is not in the rows."""

    items: Items
    error: EspError


@dataclass(frozen=True, slots=True)
class NotTried(Generic[Items]):
    """Not sent, because of this earlier failure."""

    items: Items
    error: EspError


Piece = Answered[Items, Answer] | RefusedAlone[Items] | Failed[Items] | NotTried[Items]


def send_in_halves(items: Items, send: Callable[[Items], Answer]) -> list[Piece[Items, Answer]]:
    """Send items in one request, or in as few as it takes to find those that the service refuses.

    :param send: sends them and gives the answer, or raises an `EspError`; a `ValueError` or `Unsupported` means
        that they cannot be sent as they are, and that nothing has left.
    :returns: pieces that together hold every item once.
    """
    pieces: list[Piece[Items, Answer]] = []
    alone: Counter[str] = Counter()
    waiting = [items]
    while waiting:
        some = waiting.pop()
        try:
            pieces.append(Answered(some, send(some)))
        except (ValueError, Unsupported, InvalidRequest) as refusal:
            if len(some) > 1:
                waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
                continue
            by_us = not isinstance(refusal, InvalidRequest)
            reason = refusal.message if isinstance(refusal, InvalidRequest) else redact(str(refusal))
            pieces.append(RefusedAlone(some, reason, by_us))
            alone[reason] += 1
            if isinstance(refusal, InvalidRequest) and waiting and alone[reason] == len(pieces) == SAME_REFUSALS:
                pieces += [Failed(waiting.pop(), refusal), *(NotTried(rest, refusal) for rest in waiting)]
                break
        except EspError as error:
            pieces += [Failed(some, error), *(NotTried(rest, error) for rest in waiting)]
            break
    return pieces
