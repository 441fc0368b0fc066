"""What a send remembers: small, plain, and there for the next process; wherever it is kept."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp import version_compat
from airflow_provider_esp.core.ledger import (
    SEND_VERSION,
    Intent,
    Ledger,
    MemoryStore,
    RecordStore,
    RowsDigest,
    SendRecord,
)
from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.readers.table import MISSING, BadRow
from airflow_provider_esp.core.send.refused_rows import MOST_CHARACTERS
from airflow_provider_esp.exceptions import LedgerUnreadable, LedgerUnsafe
from airflow_provider_esp.stores import airflow_variables, ledgers
from airflow_provider_esp.stores.ledgers import FileLedger, TaskStateLedger, VariableLedger, ledger_store

ODD, EVEN = (",".join(map(str, range(first, 1000, 2))) for first in (1, 0))
FULL = SendRecord(
    rows=9_999_000,
    digest="d" * 32,
    counts={outcome.value: 9_999_999 for outcome in Outcome},
    refused={"invalid": "8" * MOST_CHARACTERS},
    delivery={"of": 9_999_999, "delivered": 9_999_999, "failed": 9_999_999, "pending": 9_999_999, "statuses": {}},
    intent=Intent(
        9_999_001, 1000, "e" * 32, "2026-01-01T00:00:00+00:00", {"accepted": ODD, "rejected": EVEN}, "9999001-10000000"
    ),
)


class TaskState:
    """What Airflow 3.3 gives a task, as far as a ledger uses it."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.retentions: list[Any] = []

    def get(self, key: str) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else None

    def set(self, key: str, value: Any, *, retention: Any) -> None:
        self.kept[key] = json.dumps(value)
        self.retentions.append(retention)

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


class Variables:
    """Airflow's `Variable`, as far as a ledger uses it."""

    kept: ClassVar[dict[str, str]] = {}

    @classmethod
    def get(cls, name: str, default: Any) -> Any:
        return cls.kept.get(name, default)

    @classmethod
    def set(cls, name: str, value: str, description: str) -> None:
        cls.kept[name] = value

    @classmethod
    def delete(cls, name: str) -> None:
        del cls.kept[name]


@pytest.fixture(params=["memory", "file", "task state", "variable"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordStore:
    if request.param == "file":
        return FileLedger(str(tmp_path / "deep" / "ledger.json"))
    if request.param == "task state":
        return TaskStateLedger(TaskState())
    if request.param == "variable":
        monkeypatch.setattr(Variables, "kept", {})
        monkeypatch.setattr(airflow_variables, "_variables", lambda: Variables)
        monkeypatch.setattr(airflow_variables, "LOOKS", ())
        return VariableLedger("esp_ledger_x")
    return MemoryStore()


# -- whatever keeps it --


def test_where_nothing_is_kept_a_send_begins_anew(store: RecordStore) -> None:
    assert store.load() is None
    assert msgspec.structs.replace(Ledger(store).load(), send="") == SendRecord()
    assert Ledger(store).load().send != Ledger(store).load().send


def test_what_is_saved_is_what_the_next_process_finds(store: RecordStore) -> None:
    Ledger(store).save(SendRecord(rows=1))
    Ledger(store).save(FULL)
    assert Ledger(store).load() == FULL


def test_a_record_can_be_removed_and_removed_again(store: RecordStore) -> None:
    store.save({"version": 1})
    store.clear()
    store.clear()
    assert store.load() is None


def test_what_is_kept_is_plain_json_and_small(store: RecordStore) -> None:
    Ledger(store).save(FULL)
    kept = store.load()
    assert json.loads(json.dumps(kept)) == kept
    assert len(json.dumps(kept)) < 16_000
    assert {type(name) for name in (kept or {})["counts"]} == {str}


def test_the_end_of_a_send_is_written_down_where_somebody_was_reached(store: RecordStore) -> None:
    ledger = Ledger(store)
    ledger.save(SendRecord(rows=3, counts={"accepted": 2, "invalid": 1}, sent_at="now"))
    ledger.end(too_many_refused=True)
    assert (ledger.load().too_many_refused, ledger.load().finished_at) == (True, None)
    ledger.end()
    assert (ledger.load().too_many_refused, ledger.load().finished_at) == (False, "now")
    ledger.save(SendRecord(rows=3, counts={"rejected": 3}, sent_at="now"))
    ledger.end()
    assert ledger.load().finished_at is None


def test_a_record_names_its_version_and_another_one_is_not_guessed_at(store: RecordStore) -> None:
    Ledger(store).save(SendRecord())
    kept = store.load()
    assert kept is not None
    assert kept["version"] == SEND_VERSION
    store.save({**kept, "version": SEND_VERSION + 1})
    with pytest.raises(LedgerUnreadable, match="another version"):
        Ledger(store).load()


def test_what_is_no_record_is_not_taken_for_an_empty_one(store: RecordStore) -> None:
    store.save({"rows": "many"})
    with pytest.raises(LedgerUnreadable, match=r"no record of a send: Expected `int`, got `str` - at `\$.rows`"):
        Ledger(store).load()


# -- files --


def test_a_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.json"
    store = FileLedger(str(path))
    store.save({"rows": 1})
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        synced.append(name)
        if name.startswith(".ledger.json."):
            assert json.loads((tmp_path / name).read_text()) == {"rows": 2}
            assert json.loads(path.read_text()) == {"rows": 1}

    monkeypatch.setattr(os, "fsync", fsync)
    store.save({"rows": 2})
    assert [synced[0][:13], synced[0][-4:], *synced[1:]] == [".ledger.json.", ".new", tmp_path.name]
    assert os.listdir(tmp_path) == ["ledger.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"rows": 1'])
def test_a_damaged_file_is_an_error_and_not_a_new_beginning(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(content)
    with pytest.raises(LedgerUnreadable, match=r"ledger\.json is damaged"):
        FileLedger(str(path)).load()


def test_a_url_is_no_place_for_a_ledger() -> None:
    with pytest.raises(LedgerUnsafe, match="a file on a disk"):
        FileLedger("s3://bucket/ledger.json")


def test_a_home_folder_may_be_abbreviated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    FileLedger("~/ledger.json").save({"rows": 1})
    assert (tmp_path / "ledger.json").exists()


# -- the choice --


def context(**extra: Any) -> dict[str, Any]:
    return {"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1), **extra}


def test_a_path_that_the_author_names_comes_first(tmp_path: Path) -> None:
    store = ledger_store(context(task_state_store=TaskState()), str(tmp_path / "ledger.json"))
    assert isinstance(store, FileLedger)


def test_the_tasks_own_state_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_compat, "clears_state_on_success", lambda: False)
    state = TaskState()
    store = ledger_store(context(task_state_store=state), None)
    store.save({"rows": 1})
    assert list(state.kept) == ["esp_ledger"]
    assert state.retentions == [timedelta(days=90)]


FINISHED = {"version": SEND_VERSION, "rows": 3, "finished_at": "2026-01-01T00:00:00+00:00"}


def test_a_finished_send_is_kept_as_long_as_the_author_says_and_an_unfinished_one_for_90_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(version_compat, "clears_state_on_success", lambda: False)
    state = TaskState()
    store = ledger_store(context(task_state_store=state), None, keep=timedelta(days=7))
    for record in ({"rows": 3}, {**FINISHED, "finished_at": None}, FINISHED):
        store.save(record)
    assert state.retentions == [timedelta(days=90), timedelta(days=90), timedelta(days=7)]


def test_a_finished_send_in_a_variable_says_until_when_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Variables, "kept", {})
    monkeypatch.setattr(airflow_variables, "_variables", lambda: Variables)
    forgets: list[bool] = []
    monkeypatch.setattr(ledgers, "forget_expired", lambda: forgets.append(True))
    store = ledger_store(context(), None, keep=timedelta(days=7))
    store.save({**FINISHED, "finished_at": None})
    assert forgets == []
    store.save(FINISHED)
    assert forgets == [True]
    ends = datetime.fromisoformat(json.loads(*Variables.kept.values())["keep_until"])
    assert timedelta(days=6.9) < ends - datetime.now(UTC) < timedelta(days=7.1)
    assert Ledger(store).load().finished_at == FINISHED["finished_at"]


def test_a_clean_up_that_fails_does_not_fail_a_send_that_is_done(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OSError("no database")

    monkeypatch.setattr(Variables, "kept", {})
    monkeypatch.setattr(airflow_variables, "_variables", lambda: Variables)
    monkeypatch.setattr(ledgers, "forget_expired", fail)
    ledger_store(context(), None).save(FINISHED)
    assert len(Variables.kept) == 1
    assert "could not be removed" in caplog.text


@pytest.mark.parametrize(
    ("kept", "expired"),
    [
        ('{"keep_until": "2026-01-01T00:00:00+00:00"}', True),
        ('{"keep_until": "2026-01-03T00:00:00+00:00"}', False),
        ('{"rows": 3, "intent": {}}', False),
        ("damaged", False),
        ("[]", False),
        (None, False),
    ],
)
def test_only_records_whose_time_is_up_are_forgotten(kept: str | None, expired: bool) -> None:
    assert ledgers._is_expired(kept, datetime(2026, 1, 2, tzinfo=UTC)) is expired


def test_a_state_that_airflow_clears_on_success_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_compat, "clears_state_on_success", lambda: True)
    with pytest.raises(LedgerUnsafe, match="clear_on_success"):
        ledger_store(context(task_state_store=TaskState()), None)


@pytest.mark.parametrize("part", ["dag_id", "run_id", "task_id", "map_index"])
def test_without_a_state_each_task_instance_has_a_variable_of_its_own(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Variables, "kept", {})
    monkeypatch.setattr(airflow_variables, "_variables", lambda: Variables)
    monkeypatch.setattr(airflow_variables, "LOOKS", ())
    ours = context()
    ledger_store(ours, None).save({"rows": 1})
    assert ledger_store(context(), None).load() == {"rows": 1}
    (name,) = Variables.kept
    assert name.startswith("esp_ledger_")
    setattr(ours["ti"], part, "another")
    assert ledger_store(ours, None).load() is None


# -- digests --


def digest(rows: list[Any]) -> str:
    rows_digest = RowsDigest()
    for number, row in enumerate(rows, 1):
        rows_digest.add(number, row)
    return str(rows_digest)


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)


@given(st.lists(st.lists(values, max_size=3), max_size=4), st.lists(st.lists(values, max_size=3), max_size=4))
def test_two_audiences_have_one_digest_only_if_they_are_the_same(one: list[Any], other: list[Any]) -> None:
    assert (digest(one) == digest(other)) == (repr(one) == repr(other))


def test_a_digest_can_be_read_at_any_row() -> None:
    rows_digest = RowsDigest()
    seen = []
    for number, row in ((1, ["a"]), (2, ["b"])):
        rows_digest.add(number, row)
        seen.append(str(rows_digest))
    assert seen == [digest([["a"]]), digest([["a"], ["b"]])]


def test_a_row_may_join_a_digest_later_and_its_number_counts() -> None:
    late = RowsDigest()
    late.add(2, ["b"])
    whole = late.copy()
    whole.add(1, ["a"])
    assert str(whole) == digest([["a"], ["b"]])
    assert str(late) == str(RowsDigest(str(late))) != digest([["b"]])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([["ab", "c"]], [["a", "bc"]]),
        ([["a"], ["b"]], [["a", "b"]]),
        ([[]], []),
        ([[MISSING]], [[None]]),
        ([[""]], [[None]]),
        ([BadRow("line 1")], [BadRow("line 2")]),
        ([[2**80]], [[2**80 + 1]]),
    ],
)
def test_rows_that_only_look_alike_differ(one: list[Any], other: list[Any]) -> None:
    assert digest(one) != digest(other)


def test_a_list_and_a_tuple_of_the_same_values_are_the_same_row() -> None:
    assert digest([["a", 1]]) == digest([("a", 1)])


def test_a_digest_is_the_same_in_every_process_and_version() -> None:
    rows = [["ann@example.com", 7, 1.5, None, True, MISSING], [2**80], BadRow("line 3")]
    assert digest(rows) == "597f397dfa1afdb853273fb91b073997"
