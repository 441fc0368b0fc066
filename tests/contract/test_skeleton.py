"""The skeletons say what the vendors' specifications say, and nothing that is the vendors' to publish."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import make_skeleton
import pytest

from tests.contract import specifications

NEEDS_SPECIFICATIONS = pytest.mark.skipif(
    specifications.folder() is None, reason="ESP_SPECS_DIR does not name the vendors' specifications"
)


def test_in_ci_the_specifications_are_read_where_they_lie_beside_the_checkout() -> None:
    if not os.environ.get("CI"):
        pytest.skip("this is not CI (the variable CI is not set)")
    beside = list(specifications.ROOT.parent.glob(f"*/*/{make_skeleton.FILES['esputnik']}"))
    if not beside:
        pytest.skip("no specifications lie beside the checkout")
    assert specifications.folder() is not None, f"ESP_SPECS_DIR must name {beside[0].parent}"


@NEEDS_SPECIFICATIONS
@pytest.mark.parametrize("name", make_skeleton.FILES)
def test_the_skeleton_is_up_to_date(name: str) -> None:
    folder = specifications.folder()
    assert folder is not None
    made = make_skeleton.dump(make_skeleton.skeleton(make_skeleton.read(folder, name)))
    kept = (make_skeleton.SKELETON / f"{name}.json").read_text(encoding="utf-8")
    assert made == kept, "run: python scripts/make_skeleton.py"


@pytest.mark.parametrize("name", make_skeleton.FILES)
def test_the_skeleton_holds_no_words_of_the_vendors(name: str) -> None:
    skeleton = json.loads((make_skeleton.SKELETON / f"{name}.json").read_text(encoding="utf-8"))
    words = set(_texts(skeleton))
    assert not [word for word in words if " " in word]
    assert not {"description", "summary", "title", "example", "examples"} & _keywords(skeleton)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _keywords(value: Any, *, names: bool = False) -> set[str]:
    """Keys that are words of OpenAPI; below ``properties``, ``schemas`` and ``paths`` they are the vendor's names."""
    if isinstance(value, list):
        return {word for item in value for word in _keywords(item)}
    if not isinstance(value, dict):
        return set()
    found = set() if names else set(value)
    for key, item in value.items():
        found |= _keywords(item, names=not names and key in ("properties", "schemas", "paths"))
    return found
