"""What the tests about the time of sending share: a clock that they set, runs of every type, and tasks that send."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import airflow
import pytest

from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
from airflow_provider_esp.operators.events import SendEventOperator, SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.options import SendPulseCampaign
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.utils import clock

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
ASSET_RUN = "dataset_triggered" if IS_AIRFLOW_2 else "asset_triggered"
ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"
PEOPLE = [{"email": ANN}, {"email": BOB}, {"email": CID}]


class Clock:
    """The clock by which the package judges; waiting moves it on.

    :ivar now: Unix time.
    :ivar slept: seconds that triggers have waited.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0.0

    def set(self, moment: str | datetime) -> datetime:
        """Set it; text is a moment with an offset."""
        aware = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        assert aware.tzinfo is not None
        self.now = aware.timestamp()
        return aware

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds


@dataclass(frozen=True)
class Play:
    """Runs a task in a run of some type, which was due at some time.

    :param worker: from the fixture of this name.
    :param monkeypatch: pytest's.
    """

    worker: Any
    monkeypatch: pytest.MonkeyPatch

    def __call__(
        self,
        task: Any,
        run_type: str = "scheduled",
        due: datetime | None = None,
        *,
        dag: Any = None,
        conf: dict[str, Any] | None = None,
    ) -> Any:
        """Run it and return how it ended.

        :param due: the end of the run's data interval, with ``run_after`` the same; None for a run that has none.
        """
        dag = dag or self.dag(task)
        with self.typed(run_type, due):
            return self.worker.run_dag(dag, conf)[task.task_id]

    def again(self, task: Any) -> Any:
        """Clear the last run of the task and run it again."""
        return self.worker.clear(task.dag)[task.task_id]

    def dag(self, task: Any) -> Any:
        """Return a DAG with this task alone."""
        dag = self.worker.dag()
        dag.add_task(task)
        return dag

    @contextlib.contextmanager
    def typed(self, run_type: str, due: datetime | None) -> Iterator[None]:
        """Let `dag.test()`, which knows manual runs only, make one of another type."""
        home = "airflow.models.dag" if IS_AIRFLOW_2 else "airflow.models.dagrun"
        name = "_get_or_create_dagrun" if IS_AIRFLOW_2 else "get_or_create_dagrun"
        make = getattr(__import__(home, fromlist=[name]), name)

        def make_typed(*, session: Any, **arguments: Any) -> Any:
            dag_run = make(session=session, **arguments)
            dag_run.run_type = run_type
            dag_run.data_interval_start, dag_run.data_interval_end = (due and due - timedelta(days=1)), due
            if due is not None and not IS_AIRFLOW_2:
                dag_run.run_after = due
            session.commit()
            return dag_run

        with self.monkeypatch.context() as patch:
            patch.setattr(f"{home}.{name}", make_typed)
            yield


# -- tasks that send ----------------------------------------------------------------------------------------------


def message(service: str = "esputnik", source: Any = PEOPLE, **arguments: Any) -> SmartSendOperator:
    own: dict[str, Any] = {"message_id": 1001}
    if service == "sendpulse":
        own = {"message_id": 700_001, "subject": "Hello", "sender_email": "sender@sandbox.example"}
    return SmartSendOperator(
        task_id="send",
        source=source,
        **{"esp_conn_id": f"{service}_default", "poll_interval": 0.05, **own, **arguments},
    )


def events(service: str = "esputnik", source: Any = PEOPLE, **arguments: Any) -> SendEventsOperator:
    return SendEventsOperator(
        task_id="send", event="purchase", source=source, **{"esp_conn_id": f"{service}_default", **arguments}
    )


def event(service: str = "esputnik", **arguments: Any) -> SendEventOperator:
    return SendEventOperator(
        task_id="send", event="purchase", contact_email=ANN, esp_conn_id=f"{service}_default", **arguments
    )


def broadcast(service: str = "esputnik", **arguments: Any) -> CreateBroadcastOperator:
    own: dict[str, Any] = {"message_id": 1003}
    if service == "sendpulse":
        options = SendPulseCampaign(sender_email="sender@sandbox.example")
        own = {"subject": "News", "body": "<b>Hi</b>", "options": options}
    told = {"title": "Sale", "segments": ["Readers"], **own, **arguments}
    return CreateBroadcastOperator(task_id="send", esp_conn_id=f"{service}_default", **told)


SENDERS: Mapping[str, Callable[..., Any]] = {
    "messages": message,
    "events": events,
    "one event": event,
    "broadcast": broadcast,
}
EVERY_SENDER = pytest.mark.parametrize(
    ("kind", "service"), [(kind, service) for kind in SENDERS for service in ("esputnik", "sendpulse")]
)

SOME_SENDERS = pytest.mark.parametrize(
    ("kind", "service"),
    [("messages", "esputnik"), ("events", "sendpulse"), ("one event", "esputnik"), ("broadcast", "sendpulse")],
)
"""Each kind and each service: for what stands in one place of the code."""


def make(kind: str, service: str, **arguments: Any) -> Any:
    """Make a task of a kind in `SENDERS`."""
    return SENDERS[kind](service, **arguments)


def sent(sandbox: Sandbox) -> int:
    """Return how many requests have sent something, or had it sent, at either service."""
    ends = ("/smartsend", "/smtp/emails", "/v2/event", "/v1/event", "/v1/broadcast", "/campaigns")
    return len(
        [row for row in sandbox.requests(method="POST") if row["path"].endswith(ends) or "/events/name/" in row["path"]]
    )


def prepare_readers(sandbox: Sandbox, connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Give both accounts a segment to broadcast to, and the connections' time zone."""
    from airflow_provider_esp.services.sendpulse.api import addressbooks

    sandbox.set(esputnik__time_zone="UTC", sendpulse__time_zone="UTC")
    sandbox.limit("sendpulse.campaigns", None)
    sandbox.do("esputnik", "make_contacts", count=3, segment="Readers")
    told = {**json.loads(connections["sendpulse_default"]), "extra": {"rate_limits": {"sendpulse.campaigns": 1000}}}
    monkeypatch.setenv("AIRFLOW_CONN_SENDPULSE_DEFAULT", json.dumps(told))
    hook = EspHook.for_connection("sendpulse_default")
    book = hook.run(addressbooks.book_create("Readers")).id
    hook.run(addressbooks.upload(book, [addressbooks.NewContact(ANN, {}), addressbooks.NewContact(BOB, {})]))
    hook.close()


def replace_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the package read a clock that the test sets."""
    replaced = Clock()
    monkeypatch.setattr(clock, "now", lambda: replaced.now)
    monkeypatch.setattr(clock, "sleep", replaced.sleep)
    return replaced
