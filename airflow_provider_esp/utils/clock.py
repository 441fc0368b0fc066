"""The time by which the package decides whether something may be sent now; tests replace both functions."""

from __future__ import annotations

import asyncio
import time


def now() -> float:
    """Return the current Unix time, in seconds."""
    return time.time()


async def sleep(seconds: float) -> None:
    """Wait on an event loop.

    :param seconds: how long; 0 or less only lets others run.
    """
    await asyncio.sleep(max(0.0, seconds))
