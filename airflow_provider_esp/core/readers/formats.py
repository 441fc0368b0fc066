"""Which format a file is in, by its name, and its rows: CSV, TSV and NDJSON, also compressed, and Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Literal, NamedTuple, cast

from airflow_provider_esp.core.readers.buffered import in_chunks
from airflow_provider_esp.core.readers.compression import Compression, decompressed
from airflow_provider_esp.core.readers.csv_dialect import AUTO
from airflow_provider_esp.core.readers.csv_reader import read_csv
from airflow_provider_esp.core.readers.file_type import Peeked, compression_of, refuse_others
from airflow_provider_esp.core.readers.null_values import NullValues
from airflow_provider_esp.core.readers.parquet import count_parquet, read_parquet
from airflow_provider_esp.core.readers.table import Table, read_ndjson
from airflow_provider_esp.exceptions import SourceError

Kind = Literal["csv", "tsv", "ndjson", "parquet"]

_KINDS: dict[str, Kind] = {
    "csv": "csv", "tsv": "tsv", "ndjson": "ndjson", "jsonl": "ndjson", "parquet": "parquet", "pq": "parquet",
}  # fmt: skip
_COMPRESSIONS: dict[str, Compression] = {"gz": "gzip", "gzip": "gzip", "zst": "zstd", "zstd": "zstd"}


class Format(NamedTuple):
    """What a file is: the kind of rows, and how they are compressed, if they are."""

    kind: Kind
    compression: Compression | None


def format_of(name: str, kind: Kind | None = None, compression: Compression | Literal["none"] | None = None) -> Format:
    """Tell a file's format, by its name where nobody says.

    :param name: of the file, e.g. ``customers.csv.gz``.
    :param kind: the format that the author says, or None.
    :param compression: what the author says of compression (``none``: it is not compressed), or None.
    :raises SourceError: the name does not tell, or Parquet is compressed from outside.
    """
    endings = name.rsplit("/", 1)[-1].lower().split(".")[1:]
    by_name = _COMPRESSIONS.get(endings[-1]) if endings else None
    if by_name:
        endings.pop()
    packed = by_name if compression is None else None if compression == "none" else compression
    found = kind or (_KINDS.get(endings[-1]) if endings else None)
    if found is None:
        raise SourceError(f"{name}: its name does not tell its format; say format='csv', 'tsv', 'ndjson' or 'parquet'.")
    if found == "parquet" and packed:
        raise SourceError(f"{name}: Parquet is compressed inside; unpack the {packed} around it.")
    return Format(found, packed)


def open_rows(
    stream: IO[bytes],
    kind: Kind,
    compression: Compression | None,
    origin: str,
    columns: Sequence[str] | None = None,
    *,
    compression_is_said: bool = True,
    delimiter: str = AUTO,
    encoding: str = AUTO,
    allow_line_breaks: bool = False,
    null_values: NullValues | None = None,
) -> Table:
    """Read the rows of an open file.

    :param stream: binary; for Parquet one that can seek.
    :param kind: of rows, as `format_of` tells it.
    :param compression: around them, as `format_of` tells it.
    :param origin: what messages call the file.
    :param columns: keys to expect where the format has no header; None for those of the first row.
    :param compression_is_said: whether the author said `compression`; else the first bytes of a text file tell it.
    :param delimiter: of CSV and TSV, or ``auto``.
    :param encoding: of text, or ``auto``.
    :param allow_line_breaks: whether values in a CSV or TSV file may span lines.
    :param null_values: words that mean nothing; None for the usual ones.
    :raises SourceError: it cannot be read as that (also while reading).
    :raises ColumnError: the columns are not what they must be.
    """
    if kind != "parquet":
        stream = text_of(stream, compression, origin, compression_is_said=compression_is_said)
    nulls = NullValues(origin=origin) if null_values is None else null_values
    match kind:
        case "parquet":
            return nulls.applied_to(read_parquet(stream, origin))
        case "ndjson":
            return nulls.applied_to(read_ndjson(in_chunks(stream, origin), origin, columns))
        case "tsv" | "csv":
            between = "\t" if kind == "tsv" and delimiter == AUTO else delimiter
            return read_csv(stream, origin, between, encoding, allow_line_breaks=allow_line_breaks, null_values=nulls)


def text_of(
    stream: IO[bytes], compression: Compression | None, origin: str, *, compression_is_said: bool = True
) -> IO[bytes]:
    """Unpack a text with rows, and see by its first bytes that it is no other thing.

    :param stream: binary.
    :param compression: around it, as `format_of` tells it.
    :param origin: what messages call the file.
    :param compression_is_said: whether the author said `compression`; else the first bytes tell it.
    :raises SourceError: it is a workbook, a web page or the like.
    """
    peeked = Peeked(stream)
    if not compression_is_said and peeked.head:
        compression = compression_of(peeked.head)
    stream = cast(IO[bytes], peeked)
    if compression:
        stream = decompressed(stream, compression, origin)
    peeked = Peeked(stream)
    refuse_others(peeked.head, origin)
    return cast(IO[bytes], peeked)


def count_rows(stream: IO[bytes], kind: Kind, origin: str) -> int | None:
    """Return how many rows an open file has, where that is cheap: None where they would have to be read.

    :raises SourceError: it cannot be read as that.
    """
    return count_parquet(stream, origin) if kind == "parquet" else None
