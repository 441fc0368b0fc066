"""Files that exports write on a local disk: whole, never through a link, readable by whom the author says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.exports import ExportContactsOperator
from airflow_provider_esp.operators.verification import VerifyContactsOperator
from airflow_provider_esp.sandbox import Sandbox
from tests.airflow.tasks.leaks import LeakSearch

SERVICES = pytest.mark.parametrize("service", ["esputnik", "sendpulse"])


@pytest.fixture(autouse=True)
def usual_umask(leaks: LeakSearch) -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def export(path: Path | str, service: str, **arguments: Any) -> ExportContactsOperator:
    if service == "sendpulse":
        arguments["segment"] = "Readers"
    return ExportContactsOperator(task_id="export", esp_conn_id=f"{service}_default", path=str(path), **arguments)


@pytest.fixture(autouse=True)
def readers(run: Any) -> None:
    from airflow_provider_esp.operators.contacts import UploadContactsOperator

    for service in ("esputnik", "sendpulse"):
        ran = run(
            UploadContactsOperator(
                task_id="upload",
                esp_conn_id=f"{service}_default",
                source=[{"email": "ann@example.com"}],
                segments=["Readers"],
                create_segments=True,
                poll_interval=0.05,
            )
        )
        assert ran.state == "success", ran.error


@SERVICES
@pytest.mark.parametrize(("mode", "expected"), [(None, "644"), ("600", "600"), (0o640, "640")])
def test_the_umask_decides_unless_the_author_does(
    run: Any, tmp_path: Path, service: str, mode: str | int | None, expected: str
) -> None:
    ran = run(export(tmp_path / "people.ndjson", service, file_mode=mode))
    assert ran.state == "success", ran.error
    assert f"{stat.S_IMODE((tmp_path / 'people.ndjson').stat().st_mode):o}" == expected
    assert [path.name for path in tmp_path.iterdir()] == ["people.ndjson"]


@SERVICES
def test_a_link_in_the_files_place_is_replaced_and_not_written_through(run: Any, tmp_path: Path, service: str) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "people.ndjson").symlink_to(tmp_path / "theirs")
    assert run(export(tmp_path / "people.ndjson", service)).state == "success"
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "people.ndjson").is_symlink()


@SERVICES
def test_a_place_that_cannot_be_written_is_found_before_anything_is_read(
    run: Any, sandbox: Sandbox, tmp_path: Path, service: str
) -> None:
    (tmp_path / "out").write_text("a file")
    before = len(sandbox.requests())
    ran = run(export(tmp_path / "out" / "people.ndjson", service))
    assert (ran.state, ran.error.split(":")[0]) == (
        "failed",
        f"The file cannot be written to {tmp_path}/out/people.ndjson",
    )
    assert [row["path"] for row in sandbox.requests()[before:] if "oauth" not in row["path"]] == []


@SERVICES
@pytest.mark.parametrize(("path", "words"), [("s3://b/a.ndjson", "pip install"), ("/tmp/x/../a.ndjson", "'..'")])
def test_a_path_that_cannot_be_is_named(run: Any, service: str, path: str, words: str) -> None:
    ran = run(export(path, service))
    assert (ran.state, words in ran.error) == ("failed", True)


def test_a_verification_is_not_paid_for_where_its_file_cannot_be_written(
    run: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("a file")
    before = len(sandbox.requests())
    ran = run(
        VerifyContactsOperator(
            task_id="verify",
            esp_conn_id="sendpulse_default",
            source=[{"email": "ann@example.com"}],
            path=f"{tmp_path}/out/left_out.ndjson",
        )
    )
    assert (ran.state, "remove the file or link that is in the way" in ran.error) == ("failed", True)
    assert [row["path"] for row in sandbox.requests()[before:] if "oauth" not in row["path"]] == []


def test_permissions_that_are_none_are_refused_where_the_dag_is_written() -> None:
    with pytest.raises(ValueError, match="file_mode must be permissions in octal"):
        export("/tmp/a.ndjson", "esputnik", file_mode="everybody")
