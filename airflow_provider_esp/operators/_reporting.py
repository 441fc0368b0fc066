"""What operators share that account for what they upload or send: outcomes, a report, people who are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_esp.operators._base import ChangingOperator
from airflow_provider_esp.operators._optout_limits import ARGUMENTS
from airflow_provider_esp.operators._outcome_tables import main_reasons, outcome_table
from airflow_provider_esp.operators._report_folders import folder_of_this_task, open_report
from airflow_provider_esp.operators._suppressing import Suppressing
from airflow_provider_esp.operators._suppression import NOT_GIVEN
from airflow_provider_esp.operators._templating import switch_of
from airflow_provider_esp.stores.run_records import record_of

if TYPE_CHECKING:
    from airflow_provider_esp.core.outcomes import Counts
    from airflow_provider_esp.core.row_report import Report
    from airflow_provider_esp.core.validation.addresses import PhoneRules
    from airflow_provider_esp.core.validation.values import ValueRules
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import ChangingArguments
    from airflow_provider_esp.operators._progress import Progress

_MOST_REASONS_NOTED, _LONGEST_REASON = 20, 200
_LIST_THEM = "Give report_path= to list them."


class ReportingOperator(Suppressing, ChangingOperator):
    """An operator that says what became of each row, or of the one event, that it is given.

    :param report_path: a folder, at anything `ObjectStoragePath` takes, for the rows that are not accepted. Any number
        of tasks and runs may share it: each task instance writes into ``<dag_id>/<run_id>/<task_id>`` below it, with
        the map index and the loop's iteration where there are any. Templated.
    :param suppress: people who are left out: addresses and phone numbers in a list, a path, a source, rows, the word
        ``unsubscribed`` for the service's own list, the result of a `VerifyContactsOperator` or an export, or several
        of these in a list. They are read before anything is sent, at every try anew, and count as *suppressed*.
        What a template, an XCom or a mapping gives may not be nothing, see ``on_empty_suppression``. Templated.
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
        "report_path",
        "suppress",
        *ARGUMENTS,
        "default_country",
        "phone_format",
        "clean_text",
    )
    progress: Progress | None = None
    report_rows: bool = False
    max_rejects: int | str = 0

    def __init__(
        self,
        *,
        report_path: str | None = None,
        suppress: Any = NOT_GIVEN,
        suppress_column: str | Sequence[str] | None = None,
        on_unreadable_suppression: str = "stop",
        on_empty_suppression: str = "stop",
        max_suppression_shrink: float | str | None = 0.2,
        min_suppressed: int | str | None = None,
        default_country: str | None = None,
        phone_format: str | None = None,
        clean_text: bool | str = False,
        **kwargs: Unpack[ChangingArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.report_path = report_path
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

    def discard_copy(self) -> None:
        """Remove what this operator has copied of its rows, now that everything is done with them; here nothing."""

    def count_rows(self) -> int | None:
        """Count what is about to be read; None where that is not known."""
        return None

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

        total = self.count_rows() if reads else None
        self.progress = Progress(self.log, self.metric_tags, total, quiet=self.is_dry, record=record_of(self))
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
        self.note_outcomes(counts, report)
        if self.progress is not None:
            self.progress.count(counts)
        if self.is_dry:
            self.log.info("%s", self.preview.shown())

    def note_outcomes(self, counts: Counts, report: Report) -> None:
        """Leave the outcomes for the page in Airflow: counts, the most frequent reasons, where the rows are."""
        reasons, more, others = report.first_reasons(_MOST_REASONS_NOTED)
        self.note(
            soon=False,
            counts=counts.as_dict(),
            reasons=[[reason[:_LONGEST_REASON], rows] for reason, rows in reasons],
            other_reasons=[more, others] if more else None,
            report=self.report_folder,
        )

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
