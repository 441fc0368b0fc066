"""Tables that tests prove: a line is shown only if the test that wrote it has passed.

A folder of tests has one table. Its conftest.py names the kinds that must be proved and registers the table::

    TABLE = EvidenceTable("security", KINDS, {"kind": 21, "input": 30, "outcome": 27})

    def pytest_configure(config: pytest.Config) -> None:
        config.pluginmanager.register(TABLE, "evidence-security")

and a fixture of that folder calls ``TABLE.add(request.node, kind, input, outcome)``. With ``--complete-tables`` the
run ends with exit code 1 where a kind has no line of a passed test, so that a removed test is noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

WIDTH = 80


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option to pytest; tests/conftest.py takes this over."""
    parser.addoption("--complete-tables", action="store_true", help="fail if a table lacks the line of a kind")


class EvidenceTable:
    """A table with one line for each input that a passed test has tried, below the kind of fault that it stands for.

    :param name: tells the lines of several tables apart.
    :param kinds: all kinds that need a line, in the order in which they are shown.
    :param columns: heading of each column and its width in characters; the first column shows the kind.
    :param notes: lines to print above the table.
    """

    def __init__(self, name: str, kinds: Sequence[str], columns: Mapping[str, int], notes: Sequence[str] = ()) -> None:
        if sum(columns.values()) + len(columns) - 1 > WIDTH:
            raise ValueError(f"The columns of the table {name} are wider than {WIDTH} characters.")
        self.name = name
        self.kinds = tuple(kinds)
        self.columns = dict(columns)
        self.notes = tuple(notes)

    def add(self, node: pytest.Item, kind: str, *cells: str) -> None:
        """Write a line, which is shown if the test passes.

        :param node: the test, from the fixture ``request``.
        :param kind: one of the kinds that the table names.
        :param cells: the other columns.
        :raises ValueError: the kind is not in the table, or a cell does not fit its column.
        """
        if kind not in self.kinds:
            raise ValueError(f"{kind!r} is not among the kinds of the table {self.name}: {', '.join(self.kinds)}.")
        row = (kind, *cells)
        if len(row) != len(self.columns):
            raise ValueError(f"A line of the table {self.name} has {len(self.columns)} cells, not {len(row)}.")
        for cell, (heading, width) in zip(row, self.columns.items(), strict=True):
            if not cell or len(cell) > width or not cell.isprintable():
                raise ValueError(f"{heading} must be 1 to {width} printable characters, not {len(cell)}: {cell!r}")
        node.user_properties.append((self.name, row))  # pytest hands these over with the test's result

    def rows(self, config: pytest.Config) -> list[tuple[str, ...]]:
        """Return the lines of all passed tests, each once, in the order of the kinds."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        stats = reporter.stats if reporter else {}
        found = [
            tuple(value)
            for report in stats.get("passed", [])
            if report.when == "call"
            for name, value in report.user_properties
            if name == self.name
        ]
        return sorted(dict.fromkeys(found), key=lambda row: self.kinds.index(row[0]))

    def missing(self, config: pytest.Config) -> list[str]:
        """Return the kinds without a line of a passed test."""
        proved = {kind for kind, *_ in self.rows(config)}
        return [kind for kind in self.kinds if kind not in proved]

    def lines(self, config: pytest.Config) -> Iterator[str]:
        """Draw the table."""
        yield from self.notes
        yield self._line(tuple(self.columns))
        last = ""
        for kind, *cells in self.rows(config):
            yield self._line(("" if kind == last else kind, *cells))
            last = kind

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that was to fill the table and did not."""
        if session.config.getoption("--complete-tables") and self.missing(session.config):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Print the table, and with ``--complete-tables`` what it lacks."""
        complete = config.getoption("--complete-tables")
        if not complete and not self.rows(config):
            return
        terminalreporter.write_line("")
        for line in self.lines(config):
            terminalreporter.write_line(line)
        for kind in self.missing(config) if complete else ():
            terminalreporter.write_line(f"No passed test for: {kind}", red=True)

    def _line(self, row: Sequence[str]) -> str:
        widths = self.columns.values()
        return " ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
