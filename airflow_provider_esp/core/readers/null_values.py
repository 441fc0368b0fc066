"""Words that mean nothing: what databases and spreadsheets write where there is no value, and nobody is called.

They are read as blank. Words of that kind that may be somebody's name or a real value, or that the author has not
named, stay what they are and are counted in one warning.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any

from airflow_provider_esp.core.readers.null_words import NULL_VALUES, SUSPECTS
from airflow_provider_esp.core.readers.table import Table, is_looking_ahead

log = logging.getLogger(__name__)


class NullValues:
    """Takes the words that mean nothing out of the rows of one source, and counts those that look like some.

    :param words: read as blank, also with spaces around them.
    :param origin: what messages call the source.
    """

    def __init__(self, words: Iterable[str] = NULL_VALUES, origin: str = "the rows") -> None:
        self._words = frozenset(words)
        self._watched = self._words | SUSPECTS
        self._origin = origin
        self._used: tuple[int, ...] | None = None
        self.counts: Counter[str] = Counter()

    def use(self, positions: Iterable[int]) -> None:
        """Take note of which columns matter; before, all do."""
        self._used = tuple(sorted(set(positions)))

    def in_columns(self, columns: list[Sequence[str]], *, padded: bool) -> list[Sequence[str]]:
        """Take the words out of columns of text.

        :param padded: whether spaces may stand around some cell.
        """
        for at in range(len(columns)) if self._used is None else self._used:
            column = columns[at]
            is_padded = padded and " " in "".join(column)
            plain = list(map(str.strip, column, repeat(" "))) if is_padded else column
            if not self._watched.isdisjoint(plain):
                pairs = zip(plain, column, strict=True)
                columns[at] = ["" if self._is_null(word) else cell for word, cell in pairs]
        return columns

    def in_row(self, row: Sequence[Any]) -> Sequence[Any]:
        """Take the words out of one row, whatever else is in it."""
        for at in range(len(row)) if self._used is None else self._used:
            cell = row[at]
            if type(cell) is str and cell.strip(" ") in self._watched:
                break
        else:
            return row
        used = range(len(row)) if self._used is None else self._used
        return tuple(
            "" if type(cell) is str and at in used and self._is_null(cell.strip(" ")) else cell
            for at, cell in enumerate(row)
        )

    def applied_to(self, table: Table) -> Table:
        """Return a table of the same rows, read one by one, without these words."""
        return Table(table.columns, ReadRows(table.rows, self), table.origin)

    def warn(self) -> None:
        """Log how many words were left that may mean nothing: once for a source, when its rows have been read."""
        if not self.counts or is_looking_ahead():
            return
        found = ", ".join(f"{times:,} x {word!r}" for word, times in sorted(self.counts.items()))
        names = ", ".join(repr(word) for word in sorted(self.counts))
        log.warning(
            "%s: %s stand in it as text and are taken as values. If they mean that there is no value, say so: "
            "null_values=[*NULL_VALUES, %s].",
            self._origin,
            found,
            names,
        )

    def _is_null(self, word: str) -> bool:
        if word in self._words:
            return True
        if word in self._watched:
            self.counts[word] += 1
        return False


@contextmanager
def reading(words: Iterable[str], origin: str) -> Iterator[NullValues]:
    """Lend what takes these words out while a source is read, and log in the end what is left.

    :param words: read as blank.
    :param origin: what messages call the source.
    """
    nulls = NullValues(words, origin)
    try:
        yield nulls
    finally:
        nulls.warn()


class ReadRows(Iterator[Sequence[Any]]):
    """Rows that are read one by one, without the words that mean nothing.

    :param rows: as their format has them.
    :param nulls: takes the words out.
    """

    def __init__(self, rows: Iterator[Sequence[Any]], nulls: NullValues) -> None:
        self._rows = rows
        self._nulls = nulls

    def __next__(self) -> Sequence[Any]:
        row = next(self._rows)
        return self._nulls.in_row(row) if row else row  # those that could not be read are empty

    def block(self, most: int) -> None:
        """Return None: these rows are read one by one."""

    def is_empty(self) -> bool:
        """Check whether there is no row, and leave the first where it is."""
        first = next(self._rows, None)
        if first is not None:
            self._rows = chain([first], self._rows)
        return first is None

    def use(self, positions: Iterable[int]) -> None:
        """Take note of which columns somebody uses: words in others are left as they are."""
        self._nulls.use(positions)
