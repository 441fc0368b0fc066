"""The arguments of a sync that a template may fill in, read when the task runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_esp.core.sync.run import Reset

MODES = ("upsert", "insert_only", "update_only", "mirror")
ON_LEAVE = ("detach", "delete", "unsubscribe")
ON_RUNNING = ("stop", "wait")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse an argument that is none of some words.

    :raises ValueError: it is none.
    """
    if value not in choices:
        raise ValueError(f"{name} must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}, not {value!r}.")


def word_of(name: str, value: Any) -> str | None:
    """Read a templated word; None where it is None, blank or says so.

    :raises ValueError: it is no text.
    """
    said = "" if value is None else value
    if not isinstance(said, str):
        raise ValueError(f"{name} must be text, not a {type(value).__name__}.")  # noqa: TRY004  # an argument, rendered
    plain = said.strip()
    return None if plain in ("", "None") else plain


def reset_of(value: Any) -> Reset | None:
    """Read how to begin anew.

    :raises ValueError: it is no such way.
    """
    from airflow_provider_esp.core.sync.run import RESETS

    said = word_of("reset", value)
    for way in RESETS:
        if said == way:
            return way
    if said is None:
        return None
    raise ValueError(f"reset must be None, {', '.join(map(repr, RESETS[:-1]))} or {RESETS[-1]!r}, not {said!r}.")


def wants_resync(value: Any) -> bool:
    """Read whether everything is sent again.

    :raises ValueError: it is neither ``changed`` nor ``all``.
    """
    said = word_of("resync", value) or "changed"
    check_choice("resync", said, ("changed", "all"))
    return said == "all"


def seconds_of(value: timedelta | None) -> float | None:
    """Return a span in seconds."""
    return None if value is None else value.total_seconds()
