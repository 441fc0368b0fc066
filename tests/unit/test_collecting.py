"""The garbage collector is kept off what was there before, and only as long as rows go through."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from airflow_provider_esp.delivery.collecting import SWEEP_EVERY, heap_set_aside


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


def test_what_holds_itself_goes_after_some_batches() -> None:
    class Answer:
        def __init__(self) -> None:
            self.request = self

    gc.disable()
    try:
        with heap_set_aside() as sweep:
            seen = weakref.ref(Answer())
            for _ in range(SWEEP_EVERY):
                assert seen() is not None
                sweep()
            assert seen() is None
    finally:
        gc.enable()
