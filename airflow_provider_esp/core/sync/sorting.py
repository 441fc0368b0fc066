"""Sorting more records than memory holds: in runs on the worker's disk, merged as often as somebody reads them.

Unlike `export.sorting`, records are bytes of any kind, all of them stay, and more can be added after some were read.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final, Self

RUN_BYTES: Final = 16 << 20
MOST_RUNS: Final = 64
"""Runs that are merged at once: each is an open file."""

_RECORD_COST: Final = 60  # what Python adds to short bytes
_READ: Final = 1 << 16


class RecordSorter:
    """Takes records in any order and gives them back in theirs. A context manager: its files go when it is left.

    :param run_bytes: records held in memory.
    """

    def __init__(self, run_bytes: int = RUN_BYTES) -> None:
        self._run_bytes = run_bytes
        self._records: list[bytes] = []
        self._held = 0
        self._runs: list[Path] = []
        self._made = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._taken = 0

    def __len__(self) -> int:
        return self._taken

    def add(self, record: bytes) -> None:
        """Take a record of at most 65,535 bytes."""
        self._taken += 1
        self._records.append(record)
        self._held += len(record) + _RECORD_COST
        if self._held >= self._run_bytes:
            self._put_aside()

    def __iter__(self) -> Iterator[bytes]:
        """Return all records in order; may be asked for again, also after more were added."""
        self._records.sort()
        if not self._runs:
            yield from self._records
            return
        with ExitStack() as files:
            yield from heapq.merge(self._records, *(_read(files.enter_context(run.open("rb"))) for run in self._runs))

    def _put_aside(self) -> None:
        self._records.sort()
        self._write(self._records)
        self._records, self._held = [], 0
        if len(self._runs) >= MOST_RUNS:
            runs, self._runs = self._runs, []
            with ExitStack() as files:
                self._write(heapq.merge(*(_read(files.enter_context(run.open("rb"))) for run in runs)))
            for run in runs:
                run.unlink()

    def _write(self, records: Iterable[bytes]) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="esp-sync-")
        run = Path(self._folder.name) / f"{self._made}.run"
        self._made += 1
        with run.open("wb", buffering=_READ) as file:
            for record in records:
                file.write(len(record).to_bytes(2) + record)
        self._runs.append(run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()


def _read(file: IO[bytes]) -> Iterator[bytes]:
    return split(iter(lambda: file.read(_READ), b""))


def split(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut blocks into records, each behind its length in two bytes; a record may reach from one block into the next."""
    rest = b""
    for block in blocks:
        data, at = rest + block, 0
        end = len(data)
        while at + 2 <= end:
            after = at + 2 + (data[at] << 8 | data[at + 1])
            if after > end:
                break
            yield data[at + 2 : after]
            at = after
        rest = data[at:]
