"""What eSputnik asks of names and additional fields: what it would drop in silence is refused before."""

from __future__ import annotations

import calendar
import datetime
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp.services.esputnik.api.general import Field, FieldDescription
from airflow_provider_esp.services.esputnik.mapping import field_rules, names


def takes(kind: str, value: str) -> bool:
    made = field_rules.rules({"SHOP.X": Field(id=1, description=FieldDescription(type=kind))})
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
            [
                "2025-02-30",
                "30/02/2024",
                "31.04.26",
                "2026-13-01",
                "2026-1-1",
                "01/31/2026",
                "2026-01-31T10:00",
                "31.01.202",
            ],
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
    pattern = re.compile(field_rules._up_to(most)).fullmatch
    assert [number for number in range(20_000) if pattern(str(number))] == list(range(int(most) + 1))


def test_a_reason_names_the_field_and_no_value() -> None:
    made = field_rules.rules({"SHOP.CODE": Field(id=1, description=FieldDescription(type="NUMBER"))})
    assert made["SHOP.CODE"].reason == "SHOP.CODE is no whole number of at most 32 bits"


def problem(field: str, name: str) -> str | None:
    """Return what is said of a name; None where it is taken."""
    rule = field_rules.NAMES[field]
    if re.fullmatch(rule.pattern, name, re.DOTALL):
        return None
    assert rule.explain is not None
    return rule.explain(name)


@pytest.mark.parametrize(
    "name",
    [
        "Ann",
        "x" * 40,
        "Ann1 2 3",
        "Anne-Marie",
        "O\u2019Neil",
        "D`Artagnan",
        "Jr.",
        "Ann B. C.",
        "Sofia Maria Anna de la O",
        "\u0421\u043e\u043b\u043e\u043c\u0456\u044f",
        "\u0930\u093e\u0927\u093f\u0915\u093e",  # with vowel signs, which are no letters to Python
        "",
    ],
)
def test_a_name_that_the_guide_takes_is_taken(name: str) -> None:
    assert problem("first_name", name) is None
    assert problem("last_name", name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x" * 41, "is longer than 40 characters"),
        ("Ann 1 2 34", "has over 3 digits"),
        ("Ann_B", "holds U+005F (low line) at 4"),
        ("\u00abAnn\u00bb", "holds U+00AB (left-pointing double angle quotation mark) at 1"),
        ("Ann\U0001f600", "holds U+1F600 (grinning face) at 4"),
        ("Ann\u200d", "holds U+200D (zero width joiner) at 4"),
        ("Ann\tB", "holds U+0009 at 4"),
        ("Ann & Co", "holds U+0026 (ampersand) at 5"),
        ("Ann'", "holds U+0027 (apostrophe) at 4"),
        ("-Ann", "holds U+002D (hyphen-minus) at 1"),
        ("Anna.", "holds U+002E (full stop) at 5"),
        ("Jr..", "holds U+002E (full stop) at 3"),
        ("1 2", "has no letter"),
    ],
)
def test_a_name_that_would_be_dropped_is_told_with_the_character(name: str, words: str) -> None:
    assert problem("first_name", name) == f"the first name {words}"
    assert problem("last_name", name) == f"the last name {words}"


@pytest.mark.parametrize("name", ["a b c d", "Anna Maria Sofia Carlotta"])
def test_only_a_first_name_has_few_words(name: str) -> None:
    assert problem("first_name", f"Ann {name}") == (
        "the first name has over 3 words of up to 3 letters, or over 3 longer ones"
    )
    assert problem("last_name", name) is None


@given(st.text(max_size=45))
@settings(max_examples=500, deadline=None)
def test_what_the_pattern_takes_the_whole_rule_takes_too(name: str) -> None:
    for field, check in (("first_name", names.first_name_problem), ("last_name", names.last_name_problem)):
        if name and re.fullmatch(field_rules.NAMES[field].pattern, name, re.DOTALL):
            assert check(name) is None


@given(st.dates(min_value=datetime.date(1000, 1, 1)), st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d.%m.%y"]))
@settings(max_examples=500, deadline=None)
def test_every_day_that_there_is_is_a_date(day: datetime.date, form: str) -> None:
    assert takes("DATE", day.strftime(form))


@pytest.mark.parametrize("day", range(1, 32))
@pytest.mark.parametrize("month", range(1, 13))
def test_no_day_is_a_date_that_there_is_not(month: int, day: int) -> None:
    for year in (1900, 2000, 2023, 2024):
        there = day <= calendar.monthrange(year, month)[1]
        written = (f"{year}-{month:02}-{day:02}", f"{day:02}/{month:02}/{year}", f"{day:02}.{month:02}.{year}")
        assert [takes("DATE", value) for value in written] == [there] * 3
        assert takes("DATETIME", f"{year}-{month:02}-{day:02}T09:30") is there
