"""Holding requests and answers against the vendor's words: what is wrong, and where.

A place is a JSON pointer into the body, with ``*`` for any position of a list, or ``path:name`` or ``query:name``.
Requests are held to more than the schemas say: a name that the specification does not have is a fault, so that a
misspelt field is found. Answers may hold more than the specification lists, as real ones do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
from jsonschema import ValidationError

from airflow_provider_esp.core.calls import Call
from tests.contract.specifications import Operation, Schema

Fault = tuple[str, str]
_KEYED = re.compile(r"\[.*\]$", re.DOTALL)


def request_faults(call: Call[Any], operation: Operation) -> Iterator[Fault]:
    """Say what is wrong with a request that is meant for a method."""
    yield from _path_faults(call, operation)
    yield from _query_faults(call, operation)
    if operation.body is None:
        if call.content is not None:
            yield "", "a body that the specification does not have"
    elif call.content is None:
        yield "", "no body"
    else:
        body = json.loads(call.content)
        yield from ((_pointer(error), error.message) for error in operation.body.faults(body))
        yield from _undeclared(operation.body, body, "")


def answer_faults(response: httpx.Response, operation: Operation) -> Iterator[Fault]:
    """Say what is wrong with an answer; nothing where the specification promises nothing for its status."""
    schema = operation.answers.get(str(response.status_code), operation.answers.get("default"))
    if schema is None:
        return
    try:
        body = response.json()
    except json.JSONDecodeError:
        yield "", "not JSON"
        return
    yield from ((_pointer(error), error.message) for error in schema.faults(body))


def _path_faults(call: Call[Any], operation: Operation) -> Iterator[Fault]:
    declared = [name for where, name in operation.parameters if where == "path"]
    names = re.findall(r"\{(\w+)\}", operation.name)
    pattern = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(operation.name.partition(" ")[2]))
    found = re.fullmatch(pattern, call.path)
    if found is None:
        yield "path:", f"{call.label} is not filled as {operation.name} wants it"
        return
    for name, value in zip(names, found.groups(), strict=True):
        if name not in declared:
            yield f"path:{name}", "not among the parameters"
        else:
            yield from _parameter_faults(operation, ("path", name), unquote(value))


def _query_faults(call: Call[Any], operation: Operation) -> Iterator[Fault]:
    given = parse_qsl(call.query_string, keep_blank_values=True)
    for name, value in given:
        key = ("query", name) if ("query", name) in operation.parameters else ("query", _KEYED.sub("", name))
        if key not in operation.parameters:
            yield f"query:{_KEYED.sub('', name)}", "not among the parameters"
        else:
            yield from _parameter_faults(operation, key, value)
    names = {name for name, _ in given} | {_KEYED.sub("", name) for name, _ in given}
    for where, name in operation.required:
        if where == "query" and name not in names:
            yield f"query:{name}", "is required"


def _parameter_faults(operation: Operation, key: tuple[str, str], text: str) -> Iterator[Fault]:
    schema = operation.parameters[key]
    for error in schema.faults(_spelled(text, schema)):
        yield ":".join(key), error.message


def _spelled(text: str, schema: Schema) -> Any:
    """Read a parameter as the type that its schema wants; what cannot be read so stays text, and is a fault."""
    match schema.type:
        case "integer" if re.fullmatch(r"-?\d+", text, re.ASCII):
            return int(text)
        case "number" if re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII):
            return float(text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case "array":  # one of its items, as ``name[0]=…``
            return [_spelled(text, schema.items)]
        case "object":  # one of its members, as ``name[key]=…``
            return {"": text}
    return text


def _undeclared(schema: Schema, value: Any, place: str) -> Iterator[Fault]:
    """Find names in an object that its schema does not list, where it lists any."""
    if isinstance(value, list):
        for item in value:
            yield from _undeclared(schema.items, item, f"{place}/*")
    elif isinstance(value, dict) and (listed := schema.properties) is not None:
        for name, item in value.items():
            if name in listed:
                yield from _undeclared(listed[name], item, f"{place}/{name}")
            else:
                yield f"{place}/{name}", "not in the specification"


def _pointer(error: ValidationError) -> str:
    """Spell where an error is; keys that the schema does not name are ``*``, as positions are."""
    steps, pointer = iter(error.absolute_schema_path), ""
    for step in steps:
        if step == "properties":
            pointer += f"/{next(steps)}"
        elif step in ("items", "additionalProperties"):
            pointer += "/*"
    # The last step is the keyword that failed, which may be called like those that lead on.
    return pointer.removesuffix("/*") if error.validator in ("items", "additionalProperties") else pointer
