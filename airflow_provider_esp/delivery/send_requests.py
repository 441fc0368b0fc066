"""The requests of a block of a send: several at once, each halved where the service refuses it as a whole."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Generic, Protocol, TypeVar

from airflow_provider_esp.delivery.halving import Answered, Failed, NotTried, RefusedAlone, send_in_halves
from airflow_provider_esp.delivery.outcomes import Outcome
from airflow_provider_esp.delivery.send_rows import SendRow, mark, outcome_of
from airflow_provider_esp.delivery.upload import Perform
from airflow_provider_esp.services.call import Flow
from airflow_provider_esp.services.neutral import SendResult
from airflow_provider_esp.transport.errors import EspError
from airflow_provider_esp.transport.redaction import redact

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)


class SendTarget(Protocol[Item_contra]):
    """Where messages or events go: one service, with the author's options."""

    @property
    def batch_size(self) -> int:
        """Items in a request at the most."""

    def send(self, items: Sequence[Item_contra]) -> Flow[list[SendResult]]:
        """Hand items over in one request; the results are in their order."""


class SendRequests(Generic[Item]):
    """Sends rows in as many requests as it takes, and writes the results into them.

    :param target: where they go.
    :param perform: carries out a flow; called from several threads.
    :param pool: the threads.
    :param skips_unknown: whether the others go on where an answer is lost.
    """

    def __init__(
        self, target: SendTarget[Item], perform: Perform, pool: ThreadPoolExecutor, *, skips_unknown: bool
    ) -> None:
        self._target = target
        self._perform = perform
        self.pool = pool
        self._skips_unknown = skips_unknown
        self._halt = threading.Event()

    def send(self, rows: list[SendRow[Item]]) -> list[EspError]:
        """Send rows, and give what went wrong."""
        self._halt.clear()
        size = self._target.batch_size
        futures = [self.pool.submit(self._send_chunk, rows[at : at + size]) for at in range(0, len(rows), size)]
        try:
            return [problem for future in futures for problem in future.result()]
        finally:
            # Where this is interrupted, what is under way may end and what waits does not begin.
            self._halt.set()
            for future in futures:
                future.cancel()
            wait(futures)

    def _send_chunk(self, chunk: Sequence[SendRow[Item]]) -> list[EspError]:
        """Send one request (halved where it is refused), and write the results into the rows."""
        # Until the service has answered nobody can tell, and whoever looks at the rows meanwhile shall see that: so
        # they are marked first, and only then is asked whether the run is being halted.
        mark(chunk, Outcome.UNKNOWN, "the run ended while its request was under way")
        if self._halt.is_set():
            mark(chunk, None)
            return []
        problems = []
        for piece in send_in_halves(chunk, self._ask):
            match piece:
                case Answered(rows, results):
                    for row, result in list(zip(rows, results, strict=True)):  # all or, if they do not fit, none
                        row.outcome = outcome_of(result)
                        row.request_id, row.reason = result.request_id, redact(result.reason)
                case RefusedAlone(rows, reason, by_us):
                    mark(rows, Outcome.INVALID if by_us else Outcome.REJECTED, reason)
                case Failed(rows, error):
                    problems.append(error)
                    mark(rows, Outcome.UNKNOWN if error.outcome_unknown else None, error.message)
                    if not (error.outcome_unknown and self._skips_unknown):
                        self._halt.set()
                case NotTried(rows):
                    mark(rows, None)
        return problems

    def _ask(self, rows: Sequence[SendRow[Item]]) -> list[SendResult]:
        return self._perform(self._target.send([row.item for row in rows if row.item is not None]))
