"""Who is in an import: held packed, and asked about by any of the names that a service may use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import UNSET

from airflow_provider_esp.core.upload.open_imports import Members

KEYS = ["ann@example.com", "ben@example.com", "cyn@example.com"]
ALIASES: list[list[Any]] = [["c1", UNSET, "c3"], [None, "+380501112233", None]]


@pytest.mark.parametrize("rows", [range(7, 10), [7, 8, 10]])
def test_rows_and_names_come_out_as_they_went_in(rows: Sequence[int]) -> None:
    members = Members(rows, KEYS, ALIASES)
    assert list(members.rows) == list(rows)
    assert members.keys == KEYS
    assert members.aliases == [["c1", None, "c3"], [None, "+380501112233", None]]


def test_missing_is_who_is_named_in_no_way() -> None:
    assert Members(range(3), KEYS, ALIASES).missing({"ann@example.com", "380501112233"}) == [2]


def test_a_report_names_rows_keys_and_other_names() -> None:
    (told,) = Members([7, 8, 10], KEYS, ALIASES).reports("open", [2], "", "s-1")
    assert (told.row, told.key, told.aliases, told.import_id) == (10, "cyn@example.com", ["c3"], "s-1")


def test_a_report_of_members_that_all_have_other_names_gives_each_its_own() -> None:
    members = Members([7, 8, 10], KEYS, [["c1", "c2", "c3"], ["1", "2", "3"]])
    assert [row.aliases for row in members.reports("open", [2, 0], "", "s-1")] == [["c3", "3"], ["c1", "1"]]
    assert [row.aliases for row in Members([7, 8, 10], KEYS).reports("open", [1], "", "s-1")] == [[]]


def test_a_report_can_be_read_back() -> None:
    members = Members([7, 8, 10], KEYS, [["c1", "c2", "c3"]])
    again = Members.of(members.reports("open", range(3), "", "s-1"))
    assert (list(again.rows), again.keys, again.aliases) == ([7, 8, 10], KEYS, [["c1", "c2", "c3"]])
