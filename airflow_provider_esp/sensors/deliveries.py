"""`DeliverySensor`: wait until messages have been delivered, and say so early when too many will not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Unpack

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
)

from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.stores.run_records import record_of
from airflow_provider_esp.triggers.deferral import DeferringTask
from airflow_provider_esp.utils.wait_limits import came_to, default_deferrable, end_of_wait, limit_of_wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.delivery_stats import DeliveryCondition, DeliveryStats
    from airflow_provider_esp.core.waits import WaitEvent
    from airflow_provider_esp.utils.operator_arguments import BaseSensorArguments


class DeliverySensor(DeferringTask, BaseSensorOperator):
    """Wait until messages are delivered, or a share of them is, or too many have failed.

    At eSputnik this reads `GET v1/message/status`, a hundred messages in a call, whatever their channel. At SendPulse
    it reads `POST smtp/emails/info`, five hundred in a call, where the answer of the recipient's mail server decides
    (``smtp_answer_code``: 2xx delivered, 5xx failed); or, for text messages, `GET sms/campaigns/info/{id}`, phone by
    phone. A message that has been delivered or has failed is counted under the word it has then and not asked about
    again; what people do with it later is in `ExportActivityOperator`'s file.

    :param esp_conn_id: the Airflow connection. Templated.
    :param request_ids: an id, several, or what `SmartSendOperator` returned (also through an XCom); where that names a
        report, all ids are read from it. Templated.
    :param report_path: the folder with a send's report, in place of `request_ids`: the ``report_path`` that the send
        returned, not the one that it was given. Templated.
    :param sms_campaign_ids: SendPulse: an id or several of SMS campaigns, in place of both. Templated.
    :param until: share of all messages that must be delivered, e.g. ``0.95``; None (default) to wait until every one
        is delivered or has failed, which fails nothing by itself.
    :param fail_when: the most that is allowed, as a share of all messages, e.g. ``{"bounced": 0.05}``. A name is a
        state (``pending``, ``delivered``, ``failed``), a word that both services share (``read``, ``clicked``,
        ``unsubscribed``, ``complained``, ``bounced``, ``refused``), or the service's own (``BLACKLISTED``, ``550``).
    :param deferrable: wait in the triggerer instead of on a worker.
    :param kwargs: `BaseSensorOperator`'s: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail`` …
    :returns: counts: ``total``, ``pending``, ``delivered``, ``failed``, by shared word (``words``) and by the service's
        own (``statuses``).
    """

    template_fields: Sequence[str] = ("esp_conn_id", "request_ids", "report_path", "sms_campaign_ids")
    ui_color = "#e8f3ec"
    retry_advice = "A retry looks again."

    def __init__(
        self,
        *,
        esp_conn_id: str,
        request_ids: Any = None,
        report_path: str | None = None,
        sms_campaign_ids: Any = None,
        until: float | None = None,
        fail_when: Mapping[str, float] | None = None,
        deferrable: bool | None = None,
        poke_interval: float = 30.0,
        **kwargs: Unpack[BaseSensorArguments],
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        if sum(one is not None for one in (request_ids, report_path, sms_campaign_ids)) != 1:
            raise ValueError("Give exactly one of request_ids, report_path and sms_campaign_ids.")
        self.esp_conn_id = esp_conn_id
        self.request_ids = request_ids
        self.report_path = report_path
        self.sms_campaign_ids = sms_campaign_ids
        self.until = until
        self.fail_when = fail_when
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        if until is not None or fail_when:
            self._goal().check()

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once at the messages that have not ended.

        :raises AirflowFailException: too many have failed, or the share cannot be reached any more.
        """
        from airflow_provider_esp.hooks.esp import EspHook

        with final_errors():
            tally = self._tally()
            with EspHook.for_connection(self.esp_conn_id) as hook:
                record_of(self).note(service=hook.conn_type, conn_id=self.esp_conn_id, kind="delivery")
                hook.check_access("deliveries")
                ask = hook.adapter.deliveries if self.sms_campaign_ids is None else hook.adapter.sms_deliveries
                if tally.open:
                    tally.take(hook.run(ask(tally.open)))
        verdict, summary = self._goal().verdict(tally), tally.summary()
        record_of(self).note(delivery=_figures(summary))
        if verdict is None:
            self.log.info("%s.", tally.how_far())
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._end(verdict.success, verdict.reason, summary))

    def execute(self, context: Context) -> Any:
        """Wait here, or leave for the triggerer."""
        if not self.deferrable:
            return self._poked(context)
        try:
            found = self.poke(context)
        except AirflowFailException as failed:
            if self.soft_fail:  # the base class sees to it in the other modes, and after the wait
                raise AirflowSkipException(str(failed)) from failed
            raise
        if found.is_done:
            return found.xcom_value
        self._defer()

    def _poked(self, context: Context) -> Any:
        """Wait here; a timeout says how far it came."""
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        try:
            return super().execute(context)
        except AirflowSensorTimeout as late:
            raise AirflowSensorTimeout(f"{late}{came_to(self._tally().how_far())}") from late

    def wait_ended(self, context: Context, event: WaitEvent) -> dict[str, Any]:
        """Go on after the wait, and return the counts.

        :param event: that the messages have ended as far as awaited.
        """
        from airflow_provider_esp.core.waits import DeliveriesEnded

        ended = event.expect(DeliveriesEnded)
        return self._end(ended.success, ended.reason, ended.summary)

    def wait_timed_out(self, context: Context, event: WaitEvent) -> NoReturn:
        """Fail: the delivery takes longer than the author allows.

        :raises AirflowSensorTimeout: always.
        """
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        limit = limit_of_wait(self, float(self.timeout))
        raise AirflowSensorTimeout(
            f"The messages were not delivered as far as awaited after {limit}{came_to(event.how_far)}; the service "
            f"goes on with them. Raise {limit.name}= if it takes longer."
        )

    def awaited(self, event: WaitEvent) -> str:
        """Return what is waited for."""
        return "the delivery"

    def _defer(self) -> None:
        from airflow_provider_esp.triggers.waits import DeliveryTrigger

        end = end_of_wait(self, float(self.timeout))
        report = self._report()
        trigger = DeliveryTrigger(
            request_ids=None if report else self._ids(),
            report_path=report,
            until=self.until,
            fail_when=self.fail_when,
            sms=self.sms_campaign_ids is not None,
            esp_conn_id=self.esp_conn_id,
            end_time=end,
            poll_interval=float(self.poke_interval),
        )
        self.defer_until(end, trigger)

    def _goal(self) -> DeliveryCondition:
        from airflow_provider_esp.core.delivery_stats import DeliveryCondition

        return DeliveryCondition(self.until, self.fail_when or {})

    def _tally(self) -> DeliveryStats:
        """Return the counts of the looks before this one, which a sensor that holds its worker keeps."""
        from airflow_provider_esp.core.delivery_stats import DeliveryStats

        if "_counted" not in self.__dict__:
            self._counted = DeliveryStats(self._ids())
            self.log.info("Waiting for the delivery of what %d ids stand for.", len(self._counted.open))
        return self._counted

    def _report(self) -> str | None:
        """Find the report that all ids stand in, the author's own or the one that a send's result names."""
        given = self.request_ids
        return self.report_path or (given.get("report_path") if isinstance(given, Mapping) else None)

    def _ids(self) -> list[str]:
        if report := self._report():
            return self._ids_in(report)
        given = self.request_ids if self.sms_campaign_ids is None else self.sms_campaign_ids
        if isinstance(given, Mapping):
            sent, given = given.get("accepted", 0), given["request_ids"]
            if sent > len(given):
                self.log.warning(
                    "The send kept no report, so %d of its %d messages are known here, and shares are of those. Give "
                    "the send a report_path= to wait for all.",
                    len(given),
                    sent,
                )
        return [str(given)] if isinstance(given, str | int) else [str(one) for one in given]

    def _ids_in(self, folder: str) -> list[str]:
        """Read the ids that a send wrote into its report; none where it sent to nobody and so wrote nothing.

        :raises TaskError: the folder holds other reports' folders, and no report itself.
        """
        from airflow_provider_esp.core.row_report import Report, sent_request_ids
        from airflow_provider_esp.exceptions import TaskError
        from airflow_provider_esp.utils.paths import private_path
        from airflow_provider_esp.utils.task_identity import current_task_identity, safe_name

        path = private_path(folder, "report_path")
        if Report(path).holds_others():
            identity = current_task_identity()
            own = f"{safe_name(identity.dag_id)}/{safe_name(identity.run_id)}/" if identity else "<dag_id>/<run_id>/"
            raise TaskError(
                f"{folder}: this folder holds reports of several tasks, not one send's. A send writes into "
                f"{own}<task_id> below its report_path: give the sensor what the send returned "
                "(request_ids=send.output), which names that folder."
            )
        return list(sent_request_ids(path))

    def _end(self, success: bool, reason: str, summary: dict[str, Any]) -> dict[str, Any]:
        self.log.info("%s", delivery_table(summary))
        record_of(self).note(soon=False, delivery=_figures(summary))
        if not success:
            raise AirflowFailException(
                f"{reason}. Nothing is taken back by this: look at the addresses and at the service's own report "
                "before the next send."
            )
        self.log.info("%s.", reason)
        return summary


def delivery_table(summary: Mapping[str, Any]) -> str:
    """Draw the counts of a delivery as a table of at most 80 columns.

    :param summary: what the sensor returns.
    """
    states = ("pending", "delivered", "failed")
    lines = ["Delivery:", *(f"  {state:<24} {summary[state]:>12,}" for state in states)]
    lines.append(f"  {'messages':<24} {summary['total']:>12,}")
    if summary["statuses"]:
        lines.append("In the service's words:")
        ranked = sorted(summary["statuses"].items(), key=lambda pair: (-pair[1], pair[0]))
        lines += [f"  {word[:24]:<24} {number:>12,}" for word, number in ranked]
    return "\n".join(lines)


def _figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page in Airflow shows of a delivery."""
    return {name: summary[name] for name in ("total", "pending", "delivered", "failed", "words")}
