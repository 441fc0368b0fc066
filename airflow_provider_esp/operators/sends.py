"""What sends of messages and of events have in common: at most once, whatever happens to the task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_esp.operators.audience import check_recipients, switch_of
from airflow_provider_esp.operators.base import RowsOperator, outcome_table
from airflow_provider_esp.operators.send_policy import TIMING_FIELDS, TimedSendOperator
from airflow_provider_esp.sources import SqlSource

if TYPE_CHECKING:
    from airflow_provider_esp.delivery.ledger import Ledger
    from airflow_provider_esp.delivery.lookup import LookUp
    from airflow_provider_esp.delivery.mapping import Mapper
    from airflow_provider_esp.delivery.rows import Table
    from airflow_provider_esp.delivery.send import SendRun, SendTarget
    from airflow_provider_esp.delivery.suppression import Suppression
    from airflow_provider_esp.delivery.values import ValueRules
    from airflow_provider_esp.hooks.base import EspHook

Item = TypeVar("Item")


class SendOperator(TimedSendOperator, RowsOperator):
    """An operator whose work may not be done twice, nor too late; for the latter see `TimedSendOperator`.

    A ledger (the task's state since Airflow 3.3, a Variable before, or a file) says which rows are behind it. A retry
    goes on after them; rows of which nobody can tell whether they went out stop the task.

    :param on_unknown: what to do about rows whose outcome is unknown: ``stop`` the task for good (default), ``skip``
        them, ``resend`` them at the next try, which Airflow's ``retries`` may make, or ``look_up`` whether the service
        shows them as sent (messages of eSputnik), and stop where it does not.
    :param resend: send again although this task instance has sent before (it was cleared). Templated, so that a
        Variable can say it.
    :param ledger_path: a file for the ledger, on a disk that every worker sees, instead of Airflow's own store.
        Templated; it must differ by run.
    :param keep_sent: how long Airflow remembers a finished send, as a `timedelta` or in days; a task that is cleared
        later sends again. A file at ``ledger_path`` stays.
    :param concurrency: requests under way at once, where each carries one row.
    :param max_recipients: refuse to send anything where there are more recipients than this: rows that can be sent,
        without people who stand twice and those who are left out. Templated.
    """

    template_fields: Sequence[str] = (
        *RowsOperator.template_fields,
        *TIMING_FIELDS,
        "resend",
        "ledger_path",
        "max_recipients",
    )
    values: ValueRules | None = None
    """How this run reads values, once it has begun."""

    def __init__(
        self,
        *,
        on_unknown: Literal["stop", "skip", "resend", "look_up"] = "stop",
        resend: bool | str = False,
        ledger_path: str | None = None,
        keep_sent: timedelta | float = 90,
        concurrency: int = 4,
        max_recipients: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_unknown not in ("stop", "skip", "resend", "look_up"):
            raise ValueError(f"on_unknown must be 'stop', 'skip', 'resend' or 'look_up', not {on_unknown!r}.")
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1.")
        self.on_unknown = on_unknown
        self.resend = resend
        self.ledger_path = ledger_path
        self.keep_sent = keep_sent if isinstance(keep_sent, timedelta) else timedelta(days=keep_sent)
        if self.keep_sent <= timedelta(0):
            raise ValueError("keep_sent must be longer than nothing: it guards against sending twice.")
        self.concurrency = concurrency
        self.max_recipients = max_recipients

    def audience(self, hook: EspHook, make: Callable[[Table], Mapper[Any]], *, once_each: bool) -> Suppression | None:
        """Find out, before anything is sent, who is left out, and that there are not too many recipients.

        :param make: makes the mapper for the opened source.
        :param once_each: whether a person who stands twice in the source is written to once.
        :returns: who is left out.
        :raises SourceError: the source has no order.
        :raises TooManyRecipients: there are more than ``max_recipients``.
        """
        self.check_order()
        suppression = self.suppression(hook)
        check_recipients(self.source, self.max_recipients, make, once_each=once_each, suppression=suppression)
        if self.values is not None:  # what was read for this alone is read again
            self.values.notes.clear()
        return suppression

    def check_send_time(self, context: Any, hook: EspHook) -> None:
        """Make sure that something may be sent now, unless nothing is left to send; see `check_time`."""
        if self.is_dry:
            self.check_time(context, hook)
            return
        record = self.ledger(context).load()
        if not record.finished_at:
            self.check_time(context, hook, sent=record.rows)
        elif switch_of("resend", self.resend):
            self.check_time(context, hook)

    def send(
        self,
        context: Any,
        hook: EspHook,
        table: Table,
        target: SendTarget[Item],
        mapper: Mapper[Item],
        *,
        once_each: bool,
        awaits: bool = False,
        look_up: LookUp[Item] | None = None,
        suppression: Suppression | None = None,
    ) -> SendRun[Item]:
        """Send to every row of a table that was not sent to before, and conclude.

        :param once_each: whether a person who stands twice in the table is written to once.
        :param awaits: whether the operator waits for the delivery next, and then ends the wait in the ledger.
        :param look_up: how to look up what is unknown, for ``look_up``.
        :param suppression: who is left out.
        :raises AirflowException: nobody can tell what became of some rows, and the next try is to send them again.
        """
        from airflow_provider_esp.delivery.errors import SendOutcomeUnknown, SendWindowClosed, TooManyRejects
        from airflow_provider_esp.delivery.preview import DrySend
        from airflow_provider_esp.delivery.send import SendRun
        from airflow_provider_esp.operators.values import ValueNotes

        self.check_max_rejects()
        self.check_order()
        progress = self.begin_progress()
        notes = ValueNotes(self.values or self.value_rules(hook), self.log)
        run = SendRun(
            target=DrySend(target, self.preview) if self.is_dry else target,
            perform=notes.before(hook.run),
            ledger=self.ledger(context),
            report=self.report(),
            once_each=once_each,
            concurrency=self.concurrency,
            on_unknown=self.on_unknown,
            look_up=look_up,
            awaits=awaits and not self.is_dry,
            progress=progress.tell,
            keep_values=self.report_rows,
            suppression=suppression,
        )
        try:
            run.run(self.in_window(table), mapper, resend=switch_of("resend", self.resend))
        except BaseException as error:
            progress.end(run)
            self.log.info("%s", outcome_table(run.counts, run.report, self.report_folder))
            if isinstance(error, SendWindowClosed):
                self.window_closed(context, hook)
            if isinstance(error, SendOutcomeUnknown) and self.on_unknown == "resend":
                raise AirflowException(str(error)) from error
            raise
        finally:
            notes.end()
        try:
            self.conclude(run.counts, run.report)
        except TooManyRejects:
            run.ledger.end_wait()
            raise
        self.discard_copy()
        return run

    def check_order(self) -> None:
        """Refuse a query whose rows have no order: no retry could tell who has been written to.

        :raises SourceError: it names no key.
        """
        from airflow_provider_esp.delivery.errors import SourceError

        if isinstance(self.source, SqlSource) and self.source.key is None:
            raise SourceError(
                f"{self.source.origin}: a send needs key=, a column that orders the rows: without an order no retry "
                "can tell who has been written to."
            )

    def ledger(self, context: Any) -> Ledger:
        """Open the ledger of this task instance; that of a dry run is forgotten with it."""
        from airflow_provider_esp.delivery.ledger import Ledger, MemoryStore
        from airflow_provider_esp.stores.ledgers import ledger_store

        store = ledger_store(context, self.ledger_path, keep=self.keep_sent)
        return Ledger(MemoryStore() if self.is_dry else store)
