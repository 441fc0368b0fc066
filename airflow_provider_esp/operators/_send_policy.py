"""Whether a task may send now: not too late, not as a backfill by accident, and not at a wrong hour.

An operator that sends asks `TimedSendOperator.check_time` before anything leaves, unless nothing is left to send: a
retry that only waits for what was sent is never too late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Unpack

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_esp import version_compat
from airflow_provider_esp.operators._base import ChangingOperator
from airflow_provider_esp.operators._templating import switch_of
from airflow_provider_esp.utils import clock
from airflow_provider_esp.utils.masking import is_template

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.send.lateness import RunTime, TimeLimit
    from airflow_provider_esp.core.send.window import SendWindow
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import ChangingArguments

TIMING_FIELDS = ("max_lateness", "on_late", "allow_backfill", "send_window", "on_outside_window")
"""Templated arguments of `TimedSendOperator`."""

_ON_LATE = ("fail", "skip")
_ON_OUTSIDE_WINDOW = ("wait", "fail")


class TimedSendOperator(ChangingOperator):
    """An operator that sends only at a time at which its author still wants that.

    :param max_lateness: how long after the end of its data interval a run may still send: a `timedelta`, seconds, or
        text such as ``"36h"``; ``"off"`` for no limit. None for the default: 24 hours for scheduled runs, no limit for
        runs that a person, an asset or another DAG has triggered. Templated.
    :param on_late: what a run does that may not send any more, or is a backfill: ``fail`` (default), or ``skip`` the
        task. Templated.
    :param allow_backfill: whether runs of a backfill send; they do not by default, and where they do,
        ``max_lateness`` does not concern them. Templated.
    :param send_window: the hours in which something may be sent, such as ``("09:00", "21:00")``, also over midnight,
        on the clock of the connection's ``timezone``. Templated.
    :param on_outside_window: outside of these hours ``wait``, deferred, until they begin (default), or ``fail``.
        Templated.
    """

    template_fields: Sequence[str] = (*ChangingOperator.template_fields, *TIMING_FIELDS)

    def __init__(
        self,
        *,
        max_lateness: timedelta | float | str | None = None,
        on_late: Literal["fail", "skip"] | str = "fail",
        allow_backfill: bool | str = False,
        send_window: Sequence[str] | str | None = None,
        on_outside_window: Literal["wait", "fail"] | str = "wait",
        **kwargs: Unpack[ChangingArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.max_lateness = max_lateness
        self.on_late = on_late
        self.allow_backfill = allow_backfill
        self.send_window = send_window
        self.on_outside_window = on_outside_window
        self._refusals: list[str] = []
        self._closes_at: float | None = None
        self._check_timing()

    def check_time(self, context: Context, hook: EspHook, *, sent: int = 0, starts_at: datetime | None = None) -> None:
        """Ensure that something may be sent now; a dry run only says what would happen.

        :param sent: rows that earlier tries of this task have dealt with already.
        :param starts_at: when the service is to send, where that is not now.
        :raises SendTooLate: the run is too late, or a backfill.
        :raises AirflowSkipException: the same, where ``on_late`` is skip and nothing was sent.
        :raises OutsideSendWindow: it is outside of ``send_window``, and the author does not want to wait; or the
            service would start to send outside of it.
        :raises TaskDeferred: the task waits for its hours.
        """
        from airflow_provider_esp.exceptions import SendTooLate

        now = clock.now()
        # Where the hours begin too late, there is no use in waiting for them.
        opens_at = now if starts_at is not None else self.sending_at(hook, now)
        refusal = self._limit().refusal(run_time(context), opens_at)
        if refusal:
            self.refuse(SendTooLate(refusal + _of_sent(sent)), skip=self._skips_late and not sent)
        elif (window := self._window(hook)) is not None:
            self._check_window(context, window, now, opens_at, starts_at)

    def sending_at(self, hook: EspHook, now: float) -> float:
        """Return the Unix time at which this task would send: now, or when the hours begin that it would wait for."""
        window = self._window(hook)
        return window.opens_at(now) if window is not None and self._waits else now

    def in_window(self, table: Table) -> Table:
        """Return a table whose rows end with `SendWindowClosed` when the send window does; it opens with this task."""
        from dataclasses import replace

        closes_at = self._closes_at
        return table if closes_at is None else replace(table, rows=_until(table.rows, closes_at))

    def window_closed(self, context: Context, hook: EspHook) -> None:
        """Go on with a send that the end of its hours has interrupted: wait for the next, or fail.

        :raises TaskDeferred: the task waits for its hours.
        :raises OutsideSendWindow: the author does not want to wait.
        """
        window, now = self._window(hook), clock.now()
        if window is not None:
            self.log.info("The send window %s has closed; what is left is sent when it opens again.", window)
            self._check_window(context, window, now, window.opens_at(now), None)

    def told(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return what the task returns; a dry run that would not send says why in ``would_refuse``."""
        told = super().told(summary)
        return {**told, "would_refuse": list(self._refusals)} if self._refusals else told

    def _check_window(
        self, context: Context, window: SendWindow, now: float, opens_at: float, starts_at: datetime | None
    ) -> None:
        from airflow_provider_esp.exceptions import OutsideSendWindow
        from airflow_provider_esp.utils.durations import in_words

        at = now if starts_at is None else starts_at.timestamp()
        if window.is_open(at):
            self._closes_at = window.closes_at(now) if starts_at is None else None
            return
        clock_shows = window.local(at).strftime("%H:%M")
        if starts_at is not None:
            self.refuse(OutsideSendWindow(f"start is {clock_shows}, outside of send_window {window}: change one."))
            return
        if not self._waits:
            self.refuse(
                OutsideSendWindow(
                    f"It is {clock_shows}, outside of send_window {window}, and on_outside_window is 'fail'. Clear the "
                    f"task after {window.local(window.opens_at(now)).isoformat(timespec='minutes')}."
                )
            )
            return
        opens = f"{window.local(opens_at).isoformat(timespec='minutes')}, in {in_words(opens_at - now)}"
        self._check_execution_timeout(context, opens_at, opens)
        if self.is_dry:
            self._note(f"It is {clock_shows}, outside of send_window {window}: the task would wait until {opens}.")
            return
        from airflow_provider_esp.triggers.send_windows import SendWindowTrigger

        self.log.info("It is %s, outside of send_window %s: waiting, deferred, until %s.", clock_shows, window, opens)
        self.defer(trigger=SendWindowTrigger(opens_at), method_name="resume")

    def _check_execution_timeout(self, context: Context, opens_at: float, opens: str) -> None:
        """Refuse a wait that Airflow 2 would cut, because there the wait counts as execution."""
        from airflow_provider_esp.exceptions import OutsideSendWindow
        from airflow_provider_esp.utils.durations import in_words

        limit, began = self.execution_timeout, getattr(context["ti"], "start_date", None)
        if limit is None or not version_compat.IS_AIRFLOW_2:
            return
        if opens_at > (began.timestamp() if began else clock.now()) + limit.total_seconds():
            self.refuse(
                OutsideSendWindow(
                    f"send_window opens at {opens}, and Airflow 2 ends this task by its execution_timeout "
                    f"({in_words(limit.total_seconds())}) before that, waiting included: raise execution_timeout."
                )
            )

    def refuse(self, error: Exception, *, skip: bool = False) -> None:
        """Raise an error before anything is sent; a dry run only notes it."""
        if self.is_dry:
            self._note(str(error))
        elif skip:
            raise AirflowSkipException(str(error))
        else:
            raise error

    def _note(self, reason: str) -> None:
        self._refusals.append(reason)
        self.log.warning("Dry run: %s", reason)

    @property
    def _skips_late(self) -> bool:
        return check_choice("on_late", self.on_late, _ON_LATE) == "skip"

    @property
    def _waits(self) -> bool:
        return check_choice("on_outside_window", self.on_outside_window, _ON_OUTSIDE_WINDOW) == "wait"

    def _limit(self) -> TimeLimit:
        from airflow_provider_esp.core.send.lateness import read_limit

        return read_limit(self.max_lateness, allow_backfill=switch_of("allow_backfill", self.allow_backfill))

    def _window(self, hook: EspHook) -> SendWindow | None:
        if self.send_window is None or self.send_window in ("", "None"):
            return None
        from airflow_provider_esp.core.send.window import read_window

        return read_window(self.send_window, hook.settings.timezone)

    def _check_timing(self) -> None:
        """Find out when the DAG is parsed what cannot be meant; what is still a template, when the task runs."""
        if self.max_lateness is not None and not is_template(self.max_lateness):
            from airflow_provider_esp.core.send.lateness import read_limit

            read_limit(self.max_lateness, allow_backfill=False)
        if self.send_window is not None and not is_template(self.send_window):
            from airflow_provider_esp.core.send.window import read_window

            read_window(self.send_window, UTC)
        if not is_template(self.on_late):
            check_choice("on_late", self.on_late, _ON_LATE)
        if not is_template(self.on_outside_window):
            check_choice("on_outside_window", self.on_outside_window, _ON_OUTSIDE_WINDOW)


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return an argument that is one of a few words.

    :param name: the argument's, for the error.
    :raises ValueError: it is none of them.
    """
    text = value.strip() if isinstance(value, str) else value
    if text not in choices:
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r}.")
    return str(text)


def _of_sent(rows: int) -> str:
    return f" Earlier tries have dealt with {rows:,} rows; what is left was not sent." if rows else ""


def _until(rows: Iterator[Any], closes_at: float) -> Iterator[Any]:
    from airflow_provider_esp.exceptions import SendWindowClosed

    for row in rows:
        if clock.now() >= closes_at:
            raise SendWindowClosed
        yield row


def run_time(context: Context) -> RunTime:
    """Return what kind of run this is, and when it was due.

    A scheduled run was due at the end of its data interval, or when its timetable says, if that is later. Any other was
    due when it was asked for: its logical date, or the end of the data interval where that is later. Airflow 3 has
    runs with neither; there ``run_after`` says it. Nothing tells when ``@once`` was due.

    :param context: the task's.
    """
    from airflow_provider_esp.core.send.lateness import RunKind, RunTime

    dag_run = context.get("dag_run")
    run_type = getattr(dag_run, "run_type", None)
    name = str(getattr(run_type, "value", run_type))
    kind = RunKind(name) if name in (RunKind.SCHEDULED, RunKind.BACKFILL) else RunKind.OTHER
    if kind is RunKind.SCHEDULED and type(getattr(context.get("dag"), "timetable", None)).__name__ == "OnceTimetable":
        return RunTime(RunKind.OTHER, None)  # its interval is the DAG's start_date, which is no time of a campaign
    end = getattr(dag_run, "data_interval_end", None)
    run_after = getattr(dag_run, "run_after", None)
    other = run_after if kind is RunKind.SCHEDULED else _logical_date(dag_run)
    moments = [moment for moment in (end, other) if moment is not None]
    return RunTime(kind, max(moments) if moments else run_after)


def _logical_date(dag_run: Any) -> datetime | None:
    return getattr(dag_run, "logical_date", None)
