"""Decoding that tolerates what the vendors' answers really look like.

Models state the plain truth (`list[Result]`, `int`, `bool`); the quirks are dealt with here, once:
a one-element list collapsed to a bare object and an object in a list of its own, an empty list where an object
belongs, one ``data`` envelope more or less than documented, numbers and booleans printed as strings, ``null`` (and
PHP's ``false`` and ``""``) for a field that simply has no value, plain sentences labelled JSON, empty bodies, a UTF-8
byte order mark. The fast path is msgspec's own typed decoding; only an answer that it refuses is decoded a second time
and reshaped. What is still not as the model has it costs the whole answer only where `strict_fields` says that the
field is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect as mi

from airflow_provider_esp.core import strict_fields
from airflow_provider_esp.exceptions import DecodingError

_log = logging.getLogger(__name__)

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"


def decode(content: bytes, answer: type[T]) -> T:
    """Turn an answer's body into `answer`.

    :param content: the body as it came.
    :param answer: a type msgspec can decode; `str` gives the body as text (a JSON string is unquoted);
        ``NoneType`` ignores the body.
    :raises DecodingError: the body cannot be read as that type.
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
        shaped = _reshape(msgspec.json.decode(content), shape)
        try:
            return msgspec.convert(shaped, answer, strict=False)
        except msgspec.ValidationError:
            return msgspec.convert(_without_unexpected(shaped, shape), answer, strict=False)
    except msgspec.ValidationError as error:
        raise DecodingError(_where(error)) from None
    except _BROKEN as error:
        raise _not_json(content, error) from None


# Nesting deeper than the interpreter's stack is no answer of any service, but must not look like a bug of ours.
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _not_json(content: bytes, error: Exception) -> DecodingError:
    return DecodingError(f"{len(content)} bytes that are not JSON ({error})")


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
    if isinstance(want, mi.StructType):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            return _reshape_struct(value, want)
    if isinstance(want, mi.StrType) and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _reshape_union(value: Any, want: mi.UnionType) -> Any:
    if value is None and want.includes_none:
        return None
    option = _only_option(want)
    return value if option is None else _reshape(value, option)


def _only_option(want: mi.UnionType) -> mi.Type | None:
    """Return the type of ``X | None``; None where there are several to choose from."""
    fitting = [option for option in want.types if not isinstance(option, mi.NoneType)]
    return fitting[0] if len(fitting) == 1 else None


def _reshape_struct(value: dict[str, Any], want: mi.StructType) -> dict[str, Any]:
    shaped = dict(value)
    for field in want.fields:
        if field.encode_name not in shaped:
            continue
        item = shaped[field.encode_name]
        if field.encode_name == "data":
            item = _reshape_envelope(item, field.type)
        if not field.required and _is_nothing(item, field):
            del shaped[field.encode_name]  # "no value": the field's own default is meant
        else:
            shaped[field.encode_name] = _reshape(item, field.type)
    return shaped


def _reshape_envelope(value: Any, want: mi.Type) -> Any:
    """Take a second ``{"data": ...}`` off, or put one around, as the model has it."""
    nested = isinstance(want, mi.StructType) and any(field.encode_name == "data" for field in want.fields)
    if nested and (isinstance(value, list) or (isinstance(value, dict) and "data" not in value)):
        return {"data": value}
    if not nested and isinstance(want, (*_LISTS, mi.StructType)) and isinstance(value, dict) and "data" in value:
        return value["data"]
    return value


def _is_nothing(value: Any, field: mi.Field) -> bool:
    """Check whether a value stands for "no value": null, and PHP's false and "" where no boolean or text belongs."""
    options = field.type.types if isinstance(field.type, mi.UnionType) else (field.type,)
    if any(isinstance(option, mi.AnyType) for option in options):
        return False
    if value is None:
        return not any(isinstance(option, mi.NoneType) for option in options)
    if field.encode_name in strict_fields.OUTCOMES:
        return False
    if value is False:
        return not any(isinstance(option, mi.BoolType) for option in options)
    # A text inside a list of texts may be the list's only item.
    return value == "" and not any(_takes_text(option) for option in options)


def _takes_text(want: mi.Type) -> bool:
    return isinstance(want, mi.StrType) or (isinstance(want, _LISTS) and isinstance(want.item_type, mi.StrType))


def _without_unexpected(value: Any, want: mi.Type) -> Any:
    """Leave out what a model does not expect, where `strict_fields` says that it is not needed."""
    if isinstance(want, mi.UnionType):
        option = _only_option(want)
        return value if option is None or value is None else _without_unexpected(value, option)
    if isinstance(want, _LISTS) and isinstance(value, list):
        return [_without_unexpected(item, want.item_type) for item in value]
    if isinstance(want, mi.DictType) and isinstance(value, dict):
        return {key: _without_unexpected(item, want.value_type) for key, item in value.items()}
    if not isinstance(want, mi.StructType) or not isinstance(value, dict):
        return value
    kept = dict(value)
    types = {info.encode_name: info.type for info in msgspec.structs.fields(want.cls)}
    for field in want.fields:
        name = field.encode_name
        if name not in kept:
            continue
        kept[name] = _without_unexpected(kept[name], field.type)
        if _is_lenient(want.cls.__name__, field):
            try:
                msgspec.convert(kept[name], types[name], strict=False)
            except msgspec.ValidationError as error:
                del kept[name]
                _warn(want.cls.__name__, name, _where(error))
    return kept


def _is_lenient(model: str, field: mi.Field) -> bool:
    if field.required or strict_fields.decides(model, field.encode_name):
        return False
    return strict_fields.describes(model, field.encode_name) or _says_unknown(field)


def _says_unknown(field: mi.Field) -> bool:
    default = field.default
    return default is None or default == "" or isinstance(default, msgspec.Struct)


@cache
def _warn(model: str, name: str, wrong: str) -> None:
    """Say it once: a page of a thousand rows has it a thousand times."""
    _log.warning(
        "The service's answer has an unexpected value in %s.%s, which reads as no value (%s).", model, name, wrong
    )
