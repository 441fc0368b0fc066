"""Where a sync keeps its state: generations, a pointer to the current one, and a journal of what happened since.

::

    current.json                        the pointer: which generation is current, and facts about it
    generations/00000012-1f3a9c.esps    all entries, sorted
    journal/00000012/00000001-77aa10.esps   entries that changed since generation 12, part by part, in order

A generation is complete before the pointer names it. The journal belongs to the generation it follows, not to the run
that wrote it: whoever comes next, a retry or another run, knows what was done at the service since then.
"""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Protocol, Self

import msgspec

from airflow_provider_esp.core import row_report
from airflow_provider_esp.core.sync import files
from airflow_provider_esp.core.sync.entries import Entry, pack
from airflow_provider_esp.core.sync.errors import SyncStateUnusable
from airflow_provider_esp.core.sync.keys import StateKey

POINTER: Final = "current.json"
GENERATIONS: Final = "generations"
JOURNAL: Final = "journal"
_NAME: Final = re.compile(r"(\d{8,})-[0-9a-f]+\.esps")


class Folder(row_report.Folder, Protocol):
    """A folder of files that knows its own folder and can be removed."""

    @property
    def parent(self) -> Self:
        """The folder that it is in."""

    def rmdir(self) -> None:
        """Remove the folder that this path names, empty by then."""


class Facts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known of a generation as a whole.

    :ivar entries: keys of which something is known.
    :ivar held: people whom the service has accepted from this sync.
    :ivar rows: of the source.
    :ivar rules: digest of how rows became contacts: of another one all rows are sent again.
    :ivar full_at: Unix time of the last run that sent every row.
    :ivar changed_at: Unix time of the last run that changed anything.
    :ivar complete: whether the source was dealt with whole, and not only a part of it on trial.
    :ivar run: which run committed it.
    :ivar logical_date: of that run, ISO 8601; empty where it has none.
    :ivar at: Unix time of the commit.
    :ivar result: what that run returned, for a retry that finds everything done.
    :ivar reset: how the run has begun anew, as long as it has not committed.
    """

    entries: int = 0
    held: int = 0
    rows: int = 0
    rules: str = ""
    full_at: float = 0.0
    changed_at: float = 0.0
    complete: bool = True
    run: str = ""
    logical_date: str = ""
    at: float = 0.0
    result: dict[str, Any] = {}
    reset: str = ""


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Which generation is current.

    :ivar file: its name in the folder of generations.
    :ivar ended: whether the run that committed it has come to its end: then a task of that run was cleared by somebody.
    """

    version: int = files.VERSION
    generation: int
    file: str
    ended: bool = False
    facts: Facts


class StateFolder:
    """Reads and writes a sync's state.

    :param folder: where it is kept.
    :param key: the sync's secret.
    """

    def __init__(self, folder: Folder, key: StateKey) -> None:
        self.folder = folder
        self.key = key
        self._synced: set[str] = set()

    # -- the pointer

    def pointer(self) -> Pointer | None:
        """Read which generation is current; None where no run has committed.

        :raises SyncStateUnusable: the pointer is damaged or newer, or there are generations and no pointer.
        """
        try:
            with (self.folder / POINTER).open("rb") as file:
                content = file.read()
        except (FileNotFoundError, NotADirectoryError):
            if self.generations() and not self.journal(0):  # with a journal it is a first run that was cut off
                raise files.unusable(
                    f"{self.folder} holds generations of a sync's state and no {POINTER}, which says the current one"
                ) from None
            return None
        try:
            version = msgspec.json.decode(content, type=dict[str, Any]).get("version")
            if isinstance(version, int) and version > files.VERSION:
                raise files.unusable(
                    f"{self.folder / POINTER} was written by a newer version of this package (format {version})"
                )
            return msgspec.json.decode(content, type=Pointer)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise files.unusable(f"{self.folder / POINTER} is damaged") from None

    def point(self, pointer: Pointer) -> None:
        """Make a generation the current one; it is there for the next process once this returns."""
        self._write(self.folder / POINTER, lambda file: file.write(msgspec.json.encode(pointer)))

    # -- generations

    def generations(self) -> list[str]:
        """List the files of generations, the oldest first."""
        return self._names(self.folder / GENERATIONS)

    def read(self, pointer: Pointer) -> Iterator[bytes]:
        """Return the packed entries of a generation.

        :raises SyncStateUnusable: it is gone, damaged, newer, or written with another key.
        """
        return self.read_file(self.folder / GENERATIONS / pointer.file)

    def read_file(self, path: Folder) -> Iterator[bytes]:
        """Return the packed entries of a file; see `read`."""
        try:
            with path.open("rb") as file:
                yield from files.StateFile(file, self.key, str(path)).entries()
        except (FileNotFoundError, NotADirectoryError):
            raise files.unusable(f"The sync's state {path} is gone") from None

    def write(self, generation: int, entries: Iterable[bytes], facts: Facts) -> str:
        """Write a generation.

        :param entries: packed, sorted; `facts` may be filled in until the last one is taken.
        :returns: its name.
        """
        name = f"{generation:08d}-{secrets.token_hex(3)}.esps"
        told: dict[str, Any] = {}

        def all_of_them() -> Iterator[bytes]:
            yield from entries
            told.update(msgspec.to_builtins(facts))

        def write(file: IO[bytes]) -> None:
            files.write(file, self.key, generation, all_of_them(), told)

        self._write(self.folder / GENERATIONS / name, write)
        return name

    def newest(self) -> Pointer | None:
        """Find the newest generation that is whole and can be read with this key; None where there is none."""
        for name in reversed(self.generations()):
            path = self.folder / GENERATIONS / name
            with suppress(SyncStateUnusable), path.open("rb") as file:
                state = files.StateFile(file, self.key, str(path))
                for _ in state.entries():
                    pass
                facts = msgspec.convert(state.facts, Facts)
                return Pointer(generation=state.header.generation, file=name, ended=True, facts=facts)
        return None

    def prune(self, keep: int, current: Pointer) -> None:
        """Remove generations and journals that are over.

        :param keep: generations that stay, the current one among them.
        """
        names = self.generations()
        for name in names[: max(0, len(names) - keep)]:
            if name != current.file:
                self._remove(self.folder / GENERATIONS / name)
        for part in self._list(self.folder / JOURNAL):
            if part.name.isdigit() and int(part.name) < current.generation:
                for name in self._names(part):
                    self._remove(part / name)
                with suppress(OSError):  # stores have no folders, and somebody may have put something there
                    part.rmdir()

    # -- the journal

    def journal(self, generation: int) -> list[str]:
        """List the parts of a generation's journal, in their order."""
        return self._names(self._journal(generation))

    def read_part(self, generation: int, name: str) -> Iterator[bytes]:
        """Return the packed entries of a part."""
        return self.read_file(self._journal(generation) / name)

    def append(self, generation: int, number: int, entries: Iterable[Entry]) -> None:
        """Write a part of a generation's journal; it is there for the next process once this returns.

        :param number: behind which all parts with smaller ones come.
        """
        packed = sorted(map(pack, entries))
        name = f"{number:08d}-{secrets.token_hex(3)}.esps"
        self._write(self._journal(generation) / name, lambda file: files.write(file, self.key, generation, packed, {}))

    def _journal(self, generation: int) -> Folder:
        return self.folder / JOURNAL / f"{generation:08d}"

    # -- files

    def _names(self, folder: Folder) -> list[str]:
        names = [path.name for path in self._list(folder) if _NAME.fullmatch(path.name)]
        return sorted(names, key=lambda name: (int(name.partition("-")[0]), name))

    def _list(self, folder: Folder) -> list[Folder]:
        try:
            return list(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _remove(self, path: Folder) -> None:
        with suppress(FileNotFoundError):
            path.unlink()

    def _write(self, path: Folder, write: Callable[[IO[bytes]], object]) -> None:
        parent = str(path).rpartition("/")[0]
        if parent not in self._synced:
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write(file)
            _sync_to_disk(file)
        if Path(parent).is_dir() and "://" not in parent:  # the new name has to reach the disk as well
            number = os.open(parent, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)
        self._synced.add(parent)


def _sync_to_disk(file: IO[bytes]) -> None:
    file.flush()
    try:
        number = file.fileno()
    except (AttributeError, io.UnsupportedOperation):  # a store's: it is there once the file is closed
        return
    os.fsync(number)
