"""The table of `make people`: one line for each input that tests of this folder have tried, built from their results.

A test asks for `people_line` and calls it at its end, when all of its assertions have held::

    def test_a_whole_float_is_a_phone_number(run, sandbox, people_line, write):
        path = write("a.csv", "phone,code\\n380971112233.0,1\\n")
        ran = run(send(path, recipient_column="phone", message_id=CODE))
        assert [message["to"] for message in sandbox.messages()] == ["+380971112233"]
        people_line("number was a float", "380971112233.0", people_line.sent(of=1), "1 had a trailing .0", ran.error)

Kinds stand in kinds.py: name a new kind there. Several inputs of one kind are several lines; equal lines (of both
services, say) are shown once. A cell must fit its column: input 16, outcome 15, sentence 25 characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.people.kinds import KINDS
from tests.airflow.tasks.people.timing import Clock, Play, prepare_readers, replace_clock
from tests.evidence import EvidenceTable

TABLE = EvidenceTable(
    "people",
    KINDS,
    {"kind": 21, "input": 16, "outcome": 15, "sentence": 25},
    [
        "What was tried, how many people the sandbox has a message for, and what the",
        "task said of it. Each line is written by a test that has passed.",
        "",
    ],
)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(TABLE, "evidence-people")


@dataclass(frozen=True)
class PeopleLine:
    """Writes lines of the table for one test."""

    node: pytest.Item
    sandbox: Sandbox

    def __call__(self, kind: str, input: str, outcome: str, sentence: str, said: str) -> None:
        """Write a line.

        :param kind: one of `KINDS`.
        :param input: what was tried, at most 16 characters.
        :param outcome: what came of it, at most 15 characters; where messages are sent, what `sent` returns.
        :param sentence: at most 25 characters of what the task said.
        :param said: what the task said whole: its error, or its log.
        """
        assert sentence in said, f"The task did not say {sentence!r}, but: {said}"
        TABLE.add(self.node, kind, input, outcome, sentence)

    def sent(self, of: int) -> str:
        """Return how many people the sandbox, of both services, has messages for.

        :param of: how many people the test's source holds.
        """
        count = len({message["to"] for message in self.sandbox.messages(limit=1_000_000)})
        return f"{count} of {of} sent"


@pytest.fixture
def people_line(request: pytest.FixtureRequest, sandbox: Sandbox) -> PeopleLine:
    """Write lines of the table of `make people`."""
    return PeopleLine(request.node, sandbox)


@pytest.fixture(autouse=True)
def no_address_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Search database, logs, rendered fields and triggers after every test that runs tasks.

    A test whose own DAG pushes rows through an XCom asks for `leaks` and calls ``leaks.allow(...)`` with them.
    """
    if "worker" not in request.fixturenames:
        yield
        return
    leaks = request.getfixturevalue("leaks")
    yield
    leaks.check()


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which the package decides whether something may be sent; the test sets it."""
    return replace_clock(monkeypatch)


@pytest.fixture
def play(worker: Any, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run tasks in runs of every type."""
    return Play(worker, monkeypatch)


@pytest.fixture
def readers(sandbox: Sandbox, connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment (SendPulse: a mailing list) called Readers at both services."""
    prepare_readers(sandbox, connections, monkeypatch)
