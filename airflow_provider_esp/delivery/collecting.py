"""What Python's garbage collector does while rows go through."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

SWEEP_EVERY = 8
"""Batches between two looks of the collector that it would not take by itself."""


@contextmanager
def heap_set_aside() -> Iterator[Callable[[], None]]:
    """Keep the collector away from what exists already, so that it looks at what comes into being only.

    Airflow fills a process with hundreds of thousands of objects that stay. Batches of rows make the collector walk
    them again and again, which took as long as checking the rows. It goes on collecting what comes and goes, and is
    told to now and then: an answer and its request hold each other in httpx, a megabyte of contacts with them, and the
    collector counts objects, not what they weigh.

    :returns: what is to be called once for each batch.
    """
    calls = count(1)

    def sweep() -> None:
        if next(calls) % SWEEP_EVERY == 0:
            gc.collect()

    others = gc.get_freeze_count()  # somebody who has set objects aside himself wants them to stay there
    gc.freeze()
    try:
        yield sweep
    finally:
        if not others:
            gc.unfreeze()
