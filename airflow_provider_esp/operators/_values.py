"""How an operator reads the values of its rows: its arguments before what the connection says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from airflow_provider_esp.core.validation.addresses import PhoneRules
    from airflow_provider_esp.core.validation.values import Note, ValueRules

Perform = TypeVar("Perform", bound=Callable[[Any], Any])


def phone_rules(default_country: str | None, phone_format: str | None, settings: Any) -> PhoneRules:
    """Return how phone numbers are read.

    Whichever of the two arguments is given stands for both: neither of the connection's is looked at then.

    :param default_country: the operator's, rendered; None, ``None`` and blank text for the connection's.
    :param phone_format: the operator's, rendered; likewise.
    :param settings: the connection's.
    :raises ValueError: there is no such country or format, or both arguments are given.
    """
    from airflow_provider_esp.core.validation.addresses import PhoneRules

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


class ValueNotes:
    """Says in the log what the author should know of the values of a run.

    How many phone numbers have no country code is said before the first request leaves, of the rows that were checked
    by then, and at the end if there are more. Everything else is said once, at the end.

    :param values: how the values are read; counts them.
    :param log: the task's.
    """

    def __init__(self, values: ValueRules, log: Any) -> None:
        self._values = values
        self._log = log
        self._told = 0
        self._left = False

    def before(self, perform: Perform) -> Perform:
        """Return a function that does what `perform` does, and says first what is to be said before a request."""

        def perform_after(work: Any) -> Any:
            if not self._left:
                self._left = True
                self._tell_no_country("so far ")
            return perform(work)

        return cast(Perform, perform_after)

    def end(self) -> None:
        """Log what is to be said at the end, and forget it."""
        self._tell_no_country("")
        floats, columns = self._count("float")
        if floats:
            self._log.warning(
                "%s values in %s were whole numbers written as decimals, such as 7.0: the zeros were dropped.",
                f"{floats:,}",
                columns,
            )
        cleaned, columns = self._count("cleaned")
        if cleaned:
            self._log.warning(
                "%s values in %s held control or invisible characters, which were removed (clean_text).",
                f"{cleaned:,}",
                columns,
            )
        self._values.notes.clear()
        self._told = 0

    def _tell_no_country(self, when: str) -> None:
        numbers, columns = self._count("no country")
        if numbers > self._told:
            self._told = numbers
            self._log.warning(
                '%s phone numbers in %s %shave no country code and are invalid: say default_country= (such as "UA") '
                'where they are numbers of one country, or phone_format="international" where each begins with its '
                "country's code, here or in the connection.",
                f"{numbers:,}",
                columns,
                when,
            )

    def _count(self, note: Note) -> tuple[int, str]:
        counts = {column: count for (kind, column), count in list(self._values.notes.items()) if kind == note}
        return sum(counts.values()), ", ".join(map(repr, counts))
