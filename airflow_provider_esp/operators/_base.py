"""What all operators of this provider share: a connection, links, and dry runs.

Nothing is imported here that a DAG file would pay for: the hook, the readers and the delivery come when a task runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.links import esp as links
from airflow_provider_esp.operators._dry_run import DryRunAttribute
from airflow_provider_esp.operators._templating import switch_of
from airflow_provider_esp.stores.run_records import record_of
from airflow_provider_esp.triggers.deferral import DeferringTask
from airflow_provider_esp.utils.wait_limits import end_of_wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.calls import Call, Flow
    from airflow_provider_esp.core.simulation import Preview
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import EspArguments
    from airflow_provider_esp.utils.operator_arguments import BaseOperatorArguments

T = TypeVar("T")


class EspOperator(DeferringTask, BaseOperator):
    """An operator that works for the account of a connection.

    :param esp_conn_id: the Airflow connection, of type ``esputnik`` or ``sendpulse``; its type says which service.
    """

    template_fields: Sequence[str] = ("esp_conn_id",)
    ui_color = "#e8f3ec"
    service_name = ""
    operator_extra_links = tuple(link() for link in links.ALL)
    ended_with: Any = None
    """What the work returned, for `assets.tells_outlets` and lineage."""

    def __init__(self, *, esp_conn_id: str, **kwargs: Unpack[BaseOperatorArguments]) -> None:
        super().__init__(**kwargs)
        self.esp_conn_id = esp_conn_id

    @property
    def metric_tags(self) -> dict[str, str]:
        """The tags of this task's metrics."""
        return {
            "service": self.service_name,
            "operator": self.task_type,
            "dag_id": self.dag_id,
            "task_id": self.task_id,
        }

    @property
    def stop(self) -> Stop:
        """What says that this try is being ended; made when it is first asked for, so that each try has its own."""
        stop: Stop = self.__dict__.setdefault("_esp_stop", Stop())
        return stop

    def on_kill(self) -> None:
        """Say that this try is being ended; the thread that does the work sees it, writes down how far it is, and ends.

        Airflow calls this in a signal handler: whatever waits for a lock or a socket has no place here.
        """
        self.stop.request()

    @contextmanager
    def hook(self) -> Iterator[EspHook]:
        """Lend the hook that belongs to the connection's type, and close its connections afterwards."""
        from airflow_provider_esp.hooks.esp import EspHook

        with EspHook.for_connection(self.esp_conn_id) as hook:
            self.service_name = hook.service.name
            self.note(service=hook.conn_type, conn_id=self.esp_conn_id)
            hook.stop = self.stop
            yield hook

    def note(self, *, soon: bool = True, **facts: Any) -> None:
        """Leave facts for the page in Airflow; see `RunRecord.note`."""
        record_of(self).note(soon=soon, **facts)

    def push_links(self, context: Context, hook: EspHook, kind: str, thing: object = None) -> None:
        """Leave this task's links for Airflow's UI; called again, it replaces them.

        :param kind: what the task is about: ``message``, ``import``, ``event`` or ``broadcast``.
        :param thing: its id or name at the service, if there is one yet.
        """
        about = links.About(kind, None if thing is None else str(thing))
        self.note(soon=thing is None, kind=kind, id=about.id)
        links.push_links(context, hook, about, getattr(self, "report_folder", None))

    def end_of_wait(self, timeout: float) -> float:
        """Return when a wait that begins now is over, in seconds since the epoch."""
        return end_of_wait(self, timeout)


class ChangingOperator(EspOperator):
    """An operator that changes something at the service, and can be run dry instead.

    A dry run reads, checks and counts, keeps back whatever would write, and shows the first such request with nobody
    recognisable in it. That is seen to in one place, whatever an operator does: the hook that `hook` lends refuses
    each call that is not a GET (`DryRunWrite`). An operator on top of this one

    - gives what writes to `change` instead of ``hook.run``: in a dry run that logs the request and gives None;
    - or, for many requests, gives their target to `DryUpload` or `DrySend` with `preview`;
    - writes no ledger where `is_dry`;
    - returns what it has to say through `told`.

    :param dry_run: whether to keep back what writes. Templated, so that a run's conf can say it.
    """

    template_fields: Sequence[str] = (*EspOperator.template_fields, "dry_run")
    dry_run: Any = DryRunAttribute()

    def __init__(self, *, dry_run: bool | str = False, **kwargs: Unpack[EspArguments]) -> None:
        super().__init__(**kwargs)
        self.dry_run = dry_run

    @property
    def is_dry(self) -> bool:
        """Whether this is a dry run.

        :raises ValueError: ``dry_run`` was rendered to something that says neither yes nor no.
        """
        return switch_of("dry_run", self.dry_run)

    @cached_property
    def preview(self) -> Preview:
        """What this dry run keeps back."""
        from airflow_provider_esp.core.simulation import Preview

        return Preview()

    @contextmanager
    def hook(self) -> Iterator[EspHook]:
        """Lend the hook that belongs to the connection's type; in a dry run it refuses whatever writes."""
        dry = self.is_dry
        with super().hook() as hook:
            hook.reads_only = dry
            yield hook

    def change(self, hook: EspHook, work: Call[T] | Flow[T]) -> T | None:
        """Carry out what changes something at the service.

        :returns: the answer; None in a dry run, which logs the request instead.
        """
        if not self.is_dry:
            return hook.run(work)
        hook.run(self.preview.of(work))
        self.log.info("%s", self.preview.shown())
        return None

    def told(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return what the task returns; of a dry run it says that it was one, and how many requests it kept back."""
        if self.is_dry:
            self.note(dry_run=True)
        return {**summary, "dry_run": True, "requests_held_back": self.preview.requests} if self.is_dry else summary
