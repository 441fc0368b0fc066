"""What did not go through, row by row, in part files that are closed before anything counts on them.

A part is named by the number of its first row and a digest of its rows, so that a second try over the same
source writes the same parts again. The folder is anything with ``/`` and ``open``: a `pathlib.Path` or Airflow's
`ObjectStoragePath`.
"""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import IO, Any, Protocol, Self

import msgspec

from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.patience import MISTAKES, Patience, unwritable
from airflow_provider_esp.exceptions import StorageUnwritable

MOST_REASONS = 100
_MOST_OTHERS = 10_000
SENT = "sent"
"""The stage of parts that list everybody a send had to do with: the only ones that are proof of what was accepted."""
_PART = re.compile(r"part-\d{10,}-[0-9a-f]+-[a-z]+\.ndjson")


class Folder(Protocol):
    """A folder of files, as `pathlib.Path` and `ObjectStoragePath` are."""

    @property
    def name(self) -> str:
        """The last part of the path."""

    def __truediv__(self, name: str) -> Self: ...

    def open(self, mode: str) -> AbstractContextManager[IO[bytes]]:
        """Open the file that this path names."""

    def iterdir(self) -> Iterable[Self]:
        """List what is in the folder that this path names."""

    def unlink(self) -> None:
        """Remove the file that this path names."""

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """Make the folder that this path names."""


class RowReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of a report.

    :ivar row: number in the source, from 1.
    :ivar key: by what the row is found again: the source's key, or the address as it stood there. The report is the one
        place where it is written.
    :ivar known_as: while an import is open: what the service calls the person, where that is not the key.
    :ivar aliases: while an import is open: other names by which the service may call the person.
    :ivar values: the source's row, only where the author asked for it.
    """

    row: int
    outcome: str
    key: str | None = None
    reason: str = ""
    request_id: str | None = None
    import_id: str | None = None
    aliases: list[str] = []
    known_as: str | None = None
    values: dict[str, Any] | None = None


class Report:
    """Writes part files; without a folder it writes nothing, and keeps the first few reasons for the summary.

    A part that cannot be written is tried again for some time. When that time is up the first write raises, so that
    the run ends; what is written while it ends is tried once and given up in silence.

    :param folder: where the parts go, or None.
    :param patience: how long a disk or store may refuse a part.
    """

    def __init__(self, folder: Folder | None, patience: Patience | None = None) -> None:
        self._folder = folder
        self._patience = patience or Patience()
        self._ready = False
        self._failed = False
        self._earlier: dict[str, list[str]] | None = None
        self.reasons: dict[str, int] = {}
        self._others: set[int] = set()
        self._rows_of_others = 0

    @property
    def kept(self) -> bool:
        """Whether parts are written."""
        return self._folder is not None

    def write(self, first_row: int, digest: str, stage: str, rows: Sequence[RowReport]) -> str | None:
        """Write one part and close it; what an earlier part of its name knows better than this one stays.

        :returns: its name, or None where nothing was written.
        :raises StorageUnwritable: the disk or store refused it until patience was over; once only.
        """
        for row in rows:
            if row.reason and row.outcome != Outcome.DUPLICATE:
                self.count_reason(row.reason)
        if self._folder is None or not rows:
            return None
        name = part_name(first_row, digest, stage)
        patience = Patience(seconds=0) if self._failed else self._patience
        try:
            patience(lambda: self._write(name, rows, proves=stage == SENT), f"The report's part {name}")
        except MISTAKES:
            raise
        except Exception as error:
            if self._failed:
                return None
            self._failed = True
            raise StorageUnwritable(
                f"{unwritable('The report', self._folder, 'report_path', error)} It was tried for "
                f"{self._patience.seconds:g} s; run the task again when it can be written."
            ) from error
        return name

    def check_writable(self) -> None:
        """Write a file into the folder, read it again and remove it: to be done before anything leaves.

        :raises StorageUnwritable: that cannot be done.
        """
        if self._folder is None:
            return
        name, content = f".trial-{secrets.token_hex(8)}", b"written to see whether it can be\n"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / name).open("wb") as file:
                file.write(content)
            with (self._folder / name).open("rb") as file:
                same = file.read() == content
            (self._folder / name).unlink()
        except MISTAKES:
            raise
        except Exception as error:
            with suppress(Exception):
                (self._folder / name).unlink()
            raise StorageUnwritable(unwritable("The report", self._folder, "report_path", error)) from error
        if not same:
            raise StorageUnwritable(
                f"The report cannot be kept in {self._folder}: a file there is not what was written."
            )

    def _write(self, name: str, rows: Sequence[RowReport], *, proves: bool) -> None:
        if self._folder is None:
            return
        try:
            if not self._ready:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._ready = True
            if proves:
                rows = without_loss(self.read_if_there(name), rows)
            with (self._folder / name).open("wb") as file:
                file.write(msgspec.json.Encoder(enc_hook=str).encode_lines(rows))
        except Exception:
            self._ready = False  # somebody may have removed the folder
            raise

    def renew(self, first_row: int, rows: int, digest: str, stage: str = "", but: Collection[str] = ()) -> None:
        """Remove what earlier tries wrote about some rows, because it may no longer be true.

        :param first_row: number of the first of the rows.
        :param rows: how many there are.
        :param digest: of the rows, as in the names of their parts.
        :param stage: the only one that is meant, where not all are.
        :param but: names of parts that stay.
        """
        if self._earlier is None:
            self._earlier = {}
            for name in self._all_names():
                self._earlier.setdefault(name.split("-")[2], []).append(name)
        for name in self._earlier.get(digest, ()):
            ours = first_row <= int(name.split("-")[1]) < first_row + rows
            if ours and name not in but and name.endswith(f"-{stage}.ndjson" if stage else ""):
                self.remove(name)

    def count_reason(self, reason: str, rows: int = 1) -> None:
        """Note why rows were refused, for the summary."""
        if rows and (reason in self.reasons or len(self.reasons) < MOST_REASONS):
            self.reasons[reason] = self.reasons.get(reason, 0) + rows
        elif rows:
            self._rows_of_others += rows
            if len(self._others) < _MOST_OTHERS:
                self._others.add(hash(reason))

    def first_reasons(self, most: int) -> tuple[list[tuple[str, int]], int, int]:
        """Return the reasons of most rows.

        :param most: how many at the most.
        :returns: those reasons with their rows, how many more reasons there are, and how many rows those have.
        """
        ranked = sorted(self.reasons.items(), key=lambda pair: -pair[1])
        rest = ranked[most:]
        return ranked[:most], len(rest) + len(self._others), sum(rows for _, rows in rest) + self._rows_of_others

    def names(self, stage: str) -> list[str]:
        """List the parts of a stage that are in the folder, by every try, in the order of their rows."""
        return sorted(name for name in self._all_names() if name.endswith(f"-{stage}.ndjson"))

    def _all_names(self) -> list[str]:
        return [name for name in self._everything() if _PART.fullmatch(name)]

    def holds_others(self) -> bool:
        """Check whether there is something in the folder, but no part: it may be one that several reports are below."""
        names = self._everything()
        return bool(names) and not any(_PART.fullmatch(name) for name in names)

    def _everything(self) -> list[str]:
        if self._folder is None:
            return []
        try:
            return [path.name for path in self._folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):  # nothing was written; paths of Airflow say it either way
            return []

    def read_if_there(self, name: str) -> list[RowReport]:
        """Read one part as far as it goes: there may be none, or one that a kill cut off."""
        rows = []
        try:
            for row in self.read([name]):
                rows.append(row)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
            pass
        except OSError as error:
            if error.errno != errno.ELOOP:  # a symbolic link is none of our parts
                raise
        return rows

    def remove(self, name: str) -> None:
        """Take away a part that has served its turn, unless somebody did before."""
        if self._folder is not None:
            with suppress(FileNotFoundError):
                (self._folder / name).unlink()

    def clear(self) -> None:
        """Take away every part."""
        for name in self._all_names():
            self.remove(name)

    def read(self, names: Iterable[str]) -> Iterator[RowReport]:
        """Read parts again, e.g. after a deferral."""
        decoder = msgspec.json.Decoder(RowReport)
        if self._folder is None:
            return
        for name in names:
            with (self._folder / name).open("rb") as file:
                # One read: a part is small, and not every file of Airflow's can be iterated over.
                for line in file.read().splitlines():
                    yield decoder.decode(line)


def without_loss(earlier: Sequence[RowReport], rows: Sequence[RowReport]) -> list[RowReport]:
    """Return what two reports of the same rows know together: a later try may know less than an earlier one.

    That somebody was accepted stays, whatever a later try makes of the row, and so does any answer beside a row whose
    turn did not come in the later try.

    :param earlier: what is written.
    :param rows: what is about to be written in its place.
    """
    known = {row.row: row for row in earlier}
    merged = [before if (before := known.pop(row.row, None)) and _knows_more(before, row) else row for row in rows]
    return sorted([*merged, *known.values()], key=lambda row: row.row) if known else merged


def _knows_more(before: RowReport, now: RowReport) -> bool:
    if before.outcome == Outcome.ACCEPTED:
        return now.outcome != Outcome.ACCEPTED or (now.request_id is None and before.request_id is not None)
    return now.outcome == Outcome.NOT_REACHED and before.outcome in (Outcome.REJECTED, Outcome.UNKNOWN)


def part_name(first_row: int, digest: str, stage: str) -> str:
    """Name a part so that it sorts by row, and is the same for the same rows at every try."""
    return f"part-{first_row:010d}-{digest}-{stage}.ndjson"


def sent_request_ids(folder: Folder) -> Iterator[str]:
    """Read from a send's report the request ids of everybody who was written to."""
    report = Report(folder)
    for row in report.read(report.names("sent")):
        if row.request_id:
            yield row.request_id
