"""What a service brings to the sandbox.

A `Service` is one value: tables, seeds, routes, credentials, limits, settings, and the sections that people and tests
may look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from .limits import Limit
from .responses import Refused
from .routing import Endpoint, Incoming, Routes
from .settings import Setting
from .state import SandboxState
from .store import like

Row = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """One kind of thing a service keeps, for people to look at and for tests to read.

    :ivar name: in addresses: ``contacts``.
    :ivar columns: the keys of a row that the page shows, in order.
    :ivar rows: (state, q, limit, offset) to rows, newest first.
    :ivar count: (state, q) to how many rows there are.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Callable[[SandboxState, str, int, int], list[Row]]
    count: Callable[[SandboxState, str], int]


def table(
    name: str, title: str, columns: tuple[str, ...], *, rows: str, count: str, shape: Callable[[Row], Row] = dict
) -> Section:
    """Return a section read by SQL.

    :param rows: a SELECT that uses ``:q`` (a LIKE pattern, escaped by ``!``), ``:all`` (true when there is no
        filter), ``:limit`` and ``:offset``.
    :param count: a SELECT of one number that uses ``:q`` and ``:all``.
    :param shape: turns a row as selected into the row as shown.
    """

    def read(state: SandboxState, q: str, limit: int, offset: int) -> list[Row]:
        values = {"q": like(q), "all": not q, "limit": limit, "offset": offset, "now": state.clock.now()}
        return [shape(dict(row)) for row in state.store.named(rows, values)]

    def tally(state: SandboxState, q: str) -> int:
        return int(state.store.named(count, {"q": like(q), "all": not q, "now": state.clock.now()})[0][0])

    return Section(name, title, columns, read, tally)


@dataclass(frozen=True)
class Service:
    """One vendor.

    :ivar name: short name, prefix of its tables, settings and limits: ``esputnik``.
    :ivar prefix: where it is served: ``/esputnik/api``.
    :ivar schema: SQL that creates its tables; their names begin with `name` and an underscore.
    :ivar seed: fills the tables of a fresh sandbox.
    :ivar authorise: (request, endpoint) to the account's name; raises `Refused` (401, 403).
    :ivar refuse: puts a refusal into the vendor's shape.
    :ivar settle: does what has become due by the clock; called in a transaction before every locked endpoint and
        before anybody looks.
    :ivar render: (template text, data) to what a recipient reads.
    :ivar limits: documented limits by bucket name.
    :ivar actions: what tests can have done to the service from outside, by name, e.g. make many rows: (state, values)
        to what is answered; raises ValueError where the values make no sense.
    :ivar default_buckets: (method) to the buckets of an endpoint that names none.
    """

    name: str
    title: str
    prefix: str
    schema: str
    routes: Sequence[Routes]
    seed: Callable[[SandboxState], None]
    authorise: Callable[[Incoming, Endpoint], str]
    refuse: Callable[[SandboxState, Refused], Response]
    settle: Callable[[SandboxState], None]
    render: Callable[[str, Mapping[str, Any]], str]
    limits: Mapping[str, Limit] = field(default_factory=dict)
    default_buckets: Callable[[str], tuple[str, ...]] = lambda method: ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    sections: Sequence[Section] = ()
    actions: Mapping[str, Callable[[SandboxState, Mapping[str, Any]], Any]] = field(default_factory=dict)
