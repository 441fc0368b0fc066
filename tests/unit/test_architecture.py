"""How the package is laid out: what stands at its top, how long a module is, and that no modules import in a circle.

Which way imports run is import-linter's, see ``pyproject.toml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp
import pytest

import airflow_provider_esp

TOP = {
    *(
        "__init__.py",
        "__main__.py",
        "py.typed",
        "exceptions.py",
        "get_provider_info.py",
        "models.py",
        "options.py",
        "version_compat.py",
    ),
    # Airflow's own words.
    *("assets", "connections", "hooks", "links", "notifications", "operators", "plugins", "policies", "sensors"),
    *("analytics", "cli", "core", "sandbox", "services", "sources", "stores", "triggers", "utils"),
}

MOST_LINES = 400


def circles(imports: Mapping[str, set[str]]) -> Iterator[frozenset[str]]:
    """Every largest set of modules of which each reaches each other one by imports."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [*imports[start]]
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += imports[module]
        return seen

    reach = {module: reached(module) for module in imports}
    yield from {
        frozenset(other for other in reach[module] if module in reach[other])
        for module in imports
        if module in reach[module]
    }


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, set()),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, {frozenset("ab")}),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d", "a"}}, {frozenset("abc"), frozenset("de")}),
    ],
)
def test_circles_are_found(imports: dict[str, set[str]], expected: set[frozenset[str]]) -> None:
    assert set(circles(imports)) == expected


def test_no_modules_import_each_other_in_a_circle() -> None:
    # Imports for type checkers count: a circle of types is a circle of what has to be read together.
    graph = grimp.build_graph("airflow_provider_esp", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 300
    assert set(circles(imports)) == set()


def test_the_top_of_the_package_holds_what_a_provider_has_there() -> None:
    there = {path.name for path in Path(airflow_provider_esp.__path__[0]).iterdir()}
    assert there - {"__pycache__"} == TOP


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {
        str(path.relative_to(airflow_provider_esp.__path__[0])): len(path.read_text().splitlines())
        for path in Path(airflow_provider_esp.__path__[0]).rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
