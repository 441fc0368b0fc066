"""Who is left out of an audience, and how large it may be: the arguments `suppress`, `suppress_column` and
`max_recipients` of operators, from what an author writes to what the delivery of rows works with.

Addresses among them are people's: they are wrapped the moment they are assigned, so that Airflow stores and shows only
how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_esp.personal import is_open
from airflow_provider_esp.sources import FileSource, ListSource, SqlSource, source_of

if TYPE_CHECKING:
    from airflow_provider_esp.delivery.mapping import Mapper
    from airflow_provider_esp.delivery.rows import Table
    from airflow_provider_esp.delivery.suppression import OneList, Suppression
    from airflow_provider_esp.hooks.base import EspHook

UNSUBSCRIBED: Final = "unsubscribed"
"""What stands in ``suppress=`` for the service's own list of those who have unsubscribed."""

_GIVEN = "the list in suppress="


class GivenPeople:
    """Addresses and numbers that an author has written down.

    :param values: the addresses and numbers.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values

    def __repr__(self) -> str:
        return f"{len(self.values)} people"


class SuppressAttribute:
    """An operator's ``suppress``, which wraps addresses the moment they are assigned, whichever way they came."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, operator: Any, owner: type | None = None) -> Any:
        return self if operator is None else getattr(operator, self._name)

    def __set__(self, operator: Any, value: Any) -> None:
        setattr(operator, self._name, _wrapped(value))


def read_suppression(
    given: Any, columns: str | Sequence[str] | None, hook: EspHook, segment: str | None, log: Any
) -> Suppression | None:
    """Read everybody who is to be left out.

    :param given: the operator's ``suppress``, rendered.
    :param columns: the operator's ``suppress_column``.
    :param segment: where people are about to be added to; None where they are about to be written to.
    :returns: None where nothing is said of it.
    :raises SourceError: something of it cannot be read, so nothing may be sent.
    :raises Unsupported: the service's own list is asked for, and it has none.
    """
    if given is None:
        return None
    from airflow_provider_esp.delivery.suppression import Suppression

    suppression = Suppression()
    wanted = (columns,) if isinstance(columns, str) else columns
    for one in given if isinstance(given, list | tuple) else [given]:
        taken = _read(one, wanted, hook, segment, suppression)
        log.info("Left out: %s people whom %s names.", f"{taken.people:,}", taken.origin)
        if taken.odd:
            log.warning(
                "%s values in %s are neither an address nor a number: they leave out only who has one of them as id.",
                f"{taken.odd:,}",
                taken.origin,
            )
    return suppression


def check_recipients(
    source: Any,
    limit: int | str | None,
    make: Callable[[Table], Mapper[Any]],
    *,
    once_each: bool,
    suppression: Suppression | None,
) -> None:
    """Refuse an audience that is larger than its author thought, before anything is sent.

    A source with no more rows than that has no more recipients. Any other is opened and read for this alone, only as
    far as it takes: rows that cannot be sent, people who stand twice and those who are left out do not count.

    :param source: the operator's.
    :param limit: the operator's ``max_recipients``, rendered; None for any number.
    :param make: makes the mapper for the opened source.
    :param once_each: whether a person who stands twice is written to once.
    :raises TooManyRecipients: there are more.
    :raises ValueError: the limit is no number.
    """
    most = number_of("max_recipients", limit)
    if most is None:
        return
    from airflow_provider_esp.delivery.errors import TooManyRecipients
    from airflow_provider_esp.delivery.rows import looking_ahead

    rows = source_of(source)
    known = rows.count()
    if known is not None and known <= most:
        return
    with looking_ahead(), rows.open() as table:
        at = _row_beyond(most, table, make(table), once_each, suppression)
        if at is not None:
            of = "" if known is None else f" of {known:,} rows"
            raise TooManyRecipients(
                f"{table.origin} has more than {most:,} recipients, which max_recipients allows: row {at:,}{of} holds "
                "the next one. Nothing was sent. See to it that the audience is the one you meant, or raise "
                "max_recipients."
            )


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


def _row_beyond(
    most: int, table: Table, mapper: Mapper[Any], once_each: bool, suppression: Suppression | None
) -> int | None:
    """Find the row that holds one recipient too many; None where there is none."""
    from airflow_provider_esp.delivery.people import People
    from airflow_provider_esp.delivery.suppression import names_of

    met, recipients = People(), 0
    for number, row in enumerate(table.rows, 1):
        item = mapper(row)
        if isinstance(item, str) or (once_each and not met.add(mapper.key(item))):
            continue
        if suppression is not None and suppression.reason(names_of(item)):
            continue
        recipients += 1
        if recipients > most:
            return number
    return None


def _read(
    one: Any, columns: Sequence[str] | None, hook: EspHook, segment: str | None, suppression: Suppression
) -> OneList:
    if isinstance(one, GivenPeople):
        return suppression.take_given(one.values, _GIVEN)
    if isinstance(one, str) and one.strip() == UNSUBSCRIBED:
        service = suppression.open(f"{hook.service.title}'s own list of unsubscribed people")
        hook.run(hook.unsubscribed(service.take, segment))
        return service
    if (isinstance(one, str) and one.strip()) or isinstance(one, FileSource | ListSource | SqlSource):
        with source_of(one).open(columns) as table:
            return suppression.take_rows(table, columns)
    raise TypeError(
        "suppress= takes addresses and numbers in a list, a path, a FileSource, a SqlSource, rows, or "
        f"{UNSUBSCRIBED!r}, or a list of these; not a {type(one).__name__}{' without text' if one == '' else ''}."
    )


def _wrapped(value: Any) -> Any:
    """Put what is people's into wrappers; sources, and what is still to be rendered, stay what they are."""
    if isinstance(value, str):
        return GivenPeople([value]) if _names_somebody(value) else value
    if (path := _path_of_result(value)) is not None:
        return FileSource(path)
    if not isinstance(value, list | tuple | set | frozenset):
        return value
    kept: list[Any] = []
    people: list[Any] = []
    rows: list[Mapping[str, Any]] = []
    for item in _flat(value):
        if (path := _path_of_result(item)) is not None:
            kept.append(FileSource(path))
        elif isinstance(item, Mapping):
            rows.append(item)
        elif isinstance(item, GivenPeople):
            people += item.values
        elif isinstance(item, FileSource | ListSource | SqlSource) or is_open(item) or item == UNSUBSCRIBED:
            kept.append(item)
        else:  # whatever it is: in a list, a path would have to be a FileSource
            people.append(item)
    if rows:
        kept.append(ListSource(rows))
    return [*kept, GivenPeople(people)] if people else kept


def _path_of_result(value: Any) -> str | None:
    """Return the file that another task has written, where its result is given: a verification's, or an export's."""
    if isinstance(value, Mapping) and {"path", "format", "sha256"} <= value.keys() and isinstance(value["path"], str):
        return value["path"]
    return None


def _flat(value: Any) -> Iterator[Any]:
    for item in value:
        if isinstance(item, list | tuple | set | frozenset):
            yield from _flat(item)
        else:
            yield item


def _names_somebody(value: str) -> bool:
    """Tell whether a text by itself is somebody's, and not a path: paths to buckets have an @ as well."""
    plain = value.strip()
    if is_open(plain):
        return False
    # A list that a template wrote down as text cannot be read, but it names people all the same.
    is_list = plain[:1] in ("[", "(", "{")
    return is_list or ("@" in plain and "/" not in plain) or plain.strip("+ ()-.").isdigit()
