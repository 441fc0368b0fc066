"""The Python examples of the docs run as they stand there; those that are operators are tasks that Airflow takes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import airflow
import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_esp.assets.esp import create_asset
from airflow_provider_esp.get_provider_info import get_provider_info
from airflow_provider_esp.sources import _base as sources

PAGES = Path(__file__).parents[2] / "docs"


def examples(page: str) -> list[str]:
    """Return the Python code of a page."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


EXAMPLES = [
    pytest.param(example, id=f"{name} {example.split('(')[0]}")
    for name in ("operators", "sensors", "ledger", "exports", "assets", "send-times", "sync")
    for example in examples(name)
]
INFO = get_provider_info()
MODULES = [
    sources,
    *(import_module(name) for kind in ("operators", "sensors") for one in INFO[kind] for name in one["python-modules"]),
]
NAMES: dict[str, Any] = {name: thing for module in MODULES for name, thing in vars(module).items()} | {
    "DAG": DAG,
    "task": task,
    "timedelta": timedelta,
    # what other examples and tasks have made
    **{name: SimpleNamespace(output=["1"]) for name in ("contacts", "create", "message", "verify")},
    "newsletter": create_asset(service="esputnik", account="shop", collection="segments", name="Newsletter"),
}
IS_A_TASK = re.compile(r"(\w+ = )?\w+(Operator|Sensor)\(")
TOY = Path(__file__).parent / "toy_service"


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(airflow_db: Path, example: str) -> None:
    if "airflow.sdk" in example and airflow.__version__.startswith("2."):
        pytest.skip("this example is for Airflow 3")
    with DAG("docs", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
        exec(example, {**NAMES})  # noqa: S102  # the page is this project's own
    if IS_A_TASK.match(example):
        assert len(dag.tasks) == 1


def test_the_code_of_a_third_service_is_that_which_the_neutral_suite_runs() -> None:
    package = "\n".join(module.read_text(encoding="utf-8") for module in TOY.glob("*.py"))
    shown = examples("adding-a-service")
    assert len(shown) > 5
    for example in shown:
        assert example in package


def test_a_third_service_is_small() -> None:
    assert sum(len(module.read_text(encoding="utf-8").splitlines()) for module in TOY.glob("*.py")) <= 190
