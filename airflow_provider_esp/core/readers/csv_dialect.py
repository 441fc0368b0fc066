"""How a delimited file is laid out: its encoding, and what stands between two cells, told from its first bytes.

Nothing is guessed: where the beginning of a file fits two delimiters, or none of the usual ones, the author is asked.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import Final, NamedTuple

from airflow_provider_esp.exceptions import SourceError

AUTO: Final = "auto"
HEAD: Final = 64 * 1024
"""Bytes at the beginning of a file that are looked at."""

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
"""The delimiters that are recognised, with their names."""

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEP_LINE: Final = re.compile(r'\ufeff?"?sep=([^"\r\n])"?[ \t,;]*(\r\n|\n|\r|\Z)', re.IGNORECASE)
_QUOTED: Final = re.compile(r'(?<![^,;\t|])"(?:[^"]|"")*"')
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_LINES_COMPARED: Final = 200
_OTHERS: Final = re.compile(r"[\^~¦§¬\x01-\x08\x0e-\x1f]|(?<!mailto):", re.IGNORECASE)
"""What now and then stands between cells, and in no name of a column; nor in an address, which a first line may be."""


class Layout(NamedTuple):
    """How the text of a file is laid out.

    :param encoding: a codec's name; it takes a byte order mark away.
    :param delimiter: between two cells.
    :param preamble: lines above the header: 1 where the file begins with Excel's ``sep=;``, else 0.
    """

    encoding: str
    delimiter: str
    preamble: int


def layout_of(head: bytes, origin: str, *, delimiter: str = AUTO, encoding: str = AUTO, whole: bool = False) -> Layout:
    """Return how a delimited file is laid out.

    :param head: the first bytes of the file, `HEAD` of them if it has so many.
    :param origin: what messages call the file.
    :param delimiter: what the author says, or ``auto``.
    :param encoding: what the author says, or ``auto``.
    :param whole: whether the file ends with `head`.
    :raises SourceError: the beginning does not tell the delimiter; the message says what was seen.
    """
    codec = encoding_of(head, encoding)
    text = codecs.getincrementaldecoder(codec)("replace").decode(head, final=whole)
    told = _SEP_LINE.match(text)
    if told is None:
        return Layout(codec, delimiter_of(text, origin, whole=whole) if delimiter == AUTO else delimiter, 0)
    return Layout(codec, told[1] if delimiter == AUTO else delimiter, 1)


def encoding_of(head: bytes, encoding: str = AUTO) -> str:
    """Tell the encoding of a text: UTF-8, UTF-16 or UTF-32, unless the author names another.

    :param head: the first bytes.
    :param encoding: what the author says, or ``auto``.
    :returns: the name of a codec that takes a byte order mark away.
    """
    marked = next((codec for mark, codec in _MARKS if head.startswith(mark)), None)
    if encoding != AUTO:
        plain = codecs.lookup(encoding).name
        if plain == "utf-8":
            return "utf-8-sig"
        # "utf-16-le" by name and a mark at the beginning: the mark is no part of the first column's name.
        return marked if marked and plain.startswith(marked.removesuffix("-sig")) else plain
    return marked or _without_mark(head)


def _without_mark(head: bytes) -> str:
    """Tell UTF-16 by the zeros in it: every delimiter and each letter of an address has one, always on one side."""
    units = len(head) // 2
    even, odd = head[0 : 2 * units : 2].count(0), head[1 : 2 * units : 2].count(0)
    if units and max(even, odd) * 10 >= units and min(even, odd) == 0:
        return "utf-16-be" if even else "utf-16-le"
    return "utf-8-sig"


def delimiter_of(text: str, origin: str, *, whole: bool = False) -> str:
    """Return what stands between two cells, by the header and the first lines.

    :param text: the beginning of the file.
    :param origin: what messages call the file.
    :param whole: whether the file ends with it; else its last line may be cut.
    :returns: a comma, semicolon, tab or pipe; a comma where there is one column.
    :raises SourceError: none of them divides the header and something else seems to, or two fit equally well.
    """
    lines = _LINE_END.split(text.removeprefix("\ufeff"))
    if not whole and len(lines) > 1:
        lines.pop()
    bare = [_QUOTED.sub("", line) for line in lines if line.strip()][: _LINES_COMPARED + 1]
    if not bare:
        return ","
    header, rest = bare[0], bare[1:]
    seen = {one: header.count(one) for one in DELIMITERS if one in header}
    if not seen:
        _refuse_unusual(header, rest, origin)
        return ","
    if len(seen) == 1 or not rest:
        return max(seen, key=lambda one: seen[one])
    alike = {one: sum(line.count(one) == times for line in rest) for one, times in seen.items()}
    best, second = sorted(alike.values(), reverse=True)[:2]
    if best == second or best * 2 < len(rest):
        what = "; ".join(
            f"a {DELIMITERS[one]} stands {_times(times)} in the header and as often in {alike[one]} of the next "
            f"{len(rest)} lines"
            for one, times in seen.items()
        )
        raise SourceError(
            f"{origin}: what divides its cells cannot be told: {what}. Say which it is, e.g. FileSource(path, "
            "delimiter=';')."
        )
    return max(alike, key=lambda one: alike[one])


def _refuse_unusual(header: str, rest: list[str], origin: str) -> None:
    """Refuse a header that something unusual seems to divide, because the lines have as many of it.

    :raises SourceError: so it is.
    """
    for one, times in Counter(_OTHERS.findall(header)).items():
        if rest and all(line.count(one) == times for line in rest):
            raise SourceError(
                f"{origin}: no comma, semicolon, tab or pipe divides its header, but {one!r} stands {_times(times)} in "
                f"it and in each of the next {len(rest)} lines. If that divides the cells, say FileSource(path, "
                f"delimiter={one!r}); if the file has one column, delimiter=','."
            )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
