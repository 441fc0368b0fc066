"""Rows put aside and read again."""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.readers import spool
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.exceptions import SourceError

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC) | st.timezones())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


def table_of(rows: Iterable[Sequence[Any]], columns: Sequence[str] = ("a", "b")) -> Table:
    return Table(tuple(columns), iter(rows), "the query")


def many(number: int) -> list[tuple[Any, ...]]:
    return [(row, f"name {row} " + "x" * 50) for row in range(number)]


def reread(folder: Path) -> list[Any]:
    found = spool.find(folder)
    assert found is not None
    return list(spool.read(found, folder, "the query").rows)


def comparable(value: Any) -> Any:
    """Write moments as clock time and offset: in an hour that repeats, Python takes no two zones for equal."""
    match value:
        case datetime.datetime():
            return value.replace(tzinfo=None), value.utcoffset()
        case list() | tuple():
            return [comparable(item) for item in value]
        case dict():
            return {name: comparable(item) for name, item in value.items()}
    return value


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.tuples(VALUES, VALUES)))
def test_values_come_back_as_they_went(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool.copy(table_of(rows), folder)
    back = reread(folder)
    assert comparable(back) == comparable(rows)
    assert [[type(value) for value in row] for row in back] == [[type(value) for value in row] for row in rows]


def test_a_moment_keeps_its_offset(tmp_path: Path) -> None:
    kyiv = datetime.timezone(datetime.timedelta(hours=2))
    spool.copy(table_of([(datetime.datetime(2026, 1, 2, 3, 4, tzinfo=kyiv), None)]), tmp_path)
    assert reread(tmp_path)[0][0].isoformat() == "2026-01-02T03:04:00+02:00"


def test_views_of_bytes_come_back_as_bytes(tmp_path: Path) -> None:
    spool.copy(table_of([(memoryview(b"ab"), bytearray(b"c"))]), tmp_path)
    assert reread(tmp_path) == [(b"ab", b"c")]


def test_columns_and_numbers_are_kept(tmp_path: Path) -> None:
    made = spool.copy(table_of(many(5), ("id", "name")), tmp_path)
    assert made == spool.find(tmp_path)
    assert (made.columns, made.rows) == (("id", "name"), 5)
    assert spool.copy(table_of([]), tmp_path / "empty").rows == 0
    assert reread(tmp_path / "empty") == []


def test_many_rows_stand_in_several_parts_in_order(tmp_path: Path) -> None:
    made = spool.copy(table_of(many(100_000)), tmp_path)
    assert len(made.parts) > 2
    assert all((tmp_path / part.name).stat().st_size < spool.PART_BYTES + 200 for part in made.parts)
    assert reread(tmp_path) == many(100_000)


def test_wide_rows_make_no_larger_parts(tmp_path: Path) -> None:
    made = spool.copy(table_of((row, "x" * 100_000) for row in range(60)), tmp_path)
    assert max((tmp_path / part.name).stat().st_size for part in made.parts) < spool.PART_BYTES + 200_000


def test_a_copy_that_was_broken_off_is_none(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[Any, ...]]:
        yield from many(60_000)
        raise KeyError("the database went away")

    with pytest.raises(KeyError):
        spool.copy(table_of(broken()), tmp_path)
    assert list(tmp_path.iterdir())
    assert spool.find(tmp_path) is None
    spool.copy(table_of(many(3)), tmp_path)
    assert reread(tmp_path) == many(3)


def test_the_copy_that_is_complete_first_counts(tmp_path: Path) -> None:
    def slow() -> Iterator[tuple[Any, ...]]:
        yield (1, "slow")
        spool.copy(table_of([(1, "quick")]), tmp_path)
        yield (2, "slow")

    assert spool.copy(table_of(slow()), tmp_path) == spool.find(tmp_path)
    assert reread(tmp_path) == [(1, "quick")]


@pytest.mark.parametrize("damage", ["gone", "short", "changed"])
def test_a_damaged_part_is_an_error_before_any_row_of_it_is_handed_out(tmp_path: Path, damage: str) -> None:
    made = spool.copy(table_of(many(60_000)), tmp_path)
    second = tmp_path / made.parts[1].name
    content = second.read_bytes()
    if damage == "gone":
        second.unlink()
    else:
        second.write_bytes(content[:-1] if damage == "short" else content.replace(b"name", b"nome", 1))
    rows = spool.read(made, tmp_path, "the query").rows
    assert [next(rows) for _ in range(made.parts[0].rows)] == many(made.parts[0].rows)
    with pytest.raises(SourceError, match="gone or damaged"):
        next(rows)


def test_a_damaged_marker_is_an_error(tmp_path: Path) -> None:
    spool.copy(table_of(many(3)), tmp_path)
    marker = tmp_path / spool.MARKER
    marker.write_bytes(marker.read_bytes()[:-5])
    with pytest.raises(SourceError, match="remove the folder"):
        spool.find(tmp_path)


@pytest.mark.parametrize("value", [ipaddress.ip_address("10.0.0.1"), object(), {1, 2}, [(1, 2)]])
def test_a_value_that_cannot_be_put_aside_is_named_by_row_and_kind(tmp_path: Path, value: Any) -> None:
    with pytest.raises(SourceError, match=r"row 2 cannot be put aside \(a value is a \w+\)") as refused:
        spool.copy(table_of([(1, "ann@example.org"), (2, value)]), tmp_path)
    assert "10.0" not in str(refused.value)
    assert spool.find(tmp_path) is None


def test_what_is_discarded_is_gone_with_what_other_tries_left(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool.copy(table_of(many(3)), folder)
    (folder / "0badcafe-00000.msgpack").write_bytes(b"left behind")
    spool.discard(folder)
    assert not folder.exists()
    spool.discard(folder)


def test_decimals_and_ids_keep_their_spelling(tmp_path: Path) -> None:
    row = (decimal.Decimal("1.500"), uuid.UUID(int=7))
    spool.copy(table_of([row]), tmp_path)
    assert [str(value) for value in reread(tmp_path)[0]] == ["1.500", str(uuid.UUID(int=7))]
