"""`PollTrigger`: the one polling loop behind every deferred wait of this provider.

A subclass says what it looks at; the loop has the rest: an absolute deadline, jitter, patience with polls that
fail for a while, and connections that all waits of one account on one event loop share. It may be begun anew at
any time, because it only reads.
"""

from __future__ import annotations

import asyncio
import random
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_esp.exceptions import EspException, headline, is_final
from airflow_provider_esp.triggers._hooks import hook_for
from airflow_provider_esp.utils.frozen_heap import set_aside

if TYPE_CHECKING:
    from airflow_provider_esp.hooks.esp import EspHook

DONE = "done"
TIMEOUT = "timeout"
ERROR = "error"

_JITTER = 0.15


class PollTrigger(BaseTrigger):
    """Looks at something again and again until it has ended, or the time is up.

    Its arguments are stored in the metadata database in the clear: ids and times only.

    :param esp_conn_id: the Airflow connection.
    :param end_time: seconds since the epoch at which the wait is over; absolute, so that a wait which begins anew in
        another triggerer ends when it should (Airflow 3 enforces no ``execution_timeout`` while a task is deferred).
    :param poll_interval: seconds between two looks, give or take 15 %.
    :param error_budget: seconds for which polls may fail before the wait is given up; a poll that works resets it.
    :param state: what the task leaves behind for the time after the wait; the event hands it back unchanged. It does
        not travel as the deferral's own ``kwargs``, because ``dag.test()`` forgets those.
    """

    def __init__(
        self,
        esp_conn_id: str,
        end_time: float,
        poll_interval: float = 10.0,
        error_budget: float = 600.0,
        state: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.esp_conn_id = esp_conn_id
        self.end_time = end_time
        self.poll_interval = poll_interval
        self.error_budget = error_budget
        self.state = state

    @abstractmethod
    async def look(self, hook: EspHook) -> dict[str, Any] | None:
        """Look once.

        :returns: what the event carries once it is over (JSON-able, no address in it), or None to go on waiting.
        """

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Return the subclass's own arguments."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, from which a triggerer makes the trigger again."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            "esp_conn_id": self.esp_conn_id,
            "end_time": self.end_time,
            "poll_interval": self.poll_interval,
            "error_budget": self.error_budget,
            "state": self.state,
            **self.arguments(),
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the end, and yield one event: ``status`` is done, timeout or error."""
        try:
            with set_aside() if _freezes_heap() else nullcontext():
                found = await self._wait()
        except Exception as error:  # a wait that cannot go on ends with an event that says why
            self.log.exception("Trigger failed")
            found = {"status": ERROR, "message": str(error) or type(error).__name__}
        yield TriggerEvent({**found, "state": self.state})

    async def _wait(self) -> dict[str, Any]:
        hook = await hook_for(self.esp_conn_id)
        async with hook.keep_open():
            failing_since: float | None = None
            # Not at once: the task has only just looked, and Airflow 3.3 fails a task that is resumed before its
            # scheduler has noted that the worker is free (apache/airflow#72716).
            await self._pause()
            while True:
                try:
                    found = await self.look(hook)
                except Exception as error:
                    failing_since = failing_since or time.monotonic()
                    if ends_the_wait(error) or time.monotonic() - failing_since >= self.error_budget:
                        raise
                    self.log.warning("Polling failed, retrying: %s", headline(error))
                else:
                    failing_since = None
                    if found is not None:
                        return {"status": DONE, **found}
                if self.end_time <= time.time():
                    return {"status": TIMEOUT}
                await self._pause()

    async def _pause(self) -> None:
        """Sleep until the next look, or the end; not in step with other waits that began together."""
        pause = self.poll_interval * random.uniform(1 - _JITTER, 1 + _JITTER)
        await asyncio.sleep(max(0.0, min(pause, self.end_time - time.time())))


def ends_the_wait(error: Exception) -> bool:
    """Check whether an exception ends a wait at once; one that this package does not know does."""
    return is_final(error) or not isinstance(error, EspException)


@cache
def _freezes_heap() -> bool:
    """Check whether this triggerer's owner allows what changes the whole process; asked once."""
    from airflow.providers.common.compat.sdk import conf

    return bool(conf.getboolean("esp", "freeze_triggerer_heap", fallback=False))
