"""``python -m airflow_provider_esp state``: a sync's memory shown, checked, exported, and one person forgotten."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_esp.cli.commands import main
from airflow_provider_esp.utils.local_paths import LocalPath
from tests.unit.sync_world import SECRET, World, people

State = Callable[..., int]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World()
    world.folder = LocalPath(tmp_path / "state")
    world.sync(people(1, 2, 3))
    world.service.rejects = {"p4@example.com"}
    world.sync(people(1, 2, 3, 4))
    return world


@pytest.fixture
def state(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("ESP_STATE_KEY", SECRET)
    return lambda action, *more: main(["state", action, "--state-path", str(tmp_path / "state"), *more])


def test_a_state_is_shown(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    assert state("show") == 0
    said = capsys.readouterr().out
    assert "Generation 2, committed 1970-01-01T00:16:40+00:00 by run-2" in said
    assert "people held                   3" in said
    assert "keys known                    4" in said


def test_a_whole_state_is_verified_and_a_damaged_one_is_named(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert state("verify") == 0
    said = capsys.readouterr().out
    assert "The state is whole: 4 keys" in said
    assert "refused                 1" in said
    newest = sorted((tmp_path / "state" / "generations").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    assert state("verify") == 1
    assert "is damaged" in capsys.readouterr().err


def test_another_key_and_no_state_are_refused(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ESP_STATE_KEY", SECRET[::-1])
    assert state("verify") == 1
    assert "was written with another state_key" in capsys.readouterr().err
    assert main(["state", "show", "--state-path", str(tmp_path / "nothing")]) == 1
    assert "There is no state in" in capsys.readouterr().err


def test_an_export_is_private_and_needs_a_file(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert state("export") == 1
    assert "say --out FILE" in capsys.readouterr().err
    out = tmp_path / "export.ndjson"
    assert state("export", "--out", str(out)) == 0
    assert "example.com" not in capsys.readouterr().out
    assert out.stat().st_mode & 0o777 == 0o600
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(str(row["known_as"]) for row in rows) == [
        "None",
        "email:p1@example.com",
        "email:p2@example.com",
        "email:p3@example.com",
    ]
    assert state("export", "--out", str(out)) == 1  # it is there


def test_one_person_is_forgotten(
    state: State, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n2\n"))
    assert state("forget") == 1
    assert "No key came on standard input" in capsys.readouterr().err
    assert state("forget") == 0
    assert "Forgotten, and the older generations are gone: generation 3 is current." in capsys.readouterr().out
    assert len(list((tmp_path / "state" / "generations").iterdir())) == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n"))
    assert state("forget") == 0
    assert "knows nobody of this key" in capsys.readouterr().out
    world.sync(people(1, 3))
    assert world.counts["unchanged"] == 2  # type: ignore[index]  # a Work is a str
    assert "p2@example.com" in world.service.listed  # nothing knows any more who that was
