"""Triggers that start DAGs: what happened at the service, told once, over one poll loop for an account."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import airflow
import pytest

from airflow_provider_esp.core.models import Recipient
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.services.esputnik.api import broadcasts, imports
from airflow_provider_esp.services.esputnik.api.models import Channel, ContactUpdate
from airflow_provider_esp.services.esputnik.mapping import messages as message_mapping
from airflow_provider_esp.triggers import asset_events
from airflow_provider_esp.triggers._polling import PollLoop
from airflow_provider_esp.triggers.asset_events import (
    BroadcastFinishedTrigger,
    EspEventTrigger,
    ImportFinishedTrigger,
    NewClicksTrigger,
    ids_in,
)

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
only_3 = pytest.mark.skipif(IS_AIRFLOW_2, reason="AssetWatcher came with Airflow 3.0")
FAST: dict[str, Any] = {"esp_conn_id": "esputnik_default", "poll_interval": 0.2}


@pytest.fixture
def hook(connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[EspHook]:
    told = json.loads(connections["esputnik_default"])
    told["extra"] = {"timezone": "Europe/Kyiv"}  # the sandbox's account
    monkeypatch.setenv("AIRFLOW_CONN_ESPUTNIK_DEFAULT", json.dumps(told))
    hook = EspHook.for_connection("esputnik_default")
    yield hook
    hook.close()


class Store:
    """What Airflow 3.3 keeps with an asset."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def aget(self, key: str) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else None

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)


def first(trigger: EspEventTrigger, number: int = 1, within: float = 120.0) -> list[dict[str, Any]]:
    """Run a trigger until it has told something so many times."""

    async def take() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        async with asyncio.timeout(within):
            async for event in trigger.run():
                told.append(json.loads(json.dumps(event.payload)))
                if len(told) == number:
                    break
        return told

    return asyncio.run(take())


def nothing_within(trigger: EspEventTrigger, seconds: float) -> bool:
    try:
        first(trigger, within=seconds)
    except TimeoutError:
        return True
    return False


@pytest.mark.skipif(not IS_AIRFLOW_2, reason="AssetWatcher came with Airflow 3.0")
def test_airflow_2_is_told_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="NewClicksTrigger needs AssetWatcher"):
        NewClicksTrigger(**FAST)


@only_3
@pytest.mark.parametrize(
    "made",
    [
        lambda: NewClicksTrigger(**FAST, broadcast_ids=["7"]),
        lambda: BroadcastFinishedTrigger(**FAST, settle_time=60.0),
        lambda: ImportFinishedTrigger(**FAST, variable="uploads"),
    ],
)
def test_a_trigger_made_again_is_the_same_and_holds_no_secret(made: Callable[[], EspEventTrigger]) -> None:
    path, arguments = json.loads(json.dumps(made().serialize()))
    again = getattr(asset_events, path.rsplit(".", 1)[1])(**arguments)
    assert again.serialize() == (path, arguments)
    assert "sandbox" not in json.dumps(arguments)


@only_3
def test_an_asset_may_be_watched_by_it(connections: Mapping[str, str]) -> None:
    from airflow.sdk import Asset, AssetWatcher

    watcher = AssetWatcher(name="clicks", trigger=NewClicksTrigger(**FAST))
    asset = Asset("esputnik://shop/activity", watchers=[watcher])
    assert asset.watchers[0].trigger.serialize()[1]["esp_conn_id"] == "esputnik_default"


# -- what is told ---------------------------------------------------------------------------------------------------


def click(hook: EspHook, *names: str) -> None:
    people = [Recipient(f"{name}+click@example.com") for name in names]
    hook.run(message_mapping.smart_send(1001, people))


@only_3
def test_new_clicks_are_counted_and_nobody_is_named(sandbox: Sandbox, hook: EspHook) -> None:
    sandbox.set(delivery_seconds=0.3)
    click(hook, "ann", "ben")
    told = first(NewClicksTrigger(**FAST), 1)
    assert sum(event["clicks"] for event in told) >= 1
    assert "example.com" not in json.dumps(told)


@only_3
def test_a_broadcast_has_finished_when_nothing_new_has_come_for_a_while(sandbox: Sandbox, hook: EspHook) -> None:
    sandbox.set(delivery_seconds=0.1)
    sandbox.do("esputnik", "make_contacts", count=5, segment="Newsletter")
    made = hook.run(broadcasts.create(1001, [3601001]))
    (told,) = first(BroadcastFinishedTrigger(**FAST, settle_time=1.5))
    assert (told["broadcast_id"], told["state"], told["delivered"]) == (made.broadcast_id, "done", 5)


@only_3
def test_a_broadcast_that_is_not_meant_is_not_told(sandbox: Sandbox, hook: EspHook) -> None:
    sandbox.set(delivery_seconds=0.1)
    sandbox.do("esputnik", "make_contacts", count=2, segment="Newsletter")
    hook.run(broadcasts.create(1001, [3601001]))
    assert nothing_within(BroadcastFinishedTrigger(**FAST, settle_time=0.5, broadcast_ids=["1"]), 3.0)


@only_3
def test_what_was_told_is_not_told_again_after_a_restart(sandbox: Sandbox, hook: EspHook) -> None:
    sandbox.set(delivery_seconds=0.1)
    sandbox.do("esputnik", "make_contacts", count=2, segment="Newsletter")
    store = Store()

    def started() -> BroadcastFinishedTrigger:
        trigger = BroadcastFinishedTrigger(**FAST, settle_time=2.0)
        trigger.asset_state_store = store  # type: ignore[assignment]
        return trigger

    one = hook.run(broadcasts.create(1001, [3601001]))
    assert first(started())[0]["broadcast_id"] == one.broadcast_id
    two = hook.run(broadcasts.create(1001, [3601001]))
    assert first(started())[0]["broadcast_id"] == two.broadcast_id


@only_3
@pytest.mark.parametrize("by", ["ids", "variable"])
def test_each_import_is_told_once_when_it_has_ended(
    sandbox: Sandbox, hook: EspHook, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    sandbox.set(import_seconds=0.4)
    contact = ContactUpdate(channels=[Channel(type="email", value="ann@example.com")])
    made = [
        str(hook.run(imports.bulk_update([contact], dedupe_on="email", contact_fields=["email"])).async_session_id)
        for _ in range(2)
    ]
    monkeypatch.setenv("AIRFLOW_VAR_UPLOADS", json.dumps({"rows": 2, "imports": made}))
    trigger = ImportFinishedTrigger(**FAST, **({"import_ids": made} if by == "ids" else {"variable": "uploads"}))
    told = first(trigger, 2)
    assert sorted(event["import_id"] for event in told) == sorted(made)
    assert {event["state"] for event in told} == {"done"}
    assert by == "variable" or len(first(ImportFinishedTrigger(**FAST, import_ids=made), 3)) == 2


@pytest.mark.parametrize(
    ("text", "ids"),
    [(None, []), ("", []), ('["a", 7]', ["a", "7"]), ('{"imports": ["a"]}', ["a"]), ("a-b", ["a-b"]), ("7", ["7"])],
)
def test_a_variable_may_hold_ids_in_several_ways(text: str | None, ids: list[str]) -> None:
    assert ids_in(text) == ids


# -- one loop for an account ----------------------------------------------------------------------------------------


@only_3
def test_watchers_of_one_account_have_one_stream_and_others_have_another() -> None:
    both = {NewClicksTrigger(**FAST).shared_stream_key(), BroadcastFinishedTrigger(**FAST).shared_stream_key()}
    assert len(both) == 1
    other = NewClicksTrigger("another", poll_interval=0.2)
    assert other.shared_stream_key() not in both


@only_3
def test_two_triggers_on_one_stream_ask_once(sandbox: Sandbox, hook: EspHook) -> None:
    streams = pytest.importorskip("airflow.triggers.shared_stream", reason="streams are shared since Airflow 3.3")
    sandbox.set(delivery_seconds=0.1)
    sandbox.do("esputnik", "make_contacts", count=3, segment="Newsletter")
    hook.run(broadcasts.create(1001, [3601001]))
    click(hook, "ann")
    clicks, finished = NewClicksTrigger(**FAST, settle_time=2.0), BroadcastFinishedTrigger(**FAST, settle_time=2.0)

    async def both() -> set[str]:
        manager = streams.SharedStreamManager()  # what a triggerer has one of

        async def one(number: int, trigger: Any) -> str:
            stream = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
            async for event in trigger.filter_shared_stream(stream):
                return str(next(iter(event.payload)))
            raise AssertionError

        try:
            async with asyncio.timeout(120):
                return set(await asyncio.gather(one(1, clicks), one(2, finished)))
        finally:
            await manager.stop_all()

    assert asyncio.run(both()) == {"clicks", "broadcast_id"}
    assert len({row["connection"] for row in sandbox.requests("*/contacts/activity")}) == 1


# -- what goes wrong ------------------------------------------------------------------------------------------------


@only_3
def test_an_account_without_activity_says_so_at_once(sandbox: Sandbox, connections: Mapping[str, str]) -> None:
    sandbox.set(esputnik__activity=False)
    with pytest.raises(Exception, match=r"(?i)ContactActivity"):
        first(NewClicksTrigger(**FAST))


def test_a_look_that_fails_for_a_while_is_made_again_and_a_final_one_is_not(connections: Mapping[str, str]) -> None:
    from airflow_provider_esp.exceptions import ServerFailed, Unauthenticated

    outcomes: list[Any] = [ServerFailed("down"), ServerFailed("down"), "seen"]

    async def look() -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    loop = PollLoop(0.01, error_budget=60.0)
    assert asyncio.run(loop.attempt(look)) == "seen"
    outcomes[:] = [ServerFailed("down")] * 1000
    with pytest.raises(ServerFailed):
        asyncio.run(PollLoop(0.01, error_budget=0.1).attempt(look))
    outcomes[:] = [Unauthenticated("wrong key"), "seen"]
    with pytest.raises(Unauthenticated):
        asyncio.run(loop.attempt(look))
    assert outcomes == ["seen"]


# -- SendPulse -------------------------------------------------------------------------------------------------------


class _Answers:
    """Plays the lists of campaigns that a service would give, one a look."""

    def __init__(self, *looks: list[dict[str, Any]]) -> None:
        import msgspec

        from airflow_provider_esp.services.sendpulse.api.campaign_models import Campaign

        self.looks = [msgspec.convert(look, list[Campaign]) for look in looks]

    def told(self, since: float = 0.0) -> list[list[tuple[str, Any]]]:
        from zoneinfo import ZoneInfo

        from airflow_provider_esp.core.account_events import WatchOptions
        from airflow_provider_esp.services.sendpulse.mapping.account_events import AccountWatch

        watch, told = AccountWatch(WatchOptions(since), ZoneInfo("UTC")), []
        for number, page in enumerate(self.looks, 1):
            flow = watch.look(1000.0 * number)
            next(flow)
            try:
                flow.send(page)
            except StopIteration as end:
                told.append([(event.id, getattr(event, "state", None) or event.clicks) for event in end.value])
        return told


def test_a_campaign_is_told_when_it_ends_and_its_clicks_as_they_come() -> None:
    def campaign(number: int, status: int, clicks: int = 0) -> dict[str, Any]:
        return {"id": number, "status": status, "statistics": {"link_redirected": clicks}}

    told = _Answers(
        [campaign(1, 2, 4)],
        [campaign(1, 3, 6), campaign(2, 0)],
        [campaign(1, 3, 6), campaign(2, 16)],
        [campaign(1, 3, 6), campaign(2, 16)],
    ).told()
    assert told == [
        [],
        [("1", "done"), ("1", 2)],
        [("2", "failed")],
        [],
    ]


def test_a_campaign_that_ended_before_the_watch_is_not_told() -> None:
    ended = {"id": 1, "status": 3, "send_date": "1970-01-01 00:01:00"}
    assert _Answers([ended], [ended]).told(since=100.0) == [[], []]
    assert _Answers([ended], [ended]).told(since=10.0) == [[("1", "done")], []]
