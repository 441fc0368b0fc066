"""Rows out of an open file or a list, whatever they are written in.

A reader is given the binary stream and hands out a `Table`: the names of its columns, and rows as tuples in
that order, one at a time or some at once. What a row does not have is `MISSING`, which is not the same as blank.
"""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol, overload, runtime_checkable

import msgspec

from airflow_provider_esp.exceptions import ColumnError, SourceError


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""The value of a column that a row does not have at all."""


_pack = msgspec.msgpack.Encoder(enc_hook=str).encode
_json = msgspec.json.Encoder(enc_hook=str).encode

_MOST_UNREADABLE = 1000
_NO_ROW: Final = (b"", b"\x1a")  # of NDJSON: nothing, or Ctrl-Z, with which old programs end a text file
_CONSTANTS: Final = (b"NaN", b"Infinity")


_looks_ahead: ContextVar[bool] = ContextVar("looks_ahead", default=False)


@contextmanager
def looking_ahead() -> Iterator[None]:
    """Read rows that will be read once more: what readers log of them is logged then."""
    token = _looks_ahead.set(True)
    try:
        yield
    finally:
        _looks_ahead.reset(token)


def is_looking_ahead() -> bool:
    """Check whether the rows will be read once more."""
    return _looks_ahead.get()


class TextBlock(Sequence[Sequence[str]]):
    """Rows that are held by column, which are not made before somebody asks for one; all of their cells are text.

    :param columns: each with a cell for every row; at least one.
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Sequence[Sequence[str]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, at: int) -> Sequence[str]: ...

    @overload
    def __getitem__(self, at: slice) -> TextBlock: ...

    def __getitem__(self, at: int | slice) -> Sequence[str] | TextBlock:
        """Return a row, or a part of the rows."""
        if isinstance(at, slice):
            return TextBlock([column[at] for column in self.columns])
        return tuple([column[at] for column in self.columns])

    def __iter__(self) -> Iterator[Sequence[str]]:
        return zip(*self.columns, strict=True)


class Picked(Sequence[Sequence[Any]]):
    """Some of other rows, by position, which are not made before somebody asks for one.

    :param rows: all of them.
    :param positions: of those that are meant.
    """

    __slots__ = ("_positions", "_rows")

    def __init__(self, rows: Sequence[Sequence[Any]], positions: Sequence[int]) -> None:
        self._rows = rows
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, at: int) -> Sequence[Any]: ...

    @overload
    def __getitem__(self, at: slice) -> Picked: ...

    def __getitem__(self, at: int | slice) -> Sequence[Any] | Picked:
        """Return a row, or a part of the rows."""
        if isinstance(at, slice):
            return Picked(self._rows, self._positions[at])
        return self._rows[self._positions[at]]

    def column(self, at: int) -> Sequence[str] | None:
        """Return the cells of a column, without making rows; None where the rows are not held by column."""
        cells = text_column(self._rows, at)
        return None if cells is None else [cells[position] for position in self._positions]


def text_column(rows: Sequence[Sequence[Any]], at: int) -> Sequence[str] | None:
    """Return a column of rows that are held by column, all of it text; None where they are not.

    :param at: position of the column.
    """
    if isinstance(rows, TextBlock):
        return rows.columns[at]
    return rows.column(at) if isinstance(rows, Picked) else None


@runtime_checkable
class Blocks(Protocol):
    """An iterator of rows that can hand out some of them by column, and that asks which columns are used."""

    def block(self, most: int) -> TextBlock | None:
        """Get the next rows, at most so many; None where they have to be read one by one, or where there are none."""

    def is_empty(self) -> bool:
        """Check whether there is no row, and leave the first where it is."""

    def use(self, positions: Iterable[int]) -> None:
        """Take note of which columns somebody uses."""


@dataclass(slots=True)
class Table:
    """Rows and the names of their columns.

    :param columns: in the order of the values.
    :param rows: tuples of values; the first is row 1.
    :param origin: what messages call the source, e.g. ``customers.csv``.
    :raises ColumnError: a column has no name.
    """

    columns: tuple[str, ...]
    rows: Iterator[Sequence[Any]]
    origin: str

    def __post_init__(self) -> None:
        nameless = [number for number, name in enumerate(self.columns, 1) if not str(name).strip()]
        if nameless:
            raise ColumnError(
                f"{self.origin}: column {nameless[0]} has no name. Give it one where the rows are made, or leave it "
                "out there; pandas writes such a column for its index, and none with index=False."
            )

    def use(self, columns: Iterable[str]) -> None:
        """Take note of which columns somebody uses, before the rows are read.

        Before that every column counts as used. What a column holds that nobody uses does less harm: see `csv_rows.py`
        and `null_values.py`.

        :param columns: their names; those that the table does not have are passed over.
        """
        if isinstance(self.rows, Blocks):
            names = set(columns)
            self.rows.use([at for at, name in enumerate(self.columns) if name in names])

    def is_empty(self) -> bool:
        """Check whether there is no row, and leave the first where it is."""
        if isinstance(self.rows, Blocks):
            return self.rows.is_empty()
        first = next(self.rows, None)
        if first is not None:
            self.rows = itertools.chain([first], self.rows)
        return first is None

    def take(self, most: int, into: list[Sequence[Any]]) -> Sequence[Sequence[Any]]:
        """Read some rows.

        :param most: how many at the most; fewer come at the end.
        :param into: an empty list, in which the rows that were read can be found where the source breaks off.
        :returns: the rows: `into`, or a block.
        """
        block = self.rows.block(most) if isinstance(self.rows, Blocks) else None
        if block is not None:
            return block
        for row in itertools.islice(self.rows, most):
            into.append(row)
        return into


class BadRow(tuple[Any, ...]):
    """A row that could not be read as such (too many or too few cells); `reason` says why."""

    reason: str

    def __new__(cls, reason: str) -> BadRow:
        """Make one without values."""
        row = super().__new__(cls)
        row.reason = reason
        return row


def fingerprint(row: Sequence[Any]) -> bytes:
    """Return bytes that are the same for the same row in every process, to make digests of."""
    whole = row.reason if isinstance(row, BadRow) else list(row)
    try:
        return _pack(whole)
    except OverflowError:  # an integer of more than 64 bits
        return _json(whole)


def fingerprints(rows: Sequence[Sequence[Any]]) -> bytes:
    """Do what `fingerprint` does for rows that belong together, whichever way they are held."""
    if isinstance(rows, TextBlock):
        return fingerprint(rows.columns)
    if BadRow in set(map(type, rows)):
        return fingerprint([row.reason if isinstance(row, BadRow) else row for row in rows])
    return fingerprint(list(zip(*rows, strict=True)))


def as_source(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any] | None:
    """Return a row as its source has it, without the columns it lacks; None for one that could not be read."""
    if isinstance(row, BadRow):
        return None
    return {name: value for name, value in zip(columns, row, strict=True) if value is not MISSING}


def read_ndjson(stream: IO[bytes], origin: str, columns: Sequence[str] | None = None) -> Table:
    """Read one JSON object a line.

    :param columns: the keys to take; None for those of the first object. Any other key is refused, so that nothing
        is dropped in silence.
    :raises SourceError: `columns` is None, and no line at the beginning tells them.
    """
    decoder = msgspec.json.Decoder(dict[str, Any])

    def objects() -> Iterator[Mapping[str, Any] | BadRow]:
        for number, raw in enumerate(iter(stream.readline, b""), 1):  # not every file can be iterated over
            line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
            if line.strip() in _NO_ROW:
                continue
            try:
                yield decoder.decode(line)
            except UnicodeDecodeError:
                yield BadRow(f"line {number} is not UTF-8")
            except (msgspec.DecodeError, RecursionError):
                yield _with_constants(line, number)

    return _table(objects(), origin, columns)


def _with_constants(line: bytes, number: int) -> Mapping[str, Any] | BadRow:
    """Read a line in which a number is written as ``NaN``, as Python's own encoder does: it is nothing.

    :param line: which is no JSON as it stands.
    """
    if not any(word in line for word in _CONSTANTS):
        return BadRow(f"line {number} is not a JSON object")
    infinite = []

    def constant(word: str) -> None:
        if word != "NaN":
            infinite.append(word)

    try:
        value = json.loads(line, parse_constant=constant)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return BadRow(f"line {number} is not a JSON object")
    return BadRow(f"line {number} holds {infinite[0]}, which is no JSON number") if infinite else _checked(value)


def read_mappings(rows: Sequence[Mapping[str, Any]], origin: str, columns: Sequence[str] | None = None) -> Table:
    """Read rows that are dictionaries already.

    :param columns: the keys to take; None for all that occur.
    """
    if columns is None:
        columns = list(dict.fromkeys(name for row in rows if isinstance(row, Mapping) for name in row))
    return _table(map(_checked, rows), origin, columns)


def _checked(row: object) -> Mapping[str, Any] | BadRow:
    if not isinstance(row, Mapping):
        return BadRow("the row is not a dictionary")
    try:
        _json(list(row.values()))
    except (ValueError, TypeError, RecursionError):
        # Half of a surrogate pair, or a list that holds itself: Python keeps it, and nobody can be sent it.
        return BadRow("the row holds a value that cannot be written down")
    return row


def _table(rows: Iterator[Mapping[str, Any] | BadRow], origin: str, columns: Sequence[str] | None) -> Table:
    if columns is None:
        begun = []
        for row in rows:
            begun.append(row)
            if not isinstance(row, BadRow) or len(begun) == _MOST_UNREADABLE:
                break
        first = begun[-1] if begun else {}
        if isinstance(first, BadRow):
            raise SourceError(f"{origin}: nothing in it can be read: {first.reason}. Is it in another format?")
        columns = tuple(first)
        rows = itertools.chain(begun, rows)
    return Table(tuple(columns), _pick(rows, columns), origin)


def _pick(rows: Iterable[Mapping[str, Any] | BadRow], columns: Sequence[str]) -> Iterator[Sequence[Any]]:
    known = frozenset(columns)
    understood = False
    for row in rows:
        if isinstance(row, BadRow):
            yield row
        elif row.keys() <= known:
            understood = True
            yield tuple([row.get(name, MISSING) for name in columns])
        else:
            others = ", ".join(sorted(repr(str(name)) for name in row.keys() - known)[:5])
            if not understood:
                raise ColumnError(f"unknown column {others}: say in columns= what it is, or leave it out of the rows.")
            yield BadRow(f"unknown column {others}")
