"""The sources of people to leave out, opened so that nothing in them that names somebody is passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.sources import FileSource, ListSource, Source
from airflow_provider_esp.sources.file import Format
from airflow_provider_esp.stores.optout_counts import source_key
from airflow_provider_esp.utils.masking import without_secrets
from airflow_provider_esp.utils.task_identity import current_task_identity

if TYPE_CHECKING:
    from airflow_provider_esp.core.readers.table import Table


@contextmanager
def open_optouts(source: Source, columns: Sequence[str] | None) -> Iterator[Table]:
    """Open a source of people to leave out.

    :param columns: those that name them, as the author says; None for those that are called so.
    :raises SourceError: there is no such file, or it cannot be read as what it is said to be.
    """
    if isinstance(source, FileSource) and _is_text(source):
        with _text(source, columns) as table:
            table.rows = _without_words(table.rows, frozenset(source.null_values))
            yield table
        return
    with source.open(None) as table:
        yield table


def _without_words(rows: Iterator[Sequence[Any]], words: frozenset[str]) -> Iterator[Sequence[Any]]:
    """Yield rows with None for the words that mean nothing, as the author of the source names them."""
    for row in rows:
        if isinstance(row, tuple):  # a row that does not fit its columns, or one of JSON
            yield row
        else:
            yield [None if cell in words else cell for cell in row]


def key_of(source: Source) -> str:
    """Return a name for a source that is the same in every run of its task."""
    if isinstance(source, FileSource):
        return source_key("file", without_secrets(source.path))
    if isinstance(source, ListSource):
        return source_key("rows", *_map_index())
    return source_key("query", source.conn_id, source.sql, *_map_index())


def key_of_list() -> str:
    """Return a name for the people whom an author has written down one by one."""
    return source_key("list", *_map_index())


def _map_index() -> tuple[str, ...]:
    """Return what tells the sources of mapped tasks apart that have no path; nothing where the task is not mapped."""
    identity = current_task_identity()
    return () if identity is None or identity.map_index < 0 else (f"index {identity.map_index}",)


def _is_text(source: FileSource) -> bool:
    from airflow_provider_esp.core.readers.formats import format_of

    return format_of(source.path, source.format or _by_name(source), source.compression).kind != "parquet"


def _by_name(source: FileSource) -> Format | None:
    """Tell the format of a plain list of lines, which an audience's file cannot be."""
    name = source.path.rsplit("/", 1)[-1].lower()
    return "csv" if ".txt" in name and not name.endswith(("csv", "tsv", "json")) else None


@contextmanager
def _text(source: FileSource, columns: Sequence[str] | None) -> Iterator[Table]:
    from airflow_provider_esp.core.readers.formats import format_of, text_of
    from airflow_provider_esp.core.validation.optouts.files import read_delimited, read_lines

    kind, packed = format_of(source.path, source.format or _by_name(source), source.compression)
    with source._stream() as packed_stream:
        said = source.compression is not None
        stream = text_of(packed_stream, packed, source.origin, compression_is_said=said)
        if kind == "ndjson":
            yield read_lines(stream, source.origin, source.encoding, columns)
        else:
            delimiter = "\t" if kind == "tsv" and source.delimiter == "auto" else source.delimiter
            yield read_delimited(stream, source.origin, delimiter, source.encoding)
