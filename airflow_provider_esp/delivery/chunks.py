"""Streams read in large pieces: what a reader of lines needs in front of what Airflow opens."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 64 * 1024


def in_chunks(stream: IO[bytes]) -> io.BufferedReader:
    """Give a stream of the same bytes that reads much at a time; closing it leaves the other open.

    Its ``peek`` shows the first 64 KiB, or the whole of a shorter stream.
    """
    return io.BufferedReader(_Chunks(stream), _CHUNK)


class _Chunks(io.RawIOBase):
    """A stream that asks another for much at a time.

    What Airflow opens looks up each attribute in Python, and a reader of lines asks for one with every line: that alone
    would take as long as reading them.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._ahead = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer."""
        if not self._ahead:
            self._ahead = memoryview(self._fetch())
        room = memoryview(buffer)
        size = min(len(room), len(self._ahead))
        room[:size] = self._ahead[:size]
        self._ahead = self._ahead[size:]
        return size

    def _fetch(self) -> bytes:
        """Read a chunk; a whole one also where the other stream hands out less at a time, as sockets do."""
        chunk = self._stream.read(_CHUNK)
        while 0 < len(chunk) < _CHUNK and (more := self._stream.read(_CHUNK - len(chunk))):
            chunk += more
        return chunk
