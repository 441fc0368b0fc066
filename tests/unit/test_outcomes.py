"""The seven outcomes and how they add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.outcomes import Counts, Outcome, allowed_rejects

counts_of = st.dictionaries(st.sampled_from(Outcome), st.integers(1, 1000)).map(Counts)


def test_there_are_seven() -> None:
    assert [outcome.value for outcome in Outcome] == [
        "accepted", "rejected", "invalid", "duplicate", "suppressed", "unknown", "not_reached",
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.integers(0, 10))))
def test_counts_add_up_to_the_rows(added: list[tuple[Outcome, int]]) -> None:
    counts = Counts()
    for outcome, rows in added:
        counts.add(outcome, rows)
    assert counts.rows == sum(rows for _, rows in added)
    assert sum(counts.as_dict().values()) == counts.rows
    assert all(counts[outcome] == sum(rows for which, rows in added if which is outcome) for outcome in Outcome)


def test_one_row_is_counted_unless_told_otherwise() -> None:
    counts = Counts()
    counts.add(Outcome.ACCEPTED)
    assert counts.as_dict()["accepted"] == 1


@given(counts_of, st.integers(0, 5))
def test_rows_that_turn_out_otherwise_are_moved_and_not_counted_again(counts: Counts, number: int) -> None:
    before, accepted, rejected = counts.rows, counts[Outcome.ACCEPTED], counts[Outcome.REJECTED]
    counts.move(number, Outcome.ACCEPTED, Outcome.REJECTED)
    assert counts.rows == before
    assert (counts[Outcome.ACCEPTED], counts[Outcome.REJECTED]) == (accepted - number, rejected + number)


@given(counts_of)
def test_counts_survive_being_written_down(counts: Counts) -> None:
    assert Counts.from_dict(counts.as_dict()) == counts
    assert list(counts.as_dict()) == [outcome.value for outcome in Outcome]


def test_only_rejected_and_invalid_rows_count_as_refused() -> None:
    counts = Counts({outcome: 10**place for place, outcome in enumerate(Outcome)})
    assert counts.refused == counts[Outcome.REJECTED] + counts[Outcome.INVALID]


def test_counts_read_like_a_sentence() -> None:
    assert str(Counts({Outcome.UNKNOWN: 1, Outcome.ACCEPTED: 12_000})) == "12,000 accepted, 1 unknown"
    assert str(Counts()) == "no rows"


@pytest.mark.parametrize(
    ("limit", "rows", "allowed"),
    [
        (0, 100, 0),
        (5, 100, 5),
        ("5", 100, 5),
        (" 5 ", 100, 5),
        (5.0, 100, 5),
        ("1%", 250, 2),
        ("1 %", 250, 2),
        ("0.5%", 1000, 5),
        ("29%", 100, 29),
        ("57%", 100, 57),
        ("7.1%", 1000, 71),
        ("100%", 7, 7),
        ("0%", 7, 0),
        (10**9, 1, 10**9),
    ],
)
def test_a_limit_is_a_number_of_rows_or_a_share(limit: int | float | str, rows: int, allowed: int) -> None:
    assert allowed_rejects(limit, rows) == allowed


@pytest.mark.parametrize(
    "limit", ["", "%", "many", "-1", -1, "101%", "-1%", "nan", "nan%", "inf", "1.5", 0.01, "1%%", None]
)
def test_anything_else_is_refused_in_one_sentence(limit: float | str) -> None:
    with pytest.raises(ValueError, match='max_rejects must be a number of rows or a share such as "1%"'):
        allowed_rejects(limit, 100)
