"""Characters that nobody sees: what is said of them, and a text without them."""

from __future__ import annotations

import re
import unicodedata

# Controls but for those of white space, marks of direction and of joining, fillers, tags, halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

_CONTROL = re.compile("[\u0000-\u0008\u000e-\u001f\u007f-\u009f\ud800-\udfff]")


def hidden_character(value: str) -> str | None:
    """Return which control or invisible character a text holds first, and where; None where it holds none.

    It quotes nothing that can be seen: "an invisible character U+200B at 16".
    """
    found = _HIDDEN.search(value)
    if found is None:
        return None
    kind = "a control" if unicodedata.category(found.group()) == "Cc" else "an invisible"
    return f"{kind} character U+{ord(found.group()):04X} at {found.start() + 1}"


def control_character(value: str) -> str | None:
    """Return which control character a text holds first, and where; None where it holds none."""
    found = _CONTROL.search(value)
    return None if found is None else f"a control character U+{ord(found.group()):04X} at {found.start() + 1}"


def without_hidden(value: str) -> str:
    """Return a text without control and invisible characters."""
    return _HIDDEN.sub("", value)
