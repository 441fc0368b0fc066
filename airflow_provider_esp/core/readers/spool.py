"""Rows put aside in part files, so that they can be read again, the same ones, after their source is closed.

The parts are written first and a marker that lists them last: without a marker there is no spool. Each try names its
parts differently, so that a worker taken for dead cannot write into those of the next. A part is read whole, and handed
out only if it is what the marker says.
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import secrets
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import IO, Any, NamedTuple, Protocol, Self

import msgspec

from airflow_provider_esp.core.patience import MISTAKES, unwritable
from airflow_provider_esp.core.readers.table import MISSING, Table
from airflow_provider_esp.exceptions import SourceError, StorageUnwritable

MARKER = "complete.json"
PART_BYTES = 2 << 20
"""How long a part is at least; read, it takes about ten times as much memory."""

_LIST = b"\xdd"  # msgpack: a list, its length in the next four bytes


class Folder(Protocol):
    """A folder of files, as `pathlib.Path` and `ObjectStoragePath` are."""

    def __truediv__(self, name: str) -> Self: ...

    def open(self, mode: str) -> AbstractContextManager[IO[bytes]]:
        """Open the file that this path names."""

    def iterdir(self) -> Iterable[Self]:
        """List what is in the folder that this path names."""

    def unlink(self) -> None:
        """Remove the file that this path names."""

    def rmdir(self) -> None:
        """Remove the folder that this path names, empty by then."""

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Make the folder that this path names."""


class Part(msgspec.Struct, frozen=True):
    """One file of rows.

    :ivar digest: of what is in it.
    """

    name: str
    rows: int
    digest: str


class Spool(msgspec.Struct, frozen=True):
    """A complete copy of a source.

    :ivar columns: names, in the order of the values.
    :ivar rows: how many there are.
    :ivar at: when it was made.
    :ivar parts: where they stand, in order.
    """

    columns: tuple[str, ...]
    rows: int
    at: datetime.datetime
    parts: tuple[Part, ...]


def find(folder: Folder) -> Spool | None:
    """Return the spool that stands in a folder, or None where there is none, or only the beginning of one.

    :raises SourceError: its marker cannot be read.
    """
    try:
        with (folder / MARKER).open("rb") as file:
            return msgspec.json.decode(file.read(), type=Spool)
    except (FileNotFoundError, NotADirectoryError):  # what is in the way is said where a copy is made
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise SourceError(f"{folder}: its {MARKER} is damaged; remove the folder and run the task again.") from None


def copy(table: Table, folder: Folder) -> Spool:
    """Copy all rows of a table into a folder.

    :returns: the spool that stands there now: this one, or the one that another try has completed meanwhile.
    :raises SourceError: a value is of a kind that cannot be put aside.
    :raises StorageUnwritable: the folder cannot be written.
    """
    token = secrets.token_hex(4)
    parts: list[Part] = []
    try:
        for rows, content in _packed(table):
            parts.append(Part(f"{token}-{len(parts):05}.msgpack", rows, _digest(content)))
            _write(folder, parts[-1].name, content)
        done = find(folder)
        if done is None:
            rows = sum(part.rows for part in parts)
            done = Spool(table.columns, rows, datetime.datetime.now(datetime.UTC), tuple(parts))
            _write(folder, MARKER, msgspec.json.encode(done))
    except StorageUnwritable:
        for part in parts:  # nobody will read them, and the disk may be full
            with suppress(Exception):
                (folder / part.name).unlink()
        raise
    return done


def _write(folder: Folder, name: str, content: bytes) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as file:
            file.write(content)
    except MISTAKES:
        raise
    except Exception as error:
        raise StorageUnwritable(unwritable("The copy of the rows", folder, "spool_path", error)) from error


def read(spool: Spool, folder: Folder, origin: str) -> Table:
    """Read a spool's rows.

    :param origin: what messages call the source.
    :raises SourceError: while reading: a part is gone or is not what was written.
    """
    return Table(spool.columns, _rows(spool, folder, origin), origin)


def discard(folder: Folder) -> None:
    """Remove a spool with all that other tries have left beside it; where there is none, do nothing."""
    with suppress(FileNotFoundError):
        (folder / MARKER).unlink()  # first: what is half removed must not pass for complete
    with suppress(FileNotFoundError, NotADirectoryError):  # paths differ in what they call a folder that is not there
        for file in list(folder.iterdir()):
            file.unlink()
        folder.rmdir()


def _rows(spool: Spool, folder: Folder, origin: str) -> Iterator[tuple[Any, ...]]:
    decoder = msgspec.msgpack.Decoder(list[tuple[Any, ...]], ext_hook=unpack_value)
    for part in spool.parts:
        try:
            with (folder / part.name).open("rb") as file:
                content = file.read()
        except FileNotFoundError:
            content = b""
        if _digest(content) != part.digest:
            raise SourceError(
                f"{origin}: {part.name} of its copy in {folder} is gone or damaged. Remove that folder and run the "
                "task again: the query is then run again, and may return other rows."
            )
        yield from decoder.decode(content)


def _packed(table: Table) -> Iterator[tuple[int, bytes]]:
    """Pack rows into parts of some megabytes: number of rows and content of each."""
    encoder = msgspec.msgpack.Encoder()
    buffer, rows = bytearray(_LIST + bytes(4)), 0
    for number, row in enumerate(table.rows, 1):
        try:
            packed = [value if type(value) in _AS_IT_IS else pack_value(value) for value in row]
            encoder.encode_into(packed, buffer, len(buffer))
        except (TypeError, ValueError) as error:
            raise SourceError(
                f"{table.origin}: row {number:,} cannot be put aside ({error}); convert it to text in the query."
            ) from None
        rows += 1
        if len(buffer) >= PART_BYTES:
            buffer[1:5] = rows.to_bytes(4)
            yield rows, bytes(buffer)
            buffer, rows = bytearray(_LIST + bytes(4)), 0
    if rows:
        buffer[1:5] = rows.to_bytes(4)
        yield rows, bytes(buffer)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class _Form(NamedTuple):
    """How a kind of value is written where msgpack has no form for it, so that it comes back as it went."""

    number: int
    written: Callable[[Any], str]
    read: Callable[[str], Any]


def _span(text: str) -> datetime.timedelta:
    return datetime.timedelta(*map(int, text.split()))


_FORMS: dict[type, _Form] = {
    decimal.Decimal: _Form(1, str, decimal.Decimal),
    datetime.datetime: _Form(2, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.date: _Form(3, datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: _Form(4, datetime.time.isoformat, datetime.time.fromisoformat),
    datetime.timedelta: _Form(5, lambda value: f"{value.days} {value.seconds} {value.microseconds}", _span),
    uuid.UUID: _Form(6, str, uuid.UUID),
    int: _Form(7, str, int),  # the ones that msgpack cannot hold
    type(MISSING): _Form(8, lambda value: "", lambda text: MISSING),
}
_READ = {form.number: form.read for form in _FORMS.values()}
_AS_IT_IS = frozenset({str, float, bool, type(None), bytes})
_WIDEST = 1 << 63


def pack_value(value: Any) -> Any:
    """Return a value in a form that msgpack can write and `unpack_value` makes the same value of.

    :raises TypeError: it is of a kind that cannot be put aside.
    """
    kind = type(value)
    if kind in _AS_IT_IS or (kind is int and -_WIDEST <= value < _WIDEST):
        return value
    if kind is list:
        return [pack_value(item) for item in value]
    if kind is dict:
        return {pack_value(key): pack_value(item) for key, item in value.items()}
    if kind in (memoryview, bytearray):
        return bytes(value)
    if form := _FORMS.get(kind):
        return msgspec.msgpack.Ext(form.number, form.written(value).encode())
    raise TypeError(f"a value is a {kind.__name__}")


def unpack_value(number: int, data: memoryview) -> Any:
    """Read a value that msgpack has no form for; the ``ext_hook`` of a decoder."""
    return _READ[number](str(data, "utf-8"))
