"""Whether an e-mail address or a phone number can be one, and how it is written.

Nearly every value is ordinary and is known by one regular expression. Only the others are given to the library that
knows the whole of it, `email-validator`: it is a hundred times slower, and is imported when the first such value comes.
What is known of phone numbers is in `numbering_plans`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from airflow_provider_esp.core.validation.numbering_plans import (
    Country,
    calling_code,
    country_of,
    is_country,
    is_long_national,
    is_valid,
    possible_number,
)
from airflow_provider_esp.exceptions import CountryCodeMissing, InvalidValue
from airflow_provider_esp.utils.characters import hidden_character

PhoneFormat = Literal["international"]

# A part of a host's name is two runs of 31 with a hyphen between them at the most, so it fits its 63 characters. No
# run is ever read again (++), which keeps a long value that is no address as cheap as any other.
ordinary_email = re.compile(
    r"(?=[^@]{1,64}+@)(?!.{255})[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+"
    r"@(?:[A-Za-z0-9]{1,31}+(?:-[A-Za-z0-9]{1,31}+)?+\.)+[A-Za-z]{2,63}"
).fullmatch
"""Takes (by giving something true) what certainly is an address."""

_LONGEST_EMAIL = 320
_LONGEST_PHONE = 40
_FEWEST_LOCAL = 7
_FEWEST_DIGITS: Final = 11
_MOST_DIGITS: Final = 15
_TRUNK_DIGITS: Final = "018"
_NO_EMAIL = "the e-mail address is not valid"
_NO_PHONE = "the phone number is not valid"
_NO_COUNTRY = "the phone number has no country code (see default_country and phone_format)"
_NOT_INTERNATIONAL = "the phone number is not valid in the country whose code it begins with"
_TWO_READINGS = "the phone number can be read with and without its country code: write it with a plus"
_DECIMALS = "the number has decimals"
_BARE_DIGITS = re.compile(r"(?!00)[0-9]{1,40}").fullmatch
_SPELLED_PHONE = re.compile(r"[+]?[0-9\s()./-]+").fullmatch
_SPACING = str.maketrans("", "", " ()-./\t\n\r\f\v")
_TRUNK_IN_BRACKETS = re.compile(r"([0-9]+) *\(0\)(?= *[0-9])").sub
_DATE = re.compile(
    r"(?:[12][0-9]{3}([./-])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])([./-])(?:0?[1-9]|[12][0-9]|3[01])\2(?:[12][0-9])?[0-9]{2})(?:[\sT].*)?",
    re.DOTALL,
).fullmatch
_IP_ADDRESS = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})").fullmatch
_PAIRS = re.compile(r"[0-9]{2}(?:\.[0-9]{2})*").fullmatch
# A dot may be the point of a number only where there is one, behind digits that blanks may divide into threes.
_DECIMAL = re.compile(r"([+]?)([0-9]+|[0-9]{1,3}(?: [0-9]{3})+)\.([0-9]*)").fullmatch
_COMMA_AND_ZEROS = re.compile(r"([+]?[0-9]+),0{1,2}").fullmatch
_SCIENTIFIC = re.compile(r"([+]?)([1-9])(?:[.,]([0-9]*))?[eE][+]?([0-9]{1,3})").fullmatch


def email_address(value: str) -> str:
    """Check an address's syntax; nobody is asked whether it exists.

    :returns: the address as services take it: a host's name in other letters than ours is written in its ASCII form.
    :raises InvalidValue: it is not one. A mailbox in other letters than ours is refused as well: neither service says
        that it takes them.
    """
    if ordinary_email(value):
        return value
    if len(value) > _LONGEST_EMAIL:
        raise InvalidValue(f"{_NO_EMAIL}: it is too long")
    if value.count("@") != 1 or any(map(str.isspace, value)) or hidden_character(value) is not None:
        raise InvalidValue(_what_is_no_email(value))
    from email_validator import EmailNotValidError, validate_email

    try:
        known = validate_email(value, strict=True, allow_smtputf8=False, check_deliverability=False)
    except EmailNotValidError:
        raise InvalidValue(_NO_EMAIL) from None
    return known.ascii_email if known.ascii_email and not value.isascii() else value


def _what_is_no_email(value: str) -> str:
    """Return what is wrong with an address, and quote nothing of it that can be seen."""
    if (hidden := hidden_character(value)) is not None:
        return f"the e-mail address holds {hidden}"
    if (signs := value.count("@")) != 1:
        return f"{_NO_EMAIL}: it has {signs or 'no'} @"
    blank = next(at for at, character in enumerate(value, 1) if character.isspace())
    return f"{_NO_EMAIL}: it has a blank at {blank}"


@dataclass(frozen=True, slots=True)
class PhoneRules:
    """How phone numbers are read: what their author says of them, and what is taken without a word.

    A number with a plus (or ``00``) has to have the code of a country that there is, and the first digits and the
    length that numbers have there. Any other is taken

    - with `default_country`, if it is valid there, written nationally or with that country's code;
    - with ``phone_format="international"``, if it is valid in the country whose code it begins with;
    - with neither, if besides it cannot be a national number: it has at least 11 digits, does not begin with 0, 1 or
      8, and is no mobile number of a country where these have 11 digits, as in Brazil.

    :param default_country: two letters, e.g. ``UA``; None for no country.
    :param phone_format: ``international`` where every number carries its country code, or None.
    :raises ValueError: there is no such country or format, or both are given.
    """

    default_country: str | None = None
    phone_format: PhoneFormat | None = None

    def __post_init__(self) -> None:
        if self.default_country is not None and self.phone_format is not None:
            raise ValueError("give default_country or phone_format, not both: they contradict each other")
        if self.phone_format not in (None, "international"):
            raise ValueError("phone_format must be 'international'")
        if self.default_country is not None and not is_country(self.default_country):
            raise ValueError("default_country must be a country of two capital letters such as UA")

    def normalize(self, value: str) -> str:
        """Return a number as it is sent: in digits, with a plus if it had one (or ``00``, which means the same).

        What stands in the cell of a table may be a number that was once a float, ``380971112233.0`` or
        ``3.80971112233E+11``: it is read as the digits it stands for.

        :raises CountryCodeMissing: it has no country code, and neither argument says how to read it.
        :raises InvalidValue: it is no phone number.
        """
        if value[:1] == "+" and possible_number()(value):
            return value
        if _BARE_DIGITS(value):
            return self._without_plus(value)
        if len(value) > _LONGEST_PHONE:
            raise InvalidValue(f"{_NO_PHONE}: it is too long")
        spelled = plain_digits(value)
        spelled = whole_number(spelled) or spelled
        digits = _read_phone(spelled)
        if digits.startswith("+"):
            return digits if possible_number()(digits) else _as_library_reads(spelled)
        return self._without_plus(digits)

    def quick_reader(self) -> Callable[[str], str | None]:
        """Return a function that reads most numbers of the default country, quickly; None is what it says of others.

        What it reads, `normalize` reads in the same way: national numbers of digits, with or without blanks.
        """
        if self.default_country is None:
            return lambda value: None
        home = country_of(self.default_country)
        code, national_of = home.code, home.plain_reader()

        def read(value: str) -> str | None:
            national = national_of(value.replace(" ", "")) if len(value) <= _LONGEST_PHONE else None
            return None if national is None else code + national

        return read

    def _without_plus(self, digits: str) -> str:
        """Return a number without plus as it is sent.

        :raises CountryCodeMissing: it has no country code, and nothing says how to read it.
        :raises InvalidValue: it is no phone number.
        """
        if self.default_country is not None:
            return _in_country(digits, country_of(self.default_country))
        known = is_valid(digits)
        if self.phone_format is not None:
            if known:
                return digits
            raise InvalidValue(_NOT_INTERNATIONAL)
        if known and _is_surely_international(digits):
            return digits
        raise (
            CountryCodeMissing(_NO_COUNTRY) if _FEWEST_LOCAL <= len(digits) <= _MOST_DIGITS else InvalidValue(_NO_PHONE)
        )


def _is_surely_international(digits: str) -> bool:
    """Check whether a valid number without plus can be no national one."""
    return (
        len(digits) >= _FEWEST_DIGITS
        and digits[0] not in _TRUNK_DIGITS
        and not (len(digits) == _FEWEST_DIGITS and is_long_national(digits, at_least=_FEWEST_DIGITS))
    )


def phone_number(value: str) -> str:
    """Read a phone number of which nothing is said; see `PhoneRules`."""
    return PhoneRules().normalize(value)


def plain_digits(value: str) -> str:
    """Return a text with digits, signs, blanks and hyphens of other scripts written in ASCII."""
    if value.isascii():
        return value.strip()
    return "".join(map(_in_ascii, value)).strip()


def whole_number(value: str) -> str | None:
    """Return the digits that a number once kept as a float stands for; None where a text is not written like one.

    ``380971112233.0`` and ``3.80971112233E+11`` are written so. A plus stays.

    :raises InvalidValue: it is a number with decimals, or digits of it were lost.
    """
    if (scientific := _SCIENTIFIC(value)) is not None:
        sign, whole, decimals, exponent = scientific.groups(default="")
        missing = int(exponent) - len(decimals)
        if missing > 0:
            raise InvalidValue("the number has lost digits: it is written with an exponent")
        rest = decimals[int(exponent) :]
        if rest.strip("0"):
            raise InvalidValue(_DECIMALS)
        return sign + whole + decimals[: int(exponent)]
    if (comma := _COMMA_AND_ZEROS(value)) is not None:
        return comma[1]
    if (decimal := _DECIMAL(value)) is None:
        return _without_decimals(value)
    sign, whole, decimals = decimal.groups()
    if not decimals.strip("0") and whole.isdigit():
        return str(sign + whole)
    if sign and len(decimals) > 2 and calling_code(whole) == whole:
        return None  # +1.2025550100, as registrars write numbers
    raise InvalidValue(_DECIMALS)


def _without_decimals(value: str) -> str | None:
    """Return what stands before the decimals of a number that is written in groups, as ``+380 97 111 22 33.0`` is.

    One digit behind the last dot is no group of a phone number. Two zeros may be one where other dots divide groups.

    :returns: None where there are no decimals.
    :raises InvalidValue: they are not one zero, or may be digits of the number.
    """
    groups, dot, last = value.rpartition(".")
    last = last.strip()
    if not dot or not last.isdigit() or not _SPELLED_PHONE(groups) or _IP_ADDRESS(value):
        return None
    if last == "0" and "." not in groups:
        return groups
    if len(last) == 1 or (not last.strip("0") and "." not in groups):
        raise InvalidValue(_DECIMALS)
    return None


def _in_ascii(character: str) -> str:
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if character == "\uff0b":
        return "+"
    kind = unicodedata.category(character)
    return "-" if kind == "Pd" or character == "\u2212" else " " if kind == "Zs" else character


def _read_phone(spelled: str) -> str:
    """Return the digits of a number, with a plus if it has one.

    :param spelled: in ASCII digits.
    :raises InvalidValue: it is something else: the reason says what.
    """
    if _DATE(spelled):
        raise InvalidValue(f"{_NO_PHONE}: it is a date")
    if not _SPELLED_PHONE(spelled):
        raise InvalidValue(_what_is_no_phone(spelled))
    if _IP_ADDRESS(spelled) and not _PAIRS(spelled):
        raise InvalidValue(f"{_NO_PHONE}: it is a network address")
    if spelled.startswith((".", "+.")):
        raise InvalidValue(_DECIMALS)
    if spelled.startswith(("-", "+-")):
        raise InvalidValue(f"{_NO_PHONE}: it is a negative number")
    digits = _TRUNK_IN_BRACKETS(_before_trunk, spelled).translate(_SPACING)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    return digits


def _before_trunk(match: re.Match[str]) -> str:
    """Leave a 0 in brackets out only behind a whole country code: in +38 (0)97 it belongs to Ukraine's code 380."""
    before = match[1].removeprefix("00")
    return match[1] if calling_code(before) == before else f"{match[1]}0"


def _what_is_no_phone(spelled: str) -> str:
    hidden = hidden_character(spelled)
    if hidden is not None:
        return f"the phone number holds {hidden}"
    if any(map(str.isalpha, spelled)):
        return f"{_NO_PHONE}: it has letters in it"
    return _NO_PHONE


def _in_country(digits: str, home: Country) -> str:
    """Return a number without plus as one of a country, however it is written there.

    :raises InvalidValue: it is not valid there, or can be two numbers.
    """
    readings = home.readings(digits)
    if not readings and (known := _as_library_reads_in(digits, home)):
        readings = {known}
    if not readings:
        raise InvalidValue(f"{_NO_PHONE} in {home.region}")
    if len(readings) > 1:
        raise InvalidValue(_TWO_READINGS)
    return home.code + readings.pop()


def _as_library_reads(spelled: str) -> str:
    """Return a number with a plus as the library reads it: it knows what belongs only to a spelling.

    :raises InvalidValue: it is not one.
    """
    import phonenumbers

    bare = spelled[2:] if spelled.startswith("00") else spelled.lstrip("+")
    try:
        known = phonenumbers.parse(f"+{bare}")
    except phonenumbers.NumberParseException:
        raise InvalidValue(_NO_PHONE) from None
    number = str(phonenumbers.format_number(known, phonenumbers.PhoneNumberFormat.E164))
    if not possible_number()(number):
        raise InvalidValue(_NO_PHONE)
    return number


def _as_library_reads_in(digits: str, home: Country) -> str | None:
    """Return the national number that the library finds in other spellings of a country, such as carriers' codes."""
    import phonenumbers

    try:
        known = phonenumbers.parse(digits, home.region)
    except phonenumbers.NumberParseException:
        return None
    national = str(phonenumbers.national_significant_number(known))
    return national if str(known.country_code) == home.code and home.valid(national) else None
