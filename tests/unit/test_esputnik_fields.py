"""What eSputnik asks of names and additional fields: what it would drop in silence is refused before."""

from __future__ import annotations

import re

import pytest

from airflow_provider_esp.services.esputnik import fields
from airflow_provider_esp.services.esputnik.general import Field, FieldDescription


def takes(kind: str, value: str) -> bool:
    made = fields.rules({"SHOP.X": Field(id=1, description=FieldDescription(type=kind))})
    return "SHOP.X" not in made or re.fullmatch(made["SHOP.X"].pattern, value, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("textfield", ["", "x" * 1000, "two\nlines"], ["x" * 1001]),
        ("TEXTAREA", ["x" * 5000], ["x" * 5001]),
        (
            "NUMBER",
            ["0", "007", "-5", "2147483647", "-2147483647", "1999999999", "2147399999", "999999999"],
            ["2147483648", "2147483650", "3000000000", "9999999999", "1.5", "1e3", "+1", "x", "12345678901"],
        ),
        (
            "DATE",
            ["2026-01-31", "31/01/2026", "31.01.26", "31.01.2026"],
            ["2026-13-01", "2026-1-1", "01/31/2026", "2026-01-31T10:00", "31.01.202"],
        ),
        (
            "DATETIME",
            ["2026-01-31T09:30", "2026-01-31T23:59:59"],
            ["2026-01-31", "2026-01-31 09:30", "2026-01-31T24:00", "2026-01-31T09:30+00:00"],
        ),
        ("COMBOBOX", ["anything"], []),
        ("", ["anything"], []),
    ],
)
def test_a_field_takes_what_the_guide_says(kind: str, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if not takes(kind, value)] == []
    assert [value for value in bad if takes(kind, value)] == []


@pytest.mark.parametrize("most", ["10", "105", "2147", "9999"])
def test_the_pattern_of_numbers_up_to_one_ends_there(most: str) -> None:
    pattern = re.compile(fields._up_to(most)).fullmatch
    assert [number for number in range(20_000) if pattern(str(number))] == list(range(int(most) + 1))


def test_a_reason_names_the_field_and_no_value() -> None:
    made = fields.rules({"SHOP.CODE": Field(id=1, description=FieldDescription(type="NUMBER"))})
    assert made["SHOP.CODE"].reason == "SHOP.CODE is no whole number of at most 32 bits"


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("Ann", True),
        ("x" * 40, True),
        ("x" * 41, False),
        ("Ann 1 2 3", True),
        ("Ann 1 2 34", False),
        ("a b c d e f", True),
        ("a b c d e f g", False),
    ],
)
def test_a_first_name_is_short(name: str, taken: bool) -> None:
    assert bool(re.fullmatch(fields.NAMES["first_name"].pattern, name, re.DOTALL)) is taken


def test_a_last_name_may_have_many_words() -> None:
    assert re.fullmatch(fields.NAMES["last_name"].pattern, "a b c d e f g h", re.DOTALL)
