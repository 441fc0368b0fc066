"""SendPulse's campaigns as broadcasts: how far each status is, what is created, and how one is found again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import pytest

from airflow_provider_esp.core.calls import Call, Flow
from airflow_provider_esp.core.models import BroadcastGoal, BroadcastOptions, BroadcastState
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.services.sendpulse.api.addressbooks import Book
from airflow_provider_esp.services.sendpulse.api.campaign_models import Campaign, CampaignMade, CampaignStatus
from airflow_provider_esp.services.sendpulse.api.campaigns import Status
from airflow_provider_esp.services.sendpulse.mapping import broadcasts as broadcast_mapping
from airflow_provider_esp.services.sendpulse.mapping.broadcasts import BroadcastWatch

T = TypeVar("T")

KYIV = ZoneInfo("Europe/Kyiv")
RUNNING, DONE, FAILED, ACTION_REQUIRED = BroadcastState
PLAIN = BroadcastOptions(segments=("5",), subject="News", body="<b>Hi</b>", sender_email="shop@example.com")
STATES = {
    RUNNING: {0, 2, 4, 7, 9, 10, 13, 14, 15, 22, 28},
    DONE: {3, 8, 23},
    FAILED: {5, 6, 12, 16, 25, 33},
    ACTION_REQUIRED: {1, 11, 26, 27, 36},
}


def run(flow: Flow[T], answer: Callable[[Call[Any]], Any]) -> T:
    try:
        call = next(flow)
        while True:
            call = flow.send(answer(call))
    except StopIteration as end:
        result: T = end.value
        return result


def watching(code: int, **goal: Any) -> Any:
    watch = BroadcastWatch("245587", BroadcastGoal(**goal), KYIV)
    return run(watch.look(0.0), lambda call: CampaignStatus(id=245587, status=code))


@pytest.mark.parametrize(("code", "state"), [(code, state) for state, codes in STATES.items() for code in codes])
def test_every_status_code_says_how_far_the_campaign_is(code: int, state: BroadcastState) -> None:
    look = watching(code)
    assert look.state is state
    status = Status.of(code)
    assert status is not None
    assert look.reason == f"its status is {code} ({status.words})"
    assert look.warning == ""


def test_no_code_of_the_table_is_left_out() -> None:
    assert {status.code for status in Status} == set().union(*STATES.values())


def test_an_undocumented_code_is_running_with_one_warning() -> None:
    watch = BroadcastWatch("245587", BroadcastGoal(), KYIV)
    looks = [run(watch.look(0.0), lambda call: CampaignStatus(id=245587, status=99)) for _ in range(5)]
    assert {look.state for look in looks} == {RUNNING}
    assert [bool(look.warning) for look in looks] == [True, False, False, False, False]
    assert "99 (not documented)" in looks[0].warning


@pytest.mark.parametrize("until", ["started", "settled", 0.98])
def test_a_campaign_has_a_status_and_no_other_measure(until: Any) -> None:
    with pytest.raises(Unsupported, match="Leave until out"):
        BroadcastWatch("1", BroadcastGoal(until=until, expected=5), KYIV)
    with pytest.raises(Unsupported):
        broadcast_mapping.count_recipients(["5"], [])


def prepared(options: BroadcastOptions) -> Any:
    def answer(call: Call[Any]) -> Any:
        assert call.name == "GET addressbooks"
        return [Book(id=5, name="Readers")]

    return run(broadcast_mapping.prepare(options, KYIV, "Shop", "shop@example.com"), answer)


def sent(options: BroadcastOptions) -> Any:
    bodies: list[Any] = []

    def answer(call: Call[Any]) -> Any:
        assert (call.name, call.repeatable) == ("POST campaigns", False)
        bodies.append(msgspec.json.decode(call.content or b""))
        return CampaignMade(id=245587, status=13)

    made = run(prepared(options).create("[af-1] News"), answer)
    assert (made.id, made.title, made.state) == ("245587", "[af-1] News", RUNNING)
    return bodies[0]


def test_a_campaign_is_sent_with_everything_that_was_asked_for() -> None:
    options = msgspec.structs.replace(
        PLAIN, segments=("Readers", "6"), start=datetime(2026, 3, 3, 10, tzinfo=UTC), sender_name="Ann"
    )
    assert sent(options) == {
        "sender_name": "Ann",
        "sender_email": "shop@example.com",
        "subject": "News",
        "body": "PGI+SGk8L2I+",
        "list_id": [5, 6],
        "name": "[af-1] News",
        "send_date": "2026-03-03 12:00:00",
    }


def test_template_segment_test_and_draft_are_said_in_the_services_way() -> None:
    assert sent(msgspec.structs.replace(PLAIN, body=None, message_id="77"))["template_id"] == "77"
    assert sent(msgspec.structs.replace(PLAIN, segments=(), segment_id=9))["segment_id"] == 9
    assert sent(msgspec.structs.replace(PLAIN, is_test=True))["is_test"]
    assert sent(msgspec.structs.replace(PLAIN, draft=True))["type"] == "draft"


def test_the_connection_says_who_sends_where_the_author_does_not() -> None:
    body = sent(msgspec.structs.replace(PLAIN, sender_email=None))
    assert (body["sender_name"], body["sender_email"]) == ("Shop", "shop@example.com")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"segments_exclude": ("6",)}, Unsupported),
        ({"batch_size": 5}, Unsupported),
        ({"batch_interval": "DAY"}, Unsupported),
        ({"domain": "shop.example"}, Unsupported),
        ({"app_id": "x"}, Unsupported),
        ({"subject": None}, ValueError),
        ({"body": None}, ValueError),
        ({"message_id": "77"}, ValueError),
        ({"segments": ()}, ValueError),
        ({"segment_id": 9}, ValueError),
        ({"is_test": True, "draft": True}, ValueError),
        ({"is_test": True, "segments": ("5", "6")}, ValueError),
        ({"segments": tuple(map(str, range(11)))}, ValueError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_had_is_refused_before_anything_is_created(
    wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        prepared(msgspec.structs.replace(PLAIN, **wrong))


def test_without_a_sender_nothing_is_created() -> None:
    options = msgspec.structs.replace(PLAIN, sender_email=None)
    with pytest.raises(ValueError, match="needs a sender"):
        run(broadcast_mapping.prepare(options, KYIV, None, None), lambda call: [])


def campaign(number: int, name: str = "") -> Campaign:
    return Campaign(id=number, name=name, status=14, send_date="2026-03-03 12:00:00")


def test_a_campaign_is_found_by_its_marker_on_whichever_page() -> None:
    all_of_them = [campaign(number) for number in range(250)]
    all_of_them[220] = campaign(220, "[af-12] News")

    def answer(call: Call[Any]) -> Any:
        first, most = int(call.query["offset"] or 0), int(call.query["limit"] or 0)
        return all_of_them[first : first + most]

    (found,) = run(broadcast_mapping.find("af-12", KYIV), answer)
    assert (found.id, found.starts_at) == ("220", datetime(2026, 3, 3, 12, tzinfo=KYIV))
    assert run(broadcast_mapping.find("af-99", KYIV), answer) == []


def test_a_list_that_never_ends_is_an_error() -> None:
    page = [campaign(number) for number in range(100)]
    with pytest.raises(RuntimeError, match="the same 100 campaigns again"):
        run(broadcast_mapping.find("af-12", KYIV), lambda call: page)


def test_an_id_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="is a number"):
        run(broadcast_mapping.read("abc", KYIV), lambda call: None)


@pytest.mark.parametrize(("code", "cancelled"), [(16, True), (6, True), (5, False), (3, False)])
def test_a_status_says_whether_somebody_cancelled_it(code: int, cancelled: bool) -> None:
    told = run(broadcast_mapping.read("1", KYIV), lambda call: CampaignStatus(id=1, status=code))
    assert told.cancelled is cancelled
