"""What a send's source is, written down before its first block: a mapped task may be given another one later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from airflow_provider_esp.core.readers.table import fingerprint

_SAMPLE = 16
"""Rows of a list that are remembered, by the smallest of their digests; a few of them may be corrected in place."""


class SourceMark(msgspec.Struct, frozen=True):
    """Tells one source from another without holding anything of it.

    :ivar name: what messages call it; holds no address and no secret.
    :ivar digest: of where the rows come from: path, or query, parameters and key.
    :ivar sample: digests of some rows, where they come from a list, which has no place.
    """

    name: str = ""
    digest: str = ""
    sample: list[str] = []

    def is_same(self, other: SourceMark) -> bool:
        """Check whether two marks stand for one source: for lists, whether they share half of the rows compared."""
        if not (self.sample and other.sample):
            return self.digest == other.digest and not self.sample and not other.sample
        most = min(len(self.sample), len(other.sample))
        joint = sorted({*self.sample, *other.sample})[:most]
        return 2 * len([row for row in joint if row in self.sample and row in other.sample]) >= most

    def __str__(self) -> str:
        return f"{self.name} ({self.digest[:8]})"


def mark_of_place(name: str, *parts: object) -> SourceMark:
    """Mark a source by where its rows come from.

    :param parts: what tells it from others, in a form that is the same at every try.
    """
    return SourceMark(name, _digest(msgspec.json.encode(parts, enc_hook=repr, order="deterministic")))


def mark_of_rows(name: str, rows: Iterable[Sequence[object]]) -> SourceMark:
    """Mark a list of rows by some of them."""
    sample = sorted({_digest(fingerprint(row))[:16] for row in rows})[:_SAMPLE]
    return SourceMark(name, _digest("".join(sample).encode()), sample)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
