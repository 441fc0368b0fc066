"""What eSputnik asks of the values of names and additional fields.

The service takes a contact whose value breaks these rules and drops the value in silence, so such a row is refused
before it is sent. The rules are those of the vendor's guide to imports; where it says nothing (lists, decimals) nothing
is asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_esp.services.columns import FieldRule
from airflow_provider_esp.services.esputnik.general import Field

_INT32 = "2147483647"
_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = "(?:0[1-9]|1[0-2])"
_DATE = rf"[0-9]{{4}}-{_MONTH}-{_DAY}|{_DAY}/{_MONTH}/[0-9]{{4}}|{_DAY}\.{_MONTH}\.(?:[0-9]{{2}}){{1,2}}"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
_FEW_DIGITS = "(?!(?:[^0-9]*[0-9]){4})"
_FEW_WORDS = r"(?!(?:\S++\s++){6}\S)"


def _up_to(most: str) -> str:
    """Write the pattern of the whole numbers up to one."""
    lower = [
        f"{most[:at]}[0-{int(digit) - 1}][0-9]{{{len(most) - at - 1}}}" for at, digit in enumerate(most) if digit > "0"
    ]
    return "|".join([f"0*[0-9]{{1,{len(most) - 1}}}", *lower, most])


NAMES: Mapping[str, FieldRule] = {
    "first_name": FieldRule(
        f"{_FEW_DIGITS}{_FEW_WORDS}.{{0,40}}",
        "the first name is longer than 40 characters, or has over 3 digits or 6 words",
    ),
    "last_name": FieldRule(
        f"{_FEW_DIGITS}.{{0,40}}", "the last name is longer than 40 characters or has over 3 digits"
    ),
}
"""What is asked of names."""

_KINDS: Mapping[str, tuple[str, str]] = {
    "TEXTFIELD": (".{0,1000}", "is longer than 1000 characters"),
    "TEXTAREA": (".{0,5000}", "is longer than 5000 characters"),
    "NUMBER": (f"-?(?:{_up_to(_INT32)})", "is no whole number of at most 32 bits"),
    "DATE": (_DATE, "is no date such as 2026-01-31"),
    "DATETIME": (f"[0-9]{{4}}-{_MONTH}-{_DAY}T{_TIME}", "is no date and time such as 2026-01-31T09:30, without a zone"),
}


def rules(fields: Mapping[str, Field]) -> dict[str, FieldRule]:
    """Give what is asked of additional fields.

    :param fields: by key, from `translate.additional_fields`.
    """
    asked = {}
    for key, field in fields.items():
        kind = _KINDS.get(((field.description and field.description.type) or "").upper())
        if kind is not None:
            asked[key] = FieldRule(kind[0], f"{key} {kind[1]}")
    return asked
