"""When an opt-out source stops the task: it names nobody, is empty, or has shrunk.

The arguments `on_unreadable_suppression`, `on_empty_suppression`, `max_suppression_shrink` and `min_suppressed` of
operators, and the sentences about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_esp.utils.masking import is_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_esp.core.validation.suppression import OneList, Suppression
    from airflow_provider_esp.stores.optout_counts import OptOutCounts

ARGUMENTS: Final = (
    "on_unreadable_suppression",
    "on_empty_suppression",
    "max_suppression_shrink",
    "min_suppressed",
)


@dataclass(frozen=True, slots=True)
class OptOutLimits:
    """What stops the task.

    :param ignores_unreadable: whether entries that name nobody are passed over.
    :param takes_empty: whether a source without entries is fine.
    :param max_shrink: the share of its people that a source may have lost since the last success; None for any.
    :param min_suppressed: how many people all sources have to name at least.
    """

    ignores_unreadable: bool = False
    takes_empty: bool = False
    max_shrink: float | None = 0.2
    min_suppressed: int = 0


def check_limits(arguments: Mapping[str, Any]) -> None:
    """Refuse, where the DAG is written, arguments that say nothing; templates are looked at when a task runs.

    :param arguments: values by the names in `ARGUMENTS`.
    :raises ValueError: one of them is none.
    """
    defaults = {"on_unreadable_suppression": "stop", "on_empty_suppression": "stop"}
    limits_of({name: defaults.get(name) if is_template(value) else value for name, value in arguments.items()})


def limits_of(arguments: Mapping[str, Any]) -> OptOutLimits:
    """Read the arguments, rendered.

    :param arguments: values by the names in `ARGUMENTS`.
    :raises ValueError: one of them says nothing that is known.
    """
    from airflow_provider_esp.operators._templating import number_of, share_of

    return OptOutLimits(
        _choice("on_unreadable_suppression", arguments["on_unreadable_suppression"], "ignore"),
        _choice("on_empty_suppression", arguments["on_empty_suppression"], "continue"),
        share_of("max_suppression_shrink", arguments["max_suppression_shrink"], "0.2 or '20%'"),
        number_of("min_suppressed", arguments["min_suppressed"]) or 0,
    )


def check_entries(one: OneList, limits: OptOutLimits, log: Any) -> None:
    """Stop the task where a source has entries that name nobody.

    :param one: the source, read to its end.
    :raises SourceError: it has some.
    """
    from airflow_provider_esp.exceptions import SourceError

    if one.unreadable:
        what = (
            f"{one.origin}: {one.unreadable:,} of {one.entries:,} entries contain no email, phone or id: {_rows(one)}."
        )
        if not limits.ignores_unreadable:
            raise SourceError(
                f'{what} Nothing was sent. Correct them, or say on_unreadable_suppression="ignore" to leave out only '
                "whom the other entries of suppress= name."
            )
        log.warning('%s They are passed over (on_unreadable_suppression="ignore").', what)


def check_amount(one: OneList, limits: OptOutLimits, counts: OptOutCounts | None, key: str, log: Any) -> None:
    """Stop the task where a source names fewer people than its author thinks.

    :param one: the source, read to its end.
    :param counts: how many people sources named at the last success; None outside of tasks.
    :param key: the source's name there.
    :raises SourceError: it has fewer people than last time.
    :raises EmptySource: it has no entries.
    """
    from airflow_provider_esp.exceptions import EmptySource, SourceError

    if one.entries == one.blank:
        filled = f"{one.entries:,} entries, all of them blank" if one.entries else "no entries"
        what = f"{one.origin} has {filled}, so it would suppress nobody"
        if not limits.takes_empty:
            raise EmptySource(
                f"{what}. Nothing was sent. See to it that this source of suppress= is filled, or say "
                'on_empty_suppression="continue" if it may be empty.'
            )
        log.warning('%s (on_empty_suppression="continue").', what)
    before = counts.load(key) if counts is not None and limits.max_shrink is not None else None
    if counts is None or limits.max_shrink is None or before is None:
        return
    if one.people < before * (1 - limits.max_shrink):
        raise SourceError(
            f"{one.origin} names {one.people:,} people to leave out, and named {before:,} when this task last "
            f"succeeded: more than {limits.max_shrink:.0%} are gone (max_suppression_shrink). Nothing was sent. "
            "Restore this source of suppress=; if it is right, clear the task with max_suppression_shrink=None, "
            f"or remove the Airflow Variable {counts.name(key)!r}."
        )


def check_total(suppression: Suppression, limits: OptOutLimits) -> None:
    """Stop the task where all sources together name fewer people than they have to.

    :raises SourceError: they do.
    """
    from airflow_provider_esp.exceptions import SourceError

    if len(suppression) < limits.min_suppressed:
        raise SourceError(
            f"suppress= names {len(suppression):,} people to leave out, and min_suppressed asks for at least "
            f"{limits.min_suppressed:,}. Nothing was sent. See to it that its sources are whole, or lower "
            "min_suppressed."
        )


def _rows(one: OneList) -> str:
    numbers = [f"{number:,}" for number in one.unreadable_rows]
    more = one.unreadable - len(numbers)
    if more:
        return f"rows {', '.join(numbers)} and {more:,} more"
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    return f"rows {', '.join(numbers[:-1])} and {numbers[-1]}"


def _choice(name: str, value: Any, other: str) -> bool:
    """Read an argument that is ``stop`` or another word.

    :returns: whether it is the other.
    """
    said = str(value).strip().lower()
    if said not in ("stop", other):
        raise ValueError(f"{name} must be 'stop' or {other!r}, not {str(value)!r}.")
    return said == other
