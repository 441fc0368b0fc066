"""Rows out of files and lists: what cannot be read is a row of its own, and nothing is dropped in silence."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.csv_reader import read_csv
from airflow_provider_esp.core.readers.null_words import NULL_VALUES
from airflow_provider_esp.core.readers.table import (
    MISSING,
    BadRow,
    Table,
    TextBlock,
    as_source,
    fingerprint,
    fingerprints,
    read_mappings,
    read_ndjson,
)
from airflow_provider_esp.exceptions import ColumnError, SourceError


def csv_table(content: str | bytes, delimiter: str = ",", *, allow_line_breaks: bool = False) -> Table:
    raw = content.encode() if isinstance(content, str) else content
    return read_csv(io.BytesIO(raw), "people.csv", delimiter, allow_line_breaks=allow_line_breaks)


def ndjson_table(content: str | bytes, columns: Sequence[str] | None = None) -> Table:
    raw = content.encode() if isinstance(content, str) else content
    return read_ndjson(io.BytesIO(raw), "people.ndjson", columns)


def told(table: Table) -> list[Any]:
    """Rows as lists, and the reasons of those that could not be read."""
    return [row.reason if isinstance(row, BadRow) else list(row) for row in table.rows]


# -- CSV --


def test_a_csv_file_has_a_header_and_rows() -> None:
    table = csv_table("email,first name\na@x.com,Ann\nb@x.com,\n")
    assert table.columns == ("email", "first name")
    assert table.origin == "people.csv"
    assert told(table) == [["a@x.com", "Ann"], ["b@x.com", ""]]


def test_another_delimiter_may_be_given() -> None:
    assert told(csv_table("a\tb\n1\t2,3\n", "\t")) == [["1", "2,3"]]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert csv_table(b"\xef\xbb\xbfemail\na@x.com\n").columns == ("email",)


def test_blanks_around_a_columns_name_are_not_meant() -> None:
    assert csv_table(" email , phone\n1,2\n").columns == ("email", "phone")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_has_neither_columns_nor_rows(content: str) -> None:
    table = csv_table(content)
    assert (table.columns, told(table)) == ((), [])


@pytest.mark.parametrize("header", ["email", "email,name"])
@pytest.mark.parametrize("end", ["\x1a", "\x1a\n", "\x1a\r\n"])
def test_the_mark_at_the_end_of_an_old_file_is_no_row(header: str, end: str) -> None:
    cells = ["x"] * (header.count(",") + 1)
    assert told(csv_table(f"{header}\n{','.join(cells)}\n{end}")) == [cells]


def test_blank_lines_are_no_rows() -> None:
    assert told(csv_table("\na,b\n\n1,2\n\n")) == [["1", "2"]]


def test_quotes_may_hold_delimiters_quotes_and_lines() -> None:
    assert told(csv_table('a,b\n"1,""2","3\n4"\n', allow_line_breaks=True)) == [['1,"2', "3\n4"]]


def test_a_column_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ColumnError, match=r"people\.csv: the header names 'a', 'b' twice"):
        csv_table("b,a,a, b,c\n")


def test_many_columns_are_no_problem() -> None:
    names = [f"c{number}" for number in range(10_000)]
    assert csv_table(",".join(names) + "\n").columns == tuple(names)


def test_a_row_with_other_cells_than_the_header_is_bad_and_named_by_its_line() -> None:
    assert told(csv_table('a,b\n1,2\n"x",2,3\n4\n5,6\n')) == [
        ["1", "2"],
        "line 3 has 3 cells and the header has 2",
        "line 4 has 1 cells and the header has 2",
        ["5", "6"],
    ]


def test_a_line_that_is_not_csv_is_bad_and_the_next_one_is_read() -> None:
    rows = told(csv_table('a,b\n1,2\n"3"x,4\n5,6\n'))
    assert rows == [["1", "2"], "line 3 is not CSV: ',' expected after '\"'", ["5", "6"]]


def test_a_cell_may_be_huge() -> None:
    huge = "x" * (csv.field_size_limit() + 1)
    assert told(csv_table(f'a,b\n{huge},1\n"{huge}",2\n3,4\n')) == [[huge, "1"], [huge, "2"], ["3", "4"]]


@pytest.mark.parametrize("line", [1, 2, 3, 40, 5000])
def test_a_file_that_is_not_utf_8_is_an_error_that_names_the_line(line: int) -> None:
    lines = [b"name,town", *[b'ann,"L\xc3\xa9s Arcs"'] * 6000]
    lines[line - 1] = b"na\xefve,x"
    with pytest.raises(SourceError, match=rf"people\.csv: line {line} is not UTF-8; save") as caught:
        told(csv_table(b"\n".join(lines)))
    assert "ann" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_rows_before_one_that_is_not_utf_8_are_read() -> None:
    table = csv_table(b"a\n" + b"1\n" * 100_000 + b"\xff\n")
    assert len(list(itertools.islice(table.rows, 90_000))) == 90_000
    with pytest.raises(SourceError):
        list(table.rows)


def test_a_header_that_is_not_csv_is_an_error() -> None:
    with pytest.raises(SourceError, match="line 1 is not CSV"):
        csv_table('"a"x,b\n1,2\n')


def test_a_file_is_read_as_it_is_used_and_not_at_once() -> None:
    class Counting(io.BytesIO):
        given = 0

        def read(self, size: int | None = -1, /) -> bytes:
            chunk = super().read(size)
            self.given += len(chunk)
            return chunk

    stream = Counting(b"a,b\n" + b"1,2\n" * 500_000)
    table = read_csv(stream, "people.csv")
    next(table.rows)
    assert stream.given < 100_000


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=6))
def test_whatever_is_written_as_csv_is_read_back(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    kept = [row for row in rows if any(map(str.strip, row))]
    assert [list(row) for row in csv_table(out.getvalue()).rows] == [[clean(cell) for cell in row] for row in kept]


def clean(cell: str) -> str:
    return "" if cell.strip(" ") in NULL_VALUES else cell


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_csv_reader(content: bytes) -> None:
    try:
        table = csv_table(content)
        assert all(isinstance(row, BadRow) or len(row) == len(table.columns) for row in table.rows)
    except (SourceError, ColumnError):
        pass


# -- rows by column --

plain_cells = st.text(st.characters(codec="utf-8", exclude_characters='\0,"'), max_size=4)


def taken(content: str, most: int) -> list[Any]:
    """Read all rows some at a time, as uploads do."""
    table, rows = csv_table(content), []
    while some := table.take(most, []):
        rows += [row.reason if isinstance(row, BadRow) else list(row) for row in some]
    return rows


@given(
    st.lists(
        st.lists(st.one_of(plain_cells, st.just('"q"'), st.just('"a\nb"'), st.just('x"')), max_size=4), max_size=9
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.integers(1, 4),
)
def test_rows_read_some_at_a_time_are_those_read_one_by_one(
    rows: list[list[str]], end: str, ended: bool, most: int
) -> None:
    content = end.join(["a,b", *map(",".join, rows)]) + (end if ended else "")
    assert taken(content, most) == told(csv_table(content))


def test_plain_lines_never_become_rows() -> None:
    table = csv_table("a,b\n1,2\n3,4\n5,6\n")
    assert not table.is_empty()  # the first one is looked at, and left where it is
    assert [*table.take(1, [])] == [("1", "2")]
    block = table.take(9, [])
    assert isinstance(block, TextBlock)
    assert block.columns == [["3", "5"], ["4", "6"]]
    assert [*block] == [("3", "4"), ("5", "6")]
    assert block[1] == ("5", "6")
    assert list(block[1:]) == [("5", "6")]


def test_rows_have_one_fingerprint_however_they_are_held() -> None:
    assert fingerprints(TextBlock([["1", "3"], ["2", "4"]])) == fingerprints([["1", "2"], ("3", "4")])


def test_a_file_that_is_not_utf8_tells_its_line_after_plain_lines_as_well() -> None:
    table = csv_table(b"a,b\n" + b"1,2\n" * 20_000 + b"\xff,2\n")
    for _ in range(6):
        assert len(table.take(3000, [])) == 3000
    begun: list[Any] = []
    with pytest.raises(SourceError, match="line 20002 is not UTF-8"):
        table.take(3000, begun)
    assert 0 < len(begun) <= 2000  # what was read by then is known


def test_lines_are_counted_through_plain_batches() -> None:
    lines = ["1,2"] * 5 + ['"x"y,2'] + ["1,2"] * 5 + ["1"]
    assert [row for row in taken("a,b\n" + "\n".join(lines) + "\n", 3) if isinstance(row, str)] == [
        "line 7 is not CSV: ',' expected after '\"'",
        "line 13 has 1 cells and the header has 2",
    ]


# -- NDJSON --


def test_an_ndjson_file_has_an_object_a_line() -> None:
    table = ndjson_table('{"email": "a@x.com", "points": 7}\n\n{"points": null, "email": "b@x.com"}')
    assert table.columns == ("email", "points")
    assert told(table) == [["a@x.com", 7], ["b@x.com", None]]


def test_what_a_line_does_not_have_is_missing_and_not_blank() -> None:
    assert told(ndjson_table('{"a": 1, "b": ""}\n{"a": 2}\n')) == [[1, ""], [2, MISSING]]


def test_the_columns_may_be_told() -> None:
    assert told(ndjson_table('{"b": 1}\n', ["a", "b"])) == [[MISSING, 1]]
    assert ndjson_table("", ["a", "b"]).columns == ("a", "b")


def test_an_ndjson_file_may_begin_with_a_byte_order_mark() -> None:
    assert told(ndjson_table(b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n')) == [[1], [2]]


def test_a_number_that_python_wrote_as_none_is_nothing() -> None:
    lines = ['{"a": "NaN", "b": NaN}', '{"a": "x", "b": [NaN, {"c": NaN}]}', '{"a": "y", "b": 7}']
    assert told(ndjson_table("\n".join(lines))) == [["NaN", None], ["x", [None, {"c": None}]], ["y", 7]]


@pytest.mark.parametrize("content", ['{"a": 1}\n{"a": 2}\n\x1a', '{"a": 1}\n{"a": 2}\n\x1a\r\n'])
def test_the_mark_at_the_end_of_an_old_file_is_no_object(content: str) -> None:
    assert told(ndjson_table(content)) == [[1], [2]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": -Infinity}', "line 2 holds -Infinity, which is no JSON number"),
        (b'{"a": NaN', "line 2 is not a JSON object"),
        (b"NaN", "line 2 is not a JSON object"),
        (b'[{"a": NaN}]', "line 2 is not a JSON object"),
        (b'{"a": NaN, "b": "\\ud800"}', "the row holds a value that cannot be written down"),
        (b"{", "line 2 is not a JSON object"),
        (b"[1]", "line 2 is not a JSON object"),
        (b"7", "line 2 is not a JSON object"),
        (b"null", "line 2 is not a JSON object"),
        (b'{"a": 1} x', "line 2 is not a JSON object"),
        (b'{"a": "\xff"}', "line 2 is not UTF-8"),
        (b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "line 2 is not a JSON object"),
        (b'{"a": 1e999}', "line 2 is not a JSON object"),
    ],
)
def test_a_broken_line_is_bad_and_named_and_the_others_are_read(line: bytes, reason: str) -> None:
    assert told(ndjson_table(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')) == [[1], reason, [3]]


def test_broken_lines_before_the_first_good_one_are_rows_as_well() -> None:
    table = ndjson_table('{\n{\n{"a": 1}\n')
    assert table.columns == ("a",)
    assert told(table) == ["line 1 is not a JSON object", "line 2 is not a JSON object", [1]]


@pytest.mark.parametrize("lines", [1, 5000])
def test_a_file_of_which_nothing_can_be_read_is_an_error(lines: int) -> None:
    with pytest.raises(SourceError, match=r"people\.ndjson: nothing in it can be read: line .* is not a JSON object"):
        ndjson_table("email,name\n" * lines)


def test_where_the_columns_are_told_even_that_file_is_counted_row_by_row() -> None:
    assert len(told(ndjson_table("x\n" * 5000, ["a"]))) == 5000


def test_an_unknown_column_in_the_first_row_stops_everything() -> None:
    with pytest.raises(ColumnError, match="unknown column 'b', 'c': say in columns="):
        told(ndjson_table('{"a": 1, "c": 2, "b": 3}\n', ["a"]))


def test_an_unknown_column_further_on_makes_one_bad_row() -> None:
    assert told(ndjson_table('{"a": 1}\n{"a": 1, "b": 2}\n{"a": 3}\n')) == [[1], "unknown column 'b'", [3]]


def test_a_bad_row_before_does_not_make_an_unknown_column_acceptable() -> None:
    with pytest.raises(ColumnError):
        told(ndjson_table('{\n{"b": 1}\n', ["a"]))


def test_lines_are_read_as_they_are_used() -> None:
    class Counting(io.BytesIO):
        lines = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            self.lines += 1
            return super().readline(-1 if size is None else size)

    stream = Counting(b'{"a": 1}\n' * 10_000)
    table = read_ndjson(stream, "people.ndjson")
    next(table.rows)
    assert stream.lines < 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), json_values), min_size=1, max_size=5))
def test_whatever_is_written_as_ndjson_is_read_back(rows: list[dict[str, Any]]) -> None:
    table = ndjson_table("".join(json.dumps(row) + "\n" for row in rows), ["a", "b", "c"])
    assert [as_source(table.columns, row) for row in table.rows] == rows


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_ndjson_reader(content: bytes) -> None:
    try:
        rows = list(ndjson_table(content).rows)
    except (SourceError, ColumnError):
        return
    assert len(rows) <= content.count(b"\n") + 1


# -- lists --


def test_dictionaries_have_all_columns_that_occur() -> None:
    table = read_mappings([{"a": 1}, {"b": 2}], "the list of rows")
    assert table.columns == ("a", "b")
    assert told(table) == [[1, MISSING], [MISSING, 2]]


def test_no_dictionaries_are_no_rows() -> None:
    table = read_mappings([], "the list of rows")
    assert (table.columns, told(table)) == ((), [])


def cyclic() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["a", 1], "the row is not a dictionary"),
        (None, "the row is not a dictionary"),
        ({"a": "\ud800"}, "the row holds a value that cannot be written down"),
        ({"a": ["x", {"y": "\udc00"}]}, "the row holds a value that cannot be written down"),
        ({"a": cyclic()}, "the row holds a value that cannot be written down"),
        ({"a": 10**5000}, "the row holds a value that cannot be written down"),
    ],
)
def test_what_is_no_row_is_a_bad_one(row: Any, reason: str) -> None:
    assert told(read_mappings([{"a": 1}, row, {"a": 3}], "the list of rows")) == [[1], reason, [3]]


def test_an_integer_of_any_size_is_a_value() -> None:
    (row,) = read_mappings([{"a": 2**100}], "the list of rows").rows
    assert list(row) == [2**100]
    assert fingerprint(row)


# -- rows as such --


def test_a_row_is_given_back_as_its_source_has_it() -> None:
    assert as_source(("a", "b", "c"), (1, MISSING, None)) == {"a": 1, "c": None}
    assert as_source(("a",), BadRow("broken")) is None


def test_a_missing_value_says_so_when_it_is_shown() -> None:
    assert repr(MISSING) == "MISSING"


@given(st.lists(st.lists(json_values, min_size=1, max_size=3), min_size=2, max_size=2))
def test_two_rows_have_one_fingerprint_only_if_they_are_the_same(rows: list[list[Any]]) -> None:
    one, other = rows
    assert (fingerprint(one) == fingerprint(other)) == (repr(one) == repr(other))
