"""The tables that tests prove: no line without a passed test, and no kind without a line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evidence import EvidenceTable

ROOT = Path(__file__).parents[2]
CONFTEST = """
import pytest
from tests.evidence import EvidenceTable, pytest_addoption

TABLE = EvidenceTable("fruit", ["apple", "pear"], {"kind": 8, "outcome": 12})

def pytest_configure(config):
    config.pluginmanager.register(TABLE, "evidence-fruit")

@pytest.fixture
def line(request):
    return lambda *cells: TABLE.add(request.node, *cells)
"""
PEAR = "def test_pear(line): line('pear', 'sweet')\n"
APPLE = "def test_apple(line): line('apple', 'sour')\n"


def play(folder: Path, tests: str, *options: str) -> tuple[int, list[str]]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_fruit.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout.splitlines()


def test_the_table_shows_what_passed_tests_wrote_in_the_order_of_the_kinds(tmp_path: Path) -> None:
    code, lines = play(tmp_path, PEAR + APPLE + "def test_again(line): line('pear', 'hard'); line('pear', 'sweet')\n")
    start = lines.index("kind     outcome")
    assert (code, lines[start + 1 : start + 4]) == (
        0,
        ["apple    sour", "pear     sweet", "         hard"],
    )


@pytest.mark.parametrize(
    ("tests", "missing"),
    [
        (PEAR, "apple"),
        (PEAR + "def test_apple(): pass\n", "apple"),
        (PEAR + APPLE.replace("\n", "; assert False\n"), "apple"),
        (PEAR + "import pytest\n" + APPLE.replace("\n", "; pytest.skip('no tree')\n"), "apple"),
        ("def test_nothing(): pass\n", "pear"),
    ],
    ids=["no test", "no line", "failed", "skipped", "nothing"],
)
def test_a_kind_without_a_passed_test_ends_a_run_that_must_be_complete_with_1(
    tmp_path: Path, tests: str, missing: str
) -> None:
    code, lines = play(tmp_path, tests, "--complete-tables")
    assert code == 1
    assert f"No passed test for: {missing}" in lines


def test_a_complete_run_ends_with_0_and_a_run_of_some_tests_lacks_nothing(tmp_path: Path) -> None:
    assert play(tmp_path, PEAR + APPLE, "--complete-tables")[0] == 0
    assert play(tmp_path, PEAR)[0] == 0


def test_a_cell_that_does_not_fit_fails_the_test_that_wrote_it(tmp_path: Path) -> None:
    code, lines = play(tmp_path, APPLE + "def test_pear(line): line('pear', 'as sweet as honey')\n")
    assert code == 1
    assert any("outcome must be 1 to 12 printable characters, not 17" in line for line in lines)


def test_a_kind_that_the_table_does_not_name_fails_the_test_that_wrote_it(tmp_path: Path) -> None:
    code, lines = play(tmp_path, "def test_plum(line): line('plum', 'blue')\n")
    assert code == 1
    assert any("'plum' is not among the kinds of the table fruit" in line for line in lines)


def test_a_table_is_not_wider_than_a_terminal() -> None:
    with pytest.raises(ValueError, match="wider than 80"):
        EvidenceTable("wide", ["a"], {"kind": 40, "outcome": 40})
