"""What the first bytes of a delimited file tell: its encoding, and what stands between two cells."""

from __future__ import annotations

import contextlib
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.csv_dialect import DELIMITERS, Layout, delimiter_of, encoding_of, layout_of
from airflow_provider_esp.exceptions import SourceError

LINES = "email{0}name{0}note\nann@example.com{0}Ann{0}\nbob@example.com{0}Bob{0}x\n"


def delimiter(text: str) -> str:
    return delimiter_of(text, "people.csv", whole=True)


@pytest.mark.parametrize("mark", DELIMITERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1251"])
def test_delimiter_and_encoding_are_recognised(mark: str, encoding: str) -> None:
    head = LINES.format(mark).encode(encoding)
    layout = layout_of(head, "people.csv", whole=True)
    assert layout.delimiter == mark
    assert head.decode(layout.encoding) == LINES.format(mark)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised_in_other_letters(encoding: str) -> None:
    assert encoding_of("пошта;ім'я\nann@example.com;Марія-Вероніка\n".encode(encoding)) == encoding


@pytest.mark.parametrize("head", [b"", b"a", b"\0", b"email\n\0@x\n" + b"a@x.com\n" * 9, "пошта;ім'я\n".encode()])
def test_anything_else_is_utf_8(head: bytes) -> None:
    assert encoding_of(head) == "utf-8-sig"


@pytest.mark.parametrize(
    ("named", "head", "codec"),
    [
        ("UTF8", b"\xef\xbb\xbfemail", "utf-8-sig"),
        ("utf-16", b"\xff\xfee\0", "utf-16"),
        ("utf-16-le", b"\xff\xfee\0", "utf-16"),
        ("utf-16-le", b"e\0", "utf-16-le"),
        ("windows-1251", "пошта".encode("cp1251"), "cp1251"),
    ],
)
def test_an_encoding_may_be_named(named: str, head: bytes, codec: str) -> None:
    assert encoding_of(head, named) == codec


@pytest.mark.parametrize(
    ("first", "mark"),
    [("sep=;\n", ";"), ("sep=,\r\n", ","), ('"sep=|"\n', "|"), ("\ufeffSEP=^\n", "^"), ("sep=\t\n", "\t")],
)
def test_the_line_that_spreadsheets_understand_tells_the_delimiter(first: str, mark: str) -> None:
    text = first + LINES.format(mark)
    assert layout_of(text.encode(), "people.csv", whole=True) == Layout("utf-8-sig", mark, 1)
    assert layout_of(text.encode(), "people.csv", delimiter=":", whole=True) == Layout("utf-8-sig", ":", 1)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("", ","),
        ("email\n", ","),
        ("email\nann@example.com\n", ","),
        ("email;name\n", ";"),
        ('"email, or none";name\n', ";"),  # what is quoted divides nothing
        ('email;"first, last";note\na;"b, c";d\n', ";"),
        ("email,tags|labels\na,1\nb,2|3\nc,4|5|6\n", ","),  # the lines have as many commas as the header
        ("email;name, first\na;Ann\nb;Bob, Jr\nc;Cy\n", ";"),
        ("\n\nemail|name\n", "|"),
        ("mailto:ann@example.com\nmailto:bob@example.com\n", ","),  # no header: addresses
        ("email\x1cb;name\n", ";"),
        ("<ann@example.com>\n<bob@example.com>\n", ","),
    ],
)
def test_the_header_and_the_first_lines_tell_the_delimiter(text: str, mark: str) -> None:
    assert delimiter(text) == mark


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a,b;c\n1,2;3\n4,5;6\n", "a comma stands once in the header and as often in 2 of the next 2 lines; a semicol"),
        ("a,b;c\n1\n4\n", "a semicolon stands once in the header and as often in 0 of the next 2 lines"),
        ("email:name\nann@example.com:Ann\n", "':' stands once in it and in each of the next 1 lines"),
        ("email^name^x\na^b^c\nd^e^f\n", r"'^' stands 2 times in it and in each of the next 2 lines"),
        ("email\x01name\na\x01b\n", r"'\x01' stands once"),
    ],
)
def test_what_cannot_be_told_is_asked_for_by_the_arguments_name(text: str, seen: str) -> None:
    with pytest.raises(SourceError) as caught:
        delimiter(text)
    assert str(caught.value).startswith("people.csv: ")
    assert seen in str(caught.value)
    assert "delimiter=" in str(caught.value)
    assert "ann@" not in str(caught.value)


def test_a_line_that_is_cut_at_the_end_of_what_is_looked_at_does_not_count() -> None:
    head = "a;b;c\n1;2;3\n4;5,"
    assert delimiter_of(head, "people.csv") == ";"
    assert delimiter_of("a;b,c", "people.csv") in ";,"


@given(
    st.lists(st.lists(st.text(max_size=6), min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from([*DELIMITERS]),
)
def test_a_header_of_plain_names_tells_the_delimiter_whatever_the_lines_hold(rows: list[list[str]], mark: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=mark).writerows([["email", "name", "note"], *rows])
    assert delimiter(out.getvalue()) == mark


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_crash_it(head: bytes, whole: bool) -> None:
    with contextlib.suppress(SourceError):
        layout = layout_of(head, "people.csv", whole=whole)
        assert head.decode(layout.encoding, "replace") is not None
