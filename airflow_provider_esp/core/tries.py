"""What two tries of one send that run at once tell each other; see `stores.tries` for why that is enough."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

PATIENCE = 30.0
"""Seconds for which the answers of an earlier try are waited for before they are called unknown."""
_PAUSE = 1.0
_STAMP = "stamp"

log = logging.getLogger(__name__)


@runtime_checkable
class Tries(Protocol):
    """A store in which each try of a send has a record of its own, and one of them is the owner."""

    def claim(self) -> list[dict[str, Any]]:
        """Make this try the owner, and return the records of all tries.

        :raises SendTakenOver: a later try is the owner.
        """

    def save(self, record: dict[str, Any]) -> None:
        """Keep this try's record; it is there for the next process once this returns."""

    def is_owner(self) -> bool:
        """Check whether no later try has taken over."""

    def others(self) -> list[dict[str, Any]]:
        """Return the records that `claim` found, as they are now."""


class Stamp(msgspec.Struct):
    """Which of several records is the latest, and whether its writer may still be at work.

    :ivar turn: one more than that of the try that was taken over from.
    :ivar step: counts what a try has written.
    :ivar checked: whether its writer has found itself to be the owner since it took its turn.
    :ivar leaving: whether a block is about to leave whose answers will be written down.
    :ivar process: who writes: host, process id and when the process was started.
    """

    turn: int = 0
    step: int = 0
    checked: bool = False
    leaving: bool = False
    process: str = ""

    def next(self, *, leaving: bool) -> Stamp:
        """Return the stamp of what is written next."""
        return Stamp(self.turn, self.step + 1, self.checked, leaving, this_process())

    @property
    def rank(self) -> tuple[int, bool, bool, int]:
        """What orders records: the one of the highest rank tells what was sent.

        Two tries that did not see each other's records took the same turn, and only one of them can have found itself
        to be the owner. What the other one wrote is what both began with, or an intent that never left.
        """
        return self.turn, self.checked, self.leaving, self.step


def stamped(record: dict[str, Any], stamp: Stamp) -> dict[str, Any]:
    """Return a record with its stamp."""
    return {**record, _STAMP: msgspec.to_builtins(stamp)}


def stamp_of(record: dict[str, Any] | None) -> Stamp:
    """Return the stamp of a record."""
    return msgspec.convert((record or {}).get(_STAMP, {}), Stamp)


def take_over(
    tries: Tries, patience: float, pause: Callable[[float], None] = time.sleep
) -> tuple[dict[str, Any] | None, Stamp]:
    """Make this try the owner, and find what earlier ones have done.

    Where the last of them was about to send a block and may still be at work, its answers are waited for.

    :param patience: seconds to wait at the most.
    :param pause: sleeps for so many seconds.
    :returns: the latest record, if there is one, and the stamp to go on from.
    :raises SendTakenOver: a later try is the owner.
    """
    latest = _latest(tries.claim())
    stamp = stamp_of(latest)
    if stamp.leaving and not has_ended(stamp.process):
        log.info("An earlier try of this task may still be sending: waiting up to %g s for its answers.", patience)
        end = time.monotonic() + patience
        while stamp.leaving and (left := end - time.monotonic()) > 0:
            pause(min(_PAUSE, left))
            latest = _latest(tries.others()) or latest
            stamp = stamp_of(latest)
    return latest, Stamp(stamp.turn + 1)


def this_process() -> str:
    """Name this process so that another one on the same machine can tell whether it has ended."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started_at(os.getpid())}"


def _latest(records: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    return max(records, key=lambda record: stamp_of(record).rank, default=None)


def has_ended(process: str) -> bool:
    """Check whether a process has certainly ended: it ran on this machine, and is not there any more.

    :param process: as `this_process` names it.
    """
    host, _, rest = process.partition(":")
    number, _, started = rest.partition(":")
    if host != socket.gethostname() or not number.isdigit() or not started:
        return False
    return _started_at(int(number)) != started


def _started_at(number: int) -> str:
    """Return when a process was started, in the kernel's own count; nothing where it is not there or not Linux."""
    try:
        return Path(f"/proc/{number}/stat").read_text("utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
