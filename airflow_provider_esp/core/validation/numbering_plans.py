"""The numbering plans of all countries, out of the tables of `phonenumbers`, as regular expressions.

The library answers the same questions, a hundred times slower; tests hold the expressions against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata
    from phonenumbers.phonemetadata import PhoneNumberDesc

Matcher = Callable[[str], object]
"""Gives something true for a text that matches as a whole."""

_TYPES = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "fixed_line",
    "mobile",
)
_MOST_CODE_DIGITS = 3
_OTHER_TRUNK_PREFIXES = {"UA": ("80",)}
"""Ways to begin a national number that people still use, and that the library does not know."""


@dataclass(frozen=True, slots=True)
class Country:
    """What national numbers of a country look like.

    :param region: two letters, e.g. ``UA``.
    :param code: its calling code.
    :param trunk_prefixes: digits before a national number that do not belong to it, such as ``0``.
    :param valid: matches a valid national number, without such digits.
    :param mobile: matches a mobile one.
    :param usual_mobile: digits of most mobile numbers, 0 where it has none.
    :param usual_landline: digits of most landlines.
    """

    region: str
    code: str
    trunk_prefixes: tuple[str, ...]
    valid: Matcher
    mobile: Matcher
    usual_mobile: int
    usual_landline: int

    def readings(self, digits: str) -> set[str]:
        """Return the national numbers that digits without a plus can be; more than one where nothing tells.

        A number that begins with its country's code can be a national one that has lost its first 0 as well. A mobile
        number that has its code is taken for that, and else the reading whose length is usual there.
        """
        bare = self._without_prefix(digits)
        if not digits.startswith(self.code):
            return bare
        coded = self._without_prefix(digits[len(self.code) :])
        if not bare or not coded or bare == coded:
            return coded or bare
        if all(map(self.mobile, coded)) and not any(map(self.mobile, bare)):
            return coded
        usual = [reading for reading in (coded, bare) if all(map(self._is_usual, reading))]
        return usual[0] if len(usual) == 1 else coded | bare

    def plain_reader(self) -> Callable[[str], str | None]:
        """Return a function that reads what most people write: a valid number, alone or behind the usual prefix.

        It takes digits and returns the one national number of `readings`, or None for digits that need all of it: those
        that begin with the country's code, with a rarer prefix or with ``00``, and those that are not valid.
        """
        trunk, *others = self.trunk_prefixes or ("",)
        unusual, size, valid = ("00", self.code, *others), len(trunk), self.valid

        def national(digits: str) -> str | None:
            if digits.startswith(unusual):
                return None
            if size and digits.startswith(trunk):
                rest = digits[size:]
                return rest if valid(rest) and not valid(digits) else None
            return digits if valid(digits) else None

        return national

    def _is_usual(self, national: str) -> bool:
        """Check whether a number is as long as most landlines, or mobile numbers, of the country."""
        return len(national) == (self.usual_mobile if self.mobile(national) else self.usual_landline)

    def _without_prefix(self, digits: str) -> set[str]:
        """Return the valid numbers among digits, and the digits without each prefix."""
        found = {digits} if self.valid(digits) else set()
        for prefix in self.trunk_prefixes:
            if digits.startswith(prefix) and self.valid(digits[len(prefix) :]):
                found.add(digits[len(prefix) :])
        return found


@cache
def possible_number() -> Matcher:
    """Return a matcher of international numbers in digits with a plus.

    It is one pattern, of the calling codes of all countries and of what may follow each. Whether a block of numbers is
    in use is not asked.
    """
    national = {}
    for code, regions in _calling_codes().items():
        patterns = dict.fromkeys(
            region.general_desc.national_number_pattern for region in regions if region.general_desc is not None
        )
        # The first region is the main one, whose pattern takes nearly all.
        national[code] = f"(?:{'|'.join(filter(None, patterns))})"
    return re.compile(rf"\+(?:{_tree(national)})", re.ASCII).fullmatch


def is_country(region: str) -> bool:
    """Check whether there is a country with numbers of its own of that name."""
    from phonenumbers import SUPPORTED_REGIONS

    return region in SUPPORTED_REGIONS


@cache
def country_of(region: str) -> Country:
    """Return what is known of a country.

    :param region: two letters, e.g. ``UA``.
    :raises ValueError: there is none of that name.
    """
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(region, None)
    if metadata is None:
        raise ValueError(f"There is no country {region!r}.")
    code = str(metadata.country_code)
    usual = (metadata.national_prefix,) if metadata.national_prefix else ()
    return Country(
        region,
        code,
        (*usual, *_OTHER_TRUNK_PREFIXES.get(region, ())),
        valid_national(code),
        re.compile(_described(metadata.mobile) or "(?!)", re.ASCII).fullmatch,
        _usual_length(metadata.mobile),
        _usual_length(metadata.fixed_line),
    )


def _usual_length(numbers: PhoneNumberDesc | None) -> int:
    return len((numbers and numbers.example_number) or "")


def calling_code(digits: str) -> str | None:
    """Return the calling code that the digits of an international number begin with; None where there is none."""
    codes = _calling_codes()
    for size in range(1, _MOST_CODE_DIGITS + 1):
        if digits[:size] in codes:
            return digits[:size]
    return None


def is_valid(digits: str) -> bool:
    """Check whether an international number in ASCII digits, without a plus, is valid in its country."""
    code = calling_code(digits)
    return code is not None and valid_national(code)(digits[len(code) :]) is not None


def is_long_national(digits: str, *, at_least: int) -> bool:
    """Check whether digits are a mobile number, without its code, of a country where these are so long (as in Brazil).

    :param at_least: digits that its mobile numbers usually have.
    """
    return any(matches(digits) for matches in _long_mobiles(at_least))


@cache
def _long_mobiles(at_least: int) -> tuple[Matcher, ...]:
    regions = [region for regions in _calling_codes().values() for region in regions]
    return tuple(
        re.compile(_described(region.mobile) or "(?!)", re.ASCII).fullmatch
        for region in regions
        if _usual_length(region.mobile) >= at_least
    )


@cache
def valid_national(code: str) -> Matcher:
    """Return a matcher of valid national numbers, without trunk prefix.

    It is `phonenumbers.is_valid_number` for a calling code: regions of one code are looked at in their order, and
    leading digits that belong to one region decide for it alone.

    :param code: a calling code.
    """
    regions = _calling_codes()[code]
    branches: list[str] = []
    others = ""
    for region in regions:
        numbers = _valid_in(region)
        if len(regions) > 1 and region.leading_digits is not None:
            branches.append(f"{others}(?={region.leading_digits}){numbers}")
            others += f"(?!{region.leading_digits})"
        else:
            branches.append(f"{others}{numbers}")
    return re.compile("|".join(f"(?:{branch})" for branch in branches), re.ASCII).fullmatch


def _valid_in(region: PhoneMetadata) -> str:
    """Write the pattern of a region's valid numbers: the general one, and one of those of the kinds of numbers."""
    kinds = dict.fromkeys(
        pattern
        for name in _TYPES
        if not (name == "mobile" and region.same_mobile_and_fixed_line_pattern)
        and (pattern := _described(getattr(region, name))) is not None
    )
    return f"(?={_described(region.general_desc) or '(?!)'}\\Z)(?:{'|'.join(kinds) or '(?!)'})"


def _described(numbers: PhoneNumberDesc | None) -> str | None:
    if numbers is None or not numbers.national_number_pattern:
        return None
    lengths = "|".join(f"[0-9]{{{size}}}" for size in numbers.possible_length if size > 0)
    if numbers.possible_length and not lengths:
        return None
    return (rf"(?=(?:{lengths})\Z)" if lengths else "") + f"(?:{numbers.national_number_pattern})"


@cache
def _calling_codes() -> Mapping[str, tuple[PhoneMetadata, ...]]:
    """Return the regions of each calling code, the main one first."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    return {
        str(code): tuple(
            metadata
            for region in regions
            if (metadata := PhoneMetadata.metadata_for_region_or_calling_code(code, region)) is not None
        )
        for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
    }


def _tree(national: Mapping[str, str], depth: int = 0) -> str:
    """Join patterns by the digits that they begin with, so that a number is compared with few of them.

    :param national: what follows, by calling code; no code begins another.
    """
    branches = []
    for digit in sorted({code[depth] for code in national}):
        below = {code: pattern for code, pattern in national.items() if code[depth] == digit}
        ended = next((pattern for code, pattern in below.items() if len(code) == depth + 1), None)
        branches.append(digit + (ended or f"(?:{_tree(below, depth + 1)})"))
    return "|".join(branches)
