"""Sorting more lines than memory holds."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.export import sorting
from airflow_provider_esp.core.export.sorting import Sorter

LINES = st.lists(st.binary(max_size=6).map(lambda line: line.replace(b"\n", b" ")))


@given(LINES, st.integers(1, 400))
def test_lines_come_back_sorted_and_once_however_little_is_held(lines: list[bytes], run_bytes: int) -> None:
    with Sorter(run_bytes=run_bytes) as sorter:
        for line in lines:
            sorter.add(line)
        assert list(sorter) == sorted(set(lines))
        assert sorter.taken == len(lines)


def test_many_runs_are_merged_before_they_are_too_many_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "MOST_RUNS", 3)
    lines = [b"%05d" % number for number in range(500)]
    shuffled = lines * 2
    random.Random(1).shuffle(shuffled)
    with Sorter(run_bytes=400) as sorter:
        for line in shuffled:
            sorter.add(line)
            assert len(sorter._runs) < 3
        assert list(sorter) == lines


def test_of_lines_that_are_one_the_first_in_order_stays() -> None:
    with Sorter(lambda line: line.partition(b" ")[0], run_bytes=70) as sorter:
        for line in (b"b 2", b"a 9", b"b 1", b"a 3", b"c 5"):
            sorter.add(line)
        assert list(sorter) == [b"a 3", b"b 1", b"c 5"]


def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fail() -> None:
        with Sorter(run_bytes=1) as sorter:
            sorter.add(b"a")
            assert list(tmp_path.iterdir())
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fail()
    assert not list(tmp_path.iterdir())
