"""The arguments of a sync that a template may have filled in."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_esp.operators import _sync_arguments as arguments
from airflow_provider_esp.operators._templating import share_of


@pytest.mark.parametrize(
    ("given", "expected"), [(0.3, 0.3), ("30%", 0.3), ("0.25", 0.25), (1, 1.0), (0, 0.0), (None, None), ("None", None)]
)
def test_a_share_is_read(given: Any, expected: float | None) -> None:
    assert share_of("max_change", given) == expected


@pytest.mark.parametrize("given", ["a lot", 1.1, -0.1, "130%", True, "", "nan"])
def test_what_is_no_share_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"max_change must be a share such as 0\.3"):
        share_of("max_change", given)


def test_ways_to_begin_anew_are_read() -> None:
    assert [arguments.reset_of(way) for way in (None, "", "None", " send_all ")] == [None, None, None, "send_all"]
    with pytest.raises(ValueError, match="reset must be None, 'newest', 'take_as_sent' or 'send_all', not 'somehow'"):
        arguments.reset_of("somehow")
    with pytest.raises(ValueError, match="reset must be text, not a bool"):
        arguments.reset_of(True)


def test_what_is_sent_again_is_read() -> None:
    assert [arguments.wants_resync(said) for said in (None, "changed", "all", "")] == [False, False, True, False]
    with pytest.raises(ValueError, match="resync must be 'changed' or 'all', not 'some'"):
        arguments.wants_resync("some")
