"""Compressed files as plain binary streams: gzip and zstd, a little at a time.

A file that was cut off is an error and never a short file: rows would be lost in silence.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Literal

from airflow_provider_esp.exceptions import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Compression = Literal["gzip", "zstd"]

_CHUNK = 16 * 1024
"""Compressed bytes that are read at once; where text repeats itself, a hundred times as many come out."""
_AT_ONCE = {"gzip": _CHUNK, "zstd": 512}
"""Compressed bytes that are unpacked at once. Of gzip at most a thousand times as many come out; four bytes of zstd may
become 128 KiB."""
_GZIP = 16 + zlib.MAX_WBITS


def decompressed(stream: IO[bytes], compression: Compression, origin: str) -> IO[bytes]:
    """Read a compressed stream.

    :param origin: what messages call it.
    :returns: a stream of what is inside.
    :raises SourceError: zstandard is not installed; while reading: the stream is of another kind, damaged or cut off.
    """
    if compression == "gzip":
        return io.BufferedReader(_Inside(stream, lambda: zlib.decompressobj(_GZIP), zlib.error, "gzip", origin))
    try:
        import zstandard
    except ImportError:
        raise SourceError(f"{origin}: zstd needs a package: pip install 'airflow-provider-esp[zstd]'.") from None
    frame = zstandard.ZstdDecompressor().decompressobj
    return io.BufferedReader(_Inside(stream, frame, zstandard.ZstdError, "zstd", origin))


class _Inside(io.RawIOBase):
    """What is inside a compressed stream.

    :param part: makes a decompressor for one part of it: a gzip member or a zstd frame, of which there may be several.
    :param failure: what such a decompressor raises.
    """

    def __init__(
        self, stream: IO[bytes], part: Callable[[], Any], failure: type[Exception], kind: str, origin: str
    ) -> None:
        self._stream = stream
        self._part = part
        self._failure = failure
        self._kind = kind
        self._origin = origin
        self._under_way = part()  # None between two parts
        self._waiting = b""  # what was read and is not unpacked yet
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer; 0 at the end.

        :raises SourceError: the stream is not what it should be.
        """
        while not self._ready and self._decompress():
            pass
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._ready))
        target[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _decompress(self) -> bool:
        """Take in a little; False at the end."""
        waiting = self._waiting or self._stream.read(_CHUNK)
        chunk, self._waiting = waiting[: _AT_ONCE[self._kind]], waiting[_AT_ONCE[self._kind] :]
        if self._under_way is None:
            if not chunk:
                return False
            chunk = chunk.lstrip(b"\0")  # zeros may fill a gzip file up to the end of a block
            if chunk:
                self._under_way = self._part()
        elif not chunk:
            raise SourceError(f"{self._origin}: the {self._kind} file is cut off; copy it again, whole.")
        if self._under_way is not None:
            try:
                self._ready = memoryview(self._under_way.decompress(chunk))
            except self._failure as error:
                raise SourceError(f"{self._origin}: not a {self._kind} file, or a damaged one ({error}).") from None
            if self._under_way.eof:
                self._waiting = self._under_way.unused_data + self._waiting
                self._under_way = None
        return True
