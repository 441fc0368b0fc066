"""Which tests run, and in what order."""

from __future__ import annotations

import ast
from collections.abc import Collection
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SLOW_FIRST = ("e2e", "faults", "airflow")
"""Folders that parallel workers begin with: a long test that begins last is waited for by all of them."""
PURE = ("contract", "sandbox", "security", "unit")
"""Folders of tests that start no Airflow; some of them import it."""
BY_CONTENT = frozenset(
    f"test_{name}.py"
    for name in (
        # What may stand in a source, which the same code reads in every Airflow: hundreds of tasks.
        "bad_row", "null_words", "optouts", "phones", "quotes", "report_rows", "values",
        # Pure parts that are tried through an object which other parts of its module connect to Airflow.
        "first_bytes", "ledger", "optout_files", "optout_limits", "report", "send_takeovers", "source_mark",
        "upload_ledger", "token_answers", "fault_table", "oauth_soak",
    )
)  # fmt: skip
"""Modules whose tests come out the same with every Airflow."""
WITH_AIRFLOW = ("airflow", "flask_appbuilder", "wtforms")
"""Airflow, and what older versions of it make their forms with."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option to pytest; tests/conftest.py takes this over."""
    parser.addoption(
        "--airflow-only",
        action="store_true",
        help="leave out modules whose result no version of Airflow changes: those that import nothing of it, directly "
        "or not, and those that try what may stand in a source",
    )


def without_pure(items: Collection[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that may come out otherwise with another version of Airflow."""
    return [
        item
        for item in items
        if item.path.name not in BY_CONTENT and (_folder(item) not in PURE or _imports_airflow(item.path))
    ]


def slow_first(items: Collection[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with those of slow folders in front."""
    places = {folder: place for place, folder in enumerate(SLOW_FIRST)}
    return sorted(items, key=lambda item: places.get(_folder(item), len(places)))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


@cache
def _imports_airflow(path: Path) -> bool:
    """Check whether a module of tests imports Airflow, itself or through modules of this repository."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    helpers = [TESTS.parent / f"{name.replace('.', '/')}.py" for name in names if name.startswith("tests.")]
    return (
        any(name.partition(".")[0] == "airflow" for name in names)
        or not names.isdisjoint(_modules_with_airflow())
        or any(_imports_airflow(helper) for helper in helpers if helper.exists())
    )


@cache
def _modules_with_airflow() -> frozenset[str]:
    """Return the package's modules that import Airflow, themselves or through others."""
    import grimp  # import-linter's graph of imports

    graph = grimp.build_graph(
        "airflow_provider_esp", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )
    return frozenset().union(*map(graph.find_downstream_modules, WITH_AIRFLOW))
