"""Whether an e-mail address or a phone number can be one, and how it is written.

Nearly every value is ordinary and is known by one regular expression. Only the others are given to the libraries
that know the whole of it, `email-validator` and `phonenumbers`: those are a hundred times slower, and are imported
when the first such value comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from airflow_provider_esp.delivery.errors import Refused

# A part of a host's name is two runs of 31 with a hyphen between them at the most, so it fits its 63 characters. No
# run is ever read again (++), which keeps a long value that is no address as cheap as any other.
ordinary_email = re.compile(
    r"(?=[^@]{1,64}+@)(?!.{255})[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+"
    r"@(?:[A-Za-z0-9]{1,31}+(?:-[A-Za-z0-9]{1,31}+)?+\.)+[A-Za-z]{2,63}"
).fullmatch
"""Takes (by giving something true) what certainly is an address."""

_LONGEST_EMAIL = 320
_LONGEST_PHONE = 40
_NO_EMAIL = "the e-mail address is not valid"
_NO_PHONE = "the phone number is not valid"
_NO_COUNTRY = "the phone number has no country code"
_SPELLED_PHONE = re.compile(r"[+\uff0b]?[\d\s()./\-\u2010-\u2015\u2212]+").fullmatch
_SPACING = str.maketrans("", "", " ()-.\t\u00a0")


class NoCountry(Refused):
    """A phone number that only its own country understands."""


def email_address(value: str) -> str:
    """Check an address's syntax; nobody is asked whether it exists.

    :returns: the address as services take it: a host's name in other letters than ours is written in its ASCII form.
    :raises Refused: it is not one. A mailbox in other letters than ours is refused as well: neither service says that
        it takes them.
    """
    if ordinary_email(value):
        return value
    if len(value) > _LONGEST_EMAIL or "@" not in value:
        raise Refused(_NO_EMAIL)
    from email_validator import EmailNotValidError, validate_email

    try:
        known = validate_email(value, strict=True, allow_smtputf8=False, check_deliverability=False)
    except EmailNotValidError:
        raise Refused(_NO_EMAIL) from None
    return known.ascii_email if known.ascii_email and not value.isascii() else value


def phone_number(value: str) -> str:
    """Bring an international phone number to digits, with a plus if it had one (or ``00``, which means the same).

    It has to have the code of a country that there is, and the first digits and the length that numbers have there.
    Whether its block is in use is not asked: blocks are opened faster than anybody updates a library.

    :raises NoCountry: it has no country code.
    :raises Refused: it is not one.
    """
    number = value.translate(_SPACING)
    if number.startswith("00"):
        number = f"+{number[2:]}"
    if ordinary_phone()(number):
        return number
    if number.isascii() and number.isdigit() and number.startswith("0"):
        raise NoCountry(_NO_COUNTRY)
    if len(value) > _LONGEST_PHONE or not _SPELLED_PHONE(value):
        raise Refused(_NO_PHONE)
    bare = value[2:] if value.startswith("00") else value.lstrip("+\uff0b")
    return _as_known(f"+{bare}", plus=bare != value)


def _as_known(value: str, *, plus: bool) -> str:
    """Ask the library: it knows what belongs to a number and what only to its spelling.

    :param value: begins with a plus.
    :param plus: whether the number is written with one.
    """
    import phonenumbers

    try:
        known = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        raise Refused(_NO_PHONE) from None
    number = phonenumbers.format_number(known, phonenumbers.PhoneNumberFormat.E164)
    if not ordinary_phone()(number):
        raise Refused(_NO_PHONE)
    return number if plus else number.removeprefix("+")


@cache
def ordinary_phone() -> Callable[[str], object]:
    """Give a function that takes (by giving something true) an international number in digits alone.

    It is one pattern, of the calling codes of all countries and of what may follow each.
    """
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    national = {}
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        known = [PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions]
        # The first region is the main one, whose pattern takes nearly all.
        patterns = dict.fromkeys(
            one.general_desc.national_number_pattern for one in known if one is not None and one.general_desc
        )
        national[str(code)] = f"(?:{'|'.join(filter(None, patterns))})"
    return re.compile(rf"\+?(?:{_tree(national)})", re.ASCII).fullmatch


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
