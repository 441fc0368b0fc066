"""Values as PHP's ``serialize()`` writes them, which the vendor's older clients put where a list or object belongs.

Plain values and arrays are read; objects, references and everything else that PHP can write is no argument of any
method and is refused. A length is one of bytes; clients that are not PHP count characters, which is accepted where it
fits.
"""

from __future__ import annotations

import math
import re
from typing import Any

_DEEPEST = 20
_SCALAR = re.compile(rb"N;|b:([01]);|i:(-?\d{1,18});|d:(-?[\d.]{1,40}(?:[eE][+-]?\d{1,3})?);")
_TEXT = re.compile(rb's:(\d{1,9}):"')
_ARRAY = re.compile(rb"a:(\d{1,7}):\{")


class NotSerialized(ValueError):
    """A text that is no value of PHP, or one that is not read here."""


def unserialize(text: str) -> Any:
    """Read one value; an array whose keys count from 0 is a list, any other an object.

    :raises NotSerialized: the text is something else, or goes on behind the value.
    """
    content = text.encode("utf-8", "surrogatepass")
    value, end = _value(content, 0, 0)
    if end != len(content):
        raise NotSerialized
    return value


def _value(content: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise NotSerialized
    if scalar := _SCALAR.match(content, at):
        return _scalar(scalar), scalar.end()
    if text := _TEXT.match(content, at):
        return _text(content, text.end(), int(text[1]))
    if array := _ARRAY.match(content, at):
        return _array(content, array.end(), int(array[1]), depth)
    raise NotSerialized


def _scalar(match: re.Match[bytes]) -> Any:
    boolean, whole, number = match.groups()
    if boolean is not None:
        return boolean == b"1"
    if whole is not None:
        return int(whole)
    if number is None:
        return None
    try:
        value = float(number)
    except ValueError:
        raise NotSerialized from None
    if not math.isfinite(value):
        raise NotSerialized
    return value


def _text(content: bytes, begin: int, length: int) -> tuple[str, int]:
    end = begin + length
    if content[end : end + 2] != b'";':
        rest = content[begin:].decode("utf-8", "surrogateescape")
        end = begin + len(rest[:length].encode("utf-8", "surrogateescape"))
        if content[end : end + 2] != b'";':
            raise NotSerialized
    return content[begin:end].decode("utf-8", "replace"), end + 2


def _array(content: bytes, at: int, size: int, depth: int) -> tuple[Any, int]:
    items: dict[str, Any] = {}
    numbers: list[int] = []
    for _ in range(size):
        key, at = _value(content, at, depth + 1)
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise NotSerialized
        if isinstance(key, int):
            numbers.append(key)
        items[str(key)], at = _value(content, at, depth + 1)
    if content[at : at + 1] != b"}":
        raise NotSerialized
    if numbers == list(range(size)):
        return list(items.values()), at + 1
    return items, at + 1
