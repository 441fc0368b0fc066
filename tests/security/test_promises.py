"""What this repository's own files promise: no secret in a shell's history, no dependency with a known hole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

Refused = Callable[[str, str, str], None]
ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_EXPORT = re.compile(r"^\$? ?export AIRFLOW_CONN_\w+=.*?(?<=')$", re.MULTILINE | re.DOTALL)
_SECRET = re.compile(r'"(?:password|api_key|client_secret|secret_event_url)": "([^"]*)"')
_PUBLIC = {"sandbox-key", "sandbox-secret", "sandbox-app-secret"}
_PRIVATE_FILE = "only you can read"


def test_no_page_has_a_real_secret_typed_into_a_shell(refused: Refused) -> None:
    seen = 0
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in _EXPORT.finditer(text):
            secrets = set(_SECRET.findall(found[0])) - _PUBLIC
            seen += 1
            before = " ".join(text[max(0, found.start() - 500) : found.start()].split())
            assert not secrets or _PRIVATE_FILE in before, f"{page.name} has {found[0][:60]}… typed into a shell"
    assert seen >= 5
    refused("secret in the docs", "export AIRFLOW_CONN_…", "a file of mode 0600")


LEAST: Mapping[str, str] = {
    "aiohttp": "3.13.3",  # GHSA-6mq8-rvhq-8wgg: a packed body without end
    "certifi": "2024.7.4",  # GHSA-248v-346w-9cwc: certificates of an authority that is not trusted any more
    "jinja2": "3.1.6",  # GHSA-cpwx-vrp4-4pq7: a template leaves its sandbox
    "python-multipart": "0.0.18",  # GHSA-59g5-xgcq-4qw3: a form that is never done
    "requests": "2.32.4",  # GHSA-9hjg-9r4m-mvj7: a password of ~/.netrc for another host
    "starlette": "0.47.2",  # GHSA-2c2j-9gv5-cj73: a large form blocks the loop
}
"""The lowest version without a hole that was known when the bound was set."""


AIRFLOWS = ("2.11", "3.1", "3.2")


def admitted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [Requirement(one) for one in (*project["dependencies"], *extras["sandbox"], *extras["parquet"])]


@pytest.mark.parametrize("name", LEAST)
def test_no_lower_bound_admits_a_known_hole(name: str, refused: Refused) -> None:
    (bound,) = [one for one in admitted() if one.name == name]
    (lowest,) = [one.version for one in bound.specifier if one.operator == ">="]
    assert Version(lowest) >= Version(LEAST[name])
    refused("known hole", f"{name} before {LEAST[name]}"[:30], "not installed")


def test_every_dependency_has_a_lower_bound() -> None:
    assert not [one.name for one in admitted() if not any(part.operator == ">=" for part in one.specifier)]


@pytest.mark.parametrize("pins", ["constraints.txt", *(f"constraints/airflow-{one}.txt" for one in AIRFLOWS)])
def test_what_is_installed_with_each_airflow_is_no_older(pins: str) -> None:
    pinned = dict(line.split("==") for line in (ROOT / pins).read_text("utf-8").split() if "==" in line)
    behind = {name: pinned[name] for name in LEAST if name in pinned and Version(pinned[name]) < Version(LEAST[name])}
    assert not behind
