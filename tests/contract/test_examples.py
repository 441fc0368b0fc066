"""Every example of an answer in the vendors' specifications is one that our models read.

Few answers have an example of their own; most have one for each field, which are put together here to the answer that
they are the parts of. Refusals have examples by the dozen: each must be read as a refusal, with the vendor's words and
code. The skeletons hold no examples, so all this needs the whole specifications.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_esp.core.calls import Call, Kind
from airflow_provider_esp.core.decoding import decode
from tests.contract import specifications
from tests.contract.specifications import Schema
from tests.contract.stage import SERVICES, TABLES

_INSTEAD = {"string": "7", "integer": 1, "number": 1.5, "boolean": True}
"""What stands for a field without an example; ids are strings now and then, so the string is a number's."""


class Opaque(Exception):
    """The specification does not say what is in an object."""


def composed(schema: Schema) -> Any:
    """The example of an answer: its own, or those of its parts; a value of the right type where there is none.

    :raises Opaque: there is neither.
    """
    raw = schema.resolved
    for key in ("example", "default"):
        if key in raw and raw[key] != "":
            return raw[key]
    if "enum" in raw:
        return raw["enum"][0]
    choices = raw.get("oneOf") or raw.get("anyOf")
    if choices:
        return composed(Schema(choices[0], schema.document))
    if "properties" in raw:
        return {name: composed(Schema(within, schema.document)) for name, within in raw["properties"].items()}
    if raw.get("type") == "array":
        return [composed(schema.items)]
    kinds = raw.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        more = raw.get("additionalProperties")
        if not isinstance(more, dict):
            raise Opaque
        return {"key": composed(Schema(more, schema.document))}
    return _INSTEAD[kind]


def _promised() -> Iterator[Any]:
    for service, methods in TABLES.items():
        for method in methods:
            done = set()
            for call in method.calls():
                for operation in specifications.of(call):
                    for status, schema in operation.answers.items():
                        success = status == "default" or status.startswith("2")
                        if success and (call.name, operation.document) not in done:
                            done.add((call.name, operation.document))
                            with contextlib.suppress(Opaque):
                                yield pytest.param(call, composed(schema), id=f"{service} {method.name} {call.name}")


@pytest.mark.parametrize(("call", "example"), list(_promised()))
def test_the_answer_that_the_specification_shows_is_read(call: Call[Any], example: Any) -> None:
    decode(json.dumps(example).encode(), call.answer)


def _refusals() -> Iterator[tuple[str, str, int, Mapping[str, Any]]]:
    for name, document in specifications.documents().items():
        service = name.partition("-")[0]
        for path, item in document["paths"].items():
            for verb, operation in item.items():
                if verb == "parameters":
                    continue
                for status, answer in operation["responses"].items():
                    for content in answer.get("content", {}).values():
                        for example in content.get("examples", {}).values():
                            if not str(status).startswith("2"):
                                yield service, f"{verb.upper()} {path}", int(status), example["value"]


@pytest.mark.skipif(specifications.folder() is None, reason="ESP_SPECS_DIR does not name the whole specifications")
def test_every_refusal_that_the_specifications_show_is_read_with_its_words_and_code(
    say: Callable[[str], None],
) -> None:
    kinds: Counter[str] = Counter()
    for service, method, status, body in _refusals():
        headers = {"content-type": "application/json"}
        refusal = SERVICES[service].refusal(status, headers, json.dumps(body).encode())
        assert refusal is not None, (method, body)
        assert refusal.kind not in (Kind.UNEXPECTED, Kind.SERVER), (method, body)
        assert refusal.message == body["message"], method
        assert refusal.code == str(body["error_code"]), method
        kinds[refusal.kind.value] += 1
    assert kinds.total() > 100
    say(f"examples: {len(list(_promised()))} answers and {kinds.total()} refusals of the specifications are read")
