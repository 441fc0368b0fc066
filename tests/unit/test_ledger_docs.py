"""The table of what survives what names the tests that show it; each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_cell_of_what_survives_what_names_tests_that_exist() -> None:
    text = (ROOT / "docs/ledger.md").read_text("utf-8")
    table = re.search(r"^## What survives what\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    assert table is not None
    rows = [row for row in table[1].splitlines() if row.startswith("| ") and row.strip("| ")][1:]
    assert len(rows) > 10
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"^def (test_\w+)\(", tests, re.MULTILINE))
    for row in rows:
        _, what, send, _, _ = row.split("|")
        named = re.findall(r"`(test_\w+)`", row)
        assert re.search(r"`test_\w+`", send), what
        assert set(named) <= existing, what
