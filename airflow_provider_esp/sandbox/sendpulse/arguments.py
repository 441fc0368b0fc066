"""The arguments of a request by name, and the vendor's words for what is wrong with them.

The arguments of one request come from its query, and over it from its body: a JSON object (also with a GET, which is
how the vendor's Node.js client sends them) or a form whose names are spelt in PHP's way, ``products[0][name]``.
A query that is one JSON document, as pysendpulse sends it, is no argument of any name and so is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ..routing import Incoming
from .errors import badly_formed, invalid
from .php_values import NotSerialized, unserialize

PAGE = 100
"""The most rows of one page, and how many it has by default."""

_DEEPEST = 20
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_YES: tuple[Any, ...] = (True, 1, "1", "true")
_NO: tuple[Any, ...] = (False, 0, "0", "false")


def body(incoming: Incoming) -> Any:
    """Return the body's JSON or form, whatever it is; an empty body is an empty object.

    :raises Refused: 422, it is no JSON.
    """
    kind = incoming.headers.get("content-type", "").lower()
    if kind.startswith("application/x-www-form-urlencoded"):
        return nested(parse_qsl(incoming.body.decode("utf-8", "replace"), keep_blank_values=True))
    if kind.startswith("multipart/form-data"):
        return nested(incoming.form.items())
    if not incoming.body.strip():
        return {}
    try:
        return msgspec.json.decode(incoming.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise badly_formed() from None


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return fields of a form or query as PHP reads them: ``a[]=1&a[]=2`` is a list, ``a[b]=1`` an object."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        keys = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else [name]
        if len(keys) > _DEEPEST:
            keys = [name]
        place = found
        for given in keys[:-1]:
            key = given or str(len(place))
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[keys[-1] or str(len(place))] = value
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(item) for key, item in value.items()}
    counted = list(inner) == [str(position) for position in range(len(inner))]
    return list(inner.values()) if counted else inner


class Arguments:
    """The arguments of one request, or of an object inside it.

    :param given: values by name.
    :param json_strings: whether a list or object may come as a string, of JSON or of PHP.
    """

    def __init__(self, given: Mapping[str, Any], json_strings: bool = True) -> None:
        self._given = given
        self._json_strings = json_strings

    @classmethod
    def of(cls, incoming: Incoming) -> Arguments:
        """Return the arguments of a request.

        :raises Refused: 422, its body is not an object.
        """
        said = body(incoming)
        if not isinstance(said, dict):
            raise badly_formed()
        query = nested(incoming.query.multi_items())
        return cls({**query, **said}, incoming.state.settings["sendpulse.json_strings"])

    def inner(self, name: str) -> Arguments:
        """Return the object under that name; an empty one where there is none."""
        value = self.structure(name)
        return Arguments(value if isinstance(value, dict) else {}, self._json_strings)

    def all(self) -> dict[str, Any]:
        """Return all arguments by name."""
        return dict(self._given)

    def get(self, name: str) -> Any:
        """Return the value as it came; None where there is none."""
        return self._given.get(name)

    def has(self, name: str) -> bool:
        """Check whether there is a value that is not empty."""
        return self._given.get(name) not in _EMPTY

    def need(self, name: str, code: int = 422) -> None:
        """Require a value.

        :raises Refused: 422, ``Argument … missing``.
        """
        if not self.has(name):
            raise invalid(f"Argument {name} missing", code)

    def structure(self, name: str) -> Any:
        """Return a list or object, which may have come as a string of JSON or of PHP; any other value as it came."""
        value = self._given.get(name)
        return inside(value) if isinstance(value, str) and self._json_strings else value

    def string(self, name: str, wrong: str = "must be string", default: str = "") -> str:
        """Return a string.

        :raises Refused: 422, it is something else.
        """
        value = self._given.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise invalid(f"Argument {name} {wrong}")
        return value

    def whole(self, name: str, default: int = 0, low: int | None = None, high: int | None = None) -> int:
        """Return a whole number, which may come as its digits.

        :raises Refused: 422, it is none, or outside low..high.
        """
        given = self._given.get(name)
        if given is None or given == "":
            return default
        value = whole(given)
        if value is None:
            raise invalid(f"Argument {name} must be integer")
        if low is not None and value < low:
            raise invalid(f"Argument {name} must be at least {low}")
        if high is not None and value > high:
            raise invalid(f"Argument {name} may not be greater than {high}")
        return value

    def flag(self, name: str, wrong: str = "must be boolean", default: bool | None = None) -> bool | None:
        """Return a boolean, also as 1 or 0.

        :raises Refused: 422, it is something else.
        """
        value = self._given.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool | int | str):
            if value in _YES:
                return True
            if value in _NO:
                return False
        raise invalid(f"Argument {name} {wrong}")

    def loose_page(self) -> tuple[int, int]:
        """Return ``limit`` and ``offset`` of a method without documented bounds; 0, a client's default, is none.

        :raises Refused: 422, one is no number, or negative.
        """
        return self.whole("limit", PAGE, 0) or PAGE, self.whole("offset", 0, 0)

    def page(self, most: int = PAGE) -> tuple[int, int]:
        """Return the arguments ``limit`` and ``offset``.

        :raises Refused: 422, as the vendor's specification words it.
        """
        return self.whole("limit", min(PAGE, most), 1, most), self.whole("offset", 0, 0)


def inside(text: str) -> Any:
    """Decode a string of JSON, or of PHP's ``serialize()``; the string where it is neither."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return unserialize(text)
    except NotSerialized:
        return text


def whole(value: Any) -> int | None:
    """Return a number of at most 18 digits, given as such or as its digits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    return int(value) if re.fullmatch(r"-?\d{1,18}", value, re.ASCII) else None


def is_email(value: Any) -> bool:
    """Check whether a value looks like an address: something, @, a domain with a dot; no spaces."""
    return isinstance(value, str) and re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+", value) is not None


def phone_of(value: Any) -> str | None:
    """Return the digits of a phone number of 7 to 15 digits, written in any usual way; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    digits = re.sub(r"\D", "", text, flags=re.ASCII)
    return digits if re.fullmatch(r"\+?[\d\s().-]+", text, re.ASCII) and 7 <= len(digits) <= 15 else None
