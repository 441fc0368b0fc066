"""Figures of the benchmarks: medians, the machine they were taken on, and their table in `results.md`.

    python benchmarks/results.py [--rows 1000000] [--pairs 5] [--n 5000] [--seconds 20] [--write]

Runs every benchmark in turn and prints a table. With ``--write`` it also replaces the table in `results.md`; what
people have written around it stays. The exit code tells whether every bar was held.

Where ``ESP_FIGURES`` is set a benchmark also prints each figure as a JSON object: that is what the table is made of.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("results.md")
BEGIN, END = "<!-- figures: written by results.py -->", "<!-- end of figures -->"
_MARK = "#figure "
_FOR_TABLE = "ESP_FIGURES"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a benchmark.

    :param what: is measured.
    :param value: with its unit.
    :param bar: what it must be, in words; empty where there is no bar.
    :param held: whether it is; None where it could not be measured, and `value` says why.
    """

    what: str
    value: str
    bar: str = ""
    held: bool | None = True

    def tell(self) -> None:
        """Print it, for a person and for the table."""
        verdict = "" if not self.bar else f"  [{self.verdict}: {self.bar}]"
        print(f"  {self.what:<58} {self.value}{verdict}")
        if _FOR_TABLE in os.environ:
            print(_MARK + json.dumps(asdict(self)))
        sys.stdout.flush()

    @property
    def verdict(self) -> str:
        """Whether the bar is held, in a word."""
        return {True: "held", False: "MISSED", None: "not measured"}[self.held] if self.bar else ""


def exit_code(figures: Sequence[Figure]) -> int:
    """Tell all figures, and give a benchmark's exit code: 0 where no bar was missed."""
    for figure in figures:
        figure.tell()
    return int(any(figure.held is False for figure in figures))


def required() -> bool:
    """Check whether what cannot be measured here is a failure: it is in continuous integration."""
    return os.environ.get("CI", "").lower() == "true"


def machine() -> str:
    """Return what the figures were taken on."""
    import airflow

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} processors ({_processor()}), {memory:.0f} GB; "
        f"Python {platform.python_version()}, Airflow {airflow.__version__}"
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def run(command: Sequence[str]) -> tuple[list[Figure], int]:
    """Run a benchmark, show what it says, and give its figures and its exit code."""
    figures, environment = [], {**os.environ, _FOR_TABLE: "1"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", *command], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_MARK):
                figures.append(Figure(**json.loads(line.removeprefix(_MARK))))
            else:
                print(line, end="", flush=True)
    return figures, process.returncode


def table(taken: Sequence[tuple[str, Sequence[Figure]]]) -> Iterator[str]:
    """Draw the figures."""
    yield machine() + "."
    yield ""
    yield "| benchmark | what | figure | bar | |"
    yield "|---|---|---|---|---|"
    for name, figures in taken:
        for figure in figures:
            yield f"| {name} | {figure.what} | {figure.value} | {figure.bar} | {figure.verdict} |"


def replace(lines: Sequence[str]) -> None:
    """Put a table in the place of the last one."""
    text = RESULTS.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, behind = rest.partition(END)
    RESULTS.write_text("\n".join([before + BEGIN, "", *lines, "", END + behind]), "utf-8")


def main() -> int:
    """Run all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="contacts to upload")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side, in turn")
    parser.add_argument("--n", type=int, default=5000, help="waits")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each run against a rate limit")
    parser.add_argument("--write", action="store_true", help="replace the table in results.md")
    options = parser.parse_args()
    here = Path(__file__).parent
    commands = [
        ("throughput", ["--rows", str(options.rows), "--pairs", str(options.pairs)]),
        ("memory", ["--rows", str(options.rows)]),
        ("waiting", ["--n", str(options.n)]),
        ("waiting", ["--n", str(options.n), "--idle"]),
        ("rate", ["--seconds", str(options.seconds)]),
        ("import_cost", ["--limit", "10"]),
    ]
    taken, failed = [], []
    for name, arguments in commands:
        print(f"{name}:", flush=True)
        figures, code = run([str(here / f"{name}.py"), *arguments])
        taken.append((name, figures))
        if code:
            failed.append(name)
    if options.write:
        replace(list(table(taken)))
        print(f"written to {RESULTS}")
    print(f"failed: {', '.join(failed)}" if failed else "every bar was held")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
