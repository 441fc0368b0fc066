"""The ledger of an upload: what is behind the checkpoint is not uploaded again, and what is not is."""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.ledger import MemoryStore, UploadLedger, UploadRecord
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.upload.checkpoint import MOST_OPEN_KEPT, Batch, Checkpoint
from airflow_provider_esp.core.upload.open_imports import Members, OpenImport
from airflow_provider_esp.core.upload.run import Upload
from airflow_provider_esp.exceptions import LedgerUnreadable, SourceChanged, SourceError
from airflow_provider_esp.stores.ledgers import FileLedger
from tests.unit.test_upload import Service, counted, people, rows_of, run, table, upload, wrong_key


class Store(MemoryStore):
    """Keeps every record that was ever saved, as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[str] = []

    def save(self, record: dict[str, Any]) -> None:
        self.saved.append(json.dumps(record))
        super().save(json.loads(self.saved[-1]))


def tried(service: Service, store: Any, report: Report | None = None, every: float = 0, **options: Any) -> Upload:
    """Make one try of an upload; it writes its ledger as often as it can, unless told otherwise."""
    return upload(service, report, checkpoint=Checkpoint(UploadLedger(store), every), concurrency=1, **options)


def record_of(store: MemoryStore) -> UploadRecord:
    assert store.record is not None
    return msgspec.convert(store.record, UploadRecord)


def fails_at(service: Service, request: int) -> None:
    service.before[request] = wrong_key


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return FileLedger(str(tmp_path / "ledger.json")) if request.param == "file" else MemoryStore()


# -- going on --


def test_a_retry_goes_on_at_the_first_unfinished_batch(store: Any, tmp_path: Path) -> None:
    service = Service(imports=False)
    fails_at(service, 3)
    first = tried(service, store, Report(tmp_path / "report"))
    with pytest.raises(exceptions.Unauthenticated):
        run(first, people(30))
    assert store.load()["rows"] == 12
    before = Counter(service.contacts)
    second = run(tried(service, store, Report(tmp_path / "report")), people(30))
    assert service.contacts - before == Counter(people(18, 12))
    assert set(service.contacts) == set(people(30))
    assert (second.passed, counted(second)) == (12, {"accepted": 30})
    assert rows_of(tmp_path / "report") == []


def test_counts_and_imports_add_up_over_tries(tmp_path: Path) -> None:
    service, store = Service(looks=1), Store()
    service.rejects = {"p1@example.com": "no", "p21@example.com": "no"}
    fails_at(service, 3)
    rows = [*people(4), "bad", *people(3, 5), *people(12, 8), *people(9, 20), "bad"]
    with pytest.raises(exceptions.Unauthenticated):
        run(tried(service, store, Report(tmp_path)), rows)
    assert record_of(store).counts == {"accepted": 10, "rejected": 1, "invalid": 1}
    second = run(tried(service, store, Report(tmp_path)), rows)
    second.hand_over()
    assert second.wait()
    assert counted(second) == {"accepted": 26, "rejected": 2, "invalid": 2}
    # The import that was under way when the first try failed may not have been noted any more: its batch goes again.
    assert second.checkpoint.imports["imports_total"] in (len(service.members) - 1, len(service.members))
    assert sorted(row.row for row in rows_of(tmp_path)) == [2, 5, 22, 30]
    assert Report(tmp_path).names("open") == []


def test_a_batch_with_rows_that_were_not_reached_or_are_unknown_is_uploaded_again(tmp_path: Path) -> None:
    service, store = Service(imports=False), MemoryStore()

    def half(request: Sequence[str]) -> None:
        if len(service.requests) <= 1:
            raise exceptions.InvalidRequest("halve it")
        if len(service.requests) == 3:
            raise exceptions.ConnectionLost("broke", outcome_unknown=True)

    service.always = half
    up = tried(service, store, Report(tmp_path))
    with pytest.raises(exceptions.ConnectionLost):
        run(up, people(4))
    assert counted(up) == {"accepted": 2, "unknown": 2}
    assert store.record is None
    second = run(tried(service, store, Report(tmp_path)), people(4))
    assert counted(second) == {"accepted": 4}
    assert rows_of(tmp_path) == []


def test_a_source_that_breaks_off_is_read_on_from_there() -> None:
    service, store = Service(imports=False), MemoryStore()

    def broken() -> Iterator[tuple[str]]:
        yield from ((person,) for person in people(10))
        raise SourceError("line 12 is not UTF-8")

    with pytest.raises(SourceError):
        run(tried(service, store), Table(("email",), broken(), "people"))
    assert record_of(store).rows in (4, 8)  # the second request may have waited for its turn
    run(tried(service, store), people(13))
    assert service.contacts == Counter(people(13))


def test_rows_that_were_added_behind_the_others_are_uploaded_by_the_retry() -> None:
    service, store = Service(imports=False), MemoryStore()
    run(tried(service, store), people(8))
    run(tried(service, store), people(12))
    assert service.contacts == Counter(people(12))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (people(9), ["x@example.com", *people(8, 1)]),
        (people(9), people(8)),
        (people(9), people(12)),  # the last batch was not full: it is cut in another way now
        (people(9), []),
    ],
)
def test_where_the_rows_are_not_the_same_a_retry_says_so(before: list[str], after: list[str]) -> None:
    service, store = Service(imports=False), MemoryStore()
    run(tried(service, store), before)
    with pytest.raises(SourceChanged, match=r"^The first 9 rows of people are not those .* starts over\.$"):
        run(tried(service, store), after)
    assert service.contacts == Counter(before)


def test_where_batches_are_cut_in_another_way_a_retry_says_so() -> None:
    store = MemoryStore()
    run(tried(Service(imports=False), store), people(8))
    with pytest.raises(SourceChanged, match="in batches of 4 and not of 2"):
        run(tried(Service(imports=False, batch_size=2), store), people(8))


# -- imports --


def test_while_rows_are_read_the_watermark_waits_for_imports() -> None:
    service, store = Service(looks=None), Store()
    up = tried(service, store)
    run(up, people(12))
    assert store.saved == []
    service.looks = 1
    assert up.wait()
    assert record_of(store).rows == 12
    assert record_of(store).open == []


def test_once_all_is_handed_in_a_retry_only_waits(store: Any, tmp_path: Path) -> None:
    service = Service(looks=None)
    service.leaves_out = {"p5@example.com"}
    first = run(tried(service, store, Report(tmp_path / "report")), people(12))
    first.hand_over()
    assert not first.wait(timeout=0)
    service.looks = 1
    second = run(tried(service, store, Report(tmp_path / "report")), people(12))
    second.hand_over()
    assert second.wait(timeout=120)
    assert service.contacts == Counter(people(12)) - Counter(["p5@example.com"])
    assert len(service.requests) == 3
    assert counted(second) == {"accepted": 11, "rejected": 1}
    assert [(row.row, row.key) for row in rows_of(tmp_path / "report")] == [(6, "p5@example.com")]
    assert Report(tmp_path / "report").names("open") == []
    second.checkpoint.clear(second.report)
    assert store.load() is None


def test_without_a_report_a_retry_counts_what_an_import_left_out() -> None:
    service, store = Service(looks=None), MemoryStore()
    service.leaves_out = {"p5@example.com"}
    run(tried(service, store), people(12)).hand_over()
    service.looks = 1
    second = run(tried(service, store), people(12))
    assert second.wait(timeout=120)
    assert counted(second) == {"accepted": 11, "rejected": 1}


def test_a_part_that_somebody_has_removed_only_costs_the_names(tmp_path: Path) -> None:
    service, store = Service(looks=None), MemoryStore()
    service.leaves_out = {"p5@example.com"}
    run(tried(service, store, Report(tmp_path)), people(12)).hand_over()
    for part in tmp_path.iterdir():
        part.unlink()
    service.looks = 1
    second = run(tried(service, store, Report(tmp_path)), people(12))
    assert second.wait(timeout=120)
    assert counted(second) == {"accepted": 11, "rejected": 1}


def test_a_run_that_fails_leaves_its_open_imports_to_the_next_try(tmp_path: Path) -> None:
    service, store = Service(looks=None), MemoryStore()
    fails_at(service, 2)
    with pytest.raises(exceptions.Unauthenticated):
        run(tried(service, store, Report(tmp_path)), people(12))
    assert record_of(store).rows == 8
    assert [item.id for item in record_of(store).open] == ["import-0", "import-1"]
    assert "example.com" not in json.dumps(store.record)
    service.looks = 1
    second = run(tried(service, store, Report(tmp_path)), people(12))
    second.hand_over()
    assert second.wait(timeout=120)
    assert service.contacts == Counter(people(12))
    assert counted(second) == {"accepted": 12}


def test_an_import_that_ended_but_was_not_written_down_is_counted_once(tmp_path: Path) -> None:
    service, store = Service(looks=None), Store()
    service.leaves_out = {"p1@example.com"}
    run(tried(service, store, Report(tmp_path)), people(8)).hand_over()
    service.looks = 1
    forgetful = run(tried(service, store, Report(tmp_path), every=3600), people(8))
    assert forgetful.wait(timeout=120)  # and then it is killed
    assert len(record_of(store).open) == 2
    third = run(tried(service, store, Report(tmp_path)), people(8))
    assert third.wait(timeout=120)
    assert counted(third) == {"accepted": 7, "rejected": 1}
    assert [(row.row, row.outcome) for row in rows_of(tmp_path)] == [(2, "rejected")]


# -- the record --


def test_the_ledger_is_written_only_now_and_then() -> None:
    service, store = Service(imports=False), Store()
    run(tried(service, store, every=3600), people(400))
    assert len(store.saved) == 1
    assert record_of(store).rows == 400


def test_all_writes_happen_on_the_thread_that_runs_the_upload() -> None:
    threads = set()

    class Watched(MemoryStore):
        def save(self, record: dict[str, Any]) -> None:
            threads.add(threading.current_thread())
            super().save(record)

    run(tried(Service(), Watched()), people(100))
    assert threads == {threading.current_thread()}


def test_a_part_is_closed_before_the_ledger_moves_past_its_rows(tmp_path: Path) -> None:
    service = Service(looks=2)
    service.rejects = {"p3@example.com": "no"}
    service.leaves_out = {"p9@example.com"}

    class Watched(MemoryStore):
        def save(self, record: dict[str, Any]) -> None:
            rows = [row for row in rows_of(tmp_path) if row.row <= record["rows"]]
            refused = sum(record["counts"].get(name, 0) for name in ("rejected", "invalid", "duplicate"))
            assert len(rows) == refused
            members = list(Report(tmp_path).read([facts["part"] for facts in record["open"]]))
            assert len(members) == sum(facts["rows"] for facts in record["open"])
            super().save(record)

    store = Watched()
    up = run(tried(service, store, Report(tmp_path)), [*people(12), "bad", *people(7, 12), *people(1, 18)])
    up.hand_over()
    assert up.wait()
    assert counted(up) == {"accepted": 18, "rejected": 2, "invalid": 1}


def test_a_ledger_that_cannot_be_written_does_not_hide_what_failed() -> None:
    class Full(MemoryStore):
        def save(self, record: dict[str, Any]) -> None:
            raise OSError("no space left")

    service = Service(imports=False)
    fails_at(service, 1)
    with pytest.raises(exceptions.Unauthenticated) as raised:
        run(tried(service, Full(), every=3600), people(8))
    assert raised.value.__notes__ == ["The ledger of the upload could not be written (OSError)."]


def test_the_record_stays_below_16_kb_whatever_is_open(tmp_path: Path) -> None:
    store = Store()
    checkpoint = Checkpoint(UploadLedger(store), every=3600)
    checkpoint.resume(table([]), 3000, Report(None))
    report = Report(tmp_path)
    for number in range(500):
        batch = Batch(number * 3000 + 1_000_000_001, 3000, f"{number:016x}")
        batch.counts.add(Outcome.ACCEPTED, 3000)
        checkpoint.add_batch(batch)
        members = Members([batch.first_row], ["ann@example.com"])
        item = OpenImport(f"00000000-0000-0000-0000-{number:012}", 3000, batch.first_row, batch.digest, members=members)
        checkpoint.import_opened(batch, item)
    checkpoint.flush(report)
    record = record_of(store)
    assert (len(record.open), record.rows) == (MOST_OPEN_KEPT, 1_000_000_000 + 3000 * MOST_OPEN_KEPT)
    assert (len(record.imports), record.imports_total) == (100, 500)
    assert len(store.saved[-1]) < 16_000


def test_the_record_of_a_send_is_not_taken_for_one_of_an_upload() -> None:
    store = MemoryStore()
    store.save({"version": 1, "rows": 7, "digest": "ab", "counts": {"accepted": 7}})
    with pytest.raises(LedgerUnreadable, match="no record of an upload"):
        run(tried(Service(), store), people(4))


def test_another_versions_record_is_left_behind_because_an_upload_may_repeat() -> None:
    service, store = Service(imports=False), MemoryStore()
    store.save({"kind": "upload", "version": 0, "nonsense": True})
    assert counted(run(tried(service, store), people(4))) == {"accepted": 4}


# -- whatever happens --


class Killed(BaseException):
    """The process is no more."""


class Mortal(MemoryStore):
    """A store whose process is killed at one of its writes, before or after it took effect."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None
        self.effect_first = False

    def save(self, record: dict[str, Any]) -> None:
        if self.left is not None:
            if self.left <= 0:
                if self.left == 0 and self.effect_first:
                    super().save(json.loads(json.dumps(record)))
                self.left = -1
                raise Killed
            self.left -= 1
        super().save(json.loads(json.dumps(record)))


people_of_a_source = st.lists(
    st.tuples(st.sampled_from(["ok", "ok", "ok", "bad", "refused", "omitted", "halving"]), st.integers(0, 15)).map(
        lambda pair: "bad" if pair[0] == "bad" else f"{pair[0]}{pair[1]}@example.com"
    ),
    max_size=30,
)
a_life = st.tuples(
    st.none() | st.integers(0, 6),  # killed at this write
    st.booleans(),
    st.none() | st.tuples(st.integers(0, 8), st.sampled_from([wrong_key, lambda people: _lost()])),
)


def _lost() -> None:
    raise exceptions.ConnectionLost("broke", outcome_unknown=True)


@settings(max_examples=200, deadline=None)
@given(people_of_a_source, st.lists(a_life, max_size=4), st.integers(1, 5), st.booleans())
def test_however_an_upload_is_interrupted_it_ends_with_everybody_counted_once(
    audience: list[str], lives: list[tuple[int | None, bool, tuple[int, Callable[..., None]] | None]], size: int,
    imports: bool,
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        check_interrupted(audience, lives, size, imports, Path(folder))


def check_interrupted(audience: list[str], lives: Sequence[Any], size: int, imports: bool, folder: Path) -> None:
    store = Mortal()
    service = Service(looks=2, imports=imports, batch_size=size)
    service.rejects = {person: "no" for person in audience if person.startswith("refused")}
    service.leaves_out = {person for person in audience if person.startswith("omitted")} if imports else set()

    def refuse(request: Sequence[str]) -> None:
        if any(person.startswith("halving") for person in request):
            raise exceptions.InvalidRequest("one is not valid")

    service.always = refuse
    for killed_at, effect_first, fault in [*lives, (None, False, None)]:
        store.left, store.effect_first = killed_at, effect_first
        service.before = {} if fault is None else {len(service.requests) + fault[0]: fault[1]}
        up = tried(service, store, Report(folder))
        try:
            run(up, audience)
            up.hand_over()
            assert up.wait()
        except (Killed, exceptions.EspError):
            continue
        break
    assert up.counts.rows == len(audience)
    assert not {"unknown", "not_reached"} & counted(up).keys()
    reported = rows_of(folder)
    assert len({row.row for row in reported}) == len(reported) == len(audience) - up.counts[Outcome.ACCEPTED]
    told = Counter(row.outcome for row in reported)
    assert {name: rows for name, rows in counted(up).items() if name != "accepted"} == dict(told)
    assert {person for person in audience if person.startswith("ok")} <= set(service.contacts)
    assert Report(folder).names("open") == []
