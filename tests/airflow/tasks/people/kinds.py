"""The kinds of fault by which a wrong person is written to, or a row is lost: `make people` needs a test for each."""

from __future__ import annotations

KINDS = (
    # A wrong person, or one who said no.
    "number was a float",
    "number, no country",
    "opt-out not read",
    "opt-out file",
    "opt-out source shrunk",
    "campaign too late",
    "wrong hour",
    "start in the past",
    "open quotation mark",
    "shared report folder",
    "account cannot pay",
    # Lost, or a dead end.
    "one bad row",
    "author's mistake",
    "place not writable",
    "value service drops",
    "words for nothing",
    "precision and types",
    "row cannot be found",
)
"""What the first column of the table shows, in this order; at most 21 characters each."""
