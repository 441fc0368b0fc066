"""`esp_sandbox`: both services on loopback, for the tests of people who write DAGs.

pytest loads this module in every run wherever the package is installed, so it imports nothing but pytest
until a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_esp.sandbox import Sandbox


@pytest.fixture(scope="session")
def esp_sandbox_server() -> Iterator[Sandbox]:
    """Run one sandbox for the whole session, on a free port; tests take `esp_sandbox`, which is fresh for each test."""
    try:
        from airflow_provider_esp.sandbox import Sandbox
    except ModuleNotFoundError as missing:
        pytest.fail(
            f"esp_sandbox needs the package's extra 'sandbox' ({missing.name} is not installed): "
            "pip install 'airflow-provider-esp[sandbox]'",
            pytrace=False,
        )
    with Sandbox() as running:
        yield running


@pytest.fixture
def esp_sandbox(esp_sandbox_server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Return both services on loopback, as new, with Airflow connections `esputnik_default` and `sendpulse_default`.

    ``.url`` is the page for people; ``.esputnik_url`` and ``.sendpulse_url`` are the APIs. See docs/sandbox.md.
    """
    from airflow_provider_esp.sandbox.connections import as_environment

    esp_sandbox_server.reset()
    for name, value in as_environment(esp_sandbox_server).items():
        monkeypatch.setenv(name, value)
    return esp_sandbox_server
