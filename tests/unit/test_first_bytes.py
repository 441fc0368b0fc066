"""Files that are not what they are called: what is packed is read, and what holds no rows is named."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.file_type import Peeked
from airflow_provider_esp.exceptions import SourceError
from airflow_provider_esp.sources import FileSource

TEXT = b"email,name\na@x.com,Ann\n"
PACKED = {"gzip": gzip.compress(TEXT), "zstd": zstandard.ZstdCompressor().compress(TEXT), "nothing": TEXT}


def rows(path: Path, content: bytes, **arguments: Any) -> list[list[Any]]:
    path.write_bytes(content)
    with FileSource(str(path), **arguments).open() as table:
        return [list(row) for row in table.rows]


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("name", ["people.csv", "people.csv.gz", "people.csv.zst"])
def test_what_packs_a_file_is_known_by_its_first_bytes(tmp_path: Path, name: str, packed: str) -> None:
    assert rows(tmp_path / name, PACKED[packed]) == [["a@x.com", "Ann"]]


def test_what_the_author_says_is_taken_at_his_word(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a gzip file"):
        rows(tmp_path / "people.csv", TEXT, compression="gzip")


def test_an_empty_file_that_is_called_packed_was_cut_off(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cut off"):
        rows(tmp_path / "people.csv.gz", b"")


def workbook() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"email": ["a@x.com"]}), out)
    return out.getvalue()


@pytest.mark.parametrize("name", ["people.csv", "people.tsv", "people.ndjson", "people.csv.gz"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (workbook(), 'an Excel workbook .* export the sheet as "CSV UTF-8"'),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", 'an old Excel workbook .* "CSV UTF-8"'),
        (parquet(), "a Parquet file; say FileSource"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"BZh91AY&SY\0\0", "packed by bzip2"),
        (b"\xfd7zXZ\x00\x00", "packed by xz"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML>\n<title>Sign in</title>", "a web page"),
        (b"<html lang=en>", "a web page"),
        (b"<?xml version='1.0'?>", "a web page or XML"),
    ],
    # A workbook holds the time at which it was made: parallel workers must call a test the same.
    ids=["workbook", "old workbook", "parquet", "pdf", "bzip2", "xz", "page", "html", "xml"],
)
def test_what_holds_no_rows_is_named(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    whole = gzip.compress(content) if name.endswith("gz") else content
    with pytest.raises(SourceError, match=rf"^{name}: this is {what}"):
        rows(tmp_path / name, whole)


@pytest.mark.parametrize("first", ["PAR1", "BZhang", "PK", "%PDF", "<ann>"])
def test_text_may_begin_as_other_files_do(tmp_path: Path, first: str) -> None:
    assert rows(tmp_path / "people.csv", f"{first},b\n1,2\n".encode()) == [["1", "2"]]


@given(st.binary(max_size=2000), st.lists(st.integers(-1, 700), max_size=9))
def test_looking_ahead_takes_nothing_away(content: bytes, sizes: list[int]) -> None:
    peeked = Peeked(io.BytesIO(content))
    assert peeked.head == content[:512]
    read = b"".join(peeked.read(size) for size in sizes) + peeked.read()
    assert read == content
