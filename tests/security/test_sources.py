"""What a query, a file's address or a message's name may do beyond giving rows."""

from __future__ import annotations

import io
import itertools
import sqlite3
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.delivery.compressed import decompressed
from airflow_provider_esp.delivery.cursor import SourceInterrupted
from airflow_provider_esp.delivery.errors import SourceError
from airflow_provider_esp.delivery.formats import open_rows
from airflow_provider_esp.delivery.query import run_query
from airflow_provider_esp.lineage import tables_of
from airflow_provider_esp.reports.funnel import FunnelRow, as_csv, from_csv
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


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_line_of_800_megabytes_costs_a_few(kind: Literal["csv", "ndjson"], refused: Refused) -> None:
    packed = one_line(kind)

    def read() -> None:
        with pytest.raises(SourceError, match="a line in it is longer than 8 MB"):
            list(open_rows(io.BytesIO(packed), kind, "gzip", "people").rows)

    assert peak_of(read) < 100 * 2**20
    refused("file that unpacks", f"{kind}.gz, one line of 800 MB", "an error at 8 MB")


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
