"""The table of faults, printed when the tests below this folder have run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_COLUMNS = ("EsputnikUpload", "EsputnikSend", "SendPulseUpload", "SendPulseSend")
_CELL = "fault table: cell"


@pytest.fixture
def fault_table(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Write a cell of the table: how many tries it took, and how many rows were accepted and are unknown."""

    def write(fault: str, work: str, tries: int, accepted: int, unknown: int) -> None:
        said = f"{tries}: {accepted}" + (f"+{unknown}?" if unknown else "")
        record_property(_CELL, [fault, work, said])

    return write


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    cells: dict[str, dict[str, str]] = {}
    for report in terminalreporter.getreports("passed"):
        for fault, work, said in [value for name, value in report.user_properties if name == _CELL]:
            cells.setdefault(fault, {})[work] = said
    if not cells:
        return
    line = terminalreporter.write_line
    line("")
    line("Tries, accepted of 57 good rows, and ?: rows with unknown outcome, each")
    line("named in the report. Lost: 0. Written to twice: 0. Counted by the sandbox.")
    line("")
    line(f"{'':<32}{'eSputnik':<23}{'SendPulse':<23}".rstrip())
    line(f"{'fault':<32}" + "".join(f"{name:<12}" for name in ("upload", "send", "upload", "send")).rstrip())
    for fault, told in cells.items():
        line(f"{fault:<32}" + "".join(f"{told.get(name, '-'):<12}" for name in _COLUMNS).rstrip())
