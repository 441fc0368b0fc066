"""Sets of row numbers that are written down as ranges: ``1-3,7``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class RowRanges:
    """A set of row numbers, small where they follow each other.

    :param text: what ``str()`` of another one returned.
    :raises ValueError: the text is no list of ranges.
    """

    def __init__(self, text: str = "") -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for part in filter(None, text.split(",")):
            first, _, last = part.partition("-")
            self._firsts.append(int(first))
            self._lasts.append(int(last or first))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> RowRanges:
        """Return the set of some numbers."""
        ranges = cls()
        for number in numbers:
            ranges.add(number)
        return ranges

    def add(self, number: int) -> None:
        """Take a number in."""
        at = bisect_right(self._firsts, number)
        if at and number <= self._lasts[at - 1]:
            return
        joins_left = at > 0 and self._lasts[at - 1] == number - 1
        joins_right = at < len(self._firsts) and self._firsts[at] == number + 1
        if joins_left and joins_right:
            self._lasts[at - 1] = self._lasts.pop(at)
            del self._firsts[at]
        elif joins_left:
            self._lasts[at - 1] = number
        elif joins_right:
            self._firsts[at] = number
        else:
            self._firsts.insert(at, number)
            self._lasts.insert(at, number)

    def discard(self, number: int) -> None:
        """Remove a number, if it is there."""
        if number not in self:
            return
        at = bisect_right(self._firsts, number) - 1
        first, last = self._firsts[at], self._lasts[at]
        rest = [(start, end) for start, end in ((first, number - 1), (number + 1, last)) if start <= end]
        self._firsts[at : at + 1] = [start for start, _ in rest]
        self._lasts[at : at + 1] = [end for _, end in rest]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number)
        return at > 0 and number <= self._lasts[at - 1]

    def __iter__(self) -> Iterator[int]:
        for first, last in zip(self._firsts, self._lasts, strict=True):
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def __str__(self) -> str:
        pairs = zip(self._firsts, self._lasts, strict=True)
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)
