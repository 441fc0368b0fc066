"""Writing rows to a file that is there whole or not at all: sorted, each row once, NDJSON or Parquet.

Rows are streamed through a `Sorter`, so memory holds one run of them, and the same rows give the same bytes. The file
is written under a temporary name beside its own and then moved: a reader never sees half of it. Where the store has
folders that is a rename; where it has objects, the move is a copy made by the store, and an object appears when it is
complete.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import islice
from typing import IO, Any, Literal, NamedTuple, Protocol, Self, get_args

import msgspec

from airflow_provider_esp.core.export.schema import ContactRow, Row
from airflow_provider_esp.core.export.sorting import Sorter
from airflow_provider_esp.core.patience import MISTAKES, unwritable
from airflow_provider_esp.exceptions import ExportError, StorageUnwritable

Format = Literal["ndjson", "parquet"]

_ENDINGS: dict[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".ndjson.gz": "ndjson",
    ".jsonl.gz": "ndjson",
    ".parquet": "parquet",
}
_LINES_AT_ONCE = 1_000
_ROW_GROUP = 10_000
_ENCODER = msgspec.json.Encoder()


class Path(Protocol):
    """Where a file goes: Airflow's `ObjectStoragePath`."""

    @property
    def name(self) -> str:
        """The last part of the path."""

    @property
    def parent(self) -> Self:
        """The folder that it is in."""

    def __truediv__(self, name: str) -> Self: ...

    def open(self, mode: str) -> AbstractContextManager[IO[bytes]]:
        """Open the file that this path names."""

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Make the folder that this path names."""

    def move(self, path: Any) -> None:
        """Move the file that this path names to another."""

    def unlink(self) -> None:
        """Remove the file that this path names."""


class Written(NamedTuple):
    """What stands in a file now.

    :ivar size: in bytes.
    :ivar sha256: of its bytes, in hexadecimal digits.
    """

    rows: int
    size: int
    sha256: str


def format_of(name: str, given: str | None = None) -> Format:
    """Tell the format of a file by its name, unless the author has given it.

    :raises ValueError: neither tells.
    """
    told = given or next((kind for ending, kind in _ENDINGS.items() if name.lower().endswith(ending)), None)
    if told in get_args(Format):
        return told  # type: ignore[return-value]  # checked in this line
    if given:
        raise ValueError(f"format must be 'ndjson' or 'parquet', not {given!r}.")
    raise ValueError(f"{name}: name it {', '.join(_ENDINGS)}, or give format='ndjson' or 'parquet'.")


def write(
    rows: Iterable[Row], kind: type[Row], path: Path, form: Format, seen: Callable[[Row], object] = lambda row: None
) -> Written:
    """Write rows to a file, sorted by their columns, each once.

    :param rows: in any order; read to the end before the file is begun.
    :param kind: which rows; a file without any has its columns as well (Parquet).
    :param path: where the file goes; its folder is made if need be.
    :param seen: called with each row that goes into the file, in its order.
    :raises ExportError: pyarrow is not installed.
    """
    check(form)
    with Sorter(_same_contact if kind is ContactRow else bytes) as sorter:
        for row in rows:
            sorter.add(_ENCODER.encode(row))
        with replacing(path) as file:
            target = _Measured(file)
            number = _WRITERS[form](_told(iter(sorter), kind, seen), kind, target, path.name)
    return Written(number, target.size, target.digest.hexdigest())


def check(form: Format) -> None:
    """Find out before anything is read that a format cannot be written.

    :raises ExportError: pyarrow is not installed.
    """
    if form == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise ExportError("Parquet needs a package: pip install 'airflow-provider-esp[parquet]'.") from None


def check_writable(path: Path) -> None:
    """Find out with a real write that a file can be put beside a path; it is removed again.

    :raises StorageUnwritable: it cannot.
    """
    trial = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with trial.open("wb") as file:
            file.write(b"written to see whether it can be\n")
        trial.unlink()
    except MISTAKES:
        raise
    except Exception as error:
        with suppress(Exception):
            trial.unlink()
        raise StorageUnwritable(unwritable("The file", path, "path", error)) from error


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes another's place only when it is complete; where writing fails, nothing has changed.

    The temporary name begins with a dot, so that patterns like ``*.ndjson`` pass it over. A process that is killed
    leaves it behind; the next try has another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            _to_disk(file)
        part.move(path)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise


def _to_disk(file: IO[bytes]) -> None:
    """See that the bytes are on the disk before the name is: otherwise a machine that loses power has an empty file."""
    try:
        number = file.fileno()
    except OSError:  # an object store's files have no number, and need none
        return
    os.fsync(number)


def _told(lines: Iterator[bytes], kind: type[Row], seen: Callable[[Row], object]) -> Iterator[tuple[bytes, Row]]:
    decoder = msgspec.json.Decoder(kind)
    for line in lines:
        row = decoder.decode(line)
        seen(row)
        yield line, row


def _write_ndjson(rows: Iterator[tuple[bytes, Row]], kind: type[Row], target: _Measured, name: str) -> int:
    number = 0
    packed = name.lower().endswith(".gz")
    # No name and no time in the header: the same rows are the same bytes.
    stream: Any = gzip.GzipFile("", "wb", fileobj=target, mtime=0) if packed else target
    while some := [line for line, _ in islice(rows, _LINES_AT_ONCE)]:
        number += len(some)
        stream.write(b"\n".join([*some, b""]))
    if packed:
        stream.close()
    return number


def _write_parquet(rows: Iterator[tuple[bytes, Row]], kind: type[Row], target: _Measured, name: str) -> int:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = arrow_schema(kind)
    number = 0
    with ParquetWriter(target, schema, compression="zstd") as writer:
        while some := [row for _, row in islice(rows, _ROW_GROUP)]:
            number += len(some)
            columns = [
                pa.array([getattr(row, field.name) for row in some], type=field.type, from_pandas=False)
                for field in schema
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return number


_WRITERS: dict[Format, Callable[[Iterator[tuple[bytes, Row]], type[Row], _Measured, str], int]] = {
    "ndjson": _write_ndjson,
    "parquet": _write_parquet,
}


def column_types(kind: type[Row]) -> dict[str, tuple[str, bool]]:
    """Return the columns of a kind of row: type (text, integer, boolean, time, list of text), and whether nullable."""
    found = {}
    for field in msgspec.structs.fields(kind):
        told = msgspec.inspect.type_info(field.type)
        parts = told.types if isinstance(told, msgspec.inspect.UnionType) else (told,)
        (own,) = [part for part in parts if not isinstance(part, msgspec.inspect.NoneType)]
        found[field.name] = (_TYPE_NAMES[type(own)], len(parts) > 1)
    return found


_TYPE_NAMES: dict[type, str] = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.DateTimeType: "time",
    msgspec.inspect.ListType: "list of text",
}


def arrow_schema(kind: type[Row]) -> Any:
    """Return the Parquet schema of a kind of row."""
    import pyarrow as pa

    arrow = {
        "text": pa.string(),
        "integer": pa.int64(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "list of text": pa.list_(pa.string()),
    }
    return pa.schema([pa.field(name, arrow[told], nullable=null) for name, (told, null) in column_types(kind).items()])


class _Measured(io.RawIOBase):
    """Passes bytes on to a file, and counts and digests them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._file.write(view.tobytes())
        self.size += view.nbytes
        self.digest.update(view)
        return view.nbytes

    def tell(self) -> int:
        return self.size


def _same_contact(line: bytes) -> bytes:
    """Get the beginning of a contact's line that says who it is: segment and id, or where there is no id, address."""
    beginning, _, rest = line.partition(b',"email":')
    if not beginning.endswith(b'"contact_id":null'):
        return beginning
    return beginning + rest.partition(b',"phone":')[0]
