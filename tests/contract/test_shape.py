"""The services stay small and are written once: no long module, no twin for the other kind of code."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_esp import services

HERE = Path(services.__file__).parent
LONGEST = 400


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(HERE.rglob("*.py")):
        yield str(path.relative_to(HERE)), ast.parse(path.read_text(encoding="utf-8"))


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_module_is_longer_than_it_may_be() -> None:
    lengths = {name: len((HERE / name).read_text(encoding="utf-8").splitlines()) for name, _ in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_module_says_what_lives_there() -> None:
    assert [name for name, module in modules() if not ast.get_docstring(module)] == []


def test_nothing_waits_so_nothing_is_written_for_waiting() -> None:
    waiting = ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith
    assert [name for name, module in modules() if any(isinstance(node, waiting) for node in ast.walk(module))] == []


def test_no_function_has_a_twin() -> None:
    """Neither by its name (``x`` and ``ax`` or ``async_x``) nor by its body, word for word."""
    bodies: dict[str, list[str]] = defaultdict(list)
    for name, module in modules():
        names = {function.name for function in functions(module)}
        for function in functions(module):
            assert not {f"a{function.name}", f"async_{function.name}", f"{function.name}_async"} & names, name
            body = function.body[1:] if ast.get_docstring(function) else function.body
            if len(body) > 1:
                bodies["\n".join(ast.dump(line) for line in body)].append(f"{name} {function.name}")
    assert [twins for twins in bodies.values() if len(twins) > 1] == []


def test_the_services_do_nothing_by_themselves() -> None:
    doing = {"httpx", "requests", "socket", "asyncio", "threading", "time", "airflow"}
    for name, module in modules():
        imported = {
            alias.name.partition(".")[0]
            for node in ast.walk(module)
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            (node.module or "").partition(".")[0]
            for node in ast.walk(module)
            if isinstance(node, ast.ImportFrom) and not node.level
        }
        assert not imported & doing, name
