"""Files of rows in every format, plain and compressed."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import gzip
import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.compression import Compression, decompressed
from airflow_provider_esp.core.readers.formats import Format, Kind, count_rows, format_of, open_rows
from airflow_provider_esp.exceptions import ColumnError, SourceError

PACK: dict[Compression | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
compressions: pytest.MarkDecorator = pytest.mark.parametrize("compression", ["gzip", "zstd"])


def parquet(**columns: Any) -> io.BytesIO:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream


def rows_of(stream: io.BytesIO, kind: Kind = "parquet") -> list[Any]:
    return list(open_rows(stream, kind, None, "the file").rows)


# --- the format -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "compression"),
    [
        ("customers.csv", "csv", None),
        ("s3://conn@bucket/a.b/customers.2026.TSV", "tsv", None),
        ("events.ndjson.zst", "ndjson", "zstd"),
        ("events.jsonl.gz", "ndjson", "gzip"),
        ("customers.csv.GZ", "csv", "gzip"),
        ("x.parquet", "parquet", None),
        ("x.snappy.parquet", "parquet", None),
    ],
)
def test_the_name_tells_the_format(name: str, kind: Kind, compression: Compression | None) -> None:
    assert format_of(name) == Format(kind, compression)


def test_what_the_author_says_counts_more_than_the_name() -> None:
    assert format_of("export.csv.gz", "tsv", "none") == ("tsv", None)
    assert format_of("export", "csv", "zstd") == ("csv", "zstd")
    assert format_of("export.gz", "csv") == ("csv", "gzip")


@pytest.mark.parametrize("name", ["export", "export.xlsx", "export.gz", "a.csv/export", ".csv.d"])
def test_a_name_that_does_not_tell_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match="say format="):
        format_of(name)


def test_parquet_inside_gzip_is_refused() -> None:
    with pytest.raises(SourceError, match="unpack the gzip"):
        format_of("x.parquet.gz")


@given(st.text(max_size=30))
def test_any_name_tells_or_is_refused(name: str) -> None:
    try:
        kind, compression = format_of(name)
    except SourceError:
        return
    assert kind in ("csv", "tsv", "ndjson", "parquet")
    assert compression in (None, "gzip", "zstd")


TEXTS: dict[Kind, bytes] = {
    "csv": b"id,name\n1,Ann\n2,Bob\n",
    "tsv": b"id\tname\n1\tAnn\n2\tBob\n",
    "ndjson": b'{"id":"1","name":"Ann"}\n{"id":"2","name":"Bob"}\n',
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("compression", PACK)
def test_rows_are_the_same_in_every_format_and_compression(kind: Kind, compression: Compression | None) -> None:
    stream = io.BytesIO(PACK[compression](TEXTS[kind]))
    table = open_rows(stream, kind, compression, "the file")
    assert table.columns == ("id", "name")
    assert [tuple(row) for row in table.rows] == [("1", "Ann"), ("2", "Bob")]


def test_only_parquet_says_how_many_rows_it_has() -> None:
    assert count_rows(parquet(id=range(70_000)), "parquet", "the file") == 70_000
    assert count_rows(io.BytesIO(TEXTS["csv"]), "csv", "the file") is None


# --- compressed -------------------------------------------------------------------------------------------------------


@compressions
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=4), ask=st.integers(1, 100))
def test_what_was_compressed_comes_back_however_many_parts_it_has(
    compression: Compression, parts: list[bytes], ask: int
) -> None:
    stream = decompressed(io.BytesIO(b"".join(map(PACK[compression], parts))), compression, "the file")
    assert b"".join(iter(lambda: stream.read(ask), b"")) == b"".join(parts)


@compressions
def test_a_long_file_comes_back(compression: Compression) -> None:
    content = json.dumps(list(range(400_000))).encode()
    assert decompressed(io.BytesIO(PACK[compression](content)), compression, "the file").read() == content


@compressions
@pytest.mark.parametrize("parts", [1, 2])
def test_a_file_cut_off_anywhere_is_an_error_and_never_a_short_file(compression: Compression, parts: int) -> None:
    part = PACK[compression](b"id,name\n" + b"1,Ann\n" * 50)
    for length in range(len(part) * (parts - 1) + 1, len(part) * parts):
        stream = decompressed(io.BytesIO((part * parts)[:length]), compression, "the file")
        with pytest.raises(SourceError, match="cut off"):
            stream.read()


@compressions
def test_a_file_of_nothing_is_cut_off_too(compression: Compression) -> None:
    with pytest.raises(SourceError, match="cut off"):
        decompressed(io.BytesIO(), compression, "the file").read()


@compressions
def test_an_empty_file_that_was_compressed_is_empty(compression: Compression) -> None:
    assert decompressed(io.BytesIO(PACK[compression](b"")), compression, "the file").read() == b""


@compressions
def test_what_is_not_compressed_that_way_is_an_error_for_whoever_reads_the_rows(compression: Compression) -> None:
    with pytest.raises(SourceError, match=f"not a {compression} file"):
        open_rows(io.BytesIO(TEXTS["csv"]), "csv", compression, "the file")


@compressions
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_file_is_an_error_or_reads_as_it_was(compression: Compression, at: int, byte: int) -> None:
    content = b"id,name\n" + b"".join(b"%d,Ann\n" % number for number in range(300))
    checked = zstandard.ZstdCompressor(write_checksum=True).compress if compression == "zstd" else gzip.compress
    damaged = bytearray(checked(content))
    damaged[at % len(damaged)] = byte
    with contextlib.suppress(SourceError):
        assert decompressed(io.BytesIO(bytes(damaged)), compression, "the file").read() == content


def test_zeros_that_fill_up_a_gzip_file_are_left_out() -> None:
    packed = gzip.compress(b"a") + bytes(40_000) + gzip.compress(b"b") + bytes(512)
    assert decompressed(io.BytesIO(packed), "gzip", "the file").read() == b"ab"


def test_a_zstd_frame_to_be_skipped_is_skipped() -> None:
    skipped = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"xyz"
    packed = PACK["zstd"]
    assert decompressed(io.BytesIO(skipped + packed(b"a") + skipped + packed(b"b")), "zstd", "f").read() == b"ab"


@pytest.mark.parametrize(
    ("module", "kind", "compression", "extra"),
    [("zstandard", "csv", "zstd", "zstd"), ("pyarrow.parquet", "parquet", None, "parquet")],
)
def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, kind: Kind, compression: Compression | None, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SourceError, match=rf"pip install 'airflow-provider-esp\[{extra}\]'"):
        open_rows(io.BytesIO(), kind, compression, "the file")


# --- parquet ----------------------------------------------------------------------------------------------------------


def test_parquet_rows_are_tuples_of_pythons_own_values() -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    stream = parquet(
        id=[1, None],
        name=["Ann", None],
        spent=[decimal.Decimal("1.50"), None],
        at=pa.array([moment, None], pa.timestamp("us", "UTC")),
        day=[moment.date(), None],
        tags=[["a", "b"], None],
        kind=pa.array(["x", None]).dictionary_encode(),
    )
    table = open_rows(stream, "parquet", None, "the file")
    assert table.columns == ("id", "name", "spent", "at", "day", "tags", "kind")
    assert list(table.rows) == [
        (1, "Ann", decimal.Decimal("1.50"), moment, moment.date(), ["a", "b"], "x"),
        (None,) * 7,
    ]


@pytest.mark.parametrize("kind", ["timestamp", "time64", "duration"])
def test_nanoseconds_are_cut_to_microseconds(kind: str) -> None:
    nanoseconds = pa.array([1_001, None], pa.int64()).cast(getattr(pa, kind)("ns"))
    micro = {
        "timestamp": datetime.datetime(1970, 1, 1, microsecond=1),
        "time64": datetime.time(microsecond=1),
        "duration": datetime.timedelta(microseconds=1),
    }
    assert rows_of(parquet(x=nanoseconds)) == [(micro[kind],), (None,)]


def test_every_row_comes_once_over_several_batches_and_row_groups() -> None:
    stream = io.BytesIO()
    pq.write_table(pa.table({"id": range(150_000)}), stream, row_group_size=70_000)
    assert rows_of(stream) == [(number,) for number in range(150_000)]


def test_an_empty_parquet_file_has_columns_and_no_rows() -> None:
    table = open_rows(parquet(id=pa.array([], pa.int64())), "parquet", None, "the file")
    assert (table.columns, list(table.rows)) == (("id",), [])


def test_two_parquet_columns_of_one_name_are_refused() -> None:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"]), stream)
    with pytest.raises(ColumnError, match="called 'id'"):
        rows_of(stream)


def test_what_is_not_parquet_is_an_error() -> None:
    for content in (b"", b"PAR1", TEXTS["csv"]):
        with pytest.raises(SourceError, match="cannot be read as Parquet"):
            rows_of(io.BytesIO(content))


def test_a_parquet_file_that_is_damaged_in_the_middle_says_where() -> None:
    stream = io.BytesIO()
    pq.write_table(pa.table({"id": [str(number) for number in range(200_000)]}), stream, row_group_size=100_000)
    damaged = bytearray(stream.getvalue())
    middle = pq.ParquetFile(stream).metadata.row_group(1).column(0).dictionary_page_offset
    damaged[middle : middle + 2000] = bytes(2000)
    with pytest.raises(SourceError, match=r"after row [0-9,]+ "):
        rows_of(io.BytesIO(bytes(damaged)))


def test_parquet_needs_a_stream_that_can_seek() -> None:
    packed = decompressed(io.BytesIO(gzip.compress(b"")), "gzip", "the file")
    with pytest.raises(SourceError, match="copy it first"):
        open_rows(packed, "parquet", None, "the file")
