"""What deferred tasks of this provider wait for: imports, verifications, and deliveries of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.triggers._polling import PollTrigger

if TYPE_CHECKING:
    from airflow_provider_esp.core.delivery_stats import DeliveryStats
    from airflow_provider_esp.core.models import ImportState
    from airflow_provider_esp.core.waits import DeliveriesEnded, ImportsEnded, VerificationEnded
    from airflow_provider_esp.hooks.esp import EspHook


class ImportTrigger(PollTrigger):
    """Waits until every one of some imports has ended.

    The event is `ImportsEnded`. Whom an import wrote is not in it: those are addresses.

    :param import_ids: ids that the uploads gave.
    """

    def __init__(self, *, import_ids: Sequence[str], **waiting: Any) -> None:
        super().__init__(**waiting)
        self.import_ids = list(import_ids)
        self._ended: dict[str, ImportState] = {}

    def arguments(self) -> dict[str, Any]:
        """Return the imports' ids."""
        return {"import_ids": self.import_ids}

    def event_type(self) -> type[ImportsEnded]:
        """Return the kind of event that this trigger ends with."""
        from airflow_provider_esp.core.waits import ImportsEnded

        return ImportsEnded

    async def look(self, hook: EspHook) -> ImportsEnded | None:
        """Ask for the imports that have not ended yet."""
        from airflow_provider_esp.core.models import ImportState
        from airflow_provider_esp.core.waits import ImportsEnded, WaitStatus

        for import_id in self.import_ids:
            if import_id not in self._ended:
                answer = await hook.arun(hook.adapter.import_state(import_id))
                if answer.state is not ImportState.RUNNING:
                    self._ended[import_id] = answer.state
        ended, number = len(self._ended), len(set(self.import_ids))
        self.how_far = f"{ended:,} of {number:,} imports have ended"
        return ImportsEnded(status=WaitStatus.DONE, imports=self._ended) if ended == number else None


class VerificationTrigger(PollTrigger):
    """Waits until every address of a mailing list has been verified.

    The event is `VerificationEnded`.

    :param list_id: the list's id.
    """

    def __init__(self, *, list_id: str, **waiting: Any) -> None:
        super().__init__(**waiting)
        self.list_id = list_id

    def arguments(self) -> dict[str, Any]:
        """Return the list's id."""
        return {"list_id": self.list_id}

    def event_type(self) -> type[VerificationEnded]:
        """Return the kind of event that this trigger ends with."""
        from airflow_provider_esp.core.waits import VerificationEnded

        return VerificationEnded

    async def look(self, hook: EspHook) -> VerificationEnded | None:
        """Ask how many addresses have been looked at."""
        from airflow_provider_esp.core.waits import VerificationEnded, WaitStatus

        processed, total = await hook.arun(hook.adapter.verifier().progress(self.list_id))
        self.how_far = f"{processed:,} of {total:,} addresses are verified"
        return VerificationEnded(status=WaitStatus.DONE, processed=processed) if processed >= total else None


class DeliveryTrigger(PollTrigger):
    """Waits until messages are delivered: all of them have ended, or as far as the author's goal says.

    The event is `DeliveriesEnded`.

    :param request_ids: ids that the send gave; or None to read them from the report.
    :param report_path: folder with the report of the send, where `request_ids` is None.
    :param until: share of the messages that must be delivered; None until all have ended.
    :param fail_when: shares of messages that end the wait badly, see `DeliveryCondition`.
    :param sms: whether the ids are those of SMS campaigns.
    """

    def __init__(
        self,
        *,
        request_ids: Sequence[str] | None = None,
        report_path: str | None = None,
        until: float | None = None,
        fail_when: Mapping[str, float] | None = None,
        sms: bool = False,
        **waiting: Any,
    ) -> None:
        super().__init__(**waiting)
        self.request_ids = None if request_ids is None else list(request_ids)
        self.report_path = report_path
        self.until = until
        self.fail_when = dict(fail_when or {})
        self.sms = sms
        self._stats: DeliveryStats | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the messages' ids, or where they stand, and what is waited for."""
        names = ("request_ids", "report_path", "until", "fail_when", "sms")
        return {name: getattr(self, name) for name in names}

    def event_type(self) -> type[DeliveriesEnded]:
        """Return the kind of event that this trigger ends with."""
        from airflow_provider_esp.core.waits import DeliveriesEnded

        return DeliveriesEnded

    async def look(self, hook: EspHook) -> DeliveriesEnded | None:
        """Ask for the messages that have not ended yet."""
        from airflow_provider_esp.core.delivery_stats import DeliveryCondition, DeliveryStats
        from airflow_provider_esp.core.waits import DeliveriesEnded, WaitStatus

        if self._stats is None:
            self._stats = DeliveryStats(await asyncio.to_thread(self._ids))
        stats, ask = self._stats, hook.adapter.sms_deliveries if self.sms else hook.adapter.deliveries
        if stats.open:
            stats.take(await hook.arun(ask(stats.open)))
        verdict = DeliveryCondition(self.until, self.fail_when).verdict(stats)
        self.how_far = stats.how_far()
        if verdict is None:
            return None
        return DeliveriesEnded(
            status=WaitStatus.DONE,
            states=stats.states(),
            statuses=stats.statuses(),
            summary=stats.summary(),
            success=verdict.success,
            reason=verdict.reason,
        )

    def _ids(self) -> list[str]:
        if self.request_ids is not None:
            return list(self.request_ids)
        from airflow_provider_esp.core.row_report import sent_request_ids
        from airflow_provider_esp.utils.paths import private_path

        return list(sent_request_ids(private_path(self.report_path or "", "report_path")))
