"""Whether a failed request is tried again, and after how long: every kind of failure, without a clock."""

from __future__ import annotations

import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Kind
from airflow_provider_esp.core.transport.exchange import BY_KIND
from airflow_provider_esp.core.transport.retry import RetryPolicy, pause_before_retry

POLICY = RetryPolicy()
NEVER_ACTED_ON = {exceptions.ConnectionFailed, exceptions.RateLimited}
PERHAPS_ACTED_ON = {exceptions.ConnectionLost, exceptions.TimedOut, exceptions.ServerFailed}
ALL: set[type[exceptions.EspError]] = {
    *BY_KIND.values(),
    exceptions.ConnectionFailed,
    exceptions.ConnectionLost,
    exceptions.TimedOut,
}


def pause(
    failure: exceptions.EspError, *, repeatable: bool = True, attempt: int = 1, elapsed: float = 0.0, **policy: float
) -> float | None:
    chosen = RetryPolicy(**policy)  # type: ignore[arg-type]  # the tests give whole numbers where they are wanted
    return pause_before_retry(chosen, failure, repeatable=repeatable, attempt=attempt, elapsed=elapsed)


@pytest.mark.parametrize("kind", sorted(ALL, key=str))
@pytest.mark.parametrize("repeatable", [True, False])
def test_only_what_may_work_the_next_time_and_does_no_harm_is_tried_again(
    kind: type[exceptions.EspError], repeatable: bool
) -> None:
    again = kind in NEVER_ACTED_ON or (repeatable and kind in PERHAPS_ACTED_ON)
    assert (pause(kind("no"), repeatable=repeatable) is not None) == again


def test_every_kind_of_refusal_was_thought_of() -> None:
    assert set(BY_KIND) == set(Kind)


@pytest.mark.parametrize("kind", [exceptions.ConnectionFailed, exceptions.ServerFailed])
def test_attempts_are_limited(kind: type[exceptions.EspError]) -> None:
    assert pause(kind("no"), attempt=4, attempts=5) is not None
    assert pause(kind("no"), attempt=5, attempts=5) is None


def test_a_429_is_no_attempt() -> None:
    assert pause(exceptions.RateLimited("no"), attempt=500, attempts=5) is not None


def test_patience_ends_all_attempts() -> None:
    busy = exceptions.RateLimited("no", retry_after=10.0)
    assert pause(busy, elapsed=590, patience=600, first=0) == 10
    assert pause(busy, elapsed=590.1, patience=600, first=0) is None


def test_the_pause_is_at_least_what_the_service_asks_for() -> None:
    assert min(pause(exceptions.ServerFailed("no", retry_after=17.0)) or 0 for _ in range(50)) == 17


@pytest.mark.parametrize(("attempt", "most"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (5000, 30.0)])
def test_pauses_are_drawn_from_a_range_that_doubles_up_to_a_limit(attempt: int, most: float) -> None:
    drawn = [pause(exceptions.RateLimited("no"), attempt=attempt) or 0.0 for _ in range(300)]
    assert 0.8 * most < max(drawn) <= most
    assert min(drawn) < 0.2 * most
