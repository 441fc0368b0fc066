"""Files that hold people's data on a local disk: private, whole or not there, and never written through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_esp.utils.local_paths import LocalPath
from airflow_provider_esp.utils.paths import check_stays_below, export_path, file_mode_of, private_path


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """A umask that hides nothing: what is private is so by our doing."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):o}"


def write(path: LocalPath, content: bytes = b"new") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)


def test_new_files_are_their_owners_in_folders_that_nobody_else_enters(tmp_path: Path) -> None:
    write(LocalPath(tmp_path / "deep" / "base") / "dag" / "run" / "part.ndjson")
    made = ["deep", "deep/base", "deep/base/dag", "deep/base/dag/run", "deep/base/dag/run/part.ndjson"]
    assert [mode(tmp_path / name) for name in made] == ["700", "700", "700", "700", "600"]


def test_a_group_can_be_let_in_whatever_the_umask_says(tmp_path: Path) -> None:
    os.umask(0o077)
    write(LocalPath(tmp_path / "base", file_mode=0o640) / "dag" / "part.ndjson")
    assert [mode(tmp_path / name) for name in ("base", "base/dag", "base/dag/part.ndjson")] == ["750", "750", "640"]


def test_without_a_mode_the_umask_decides(tmp_path: Path) -> None:
    write(LocalPath(tmp_path / "base", file_mode=None) / "a.ndjson")
    assert [mode(tmp_path / name) for name in ("base", "base/a.ndjson")] == ["775", "664"]


def test_a_folder_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir(mode=0o775)
    write(LocalPath(tmp_path / "base") / "part.ndjson")
    assert mode(tmp_path / "base") == "775"


def test_a_link_planted_in_a_files_place_is_replaced_and_what_it_points_at_stays(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "part.ndjson").symlink_to(tmp_path / "theirs")
    write(LocalPath(tmp_path / "base") / "part.ndjson")
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "base" / "part.ndjson").is_symlink()
    assert (tmp_path / "base" / "part.ndjson").read_bytes() == b"new"


def test_a_link_is_not_read_through_either(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "part.ndjson").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic"), (LocalPath(tmp_path) / "part.ndjson").open("rb"):
        pass


def test_a_link_planted_in_a_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "dag").symlink_to(tmp_path / "theirs")
    with pytest.raises(NotADirectoryError, match="symbolic link"):
        write(LocalPath(tmp_path / "base") / "dag" / "run" / "part.ndjson")
    assert not list((tmp_path / "theirs").iterdir())


def test_the_authors_own_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "base").symlink_to(tmp_path / "real")
    write(LocalPath(tmp_path / "base") / "dag" / "part.ndjson")
    assert (tmp_path / "real" / "dag" / "part.ndjson").read_bytes() == b"new"


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = LocalPath(tmp_path) / "part.ndjson"
    write(path, b"old")

    def interrupted() -> None:
        with path.open("wb") as file:
            file.write(b"half of it")
            file.flush()
            assert (tmp_path / "part.ndjson").read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("part.ndjson", b"old")]


def test_it_lists_moves_and_removes_like_any_path(tmp_path: Path) -> None:
    folder = LocalPath(tmp_path / "base")
    write(folder / "a")
    (folder / "a").move(folder / "b")
    assert [path.name for path in folder.iterdir()] == ["b"]
    (folder / "b").unlink()
    folder.rmdir()
    assert not (tmp_path / "base").exists()
    assert (folder / "x" / "y").parent.path == tmp_path / "base" / "x"


@pytest.mark.parametrize(
    "path", ["/reports/..", "/reports/../other", "..", "reports/../..", "s3://bucket/..", "s3://bucket/../x", "/../x"]
)
def test_a_path_that_leads_upwards_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"report_path holds the part '\.\.'"):
        private_path(path, "report_path")
    with pytest.raises(ValueError, match=r"path holds the part '\.\.'"):
        export_path(path, None)


@pytest.mark.parametrize(
    "path", ["/reports/a..b", "../reports", "../../reports/x", "s3://bucket/..x/y", "./x", "/r/..."]
)
def test_other_paths_are_not(path: str) -> None:
    check_stays_below(path, "report_path")


@pytest.mark.parametrize(("value", "mode"), [("600", 0o600), ("0640", 0o640), (0o660, 0o660), (None, None)])
def test_permissions_are_octal(value: str | int | None, mode: int | None) -> None:
    assert file_mode_of("file_mode", value) == mode


@pytest.mark.parametrize("value", ["rw-------", 640, "0", "440", "755", "1600", -1, ""])
def test_permissions_that_are_none_are_refused(value: str | int) -> None:
    with pytest.raises(ValueError, match="file_mode must be permissions in octal"):
        file_mode_of("file_mode", value)


def test_the_permissions_of_reports_and_copies_stand_in_airflows_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(private_path(str(tmp_path), "report_path") / "a")
    monkeypatch.setenv("AIRFLOW__ESP__FILE_MODE", "640")
    write(private_path(f"file://{tmp_path}", "report_path") / "deep" / "b")
    assert [mode(tmp_path / name) for name in ("a", "deep", "deep/b")] == ["600", "750", "640"]
    monkeypatch.setenv("AIRFLOW__ESP__FILE_MODE", "everybody")
    with pytest.raises(ValueError, match=r"\[esp\] file_mode must be permissions in octal"):
        private_path(str(tmp_path), "report_path")
