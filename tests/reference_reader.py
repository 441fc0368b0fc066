"""What a delimited file says, read slowly and plainly: the oracle that the product's reader is held against.

It says what docs/files.md says, a character at a time, with the whole file in memory. Where the two readers differ, one
of them or the page is wrong.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from airflow_provider_esp.core.readers.csv_records import has_address
from airflow_provider_esp.core.readers.null_words import NULL_VALUES

MARKS = [
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
]


class RefusedError(Exception):
    """The file cannot be read: the task stops before anything is sent."""


@dataclass(frozen=True)
class Bad:
    """A row that cannot be read, and the lines that it takes."""

    first: int
    last: int


@dataclass(frozen=True)
class Whole:
    """A file: the names of its columns, and its rows in order, of which the first is row 1."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...] | Bad]


def read(  # noqa: PLR0912  # one rule after the other
    content: bytes,
    *,
    delimiter: str = "auto",
    allow_line_breaks: bool = False,
    used: Collection[str] | None = None,
    null_values: Collection[str] = NULL_VALUES,
) -> Whole:
    """Read a file.

    :param used: the columns that somebody uses; None for all of them.
    :raises RefusedError: it cannot be read.
    """
    lines = physical_lines(decoded(content))
    at = 0
    if lines and (told := sep_line(lines[0])):
        at = 1
        delimiter = told if delimiter == "auto" else delimiter
    elif delimiter == "auto":
        delimiter = recognised(lines)
    columns: tuple[str, ...] = ()
    while at < len(lines) and not columns:
        cells, end, problem = record_at(lines, at, delimiter)
        if problem or any("\n" in name or "\r" in name for name in cells if has_address(name) or delimiter in name):
            raise RefusedError(f"the header, line {at + 1}")
        at = end + 1
        columns = tuple(name.strip() for name in cells)
        while columns and not columns[-1]:
            columns = columns[:-1]
    if any(map(has_address, columns)):
        raise RefusedError("somebody's row in the place of the header")
    if len(set(columns)) < len(columns) or "" in columns:
        raise RefusedError("a column without a name, or two with one")
    matters = set(range(len(columns))) if used is None else {n for n, name in enumerate(columns) if name in used}
    rows: list[tuple[str, ...] | Bad] = []
    while columns and at < len(lines):
        cells, end, problem = record_at(lines, at, delimiter, len(columns))
        if end > at and (
            problem or not accepted(lines, at, end, cells, columns, matters, allow_line_breaks, delimiter)
        ):
            problem, end = "taken apart", at
        if not problem and (not any(cell.strip() for cell in cells) or lines[at].strip() == "\x1a"):
            at = end + 1
            continue
        bad = bool(problem) or not fits(cells, len(columns))
        last = end
        if allow_line_breaks and bad and '"' in lines[at]:  # what is left of the value belongs to it
            last = tail(lines, end, delimiter, len(columns))
        elif allow_line_breaks and not bad and ends_quoted(lines, at, end, delimiter):
            last = tail(lines, end, delimiter, len(columns))
            bad = last > end and lines[last].count('"') % 2 == 1
            last = last if bad else end
        if bad:
            rows.append(Bad((at if problem or last > end else end) + 1, last + 1))
        else:
            rows.append(tuple(blanked(cells[n], n in matters, null_values) for n in range(len(columns))))
        at = last + 1
    return Whole(columns, rows)


def decoded(content: bytes) -> str:
    """Take the byte order mark away; without one it is UTF-16 where many bytes are zero, all on one side."""
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return strictly(content.removeprefix(mark), encoding)
    head = content[: 64 * 1024]
    pairs = len(head) // 2
    even = sum(head[2 * n] == 0 for n in range(pairs))
    odd = sum(head[2 * n + 1] == 0 for n in range(pairs))
    if pairs and even * 10 >= pairs and odd == 0:
        return strictly(content, "utf-16-be")
    if pairs and odd * 10 >= pairs and even == 0:
        return strictly(content, "utf-16-le")
    return strictly(content, "utf-8")


def strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise RefusedError(encoding) from None


def physical_lines(text: str) -> list[str]:
    """Cut a text into lines, each with its end: a line feed, a carriage return, or both."""
    lines, line = [], ""
    for at, character in enumerate(text):
        line += character
        if character == "\n" or (character == "\r" and text[at + 1 : at + 2] != "\n"):
            lines.append(line)
            line = ""
    return [*lines, line] if line else lines


def sep_line(line: str) -> str:
    """Give what Excel's first line says to stand between cells, if this is one."""
    plain = line.rstrip("\r\n")
    plain = plain.removeprefix('"') if plain[:1] == '"' else plain
    told, rest = plain[4:5], plain[5:]
    is_one = plain[:4].lower() == "sep=" and told not in ("", '"') and not rest.removeprefix('"').strip(" \t,;")
    return told if is_one else ""


def recognised(lines: list[str]) -> str:
    """Tell the delimiter: the one in the header that the next lines have as often as it."""
    counts = [outside_quotes(line) for line in lines if line.strip()][:201]
    if not counts:
        return ","
    header, rest = counts[0], counts[1:]
    seen = [mark for mark in ",;\t|" if header[mark]]
    if len(seen) < 2:
        return seen[0] if seen else ","
    if not rest:
        return max(seen, key=lambda mark: header[mark])
    alike = {mark: sum(line[mark] == header[mark] for line in rest) for mark in seen}
    best = max(seen, key=lambda mark: alike[mark])
    if list(alike.values()).count(alike[best]) > 1 or alike[best] * 2 < len(rest):
        raise RefusedError("two delimiters fit")
    return best


def outside_quotes(line: str) -> dict[str, int]:
    """Count the four delimiters in a line, but for those in quotation marks that are closed in it."""
    counts, at, begins = dict.fromkeys(",;\t|", 0), 0, True
    while at < len(line):
        if begins and line[at] == '"':
            end = at + 1
            while end < len(line) and (line[end] != '"' or line[end + 1 : end + 2] == '"'):
                end += 2 if line[end] == '"' else 1
            if end < len(line):
                at, begins = end + 1, False
                continue
        begins = line[at] in counts
        if begins:
            counts[line[at]] += 1
        at += 1
    return counts


def record_at(  # noqa: PLR0912  # a state machine, written out
    lines: list[str], start: int, delimiter: str, width: int | None = None
) -> tuple[list[str], int, str]:
    """Read the record that begins in a line.

    :returns: its cells, the line that it ends in, and what is wrong with it.
    """
    cells: list[str] = []
    cell, state = "", "begins"
    for number in range(start, len(lines)):
        for character in [*lines[number].rstrip("\r\n"), "end"]:
            if state == "quoted":
                if character == '"':
                    state = "closed"
                elif character != "end":
                    cell += character
                else:
                    cell += lines[number][len(lines[number].rstrip("\r\n")) :]
            elif state == "closed" and character == '"':
                cell, state = cell + '"', "quoted"
            elif character in (delimiter, "end"):
                cells.append(cell)
                cell, state = "", "begins"
                if character == "end":
                    return cells, number, ""
            elif state == "closed":
                return cells, number, "something behind a quotation mark"
            elif state == "begins" and character == '"':
                state = "quoted"
            else:
                cell, state = cell + character, "plain"
        if width is not None and len(cells) > width:
            return cells, number, "more cells than the header before it ends"
    return cells, len(lines) - 1, "a quotation mark is never closed"


def fits(cells: list[str], width: int) -> bool:
    return len(cells) >= width and not any(cell.strip() for cell in cells[width:])


def accepted(
    lines: list[str],
    start: int,
    end: int,
    cells: list[str],
    columns: tuple[str, ...],
    matters: set[int],
    allow: bool,
    delimiter: str,
) -> bool:
    """Tell whether a record of several lines is one, and has not swallowed anybody."""
    broken = {n: cell for n, cell in enumerate(cells) if "\n" in cell or "\r" in cell}
    if not fits(cells, len(columns)):
        return False
    if allow:
        return not any(has_address(cell) and not is_one_address(cell, delimiter) for cell in broken.values())
    rows_within = all(line.count(delimiter) == len(columns) - 1 for line in lines[start + 1 : end + 1])
    return not (matters & set(broken) or any(map(has_address, broken.values())) or rows_within)


def is_one_address(cell: str, delimiter: str) -> bool:
    return len(cell.split()) == 1 and cell.count("@") == 1 and delimiter not in cell


def tail(lines: list[str], end: int, delimiter: str, width: int) -> int:
    """Give the last line of what is left of a value: lines that can be no rows, up to one with the closing mark."""
    while end + 1 < len(lines) and is_fragment(lines, end + 1, delimiter, width):
        end += 1
        if lines[end].count('"') % 2 == 1:
            break
    return end


def ends_quoted(lines: list[str], start: int, end: int, delimiter: str) -> bool:
    """Tell whether the last mark of a record closes a cell: without it, the cell would stay open."""
    last = lines[end].rstrip("\r\n")
    return last.endswith('"') and bool(record_at([*lines[:end], last[:-1]], start, delimiter)[2])


def is_fragment(lines: list[str], at: int, delimiter: str, width: int) -> bool:
    """Tell whether a line can be no row, but what is left of the value above it."""
    cells, _, problem = record_at(lines[: at + 1], at, delimiter)
    if problem == "a quotation mark is never closed" or has_address(lines[at]):
        return False
    return bool(problem) or not fits(cells, width)


def blanked(cell: str, matters: bool, null_values: Collection[str]) -> str:
    return "" if matters and cell.strip(" ") in null_values else cell
