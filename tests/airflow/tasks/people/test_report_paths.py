"""What a template makes of `report_path`: blanks, nothing, and what no path can hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.people.conftest import PeopleLine
from tests.airflow.tasks.people.test_report_places import operator, written


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("{base}/a", "{base}/a"),
        (" {base}/b/ ", "{base}/b"),
        ("  ", None),
        ("{{{{ None }}}}", None),
        ("{{{{ '' }}}}", None),
    ],
)
def test_blanks_and_none_are_no_part_of_a_path(
    worker: Any, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, kept: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    base = tmp_path / "reports"
    task = operator("messages", "esputnik", [{"email": "p1@example.com"}], report_path=given.format(base=base))
    folder = worker.run(task).value["report_path"]
    assert (folder and folder.rpartition("/dag")[0]) == (kept and kept.format(base=base))
    assert os.listdir(tmp_path) == (["reports"] if kept else [])


def test_a_path_that_no_disk_can_have_is_named_before_anything_leaves(
    worker: Any, sandbox: Sandbox, tmp_path: Path, people_line: PeopleLine
) -> None:
    people = [{"email": "p1@example.com"}]
    ran = worker.run(operator("messages", "esputnik", people, report_path=f"{tmp_path}/a\0b"))
    assert (ran.state, written(sandbox)) == ("failed", [])
    people_line("place not writable", "NUL in the path", people_line.sent(of=1), "a NUL, which no path can", ran.error)
