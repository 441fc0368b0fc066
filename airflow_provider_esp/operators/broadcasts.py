"""`CreateBroadcastOperator` and `CancelBroadcastOperator`: one message to whole segments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, Unpack

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators._base import ChangingOperator
from airflow_provider_esp.operators._broadcast_start import StartOperator
from airflow_provider_esp.operators._options import OptionsAttribute, options_for
from airflow_provider_esp.operators._service_arguments import refuse_mixture
from airflow_provider_esp.operators._templating import switch_of
from airflow_provider_esp.options import EsputnikBroadcast, SendPulseCampaign
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.triggers import broadcast_waits
from airflow_provider_esp.utils.masking import is_template
from airflow_provider_esp.utils.task_identity import task_identity
from airflow_provider_esp.utils.wait_limits import came_to, default_deferrable, limit_of_wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.broadcasts.create import BroadcastLedger, BroadcastTarget, CreatedBroadcast
    from airflow_provider_esp.core.models import BroadcastGoal, BroadcastOptions
    from airflow_provider_esp.core.waits import BroadcastResult, CreatedState, WaitEvent
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import ChangingArguments, StartArguments
    from airflow_provider_esp.operators._broadcast_start import Start

_SECONDS = {"MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86400.0, "MONTH": 31 * 86400.0}


class CreateBroadcastOperator(StartOperator):
    """Send a message to whole segments, now or later: eSputnik's broadcast, SendPulse's campaign.

    At eSputnik this is `POST v1/broadcast`, at SendPulse `POST campaigns` (four an hour at most). It is **created at
    most once**. The intent is in the ledger first (the task's state since Airflow 3.3, a Variable before, or a file),
    and the title carries a marker. A retry looks the broadcast up by it: one that is not listed was not created,
    provided that the intent is a minute old. Otherwise the task stops with `BroadcastOutcomeUnknown`, for good. A run
    that comes too late creates nothing: see `TimedSendOperator`.

    :param esp_conn_id: the Airflow connection. Templated.
    :param title: for people at the service; a marker is put before it. None for the names of DAG and task. Templated.
    :param message_id: eSputnik's prepared message, SendPulse's template. Templated.
    :param segments: names or ids of segments (SendPulse: of up to ten mailing lists). Templated.
    :param segments_exclude: eSputnik: names or ids of segments whose contacts get nothing. Templated.
    :param start: when, see `StartOperator`. Templated.
    :param subject: SendPulse. Templated.
    :param body: SendPulse: HTML, in place of a template. Templated, also from a ``.html`` file.
    :param options: what only one service has: `EsputnikBroadcast` (batches, domain, app) or `SendPulseCampaign`
        (sender, segment, test, draft). Templated, as far as they say so.
    :param check_balance: ask first what it costs, show that, and refuse one that the account cannot pay for:
        SendPulse's campaigns to mailing lists, eSputnik's text messages. Templated.
    :param wait_for_completion: wait until the broadcast has come to its end.
    :param until: eSputnik, whose API documents no status of a broadcast: what counts as its end. ``"started"``;
        ``"settled"`` (default), no new result in the contacts' activity for `settle_time`; or a share such as 0.98 of
        `expected` recipients that have a result. SendPulse's campaigns have a status.
    :param settle_time: in seconds.
    :param expected: recipients for a share; None to count the segments' contacts. Templated.
    :param on_action_required: where a broadcast requires manual action in the service (a moderator, a draft): ``wait``
        (default), or ``fail``. The log says which and why.
    :param cancel_on_kill: cancel the broadcast when a person ends the task that waits for it; while it is deferred
        that takes Airflow 3.3.
    :param deferrable: wait in the triggerer instead of on the worker.
    :param poll_interval: seconds between two looks.
    :param timeout: seconds that the wait may take at the most.
    :param resend: create another broadcast although this task instance's has come to its end (it was cleared).
        Templated, so that a Variable can say it.
    :param ledger_path: a file for the ledger, on a disk that every worker sees. Templated; it must differ by run.
    :param sent_retention: how long Airflow remembers a broadcast that has come to its end.
    :param dry_run: look up what it names, show the request and create nothing. Templated.
    :returns: ``broadcast_id``, ``title`` and ``how`` (``created``, ``found`` or ``known``); after a wait also
        ``state``, ``status`` and ``why``, and the counts ``delivered`` and ``undelivered`` where they were seen.
    """

    template_fields: Sequence[str] = (
        *StartOperator.template_fields,
        *("title", "message_id", "segments", "segments_exclude", "subject", "body", "expected", "options"),
        *("resend", "ledger_path", "check_balance"),
    )
    retry_advice = "The broadcast is there; a retry only waits again."
    template_ext: Sequence[str] = (".html",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"body": "html"}
    options: Any = OptionsAttribute(EsputnikBroadcast, SendPulseCampaign)

    def __init__(
        self,
        *,
        title: str | None = None,
        message_id: int | str | None = None,
        segments: Any = (),
        segments_exclude: Any = (),
        subject: str | None = None,
        body: str | None = None,
        options: EsputnikBroadcast | SendPulseCampaign | None = None,
        check_balance: bool | str = False,
        wait_for_completion: bool = False,
        until: broadcast_waits.Until = None,
        settle_time: float = 600.0,
        expected: int | str | None = None,
        on_action_required: Literal["wait", "fail"] = "wait",
        cancel_on_kill: bool = False,
        deferrable: bool | None = None,
        poll_interval: float = 60.0,
        timeout: float = 24 * 60 * 60,
        resend: bool | str = False,
        ledger_path: str | None = None,
        sent_retention: timedelta = timedelta(days=90),
        **kwargs: Unpack[StartArguments],
    ) -> None:
        super().__init__(**kwargs)
        broadcast_waits.check_wait(until, settle_time, on_action_required)
        if cancel_on_kill and not wait_for_completion:
            raise ValueError("cancel_on_kill is about a task that waits: say wait_for_completion=True as well.")
        self.title = title
        self.message_id = message_id
        self.segments = segments
        self.segments_exclude = segments_exclude
        self._has_to_exclude = is_template(segments_exclude)
        self.subject = subject
        self.body = body
        self.options = options
        self.check_balance = check_balance
        self.wait_for_completion = wait_for_completion
        self.until = until
        self.settle_time = settle_time
        self.expected = expected
        self.on_action_required: Literal["wait", "fail"] = on_action_required
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.resend = resend
        self.ledger_path = ledger_path
        self.sent_retention = sent_retention
        if not isinstance(sent_retention, timedelta) or sent_retention <= timedelta(0):
            raise ValueError("sent_retention must be a timedelta longer than 0: it guards against sending twice.")
        self._waiting_for: str | None = None
        self._refuse_mixture()

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Ensure that the broadcast is there, and wait for its end here or in the triggerer."""
        from msgspec.structs import replace

        from airflow_provider_esp.core.waits import CreatedState, encode

        with final_errors(), self.hook() as hook:
            hook.check_access("broadcasts")
            if self.wait_for_completion:
                hook.check_access("activity")
            start = self.read_start(hook)
            target = hook.run(hook.adapter.prepare_broadcast(self._options(hook, start.at)))
            goal = self._goal(hook, target)
            if self.is_dry:
                self.check_start(context, hook, start)
                estimate = self._check_balance(hook, target, start)
                self.change(hook, target.create(self._title))
                return self.told({"broadcast_id": None, "title": self._title, "resolution": "not_created", **estimate})
            made = self._create(context, hook, target, start)
            self.push_links(context, hook, "broadcast", made.id)
            self.note(soon=False, title=self._title, audience=list(broadcast_waits.names(self.segments))[:20])
            created = CreatedState(made.id, made.title, made.resolution)
            if goal is None:
                self.ledger(context).end("its end was not awaited")
                return encode(created)
            self._waiting_for = made.id
            return self._wait(context, hook, created, replace(goal, since=made.intended_at))

    @tells_outlets
    def wait_ended(self, context: Context, event: WaitEvent) -> dict[str, Any]:
        """Go on after the wait.

        :param event: that the broadcast has ended, or requires manual action.
        """
        from airflow_provider_esp.core.waits import CreatedState

        return self._conclude(context, event.left(CreatedState), broadcast_waits.result_of(event))

    def wait_timed_out(self, context: Context, event: WaitEvent) -> NoReturn:
        """Fail: the broadcast takes longer than the author allows."""
        from airflow_provider_esp.core.waits import CreatedState

        self._too_late(event.left(CreatedState).broadcast_id, event.how_far)

    def awaited(self, event: WaitEvent) -> str:
        """Return what is waited for."""
        from airflow_provider_esp.core.waits import CreatedState

        return f"broadcast {event.left(CreatedState).broadcast_id}"

    def on_kill(self) -> None:
        """Cancel the broadcast where the author asked for that, and this task waits for it."""
        if self.cancel_on_kill and self._waiting_for is not None:
            broadcast_waits.cancel_for(self, self._waiting_for)
        super().on_kill()

    def ledger(self, context: Context) -> BroadcastLedger:
        """Open the ledger of this task instance."""
        from airflow_provider_esp.core.broadcasts.create import BroadcastLedger
        from airflow_provider_esp.stores.ledgers import ledger_store

        store = ledger_store(context, self.ledger_path, keep=self.sent_retention)
        return BroadcastLedger(store, task_identity(context).key)

    def _create(self, context: Context, hook: EspHook, target: BroadcastTarget, start: Start) -> CreatedBroadcast:
        from airflow_provider_esp.core.broadcasts.create import LEAVES_WITHIN, BroadcastCreator, content_of

        def before() -> None:
            self.check_start(context, hook, start)
            self._check_balance(hook, target, start)

        creation = BroadcastCreator(
            target=target,
            find=hook.adapter.find_broadcasts,
            perform=hook.run,
            perform_soon=lambda work: hook.run(work, deadline=LEAVES_WITHIN),
            ledger=self.ledger(context),
            title=self._title,
            content=content_of(self._title, target.segments, target.excluded, self._options(hook, start.meant)),
            warn=self.log.warning,
            clock=hook.clock,
            before=before,
        )
        made = creation.run(resend=switch_of("resend", self.resend))
        said = {"created": "is created", "found": "was created by an earlier try", "known": "is known already"}
        self.log.info("Broadcast %s %s: %s", made.id, said[made.resolution], made.title)
        broadcast_waits.check_clock(start.at, made, hook.settings.timezone, self.log)
        return made

    def _check_balance(self, hook: EspHook, target: BroadcastTarget, start: Start) -> dict[str, Any]:
        if not switch_of("check_balance", self.check_balance):
            return {}
        from airflow_provider_esp.operators import _balance as balance

        estimate = hook.run(hook.adapter.estimate_broadcast(self._options(hook, start.at), target))
        balance.check(estimate, self.refuse, self.log)
        return {"estimate": balance.as_result(estimate)}

    def _wait(self, context: Context, hook: EspHook, created: CreatedState, goal: BroadcastGoal) -> dict[str, Any]:
        from airflow_provider_esp.core.broadcasts import wait as broadcast_wait
        from airflow_provider_esp.core.waits import BroadcastResult, encode

        broadcast_id, end = created.broadcast_id, self.end_of_wait(self.timeout)
        logger = broadcast_wait.BroadcastLogger(broadcast_id, self.log.info, self.log.warning)
        watch = hook.adapter.broadcast_watcher(broadcast_id, goal)
        if self.deferrable:
            # One look before leaving: what makes the wait impossible is said at once, and not a poll later.
            first = broadcast_wait.look(hook.run, watch, goal, hook.clock())
            logger.tell(first)
            if not broadcast_wait.is_over(first, self.on_action_required):
                waiting = {"end_time": end, "poll_interval": self.poll_interval, "state": encode(created)}
                self.defer_until(end, broadcast_waits.trigger_for(self, broadcast_id, goal, first, **waiting))
            return self._conclude(context, created, BroadcastResult.of(first))
        last = broadcast_wait.wait(
            hook.run,
            watch,
            goal,
            logger,
            on_action_required=self.on_action_required,
            end=end,
            poll_interval=self.poll_interval,
            clock=hook.clock,
            pause=self.stop.pause,
        )
        if last is None:
            self._too_late(broadcast_id, logger.how_far)
        return self._conclude(context, created, BroadcastResult.of(last))

    def _conclude(self, context: Context, created: CreatedState, result: BroadcastResult) -> dict[str, Any]:
        from airflow_provider_esp.core.broadcasts.wait import check
        from airflow_provider_esp.core.models import BroadcastState
        from airflow_provider_esp.core.waits import encode

        if result.state is not BroadcastState.ACTION_REQUIRED:  # then there is something left to be done
            self.ledger(context).end(result.reason)
        self.note(soon=False, broadcast=encode(result))
        check(created.broadcast_id, result.state, result.reason)
        return {**encode(created), **encode(result)}

    def _too_late(self, broadcast_id: str, how_far: str) -> NoReturn:
        limit = limit_of_wait(self, self.timeout)
        raise TimeoutError(
            f"Broadcast {broadcast_id} had not come to its end after {limit}{came_to(how_far)}. The service goes on "
            f"with it; a retry only waits again. Raise {limit.name}= if it takes longer."
        )

    def _options(self, hook: EspHook, start: datetime | None) -> BroadcastOptions:
        from airflow_provider_esp.core.models import BroadcastOptions

        return BroadcastOptions(
            message_id=None if self.message_id is None else str(self.message_id),
            segments=broadcast_waits.names(self.segments),
            segments_exclude=broadcast_waits.excluded(self.segments_exclude, some=self._has_to_exclude),
            start=start,
            subject=self.subject,
            body=self.body,
            **options_for(hook, self.options),
        )

    def _goal(self, hook: EspHook, target: BroadcastTarget) -> BroadcastGoal | None:
        """Find what is waited for, and find out that it cannot be had before anything is created; None for no wait."""
        if not self.wait_for_completion:
            return None
        expected = None
        if isinstance(self.until, int | float):
            expected = broadcast_waits.expected_recipients(
                hook, self.expected, target.segments, target.excluded, self.log
            )
        goal = broadcast_waits.goal_of(self.until, self.settle_time, expected)
        hook.adapter.broadcast_watcher("", goal)  # refuses what the service cannot tell
        return goal

    @property
    def _title(self) -> str:
        return self.title or f"{self.dag_id} {self.task_id}"

    def _refuse_mixture(self) -> None:
        refuse_mixture(
            self.options,
            esputnik={"segments_exclude": bool(self.segments_exclude)},
            sendpulse={name: bool(getattr(self, name)) for name in ("subject", "body")},
        )
        interval = self.options.batch_interval if isinstance(self.options, EsputnikBroadcast) else None
        if self.until in (None, "settled") and self.wait_for_completion and interval:
            between = _SECONDS.get(interval, 0.0)
            if self.settle_time <= between:
                raise ValueError(
                    f"A batch each {interval} settles after each: settle_time must be above {between:g} s."
                )


class CancelBroadcastOperator(ChangingOperator):
    """Cancel a broadcast that has not started: `DELETE v1/broadcast/{id}`, SendPulse: `DELETE campaigns/{id}`.

    One that is cancelled already is fine.

    :param esp_conn_id: the Airflow connection. Templated.
    :param broadcast_id: its id, or what `CreateBroadcastOperator` returned (also through an XCom). Templated.
    :param on_late: what to do where the service refuses, because it has started or is not there: ``fail``
        (default), or ``skip`` the task.
    :param dry_run: show the request and cancel nothing. Templated.
    :returns: ``broadcast_id``.
    """

    template_fields: Sequence[str] = (*ChangingOperator.template_fields, "broadcast_id")

    def __init__(
        self, *, broadcast_id: Any, on_late: Literal["fail", "skip"] = "fail", **kwargs: Unpack[ChangingArguments]
    ) -> None:
        super().__init__(**kwargs)
        if on_late not in ("fail", "skip"):
            raise ValueError(f"on_late must be 'fail' or 'skip', not {on_late!r}.")
        self.broadcast_id = broadcast_id
        self.on_late = on_late

    def execute(self, context: Context) -> dict[str, Any]:
        """Cancel it."""
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_esp.core.broadcasts import wait as broadcast_wait
        from airflow_provider_esp.exceptions import InvalidRequest, NotFound

        with final_errors(), self.hook() as hook:
            broadcast_id = broadcast_waits.id_of(self.broadcast_id)
            hook.check_access("broadcasts")
            self.push_links(context, hook, "broadcast", broadcast_id)
            if self.is_dry:
                self.change(hook, hook.adapter.cancel_broadcast(broadcast_id))
                return self.told({"broadcast_id": broadcast_id})
            try:
                broadcast_wait.cancel(
                    hook.run,
                    lambda: hook.adapter.cancel_broadcast(broadcast_id),
                    lambda: hook.adapter.get_broadcast(broadcast_id),
                )
            except (NotFound, InvalidRequest) as refused:
                if self.on_late == "skip":
                    raise AirflowSkipException(f"Broadcast {broadcast_id} cannot be cancelled: {refused}") from refused
                raise
        self.log.info("Broadcast %s is cancelled.", broadcast_id)
        return {"broadcast_id": broadcast_id}
