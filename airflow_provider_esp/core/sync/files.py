"""The file that holds a sync's entries: sorted, compressed, and only readable by whoever has its key.

``esp-sync-state`` and a line break, then frames: a letter, the length of the content in four bytes, the content, and
16 bytes that prove content and place. ``H`` is the header, JSON in the clear: version, id of the key, which generation.
``D`` are entries, each behind its length in two bytes, compressed with zlib. ``T`` is the end: how many entries there
were, and facts about them. A file without its end is damaged.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

import msgspec

from airflow_provider_esp.core.sync.errors import SyncStateUnusable
from airflow_provider_esp.core.sync.keys import StateKey
from airflow_provider_esp.core.sync.sorting import split

VERSION: Final = 1
_MAGIC: Final = b"esp-sync-state\n"
_BLOCK: Final = 1 << 18
_PROOF: Final = 16
_MOST_BYTES: Final = 1 << 26
"""How long a frame is at most: a length beyond that is damage."""


def unusable(problem: str) -> SyncStateUnusable:
    """Return the error of a state that cannot be used, with the ways out.

    :param problem: a sentence without its full stop.
    """
    return SyncStateUnusable(
        f'{problem}. Nothing was sent. There are three ways out, each for one run: reset="newest" takes the newest '
        'generation that is whole, reset="take_as_sent" takes the source for what was sent, reset="send_all" sends '
        "everything."
    )


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at the beginning of a file, in the clear.

    :ivar key_id: of the secret that it was written with.
    :ivar generation: its number, or that of the generation that a part of the journal follows.
    """

    version: int = VERSION
    key_id: str = ""
    generation: int = 0


class _End(msgspec.Struct, frozen=True):
    entries: int
    facts: dict[str, Any] = {}


def write(file: IO[bytes], key: StateKey, generation: int, entries: Iterable[bytes], facts: dict[str, Any]) -> int:
    """Write a file of entries.

    :param entries: packed, sorted.
    :param facts: JSON-able; filled in by whoever makes the entries until the last one is taken.
    :returns: how many entries there are.
    """
    file.write(_MAGIC)
    frames = _Writer(file, key)
    frames.write(b"H", msgspec.json.encode(Header(key_id=key.id, generation=generation)))
    block, number = bytearray(), 0
    for raw in entries:
        block += len(raw).to_bytes(2) + raw
        number += 1
        if len(block) >= _BLOCK:
            frames.write(b"D", zlib.compress(block, 1))
            block.clear()
    if block:
        frames.write(b"D", zlib.compress(block, 1))
    frames.write(b"T", msgspec.json.encode(_End(number, facts)))
    return number


class _Writer:
    def __init__(self, file: IO[bytes], key: StateKey) -> None:
        self._file = file
        self._key = key
        self._proof = b""

    def write(self, letter: bytes, content: bytes) -> None:
        self._proof = self._key.authenticate(self._proof, letter + content)
        self._file.write(letter + len(content).to_bytes(4) + content + self._proof)


class StateFile:
    """Reads a file of entries.

    :param file: open for reading.
    :param key: the secret that it has to be written with.
    :param name: what messages call it.
    :ivar header: read at once.
    :ivar facts: of its end, once all entries are read.
    :raises SyncStateUnusable: it is no such file, damaged, of a newer version, or written with another key.
    """

    def __init__(self, file: IO[bytes], key: StateKey, name: str) -> None:
        self._file = file
        self._key = key
        self._name = name
        self._proof = b""
        self.facts: dict[str, Any] = {}
        if file.read(len(_MAGIC)) != _MAGIC:
            raise self._damaged("it does not begin like a sync's state")
        letter, content, proof = self._frame()
        try:
            self.header = msgspec.json.decode(content, type=Header)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise self._damaged("its header cannot be read") from None
        if self.header.version > VERSION:
            raise unusable(
                f"The sync's state {name} was written by a newer version of this package (format "
                f"{self.header.version}, and this one reads up to {VERSION}). Update the package on this worker"
            )
        if self.header.key_id != key.id:
            raise unusable(
                f"The sync's state {name} was written with another state_key (id {self.header.key_id}, and this one is "
                f"{key.id})"
            )
        self._check(letter + content, proof)

    def entries(self) -> Iterator[bytes]:
        """Return the packed entries, in order.

        :raises SyncStateUnusable: the file is damaged.
        """
        entries = 0
        while True:
            letter, content, proof = self._frame()
            self._check(letter + content, proof)
            if letter == b"T":
                end = msgspec.json.decode(content, type=_End)
                if entries != end.entries:
                    raise self._damaged("entries are missing")
                self.facts = end.facts
                return
            for raw in split([zlib.decompress(content)]):
                entries += 1
                yield raw

    def _frame(self) -> tuple[bytes, bytes, bytes]:
        head = self._file.read(5)
        length = int.from_bytes(head[1:])
        if len(head) < 5 or length > _MOST_BYTES:
            raise self._damaged("it breaks off")
        content, proof = self._file.read(length), self._file.read(_PROOF)
        if len(content) < length or len(proof) < _PROOF:
            raise self._damaged("it breaks off")
        return head[:1], content, proof

    def _check(self, data: bytes, proof: bytes) -> None:
        self._proof = self._key.authenticate(self._proof, data)
        if self._proof != proof:
            raise self._damaged("its content is not what was written")

    def _damaged(self, why: str) -> SyncStateUnusable:
        return unusable(f"The sync's state {self._name} is damaged: {why}")
