"""From a row's values to a recipient or an event, or to the reason why not."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.models import Event, Recipient
from airflow_provider_esp.core.readers.table import MISSING, BadRow, Table
from airflow_provider_esp.core.validation.mapper import (
    Mapper,
    custom_fields,
    event_mapper,
    recipient_mapper,
    same_key,
    targets_of,
)
from airflow_provider_esp.core.validation.values import text
from airflow_provider_esp.exceptions import ColumnError, InvalidValue


class Tier(enum.Enum):
    GOLD = " gold "


class Level(enum.IntEnum):
    SECOND = 2


class Switch(enum.Enum):
    ON = True
    NESTED = (1, 2)


def table(*columns: str) -> Table:
    return Table(columns, iter(()), "people.csv")


# -- keys --


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.com", " ann@example.COM "),
        ("+380501234567", "380501234567"),
        (380501234567, "380501234567"),
    ],
)
def test_two_spellings_of_one_person_are_one_key(one: object, other: object) -> None:
    assert same_key(one) == same_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+ann@example.com", "ann@example.com"),
        ("Customer-A", "customer-a"),
        ("+7a", "7a"),
        ("ann@example.com", "ann@example.org"),
        ("", "+"),
    ],
)
def test_what_may_be_two_people_is_two_keys(one: str, other: str) -> None:
    assert same_key(one) != same_key(other)


# -- values as text --


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (" Ann ", "Ann"),
        ("  ", None),
        ("", None),
        (None, None),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (2**70, "1180591620717411303424"),
        (1.0, "1"),
        (1234567890123456.0, "1234567890123456"),
        (0.1 + 0.2, "0.3"),
        (1e300, "1e+300"),
        (float("nan"), None),
        (decimal.Decimal("12.50"), "12.50"),
        (decimal.Decimal("1E+3"), "1000"),
        (decimal.Decimal("NaN"), None),
        (decimal.Decimal("sNaN"), None),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.datetime(2026, 1, 31, 23, 59, 58), "2026-01-31T23:59:58"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime.time(9, 5), "09:05:00"),
        (datetime.timedelta(hours=26, minutes=3, seconds=4), "26:03:04"),
        (datetime.timedelta(seconds=-1.5), "-00:00:01.500000"),
        (b"", None),
        (numpy.datetime64("2026-01-31"), "2026-01-31"),
        (numpy.datetime64("NaT", "D"), None),
        (numpy.longdouble("1.5"), "1.5"),
        (-datetime.timedelta(minutes=90), "-01:30:00"),
        (ipaddress.ip_address("192.0.2.7"), "192.0.2.7"),
        (ipaddress.ip_address("2001:db8::7"), "2001:db8::7"),
        (Tier.GOLD, "gold"),
        (Level.SECOND, "2"),
        (Switch.ON, "true"),
    ],
)
def test_a_value_is_spelled_as_people_would(value: object, plain: str | None) -> None:
    assert text(value, "c") == plain


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1], "column 'c' holds a list, which is not one value"),
        ({"a": 1}, "column 'c' holds a dict, which is not one value"),
        (b"x", "column 'c' holds bytes, which are no text: decode them in the source"),
        (Switch.NESTED, "column 'c' holds a tuple, which is not one value"),
        (10**400, "column 'c' holds a number that is too large"),
        (float("inf"), "column 'c' holds an infinite number"),
        (decimal.Decimal("-Infinity"), "column 'c' holds an infinite number"),
    ],
)
def test_what_has_no_plain_spelling_is_refused(value: object, reason: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        text(value, "c")
    assert str(caught.value) == reason


# -- columns of an upload --


def test_columns_that_are_called_like_the_fields_need_no_words() -> None:
    assert targets_of(table("phone", "email"), None) == [(0, "phone", "phone"), (1, "email", "email")]


def test_columns_are_named_by_the_author_and_others_left_out() -> None:
    columns = {"mail": "email", "pts": "LOYALTY.POINTS"}
    assert targets_of(table("pts", "x", "mail"), columns) == [(2, "mail", "email"), (0, "pts", "LOYALTY.POINTS")]
    assert custom_fields(table("pts", "x", "mail"), columns) == ("LOYALTY.POINTS",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (None, "people.csv: unknown column 'mail'; give columns= to say what each is"),
        ({"gone": "email"}, "columns= names 'gone', which the source does not have; it has 'email', 'mail'"),
        ({"email": "email", "mail": "email"}, "columns= gives two columns for 'email'; keep one of them"),
    ],
)
def test_what_is_wrong_with_columns_is_said_in_one_sentence(columns: Mapping[str, str] | None, message: str) -> None:
    with pytest.raises(ColumnError, match=message):
        targets_of(table("email", "mail"), columns)


def test_a_source_without_rows_need_not_have_columns() -> None:
    assert targets_of(table(), {"mail": "email"}) == []
    recipient_mapper(table(), "email", {"name": "name"})
    event_mapper(table(), "bought", {"email": "mail", "key": "order"}, {"sum": "sum"})


def test_thousands_of_columns_are_no_problem() -> None:
    compared = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    names = [Name(f"c{number}") for number in range(10_000)]
    assert names[50] in names[:100]
    assert compared == 50  # what looks through a list is counted
    assert len(targets_of(table(*names), {name: name.upper() for name in names})) == 10_000
    recipient_mapper(table("email", *names), "email", None)
    assert compared < 100 * len(names)  # each name with some others, and not with all of them


# -- recipients --


def test_a_recipient_has_the_other_columns_as_data() -> None:
    make = recipient_mapper(table("email", "name", "points"), "email", None)
    assert make(("ann@example.com", " Ann ", 7)) == Recipient("ann@example.com", {"name": "Ann", "points": 7})


def test_data_may_be_chosen_and_renamed() -> None:
    make = recipient_mapper(table("email", "name", "points"), "email", {"points": "score"})
    assert make(("ann@example.com", "Ann", 7)) == Recipient("ann@example.com", {"score": 7})


def test_what_a_row_does_not_have_is_not_in_its_data_and_a_blank_is_null() -> None:
    make = recipient_mapper(table("email", "a", "b"), "email", None)
    assert make(("ann@example.com", MISSING, "")) == Recipient("ann@example.com", {"b": None})


def test_a_recipient_may_be_known_by_phone() -> None:
    make = recipient_mapper(table("tel"), "tel", None)
    assert make((380501234567.0,)) == Recipient("380501234567")
    assert make(("+380 50 123 45 67",)) == Recipient("+380501234567")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "no email"),
        (MISSING, "no email"),
        (None, "no email"),
        ("ann", "neither an e-mail address nor a phone number"),
        ("050 123 45 67", "the phone number has no country code (see default_country and phone_format)"),
        ("ann@", "the e-mail address is not valid"),
        (["ann@example.com"], "column 'email' holds a list, which is not one value"),
    ],
)
def test_a_row_without_a_recipient_says_why(value: object, reason: str) -> None:
    assert recipient_mapper(table("email"), "email", None)((value,)) == reason


def test_a_row_that_could_not_be_read_says_why() -> None:
    assert recipient_mapper(table("email"), "email", None)(BadRow("line 3 is not CSV")) == "line 3 is not CSV"


@pytest.mark.parametrize(("to", "data", "missing"), [("mail", None, "'mail'"), ("email", {"x": "y"}, "'x'")])
def test_a_column_that_is_not_there_is_named(to: str, data: Mapping[str, str] | None, missing: str) -> None:
    with pytest.raises(ColumnError, match=f"people.csv: no column {missing}; it has 'email'"):
        recipient_mapper(table("email"), to, data)


def test_recipients_are_known_by_their_address_however_it_is_spelled() -> None:
    make = recipient_mapper(table("email"), "email", None)
    assert make.key(Recipient("Ann@Example.com")) == make.key(Recipient("ann@example.com"))


# -- values as JSON --


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (7, 7),
        (True, True),
        (1.5, 1.5),
        (float("nan"), None),
        (None, None),
        ([1, {"a": None}], [1, {"a": None}]),
        ({"a": [1.5]}, {"a": [1.5]}),
        (" x ", "x"),
        (7.0, 7),
        (decimal.Decimal("1.50"), decimal.Decimal("1.50")),
        (decimal.Decimal("7.00"), 7),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (2**70, 2**70),
    ],
)
def test_data_stays_what_it_is_where_json_has_it(value: object, kept: object) -> None:
    made = recipient_mapper(table("email", "v"), "email", None)(("a@x.com", value))
    assert made == Recipient("a@x.com", {"v": kept})
    assert isinstance(made, Recipient)
    assert type(made.data["v"]) is type(kept)


def test_a_number_of_a_drivers_own_class_is_a_number() -> None:
    class Int64(int):
        """As BSON has it."""

    class Double(float):
        pass

    made = recipient_mapper(table("email", "v"), "email", None)(("a@x.com", [Int64(7), Double(1.5), Double(2.0)]))
    assert made == Recipient("a@x.com", {"v": [7, 1.5, 2]})
    assert isinstance(made, Recipient)
    assert [type(one) for one in made.data["v"]] == [int, float, int]


@pytest.mark.parametrize("value", [float("inf"), [object()], {"a": {(1, 2): 3}}, ["\ud800"]])
def test_data_that_json_cannot_hold_makes_the_row_invalid(value: object) -> None:
    made = recipient_mapper(table("email", "v"), "email", None)(("a@x.com", value))
    assert isinstance(made, str)
    assert made.startswith("column 'v' holds")


wild = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.decimals()
    | st.datetimes()
    | st.binary(max_size=3)
    | st.uuids()
    | st.just(MISSING),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(wild, wild)
def test_no_values_crash_a_mapper_and_what_it_makes_can_be_sent(who: Any, value: Any) -> None:
    for row in ((who, value), ("ann@example.com", value)):
        for make in (
            recipient_mapper(table("email", "v"), "email", None),
            event_mapper(table("email", "v"), "bought", {"email": "email"}, None),
        ):
            made = make(row)
            assert isinstance(made, str) or msgspec.json.encode(made)


# -- events --

IDENTITY = {"email": "email", "phone": "phone"}


def test_an_event_is_of_somebody_and_has_the_other_columns_as_parameters() -> None:
    make = event_mapper(table("email", "phone", "order", "sum"), "bought", {**IDENTITY, "key": "order"}, None)
    assert make(("a@x.com", "+380501234567", 17, 9.5)) == Event(
        "bought", {"sum": 9.5}, email="a@x.com", phone="+380501234567", key="17"
    )


def test_parameters_may_be_chosen_and_renamed_the_persons_own_columns_included() -> None:
    make = event_mapper(table("email", "sum"), "bought", IDENTITY, {"sum": "total", "email": "mail"})
    assert make(("a@x.com", 1)) == Event("bought", {"total": 1, "mail": "a@x.com"}, email="a@x.com")


def test_one_of_email_and_phone_is_enough() -> None:
    make = event_mapper(table("email", "phone"), "bought", IDENTITY, None)
    assert make(("", "380501234567")) == Event("bought", {}, phone="380501234567")
    assert make((MISSING, MISSING)) == "neither email nor phone is there"


@pytest.mark.parametrize(("row", "reason"), [(("a@", ""), "e-mail address"), (("a@x.com", "7"), "phone number")])
def test_an_event_with_a_wrong_address_is_invalid(row: tuple[str, str], reason: str) -> None:
    made = event_mapper(table("email", "phone"), "bought", IDENTITY, None)(row)
    assert isinstance(made, str)
    assert reason in made


@pytest.mark.parametrize(
    ("identity", "params", "message"),
    [
        ({"email": "mail"}, None, "no column 'mail'; it has 'email', 'sum'"),
        ({**IDENTITY, "key": "order"}, None, "no column 'order'; it has"),
        ({**IDENTITY, "key": "email_of_order"}, None, "no column 'email_of_order'"),
        (IDENTITY, {"total": "sum"}, "data= names 'total', which the source does not have"),
    ],
)
def test_a_column_that_the_author_names_must_be_there(
    identity: Mapping[str, str], params: Mapping[str, str] | None, message: str
) -> None:
    with pytest.raises(ColumnError, match=message):
        event_mapper(table("email", "sum"), "bought", identity, params)


def test_events_need_a_column_that_says_whose_they_are() -> None:
    with pytest.raises(ColumnError, match="an event needs an email or phone column"):
        event_mapper(table("sum"), "bought", IDENTITY, None)


# -- mappers --


def test_a_mapper_lets_through_what_is_no_refusal() -> None:
    def build(row: Any) -> Recipient:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        Mapper(build, lambda item: "")(("x",))
