"""Finding the rows that a service refuses, with as few requests as it takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.splitting import (
    SAME_REFUSALS,
    Answered,
    Failed,
    NotTried,
    Piece,
    RefusedAlone,
    send_in_halves,
)
from airflow_provider_esp.exceptions import Unsupported


class Service:
    """Takes lists of numbers, unless one of them is bad."""

    def __init__(self, bad: Callable[[int], Exception | None] = lambda number: None) -> None:
        self.bad = bad
        self.requests: list[list[int]] = []

    def __call__(self, numbers: list[int]) -> str:
        self.requests.append(numbers)
        for number in numbers:
            problem = self.bad(number)
            if problem is not None:
                raise problem
        return f"took {len(numbers)}"


def invalid(number: int) -> exceptions.InvalidRequest:
    return exceptions.InvalidRequest(f"number {number % 10} is not valid")


def numbers_of(piece: Piece[list[int], str]) -> list[int]:
    return piece.items


def test_what_is_taken_needs_one_request() -> None:
    service = Service()
    assert send_in_halves([1, 2, 3], service) == [Answered([1, 2, 3], "took 3")]
    assert service.requests == [[1, 2, 3]]


def test_the_one_bad_row_of_a_thousand_is_found_in_a_few_requests() -> None:
    service = Service(lambda number: invalid(number) if number == 617 else None)
    pieces = send_in_halves(list(range(1000)), service)
    (alone,) = [piece for piece in pieces if isinstance(piece, RefusedAlone)]
    assert alone == RefusedAlone([617], "number 7 is not valid", by_us=False)
    assert len(service.requests) < 25


@given(st.sets(st.integers(0, 60)), st.integers(1, 60))
def test_every_row_ends_in_one_piece_and_only_bad_ones_are_refused(bad: set[int], size: int) -> None:
    service = Service(lambda number: exceptions.InvalidRequest(f"{number}") if number in bad else None)
    pieces = send_in_halves(list(range(size)), service)
    assert [number for piece in pieces for number in numbers_of(piece)] == list(range(size))
    refused = {numbers_of(piece)[0] for piece in pieces if isinstance(piece, RefusedAlone)}
    assert refused == {number for number in bad if number < size}
    assert all(isinstance(piece, Answered | RefusedAlone) for piece in pieces)


@pytest.mark.parametrize(
    ("problem", "by_us", "reason"),
    [
        (ValueError("too long"), True, "too long"),
        (ValueError("ann@example.com is too long"), True, "[address] is too long"),
        (Unsupported("Toy", "do that"), True, "Toy cannot do that."),
        (exceptions.InvalidRequest("too long"), False, "too long"),
    ],
)
def test_a_refusal_says_whose_it_is_and_why(problem: Exception, by_us: bool, reason: str) -> None:
    assert send_in_halves([1], Service(lambda number: problem)) == [RefusedAlone([1], reason, by_us)]


def test_a_failure_that_is_not_about_the_rows_ends_it_and_the_rest_is_not_tried() -> None:
    lost = exceptions.ConnectionLost("broke", outcome_unknown=True)
    problems: dict[int, Exception] = {0: invalid(0), 2: lost}
    service = Service(problems.get)
    pieces = send_in_halves(list(range(8)), service)
    assert pieces == [
        RefusedAlone([0], "number 0 is not valid", by_us=False),
        Answered([1], "took 1"),
        Failed([2, 3], lost),
        NotTried([4, 5, 6, 7], lost),
    ]


def test_refusals_of_all_for_one_reason_are_about_the_request() -> None:
    refusal = exceptions.InvalidRequest("no such list")
    service = Service(lambda number: refusal)
    pieces = send_in_halves(list(range(3000)), service)
    alone = [piece for piece in pieces if isinstance(piece, RefusedAlone)]
    assert len(alone) == SAME_REFUSALS
    failed = [piece for piece in pieces if isinstance(piece, Failed)]
    assert [piece.error for piece in failed] == [refusal]
    assert sum(len(numbers_of(piece)) for piece in pieces) == 3000
    assert len(service.requests) < 60


def test_many_refusals_for_one_reason_are_about_the_rows_once_one_was_taken() -> None:
    service = Service(lambda number: exceptions.InvalidRequest("not valid") if number != 1 else None)
    pieces = send_in_halves(list(range(64)), service)
    assert len([piece for piece in pieces if isinstance(piece, RefusedAlone)]) == 63
    assert not [piece for piece in pieces if isinstance(piece, Failed)]


def test_many_refusals_for_different_reasons_are_about_the_rows() -> None:
    service = Service(invalid)
    pieces = send_in_halves(list(range(64)), service)
    assert all(isinstance(piece, RefusedAlone) for piece in pieces)
    assert len(pieces) == 64


def test_what_we_refuse_ourselves_is_about_the_rows_however_many_they_are() -> None:
    service = Service(lambda number: ValueError("no"))
    assert len(send_in_halves(list(range(64)), service)) == 64


def test_just_as_many_rows_as_would_raise_suspicion_are_refused_one_by_one_if_they_are_all() -> None:
    service = Service(lambda number: exceptions.InvalidRequest("not valid"))
    pieces = send_in_halves(list(range(SAME_REFUSALS)), service)
    assert all(isinstance(piece, RefusedAlone) for piece in pieces)


def test_what_nobody_foresaw_is_not_swallowed() -> None:
    with pytest.raises(KeyError):
        send_in_halves([1, 2], Service(lambda number: KeyError("bug")))
