"""What authors write about broadcasts and waits, and how it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_esp.core.broadcasts.create import CreatedBroadcast
from airflow_provider_esp.core.models import BroadcastGoal
from airflow_provider_esp.triggers import broadcast_waits

KYIV = ZoneInfo("Europe/Kyiv")
NOON = datetime(2026, 3, 3, 12, tzinfo=KYIV)


@pytest.mark.parametrize("given", ["7", 7, " 7 ", {"broadcast_id": "7", "title": "Sale"}])
def test_a_broadcast_is_named_by_its_id_or_by_what_created_it(given: Any) -> None:
    assert broadcast_waits.id_of(given) == "7"


@pytest.mark.parametrize("given", [None, "", "None", {}, {"broadcast_id": None}])
def test_no_broadcast_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="broadcast_id is empty"):
        broadcast_waits.id_of(given)


@pytest.mark.parametrize(("given", "read"), [("A", ("A",)), (["A", 5], ("A", "5")), (None, ()), ((), ())])
def test_segments_are_one_or_several(given: Any, read: tuple[str, ...]) -> None:
    assert broadcast_waits.names(given) == read


@pytest.mark.parametrize(("until", "wanted"), [(1, 1.0), (0.98, 0.98), ("started", "started"), (None, None)], ids=str)
def test_a_share_may_be_a_whole_number(until: Any, wanted: Any) -> None:
    goal = broadcast_waits.goal_of(until, 60, 5)
    assert goal == BroadcastGoal(until=wanted, settle_time=60.0, expected=5)
    assert type(goal.until) is type(wanted)


def test_recipients_are_as_the_author_says_or_counted() -> None:
    adapter = SimpleNamespace(count_recipients=lambda segments, excluded: len(segments) * 10)
    hook: Any = SimpleNamespace(run=lambda work: work, adapter=adapter)
    log = mock.Mock()
    assert broadcast_waits.expected_recipients(hook, "250", ["5"], [], log) == 250
    assert broadcast_waits.expected_recipients(hook, None, ["5", "6"], [], log) == 20
    assert broadcast_waits.expected_recipients(hook, "None", ["5"], [], log) == 10
    for given, segments in ((0, ["5"]), ("-3", ["5"]), ("many", ["5"]), (None, [])):
        with pytest.raises(ValueError, match=r"at least 1|segments are empty|invalid literal"):
            broadcast_waits.expected_recipients(hook, given, segments, [], log)


@pytest.mark.parametrize(("hours", "warned"), [(0, False), (0.3, False), (2, True), (-3, True)])
def test_a_start_at_another_hour_is_a_sign_of_a_wrong_time_zone(hours: float, warned: bool) -> None:
    log = mock.Mock()
    made = CreatedBroadcast("7", "created", "Sale", NOON.timestamp(), starts_at=NOON + timedelta(hours=hours))
    broadcast_waits.check_clock(None, made, UTC, log)
    assert log.warning.called is warned
    broadcast_waits.check_clock("2026-03-03T18:00", made, UTC, log)
    assert log.warning.call_count == int(warned)
