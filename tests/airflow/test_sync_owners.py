"""Two runs of one sync at once, and two syncs at one target: kept apart by Airflow's Variables."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from airflow_provider_esp.core.sync.errors import SyncRefused, SyncTakenOver
from airflow_provider_esp.core.tries import this_process
from airflow_provider_esp.stores import syncs
from airflow_provider_esp.stores.airflow_variables import VariableSlot
from airflow_provider_esp.stores.syncs import SyncOwner, claim_target, state_key, state_name


@pytest.fixture
def path(airflow_db: Path) -> str:
    return f"/state/{uuid.uuid4().hex}"


def never(seconds: float) -> None:
    raise AssertionError("nobody is to be waited for")


def test_a_later_try_takes_over_and_the_earlier_one_does_nothing_more(path: str) -> None:
    first, second = SyncOwner(path, "run", 1), SyncOwner(path, "run", 2)
    first.claim("stop", never, 0)
    first.check()
    second.claim("stop", never, 0)
    second.check()
    with pytest.raises(SyncTakenOver, match="Another try or run of this sync works now"):
        first.check()
    first.release()  # it is not its own any more
    second.check()
    with pytest.raises(SyncTakenOver, match="Try 2 of this task works already"):
        first.claim("stop", never, 0)


def test_another_run_stops_or_waits_until_the_first_has_ended(path: str) -> None:
    first, other = SyncOwner(path, "monday", 1), SyncOwner(path, "tuesday", 1)
    first.claim("stop", never, 0)
    with pytest.raises(SyncRefused, match="Run 'monday' of this sync works since"):
        other.claim("stop", never, 0)
    with pytest.raises(SyncRefused, match="Run 'monday' of this sync works since"):
        other.claim("wait", never, 0)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        first.release()

    other.claim("wait", pause, 1000)
    assert len(pauses) == 1
    other.check()


def test_a_run_whose_process_has_ended_is_not_waited_for(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host, pid, _ = this_process().split(":")
    with monkeypatch.context() as patch:
        patch.setattr(syncs, "this_process", lambda: f"{host}:{pid}:1")  # another process had this number
        SyncOwner(path, "monday", 1).claim("stop", never, 0)
    SyncOwner(path, "tuesday", 1).claim("stop", never, 0)


def test_a_mirror_shares_its_target_with_nobody(path: str) -> None:
    place, mirror = f"esputnik {path}", f"{path}/mirror"
    claim_target(place, path, "dag.one", "upsert")
    claim_target(place, f"{path}/two", "dag.two", "upsert")
    with pytest.raises(SyncRefused, match=r"dag\.one syncs into this target as well"):
        claim_target(place, mirror, "dag.three", "mirror")
    claim_target(f"{place} of its own", mirror, "dag.three", "mirror")
    claim_target(f"{place} of its own", mirror, "dag.three", "mirror")  # the next run
    with pytest.raises(SyncRefused, match=r"dag\.three syncs into this target as well"):
        claim_target(f"{place} of its own", path, "dag.one", "upsert")


def test_the_key_is_made_once_and_kept_by_airflow(path: str) -> None:
    dry = state_key(path, None, keep=False)
    made = state_key(path, None)
    assert state_key(path, None).id == state_key(f"{path}/", None).id == made.id != dry.id
    assert VariableSlot(f"esp_sync_key_{state_name(path)}", "").glance()
    assert state_key(path, "a key of the author's own, long enough").id != made.id
