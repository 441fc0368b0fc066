"""What carries out a plan: an upload for the rows that are sent, and then the removals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_esp.core.calls import Flow, Perform
from airflow_provider_esp.core.contact_columns import ContactColumns, FieldRule
from airflow_provider_esp.core.models import Import, Submitted
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_keys import RowKeys
from airflow_provider_esp.core.row_report import RowReport
from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.core.sync.comparing import Comparison
from airflow_provider_esp.core.sync.membership import Membership
from airflow_provider_esp.core.sync.removing import Removing
from airflow_provider_esp.core.sync.run import SyncRun
from airflow_provider_esp.core.sync.sending import Sending, SyncReport
from airflow_provider_esp.core.upload.run import Upload, UploadTarget
from airflow_provider_esp.core.validation.batch import Checker

PARKED: Final = "parked"
NOT_REMOVED: Final = "not removed"
_PART: Final = 1000


@dataclass
class Pipeline:
    """Carries out what a run has planned.

    :param target: where contacts go.
    :param membership: what takes people out of it.
    :param perform: carries out a flow; called from several threads.
    :param columns: names of the columns that are used, and of the key behind them if it is not one of these.
    :param checker: makes what checks the rows of a table.
    :param report: of the run.
    :param row_keys: by what the report names rows.
    :param origin: what messages call the source.
    :param check: called before anything leaves; raises where this run may not go on.
    """

    target: UploadTarget
    membership: Membership
    perform: Perform
    columns: tuple[str, ...]
    checker: Callable[[Table], Checker]
    report: SyncReport
    row_keys: RowKeys | None = None
    origin: str = "the source"
    check: Callable[[], None] = lambda: None
    concurrency: int = 4
    max_open_imports: int = 50
    poll_interval: float = 5.0
    keep_values: bool = False
    stop: Stop = field(default_factory=Stop)
    progress: Callable[[Upload], None] = lambda upload: None

    def send(self, run: SyncRun, comparison: Comparison) -> Upload:
        """Send what the plan says; imports may still be open afterwards, see `Upload.wait`.

        :raises EspError: a request failed for good; what is known by then is in the journal.
        :raises TaskStopped: the task is being ended.
        """
        mirrors = run.settings.rules.mode == "mirror"
        sending = Sending(
            run.state.key,
            None if run.dry else run.journal,
            run.plan.tasks(),
            comparison.values,
            self.membership.handles,
            mirrors,
            self.check,
        )
        self.report.sending = sending
        table = sending.table(self.columns, self.origin)
        upload = Upload(
            target=self.target,
            perform=self.perform,
            report=self.report,
            concurrency=self.concurrency,
            max_open_imports=self.max_open_imports,
            poll_interval=self.poll_interval,
            progress=self.progress,
            keep_values=self.keep_values,
            row_keys=self.row_keys,
            stop=self.stop,
            checkpoint=sending.checkpoint(),
        )
        upload.run(table, sending.checker(self.checker(table)))
        return upload

    def remove(self, run: SyncRun) -> Removing:
        """Take out who has left.

        :raises EspError: a request failed; the next run takes them out.
        :raises TaskStopped: the task is being ended.
        """
        refused: list[RowReport] = []
        removing = Removing(
            run.state.key,
            run.journal,
            self.membership,
            self.perform,
            check=self.check,
            refused=lambda name, reason: refused.append(RowReport(0, NOT_REMOVED, name, reason)),
            stop=self.stop,
        )
        try:
            removing.run(run.plan.removals())
        finally:
            self._tell("removal", refused)
        return removing

    def name_parked(self, run: SyncRun, comparison: Comparison) -> None:
        """Name in the report whose rows were refused too often and wait until they change."""
        parked: list[RowReport] = []
        for task in run.plan.parked():
            values = comparison.values(task.place)[: len(self.columns)]
            key = None if self.row_keys is None else self.row_keys(values)
            parked.append(
                RowReport(task.number, PARKED, key, f"refused {task.entry.tries} times: it waits for a change")
            )
            if len(parked) == _PART:
                self._tell("parked", parked)
                parked = []
        self._tell("parked", parked)

    def _tell(self, stage: str, rows: Sequence[RowReport]) -> None:
        if rows:
            self.report.sending = None  # these have the numbers of the source
            self.report.write(rows[0].row, "00", stage, rows)


class TakenAsSent:
    """Stands in for where contacts go: the source is taken for what was sent, and nothing leaves.

    :param target: where they would have gone.
    """

    def __init__(self, target: UploadTarget) -> None:
        self.batch_size = target.batch_size
        self.identity = target.identity
        self.names = target.names
        self.rules: dict[str, FieldRule] = dict(target.rules)

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        """Keep all together."""
        return [range(len(contacts))] if len(contacts) else []

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        """Say that they were taken."""
        yield from ()
        return Submitted()

    def import_state(self, import_id: str) -> Flow[Import]:
        """Refuse: nothing is imported.

        :raises NotImplementedError: always.
        """
        raise NotImplementedError
