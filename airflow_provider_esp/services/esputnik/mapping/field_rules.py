"""What eSputnik asks of the values of names and additional fields.

The service takes a contact whose value breaks these rules and drops the value in silence, so such a row is refused
before it is sent. The rules are those of the vendor's guide to imports; where it says nothing (lists of which
several may be chosen) nothing is asked, of decimals only that they are numbers, and of a list of which one is chosen
that the value stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_provider_esp.core.contact_columns import FieldKind, FieldRule
from airflow_provider_esp.services.esputnik.api.general import Field
from airflow_provider_esp.services.esputnik.mapping import names

_INT32 = "2147483647"
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_YEAR = "(?!0000)[0-9]{4}"
_THIRTY = "(?:0[469]|11)"
_MONTH = "(?:0[1-9]|1[0-2])"


def _day_of(sign: str, year: str, leap: str) -> str:
    """Write the pattern of the days that there are, the day first."""
    days = [
        (rf"(?:0[1-9]|1[0-9]|2[0-8]){sign}{_MONTH}", year),
        (rf"29{sign}(?!02){_MONTH}", year),
        (rf"30{sign}(?!02){_MONTH}", year),
        (rf"31{sign}(?!02|{_THIRTY}){_MONTH}", year),
        (rf"29{sign}02", leap),
    ]
    return "|".join(f"{day}{sign}{years}" for day, years in days)


_ISO_DATE = "|".join(
    [
        rf"{_YEAR}-{_MONTH}-(?:0[1-9]|1[0-9]|2[0-8])",
        rf"{_YEAR}-(?!02){_MONTH}-(?:29|30)",
        rf"{_YEAR}-(?!02|{_THIRTY}){_MONTH}-31",
        rf"(?!0000){_LEAP}-02-29",
    ]
)
_DATE = "|".join(
    [
        _ISO_DATE,
        _day_of("/", _YEAR, _LEAP),
        _day_of(r"\.", rf"(?:{_YEAR}|[0-9]{{2}})", rf"(?:{_LEAP}|(?:[02468][048]|[13579][26]))"),
    ]
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?!00)[0-5][0-9])?"


def _up_to(most: str) -> str:
    """Write the pattern of the whole numbers up to one."""
    lower = [
        f"{most[:at]}[0-{int(digit) - 1}][0-9]{{{len(most) - at - 1}}}" for at, digit in enumerate(most) if digit > "0"
    ]
    return "|".join([f"0*[0-9]{{1,{len(most) - 1}}}", *lower, most])


NAMES: Mapping[str, FieldRule] = {
    "first_name": FieldRule(names.ORDINARY, "the first name is not valid", explain=names.first_name_problem),
    "last_name": FieldRule(names.ORDINARY, "the last name is not valid", explain=names.last_name_problem),
}
"""What is asked of names."""

_KINDS: Mapping[str, tuple[str, str, FieldKind]] = {
    "TEXTFIELD": (".{0,1000}", "is longer than 1000 characters", "text"),
    "TEXTAREA": (".{0,5000}", "is longer than 5000 characters", "text"),
    "NUMBER": (f"-?(?:{_up_to(_INT32)})", "is no whole number of at most 32 bits", "whole"),
    "DECIMAL": (r"-?[0-9]+(?:[.,][0-9]+)?", "is no decimal number such as 1234.50", "text"),
    "DATE": (_DATE, "is no date such as 2026-01-31", "date"),
    "DATETIME": (f"(?:{_ISO_DATE})T{_TIME}", "is no date and time such as 2026-01-31T09:30", "datetime"),
}


def rules(fields: Mapping[str, Field]) -> dict[str, FieldRule]:
    """Return what is asked of additional fields.

    :param fields: by key, from `translate.additional_fields`.
    """
    asked = {}
    for key, field in fields.items():
        type_name = ((field.description and field.description.type) or "").upper()
        known = _KINDS.get(type_name)
        allowed = _allowed_values(field) if type_name == "COMBOBOX" else ()
        if allowed:
            asked[key] = FieldRule("|".join(map(re.escape, allowed)), f"{key} is none of the values that it allows")
        if known is not None:
            pattern, reason, kind = known
            asked[key] = FieldRule(pattern, f"{key} {reason}", kind)
    return asked


def _allowed_values(field: Field) -> tuple[str, ...]:
    """Return the values of which a field takes one; none where the account does not say."""
    allowed = field.description and field.description.allowed_values
    return tuple(map(str, allowed.possible_values)) if allowed else ()
