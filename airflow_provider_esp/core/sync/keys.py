"""The secret of a sync: digests that only it can make, and what only it can read again.

From one text come a key for digests, one for the authentication of files and one for encryption; an id, from which none
of them can be had, says in a file with which secret it was written.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

DIGEST_BYTES: Final = 12
SHORTEST: Final = 32
"""Characters of a secret at the least."""


class StateKey:
    """What a sync's secret is used for.

    :param secret: at least 32 characters that nobody can guess.
    :ivar id: tells this secret from others, and nothing else of it.
    :raises ValueError: the secret is too short.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST:
            raise ValueError(f"A sync's state_key must be at least {SHORTEST} characters long, not {len(secret)}.")
        self.id = _part(secret, b"esp-sync id", 8).hex()
        self._digests = _part(secret, b"esp-sync digests", 32)
        self._files = _part(secret, b"esp-sync files", 32)
        self._sealing = AESSIV(_part(secret, b"esp-sync sealing", 64))

    @staticmethod
    def fresh() -> str:
        """Make a new secret."""
        return secrets.token_urlsafe(48)

    def digest(self, data: bytes) -> bytes:
        """Return a digest that is the same for the same data, and that nobody without the secret can make."""
        return hashlib.blake2b(data, key=self._digests, digest_size=DIGEST_BYTES).digest()

    def mark(self, data: bytes) -> bytes:
        """Return a digest of one byte: enough to name fields that have changed, and to say nothing else."""
        return hashlib.blake2b(data, key=self._digests, digest_size=1).digest()

    def authenticate(self, before: bytes, data: bytes) -> bytes:
        """Return what proves that a part of a file is what was written, behind the part that it was written behind.

        :param before: what this returned for the part before it.
        """
        return hashlib.blake2b(before + data, key=self._files, digest_size=16).digest()

    def seal(self, name: str) -> bytes:
        """Encrypt a name; the same name always gives the same bytes, so that two of them can be compared."""
        return self._sealing.encrypt(name.encode(), None)

    def open(self, sealed: bytes) -> str:
        """Decrypt what `seal` gave.

        :raises ValueError: it was sealed with another secret, or is damaged.
        """
        try:
            return self._sealing.decrypt(sealed, None).decode()
        except InvalidTag:
            raise ValueError("what is sealed there was sealed with another key, or is damaged") from None


def _part(secret: str, use: bytes, size: int) -> bytes:
    return hashlib.blake2b(secret.encode(), digest_size=size, person=use).digest()
