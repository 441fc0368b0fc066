"""`SmartSendOperator`: a prepared message to many, each with data of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators._outcome_tables import main_reasons
from airflow_provider_esp.operators._sends import SendOperator
from airflow_provider_esp.operators._service_arguments import refuse_mixture
from airflow_provider_esp.operators._templating import switch_of
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.utils.wait_limits import default_deferrable, limit_of_wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.ledger import Ledger
    from airflow_provider_esp.core.models import MessageOptions, Recipient
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.send.run import SendRun
    from airflow_provider_esp.core.send.sent_lookup import LookUp
    from airflow_provider_esp.core.validation.mapper import Mapper
    from airflow_provider_esp.core.validation.suppression import LeavesOut
    from airflow_provider_esp.core.waits import SendState, WaitEvent
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import SendArguments

_LABEL_NEEDED = (
    'on_unknown="lookup" finds messages by external_request_id only: give one that no other run has, such as '
    'external_request_id="spring-{{ run_id }}".'
)
_STATES = ("delivered", "failed", "pending")


class SmartSendOperator(SendOperator):
    """Send a message that was prepared at the service, once to each person.

    At eSputnik this is `POST v1/message/{id}/smartsend` in batches of 1000; at SendPulse `POST smtp/emails` with a
    template, one person in a request, so that nobody sees another's address. It is sent at most once: see
    `SendOperator`. A person who stands twice in the audience gets one message.

    :param esp_conn_id: the Airflow connection. Templated.
    :param message_id: eSputnik's message, SendPulse's template. Templated.
    :param source: the audience: a path, a `FileSource`, or a list of dictionaries. Templated.
    :param recipient_column: the column with the address or phone number.
    :param data: source column to the name that the message uses; None for all other columns under their own names.
    :param external_request_id: eSputnik: a label by which its activity shows the messages; for ``lookup`` one that no
        other run has, such as ``"spring-{{ run_id }}"``. Templated.
    :param lookup_timeout: seconds for which ``on_unknown="lookup"`` goes on asking for people whom the service does not
        show: it shows a message some time after it has sent it.
    :param subject: SendPulse: of the message. Templated.
    :param sender_name: who it comes from, in place of the message's (eSputnik) or the connection's (SendPulse).
    :param sender_email: SendPulse: the address it comes from, in place of the connection's.
    :param check_balance: count parts and cost first, show them, and refuse a send that the account cannot pay for:
        eSputnik's text messages, SendPulse's e-mails by what the plan has left. The source is read once more.
        Templated.
    :param wait_for_delivery: wait until each message is delivered or has failed, and count them.
    :param deferrable: wait in the triggerer instead of on the worker.
    :param poll_interval: seconds between two looks.
    :param suppress: people who get nothing, see `ReportingOperator`. Templated.
    :param suppress_column: the columns that name them.
    :param max_recipients: refuse to send anything to more people than this. Templated.
    :param dry_run: keep back what writes, see `ChangingOperator`. Templated.
    :param timeout: seconds that the wait may take at the most; what is on its way then is counted as pending.
    :returns: counts by outcome, the request ids of the first 1000, and with `wait_for_delivery` the counts by
        delivery: ``delivered``, ``failed``, ``pending``, and the service's own words for them.
    """

    retry_advice = "The messages were sent; a retry only waits again."
    template_fields: Sequence[str] = (
        *SendOperator.template_fields,
        "message_id",
        "external_request_id",
        "subject",
        "check_balance",
    )

    def __init__(
        self,
        *,
        message_id: int | str,
        recipient_column: str = "email",
        data: Mapping[str, str] | None = None,
        external_request_id: str | None = None,
        lookup_timeout: float = 300.0,
        subject: str | None = None,
        sender_name: str | None = None,
        sender_email: str | None = None,
        check_balance: bool | str = False,
        wait_for_delivery: bool = False,
        deferrable: bool | None = None,
        poll_interval: float = 15.0,
        timeout: float = 60 * 60,
        **kwargs: Unpack[SendArguments],
    ) -> None:
        super().__init__(**kwargs)
        refuse_mixture(
            esputnik={"external_request_id": external_request_id is not None},
            sendpulse={"subject": subject is not None, "sender_email": sender_email is not None},
        )
        if self.on_unknown == "lookup" and not external_request_id:
            raise ValueError(_LABEL_NEEDED)
        if lookup_timeout < 0:
            raise ValueError("lookup_timeout must not be negative.")
        self.message_id = message_id
        self.recipient_column = recipient_column
        self.data = data
        self.external_request_id = external_request_id
        self.lookup_timeout = lookup_timeout
        self.subject = subject
        self.sender_name = sender_name
        self.sender_email = sender_email
        self.check_balance = check_balance
        self.wait_for_delivery = wait_for_delivery
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Send the message, and wait for its delivery here or in the triggerer."""
        from airflow_provider_esp.core.waits import SendState

        with final_errors(), self.hook() as hook:
            hook.check_access("messages")
            if self.wait_for_delivery:
                hook.check_access("deliveries")
            self.check_send_time(context, hook)
            self.push_links(context, hook, "message", self.message_id)
            self.values = self.value_rules(hook)
            target, look_up = hook.adapter.send_messages(self._options()), self._look_up(hook)
            with self.held_send_key(context) as key:
                left_out = self.audience(hook, self._mapper, deduplicate=True, send_key=key)
                estimate = self._check_balance(context, hook, left_out)
                with self.rows() as table:
                    run = self.send_rows(
                        context,
                        hook,
                        table,
                        target,
                        self._mapper(table),
                        deduplicate=True,
                        look_up=look_up,
                        suppression=left_out,
                        send_key=key,
                    )
            summary = {**self.send_summary(run), "request_ids": run.request_ids, **estimate}
            state = SendState(result=summary, reasons=main_reasons(run.report), delivery=run.record.delivery)
            if not self.wait_for_delivery or self.is_dry:
                return self.end_send(context, summary, state.reasons, run.ledger)
            ids, end = self._ids(run), self.end_of_wait(self.timeout)
            if ids and self.deferrable:
                self._defer(ids, end, state)
            delivery = self._wait(hook, ids, end) if ids else self._delivery({}, {}, 0)
            return self._done(context, state, delivery, run.ledger)

    @tells_outlets
    def wait_ended(self, context: Context, event: WaitEvent) -> dict[str, Any]:
        """Go on after the wait, and count the deliveries.

        :param event: that they have ended.
        """
        from airflow_provider_esp.core.waits import DeliveriesEnded, SendState

        ended = event.expect(DeliveriesEnded)
        delivery = self._delivery(ended.states, ended.statuses, 0)
        return self._done(context, event.left(SendState), delivery, self.ledger(context))

    @tells_outlets
    def wait_timed_out(self, context: Context, event: WaitEvent) -> dict[str, Any]:
        """Go on after a wait whose time was up: what is on its way counts as pending."""
        from airflow_provider_esp.core.waits import SendState

        state, limit = event.left(SendState), limit_of_wait(self, self.timeout)
        self.log.warning(
            "The wait for the delivery ended after %s: what is on its way counts as pending. Raise %s= to wait longer.",
            limit,
            limit.name,
        )
        with self.hook() as hook:
            delivery = self._wait(hook, self._reported_ids() or state.result["request_ids"], 0)
        return self._done(context, state, delivery, self.ledger(context))

    def awaited(self, event: WaitEvent) -> str:
        """Return what is waited for."""
        return "the delivery"

    @property
    def identity_columns(self) -> Sequence[str]:
        """The column of addresses."""
        return (self.recipient_column,)

    def _mapper(self, table: Table) -> Mapper[Recipient]:
        from airflow_provider_esp.core.validation.mapper import recipient_mapper

        return recipient_mapper(table, self.recipient_column, self.data, self.values)

    def _check_balance(self, context: Context, hook: EspHook, left_out: LeavesOut | None) -> dict[str, Any]:
        """Show what the send costs, and refuse what cannot be paid for; one that has begun is not asked again."""
        if not switch_of("check_balance", self.check_balance) or self.has_begun(context):
            return {}
        from airflow_provider_esp.operators import _balance as balance

        pricing = hook.run(hook.adapter.message_pricing(self._options()))
        estimate = balance.estimate_messages(pricing, self.source, self._mapper, left_out)
        balance.check(estimate, self.refuse, self.log)
        return {"estimate": balance.as_result(estimate)}

    def _done(self, context: Context, state: SendState, delivery: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
        """Write down how the delivery ended, and end the send.

        :param state: what is known of the send without its delivery.
        :param delivery: what the wait has counted.
        """
        if state.delivery and self.report_folder is None:
            delivery = _sum(delivery, state.delivery)
        self.note(soon=False, delivery={name: delivery[name] for name in _STATES})
        ledger.note_delivery({"of": sum(delivery[name] for name in _STATES), **delivery})
        return self.end_send(context, {**state.result, **delivery}, state.reasons, ledger)

    def _look_up(self, hook: EspHook) -> LookUp[Recipient] | None:
        if self.policy_for_unknown != "lookup":
            return None
        if not self.external_request_id:
            raise ValueError(_LABEL_NEEDED)
        from airflow_provider_esp.core.send.sent_lookup import LookUp

        hook.check_access("activity")
        return LookUp(
            hook.adapter.sent_lookup(self._options()), hook.run, self.lookup_timeout, self.stop.pause, self.stop
        )

    def _options(self) -> MessageOptions:
        from airflow_provider_esp.core.models import MessageOptions

        return MessageOptions(
            message_id=str(self.message_id),
            external_request_id=self.external_request_id,
            subject=self.subject,
            sender_name=self.sender_name,
            sender_email=self.sender_email,
        )

    def _defer(self, ids: list[str], end: float, state: SendState) -> None:
        from airflow_provider_esp.core.waits import encode
        from airflow_provider_esp.triggers.waits import DeliveryTrigger

        trigger = DeliveryTrigger(
            request_ids=None if self.report_folder else ids,
            report_path=self.report_folder,
            esp_conn_id=self.esp_conn_id,
            end_time=end,
            poll_interval=self.poll_interval,
            state=encode(state),
        )
        self.note(sent=len(ids))
        self.log.info("Everything is sent; waiting for the delivery in the triggerer.")
        self.defer_until(end, trigger)

    def _ids(self, run: SendRun[Recipient]) -> list[str]:
        """Find the messages to wait for; without a report those of earlier tries are not known any more.

        :raises TaskError: some have to be waited for, and not one is known.
        """
        from airflow_provider_esp.core.outcomes import Outcome
        from airflow_provider_esp.exceptions import TaskError

        if ids := self._reported_ids():
            return ids
        ids, sent = run.request_ids, run.counts[Outcome.ACCEPTED] - run.record.delivery.get("of", 0)
        if sent > 0 and not ids:
            raise TaskError(
                f"{sent:,} messages were sent by an earlier try, and their ids are not known any more, so that their "
                "delivery cannot be awaited: see the service's own reports, and mark this task as successful. Give "
                "report_path= to keep the ids."
            )
        if len(ids) < sent:
            self.log.warning("Without report_path only %d of %d messages are waited for.", len(ids), sent)
        return ids

    def _reported_ids(self) -> list[str]:
        """Read the ids that this and earlier tries wrote into the report; none where there is no report."""
        if self.report_folder is None:
            return []
        from airflow_provider_esp.core.row_report import sent_request_ids
        from airflow_provider_esp.utils.paths import private_path

        return list(sent_request_ids(private_path(self.report_folder, "report_path")))

    def _wait(self, hook: EspHook, request_ids: Sequence[str], end: float) -> dict[str, Any]:
        """Look until all messages have ended, at least once."""
        from airflow_provider_esp.core.polling import wait_for_deliveries

        states, statuses, pending = wait_for_deliveries(
            hook.run, hook.adapter.deliveries, request_ids, end, self.poll_interval, pause=self.stop.pause
        )
        return self._delivery(states, statuses, pending)

    def _delivery(self, states: Mapping[str, int], statuses: Mapping[str, int], pending: int) -> dict[str, Any]:
        counts = {"delivered": states.get("delivered", 0), "failed": states.get("failed", 0), "pending": pending}
        shown = ", ".join(f"{number:,} {state}" for state, number in counts.items() if number)
        self.log.info("Delivery: %s.", shown or "nothing to wait for")
        return {**counts, "statuses": dict(statuses)}


def _sum(delivery: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Add what two waits for different messages have counted."""
    counts = {state: delivery[state] + earlier[state] for state in _STATES}
    return {**counts, "statuses": dict(Counter(delivery["statuses"]) + Counter(earlier["statuses"]))}
