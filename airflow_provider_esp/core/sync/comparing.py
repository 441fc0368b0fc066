"""Rows of a source beside what is known of their keys.

`Comparison` is all that the rest of a sync knows of it: it takes rows as they are read, and then goes through keys in
the order of their digests, each once. `RowComparison` does that row by row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Final, NamedTuple, Protocol, Self

import msgspec

from airflow_provider_esp.core.readers.spool import pack_value, unpack_value
from airflow_provider_esp.core.readers.table import MISSING, BadRow
from airflow_provider_esp.core.sync.entries import key_of
from airflow_provider_esp.core.sync.errors import SyncGuarded
from airflow_provider_esp.core.sync.keys import DIGEST_BYTES, StateKey
from airflow_provider_esp.core.sync.sorting import RUN_BYTES, RecordSorter
from airflow_provider_esp.core.validation.mapper import same_key
from airflow_provider_esp.exceptions import SourceError

_PLACE_BYTES: Final = 8
_HEAD: Final = 2 * DIGEST_BYTES
_MOST_UNREADABLE: Final = 1000
_MOST_CHARACTERS: Final = 500
"""Of a key, as it stands in a report."""
_PLAIN: Final = frozenset({str, float, bool, type(None), bytes})


class Pair(NamedTuple):
    """What is there of one key.

    :ivar key: its digest.
    :ivar row: digest of the source's row; None where the source has none.
    :ivar place: where the row is put aside.
    :ivar number: of the row in the source, from 1.
    :ivar entry: what is known of the key, packed; None where nothing is.
    """

    key: bytes
    row: bytes | None
    place: int
    number: int
    entry: bytes | None


class Unreadable(NamedTuple):
    """A row of the source that could not be read."""

    number: int
    reason: str


class Comparison(Protocol):
    """Compares a source with what is known."""

    @property
    def rows(self) -> int:
        """Rows that were taken, those that could not be read among them."""

    @property
    def unreadable(self) -> Sequence[Unreadable]:
        """The first of the rows that could not be read."""

    @property
    def unreadable_rows(self) -> int:
        """How many rows could not be read."""

    def take(self, first_row: int, rows: Sequence[Sequence[Any]]) -> None:
        """Take rows that follow each other, before anything is compared.

        :param first_row: number of the first.
        :raises SyncGuarded: a row has no key.
        """

    def pairs(self, entries: Iterable[bytes]) -> Iterator[Pair]:
        """Go through all keys, in the order of their digests.

        :param entries: what is known, packed and sorted.
        :raises SyncGuarded: a key stands twice in the source.
        """

    def values(self, place: int) -> tuple[Any, ...]:
        """Return a row that was put aside: the columns that are used, and the key behind them."""


class RowComparison:
    """Compares row by row. A context manager: what it has put aside goes when it is left.

    :param key: makes the digests.
    :param used: positions of the columns that become fields.
    :param key_at: position of the column that names a row.
    :param key_name: its name, for messages.
    :param origin: what messages call the source.
    :param run_bytes: digests that are held in memory.
    """

    def __init__(  # all of them say what a row is
        self,
        key: StateKey,
        used: Sequence[int],
        key_at: int,
        key_name: str,
        origin: str,
        *,
        run_bytes: int = RUN_BYTES,
    ) -> None:
        self._key = key
        self._used = tuple(used)
        self._key_at = key_at
        self._key_name = key_name
        self._origin = origin
        self._sorter = RecordSorter(run_bytes)
        self._aside: IO[bytes] = tempfile.TemporaryFile(prefix="esp-sync-", buffering=1 << 18)  # noqa: SIM115  # closed when this is left
        self._end = 0
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(tuple[Any, ...], ext_hook=unpack_value).decode
        self.rows = 0
        self.unreadable: list[Unreadable] = []
        self.unreadable_rows = 0

    def take(self, first_row: int, rows: Sequence[Sequence[Any]]) -> None:
        """Take rows that follow each other, before anything is compared."""
        digest, encode, add, used, key_at = self._key.digest, self._encode, self._sorter.add, self._used, self._key_at
        for number, row in enumerate(rows, first_row):
            if type(row) is BadRow:
                self._note(number, row.reason)
                continue
            name = row[key_at]
            text = "" if name is None or name is MISSING else name.strip() if type(name) is str else str(name).strip()
            if not text:
                raise SyncGuarded(
                    f"{self._origin}: row {number:,} has no {self._key_name!r}, which key= names: nobody could tell "
                    "later whether it left or changed. Leave such rows out in the query. Nothing was sent."
                )
            content = [row[at] for at in used]
            try:
                packed = encode([value if type(value) in _PLAIN else pack_value(value) for value in content])
            except (TypeError, ValueError) as error:
                raise SourceError(
                    f"{self._origin}: row {number:,} cannot be compared ({error}); convert it to text in the query."
                ) from None
            place = self._end.to_bytes(_PLACE_BYTES)
            add(digest(same_key(text).encode("utf-8", "surrogatepass")) + digest(packed) + place + number.to_bytes(8))
            called = text[:_MOST_CHARACTERS].encode("utf-8", "surrogatepass")
            aside = len(packed).to_bytes(4) + len(called).to_bytes(2) + packed + called
            self._aside.write(aside)
            self._end += len(aside)
        self.rows += len(rows)

    def _note(self, number: int, reason: str) -> None:
        self.unreadable_rows += 1
        if len(self.unreadable) < _MOST_UNREADABLE:
            self.unreadable.append(Unreadable(number, reason))

    def pairs(self, entries: Iterable[bytes]) -> Iterator[Pair]:
        """Go through all keys, in the order of their digests."""
        self._aside.flush()
        known = iter(entries)
        entry = next(known, None)
        last, last_number = b"", 0
        for record in self._sorter:
            key = record[:DIGEST_BYTES]
            number = int.from_bytes(record[_HEAD + _PLACE_BYTES :])
            if key == last:
                first, second = sorted((last_number, number))
                raise SyncGuarded(
                    f"{self._origin}: rows {first:,} and {second:,} have the same {self._key_name!r}, which key= "
                    "names: make it unique in the query. Nothing was sent."
                )
            last, last_number = key, number
            while entry is not None and key_of(entry) < key:
                yield Pair(key_of(entry), None, 0, 0, entry)
                entry = next(known, None)
            found = entry if entry is not None and key_of(entry) == key else None
            place = int.from_bytes(record[_HEAD : _HEAD + _PLACE_BYTES])
            yield Pair(key, record[DIGEST_BYTES:_HEAD], place, number, found)
            if found is not None:
                entry = next(known, None)
        while entry is not None:
            yield Pair(key_of(entry), None, 0, 0, entry)
            entry = next(known, None)

    def values(self, place: int) -> tuple[Any, ...]:
        """Return a row that was put aside: the columns that are used, and the key behind them."""
        self._aside.seek(place)
        lengths = self._aside.read(6)
        packed = self._aside.read(int.from_bytes(lengths[:4]))
        name = self._aside.read(int.from_bytes(lengths[4:]))
        return (*self._decode(packed), name.decode("utf-8", "surrogatepass"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._aside.close()
        self._sorter.__exit__(*raised)
