"""What eSputnik's events write, and what they refuse to write."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec
import pytest

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.esputnik.api import events

WHO = "ann@private.example"
NOON = datetime(2025, 3, 1, 12, 0)
PAST = events.PastEvent(event_type_key="bought", key_value=WHO, occurred=NOON, params={"sum": 5})


def body(call: Call[Any]) -> Any:
    return msgspec.json.decode(call.content or b"")


def test_version_2_of_an_event_takes_any_json_and_version_1_text() -> None:
    params = {"email": WHO, "items": [{"id": 1}], "sum": 5.5, "when": NOON, "gift": True, "none": None}
    second = body(events.event("bought", params, key_value="k"))
    assert second["eventTypeKey"] == "bought"
    assert second["keyValue"] == "k"
    assert {"name": "items", "value": [{"id": 1}]} in second["params"]
    assert {"name": "none", "value": None} in second["params"]
    first = {param["name"]: param["value"] for param in body(events.event("bought", params, version=1))["params"]}
    assert first == {
        "email": WHO,
        "items": '[{"id":1}]',
        "sum": "5.5",
        "when": "2025-03-01T12:00:00",
        "gift": "true",
    }


def test_an_event_of_more_than_20_kb_is_refused() -> None:
    room = events.MOST_EVENT_BYTES - len(events.event("t", {"email": ""}).content or b"")
    assert len(events.event("t", {"email": "x" * room}).content or b"") == events.MOST_EVENT_BYTES
    with pytest.raises(ValueError, match="20001 bytes"):
        events.event("t", {"email": "x" * (room + 1)})


@pytest.mark.parametrize("character", "<;'\u2019\\/|\"`^?!,>")
def test_a_character_that_keys_may_not_have_is_refused_without_quoting_the_key(character: str) -> None:
    with pytest.raises(ValueError, match="which the service does not take") as refused:
        events.event("bought", {"email": WHO}, key_value=f"secret{character}key")
    assert "secret" not in str(refused.value)
    with pytest.raises(ValueError, match="which the service does not take"):
        events.event(f"a{character}b", {"email": WHO})


@pytest.mark.parametrize(
    "make",
    [
        lambda: events.event("", {}),
        lambda: events.event("t" * 101, {}),
        lambda: events.event("t", {}, key_value="k" * 301),
        lambda: events.event("t", {"n" * 101: 1}),
        lambda: events.past_events([events.PastEvent(event_type_key="t", key_value="", occurred=NOON)]),
    ],
)
def test_keys_and_names_of_events_have_lengths(make: Any) -> None:
    with pytest.raises(ValueError, match="characters"):
        make()


def test_past_events_say_when_they_occurred() -> None:
    event = events.PastEvent(event_type_key="t", key_value="k", occurred=date(2024, 5, 6), params={"a": [1]})
    assert body(events.past_events([event, PAST])) == {
        "events": [
            {"eventTypeKey": "t", "keyValue": "k", "params": [{"name": "a", "value": [1]}], "occurred": "2024-05-06"},
            {
                "eventTypeKey": "bought",
                "keyValue": WHO,
                "params": [{"name": "sum", "value": 5}],
                "occurred": "2025-03-01T12:00",
            },
        ]
    }


def test_refused_past_events_are_found_by_position() -> None:
    words = ("ACCEPTED", "OCCURRED_TIME_IN_FUTURE", "ACCEPTED")
    results = events.PastEventResults(results=[events.PastEventResult(status=word) for word in words])
    assert results.refused() == [(1, "OCCURRED_TIME_IN_FUTURE")]


def test_deleting_past_events_needs_both_ends_in_whole_minutes() -> None:
    later = datetime(2025, 3, 2)
    assert body(events.delete_past_events(NOON, later)) == {"from": "2025-03-01T12:00", "to": "2025-03-02T00:00"}
    with pytest.raises(ValueError, match="ends before"):
        events.delete_past_events(later, NOON)
    with pytest.raises(ValueError, match="whole minutes"):
        events.delete_past_events(NOON.replace(second=1), later)
