"""What the contract tests share: importing each other, and a sandbox in which every method has something to answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT), str(_ROOT / "scripts")]

from tests.contract.stage import Stage  # noqa: E402  # needs the path above

_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]
settings.register_profile("contract", max_examples=20, deadline=None, derandomize=True, suppress_health_check=_QUIET)
settings.register_profile("contract-long", max_examples=500, deadline=None, suppress_health_check=_QUIET)


@pytest.fixture(scope="session")
def stages() -> Iterator[dict[str, Stage]]:
    """For each service a sandbox of its own."""
    with Stage("esputnik") as esputnik, Stage("sendpulse") as sendpulse:
        yield {"esputnik": esputnik, "sendpulse": sendpulse}


_SAID = "contract: counted"


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Put a line under the results of the run: what was counted."""
    return partial(record_property, _SAID)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for line in [value for name, value in report.user_properties if name == _SAID]:
            terminalreporter.write_line(str(line))


@pytest.fixture(scope="session")
def contract_profile() -> settings:
    """How hard hypothesis tries: ``CONTRACT_PROFILE=contract-long`` for more."""
    return settings.get_profile(os.environ.get("CONTRACT_PROFILE", "contract"))
