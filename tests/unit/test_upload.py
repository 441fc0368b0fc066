"""Uploads: whatever is wrong with rows, requests or imports, every row read ends in one outcome and is counted once."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.contact_columns import ContactColumns, FieldRule
from airflow_provider_esp.core.ledger import OpenImportRecord
from airflow_provider_esp.core.models import Import, ImportState, Submitted
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.readers.table import BadRow, Table
from airflow_provider_esp.core.row_report import Report, RowReport
from airflow_provider_esp.core.upload.checkpoint import digest_of
from airflow_provider_esp.core.upload.open_imports import NOT_NAMED, OpenImport, close_import
from airflow_provider_esp.core.upload.run import Upload
from airflow_provider_esp.core.validation.batch import BatchValidator
from airflow_provider_esp.exceptions import SourceError, StorageUnwritable

Fault = Callable[[Sequence[str]], None]


class Service:
    """Takes contacts, each request as an import of its own, and remembers everything.

    :param looks: how often an import is asked for before it has ended; None: it never ends.
    """

    def __init__(self, looks: int | None = 1, imports: bool = True, batch_size: int = 4) -> None:
        self.batch_size = batch_size
        self.identity: Sequence[str] = ("email",)
        self.names: Sequence[str] = ("email", "external_id")
        self.rules: Mapping[str, FieldRule] = {"town": FieldRule(r".{0,5}", "the town is longer than 5 characters")}
        self.looks = looks
        self.imports = imports
        self.requests: list[list[str]] = []
        self.contacts: Counter[str] = Counter()
        self.before: dict[int, Fault] = {}
        self.after: dict[int, Fault] = {}
        self.always: Fault = lambda people: None
        self.rejects: dict[str, str] = {}
        self.leaves_out: set[str] = set()
        self.fails: set[str] = set()
        self.names_by = "email"
        self.members: dict[str, dict[str, str]] = {}
        self.asked: Counter[str] = Counter()
        self.most_open = 0
        self.lock = threading.Lock()

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        return contacts.by_fields()

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        yield from ()
        return self._take(contacts)

    def _take(self, contacts: ContactColumns) -> Submitted:
        people = [str(email) for email in contacts.standard["email"]]
        if any(person.startswith("unsendable") for person in people):
            raise ValueError("this cannot be written down")
        with self.lock:
            number = len(self.requests)
            self.requests.append(people)
        self.always(people)
        self.before.get(number, self.always)(people)
        rejected = {at: self.rejects[person] for at, person in enumerate(people) if person in self.rejects}
        with self.lock:
            self.contacts.update(person for person in people if person not in {*self.rejects, *self.leaves_out})
            import_id = f"import-{number}" if self.imports else None
            if import_id:
                names = contacts.standard.get(self.names_by, people)
                called = [name if isinstance(name, str) else person for name, person in zip(names, people, strict=True)]
                self.members[import_id] = dict(zip(people, called, strict=True))
                still = sum(not self.ended(name) for name in self.members)
                self.most_open = max(self.most_open, still)
        self.after.get(number, self.always)(people)
        return Submitted(import_id, rejected)

    def ended(self, import_id: str) -> bool:
        return self.looks is not None and self.asked[import_id] >= self.looks

    def import_state(self, import_id: str) -> Flow[Import]:
        yield from ()
        self.asked[import_id] += 1
        if not self.ended(import_id):
            return Import(import_id, ImportState.RUNNING)
        members = self.members[import_id]
        if self.fails & members.keys():
            return Import(import_id, ImportState.FAILED, problem="the file of ann@example.com is bad")
        done = [name.upper() for person, name in members.items() if person not in {*self.leaves_out, *self.rejects}]
        return Import(import_id, ImportState.DONE, done=tuple(done))


def perform(work: Flow[Any]) -> Any:
    try:
        next(work)
    except StopIteration as end:
        return end.value
    raise AssertionError("this service needs no calls")


def lost(people: Sequence[str] = ()) -> None:
    raise exceptions.ConnectionLost("the connection broke", outcome_unknown=True)


def wrong_key(people: Sequence[str] = ()) -> None:
    raise exceptions.Unauthenticated("the key is wrong")


def invalid(people: Sequence[str] = ()) -> None:
    raise exceptions.InvalidRequest("a contact is not valid")


def table(people: Iterable[Any], columns: tuple[str, ...] = ("email",)) -> Table:
    rows = (person if isinstance(person, tuple) else (person,) for person in people)
    return Table(columns, iter(rows), "people")


def upload(service: Service, report: Report | None = None, **options: Any) -> Upload:
    return Upload(service, perform, report or Report(None), poll_interval=0.001, **options)


def run(up: Upload, people: Table | Iterable[Any]) -> Upload:
    rows = people if isinstance(people, Table) else table(people)
    target = up.target
    up.run(rows, BatchValidator(rows, None, target.identity, rules=target.rules))
    return up


def counted(up: Upload) -> dict[str, int]:
    return {name: rows for name, rows in up.counts.as_dict().items() if rows}


def people(count: int, first: int = 0) -> list[str]:
    return [f"p{number}@example.com" for number in range(first, first + count)]


def rows_of(folder: Path) -> list[RowReport]:
    """Every row of every part in a folder."""
    report = Report(folder)
    return [row for stage in ("checked", "answered", "import", "ended") for row in report.read(report.names(stage))]


# -- what is handed over --


def test_every_contact_is_handed_over_once_in_batches() -> None:
    service = Service()
    up = run(upload(service), people(10))
    assert up.wait()
    assert service.contacts == Counter(people(10))
    assert sorted(map(len, service.requests)) == [2, 4, 4]
    assert counted(up) == {"accepted": 10}


def test_contacts_that_carry_different_fields_travel_apart() -> None:
    service = Service()
    up = run(upload(service), table([("a@x.com", "Ann"), ("b@x.com", ""), ("c@x.com", "Cy")], ("email", "first_name")))
    assert sorted(service.requests) == [["a@x.com", "c@x.com"], ["b@x.com"]]
    assert counted(up) == {"accepted": 3}


def test_within_a_batch_the_last_row_of_a_person_wins(tmp_path: Path) -> None:
    service = Service()
    rows = [("A@x.com", "old"), ("b@x.com", "Bo"), ("a@x.com", "older"), ("a@X.com", "new")]
    up = run(upload(service, Report(tmp_path)), table(rows, ("email", "first_name")))
    assert service.requests == [["b@x.com", "a@X.com"]]
    assert counted(up) == {"accepted": 2, "duplicate": 2}
    assert [(row.row, row.outcome, row.reason) for row in rows_of(tmp_path)] == [
        (1, "duplicate", "duplicate of row 4"),
        (3, "duplicate", "duplicate of row 4"),
    ]


def test_across_batches_each_row_is_handed_over() -> None:
    service = Service(batch_size=1)
    up = run(upload(service, concurrency=1), ["a@x.com", "a@x.com"])
    assert service.contacts == Counter({"a@x.com": 2})
    assert counted(up) == {"accepted": 2}


def test_rows_that_cannot_be_sent_are_invalid_and_the_others_go(tmp_path: Path) -> None:
    service = Service()
    rows = [("a@x.com", "Rome"), BadRow("line 3 is not CSV"), ("nobody", ""), ("", "Rome"), ("b@x.com", "Bratislava")]
    up = run(upload(service, Report(tmp_path)), table(rows, ("email", "town")))
    assert service.requests == [["a@x.com"]]
    assert counted(up) == {"accepted": 1, "invalid": 4}
    assert {row.row: row.reason for row in rows_of(tmp_path)} == {
        2: "line 3 is not CSV",
        3: "the e-mail address is not valid: it has no @",
        4: "no email",
        5: "the town is longer than 5 characters",
    }


def test_row_numbers_go_on_from_batch_to_batch(tmp_path: Path) -> None:
    run(upload(Service(batch_size=2), Report(tmp_path)), ["a@x.com", "bad", "b@x.com", "bad", "bad"])
    assert sorted(row.row for row in rows_of(tmp_path)) == [2, 4, 5]


def test_a_source_without_rows_is_done_at_once() -> None:
    service = Service()
    up = run(upload(service), [])
    assert (service.requests, counted(up), up.wait()) == ([], {}, True)


def test_the_report_holds_the_rows_themselves_only_if_asked(tmp_path: Path) -> None:
    for name, keep in (("a", False), ("b", True)):
        service = Service()
        service.rejects = {"a@x.com": "no"}
        rows = table([("a@x.com", "Ann"), ("bad", "Bo")], ("email", "first_name"))
        run(upload(service, Report(tmp_path / name), keep_values=keep), rows)
    assert {row.values is None for row in rows_of(tmp_path / "a")} == {True}
    values = {row.row: row.values for row in rows_of(tmp_path / "b")}
    assert values == {1: {"email": "a@x.com", "first_name": "Ann"}, 2: {"email": "bad", "first_name": "Bo"}}


# -- what the service says at once --


def test_contacts_refused_at_once_are_rejected_with_the_reason(tmp_path: Path) -> None:
    service = Service()
    service.rejects = {"p1@example.com": "p1@example.com is on a list", "p3@example.com": "no"}
    up = run(upload(service, Report(tmp_path)), people(4))
    assert up.wait()
    assert counted(up) == {"accepted": 2, "rejected": 2}
    assert [(row.row, row.key, row.reason) for row in rows_of(tmp_path)] == [
        (2, "p1@example.com", "[address] is on a list"),
        (4, "p3@example.com", "no"),
    ]


def test_an_import_in_which_nobody_is_left_is_not_waited_for() -> None:
    service = Service()
    service.rejects = dict.fromkeys(people(4), "no")
    up = run(upload(service), people(4))
    assert (up.open_imports, up.imports, counted(up)) == ({}, [], {"rejected": 4})


def test_a_request_refused_as_a_whole_is_halved_until_the_bad_row_stands_alone(tmp_path: Path) -> None:
    service = Service()

    def refuse(request: Sequence[str]) -> None:
        if "p2@example.com" in request:
            invalid()

    service.always = refuse
    up = run(upload(service, Report(tmp_path)), people(4))
    assert up.wait()
    assert service.contacts == Counter(people(4)) - Counter(["p2@example.com"])
    assert counted(up) == {"accepted": 3, "rejected": 1}
    assert [(row.row, row.outcome) for row in rows_of(tmp_path)] == [(3, "rejected")]


def test_what_was_not_tried_because_a_part_of_it_failed_is_not_reached(tmp_path: Path) -> None:
    service = Service()
    service.before = {0: invalid, 1: lost}
    up = upload(service, Report(tmp_path))
    with pytest.raises(exceptions.ConnectionLost):
        run(up, people(4))
    assert counted(up) == {"unknown": 2, "not_reached": 2}
    assert [(row.row, row.outcome) for row in rows_of(tmp_path)] == [
        (1, "unknown"), (2, "unknown"), (3, "not_reached"), (4, "not_reached"),
    ]  # fmt: skip


def test_a_contact_that_the_service_cannot_be_told_is_invalid() -> None:
    service = Service()
    up = run(upload(service), ["a@x.com", "unsendable@x.com", "b@x.com"])
    assert counted(up) == {"accepted": 2, "invalid": 1}


def test_a_service_without_imports_has_accepted_at_once() -> None:
    up = run(upload(Service(imports=False)), people(10))
    assert (up.open_imports, up.imports, counted(up)) == ({}, [], {"accepted": 10})


# -- imports --


def test_contacts_that_an_import_does_not_name_are_rejected(tmp_path: Path) -> None:
    service = Service(looks=3)
    service.leaves_out = {"p1@example.com", "p6@example.com"}
    up = run(upload(service, Report(tmp_path)), people(8))
    assert up.wait()
    assert counted(up) == {"accepted": 6, "rejected": 2}
    assert {(row.row, row.key, row.reason) for row in rows_of(tmp_path)} == {
        (2, "p1@example.com", NOT_NAMED),
        (7, "p6@example.com", NOT_NAMED),
    }
    assert set(up.imports) == {"import-0", "import-1"}


def test_a_contact_may_be_named_by_another_of_its_names() -> None:
    service = Service()
    service.names_by = "external_id"
    service.leaves_out = {"b@x.com"}
    rows = table([("a@x.com", "E1"), ("b@x.com", "E2"), ("c@x.com", "")], ("email", "external_id"))
    up = run(upload(service), rows)
    assert up.wait()
    assert counted(up) == {"accepted": 2, "rejected": 1}


def test_all_contacts_of_an_import_that_failed_are_rejected_and_others_are_not(tmp_path: Path) -> None:
    service = Service()
    service.fails = {"p5@example.com"}
    up = run(upload(service, Report(tmp_path)), people(8))
    assert up.wait()
    assert counted(up) == {"accepted": 4, "rejected": 4}
    assert {(row.row, row.reason) for row in rows_of(tmp_path)} == {
        (row, "the import failed: the file of [address] is bad") for row in (5, 6, 7, 8)
    }


def test_a_wait_ends_when_its_time_is_up() -> None:
    service = Service(looks=None)
    up = run(upload(service), people(4))
    began = time.monotonic()
    assert not up.wait(timeout=0.05)
    assert 0.05 <= time.monotonic() - began < 60
    assert list(up.open_imports) == ["import-0"]
    assert counted(up) == {"accepted": 4}
    service.looks = 1
    assert up.wait(timeout=0)
    assert up.open_imports == {}


def test_imports_are_looked_at_while_the_upload_goes_on() -> None:
    service = Service(looks=1)
    up = run(upload(service, concurrency=1), people(400))
    assert len(service.asked) > 50
    assert up.wait()
    assert set(service.asked.values()) == {1}


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_no_more_imports_are_open_at_once_than_allowed(limit: int, concurrency: int) -> None:
    service = Service(looks=3, batch_size=1)
    up = run(upload(service, concurrency=concurrency, max_open_imports=limit), people(30))
    assert service.most_open <= limit
    assert up.wait()
    assert counted(up) == {"accepted": 30}


def test_a_failing_look_at_an_import_ends_the_upload_and_everything_adds_up() -> None:
    service = Service(looks=None, batch_size=1)

    def looked(work: Flow[Any]) -> Any:
        if "import_state" in work.gi_code.co_qualname:  # type: ignore[attr-defined]  # every flow of this service is a plain generator
            raise exceptions.NotFound("no such import")
        return perform(work)

    up = Upload(service, looked, Report(None), poll_interval=0, max_open_imports=3)
    with pytest.raises(exceptions.NotFound):
        run(up, people(20))
    assert counted(up).keys() == {"accepted", "not_reached"}
    assert up.counts.rows == len(service.requests) + 1


# -- when a request fails --


@pytest.mark.parametrize(("fault", "outcome"), [(wrong_key, "not_reached"), (lost, "unknown")])
def test_a_failure_in_the_middle_ends_the_upload_and_every_row_read_is_counted(
    fault: Fault, outcome: str, tmp_path: Path
) -> None:
    service = Service()
    service.before[2] = fault
    read = 0

    def rows() -> Iterator[str]:
        nonlocal read
        for person in people(1000):
            read += 1
            yield person

    up = upload(service, Report(tmp_path), concurrency=1)
    with pytest.raises(exceptions.EspError):
        run(up, rows())
    assert read < 100
    assert up.counts.rows == read
    assert up.counts[Outcome.ACCEPTED] == sum(service.contacts.values())
    assert up.counts[Outcome(outcome)] >= 4
    ended = [row for row in rows_of(tmp_path) if row.row in (9, 10, 11, 12)]
    assert [row.outcome for row in ended] == [outcome] * 4
    assert len(rows_of(tmp_path)) + up.counts[Outcome.ACCEPTED] == read


def test_requests_under_way_when_one_fails_are_waited_for_and_counted() -> None:
    service = Service(batch_size=1)
    started = threading.Barrier(3)

    def fault(request: Sequence[str]) -> None:
        started.wait(timeout=120)
        if request == ["p0@example.com"]:
            wrong_key()
        time.sleep(0.05)

    service.before = dict.fromkeys(range(3), fault)
    up = upload(service, concurrency=3)
    with pytest.raises(exceptions.Unauthenticated):
        run(up, people(3))
    assert counted(up) == {"accepted": 2, "not_reached": 1}


def test_a_source_that_breaks_off_ends_the_upload_and_the_rows_read_are_counted() -> None:
    def rows() -> Iterator[str]:
        yield from people(10)
        raise SourceError("line 12 is not UTF-8")

    service = Service()
    up = upload(service)
    with pytest.raises(SourceError):
        run(up, rows())
    assert up.counts.rows == 10
    assert up.counts[Outcome.ACCEPTED] == sum(service.contacts.values()) <= 8
    assert up.counts[Outcome.NOT_REACHED] == 10 - sum(service.contacts.values())


def test_a_request_that_fails_in_an_unforeseen_way_is_counted_as_unknown(tmp_path: Path) -> None:
    service = Service()
    started = threading.Barrier(2)

    def bug(people: Sequence[str]) -> None:
        started.wait(timeout=120)
        raise KeyError("a bug")

    service.before = {0: bug, 1: bug}
    up = upload(service, Report(tmp_path), concurrency=2)
    with pytest.raises(KeyError):
        run(up, people(8))
    assert counted(up) == {"unknown": 8}
    assert len(rows_of(tmp_path)) == 8


def test_a_report_that_cannot_be_written_ends_the_upload_and_everything_adds_up(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file stands where the folder should be")
    up = upload(Service(), Report(tmp_path / "report"))
    with pytest.raises(StorageUnwritable, match=r"report.*; remove the file or link that is in the way"):
        run(up, ["bad", *people(3)])
    assert counted(up) == {"invalid": 1, "not_reached": 3}


@pytest.mark.usefixtures("interruptible")
def test_an_upload_that_is_stopped_waits_for_what_is_under_way_and_counts_it() -> None:
    service = Service(batch_size=1)

    def stop_the_task(people: Sequence[str]) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.1)

    service.after[2] = stop_the_task
    up = upload(service, concurrency=1)
    with pytest.raises(KeyboardInterrupt):
        run(up, people(50))
    assert up.counts[Outcome.ACCEPTED] == sum(service.contacts.values()) == 3
    assert set(counted(up)) == {"accepted", "not_reached"}


def test_progress_is_told_all_the_time() -> None:
    told: list[int] = []
    up = upload(Service(), progress=lambda up: told.append(up.counts.rows))
    run(up, people(40)).wait()
    assert len(told) > 10
    assert told == sorted(told)
    assert told[-1] == 40


def test_few_batches_are_in_memory_at_once() -> None:
    service = Service(imports=False)
    ahead = 0
    read = 0

    def rows() -> Iterator[str]:
        nonlocal read, ahead
        for person in people(400):
            read += 1
            ahead = max(ahead, read - 4 * len(service.requests))
            yield person

    run(upload(service, concurrency=2), rows())
    assert ahead <= 4 * (2 + 1 + 2)  # under way, one more handed in, one ready, one being read


# -- another try over the same rows --


def test_what_a_failed_try_reported_does_not_stand_beside_what_the_next_one_says(tmp_path: Path) -> None:
    first = Service()
    first.before = {1: lost}
    first.rejects = {"p0@example.com": "no"}
    with pytest.raises(exceptions.ConnectionLost):
        run(upload(first, Report(tmp_path), concurrency=1), people(12))
    assert {row.outcome for row in rows_of(tmp_path)} >= {"unknown", "rejected"}
    up = run(upload(Service(), Report(tmp_path), concurrency=1), people(12))
    assert up.wait()
    assert counted(up) == {"accepted": 12}
    assert rows_of(tmp_path) == []


def test_what_others_wrote_into_the_folder_stays_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    run(upload(Service(), Report(tmp_path)), ["bad-1"])
    run(upload(Service(), Report(tmp_path)), ["bad-2"])
    assert [row.row for row in rows_of(tmp_path)] == [1, 1]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_rows_have_one_digest_only_if_they_are_the_same() -> None:
    rows: list[Any] = [("a", 1), BadRow("line 3"), (2**80,)]
    assert digest_of(rows) == digest_of([["a", 1], BadRow("line 3"), [2**80]])
    assert len({digest_of(rows), digest_of(rows[:2]), digest_of(rows[::-1]), digest_of([("a", 2), *rows[1:]])}) == 4


# -- handed over to another process --


def handed_over(service: Service, report: Report) -> tuple[Upload, list[OpenImportRecord]]:
    up = run(
        upload(service, report), table([("a@x.com", "E1"), ("b@x.com", ""), ("c@x.com", "")], ("email", "external_id"))
    )
    records = up.hand_over()
    assert not any("x.com" in str(record) for record in records)
    return up, records


def closed(service: Service, records: list[OpenImportRecord], counts: Counts, report: Report) -> Counts:
    for record in records:
        item = OpenImport.of(record)
        close_import(item, perform(service.import_state(item.id)), counts, report)
    return counts


def test_another_process_names_whom_an_import_left_out_from_the_report(tmp_path: Path) -> None:
    service = Service()
    service.leaves_out = {"b@x.com"}
    up, records = handed_over(service, Report(tmp_path))
    assert len(records) == 2
    counts = closed(service, records, up.counts, Report(tmp_path))
    assert (counts[Outcome.ACCEPTED], counts[Outcome.REJECTED]) == (2, 1)
    assert [(row.row, row.key, row.outcome) for row in rows_of(tmp_path)] == [(2, "b@x.com", "rejected")]


def test_another_process_knows_a_contacts_other_names_as_well(tmp_path: Path) -> None:
    service = Service()
    service.names_by = "external_id"
    up, records = handed_over(service, Report(tmp_path))
    counts = closed(service, records, up.counts, Report(tmp_path))
    assert (counts[Outcome.ACCEPTED], counts[Outcome.REJECTED]) == (3, 0)


def test_without_a_report_those_left_out_are_counted_and_not_named() -> None:
    service = Service()
    service.leaves_out = {"b@x.com"}
    up, records = handed_over(service, Report(None))
    report = Report(None)
    counts = closed(service, records, up.counts, report)
    assert (counts[Outcome.ACCEPTED], counts[Outcome.REJECTED]) == (2, 1)
    assert report.reasons == {f"{NOT_NAMED} (not named: there is no report_path)": 1}


@pytest.mark.parametrize("kept", [True, False])
def test_another_process_counts_a_failed_import_whole(kept: bool, tmp_path: Path) -> None:
    service = Service()
    service.fails = {"b@x.com"}
    folder = tmp_path if kept else None
    up, records = handed_over(service, Report(folder))
    counts = closed(service, records, up.counts, Report(folder))
    assert (counts[Outcome.ACCEPTED], counts[Outcome.REJECTED]) == (1, 2)


# -- all together --

rows_of_a_source = st.lists(
    st.tuples(
        st.sampled_from(["ok", "ok", "ok", "OK", "unsendable", "refused", "halving", "omitted", "failing", "bad "]),
        st.integers(0, 6),
        st.sampled_from(["", "Rome", "Bratislava"]),
    ).map(lambda row: (f"{row[0]}-{row[1]}@x.com", row[2]))
    | st.just(BadRow("not CSV")),
    max_size=30,
)
faults = st.lists(st.sampled_from([None, None, None, None, lost, wrong_key]), max_size=8)


@settings(max_examples=150, deadline=None)
@given(rows_of_a_source, faults, st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_whatever_happens_every_row_read_ends_in_one_outcome(
    rows: list[Any], faults: list[Fault | None], batch_size: int, concurrency: int, most_open: int, breaks: bool
) -> None:
    service = Service(batch_size=batch_size)
    service.before = {number: fault for number, fault in enumerate(faults) if fault}
    everybody = {row[0] for row in rows if not isinstance(row, BadRow)}
    service.rejects = {person: "no" for person in everybody if person.startswith("refused")}
    service.leaves_out = {person for person in everybody if person.startswith("omitted")}
    service.fails = {person for person in everybody if person.startswith("failing")}

    def refuse(request: Sequence[str]) -> None:
        if any(person.startswith("halving") for person in request):
            invalid()

    service.always = refuse
    read = 0

    def reading() -> Iterator[Any]:
        nonlocal read
        for row in rows:
            read += 1
            yield row
        if breaks:
            raise SourceError("broken off")

    kept: list[RowReport] = []

    class Kept(Report):
        def write(self, first_row: int, digest: str, stage: str, rows: Sequence[RowReport]) -> str | None:
            kept.extend(rows if stage != "open" else ())
            return super().write(first_row, digest, stage, rows)

    up = upload(service, Kept(None), concurrency=concurrency, max_open_imports=most_open)
    failed = False
    try:
        run(up, Table(("email", "town"), reading(), "people"))
    except (exceptions.EspError, SourceError):
        failed = True
    assert up.wait()
    assert failed or (read == len(rows) and not breaks)
    assert up.counts.rows == read
    assert all(number >= 0 for number in up.counts.as_dict().values())
    assert len({row.row for row in kept}) == len(kept)
    told = Counter(row.outcome for row in kept)
    untold = up.counts.rows - sum(told.values()) - up.counts[Outcome.ACCEPTED]
    assert 0 <= untold < (batch_size if breaks else 1)  # read in a batch that was never cut
    if not failed:
        assert {outcome.value: up.counts[outcome] for outcome in Outcome if outcome.value in told} == dict(told)
        assert not {"unknown", "not_reached"} & told.keys()
