"""Rows out of a CSV file: a batch at once and by column where each line is a row, else line by line.

Most files that a data team exports hold plain values. Lines without a quotation mark are cut at their delimiters, all
in one go, and never become rows: that is faster than reading row by row, and leaves nothing behind that Python's
garbage collector would have to walk. Lines with quotation marks go through the standard library's reader a batch at a
time. A batch with anything unusual in it is read line by line.

A quotation mark that is never closed, or that is closed lines later, must not swallow people. So a record that spans
lines is accepted only where nobody can be lost in it; else its first line is a row that cannot be read, and reading
goes on at the second.
"""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import IO, BinaryIO, Final, cast

from airflow_provider_esp.core.readers.buffered import in_chunks
from airflow_provider_esp.core.readers.csv_dialect import AUTO, HEAD, Layout, layout_of
from airflow_provider_esp.core.readers.csv_records import END_OF_FILE, Lines, Record, has_address
from airflow_provider_esp.core.readers.null_values import NullValues
from airflow_provider_esp.core.readers.table import BadRow, Table, TextBlock, is_looking_ahead, looking_ahead
from airflow_provider_esp.exceptions import ColumnError, SourceError

log = logging.getLogger(__name__)

_LONGEST_RECORD: Final = 1024 * 1024
"""Characters that a record may span: a quotation mark that is never closed must not take a whole file into memory."""

_LONGEST_TAIL: Final = 1000
"""Lines that are looked at for the rest of a value."""


def read_csv(
    stream: IO[bytes],
    origin: str,
    delimiter: str = AUTO,
    encoding: str = AUTO,
    *,
    allow_line_breaks: bool = False,
    null_values: NullValues | None = None,
) -> Table:
    """Read delimited values with a header line.

    :param delimiter: between two cells, or ``auto`` to tell it by the header and the first lines.
    :param encoding: a codec's name, or ``auto`` for UTF-8, or UTF-16 and UTF-32 where the first bytes show them.
    :param allow_line_breaks: whether values in quotation marks may span lines. Otherwise only those of columns that
        nobody uses may (see `Table.use`).
    :param null_values: words that mean nothing; None for the usual ones.
    :raises SourceError: not in that encoding, or not CSV; the message names the line.
    :raises ColumnError: a column has no name, or the header names one twice.
    """
    ahead = in_chunks(stream, origin)
    head = ahead.peek(HEAD)
    layout = layout_of(head, origin, delimiter=delimiter, encoding=encoding, whole=len(head) < HEAD)
    nulls = NullValues(origin=origin) if null_values is None else null_values
    rows = CsvRows(cast(BinaryIO, ahead), origin, layout, nulls, allow_line_breaks=allow_line_breaks)
    return Table(rows.columns, rows, origin)


class CsvRows(Iterator[Sequence[str]]):
    """The rows of a CSV file below its header.

    :param stream: binary, from `in_chunks`.
    :param origin: what messages call it.
    :param layout: its encoding and delimiter.
    :param nulls: takes the words out that mean nothing.
    :param allow_line_breaks: whether values in quotation marks may span lines.
    :ivar columns: the header.
    """

    def __init__(
        self, stream: BinaryIO, origin: str, layout: Layout, nulls: NullValues, *, allow_line_breaks: bool = False
    ) -> None:
        self._lines = Lines(io.TextIOWrapper(stream, layout.encoding, newline=""))
        self._origin = origin
        self._encoding = layout.encoding
        self._delimiter = layout.delimiter
        self._edges = (f" {layout.delimiter}", f"{layout.delimiter} ", " \n", " \r", "\n ", "\r ")
        self._nulls = nulls
        self._allow = allow_line_breaks
        self._used: frozenset[int] | None = None
        self._warned = False
        self._lines.take(layout.preamble)
        self.columns = self._header()
        self._width = len(self.columns)

    def use(self, positions: Iterable[int]) -> None:
        """Take note of which columns somebody uses: line breaks in others do no harm."""
        self._used = frozenset(positions)
        self._nulls.use(self._used)

    def is_empty(self) -> bool:
        """Check whether there is no row, and leave the first where it is.

        :raises SourceError: the file cannot be decoded up to there.
        """
        self._lines.remember()
        try:
            with looking_ahead():
                return self._row() is None
        except UnicodeDecodeError as error:
            raise self._undecodable(error) from None
        finally:
            self._lines.go_back()

    def __next__(self) -> Sequence[str]:
        """Return the next row; a `BadRow` for one that cannot be read.

        :raises SourceError: the file cannot be decoded from here on.
        """
        try:
            row = self._row()
        except UnicodeDecodeError as error:
            raise self._undecodable(error) from None
        if row is None:
            raise StopIteration
        return self._nulls.in_row(row) if row else row

    def block(self, most: int) -> TextBlock | None:
        """Return the next rows by column.

        :param most: how many at the most.
        :returns: None where they have to be read one by one, or where there are none.
        """
        if self._width < 2:  # a blank line is no row, and with one column looks like one
            return None
        lines = self._lines.take(most)
        if not lines:
            return None
        text = "".join(lines)
        whole = len(lines) == most or not self._lines.failed
        cut = self._parse if '"' in text else self._cut
        columns = self._trimmed(cut(text, lines)) if whole else None
        if columns is None or self._may_go_on(lines[-1]):
            self._lines.put_back(lines)
            return None
        padded = " " in text and ('"' in text or text.startswith(" ") or any(edge in text for edge in self._edges))
        return TextBlock(self._nulls.in_columns(columns, padded=padded))

    def _may_go_on(self, line: str) -> bool:
        """Check whether the last value of a line may have been closed too early, as `_skip_tail` finds out."""
        if not self._allow or not line.rstrip("\r\n").endswith('"'):
            return False
        fragment = self._fragment()
        if fragment is not None:
            self._lines.put_back([fragment])
        return fragment is not None

    def _cut(self, text: str, lines: list[str]) -> list[Sequence[str]]:
        """Cut lines into columns, if each of them is a row; else there are none."""
        end = "\r\n" if text.endswith("\r\n") else "\n"
        if not text.endswith(end):
            text += end
        delimiters = set(map(str.count, lines, repeat(self._delimiter)))
        plain = (
            text.count("\n") == text.count(end) == len(lines)
            and text.count("\r") == (len(lines) if end == "\r\n" else 0)
            and len(delimiters) == 1
        )
        if not plain:
            return []
        width = delimiters.pop() + 1
        cells = text[: -len(end)].replace(end, self._delimiter).split(self._delimiter)
        return [cells[at::width] for at in range(width)]

    def _parse(self, text: str, lines: list[str]) -> list[Sequence[str]]:
        """Parse lines with quotation marks into columns, if each of them is a row; else there are none."""
        try:
            rows = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return []
        if len(rows) != len(lines) or len(set(map(len, rows))) != 1:
            return []
        return list(zip(*rows, strict=True))

    def _trimmed(self, columns: list[Sequence[str]]) -> list[Sequence[str]] | None:
        """Leave out what trailing delimiters make; None where a row is blank, or does not fit the header."""
        width = self._width
        if len(columns) < width or any(any(map(str.strip, column)) for column in columns[width:]):
            return None
        columns = columns[:width]
        if not all(map(str.strip, columns[0])):
            blank = [at for at, cell in enumerate(columns[0]) if not cell.strip()]
            if any(not any(column[at].strip() for column in columns) for at in blank):
                return None
        return columns

    def _header(self) -> tuple[str, ...]:
        """Read the names of the columns.

        :raises SourceError: the header is no CSV, or cannot be decoded.
        :raises ColumnError: a column has no name, or two have one, or the header is somebody's row.
        """
        try:
            cells = self._header_cells()
        except UnicodeDecodeError as error:
            raise self._undecodable(error) from None
        names = [name.strip() for name in cells]
        while names and not names[-1]:
            names.pop()
        if any(map(has_address, names)):
            raise ColumnError(
                f"{self._origin}: line {self._lines.past} holds an e-mail address or a phone number where the names of "
                "the columns belong. Write a header above it, such as email,first_name."
            )
        twice = sorted(name for name, times in Counter(names).items() if times > 1 and name)
        if twice:
            named = ", ".join(map(repr, twice))
            raise ColumnError(f"{self._origin}: the header names {named} twice; rename one of them.")
        return tuple(names)

    def _header_cells(self) -> list[str]:
        while (line := self._lines.next()) is not None:
            number = self._lines.past
            record = Record(self._delimiter)
            taken = len(line)
            ended = record.add(line)
            while not ended and taken < _LONGEST_RECORD and (line := self._lines.next()) is not None:
                taken += len(line)
                ended = record.add(line)
            if record.problem:
                raise SourceError(f"{self._origin}: line {number} is not CSV: {record.problem}.")
            # A name may hold line breaks (spreadsheets wrap them), but no lines of rows.
            swallowed = any(has_address(name) or self._delimiter in name for name in _broken(record.cells).values())
            if not ended or swallowed:
                raise SourceError(
                    f"{self._origin}: the header, line {number}, opens a quotation mark that it does not close; "
                    "correct it there."
                )
            if any(map(str.strip, record.cells)):
                return record.cells
        return []

    def _row(self) -> Sequence[str] | None:
        """Read the next row, None at the end.

        :raises UnicodeDecodeError: the file cannot be decoded from here on.
        """
        if not self.columns:
            return None
        while (line := self._lines.next()) is not None:
            first = self._lines.past
            record = Record(self._delimiter)
            if '"' not in line:
                cells = line.rstrip("\r\n").split(self._delimiter)
            else:
                if not record.add(line) and (problem := self._go_on(record)):
                    return self._taken_apart(problem)
                if record.problem:
                    return self._taken_apart(f"is not CSV: {record.problem}")
                cells = record.cells
            if not any(map(str.strip, cells)) or line.strip() == END_OF_FILE:
                continue  # blank, whatever its delimiters
            if not self._fits(cells):
                problem = f"has {len(cells)} cells and the header has {self._width}"
                return self._taken_apart(problem) if '"' in line else BadRow(f"line {self._lines.past} {problem}")
            if self._allow and record.ends_quoted and self._skip_tail():
                return BadRow(f"lines {first} to {self._lines.past}: a quotation mark is missing or too many")
            return tuple(cells[: self._width])
        return None

    def _fits(self, cells: Sequence[str]) -> bool:
        """Check whether these are the cells of a row; trailing delimiters may make blank ones behind them."""
        return len(cells) == self._width or (len(cells) > self._width and not any(map(str.strip, cells[self._width :])))

    def _go_on(self, record: Record) -> str:
        """Read on, because a quotation mark is open at the end of a record's first line.

        :returns: why the record is not accepted; then the lines are put back, all but the first. Else nothing.
        """
        lines: list[str] = []
        size = 0
        ended = False
        # A record that has more cells than the header already is none, wherever it ends.
        while not ended and len(record.cells) <= self._width and size < _LONGEST_RECORD:
            try:
                line = self._lines.next()
            except UnicodeDecodeError:
                break  # it is raised again once the lines before are read
            if line is None:
                break
            lines.append(line)
            size += len(line)
            ended = record.add(line)
        problem = self._problem(record, ended, lines)
        if problem:
            self._lines.put_back(lines)
        return problem

    def _problem(self, record: Record, ended: bool, lines: list[str]) -> str:
        """Return why a record that spans lines is not accepted; nothing if it is."""
        broken = _broken(record.cells)
        sound = ended and not record.problem and self._fits(record.cells)
        if not self._allow:
            harmless = (
                sound
                and self._used is not None
                and self._used.isdisjoint(broken)
                and not any(map(has_address, broken.values()))
                and not self._are_rows(lines)
            )
            return "" if harmless else "leaves a quotation mark open; see allow_line_breaks="
        if not ended:
            return "opens a quotation mark that is not closed"
        if not sound:
            return f"begins a record that is not CSV: {record.problem or 'it has another number of cells'}"
        if any(has_address(text) and not self._is_one_address(text) for text in broken.values()):
            return "begins a value in which an address stands: a quotation mark is missing or too many"
        return ""

    def _is_one_address(self, text: str) -> bool:
        """See whether a value is nothing but an address, with line breaks around it; a delimiter is another cell's."""
        return len(text.split()) == 1 and text.count("@") == 1 and self._delimiter not in text

    def _are_rows(self, lines: list[str]) -> bool:
        """Check whether the lines behind a record's first look like rows that a quotation mark has swallowed."""
        return all(line.count(self._delimiter) == self._width - 1 for line in lines)

    def _taken_apart(self, problem: str) -> BadRow:
        """Make a row of a line that cannot be read, with what belongs to it where values may span lines."""
        first = self._lines.past
        if not self._warned and not is_looking_ahead() and "allow_line_breaks" in problem:
            self._warned = True
            log.warning(
                "%s: line %s opens a quotation mark and does not close it. Each of its lines is read as a row of its "
                "own, so that no row is swallowed by another's value. If values of the columns in use may hold line "
                "breaks, say FileSource(path, allow_line_breaks=True).",
                self._origin,
                first,
            )
        while self._allow and (line := self._fragment()) is not None and line.count('"') % 2 == 0:
            pass
        last = self._lines.past
        which = f"line {first}" if first == last else f"lines {first} to {last}:"
        return BadRow(f"{which} {problem}")

    def _skip_tail(self) -> bool:
        """Pass over what is left of a value that was closed too early, up to the mark that was to close it."""
        lines: list[str] = []
        while len(lines) < _LONGEST_TAIL and (line := self._fragment()) is not None:
            lines.append(line)
            if line.count('"') % 2:
                return True
        self._lines.put_back(lines)
        return False

    def _fragment(self) -> str | None:
        """Read the next line if it can be no row by itself, but a part of a value above it; else leave it."""
        try:
            line = self._lines.next()
        except UnicodeDecodeError:
            return None
        if line is None:
            return None
        record = Record(self._delimiter)
        whole = record.add(line)
        if whole and (record.problem or not self._fits(record.cells)) and not has_address(line):
            return line
        self._lines.put_back([line])
        return None

    def _undecodable(self, error: UnicodeDecodeError) -> SourceError:
        """Name the line, of which the error knows how far behind the lines already read it is."""
        before = error.object[: error.start].decode(self._encoding, "replace")
        line = self._lines.past + 1 + before.count("\n")
        if self._encoding != "utf-8-sig":
            return SourceError(
                f"{self._origin}: line {line} is not {self._encoding}; say in encoding= what the file is in, or save "
                "it as UTF-8."
            )
        return SourceError(
            f"{self._origin}: line {line} is not UTF-8; save the file as UTF-8, or say what it is in, e.g. "
            "FileSource(path, encoding='cp1251')."
        )


def _broken(cells: Sequence[str]) -> dict[int, str]:
    """Return the cells that hold line breaks, by position."""
    return {at: cell for at, cell in enumerate(cells) if "\n" in cell or "\r" in cell}
