"""A batch of rows: who can be sent, who cannot and why, and who stands there twice."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from airflow_provider_esp.core.contact_columns import FieldRule
from airflow_provider_esp.core.models import Contact
from airflow_provider_esp.core.readers.table import MISSING, BadRow, Table
from airflow_provider_esp.core.validation.addresses import email_address
from airflow_provider_esp.core.validation.batch import BatchValidator
from airflow_provider_esp.core.validation.mapper import same_key
from airflow_provider_esp.core.validation.values import ValueRules, text
from airflow_provider_esp.exceptions import ColumnError, InvalidValue
from airflow_provider_esp.utils.characters import control_character

COLUMNS = {"mail": "email", "tel": "phone", "first": "first_name", "points": "LOYALTY.POINTS"}
RULES = {"first_name": FieldRule(r".{0,5}", "the first name is longer than 5 characters")}


def checker(blank: Any = "keep", identity: Sequence[str] = ("email",)) -> BatchValidator:
    return BatchValidator(Table(tuple(COLUMNS), iter(()), "people.csv"), COLUMNS, identity, blank, RULES)


def one_by_one(row: Sequence[Any], identity: Sequence[str], blank: str) -> Contact | str:
    """Check one row the slow way: what `BatchValidator` must agree with."""
    if isinstance(row, BadRow):
        return row.reason
    found: dict[str, Any] = {}
    problem = ""
    for (name, field), value in zip(COLUMNS.items(), row, strict=True):
        try:
            plain = None if value is MISSING else text(value, name)
            if plain and field not in ("email", "phone") and (control := control_character(plain)):
                raise InvalidValue(f"column {name!r} holds {control}")
            if plain and field in ("email", "phone"):
                plain = email_address(plain) if field == "email" else ValueRules().phone(value, name)
            if plain and field in RULES and not re.fullmatch(RULES[field].pattern, plain, re.DOTALL):
                raise InvalidValue(RULES[field].reason)
        except InvalidValue as reason:
            problem = problem or str(reason)
            continue
        if plain is not None:
            found[field] = plain
        elif blank == "clear" and value is not MISSING and field not in identity:
            found[field] = None
    if not problem and not any(found.get(field) for field in identity):
        problem = f"no {' or '.join(identity)}"
    custom = {"LOYALTY.POINTS": found.pop("LOYALTY.POINTS")} if "LOYALTY.POINTS" in found else {}
    return problem or Contact(**found, custom=custom)


mails = st.sampled_from(
    [
        "ann@example.com",
        "Ann@Example.com",
        " bob@example.com ",
        "o'hara@example.com",
        "",
        "no",
        "a..b@example.com",
        "é@x",
    ]
)
wild = st.one_of(
    st.none(),
    st.just(MISSING),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.just([1]),
)
rows = st.one_of(
    st.tuples(st.one_of(mails, wild), st.one_of(st.sampled_from(["+380 50 1", "380501234567", "x"]), wild), wild, wild),
    st.just(BadRow("line 3 has 2 cells and the header has 4")),
)


@settings(deadline=None)  # the libraries for odd values are imported with the first of them
@given(
    st.lists(rows, max_size=8),
    st.sampled_from([("email",), ("phone",), ("email", "phone"), ("LOYALTY.POINTS",)]),
    st.sampled_from(["keep", "clear"]),
)
@example([("ann@example.com", "", "", "")], ("email",), "clear")
@example([("", "", "", "")], ("email", "phone"), "keep")
def test_a_batch_is_checked_as_its_rows_one_by_one(
    batch: list[Sequence[Any]], identity: tuple[str, ...], blank: str
) -> None:
    checked = checker(blank, identity).check(1, batch)
    slow = {number: one_by_one(row, identity, blank) for number, row in enumerate(batch, 1)}
    assert {number: reason for number, _, reason in checked.invalid} == {
        number: result for number, result in slow.items() if isinstance(result, str)
    }
    good = {number: result for number, result in slow.items() if isinstance(result, Contact)}
    found = dict(zip(checked.rows, checked.contacts.contacts(), strict=True))
    assert found == {number: good[number] for number in found}
    twins = {number: winner for number, _, _, winner in checked.duplicates}
    assert sorted([*found, *twins]) == sorted(good)
    assert all(winner > number and winner in found for number, winner in twins.items())
    assert len(set(checked.keys)) == len(checked.keys)


@given(st.lists(rows, max_size=8))
@settings(deadline=None)  # the first number loads the tables of all countries
def test_every_row_is_accounted_for_once(batch: list[Sequence[Any]]) -> None:
    checked = checker().check(11, batch)
    told = [*checked.rows, *(row for row, _, _ in checked.invalid), *(row for row, *_ in checked.duplicates)]
    assert sorted(told) == list(range(11, 11 + len(batch)))


def test_of_several_rows_for_one_person_the_last_stays() -> None:
    checked = checker().check(1, [("ann@example.com", "", "Ann", "1"), ("ANN@example.com", "", "Anna", "2")])
    assert list(checked.rows) == [2]
    assert checked.contacts.standard["first_name"] == ["Anna"]
    assert [(row, key, winner) for row, _, key, winner in checked.duplicates] == [(1, "ann@example.com", 2)]


def test_every_blank_around_a_value_is_stripped_and_makes_an_empty_cell_blank() -> None:
    """Columns without a space and without unprintable characters are not stripped: there is nothing to strip."""
    blanks = [character for character in map(chr, range(sys.maxunicode + 1)) if character.isspace()]
    assert [blank for blank in blanks if blank.isprintable()] == [" "]
    for blank in blanks:
        rows = [(f"{blank}ann@example.com", "", f"Ann{blank}", "1"), ("bob@example.com", "", blank, f"{blank}2")]
        checked = checker().check(1, rows)
        assert checked.contacts.standard["email"] == ["ann@example.com", "bob@example.com"]
        assert checked.contacts.standard["first_name"] == ["Ann", UNSET]
        assert checked.contacts.custom["LOYALTY.POINTS"] == ["1", "2"]


def test_a_blank_cell_is_a_field_not_given() -> None:
    checked = checker().check(1, [("ann@example.com", "", "  ", "5")])
    assert checked.contacts.standard["first_name"] == [UNSET]
    assert checked.contacts.gaps == {"phone", "first_name"}


def test_a_blank_cell_erases_only_where_the_author_says_so() -> None:
    checked = checker("clear").check(1, [("ann@example.com", "", "", "")])
    assert checked.contacts.standard == {"email": ["ann@example.com"], "phone": [None], "first_name": [None]}
    assert checked.contacts.custom == {"LOYALTY.POINTS": [None]}


def test_a_name_that_the_service_would_drop_makes_the_row_invalid() -> None:
    checked = checker().check(1, [("ann@example.com", "", "Annabella", "")])
    assert checked.invalid[0][2] == "the first name is longer than 5 characters"


@pytest.mark.parametrize("identity", [("external_id",), ("external_id", "language")])
def test_columns_that_identify_nobody_are_an_error_of_the_author(identity: tuple[str, ...]) -> None:
    with pytest.raises(ColumnError, match="no column is external_id"):
        checker(identity=identity)


def test_reasons_quote_no_value() -> None:
    checked = checker().check(1, [("ann at example", "call me", "x", "1"), ("bob@example.com", "call me", "x", "1")])
    assert not re.search("ann|call", " ".join(reason for _, _, reason in checked.invalid))


def test_a_key_of_a_whole_column_is_the_key_of_each_value() -> None:
    found = checker(identity=("phone",)).check(1, [("", "+380501234567", "", ""), ("", "380509999999", "", "")])
    assert found.keys == [same_key("+380501234567"), same_key("380509999999")]
