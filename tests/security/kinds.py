"""The kinds of attack that `make security` needs a test for."""

from __future__ import annotations

KINDS = (
    "bomb in an answer",
    "secret or person quoted",
    "id that changes the path",
    "address read two ways",
    "netrc and certificates",
    "odd token answer",
    "consent taken over",
    "page of another origin",
    "too much for the sandbox",
    "token file",
    "query that changes data",
    "file that unpacks",
    "link that is planted",
    "make up",
    "secret in the docs",
    "known hole",
    "held before",
)
"""What the first column of the table shows, in this order; at most 24 characters each."""
