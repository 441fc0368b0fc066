"""Numbers of single precision are what was written, and never another number of ten digits."""

from __future__ import annotations

import datetime
import io
import struct
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.parquet import read_parquet
from airflow_provider_esp.core.validation.addresses import PhoneRules
from airflow_provider_esp.core.validation.optouts.entries import Meaning, read_entry
from airflow_provider_esp.core.validation.values import ValueRules, as_json, text
from airflow_provider_esp.exceptions import InvalidValue
from airflow_provider_esp.utils.single_floats import narrowed

PHONE = 380971112233


def of_numpy(value: float) -> Any:
    return numpy.float32(value)


def of_parquet(value: float) -> Any:
    arrow = pytest.importorskip("pyarrow")
    file = io.BytesIO()
    pytest.importorskip("pyarrow.parquet").write_table(
        arrow.table({"x": arrow.array([value, None], arrow.float32())}), file
    )
    file.seek(0)
    (first,), (blank,) = read_parquet(file, "a.parquet").rows
    assert blank is None
    return first


BOTH = pytest.mark.parametrize("make", [of_numpy, of_parquet])


@BOTH
def test_a_price_has_the_digits_that_it_was_written_with(make: Any) -> None:
    for written in ("12.99", "0.1", "7", "-3.5", "16777216"):
        value = make(float(written))
        assert (text(value, "x"), as_json(value, "x")) == (written, float(written))
    assert text(make(float("nan")), "x") is None


def test_prices_inside_of_lists_and_structures_have_their_digits_too() -> None:
    arrow = pytest.importorskip("pyarrow")
    single, moment = arrow.float32(), arrow.timestamp("ns")
    price = arrow.struct([("price", single), ("at", moment)])
    first = {"price": 12.99, "at": 1_714_521_600_123_456_789}
    columns = {
        "list": arrow.array([[12.99, None], None], arrow.list_(single)),
        "large list": arrow.array([[12.99], []], arrow.large_list(single)),
        "of two": arrow.array([[12.99, 0.1], [1, 2]], arrow.list_(single, 2)),
        "structure": arrow.array([first, None], price),
        "map": arrow.array([[("a", 12.99)], None], arrow.map_(arrow.string(), single)),
        "deep": arrow.array([[{"prices": [first]}], None], arrow.list_(arrow.struct([("prices", arrow.list_(price))]))),
    }
    file = io.BytesIO()
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), file)
    file.seek(0)
    shown = {"price": 12.99, "at": datetime.datetime(2024, 5, 1, 0, 0, 0, 123456)}
    assert list(read_parquet(file, "a.parquet").rows) == [
        ([12.99, None], [12.99], [12.99, 0.1], shown, [("a", 12.99)], [{"prices": [shown]}]),
        (None, [], [1, 2], None, None, None),
    ]


@BOTH
def test_a_phone_number_that_has_lost_digits_is_none_and_leaves_nobody_else_out(make: Any) -> None:
    value = make(float(PHONE))
    with pytest.raises(InvalidValue, match="lost digits"):
        ValueRules(PhoneRules(phone_format="international")).phone(value, "x")
    entry = read_entry(value, PhoneRules())
    assert (entry.meaning, entry.people, entry.endings) == (Meaning.UNREADABLE, [], set())


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_it_stays_the_same_number_where_it_is_exact(value: float) -> None:
    short = narrowed(value)
    if abs(value) > 2**24:
        assert isinstance(short, str)
        assert float(short) == pytest.approx(value, rel=1e-6)
    else:
        assert isinstance(short, float)
        assert struct.pack("<f", short) == struct.pack("<f", value)
        assert len(repr(short)) <= len(repr(value))
