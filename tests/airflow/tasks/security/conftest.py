"""Lines of the table of `make security` from tasks that Airflow runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.security.conftest import TABLE


@pytest.fixture
def refused(request: pytest.FixtureRequest) -> Callable[[str, str, str], None]:
    """Write a line of the table of `make security`: the attack's kind, what was tried, what happens."""
    return lambda kind, tried, happens: TABLE.add(request.node, kind, tried, happens)
