"""What an upload costs, next to another checkout of this repository: processor time a row, in pairs that take turns.

    git worktree add ../before COMMIT
    python benchmarks/pairs.py ../before [--rows 100000] [--pairs 15]

Both checkouts upload the plain file of people.py to a server that discards it, and this one the mixed file as well.
Each checkout has one process, which has imported everything before the first pair. In every pair the two take turns,
this one first in every second pair. A ratio is that of one pair; shown are the median of all pairs and its interval
(the order statistics between which the true median lies with at least 95 % probability).

Bars: at most 10 % more than the other checkout for the plain file; for the mixed file at most twice the other
checkout's time for the plain one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import discard_server
import people
import uploads
from results import machine

MOST_FOR_PLAIN = 1.10
MOST_FOR_MIXED = 2.0

Ask = Callable[[str, Path], float]


@contextlib.contextmanager
def checkout(root: Path, home: str, port: int) -> Iterator[Ask]:
    """Run a process that uploads with the package of a checkout; gives what asks it for microseconds a row.

    :param root: the checkout.
    """
    environment = {**uploads.environment(home, port), "PYTHONPATH": str(root)}
    command = [sys.executable, "-W", "ignore", uploads.__file__, str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told_by, asks = process.stdout, process.stdin

        def ask(kind: str, path: Path) -> float:
            asks.write(f"{kind} {path}\n")
            asks.flush()
            for line in told_by:
                if line.startswith('{"rows"'):
                    told = json.loads(line)
                    return float(told["processor"]) / told["rows"] * 1e6
            raise SystemExit(f"The upload of {root} failed.")

        yield ask
        asks.close()


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the order statistics between which the median lies with at least 95 % probability."""
    ordered, count = sorted(values), len(values)
    rank, tail = 0, 0.0
    while rank < count // 2 and tail + math.comb(count, rank) / 2**count <= 0.025:
        tail += math.comb(count, rank) / 2**count
        rank += 1
    return ordered[max(0, rank - 1)], ordered[count - max(1, rank)]


def measure(other: Path, rows: int, pairs: int) -> dict[str, list[float]]:
    """Let both checkouts take turns; gives microseconds a row of each upload."""
    taken: dict[str, list[float]] = {"before": [], "plain": [], "mixed": []}
    with discard_server.running(exact=True) as port, tempfile.TemporaryDirectory() as home:
        plain, mixed = Path(home, "plain.csv"), Path(home, "mixed.csv")
        people.write(plain, rows)
        people.write_mixed(mixed, rows)
        here = Path(__file__).resolve().parents[1]
        with checkout(other.resolve(), home, port) as before, checkout(here, home, port) as now:
            turns: list[tuple[str, Callable[[], float]]] = [
                ("before", lambda: before(uploads.OURS, plain)),
                ("plain", lambda: now(uploads.OURS, plain)),
                ("mixed", lambda: now(uploads.MIXED, mixed)),
            ]
            for _, upload in turns:  # what is imported and compiled once
                upload()
            for number in range(pairs):
                for name, upload in turns if number % 2 == 0 else reversed(turns):
                    taken[name].append(upload())
                print(f"  pair {number + 1:>2}: " + "  ".join(f"{name} {some[-1]:.2f}" for name, some in taken.items()))
    return taken


def table(taken: dict[str, list[float]], rows: int) -> tuple[list[str], bool]:
    """Draw the figures in at most 80 columns, and tell whether the bars were held."""
    before = taken["before"]
    lines = [
        machine() + ".",
        f"Processor time of uploads of {rows:,} rows, {len(before)} pairs; before is the other checkout.",
        "",
        f"{'file':<20} {'µs a row':>9} {'to before, plain':>17} {'95 % interval':>15}  bar",
        f"{'plain, before':<20} {statistics.median(before):>9.2f}",
    ]
    held = True
    for name, most in (("plain", MOST_FOR_PLAIN), ("mixed", MOST_FOR_MIXED)):
        ratios = [mine / theirs for mine, theirs in zip(taken[name], before, strict=True)]
        low, high = interval(ratios)
        ratio = statistics.median(ratios)
        held = held and ratio <= most
        between = f"{low:.3f} to {high:.3f}"
        verdict = "held" if ratio <= most else "MISSED"
        time = statistics.median(taken[name])
        lines.append(f"{name + ', now':<20} {time:>9.2f} {ratio:>17.3f} {between:>15}  {verdict}: {most:.2f}")
    return [part for line in lines for part in _wrapped(line)], held


def _wrapped(line: str) -> list[str]:
    import textwrap

    return textwrap.wrap(line, 80) if len(line) > 80 else [line]


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="another checkout of this repository")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=15)
    options = parser.parse_args()
    if not (options.other / "airflow_provider_esp").is_dir():
        parser.error(f"{options.other} is no checkout of this repository: it has no folder airflow_provider_esp.")
    lines, held = table(measure(options.other, options.rows, options.pairs), options.rows)
    print("\n".join(["", *lines]))
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
