"""The table of faults, printed when the tests below this folder have run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_COLUMNS = ("EsputnikUpload", "EsputnikSend", "SendPulseUpload", "SendPulseSend")
_CELLS = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_CELLS] = {}


@pytest.fixture
def fault_table(pytestconfig: pytest.Config) -> Callable[..., None]:
    """Write a cell of the table: how many tries it took, and how many rows were accepted and are unknown."""

    def write(fault: str, work: str, tries: int, accepted: int, unknown: int) -> None:
        said = f"{tries}: {accepted}" + (f"+{unknown}?" if unknown else "")
        pytestconfig.stash[_CELLS].setdefault(fault, {})[work] = said

    return write


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    cells = config.stash[_CELLS]
    if not cells:
        return
    line = terminalreporter.write_line
    line("")
    line("Tries, accepted of 57 good rows, and ?: rows that nobody can tell of, each")
    line("named in the report. Lost: 0. Written to twice: 0. Counted by the sandbox.")
    line("")
    line(f"{'':<32}{'eSputnik':<23}{'SendPulse':<23}".rstrip())
    line(f"{'fault':<32}" + "".join(f"{name:<12}" for name in ("upload", "send", "upload", "send")).rstrip())
    for fault, told in cells.items():
        line(f"{fault:<32}" + "".join(f"{told.get(name, '-'):<12}" for name in _COLUMNS).rstrip())
