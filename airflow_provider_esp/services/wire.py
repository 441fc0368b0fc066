"""Decoding that tolerates what the vendors' answers really look like.

Models state the plain truth (`list[Result]`, `int`, `bool`); the quirks are dealt with here, once:
a one-element list collapsed to a bare object, an empty list where an object belongs, numbers and booleans
printed as strings, ``null`` for a field that simply has no value, plain sentences labelled JSON, empty
bodies, a UTF-8 byte order mark. The fast path is msgspec's own typed decoding; only an answer that it
refuses is decoded a second time and reshaped.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect as mi

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"


class Undecodable(ValueError):
    """An answer that is not what the vendor promises; the message never quotes its values."""


def decode(content: bytes, answer: type[T]) -> T:
    """Turn an answer's body into `answer`.

    :param content: the body as it came.
    :param answer: a type msgspec can decode; `str` gives the body as text (a JSON string is unquoted);
        ``NoneType`` ignores the body.
    :raises Undecodable: the body cannot be read as that type.
    """
    if answer is NoneType:
        return cast(T, None)
    content = content.removeprefix(_BOM)
    if answer is str:
        return cast(T, _text(content))
    kind = cast(Hashable, answer)
    shape = _type_info(kind)
    if not content.strip() and isinstance(shape, mi.StructType):
        content = b"{}"  # no body, no fields: fine for an object that needs none, and an error for any other
    try:
        return cast(T, _decoder(kind).decode(content))
    except msgspec.ValidationError:
        pass  # well-formed as far as it was read, but not of this shape: perhaps one of the known quirks
    except _BROKEN as error:
        raise _not_json(content, error) from None
    try:
        return msgspec.convert(_reshape(msgspec.json.decode(content), shape), answer, strict=False)
    except msgspec.ValidationError as error:
        raise Undecodable(_where(error)) from None
    except _BROKEN as error:
        raise _not_json(content, error) from None


# Nesting deeper than the interpreter's stack is no answer of any service, but must not look like a bug of ours.
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _not_json(content: bytes, error: Exception) -> Undecodable:
    return Undecodable(f"{len(content)} bytes that are not JSON ({error})")


def _text(content: bytes) -> str:
    text = content.decode("utf-8", "replace").strip()
    if text.startswith('"'):
        try:
            return msgspec.json.decode(text, type=str)
        except msgspec.DecodeError:
            return text
    return text


def _where(error: msgspec.ValidationError) -> str:
    # msgspec names the expected type and the place ("Expected `int`, got `str` - at `$.id`"), and quotes a
    # value only for enums ("Invalid enum value 'x'"), which are the service's words and not a person's.
    return str(error)


@cache
def _decoder(answer: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast(Any, answer), strict=False)


@cache
def _type_info(answer: Hashable) -> mi.Type:
    return mi.type_info(answer)


_LISTS = (mi.ListType, mi.CollectionType, mi.VarTupleType, mi.SetType, mi.FrozenSetType)
_OBJECTS = (mi.StructType, mi.DictType, mi.TypedDictType, mi.DataclassType)


def _reshape(value: Any, want: mi.Type) -> Any:
    """Bring a decoded value into the shape that `want` describes, where it is off by a known quirk."""
    if isinstance(want, mi.UnionType):
        return _reshape_union(value, want)
    if isinstance(want, _LISTS):
        items = value if isinstance(value, list) else [] if value is None else [value]
        return [_reshape(item, want.item_type) for item in items]
    if isinstance(want, _OBJECTS) and value == []:
        value = {}
    if isinstance(want, mi.DictType) and isinstance(value, dict):
        return {key: _reshape(item, want.value_type) for key, item in value.items()}
    if isinstance(want, mi.StructType) and isinstance(value, dict):
        return _reshape_struct(value, want)
    if isinstance(want, mi.StrType) and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _reshape_union(value: Any, want: mi.UnionType) -> Any:
    if value is None and want.includes_none:
        return None
    fitting = [option for option in want.types if not isinstance(option, mi.NoneType)]
    return _reshape(value, fitting[0]) if len(fitting) == 1 else value


def _reshape_struct(value: dict[str, Any], want: mi.StructType) -> dict[str, Any]:
    shaped = dict(value)
    for field in want.fields:
        if field.encode_name not in shaped:
            continue
        item = shaped[field.encode_name]
        if item is None and not field.required and not _takes_none(field.type):
            del shaped[field.encode_name]  # null stands for "no value": the field's own default is meant
        else:
            shaped[field.encode_name] = _reshape(item, field.type)
    return shaped


def _takes_none(want: mi.Type) -> bool:
    return isinstance(want, mi.NoneType | mi.AnyType) or (isinstance(want, mi.UnionType) and want.includes_none)
