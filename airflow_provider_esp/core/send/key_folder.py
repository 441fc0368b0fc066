"""The folder of a send key: which task sends under it, and who was reached, in files of sorted digests.

A file of digests has a head, then the *open* ones (the block that is about to leave, or was when its writer ended),
then the *settled* ones (people who were reached). It is replaced whole. Its name says until when it counts, whose it
is, and which one of that task's; nobody but the process that it is named by writes it. No person can be read out of a
digest, and under another key the same person has another one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TypeVar

import msgspec

from airflow_provider_esp.core.patience import Patience, unwritable
from airflow_provider_esp.core.row_report import Folder
from airflow_provider_esp.core.send.sorted_digests import Opened, SortedDigests, digest_of, read_digests
from airflow_provider_esp.exceptions import LedgerUnreadable, StorageUnwritable
from airflow_provider_esp.utils.local_paths import LocalPath

T = TypeVar("T")

_OWNER = "owner.json"
_MAGIC = b"esp sent 1\n"
_HEAD_BYTES = 128
_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(\d{8}T\d{6}Z)-([0-9a-f]{16})-([0-9a-f]{1,32})-([0-9a-f]{12})-(\d{6,})\.sent")


class _Gone(Exception):
    """A file that was listed is not there any more."""


@dataclass(frozen=True, slots=True)
class SentName:
    """What the name of a file of digests says.

    :ivar until: when it ceases to count, ISO 8601 basic in UTC, so that it can be compared as text.
    :ivar task: digest of the task instance's identity.
    :ivar send: which of its sends.
    :ivar mark: of the process that writes it.
    :ivar number: counts the files of that process.
    """

    until: str
    task: str
    send: str
    mark: str
    number: int

    def __str__(self) -> str:
        return f"{self.until}-{self.task}-{self.send}-{self.mark}-{self.number:06d}.sent"


class SentHead(msgspec.Struct):
    """How a file of digests begins.

    :ivar claim: names the block of the open ones, as the ledger has it; empty where there is none.
    :ivar open: how many are open.
    :ivar settled: how many are settled.
    """

    claim: str
    open: int
    settled: int


class Owner(msgspec.Struct):
    """Which task sends under a key.

    :ivar task: names it for people.
    :ivar mark: of its process, which no other has.
    :ivar process: host, number and start of its process.
    """

    task: str
    mark: str
    process: str


class KeyFolder:
    """Reads and writes the folder of one key.

    :param base: the author's folder.
    :param key: the author's key.
    :param patience: how long a disk or store may refuse.
    """

    def __init__(self, base: Folder, key: str, patience: Patience) -> None:
        self._secret = hashlib.blake2b(key.encode(), person=b"esp send key").digest()
        self._folder = base / hashlib.blake2b(self._secret, digest_size=16).hexdigest()
        self._patience = patience
        self._ready = self._failed = False

    def __str__(self) -> str:
        return str(self._folder)

    @property
    def owner_file(self) -> str:
        """Where the owner is written down."""
        return str(self._folder / _OWNER)

    def digest(self, person: str) -> bytes:
        """Return the digest by which a person is known here."""
        return digest_of(person, self._secret)

    # -- the owner --

    def owner(self) -> Owner | None:
        """Return who sends under this key; None where nobody does.

        :raises LedgerUnreadable: the file says something else.
        """

        def read() -> Owner | None:
            try:
                with (self._folder / _OWNER).open("rb") as file:
                    content = file.read()
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                return msgspec.json.decode(content, type=Owner)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise LedgerUnreadable(
                    f"{self.owner_file} is damaged: find out that no task sends under this send_key, and remove it."
                ) from error

        return self._try(read)

    def write_owner(self, owner: Owner) -> None:
        """Write down who sends under this key."""
        content = json.dumps(msgspec.to_builtins(owner)).encode()
        self._try(lambda: self._write(_OWNER, [content]))

    def remove_owner(self) -> None:
        """Write down that nobody sends under this key."""
        self._try(lambda: self._remove(_OWNER))

    # -- files of digests --

    def names(self) -> list[SentName]:
        """List the files of digests that still count."""
        now = until_text(datetime.now(UTC))
        return sorted((name for name in self._try(self._names) if name.until >= now), key=str)

    def remove_expired(self) -> None:
        """Remove the files of digests that do not count any more."""
        now = until_text(datetime.now(UTC))
        for name in self._try(self._names):
            if name.until < now:
                self.remove(name)

    def write(self, name: SentName, claim: str, open_ones: Collection[bytes], settled: Collection[bytes]) -> None:
        """Write a file of digests; it is there, whole, when this returns.

        :param claim: names the block of the open ones.
        """
        head = SentHead(claim, len(open_ones), len(settled))
        chunks = [_head(head), b"".join(sorted(open_ones)), b"".join(sorted(settled))]
        self._try(lambda: self._write(str(name), chunks))

    def write_settled(self, name: SentName, count: int, digests: Callable[[], Iterable[bytes]]) -> None:
        """Write a file of many settled digests.

        :param count: how many there are.
        :param digests: gives them in their order, any number of times.
        """
        self._try(lambda: self._write(str(name), chain([_head(SentHead("", 0, count))], digests())))

    def read(self, name: SentName) -> tuple[str, set[bytes], set[bytes]] | None:
        """Read a small file of digests.

        :returns: the claim, the open ones, the settled ones; None where somebody has removed it.
        :raises LedgerUnreadable: it is damaged.
        """

        def read() -> tuple[str, set[bytes], set[bytes]] | None:
            with suppress(_Gone), ExitStack() as stack:
                claim, runs = self._open(name, stack)
                open_ones, settled = (set(run) for run in runs)
                return claim, open_ones, settled
            return None

        return self._try(read)

    def merged(self, names: Iterable[SentName]) -> SortedDigests | None:
        """Merge files of digests into one of this process; None where somebody has removed one of them.

        :raises LedgerUnreadable: one is damaged.
        """

        def merge() -> SortedDigests | None:
            with suppress(_Gone):
                return SortedDigests(map(self._opener, names))
            return None

        return self._try(merge)

    def remove(self, name: SentName) -> None:
        """Remove a file of digests, unless somebody did before."""
        self._try(lambda: self._remove(str(name)))

    # -- the files themselves --

    def _opener(self, name: SentName) -> Opened:
        return lambda stack: self._open(name, stack)[1]

    def _open(self, name: SentName, stack: ExitStack) -> tuple[str, Sequence[Iterable[bytes]]]:
        try:
            file = stack.enter_context((self._folder / str(name)).open("rb"))
        except FileNotFoundError:
            raise _Gone from None
        head = file.read(_HEAD_BYTES)
        try:
            if not head.startswith(_MAGIC):
                raise EOFError
            told = msgspec.json.decode(head.removeprefix(_MAGIC).rstrip(b"\0"), type=SentHead)
            open_ones = list(read_digests(file, told.open))
        except (EOFError, msgspec.MsgspecError):
            raise self._damaged(name) from None
        return told.claim, [open_ones, self._checked(read_digests(file, told.settled), name)]

    def _checked(self, digests: Iterable[bytes], name: SentName) -> Iterable[bytes]:
        try:
            yield from digests
        except EOFError:
            raise self._damaged(name) from None

    def _damaged(self, name: SentName) -> LedgerUnreadable:
        return LedgerUnreadable(
            f"{self._folder}/{name} is damaged: it says who was reached under this send_key. Restore it, or find out "
            "whom that send has reached before you remove it."
        )

    def _names(self) -> list[SentName]:
        try:
            names = [path.name for path in self._folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):  # nothing was written; paths of Airflow say it either way
            return []
        found = [match for name in names if (match := _NAME.fullmatch(name))]
        return [SentName(match[1], match[2], match[3], match[4], int(match[5])) for match in found]

    def _write(self, name: str, chunks: Iterable[bytes]) -> None:
        try:
            if not self._ready:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._ready = True
            path = self._folder / name
            with path.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                if isinstance(path, LocalPath):
                    file.flush()
                    os.fsync(file.fileno())
        except Exception:
            self._ready = False  # somebody may have removed the folder
            raise

    def _remove(self, name: str) -> None:
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            return

    def _try(self, action: Callable[[], T]) -> T:
        try:
            patience = Patience(seconds=0) if self._failed else self._patience  # the task is ending already
            return patience(action, "What is kept of the send_key")
        except OSError as error:
            self._failed = True
            if isinstance(error, StorageUnwritable):
                raise
            raise StorageUnwritable(unwritable("Who was reached", self._folder, "sent_path", error)) from error


def until_text(moment: datetime) -> str:
    """Return a moment (aware) as names of files have it."""
    return moment.astimezone(UTC).strftime(_TIME)


def _head(head: SentHead) -> bytes:
    return (_MAGIC + msgspec.json.encode(head)).ljust(_HEAD_BYTES, b"\0")
