"""Asking the service whom it has written to, where the answer to a send was lost.

What the service shows was sent; what it does not show stays unknown, however long one waits. So nothing here ever leads
to a message being sent again.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from airflow_provider_esp.core.calls import Flow, Perform
from airflow_provider_esp.core.models import SendResult
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.exceptions import EspError, RateLimited, Refused, ServerFailed, TaskStopped, headline

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)

log = logging.getLogger(__name__)

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 60.0
_AT_ONCE = 25


class AskSent(Protocol[Item_contra]):
    """Makes the question whether some items were sent."""

    def __call__(self, items: Sequence[Item_contra], since: datetime.datetime) -> Flow[list[SendResult | None]]:
        """Return what the service shows of each item since a time (aware); None where it shows nothing yet."""


class Doubtful(Protocol):
    """A row of a send with unknown outcome."""

    item: Any
    outcome: Outcome | None
    reason: str
    request_id: str | None


@dataclass(slots=True)
class LookUp(Generic[Item]):
    """Finds out what it can about rows whose outcome is unknown.

    :param ask: makes the question.
    :param perform: carries out a flow; called from several threads.
    :param wait: seconds to go on asking for: services show a message some time after they take it.
    :param pause: sleeps for so many seconds.
    :param stop: says that the task is being ended.
    """

    ask: AskSent[Item]
    perform: Perform
    wait: float
    pause: Callable[[float], None] = time.sleep
    stop: Stop = field(default_factory=Stop)

    def settle(self, rows: Sequence[Doubtful], since: datetime.datetime, threads: Executor) -> str:
        """Mark the rows that the service shows as accepted; leave the others as they are.

        :param since: when they may have been sent at the earliest.
        :returns: why the others are still unknown; empty where there are none.
        :raises TaskStopped: the task is being ended.
        """
        log.info("Asking the service about %d recipients of whom it is not known whether they were reached.", len(rows))
        end, pause = time.monotonic() + self.wait, FIRST_PAUSE
        while True:
            problem = self._ask_once(rows, since, threads)
            rows = [row for row in rows if row.outcome is Outcome.UNKNOWN]
            left = end - time.monotonic()
            if not rows:
                return ""
            if self.stop.requested:
                raise TaskStopped(
                    f"Airflow ended this task while it looked up {len(rows):,} recipients; they stay unknown. A retry "
                    "looks them up again."
                )
            if problem is not None and _is_final(problem):
                return f"they cannot be looked up: {_said(problem)}"
            if left <= 0:
                asked = f"the service does not show them after {self.wait:g} s"
                return f"{asked}, and when it was last asked: {_said(problem)}" if problem else asked
            self.pause(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _ask_once(self, rows: Sequence[Doubtful], since: datetime.datetime, threads: Executor) -> EspError | None:
        """Ask about all rows, mark those that are found, and give what went wrong."""
        some = [rows[at : at + _AT_ONCE] for at in range(0, len(rows), _AT_ONCE)]
        # The threads only ask; rows are marked here, so that nobody sees a row change while it is written down.
        asked = [threads.submit(self._ask, part, since) for part in some]
        try:
            self.stop.wait_for(asked, "ALL_COMPLETED")
            for part, future in zip(some, asked, strict=True):
                if not future.done():  # the task is being ended
                    continue
                for row, found in zip(part, future.result(), strict=True):
                    if found is not None and found.accepted:
                        row.outcome, row.reason, row.request_id = Outcome.ACCEPTED, "", found.request_id
        except EspError as error:
            return error
        finally:
            for future in asked:
                future.cancel()
        return None

    def _ask(self, rows: Sequence[Doubtful], since: datetime.datetime) -> list[SendResult | None]:
        return self.perform(self.ask([row.item for row in rows], since))


def _is_final(error: EspError) -> bool:
    """Check whether the service would answer the same if it was asked again."""
    return isinstance(error, Refused) and not isinstance(error, RateLimited | ServerFailed)


def _said(error: EspError) -> str:
    return headline(error).rstrip(".")
