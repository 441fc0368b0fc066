"""Streams read in large pieces: what a reader of lines needs in front of what Airflow opens."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from airflow_provider_esp.exceptions import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 64 * 1024
LONGEST_LINE = 8 * 2**20
"""Bytes from one line end to the next. A small compressed file can hold a line of gigabytes."""


def in_chunks(stream: IO[bytes], origin: str) -> io.BufferedReader:
    """Return a stream of the same bytes that reads much at a time; closing it leaves the other open.

    Its ``peek`` shows the first 64 KiB, or the whole of a shorter stream. Reading raises `SourceError` where a line
    is longer than `LONGEST_LINE`, before much more of it is held.

    :param stream: with lines of text, in any encoding that writes a line end with the byte of ASCII.
    :param origin: what messages call it.
    """
    return io.BufferedReader(_Chunks(stream, origin), _CHUNK)


class _Chunks(io.RawIOBase):
    """A stream that asks another for much at a time.

    What Airflow opens looks up each attribute in Python, and a reader of lines asks for one with every line: that alone
    would take as long as reading them.
    """

    def __init__(self, stream: IO[bytes], origin: str) -> None:
        self._stream = stream
        self._origin = origin
        self._ahead = memoryview(b"")
        self._line = 0  # bytes since the last line end

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
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._line = len(chunk) - end - 1 if end >= 0 else self._line + len(chunk)
        if self._line > LONGEST_LINE:
            raise SourceError(
                f"{self._origin}: a line in it is longer than {LONGEST_LINE // 2**20} MB. Is it a file of lines? Make "
                "it again with a line end behind each row."
            )
        return chunk
