"""`PollLoop` and `PollTrigger`: the one polling loop of this provider's triggers.

The loop has what they share: an absolute deadline, jitter, and patience with looks that fail for a while. It may be
cancelled anywhere and begun anew at any time, because a trigger only reads.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_esp.exceptions import EspException, headline, is_final
from airflow_provider_esp.stores.run_records import leave_wait
from airflow_provider_esp.triggers._hooks import hook_for
from airflow_provider_esp.utils.frozen_heap import set_aside

if TYPE_CHECKING:
    from airflow_provider_esp.core.waits import WaitEvent
    from airflow_provider_esp.hooks.esp import EspHook

T = TypeVar("T")

TELL_EVERY = 60.0
"""Seconds between two records of a wait."""

JITTER = 0.15
"""Share by which a pause is shorter or longer than the interval: waits that begin together do not stay in step."""


class WaitOver(Exception):
    """The time of a wait was up while its looks failed."""


@dataclass(slots=True)
class PollLoop:
    """Looks at something again and again.

    :param interval: seconds between two looks, give or take 15 %; a function is asked before each pause.
    :param error_budget: seconds for which looks may fail before the failure is passed on; one that works resets it.
    :param end: Unix time at which the wait is over; None for a watch without an end.
    :param log: takes a line for each look that failed.
    """

    interval: float | Callable[[], float]
    error_budget: float
    end: float | None = None
    log: Any = field(default_factory=lambda: logging.getLogger(__name__))

    async def results(self, look: Callable[[], Awaitable[T]]) -> AsyncGenerator[T, None]:
        """Yield what each look gives until the time is up: at least once, and once more at the very end."""
        while True:
            try:
                result = await self.attempt(look)
            except WaitOver:
                return
            yield result
            if self.is_over:
                return
            await self.pause()

    async def attempt(self, look: Callable[[], Awaitable[T]]) -> T:
        """Look, and look again for a while where that fails.

        :raises WaitOver: the time was up meanwhile.
        :raises Exception: what the look raised last; at once where another look would raise the same.
        """
        failing_since: float | None = None
        while True:
            try:
                return await look()
            except Exception as error:
                failing_since = failing_since or time.monotonic()
                if ends_the_wait(error) or time.monotonic() - failing_since >= self.error_budget:
                    raise
                self.log.warning("Polling failed, retrying: %s", headline(error))
            if self.is_over:
                raise WaitOver
            await self.pause()

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.end is not None and self.end <= time.time()

    async def pause(self) -> None:
        """Sleep until the next look, or the end."""
        interval = self.interval() if callable(self.interval) else self.interval
        seconds = interval * random.uniform(1 - JITTER, 1 + JITTER)
        if self.end is not None:
            seconds = max(0.0, min(seconds, self.end - time.time()))
        await asyncio.sleep(seconds)


class PollTrigger(BaseTrigger):
    """Looks at something again and again until it has ended, or the time is up.

    Its arguments are stored in the metadata database in the clear: ids and times only.

    :param esp_conn_id: the Airflow connection.
    :param end_time: seconds since the epoch at which the wait is over; absolute, so that a wait which begins anew in
        another triggerer ends when it should (Airflow 3 enforces no ``execution_timeout`` while a task is deferred).
    :param poll_interval: seconds between two looks, give or take 15 %.
    :param error_budget: seconds for which polls may fail before the wait is given up; a poll that works resets it.
    :param state: what the task leaves behind for the time after the wait, encoded; the event hands it back unchanged.
        It does not travel as the deferral's own ``kwargs``, because ``dag.test()`` forgets those.
    :ivar how_far: how far the wait is, without an address; a subclass says it with each look.
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
        self.how_far = ""
        self._told: tuple[str, float] | None = None

    @abstractmethod
    async def look(self, hook: EspHook) -> WaitEvent | None:
        """Look once.

        :returns: the event once it is over (no address in it), or None to go on waiting.
        """

    @abstractmethod
    def event_type(self) -> type[WaitEvent]:
        """Return the kind of event that this trigger ends with."""

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Return the subclass's own arguments."""

    def seconds_to_next_look(self) -> float:
        """Return how long to pause after a look."""
        return self.poll_interval

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
        from msgspec.structs import replace

        from airflow_provider_esp.core.waits import WaitStatus, encode

        try:
            with set_aside() if _freezes_heap() else nullcontext():
                event = await self._wait()
        except Exception as error:  # a wait that cannot go on ends with an event that says why
            self.log.exception("Trigger failed")
            event = self.event_type()(status=WaitStatus.ERROR, message=str(error) or type(error).__name__)
        yield TriggerEvent(encode(replace(event, state=self.state)))

    async def _wait(self) -> WaitEvent:
        from airflow_provider_esp.core.waits import WaitStatus

        hook = await hook_for(self.esp_conn_id)
        loop = PollLoop(self.seconds_to_next_look, self.error_budget, self.end_time, self.log)
        async with hook.keep_open(), aclosing(loop.results(lambda: self.look(hook))) as results:
            # Not at once: the task has only just looked, and Airflow 3.3 fails a task that is resumed before its
            # scheduler has noted that the worker is free (apache/airflow#72716).
            await loop.pause()
            async for event in results:
                if event is not None:
                    return event
                await self._tell()
        return self.event_type()(status=WaitStatus.TIMEOUT, how_far=self.how_far)

    async def _tell(self) -> None:
        """Leave how far it is for the page in Airflow: where that has changed, and once a minute at most."""
        now, ti = time.monotonic(), getattr(self, "task_instance", None)
        if ti is None or not self.how_far:
            return
        if self._told is not None and (self._told[0] == self.how_far or now - self._told[1] < TELL_EVERY):
            return
        self._told = (self.how_far, now)
        try:
            await asyncio.to_thread(leave_wait, ti, self.how_far)
        except Exception as error:  # noqa: BLE001  # a record is an extra
            self.log.warning("The page in Airflow does not show how far this wait is: %s", headline(error))


def ends_the_wait(error: Exception) -> bool:
    """Check whether an exception ends a wait at once; one that this package does not know does."""
    return is_final(error) or not isinstance(error, EspException)


@cache
def _freezes_heap() -> bool:
    """Check whether this triggerer's owner allows what changes the whole process; asked once."""
    from airflow.providers.common.compat.sdk import conf

    return bool(conf.getboolean("esp", "freeze_triggerer_heap", fallback=False))
