"""One identity for a task instance: different for every task instance, and a folder name that goes nowhere else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.utils.task_identity import TaskIdentity, safe_name, task_identity

RUN = "scheduled__2026-01-01T00:00:00+00:00"

names = st.text(min_size=1, max_size=300) | st.sampled_from(["..", ".", "a/../b", "0", "loop-1", RUN, "a.b", "жук-ї"])
identities = st.builds(
    TaskIdentity,
    dag_id=st.from_regex(r"[\w.-]{1,250}", fullmatch=True),
    run_id=names,
    task_id=st.from_regex(r"[\w.-]{1,250}", fullmatch=True),
    map_index=st.integers(-1, 3),
    loop_index=st.none() | st.integers(0, 3),
)


def context(**loop: Any) -> dict[str, Any]:
    return {"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=3), **loop}


def test_the_identity_is_read_from_airflows_context_with_the_index_of_a_loop_where_there_is_one() -> None:
    assert task_identity(context()) == TaskIdentity("d", "r", "t", 3, None)
    inside = task_identity(context(loop=SimpleNamespace(index=0)))
    assert inside == TaskIdentity("d", "r", "t", 3, 0)
    assert inside.in_loop
    assert not task_identity(context()).in_loop


@pytest.mark.parametrize(
    ("identity", "folder"),
    [
        (TaskIdentity("daily", "manual-1", "group.send"), "daily/manual-1/group.send"),
        (TaskIdentity("daily", "manual-1", "send", 0), "daily/manual-1/send/0"),
        (TaskIdentity("daily", "manual-1", "send", -1, 2), "daily/manual-1/send/loop-2"),
        (TaskIdentity("daily", "manual-1", "send", 7, 2), "daily/manual-1/send/7/loop-2"),
    ],
)
def test_the_folder_says_whose_it_is(identity: TaskIdentity, folder: str) -> None:
    assert identity.folder == folder


@pytest.mark.parametrize(
    "run_id", ["..", ".", "../../etc", "a/b", "a\\b", RUN, "a b", "a\nb", "", "x" * 251, "ї" * 120]
)
def test_a_wild_run_id_becomes_one_folder_below_the_dags(run_id: str, tmp_path: Path) -> None:
    folder = TaskIdentity("d", run_id, "t").folder
    assert len(PurePosixPath(folder).parts) == 3
    (tmp_path / folder).mkdir(parents=True)
    assert (tmp_path / folder).resolve().is_relative_to(tmp_path.resolve() / "d")
    assert not set(folder) & set(':+\\ \n?#%*"<>|')


def test_a_scheduled_runs_folder_can_still_be_recognised() -> None:
    assert safe_name(RUN).startswith("scheduled__2026-01-01T00_00_00_00_00-")


@given(first=identities, second=identities)
def test_no_two_task_instances_share_anything(first: TaskIdentity, second: TaskIdentity) -> None:
    same = first == second
    assert (first.key == second.key) is same
    assert (first.digest() == second.digest()) is same
    assert (first.folder == second.folder) is same
    assert first.folder == TaskIdentity(*(getattr(first, name) for name in TaskIdentity.__slots__)).folder


@given(first=names, second=names)
def test_a_safe_name_is_one_part_of_a_path_and_stays_apart(first: str, second: str) -> None:
    for name in map(safe_name, (first, second)):
        assert PurePosixPath(name).parts == (name,)
        assert name.strip(".") == name
        assert 0 < len(name.encode()) <= 150
    assert (safe_name(first) == safe_name(second)) is (first == second)


def test_it_reads_as_a_sentence_in_errors() -> None:
    assert str(TaskIdentity("d", "r", "t", 3, 1)) == "task 't' of DAG 'd', run 'r', map index 3, loop iteration 1"
