"""Who was met already, or is to be left out, in little memory: a send has to know it of its whole audience."""

from __future__ import annotations

import hashlib

_SHELVES = 65536


class CompactKeySet:
    """A set of people, about 20 bytes for each (Python's own takes a hundred).

    Of everybody a digest of 16 bytes is kept: its first two bytes name a shelf, the others stand there in a row.
    """

    def __init__(self) -> None:
        self._shelves = [b""] * _SHELVES
        self._size = 0

    def add(self, key: str) -> bool:
        """Take a person in.

        :returns: whether the person is new.
        """
        shelf, rest = _place(key)
        if rest in self._shelves[shelf]:
            return False
        self._shelves[shelf] += rest
        self._size += 1
        return True

    def discard(self, key: str) -> None:
        """Forget a person, if there."""
        shelf, rest = _place(key)
        if rest in self._shelves[shelf]:
            self._shelves[shelf] = self._shelves[shelf].replace(rest, b"", 1)
            self._size -= 1

    def __contains__(self, key: str) -> bool:
        shelf, rest = _place(key)
        return rest in self._shelves[shelf]

    def __len__(self) -> int:
        return self._size


def _place(key: str) -> tuple[int, bytes]:
    mark = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return int.from_bytes(mark[:2]), mark[2:]
