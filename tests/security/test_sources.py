"""What a query, a file's address or a message's name may do beyond giving rows."""

from __future__ import annotations

import gzip
import io
import itertools
import sqlite3
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.analytics.funnel import FunnelRow, as_csv, from_csv
from airflow_provider_esp.core.readers.compression import decompressed
from airflow_provider_esp.core.readers.formats import open_rows
from airflow_provider_esp.core.readers.sql.query import run_query
from airflow_provider_esp.exceptions import SourceError, SourceInterrupted
from airflow_provider_esp.operators._openlineage import tables_of
from airflow_provider_esp.operators._optout_sources import open_optouts
from airflow_provider_esp.sources import FileSource, source_of, wrapped

Refused = Callable[[str, str, str], None]


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("DELETE … RETURNING", "DELETE FROM people RETURNING id"),
        ("VACUUM INTO", "VACUUM INTO '{file}'"),
        ("ATTACH", "ATTACH '{file}' AS other"),
        ("PRAGMA", "PRAGMA user_version = 7"),
        ("CREATE TABLE AS", "CREATE TABLE copy AS SELECT * FROM people"),
        ("load_extension", "SELECT load_extension('{file}')"),
    ],
)
@pytest.mark.parametrize("key", [None, "id"])
def test_a_query_of_sqlite_only_reads(
    name: str, statement: str, key: str | None, tmp_path: Path, refused: Refused
) -> None:
    database, file = tmp_path / "people.db", tmp_path / "made"
    with sqlite3.connect(database) as setup:
        setup.execute("CREATE TABLE people (id INT)")
        setup.execute("INSERT INTO people VALUES (1)")
    setup.close()
    before = database.read_bytes()
    with (
        pytest.raises(SourceError, match="database refused the query" if key else "this would change data") as caught,
        run_query(sqlite3.connect(database), statement.format(file=file), None, key, "the query") as table,
    ):
        list(table.rows)
    assert key or not isinstance(caught.value, SourceInterrupted)  # another try would meet the same
    assert database.read_bytes() == before
    assert not file.exists()
    refused("query that changes data", f"SQLite: {name}", "refused, nothing changed")


def test_an_ordinary_query_of_sqlite_still_runs(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "people.db")
    connection.execute("CREATE TABLE people (id INT, email TEXT)")
    connection.execute("INSERT INTO people VALUES (2, 'b@example.com'), (1, 'a@example.com')")
    connection.commit()
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2) "
        "SELECT id, upper(email) AS email FROM people JOIN n ON n.i = id"
    )
    with run_query(connection, sql, None, "id", "the query") as table:
        assert list(table.rows) == [(1, "A@EXAMPLE.COM"), (2, "B@EXAMPLE.COM")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM crm WHERE note = 'mail from ann@example.com'",
        "SELECT 1 FROM crm WHERE note = 'join bob'",
        "SELECT 1 FROM crm WHERE note = $x$ from ann $x$",
        "SELECT 1 FROM crm WHERE note = 'it''s from ann'",
        "SELECT 1 FROM crm -- from ann",
        "SELECT extract(day FROM 380501234567), 1 FROM crm",
    ],
)
def test_a_person_in_a_query_is_no_table(sql: str, refused: Refused) -> None:
    assert tables_of(sql) == ["crm"]
    refused("secret or person quoted", "a person in SQL: lineage", "left out")


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", "'=1", "Black Friday"])
def test_a_message_whose_name_is_a_formula_is_text_in_a_spreadsheet(name: str, refused: Refused) -> None:
    rows = [FunnelRow(name, "sent", 1, 10, 1.0, 1.0)]
    text = as_csv(rows)
    cell = text.splitlines()[1].strip('"')
    assert cell.startswith(name if name == "Black Friday" else "'")
    assert from_csv(text) == rows
    refused("query that changes data", "a formula as a name in CSV", "marked as text")


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/people.csv?X-Amz-Signature=secret-signature",
        "HTTPS://U:secret-signature@files.example/people.csv",
        "https://files.example/people.csv#secret-signature",
        "http://a@b:secret-signature@files.example/people.csv",
    ],
)
def test_a_signed_address_of_a_file_is_never_shown_whole(url: str, refused: Refused) -> None:
    source = FileSource(url, format="csv")
    told = f"{source!r} {source} {source.origin} {wrapped(url)!r}"
    assert "secret-signature" not in told
    assert "people.csv" in source.origin
    assert source_of(wrapped(url)).path == url  # type: ignore[union-attr]  # it is a FileSource
    refused("secret or person quoted", "a signed URL as a source", "shown without it")


@pytest.mark.parametrize(
    "path", ["/data/people.csv", "s3://crm@bucket/people.csv", "/data/what?.csv", "{{ var.value.x }}"]
)
def test_any_other_path_stays_as_it_is(path: str) -> None:
    assert wrapped(path) == path
    assert repr(FileSource(path, format="csv")) == f"FileSource({path!r})"


# -- small files that become large ones


def peak_of(work: Callable[[], object]) -> int:
    """Return the most memory that Python held while it worked, in bytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def one_line(kind: str) -> bytes:
    """Make a file of a few kilobytes with one line of 800 MB in it, behind an ordinary row."""
    heads = {"csv": b"email,name\nann@example.com,Ann\nbob@example.com,", "ndjson": b'{"n": "x"}\n{"n": "'}
    blocks = itertools.chain([heads[kind]], itertools.repeat(b"x" * 2**20, 800))
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(map(packer.compress, blocks)) + packer.flush()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_line_of_800_megabytes_costs_a_few(kind: Literal["csv", "ndjson"], refused: Refused) -> None:
    packed = one_line(kind)

    def read() -> None:
        with pytest.raises(SourceError, match="a line in it is longer than 8 MB"):
            list(open_rows(io.BytesIO(packed), kind, "gzip", "people").rows)

    assert peak_of(read) < 100 * 2**20
    refused("file that unpacks", f"{kind}.gz, one line of 800 MB", "an error at 8 MB")


@pytest.mark.slow
def test_a_few_bytes_of_zstd_do_not_become_gigabytes_at_once(refused: Refused) -> None:
    packed = zstandard.ZstdCompressor(level=19).compress(b"email\n" + b"\n" * (512 * 2**20))
    assert len(packed) < 100_000
    stream = decompressed(io.BytesIO(packed), "zstd", "people")
    assert peak_of(lambda: [None for _ in iter(lambda: stream.read(2**16), b"")]) < 64 * 2**20
    refused("file that unpacks", "zstd: 512 MB in a few KB", "a little at a time")


@given(st.lists(st.binary(max_size=3000), max_size=4), st.integers(1, 700))
def test_zstd_is_read_the_same_however_it_is_cut(parts: list[bytes], size: int) -> None:
    packed = b"".join(map(zstandard.compress, parts))
    stream = decompressed(io.BytesIO(packed), "zstd", "people") if packed else io.BytesIO()
    assert b"".join(iter(lambda: stream.read(size), b"")) == b"".join(parts)


# -- Parquet that says much in a few bytes


def repeated(value: str | bytes, times: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([value]))


def parquet_file(column: Any, **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    pq.write_table(pa.table({"email": ["ann@example.com"] * len(column), "x": column}), stream, **options)
    assert len(stream.getvalue()) < 20_000
    stream.seek(0)
    return stream


@pytest.mark.parametrize("inside", [False, True], ids=["column", "struct"])
def test_a_long_text_that_parquet_repeats_is_read_a_few_rows_at_once(inside: bool, refused: Refused) -> None:
    column = repeated("x" * 2**20, 600)
    file = parquet_file(pa.StructArray.from_arrays([column], ["y"]) if inside else column, compression="zstd")
    held: list[int] = []

    def read() -> None:
        held.append(0)
        for row in open_rows(file, "parquet", None, "people").rows:
            assert len(row[1]["y"] if inside else row[1]) == 2**20
            held[0] += 1

    before = pa.default_memory_pool().max_memory()
    assert peak_of(read) < 200 * 2**20
    assert pa.default_memory_pool().max_memory() < max(before, 300 * 2**20)
    assert held == [600]
    refused("file that unpacks", "Parquet: 1 MB text in each row", "a few rows at once")


@pytest.mark.parametrize(
    ("name", "column", "dictionary", "words"),
    [
        ("a cell of 9 MB", lambda: repeated("x" * 9 * 2**20, 3000), True, "has a value of 9,437,184 bytes"),
        (
            "a list of 100 GB",
            lambda: pa.ListArray.from_arrays(pa.array([0, 100_000], pa.int32()), repeated("x" * 2**20, 100_000)),
            True,
            r"would unpack from .* to 104,857,600,000",
        ),
        ("120 MB from 4 KB", lambda: pa.array(["x" * 3 * 2**20] * 40), False, "would unpack from"),
        ("bytes of 9 MB", lambda: repeated(b"x" * 9 * 2**20, 3000), True, "has a value of 9,437,184 bytes"),
    ],
    ids=["cell", "list", "page", "bytes"],
)
def test_parquet_that_would_fill_the_memory_is_refused(
    name: str, column: Callable[[], Any], dictionary: bool, words: str, refused: Refused
) -> None:
    file = parquet_file(column(), compression="zstd", use_dictionary=dictionary)
    with pytest.raises(SourceError, match=words) as caught:
        list(open_rows(file, "parquet", None, "people").rows)
    assert str(caught.value).startswith("people: column 'x")
    refused("file that unpacks", f"Parquet: {name}", "one sentence")


def test_an_ordinary_parquet_file_is_read_whole() -> None:
    rows = 200_000
    table = pa.table(
        {
            "email": [f"a{at}@example.com" for at in range(rows)],
            "city": ["Kyiv"] * rows,
            "tags": [["a", "b"]] * rows,
            "note": pa.nulls(rows, pa.string()),
        }
    )
    stream = io.BytesIO()
    pq.write_table(table, stream, row_group_size=70_000)
    stream.seek(0)
    read = list(open_rows(stream, "parquet", None, "people").rows)
    assert len(read) == rows
    assert read[-1] == (f"a{rows - 1}@example.com", "Kyiv", ["a", "b"], None)


# -- lists of opt-outs, which have a reader of their own


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_line_of_800_megabytes_in_a_list_of_opt_outs_costs_a_few(
    kind: Literal["csv", "ndjson"], tmp_path: Path, refused: Refused
) -> None:
    file = tmp_path / f"optouts.{kind}.gz"
    file.write_bytes(one_line(kind))

    def read() -> None:
        with (
            pytest.raises(SourceError, match="a line in it is longer than 8 MB"),
            open_optouts(FileSource(str(file)), None) as table,
        ):
            list(table.rows)

    assert peak_of(read) < 150 * 2**20
    refused("file that unpacks", f"opt-outs: {kind}.gz of 800 MB", "an error at 8 MB")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"PK\x03\x04\x14\0\x06\0", "Excel workbook"),
        (b"PAR1\x15\x04\x15\0", "a Parquet file"),
        (b"<!DOCTYPE html><title>Log in</title>ann@example.com", "a web page"),
        (b"BZh91AY&SY\0\1", "bzip2"),
    ],
    ids=["xlsx", "parquet", "html", "bzip2"],
)
@pytest.mark.parametrize("name", ["optouts.csv", "optouts.tsv", "optouts.ndjson", "optouts.txt"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_list_of_opt_outs_that_is_no_text_is_named(
    head: bytes, words: str, name: str, packed: bool, tmp_path: Path, refused: Refused
) -> None:
    file = tmp_path / (f"{name}.gz" if packed else name)
    file.write_bytes(gzip.compress(head) if packed else head)
    with pytest.raises(SourceError, match=words), open_optouts(FileSource(str(file)), None) as table:
        list(table.rows)
    refused("file that unpacks", "opt-outs: a workbook, a page", "one sentence")


def test_a_packed_list_of_opt_outs_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    file = tmp_path / "optouts.csv"
    file.write_bytes(gzip.compress(b"email\nann@example.com\n"))
    with open_optouts(FileSource(str(file)), None) as table:
        assert list(table.rows) == [["ann@example.com"]]


@pytest.mark.slow
def test_a_line_of_json_becomes_a_few_times_its_size(refused: Refused) -> None:
    line = b'{"email": "ann@example.com", "x": [' + b",".join([b"[]"] * 2_600_000) + b"]}\n"
    assert len(line) < 8 * 2**20
    assert peak_of(lambda: sum(1 for _ in open_rows(io.BytesIO(line * 3), "ndjson", None, "people").rows)) < 600 * 2**20
    refused("file that unpacks", "ndjson: a line of 2.6 M lists", "one line at a time")
