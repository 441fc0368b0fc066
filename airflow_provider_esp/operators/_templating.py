"""Arguments that a template may have filled in: numbers, switches and lists that come as text."""

from __future__ import annotations

from typing import Any


def number_of(name: str, value: int | str | None) -> int | None:
    """Read a templated number: templates give text.

    :param name: the argument's.
    :returns: None where it is None or says so.
    :raises ValueError: it is no number, or a negative one.
    """
    said = "" if value is None else str(value).strip()
    if value is None or said == "None":
        return None
    if isinstance(value, bool) or not (said.isascii() and said.isdigit()):
        raise ValueError(f"{name} must be a number of at least 0, not {value!r}.")
    return int(said)


def share_of(name: str, value: float | str | None, example: str = '0.3 or "30%"') -> float | None:
    """Read a templated share such as ``0.3`` or ``"30%"``.

    :param name: the argument's.
    :param example: two ways to write one, for the error.
    :returns: None where it is None or says so.
    :raises ValueError: it is neither, or not from 0 to 1.
    """
    said = "" if value is None else str(value).strip()
    if value is None or said == "None":
        return None
    try:
        share = float(said.removesuffix("%")) / (100 if said.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise ValueError(f"{name} must be a share such as {example}, or None, not {value!r}.")
    return share


def as_tuple(value: Any) -> tuple[str, ...]:
    """Return the names that an argument gives: one, several or none."""
    return (value,) if isinstance(value, str) else tuple(value or ())


def switch_of(name: str, value: Any) -> bool:
    """Read a templated switch: templates give text.

    :param name: the argument's.
    :raises ValueError: it says neither yes nor no. What is meant to hold something back may not be misread.
    """
    said = str(value).strip().lower()
    if said in ("true", "1", "yes", "on"):
        return True
    if said in ("false", "0", "no", "off", "none", ""):
        return False
    raise ValueError(f"{name} must be True or False, not {str(value)!r}.")
