"""The table of methods: every function that makes a call, with arguments that a staged sandbox grants.

`tests/contract/esputnik_methods.py` and `sendpulse_methods.py` fill it; the tests and `docs/coverage.md` read it.
An id that only a running sandbox knows is a `Found` among the arguments, or its text inside one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_esp.core.calls import Call, Flow, Pages

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """An id that the stage finds out: `name` is what `Stage.found` calls it, `instead` what stands for it elsewhere."""

    name: str
    instead: str | int


@dataclass(frozen=True, eq=False)
class Method:
    """One function and arguments for it.

    :ivar samples: each is granted by a staged sandbox; between them they make every call that the function can make.
    """

    function: Callable[..., Call[Any]]
    samples: tuple[Arguments, ...]

    def call(self, number: int, found: Mapping[str, Any] | None = None) -> Call[Any]:
        """Make the call of a sample.

        :param found: ids by name; None uses stand-ins.
        """
        return self.function(**filled(self.samples[number], found))

    def calls(self) -> list[Call[Any]]:
        """Make the calls of all samples, with stand-ins for ids."""
        return [self.call(number) for number in range(len(self.samples))]

    @property
    def name(self) -> str:
        """Module and function, e.g. ``contacts.upsert``."""
        return _name(self.function)


@dataclass(frozen=True, eq=False)
class Longer:
    """A function that makes several calls, and arguments with which it finds something."""

    function: Callable[..., Flow[Any]] | Callable[..., Pages[Any]]
    arguments: Arguments

    def begin(self, found: Mapping[str, Any] | None = None) -> Any:
        """Make the flow or the pages."""
        return self.function(**filled(self.arguments, found))

    @property
    def name(self) -> str:
        """Module and function, e.g. ``reading.contact_pages``."""
        return _name(self.function)


class Taken:
    """Stands where a flow wants a function that takes what it finds, one by one."""

    def __init__(self) -> None:
        self._found: list[Any] = []

    def __call__(self, one: Any) -> None:
        self._found.append(one)

    def handed_over(self) -> list[Any]:
        """Give what was found since this was asked last."""
        found, self._found = self._found, []
        return found


def longer(function: Callable[..., Flow[Any]] | Callable[..., Pages[Any]], **arguments: Any) -> Longer:
    """Write one line about a function that makes several calls."""
    return Longer(function, arguments)


def method(function: Callable[..., Call[Any]], *samples: Arguments) -> Method:
    """Write one line of the table; a function that needs no arguments needs no sample."""
    return Method(function, samples or ({},))


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def filled(value: Any, found: Mapping[str, Any] | None) -> Any:
    """Put ids in the place of each `Found`."""
    match value:
        case Found(name, instead):
            return instead if found is None else found[name]
        case dict():
            return {name: filled(item, found) for name, item in value.items()}
        case list():
            return [filled(item, found) for item in value]
    return value
