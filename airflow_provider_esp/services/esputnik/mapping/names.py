"""What eSputnik asks of a first and a last name, in the words of its guide to imports.

At most 40 characters and 3 digits, letters of any alphabet, an apostrophe or a hyphen only inside of a word, a dot only
at the end of a word of at most 3 characters. A first name has at most three longer and three such short words. A name
that breaks a rule is not saved.
"""

from __future__ import annotations

import unicodedata

_APOSTROPHES = (
    "'\u2019\u02bc`\u00b4\u02b9\u02bb\u02bd\u02be\u02bf\u02c8\u02ca\u02ee\u0374\u0384\u055a\u1fbd\u1fbf"
    "\u2018\u201b\u2032\u2035\ua78b\ua78c\uff07"
)
_MOST_CHARACTERS = 40
_MOST_DIGITS = 3
_SHORT_WORD = 3
_MOST_WORDS = 3

ORDINARY = rf"(?!.{{41}})[^\W\d_]++(?:[ {_APOSTROPHES}-][^\W\d_]++){{0,2}}|"
"""Matches what certainly is taken: up to three words, or parts of words, of letters alone; or nothing at all."""


def first_name_problem(name: str) -> str | None:
    """Return what is wrong with a first name; None where it is taken."""
    problem = _problem(name)
    words = name.split()
    short = sum(len(word.rstrip(".")) <= _SHORT_WORD for word in words)
    if problem is None and (short > _MOST_WORDS or len(words) - short > _MOST_WORDS):
        problem = "has over 3 words of up to 3 letters, or over 3 longer ones"
    return problem and f"the first name {problem}"


def last_name_problem(name: str) -> str | None:
    """Return what is wrong with a last name; None where it is taken."""
    problem = _problem(name)
    return problem and f"the last name {problem}"


def _problem(name: str) -> str | None:
    if len(name) > _MOST_CHARACTERS:
        return "is longer than 40 characters"
    if sum(map(str.isdecimal, name)) > _MOST_DIGITS:
        return "has over 3 digits"
    for at, character in enumerate(name):
        if not _fits(name, at, character):
            spelled = unicodedata.name(character, "").lower()
            return f"holds U+{ord(character):04X}{f' ({spelled})' if spelled else ''} at {at + 1}"
    return None if any(_in_word(one) and not one.isdecimal() for one in name) else "has no letter"


def _fits(name: str, at: int, character: str) -> bool:
    """Check whether a character may stand where it does."""
    if character == " " or _in_word(character):
        return True
    within = 0 < at < len(name) - 1 and _in_word(name[at - 1]) and _in_word(name[at + 1])
    if character == "-" or character in _APOSTROPHES:
        return within
    word = name[:at].rpartition(" ")[2]
    return character == "." and 1 <= len(word) <= _SHORT_WORD and name[at + 1 : at + 2] in ("", " ")


def _in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"
