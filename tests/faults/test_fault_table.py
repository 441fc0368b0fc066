"""Whatever the network and the service do wrong: every row has one outcome, nobody is lost, nobody written to twice.

A row of the table is a fault that the sandbox plays, a column a service's upload or send. The work is done by the
objects that operators use, over real sockets with short limits; a try that fails is followed by another over the same
ledger and report, as Airflow's retries would make it. A send that stops because the outcome of some
rows is unknown goes on with ``skip``. What arrived is counted by the sandbox. `make faults` prints the table.
"""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp import connections
from airflow_provider_esp.core.ledger import Ledger, UploadLedger
from airflow_provider_esp.core.models import MessageOptions, UploadOptions
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send.run import OnUnknown, SendRun
from airflow_provider_esp.core.transport.account import Timeouts
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.core.transport.retry import RetryPolicy
from airflow_provider_esp.core.upload.checkpoint import Checkpoint
from airflow_provider_esp.core.upload.run import Upload
from airflow_provider_esp.core.validation.batch import BatchValidator
from airflow_provider_esp.core.validation.mapper import recipient_mapper
from airflow_provider_esp.exceptions import EspError, SendOutcomeUnknown
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.hooks.esputnik import EsputnikHook
from airflow_provider_esp.hooks.sendpulse import SendPulseHook
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.stores.ledgers import FileLedger

ROWS = 60
BATCH = 10
MOST_TRIES = 20
BAD = (7, 33)
TWICE = (12, 15)
"""Rows 7 and 33 name nobody; row 15 (and in an upload, where the last one wins, row 12) is a duplicate."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong.

    :param faults: arguments of `Sandbox.fault`, besides verb and path.
    :param settings: of the sandbox.
    :param refused: whether nobody answers at the address at first.
    :param imports: whether it concerns services with imports only.
    """

    faults: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] | None = None
    refused: bool = False
    imports: bool = False


def one(kind: str, times: int | None = 4, **more: Any) -> Fault:
    return Fault(({"kind": kind, "times": times, "skip": 2, **more},))


FAULTS = {
    "connect refused": Fault(refused=True),
    "reset before the answer": one("reset"),
    "reset after the server accepted": one("reset", processed=True),
    "read timeout": one("hang", times=3),
    "read timeout, accepted": one("hang", times=3, processed=True),
    "truncated body": one("truncate"),
    "500": one("status", status=500),
    "502 HTML": one("html", status=502),
    "503 with Retry-After": one("status", status=503, headers={"Retry-After": "1"}, times=2),
    "503 without Retry-After": one("status", status=503),
    "504, accepted": one("status", status=504, processed=True),
    "429 storm": one("status", status=429, times=8, headers={"Retry-After": "0.2"}),
    "401 in the middle": one("status", status=401, times=3),
    "slow drip": one("drip", times=3, seconds=2.5),
    "import ERROR": Fault(settings={"esputnik__import_outcome": "error"}, imports=True),
    "import that never ends": Fault(settings={"esputnik__import_outcome": "never"}, imports=True),
}


def people() -> list[str]:
    """Whom the rows name."""
    rows = [f"p{number}@example.com" for number in range(1, ROWS + 1)]
    for number in BAD:
        rows[number - 1] = "nobody"
    rows[TWICE[1] - 1] = rows[TWICE[0] - 1]
    return rows


def table() -> Table:
    return Table(("email", "first_name"), iter([(person, "Ann") for person in people()]), "people")


class Work:
    """An upload or a send at one service.

    :param sandbox: that plays the service.
    :param folder: for ledger and report.
    """

    path: str
    sends: bool
    service: str

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.ledger = FileLedger(str(folder / "ledger.json"))
        self.folder = folder / "report"
        self.report = Report(self.folder)
        self.tries = 0
        self.stops = 0
        self.prepare()

    def prepare(self) -> None:
        """Make ready what the work needs."""

    def hook(self, at: str) -> EspHook:
        """Make a hook, whose connection is not asked for."""
        url = at + ("/esputnik/api" if self.service == "esputnik" else "/sendpulse")
        login, password = (None, "sandbox-key") if self.service == "esputnik" else ("sandbox-id", "sandbox-secret")
        kind = EsputnikHook if self.service == "esputnik" else SendPulseHook
        extra: dict[str, Any] = {}
        if self.service == "sendpulse":
            extra = {"sender_name": "Shop", "sender_email": "sender@sandbox.example"}
            extra["rate_limits"] = {"sendpulse.second": 1000, "sendpulse.minute": 60_000}  # speed is not looked at here
        hook = kind("a connection")
        hook.__dict__["settings"] = connections.parse(
            self.service, host=url, login=login, password=password, extra=json.dumps(extra)
        )
        return hook

    def attempt(self, at: str) -> Counts:
        """Make one try, by a client of its own with short limits."""
        self.tries += 1
        self.report = Report(self.folder)
        hook = self.hook(at)
        account = replace(
            hook.account,
            retry=RetryPolicy(attempts=2, patience=2.0, first=0.01, longest=0.05),
            timeouts=Timeouts(connect=2.0, silence=0.5, total=1.5),
        )
        with Client(account) as client:
            return self.work(hook, client)

    def work(self, hook: EspHook, client: Client) -> Counts:
        """Do the work once; raises what an operator would fail with."""
        raise NotImplementedError


class UploadWork(Work):
    """Contacts in batches, until each import has ended."""

    sends = False

    def options(self) -> UploadOptions:
        return UploadOptions(batch_size=BATCH)

    def work(self, hook: EspHook, client: Client) -> Counts:
        rows = table()
        target = client.run(hook.adapter.upload(self.options()))
        checkpoint = Checkpoint(UploadLedger(self.ledger), every=0)
        up = Upload(target, client.run, self.report, poll_interval=0.05, checkpoint=checkpoint)
        up.run(rows, BatchValidator(rows, None, target.identity, rules=target.rules))
        up.hand_over()
        if not up.wait(timeout=1.0):
            if self.tries < 3:
                raise TimeoutError
            return up.counts  # its imports never end, and the task would fail for that
        checkpoint.clear(self.report)
        return up.counts


class EsputnikUpload(UploadWork):
    """`POST v1/contacts`."""

    path, service = "*/v1/contacts", "esputnik"

    def received(self) -> Counter[str]:
        contacts = self.sandbox.rows("esputnik", "contacts")
        return Counter(contact["email"] for contact in contacts)


class SendPulseUpload(UploadWork):
    """`POST addressbooks/{id}/emails`."""

    path, service = "*/addressbooks/*/emails", "sendpulse"

    def options(self) -> UploadOptions:
        return UploadOptions(batch_size=BATCH, segments=("Customers",), create_segments=True)

    def received(self) -> Counter[str]:
        return Counter(row["email"] for row in self.sandbox.rows("sendpulse", "contacts"))


class SendWork(Work):
    """A message to each."""

    sends = True
    message = "1001"
    batch: int | None = BATCH
    on_unknown: OnUnknown = "stop"

    def work(self, hook: EspHook, client: Client) -> Counts:
        rows = table()
        target = hook.adapter.send_messages(MessageOptions(message_id=self.message, subject=self.subject))
        if self.batch:
            target = replace(target, batch_size=self.batch)  # type: ignore[type-var]
        run: SendRun[Any] = SendRun(
            target, client.run, Ledger(self.ledger), self.report, concurrency=2, on_unknown=self.on_unknown
        )
        self.on_unknown = "stop"
        try:
            run.run(rows, recipient_mapper(rows, "email", None))
        except SendOutcomeUnknown:
            self.stops += 1
            self.on_unknown = "skip"  # the author has looked them up
            raise
        return run.counts

    subject: str | None = None

    def received(self) -> Counter[str]:
        return Counter(message["to"] for message in self.sandbox.messages())


class EsputnikSend(SendWork):
    """`POST v1/message/{id}/smartsend`, ten people in a request."""

    path, service = "*/smartsend", "esputnik"


class SendPulseSend(SendWork):
    """`POST smtp/emails`, one person in a request."""

    path, service, batch, subject = "*/smtp/emails", "sendpulse", None, "Hello"

    def prepare(self) -> None:
        self.message = str(self.sandbox.rows("sendpulse", "templates")[0]["id"])


WORKS: tuple[type[Any], ...] = (EsputnikUpload, EsputnikSend, SendPulseUpload, SendPulseSend)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as held:  # bound and never listening, so nobody else can take it either
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("kind", WORKS, ids=[kind.__name__ for kind in WORKS])
def test_every_row_has_an_outcome_and_nobody_is_lost_or_written_to_twice(
    name: str, kind: type[Any], sandbox: Sandbox, tmp_path: Path, nobody: str, fault_table: Callable[..., None]
) -> None:
    fault = FAULTS[name]
    if fault.imports and kind is not EsputnikUpload:
        pytest.skip("there are no imports")
    sandbox.set(import_seconds=0.05, **(fault.settings or {}))
    for bucket in ("sendpulse.second", "sendpulse.minute"):
        sandbox.limit(bucket, None)
    work = kind(sandbox, tmp_path)
    for asked in fault.faults:
        sandbox.fault(**{"method": "POST", "path": work.path, **asked})

    counts = None
    while counts is None:
        assert work.tries < MOST_TRIES
        try:
            counts = work.attempt(nobody if fault.refused and work.tries < 2 else sandbox.url)
        except (EspError, SendOutcomeUnknown, TimeoutError):
            continue

    while sandbox.open_requests():  # what drips goes on when nobody listens any more
        time.sleep(0.01)
    met = sum(request["fault"] is not None for request in sandbox.requests(work.path))
    received = work.received()
    judge(fault, work, counts, received)
    if fault.faults:
        assert met == fault.faults[0]["times"]
    doubtful = counts[Outcome.UNKNOWN]
    fault_table(name, kind.__name__, work.tries, counts[Outcome.ACCEPTED], doubtful)


def judge(fault: Fault, work: Any, counts: Counts, received: Counter[str]) -> None:
    everybody = {person for person in people() if "@" in person}
    assert counts.rows == ROWS
    assert sum(counts.as_dict().values()) == ROWS
    assert (counts[Outcome.INVALID], counts[Outcome.DUPLICATE]) == (len(BAD), 1)
    assert not counts[Outcome.NOT_REACHED]
    assert set(received) <= everybody
    assert set(received.values()) <= {1}  # duplicates: 0

    stages = ("sent",) if work.sends else ("checked", "answered", "import", "ended")
    reported = {row.row: row for stage in stages for row in work.report.read(work.report.names(stage))}
    told = Counter(row.outcome for row in reported.values())
    if work.sends:
        assert {outcome: told[outcome] for outcome in counts.as_dict()} == counts.as_dict()
        accepted = {people()[row.row - 1] for row in reported.values() if row.outcome == Outcome.ACCEPTED}
        unknown = {people()[row.row - 1] for row in reported.values() if row.outcome == Outcome.UNKNOWN}
        assert not accepted & unknown
        assert accepted | unknown == everybody  # lost: 0
        assert accepted <= set(received) <= accepted | unknown
        assert bool(unknown) <= bool(work.stops)
    elif fault.settings and "error" in fault.settings.values():
        assert counts[Outcome.REJECTED] == len(everybody)
        assert told["rejected"] == len(everybody)
    else:
        assert counts[Outcome.ACCEPTED] == len(everybody)
        assert len(reported) == ROWS - len(everybody)
        if not fault.settings:
            assert set(received) == everybody  # lost: 0
