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
SAME_WITH_EVERY_AIRFLOW = {
    "what stands in a source, a report or an argument, which the same code reads in every Airflow": (
        "airflow/tasks/people/test_balance.py",
        "airflow/tasks/people/test_null_words.py",
        "airflow/tasks/people/test_optouts.py",
        "airflow/tasks/people/test_phones.py",
        "airflow/tasks/people/test_quotes.py",
        "airflow/tasks/people/test_report_rows.py",
        "airflow/tasks/people/test_values.py",
        "airflow/tasks/security/test_ids.py",
        "airflow/tasks/test_bad_input.py",
        "security/test_addresses.py",
        "security/test_sources.py",
    ),
    "what a service or a server of OAuth answers, and what is made of it": (
        "airflow/tasks/test_look_up.py",
        "faults/test_export_proof.py",
        "faults/test_fault_table.py",
        "faults/test_oauth_renewal.py",
        "faults/test_oauth_soak.py",
        "security/test_token_answers.py",
    ),
    "files on a local disk and drivers of databases, opened without Airflow": (
        "airflow/tasks/people/test_export_files.py",
        "airflow/tasks/sql/test_drivers.py",
    ),
    "pure parts that are tried through an object which other parts of its module connect to Airflow": (
        "unit/test_awaiting.py",
        "unit/test_first_bytes.py",
        "unit/test_ledger.py",
        "unit/test_optout_files.py",
        "unit/test_optout_limits.py",
        "unit/test_report.py",
        "unit/test_send_key_overlaps.py",
        "unit/test_send_takeovers.py",
        "unit/test_source_mark.py",
        "unit/test_upload_ledger.py",
    ),
}
"""Modules that import Airflow or run tasks, and whose tests come out the same with every version, by the reason.

What may differ stays: how tasks run, wait, are retried and cleared; runs, their times and templates; XComs, variables
and a task's state; connections and their forms; triggers, serialisation, plugins, commands, metrics and object stores.
"""
WITH_AIRFLOW = ("airflow", "flask_appbuilder", "wtforms")
"""Airflow, and what older versions of it make their forms with."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option to pytest; tests/conftest.py takes this over."""
    parser.addoption(
        "--airflow-only",
        action="store_true",
        help="leave out what no version of Airflow changes: modules that import nothing of it, directly or not, those "
        "named in tests/selection.py, and combinations of parameters' values that other tests have each alone",
    )


def without_pure(items: Collection[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that may come out otherwise with another version of Airflow."""
    same = {path for paths in SAME_WITH_EVERY_AIRFLOW.values() for path in paths}
    kept = [
        item
        for item in items
        if item.path.relative_to(TESTS).as_posix() not in same
        and (_folder(item) not in PURE or _imports_airflow(item.path))
    ]
    return each_value_once(kept)


def each_value_once(items: Collection[pytest.Item]) -> list[pytest.Item]:
    """Return as many cases of each test as it takes for every value of each of its parameters to occur.

    An older Airflow may break a service's operators, or waits on a worker; all of a function's combinations take the
    same way to Airflow, and how they differ does not depend on it.
    """
    seen: set[tuple[str, str, str]] = set()
    kept = []
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        function = item.nodeid.partition("[")[0]
        values = {(function, name, repr(value)) for name, value in parameters.items()}
        if not values or values - seen:
            seen |= values
            kept.append(item)
    return kept


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
