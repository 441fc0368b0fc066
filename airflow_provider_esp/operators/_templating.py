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
