"""What a send's ledger remembers of its source, so that another source under the same map index is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_esp.sources import ListSource, Source
from airflow_provider_esp.sources.sql import SqlSource
from airflow_provider_esp.utils.masking import without_secrets

if TYPE_CHECKING:
    from airflow_provider_esp.core.source_mark import SourceMark


def source_mark(source: Source) -> SourceMark:
    """Mark a source by its path, by its query, parameters and key, or by its rows.

    :param source: as it was rendered.
    """
    from airflow_provider_esp.core.readers.table import looking_ahead
    from airflow_provider_esp.core.source_mark import mark_of_place, mark_of_rows

    if isinstance(source, SqlSource):
        return mark_of_place(source.origin, "query", source.conn_id, source.sql, source.parameters, source.key)
    if isinstance(source, ListSource):
        with looking_ahead(), source.open() as table:
            return mark_of_rows(f"a list of {len(source.rows):,} rows", table.rows)
    path = without_secrets(source.path)  # the signature of a signed address is another one at each try
    return mark_of_place(path, "file", path)
