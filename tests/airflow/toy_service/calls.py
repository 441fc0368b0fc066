"""What the toy's API says, as data: every endpoint is a function that returns a `Call`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from airflow_provider_esp.core.calls import JSON, Bucket, Call, Kind, Refusal, Service, json_body, path

PER_SECOND = Bucket("toy.default", 50)
_KINDS = {401: Kind.UNAUTHENTICATED, 404: Kind.NOT_FOUND, 429: Kind.RATE_LIMITED}


class Owner(msgspec.Struct):
    """Whose account it is."""

    name: str


class Taken(msgspec.Struct):
    """An import that has begun."""

    import_id: str


class ImportAnswer(msgspec.Struct):
    """How far an import is, and whom it wrote."""

    finished: bool
    written: list[str]


class Sent(msgspec.Struct):
    """What became of each message; an empty id means refused."""

    ids: list[str]


class Status(msgspec.Struct):
    """Where a message is."""

    id: str
    status: str


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    """Read an error answer: the toy says ``{"error": "..."}``."""
    if status < 400:
        return None
    try:
        said = str(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return Refusal(Kind.UNEXPECTED, "an answer that is not the toy's")
    return Refusal(_KINDS.get(status, Kind.SERVER if status >= 500 else Kind.INVALID), said)


TOY = Service(name="toy", title="Toy", base_url="https://toy.example/api", refusal=refusal)


def _call(method: str, label: str, answer: type[Any], body: Any = None, *, to: str = "", again: bool) -> Call[Any]:
    return Call(
        service="toy",
        method=method,
        path=to or label,
        label=label,
        answer=answer,
        content=None if body is None else json_body(body),
        content_type=None if body is None else JSON,
        buckets=(PER_SECOND,),
        repeatable=again,
    )


def owner() -> Call[Owner]:
    """Ask whose account it is."""
    return _call("GET", "owner", Owner, again=True)


def put_contacts(contacts: Sequence[Mapping[str, Any]]) -> Call[Taken]:
    """Create or update contacts; the same again changes nothing."""
    return _call("PUT", "contacts", Taken, {"contacts": contacts}, again=True)


def import_status(import_id: str) -> Call[ImportAnswer]:
    """Ask how far an import is."""
    return _call("GET", "imports/{id}", ImportAnswer, to=path("imports/{}", import_id), again=True)


def send(message_id: str, people: Sequence[Mapping[str, Any]]) -> Call[Sent]:
    """Send a message; twice is twice."""
    label = "messages/{id}/send"
    return _call("POST", label, Sent, {"to": people}, to=path("messages/{}/send", message_id), again=False)


def statuses(ids: Sequence[str]) -> Call[list[Status]]:
    """Ask where messages are."""
    return _call("POST", "status", list[Status], {"ids": ids}, again=True)


def event(name: str, email: str, data: Mapping[str, Any]) -> Call[None]:
    """Tell what somebody did; twice is twice."""
    return _call("POST", "events", type(None), {"name": name, "email": email, "data": data}, again=False)
