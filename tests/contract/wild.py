"""Requests made from a specification: what a method is said to take, and the same with something wrong in it.

Values that the tables of methods use (ids, addresses, words) are put in beside what a schema's type allows, so that a
request gets past the first check and into the method.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from hypothesis import strategies as st

from tests.contract import specifications
from tests.contract.specifications import Operation, Schema
from tests.contract.stage import TABLES

_DEEPEST = 5

_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
    | st.sampled_from(["", "null", "true", "0", "-1", "1e400", "[]", "{}", "9999-12-31T23:59", "0001-01-01", "\u0661"])
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=6
)
_FORMATS: Mapping[str, st.SearchStrategy[str]] = {
    "date": st.dates().map(str),
    "date-time": st.datetimes().map(lambda at: at.isoformat() + "Z"),
    "email": st.from_regex(r"[a-z0-9.+]{1,8}@example\.com", fullmatch=True),
    "uuid": st.uuids().map(str),
}


@dataclass(frozen=True)
class Asked:
    """A request: path below the base, and what goes with it.

    :ivar spoilt: whether it may be other than the specification has it.
    """

    method: str
    path: str
    query: str
    content: bytes | None
    spoilt: bool


def requests(operation: Operation) -> st.SearchStrategy[Asked]:
    """Make requests for a method: as the specification has them, or with anything of the wrong type or missing."""
    return _requests(operation, spoilt=False) | _requests(operation, spoilt=True)


def _requests(operation: Operation, *, spoilt: bool) -> st.SearchStrategy[Asked]:
    verb, _, template = operation.name.partition(" ")
    maker = _Maker(operation.service, spoilt)

    known = [path for name, path in _paths(operation.service) if name == specifications.bare(operation.name)]

    @st.composite
    def draw_one(draw: st.DrawFn) -> Asked:
        # Mostly something that is there, for a thing that is not there has no methods.
        path, query = draw(st.sampled_from([*known, *known, template])), []
        for (where, name), schema in operation.parameters.items():
            if where == "path":
                value = draw(maker.named(name, schema))
                path = path.replace(f"{{{name}}}", quote(_text(value) or "0", safe=""))
            elif where == "query" and (((where, name) in operation.required and not spoilt) or draw(st.booleans())):
                query.append((name, _text(draw(maker.named(name, schema)))))
        content = None
        if operation.body is not None:
            content = json.dumps(draw(maker.of(operation.body))).encode()
            if spoilt and draw(st.integers(0, 9)) == 0:
                content = draw(st.binary(max_size=20))
        return Asked(verb, path, urlencode(query), content, spoilt)

    return draw_one()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class _Maker:
    """Makes values of schemas for one service."""

    def __init__(self, service: str, spoilt: bool) -> None:
        self._known = _known(service)
        self._spoilt = spoilt

    def named(self, name: str, schema: Schema, depth: int = 0) -> st.SearchStrategy[Any]:
        """Values of a parameter or member, whose name may be known from the tables."""
        made = self.of(schema, depth)
        known = self._known.get(name, ())
        return st.sampled_from(known) | made if known else made

    def of(self, schema: Schema, depth: int = 0) -> st.SearchStrategy[Any]:
        """Values of a schema."""
        made = self._good(schema, depth)
        return st.integers(0, 7).flatmap(lambda lot: _ANYTHING if lot == 0 else made) if self._spoilt else made

    def _good(self, schema: Schema, depth: int) -> st.SearchStrategy[Any]:
        raw = schema.resolved
        if "enum" in raw and raw.get("type") != "array":
            return st.sampled_from(raw["enum"])
        choices = [Schema(choice, schema.document) for choice in raw.get("oneOf", raw.get("anyOf", ()))]
        if choices and "properties" not in raw and any("$ref" in choice.raw or choice.type for choice in choices):
            return st.one_of([self.of(choice, depth) for choice in choices])
        match raw.get("type", "object"):
            case "object":
                return self._objects(schema, choices, depth)
            case "array":
                least, most = raw.get("minItems", 0), min(raw.get("maxItems", 3), 3)
                return st.lists(
                    self.of(schema.items, depth + 1), min_size=least, max_size=0 if depth > _DEEPEST else most
                )
            case "integer":
                return st.integers(raw.get("minimum", -1000), raw.get("maximum", 2**31 - 1))
            case "number":
                return st.floats(-1e6, 1e6)
            case "boolean":
                return st.booleans()
            case "string":
                return _FORMATS.get(raw.get("format", ""), _TEXT)
            case "null":
                return st.none()
            case kinds:
                return st.one_of([self.of(Schema({**raw, "type": kind}, schema.document), depth) for kind in kinds])

    def _objects(self, schema: Schema, choices: list[Schema], depth: int) -> st.SearchStrategy[Any]:
        raw = schema.resolved
        if "properties" not in raw:
            more = raw.get("additionalProperties")
            inner = self.of(Schema(more, schema.document), depth + 1) if isinstance(more, dict) else _SCALARS
            return st.dictionaries(_TEXT, inner, max_size=2)
        members = {
            name: self.named(name, Schema(within, schema.document), depth + 1)
            for name, within in raw["properties"].items()
            if depth <= _DEEPEST or name in raw.get("required", ())
        }
        wanted = [{*raw.get("required", ()), *choice.raw.get("required", ())} for choice in choices or [schema]]
        shapes = [
            st.fixed_dictionaries(
                {name: members[name] for name in names if name in members and not self._spoilt},
                optional={name: made for name, made in members.items() if self._spoilt or name not in names},
            )
            for names in wanted
        ]
        return st.one_of(shapes)


@cache
def _paths(service: str) -> list[tuple[str, str]]:
    """Paths that the table's calls have, with the bare names of their methods."""
    calls = [call for method in TABLES[service] for call in method.calls() if "://" not in call.path]
    return list(dict.fromkeys((specifications.bare(call.name), call.path) for call in calls))


@cache
def _known(service: str) -> Mapping[str, tuple[Any, ...]]:
    """Values that the table uses, by the name of the member or parameter that holds them."""
    found: dict[str, list[Any]] = {}

    def note(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                note(key, item)
        elif isinstance(value, list):
            for item in value:
                note(name, item)
        if value not in found.setdefault(name, []):
            found[name].append(value)

    for method in TABLES[service]:
        for call in method.calls():
            for name, value in parse_qsl(call.query_string):
                note(name, value)
            for name, value in zip(call.label.split("/"), call.path.split("/"), strict=False):
                if name.startswith("{"):
                    note(name.strip("{}"), unquote(value))
            if call.content is not None and call.content.startswith(b"{"):
                note("", json.loads(call.content))
    return {name: tuple(values) for name, values in found.items() if name}
