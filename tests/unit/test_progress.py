"""How far a task is: the line in its log, and Airflow's metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp import version_compat
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.operators import _progress as progress
from airflow_provider_esp.operators._progress import Progress, line

TAGS = {"service": "esputnik", "operator": "UploadContactsOperator"}


class Recorded:
    """Airflow's metrics, written down."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}
        self.tags: list[Mapping[str, str]] = []

    def incr(self, name: str, count: int = 1, rate: float = 1, *, tags: Mapping[str, str]) -> None:
        assert count > 0
        self.counters[name] += count
        self.tags.append(tags)

    def gauge(self, name: str, value: float, rate: float = 1, *, tags: Mapping[str, str]) -> None:
        self.gauges[name] = value
        self.tags.append(tags)


class Log:
    """A task's log, written down."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, form: str, *values: object) -> None:
        self.lines.append(form % values)


@dataclass
class Run:
    """What an upload shows of itself."""

    counts: Counts = field(default_factory=Counts)
    open_imports: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(version_compat, "stats", lambda: recorded)
    return recorded


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)


def test_a_line_tells_rows_rate_refusals_and_what_is_left() -> None:
    counts = Counts({Outcome.ACCEPTED: 1_500_000, Outcome.INVALID: 12, Outcome.REJECTED: 3})
    assert (
        line(counts, 12_345.6, 2_000_000, 7)
        == (
            "1,500,015 of 2,000,000 rows, 12,346/s, 15 refused, about 0:00:40 left, 7 imports open"[:80].rsplit(",", 1)[
                0
            ]
        )
    )
    assert line(counts, 12_345.6, None, None) == "1,500,015 rows, 12,346/s, 15 refused"
    assert line(Counts({Outcome.ACCEPTED: 5}), 2.0, 7_205, 1) == (
        "5 of 7,205 rows, 2/s, 0 refused, about 1:00:00 left, 1 imports open"
    )


def test_nothing_is_said_of_the_end_once_all_rows_are_read() -> None:
    assert line(Counts({Outcome.ACCEPTED: 5}), 2.0, 5, 3) == "5 of 5 rows, 2/s, 0 refused, 3 imports open"
    assert line(Counts(), 0.0, 5, None) == "0 of 5 rows, 0/s, 0 refused"


@given(
    st.dictionaries(st.sampled_from(Outcome), st.integers(0, 10**10)),
    st.floats(0, 10**7),
    st.none() | st.integers(0, 10**11),
    st.none() | st.integers(0, 50),
)
def test_a_line_fits_into_eighty_columns(
    counts: dict[Outcome, int], rate: float, total: int | None, open_imports: int | None
) -> None:
    assert len(line(Counts(counts), rate, total, open_imports)) <= 80


@pytest.mark.usefixtures("at_once")
def test_each_row_is_counted_once_when_its_outcome_is_final(stats: Recorded) -> None:
    told, run = Progress(Log(), TAGS), Run()
    told.tell(run)
    run.counts.add(Outcome.ACCEPTED, 100)
    run.open_imports["i"] = SimpleNamespace(rows=60)
    told.tell(run)
    assert stats.counters == {"esp.rows.accepted": 40}
    assert stats.gauges["esp.open_imports"] == 1
    run.open_imports.clear()  # the import left five people out
    run.counts.move(5, Outcome.ACCEPTED, Outcome.REJECTED)
    told.tell(run)
    told.count(run.counts)
    told.end(run)
    assert stats.counters == {"esp.rows.accepted": 95, "esp.rows.rejected": 5}
    assert stats.gauges["esp.rows_per_second"] > 0
    assert all(tags == TAGS for tags in stats.tags)


@pytest.mark.usefixtures("at_once")
def test_rows_of_earlier_tries_count_neither_again_nor_into_the_rate(stats: Recorded) -> None:
    log = Log()
    told, run = Progress(log, TAGS, 1_000_000), Run(Counts({Outcome.ACCEPTED: 900_000}))
    told.tell(run)
    time.sleep(0.01)
    run.counts.add(Outcome.NOT_REACHED, 1)
    told.tell(run)
    assert stats.counters == {"esp.rows.not_reached": 1}
    assert stats.gauges["esp.rows_per_second"] < 1000
    assert log.lines[0].startswith("900,001 of 1,000,000 rows, ")


def test_a_line_comes_every_few_seconds_only(stats: Recorded) -> None:
    log = Log()
    told, run = Progress(log, TAGS), Run()
    for _ in range(100):
        told.tell(run)
    assert log.lines == []
    assert progress.EVERY == 5


def test_a_dry_run_counts_nowhere(stats: Recorded) -> None:
    told = Progress(Log(), TAGS, quiet=True)
    told.tell(Run())
    told.count(Counts({Outcome.NOT_REACHED: 7}))
    assert not stats.counters


def test_the_metrics_are_airflows_own() -> None:
    version_compat.stats().incr("esp.rows.accepted", 2, tags=TAGS)
    version_compat.stats().gauge("esp.open_imports", 1, tags=TAGS)
