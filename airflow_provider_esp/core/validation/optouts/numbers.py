"""The phone numbers that a text can mean: with country code, by the author's country, or by their last digits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from airflow_provider_esp.core.validation.addresses import PhoneRules, whole_number
from airflow_provider_esp.core.validation.mapper import same_key
from airflow_provider_esp.core.validation.optouts.text import ascii_digits
from airflow_provider_esp.exceptions import InvalidValue

FEWEST_DIGITS: Final = 7
MOST_DIGITS: Final = 15
_MOST_TOGETHER: Final = 150
_FEWEST_BEFORE_DOT: Final = 9
_FEWEST_AMONG_WORDS: Final = 9

_ALONE: Final = PhoneRules()
_PIECES: Final = re.compile(r"[;|\n\r\t<>\"]+")
_AROUND: Final = " '`=[]{}*_-.:"
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}(?:,\d{3}){2,}(?:\.0+)?").fullmatch
_NUMBER: Final = re.compile(r"(?<![\w.,])\+?(?:\d+(?:[.,]\d*)?[eE]\+?\d{1,3}|\d{7,}(?:\.\d+|,\d{1,2}))(?![\w]|[.,]\d)")
"""What a number looks like that was kept as one: with decimals or with an exponent."""
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?:0?[1-9]|1[0-2])"
_DATES: Final = re.compile(
    rf"(?<![\d./-])(?:(?:19|20)\d\d(?P<a>[-./]){_MONTH}(?P=a){_DAY}|{_DAY}(?P<b>[-./]){_DAY}(?P=b)(?:19|20)\d\d)"
    r"(?:[T ]+\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?)?(?![\d/-])"
)
_COMPACT_DATE: Final = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])").fullmatch
_NETWORK: Final = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)").fullmatch
_HASH: Final = re.compile(r"(?<![0-9A-Za-z])(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{32,128}(?![0-9A-Za-z])")
"""A digest, as lists of addresses are exchanged in that nobody is to read: the digits in it are no number."""
_RUN: Final = re.compile(r"\+?[\s.]*\(?\+?\d(?:[\d\s().\-/]*\d)?")
_TRUNK: Final = re.compile(r"\(\s*0\s*\)")
_BREAKS: Final = re.compile(r"[\s/]+")
_LABELS: Final = re.compile(
    r"\b(?:tel|telephone|phone|mobile|mob|cell|sms|call|callto|whatsapp|viber|signal|number|nr|no|tlf|fon|"
    r"\u0442\u0435\u043b|\u043c\u043e\u0431|\u0442\u0435\u043b\u0435\u0444\u043e\u043d|\u043d\u043e\u043c\u0435\u0440)\b",
    re.IGNORECASE,
)
_ABROAD: Final = ("011", "0011", "810", "8~10", "009")
"""What is dialled before a country code, besides 00."""


@dataclass(slots=True)
class Numbers:
    """What was found in a text.

    :ivar exact: numbers in digits, with country code and without plus.
    :ivar endings: digits of national numbers of which the country is not known.
    :ivar lost: whether something in it was a number, and cannot be told.
    """

    exact: set[str] = field(default_factory=set)
    endings: set[str] = field(default_factory=set)
    lost: bool = False


def numbers_in(text: str, rules: PhoneRules, *, beside: bool = False, certain_only: bool = False) -> Numbers:
    """Find the numbers that a text can mean.

    :param text: cleaned, and without e-mail addresses.
    :param rules: how numbers are read; what they refuse is known by its last digits.
    :param beside: whether an address stands in the same entry: then digits among words are no national number.
    :param certain_only: whether only numbers with their country count.
    """
    found = Numbers()

    def whole(match: re.Match[str]) -> str:
        try:
            digits = whole_number(match.group().replace(",", "."))
        except InvalidValue:
            digits = None
        found.lost |= digits is None
        return digits or " ; "

    plain = _DATES.sub(" ", ascii_digits(text))
    if len(plain) >= 32:
        plain, hashes = _HASH.subn(" ; ", plain)
        found.lost = hashes > 0
    plain = _NUMBER.sub(whole, plain)
    for piece in _PIECES.split(plain):
        _read_piece(piece, rules, found, beside=beside, certain_only=certain_only)
    return found


def is_digest(text: str) -> bool:
    """Check whether a text is nothing but a digest, as lists are exchanged in that nobody is to read."""
    return _HASH.fullmatch(text) is not None


def endings_of(digits: str) -> set[str]:
    """Return what the digits of a national number can be the end of: they without a trunk digit; none if too few.

    :param digits: in ASCII.
    """
    plain = digits.lstrip("0")
    shorter = plain[1:].lstrip("0") if len(plain) == 11 and plain[0] == "8" else ""
    return {one for one in (plain, shorter) if FEWEST_DIGITS <= len(one) <= MOST_DIGITS}


def whole_id(value: str) -> str | None:
    """Return the digits of an id that was once kept as a float (``1001.0``); None where it is none."""
    try:
        return whole_number(value)
    except InvalidValue:
        return None


def _read_piece(piece: str, rules: PhoneRules, found: Numbers, *, beside: bool, certain_only: bool) -> None:
    piece = piece.strip(_AROUND)
    if not any(map(str.isdigit, piece)):
        return
    if _THOUSANDS(piece):
        piece = piece.split(".")[0].replace(",", "")
    if "," in piece:
        for part in piece.split(","):
            _read_piece(part, rules, found, beside=beside, certain_only=certain_only)
        return
    words = any(map(str.isalpha, _LABELS.sub("", piece)))
    uncertain = beside and (words or _COMPACT_DATE(piece) is not None or _NETWORK(piece) is not None)
    for run in _RUN.findall(piece):
        # Digits of a whole national number are one among words as well: nothing else is as long as that.
        short = len(_digits(run)) < _FEWEST_AMONG_WORDS or not words
        _read_run(run, rules, found, certain_only=certain_only or (uncertain and short))


def _read_run(run: str, rules: PhoneRules, found: Numbers, *, certain_only: bool) -> None:
    """Read digits with what is written between them."""
    head, dot, tail = run.rpartition(".")
    if dot and "." not in head and len(tail) <= 2 and len(_digits(head)) >= _FEWEST_BEFORE_DOT:
        # Behind so many digits, in groups, a dot is a decimal point: no number's last group has one digit or two.
        found.lost |= tail.strip("0") != ""
        run = head if not tail.strip("0") else ""
    digits = _digits(run)
    if len(digits) < FEWEST_DIGITS:
        return
    parts = _BREAKS.split(run.strip())
    sizes = [len(_digits(part)) for part in parts]
    several: list[str] = []
    if len(parts) > 1 and min(sizes) >= FEWEST_DIGITS:
        several = parts
    elif len(digits) > MOST_DIGITS:
        several = _alike(parts, sizes)
    if len(digits.lstrip("0")) <= MOST_DIGITS:
        several = [run, *several]
    if not several:
        found.lost = True
    for one in several:
        exact, endings = _number(one.strip(), rules)
        found.exact |= exact
        if not certain_only:
            found.endings |= endings


def _alike(parts: list[str], sizes: list[int]) -> list[str]:
    """Divide a run into numbers that have the same number of digits; none where that cannot be done."""
    total = sum(sizes)
    if total > _MOST_TOGETHER:
        return []
    for count in range(2, total // FEWEST_DIGITS + 1):
        size, rest = divmod(total, count)
        if rest or size > MOST_DIGITS:
            continue
        groups, digits = [""], 0
        for part, own in zip(parts, sizes, strict=True):
            if digits == size:
                groups, digits = [*groups, ""], 0
            groups[-1] += part
            digits += own
            if digits > size:
                break
        else:
            return groups
    return []


@lru_cache(maxsize=1024)
def _number(spelled: str, rules: PhoneRules) -> tuple[frozenset[str], frozenset[str]]:
    """Return the numbers that one may be, with country code, or else what it may be the end of."""
    exact: set[str] = set()
    digits = _digits(spelled)
    plus = spelled.lstrip(" (.").startswith("+")
    without_trunk = _TRUNK.sub("", spelled)
    if plus or digits.startswith("00"):
        exact = _read({f"+{_digits(one).lstrip('0')}" for one in (spelled, without_trunk)}, _ALONE)
    else:
        if rules.default_country is not None:
            exact = _read({digits, _digits(without_trunk)}, rules)
        exact |= _read({digits, _digits(without_trunk)}, _ALONE)
        abroad = next((one for one in _ABROAD if digits.startswith(one)), None)
        if abroad is not None and len(digits) > len(abroad) + FEWEST_DIGITS:
            exact |= _read({f"+{digits[len(abroad) :]}"}, _ALONE)
    if exact:
        return frozenset(exact), frozenset()
    if plus and rules.default_country is not None:
        exact = _read({digits, digits.lstrip("0")}, rules)
    return frozenset(exact), frozenset() if exact else frozenset(endings_of(digits))


def _read(spellings: set[str], rules: PhoneRules) -> set[str]:
    exact = set()
    for one in spellings:
        try:
            exact.add(same_key(rules.normalize(one)))
        except InvalidValue:
            continue
    return exact


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))
