"""What is known now: a generation, and above it what happened since, kept in the state before and after each step.

Before people are handed to the service, or taken out, an entry says that it may have happened (the intent); after the
answer another one says what did. So whoever comes after a kill knows whom the service may have, and sends again only
what nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Self

from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.sync.entries import Entry, key_of, pack, unpack
from airflow_provider_esp.core.sync.generations import Pointer, StateFolder
from airflow_provider_esp.core.sync.keys import DIGEST_BYTES
from airflow_provider_esp.core.sync.sorting import RUN_BYTES, RecordSorter

_TURN_BYTES: Final = 8


class Journal:
    """Knows what is known, and writes down what happens. A context manager: what it holds goes when it is left.

    :param state: where it is kept; None for a dry run, which keeps nothing.
    :param base: the generation that it follows; None where there is none.
    :param patience: how long the state's place may refuse a part.
    :param run_bytes: entries held in memory.
    """

    def __init__(
        self, state: StateFolder, base: Pointer | None, patience: Patience | None = None, run_bytes: int = RUN_BYTES
    ) -> None:
        self._state = state
        self._base = base
        self._patience = patience or Patience(seconds=0)
        self._later = RecordSorter(run_bytes)
        self._turn = 0
        self._number = 0

    @property
    def generation(self) -> int:
        """Number of the generation that it follows; 0 where there is none."""
        return 0 if self._base is None else self._base.generation

    def load(self) -> Self:
        """Read what earlier tries and runs have written down since the generation.

        :raises SyncStateUnusable: a part is damaged, newer, or written with another key.
        """
        for name in self._state.journal(self.generation):
            self._number = max(self._number, int(name.partition("-")[0]))
            for raw in self._state.read_part(self.generation, name):
                self._take(raw)
        return self

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries down; they are there for the next process once this returns."""
        told = list(entries)
        if not told:
            return
        self._number += 1
        number = self._number
        self._patience(lambda: self._state.append(self.generation, number, told), "The sync's state")
        for entry in told:
            self._take(pack(entry))

    def forget(self, key: bytes) -> None:
        """Leave a key out of the next generation."""
        self._take(pack(Entry(key)))

    def _take(self, raw: bytes) -> None:
        self._turn += 1
        self._later.add(key_of(raw) + self._turn.to_bytes(_TURN_BYTES) + raw)

    def entries(self) -> Iterator[bytes]:
        """Return what is known of every key, packed and in order."""
        base = iter(()) if self._base is None else self._state.read(self._base)
        return _overlaid(base, self._latest())

    def _latest(self) -> Iterator[bytes]:
        """Return the last entry of each key."""
        before: bytes | None = None
        for record in self._later:
            raw = record[DIGEST_BYTES + _TURN_BYTES :]
            if before is not None and key_of(before) != key_of(raw):
                yield before
            before = raw
        if before is not None:
            yield before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._later.__exit__(*raised)


def _overlaid(base: Iterator[bytes], later: Iterator[bytes]) -> Iterator[bytes]:
    """Merge entries; those that came later stand in place of those of the same key, or for nothing where empty."""
    below = next(base, None)
    for above in later:
        key = key_of(above)
        while below is not None and key_of(below) < key:
            yield below
            below = next(base, None)
        if below is not None and key_of(below) == key:
            below = next(base, None)
        if not unpack(above).is_empty:
            yield above
    while below is not None:
        yield below
        below = next(base, None)


def counted(entries: Iterable[bytes], count: Callable[[bytes], object]) -> Iterator[bytes]:
    """Hand entries on, and tell somebody of each."""
    for raw in entries:
        count(raw)
        yield raw
