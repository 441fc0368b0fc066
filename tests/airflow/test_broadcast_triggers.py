"""The wait for a broadcast in a triggerer: what it sees, how it is made again, and what it cancels."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any
from unittest import mock

import pytest

from airflow_provider_esp.core.models import BroadcastOptions
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.services.esputnik.api import broadcasts
from airflow_provider_esp.services.sendpulse.api import addressbooks
from airflow_provider_esp.triggers._polling import PollTrigger
from airflow_provider_esp.triggers.broadcasts import BroadcastTrigger

ACTIVITY = "*/v2/contacts/activity"
HOUR = 3600.0


@pytest.fixture(autouse=True)
def _in_kyiv(connections: Mapping[str, str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the connections be in the zone of the sandbox's accounts, which is not UTC, and create many campaigns."""
    sandbox.limit("sendpulse.campaigns", None)
    for conn_id, told in connections.items():
        extra: dict[str, Any] = {"timezone": "Europe/Kyiv"}
        if conn_id == "sendpulse_default":
            extra["rate_limits"] = {"sendpulse.campaigns": 1000}
        here = {**json.loads(told), "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(here))


@pytest.fixture
def hook(_in_kyiv: None) -> Iterator[EspHook]:
    hook = EspHook.for_connection("esputnik_default")
    yield hook
    hook.close()


@pytest.fixture
def begin(hook: EspHook, sandbox: Sandbox) -> Callable[..., str]:
    """Create a broadcast to so many readers; gives its id."""
    sandbox.set(delivery_seconds=0.1)

    def go(readers: int = 5, **arguments: Any) -> str:
        sandbox.do("esputnik", "make_contacts", count=readers, segment="Readers")
        (segment,) = [row["id"] for row in sandbox.rows("esputnik", "segments") if row["name"] == "Readers"]
        return hook.run(broadcasts.create(1003, [segment], title="Sale", **arguments)).broadcast_id

    return go


@pytest.fixture
def campaign(_in_kyiv: None) -> Iterator[Callable[..., str]]:
    """Create a SendPulse campaign; gives its id."""
    hook = EspHook.for_connection("sendpulse_default")

    def go(**options: Any) -> str:
        book = hook.run(addressbooks.book_create("Readers")).id
        hook.run(addressbooks.upload(book, [addressbooks.NewContact("ann@example.com", {})]))
        wanted = BroadcastOptions(
            segments=(str(book),), subject="News", body="<b>Hi</b>", sender_email="sender@sandbox.example", **options
        )
        target = hook.run(hook.adapter.prepare_broadcast(wanted))
        return hook.run(target.create("News")).id

    yield go
    hook.close()


def waiting(broadcast_id: str, conn: str = "esputnik", within: float = 300.0, **arguments: Any) -> BroadcastTrigger:
    goal: dict[str, Any] = {
        name: arguments.pop(name) for name in ("until", "settle_time", "expected") if name in arguments
    }
    told = {"esp_conn_id": f"{conn}_default", "end_time": time.time() + within, "poll_interval": 0.1, **arguments}
    return BroadcastTrigger(broadcast_id=broadcast_id, goal=goal, **told)


def after_looks(sandbox: Sandbox, count: int) -> None:
    """Wait until activity was asked for so many times."""
    while len(sandbox.requests(ACTIVITY)) < count:
        time.sleep(0.02)


async def event(trigger: PollTrigger) -> dict[str, Any]:
    events = [told.payload async for told in trigger.run()]
    assert len(events) == 1
    found: dict[str, Any] = json.loads(json.dumps(events[0]))
    return found


def ended(trigger: PollTrigger) -> dict[str, Any]:
    return asyncio.run(event(trigger))


def made_again(trigger: PollTrigger) -> BroadcastTrigger:
    path, arguments = json.loads(json.dumps(trigger.serialize()))
    module, name = path.rsplit(".", 1)
    again: BroadcastTrigger = getattr(import_module(module), name)(**arguments)
    return again


def test_a_trigger_made_again_is_the_same_and_stores_no_secret() -> None:
    goal = {"until": 0.98, "settle_time": 600.0, "expected": 5, "since": 1.5, "warned": True}
    told = {"esp_conn_id": "esputnik_default", "end_time": 1.5, "poll_interval": 3.0, "state": {"broadcast_id": "7"}}
    trigger = BroadcastTrigger(broadcast_id="7", goal=goal, on_action_required="fail", cancel_on_kill=True, **told)
    assert made_again(trigger).serialize() == trigger.serialize()
    assert "sandbox-key" not in json.dumps(trigger.serialize())


def test_it_ends_when_the_broadcast_has_settled(sandbox: Sandbox, begin: Callable[..., str]) -> None:
    told = ended(waiting(begin(), settle_time=1.0, state={"broadcast_id": "7"}))
    assert (told["status"], told["state"]) == ("done", {"broadcast_id": "7"})
    assert told["broadcast"] == {
        "state": "done",
        "status": "",
        "reason": "it has settled: no new result for 1 s",
        "delivered": 5,
        "undelivered": 0,
    }
    assert "example.com" not in json.dumps(told)


def test_it_ends_when_a_share_has_a_result(sandbox: Sandbox, begin: Callable[..., str]) -> None:
    sandbox.set(outcomes={"reader0@example.com": "stuck"})
    told = ended(waiting(begin(), until=0.8, expected=5))
    assert (told["status"], told["broadcast"]["delivered"]) == ("done", 4)


def test_it_ends_when_the_broadcast_has_started(sandbox: Sandbox, begin: Callable[..., str]) -> None:
    sandbox.set(esputnik__moderation_seconds=0.5)
    assert ended(waiting(begin(), until="started"))["broadcast"]["state"] == "done"


def test_much_activity_is_read_a_thousand_rows_at_a_look_and_without_waiting_for_the_next(
    sandbox: Sandbox, begin: Callable[..., str]
) -> None:
    broadcast_id = begin()
    sandbox.do("esputnik", "make_activity", rows=2500, seconds=50)
    sandbox.do("esputnik", "make_activity", rows=500, seconds=20, broadcast=int(broadcast_id))
    began = time.monotonic()
    told = ended(waiting(broadcast_id, until=1.0, expected=505, poll_interval=3.0))
    assert told["broadcast"]["delivered"] == 505
    asked = sandbox.requests(ACTIVITY)
    assert len(asked) >= 4
    assert all("maxrows=1000" in row["query"] for row in asked)
    assert time.monotonic() - began < 3.0 + 3 * len(asked)


def test_a_wait_that_is_made_again_counts_everything_from_the_start(
    sandbox: Sandbox, begin: Callable[..., str]
) -> None:
    sandbox.set(outcomes={"reader0@example.com": "stuck"})
    trigger = waiting(begin(), until=1.0, expected=5)

    async def interrupted() -> None:
        task = asyncio.create_task(event(trigger))
        await asyncio.to_thread(after_looks, sandbox, 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    again = made_again(trigger)
    again.goal["until"] = 0.8
    assert ended(again)["broadcast"]["delivered"] == 4
    assert {row["method"] for row in sandbox.requests("*broadcast*") + sandbox.requests(ACTIVITY)} == {"GET", "POST"}
    assert len(sandbox.requests("*", "POST")) == 1


def test_activity_that_is_switched_off_ends_the_wait_at_once_with_the_vendors_words(
    sandbox: Sandbox, begin: Callable[..., str]
) -> None:
    sandbox.set(esputnik__activity=False)
    told = ended(waiting(begin()))
    assert told["status"] == "error"
    assert "Contact support to enable ContactActivity." in told["message"]
    assert len(sandbox.requests(ACTIVITY)) == 1


def test_a_status_that_the_service_gives_is_used(sandbox: Sandbox, begin: Callable[..., str]) -> None:
    sandbox.set(esputnik__activity=False, esputnik__broadcast_status={"*": "BLOCKED"})
    told = ended(waiting(begin()))
    assert told["broadcast"]["state"] == "failed"
    assert told["broadcast"]["status"] == "BLOCKED (blocked by the service)"


@pytest.mark.parametrize(("age", "status"), [(10.0, "timeout"), (61.0, "done")])
def test_a_broadcast_of_ours_that_is_gone_has_failed_unless_it_was_created_a_moment_ago(
    connections: Mapping[str, str], age: float, status: str
) -> None:
    trigger = waiting("700999", within=1.0)
    trigger.goal["since"] = time.time() - age
    told = ended(trigger)
    assert told["status"] == status
    assert status == "timeout" or told["broadcast"]["state"] == "failed"


def test_a_broadcast_that_nobody_knows_ends_the_wait(connections: Mapping[str, str]) -> None:
    told = ended(waiting("700999"))
    assert told["status"] == "error"
    assert "Broadcast with id='700999' not found" in told["message"]


@pytest.mark.parametrize(("code", "state"), [(3, "done"), (5, "failed"), (16, "failed"), (23, "done")])
def test_a_campaigns_status_ends_the_wait(
    sandbox: Sandbox, campaign: Callable[..., str], code: int, state: str
) -> None:
    sandbox.set(sendpulse__campaign_status={"*": code})
    assert ended(waiting(campaign(), "sendpulse"))["broadcast"]["state"] == state


def test_a_campaign_that_needs_a_person_is_waited_for_or_not_as_the_author_says(
    sandbox: Sandbox, campaign: Callable[..., str]
) -> None:
    sandbox.set(sendpulse__campaign_status={"*": 1})
    number = campaign()
    told = ended(waiting(number, "sendpulse", on_action_required="fail"))
    assert told["broadcast"]["state"] == "action_required"
    assert told["broadcast"]["reason"] == "its status is 1 (pending moderation)"
    assert ended(waiting(number, "sendpulse", within=1.0))["status"] == "timeout"


def test_an_undocumented_status_is_running_with_one_warning(
    sandbox: Sandbox, begin: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.set(esputnik__broadcast_status={"*": "ON_HOLD"})
    log = mock.Mock()
    monkeypatch.setattr(BroadcastTrigger, "log", log)
    assert ended(waiting(begin(), settle_time=1.0))["status"] == "done"
    assert len(sandbox.requests(ACTIVITY)) >= 2  # the warning is one, however often it was asked
    ((told,),) = [call.args for call in log.warning.call_args_list]
    assert told.endswith("has a status that is not documented, ON_HOLD (not documented): taken for running.")


# -- what a person's hand on the task does ------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [True, False])
def test_a_scheduled_broadcast_is_cancelled_where_the_author_asked_for_it_and_left_otherwise(
    sandbox: Sandbox, begin: Callable[..., str], asked: bool
) -> None:
    sandbox.set(esputnik__moderation_seconds=HOUR)
    broadcast_id = begin()
    trigger = made_again(waiting(broadcast_id, cancel_on_kill=asked))

    async def killed() -> None:
        task = asyncio.create_task(event(trigger))
        await asyncio.to_thread(after_looks, sandbox, 1)
        await trigger.on_kill()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await trigger.cleanup()

    asyncio.run(killed())
    (row,) = sandbox.rows("esputnik", "broadcasts")
    assert row["status"] == ("CANCELLED" if asked else "SCHEDULED")


def test_a_triggerer_that_stops_cancels_nothing(sandbox: Sandbox, begin: Callable[..., str]) -> None:
    sandbox.set(esputnik__moderation_seconds=HOUR)
    trigger = waiting(begin(), cancel_on_kill=True)

    async def stopped() -> None:
        task = asyncio.create_task(event(trigger))
        await asyncio.to_thread(after_looks, sandbox, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await trigger.cleanup()

    asyncio.run(stopped())
    assert sandbox.rows("esputnik", "broadcasts")[0]["status"] == "SCHEDULED"


def test_a_campaign_is_cancelled_as_well(sandbox: Sandbox, campaign: Callable[..., str]) -> None:
    sandbox.set(delivery_seconds=1000.0)
    number = campaign()
    asyncio.run(waiting(number, "sendpulse", cancel_on_kill=True).on_kill())
    assert ended(waiting(number, "sendpulse"))["broadcast"]["status"] == "16 (cancelled by the user)"
