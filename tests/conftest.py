"""What every test may use: both services on loopback."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth.tls import AuthorisationServer
from tests.evidence import pytest_addoption  # noqa: F401  # pytest finds this hook here


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests; whoever asks for it finds it fresh (see `_fresh_sandbox`)."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def uaa(sandbox: Sandbox) -> Iterator[AuthorisationServer]:
    """The sandbox's authorisation server; a test that asks for it asks for `sandbox` as well, and finds both fresh."""
    with AuthorisationServer(sandbox) as running:
        yield running


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises `KeyboardInterrupt`, also in the background of a shell, and where Airflow has set it before."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _fresh_sandbox(request: pytest.FixtureRequest) -> None:
    if "sandbox" in request.fixturenames:
        request.getfixturevalue("sandbox").reset()
