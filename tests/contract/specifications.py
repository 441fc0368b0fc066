"""The vendors' specifications as the tests read them: whole where they are at hand, bare facts where they are not.

``ESP_SPECS_DIR`` names the folder of the whole ones, which are not ours to publish. Without it the skeletons beside
this module are read, which `scripts/make_skeleton.py` makes of them: paths, names, types, enums, what is required.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import make_skeleton
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from airflow_provider_esp.core.calls import Call

ROOT = Path(__file__).resolve().parents[2]

_ERROR = {
    "type": "object",
    "properties": {"message": {"type": "string"}, "error_code": {"type": "integer"}},
    "required": ["message", "error_code"],
}
"""What SendPulse's bulk e-mail specification refers to and lacks; that of SMTP has it, with nothing required."""

_PREFIX = {"esputnik": "/api/"}
_PLACEHOLDER = re.compile(r"\{[^}]*\}")


def folder() -> Path | None:
    """Where the whole specifications are, or None.

    :raises FileNotFoundError: the folder is named and is not there.
    """
    named = os.environ.get("ESP_SPECS_DIR")
    if not named:
        return None
    if not Path(named).is_dir():
        raise FileNotFoundError(f"ESP_SPECS_DIR names {named}, which is no folder.")
    return Path(named)


@cache
def documents() -> Mapping[str, Any]:
    """Every specification by name; the missing schema is put in."""
    where = folder()
    found = {}
    for name in make_skeleton.FILES:
        if where is None:
            document = json.loads((make_skeleton.SKELETON / f"{name}.json").read_text(encoding="utf-8"))
        else:
            document = make_skeleton.read(where, name)
        if name.startswith("sendpulse"):
            document.setdefault("components", {}).setdefault("schemas", {}).setdefault("Error", _ERROR)
        found[name] = document
    return found


@dataclass(frozen=True)
class Schema:
    """One schema of one specification."""

    raw: Mapping[str, Any]
    document: str

    @cached_property
    def _validator(self) -> Draft202012Validator:
        components = documents()[self.document]["components"]
        return Draft202012Validator({**self.raw, "components": components}, format_checker=FORMATS)

    def faults(self, value: Any) -> Iterator[ValidationError]:
        """Say what is wrong with a value."""
        return self._validator.iter_errors(value)

    @property
    def properties(self) -> Mapping[str, Schema] | None:
        """Schemas of an object's members, or None where it may have any."""
        listed = self.resolved.get("properties")
        if listed is None or "additionalProperties" in self.resolved:
            return None
        return {name: Schema(within, self.document) for name, within in listed.items()}

    @property
    def items(self) -> Schema:
        """Schema of a list's items."""
        return Schema(self.resolved.get("items", {}), self.document)

    @property
    def type(self) -> Any:
        """What it is, where it says so."""
        return self.resolved.get("type")

    @property
    def resolved(self) -> Mapping[str, Any]:
        """What a reference refers to."""
        schema = self.raw
        while "$ref" in schema:
            schema = documents()[self.document]["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema


@dataclass(frozen=True)
class Operation:
    """One method in one specification.

    :ivar name: as calls are named, e.g. ``POST v1/contacts``.
    :ivar parameters: of path and query, by where they are and name.
    :ivar required: those of them that a request must have.
    :ivar body: of the request, or None.
    :ivar answers: JSON bodies by status, ``default`` among them.
    """

    service: str
    name: str
    document: str
    parameters: Mapping[tuple[str, str], Schema]
    required: frozenset[tuple[str, str]]
    body: Schema | None
    answers: Mapping[str, Schema]

    @property
    def key(self) -> tuple[str, str]:
        """What a call of this method has in common with it."""
        return self.service, bare(self.name)


FORMATS = FormatChecker(("date",))
"""Formats that are asserted: dates, moments as RFC 3339 has them, and 32 bits."""


@FORMATS.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


def bare(name: str) -> str:
    """A method's name without those of its placeholders, which differ from page to page."""
    return _PLACEHOLDER.sub("{}", name)


@cache
def operations() -> Mapping[tuple[str, str], list[Operation]]:
    """Every method of every specification; two of SendPulse's stand in two of them."""
    found: dict[tuple[str, str], list[Operation]] = {}
    for name, document in documents().items():
        for operation in _operations(name, document):
            found.setdefault(operation.key, []).append(operation)
    return found


def of(call: Call[Any]) -> list[Operation]:
    """The methods of the specifications that a call is meant to be; empty where they do not have it."""
    return operations().get((call.service, bare(call.name)), [])


def _operations(name: str, document: Mapping[str, Any]) -> Iterator[Operation]:
    service = name.partition("-")[0]
    for path, item in document["paths"].items():
        for verb in make_skeleton.VERBS:
            if verb not in item:
                continue
            operation = item[verb]
            parameters = {
                (parameter["in"], parameter["name"]): parameter
                for parameter in (*item.get("parameters", ()), *operation.get("parameters", ()))
            }
            answers = {str(status): _json(answer, name) for status, answer in operation["responses"].items()}
            yield Operation(
                service=service,
                name=f"{verb.upper()} {path.removeprefix(_PREFIX.get(service, '/'))}",
                document=name,
                parameters={key: Schema(parameter["schema"], name) for key, parameter in parameters.items()},
                required=frozenset(key for key, parameter in parameters.items() if parameter.get("required")),
                body=_json(operation.get("requestBody", {}), name),
                answers={status: schema for status, schema in answers.items() if schema is not None},
            )


def _json(holder: Mapping[str, Any], document: str) -> Schema | None:
    """The schema of a body's JSON, where there is one."""
    for kind, entry in holder.get("content", {}).items():
        if kind.startswith("application/json") and "schema" in entry:
            return Schema(entry["schema"], document)
    return None
