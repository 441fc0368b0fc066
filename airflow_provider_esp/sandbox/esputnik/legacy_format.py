"""The habits of eSputnik's older methods: a list of one is a bare object, numbers and booleans come in quotes.

Both can be switched off, to try a client against the vendor's specification to the letter.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import responses
from ..routing import Incoming
from ..settings import Setting

SETTINGS = {
    "esputnik.collapse": Setting(
        True, "older methods answer a list of one as a bare object, and leave an empty one out"
    ),
    "esputnik.quote": Setting(True, "older methods print numbers and booleans in quotes"),
}


def answer(incoming: Incoming, value: dict[str, Any], *, quoted: bool = True) -> Response:
    """Answer as the older methods do.

    :param quoted: whether this method is one of those that print numbers and booleans in quotes.
    """
    settings = incoming.state.settings
    return responses.json(_shape(value, settings["esputnik.collapse"], quoted and settings["esputnik.quote"]))


def _shape(value: Any, collapse: bool, quote: bool) -> Any:
    if isinstance(value, dict):
        left = {name: item for name, item in value.items() if item is not None and not (collapse and item == [])}
        return {name: _shape(item, collapse, quote) for name, item in left.items()}
    if isinstance(value, list):
        items = [_shape(item, collapse, quote) for item in value]
        return items[0] if collapse and len(items) == 1 else items
    if quote and isinstance(value, bool):
        return str(value).lower()
    if quote and isinstance(value, int | float):
        return str(value)
    return value
