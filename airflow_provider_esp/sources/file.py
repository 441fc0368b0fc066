"""Rows out of a file.

Nothing is opened and nothing heavy is imported until a task runs: a `FileSource` lives in a DAG file, which Airflow
parses every half minute.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Literal, get_args

from airflow_provider_esp.core.readers.null_words import check_null_values
from airflow_provider_esp.utils.masking import without_secrets
from airflow_provider_esp.utils.paths import storage_path

if TYPE_CHECKING:
    from airflow_provider_esp.core.readers.table import Table

Format = Literal["csv", "tsv", "ndjson", "parquet"]
Compression = Literal["gzip", "zstd", "none"]


class FileSource:
    """Rows in a file: CSV, TSV or NDJSON, also packed by gzip or zstd (extra ``zstd``), or Parquet (extra
    ``parquet``).

    :param path: local, or anything Airflow's `ObjectStoragePath` takes, e.g. ``s3://conn@bucket/customers.csv``.
        Templated.
    :param format: ``csv``, ``tsv``, ``ndjson`` or ``parquet``; None to tell by the name.
    :param compression: ``gzip``, ``zstd`` or ``none``; None to tell by the first bytes.
    :param delimiter: one character between two cells of a CSV file; ``auto`` tells a comma, semicolon, tab or pipe by
        the header and the first lines, and understands Excel's ``sep=;``.
    :param encoding: a codec of Python's, e.g. ``cp1251``; ``auto`` for UTF-8, and UTF-16 or UTF-32 where the first
        bytes show it.
    :param allow_line_breaks: whether a value in quotation marks may span lines in the columns that are used. A mark
        that is never closed, or closed too late, takes other people's rows with it, so by default each of its lines is
        a row of its own.
    :param null_values: words that mean that there is no value; None for the usual ones, `NULL_VALUES`. Add to them
        with ``[*NULL_VALUES, "NULL"]``.
    :raises ValueError: one of them is nothing that exists.
    """

    template_fields: Sequence[str] = ("path",)

    def __init__(
        self,
        path: str,
        format: Format | None = None,
        compression: Compression | None = None,
        *,
        delimiter: str = "auto",
        encoding: str = "auto",
        allow_line_breaks: bool = False,
        null_values: Collection[str] | None = None,
    ) -> None:
        for name, value, known in (("format", format, Format), ("compression", compression, Compression)):
            if value is not None and value not in get_args(known):
                raise ValueError(f"{name} must be {' or '.join(map(repr, get_args(known)))}, not {value!r}.")
        _check_delimiter(delimiter)
        _check_encoding(encoding)
        self.path = path
        self.format = format
        self.compression = compression
        self.delimiter = delimiter
        self.encoding = encoding
        self.allow_line_breaks = allow_line_breaks
        self.null_values = check_null_values(null_values)

    def __repr__(self) -> str:
        return f"FileSource({without_secrets(self.path)!r})"

    @property
    def origin(self) -> str:
        """What messages call it: the file's name."""
        return without_secrets(self.path).removesuffix("?***").rsplit("/", 1)[-1]

    @contextmanager
    def open(self, columns: Sequence[str] | None = None) -> Iterator[Table]:
        """Open the file and hand its rows out.

        :param columns: keys to expect where the format has no header; None for those of the first row.
        :raises SourceError: there is no such file, or it cannot be read.
        """
        from airflow_provider_esp.core.readers.formats import format_of, open_rows
        from airflow_provider_esp.core.readers.null_values import reading

        kind, packed = format_of(self.path, self.format, self.compression)
        with self._stream() as stream, reading(self.null_values, self.origin) as nulls:
            yield open_rows(
                stream,
                kind,
                packed,
                self.origin,
                columns,
                compression_is_said=self.compression is not None,
                delimiter=self.delimiter,
                encoding=self.encoding,
                allow_line_breaks=self.allow_line_breaks,
                null_values=nulls,
            )

    def count(self) -> int | None:
        """Return the number of rows where it is known without reading them (Parquet), else None."""
        from airflow_provider_esp.core.readers.formats import count_rows, format_of

        kind = format_of(self.path, self.format, self.compression).kind
        if kind != "parquet":
            return None  # not worth opening a file that may be far away
        with self._stream() as stream:
            return count_rows(stream, kind, self.origin)

    @contextmanager
    def _stream(self) -> Iterator[IO[bytes]]:
        from airflow_provider_esp.exceptions import SourceError

        try:
            stream = storage_path(self.path).open("rb")
        except FileNotFoundError:
            raise SourceError(
                f"{without_secrets(self.path)}: there is no such file; check the path, and that this worker sees it."
            ) from None
        except IsADirectoryError:
            raise SourceError(f"{without_secrets(self.path)}: this is a folder; name a file in it.") from None
        except PermissionError:
            raise SourceError(
                f"{without_secrets(self.path)}: this worker may not read it; allow it to the user that runs Airflow."
            ) from None
        with stream:
            yield stream


def _check_delimiter(delimiter: object) -> None:
    if delimiter != "auto" and not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'):
        raise ValueError(f"delimiter must be one character other than a quotation mark, or 'auto', not {delimiter!r}.")


def _check_encoding(encoding: object) -> None:
    try:
        known = isinstance(encoding, str) and bool(encoding == "auto" or "a".encode(encoding))
    except (LookupError, ValueError):  # no such codec, or one that is not of text
        known = False
    if not known:
        raise ValueError(f"encoding must be a text encoding that Python knows, or 'auto', not {encoding!r}.")
