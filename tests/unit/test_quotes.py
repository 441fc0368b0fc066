"""Quotation marks that are never closed, or closed lines later: nobody is lost in a value."""

from __future__ import annotations

import csv
import io
import logging
import os
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.csv_reader import read_csv
from airflow_provider_esp.core.readers.csv_records import Record, has_address
from airflow_provider_esp.core.readers.table import BadRow
from airflow_provider_esp.exceptions import ColumnError, SourceError

OPEN = "leaves a quotation mark open; see allow_line_breaks="


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)


def rows(
    content: str, *, allow: bool = False, used: Sequence[str] | None = None, most: int = 1000, name: str = "people.csv"
) -> list[Any]:
    """Read rows as uploads do; those that cannot be read are their reasons."""
    table = read_csv(io.BytesIO(content.encode()), name, allow_line_breaks=allow)
    if used is not None:
        table.use(used)
    taken: list[Any] = []
    while some := table.take(most, []):
        taken += [row.reason if isinstance(row, BadRow) else list(row) for row in some]
    return taken


def people(first: int, last: int) -> list[str]:
    return [f"p{n}@example.com,Ann,Kyiv" for n in range(first, last)]


def test_a_mark_that_is_never_closed_costs_its_own_line() -> None:
    lines = ["email,name,town", *people(0, 100), 'bob@example.com,"Bob,Kyiv', *people(100, 1000)]
    read = rows("\n".join(lines) + "\n")
    assert len(read) == 1001
    assert read.pop(100) == f"line 102 {OPEN}"
    assert [row[0] for row in read] == [f"p{n}@example.com" for n in range(1000)]
    read = rows("\n".join(lines) + "\n", allow=True)
    assert read.pop(100) == "line 102 opens a quotation mark that is not closed"
    assert [row[0] for row in read] == [f"p{n}@example.com" for n in range(1000)]


@pytest.mark.parametrize("allow", [False, True])
def test_a_mark_that_is_closed_lines_later_takes_nobody_with_it(allow: bool) -> None:
    lines = [
        "email,name,town",
        *people(0, 5),
        'bob@example.com,"Bob',
        *people(5, 9),
        'cy@example.com,Cy",Kyiv',
        *people(9, 12),
    ]
    read = rows("\n".join(lines), allow=allow)
    assert len(read) == 14
    assert read[5].startswith("line 7 ")
    assert [row[0] for row in read if isinstance(row, list)] == [
        *(f"p{n}@example.com" for n in range(9)),
        "cy@example.com",
        *(f"p{n}@example.com" for n in range(9, 12)),
    ]


def test_line_breaks_in_columns_that_nobody_uses_do_no_harm() -> None:
    content = 'email,name,note\na@x.co,Ann,"likes\ntea, and ""cake"""\nb@x.co,Bob,\n'
    assert rows(content, used=["email", "name"]) == [
        ["a@x.co", "Ann", 'likes\ntea, and "cake"'],
        ["b@x.co", "Bob", ""],
    ]
    assert rows(content) == [f"line 2 {OPEN}", "line 3 has 2 cells and the header has 3", ["b@x.co", "Bob", ""]]
    assert rows(content)[0] == rows(content, used=["email", "note"])[0] == f"line 2 {OPEN}"


@pytest.mark.parametrize(
    "note",
    ["call\nbob@example.com", "call\n+380 50 123-45-67", "call\n(050) 1234567", "call bob@example.com\nor not"],
)
@pytest.mark.parametrize("allow", [False, True])
def test_an_address_in_anothers_value_takes_the_record_apart(note: str, allow: bool) -> None:
    read = rows(f'email,note\na@x.co,"{note}"\nb@x.co,\n', allow=allow, used=["email"])
    assert read[0].startswith("line")
    assert read[-1] == ["b@x.co", ""]


@pytest.mark.parametrize(
    "first",
    ["ann@example.com,Ann", "+380971112233", "Ann,380971112233", "ann@example.com,ann@example.com", "a@b.cc,,x"],
)
def test_a_first_line_that_is_somebodys_row_is_no_header_and_is_not_quoted(first: str) -> None:
    with pytest.raises(ColumnError, match="line 2 holds an e-mail address or a phone number where the names") as error:
        rows(f"\n{first}\nbob@example.com,Bob\n")
    assert not any(cell and cell in str(error.value) for cell in first.split(",") if cell != "x")


def test_marks_that_stand_alone_in_two_rows_hide_nobody_between_them() -> None:
    read = rows('email,note\nann@example.com,"\nbob@example.com,"\ncid@example.com,x\n', allow=True)
    assert len(read) == 3
    assert read[2] == ["cid@example.com", "x"]
    assert all(isinstance(row, str) for row in read[:2])
    assert rows('email,note\n"ann@example.com\n",x\n', allow=True) == [["ann@example.com\n", "x"]]


def test_rows_without_an_address_that_a_mark_swallowed_are_noticed_as_well() -> None:
    content = 'id,town,note\n1,Ely,"hello\n2,Rye,x\n3,Ware,bye"\n4,Ely,\n'
    assert rows(content, used=["id", "town"]) == [
        f"line 2 {OPEN}",
        ["2", "Rye", "x"],
        ["3", "Ware", 'bye"'],
        ["4", "Ely", ""],
    ]


def test_where_values_may_span_lines_they_arrive_whole() -> None:
    content = 'email,note\r\n"ann@example.com\r\n","one\r\n\r\n""two"", three"\r\nb@x.co,"\r\n"\r\n'
    assert rows(content, allow=True) == [["ann@example.com\r\n", 'one\r\n\r\n"two", three'], ["b@x.co", "\r\n"]]


def test_what_is_left_of_a_broken_value_belongs_to_its_row() -> None:
    content = 'email,name,note\na@x.co,"Ann"e,"one\ntwo"\nb@x.co,Bob,\nc@x.co,"Cy\nx,"y"z,"\n'
    assert rows(content, allow=True) == [
        "lines 2 to 3: is not CSV: ',' expected after '\"'",
        ["b@x.co", "Bob", ""],
        "lines 5 to 6: begins a record that is not CSV: ',' expected after '\"'",
    ]


@pytest.mark.parametrize("allow", [False, True])
def test_a_mark_in_the_header_that_is_not_closed_there_is_an_error(allow: bool) -> None:
    for content in ('email,"name\na@x.co,Ann\n', '"email,name\na@x.co,Ann"\nb@x.co,Bob\n'):
        with pytest.raises(SourceError, match=r"people\.csv: the header, line 1, opens a quotation mark that it does"):
            rows(content, allow=allow)
    assert rows('email,"first\nname"\na@x.co,Ann\n', allow=allow) == [["a@x.co", "Ann"]]  # as spreadsheets wrap it


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ['b@x.co,"Bob', 'b@x.co,"', '"', '"b@x.co', 'b@x.co,"Bob""'])
def test_a_mark_in_the_last_line_is_a_row_that_cannot_be_read(end: str, last: str) -> None:
    for close in ("", end):
        for allow in (False, True):
            read = rows(f"email,name{end}a@x.co,Ann{end}{last}{close}", allow=allow)
            assert read[0] == ["a@x.co", "Ann"]
            assert len(read) == 2
            assert read[1].startswith("line 3 ")


def test_a_mark_within_a_value_is_a_part_of_it() -> None:
    assert rows('email,size\na@x.co,5" screen\nb@x.co,6"\n') == [["a@x.co", '5" screen'], ["b@x.co", '6"']]


def test_a_value_is_not_read_on_for_ever() -> None:
    class Endless(io.RawIOBase):
        sent = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            content = b'email,note\na@x.co,"open\n' if not self.sent else b"b@x.co,no mark\n" * 1000
            buffer[: len(content)] = content
            self.sent += len(content)
            return len(content)

    stream = Endless()
    table = read_csv(io.BufferedReader(stream, 100_000), "people.csv", allow_line_breaks=True)
    assert isinstance(next(table.rows), BadRow)
    assert next(table.rows) == ("b@x.co", "no mark")
    assert stream.sent < 3_000_000


def test_many_open_marks_do_not_take_long() -> None:
    """Each is looked for as far as the next one: a hundred thousand take seconds, not hours."""
    read = rows("a,b,c\n" + 'x,"y\n' * 20_000 + 'x","y\n' * 20_000, allow=True)
    assert 1 <= len(read) <= 40_000


def test_the_warning_names_the_argument_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        rows('email,name\na@x.co,"Ann\nb@x.co,"Bob\nc@x.co,Cy\n')
    (record,) = caplog.records
    assert record.getMessage().startswith("people.csv: line 2 opens a quotation mark and does not close it.")
    assert "FileSource(path, allow_line_breaks=True)" in record.getMessage()


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("see ann@example.com", True),
        ("@ann said", False),
        ("2 @ 3", False),
        ("+380501234567", True),
        ("call +380 (50) 123-45-67 now", True),
        ("951112233", True),
        ("on 2026-01-02 10:30:00 and 03.04.2026 11:00", False),
        ("12,345,678.90", False),
        ("1 234 567", False),
        ("order A1234567890", False),
        ("12345678901234567890", False),
    ],
)
def test_what_looks_like_an_address(text: str, has: bool) -> None:
    assert has_address(text) == has


QUOTED = st.text(st.sampled_from('a",\n\r;x '), max_size=8)


@given(st.lists(st.lists(QUOTED, min_size=1, max_size=3), min_size=1, max_size=4), st.integers(0, 60))
def test_a_record_is_what_the_standard_librarys_reader_takes_for_one(table: list[list[str]], at: int) -> None:
    out = io.StringIO()
    csv.writer(out).writerows(table)
    text = out.getvalue()
    text = text[: at % len(text)] + '"' + text[at % len(text) :]
    lines = io.StringIO(text, newline="").readlines()
    record, taken = Record(","), 0
    while taken < len(lines):
        taken += 1
        if record.add(lines[taken - 1]):
            break
    reader = csv.reader(lines[:taken], strict=True)
    try:
        expected = next(reader) or [""]
    except csv.Error:
        assert record.problem or not record.add("\n")
    else:
        assert (record.cells, record.problem, reader.line_num) == (expected, "", taken)


# -- broken marks at random places -----------------------------------------------------------------------------------

VALUES = st.sampled_from(["", "Ann", "Ann Maria", 'Ann "A" B', "Kyiv, Lviv", "x", "Анна"])
NOTES = st.sampled_from(["", "likes tea", "one\ntwo", "one\r\n\r\nthree, four", 'a "b"\nc'])
MANY = settings(
    max_examples=int(os.environ.get("ESP_WILD_FILES", "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def written(table: list[list[str]], quoting: Any) -> list[str]:
    """Write each record by itself; a record may be several lines."""
    records = []
    for row in [["email", "name", "note"], *table]:
        out = io.StringIO()
        csv.writer(out, quoting=quoting, lineterminator="\n").writerow(row)
        records.append(out.getvalue())
    return records


def with_marks(records: list[str], places: list[tuple[int, int]]) -> set[int]:
    """Put quotation marks into records, and say into which; the header stays whole."""
    chosen = [(1 + number % (len(records) - 1), at) for number, at in places]
    for number, at in chosen:
        place = at % len(records[number])
        records[number] = records[number][:place] + '"' + records[number][place:]
    return {number for number, _ in chosen}


PLACES = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=4)
QUOTING = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])


@MANY
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12), PLACES, QUOTING, st.booleans(), st.integers(1, 20))
def test_a_broken_mark_costs_at_most_the_lines_that_it_stands_in(
    values: list[tuple[str, str]], places: list[tuple[int, int]], quoting: Any, note_is_used: bool, most: int
) -> None:
    table = [[f"p{n}@example.com", name, note] for n, (name, note) in enumerate(values)]
    records = written(table, quoting)
    touched = with_marks(records, places)
    for allow in (False, True):
        used = ["email", "name", *(["note"] if note_is_used else [])]
        read = rows("".join(records), allow=allow, used=used, most=most)
        assert len(read) == len(table)  # every line is a row
        for number, row in enumerate(read, 1):
            if number not in touched:
                assert row == table[number - 1]
            elif isinstance(row, list):
                assert not any("@" in cell for cell in row[1:])
                assert row[0].replace('"', "") == f"p{number - 1}@example.com"


@MANY
@given(st.lists(st.tuples(VALUES, NOTES), min_size=1, max_size=12), PLACES, QUOTING, st.integers(1, 20))
def test_where_values_may_span_lines_a_broken_mark_costs_at_most_the_records_that_it_stands_in(
    values: list[tuple[str, str]], places: list[tuple[int, int]], quoting: Any, most: int
) -> None:
    table = [[f"p{n}@example.com", name, note] for n, (name, note) in enumerate(values)]
    records = written(table, quoting)
    touched = with_marks(records, places)
    read = rows("".join(records), allow=True, most=most)
    good = [row for row in read if isinstance(row, list)]
    for number, row in enumerate(table, 1):
        assert number in touched or row in good
    for row in good:
        assert not any("@" in cell for cell in row[1:])
    if len(touched) == len(places):  # with several in one value, a line of it may begin another
        assert len(read) == len(table)
    assert len(read) <= sum(record.count("\n") for record in records[1:])
