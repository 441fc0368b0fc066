"""What an author writes in a DAG to say where rows come from.

Nothing is opened and nothing heavy is imported until a task runs: these objects live in DAG files, which Airflow
parses every half minute.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_esp.delivery.null_words import NULL_VALUES, check_null_values
from airflow_provider_esp.personal import is_open, without_secrets
from airflow_provider_esp.sql_source import SqlSource

if TYPE_CHECKING:
    from airflow_provider_esp.delivery.rows import Table

__all__ = ["NULL_VALUES", "FileSource", "ListSource", "Source", "SqlSource"]

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
        from airflow_provider_esp.delivery.formats import format_of, open_rows
        from airflow_provider_esp.delivery.null_values import reading

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
        """Give the number of rows where it is known without reading them (Parquet), else None."""
        from airflow_provider_esp.delivery.formats import count_rows, format_of

        kind = format_of(self.path, self.format, self.compression).kind
        if kind != "parquet":
            return None  # not worth opening a file that may be far away
        with self._stream() as stream:
            return count_rows(stream, kind, self.origin)

    @contextmanager
    def _stream(self) -> Iterator[IO[bytes]]:
        from airflow_provider_esp.delivery.errors import SourceError

        try:
            stream = storage_path(self.path).open("rb")
        except FileNotFoundError:
            raise SourceError(
                f"{without_secrets(self.path)}: there is no such file; check the path, and that this worker sees it."
            ) from None
        except IsADirectoryError:
            raise SourceError(f"{without_secrets(self.path)}: this is a folder; name a file in it.") from None
        except PermissionError:
            raise SourceError(f"{without_secrets(self.path)}: this worker may not read it.") from None
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


class ListSource:
    """Rows that are in memory already: a list of dictionaries, given in the DAG or through an XCom.

    They are people's addresses, so what Airflow stores and shows of them is only how many there are.

    :param rows: the dictionaries.
    :param null_values: words that mean that there is no value; None for the usual ones, `NULL_VALUES`.
    :raises ValueError: these are no words.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, null_values: Collection[str] | None = None) -> None:
        self.rows = rows
        self.null_values = check_null_values(null_values)

    def __repr__(self) -> str:
        return f"{len(self.rows)} rows"

    __str__ = __repr__

    @property
    def origin(self) -> str:
        """What messages call it."""
        return "the list of rows"

    def count(self) -> int:
        """Give the number of rows."""
        return len(self.rows)

    @contextmanager
    def open(self, columns: Sequence[str] | None = None) -> Iterator[Table]:
        """Hand the rows out.

        :param columns: keys to expect; None for all that occur.
        """
        from airflow_provider_esp.delivery.null_values import reading
        from airflow_provider_esp.delivery.rows import read_mappings

        with reading(self.null_values, self.origin) as nulls:
            yield nulls.applied_to(read_mappings(self.rows, self.origin, columns))


Source = FileSource | ListSource | SqlSource


class SourceAttribute:
    """An operator's ``source``, which wraps rows the moment they are assigned.

    Airflow renders templates and resolves XComs by assigning to the attribute, then shows and stores what is there:
    wrapped rows show as their number, whichever way they came.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, operator: Any, owner: type | None = None) -> Any:
        return self if operator is None else getattr(operator, self._name)

    def __set__(self, operator: Any, value: Any) -> None:
        setattr(operator, self._name, wrapped(value))


def wrapped(value: Any) -> Any:
    """Make a source of what an author gave: rows into a `ListSource`, a path into a `FileSource`.

    What is not known yet (an XCom, a template) is left as it is.
    """
    if isinstance(value, list | tuple) and not any(_is_reference(item) for item in value):
        return ListSource(value)
    if isinstance(value, str) and not is_open(value) and without_secrets(value) != value:
        return FileSource(value)  # Airflow stores and shows a text as it is, and this one is signed or holds a login
    return value


def _is_reference(item: object) -> bool:
    return hasattr(item, "resolve") and hasattr(item, "operator")


def source_of(value: Any) -> Source:
    """Give the source that a task runs with, once everything is rendered.

    :raises TypeError: it is nothing that rows can come from.
    """
    if isinstance(value, str | os.PathLike):
        return FileSource(str(value))
    if isinstance(value, Source):
        return value
    raise TypeError(
        f"source= takes a path, a FileSource, a SqlSource, or a list of dictionaries, not a {type(value).__name__}."
    )


_FILE_SYSTEMS = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "s3a": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "gcs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
    "adl": "apache-airflow-providers-microsoft-azure",
    "sftp": "apache-airflow-providers-sftp[sshfs]",
}
"""Which package teaches Airflow's `ObjectStoragePath` a scheme."""


def storage_path(path: str) -> Any:
    """Make Airflow's `ObjectStoragePath`, for local paths as well.

    :raises SourceError: no installed package knows the scheme; it is named.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_esp.delivery.errors import SourceError

    try:
        made = ObjectStoragePath(path if "://" in path else f"file://{_absolute(path)}")
        _ = made.fs  # where the package is looked for
    except (ValueError, ImportError) as error:
        if isinstance(error, ValueError) and "filesystem" not in str(error):
            raise
        scheme = path.partition("://")[0]
        package = _FILE_SYSTEMS.get(scheme)
        advice = f"pip install '{package}'" if package else "install the provider that brings it, or correct the scheme"
        raise SourceError(
            f"{_shown(path)}: this worker cannot reach {scheme}:// ({str(error).splitlines()[0]}): {advice}."
        ) from None
    return made


def _shown(path: str) -> str:
    """Return a path without a login or signature that it may hold."""
    scheme, separator, rest = path.partition("://")
    return f"{scheme}{separator}{rest.partition('?')[0].rpartition('@')[2]}"


def _absolute(path: str) -> str:
    from pathlib import Path

    return str(Path(path).expanduser().absolute())
