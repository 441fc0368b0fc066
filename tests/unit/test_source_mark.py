"""Another source under the same map index is noticed, and a corrected row does not make another source of a list."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.source_mark import SourceMark
from airflow_provider_esp.exceptions import AudienceChanged
from airflow_provider_esp.operators._source_marks import source_mark
from airflow_provider_esp.sources import FileSource, ListSource, SqlSource
from tests.unit.test_bad_rows import fail_at_the_end
from tests.unit.test_send import Task, counted, people, wrong_key


def rows(count: int, first: int = 0) -> list[dict[str, str]]:
    return [{"email": email} for email in people(count, first)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FileSource("/data/a.csv"), FileSource("/data/b.csv")),
        (SqlSource("db", "SELECT 1", key="id"), SqlSource("db", "SELECT 2", key="id")),
        (SqlSource("db", "SELECT 1", {"a": 1}, key="id"), SqlSource("db", "SELECT 1", {"a": 2}, key="id")),
        (SqlSource("db", "SELECT 1", key="id"), SqlSource("db", "SELECT 1", key="email")),
        (SqlSource("db", "SELECT 1", key="id"), SqlSource("dc", "SELECT 1", key="id")),
        (ListSource(rows(300)), ListSource(rows(300, first=300))),
        (ListSource(rows(1)), ListSource(rows(1, first=1))),
        (ListSource(rows(5)), FileSource("/data/a.csv")),
    ],
    ids=["path", "query", "parameters", "key", "connection", "rows", "one row", "kind"],
)
def test_two_sources_differ(one: Any, other: Any) -> None:
    assert not source_mark(one).is_same(source_mark(other))
    assert source_mark(one).is_same(source_mark(one))


def test_a_list_with_corrected_rows_is_the_same_one() -> None:
    before, after = rows(300), rows(300)
    for number in range(0, 300, 10):
        before[number] = {"email": "bad"}
    assert source_mark(ListSource(before)).is_same(source_mark(ListSource(after)))


def test_the_same_parameters_are_the_same_source_whatever_their_types() -> None:
    told = {"since": datetime(2026, 1, 1, tzinfo=UTC), "ids": [1, 2]}
    assert source_mark(SqlSource("db", "q", told)) == source_mark(SqlSource("db", "q", dict(reversed(told.items()))))


def test_a_signature_is_no_part_of_an_address() -> None:
    one, other = (source_mark(FileSource(f"https://example.com/a.csv?sign={number}")) for number in range(2))
    assert one.is_same(other)
    assert "sign=" not in str(one)


A, B = SourceMark("a.csv", "a" * 32), SourceMark("b.csv", "b" * 32)


def test_another_source_stops_a_send_that_has_begun() -> None:
    task = Task()
    task.service.before[1] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(25), source=A)
    with pytest.raises(AudienceChanged, match=r"it was a\.csv \(aaaaaaaa\), and now it is b\.csv \(bbbbbbbb\)"):
        task.run(people(25, first=100), source=B)
    assert counted(task.run(people(25), source=A)) == {"accepted": 25}


def test_a_mapped_task_knows_its_source_before_anything_left() -> None:
    task = Task()
    task.service.before[0] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(5), source=A, mapped=True)
    with pytest.raises(AudienceChanged, match="another order: restore it"):
        task.run(people(5, first=100), source=B, mapped=True)
    assert not task.service.sent


def test_where_nobody_was_reached_a_task_that_is_not_mapped_may_be_given_another_source() -> None:
    task = Task()
    task.service.before[0] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(5), source=A)
    assert counted(task.run(people(5, first=100), source=B)) == {"accepted": 5}


def test_a_finished_send_of_another_source_is_not_called_sent() -> None:
    task = Task()
    task.run(people(5), source=A)
    with pytest.raises(AudienceChanged, match=r"it was a\.csv"):
        task.run(people(5, first=100), source=B)
    assert counted(task.run(people(5, first=100), source=B, resend=True)) == {"accepted": 5}


def listed(emails: list[str]) -> SourceMark:
    return source_mark(ListSource([{"email": email} for email in emails]))


@pytest.mark.parametrize("count", [2, 3, 12])
@pytest.mark.parametrize("mapped", [False, True])
def test_a_list_of_which_most_rows_are_corrected_is_gone_on_with(count: int, mapped: bool) -> None:
    for first in range(0, 100, 10):  # which rows of so short a list are remembered is chance
        good, task = people(count, first), Task()
        bad = [good[0], *(["bad"] * (count - 1))]
        run = fail_at_the_end(task, bad, source=listed(bad), mapped=mapped)
        assert counted(run) == {"accepted": 1, "invalid": count - 1}
        assert counted(task.run(good, source=listed(good), mapped=mapped)) == {"accepted": count}
        assert task.service.sent == Counter(good)


def test_a_corrected_copy_of_a_file_is_gone_on_with_and_another_file_is_not() -> None:
    task = Task()
    fail_at_the_end(task, ["ann", "bad"], source=A)
    with pytest.raises(AudienceChanged, match="are not those that the last try sent to"):
        task.run(["cid", "ben"], source=B)
    assert counted(task.run(["ann", "ben"], source=B)) == {"accepted": 2}
    assert task.service.sent == Counter(["ann", "ben"])


def test_another_file_under_a_map_index_is_noticed_although_refused_rows_are_left() -> None:
    task = Task()
    fail_at_the_end(task, ["ann", "bad"], source=A, mapped=True)
    with pytest.raises(AudienceChanged, match="another order: restore it"):
        task.run(["ann", "ben"], source=B, mapped=True)
