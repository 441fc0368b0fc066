"""A send or upload that Airflow ends: nothing new leaves, what is known is written down, and the next try goes on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core import stopping
from airflow_provider_esp.core.ledger import Ledger, MemoryStore, UploadLedger
from airflow_provider_esp.core.models import SendResult
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.stopping import Stop, threads
from airflow_provider_esp.core.upload.checkpoint import Checkpoint
from airflow_provider_esp.core.upload.run import Upload
from airflow_provider_esp.exceptions import SendOutcomeUnknown, TaskStopped, is_final
from tests.unit import test_send as sends
from tests.unit import test_upload as uploads

PEOPLE = [f"p{number}@example.com" for number in range(400)]


@pytest.fixture
def hung() -> Iterator[threading.Event]:
    """What requests that hang wait for; it happens when the test is over."""
    over = threading.Event()
    yield over
    over.set()


class OpenService(sends.Service):
    """Takes several requests at once, and may hang in one."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs: Callable[[int], None] = lambda number: None

    def take(self, people: list[str]) -> list[Any]:
        with self.lock:
            number = len(self.requests)
            self.requests.append(people)
        self.hangs(number)
        with self.lock:
            self.sent.update(people)
        return [SendResult(accepted=True, request_id=f"id-{person}") for person in people]


def task(batch_size: int, hangs: Callable[[int], None], on_unknown: Any = "stop") -> sends.Task:
    made = sends.Task(batch_size=batch_size, on_unknown=on_unknown)
    made.service = OpenService()
    made.service.hangs = hangs
    return made


@pytest.mark.parametrize("batch_size", [1, 10])
@pytest.mark.parametrize("report", [True, False])
def test_nothing_leaves_after_the_stop_and_the_next_try_sends_the_rest(
    batch_size: int, report: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "ANSWERS_WITHIN", 60.0)
    stop = Stop()

    def ends(number: int) -> None:
        if number == 7:
            stop.request()

    send = task(batch_size, ends)
    with pytest.raises(TaskStopped, match="Airflow ended this task while it was sending") as caught:
        send.run(PEOPLE, report=report, stop=stop)
    assert not is_final(caught.value)
    # Those that were under way beside the one in which the stop came have left as well.
    assert len(send.service.requests) <= 8 + 3
    counts = send.last.counts.as_dict()
    assert counts["accepted"] == sum(send.service.sent.values())
    assert counts["unknown"] == 0
    assert f"{counts['accepted']:,} are accepted" in str(caught.value)
    send.run(PEOPLE, report=report)
    assert send.service.sent == dict.fromkeys(PEOPLE, 1)
    assert send.last.counts.as_dict()["accepted"] == len(PEOPLE)


@pytest.mark.parametrize(("batch_size", "doubt"), [(1, 1), (10, 10)])
def test_what_hangs_stays_unknown_and_an_answer_that_comes_later_changes_nothing(
    batch_size: int, doubt: int, hung: threading.Event
) -> None:
    stop = Stop()

    def hangs(number: int) -> None:
        if number == 5:
            stop.request()
            hung.wait()

    send = task(batch_size, hangs, on_unknown="skip")
    with pytest.raises(TaskStopped, match=f"of {doubt} no answer had come"):
        send.run(PEOPLE, stop=stop)
    before = str(send.store.record), {row.row: row.outcome for row in send.folder.rows()}
    assert list(before[1].values()).count("unknown") == doubt
    hung.set()
    while sum(len(people) for people in send.service.requests) > sum(send.service.sent.values()):
        time.sleep(0.01)
    assert (str(send.store.record), {row.row: row.outcome for row in send.folder.rows()}) == before
    with pytest.raises(SendOutcomeUnknown):  # who is in doubt stops the next try, unless the author says otherwise
        sends.Task.run(_with(send, "stop"), PEOPLE)
    sends.Task.run(_with(send, "skip"), PEOPLE)
    assert send.service.sent == dict.fromkeys(PEOPLE, 1)
    assert send.last.counts.as_dict()["unknown"] == doubt


def _with(send: sends.Task, on_unknown: Any) -> sends.Task:
    send.on_unknown = on_unknown
    return send


@pytest.mark.parametrize("raises", [False, True])
def test_a_signal_on_the_main_thread_ends_a_send_that_hangs(raises: bool, hung: threading.Event) -> None:
    class Terminated(BaseException):
        """What Airflow 2 raises after `on_kill`."""

    stop = Stop()

    def on_term(signum: int, frame: Any) -> None:
        stop.request()
        if raises:
            raise Terminated

    def hangs(number: int) -> None:
        if number == 12:
            os.kill(os.getpid(), signal.SIGUSR1)
            hung.wait()

    send = task(10, hangs)
    earlier = signal.signal(signal.SIGUSR1, on_term)
    try:
        with pytest.raises(Terminated if raises else TaskStopped):
            send.run(PEOPLE, stop=stop)
    finally:
        signal.signal(signal.SIGUSR1, earlier)
    assert send.store.record is not None
    assert len(send.service.requests) == 13
    assert [row.outcome for row in send.folder.rows()].count("unknown") == 10
    assert [row.outcome for row in send.folder.rows()].count("accepted") == 120


@pytest.mark.parametrize("place", ["part", "ledger"])
def test_an_exception_of_airflow_2_while_a_block_is_written_down_loses_no_answer(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminated(BaseException):
        """What Airflow 2 raises after `on_kill`."""

    stop, send = Stop(), task(10, lambda number: None)
    where, name = (Report, "write") if place == "part" else (Ledger, "save")
    does, calls = getattr(where, name), []

    def broken(*told: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:  # of the ledger: after the second block
            stop.request()
            raise Terminated
        return does(*told, **named)

    monkeypatch.setattr(where, name, broken)
    with pytest.raises(Terminated):
        send.run(PEOPLE, report=place == "part", stop=stop)
    reached = sum(send.service.sent.values())
    assert 0 < reached < len(PEOPLE)
    send.run(PEOPLE, report=place == "part")
    assert send.service.sent == dict.fromkeys(PEOPLE, 1)


def test_halves_of_a_refused_request_do_not_leave_after_the_stop() -> None:
    stop = Stop()

    def refuse(people: Sequence[str]) -> None:
        stop.request()
        sends.invalid(people)

    send = sends.Task(batch_size=10)
    send.service.always = refuse
    with pytest.raises(TaskStopped):
        send.run(PEOPLE, stop=stop)
    assert len(send.service.requests) == 1
    send.service.always = lambda people: None
    send.run(PEOPLE)
    assert send.service.sent == dict.fromkeys(PEOPLE, 1)


def test_a_ledger_that_cannot_be_written_is_not_waited_for_once_the_task_ends() -> None:
    stop = Stop()

    class Away(MemoryStore):
        def save(self, record: dict[str, Any]) -> None:
            stop.request()
            raise ConnectionError("the API server is away")

    def sleep(seconds: float) -> None:
        raise AssertionError("waited")

    ledger = Ledger(Away(), saving=Patience(3600, stopped=lambda: stop.requested, sleep=sleep))
    with pytest.raises(ConnectionError):
        ledger.save(ledger.load())


# -- uploads --


def test_an_upload_hands_nothing_over_after_the_stop_and_the_next_try_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "ANSWERS_WITHIN", 60.0)
    stop, store, service = Stop(), MemoryStore(), uploads.Service(imports=False)

    def ends(people: Sequence[str]) -> None:
        stop.request()

    service.after[7] = ends
    first = upload(service, tmp_path, store, stop)
    with pytest.raises(TaskStopped, match="while it was uploading") as caught:
        uploads.run(first, PEOPLE)
    assert not is_final(caught.value)
    assert len(service.requests) <= 8 + 4
    assert first.counts.as_dict()["accepted"] == sum(service.contacts.values())
    accepted = first.counts.as_dict()["accepted"]
    assert store.record is not None
    assert store.record["rows"] == accepted  # every answer that had come is in the ledger
    second = uploads.run(upload(service, tmp_path, store, Stop()), PEOPLE)
    assert service.contacts == dict.fromkeys(PEOPLE, 1)
    assert second.counts.as_dict()["accepted"] == len(PEOPLE)


def test_an_upload_waits_two_seconds_for_what_hangs_and_calls_it_unknown(tmp_path: Path, hung: threading.Event) -> None:
    stop, store, service = Stop(), MemoryStore(), uploads.Service(imports=False)

    def hangs(people: Sequence[str]) -> None:
        stop.request()
        hung.wait()

    service.before[3] = hangs
    first = upload(service, tmp_path, store, stop)
    with pytest.raises(TaskStopped, match="of 4 no answer had come"):
        uploads.run(first, PEOPLE)
    counts = first.counts.as_dict()
    assert counts["unknown"] == 4
    assert counts["accepted"] == sum(service.contacts.values())
    hung.set()
    uploads.run(upload(service, tmp_path, store, Stop()), PEOPLE)
    assert set(service.contacts) == set(PEOPLE)


def upload(service: uploads.Service, folder: Path, store: MemoryStore, stop: Stop) -> Upload:
    checkpoint = Checkpoint(UploadLedger(store), every=0)
    return uploads.upload(service, Report(folder), concurrency=2, checkpoint=checkpoint, stop=stop)


def test_the_wait_for_imports_ends_by_the_stop(tmp_path: Path) -> None:
    stop, service = Stop(), uploads.Service(looks=None)
    up = uploads.run(upload(service, tmp_path, MemoryStore(), stop), PEOPLE[:3])
    up.poll_interval = 3600.0
    up.progress = lambda upload: stop.request()
    with pytest.raises(TaskStopped, match="waits for them again"):
        up.wait()
    assert sum(service.asked.values()) == 1


def test_threads_that_hang_are_left_behind_only_by_a_stop(hung: threading.Event) -> None:
    stop, began = Stop(), threading.Event()
    with threads(1, "test", stop) as pool:

        def hang() -> None:
            began.set()
            hung.wait()

        futures: list[Future[None]] = [pool.submit(hang), pool.submit(hang)]
        began.wait()
        stop.request()
        stop.wait_for(futures, "ALL_COMPLETED")
    assert not futures[0].done()
    assert futures[1].cancelled()
