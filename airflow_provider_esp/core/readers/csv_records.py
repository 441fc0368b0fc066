"""Lines of delimited text, and records that may span several of them: what the CSV reader is made of.

A record is put together line by line, because whether a quotation mark is closed is only known further down. Lines that
were read for a record which is none are put back, and read again one by one.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

_CLOSED: Final = re.compile(r'[^"]*+(?:""[^"]*+)*+"')
"""The rest of a quoted cell, up to the quotation mark that closes it: two in a row stand for one."""

_AT_ONCE: Final = 200

END_OF_FILE: Final = "\x1a"
"""A line of it alone (Ctrl-Z) is how old programs end a text file; it is no row."""

_EMAIL: Final = re.compile(r"[^\s@]@[^\s@]")
_DATES: Final = re.compile(
    r"\b(?:\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{2,4})(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?![\d-])"
)
_PHONE: Final = re.compile(r"(?<![\w.,])\+?\(?\d(?:[ \u00a0().-]{0,2}\d){8,14}(?!\w)")


def has_address(text: str) -> bool:
    """Check whether an e-mail address, or what looks like a phone number of 9 to 15 digits, stands in a text."""
    return bool(_EMAIL.search(text) or _PHONE.search(_DATES.sub(";", text)))


class Lines:
    """The lines of a text, of which some can be put back.

    :param text: hands out lines with their ends.
    :ivar past: how many lines were handed out and not put back.
    """

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._ahead: deque[str] = deque()
        self._failure: UnicodeDecodeError | None = None
        self._remembered: list[str] | None = None
        self.past = 0

    def take(self, most: int) -> list[str]:
        """Return the next lines; fewer at the end, and where the text cannot be decoded any further."""
        ahead = self._ahead
        self._read(most)
        if len(ahead) <= most:
            lines = list(ahead)
            ahead.clear()
        else:
            lines = [ahead.popleft() for _ in range(most)]
        self.past += len(lines)
        return lines

    def next(self) -> str | None:
        """Return the next line, None at the end.

        :raises UnicodeDecodeError: the text cannot be decoded any further.
        """
        if not self._ahead:
            self._read(_AT_ONCE)
        if self._ahead:
            self.past += 1
            line = self._ahead.popleft()
            if self._remembered is not None:
                self._remembered.append(line)
            return line
        if self._failure is not None:
            raise self._failure
        return None

    def put_back(self, lines: list[str]) -> None:
        """Put lines back that were handed out last."""
        self._ahead.extendleft(reversed(lines))
        self.past -= len(lines)
        if self._remembered and lines:
            del self._remembered[-len(lines) :]

    def remember(self) -> None:
        """Remember where this is, for `go_back`; only what `next` hands out may be read until then."""
        self._remembered = []

    def go_back(self) -> None:
        """Go back to where `remember` was called."""
        lines, self._remembered = self._remembered or [], None
        self.put_back(lines)

    def _read(self, most: int) -> None:
        """Read ahead, until so many lines are there."""
        if len(self._ahead) < most and self._failure is None:
            try:
                self._ahead.extend(islice(self._text, most - len(self._ahead)))
            except UnicodeDecodeError as error:
                self._failure = error

    @property
    def failed(self) -> bool:
        """Whether the text cannot be decoded beyond the lines that are ahead."""
        return self._failure is not None


class Record:
    """One record, which is given line by line.

    Quotation marks mean what they mean to Python's ``csv`` in its strict mode: they quote where a cell begins with one,
    and nothing may stand between the closing one and the next delimiter.

    :param delimiter: between two cells.
    :ivar cells: those that are complete.
    :ivar problem: what is wrong with it, if it is no CSV.
    :ivar ends_quoted: whether a quotation mark is the last of it.
    """

    __slots__ = ("_delimiter", "_quoted", "cells", "ends_quoted", "problem")

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._quoted: list[str] | None = None
        self.cells: list[str] = []
        self.problem = ""
        self.ends_quoted = False

    def add(self, line: str) -> bool:
        """Take in a line.

        :returns: whether the record has ended with it; else a quotation mark is open.
        """
        body = line.rstrip("\r\n")
        at = 0
        if self._quoted is not None:
            closed = _CLOSED.match(body)
            if closed is None:
                self._quoted.append(line)
                return False
            self._quoted.append(body[: closed.end() - 1])
            self.cells.append("".join(self._quoted).replace('""', '"'))
            self._quoted = None
            at = closed.end()
            if self._ends(body, at):
                return True
            at += 1
        while True:
            if body.startswith('"', at):
                closed = _CLOSED.match(body, at + 1)
                if closed is None:
                    self._quoted = [line[at + 1 :]]
                    return False
                self.cells.append(body[at + 1 : closed.end() - 1].replace('""', '"'))
                at = closed.end()
                if self._ends(body, at):
                    return True
                at += 1
            else:
                stop = body.find(self._delimiter, at)
                if stop < 0:
                    self.cells.append(body[at:])
                    return True
                self.cells.append(body[at:stop])
                at = stop + 1

    def _ends(self, body: str, at: int) -> bool:
        """Check whether the record ends behind a closing quotation mark; nothing but a delimiter may go on."""
        if at == len(body):
            self.ends_quoted = True
            return True
        if body[at] != self._delimiter:
            self.problem = f"{self._delimiter!r} expected after '\"'"
            return True
        return False
