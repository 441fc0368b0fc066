"""Who is left out of an audience, and how large it may be: the arguments `suppress`, `suppress_column` and
`max_recipients` of operators, from what an author writes to what the delivery of rows works with.

Addresses among them are people's: they are wrapped the moment they are assigned, so that Airflow stores and shows only
how many there are.
"""

from __future__ import annotations

import decimal
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_esp.operators._optout_sources import key_of, key_of_list, open_optouts
from airflow_provider_esp.operators._templating import number_of
from airflow_provider_esp.operators._written_lists import written_list
from airflow_provider_esp.sources import FileSource, ListSource, SqlSource, source_of
from airflow_provider_esp.utils.masking import WrappedAttribute, is_template, without_secrets
from airflow_provider_esp.version_compat import is_of_mapped_task

if TYPE_CHECKING:
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.validation.addresses import PhoneRules
    from airflow_provider_esp.core.validation.mapper import Mapper
    from airflow_provider_esp.core.validation.suppression import LeavesOut, OneList, Suppression
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._optout_limits import OptOutLimits
    from airflow_provider_esp.stores.optout_counts import OptOutCounts

UNSUBSCRIBED: Final = "unsubscribed"
"""What stands in ``suppress=`` for the service's own list of those who have unsubscribed."""

NOT_GIVEN: Final = object()
"""Stands for a ``suppress`` of which the author says nothing: a mapped task may be given None by another task."""

_GIVEN: Final = "the list in suppress="
_NOTHING: Final = frozenset(("none", "null", "nan", "nil", "undefined"))
"""What a template writes down where it has no value, in lower case."""
_ENDINGS: Final = frozenset(("csv", "tsv", "ndjson", "jsonl", "parquet", "pq", "txt", "gz", "gzip", "zst", "zstd"))
_PATH: Final = re.compile(r"(?!mailto:|tel:|sms:)(?:[A-Za-z][A-Za-z0-9+.-]*://|[~./]|[A-Za-z]:[\\/])").match


class GivenPeople:
    """Addresses and numbers that an author has written down.

    :param values: the addresses and numbers.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values

    def __repr__(self) -> str:
        return f"{len(self.values)} people"


class SuppressAttribute(WrappedAttribute):
    """An operator's ``suppress``, which wraps addresses the moment they are assigned, whichever way they came.

    What an XCom, a template or a task's mapping gives is a source of its own: if it gives nothing, that source is
    empty.
    """

    def __init__(self) -> None:
        super().__init__(_wrapped)

    def __set__(self, operator: Any, value: Any) -> None:
        before = getattr(operator, self._name, None)
        if value is NOT_GIVEN:
            value = None
        elif value is None and (before is not None or is_of_mapped_task(operator)):
            value = []
        elif is_template(before) and isinstance(before, list) and isinstance(value, list):
            value = [one for item in value for one in _rendered(item)]
        super().__set__(operator, value)


def read_suppression(
    given: Any,
    columns: str | Sequence[str] | None,
    hook: EspHook,
    segment: str | None,
    log: Any,
    *,
    rules: PhoneRules | None = None,
    limits: OptOutLimits | None = None,
    counts: OptOutCounts | None = None,
) -> tuple[Suppression, dict[str, Any]] | None:
    """Read everybody who is to be left out.

    :param given: the operator's ``suppress``, rendered.
    :param columns: the operator's ``suppress_column``.
    :param segment: where people are about to be added to; None where they are about to be written to.
    :param rules: how phone numbers are read.
    :param limits: what stops the task.
    :param counts: how many people each source named at the last success.
    :returns: who they are, and what the task's result says of them; None where nothing is said of it.
    :raises SourceError: something of it cannot be read, so nothing may be sent.
    :raises Unsupported: the service's own list is asked for, and it has none.
    """
    if given is None:
        return None
    from airflow_provider_esp.core.validation.suppression import Suppression
    from airflow_provider_esp.operators._optout_limits import OptOutLimits, check_amount, check_entries, check_total

    limits = limits or OptOutLimits()
    suppression = Suppression(rules)
    wanted = (columns,) if isinstance(columns, str) else columns
    people: dict[str, int] = {}
    for one in [item.strip() if isinstance(item, str) else item for item in _as_list(given)]:
        taken, key = _read(one, wanted, hook, segment, suppression)
        log.info("Left out: %s people whom %s names.", f"{taken.people:,}", taken.origin)
        if taken.blank:
            log.info("%s: %s entries are blank and are passed over.", taken.origin, f"{taken.blank:,}")
        if one != UNSUBSCRIBED:
            check_entries(taken, limits, log)
        if key is not None:
            key = next(name for number in count() if (name := f"{key}-{number}") not in people)
            check_amount(taken, limits, counts, key, log)
            people[key] = taken.people
    check_total(suppression, limits)
    return suppression, {
        "people": len(suppression),
        "blank": sum(taken.blank for taken in suppression.lists),
        "unreadable": sum(taken.unreadable for taken in suppression.lists),
        "sources": people,
    }


def check_recipients(
    source: Any,
    limit: int | str | None,
    make: Callable[[Table], Mapper[Any]],
    *,
    deduplicate: bool,
    suppression: LeavesOut | None,
) -> None:
    """Refuse an audience that is larger than its author thought, before anything is sent.

    A source with no more rows than that has no more recipients. Any other is opened and read for this alone, only as
    far as it takes: rows that cannot be sent, people who stand twice and those who are left out do not count.

    :param source: the operator's.
    :param limit: the operator's ``max_recipients``, rendered; None for any number.
    :param make: makes the mapper for the opened source.
    :param deduplicate: whether a person who stands twice is written to once.
    :raises TooManyRecipients: there are more.
    :raises ValueError: the limit is no number.
    """
    most = number_of("max_recipients", limit)
    if most is None:
        return
    from airflow_provider_esp.core.readers.table import looking_ahead
    from airflow_provider_esp.exceptions import TooManyRecipients

    rows = source_of(source)
    known = rows.count()
    if known is not None and known <= most:
        return
    with looking_ahead(), rows.open() as table:
        at = _row_beyond(most, table, make(table), deduplicate, suppression)
        if at is not None:
            of = "" if known is None else f" of {known:,} rows"
            raise TooManyRecipients(
                f"{table.origin} has more than {most:,} recipients, which max_recipients allows: row {at:,}{of} holds "
                "the next one. Nothing was sent. See to it that the audience is the one you meant, or raise "
                "max_recipients."
            )


def _row_beyond(
    most: int, table: Table, mapper: Mapper[Any], deduplicate: bool, suppression: LeavesOut | None
) -> int | None:
    """Find the row that holds one recipient too many; None where there is none."""
    from airflow_provider_esp.core.validation.key_set import CompactKeySet
    from airflow_provider_esp.core.validation.suppression import names_of

    met, recipients = CompactKeySet(), 0
    for number, row in enumerate(table.rows, 1):
        item = mapper(row)
        if isinstance(item, str) or (deduplicate and not met.add(mapper.key(item))):
            continue
        if suppression is not None and suppression.reason(names_of(item)):
            continue
        recipients += 1
        if recipients > most:
            return number
    return None


def _read(
    one: Any, columns: Sequence[str] | None, hook: EspHook, segment: str | None, suppression: Suppression
) -> tuple[OneList, str | None]:
    """Read one source.

    :returns: whom it names, and its key; no key for what may be empty: the service's own list, another task's result.
    """
    if isinstance(one, GivenPeople):
        return suppression.take_given(one.values, _GIVEN), key_of_list()
    if one == UNSUBSCRIBED:
        service = suppression.open(f"{hook.service.title}'s own list of unsubscribed people")
        hook.run(hook.adapter.unsubscribed(service.take, segment))
        return service, None
    if (isinstance(one, str) and one.strip()) or isinstance(one, FileSource | ListSource | SqlSource):
        source = source_of(one)
        with open_optouts(source, columns) as table:
            return suppression.take_rows(table, columns), None if isinstance(source, ResultFile) else key_of(source)
    raise TypeError(
        "suppress= takes addresses and numbers in a list, a path, a FileSource, a SqlSource, rows, or "
        f"{UNSUBSCRIBED!r}, or a list of these; not a {type(one).__name__}."
    )


def _wrapped(value: Any) -> Any:
    """Wrap personal data; sources, and what is still to be rendered, stay what they are."""
    values = _several(value)
    if values is None:
        return _wrapped_text(value) if isinstance(value, str) else _wrapped_one(value)
    kept: list[Any] = []
    people: list[Any] = []
    rows: list[Mapping[str, Any]] = []
    for item in values:
        if isinstance(item, Mapping) and _of_result(item) is None:
            rows.append(item)
        elif isinstance(item, GivenPeople | ListSource) or isinstance(_wrapped_one(item), FileSource | SqlSource):
            kept.append(_wrapped_one(item))
        elif _is_reference(item) or item == UNSUBSCRIBED:  # a path has a method `resolve` as well
            kept.append(item)
        elif _several(item) is not None:
            kept += _as_list(_wrapped(item))
        else:  # whatever it is: in a list, a path would have to be a FileSource
            people.append(item)
    if rows:
        kept.append(ListSource(rows))
    return [*kept, GivenPeople(people)] if people or not kept else kept


def _wrapped_text(value: str) -> Any:
    plain = value.strip()
    if not plain or plain.lower() in _NOTHING:
        return [GivenPeople([])]
    if not is_template(value) and plain != UNSUBSCRIBED and (items := written_list(plain, _is_source)) is not None:
        if items == [UNSUBSCRIBED]:
            return UNSUBSCRIBED
        if not _is_source(plain):
            return _wrapped([FileSource(one.strip()) if _is_file(one) else one for one in items])
    if _names_somebody(value):
        return GivenPeople([value])
    # Airflow stores and shows a text as it is, and this one may be signed or hold a login.
    is_secret = not is_template(value) and without_secrets(value) != value
    return FileSource(value) if is_secret else value


def _wrapped_one(value: Any) -> Any:
    match value:
        case os.PathLike():
            return FileSource(str(value))
        case Mapping():
            return _of_result(value) or ListSource([value])
        case int() | float() | decimal.Decimal() | bytes():
            return GivenPeople([value])
    return value


class ResultFile(FileSource):
    """A file that another task has written and counted: it may well be empty."""


def _of_result(value: Any) -> ResultFile | None:
    """Return the file that another task has written, where its result is given: a verification's, or an export's."""
    if isinstance(value, Mapping) and {"path", "format", "sha256"} <= value.keys() and isinstance(value["path"], str):
        return ResultFile(value["path"])
    return None


def _rendered(item: Any) -> list[Any]:
    """Wrap what an item of a list was rendered to: by itself it may be a path."""
    wrapped = _wrapped([] if item is None else item)
    if isinstance(wrapped, str) and wrapped.strip() != UNSUBSCRIBED and not is_template(wrapped):
        return [FileSource(wrapped)]
    return _as_list(wrapped)


def _is_reference(item: Any) -> bool:
    """Tell whether an item of a list is still to be rendered: an XCom, or text with a template."""
    return is_template(item) if isinstance(item, str) else hasattr(item, "resolve")


def _several(value: Any) -> list[Any] | None:
    """Return the items of what holds several: a list, a set, an XCom of mapped tasks, an array; None for others."""
    if isinstance(value, str | bytes | Mapping | GivenPeople) or hasattr(value, "resolve"):
        return None
    if isinstance(value, Sequence | AbstractSet | Iterator | ValuesView):
        return list(value)
    if hasattr(value, "tolist"):  # an array, or a column of a data frame
        items = value.tolist()
        return items if isinstance(items, list) else [items]
    return None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_source(item: str) -> bool:
    """Tell whether an item of a list names a source of people: the service's own list, or a file."""
    return item.lower() == UNSUBSCRIBED or _is_file(item)


def _is_file(item: Any) -> bool:
    """Tell whether an item of a list is the path of a file; an address with such an ending is somebody's."""
    if not isinstance(item, str) or item.strip()[:1] in ("[", "(", "{", "<") or "\n" in item.strip():
        return False
    plain = item.strip()
    if _PATH(plain) is not None:
        return "@" not in plain.rpartition("/")[2]
    return "@" not in plain and "." in plain and plain.lower().rpartition(".")[2] in _ENDINGS


def _names_somebody(value: str) -> bool:
    """Tell whether a text by itself is somebody's, and not a path: paths to buckets have an @ as well."""
    plain = value.strip()
    if is_template(plain) or plain == UNSUBSCRIBED:
        return False
    # A list that a template wrote down as text names people.
    if plain[:1] in ("[", "(", "{", "<", "'", '"', "\u201c") or "\n" in plain:
        return True
    last = plain.rpartition("/")[2].lower()
    if last.rpartition(".")[2] in _ENDINGS or _PATH(plain):
        return False
    if "/" in plain and "@" not in plain and any(map(str.isalpha, plain)):
        return False
    return any(sign in plain for sign in "@\uff20\ufe6b%&") or sum(map(str.isdecimal, plain)) * 2 > len(plain)
