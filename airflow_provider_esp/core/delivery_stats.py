"""Counting how far messages are, and judging when that is far enough.

A `DeliveryStats` is told what the service says, poll by poll; a `DeliveryCondition` is what the author waits for. Both
are used wherever deliveries are awaited: on a worker, in a sensor, in a trigger.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from airflow_provider_esp.core.models import DELIVERY_WORDS, Delivery, DeliveryState
from airflow_provider_esp.utils.redaction import shown_counts

_ROUNDING = 1e-6  # 0.07 * 100 is a little more than 7


class DeliveryStats:
    """How far messages are. One that is delivered or has failed is counted for good and not asked about again.

    :param ids: by which the service knows them. An id may stand for several messages (a campaign); it is asked about
        until all of them have ended.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.open = list(dict.fromkeys(ids))
        self._ended: Counter[_Seen] = Counter()
        self._waiting: Counter[_Seen] = Counter()

    def take(self, told: Iterable[Delivery]) -> None:
        """Count what a look at the open ids has found; one that the service is silent about is on its way."""
        found: dict[str, list[_Seen]] = defaultdict(list)
        for one in told:
            found[one.request_id].append(_Seen(one.state.value, one.word, one.status))
        still_open: list[str] = []
        self._waiting.clear()
        for request_id in self.open:
            seen = found.get(request_id) or [_UNSEEN]
            if any(one.state == _PENDING for one in seen):
                still_open.append(request_id)
                self._waiting.update(seen)
            else:
                self._ended.update(seen)
        self.open = still_open

    @property
    def total(self) -> int:
        """How many messages there are, as far as the last look knows."""
        return self._ended.total() + self._waiting.total()

    def count(self, name: str) -> int:
        """Count the messages that a name fits: a state, a shared word, or the service's own, or that one's beginning.

        :param name: e.g. ``failed``, ``bounced``, ``UNDELIVERED``, ``550``.
        """
        name = name.lower()
        return sum(number for seen, number in self._all() if name in seen.names())

    def states(self) -> dict[str, int]:
        """Count the messages that have ended, by state."""
        return self._by(0, self._ended.items())

    def statuses(self) -> dict[str, int]:
        """Count the messages that have ended, by the service's own word."""
        return self._by(2, self._ended.items())

    def how_far(self) -> str:
        """Say how many messages have ended, and how."""
        ended = self._ended.total()
        share = 100 * ended // self.total if self.total else 0
        states = ", ".join(f"{number:,} {state}" for state, number in self.states().items())
        return f"{ended:,} of {self.total:,} ({share} %)" + (f": {states}" if states else "")

    def summary(self) -> dict[str, Any]:
        """Return counts of all messages: ``total``, by state, by shared word and by the service's own."""
        states = self._by(0, self._all())
        return {
            "total": self.total,
            **{state.value: states.get(state.value, 0) for state in DeliveryState},
            "words": self._by(1, self._all()),
            "statuses": self._by(2, self._all()),
        }

    def _all(self) -> list[tuple[_Seen, int]]:
        return [*self._ended.items(), *self._waiting.items()]

    @staticmethod
    def _by(place: int, counts: Iterable[tuple[_Seen, int]]) -> dict[str, int]:
        found: Counter[str] = Counter()
        for seen, number in counts:
            if seen[place]:
                found[seen[place]] += number
        return shown_counts(found)


class Verdict(NamedTuple):
    """That a wait is over, and how.

    :ivar success: whether it ended as the author wished.
    :ivar reason: in a sentence, without an address.
    """

    success: bool
    reason: str


class DeliveryCondition(msgspec.Struct, frozen=True):
    """What the author waits for.

    :ivar until: share of the messages that must be delivered, above 0 up to 1; None until all have ended, well or not.
    :ivar fail_when: the most that is allowed, as a share of all messages, by state, shared word or the service's own.
    """

    until: float | None = None
    fail_when: Mapping[str, float] = {}

    def check(self) -> None:
        """Find out that it makes no sense.

        :raises ValueError: a share is none, or a name that is no word.
        """
        for name, share in {"until": self.until, **self.fail_when}.items():
            if share is not None and (isinstance(share, bool) or not isinstance(share, int | float)):
                raise ValueError(f"{name} is a share from 0 to 1, such as 0.95, not {share!r}.")
            if share is not None and not (0 < share <= 1 if name == "until" else 0 <= share < 1):
                raise ValueError(f"{name} is a share from 0 to 1, such as 0.95, not {share:g}.")
        for name in self.fail_when:
            # The services' own words are in capitals or digits: what is not must be one of ours, or is misspelt.
            if name not in DELIVERY_WORDS and (name != name.upper() or not name.strip()):
                raise ValueError(
                    f"fail_when knows no {name!r}: it takes {', '.join(DELIVERY_WORDS)}, or the service's own words as "
                    "it writes them (UNDELIVERED, 550)."
                )

    def verdict(self, tally: DeliveryStats) -> Verdict | None:
        """Judge what is known by now; None means to go on waiting."""
        total = tally.total
        for name, most in self.fail_when.items():
            number = tally.count(name)
            if number > most * total + _ROUNDING:
                return Verdict(False, f"{_share(number, total)} are {name}, and fail_when allows {most:.1%}")
        delivered, failed = tally.count("delivered"), tally.count("failed")
        if self.until is None:
            return None if tally.open else Verdict(True, f"{_share(delivered, total)} are delivered, and none is open")
        if delivered >= self.until * total - _ROUNDING:
            return Verdict(True, f"{_share(delivered, total)} are delivered")
        if total - failed < self.until * total - _ROUNDING:
            return Verdict(
                False, f"{_share(failed, total)} have failed, so {self.until:.1%} cannot be delivered any more"
            )
        return None


class _Seen(NamedTuple):
    """What is known of a message: state, shared word, the service's own."""

    state: str
    word: str
    status: str

    def names(self) -> Sequence[str]:
        """Everything that it may be called."""
        own = self.status.lower()
        return self.state, self.word, own, own.partition(" ")[0]


_PENDING = DeliveryState.PENDING.value
_UNSEEN = _Seen(_PENDING, "", "")


def _share(number: int, total: int) -> str:
    return f"{number:,} of {total:,} messages ({number / total:.1%})" if total else "0 of 0 messages"
