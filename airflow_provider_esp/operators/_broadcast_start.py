"""The start of a broadcast: when the service is to send it, and what is done about a start that has passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Unpack

from airflow_provider_esp.operators._send_policy import TimedSendOperator, check_choice
from airflow_provider_esp.utils import clock
from airflow_provider_esp.utils.masking import is_template

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import TimedSendArguments

_CHOICES = ("fail", "send_now")


@dataclass(frozen=True, slots=True)
class Start:
    """A start, read.

    :ivar meant: what the author has written, aware; None for at once.
    :ivar at: what the service is told; None for at once, also where the start has passed.
    """

    meant: datetime | None
    at: datetime | None


class StartOperator(TimedSendOperator):
    """An operator that may tell the service to send later.

    :param start: when: a datetime or its ISO form; without a zone it is on the account's clock, which the connection's
        ``timezone`` says. None for at once. Templated.
    :param start_grace: how far in the past a start may be and still be sent, at once: a `timedelta`, seconds, or text
        such as ``"15min"``. Templated.
    :param start_in_past: what is done about a start that is further in the past: ``fail`` (default), or ``send_now``.
        Templated.
    """

    template_fields: Sequence[str] = (*TimedSendOperator.template_fields, "start", "start_grace", "start_in_past")

    def __init__(
        self,
        *,
        start: datetime | str | None = None,
        start_grace: timedelta | float | str = timedelta(minutes=15),
        start_in_past: Literal["fail", "send_now"] | str = "fail",
        **kwargs: Unpack[TimedSendArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.start_grace = start_grace
        self.start_in_past = start_in_past
        if not is_template(start_grace):
            self._grace()
        if not is_template(start_in_past):
            check_choice("start_in_past", start_in_past, _CHOICES)

    def read_start(self, hook: EspHook) -> Start:
        """Read the start, and log what a person should know about how it was read.

        :raises ValueError: it is no moment.
        """
        from airflow_provider_esp.core.broadcasts.start_time import read_start

        start = read_start(self.start, hook.settings.timezone)
        if start is None:
            return Start(None, None)
        if start.warning:
            self.log.warning("%s", start.warning)
        return Start(start.moment, start.moment if start.moment.timestamp() > clock.now() else None)

    def check_start(self, context: Context, hook: EspHook, start: Start) -> None:
        """Ensure that the broadcast may be created now; a dry run only says what would happen.

        :raises StartInPast: the start is too far in the past.
        :raises SendTooLate: see `check_time`, also for what else is raised.
        """
        if start.meant is not None and start.at is None:
            self._check_past(hook, start.meant)
        self.check_time(context, hook, starts_at=start.at)

    def _check_past(self, hook: EspHook, start: datetime) -> None:
        from airflow_provider_esp.exceptions import StartInPast
        from airflow_provider_esp.utils.durations import in_words

        now, grace = clock.now(), self._grace()
        past = self.sending_at(hook, now) - start.timestamp()
        shown = f"start {start.isoformat(timespec='minutes')} was {in_words(past)} before the time of sending"
        if past > grace and check_choice("start_in_past", self.start_in_past, _CHOICES) == "fail":
            self.refuse(
                StartInPast(
                    f"{shown}, and start_grace allows {in_words(grace)}. Nothing was created. Correct start, or say "
                    'start_in_past="send_now" to send it at once.'
                )
            )
        else:
            self.log.info("%s: it is sent at once.", shown)

    def _grace(self) -> float:
        from airflow_provider_esp.utils.durations import read_duration

        return read_duration("start_grace", self.start_grace)
