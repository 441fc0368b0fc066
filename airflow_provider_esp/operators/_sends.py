"""What sends of messages and of events have in common: at most once, whatever happens to the task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, cast

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_esp.operators._outcome_tables import outcome_table
from airflow_provider_esp.operators._reporting import ReportingOperator
from airflow_provider_esp.operators._rows import RowsOperator
from airflow_provider_esp.operators._send_keys import check_send_key, held_key, key_of, leaving_out
from airflow_provider_esp.operators._send_policy import TIMING_FIELDS, TimedSendOperator
from airflow_provider_esp.operators._source_marks import source_mark
from airflow_provider_esp.operators._suppression import check_recipients
from airflow_provider_esp.operators._templating import switch_of
from airflow_provider_esp.sources import SqlSource, source_of
from airflow_provider_esp.utils.masking import is_template
from airflow_provider_esp.utils.task_identity import task_identity

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.ledger import Ledger
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.row_keys import RowKeys
    from airflow_provider_esp.core.send.run import OnUnknown, SendRun, SendTarget
    from airflow_provider_esp.core.send.send_key import SendKey
    from airflow_provider_esp.core.send.sent_lookup import LookUp
    from airflow_provider_esp.core.source_mark import SourceMark
    from airflow_provider_esp.core.validation.mapper import Mapper
    from airflow_provider_esp.core.validation.suppression import LeavesOut
    from airflow_provider_esp.core.validation.values import ValueRules
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import AtMostOnceRowsArguments, TimedReportingArguments

Item = TypeVar("Item")

_LEDGER_FIELDS = ("on_unknown", "resend", "ledger_path", "send_key", "sent_path")


class AtMostOnceOperator(TimedSendOperator, ReportingOperator):
    """An operator whose work may not be done twice, nor too late; for the latter see `TimedSendOperator`.

    A ledger (the task's state since Airflow 3.3, a Variable before, or a file) says which rows are behind it. A retry
    goes on after them; rows with unknown outcome stop the task.

    :param on_unknown: what to do about rows whose outcome is unknown: ``stop`` the task for good (default), ``skip``
        them, ``resend`` them at the next try, which Airflow's ``retries`` may make, or ``lookup`` whether the service
        shows them as sent (messages of eSputnik), and stop where it does not. Templated, so that a run's conf can say
        it after a stop.
    :param resend: send again although this task instance has sent before (it was cleared). Templated, so that a
        Variable can say it.
    :param ledger_path: a file for the ledger, on a disk that every worker sees, instead of Airflow's own store.
        Templated; it must differ by run.
    :param send_key: everything that is sent under one key, by whichever tasks, runs and map indexes, reaches a person
        once; who was reached before counts as *suppressed*. None for what a run has reached itself. Templated.
    :param sent_path: the folder in which it is kept who was reached under ``send_key``, on a disk that every worker
        sees or at anything `ObjectStoragePath` takes. Templated.
    :param sent_retention: how long Airflow remembers a finished send; a task that is cleared later sends again.
        A file at ``ledger_path`` stays. Also for how long a person counts as reached under ``send_key``.
    :param ledger_patience: how long the ledger may refuse to be written, in seconds or as a `timedelta`: while the API
        server or the disk is away, nothing leaves and saving is tried again.
    """

    template_fields: Sequence[str] = (*ReportingOperator.template_fields, *TIMING_FIELDS, *_LEDGER_FIELDS)
    concurrency: int = 1
    values: ValueRules | None = None
    """How this run reads values, once it has begun."""

    def __init__(
        self,
        *,
        on_unknown: Literal["stop", "skip", "resend", "lookup"] | str = "stop",
        resend: bool | str = False,
        ledger_path: str | None = None,
        send_key: str | None = None,
        sent_path: str | None = None,
        sent_retention: timedelta = timedelta(days=90),
        ledger_patience: timedelta | float = 300,
        **kwargs: Unpack[TimedReportingArguments],
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[misc]  # the next class of the MRO takes the others
        if not is_template(on_unknown):
            _check_on_unknown(on_unknown)
        self.on_unknown = on_unknown
        self.resend = resend
        self.ledger_path = ledger_path
        check_send_key(send_key, sent_path)
        self.send_key = send_key
        self.sent_path = sent_path
        self.sent_retention = sent_retention
        if not isinstance(sent_retention, timedelta) or sent_retention <= timedelta(0):
            raise ValueError("sent_retention must be a timedelta longer than 0: it guards against sending twice.")
        self.ledger_patience = (
            ledger_patience if isinstance(ledger_patience, timedelta) else timedelta(seconds=ledger_patience)
        )
        if self.ledger_patience < timedelta(0):
            raise ValueError("ledger_patience must not be negative.")

    @property
    def policy_for_unknown(self) -> OnUnknown:
        """What ``on_unknown`` says, once it is rendered.

        :raises ValueError: it is no word that it knows.
        """
        return _check_on_unknown(self.on_unknown)

    def check_send_time(self, context: Context, hook: EspHook) -> None:
        """Ensure that something may be sent now, unless nothing is left to send; see `check_time`."""
        if self.is_dry:
            self.check_time(context, hook)
            return
        record = self.ledger(context).load()
        if record.finished_at:
            if switch_of("resend", self.resend):
                self.check_time(context, hook)
        elif not record.sent_at or record.too_many_refused or not record.reached:
            self.check_time(context, hook, sent=record.rows)

    def has_begun(self, context: Context) -> bool:
        """Check whether an earlier try of this task has sent something, and there is no order to send it all again."""
        if self.is_dry:
            return False
        record = self.ledger(context).load()
        if record.finished_at:
            return not switch_of("resend", self.resend)
        return record.reached > 0

    def send(
        self,
        context: Context,
        hook: EspHook,
        table: Table,
        target: SendTarget[Item],
        mapper: Mapper[Item],
        *,
        deduplicate: bool,
        look_up: LookUp[Item] | None = None,
        suppression: LeavesOut | None = None,
        send_key: SendKey | None = None,
        row_keys: RowKeys | None = None,
        source: SourceMark | None = None,
    ) -> SendRun[Item]:
        """Send to every row of a table that was not sent to before; `end_send` has to follow.

        :param deduplicate: whether a person who stands twice in the table is written to once.
        :param look_up: how to look up what is unknown, for ``lookup``.
        :param suppression: who is left out.
        :param send_key: the hold on the key, where there is one.
        :param row_keys: by what the report names rows; None for what people are known by.
        :param source: what the ledger remembers of the source; None where there is none.
        :raises AirflowException: some rows have an unknown outcome, and the next try is to send them again.
        """
        from airflow_provider_esp.core.send.run import SendRun
        from airflow_provider_esp.core.simulation import DrySend
        from airflow_provider_esp.exceptions import SendOutcomeUnknown, SendWindowClosed
        from airflow_provider_esp.operators._values import ValueNotes

        progress = self.begin_progress()
        map_index = context["ti"].map_index
        notes = ValueNotes(self.values or self.value_rules(hook), self.log)
        run = SendRun(
            target=DrySend(target, self.preview) if self.is_dry else target,
            perform=notes.before(hook.run),
            ledger=self.ledger(context),
            report=self.report(),
            deduplicate=deduplicate,
            concurrency=self.concurrency,
            on_unknown=self.policy_for_unknown,
            look_up=look_up,
            awaits_delivery=True,
            progress=progress.tell,
            keep_values=self.report_rows,
            suppression=suppression,
            send_key=None if self.is_dry else send_key,
            row_keys=row_keys,
            source=source,
            stop=self.stop,
            mapped=map_index is not None and map_index >= 0,
        )
        if run.mapped and send_key is None:
            self.log.info(
                "This task is mapped, and what it has sent is known by its map index: keep the order of the list over "
                "tries. That another source has come to an index is noticed only where that index had begun; with "
                "send_key= nobody is reached twice in any order."
            )
        try:
            run.run(self.in_window(table), mapper, resend=switch_of("resend", self.resend))
        except BaseException as error:
            progress.end(run)
            self.log.info("%s", outcome_table(run.counts, run.report, self.report_folder))
            if isinstance(error, SendWindowClosed):
                self.window_closed(context, hook)
            if isinstance(error, SendOutcomeUnknown) and self.policy_for_unknown == "resend":
                raise AirflowException(str(error)) from error
            raise
        finally:
            notes.end()
        self.show_outcomes(run.counts, run.report)
        return run

    def send_summary(self, run: SendRun[Any]) -> dict[str, Any]:
        """Return what the task returns of a send, so far."""
        summary = self.summary(run.counts)
        lost = run.record.refused_for_good
        if lost:
            self.log.warning(
                "%d refused rows cannot be tried again when this task is cleared: there are more than the ledger has "
                "room for. With report_path= they could be.",
                lost,
            )
        return {**summary, "refused_for_good": lost} if lost else summary

    def end_send(self, context: Context, summary: dict[str, Any], reasons: str, ledger: Ledger) -> dict[str, Any]:
        """Judge how many rows were refused, now that all else is done, and end the send.

        :param summary: what the task returns. A task that fails by this leaves it as its result all the same.
        :param reasons: why rows were refused, as `main_reasons` has it.
        :raises TooManyRejects: more than ``max_rejects`` allows. Then the send has not finished: a cleared task tries
            the refused rows once more, and nobody else.
        """
        from airflow_provider_esp.core.outcomes import Counts, Outcome
        from airflow_provider_esp.exceptions import TooManyRejects

        counts = Counts.from_dict({outcome: summary[outcome] for outcome in Outcome})
        if counts[Outcome.ACCEPTED] or counts[Outcome.UNKNOWN]:
            advice = " Correct them in place, or raise max_rejects, and clear this task: it tries only them again."
        else:
            advice = " Nothing was sent: correct what is wrong and clear this task, which then starts over."
        try:
            self.check_rejects(counts, reasons, "" if self.is_dry else _delivery_of(summary) + advice)
        except TooManyRejects:
            ledger.end(too_many_refused=True)
            self.discard_copy()  # the rows are read anew, because they may be corrected
            if not self.is_dry:
                context["ti"].xcom_push(key="return_value", value=summary)
            raise
        ledger.end()
        self.discard_copy()
        return summary

    def ledger(self, context: Context) -> Ledger:
        """Open the ledger of this task instance; that of a dry run is forgotten with it."""
        from airflow_provider_esp.core.ledger import Ledger, MemoryStore
        from airflow_provider_esp.core.patience import Patience
        from airflow_provider_esp.stores.tries import send_store

        store = send_store(context, self.ledger_path, keep=self.sent_retention)
        saving = Patience(self.ledger_patience.total_seconds(), stopped=self._is_stopped)
        return Ledger(MemoryStore() if self.is_dry else store, str(task_identity(context)), saving=saving)

    @contextmanager
    def held_send_key(self, context: Context) -> Iterator[SendKey | None]:
        """Hold ``send_key``, if there is one, as long as something is sent.

        :raises SendKeyTaken: another task sends under it, and did not end in time.
        :raises ValueError: a template has come to nothing.
        """
        key = key_of(self.send_key, self.sent_path)
        if key is None:
            yield None
            return
        from airflow_provider_esp.core.patience import Patience

        patience = Patience(self.ledger_patience.total_seconds(), stopped=self._is_stopped)
        with held_key(
            key,
            str(self.sent_path),
            task_identity(context),
            self.ledger(context).load(),
            keep=self.sent_retention,
            patience=patience,
            stop=self.stop,
            resend=switch_of("resend", self.resend),
            is_dry=self.is_dry,
        ) as held:
            yield held


class SendOperator(AtMostOnceOperator, RowsOperator):
    """An operator that sends to each row of a source, at most once; see `AtMostOnceOperator`.

    :param concurrency: requests under way at once, where each carries one row.
    :param max_recipients: refuse to send anything where there are more recipients than this: rows that can be sent,
        without people who stand twice and those who are left out. Templated.
    """

    template_fields: Sequence[str] = (
        *RowsOperator.template_fields,
        *TIMING_FIELDS,
        *_LEDGER_FIELDS,
        "max_recipients",
    )

    def __init__(
        self,
        *,
        concurrency: int = 4,
        max_recipients: int | str | None = None,
        **kwargs: Unpack[AtMostOnceRowsArguments],
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[misc]  # the next class of the MRO takes the others
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1.")
        self.concurrency = concurrency
        self.max_recipients = max_recipients

    def audience(
        self,
        hook: EspHook,
        make: Callable[[Table], Mapper[Any]],
        *,
        deduplicate: bool,
        send_key: SendKey | None = None,
    ) -> LeavesOut | None:
        """Find out, before anything is sent, who is left out, and that there are not too many recipients.

        :param make: makes the mapper for the opened source.
        :param deduplicate: whether a person who stands twice in the source is written to once.
        :param send_key: the hold on the key, where there is one.
        :returns: who is left out.
        :raises SourceError: the source has no order.
        :raises TooManyRecipients: there are more than ``max_recipients``.
        """
        self.check_order()
        suppression = leaving_out(send_key, self.suppression(hook))
        check_recipients(self.source, self.max_recipients, make, deduplicate=deduplicate, suppression=suppression)
        if self.values is not None:  # what was read for this alone is read again
            self.values.notes.clear()
        return suppression

    @property
    def identity_columns(self) -> Sequence[str]:
        """Columns of the source that tell whose a row is, the ones that decide first."""
        return ()

    def send_rows(
        self,
        context: Context,
        hook: EspHook,
        table: Table,
        target: SendTarget[Item],
        mapper: Mapper[Item],
        *,
        deduplicate: bool,
        look_up: LookUp[Item] | None = None,
        suppression: LeavesOut | None = None,
        send_key: SendKey | None = None,
    ) -> SendRun[Item]:
        """Do what `send` does, with the rows of ``source``.

        :raises SourceError: the source has no order.
        """
        self.check_max_rejects()
        self.check_order()
        return self.send(
            context,
            hook,
            table,
            target,
            mapper,
            deduplicate=deduplicate,
            look_up=look_up,
            suppression=suppression,
            send_key=send_key,
            row_keys=self.row_keys(table, self.identity_columns),
            source=source_mark(source_of(self.source)),
        )

    def check_order(self) -> None:
        """Refuse a query whose rows have no order: no retry could tell who has been written to.

        :raises SourceError: it names no key.
        """
        from airflow_provider_esp.exceptions import SourceError

        if isinstance(self.source, SqlSource) and self.source.key is None:
            raise SourceError(
                f"{self.source.origin}: a send needs key=, a column that orders the rows: without an order no retry "
                "can tell who has been written to."
            )


def _check_on_unknown(value: Any) -> OnUnknown:
    policy = str(value).strip()
    if policy not in ("stop", "skip", "resend", "lookup"):
        raise ValueError(f"on_unknown must be 'stop', 'skip', 'resend' or 'lookup', not {value!r}.")
    return cast("OnUnknown", policy)


def _delivery_of(summary: Mapping[str, Any]) -> str:
    if "delivered" not in summary:
        return ""
    counts = ", ".join(f"{summary[state]:,} {state}" for state in ("delivered", "failed", "pending") if summary[state])
    return f" Of their messages: {counts}." if counts else ""
