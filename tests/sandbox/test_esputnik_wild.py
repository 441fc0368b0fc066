"""Whatever is sent, the answer is one of the vendor's: never a 500, never silence."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.esputnik import ESPUTNIK

ENDPOINTS = [(endpoint.method, endpoint.path) for routes in ESPUTNIK.routes for endpoint in routes]

BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"1e999",
    b"{}",
    b"\xff\xfe",
    b"[" * 5000,
    b'{"id": 99999999999999999999999}',
]


def fill(path: str, value: str) -> str:
    while "{" in path:
        path = path[: path.index("{")] + value + path[path.index("}") + 1 :]
    return path


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_method_survives_every_odd_body(sandbox: Sandbox, esputnik: httpx.Client, method: str, path: str) -> None:
    sandbox.set(import_seconds=0, esputnik__delete_past_events=True)
    for value in ("1001", "x", "99999999999999999999"):
        for body in BODIES:
            headers = {"Content-Type": "application/json"}
            answer = esputnik.request(method, f"/{fill(path, value)}", content=body, headers=headers)
            assert answer.status_code < 500, (method, path, value, body, answer.text)


@pytest.mark.parametrize(("method", "path"), [pair for pair in ENDPOINTS if pair[0] == "GET"])
def test_every_reading_method_survives_odd_queries(esputnik: httpx.Client, method: str, path: str) -> None:
    names = ["startindex", "maxrows", "offset", "ids", "dateFrom", "dateTo", "email", "contactId", "discount", "search"]
    for value in ("-1", "x", "9" * 30, "%", "'", "2025-01-01", "0001-01-01", "9999-12-31", "\u0661"):
        answer = esputnik.get(f"/{fill(path, '1001')}", params=dict.fromkeys(names, value))
        assert answer.status_code < 500, (path, value, answer.text)


WORDS = [
    *("contacts", "channels", "type", "value", "email", "sms", "dedupeOn", "fields", "id", "firstName", "groups"),
    *("recipients", "locator", "jsonParam", "events", "params", "name", "eventTypeKey", "orders", "contact", "key"),
    *("externalOrderId", "totalCost", "items", "groupNames", "contactFields", "customFieldsIDs", "address", "occurred"),
    *("keyValue", "emails", "contactIds", "from", "to", "text", "messageId", "externalCustomerId", "status", "date"),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["email", "a@example.com", "380501112233", "79810", "2025-01-01T10:00", "INITIALIZED", *WORDS]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=25,
)
WRITES = [pair for pair in ENDPOINTS if pair[0] != "GET"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pair=st.sampled_from(WRITES), body=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6))
def test_every_writing_method_survives_bodies_of_the_right_words_in_the_wrong_places(
    sandbox: Sandbox, esputnik: httpx.Client, pair: tuple[str, str], body: dict[str, Any]
) -> None:
    sandbox.limit("esputnik.default", None)
    sandbox.set(import_seconds=0)  # so that what was queued runs as well
    content = json.dumps(body, ensure_ascii=True)
    path = f"/{fill(pair[1], '1001')}"
    answer = esputnik.request(pair[0], path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code < 500, (pair, body, answer.text)
    sandbox.counts()  # running and counting what was taken must not fail either
