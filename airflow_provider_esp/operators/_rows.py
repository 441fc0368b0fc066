"""What operators share that do something for each row of a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Unpack

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_esp.operators._reporting import ReportingOperator
from airflow_provider_esp.sources import SourceAttribute, SqlSource, source_of

if TYPE_CHECKING:
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.row_keys import RowKeys
    from airflow_provider_esp.operators._arguments import ReportingArguments

OnEmpty = Literal["skip", "fail", "continue"]


class RowsOperator(ReportingOperator):
    """An operator that does something for each row of a source.

    :param source: a path, a `FileSource`, a `SqlSource`, or a list of dictionaries (also through an XCom). Templated.
    :param report_rows: whether the report holds the rows themselves, not only number, key and reason.
    :param max_rejects: rows that may be refused (rejected or invalid) before the task fails: a number, or a share
        such as ``"1%"``. Whatever it says, everything is tried first.
    :param on_empty: what to do about a source without rows: ``skip`` the task (the default), ``fail`` it, or
        ``continue`` with nothing.
    """

    template_fields: Sequence[str] = (*ReportingOperator.template_fields, "source", "max_rejects")
    template_ext: Sequence[str] = (".sql",)
    source = SourceAttribute()

    def __init__(
        self,
        *,
        source: Any,
        report_rows: bool = False,
        max_rejects: int | str = 0,
        on_empty: OnEmpty = "skip",
        **kwargs: Unpack[ReportingArguments],
    ) -> None:
        super().__init__(**kwargs)
        if on_empty not in ("skip", "fail", "continue"):
            raise ValueError(f"on_empty must be 'skip', 'fail' or 'continue', not {on_empty!r}.")
        self.source = source
        self.report_rows = report_rows
        self.max_rejects = max_rejects
        self.on_empty = on_empty

    @contextmanager
    def rows(self, columns: Sequence[str] | None = None) -> Iterator[Table]:
        """Open the source, and deal with one that has no rows.

        :param columns: keys to expect where the rows have no header.
        :raises AirflowSkipException: there are no rows, and ``on_empty`` is skip.
        :raises EmptySource: there are no rows, and ``on_empty`` is fail.
        :raises ValueError: ``max_rejects`` is neither a number nor a share.
        """
        from airflow_provider_esp.exceptions import EmptySource

        self.check_max_rejects()

        with source_of(self.source).open(columns) as table:
            empty = table.is_empty()
            if empty and self.on_empty == "skip":
                raise AirflowSkipException(f"{table.origin} has no rows, so there is nothing to do (on_empty='skip').")
            if empty and self.on_empty == "fail":
                raise EmptySource(f"{table.origin} has no rows.")
            yield table

    def check_max_rejects(self) -> None:
        """Find out that ``max_rejects`` cannot be read before anything is sent, not after.

        :raises ValueError: it is neither a number nor a share.
        """
        from airflow_provider_esp.core.outcomes import allowed_rejects

        allowed_rejects(self.max_rejects, 0)

    def discard_copy(self) -> None:
        """Remove the copy that a `SqlSource` made of its rows, now that everything is done with them."""
        if isinstance(self.source, SqlSource):
            self.source.discard()

    def count_rows(self) -> int | None:
        """Count the source's rows; None where it does not know them before it is read."""
        return None if self.source is None else source_of(self.source).count()

    def row_keys(self, table: Table, identity: Sequence[str]) -> RowKeys:
        """Return by what the report names rows: the source's ``key=``, or the address as it stands there.

        :param identity: columns that tell whose a row is, the ones that decide first.
        """
        from airflow_provider_esp.core.row_keys import RowKeys

        return RowKeys(table.columns, getattr(self.source, "key", None), identity)
