"""By what a report names rows: the source's key, or the address as it stood there."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_esp.core.readers.table import MISSING, BadRow, Picked, TextBlock, text_column
from airflow_provider_esp.core.row_keys import RowKeys, contact_columns

COLUMNS = ("id", "mail", "phone", "name")


@pytest.mark.parametrize(
    ("key", "row", "name"),
    [
        ("id", (7, "Ann@Example.com", None, "Ann"), "7"),
        ("id", (None, "Ann@Example.com", None, "Ann"), None),
        (None, (7, " Ann@Example.COM ", "1", "Ann"), "Ann@Example.COM"),
        (None, (7, "", " +380 50 ", "Ann"), "+380 50"),
        (None, (7, MISSING, 380501112233, "Ann"), "380501112233"),
        (None, (7, "  ", None, "Ann"), None),
        (None, (7, "nobody", None, "Ann"), "nobody"),
        (None, (7, "x" * 9_000, None, "Ann"), "x" * 500),
        (None, BadRow("too many cells"), None),
        ("other", (7, "nobody", None, "Ann"), "nobody"),
    ],
)
def test_the_key_names_the_row_else_the_first_address_in_it(key: str | None, row: Any, name: str | None) -> None:
    keys = RowKeys(COLUMNS, key, ["mail", "phone", "absent"])
    assert keys(row) == name
    assert keys.of_all([row, row]) == [name, name]


def test_rows_that_are_held_by_column_are_named_by_column() -> None:
    block = TextBlock([["7", ""], [" a@x.com", "b@x.com"], ["1", "2"], ["Ann", "Bob"]])
    assert RowKeys(COLUMNS, None, ["mail"]).of_all(block) == ["a@x.com", "b@x.com"]
    assert RowKeys(COLUMNS, "id", ["mail"]).of_all(block) == ["7", None]
    assert RowKeys(COLUMNS, None, ["mail", "phone"]).of_all(block) == ["a@x.com", "b@x.com"]
    assert RowKeys(COLUMNS, None, []).of_all(block) == [None, None]


@pytest.mark.parametrize("key", [None, "id"])
def test_some_of_the_rows_that_are_held_by_column_are_named_like_single_rows(key: str | None) -> None:
    long = "x" * 9_000
    block = TextBlock([["7", " ", "", "8"], ["", "b@x.com ", " ", long], [" 1", "2", "", "3"], ["Ann", "Bob", "", ""]])
    keys = RowKeys(COLUMNS, key, ["mail", "phone"])
    for rows in (block, block[1:], Picked(block, [3, 0, 2]), Picked(Picked(block, [3, 1, 0]), [2, 0])[:1]):
        assert list(keys.of_all(rows)) == [keys(row) for row in rows]
        assert list(keys.of_all(list(rows))) == list(keys.of_all(rows))
        columns = [text_column(rows, at) for at in range(len(COLUMNS))]
        assert list(zip(*(column or () for column in columns), strict=True)) == list(rows)
    assert text_column([("7", "", "", "")], 0) is None
    assert text_column(Picked([("7", "", "", "")], [0]), 0) is None


def test_the_columns_of_an_upload_are_those_of_its_identity_first() -> None:
    assert contact_columns(COLUMNS, {"mail": "email", "id": "external_id"}, ["external_id"]) == ["id", "mail"]
    assert contact_columns(("email", "phone"), None, ["phone"]) == ["phone", "email"]
