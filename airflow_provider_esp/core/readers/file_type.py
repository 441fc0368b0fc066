"""What a file is by its first bytes, whatever it is called: compressed text is read, and other things are named."""

from __future__ import annotations

import codecs
from typing import IO, Final

from airflow_provider_esp.core.readers.compression import Compression
from airflow_provider_esp.exceptions import SourceError

_LOOKED_AT: Final = 512

_COMPRESSED: Final[tuple[tuple[bytes, Compression], ...]] = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))

_AS_CSV: Final = 'export the sheet as "CSV UTF-8" and name that file'
_OTHERS: Final = (
    (b"PK\x03\x04", "an Excel workbook (xlsx) or another ZIP archive", f"{_AS_CSV}, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (xls)", _AS_CSV),
    (b"PAR1", "a Parquet file", "say FileSource(path, format='parquet')"),
    (b"%PDF-", "a PDF document", "name a file of rows"),
    (b"BZh", "packed by bzip2", "pack it by gzip or zstd, or not at all"),
    (b"\xfd7zXZ\x00", "packed by xz", "pack it by gzip or zstd, or not at all"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it"),
)
_PAGES: Final = (b"<!doctype html", b"<html", b"<head", b"<?xml")


class Peeked:
    """A stream whose first bytes have been looked at.

    :param stream: binary.
    :ivar head: its first bytes.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.head = b""
        while len(self.head) < _LOOKED_AT and (more := stream.read(_LOOKED_AT - len(self.head))):
            self.head += more
        self._left = self.head

    def read(self, size: int = -1) -> bytes:
        """Read as the stream does."""
        if not self._left:
            return self._stream.read(size)
        if 0 <= size < len(self._left):
            part, self._left = self._left[:size], self._left[size:]
            return part
        part, self._left = self._left, b""
        return part + self._stream.read(-1 if size < 0 else size - len(part))


def compression_of(head: bytes) -> Compression | None:
    """Return by which program a file was packed, by its first bytes; None for neither gzip nor zstd."""
    return next((compression for magic, compression in _COMPRESSED if head.startswith(magic)), None)


def refuse_others(head: bytes, origin: str) -> None:
    """Refuse what is no text with rows.

    :param head: the first bytes.
    :param origin: what messages call the file.
    :raises SourceError: it is something else; the message says what, and what to do.
    """
    for magic, what, advice in _OTHERS:
        # A text may begin with the letters of some magics; what is no text has bytes that no text has.
        if head.startswith(magic) and (not magic.isalnum() or _is_binary(head)):
            raise SourceError(f"{origin}: this is {what}; {advice}.")
    if head.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_PAGES):
        raise SourceError(
            f"{origin}: this is a web page or XML, not a file of rows. Was a login page saved in its place? Fetch it "
            "again, and look into it."
        )


def _is_binary(head: bytes) -> bool:
    return any(byte < 9 for byte in head)
