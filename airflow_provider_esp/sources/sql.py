"""Rows out of a database that Airflow has a connection to.

Nothing is opened and nothing heavy is imported until a task runs: a `SqlSource` lives in a DAG file, which Airflow
parses every half minute.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.core.readers.null_words import check_null_values
from airflow_provider_esp.utils.task_identity import current_task_identity

if TYPE_CHECKING:
    from airflow_provider_esp.core.readers.table import Table

log = logging.getLogger(__name__)


class SqlSource:
    """Rows of a query, read as they are needed: a million rows take the memory of a few thousand cells.

    Any connection whose hook is a `DbApiHook` will do. PostgreSQL is read through a named cursor on the server, MySQL
    through one that does not buffer. While the rows are read the query stands open; where the service is slow and the
    database should not wait, or where every retry must see the same rows, ``spool_path`` copies them first.

    :param conn_id: the database's Airflow connection. Templated.
    :param sql: one SELECT, or the name of a file that ends in ``.sql``. Templated.
    :param parameters: for the driver's own placeholders: a list, a tuple or a dictionary. Templated.
    :param key: a column that stands for each row and has every value once. The query is ordered by it and its
        uniqueness is checked while reading. Sends need it: without a fixed order no retry can tell what was sent.
    :param spool_path: a folder, at anything `ObjectStoragePath` takes. The rows are copied there before the first is
        handed out, into a folder of this task instance and query, and a retry reads them from there. They are
        people's data: nobody else should see that folder. Templated.
    :param spool: whether to copy; None for whether there is a ``spool_path``.
    :param null_values: words that mean that there is no value; None for the usual ones, `NULL_VALUES`.
    :raises ValueError: spool is asked for without a path, or `null_values` are no words.
    """

    template_fields: Sequence[str] = ("conn_id", "sql", "parameters", "spool_path")

    def __init__(
        self,
        conn_id: str,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        spool_path: str | None = None,
        spool: bool | None = None,
        null_values: Collection[str] | None = None,
    ) -> None:
        if spool and not spool_path:
            raise ValueError("spool=True needs a folder for the copy: give spool_path= as well.")
        self.conn_id = conn_id
        self.sql = sql
        self.parameters = parameters
        self.key = key
        self.spool_path = spool_path
        self.spool = bool(spool_path) if spool is None else spool
        self.null_values = check_null_values(null_values)

    def __repr__(self) -> str:
        return f"SqlSource({self.conn_id!r}, key={self.key!r})"  # Airflow shows it, and SQL and parameters name people

    @property
    def origin(self) -> str:
        """What messages call it."""
        return f"the query on {self.conn_id!r}"

    def count(self) -> int | None:
        """Return the number of rows where it is known without counting them: after they were copied. Else None."""
        from airflow_provider_esp.core.readers.spool import find

        kept = find(self._folder()) if self.spool else None
        return kept.rows if kept else None

    @contextmanager
    def open(self, columns: Sequence[str] | None = None) -> Iterator[Table]:
        """Carry the query out and hand its rows out; the database session ends when the context is left.

        With a spool, it ends before the first row is handed out, and where the rows were copied by an earlier try no
        session is begun.

        :param columns: not needed here: a query names its columns itself.
        :raises SourceInterrupted: the database went away; the next try may go well.
        :raises SourceError: the connection is not a database's, the database refuses the query, or the copy is damaged.
        :raises ColumnError: the key is not a column or not unique, or a name stands twice.
        """
        from airflow_provider_esp.core.readers.null_values import reading

        with self._rows() as table, reading(self.null_values, self.origin) as nulls:
            yield nulls.applied_to(table)

    @contextmanager
    def _rows(self) -> Iterator[Table]:
        """Lend the rows as the database has them, out of the copy where there is to be one."""
        if not self.spool:
            with self._query() as table:
                yield table
            return
        from airflow_provider_esp.core.readers import spool

        folder = self._folder()
        kept = spool.find(folder)
        if kept is None:
            with self._query() as table:
                kept = spool.copy(table, folder)
            log.info("%s: %s rows copied to %s; its session is closed.", self.origin, f"{kept.rows:,}", folder)
        else:
            when = kept.at.isoformat(timespec="seconds")
            log.info("%s: reading the %s rows that this task copied at %s.", self.origin, f"{kept.rows:,}", when)
        yield spool.read(kept, folder, self.origin)

    def discard(self) -> None:
        """Remove the copy of the rows, once the task that needed it has succeeded; nothing without a spool.

        Where that fails the work is done all the same: a warning names the folder to remove.
        """
        if not self.spool:
            return
        from airflow_provider_esp.core.patience import reason_of
        from airflow_provider_esp.core.readers.spool import discard

        folder = self._folder()
        try:
            discard(folder)
        except Exception as error:  # noqa: BLE001  # stores have errors of their own
            log.warning("The copy of the rows in %s is done with, but cannot be removed: %s.", folder, reason_of(error))

    @contextmanager
    def _query(self) -> Iterator[Table]:
        from airflow_provider_esp.core.readers.sql.query import run_query
        from airflow_provider_esp.exceptions import SourceError
        from airflow_provider_esp.utils.redaction import redact

        if not isinstance(self.sql, str):
            raise SourceError(f"{self.origin}: sql= takes one SELECT as text, not a {type(self.sql).__name__}.")
        log.info("%s: %s", self.origin, redact(self.sql))
        with run_query(self._connect(), self.sql, self.parameters, self.key, self.origin) as table:
            yield table

    def _connect(self) -> Any:
        from airflow.providers.common.compat.sdk import BaseHook
        from airflow.providers.common.sql.hooks.sql import DbApiHook

        from airflow_provider_esp.core.readers.sql.cursor import raise_failure
        from airflow_provider_esp.exceptions import SourceError

        hook = BaseHook.get_hook(self.conn_id)
        if not isinstance(hook, DbApiHook):
            raise SourceError(
                f"{self.origin}: that connection is read through {type(hook).__name__}, which is not a DbApiHook; name "
                "a database's connection in conn_id=."
            )
        try:
            return hook.get_conn()
        except Exception as error:
            if not {"DatabaseError", "InterfaceError"} & {kind.__name__ for kind in type(error).__mro__}:
                raise  # Airflow's own: a driver that is not installed, a setting it does not know
            advice = "Check the connection's host, login and password, and that this worker reaches the database."
            raise_failure(error, f"{self.origin}: no session", lasting=advice, passing=advice)

    def _folder(self) -> Any:
        """Return the folder of this task instance and query below the author's: no other may read these rows."""
        import hashlib

        import msgspec

        from airflow_provider_esp.utils.paths import private_path

        identity = current_task_identity()
        about = (identity.key if identity else "", self.conn_id, self.sql, self.parameters, self.key)
        digest = hashlib.blake2b(msgspec.json.encode(about, enc_hook=repr), digest_size=12)
        return private_path(str(self.spool_path), "spool_path") / digest.hexdigest()
