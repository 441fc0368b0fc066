"""`BroadcastSensor`: wait until a broadcast has come to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Unpack

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BaseSensorOperator

from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.stores.run_records import record_of
from airflow_provider_esp.triggers import broadcast_waits
from airflow_provider_esp.triggers.deferral import DeferringTask
from airflow_provider_esp.utils.wait_limits import came_to, default_deferrable, end_of_wait, limit_of_wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.broadcasts.wait import BroadcastLogger, BroadcastWatch
    from airflow_provider_esp.core.models import BroadcastGoal, BroadcastLook
    from airflow_provider_esp.core.waits import BroadcastResult, WaitEvent
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.utils.operator_arguments import BaseSensorArguments

_MOST_LOOKS = 60


class BroadcastSensor(DeferringTask, BaseSensorOperator):
    """Wait until a broadcast (SendPulse: a campaign) has come to its end.

    SendPulse's campaigns have a status. eSputnik's API documents none: there the contacts' activity is read, which the
    service's support has to switch on for an account; where it is off the sensor fails at once and says so. A status
    that eSputnik's answer does have is used.

    :param esp_conn_id: the Airflow connection. Templated.
    :param broadcast_id: its id, or what `CreateBroadcastOperator` returned (also through an XCom). Templated.
    :param until: eSputnik: what counts as the end: ``"started"``; ``"settled"`` (default), no new result in the
        activity for `settle_time`; or a share such as 0.98 of `expected` recipients that have a result.
    :param settle_time: in seconds.
    :param expected: recipients for a share; None to count the contacts of `segments`. Templated.
    :param segments: names or ids of the broadcast's segments, to be counted; empty for those that the service names,
        which may be the first alone. Templated.
    :param segments_exclude: names or ids of segments that it leaves out. Templated.
    :param on_action_required: where it requires manual action in the service: ``wait`` (default), or ``fail``.
    :param cancel_on_kill: cancel the broadcast when a person ends this task; while it is deferred that takes Airflow
        3.3.
    :param deferrable: wait in the triggerer instead of on a worker.
    :param kwargs: `BaseSensorOperator`'s: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail`` … With eSputnik
        ``mode="reschedule"`` is refused: it forgets how far the activity was read.
    :returns: ``broadcast_id``, ``state``, ``status``, ``why``, and the counts ``delivered`` and ``undelivered`` where
        they were seen.
    """

    template_fields: Sequence[str] = ("esp_conn_id", "broadcast_id", "expected", "segments", "segments_exclude")
    ui_color = "#e8f3ec"

    def __init__(
        self,
        *,
        esp_conn_id: str,
        broadcast_id: Any,
        until: broadcast_waits.Until = None,
        settle_time: float = 600.0,
        expected: int | str | None = None,
        segments: Any = (),
        segments_exclude: Any = (),
        on_action_required: Literal["wait", "fail"] = "wait",
        cancel_on_kill: bool = False,
        deferrable: bool | None = None,
        poke_interval: float = 60.0,
        **kwargs: Unpack[BaseSensorArguments],
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        broadcast_waits.check_wait(until, settle_time, on_action_required)
        self.esp_conn_id = esp_conn_id
        self.broadcast_id = broadcast_id
        self.until = until
        self.settle_time = settle_time
        self.expected = expected
        self.segments = segments
        self.segments_exclude = segments_exclude
        self.on_action_required: Literal["wait", "fail"] = on_action_required
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self._watch: BroadcastWatch | None = None
        self._logger: BroadcastLogger | None = None
        self._goal: BroadcastGoal | None = None

    def poke(self, context: Context) -> Any:
        """Look at the broadcast; where activity has piled up, page after page.

        :raises AirflowFailException: it failed, or somebody has to act and `on_action_required` is fail.
        """
        from airflow.providers.common.compat.sdk import PokeReturnValue

        from airflow_provider_esp.core.broadcasts import wait as broadcast_wait
        from airflow_provider_esp.core.waits import BroadcastResult

        with final_errors():
            last = self._look(_MOST_LOOKS)
            if not broadcast_wait.is_over(last, self.on_action_required):
                return False
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(BroadcastResult.of(last)))

    def execute(self, context: Context) -> Any:
        """Wait here, or leave for the triggerer."""
        if not self.deferrable:
            return self._poked(context)
        from airflow_provider_esp.core.broadcasts import wait as broadcast_wait
        from airflow_provider_esp.core.waits import BroadcastResult

        try:
            with final_errors():
                first = self._look(1)
                if broadcast_wait.is_over(first, self.on_action_required):
                    return self._conclude(BroadcastResult.of(first))
        except AirflowFailException as failed:
            if self.soft_fail:  # the base class sees to it in the other modes, and after the wait
                raise AirflowSkipException(str(failed)) from failed
            raise
        self._defer(first)
        return None

    def _poked(self, context: Context) -> Any:
        """Wait here; a timeout says how far it came."""
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        try:
            return super().execute(context)
        except AirflowSensorTimeout as late:
            raise AirflowSensorTimeout(f"{late}{came_to(self._logger.how_far if self._logger else '')}") from late

    def wait_ended(self, context: Context, event: WaitEvent) -> dict[str, Any]:
        """Go on after the wait.

        :param event: that the broadcast has ended, or requires manual action.
        """
        return self._conclude(broadcast_waits.result_of(event))

    def wait_timed_out(self, context: Context, event: WaitEvent) -> NoReturn:
        """Fail: the broadcast takes longer than the author allows.

        :raises AirflowSensorTimeout: always.
        """
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout

        limit = limit_of_wait(self, float(self.timeout))
        raise AirflowSensorTimeout(
            f"The broadcast had not come to its end after {limit}{came_to(event.how_far)}; the service goes on with "
            f"it. Raise {limit.name}= if it takes longer."
        )

    def awaited(self, event: WaitEvent) -> str:
        """Return what is waited for."""
        return "the broadcast"

    def on_kill(self) -> None:
        """Cancel the broadcast where the author asked for that."""
        if self.cancel_on_kill:
            broadcast_waits.cancel_for(self, broadcast_waits.id_of(self.broadcast_id))

    def _look(self, most: int) -> BroadcastLook:
        """Look once, and again at once where there is more to read already, but no more often than that."""
        import time

        from airflow_provider_esp.core.broadcasts.wait import CATCH_UP, is_over
        from airflow_provider_esp.hooks.esp import EspHook

        with EspHook.for_connection(self.esp_conn_id) as hook:
            watch, logger = self._prepared(hook)
            for looks in range(1, most + 1):
                seen = hook.run(watch.look(hook.clock()))
                logger.tell(seen)
                self._note(hook, seen)
                if not seen.behind or is_over(seen, self.on_action_required) or looks == most:
                    break
                time.sleep(min(CATCH_UP, float(self.poke_interval)))
            return seen

    def _note(self, hook: EspHook, seen: BroadcastLook) -> None:
        """Leave what was seen for the page in Airflow."""
        from airflow_provider_esp.core.waits import BroadcastResult, encode

        record_of(self).note(
            service=hook.conn_type,
            conn_id=self.esp_conn_id,
            kind="broadcast",
            id=broadcast_waits.id_of(self.broadcast_id),
            total=self._goal.expected if self._goal else None,
            broadcast=encode(BroadcastResult.of(seen)),
        )

    def _prepared(self, hook: EspHook) -> tuple[BroadcastWatch, BroadcastLogger]:
        if self._watch is None or self._logger is None:
            from airflow_provider_esp.core.broadcasts.wait import BroadcastLogger

            broadcast_id = broadcast_waits.id_of(self.broadcast_id)
            hook.check_access("broadcasts", "activity")
            expected = self._expected(hook, broadcast_id) if isinstance(self.until, int | float) else None
            self._goal = broadcast_waits.goal_of(self.until, self.settle_time, expected)
            watch = hook.adapter.broadcast_watcher(broadcast_id, self._goal)
            if watch.keeps_position and self.reschedule and not self.deferrable:
                raise ValueError(
                    "mode='reschedule' forgets between two looks how far the activity was read: say deferrable=True, "
                    "or mode='poke'."
                )
            self._watch, self._logger = watch, BroadcastLogger(broadcast_id, self.log.info, self.log.warning)
        return self._watch, self._logger

    def _expected(self, hook: EspHook, broadcast_id: str) -> int:
        segments = broadcast_waits.names(self.segments)
        if not segments and self.expected is None:
            segments = hook.run(hook.adapter.get_broadcast(broadcast_id)).segments
        return broadcast_waits.expected_recipients(
            hook, self.expected, segments, broadcast_waits.names(self.segments_exclude), self.log
        )

    def _defer(self, first: BroadcastLook) -> None:
        if self._goal is None:
            raise RuntimeError("A look comes before the wait.")
        end = end_of_wait(self, float(self.timeout))
        trigger = broadcast_waits.trigger_for(
            self,
            broadcast_waits.id_of(self.broadcast_id),
            self._goal,
            first,
            end_time=end,
            poll_interval=float(self.poke_interval),
        )
        self.defer_until(end, trigger)

    def _conclude(self, result: BroadcastResult) -> dict[str, Any]:
        from airflow_provider_esp.core.broadcasts.wait import check
        from airflow_provider_esp.core.waits import encode

        broadcast_id = broadcast_waits.id_of(self.broadcast_id)
        record_of(self).note(soon=False, broadcast=encode(result))
        check(broadcast_id, result.state, result.reason)
        return {"broadcast_id": broadcast_id, **encode(result)}
