"""The table of `make security`: one line for each attack that a test of this folder has tried and seen refused.

A test asks for `refused` and calls it at its end::

    refused("bomb in an answer", "gzip of 1.5 GB", "an error at the limit")

Kinds stand in kinds.py.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.evidence import EvidenceTable
from tests.security.kinds import KINDS

TABLE = EvidenceTable(
    "security",
    KINDS,
    {"attack": 24, "tried": 30, "what happens": 24},
    ["What was tried, and what came of it. Each line is written by a test that has passed.", ""],
)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(TABLE, "evidence-security")


@pytest.fixture
def refused(request: pytest.FixtureRequest) -> Callable[[str, str, str], None]:
    """Write a line of the table of `make security`: the attack's kind, what was tried, what happens."""
    return lambda kind, tried, happens: TABLE.add(request.node, kind, tried, happens)
