"""What a send outside of its hours waits for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_esp.utils import clock

_LONGEST_SLEEP = 60.0
"""Seconds; the clock is read again after that, since a machine may have slept or its clock may have been set."""

_SHORTEST_SLEEP = 1.0
"""Seconds; Airflow 3.3 fails a task that is resumed before its scheduler has noted that the worker is free
(apache/airflow#72716)."""


class SendWindowTrigger(BaseTrigger):
    """Waits until a moment: no connection, no request.

    :param opens_at: Unix time in seconds.
    """

    def __init__(self, opens_at: float) -> None:
        super().__init__()
        self.opens_at = opens_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, from which a triggerer makes the trigger again."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {"opens_at": self.opens_at}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event, `SendWindowOpened`."""
        from airflow_provider_esp.core.waits import SendWindowOpened, WaitStatus, encode

        await clock.sleep(_SHORTEST_SLEEP)
        while (left := self.opens_at - clock.now()) > 0:
            await clock.sleep(min(left, _LONGEST_SLEEP))
        yield TriggerEvent(encode(SendWindowOpened(status=WaitStatus.DONE)))
