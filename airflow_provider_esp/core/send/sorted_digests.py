"""Many people in little memory: digests of 16 bytes, sorted in a file, merged from any number of sorted files.

What is held in memory is the same for ten people and for fifty million: half a megabyte of offsets, and a small buffer
for each file that is being merged.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate, chain
from typing import IO, Self

DIGEST_BYTES = 16
MOST_MERGED = 64
"""Files that are merged at once: each is open meanwhile."""
_SHELVES = 65536
_AT_ONCE = 4096
"""Digests that are read or written at once."""

Opened = Callable[[ExitStack], Sequence[Iterable[bytes]]]
"""Opens a file, which a stack closes, and gives the sorted runs of digests in it."""


def digest_of(person: str, key: bytes) -> bytes:
    """Return the digest by which a person is known under a key.

    :param person: as `same_key` has it.
    :param key: up to 64 bytes; under another key the same person has another digest.
    """
    return hashlib.blake2b(person.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES, key=key).digest()


def read_digests(file: IO[bytes], count: int) -> Iterator[bytes]:
    """Read so many digests from a file, a few at a time.

    :raises EOFError: there are fewer.
    """
    while count:
        some = min(count, _AT_ONCE)
        data = file.read(some * DIGEST_BYTES)
        if len(data) < some * DIGEST_BYTES:
            raise EOFError
        count -= some
        for at in range(0, len(data), DIGEST_BYTES):
            yield data[at : at + DIGEST_BYTES]


def merged(runs: Sequence[Iterable[bytes]]) -> Iterator[bytes]:
    """Merge sorted runs into one, each digest once."""
    last = b""
    for digest in runs[0] if len(runs) == 1 else heapq.merge(*runs):
        if digest != last:
            last = digest
            yield digest


class SortedDigests:
    """A set of digests in a file of this process, which goes with it. A context manager.

    :param files: opens the files it is merged from, each of which holds sorted runs.
    """

    def __init__(self, files: Iterable[Opened] = ()) -> None:
        self._file = tempfile.TemporaryFile(prefix="esp-sent-")  # noqa: SIM115  # closed by `close`
        self._begins = array("Q")
        try:
            self._merge(list(files))
        except BaseException:
            self.close()
            raise

    def __contains__(self, digest: bytes) -> bool:
        shelf = int.from_bytes(digest[:2])
        start, end = self._begins[shelf], self._begins[shelf + 1]
        if start == end:
            return False
        data = os.pread(self._file.fileno(), (end - start) * DIGEST_BYTES, start * DIGEST_BYTES)
        at = data.find(digest)
        while at > 0 and at % DIGEST_BYTES:  # it stands across two others
            at = data.find(digest, at + 1)
        return at >= 0

    def __len__(self) -> int:
        return self._begins[-1]

    def __iter__(self) -> Iterator[bytes]:
        """Return all of them in their order."""
        self._file.seek(0)
        return read_digests(self._file, len(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _merge(self, files: list[Opened]) -> None:
        with ExitStack() as temporary:
            while len(files) > MOST_MERGED:
                some, files = files[:MOST_MERGED], files[MOST_MERGED:]
                files.append(_put_aside(some, temporary))
            with ExitStack() as stack:
                self._write(merged(_runs(files, stack)))

    def _write(self, digests: Iterator[bytes]) -> None:
        on_shelf = array("Q", bytes(8 * _SHELVES))
        for digest in digests:
            on_shelf[int.from_bytes(digest[:2])] += 1
            self._file.write(digest)
        self._file.flush()
        self._begins = array("Q", accumulate(on_shelf, initial=0))


def _runs(files: Iterable[Opened], stack: ExitStack) -> list[Iterable[bytes]]:
    return list(chain.from_iterable(opened(stack) for opened in files)) or [()]


def _put_aside(files: Iterable[Opened], stack: ExitStack) -> Opened:
    """Merge some files into a temporary one, which goes with a stack."""
    aside = stack.enter_context(tempfile.TemporaryFile(prefix="esp-sent-"))  # noqa: SIM115  # the stack closes it
    count = 0
    with ExitStack() as sources:
        for digest in merged(_runs(files, sources)):
            aside.write(digest)
            count += 1
    aside.seek(0)
    return lambda reading: [read_digests(aside, count)]
