"""Sorting more lines than memory holds, each line once: in runs on the worker's disk, merged at the end.

The same lines come out in the same order whatever order they came in, which is what makes an exported file the same
when it is written again. What is held is one run (8 MB of text by default) and a small buffer for each run that is
being merged.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

RUN_BYTES = 8 << 20
MOST_RUNS = 64
"""Runs that are merged at once: each is an open file."""

_LINE_COST = 60  # what Python adds to a short line


class Sorter:
    """Takes lines in any order and gives them back in theirs. A context manager: its files go when it is left.

    :param same: what two lines have in common that are one; the first of them in order stays. It must be a beginning
        of the line, or else lines that are one may not come next to each other.
    :param run_bytes: text that is held in memory.
    """

    def __init__(self, same: Callable[[bytes], bytes] = bytes, run_bytes: int = RUN_BYTES) -> None:
        self._same = same
        self._run_bytes = run_bytes
        self._lines: list[bytes] = []
        self._held = 0
        self._runs: list[Path] = []
        self._made = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.taken = 0

    def add(self, line: bytes) -> None:
        """Take a line, without its end; there is no other line break in it."""
        self.taken += 1
        self._lines.append(line)
        self._held += len(line) + _LINE_COST
        if self._held >= self._run_bytes:
            self._put_aside()

    def __iter__(self) -> Iterator[bytes]:
        """Return all lines back, sorted, each once."""
        self._lines.sort()
        with ExitStack() as open_files:
            yield from self._once(heapq.merge(self._lines, *(_read(run, open_files) for run in self._runs)))

    def _put_aside(self) -> None:
        self._lines.sort()
        self._write(self._once(self._lines))
        self._lines, self._held = [], 0
        if len(self._runs) >= MOST_RUNS:
            runs, self._runs = self._runs, []
            with ExitStack() as open_files:
                self._write(self._once(heapq.merge(*(_read(run, open_files) for run in runs))))
            for run in runs:
                run.unlink()

    def _write(self, lines: Iterable[bytes]) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="esp-sort-")
        run = Path(self._folder.name) / f"{self._made}.run"
        self._made += 1
        with run.open("wb") as file:
            for line in lines:
                file.write(line + b"\n")
        self._runs.append(run)

    def _once(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        last: bytes | None = None
        for line in lines:
            mark = self._same(line)
            if mark != last:
                last = mark
                yield line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()


def _read(run: Path, open_files: ExitStack) -> Iterator[bytes]:
    file = open_files.enter_context(run.open("rb"))
    return (line[:-1] for line in file)
