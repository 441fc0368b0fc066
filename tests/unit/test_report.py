"""Part files: what they are called, what they hold, and what a later try does with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.delivery.outcomes import Outcome
from airflow_provider_esp.delivery.report import MOST_REASONS, Report, RowReport, part_name, sent_request_ids

ANN = RowReport(7, Outcome.REJECTED, "ann@example.com", "on a list")


def folder_of(tmp_path: Path, kind: str) -> Any:
    if kind == "airflow":
        from airflow_provider_esp.sources import storage_path

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
    report.write(1, "a", "checked", [RowReport(1, Outcome.DUPLICATE, reason="row 4 stands for the same person")])
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
