"""A search for people's addresses wherever Airflow keeps or shows something: a task may leave them nowhere."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sources import ListSource

_EMAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w.:-])\+?\d{11,15}(?![\w:-])")


@dataclass
class LeakSearch:
    """Searches what Airflow has stored and logged since a test began.

    It knows the addresses and phone numbers (11 digits and more) in the test's files, in its lists of rows and in the
    sandbox's messages; `watch` names others, e.g. ids. A test whose own DAG pushes rows through an XCom, or has them in
    its arguments, says so with `allow`.

    :param home: of Airflow: its database and its logs.
    :param files: the folder with the test's files.
    :param output: returns what the test has printed.
    :param dags: those that the test has run.
    """

    home: Path
    files: Path
    sandbox: Sandbox
    output: Callable[[], str]
    dags: list[Any]
    deferred: list[str] = field(default_factory=list)
    _watched: set[str] = field(default_factory=set)
    _allowed: set[str] = field(default_factory=set)
    _before: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._before = {hash(row) for row in self._rows()}

    def watch(self, *texts: str) -> None:
        """Search for these texts as well."""
        self._watched.update(texts)

    def allow(self, *texts: str) -> None:
        """Do not search for these texts: the test's own DAG has put them where Airflow shows them."""
        self._allowed.update(texts)

    def addresses(self) -> set[str]:
        """Return what is searched for."""
        texts = [str(message["to"]) for message in self.sandbox.messages(limit=1_000_000)]
        texts += [path.read_bytes().decode("utf-8", "replace") for path in self.files.rglob("*") if path.is_file()]
        for dag in self.dags:
            for task in dag.tasks:
                for name in ("source", "suppress"):
                    texts += _texts(getattr(task, name, None))
        found = {match for text in texts for pattern in (_EMAIL, _PHONE) for match in pattern.findall(text)}
        return (found | self._watched) - self._allowed

    def places(self) -> list[str]:
        """Return where an address stands: a table and column, a file, the log, or a trigger's arguments."""
        pattern = re.compile("|".join(sorted(map(re.escape, self.addresses()), key=len, reverse=True)) or r"(?!)")
        stored: list[tuple[str, str]] = [
            (f"table {table}, column {column}", text)
            for table, column, text in (row for row in self._rows() if hash(row) not in self._before)
        ]
        stored += [(f"file {path}", path.read_text("utf-8", "replace")) for path in self.home.rglob("*.log")]
        stored += [("a trigger's arguments", text) for text in self.deferred]
        stored.append(("the log", self.output()))
        return [
            f"{match.group()} in {place}: …{text[max(0, match.start() - 120) : match.end() + 40]}…"
            for place, text in stored
            if (match := pattern.search(text))
        ]

    def check(self) -> None:
        """Check that no address stands anywhere."""
        places = self.places()
        assert not places, "\n".join(["Addresses were left behind:", *places])

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True)) as db:
            for (table,) in list(db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")):
                cursor = db.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # the database's own names
                columns = [column[0] for column in cursor.description]
                for row in cursor:
                    for column, cell in zip(columns, row, strict=True):
                        if isinstance(cell, bytes | str):
                            yield table, column, cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell


def _texts(value: Any) -> Iterator[str]:
    """List the texts in rows, however deep they are."""
    if isinstance(value, str | int):
        yield str(value)
    elif isinstance(value, ListSource):
        yield from _texts(value.rows)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _texts(item)


@contextlib.contextmanager
def recorded_output(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Keep what a test prints and logs, also where the test itself takes it out of ``capfd`` or ``capsys``."""
    capture = request.getfixturevalue("capsys" if "capsys" in request.fixturenames else "capfd")
    caplog = request.getfixturevalue("caplog")
    take, parts = capture.readouterr, []

    def keep() -> Any:
        result = take()
        parts.extend(result)
        return result

    def whole() -> str:
        keep()
        return "\n".join([*parts, *(record.getMessage() for record in caplog.get_records("call"))])

    monkeypatch.setattr(capture, "readouterr", keep)
    yield whole


def record_deferrals(monkeypatch: pytest.MonkeyPatch, into: list[str]) -> None:
    """Keep the arguments of every trigger that a task defers to: Airflow stores them encrypted, and they are readable
    to everybody who runs a triggerer."""
    from airflow.providers.common.compat.sdk import BaseOperator

    own = BaseOperator.defer

    def defer(operator: Any, *, trigger: Any, **arguments: Any) -> Any:
        into.append(f"{trigger.serialize()} {arguments.get('kwargs')}")
        return own(operator, trigger=trigger, **arguments)

    monkeypatch.setattr(BaseOperator, "defer", defer)
