"""The garbage collector is kept off what was there before, and only as long as rows go through."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from airflow_provider_esp.core.upload.heap import heap_set_aside


@pytest.fixture(autouse=True)
def _nothing_set_aside() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_exists_is_set_aside_until_the_end() -> None:
    with heap_set_aside():
        assert gc.get_freeze_count() > 1000
        assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_it_comes_back_where_something_fails() -> None:
    with pytest.raises(ValueError, match="broken"), heap_set_aside():
        raise ValueError("broken")
    assert gc.get_freeze_count() == 0


def test_what_others_have_set_aside_stays_there() -> None:
    gc.freeze()
    with heap_set_aside():
        pass
    assert gc.get_freeze_count() > 1000
