"""Makes `tests/contract/skeleton/`: the bare facts of the vendors' specifications, without their words.

    ESP_SPECS_DIR=folder python scripts/make_skeleton.py

Paths, names, types, enums, bounds and what is required are kept; sentences, examples and descriptions are not, nor
are methods that this project does not use. The contract tests read these files where the specifications are not at
hand, and say when they are out of date where they are.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

FILES = {
    "esputnik": "esputnik-openapi.json",
    "sendpulse-a360": "sendpulse-a360-openapi.yaml",
    "sendpulse-bulk-email": "sendpulse-bulk-email-openapi.yaml",
    "sendpulse-sms": "sendpulse-sms-openapi.yaml",
    "sendpulse-smtp": "sendpulse-smtp-openapi.yaml",
    "sendpulse-viber": "sendpulse-viber-openapi.yaml",
    "sendpulse-web-push": "sendpulse-web-push-openapi.yaml",
}
"""The specifications by the name that their skeleton has."""

SKELETON = Path(__file__).resolve().parent.parent / "tests" / "contract" / "skeleton"
VERBS = ("get", "put", "post", "patch", "delete")

_FACTS = "type format enum required minimum maximum minItems maxItems minLength maxLength uniqueItems nullable".split()
_LEFT_OUT = (
    *("apps/", "auth/", "products/", "preprocessor/", "recoms/"),
    *("messages/mobilepush", "messages/viber", "messages/appinbox", "messages/telegram"),
)
"""What of eSputnik's paths belongs to none of the methods here."""


def read(folder: Path, name: str) -> dict[str, Any]:
    """Read one of the vendors' specifications.

    :param folder: where they are.
    :param name: a key of `FILES`.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # JSON is YAML too, but takes ten times as long
    text = (folder / FILES[name]).read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text) if FILES[name].endswith(".json") else yaml.load(text, loader)  # noqa: S506  # both are safe loaders
    return document


def skeleton(document: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the bare facts of a specification."""
    paths = {path: _path_item(item) for path, item in document["paths"].items() if _is_used(path)}
    known = document.get("components", {}).get("schemas", {})
    schemas = {name: _schema(known[name]) for name in sorted(_referred(paths, known))}
    return {"openapi": document["openapi"], "paths": paths, "components": {"schemas": schemas}}


def dump(facts: Mapping[str, Any]) -> str:
    """Write a skeleton: one line for each path and each schema, so that a change is a short difference."""
    lines = [f'{{"openapi": {json.dumps(facts["openapi"])}, "paths": {{']
    lines += _entries(facts["paths"])
    lines += ['}, "components": {"schemas": {']
    lines += _entries(facts["components"]["schemas"])
    return "\n".join([*lines, "}}}", ""])


def _entries(things: Mapping[str, Any]) -> list[str]:
    written = [f"{json.dumps(name)}: {json.dumps(thing, separators=(',', ':'))}" for name, thing in things.items()]
    return [f"{line}{',' if number < len(written) else ''}" for number, line in enumerate(written, 1)]


def _is_used(path: str) -> bool:
    return not any(part in path for part in _LEFT_OUT)


def _path_item(item: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {verb: _operation(item[verb]) for verb in VERBS if verb in item}
    if "parameters" in item:
        kept["parameters"] = [_parameter(parameter) for parameter in item["parameters"]]
    return kept


def _operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if parameters := operation.get("parameters"):
        kept["parameters"] = [_parameter(parameter) for parameter in parameters]
    if body := operation.get("requestBody"):
        kept["requestBody"] = {
            **({"required": True} if body.get("required") else {}),
            "content": {kind: _content(content) for kind, content in body["content"].items()},
        }
    # A status without a schema says nothing that could be checked; OpenAPI wants one response at least.
    answers = {str(status): _response(answer) for status, answer in operation["responses"].items()}
    kept["responses"] = {status: answer for status, answer in answers.items() if answer} or {
        status: {} for status in answers
    }
    return kept


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    required = {"required": True} if parameter.get("required") else {}
    return {"name": parameter["name"], "in": parameter["in"], **required, "schema": _schema(parameter["schema"])}


def _response(answer: Mapping[str, Any]) -> dict[str, Any]:
    content = {kind: _content(content) for kind, content in answer.get("content", {}).items() if "schema" in content}
    return {"content": content} if content else {}


def _content(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": _schema(content["schema"])} if "schema" in content else {}


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    kept: dict[str, Any] = {fact: schema[fact] for fact in _FACTS if fact in schema}
    if "properties" in schema:
        kept["properties"] = {name: _schema(within) for name, within in schema["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            kept[keyword] = _schema(schema[keyword])
        elif keyword in schema:
            kept[keyword] = schema[keyword]
    for keyword in ("oneOf", "anyOf", "allOf"):
        if keyword in schema:
            kept[keyword] = [_schema(within) for within in schema[keyword]]
    return kept


def _referred(paths: Mapping[str, Any], known: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name not in found and name in known:
            found.add(name)
            waiting += _references(_schema(known[name]))
    return found


def _references(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rsplit("/", 1)[-1]
        for within in value.values():
            yield from _references(within)
    elif isinstance(value, list):
        for within in value:
            yield from _references(within)


def main() -> int:
    """Write every skeleton.

    :returns: the process's exit code.
    """
    folder = os.environ.get("ESP_SPECS_DIR")
    if not folder:
        print("ESP_SPECS_DIR must name the folder of the vendors' specifications.", file=sys.stderr)
        return 2
    SKELETON.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        text = dump(skeleton(read(Path(folder), name)))
        (SKELETON / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: {len(text):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
