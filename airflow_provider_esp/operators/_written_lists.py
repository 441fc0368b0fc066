"""A list that was written down as one text, as a template does: ``['unsubscribed', …]``."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any, Final

_AROUND: Final = " \t\r'\"[](){}"
_BETWEEN: Final = re.compile(r"[,;\n]")
_LONGEST: Final = 1_000_000


def written_list(value: str, is_source: Callable[[str], bool]) -> list[Any] | None:
    """Return the items of a list that is written as text, where sources are among them.

    A list of people alone is read by what reads entries, which takes any spelling; a source would be lost there.

    :param value: without blanks around it.
    :param is_source: tells whether an item by itself names a source of people, and nobody.
    :returns: None where the text is no list, or has no source in it.
    """
    items = _parsed(value)
    if items is None:
        items = [item for piece in _BETWEEN.split(value) if (item := piece.strip(_AROUND))]
        if len(items) < 2 and items != [value.strip(_AROUND + ",;\n")]:
            return None
    is_any = any(isinstance(item, dict) or (isinstance(item, str) and is_source(item.strip())) for item in items)
    return items if is_any else None


def _parsed(value: str) -> list[Any] | None:
    """Return what a list, or one object, of Python or of JSON holds; None where the text is neither."""
    if value[:1] not in ("[", "(", "{") or len(value) > _LONGEST:
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            parsed = parse(value)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(parsed, dict):
            return [parsed]
        if isinstance(parsed, list | tuple | set):
            return list(parsed)
    return None
