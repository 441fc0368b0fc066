"""How far a task is: a line in its log every few seconds, and the same in Airflow's own metrics.

Counters ``esp.rows.<outcome>`` (each row once, when its outcome is final), gauges ``esp.rows_per_second`` and
``esp.open_imports``; all with the tags ``service``, ``operator``, ``dag_id`` and ``task_id``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_esp.core.outcomes import Counts
    from airflow_provider_esp.stores.run_records import RunRecord

EVERY = 5.0
WIDTH = 80
_LONGEST = 100 * 24 * 3600  # seconds; whatever would take longer is stuck


class Progress:
    """Tells how far a task's run is.

    :param log: the task's.
    :param tags: of its metrics.
    :param total: rows of the source where they are known.
    :param quiet: whether it keeps out of the metrics: a dry run does nothing that anybody should count.
    :param record: where the same is left for the page in Airflow.
    """

    def __init__(
        self,
        log: Any,
        tags: Mapping[str, str],
        total: int | None = None,
        *,
        quiet: bool = False,
        record: RunRecord | None = None,
    ) -> None:
        self._log = log
        self._tags = dict(tags)
        self._total = total
        self._quiet = quiet
        self._record = record
        self._began = self._told_at = time.monotonic()
        self._before = 0
        self._counted: dict[str, int] | None = None

    def begin(self, counts: Counts, open_rows: int = 0) -> None:
        """Note what earlier tries have done and counted.

        :param open_rows: of the accepted, those whose imports have not ended.
        """
        self._began = self._told_at = time.monotonic()
        self._before = counts.rows
        self._counted = _final(counts, open_rows)

    def tell(self, run: Any) -> None:
        """Take a look at a run (an `Upload` or a `SendRun`); its first call, before anything is done, begins."""
        if self._counted is None:
            self.begin(run.counts, _open_rows(run))
            return
        now = time.monotonic()
        if now - self._told_at < EVERY:
            return
        self._told_at = now
        rate = (run.counts.rows - self._before) / (now - self._began)
        still_open = getattr(run, "open_imports", None)
        self._log.info("%s", line(run.counts, rate, self._total, None if still_open is None else len(still_open)))
        if self._record is not None:
            self._record.note(
                counts=run.counts.as_dict(),
                total=self._total,
                rate=round(rate, 1),
                open=None if still_open is None else len(still_open),
            )
        self.count(run.counts, _open_rows(run))
        self._gauge("rows_per_second", rate)
        if still_open is not None:
            self._gauge("open_imports", len(still_open))

    def end(self, run: Any) -> None:
        """Count what a run that has ended, well or not, came to."""
        self.count(run.counts, _open_rows(run))

    def count(self, counts: Counts, open_rows: int = 0) -> None:
        """Count the rows whose outcome has become final since the last time."""
        from airflow_provider_esp.version_compat import stats

        counted, final = self._counted or {}, _final(counts, open_rows)
        for outcome, rows in final.items():
            new = rows - counted.get(outcome, 0)
            if new > 0 and not self._quiet:
                stats().incr(f"esp.rows.{outcome.replace(' ', '_')}", new, tags=self._tags)
        self._counted = {outcome: max(rows, counted.get(outcome, 0)) for outcome, rows in final.items()}

    def _gauge(self, name: str, value: float) -> None:
        from airflow_provider_esp.version_compat import stats

        if not self._quiet:
            stats().gauge(f"esp.{name}", value, tags=self._tags)


def line(counts: Counts, rate: float, total: int | None, open_imports: int | None) -> str:
    """Write a line of at most 80 columns; what matters least is left out where it gets too long.

    :param rate: rows a second in this try.
    :param total: rows of the source where they are known.
    :param open_imports: imports that have not ended; None where there are no imports.
    """
    rows = counts.rows
    parts = [f"{rows:,} rows" if total is None else f"{rows:,} of {total:,} rows", f"{rate:,.0f}/s"]
    parts.append(f"{counts.refused:,} refused")
    if total is not None and total - rows > 0 and (total - rows) < rate * _LONGEST:
        parts.append(f"about {_span((total - rows) / rate)} left")
    if open_imports is not None:
        parts.append(f"{open_imports:,} imports open")
    while len(", ".join(parts)) > WIDTH:
        parts.pop()
    return ", ".join(parts)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _open_rows(run: Any) -> int:
    return sum(item.rows for item in getattr(run, "open_imports", {}).values())


def _final(counts: Counts, open_rows: int) -> dict[str, int]:
    """Return rows by outcome, without those that count as accepted only until their import has ended."""
    final = counts.as_dict()
    final["accepted"] = max(0, final["accepted"] - open_rows)
    return final
