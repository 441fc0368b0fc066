"""The requests of a block of a send: several at once, each halved where the service refuses it as a whole."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from airflow_provider_esp.core.calls import Flow, Perform
from airflow_provider_esp.core.models import SendResult
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.send.blocks import SendRow, mark, outcome_of
from airflow_provider_esp.core.splitting import Answered, Failed, NotTried, Piece, RefusedAlone, send_in_halves
from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.exceptions import EspError, TaskEnding
from airflow_provider_esp.utils.redaction import redact

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
    :param stop: says that the task is being ended.
    """

    def __init__(
        self,
        target: SendTarget[Item],
        perform: Perform,
        pool: ThreadPoolExecutor,
        *,
        skips_unknown: bool,
        stop: Stop | None = None,
    ) -> None:
        self._target = target
        self._perform = perform
        self.pool = pool
        self._skips_unknown = skips_unknown
        self._stop = stop or Stop()

    def send(self, rows: list[SendRow[Item]]) -> list[EspError]:
        """Send rows, and give what went wrong.

        Where the task is being ended, nothing more leaves, and it returns after two seconds at the latest. Rows whose
        answer has not come by then stay unknown: an answer that comes later changes nothing.
        """
        size = self._target.batch_size
        batch, futures = _Round(), []
        try:
            for at in range(0, len(rows), size):
                futures.append(self.pool.submit(self._send_chunk, rows[at : at + size], batch))
            self._stop.wait_for(futures, "ALL_COMPLETED")
            return [problem for future in futures if future.done() for problem in future.result()]
        finally:
            # Where this is interrupted, what is under way may end and what waits does not begin.
            batch.halted = True
            for future in futures:
                future.cancel()
            self._stop.wait_for(futures, "ALL_COMPLETED")
            with batch.lock:
                batch.closed = True

    def _send_chunk(self, chunk: Sequence[SendRow[Item]], batch: _Round) -> list[EspError]:
        """Send one request (halved where it is refused), and write the results into the rows."""
        # Until the service has answered nobody can tell, and whoever looks at the rows meanwhile shall see that: so
        # they are marked first, unless the run is being halted.
        with batch.lock:
            if batch.halted or batch.closed or self._stop.requested:
                return []
            mark(chunk, Outcome.UNKNOWN, "the run ended while its request was under way")
        pieces = send_in_halves(chunk, self._ask)
        with batch.lock:
            return [] if batch.closed else self._write_down(pieces, batch)

    def _write_down(
        self, pieces: Sequence[Piece[Sequence[SendRow[Item]], list[SendResult]]], batch: _Round
    ) -> list[EspError]:
        """Write results into the rows, and give what went wrong."""
        problems = []
        for piece in pieces:
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
                        batch.halted = True
                case NotTried(rows):
                    mark(rows, None)
        return problems

    def _ask(self, rows: Sequence[SendRow[Item]]) -> list[SendResult]:
        if self._stop.requested:  # half of a request that was refused as a whole
            raise TaskEnding("the request was not made, because Airflow ends this task")
        return self._perform(self._target.send([row.item for row in rows if row.item is not None]))


class _Round:
    """The requests of one call of `SendRequests.send`.

    :ivar lock: held by whatever changes rows.
    :ivar halted: whether no further request may begin.
    :ivar closed: whether the rows have gone to the ledger, and may not be changed by these requests.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.halted = False
        self.closed = False
