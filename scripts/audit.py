"""Asks an index of advisories (osv.dev) whether a version that is installed here has a known hole.

``python scripts/audit.py [INDEX]``, from an environment that `install.py` made. A hole in something that
`pyproject.toml` asks for by name is an error: its bound can be raised. What comes with Airflow is pinned by Airflow's
release and only named. Where no index can be reached nothing is audited, and that is said. Only the names and versions
of packages are sent.
"""

from __future__ import annotations

import json
import sys
import tomllib
import urllib.request
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

INDEX = "https://api.osv.dev/v1/querybatch"
SECONDS = 10.0
"""How long the index may be silent."""


def main(index: str = INDEX) -> int:
    """Audit the environment that this runs in.

    :param index: address of the index, which takes queries as osv.dev does.
    :returns: 1 where something that we ask for by name has a known hole, otherwise 0.
    """
    installed: dict[str, str] = {canonicalize_name(one.name): one.version for one in distributions()}
    try:
        found = advisories(index, installed)
    except (OSError, ValueError) as error:
        print(f"Audit skipped: {index} cannot be reached or read ({type(error).__name__}).")
        return 0
    ours = asked_for()
    for name, ids in sorted(found.items()):
        whose = "raise its lower bound and its pins" if name in ours else "comes with something else"
        print(f"{name} {installed[name]}: {', '.join(ids)} ({whose})")
    print(f"Audited {len(installed)} packages, {len(found)} of them with a known hole.")
    return int(any(name in ours for name in found))


def advisories(index: str, installed: Mapping[str, str]) -> dict[str, list[str]]:
    """Ask for the advisories of each package that has any.

    :raises OSError: the index cannot be reached.
    :raises ValueError: its answer cannot be read.
    """
    names = list(installed)
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": installed[name]} for name in names]
    request = urllib.request.Request(  # noqa: S310  # the address is the caller's own
        index, json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  # as above
        told = json.load(answer)
    results = told.get("results") if isinstance(told, dict) else None
    if not isinstance(results, list) or len(results) != len(names):
        raise ValueError("not one result for each query")
    return {
        name: [str(one["id"]) for one in result["vulns"]]
        for name, result in zip(names, results, strict=True)
        if result.get("vulns")
    }


def asked_for() -> set[str]:
    """List what `pyproject.toml` asks for by name, all extras included."""
    project = tomllib.loads(Path(__file__).resolve().parents[1].joinpath("pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    lists: Iterable[list[str]] = [project["dependencies"], *project["optional-dependencies"].values()]
    return {canonicalize_name(Requirement(one).name) for several in lists for one in several}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
