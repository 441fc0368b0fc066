"""Tests are left out with an older Airflow only where nothing of it can change how they come out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


def test_every_module_that_is_left_out_by_name_is_there() -> None:
    named = [path for paths in selection.SAME_WITH_EVERY_AIRFLOW.values() for path in paths]
    assert [path for path in named if not (selection.TESTS / path).is_file()] == []
    assert len(set(named)) == len(named)


def case(test: str, **parameters: object) -> Any:
    callspec = {"callspec": SimpleNamespace(params=parameters)} if parameters else {}
    return SimpleNamespace(nodeid=f"{test}[{parameters}]" if parameters else test, **callspec)


def test_every_value_of_each_parameter_is_kept_and_not_each_combination() -> None:
    services, ways, reports = ("esputnik", "sendpulse"), ("worker", "triggerer", "sensor"), (True, False)
    product = [
        case("test_it", service=service, way=way, report=report)
        for service in services for way in ways for report in reports
    ]  # fmt: skip
    others = [
        case("test_other", service="esputnik"),
        case("test_alone"),
        case("test_list", text="a"),
        case("test_list", text="b"),
    ]
    kept: list[Any] = [*selection.each_value_once([*product, *others])]
    assert kept[-4:] == others
    parameters = [item.callspec.params for item in kept[:-4]]
    assert len(parameters) < len(product) / 2
    for name, values in {"service": services, "way": ways, "report": reports}.items():
        assert {one[name] for one in parameters} == set(values)
