"""Where an application's tokens are kept: the interface, and the two stores that need no Airflow.

A store object stands for one application's place (see `grants.slot_name`). Every store keeps the same promises, and
one test suite holds all of them to it: what was saved is what is read, an older grant never replaces a newer one, and
of all who want to refresh at the same moment one has the turn.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from airflow_provider_esp.core.auth.token_set import TokenSet, grant_from_json
from airflow_provider_esp.exceptions import StoreUnusable, TokensUnreadable

_LOOK_AGAIN = 0.05
_LONGEST_CHANGE = 60.0
_MOST_CHARACTERS = 2**20


class TokenStore(Protocol):
    """The place of one application's tokens.

    :ivar title: the place in words, for people.
    :ivar locked: whether `turn` is a real lock; where it is not, another process may still be saving.
    """

    title: str
    locked: bool

    def load(self) -> TokenSet | None:
        """Return what is kept, or None where nothing is.

        :raises TokenError: something is kept and cannot be used.
        """

    def save(self, grant: TokenSet) -> TokenSet:
        """Keep a grant, unless a newer one is there; on the disk or committed when this returns.

        :returns: what is kept now: `grant`, or the newer one.
        :raises TokenError: it could not be kept, or is not what is read back.
        """

    def forget(self) -> None:
        """Keep nothing any more."""

    def turn(self, enough: Callable[[], bool], patience: float) -> AbstractContextManager[bool]:
        """Wait for the turn to refresh.

        :param enough: asked while waiting; once it is true, waiting ends.
        :param patience: seconds to wait at the most; 0 asks once.
        :returns: a context that gives True where the turn is ours as long as it lasts, False where it is not.
        :raises TokenError: nothing can be written here, so that a refreshed token would be lost.
        """


class MemoryTokens:
    """Keeps tokens as long as the process lives: for tests, and for code that brings its own."""

    title = "this process's memory"
    locked = True

    def __init__(self, grant: TokenSet | None = None) -> None:
        self._grant = grant
        self._turn = threading.Lock()
        self._access = threading.Lock()

    def load(self) -> TokenSet | None:
        """Return what is kept."""
        return self._grant

    def save(self, grant: TokenSet) -> TokenSet:
        """Keep a grant, unless a newer one is there."""
        with self._access:
            if self._grant is None or self._grant.issued_at <= grant.issued_at:
                self._grant = grant
            return self._grant

    def forget(self) -> None:
        """Keep nothing any more."""
        self._grant = None

    @contextmanager
    def turn(self, enough: Callable[[], bool], patience: float) -> Iterator[bool]:
        """Wait for the turn to refresh; see `TokenStore.turn`."""
        mine = _wait(lambda: self._turn.acquire(blocking=False), enough, patience)
        try:
            yield mine
        finally:
            if mine:
                self._turn.release()


class FileTokens:
    """Keeps tokens in a file that only its owner can read, replaced at once, under a lock between processes.

    A seal shows whether anybody changed the file: without the application's secret it cannot be made again.

    :param path: of the file, on a disk whose locks work between all who use it; ``<path>.lock`` lies beside it.
    :param secret: the application's client secret.
    """

    locked = True

    def __init__(self, path: str | os.PathLike[str], secret: str) -> None:
        self._path = Path(path)
        self._secret = secret.encode()
        self.title = f"the file {self._path}"

    def load(self) -> TokenSet | None:
        """Return what is kept.

        :raises StoreUnusable: others may read the file, or it is somebody else's.
        :raises TokensUnreadable: it was changed, or belongs to another application.
        """
        newest = self._newest()  # read first: whoever saves replaces the tokens first, and notes their time after
        try:
            # Without O_NONBLOCK, opening a named pipe would wait for somebody who writes to it.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnusable(f"{self.title} cannot be opened: {error.strerror}") from None
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            self._check(os.fstat(descriptor))
            grant = self._unsealed(file.read(_MOST_CHARACTERS))
        if grant.issued_at < newest:
            raise TokensUnreadable(
                f"{self.title} is older than the tokens that were last kept there: it was restored from an old "
                "copy, and its refresh token has been used"
            )
        return grant

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise StoreUnusable(f"{self.title} is not a plain file")
        if found.st_mode & 0o077:
            raise StoreUnusable(
                f"{self.title} has mode {stat.S_IMODE(found.st_mode):04o}, so that others may use the tokens in it",
                advice=f"Make it private (chmod 600 {self._path}); if others could have read it, authorize again.",
            )
        if found.st_uid != os.geteuid():
            raise StoreUnusable(f"{self.title} belongs to another user", advice="Give it to the user Airflow runs as.")

    def _unsealed(self, text: str) -> TokenSet:
        try:
            kept = json.loads(text)
            seal, record = kept["seal"], kept["tokens"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise TokensUnreadable(f"{self.title} is not a file of tokens, or is cut off") from None
        if not (isinstance(record, str) and isinstance(seal, str) and self._is_sealed(record, seal)):
            raise TokensUnreadable(f"{self.title} was changed, or belongs to another application or client secret")
        return grant_from_json(record, self.title)

    def _seal(self, record: str) -> str:
        return hmac.new(self._secret, record.encode(), hashlib.sha256).hexdigest()

    def _is_sealed(self, record: str, seal: str) -> bool:
        # As bytes: texts are compared only where they are ASCII, and a file may hold anything.
        return hmac.compare_digest(seal.encode(errors="replace"), self._seal(record).encode())

    def _newest(self) -> float:
        """Return the issue time of the newest tokens that were ever kept here, as far as the lock file knows it.

        It is sealed as well. Where it is missing or damaged nothing is known, and the tokens' own seal decides.
        """
        try:
            descriptor = os.open(self._lock_path(".lock"), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(descriptor, encoding="utf-8", errors="replace") as file:
                issued_at, _, seal = file.read(_MOST_CHARACTERS).partition(" ")
            return float(issued_at) if self._is_sealed(f"newest {issued_at}", seal.strip()) else 0.0
        except (OSError, ValueError):
            return 0.0

    def save(self, grant: TokenSet) -> TokenSet:
        """Keep a grant, unless a newer one is there; it is on the disk when this returns."""
        with self._locked() as lock:
            kept = self.load()
            if kept is not None and kept.issued_at > grant.issued_at:
                return kept
            record = grant.to_json()
            self._replace(json.dumps({"seal": self._seal(record), "tokens": record}))
            newest = repr(grant.issued_at)
            os.truncate(lock, 0)
            os.pwrite(lock, f"{newest} {self._seal(f'newest {newest}')}\n".encode(), 0)
            os.fsync(lock)
            return self.load() or grant

    def _replace(self, text: str) -> None:
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}.{threading.get_ident()}")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def forget(self) -> None:
        """Remove the file; its lock stays, for whoever holds it."""
        with self._locked() as lock:
            self._path.unlink(missing_ok=True)
            os.truncate(lock, 0)

    @contextmanager
    def turn(self, enough: Callable[[], bool], patience: float) -> Iterator[bool]:
        """Wait for the turn to refresh; see `TokenStore.turn`."""
        # A lock of its own: whoever has the turn must still be able to save. The system frees it with the process.
        descriptor = self._lock_file(".turn")
        try:
            yield _wait(lambda: _try_lock(descriptor), enough, patience)
        finally:
            os.close(descriptor)

    def _lock_file(self, suffix: str) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(self._lock_path(suffix), flags, 0o600)
        except OSError as error:
            raise StoreUnusable(
                f"nothing can be written beside {self.title}: {error.strerror}",
                advice="Tokens are replaced at every refresh: give Airflow's user the right to write there.",
            ) from None
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise StoreUnusable(
                f"{self._lock_path(suffix)} belongs to another user, or is not a plain file: its lock might never be "
                "released",
                advice="Remove it, and keep tokens in a folder in which no other user can write.",
            )
        return descriptor

    def _lock_path(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the lock for a change of the file; give its descriptor.

        :raises StoreUnusable: another process does not let go of it.
        """
        descriptor = self._lock_file(".lock")
        try:
            if not _wait(lambda: _try_lock(descriptor), lambda: False, _LONGEST_CHANGE):
                raise StoreUnusable(
                    f"another process has held {self._lock_path('.lock')} for {_LONGEST_CHANGE:g} s",
                    advice="A change takes milliseconds: find the process that hangs (fuser) and end it.",
                )
            yield descriptor
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(take: Callable[[], bool], enough: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while not take():
        if time.monotonic() >= end or enough():
            return False
        time.sleep(_LOOK_AGAIN)
    return True
