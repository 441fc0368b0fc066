"""Opt-out lists in text files, read so that nothing that holds an address is passed over.

An audience's file has to be right: a line that is not is an invalid row. In a list of opt-outs such a line may name
somebody all the same. Lines with too few or too many cells, quotation marks that are never closed, JSON that is none
come out as `TornRow`, whose text is searched for people.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import IO, Any, BinaryIO, Final, cast

import msgspec

from airflow_provider_esp.core.readers.buffered import in_chunks
from airflow_provider_esp.core.readers.csv_dialect import AUTO, HEAD, encoding_of, layout_of
from airflow_provider_esp.core.readers.table import MISSING, BadRow, Table
from airflow_provider_esp.core.validation.optouts.columns import OTHERS, SAMPLE
from airflow_provider_esp.core.validation.optouts.names import is_people_name
from airflow_provider_esp.exceptions import SourceError

_NO_DELIMITER: Final = "\x00"


class TornRow(BadRow):
    """A row that does not fit its columns; `text` is all of it.

    :ivar cells: its cells, where it is a line of a record that has several and fits the columns.
    :ivar extra: whether its text was read in another way already, so that it need not name anybody.
    """

    text: str
    cells: Sequence[str] | None
    extra: bool

    @classmethod
    def of(cls, text: str, cells: Sequence[str] | None = None, *, extra: bool = False) -> TornRow:
        """Make one."""
        row = cls("it does not fit the columns")
        row.text, row.cells, row.extra = text, cells, extra
        return row


def read_delimited(stream: IO[bytes], origin: str, delimiter: str = AUTO, encoding: str = AUTO) -> Table:
    """Read lines with a delimiter, or without one.

    :param stream: binary.
    :param origin: what messages call the file.
    :param delimiter: what the author says, or ``auto``: where it cannot be told, a line is one cell.
    :param encoding: what the author says, or ``auto``.
    """
    ahead = in_chunks(stream, origin)
    head = ahead.peek(HEAD)
    whole = len(head) < HEAD
    preamble = 0
    try:
        codec, delimiter, preamble = layout_of(head, origin, delimiter=delimiter, encoding=encoding, whole=whole)
    except SourceError:
        codec, delimiter = encoding_of(head, encoding), _NO_DELIMITER
    lines = io.TextIOWrapper(cast(BinaryIO, ahead), codec, errors="replace", newline="")
    for _ in range(preamble):
        lines.readline()
    records = _records(lines, delimiter)
    _, header = next(records, ("", []))
    columns = tuple(name.strip() or f"(column {at})" for at, name in enumerate(header, 1))
    return Table(columns, _rows(records, len(columns), delimiter), origin)


def read_lines(stream: IO[bytes], origin: str, encoding: str = AUTO, wanted: Sequence[str] | None = None) -> Table:
    """Read one JSON value a line: an object, an address, or a list of addresses.

    :param wanted: keys that hold people, as the author says; None for those that are called so.
    :param encoding: what the author says, or ``auto``.
    """
    ahead = in_chunks(stream, origin)
    codec = encoding_of(ahead.peek(HEAD), encoding)
    values = _values(io.TextIOWrapper(cast(BinaryIO, ahead), codec, errors="replace"))
    first = list(islice(values, SAMPLE))
    names = list(dict.fromkeys(name for value in first if isinstance(value, Mapping) for name in value))
    columns = (*names, OTHERS) if names else ("entry",) if first else ()
    return Table(columns, _of_values(chain(first, values), names, wanted), origin)


def _records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each record that is not blank, as it stands in the file and as cells."""
    if delimiter == _NO_DELIMITER:
        yield from ((line, [line.strip()]) for line in lines if line.strip())
        return
    taken: list[str] = []

    def watched() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line.replace("\0", "")

    reader = csv.reader(watched(), delimiter=delimiter)
    while True:
        taken.clear()
        try:
            cells = next(reader, None)
        except csv.Error:  # a cell larger than the reader takes: a quotation mark that is never closed
            cells = []
        if cells is None:
            return
        if any(line.strip() for line in taken):
            yield "".join(taken), cells


def _rows(records: Iterator[tuple[str, list[str]]], width: int, delimiter: str) -> Iterator[Sequence[Any]]:
    for written, cells in records:
        lines = written.splitlines()
        fits = len(cells) == width
        if fits:
            yield cells
        if len(lines) > 1:
            # Somebody's line may have been taken for a part of another's cell.
            for line in filter(str.strip, lines):
                yield _apart(line, width, delimiter, extra=fits)
        elif not fits:
            yield TornRow.of(written)


def _apart(line: str, width: int, delimiter: str, *, extra: bool) -> TornRow:
    """Return a line of a record that has several."""
    cells = [cell.strip('" \r\n') for cell in line.split(delimiter)]
    return TornRow.of(line, cells if len(cells) == width else None, extra=extra)


def _values(lines: Iterator[str]) -> Iterator[Any]:
    """Yield the value of each line; a `TornRow` where it is none."""
    decoder = msgspec.json.Decoder()
    for line in lines:
        plain = line.strip()
        if not plain:
            continue
        try:
            yield decoder.decode(plain)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            yield TornRow.of(plain)


def _of_values(values: Iterator[Any], names: Sequence[str], wanted: Sequence[str] | None) -> Iterator[Sequence[Any]]:
    known = frozenset(names)
    for value in values:
        if isinstance(value, TornRow):
            yield value
        elif isinstance(value, Mapping):
            others = {name: other for name, other in value.items() if name not in known}
            people = [
                other
                for name, other in others.items()
                if (name in wanted if wanted is not None else is_people_name(name) or "@" in str(other))
            ]
            yield (*(value.get(name, MISSING) for name in names), people or MISSING)
        elif not names:
            yield (value,)
        else:
            yield (*(MISSING for _ in names), value)
