"""Rows of a task's report, read for a person: below folders that the administrator has named, and nowhere else.

A task says in its record where its report is, and what a task says is not trusted: the folder has to be the one that
this very task instance writes into, below one of ``[esp] report_roots``, and every step to it has to be a real folder.
Links are not followed, not even for a moment between a check and the reading: each step is opened from the one before.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import msgspec

from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.row_report import RowReport
from airflow_provider_esp.utils.task_identity import TaskIdentity

ROWS = 100
"""Rows in one answer."""

_SCANNED = 20_000
"""Lines that one request looks at, at the most."""

_DRY_RUN = "dry-run"
_PART = re.compile(r"part-\d{10,}-[0-9a-f]+-[a-z]+\.ndjson")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ReportRefused(Exception):
    """The report may not or cannot be read; the sentence is for the person who asked."""


class ReportReader:
    """Reads the parts of one task instance's report.

    :param folder: where the task says that its report is.
    :param identity: of the task instance.
    :param roots: folders below which reports may be read.
    :raises ReportRefused: the folder is none that this task instance writes into, or is below no root.
    """

    def __init__(self, folder: str, identity: TaskIdentity, roots: list[str]) -> None:
        if not roots:
            raise ReportRefused("This Airflow shows no rows: [esp] report_roots names no folder.")
        steps = PurePosixPath(folder)
        base = steps.parent if steps.name == _DRY_RUN else steps
        own = PurePosixPath(identity.folder)
        if "://" in folder or not steps.is_absolute() or ".." in steps.parts:
            raise ReportRefused("The report is not in a folder of this machine, so its rows cannot be shown.")
        if base.parts[-len(own.parts) :] != own.parts:
            raise ReportRefused("The folder that the task names is not its own, so it is not read.")
        root = next((PurePosixPath(root) for root in roots if steps.is_relative_to(root)), None)
        if root is None:
            raise ReportRefused("The report is in none of the folders that [esp] report_roots names.")
        self._root = str(root)
        self._steps = steps.relative_to(root).parts

    def names(self) -> list[str]:
        """List the parts, in the order of their rows."""
        with self._opened() as folder:
            return sorted(name for name in os.listdir(folder) if _PART.fullmatch(name))

    def rows(self, reason: str | None, cursor: str) -> tuple[list[RowReport], str | None]:
        """Read rows that were not accepted.

        :param reason: the only one that is meant.
        :param cursor: what the answer before gave; empty for the beginning.
        :returns: at most `ROWS` rows, and where to go on; None at the end.
        :raises ReportRefused: the cursor is none, or the report is not there.
        """
        at_name, at_line = _cursor(cursor)
        decoder, scanned = msgspec.json.Decoder(RowReport), 0
        found: list[RowReport] = []
        for name in self.names():
            if name < at_name:
                continue
            begin = at_line if name == at_name else 0
            for number, line in enumerate(self.read(name).splitlines()):
                if number < begin:
                    continue
                if len(found) >= ROWS or scanned >= _SCANNED:
                    return found, f"{name}:{number}"
                scanned += 1
                row = _row(decoder, line)
                if row and row.outcome != Outcome.ACCEPTED and (reason is None or row.reason == reason):
                    found.append(row)
        return found, None

    def read(self, name: str) -> bytes:
        """Read one part.

        :raises ReportRefused: there is no such part, or it is no ordinary file.
        """
        if not _PART.fullmatch(name):
            raise ReportRefused("There is no such part.")
        with self._opened() as folder:
            try:
                number = os.open(name, _FILE, dir_fd=folder)
            except OSError:
                raise ReportRefused("There is no such part.") from None
            with os.fdopen(number, "rb") as file:
                if not stat.S_ISREG(os.fstat(number).st_mode):
                    raise ReportRefused("There is no such part.")
                return file.read()

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the folder, step by step from its root."""
        opened: list[int] = []
        try:
            opened.append(os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for step in self._steps:
                opened.append(os.open(step, _FOLDER, dir_fd=opened[-1]))
            yield opened[-1]
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise ReportRefused("The report is not there any more, or the API server may not read it.") from None
        except OSError as error:
            raise ReportRefused(f"The report cannot be read ({os.strerror(error.errno or 0)}).") from None
        finally:
            for number in opened:
                os.close(number)


def masked(key: str | None) -> str | None:
    """Make an address, phone number or id unrecognisable to whoever does not know it.

    >>> masked("ann@example.com"), masked("+380671234567"), masked("x")
    ('a***@e***.com', '+3***67', '***')
    """
    if not key:
        return key
    name, at, host = key.rpartition("@")
    if at:
        return f"{name[:1]}***@{host[:1]}***.{host.rpartition('.')[2]}"
    return f"{key[:2]}***{key[-2:]}" if len(key) > 6 else "***"


def as_shown(row: RowReport, *, whole: bool) -> dict[str, Any]:
    """Return a row as the page shows it.

    :param whole: whether key and values are shown as they are.
    """
    shown = {"row": row.row, "outcome": row.outcome, "reason": row.reason, "key": masked(row.key)}
    return {**shown, "key": row.key, "values": row.values} if whole else shown


def report_roots() -> list[str]:
    """Return the folders below which ``[esp] report_roots`` lets rows be read."""
    from airflow.providers.common.compat.sdk import conf

    told = conf.get("esp", "report_roots", fallback="") or ""
    return [os.path.normpath(root.strip()) for root in told.split(",") if os.path.isabs(root.strip())]


def shows_whole_rows() -> bool:
    """Check whether ``[esp] show_rows`` lets people with edit rights see rows as they are."""
    from airflow.providers.common.compat.sdk import conf

    return bool(conf.getboolean("esp", "show_rows", fallback=False))


def _row(decoder: msgspec.json.Decoder[RowReport], line: bytes) -> RowReport | None:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):  # a kill cut the part off
        return None


def _cursor(cursor: str) -> tuple[str, int]:
    name, _, line = cursor.partition(":")
    if cursor and not (_PART.fullmatch(name) and line.isdecimal()):
        raise ReportRefused("The cursor is none of this list.")
    return name, int(line or 0)
