"""Arguments for any function of the table, made by hypothesis from the function's own type hints.

A sample of the table is taken as it is but for a few parameters, which get any value of their type, are left out, or
are put in. A text that has a form of its own (a date, a language, a name the service knows) is made in that form:
`FORMS` says which. What a function refuses with `ValueError` is its guard at work, and no request.
"""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union

import msgspec
from hypothesis import strategies as st
from msgspec import UnsetType

from airflow_provider_esp.services.esputnik.api.bulk import EncodedContacts
from tests.contract.table import Method, filled

_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
_NUMBERS = st.integers(1, 2**31 - 1)
_SMALL = st.integers(1, 100)
_DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
_MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31))
_MINUTES = _MOMENTS.map(lambda at: at.replace(second=0, microsecond=0))
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9, minutes=-30))])
_ADDRESSES = st.from_regex(r"[a-z0-9+._-]{1,8}@example\.(com|org)", fullmatch=True)
_PHONES = st.from_regex(r"380[0-9]{9}", fullmatch=True)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)
_VENDOR_TIMES = _MINUTES.map(lambda at: f"{at:%Y-%m-%d %H:%M:%S}")
_LANGUAGES = st.sampled_from(["en", "ru", "ua", "tr", "es", "pt"])

FORMS: Mapping[str, st.SearchStrategy[Any]] = {
    "smtp.emails date_from": _DAYS.map(str),
    "smtp.emails date_to": _DAYS.map(str),
    "smtp.bounces date": _DAYS.map(str),
    "smtp.unsubscribed date": _DAYS.map(str),
    "push.tasks date_from": _DAYS.map(str),
    "push.tasks date_to": _DAYS.map(str),
    "push.subscriptions date_from": _DAYS.map(str),
    "push.subscriptions date_to": _DAYS.map(str),
    "send_date": _VENDOR_TIMES,
    "sms.send date": _VENDOR_TIMES,
    "sms.send_to_book date": _VENDOR_TIMES,
    "lang": _LANGUAGES,
    "message_lang": _LANGUAGES,
    "limit": _SMALL,
    "max_rows": _SMALL,
    "sender": st.text("abcXYZ 019", min_size=1, max_size=11),
    "event_url": st.just("https://events.sendpulse.com/events/id/5eed0000000000000000000000000002/7043663"),
    "host": st.just("https://events.sendpulse.com"),
    "events.event event_type_key": st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    "events.event key_value": _ADDRESSES,
    "PastEvent event_type_key": st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    "PastEvent key_value": _ADDRESSES,
    "Channel type": st.sampled_from(["email", "sms", "viber", "mobilepush", "webpush", "appinbox", "widget", "inapp"]),
    "Device client_version": st.sampled_from(["native", "esputnik-1"]),
    "contact_fields": st.lists(st.sampled_from(["firstName", "lastName", "email", "sms", "address"]), unique=True),
    "email": _ADDRESSES,
    "sender_email": _ADDRESSES,
    "locator": _ADDRESSES,
    "emails": st.lists(_ADDRESSES, min_size=1, max_size=3),
    "phone": _PHONES,
    "Order email": _ADDRESSES,
    "NewViber message_type": st.sampled_from([2, 3]),
    "NewViber message_live_time": st.integers(60, 86_400),
    "NewViber stretch_time": st.integers(0, 5),
    "NewPush ttl": st.integers(0, 86_400),
    "NewPush filters": st.just({}),
}
"""Texts and numbers whose form their docstring tells, by parameter or field, with its function or model if need be."""


def arguments(method: Method) -> st.SearchStrategy[dict[str, Any]]:
    """Make arguments for a method's function."""
    signature = inspect.signature(method.function)
    hints = typing.get_type_hints(method.function)
    names = list(signature.parameters)

    @st.composite
    def draw_all(draw: st.DrawFn) -> dict[str, Any]:
        chosen = dict(filled(draw(st.sampled_from(method.samples)), None))
        for name in draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else ():
            optional = signature.parameters[name].default is not inspect.Parameter.empty
            if optional and name in chosen and draw(st.booleans()):
                del chosen[name]
            else:
                chosen[name] = draw(values(method.name, name, hints[name]) | like(chosen.get(name)))
        return chosen

    return draw_all()


def values(owner: str, name: str, hint: Any) -> st.SearchStrategy[Any]:
    """Make values for a parameter of a function, or a field of a model."""
    form = FORMS.get(f"{owner} {name}", FORMS.get(name))
    return form if form is not None and _is_plain(hint) else _of(hint)


def like(value: Any) -> st.SearchStrategy[Any]:
    """Make values like one that is known to be good: a model with some of its fields changed, and lists of such."""
    if isinstance(value, msgspec.Struct):
        hints = typing.get_type_hints(type(value))
        names = [field.name for field in msgspec.structs.fields(value)]
        owner = type(value).__name__
        changes = st.lists(st.sampled_from(names), unique=True, max_size=3).flatmap(
            lambda some: st.fixed_dictionaries({name: values(owner, name, hints[name]) for name in some})
        )
        return changes.map(lambda given: msgspec.structs.replace(value, **given))
    if isinstance(value, list) and value and isinstance(value[0], msgspec.Struct):
        return st.lists(like(value[0]), min_size=1, max_size=3)
    return st.nothing()


def _is_plain(hint: Any) -> bool:
    """Whether a form may stand for a type: texts and numbers, lists of them, and any of these or nothing."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return all(_is_plain(option) for option in typing.get_args(hint))
    if typing.get_origin(hint) in (Sequence, list, tuple, Mapping, typing.get_origin(Mapping[str, Any])):
        return all(_is_plain(option) for option in typing.get_args(hint) if option is not ...)
    return hint in (str, int, type(None), UnsetType, Any)


@cache
def _of(hint: Any) -> st.SearchStrategy[Any]:
    origin, within = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return st.sampled_from(within)
    if origin in (Union, types.UnionType):
        return st.one_of([_of(option) for option in within if option not in _LEFT_OUT])
    if origin is tuple:
        return st.lists(_of(within[0]), max_size=3).map(tuple)
    if origin in (list, Sequence):
        return st.lists(_of(within[0]), max_size=3)
    if origin in (dict, Mapping):
        return st.dictionaries(_of(within[0]), _of(within[1]), max_size=3)
    if inspect.isclass(hint) and issubclass(hint, msgspec.Struct):
        return _models(hint)
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return st.sampled_from(list(hint))
    return _PLAIN[hint]


_LEFT_OUT = (UnsetType, EncodedContacts)
"""Options of a parameter that say nothing, or say what another option says."""

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    Any: _JSON,
    str: _TEXT,
    int: _NUMBERS,
    bool: st.booleans(),
    float: st.floats(0, 1e9),
    Decimal: st.decimals(0, 10**9, places=2),
    bytes: st.binary(max_size=8),
    type(None): st.none(),
    date: _DAYS | _MINUTES,
    datetime: _MINUTES | st.builds(datetime.combine, _DAYS, st.just(time(10, 30)), _ZONES),
}


def _models(model: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(model)
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(model):
        kept = values(model.__name__, field.name, hints[field.name])
        (required if field.required else optional)[field.name] = kept
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: model(**given))
