"""Rows out of a CSV file: where nothing in it is quoted a batch at once and by column, else one at a time.

Most files that a data team exports hold plain values. Lines without a quotation mark are cut at their delimiters, all
in one go, and never become rows: that is faster than reading row by row, and leaves nothing behind that Python's
garbage collector would have to walk. A batch with anything unusual in it goes through the standard library's reader,
which says the same of plain lines.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from typing import IO, BinaryIO, cast

from airflow_provider_esp.delivery.chunks import in_chunks
from airflow_provider_esp.delivery.errors import ColumnError, SourceError
from airflow_provider_esp.delivery.layout import AUTO, HEAD, Layout, layout_of
from airflow_provider_esp.delivery.rows import BadRow, Table, TextBlock


def read_csv(stream: IO[bytes], origin: str, delimiter: str = AUTO, encoding: str = AUTO) -> Table:
    """Read delimited values with a header line.

    :param delimiter: between two cells, or ``auto`` to tell it by the header and the first lines.
    :param encoding: a codec's name, or ``auto`` for UTF-8, or UTF-16 and UTF-32 where the first bytes show them.
    :raises SourceError: not in that encoding, or not CSV; the message names the line.
    :raises ColumnError: the header is missing or names a column twice.
    """
    ahead = in_chunks(stream)
    head = ahead.peek(HEAD)
    layout = layout_of(head, origin, delimiter=delimiter, encoding=encoding, whole=len(head) < HEAD)
    rows = CsvRows(cast(BinaryIO, ahead), origin, layout)
    return Table(rows.columns, rows, origin)


class CsvRows(Iterator[Sequence[str]]):
    """The rows of a CSV file below its header.

    :param stream: binary, from `in_chunks`.
    :param origin: what messages call it.
    :param layout: its encoding and delimiter.
    :ivar columns: the header.
    """

    def __init__(self, stream: BinaryIO, origin: str, layout: Layout) -> None:
        self._text = io.TextIOWrapper(stream, layout.encoding, newline="")
        self._origin = origin
        self._encoding = layout.encoding
        self._delimiter = layout.delimiter
        self._ahead: deque[str] = deque()
        self._failure: UnicodeDecodeError | None = None
        for _ in range(layout.preamble):
            self._text.readline()
        self._past = layout.preamble
        self._reader = csv.reader(self._lines(), delimiter=layout.delimiter, strict=True)
        self.columns = self._header()
        self._rows = self._parsed() if self.columns else iter(())

    def __next__(self) -> Sequence[str]:
        """Give the next row; a `BadRow` for one that cannot be read.

        :raises SourceError: the file is not UTF-8 from here on.
        """
        return next(self._rows)

    def block(self, most: int) -> TextBlock | None:
        """Give the next rows by column.

        :param most: how many at the most.
        :returns: None where they have to be read one by one, or where there are none.
        """
        width = len(self.columns)
        if self._ahead or width < 2:  # a blank line is no row, and with one column looks like one
            return None
        try:
            self._ahead.extend(islice(self._text, most))
        except UnicodeDecodeError as error:
            self._failure = error
            return None
        columns = self._cut(width)
        if columns is None:
            return None
        self._past += len(self._ahead)
        self._ahead.clear()
        return TextBlock(columns)

    def _cut(self, width: int) -> list[list[str]] | None:
        """Cut the lines that were read ahead into columns, if they are all plain."""
        lines = self._ahead
        if not lines or max(map(len, lines)) > csv.field_size_limit():
            return None
        text = "".join(lines)
        end = "\r\n" if text.endswith("\r\n") else "\n"
        if not text.endswith(end):
            text += end
        plain = (
            '"' not in text
            and text.count("\n") == text.count(end) == len(lines)
            and text.count("\r") == (len(lines) if end == "\r\n" else 0)
            and set(map(str.count, lines, repeat(self._delimiter))) == {width - 1}
        )
        if not plain:
            return None
        cells = text[: -len(end)].replace(end, self._delimiter).split(self._delimiter)
        return [cells[at::width] for at in range(width)]

    def _lines(self) -> Iterator[str]:
        """Give the lines that were read ahead, then the file's."""
        while True:
            while self._ahead:
                yield self._ahead.popleft()
            if self._failure is not None:
                raise self._failure
            line = next(self._text, None)
            if line is None:
                return
            yield line

    @property
    def _line(self) -> int:
        """How many lines are behind."""
        return self._past + self._reader.line_num

    def _header(self) -> tuple[str, ...]:
        try:
            columns = tuple(name.strip() for name in next((line for line in self._reader if line), ()))
        except csv.Error as error:
            raise SourceError(f"{self._origin}: line {self._line} is not CSV: {error}.") from None
        except UnicodeDecodeError as error:
            raise self._undecodable(error) from None
        twice = sorted(name for name, times in Counter(columns).items() if times > 1)
        if twice:
            named = ", ".join(map(repr, twice))
            raise ColumnError(f"{self._origin}: the header names {named} twice; rename one of them.")
        return columns

    def _parsed(self) -> Iterator[Sequence[str]]:
        width = len(self.columns)
        while True:
            last = self._line
            try:
                for row in self._reader:
                    if len(row) == width:
                        yield row
                    elif row:
                        yield BadRow(f"line {self._line} has {len(row)} cells and the header has {width}")
                    last = self._line
                return
            except csv.Error as error:
                # The reader goes on after what it cannot take; so do we. A quote that is not closed takes lines with
                # it: they are named as well.
                first, last = last + 1, self._line
                which = f"line {last} is" if first == last else f"lines {first} to {last} are"
                yield BadRow(f"{which} not CSV: {error}")
            except UnicodeDecodeError as error:
                raise self._undecodable(error) from None

    def _undecodable(self, error: UnicodeDecodeError) -> SourceError:
        """Name the line, of which the error knows how far behind the lines already read it is."""
        before = error.object[: error.start].decode(self._encoding, "replace")
        line = self._line + 1 + before.count("\n")
        if self._encoding != "utf-8-sig":
            return SourceError(
                f"{self._origin}: line {line} is not {self._encoding}; say in encoding= what the file is in, or save "
                "it as UTF-8."
            )
        return SourceError(
            f"{self._origin}: line {line} is not UTF-8; save the file as UTF-8, or say what it is in, e.g. "
            "FileSource(path, encoding='cp1251')."
        )
