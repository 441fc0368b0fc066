"""What Python's garbage collector does while rows go through."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heap_set_aside() -> Iterator[None]:
    """Keep the collector away from what exists already, so that it looks at what comes into being only.

    Airflow fills a process with hundreds of thousands of objects that stay. Batches of rows make the collector walk
    them again and again, which took as long as checking the rows. It goes on collecting what comes and goes.
    """
    others = gc.get_freeze_count()  # somebody who has set objects aside himself wants them to stay there
    gc.freeze()
    try:
        yield
    finally:
        if not others:
            gc.unfreeze()
