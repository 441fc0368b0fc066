"""`ImportSensor`: wait until imports have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Unpack

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BaseSensorOperator

from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.stores.run_records import record_of
from airflow_provider_esp.triggers.deferral import DeferringTask
from airflow_provider_esp.utils.wait_limits import came_to, default_deferrable, end_of_wait, limit_of_wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.models import ImportState
    from airflow_provider_esp.core.waits import WaitEvent
    from airflow_provider_esp.utils.operator_arguments import BaseSensorArguments


class ImportSensor(DeferringTask, BaseSensorOperator):
    """Wait until every one of some imports has ended: eSputnik's `GET v1/importstatus/{sessionId}`.

    An import has ended well when its status is FINISHED and it has no error message. SendPulse has no imports.

    :param esp_conn_id: the Airflow connection. Templated.
    :param import_ids: an id, several, or what `UploadContactsOperator` returned (also through an XCom). Templated.
    :param deferrable: wait in the triggerer instead of on a worker.
    :param kwargs: `BaseSensorOperator`'s: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail`` …
    """

    template_fields: Sequence[str] = ("esp_conn_id", "import_ids")
    ui_color = "#e8f3ec"

    def __init__(
        self,
        *,
        esp_conn_id: str,
        import_ids: Any,
        deferrable: bool | None = None,
        poke_interval: float = 15.0,
        **kwargs: Unpack[BaseSensorArguments],
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.esp_conn_id = esp_conn_id
        self.import_ids = import_ids
        self.deferrable = default_deferrable() if deferrable is None else deferrable

    def poke(self, context: Context) -> bool:
        """Look once at all imports.

        :raises AirflowFailException: one of them failed.
        """
        from airflow_provider_esp.core.models import ImportState
        from airflow_provider_esp.hooks.esp import EspHook

        with final_errors(), EspHook.for_connection(self.esp_conn_id) as hook:
            hook.check_access("imports")
            imports = [hook.run(hook.adapter.import_state(import_id)) for import_id in self._ids()]
            still_open = sum(one.state is ImportState.RUNNING for one in imports)
            record_of(self).note(
                service=hook.conn_type, conn_id=self.esp_conn_id, kind="import", open=still_open, total=len(imports)
            )
        self._check({one.id: one.state for one in imports})
        return all(one.state is ImportState.DONE for one in imports)

    def execute(self, context: Context) -> None:
        """Wait here, or leave for the triggerer."""
        if not self.deferrable:
            super().execute(context)
            return
        try:
            done = self.poke(context)
        except AirflowFailException as failed:
            if self.soft_fail:  # the base class sees to it in the other modes, and after the wait
                raise AirflowSkipException(str(failed)) from failed
            raise
        if done:
            return
        from airflow_provider_esp.triggers.waits import ImportTrigger

        end = end_of_wait(self, float(self.timeout))
        trigger = ImportTrigger(
            import_ids=self._ids(),
            esp_conn_id=self.esp_conn_id,
            end_time=end,
            poll_interval=float(self.poke_interval),
        )
        self.defer_until(end, trigger)

    def wait_ended(self, context: Context, event: WaitEvent) -> None:
        """Go on after the wait.

        :param event: that the imports have ended.
        """
        from airflow_provider_esp.core.waits import ImportsEnded

        self._check(event.expect(ImportsEnded).imports)

    def wait_timed_out(self, context: Context, event: WaitEvent) -> NoReturn:
        """Fail: the imports take longer than the author allows.

        :raises AirflowSensorTimeout: always.
        """
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        limit = limit_of_wait(self, float(self.timeout))
        raise AirflowSensorTimeout(
            f"The imports had not ended after {limit}{came_to(event.how_far)}; the service goes on with them. Raise "
            f"{limit.name}= if it takes longer."
        )

    def awaited(self, event: WaitEvent) -> str:
        """Return what is waited for."""
        return "the imports"

    def _ids(self) -> list[str]:
        given = self.import_ids
        if isinstance(given, Mapping):
            given = given["imports"]
        return [given] if isinstance(given, str) else [str(one) for one in given]

    def _check(self, imports: Mapping[str, ImportState]) -> None:
        from airflow_provider_esp.core.models import ImportState

        failed = [import_id for import_id, state in imports.items() if state is ImportState.FAILED]
        if failed:
            raise AirflowFailException(
                f"{len(failed)} of {len(self._ids())} imports failed: {', '.join(failed[:3])}. The service's reason "
                "stands in GET v1/importstatus; correct the rows and upload them again."
            )
