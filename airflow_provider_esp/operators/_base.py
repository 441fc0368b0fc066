"""What the operators of this provider share: rows in, a hook in between, a table of outcomes out.

Nothing is imported here that a DAG file would pay for: the hook, the readers and the delivery come when a task runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.links import esp as links
from airflow_provider_esp.operators._dry_run import DryRunAttribute
from airflow_provider_esp.operators._optout_limits import ARGUMENTS
from airflow_provider_esp.operators._outcome_tables import main_reasons, outcome_table
from airflow_provider_esp.operators._report_folders import folder_of_this_task, open_report
from airflow_provider_esp.operators._suppressing import Suppressing
from airflow_provider_esp.operators._templating import switch_of
from airflow_provider_esp.sources import SourceAttribute, SqlSource, source_of
from airflow_provider_esp.utils.wait_limits import end_of_wait, until_after

if TYPE_CHECKING:
    from airflow_provider_esp.core.calls import Call, Flow
    from airflow_provider_esp.core.outcomes import Counts
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.row_keys import RowKeys
    from airflow_provider_esp.core.row_report import Report
    from airflow_provider_esp.core.simulation import Preview
    from airflow_provider_esp.core.validation.addresses import PhoneRules
    from airflow_provider_esp.core.validation.values import ValueRules
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._progress import Progress

T = TypeVar("T")

OnEmpty = Literal["skip", "fail", "continue"]

_LIST_THEM = "Give report_path= to list them."


class EspOperator(BaseOperator):
    """An operator that works for the account of a connection.

    :param esp_conn_id: the Airflow connection, of type ``esputnik`` or ``sendpulse``; its type says which service.
    """

    template_fields: Sequence[str] = ("esp_conn_id",)
    ui_color = "#e8f3ec"
    service_name = ""
    operator_extra_links = tuple(link() for link in links.ALL)
    ended_with: Any = None
    """What the work returned, for `assets.tells_outlets` and lineage."""

    def __init__(self, *, esp_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.esp_conn_id = esp_conn_id

    @property
    def metric_tags(self) -> dict[str, str]:
        """The tags of this task's metrics."""
        return {
            "service": self.service_name,
            "operator": self.task_type,
            "dag_id": self.dag_id,
            "task_id": self.task_id,
        }

    @property
    def stop(self) -> Stop:
        """What says that this try is being ended; made when it is first asked for, so that each try has its own."""
        stop: Stop = self.__dict__.setdefault("_esp_stop", Stop())
        return stop

    def on_kill(self) -> None:
        """Say that this try is being ended; the thread that does the work sees it, writes down how far it is, and ends.

        Airflow calls this in a signal handler: whatever waits for a lock or a socket has no place here.
        """
        self.stop.request()

    @contextmanager
    def hook(self) -> Iterator[EspHook]:
        """Lend the hook that belongs to the connection's type, and close its connections afterwards."""
        from airflow_provider_esp.hooks.esp import EspHook

        with EspHook.for_connection(self.esp_conn_id) as hook:
            self.service_name = hook.service.name
            hook.stop = self.stop
            yield hook

    def push_links(self, context: Any, hook: EspHook, kind: str, thing: object = None) -> None:
        """Leave this task's links for Airflow's UI; called again, it replaces them.

        :param kind: what the task is about: ``message``, ``import``, ``event`` or ``broadcast``.
        :param thing: its id or name at the service, if there is one yet.
        """
        about = links.About(kind, None if thing is None else str(thing))
        links.push_links(context, hook, about, getattr(self, "report_folder", None))

    def end_of_wait(self, timeout: float) -> float:
        """Return when a wait that begins now is over, in seconds since the epoch."""
        return end_of_wait(self, timeout)

    def defer_until(self, end: float, trigger: Any) -> None:
        """Leave the worker until the trigger fires; Airflow's own limit stands a little behind the trigger's."""
        self.defer(trigger=trigger, method_name="execute_complete", timeout=until_after(end))


class ChangingOperator(EspOperator):
    """An operator that changes something at the service, and can be run dry instead.

    A dry run reads, checks and counts, keeps back whatever would write, and shows the first such request with nobody
    recognisable in it. That is seen to in one place, whatever an operator does: the hook that `hook` lends refuses
    each call that is not a GET (`DryRunWrite`). An operator on top of this one

    - gives what writes to `change` instead of ``hook.run``: in a dry run that logs the request and gives None;
    - or, for many requests, gives their target to `DryUpload` or `DrySend` with `preview`;
    - writes no ledger where `is_dry`;
    - returns what it has to say through `told`.

    :param dry_run: whether to keep back what writes. Templated, so that a run's conf can say it.
    """

    template_fields: Sequence[str] = (*EspOperator.template_fields, "dry_run")
    dry_run: Any = DryRunAttribute()

    def __init__(self, *, dry_run: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dry_run = dry_run

    @property
    def is_dry(self) -> bool:
        """Whether this is a dry run.

        :raises ValueError: ``dry_run`` was rendered to something that says neither yes nor no.
        """
        return switch_of("dry_run", self.dry_run)

    @cached_property
    def preview(self) -> Preview:
        """What this dry run keeps back."""
        from airflow_provider_esp.core.simulation import Preview

        return Preview()

    @contextmanager
    def hook(self) -> Iterator[EspHook]:
        """Lend the hook that belongs to the connection's type; in a dry run it refuses whatever writes."""
        dry = self.is_dry
        with super().hook() as hook:
            hook.reads_only = dry
            yield hook

    def change(self, hook: EspHook, work: Call[T] | Flow[T]) -> T | None:
        """Carry out what changes something at the service.

        :returns: the answer; None in a dry run, which logs the request instead.
        """
        if not self.is_dry:
            return hook.run(work)
        hook.run(self.preview.of(work))
        self.log.info("%s", self.preview.shown())
        return None

    def told(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return what the task returns; of a dry run it says that it was one, and how many requests it kept back."""
        return {**summary, "dry_run": True, "requests_held_back": self.preview.requests} if self.is_dry else summary


class RowsOperator(Suppressing, ChangingOperator):
    """An operator that does something for each row of a source.

    :param source: a path, a `FileSource`, a `SqlSource`, or a list of dictionaries (also through an XCom).
    :param report_path: a folder, at anything `ObjectStoragePath` takes, for the rows that are not accepted. Any number
        of tasks and runs may share it: each task instance writes into ``<dag_id>/<run_id>/<task_id>`` below it, with
        the map index and the loop's iteration where there are any. Templated.
    :param report_rows: whether the report holds the rows themselves, not only number, key and reason.
    :param max_rejects: rows that may be refused (rejected or invalid) before the task fails: a number, or a share
        such as ``"1%"``. Whatever it says, everything is tried first.
    :param on_empty: what to do about a source without rows: ``skip`` the task (the default), ``fail`` it, or
        ``go_on`` with nothing.
    :param suppress: people who are left out: addresses and phone numbers in a list, a path, a source, rows, the word
        ``unsubscribed`` for the service's own list, the result of a `VerifyContactsOperator` or an export, or several
        of these in a list. They are read before anything is sent, at every try anew, and count as *suppressed*.
        Templated.
    :param suppress_column: the column, or columns, of these sources that name people; None for those whose names say
        so (``email``, ``phone``, ``external_id``, ``E-Mail Address``, ``mobile``), or else those that hold addresses.
    :param on_unreadable_suppression: what to do about entries of ``suppress`` that name nobody: ``stop`` the task
        before anything is sent (the default), or ``ignore`` them and count them in the result. Templated.
    :param on_empty_suppression: what to do about a source of ``suppress`` without entries: ``stop`` the task, or
        ``continue``. Templated.
    :param max_suppression_shrink: the share of its people, such as 0.2 or ``"20%"``, that a source may have lost since
        this task last succeeded; more stop the task. None for any. Templated.
    :param min_suppressed: stop the task where ``suppress`` names fewer people than this in all. Templated.
    :param default_country: two letters, e.g. ``UA``: phone numbers without plus are read as numbers of that country,
        with its code or without. None for what the connection says. Templated.
    :param phone_format: ``international`` where every phone number carries its country's code, with plus or without.
        None for what the connection says. Templated.
    :param clean_text: whether control and invisible characters are removed from texts, which are counted; otherwise a
        row that may not hold them is invalid. Templated.
    """

    template_fields: Sequence[str] = (
        *ChangingOperator.template_fields,
        "source",
        "report_path",
        "max_rejects",
        "suppress",
        *ARGUMENTS,
        "default_country",
        "phone_format",
        "clean_text",
    )
    template_ext: Sequence[str] = (".sql",)
    source = SourceAttribute()
    progress: Progress | None = None

    def __init__(
        self,
        *,
        source: Any = None,
        report_path: str | None = None,
        report_rows: bool = False,
        max_rejects: int | str = 0,
        on_empty: OnEmpty = "skip",
        suppress: Any = None,
        suppress_column: str | Sequence[str] | None = None,
        on_unreadable_suppression: str = "stop",
        on_empty_suppression: str = "stop",
        max_suppression_shrink: float | str | None = 0.2,
        min_suppressed: int | str | None = None,
        default_country: str | None = None,
        phone_format: str | None = None,
        clean_text: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_empty not in ("skip", "fail", "continue"):
            raise ValueError(f"on_empty must be 'skip', 'fail' or 'go_on', not {on_empty!r}.")
        self.source = source
        self.report_path = report_path
        self.report_rows = report_rows
        self.max_rejects = max_rejects
        self.on_empty = on_empty
        self.suppress = suppress
        self.suppress_column = suppress_column
        self.on_unreadable_suppression = on_unreadable_suppression
        self.on_empty_suppression = on_empty_suppression
        self.max_suppression_shrink = max_suppression_shrink
        self.min_suppressed = min_suppressed
        self.check_suppression()
        self.default_country = default_country
        self.phone_format = phone_format
        self.clean_text = clean_text

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

    @property
    def report_folder(self) -> str | None:
        """The folder of this task instance's report below ``report_path``; None without a report."""
        return folder_of_this_task(self.report_path, dry_run=self.is_dry)

    def report(self, *, trial: bool = True) -> Report:
        """Open the report of this task instance; a dry run's begins empty.

        :param trial: whether to find out with a real write, before anything leaves, that it can be written.
        :raises StorageUnwritable: it cannot.
        """
        return open_report(
            self.report_folder, self.report_path, dry_run=self.is_dry, trial=trial, stopped=self._is_stopped
        )

    def _is_stopped(self) -> bool:
        return self.stop.requested

    def row_keys(self, table: Table, identity: Sequence[str]) -> RowKeys:
        """Return by what the report names rows: the source's ``key=``, or the address as it stands there.

        :param identity: columns that tell whose a row is, the ones that decide first.
        """
        from airflow_provider_esp.core.row_keys import RowKeys

        return RowKeys(table.columns, getattr(self.source, "key", None), identity)

    def phone_rules(self, hook: EspHook) -> PhoneRules:
        """Return how phone numbers are read, in the rows and in ``suppress``.

        :raises ValueError: an argument names no country or format, or both are given.
        """
        from airflow_provider_esp.operators._values import phone_rules

        return phone_rules(self.default_country, self.phone_format, hook.settings)

    def value_rules(self, hook: EspHook) -> ValueRules:
        """Return how the values of rows are read; it counts what the author should know of them.

        :raises ValueError: an argument cannot be read.
        """
        from airflow_provider_esp.core.validation.values import ValueRules

        zone = getattr(hook.settings, "timezone", None)
        return ValueRules(self.phone_rules(hook), zone, switch_of("clean_text", self.clean_text))

    def begin_progress(self, *, reads: bool = True) -> Progress:
        """Begin to tell how far this try is; `conclude` ends it.

        :param reads: whether the source is about to be read, and can be asked how many rows it has.
        """
        from airflow_provider_esp.operators._progress import Progress

        total = source_of(self.source).count() if reads and self.source is not None else None
        self.progress = Progress(self.log, self.metric_tags, total, quiet=self.is_dry)
        return self.progress

    def conclude(self, counts: Counts, report: Report) -> None:
        """Log the table of outcomes, and fail if too many rows were refused.

        :raises TooManyRejects: more than ``max_rejects`` allows.
        """
        self.show_outcomes(counts, report)
        self.check_rejects(counts, main_reasons(report))

    def show_outcomes(self, counts: Counts, report: Report) -> None:
        """Log the table of outcomes, and of a dry run what it kept back."""
        self.log.info("%s", outcome_table(counts, report, self.report_folder))
        if self.progress is not None:
            self.progress.count(counts)
        if self.is_dry:
            self.log.info("%s", self.preview.shown())

    def check_rejects(self, counts: Counts, reasons: str, advice: str = "") -> None:
        """Fail if too many rows were refused.

        :param reasons: why, as `main_reasons` has it.
        :param advice: what to do next.
        :raises TooManyRejects: more than ``max_rejects`` allows.
        """
        from airflow_provider_esp.core.outcomes import Outcome, allowed_rejects
        from airflow_provider_esp.exceptions import TooManyRejects

        if counts.refused > allowed_rejects(self.max_rejects, counts.rows):
            where = f"They are listed in {self.report_folder}." if self.report_folder else _LIST_THEM
            others = " The others went through." if counts[Outcome.ACCEPTED] else ""
            raise TooManyRejects(
                f"{counts.refused:,} of {counts.rows:,} rows were refused and max_rejects allows {self.max_rejects}: "
                f"{reasons}. {where}{others}{advice}"
            )

    def summary(self, counts: Counts) -> dict[str, Any]:
        """Return what the task returns: small, and no row in it."""
        told: dict[str, Any] = {"rows": counts.rows, **counts.as_dict(), "report_path": self.report_folder}
        if self.suppression_counts is not None:
            told["suppression"] = self.suppression_counts
        return self.told(told)
