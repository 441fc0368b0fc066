"""Read the body of an answer, compressed or not, within a limit: a few kilobytes can unpack to gigabytes.

Each HTTP library unpacks a whole chunk at once, however much comes out of it. So all clients read the bytes as they
were sent and unpack them here, by gzip alone, which is what every request asks for.
"""

from __future__ import annotations

import zlib

from airflow_provider_esp.exceptions import BodyRefused, BodyTooLarge

ACCEPT_ENCODING = "gzip"
_GZIP = 16 + zlib.MAX_WBITS
_PACKED = ("gzip", "x-gzip")
_PLAIN = ("", "identity")
_OTHERS = ("br", "compress", "deflate", "zstd")


class Body:
    """The body of one answer.

    :param encoding: the answer's ``Content-Encoding``; empty for none.
    :param limit: bytes that it may have once it is unpacked.
    :raises BodyRefused: the encoding is one that was not asked for.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        encoding = encoding.strip().lower()
        if encoding not in (*_PLAIN, *_PACKED):
            name = encoding if encoding in _OTHERS else "an unknown way"
            raise BodyRefused(f"the answer is packed by {name}, and {ACCEPT_ENCODING} was asked for")
        self._packed = encoding in _PACKED
        self._inflater = zlib.decompressobj(_GZIP)
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0
        self._begun = False

    def add(self, chunk: bytes) -> None:
        """Take the next bytes of the body as they were sent.

        :raises BodyTooLarge: it is larger than the limit.
        :raises BodyRefused: it cannot be unpacked.
        """
        if not self._packed:
            self._keep(chunk)
            return
        self._begun = self._begun or bool(chunk)
        while chunk:
            if self._inflater.eof:  # a gzip body may consist of several members
                self._inflater = zlib.decompressobj(_GZIP)
            try:
                self._keep(self._inflater.decompress(chunk, self._limit + 1 - self._size))
            except zlib.error:
                raise BodyRefused("the answer cannot be decompressed: it is damaged") from None
            chunk = self._inflater.unconsumed_tail or self._inflater.unused_data

    def end(self) -> bytes:
        """Return the whole body.

        :raises BodyRefused: it ends in the middle.
        """
        if self._begun and not self._inflater.eof:
            raise BodyRefused("the answer cannot be decompressed: its end is missing")
        return b"".join(self._chunks)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise BodyTooLarge(f"the answer is larger than {self._limit / 2**20:g} MB")
        self._chunks.append(data)
