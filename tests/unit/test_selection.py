"""Tests are left out with an older Airflow only where they import nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import selection

UNIT = Path(__file__).parent


@pytest.mark.parametrize("name", ["test_assets", "test_connections", "test_ledger", "test_sources", "test_links"])
def test_what_imports_airflow_directly_or_not_is_kept(name: str) -> None:
    assert selection._imports_airflow(UNIT / f"{name}.py")


@pytest.mark.parametrize("name", ["test_addresses", "test_throttle", "test_wire", "../contract/test_requests"])
def test_what_imports_nothing_of_airflow_is_left_out(name: str) -> None:
    assert not selection._imports_airflow(UNIT / f"{name}.py")


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("from airflow.sdk import DAG", True),
        ("def test():\n    import airflow.models", True),
        ("from airflow_provider_esp import sources", True),
        ("import tests.unit.test_ledger", True),
        ("import airflow_provider_esp.core.ledger", False),
    ],
)
def test_each_way_to_import_is_seen(tmp_path: Path, line: str, kept: bool) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(line)
    assert selection._imports_airflow(path) is kept
