"""Operator arguments that say who somebody is: used as they are, and stored and shown by Airflow as three stars.

Airflow writes an operator's template fields into its database, as the author gave them and again as they were
rendered. What must not stand there is wrapped the moment it is assigned, whichever way it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_BEGINS = ("{{", "{%", "{#")
_QUERY = re.compile(r"(https?://[^\s?#'\"<>]*)[?#][^\s'\"<>]*", re.IGNORECASE)
_LOGIN = re.compile(r"(https?://)[^\s/'\"<>]*@", re.IGNORECASE)


class MaskedValue:
    """A value that is somebody's.

    :param value: what it is.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "***"


class WrappedAttribute:
    """An operator's argument whose value is wrapped the moment it is assigned, whichever way it came.

    Airflow renders templates and resolves XComs by assigning to the attribute, then shows and stores what is there.

    :param wrap: returns what stands for a value.
    """

    def __init__(self, wrap: Callable[[Any], Any]) -> None:
        self._wrap = wrap

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, operator: Any, owner: type | None = None) -> Any:
        return self if operator is None else getattr(operator, self._name)

    def __set__(self, operator: Any, value: Any) -> None:
        setattr(operator, self._name, self._wrap(value))


class MaskedAttribute(WrappedAttribute):
    """An operator's argument that is somebody's; `unmask` gives what it is.

    What is still to be rendered (a template, an XCom) is left as it is: it names nobody yet.
    """

    def __init__(self) -> None:
        super().__init__(_masked)


def _masked(value: Any) -> Any:
    return value if value is None or isinstance(value, MaskedValue) or is_template(value) else MaskedValue(value)


def unmask(value: Any) -> Any:
    """Return what a `MaskedAttribute` holds."""
    return value.value if isinstance(value, MaskedValue) else value


def is_template(value: Any) -> bool:
    """Check whether something of a value is still to be rendered."""
    match value:
        case str():
            return any(sign in value for sign in _BEGINS)
        case Mapping():
            return any(is_template(item) for pair in value.items() for item in pair)
        case list() | tuple():
            return any(is_template(item) for item in value)
    return hasattr(value, "resolve")  # an XCom's reference


def without_secrets(text: str) -> str:
    """Take logins and queries out of the addresses in a text."""
    return _LOGIN.sub(r"\1***@", _QUERY.sub(r"\1?***", text))
