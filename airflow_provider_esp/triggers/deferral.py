"""`DeferringTask`: how an operator or a sensor leaves its worker for the triggerer, and goes on afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.stores.run_records import record_of
from airflow_provider_esp.utils.wait_limits import until_after

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_esp.core.waits import WaitEvent
else:
    BaseOperator = object  # at run time this stands beside an operator's or a sensor's own base class


class DeferringTask(BaseOperator):
    """The part of an operator or a sensor that waits in the triggerer.

    Whatever it waits for, Airflow resumes it by `resume`, which reads the event and calls `wait_ended` or
    `wait_timed_out`.

    :cvar retry_advice: what a retry does after a wait that broke off; the end of the error's sentence.
    """

    retry_advice: ClassVar[str] = ""

    def defer_until(self, end: float, trigger: Any) -> None:
        """Leave the worker until the trigger fires.

        :param end: when the wait is over, in Unix time; Airflow's own limit stands a little behind it.
        :raises TaskDeferred: always.
        """
        record_of(self).note(soon=False, deadline=round(end))
        self.defer(trigger=trigger, method_name="resume", timeout=until_after(end))

    def resume(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Go on after a wait; Airflow calls this.

        :param event: what the trigger has told, and what this task left behind when it deferred.
        :returns: what the task returns.
        :raises RuntimeError: the trigger could not look any more.
        """
        from airflow_provider_esp.core.waits import SendWindowOpened, WaitStatus, read_event

        ended = read_event(event)
        if isinstance(ended, SendWindowOpened):  # nothing was done yet; whether it is too late by now is asked again
            return self.execute(context)
        with final_errors():
            if ended.status is WaitStatus.ERROR:
                advice = f" {self.retry_advice}" if self.retry_advice else ""
                raise RuntimeError(f"The wait for {self.awaited(ended)} ended: {ended.message}{advice}")
            if ended.status is WaitStatus.TIMEOUT:
                return self.wait_timed_out(context, ended)
            return self.wait_ended(context, ended)

    def awaited(self, event: WaitEvent) -> str:
        """Return what is waited for, within a sentence."""
        raise NotImplementedError

    def wait_ended(self, context: Context, event: WaitEvent) -> Any:
        """Go on after a wait that has found what it waited for.

        :returns: what the task returns.
        """
        raise NotImplementedError

    def wait_timed_out(self, context: Context, event: WaitEvent) -> Any:
        """Go on after a wait whose time was up.

        :returns: what the task returns, if it does not fail.
        """
        raise NotImplementedError
