"""Taking turns through a place that can only be read and written: Fischer's algorithm.

Airflow has no lock and no compare-and-set that a task could use, only Variables, where the last writer wins. Whoever
wants the turn reads the slot; if it is free, writes its own name, waits, and reads again: the turn is the one's whose
name still stands there. That is safe as long as nobody takes longer from the first read to the end of the write than
everybody waits before the second read; whoever notices that it was slower begins again. A lease ends by itself, so
that a process that dies keeps nobody waiting for ever; clocks of workers may differ by seconds.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Slot(Protocol):
    """A place for one text."""

    def read(self) -> str | None:
        """Return the text, or None; may look more than once before it says None."""

    def glance(self) -> str | None:
        """Return the text, or None, by looking once."""

    def write(self, text: str) -> None:
        """Put a text in the place of what is there."""


class VariableLock:
    """The right to be the only one for a while.

    :param slot: where the holder's name stands.
    :param seconds: after which a lease is over, whatever became of its holder.
    :param settle: seconds between writing one's name and reading it back; the longest that reading and writing may
        take together.
    """

    def __init__(self, slot: Slot, seconds: float = 90.0, settle: float = 2.0) -> None:
        self._slot = slot
        self._seconds = seconds
        self._settle = settle

    @contextmanager
    def turn(self, enough: Callable[[], bool], patience: float) -> Iterator[bool]:
        """Wait for the turn; arguments and result as `TokenStore.turn`."""
        me = secrets.token_hex(8)
        mine = self._wait(me, enough, patience)
        try:
            yield mine
        finally:
            if mine and _holder(self._slot.read()) == me:
                self._slot.write(json.dumps({"holder": "", "until": 0}))

    def _wait(self, me: str, enough: Callable[[], bool], patience: float) -> bool:
        end = time.monotonic() + patience
        while not self._take(me):
            if time.monotonic() >= end or enough():
                return False
            # Seldom enough that those who wait do not slow down the one they wait for.
            time.sleep(self._settle * random.uniform(0.2, 0.8))
        return True

    def _take(self, me: str) -> bool:
        known = self._slot.read()
        if _holder(known) not in (None, me):
            return False
        began = time.monotonic()
        text = self._slot.glance()
        if _holder(text) not in (None, me) or (text is None and known is not None):
            return False
        self._slot.write(json.dumps({"holder": me, "until": time.time() + self._seconds}))
        if time.monotonic() - began > self._settle:
            # Too slow for the rule above. The name may stand there all the same: the next try begins with it.
            return False
        time.sleep(self._settle)
        return _holder(self._slot.read()) == me


def _holder(text: str | None) -> str | None:
    """Return the name of whoever has the lease now, or None."""
    try:
        kept = json.loads(text or "{}")
        holder, until = str(kept.get("holder") or ""), float(kept.get("until") or 0)
    except (ValueError, TypeError, AttributeError):
        return None
    return holder if holder and time.time() < until else None
