"""What the operators and the sensor that wait for broadcasts share: arguments as authors write them, and the wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from airflow_provider_esp.core.broadcasts.create import CreatedBroadcast
    from airflow_provider_esp.core.models import BroadcastGoal, BroadcastLook
    from airflow_provider_esp.core.waits import BroadcastResult, WaitEvent
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.triggers.broadcasts import BroadcastTrigger

_CLOCKS_APART = 25 * 60
"""Seconds; zones lie half an hour apart at least."""

Until = Literal["started", "settled"] | float | None


def check_wait(until: Any, settle_time: float, on_action_required: str) -> None:
    """Find out when the DAG is parsed that a wait cannot be meant so.

    :raises ValueError: an argument makes no sense.
    """
    share = isinstance(until, int | float) and not isinstance(until, bool) and 0 < until <= 1
    if not (until in (None, "started", "settled") or share):
        raise ValueError(f"until must be 'started', 'settled' or a share above 0 and up to 1, not {until!r}.")
    if settle_time <= 0:
        raise ValueError("settle_time must be above 0 seconds.")
    if on_action_required not in ("wait", "fail"):
        raise ValueError(f"on_action_required must be 'wait' or 'fail', not {on_action_required!r}.")


def goal_of(until: Any, settle_time: float, expected: int | None, since: float | None = None) -> BroadcastGoal:
    """Put together what a wait waits for; a share of 1 may be written as a whole number."""
    from airflow_provider_esp.core.models import BroadcastGoal

    wanted = float(until) if isinstance(until, int) else until
    return BroadcastGoal(until=wanted, settle_time=float(settle_time), expected=expected, since=since)


def expected_recipients(
    hook: EspHook, given: int | str | None, segments: Sequence[str], excluded: Sequence[str], log: Any
) -> int:
    """Return the number of recipients that a share is measured by: as the author gave it, or counted.

    :param given: the author's, perhaps from a template.
    :raises ValueError: it is no number above 0, or the segments are empty.
    """
    if given is not None and str(given).strip() not in ("", "None"):
        number = int(given)
        if number < 1:
            raise ValueError(f"expected must be at least 1, not {number}.")
        return number
    counted = hook.run(hook.adapter.count_recipients(segments, excluded))
    if not counted:
        raise ValueError(
            "The broadcast's segments are empty, so a share of their contacts cannot be computed: fill them, or say in "
            "expected= how many recipients there are."
        )
    log.info("%d contacts in %d segments are expected to get the broadcast.", counted, len(segments))
    return counted


def names(given: Any) -> tuple[str, ...]:
    """Take one name or several: templates give one string."""
    return (given,) if isinstance(given, str) else tuple(str(one) for one in given or ())


def excluded(given: Any, *, some: bool) -> tuple[str, ...]:
    """Take the names of segments that get nothing.

    :param given: rendered.
    :param some: whether a template or an XCom was to name them: that it has come to nothing does not mean nobody.
    :raises ValueError: it has.
    """
    found = names(given)
    if some and not found:
        raise ValueError(
            "segments_exclude was given by a template or an XCom and has come to nothing: everybody in segments would "
            "get the broadcast. Nothing was created. Correct what names the segments, or leave segments_exclude out."
        )
    return found


def id_of(given: Any) -> str:
    """Take a broadcast's id, or what `CreateBroadcastOperator` returned.

    :raises ValueError: there is none, or it would change a request's path.
    """
    found = given.get("broadcast_id") if isinstance(given, Mapping) else given
    if found is None or not str(found).strip() or str(found) == "None":
        raise ValueError("broadcast_id is empty: give the id, or what CreateBroadcastOperator returned.")
    if str(found).strip() in (".", ".."):
        raise ValueError(
            f"broadcast_id is {str(found).strip()!r}, which is no id: the request would reach another method."
        )
    return str(found).strip()


def check_clock(start: Any, made: CreatedBroadcast, zone: tzinfo, log: Any) -> None:
    """Warn where what was to start at once seems to start at another hour: the connection's time zone is not right."""
    if start or made.starts_at is None:
        return
    apart = made.starts_at.timestamp() - made.intended_at
    if abs(apart) > _CLOCKS_APART:
        log.warning(
            "Broadcast %s was to start at once, and by the connection's timezone (%s) the service says that it starts "
            "%.1f hours %s: correct timezone in the connection's extra, or its activity is read at the wrong hours.",
            made.id,
            zone,
            abs(apart) / 3600,
            "later" if apart > 0 else "earlier",
        )


def result_of(event: WaitEvent) -> BroadcastResult:
    """Return how the broadcast has ended that a task has waited for.

    :raises TypeError: the event is not one of a broadcast that has ended.
    """
    from airflow_provider_esp.core.waits import BroadcastEnded

    result = event.expect(BroadcastEnded).broadcast
    if result is None:
        raise TypeError("The wait for the broadcast is done, and its event does not say how the broadcast has ended.")
    return result


def trigger_for(task: Any, broadcast_id: str, goal: BroadcastGoal, first: BroadcastLook, **waiting: Any) -> Any:
    """Make the trigger that goes on where the worker's first look has ended.

    :param task: an operator or sensor with ``esp_conn_id``, ``on_action_required`` and ``cancel_on_kill``.
    :param first: what the worker saw; what it has warned of is not said again.
    :param waiting: ``end_time``, ``poll_interval`` and ``state`` of the trigger.
    """
    import msgspec

    from airflow_provider_esp.triggers.broadcasts import BroadcastTrigger

    trigger: BroadcastTrigger = BroadcastTrigger(
        broadcast_id=broadcast_id,
        goal={**msgspec.to_builtins(goal), "warned": bool(first.warning)},
        on_action_required=task.on_action_required,
        cancel_on_kill=task.cancel_on_kill,
        esp_conn_id=task.esp_conn_id,
        **waiting,
    )
    return trigger


def cancel_for(task: Any, broadcast_id: str) -> None:
    """Cancel a broadcast because the task that waits for it is being killed; what goes wrong is only logged."""
    from airflow_provider_esp.core.broadcasts import wait as broadcast_wait
    from airflow_provider_esp.exceptions import EspError
    from airflow_provider_esp.hooks.esp import EspHook

    try:
        with EspHook.for_connection(task.esp_conn_id) as hook:
            broadcast_wait.cancel(
                hook.run,
                lambda: hook.adapter.cancel_broadcast(broadcast_id),
                lambda: hook.adapter.get_broadcast(broadcast_id),
            )
    except EspError as error:
        task.log.warning("Broadcast %s could not be cancelled: %s", broadcast_id, error)
    else:
        task.log.info("The task was ended: broadcast %s is cancelled.", broadcast_id)
