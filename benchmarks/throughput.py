"""How fast a file of contacts is uploaded, next to what is written by hand for the purpose.

    python benchmarks/throughput.py [--rows 1000000] [--pairs 5] [--profile]

The same file goes to a server that discards it: by this provider's operator, with every check, a report and a ledger;
by the loop that DAGs hold today (a dictionary for each row, Airflow's `HttpHook`); and by a loop made for speed and for
this one file, which checks and remembers nothing. Each run is a process of its own, and the kinds take turns. Bars:
at least 2.5 times the rate of the first loop, and half that of the second. Ours must also have found each broken row
in the file, or the run fails.

Rates are by the clock. The machine must be quiet: where the fast loop does not reach the rate that two processors give
it, the run is invalid and says so. The ratio of processor time stands beside each, which a busy machine moves less.

With ``--profile`` it says instead where ours spends its time (`cProfile`, which makes everything slower).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import discard_server
import people
import uploads
from results import Figure, exit_code

FASTER_THAN_HTTPHOOK = 2.5
PART_OF_HAND = 0.5
SLOWEST_HAND = 150_000
"""Rows a second below which the fast loop was disturbed: 200,000 to 300,000 are usual on two quiet processors."""


def once(kind: str, port: int, path: Path, home: str) -> dict[str, Any]:
    """Upload the file in a fresh process.

    :raises SystemExit: it failed; what it said is shown.
    """
    command = [sys.executable, "-W", "ignore", uploads.__file__, kind, str(port), str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=uploads.environment(home, port)
    )  # what it said is part of the error
    if done.returncode:
        sys.exit(f"{kind} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"    {kind:<9}{told['rate']:>10,.0f} rows/s  {told['processor'] / told['rows'] * 1e6:>6.2f} µs of processor")
    return told


def compare(rows: int, pairs: int) -> list[Figure]:
    """Let the three take turns."""
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in uploads.KINDS}
    with discard_server.running() as port, tempfile.TemporaryDirectory() as home:
        path = Path(home, "people.csv")
        people.write(path, rows)
        for _ in range(pairs):
            for kind, taken in runs.items():
                taken.append(once(kind, port, path, home))
    return figures(runs)


def figures(runs: dict[str, list[dict[str, Any]]]) -> list[Figure]:
    """Make figures of what was measured: each ratio is the median of the pairs' own ratios."""

    def ratio(kind: str) -> tuple[float, float]:
        """Return how many times faster ours was than a kind, by the clock and in processor time."""
        both = list(zip(runs[uploads.OURS], runs[kind], strict=True))
        clock = statistics.median(ours["rate"] / theirs["rate"] for ours, theirs in both)
        processor = statistics.median(theirs["processor"] / ours["processor"] for ours, theirs in both)
        return clock, processor

    def rate(kind: str) -> float:
        return statistics.median(run["rate"] for run in runs[kind])

    hand, rows = rate(uploads.HAND), runs[uploads.OURS][0]["rows"]
    times, times_processor = ratio(uploads.HTTPHOOK)
    part, part_processor = ratio(uploads.HAND)
    return [
        Figure(
            f"rows/s, ours ({rows:,} rows, medians of {len(runs[uploads.OURS])})",
            f"{rate(uploads.OURS):,.0f}",
        ),
        Figure("rows/s, `csv.DictReader` and `HttpHook`", f"{rate(uploads.HTTPHOOK):,.0f}"),
        Figure("rows/s, fast loop by hand", f"{hand:,.0f}", f"a quiet machine: {SLOWEST_HAND:,}", hand >= SLOWEST_HAND),
        Figure(
            "ours to `DictReader` and `HttpHook`",
            f"{times:.2f} (processor time: {times_processor:.2f})",
            f"at least {FASTER_THAN_HTTPHOOK:g}",
            times >= FASTER_THAN_HTTPHOOK,
        ),
        Figure(
            "ours to the fast loop",
            f"{part:.2f} (processor time: {part_processor:.2f})",
            f"at least {PART_OF_HAND:g}",
            part >= PART_OF_HAND,
        ),
        Figure(
            "broken rows found",
            f"{len(people.broken_rows(rows))} of {len(people.broken_rows(rows))} kinds",
            "all",
        ),
    ]


def profile(rows: int) -> None:
    """Return where our time goes, in a process of its own."""
    with discard_server.running() as port, tempfile.TemporaryDirectory() as home:
        path = Path(home, "people.csv")
        people.write(path, rows)
        command = [sys.executable, "-W", "ignore", "-m", "cProfile", "-s", "tottime"]
        subprocess.run(
            [*command, uploads.__file__, uploads.OURS, str(port), str(path)],
            check=True,
            env=uploads.environment(home, port),
        )


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        profile(options.rows)
        return 0
    return exit_code(compare(options.rows, options.pairs))


if __name__ == "__main__":
    sys.exit(main())
