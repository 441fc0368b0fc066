"""How an operator reads the values of its rows: its arguments before what the connection says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_esp.delivery.addresses import PhoneRules


def phone_rules(default_country: str | None, phone_format: str | None, settings: Any) -> PhoneRules:
    """Return how phone numbers are read.

    Whichever of the two arguments is given stands for both: neither of the connection's is looked at then.

    :param default_country: the operator's, rendered; None, ``None`` and blank text for the connection's.
    :param phone_format: the operator's, rendered; likewise.
    :param settings: the connection's.
    :raises ValueError: there is no such country or format, or both arguments are given.
    """
    from airflow_provider_esp.delivery.addresses import PhoneRules

    country, written = _text_of("default_country", default_country), _text_of("phone_format", phone_format)
    if country or written:
        return PhoneRules(country and country.upper(), _format_of(written))
    return PhoneRules(
        getattr(settings, "default_country", None),
        getattr(settings, "phone_format", None),
    )


def _text_of(name: str, value: Any) -> str | None:
    """Read a templated text: templates give ``None`` and nothing as text."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, not a {type(value).__name__}.")  # noqa: TRY004  # an argument, rendered
    plain = value.strip()
    return None if plain in ("", "None") else plain


def _format_of(written: str | None) -> Any:
    return written and written.lower()
