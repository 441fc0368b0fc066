"""Files of exported rows: their bytes, their columns, and that they are there whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.broadcasts.stats import count_people, of_broadcasts, with_counts
from airflow_provider_esp.core.export import writer
from airflow_provider_esp.core.export.schema import ActivityRow, BroadcastStatsRow, ContactRow, Period, Row
from airflow_provider_esp.exceptions import ExportError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Place(type(Path())):  # type: ignore[misc]  # the class differs by system
    """A path that moves as Airflow's do."""

    def move(self, path: Path) -> None:
        self.replace(path)


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    return Place(tmp_path)


def did(number: int, status: str = "read", **more: Any) -> ActivityRow:
    return ActivityRow(
        occurred_at=NOON + timedelta(seconds=number),
        status=status,
        service_status=status.upper(),
        service="esputnik",
        **{"contact_id": str(number), **more},
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# -- the file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.parquet"])
def test_the_same_rows_are_the_same_bytes_in_whatever_order_and_however_often_they_come(folder: Any, name: str) -> None:
    rows = [did(number) for number in range(200)]
    told = []
    for seed in range(3):
        mixed = [*rows, *rows[:20]]
        random.Random(seed).shuffle(mixed)
        path = folder / str(seed) / name
        written = writer.write(mixed, ActivityRow, path, writer.format_of(name))
        content = path.read_bytes()
        assert (written.rows, written.size) == (200, len(content))
        assert written.sha256 == hashlib.sha256(content).hexdigest()
        told.append(content)
    assert told[0] == told[1] == told[2]


def test_rows_are_sorted_by_time_and_every_column_is_in_every_row(folder: Any) -> None:
    rows = [did(9), did(1, contact_id=None), did(5, hard_bounce=True, subscriptions=["news"])]
    writer.write(rows, ActivityRow, folder / "a.ndjson", "ndjson")
    told = lines(folder / "a.ndjson")
    assert [row["occurred_at"] for row in told] == [
        "2026-01-01T12:00:01Z",
        "2026-01-01T12:00:05Z",
        "2026-01-01T12:00:09Z",
    ]
    assert {tuple(row) for row in told} == {tuple(writer.column_types(ActivityRow))}
    assert (told[0]["contact_id"], told[1]["hard_bounce"], told[1]["subscriptions"]) == (None, True, ["news"])


def test_parquet_has_types_and_the_same_values(folder: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows: list[Row] = [did(2, subscriptions=["news"], hard_bounce=False), did(1, subscriptions=[])]
    writer.write(rows, ActivityRow, folder / "a.parquet", "parquet")
    table = parquet.read_table(folder / "a.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types["occurred_at"] == "timestamp[us, tz=UTC]"
    assert (types["hard_bounce"], types["contact_id"]) == ("bool", "string")
    assert types["subscriptions"].startswith("list<")
    told = table.to_pylist()
    assert [row["occurred_at"] for row in told] == [NOON + timedelta(seconds=1), NOON + timedelta(seconds=2)]
    assert [row["subscriptions"] for row in told] == [[], ["news"]]
    assert [row["hard_bounce"] for row in told] == [None, False]


@pytest.mark.parametrize("kind", [ActivityRow, ContactRow, BroadcastStatsRow])
def test_a_file_without_rows_has_its_columns_where_the_format_has_any(folder: Any, kind: type[Row]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert writer.write([], kind, folder / "a.parquet", "parquet").rows == 0
    assert parquet.read_table(folder / "a.parquet").schema.names == list(writer.column_types(kind))
    assert writer.write([], kind, folder / "a.ndjson", "ndjson").size == 0


def test_a_packed_file_says_no_time_and_no_name(folder: Any) -> None:
    writer.write([did(1)], ActivityRow, folder / "secret-name.ndjson.gz", "ndjson")
    content = (folder / "secret-name.ndjson.gz").read_bytes()
    assert content[4:8] == b"\0\0\0\0"
    assert b"secret-name" not in content
    assert json.loads(gzip.decompress(content))["contact_id"] == "1"


def test_a_contact_that_changed_while_it_was_read_is_there_once(folder: Any) -> None:
    def contact(number: str | None, email: str, **more: Any) -> ContactRow:
        return ContactRow(segment="Readers", contact_id=number, email=email, service="esputnik", **more)

    rows = [
        contact("1", "a@example.com", first_name="Ann"),
        contact("10", "b@example.com"),
        contact("1", "new@example.com", first_name="Ann"),
        contact(None, "c@example.com", town="Lviv"),
        contact(None, "c@example.com", town="Kyiv"),
        contact(None, "d@example.com"),
    ]
    assert writer.write(rows, ContactRow, folder / "a.ndjson", "ndjson").rows == 4
    told = lines(folder / "a.ndjson")
    assert [(row["contact_id"], row["email"][0]) for row in told] == [("1", "a"), ("10", "b"), (None, "c"), (None, "d")]


# -- whole or not at all -------------------------------------------------------------------------------------------


def test_where_reading_fails_the_file_that_was_there_stays_and_nothing_is_left_beside_it(folder: Any) -> None:
    (folder / "a.ndjson").write_text("of yesterday")

    def rows() -> Iterator[ActivityRow]:
        yield did(1)
        raise RuntimeError("the service is down")

    with pytest.raises(RuntimeError, match="the service is down"):
        writer.write(rows(), ActivityRow, folder / "a.ndjson", "ndjson")
    assert [path.name for path in folder.iterdir()] == ["a.ndjson"]
    assert (folder / "a.ndjson").read_text() == "of yesterday"


def test_where_writing_fails_the_file_that_was_there_stays_and_nothing_is_left_beside_it(folder: Any) -> None:
    (folder / "a.ndjson").write_text("of yesterday")

    def full(row: Row) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        writer.write([did(1)], ActivityRow, folder / "a.ndjson", "ndjson", full)
    assert [path.name for path in folder.iterdir()] == ["a.ndjson"]
    assert (folder / "a.ndjson").read_text() == "of yesterday"


def test_until_it_is_complete_the_file_has_a_name_that_patterns_pass_over(folder: Any) -> None:
    seen: list[str] = []
    writer.write(
        [did(1)], ActivityRow, folder / "a.ndjson", "ndjson", lambda row: seen.extend(p.name for p in folder.iterdir())
    )
    assert len(seen) == 1
    assert seen[0].startswith(".a.ndjson.")
    assert not list(folder.glob("*.part"))
    assert [path.name for path in folder.iterdir()] == ["a.ndjson"]


@pytest.mark.parametrize(
    ("name", "given", "form"),
    [
        ("s3://b/a.ndjson", None, "ndjson"),
        ("a.JSONL", None, "ndjson"),
        ("a.jsonl.gz", None, "ndjson"),
        ("a.parquet", None, "parquet"),
        ("a", "parquet", "parquet"),
    ],
)
def test_the_format_is_told_by_the_name_or_the_author(name: str, given: str | None, form: str) -> None:
    assert writer.format_of(name, given) == form


@pytest.mark.parametrize(("name", "given"), [("a.csv", None), ("a", None), ("a.ndjson", "csv")])
def test_a_format_that_is_none_is_refused(name: str, given: str | None) -> None:
    with pytest.raises(ValueError, match="'ndjson' or 'parquet'"):
        writer.format_of(name, given)


def test_without_pyarrow_parquet_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(ExportError, match=r"pip install 'airflow-provider-esp\[parquet\]'"):
        writer.check("parquet")
    writer.check("ndjson")


def test_a_row_shows_nothing_of_the_person() -> None:
    assert repr(did(1, address="ann@example.com")) == "<ActivityRow>"


# -- figures -------------------------------------------------------------------------------------------------------


def test_people_are_counted_once_for_each_status() -> None:
    rows = [
        did(1, "delivered", broadcast_id="7"),
        did(1, "read", broadcast_id="7"),
        did(1, "read", broadcast_id="7"),
        did(2, "undelivered", broadcast_id="7"),
        did(3, "delivered", broadcast_id="8", contact_id=None, address="c@example.com"),
        did(4, "delivered", broadcast_id="8", contact_id=None, address="c@example.com"),
        did(5, "delivered", broadcast_id=None),
        did(6, "delivered", broadcast_id="0"),
    ]
    found = count_people(rows, of_broadcasts())
    assert found == {
        "7": {"sent": 2, "delivered": 1, "undelivered": 1, "read": 1},
        "8": {"sent": 1, "delivered": 1},
    }
    assert set(count_people(rows, of_broadcasts({"8"}))) == {"8"}


def test_a_broadcast_that_is_not_listed_any_more_still_has_its_counts() -> None:
    period = Period(NOON, NOON + timedelta(days=1))
    listed = [BroadcastStatsRow(broadcast_id="7", name="Spring", counted_from="activity", service="esputnik")]
    counts = {"9": {"sent": 3, "delivered": 2, "undelivered": 1}}
    rows = list(with_counts(listed, counts, period, "esputnik"))
    assert [(row.broadcast_id, row.name, row.sent, row.delivered) for row in rows] == [
        ("7", "Spring", 0, 0),
        ("9", None, 3, 2),
    ]
    assert {(row.period_start, row.period_end) for row in rows} == {(period.start, period.end)}
