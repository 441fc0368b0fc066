"""The toy's API as data: what its requests share, and how its errors read."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from airflow_provider_esp.core.calls import JSON, Bucket, Call, Kind, Refusal, Service, json_body, path

T = TypeVar("T")
KINDS = {401: Kind.UNAUTHENTICATED, 404: Kind.NOT_FOUND, 429: Kind.RATE_LIMITED}
LIMITS = (Bucket("toy.default", limit=50, seconds=1),)


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    if status < 400:
        return None
    try:
        reason = msgspec.json.decode(body, type=dict[str, str])["error"]
    except (msgspec.DecodeError, KeyError):
        return Refusal(Kind.UNEXPECTED, "an answer that is not the toy's")
    return Refusal(KINDS.get(status, Kind.SERVER if status >= 500 else Kind.INVALID), reason)


TOY = Service(name="toy", title="Toy", base_url="https://toy.example/api", refusal=refusal)


def call(method: str, label: str, answer: type[T], *ids: str, body: object = None, repeatable: bool = True) -> Call[T]:
    url, content = path(label, *ids), None if body is None else json_body(body)
    return Call(
        "toy", method, url, answer, label, content=content, content_type=JSON, buckets=LIMITS, repeatable=repeatable
    )
