"""Part files: what they are called, what they hold, and what a later try does with them."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.row_report import (
    MOST_REASONS,
    Report,
    RowReport,
    part_name,
    sent_request_ids,
    without_loss,
)
from airflow_provider_esp.exceptions import StorageUnwritable
from airflow_provider_esp.utils.paths import private_path

ANN = RowReport(7, Outcome.REJECTED, "ann@example.com", "on a list")


def folder_of(tmp_path: Path, kind: str) -> Any:
    if kind == "airflow":
        from airflow_provider_esp.utils.paths import storage_path

        return storage_path(str(tmp_path / "deep" / "report"))
    return tmp_path / "deep" / "report"


@pytest.fixture(params=["pathlib", "airflow"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A folder that is not there yet, as a plain path and as Airflow's."""
    return folder_of(tmp_path, request.param)


def test_a_part_is_lines_of_json_with_what_there_is_to_say(folder: Any, tmp_path: Path) -> None:
    name = Report(folder).write(7, "abc", "checked", [ANN, RowReport(8, Outcome.INVALID, values={"a": None})])
    assert name == "part-0000000007-abc-checked.ndjson"
    lines = (tmp_path / "deep" / "report" / name).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"row": 7, "outcome": "rejected", "key": "ann@example.com", "reason": "on a list"},
        {"row": 8, "outcome": "invalid", "values": {"a": None}},
    ]


def test_what_is_written_is_read_back(folder: Any) -> None:
    report = Report(folder)
    rows = [
        ANN,
        RowReport(8, "accepted", request_id="r", import_id="i", aliases=["E1"], values={"a": [1], "b": "x\ny"}),
    ]
    name = report.write(7, "abc", "sent", rows)
    assert name is not None
    assert list(Report(folder).read([name])) == rows


def test_nothing_is_written_about_no_rows(folder: Any, tmp_path: Path) -> None:
    assert Report(folder).write(1, "abc", "checked", []) is None
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_written_and_reasons_are_counted() -> None:
    report = Report(None)
    assert not report.kept
    assert report.write(7, "abc", "checked", [ANN]) is None
    assert report.reasons == {"on a list": 1}
    assert (report.names("checked"), list(report.read(["x"])), report.read_if_there("x")) == ([], [], [])
    report.renew(1, 100, "abc")
    report.remove("x")


def test_parts_of_a_stage_are_listed_in_the_order_of_their_rows(folder: Any, tmp_path: Path) -> None:
    report = Report(folder)
    for first_row in (1_000_000_000, 3, 20_000_000_000, 100):
        report.write(first_row, "abc", "sent", [ANN])
    report.write(1, "abc", "resent", [ANN])
    (tmp_path / "deep" / "report" / "notes-sent.ndjson").write_text("somebody else's")
    assert report.names("sent") == [part_name(row, "abc", "sent") for row in (3, 100, 1_000_000_000, 20_000_000_000)]


def test_a_folder_that_is_not_there_has_no_parts(folder: Any) -> None:
    assert Report(folder).names("sent") == []
    assert Report(folder).read_if_there("part-x") == []
    assert list(sent_request_ids(folder)) == []
    Report(folder).renew(1, 100, "abc")
    Report(folder).remove("x")


def test_the_same_rows_write_the_same_part_again(folder: Any) -> None:
    Report(folder).write(7, "abc", "sent", [ANN])
    Report(folder).write(7, "abc", "sent", [ANN, ANN])
    report = Report(folder)
    assert report.names("sent") == [part_name(7, "abc", "sent")]
    assert list(report.read(report.names("sent"))) == [ANN, ANN]


def test_rows_that_are_done_anew_lose_what_was_said_of_them_before_and_no_others(folder: Any) -> None:
    earlier = Report(folder)
    for stage in ("checked", "ended", "import"):
        earlier.write(1, "abc", stage, [ANN])
    earlier.write(1, "def", "checked", [ANN])
    for elsewhere in (3, 6):  # other batches may hold the same rows
        earlier.write(elsewhere, "abc", "checked", [ANN])
    earlier.write(5, "abc", "answered", [ANN])
    report = Report(folder)
    report.renew(1, 2, "abc")
    report.write(1, "abc", "ended", [ANN])
    report.renew(5, 1, "abc")
    assert sorted(name for stage in ("checked", "answered", "ended", "import") for name in report.names(stage)) == [
        part_name(1, "abc", "ended"),
        part_name(1, "def", "checked"),
        part_name(3, "abc", "checked"),
        part_name(6, "abc", "checked"),
    ]


@pytest.mark.parametrize("left", [0, 1, 20, 76, 77, 100])
def test_a_part_that_was_cut_off_is_read_as_far_as_it_goes(folder: Any, tmp_path: Path, left: int) -> None:
    report = Report(folder)
    name = report.write(7, "abc", "sent", [ANN, ANN])
    assert name is not None
    path = tmp_path / "deep" / "report" / name
    whole = path.read_bytes()
    line = whole.index(b"\n")
    path.write_bytes(whole[:left])
    assert report.read_if_there(name) == [ANN] * (left // line)


def test_a_part_can_be_taken_away(folder: Any) -> None:
    report = Report(folder)
    name = report.write(7, "abc", "open", [ANN])
    assert name is not None
    report.remove(name)
    assert report.names("open") == []


def test_request_ids_are_those_of_everybody_written_to(folder: Any) -> None:
    report = Report(folder)
    report.write(3, "b", "sent", [RowReport(3, "accepted", request_id="r3"), RowReport(4, "rejected")])
    report.write(1, "a", "sent", [RowReport(1, "accepted", request_id="r1")])
    report.write(1, "a", "checked", [RowReport(2, "invalid", request_id="no")])
    assert list(sent_request_ids(folder)) == ["r1", "r3"]


def test_reasons_are_counted_but_those_of_duplicates() -> None:
    report = Report(None)
    report.write(1, "a", "checked", [ANN, ANN, RowReport(1, "invalid", reason="bad"), RowReport(2, "accepted")])
    report.write(1, "a", "checked", [RowReport(1, Outcome.DUPLICATE, reason="duplicate of row 4")])
    report.count_reason("on a list", 5)
    report.count_reason("nobody", 0)
    assert report.reasons == {"on a list": 7, "bad": 1}


def test_only_so_many_reasons_are_kept_and_those_go_on_being_counted() -> None:
    report = Report(None)
    for number in range(2 * MOST_REASONS):
        report.count_reason(f"reason {number}")
    report.count_reason("reason 0")
    assert len(report.reasons) == MOST_REASONS
    assert report.reasons["reason 0"] == 2


@given(st.dictionaries(st.text(max_size=4), st.text() | st.integers() | st.dates() | st.decimals(), max_size=3))
def test_any_values_can_be_written(values: dict[str, Any]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        report = Report(Path(name))
        part = report.write(1, "a", "checked", [RowReport(1, "invalid", values=values)])
        assert part is not None
        (row,) = report.read([part])
        assert row.values is not None
        assert row.values.keys() == values.keys()


# -- what a part knows stays known ------------------------------------------------------------------------------------


def about(first: int, count: int, outcome: Outcome) -> list[RowReport]:
    ids = outcome == Outcome.ACCEPTED
    return [
        RowReport(row, outcome, f"p{row}@example.com", request_id=f"r{row}" if ids else None)
        for row in range(first, first + count)
    ]


def test_a_part_is_never_replaced_by_one_that_knows_less(folder: Any) -> None:
    Report(folder).write(1, "abc", "sent", about(1, 40, Outcome.ACCEPTED))
    later = [*about(1, 30, Outcome.ACCEPTED), *about(31, 10, Outcome.UNKNOWN)]
    name = Report(folder).write(1, "abc", "sent", later)
    assert name is not None
    assert list(Report(folder).read([name])) == about(1, 40, Outcome.ACCEPTED)
    assert list(sent_request_ids(folder)) == [f"r{row}" for row in range(1, 41)]


OUTCOMES = st.sampled_from(list(Outcome))


@given(st.lists(st.tuples(OUTCOMES, OUTCOMES), max_size=20), st.integers(0, 3))
def test_two_reports_together_lose_nobody_who_was_accepted(pairs: list[tuple[Outcome, Outcome]], missing: int) -> None:
    earlier = [row for at, (before, _) in enumerate(pairs) for row in about(at + 1, 1, before)]
    rows = [row for at, (_, now) in enumerate(pairs) for row in about(at + 1, 1, now)][missing:]
    merged = without_loss(earlier, rows)
    assert [row.row for row in merged] == list(range(1, len(pairs) + 1))
    for (before, now), row in zip(pairs[missing:], merged[missing:], strict=True):
        if Outcome.ACCEPTED in (before, now):
            assert row.outcome == Outcome.ACCEPTED
            assert row.request_id
        elif now == Outcome.NOT_REACHED and before in (Outcome.REJECTED, Outcome.UNKNOWN):
            assert row.outcome == before
        else:
            assert row.outcome == now


def test_what_is_no_part_of_ours_is_not_read_and_is_replaced(tmp_path: Path) -> None:
    folder = private_path(str(tmp_path), "report_path")
    (tmp_path / "theirs").write_text("not json")
    (tmp_path / part_name(1, "abc", "sent")).symlink_to(tmp_path / "theirs")
    name = Report(folder).write(1, "abc", "sent", [ANN])
    assert name is not None
    assert list(Report(folder).read([name])) == [ANN]
    assert (tmp_path / "theirs").read_text() == "not json"


# -- a place that refuses ----------------------------------------------------------------------------------------------


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Disk(type(Path())):  # type: ignore[misc]  # the class differs by system
    """A folder on a disk that refuses to be written for some time."""

    clock: Clock
    error: OSError
    refuses_until = 0.0

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if mode == "wb" and self.clock() < self.refuses_until:
            raise self.error
        return super().open(mode, *args, **kwargs)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Disk, "clock", Clock(), raising=False)
    monkeypatch.setattr(Disk, "error", OSError(errno.ENOSPC, "No space left on device"), raising=False)
    return Disk(tmp_path)


def patience(seconds: float = 300.0, stopped: Any = lambda: False) -> Patience:
    return Patience(seconds, stopped, Disk.clock, Disk.clock.sleep)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO, errno.ESTALE])
def test_a_disk_that_refuses_for_six_seconds_is_waited_for(
    disk: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    monkeypatch.setattr(Disk, "refuses_until", 6.0)
    monkeypatch.setattr(Disk, "error", OSError(number, os.strerror(number)))
    name = Report(disk, patience()).write(7, "abc", "sent", [ANN])
    assert name is not None
    assert list(Report(disk).read([name])) == [ANN]
    assert 6.0 <= Disk.clock() < 13.0
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert os.strerror(number) in warning
    assert "trying again for 300 s" in warning


def test_patience_ends_once_and_what_is_written_while_the_run_ends_is_tried_once(
    disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "refuses_until", 1000.0)
    report = Report(disk, patience(60.0))
    with pytest.raises(StorageUnwritable, match=r"No space left on device; make room there.*It was tried for 60 s"):
        report.write(7, "abc", "sent", [ANN])
    over = Disk.clock()
    assert 50.0 <= over <= 65.0
    assert report.write(8, "abc", "sent", [ANN]) is None
    assert Disk.clock() == over
    Disk.clock.sleep(1000.0)
    assert report.write(9, "abc", "sent", [ANN]) is not None


def test_a_task_that_is_being_ended_does_not_wait(disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Disk, "refuses_until", 1000.0)
    with pytest.raises(StorageUnwritable):
        Report(disk, patience(stopped=lambda: Disk.clock() > 2.0)).write(7, "abc", "sent", [ANN])
    assert Disk.clock() <= 4.0


def test_what_is_in_the_way_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")
    with pytest.raises(StorageUnwritable, match="remove the file or link that is in the way"):
        Report(tmp_path / "report").write(7, "abc", "sent", [ANN])


def test_the_trial_writes_reads_and_leaves_nothing(folder: Any, tmp_path: Path) -> None:
    Report(folder).check_writable()
    assert list((tmp_path / "deep" / "report").iterdir()) == []
    Report(None).check_writable()


def test_the_trial_says_what_is_wrong_at_once(disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Disk, "refuses_until", 1.0)
    with pytest.raises(StorageUnwritable, match=r"No space left on device; make room there, or name another place"):
        Report(disk, patience()).check_writable()
    assert Disk.clock() == 0.0


def test_a_mistake_of_ours_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        Report(tmp_path, patience_of_nothing()).write(7, "abc", "sent", [RowReport(7, "invalid", "\udcff")])


def patience_of_nothing() -> Patience:
    def sleep(seconds: float) -> None:
        raise AssertionError("it waited")

    return Patience(sleep=sleep)


# -- reasons --


def test_reasons_beyond_the_first_are_counted() -> None:
    report = Report(None)
    for number in range(MOST_REASONS + 50):
        report.count_reason(f"reason {number}", 2)
    report.count_reason("reason 7", 5)
    first, more, rows = report.first_reasons(5)
    assert first[0] == ("reason 7", 7)
    assert (len(first), more, rows) == (5, MOST_REASONS + 45, 2 * (MOST_REASONS + 45))
    assert Report(None).first_reasons(5) == ([], 0, 0)
