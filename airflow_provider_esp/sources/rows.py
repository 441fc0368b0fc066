"""Rows that are in memory already."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.core.readers.null_words import check_null_values

if TYPE_CHECKING:
    from airflow_provider_esp.core.readers.table import Table


class ListSource:
    """Rows that are in memory already: a list of dictionaries, given in the DAG or through an XCom.

    They are people's addresses, so what Airflow stores and shows of them is only how many there are.

    :param rows: the dictionaries.
    :param null_values: words that mean that there is no value; None for the usual ones, `NULL_VALUES`.
    :raises ValueError: these are no words.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, null_values: Collection[str] | None = None) -> None:
        self.rows = rows
        self.null_values = check_null_values(null_values)

    def __repr__(self) -> str:
        return f"{len(self.rows)} rows"

    __str__ = __repr__

    @property
    def origin(self) -> str:
        """What messages call it."""
        return "the list of rows"

    def count(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @contextmanager
    def open(self, columns: Sequence[str] | None = None) -> Iterator[Table]:
        """Hand the rows out.

        :param columns: keys to expect; None for all that occur.
        """
        from airflow_provider_esp.core.readers.null_values import reading
        from airflow_provider_esp.core.readers.table import read_mappings

        with reading(self.null_values, self.origin) as nulls:
            yield nulls.applied_to(read_mappings(self.rows, self.origin, columns))
