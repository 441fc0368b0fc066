"""Sends by intent and result: whatever is refused, lost, interrupted or changed, nobody is written to twice."""

from __future__ import annotations

import io
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import IO, Any

import pytest

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.ledger import Ledger, MemoryStore
from airflow_provider_esp.core.models import Recipient, SendResult
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_report import Report, RowReport, sent_request_ids
from airflow_provider_esp.core.send import report_parts as send_parts
from airflow_provider_esp.core.send.run import OnUnknown, SendRun
from airflow_provider_esp.core.validation.mapper import Mapper
from airflow_provider_esp.exceptions import AlreadySent, AudienceChanged, InvalidValue, SendOutcomeUnknown


class Folder:
    """A folder in memory."""

    def __init__(self, files: dict[str, bytes] | None = None, name: str = "") -> None:
        self.files = {} if files is None else files
        self.name = name

    def __truediv__(self, name: str) -> Folder:
        return Folder(self.files, name)

    def open(self, mode: str) -> IO[bytes]:
        if mode == "rb":
            if self.name not in self.files:
                raise FileNotFoundError(self.name)
            return io.BytesIO(self.files[self.name])
        files, name = self.files, self.name

        class Writing(io.BytesIO):
            def close(self) -> None:
                files[name] = self.getvalue()
                super().close()

        return Writing()

    def iterdir(self) -> Iterable[Folder]:
        return [Folder(self.files, name) for name in sorted(self.files)]

    def unlink(self) -> None:
        del self.files[self.name]

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        pass

    def rows(self) -> list[RowReport]:
        """Every row of every part."""
        report = Report(self)
        return list(report.read(report.names("sent")))


class Store(MemoryStore):
    """Keeps what a real store would: JSON of a limited size."""

    def save(self, record: dict[str, Any]) -> None:
        text = json.dumps(record)
        assert len(text) < 16_000
        self.record = json.loads(text)


Fault = Callable[[Sequence[str]], None]


class Service:
    """Writes to people and remembers how often."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.requests: list[list[str]] = []
        self.before: dict[int, Fault] = {}
        self.after: dict[int, Fault] = {}
        self.always: Fault = lambda people: None
        self.refuses: frozenset[str] = frozenset()
        self.leaves_out: frozenset[str] = frozenset()
        self.lock = threading.Lock()

    def take(self, people: list[str]) -> list[SendResult]:
        with self.lock:
            number = len(self.requests)
            self.requests.append(people)
            self.always(people)
            self.before.get(number, self.always)(people)
            self.sent.update(person for person in people if person not in self.refuses | self.leaves_out)
            self.after.get(number, self.always)(people)
        return [
            SendResult(
                accepted=person not in self.refuses, request_id=f"id-{person}", unknown=person in self.leaves_out
            )
            for person in people
        ]


class Target:
    def __init__(self, service: Service, batch_size: int) -> None:
        self.service = service
        self.batch_size = batch_size

    def send(self, items: Sequence[Recipient]) -> Flow[list[SendResult]]:
        people = [item.locator for item in items]
        if "unsendable" in people:
            raise ValueError("this cannot be written down")
        return self._flow(people)

    def _flow(self, people: list[str]) -> Flow[list[SendResult]]:
        yield from ()
        return self.service.take(people)


def perform(work: Flow[Any]) -> Any:
    try:
        next(work)
    except StopIteration as end:
        return end.value
    raise AssertionError("this service needs no calls")


def mapper() -> Mapper[Recipient]:
    def build(row: Sequence[Any]) -> Recipient:
        if row[0] == "bad":
            raise InvalidValue("not a person")
        return Recipient(row[0])

    return Mapper(build, lambda recipient: recipient.locator.lower())


def table(people: Iterable[str]) -> Table:
    return Table(("who",), iter([(person,) for person in people]), "people")


def lost(people: Sequence[str] = ()) -> None:
    raise exceptions.ConnectionLost("the connection broke", outcome_unknown=True)


def never_left(people: Sequence[str] = ()) -> None:
    raise exceptions.ConnectionFailed("no connection")


def wrong_key(people: Sequence[str] = ()) -> None:
    raise exceptions.Unauthenticated("the key is wrong")


def invalid(people: Sequence[str] = ()) -> None:
    raise exceptions.InvalidRequest("a recipient is not valid")


class Task:
    """One task with its ledger and report, tried as often as a test likes."""

    def __init__(self, batch_size: int = 10, on_unknown: OnUnknown = "stop") -> None:
        self.service = Service()
        self.store = Store()
        self.folder = Folder()
        self.batch_size = batch_size
        self.on_unknown: OnUnknown = on_unknown
        self.last: SendRun[Recipient]

    def run(
        self, people: Iterable[str], *, resend: bool = False, report: bool = True, **options: Any
    ) -> SendRun[Recipient]:
        self.last = SendRun(
            target=Target(self.service, self.batch_size),
            perform=perform,
            ledger=Ledger(self.store),
            report=Report(self.folder if report else None),
            on_unknown=self.on_unknown,
            **options,
        )
        self.last.run(table(people), mapper(), resend=resend)
        return self.last

    def outcomes(self) -> dict[str, list[str]]:
        """People by outcome, as the report has them."""
        found: dict[str, list[str]] = {}
        for row in self.folder.rows():
            found.setdefault(row.outcome, []).append(row.key or "")
        return found


def counted(run: SendRun[Recipient]) -> dict[str, int]:
    return {name: rows for name, rows in run.counts.as_dict().items() if rows}


def people(count: int, first: int = 0) -> list[str]:
    return [f"p{number}" for number in range(first, first + count)]


@pytest.fixture(params=[1, 10], ids=["one in a request", "ten in a request"])
def task(request: pytest.FixtureRequest) -> Task:
    return Task(batch_size=request.param)


# -- when all goes well --


def test_everybody_is_written_to_once(task: Task) -> None:
    run = task.run(people(25))
    assert task.service.sent == Counter(people(25))
    assert counted(run) == {"accepted": 25}
    assert {len(request) for request in task.service.requests} == ({1} if task.batch_size == 1 else {10, 5})
    assert task.outcomes() == {"accepted": people(25)}


def test_a_person_who_stands_twice_gets_one_message_wherever_the_rows_stand(task: Task) -> None:
    run = task.run(["p1", "P1", *people(150), "p7"])
    assert task.service.sent == Counter(people(150))
    assert counted(run) == {"accepted": 150, "duplicate": 3}


def test_where_each_row_counts_for_itself_nobody_is_left_out(task: Task) -> None:
    run = task.run(["p1", "p1"], deduplicate=False)
    assert task.service.sent == Counter(p1=2)
    assert counted(run) == {"accepted": 2}


def test_rows_that_make_no_recipient_are_invalid_and_the_others_go(task: Task) -> None:
    run = task.run(["p1", "bad", "p2"])
    assert counted(run) == {"accepted": 2, "invalid": 1}
    assert [(row.row, row.outcome, row.reason) for row in task.folder.rows()][1] == (2, "invalid", "not a person")


def test_what_the_service_refuses_for_one_person_is_that_persons_outcome(task: Task) -> None:
    task.service.refuses = frozenset(["p2"])
    run = task.run(people(4))
    assert counted(run) == {"accepted": 3, "rejected": 1}
    assert task.outcomes()["rejected"] == ["p2"]


def test_a_request_refused_as_a_whole_is_halved_until_the_bad_row_stands_alone(task: Task) -> None:
    def refuse(request: Sequence[str]) -> None:
        if "p5" in request:
            invalid()

    task.service.always = refuse
    run = task.run(people(10))
    assert task.service.sent == Counter([person for person in people(10) if person != "p5"])
    assert counted(run) == {"accepted": 9, "rejected": 1}


def test_a_row_that_the_service_cannot_be_told_is_invalid_and_nothing_of_it_left(task: Task) -> None:
    run = task.run(["p1", "unsendable", "p2"])
    assert task.service.sent == Counter(["p1", "p2"])
    assert counted(run) == {"accepted": 2, "invalid": 1}
    assert "this cannot be written down" in run.report.reasons


def test_request_ids_are_in_the_report_and_the_first_of_them_in_memory(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_parts, "MOST_IDS_KEPT", 12)
    run = task.run(people(25))
    assert list(sent_request_ids(task.folder)) == [f"id-{person}" for person in people(25)]
    assert run.request_ids == [f"id-{person}" for person in people(12)]
    assert run.all_ids == 25


def test_the_report_holds_the_rows_themselves_only_if_asked(task: Task) -> None:
    task.run(["p1"])
    assert task.folder.rows()[0].values is None
    other = Task()
    other.run(["p1"], keep_values=True)
    assert other.folder.rows()[0].values == {"who": "p1"}


def test_progress_is_told_at_the_beginning_and_after_each_block() -> None:
    told: list[int] = []
    Task(batch_size=10).run(people(25), progress=lambda run: told.append(run.counts.rows))
    assert told == [0, 10, 20, 25]


def test_at_most_the_given_number_of_requests_are_under_way() -> None:
    task, most, now, lock = Task(batch_size=1), 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def watched(work: Flow[Any]) -> Any:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        together.wait(timeout=120)
        answer = perform(work)
        with lock:
            now -= 1
        return answer

    SendRun(
        target=Target(task.service, 1), perform=watched, ledger=Ledger(task.store), report=Report(None), concurrency=3
    ).run(table(people(30)), mapper())
    assert most == 3
    assert task.service.sent == Counter(people(30))


# -- when a request fails --


def test_a_failure_that_concerns_all_ends_the_run_and_the_next_try_goes_on_with_the_rest(task: Task) -> None:
    task.service.before[4 if task.batch_size == 1 else 1] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(25), concurrency=1)
    first = counted(task.last)
    assert first["accepted"] == (4 if task.batch_size == 1 else 10)
    assert set(first) == {"accepted", "not_reached"}
    assert counted(task.run(people(25))) == {"accepted": 25}
    assert task.service.sent == Counter(people(25))
    assert task.outcomes() == {"accepted": people(25)}


def test_where_nothing_left_the_rows_may_be_changed_before_the_next_try(task: Task) -> None:
    task.service.before[0] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(["typo"], concurrency=1)
    assert task.folder.files == {}
    assert counted(task.run(["p1"])) == {"accepted": 1}
    assert task.service.sent == Counter(["p1"])


def test_a_lost_answer_stops_the_run_and_says_what_to_do(task: Task) -> None:
    task.service.after[0] = lost
    with pytest.raises(SendOutcomeUnknown) as caught:
        task.run(people(3), concurrency=1)
    number = 1 if task.batch_size == 1 else 3
    text = str(caught.value)
    assert text.startswith(f"Of {number} recipients in rows 1 to 3 (listed in the report, part-0000000001-")
    assert "the connection broke" in text
    assert 'on_unknown="skip" or "resend"' in text
    assert isinstance(caught.value.__cause__, exceptions.ConnectionLost)
    assert task.outcomes()["unknown"] == people(number)
    assert task.last.counts.rows == 3


def test_a_later_try_stops_as_well_and_sends_nothing(task: Task) -> None:
    task.service.after[0] = lost
    for _ in range(2):
        with pytest.raises(SendOutcomeUnknown) as caught:
            task.run(people(3), concurrency=1)
    assert len(task.service.requests) == 1
    assert "the last try ended before it was known" in str(caught.value)
    assert task.last.counts.rows == 3


def test_unknown_rows_can_be_skipped_by_a_later_try_and_the_others_go(task: Task) -> None:
    task.service.before[0] = lost
    with pytest.raises(SendOutcomeUnknown):
        task.run(people(12), concurrency=1)
    task.on_unknown = "skip"
    number = task.batch_size
    assert counted(task.run(people(12))) == {"accepted": 12 - number, "unknown": number}
    assert task.service.sent == Counter(people(12)[number:])
    assert task.outcomes()["unknown"] == people(number)


def test_unknown_rows_can_be_sent_again_by_a_later_try(task: Task) -> None:
    task.service.after[0] = lost
    with pytest.raises(SendOutcomeUnknown):
        task.run(people(12), concurrency=1)
    task.on_unknown = "resend"
    assert counted(task.run(people(12))) == {"accepted": 12}
    assert task.service.sent == Counter(people(12)) + Counter(people(task.batch_size))


def test_with_resend_the_failure_itself_ends_the_run_so_that_the_task_is_tried_again(task: Task) -> None:
    task.on_unknown = "resend"
    task.service.after[0] = lost
    with pytest.raises(exceptions.ConnectionLost):
        task.run(people(3), concurrency=1)
    assert counted(task.run(people(3))) == {"accepted": 3}
    assert task.service.sent["p0"] == 2


def test_with_skip_a_lost_answer_costs_only_its_own_rows(task: Task) -> None:
    task.on_unknown = "skip"
    task.service.after[0] = lost
    number = task.batch_size
    assert counted(task.run(people(25), concurrency=1)) == {"accepted": 25 - number, "unknown": number}
    assert task.service.sent == Counter(people(25))


def test_with_skip_the_rest_of_a_halved_request_is_still_sent() -> None:
    task = Task(batch_size=10, on_unknown="skip")
    task.service.before[0] = invalid
    task.service.after[1] = lost  # the first half; the second was not tried because of it
    run = task.run(people(10))
    assert task.service.sent == Counter(people(10))
    assert counted(run) == {"accepted": 5, "unknown": 5}


@pytest.mark.parametrize("answer", [lost, wrong_key])
def test_with_skip_unknown_rows_stay_unknown_when_the_same_block_fails_for_good(answer: Fault) -> None:
    task = Task(batch_size=1, on_unknown="skip")
    task.service.after[0] = lost
    task.service.before[1] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(3), concurrency=1)
    assert counted(task.run(people(3))) == {"accepted": 2, "unknown": 1}
    assert task.service.sent == Counter(people(3))


def test_stop_names_the_lost_answer_and_not_the_other_failure_of_the_block() -> None:
    task = Task(batch_size=1)
    started = threading.Barrier(2)

    def in_pairs(people: Sequence[str]) -> None:
        (lost if people == ["p0"] else wrong_key)()

    def together(work: Flow[Any]) -> Any:
        started.wait(timeout=120)
        return perform(work)

    task.service.always = in_pairs
    run = SendRun(
        target=Target(task.service, 1), perform=together, ledger=Ledger(task.store), report=Report(None), concurrency=2
    )
    with pytest.raises(SendOutcomeUnknown, match="the connection broke"):
        run.run(table(people(2)), mapper())


@pytest.mark.parametrize("batch_size", [1, 10])
def test_with_skip_a_service_that_answers_nobody_ends_the_run_before_everybody_is_given_up(batch_size: int) -> None:
    task = Task(batch_size, on_unknown="skip")
    task.service.always = lost
    block = 100 if batch_size == 1 else 10
    with pytest.raises(exceptions.ConnectionLost):
        task.run(people(10 * block))
    assert counted(task.last) == {"unknown": 3 * block}
    task.service.always = lambda people: None
    assert counted(task.run(people(10 * block))) == {"unknown": 3 * block, "accepted": 7 * block}
    assert task.service.sent == Counter(people(10 * block)[3 * block :])


def test_with_skip_answers_in_between_let_the_run_go_on() -> None:
    task = Task(10, on_unknown="skip")
    task.service.before = dict.fromkeys((0, 1, 3, 4, 6, 7), lost)
    assert counted(task.run(people(90))) == {"unknown": 60, "accepted": 30}


@pytest.mark.parametrize("on_unknown", ["stop", "resend"])
def test_a_person_whom_the_answer_leaves_out_stops_the_run(on_unknown: OnUnknown) -> None:
    task = Task(10, on_unknown)
    task.service.leaves_out = frozenset(["p1"])
    with pytest.raises(SendOutcomeUnknown, match="Of 1 recipients"):
        task.run(people(3))
    assert task.outcomes() == {"accepted": ["p0", "p2"], "unknown": ["p1"]}


def test_a_row_that_could_not_be_told_does_not_become_unknown_when_its_block_is_interrupted() -> None:
    task = Task(batch_size=1)
    task.service.before[1] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(["unsendable", "p1", "p2"], concurrency=1)
    assert counted(task.run(["unsendable", "p1", "p2"])) == {"accepted": 2, "invalid": 1}


def test_an_answer_for_another_number_of_people_settles_nobody() -> None:
    task = Task(10)

    def short(work: Flow[Any]) -> Any:
        return perform(work)[:1]

    run = SendRun(target=Target(task.service, 10), perform=short, ledger=Ledger(task.store), report=Report(None))
    with pytest.raises(ValueError, match="zip"):
        run.run(table(people(3)), mapper())
    with pytest.raises(SendOutcomeUnknown, match="Of 3 recipients"):
        task.run(people(3))


# -- when the task is interrupted --


@pytest.mark.usefixtures("interruptible")
def test_what_was_under_way_when_the_task_was_stopped_is_still_counted() -> None:
    task, told = Task(batch_size=1), threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        told.set()
        raise KeyboardInterrupt

    def stop_the_task(people: Sequence[str]) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert told.wait(120)
        time.sleep(0.5)  # the main thread runs, and has only to say that nothing more begins

    signal.signal(signal.SIGINT, interrupt)
    task.service.after[2] = stop_the_task
    with pytest.raises(KeyboardInterrupt):
        task.run(people(50), concurrency=1)
    done = counted(task.last)
    assert done == {"accepted": 3, "not_reached": 47}
    assert counted(task.run(people(50))) == {"accepted": 50}
    assert task.service.sent == Counter(people(50))


def test_a_request_that_breaks_in_an_unforeseen_way_is_unknown_and_the_others_are_not() -> None:
    task = Task(batch_size=1)

    def bug(people: Sequence[str]) -> None:
        raise KeyError("a bug")

    task.service.after[2] = bug
    with pytest.raises(KeyError):
        task.run(people(5), concurrency=1)
    with pytest.raises(SendOutcomeUnknown, match="Of 1 recipients"):
        task.run(people(5))
    assert task.outcomes()["unknown"] == ["p2"]


def test_request_ids_of_an_interrupted_block_are_not_lost_by_the_next_try() -> None:
    task = Task(batch_size=1)
    task.service.before[2] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(4), concurrency=1)
    task.run(people(4))
    assert list(sent_request_ids(task.folder)) == [f"id-{person}" for person in people(4)]


def test_a_part_that_a_kill_cut_off_does_not_stop_the_next_try() -> None:
    task = Task(batch_size=1)
    task.service.before[2] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(4), concurrency=1)
    (name,) = task.folder.files
    task.folder.files[name] = task.folder.files[name][:-40]
    assert counted(task.run(people(4))) == {"accepted": 4}
    assert [row.row for row in task.folder.rows()] == [1, 2, 3, 4]


def test_without_a_report_a_try_after_an_interruption_goes_on_as_well() -> None:
    task = Task(batch_size=1)
    task.service.before[2] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(4), concurrency=1, report=False)
    assert counted(task.run(people(4), report=False)) == {"accepted": 4}
    assert task.service.sent == Counter(people(4))


# -- when the audience is another --


def stopped_after(count: int, audience: list[str], batch_size: int = 10) -> Task:
    """A task whose first try sent to so many rows and then failed."""
    task = Task(batch_size)
    task.service.before[count // batch_size] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(audience, concurrency=1)
    return task


@pytest.mark.parametrize(
    "changed",
    [
        lambda rows: ["new", *rows],
        lambda rows: [rows[1], rows[0], *rows[2:]],
        lambda rows: rows[1:],
        lambda rows: rows[:5],
        lambda rows: [],
    ],
    ids=["one more", "another order", "one less", "far fewer", "none"],
)
def test_rows_sent_to_that_are_not_the_same_any_more_stop_the_run(changed: Callable[[list[str]], list[str]]) -> None:
    task = stopped_after(10, people(25))
    with pytest.raises(AudienceChanged, match="The first 10 rows"):
        task.run(changed(people(25)))
    assert task.service.sent == Counter(people(10))


def test_rows_not_sent_to_may_change() -> None:
    task = stopped_after(10, people(25))
    task.run([*people(10), "new", *people(5, first=10)])
    assert task.service.sent == Counter([*people(15), "new"])


@pytest.mark.parametrize("changed", [[*people(12), "new"], people(12)], ids=["another row", "one less"])
def test_rows_of_the_block_under_way_that_are_not_the_same_stop_the_run(changed: list[str]) -> None:
    task = Task(10, on_unknown="skip")
    task.service.after[1] = lost
    task.on_unknown = "stop"
    with pytest.raises(SendOutcomeUnknown):
        task.run(people(13))
    with pytest.raises(AudienceChanged, match="Rows 11 to 13"):
        task.run(changed)


def test_a_digest_is_of_the_source_rows_and_not_of_what_is_made_of_them() -> None:
    task = Task(10)
    task.service.before[1] = wrong_key
    rows = [("a",), ("A ",)]
    audience = [*rows, *[(f"x{n}",) for n in range(12)]]
    run = SendRun(target=Target(task.service, 10), perform=perform, ledger=Ledger(task.store), report=Report(None))
    with pytest.raises(exceptions.Unauthenticated):
        run.run(Table(("who",), iter(audience), "people"), mapper())
    again = SendRun(target=Target(task.service, 10), perform=perform, ledger=Ledger(task.store), report=Report(None))
    with pytest.raises(AudienceChanged):
        again.run(Table(("who",), iter([("a",), ("A",), *audience[2:]]), "people"), mapper())


def test_the_next_try_may_cut_blocks_of_another_size() -> None:
    task = stopped_after(10, people(25))
    task.batch_size = 7
    assert counted(task.run(people(25))) == {"accepted": 25}
    assert task.service.sent == Counter(people(25))
    assert sorted(row.row for row in task.folder.rows()) == list(range(1, 26))


def test_rows_sent_again_that_do_not_leave_this_time_stand_in_the_report_once() -> None:
    task = Task(10, on_unknown="resend")
    task.service.after[0] = lost
    task.service.before[1] = wrong_key
    for problem in (exceptions.ConnectionLost, exceptions.Unauthenticated):
        with pytest.raises(problem):
            task.run(people(12))
    task.batch_size = 7
    assert counted(task.run(people(12))) == {"accepted": 12}
    assert [row.row for row in task.folder.rows()] == list(range(1, 13))


def test_going_past_what_is_done_needs_the_memory_of_few_rows() -> None:
    alive = most = 0

    class Row(tuple[Any, ...]):
        def __new__(cls, value: str) -> Row:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            return super().__new__(cls, (value,))

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def rows() -> Iterator[Row]:
        for person in people(20_000):
            yield Row(person)

    task = Task(1000)
    task.service.before[19] = wrong_key
    for failing in (True, False):
        most = 0
        run = SendRun(
            target=Target(task.service, 1000), perform=perform, ledger=Ledger(task.store), report=Report(None)
        )
        if failing:
            with pytest.raises(exceptions.Unauthenticated):
                run.run(Table(("who",), rows(), "people"), mapper())
        else:
            run.run(Table(("who",), rows(), "people"), mapper())
        assert most <= 2500
    assert task.service.sent == Counter(people(20_000))


# -- when it was sent before --


def test_what_was_sent_is_not_sent_again_unless_the_author_says_so(task: Task) -> None:
    task.run(people(3))
    with pytest.raises(AlreadySent, match=r"This was sent at \d{4}-.*3 accepted.*resend=True"):
        task.run(people(3))
    assert task.service.sent == Counter(people(3))
    assert counted(task.run(people(3), resend=True)) == {"accepted": 3}
    assert task.service.sent == Counter(people(3) * 2)


def test_a_resend_that_fails_is_gone_on_with_and_not_begun_again(task: Task) -> None:
    task.run(people(25))
    task.service.before[len(task.service.requests) + 1] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run(people(25), resend=True, concurrency=1)
    task.run(people(25), resend=True)
    assert set(task.service.sent.values()) == {2}


def test_a_try_that_comes_while_the_delivery_is_awaited_sends_nothing_and_is_no_mistake(task: Task) -> None:
    task.run(people(3), awaits_delivery=True)
    assert counted(task.run(people(3), awaits_delivery=True)) == {"accepted": 3}
    assert task.service.sent == Counter(people(3))
    Ledger(task.store).end()
    with pytest.raises(AlreadySent):
        task.run(people(3), awaits_delivery=True)


def test_a_send_to_nobody_is_done_at_once_and_is_no_finished_send(task: Task) -> None:
    assert counted(task.run([])) == {}
    assert task.service.requests == []
    assert counted(task.run(people(3))) == {"accepted": 3}


def test_the_ledger_holds_nobodys_name(task: Task) -> None:
    task.service.before[2 if task.batch_size == 10 else 5] = wrong_key
    with pytest.raises(exceptions.Unauthenticated):
        task.run([f"somebody-{number}" for number in range(25)])
    assert "somebody" not in json.dumps(task.store.record)
