"""The reader of delimited files against the reference: what a cell, a row and a file may be, in wild files."""

from __future__ import annotations

import io
import logging
import os
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.csv_reader import read_csv
from airflow_provider_esp.core.readers.table import BadRow
from airflow_provider_esp.exceptions import ColumnError, SourceError
from tests.reference_reader import Bad, RefusedError, Whole, read

EXAMPLES = int(os.environ.get("ESP_WILD_FILES", "200"))
_LINES = re.compile(r"lines? (\d+)(?: to (\d+):)?")

CELLS = st.sampled_from([
    "", " ", "a", "Ann", "ann@example.com", "bob@example.com", "+380501234567", "050 123 45 67", "2026-01-02 10:30:00",
    '"', '""', 'a"b', '"Ann"', '"Ann', 'Ann"', '"a,b"', '"a;b"', "x,y", "x;y", "a|b", "\t", '"a ""b"" c"', '""x""',
    "NULL", r"\N", " NaN ", '"#N/A"', "None", "Марія", "\0", "\x85", "\u2028", "\x1c", '"line\nbreak"',
    '"line\r\nbreak"', '"a\rb"', '"see ann@example.com\nthen"', '"ann@example.com\n"', "'", "sep=;",
])  # fmt: skip
NAMES = st.sampled_from(["email", "name", "note", '"first, last"', '"wrapped\nname"', "", " id ", "ім'я", '"a', 'b"'])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1251"])


@st.composite
def wild_files(draw: st.DrawFn) -> bytes:
    """Make a file of lines that mostly fit its header, with quotation marks put anywhere."""
    mark = draw(st.sampled_from([",", ";", "\t", "|"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    header = draw(st.one_of(st.just(["email", "name", "note"]), st.lists(NAMES, min_size=1, max_size=4)))
    fitting = st.lists(CELLS, min_size=len(header), max_size=len(header))
    trailing = fitting.map(lambda cells: [*cells, ""])
    rows = draw(st.lists(st.one_of(fitting, fitting, trailing, st.lists(CELLS, max_size=5)), max_size=8))
    text = end.join(mark.join(cells) for cells in [header, *rows]) + draw(st.sampled_from([end, "", end * 2]))
    text = draw(st.sampled_from(["", "", "", f"sep={mark}{end}", end])) + text
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + '"' + text[at:]
    return text.encode(draw(ENCODINGS), "replace")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)


def product(content: bytes, delimiter: str, allow: bool, used: list[str] | None, most: int, empty: bool) -> Any:
    try:
        table = read_csv(io.BytesIO(content), "people.csv", delimiter, allow_line_breaks=allow)
        if empty:
            first_is_there = not table.is_empty()
        if used is not None:
            table.use(used)
        rows: list[tuple[str, ...] | Bad] = []
        while some := table.take(most, []):
            rows += [_verdict(row) for row in some]
        assert not empty or first_is_there == bool(rows)
    except (SourceError, ColumnError):
        return "refused"
    return Whole(table.columns, rows)


def _verdict(row: Any) -> tuple[str, ...] | Bad:
    if not isinstance(row, BadRow):
        return tuple(row)
    told = _LINES.match(row.reason)
    assert told is not None, row.reason
    return Bad(int(told[1]), int(told[2] or told[1]))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    wild_files(),
    st.sampled_from(["auto", "auto", ",", ";"]),
    st.booleans(),
    st.sampled_from([None, ["email"], ["email", "name"], []]),
    st.integers(1, 9),
    st.booleans(),
)
def test_the_reader_and_the_reference_agree_on_wild_files(
    content: bytes, delimiter: str, allow: bool, used: list[str] | None, most: int, empty: bool
) -> None:
    expected: Any
    try:
        expected = read(content, delimiter=delimiter, allow_line_breaks=allow, used=used)
    except RefusedError as refused:
        expected = "refused"
        event(f"refused: {refused}"[:30])
    else:
        event(f"{sum(isinstance(row, Bad) for row in expected.rows)} bad of {len(expected.rows)}")
    assert product(content, delimiter, allow, used, most, empty) == expected
