"""The address book's additional fields: which there are, and what values they take.

The setting ``esputnik.fields`` holds them, so that a DAG author can try the keys of the real account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..settings import Setting
from ..state import SandboxState

ADDRESS_BOOK = 7200

_DEFAULT: list[dict[str, Any]] = [
    {"id": 79810, "key": "LOYALTY.TIER", "name": "Tier", "type": "COMBOBOX", "values": ["bronze", "silver", "gold"]},
    {"id": 79811, "key": "LOYALTY.POINTS", "name": "Points", "type": "NUMBER"},
    {"id": 79812, "key": "LOYALTY.LAST_ORDER", "name": "Last order", "type": "DATE"},
    {"id": 79813, "key": "LOYALTY.SPENT", "name": "Spent", "type": "DECIMAL"},
    {"id": 79814, "key": "PERSONAL.BIRTHDAY", "name": "Birthday", "type": "DATE"},
    {"id": 79815, "key": "PERSONAL.LAST_VISIT", "name": "Last visit", "type": "DATETIME"},
    {"id": 79816, "key": "PERSONAL.NOTE", "name": "Note", "type": "TEXTAREA"},
    {"id": 79817, "key": "PERSONAL.INTERESTS", "name": "Interests", "type": "CHECKBOXLIST", "values": ["a", "b", "c"]},
    {"id": 79818, "key": "SHOP.CODE", "name": "Shop code", "type": "TEXTFIELD"},
]


def _is_field(given: Any) -> bool:
    if not isinstance(given, dict) or not isinstance(given.get("id"), int):
        return False
    texts = all(isinstance(given.get(name), str) for name in ("key", "name", "type"))
    return texts and isinstance(given.get("values", []), list)


SETTINGS = {
    "esputnik.fields": Setting(
        _DEFAULT,
        "additional fields of the address book: id, key (PROFILE.FIELD), name, type and, for lists, values",
        lambda given: all(_is_field(field) for field in given),
    ),
}

_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%y", "%d.%m.%Y")
_LENGTHS = {"TEXTFIELD": 1000, "TEXTAREA": 5000}


def by_id(state: SandboxState) -> dict[int, Mapping[str, Any]]:
    """Return all additional fields."""
    return {field["id"]: field for field in state.settings["esputnik.fields"]}


def by_key(state: SandboxState) -> dict[str, Mapping[str, Any]]:
    """Return all additional fields by their key, e.g. ``LOYALTY.TIER``."""
    return {field["key"]: field for field in state.settings["esputnik.fields"]}


def address_books(state: SandboxState) -> dict[str, Any]:
    """Return the answer of ``GET v1/addressbooks``: one address book, its fields by profile."""
    profiles: dict[str, list[dict[str, Any]]] = {}
    for field in state.settings["esputnik.fields"]:
        profile, _, key = field["key"].partition(".")
        description: dict[str, Any] = {"type": field["type"], "required": False, "readonly": False}
        if field.get("values"):
            description["allowedValues"] = {"possibleValues": list(field["values"])}
        shown = {"id": field["id"], "name": field["name"], "fieldKey": key, "description": description}
        profiles.setdefault(profile, []).append(shown)
    groups = [{"name": key.title(), "profileKey": key, "fields": shown} for key, shown in profiles.items()]
    return {"addressBook": [{"addressBookId": ADDRESS_BOOK, "name": "Main", "fieldGroups": groups}]}


def fits(field: Mapping[str, Any], value: str) -> bool:
    """Check whether a field takes that value; one that it does not take is not saved."""
    kind = str(field["type"]).upper()
    if kind in _LENGTHS:
        return len(value) <= _LENGTHS[kind]
    if kind == "NUMBER":
        return re.fullmatch(r"-?\d{1,10}", value, re.ASCII) is not None and -(2**31) <= int(value) < 2**31
    if kind == "DECIMAL":
        return re.fullmatch(r"-?\d+([.,]\d+)?", value, re.ASCII) is not None
    if kind == "DATE":
        return any(_parses(value, pattern) for pattern in _DATES)
    if kind == "DATETIME":
        return _parses(value, "%Y-%m-%dT%H:%M") or _parses(value, "%Y-%m-%dT%H:%M:%S")
    if kind == "COMBOBOX" and field.get("values"):
        return value in field["values"]
    return True


def _parses(value: str, pattern: str) -> bool:
    try:
        datetime.strptime(value, pattern)
    except ValueError:
        return False
    return True
