"""A set of people that takes little memory."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.validation.key_set import CompactKeySet


@given(st.lists(st.text(max_size=2), max_size=50))
def test_a_person_is_new_once(keys: list[str]) -> None:
    people = CompactKeySet()
    seen: set[str] = set()
    for key in keys:
        assert people.add(key) == (key not in seen)
        seen.add(key)


def test_many_people_are_told_apart_and_take_about_twenty_bytes_each() -> None:
    people = CompactKeySet()
    assert all(people.add(f"p{number}@example.com") for number in range(300_000))
    assert not any(people.add(f"p{number}@example.com") for number in range(0, 300_000, 100))
    taken = sum(map(sys.getsizeof, people._shelves)) + sys.getsizeof(people._shelves)
    assert taken < 25 * 300_000
