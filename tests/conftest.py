"""What every test may use: both services on loopback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from airflow_provider_esp.core.transport import throttle
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer
from tests import evidence, selection

# Tests start many processes; without bytecode each of them would compile Airflow's thousands of modules for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No limit of time: a machine that runs other things as well takes many times longer.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    evidence.pytest_addoption(parser)
    selection.pytest_addoption(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--airflow-only"):
        kept = selection.without_pure(items)
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
    if "PYTEST_XDIST_WORKER" in os.environ:
        items[:] = selection.slow_first(items)


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
        # The sandbox has forgotten what an account has used of its hourly limits; so does this process.
        throttle._shared.clear()
