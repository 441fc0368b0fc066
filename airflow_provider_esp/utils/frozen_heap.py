"""Keeping the garbage collector from holding a triggerer's event loop.

Python's collector walks through every object that has lived for a while, again and again, and the loop stands still
meanwhile: with 5,000 waits for a third of a second, and for a quarter over Airflow's own objects alone. Of what lives
as long as a wait does nothing can be collected. So where waits are many, all that is there is set aside
(``gc.freeze``) from time to time, which takes no time. What ends is freed all the same, unless it holds itself; for
the sake of that little, the collector sees everything again after some thousands of waits have ended.

A triggerer with few waits of ours is left as it is, and so is any whose owner has not allowed it: the collector is one
for the whole process (``[esp] freeze_triggerer_heap``).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_MANY = 250
"""So many waits begin or end between two times that what is there is set aside."""

_FORGOTTEN = 10_000
"""So many waits end before the collector looks for what they left behind: some kilobytes each."""


@dataclass(slots=True)
class _Waits:
    changed: int = 0
    ended: int = 0

    def change(self) -> None:
        self.changed += 1
        if self.changed >= _MANY:
            self.changed = 0
            gc.freeze()

    def end(self) -> None:
        self.change()
        self.ended += 1
        if self.ended >= _FORGOTTEN:
            self.ended = 0
            gc.unfreeze()


_waits = _Waits()


@contextmanager
def set_aside() -> Iterator[None]:
    """Count a wait, from its beginning to its end."""
    _waits.change()
    try:
        yield
    finally:
        _waits.end()
