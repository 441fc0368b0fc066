"""Clients of the sandbox, over a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox


# One client each for all tests: making one costs more than most tests do.
@pytest.fixture(scope="session")
def esputnik(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client with a key for everything; paths begin with ``/v1``."""
    with httpx.Client(base_url=sandbox.esputnik_url, auth=("any", "sandbox-key"), timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def web(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client of the page and the control API."""
    with httpx.Client(base_url=sandbox.url, timeout=120) as client:
        yield client


@pytest.fixture
def upload(sandbox: Sandbox, esputnik: httpx.Client) -> Callable[..., dict[str, Any]]:
    """Import contacts and let the import finish: ``upload([...], dedupeOn="email")`` gives its final status."""

    def run(contacts: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        answer = esputnik.post("/v1/contacts", json={"contacts": contacts, "dedupeOn": "email", **options})
        assert answer.status_code == 200, answer.text
        sandbox.advance(2.0)
        found: dict[str, Any] = esputnik.get(f"/v1/importstatus/{answer.json()['asyncSessionId']}").json()
        return found

    return run


@pytest.fixture
def sendpulse(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client of the SendPulse side with its static API key and no limit of requests a second."""
    sandbox.limit("sendpulse.second", None)
    headers = {"Authorization": "Bearer sandbox-apikey"}
    with httpx.Client(base_url=sandbox.sendpulse_url, headers=headers, timeout=120) as client:
        yield client
