"""What a sync's state holds of one key: bytes that sort by the key's digest, because files of them are merged.

Most entries of a run are copied from one file into the next without anybody looking into them, so the digests stand at
fixed places and nothing is decoded that is not asked for.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from airflow_provider_esp.core.sync.keys import DIGEST_BYTES

NOTHING: Final = bytes(DIGEST_BYTES)
"""In place of the digest of a row: none was accepted."""
MOST_TRIES: Final = 255

_ACCEPTED: Final = 2 * DIGEST_BYTES
_FLAGS: Final = _ACCEPTED
_TRIES: Final = _ACCEPTED + 1
_REST: Final = _ACCEPTED + 2
_TRIED: Final = 128  # whether the digest of a row that was not accepted follows


class Flag(enum.IntFlag):
    """What is known of a key."""

    HELD = 1
    """The service has accepted it from this sync."""
    MAYBE = 2
    """It was sent, and nobody knows whether the service has it: it is sent again."""
    LEAVING = 4
    """It is to be taken out, or was and nobody knows: it is taken out again."""
    FOREIGN = 8
    """Somebody who was there before this sync: never taken out."""
    SUPPRESSED = 16
    """The author left this person out when it was tried."""


class Entry(NamedTuple):
    """What is known of one key.

    :ivar key: its digest.
    :ivar accepted: digest of the row that the service accepted last; `NOTHING` for none.
    :ivar flags: see `Flag`.
    :ivar tries: how often the row of `tried` was refused.
    :ivar tried: digest of the row that was not accepted last; empty for none.
    :ivar marks: a byte for each field of the accepted row, to name those that changed.
    :ivar handle: sealed name by which the service knows the person; empty where it never had to.
    """

    key: bytes
    accepted: bytes = NOTHING
    flags: int = 0
    tries: int = 0
    tried: bytes = b""
    marks: bytes = b""
    handle: bytes = b""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing, and need not be kept."""
        return not self.flags and not self.tried


def pack(entry: Entry) -> bytes:
    """Return an entry as it stands in a file."""
    flags = entry.flags | (_TRIED if entry.tried else 0)
    head = entry.key + entry.accepted + bytes((flags, min(entry.tries, MOST_TRIES)))
    return head + entry.tried + bytes((len(entry.marks),)) + entry.marks + entry.handle


def unpack(raw: bytes) -> Entry:
    """Read what `pack` gave."""
    flags, at = raw[_FLAGS], _REST
    tried = b""
    if flags & _TRIED:
        tried = raw[at : at + DIGEST_BYTES]
        at += DIGEST_BYTES
    marks = raw[at + 1 : at + 1 + raw[at]]
    return Entry(
        raw[:DIGEST_BYTES],
        raw[DIGEST_BYTES:_ACCEPTED],
        flags & ~_TRIED,
        raw[_TRIES],
        tried,
        marks,
        raw[at + 1 + len(marks) :],
    )


def key_of(raw: bytes) -> bytes:
    """Return the digest of a packed entry's key."""
    return raw[:DIGEST_BYTES]


def is_settled(raw: bytes, row: bytes) -> bool:
    """Check whether a packed entry says that the service has exactly this row, and nothing else."""
    return raw[DIGEST_BYTES:_FLAGS] == row and raw[_FLAGS] & ~_TRIED == Flag.HELD


def flags_of(raw: bytes) -> int:
    """Return the flags of a packed entry."""
    return raw[_FLAGS] & ~_TRIED
