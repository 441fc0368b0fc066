"""What a sync plans and does, run by run, beside a plain dictionary; each of its guards, once fired and once not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.sync.comparing import RowComparison
from airflow_provider_esp.core.sync.errors import SyncGuarded, SyncRefused, SyncStateUnusable
from airflow_provider_esp.core.sync.plan import Guards, Work
from airflow_provider_esp.exceptions import SourceError
from tests.unit.sync_world import KEY, Killed, World, people, row

EMPTY: Counter[Work] = Counter()


def did(world: World) -> dict[str, int]:
    """What was planned, without what did not occur."""
    return {str(work): number for work, number in world.counts.items() if number}


# -- beside a dictionary


@settings(max_examples=60)
@given(
    days=st.lists(st.dictionaries(st.integers(1, 12), st.sampled_from(("Ann", "Ben"))), min_size=1, max_size=5),
    mode=st.sampled_from(("upsert", "insert_only", "update_only", "mirror")),
)
def test_each_mode_does_what_a_dictionary_says(days: list[dict[int, str]], mode: str) -> None:
    world = World()
    held: dict[int, str] = {}
    for day in days:
        world.sync([row(key, f"p{key}@example.com", name) for key, name in day.items()], mode=mode)
        expected: Counter[str] = Counter()
        for key, name in day.items():
            if held.get(key) == name:
                expected["unchanged"] += 1
            elif key in held:
                expected["left_alone" if mode == "insert_only" else "changed"] += 1
            else:
                expected["left_alone" if mode == "update_only" else "added"] += 1
        gone = held.keys() - day.keys()
        expected["removed" if mode == "mirror" else "absent"] = len(gone)
        assert did(world) == {name: number for name, number in expected.items() if number}
        if mode == "mirror":
            held = dict(day)
        elif mode == "insert_only":
            held = {**day, **held}
        elif mode == "upsert":
            held |= day
        assert world.service.listed == {f"p{key}@example.com": name for key, name in held.items()}


def test_the_modes_meet_a_list_with_both_kinds() -> None:
    for mode, expected in (("insert_only", "p3@example.com"), ("update_only", "p1@example.com")):
        world = World()
        world.sync(people(1, 2), mode="upsert")
        world.sync([*people(1, name="Ben"), *people(2), *people(3)], mode=mode)
        assert world.service.sent[2:] == [("run-2", expected)]


def test_a_sync_that_begins_to_mirror_takes_out_whom_it_has_put_there() -> None:
    world = World()
    world.service.listed["out@example.com"] = None
    world.sync(people(1, 2), mode="upsert")
    world.sync(people(2), mode="upsert")
    world.sync(people(2), mode="mirror")
    assert set(world.service.listed) == {"out@example.com", "p2@example.com"}


# -- refusals


def test_who_is_refused_goes_again_by_itself_until_parked() -> None:
    world = World()
    world.service.rejects = {"p1@example.com"}
    world.sync(people(1, 2), max_tries=3)
    assert (did(world), world.outcomes) == ({"added": 2}, {"accepted": 1, "rejected": 1})
    for _ in range(2):
        world.sync(people(1, 2), max_tries=3)
        assert did(world) == {"tried_again": 1, "unchanged": 1}
    world.sync(people(1, 2), max_tries=3)
    assert did(world) == {"parked": 1, "unchanged": 1}
    assert len(world.service.sent) == 2 + 2
    world.service.rejects = set()
    world.sync([*people(1, name="Ben"), *people(2)], max_tries=3)  # taken up again when its row changes
    assert (did(world), world.service.listed["p1@example.com"]) == ({"added": 1, "unchanged": 1}, "Ben")
    world.sync([*people(1, name="Ben"), *people(2)], max_tries=3)
    assert did(world) == {"unchanged": 2}


def test_a_refused_change_keeps_the_row_that_was_accepted() -> None:
    world = World()
    world.sync([row(1, "p1@example.com"), row(2, "p2@example.com")])
    world.sync([row(1, "nobody"), row(2, "p2@example.com")])
    assert (did(world), world.outcomes) == ({"changed": 1, "unchanged": 1}, {"invalid": 1})
    assert set(world.service.listed) == {"p1@example.com", "p2@example.com"}
    world.sync([row(1, "p1@example.com"), row(2, "p2@example.com")])  # as it was accepted
    assert did(world) == {"unchanged": 2}


def test_a_removal_that_is_refused_stays_and_is_tried_again() -> None:
    world = World()
    world.sync(people(1, 2, 3))
    world.service.keeps = {"p1@example.com"}
    world.sync(people(3))
    assert (did(world), world.removed) == ({"removed": 2, "unchanged": 1}, 1)
    world.service.keeps = set()
    world.sync(people(3))
    assert (did(world), world.removed) == ({"removed": 1, "unchanged": 1}, 1)
    assert set(world.service.listed) == {"p3@example.com"}
    world.sync(people(3))
    assert did(world) == {"unchanged": 1}


# -- who is taken out


def test_whom_another_key_stands_for_stays() -> None:
    world = World()
    world.sync([row(1, "a@example.com"), row(2, "a@example.com"), row(3, "b@example.com")])
    assert world.outcomes == {"accepted": 2, "duplicate": 1}
    world.sync([row(1, "a@example.com"), row(3, "b@example.com")])
    assert set(world.service.listed) == {"a@example.com", "b@example.com"}
    world.sync([row(1, "b@example.com"), row(3, "a@example.com")])  # they change places
    assert set(world.service.listed) == {"a@example.com", "b@example.com"}
    assert world.service.taken_out == []


def test_whoever_was_there_before_stays_with_adopt_false() -> None:
    for adopt in (True, False):
        world = World()
        world.service.listed["p1@example.com"] = "Old"
        world.sync(people(1, 2, 3), adopt=adopt)
        world.sync(people(3), adopt=adopt)
        assert ("p1@example.com" in world.service.listed) is not adopt
        assert "p2@example.com" not in world.service.listed
        assert world.service.listings == (0 if adopt else 1)


def test_the_list_is_read_once_and_only_where_somebody_is_taken_out() -> None:
    world = World()
    world.service.looks_up = True
    world.sync(people(*range(1, 10)))
    world.sync(people(*range(1, 10), name="Ben"))
    assert world.service.listings == 0
    world.sync(people(8, 9, name="Ben"))
    assert (world.service.listings, set(world.service.listed)) == (1, {"p8@example.com", "p9@example.com"})


# -- everything again


def test_everything_is_sent_again_when_asked_for_when_time_is_up_or_when_the_mapping_changes() -> None:
    world = World()
    rows = people(1, 2, 3)
    world.sync(rows, digest="one")
    world.service.listed["p1@example.com"] = "edited by hand"
    world.sync(rows, digest="one", resync_every=100.0)
    assert did(world) == {"unchanged": 3}
    world.now += 101
    world.sync(rows, digest="one", resync_every=100.0)
    assert (did(world), world.service.listed["p1@example.com"]) == ({"resent": 3}, "Ann")
    world.sync(rows, digest="one", resync_every=100.0)
    assert did(world) == {"unchanged": 3}
    world.sync(rows, digest="two", guards=Guards())
    assert did(world) == {"resent": 3}
    world.sync(rows, digest="two", resync=True, guards=Guards())
    assert did(world) == {"resent": 3}


# -- a trial, a dry run


def test_a_trial_sends_the_first_rows_and_takes_nobody_out() -> None:
    world = World()
    world.sync(people(*range(1, 11)), limit=4)
    assert list(world.service.listed) == [f"p{number}@example.com" for number in range(1, 5)]
    world.sync(people(*range(2, 11)), guards=Guards())  # no guard stops what a trial has left
    assert (did(world), len(world.service.listed)) == ({"added": 6, "unchanged": 3, "removed": 1}, 9)


def test_a_dry_run_counts_and_writes_nothing() -> None:
    world = World()
    world.sync(people(1, 2, 3))
    kept, sent = dict(world.files), list(world.service.sent)
    world.sync([*people(1, name="Ben"), *people(2, 4)], dry=True)
    assert did(world) == {"changed": 1, "added": 1, "removed": 1, "unchanged": 1}
    assert (world.files, world.service.sent, len(world.service.listed)) == (kept, sent, 3)


# -- guards


def test_too_many_changes_stop_before_anything_is_sent() -> None:
    world = World()
    world.sync(people(*range(1, 11)), guards=Guards())
    with pytest.raises(SyncGuarded, match=r"rows: 4 people would be added, changed .* 40% of the 10 .* allows 30%"):
        world.sync([*people(1, 2, 3, 4, name="Ben"), *people(*range(5, 11))], guards=Guards())
    assert len(world.service.sent) == 10
    world.sync([*people(1, 2, 3, name="Ben"), *people(*range(4, 11))], guards=Guards())
    world.sync(people(*range(1, 11), name="Cid"), guards=Guards(max_change=None))
    assert did(world) == {"changed": 10}


def test_too_many_who_leave_stop_before_anything_is_sent() -> None:
    world = World()
    world.sync(people(*range(1, 11)), guards=Guards())
    with pytest.raises(SyncGuarded, match=r"rows: 2 people would leave, which is 20% of the 10 .* allows 10%"):
        world.sync(people(*range(1, 9)), guards=Guards())
    assert world.service.taken_out == []
    world.sync(people(*range(1, 10)), guards=Guards())
    assert world.removed == 1


def test_a_key_that_stands_twice_stops_before_anything_is_sent() -> None:
    world = World()
    with pytest.raises(SyncGuarded, match=r"rows 2 and 4 have the same 'id', which key= names: make it unique"):
        world.sync([*people(1, 2, 3), row("2 ", "other@example.com")])
    assert (world.service.sent, world.files) == ([], {})


@pytest.mark.parametrize("key", [None, "", "  "])
def test_a_row_without_key_stops_before_anything_is_sent(key: Any) -> None:
    world = World()
    with pytest.raises(SyncGuarded, match="row 2 has no 'id'"):
        world.sync([row(1, "a@example.com"), row(key, "b@example.com")])
    with pytest.raises(SyncGuarded, match="row 1 has no 'id'"):
        world.sync([{"email": "a@example.com"}])
    assert world.service.sent == []


def test_keys_are_the_same_however_they_are_typed() -> None:
    world = World()
    world.sync([row(1, "a@example.com"), row("B", "b@example.com")])
    world.sync([row("1", "a@example.com"), row(" B", "b@example.com")])
    assert did(world) == {"unchanged": 2}


def test_a_value_that_cannot_be_compared_is_refused() -> None:
    with RowComparison(KEY, (1,), 0, "id", "rows") as comparison, pytest.raises(SourceError, match="row 1 cannot be"):
        comparison.take(1, [(1, object())])


# -- runs


def test_a_run_that_was_cut_off_goes_on_and_one_that_has_committed_has_nothing_to_do() -> None:
    world = World()
    rows = people(*range(1, 10))
    steps = 0
    assert world.try_to(rows, run="one", kill_at=None) is None
    steps = world.steps.done
    sent = len(world.service.sent)
    world = World()
    assert isinstance(world.try_to(rows, run="one", kill_at=steps - 8), Killed)
    world.sync(rows, run="one")
    assert len(world.service.sent) == sent
    world.sync(rows, run="one")  # cleared: compared with what is current
    assert (did(world), len(world.service.sent)) == ({"unchanged": 9}, sent)


def test_an_older_run_stops_behind_a_newer_one() -> None:
    world = World()
    world.sync(people(1), logical_date="2026-01-02T00:00:00+00:00")
    with pytest.raises(
        SyncRefused, match=r"The run of 2026-01-02.* has synced already, and this is that of 2026-01-01"
    ):
        world.sync(people(2), logical_date="2026-01-01T00:00:00+00:00")
    world.sync(people(2), logical_date="2026-01-01T00:00:00+00:00", allow_older=True)
    assert set(world.service.listed) == {"p2@example.com"}
    world.sync(people(3), logical_date="2026-01-02T00:00:00+00:00")


def test_two_runs_that_overtake_each_other_do_not_both_commit() -> None:
    world = World()
    world.sync(people(1))
    pointer = world.files["memory:/current.json"]
    world.sync(people(1, 2))
    newer = world.files["memory:/current.json"]
    world.files["memory:/current.json"] = pointer

    members = world.service.members
    world.service.looks_up = True

    def overtaken() -> Any:
        world.files["memory:/current.json"] = newer
        return members()

    world.service.members = overtaken  # type: ignore[method-assign]
    with pytest.raises(SyncRefused, match="Another run of this sync has committed"):
        world.sync(people(2))


# -- a state that is lost


def lose_pointer(world: World) -> None:
    del world.files["memory:/current.json"]


def damage(world: World) -> None:
    newest = max(path for path in world.files if "generations" in path)
    world.files[newest] = world.files[newest][:-3]


@pytest.mark.parametrize("harm", [lose_pointer, damage])
def test_a_lost_state_stops_and_each_way_out_leads_on(harm: Any) -> None:
    for reset, expected in (
        ("newest", {"unchanged": 3} if harm is lose_pointer else {"unchanged": 2, "added": 1}),
        ("take_as_sent", {"added": 3}),
        ("send_all", {"added": 3}),
    ):
        world = World()
        world.sync(people(1, 2))
        world.sync(people(1, 2, 3))
        harm(world)
        with pytest.raises(SyncStateUnusable, match="three ways out"):
            world.sync(people(1, 2, 3))
        sent = len(world.service.sent)
        world.sync(people(1, 2, 3), reset=reset, run="again")
        assert did(world) == expected
        assert len(world.service.sent) - sent == (0 if reset == "take_as_sent" else 3 - expected.get("unchanged", 0))
        world.sync(people(1, 2))  # and all ways know whom to take out
        assert (did(world), set(world.service.listed)) == (
            {"unchanged": 2, "removed": 1},
            {"p1@example.com", "p2@example.com"},
        )


def test_beginning_anew_with_no_generation_is_refused() -> None:
    with pytest.raises(SyncRefused, match="holds no generation that is whole"):
        World().sync(people(1), reset="newest")
