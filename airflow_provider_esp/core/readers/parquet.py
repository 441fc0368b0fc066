"""Rows out of a Parquet file, a batch of records at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from airflow_provider_esp.core.readers.arrow_values import values_of
from airflow_provider_esp.core.readers.parquet_limits import runs_of
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.exceptions import ColumnError, SourceError
from airflow_provider_esp.utils.redaction import redact

_CELLS_AT_ONCE = 48_000
_READ_AHEAD = 1 << 20


def read_parquet(stream: IO[bytes], origin: str) -> Table:
    """Read the rows of a Parquet file; times finer than microseconds are cut to them.

    :param stream: one that can seek: what it holds is read from its end.
    :param origin: what messages call it.
    :raises SourceError: pyarrow is not installed; it is not Parquet, or damaged, or would need too much memory (also
        while reading).
    :raises ColumnError: two columns have one name.
    """
    file = _opened(stream, origin)
    columns = tuple(file.schema_arrow.names)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ColumnError(f"{origin}: two columns are called {', '.join(map(repr, twice))}; rename one of them.")
    return Table(columns, _rows(file, stream, len(columns), origin), origin)


def count_parquet(stream: IO[bytes], origin: str) -> int:
    """Return how many rows a Parquet file has, without reading them.

    :raises SourceError: pyarrow is not installed, or it is not Parquet.
    """
    return int(_opened(stream, origin).metadata.num_rows)


def _opened(stream: IO[bytes], origin: str) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SourceError(f"{origin}: Parquet needs a package: pip install 'airflow-provider-esp[parquet]'.") from None
    if not stream.seekable():
        raise SourceError(f"{origin}: Parquet is read from its end, and this stream cannot go there; copy it first.")
    try:
        # A buffer for each column, instead of all that the file holds of it between two row groups.
        return ParquetFile(stream, buffer_size=_READ_AHEAD, pre_buffer=False)
    except _failures() as error:
        raise _damaged(origin, error) from None


def _rows(file: Any, stream: IO[bytes], width: int, origin: str) -> Iterator[tuple[Any, ...]]:
    read = 0
    batches = _batches(file, stream, max(1, _CELLS_AT_ONCE // max(1, width)), origin)
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            values = [values_of(column) for column in batch.columns]
        except _failures() as error:
            raise _damaged(origin, error, f" after row {read:,}") from None
        yield from zip(*values, strict=True) if values else [()] * batch.num_rows
        read += batch.num_rows


def _batches(file: Any, stream: IO[bytes], rows: int, origin: str) -> Iterator[Any]:
    for size, groups in runs_of(file, stream, rows, origin):
        yield from file.iter_batches(batch_size=size, row_groups=groups, use_threads=False)


def _failures() -> tuple[type[Exception], ...]:
    from pyarrow import ArrowException

    return (ArrowException, OSError, ValueError)


def _damaged(origin: str, error: Exception, where: str = "") -> SourceError:
    words = redact(f"{type(error).__name__}: {error}")
    return SourceError(
        f"{origin}: it cannot be read as Parquet{where} ({words}); see that it is whole, or make it again."
    )
