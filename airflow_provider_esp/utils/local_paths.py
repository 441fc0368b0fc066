"""Files on a local disk that hold people's data: nobody else may read them, and nothing planted is followed.

A file is written under a fresh name beside its own and renamed when it is complete, so that a reader sees the old
content or the new one, and a symbolic link in its place is replaced, not written through.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Self

OWNER_ONLY = 0o600


class LocalPath:
    """A path below a folder that the author named; in what it can do it is like `pathlib.Path`.

    :param base: the author's folder; it may itself be a symbolic link, what is below it may not.
    :param below: relative to it.
    :param file_mode: permissions of new files, and of new folders with the right to enter added; None for what the
        process's umask says.
    """

    def __init__(self, base: Path, below: Path = Path(), *, file_mode: int | None = OWNER_ONLY) -> None:
        self._base = base
        self._below = below
        self._file_mode = file_mode
        self.path = base / below

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    @property
    def parent(self) -> Self:
        """The folder that it is in."""
        if self._below == Path():
            return type(self)(self._base.parent, file_mode=self._file_mode)
        return type(self)(self._base, self._below.parent, file_mode=self._file_mode)

    def __truediv__(self, name: str) -> Self:
        return type(self)(self._base, self._below / name, file_mode=self._file_mode)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"LocalPath({str(self.path)!r})"

    @contextmanager
    def open(self, mode: str) -> Iterator[IO[bytes]]:
        """Open the file, for one ``with`` statement.

        :param mode: ``rb``, or ``wb`` for a file that is there, whole, when the ``with`` statement has ended.
        :raises OSError: it is a symbolic link (``rb``), or the disk does not allow it.
        """
        if mode == "rb":
            with os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                yield file
            return
        if mode != "wb":
            raise ValueError(f"a file is opened as 'rb' or 'wb', not {mode!r}")
        fresh = self.path.with_name(f".{self.path.name[:200]}.{secrets.token_hex(8)}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        number = os.open(fresh, flags, 0o666 if self._file_mode is None else OWNER_ONLY)
        try:
            with os.fdopen(number, "wb") as file:
                if self._file_mode is not None:
                    os.fchmod(number, self._file_mode)
                yield file
            fresh.replace(self.path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink()
            raise

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Make the folder, and those above it.

        :raises NotADirectoryError: a symbolic link is in the way below the author's folder.
        """
        for folder in reversed([self._base, *self._base.parents]):
            if not folder.exists():
                self._make(folder)
        folder = self._base
        for part in self._below.parts:
            folder = folder / part
            self._make(folder)
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise NotADirectoryError(
                    errno.ENOTDIR, "a file or a symbolic link is where a folder is needed", str(folder)
                )

    def _make(self, folder: Path) -> None:
        mode = None if self._file_mode is None else self._file_mode | (self._file_mode & 0o444) >> 2
        with suppress(FileExistsError):
            folder.mkdir(mode=0o777 if mode is None else mode)
            if mode is not None:
                folder.chmod(mode)  # the process's umask may have taken from it

    def iterdir(self) -> Iterator[Self]:
        """List what is in the folder."""
        for path in self.path.iterdir():
            yield self / path.name

    def unlink(self) -> None:
        """Remove the file."""
        self.path.unlink()

    def rmdir(self) -> None:
        """Remove the folder, empty by then."""
        self.path.rmdir()

    def move(self, path: Self) -> None:
        """Move the file into another's place."""
        self.path.replace(path.path)
