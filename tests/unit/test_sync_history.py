"""A sync over days of changes, refusals, lost answers and kills: after a success the list is what the source says."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.sync.plan import Work
from airflow_provider_esp.exceptions import EspError
from tests.unit.sync_world import Killed, World, row

EXAMPLES = int(os.environ.get("ESP_EXAMPLES", "60"))
PHASES = tuple(phase for phase in Phase if phase is not Phase.shrink)  # shrinking days takes minutes
KEYS = range(1, 11)
ADDRESSES = tuple(f"p{number}@example.com" for number in range(10))
NO_ADDRESS = "nobody"
NOBODY: frozenset[str] = frozenset()
OUTSIDERS = {"out1@example.com": "Out", "out2@example.com": None}
AT_MOST_UNDER_WAY = 2 * 3
"""Two requests of three people."""


@dataclass(frozen=True)
class Day:
    """What a source holds on a day, and what goes wrong."""

    rows: dict[int, tuple[str, str]]
    rejects: frozenset[str]
    loses: frozenset[str]
    keeps: frozenset[str]
    kills: tuple[int, ...]
    gives_up: bool


_ROW = st.tuples(st.sampled_from((*ADDRESSES, NO_ADDRESS)), st.sampled_from(("Ann", "Ben")))
_SOME = st.frozensets(st.sampled_from(ADDRESSES), max_size=2)
_FEW = st.frozensets(st.sampled_from(ADDRESSES), max_size=1)
DAYS = st.builds(
    Day,
    rows=st.dictionaries(st.sampled_from(KEYS), _ROW, min_size=1),
    rejects=_SOME,
    loses=_FEW,
    keeps=_FEW,
    kills=st.lists(st.integers(1, 60), max_size=2).map(tuple),
    gives_up=st.booleans(),
)


def rows_of(day: Day) -> list[dict[str, Any]]:
    return [row(key, email, name) for key, (email, name) in day.rows.items()]


def live(world: World, number: int, day: Day) -> bool:
    """Run a day's sync until it has succeeded, or somebody gives it up; tell whether it has succeeded."""
    service = world.service
    service.rejects, service.loses, service.keeps = set(day.rejects), set(day.loses), set(day.keeps)
    for kill_at in day.kills:
        error = world.try_to(rows_of(day), run=str(number), kill_at=kill_at, max_tries=50)
        if error is None:
            return True
        assert isinstance(error, Killed | EspError), error
    if day.gives_up and day.kills:
        return False
    for _ in range(5):  # answers are lost once
        error = world.try_to(rows_of(day), run=str(number), max_tries=50)
        if error is None:
            return True
        assert isinstance(error, EspError), error
    raise AssertionError("it never came to its end")


def check(world: World, day: Day, ever: dict[int, set[str]]) -> None:
    """Compare the list with the source."""
    service, shared = world.service, Counter(email for emails in ever.values() for email in emails)
    refused = {*day.rejects, NO_ADDRESS}
    for email, name in day.rows.values():
        if email not in refused:
            assert email in service.listed
            if shared[email] == 1:  # of two keys of one person the row that was sent last stands
                assert service.listed[email] == name
    allowed = {email for email, _ in day.rows.values()} | set(OUTSIDERS) | day.keeps
    for key, (email, _) in day.rows.items():
        if email in refused:  # the last row that was accepted stays
            allowed |= ever[key]
    assert set(service.listed) <= allowed


@settings(max_examples=EXAMPLES, report_multiple_bugs=False, phases=PHASES)
@given(days=st.lists(DAYS, min_size=1, max_size=5), adopt=st.booleans())
def test_after_each_success_the_list_is_what_the_source_says(days: list[Day], adopt: bool) -> None:
    world = World()
    world.service.listed.update(OUTSIDERS)
    ever: dict[int, set[str]] = {key: set() for key in KEYS}
    for number, day in enumerate(days):
        for key, (email, _) in day.rows.items():
            ever[key].add(email)
        if live(world, number, day):
            check(world, day, ever)
    # Once nothing goes wrong any more, everything is put right, and then there is nothing to do.
    quiet = Day(days[-1].rows, NOBODY, NOBODY, NOBODY, (), gives_up=False)
    assert live(world, len(days), quiet)
    valid = {email for email, _ in quiet.rows.values()} - {NO_ADDRESS}
    before = {address for key, (email, _) in quiet.rows.items() if email == NO_ADDRESS for address in ever[key]}
    assert valid | set(OUTSIDERS) <= set(world.service.listed) <= valid | set(OUTSIDERS) | before
    sent = len(world.service.sent)
    assert live(world, len(days) + 1, quiet)
    assert len(world.service.sent) == sent
    assert world.counts[Work.REMOVED] == 0
    # Nobody was touched whom the sync had not put there, or was about to when it was killed; and nobody was sent twice
    # but what a kill had cut.
    about_to_be_sent = {email for day in days for email, _ in day.rows.values() if day.kills}
    assert set(world.service.taken_out) <= {email for _, email in world.service.sent} | about_to_be_sent
    for number, day in enumerate(days):
        times = Counter(email for run, email in world.service.sent if run == str(number))
        twice = sum(times.values()) - len(times)
        sharing = len(day.rows) - len({email for email, _ in day.rows.values()})
        tries = 1 + len(day.kills) + len(day.loses)
        assert twice <= sharing * tries + AT_MOST_UNDER_WAY * (tries - 1)


@pytest.mark.parametrize("kill_at", range(1, 61))
def test_a_kill_at_any_step_of_a_run_loses_nobody(kill_at: int) -> None:
    before = Day({key: (ADDRESSES[key % 10], "Ann") for key in range(1, 9)}, NOBODY, NOBODY, NOBODY, (), gives_up=False)
    after = Day(
        {
            **{key: (ADDRESSES[key % 10], "Ben") for key in range(3, 8)},
            9: ("p1@example.com", "Ann"),
            8: (ADDRESSES[9], "Ann"),
        },
        NOBODY,
        NOBODY,
        NOBODY,
        (kill_at,),
        gives_up=False,
    )
    world = World()
    live(world, 0, before)
    live(world, 1, after)
    assert world.service.listed == dict(after.rows.values())
    files = {path.partition("/")[2].partition("/")[0] for path in world.files}
    assert files == {"current.json", "generations"}
