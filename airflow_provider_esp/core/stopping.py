"""That Airflow ends a task: said by `on_kill`, looked at by whatever sends or waits."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

LOOK = 0.1
"""Seconds after which a wait looks whether the task is being ended."""
ANSWERS_WITHIN = 2.0
"""Seconds for which answers to requests that have left are waited for once the task is being ended."""


class Stop:
    """A flag that a task is being ended.

    It has no lock, as a `threading.Event` has: `on_kill` runs in a signal handler on the main thread, which may be
    inside of that very lock, and would then wait for itself.
    """

    def __init__(self) -> None:
        self._requested = False

    @property
    def requested(self) -> bool:
        """Whether the task is being ended."""
        return self._requested

    def request(self) -> None:
        """End the task; may be called from any thread and from a signal handler."""
        self._requested = True

    def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until the task is being ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.requested:
            time.sleep(min(left, LOOK))

    def wait_for(self, futures: Collection[Future[Any]], return_when: str) -> None:
        """Wait for futures as `concurrent.futures.wait` does; once the task is being ended, for two seconds more."""
        end: float | None = None
        while futures:
            done = wait(futures, timeout=LOOK, return_when=return_when).done
            if len(done) == len(futures) or (done and return_when == "FIRST_COMPLETED"):
                return
            if self.requested:
                end = end or time.monotonic() + ANSWERS_WITHIN
                if time.monotonic() >= end:
                    return


@contextmanager
def threads(number: int, prefix: str, stop: Stop) -> Iterator[ThreadPoolExecutor]:
    """Lend threads, and wait for them at the end unless the task is being ended."""
    pool = ThreadPoolExecutor(number, thread_name_prefix=prefix)
    try:
        yield pool
    finally:
        pool.shutdown(wait=not stop.requested, cancel_futures=stop.requested)
