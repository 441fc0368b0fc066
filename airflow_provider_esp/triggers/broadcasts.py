"""What deferred tasks wait for where a broadcast is concerned.

Where the service gives no status the wait reads the account's activity forward. How far it has come lives in the
triggerer's memory: a trigger's stored arguments do not change while it runs. A triggerer that starts again begins at
the start of the broadcast, which costs time and nothing else, because a wait only reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_esp.triggers._hooks import hook_for
from airflow_provider_esp.triggers._polling import PollTrigger

if TYPE_CHECKING:
    from airflow_provider_esp.core.broadcasts.wait import BroadcastLogger, BroadcastWatch
    from airflow_provider_esp.core.models import BroadcastGoal, BroadcastLook
    from airflow_provider_esp.core.waits import BroadcastEnded
    from airflow_provider_esp.hooks.esp import EspHook

_CANCEL_WITHIN = 20.0


class BroadcastTrigger(PollTrigger):
    """Waits until a broadcast has come to its end, or until somebody has to act.

    The event is `BroadcastEnded`.

    :param broadcast_id: id that the service gave.
    :param goal: a `BroadcastGoal` as a dictionary.
    :param on_action_required: whether the wait goes on (``wait``) or ends (``fail``) where manual action in the service
        is required.
    :param cancel_on_kill: whether the broadcast is cancelled when a person clears the deferred task or marks it
        (Airflow 3.3 and later; before, Airflow does not tell a trigger).
    """

    def __init__(
        self,
        *,
        broadcast_id: str,
        goal: Mapping[str, Any],
        on_action_required: Literal["wait", "fail"] = "wait",
        cancel_on_kill: bool = False,
        **waiting: Any,
    ) -> None:
        super().__init__(**waiting)
        self.broadcast_id = broadcast_id
        self.goal = dict(goal)
        self.on_action_required = on_action_required
        self.cancel_on_kill = cancel_on_kill
        self._watch: BroadcastWatch | None = None
        self._logger: BroadcastLogger | None = None
        self._behind = False

    def arguments(self) -> dict[str, Any]:
        """Return the broadcast's id and what is waited for."""
        return {
            "broadcast_id": self.broadcast_id,
            "goal": self.goal,
            "on_action_required": self.on_action_required,
            "cancel_on_kill": self.cancel_on_kill,
        }

    def event_type(self) -> type[BroadcastEnded]:
        """Return the kind of event that this trigger ends with."""
        from airflow_provider_esp.core.waits import BroadcastEnded

        return BroadcastEnded

    def seconds_to_next_look(self) -> float:
        """Return the interval, or a moment where there is more to read already."""
        from airflow_provider_esp.core.broadcasts.wait import CATCH_UP

        return min(CATCH_UP, self.poll_interval) if self._behind else self.poll_interval

    async def look(self, hook: EspHook) -> BroadcastEnded | None:
        """Look once: at the broadcast, and at one page of activity at most."""
        from airflow_provider_esp.core.broadcasts.wait import is_over
        from airflow_provider_esp.core.waits import BroadcastEnded, BroadcastResult, WaitStatus

        watch, logger = self._prepared(hook)
        seen = await self._look_at_broadcast(hook, watch)
        self._behind = seen.behind
        logger.tell(seen)
        self.how_far = seen.reason
        if not is_over(seen, self.on_action_required):
            return None
        return BroadcastEnded(status=WaitStatus.DONE, broadcast=BroadcastResult.of(seen))

    async def on_kill(self) -> None:
        """Cancel the broadcast where the author asked for that: a person has ended the task that waits for it."""
        if not self.cancel_on_kill:
            return
        async with asyncio.timeout(_CANCEL_WITHIN):
            hook = await hook_for(self.esp_conn_id)
            await hook.arun(hook.adapter.cancel_broadcast(self.broadcast_id))
        self.log.info("The task was ended manually: broadcast %s is cancelled.", self.broadcast_id)

    async def _look_at_broadcast(self, hook: EspHook, watch: BroadcastWatch) -> BroadcastLook:
        from airflow_provider_esp.core.broadcasts.wait import when_missing
        from airflow_provider_esp.exceptions import NotFound

        now = hook.clock()
        try:
            return await hook.arun(watch.look(now))
        except NotFound:
            missing = when_missing(self._goal(), now)
            if missing is None:
                raise
            return missing

    def _goal(self) -> BroadcastGoal:
        import msgspec

        from airflow_provider_esp.core.models import BroadcastGoal

        return msgspec.convert(self.goal, BroadcastGoal)

    def _prepared(self, hook: EspHook) -> tuple[BroadcastWatch, BroadcastLogger]:
        if self._watch is None or self._logger is None:
            from airflow_provider_esp.core.broadcasts.wait import BroadcastLogger

            self._watch = hook.adapter.broadcast_watcher(self.broadcast_id, self._goal())
            self._logger = BroadcastLogger(self.broadcast_id, self.log.info, self.log.warning)
        return self._watch, self._logger
