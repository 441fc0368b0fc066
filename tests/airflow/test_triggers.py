"""Triggers as the triggerer treats them: stored, made again, interrupted, and beside many others on one loop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.models import Recipient
from airflow_provider_esp.core.row_report import Report, RowReport
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.services.esputnik.api import imports
from airflow_provider_esp.services.esputnik.api.models import Channel, ContactUpdate
from airflow_provider_esp.services.esputnik.mapping import messages as message_mapping
from airflow_provider_esp.triggers import _hooks as hooks
from airflow_provider_esp.triggers import _polling
from airflow_provider_esp.triggers._hooks import hook_for
from airflow_provider_esp.triggers._polling import PollTrigger
from airflow_provider_esp.triggers.waits import DeliveryTrigger, ImportTrigger

ANN, BOUNCES = "ann@example.com", "ben+bounce@example.com"
HTML: dict[str, Any] = {"kind": "html", "method": "GET", "path": "*/importstatus/*", "status": 200}
"""A fault that a request is not repeated for: only the wait itself can go over it."""


@pytest.fixture
def hook(connections: Mapping[str, str]) -> Iterator[EspHook]:
    hook = EspHook.for_connection("esputnik_default")
    yield hook
    hook.close()


@pytest.fixture
def begin(hook: EspHook) -> Callable[[], str]:
    """Begin an import; gives its id."""

    def submit() -> str:
        contact = ContactUpdate(channels=[Channel(type="email", value=ANN)])
        told = hook.run(imports.bulk_update([contact], dedupe_on="email", contact_fields=["email"]))
        return str(told.async_session_id)

    return submit


def waiting(*import_ids: str, within: float = 20.0, **arguments: Any) -> ImportTrigger:
    told = {"esp_conn_id": "esputnik_default", "end_time": time.time() + within, "poll_interval": 0.05, **arguments}
    return ImportTrigger(import_ids=import_ids, **told)


async def event(trigger: PollTrigger) -> dict[str, Any]:
    """Run a trigger to its one event, as JSON would carry it."""
    events = [told.payload async for told in trigger.run()]
    assert len(events) == 1
    found: dict[str, Any] = json.loads(json.dumps(events[0]))
    return found


def ended(trigger: PollTrigger) -> dict[str, Any]:
    return asyncio.run(event(trigger))


def made_again(trigger: PollTrigger) -> PollTrigger:
    """Store a trigger and make it again, as a triggerer does after a restart."""
    path, arguments = json.loads(json.dumps(trigger.serialize()))
    module, name = path.rsplit(".", 1)
    again: PollTrigger = getattr(import_module(module), name)(**arguments)
    return again


# -- what is stored ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trigger",
    [
        waiting("a", "b", state={"counts": {"accepted": 2}}),
        DeliveryTrigger(request_ids=["x"], esp_conn_id="esputnik_default", end_time=1.5, poll_interval=3.0),
        DeliveryTrigger(report_path="/reports/1", esp_conn_id="esputnik_default", end_time=1.5, error_budget=9.0),
        DeliveryTrigger(
            request_ids=["7"], until=0.9, fail_when={"bounced": 0.1}, sms=True, esp_conn_id="x", end_time=1.5
        ),
    ],
    ids=["import", "delivery by ids", "delivery by report", "delivery with a goal"],
)
def test_a_trigger_made_again_is_the_same(trigger: PollTrigger) -> None:
    assert made_again(trigger).serialize() == trigger.serialize()


def test_what_is_stored_of_a_trigger_is_ids_and_times_and_no_secret(hook: EspHook) -> None:
    stored = json.dumps(waiting("a", state={"open": [{"id": "a", "rows": 1}]}).serialize())
    assert "sandbox-key" not in stored
    assert "http://" not in stored


# -- how a wait ends -----------------------------------------------------------------------------------------------


def test_the_event_says_how_each_import_ended_and_hands_the_tasks_state_back(
    sandbox: Sandbox, begin: Callable[[], str]
) -> None:
    sandbox.set(import_seconds=0.3)
    good = begin()
    sandbox.set(esputnik__import_outcome="error")
    bad = begin()
    told = ended(waiting(good, bad, state={"rows": 2}))
    assert told == {"wait": "imports", "status": "done", "imports": {good: "done", bad: "failed"}, "state": {"rows": 2}}
    assert ANN not in json.dumps(told)


def test_the_deadline_is_absolute_and_comes_after_one_look_at_least(sandbox: Sandbox, begin: Callable[[], str]) -> None:
    sandbox.set(import_seconds=60.0)
    import_id = begin()
    began = time.monotonic()
    assert ended(made_again(waiting(import_id, within=0.5)))["status"] == "timeout"
    assert time.monotonic() - began < 50
    sandbox.advance(61)
    late = ended(made_again(waiting(import_id, within=-100, state={"rows": 1})))
    assert late == {"wait": "imports", "status": "done", "imports": {import_id: "done"}, "state": {"rows": 1}}


def test_looks_that_fail_for_a_while_do_not_end_the_wait(sandbox: Sandbox, begin: Callable[[], str]) -> None:
    sandbox.set(import_seconds=0.0)
    import_id = begin()
    sandbox.fault(**HTML, times=3)
    assert ended(waiting(import_id))["status"] == "done"


def test_looks_that_fail_for_longer_than_the_error_budget_end_it(sandbox: Sandbox, begin: Callable[[], str]) -> None:
    import_id = begin()
    sandbox.fault(**HTML, times=None)
    told = ended(waiting(import_id, error_budget=0.4, state={"rows": 1}))
    assert (told["status"], told["state"]) == ("error", {"rows": 1})
    assert told["message"].startswith("eSputnik GET v1/importstatus/{sessionId}: ")
    assert "a web page instead of an answer" in told["message"]
    assert len(sandbox.requests("*/importstatus/*")) > 2


def test_a_refusal_ends_the_wait_at_once(sandbox: Sandbox, begin: Callable[[], str]) -> None:
    import_id = begin()
    sandbox.set(esputnik__keys={})
    told = ended(waiting(import_id))
    assert told["status"] == "error"
    assert "Check the connection's API key" in told["message"]
    assert "sandbox-key" not in told["message"]
    assert len(sandbox.requests("*/importstatus/*")) == 1


def test_a_connection_that_cannot_be_used_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", '{"conn_type": "esputnik"}')
    told = ended(waiting("a", esp_conn_id="wrong"))
    assert told["status"] == "error"
    assert "put the API key into the password field" in told["message"]


def test_the_event_counts_deliveries_by_state_and_by_the_services_word(
    sandbox: Sandbox, hook: EspHook, tmp_path: Path
) -> None:
    sandbox.set(delivery_seconds=0.1)
    sent = hook.run(message_mapping.smart_send(1001, [Recipient(ANN), Recipient(BOUNCES)]))
    ids = [str(one.request_id) for one in sent]
    rows = [RowReport(number, "accepted", ANN, request_id=request_id) for number, request_id in enumerate(ids, 1)]
    Report(tmp_path).write(1, "0" * 16, "sent", rows)
    told: dict[str, Any] = {"esp_conn_id": "esputnik_default", "end_time": time.time() + 20, "poll_interval": 0.05}
    by_ids = ended(DeliveryTrigger(request_ids=ids, **told))
    assert (by_ids["status"], by_ids["states"]) == ("done", {"delivered": 1, "failed": 1})
    assert sum(by_ids["statuses"].values()) == 2
    by_report = ended(DeliveryTrigger(report_path=str(tmp_path), **told))
    assert by_report["states"] == by_ids["states"]
    assert "example.com" not in json.dumps([by_ids, by_report])


# -- restarts ------------------------------------------------------------------------------------------------------


def test_a_wait_that_is_cancelled_ends_without_an_event_and_begins_anew_elsewhere(
    sandbox: Sandbox, begin: Callable[[], str]
) -> None:
    sandbox.set(import_seconds=60.0)
    first, second = begin(), begin()
    sandbox.advance(61)
    trigger = waiting(first, second, "unknown-yet")
    sandbox.fault("hang", "GET", "*/unknown-yet", times=None)

    async def interrupted() -> None:
        wait = asyncio.create_task(event(trigger))
        await asyncio.sleep(0.8)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait

    asyncio.run(interrupted())
    again = waiting(first, second)
    assert ended(made_again(again))["imports"] == {first: "done", second: "done"}


def test_a_wait_only_reads(sandbox: Sandbox, begin: Callable[[], str]) -> None:
    sandbox.set(import_seconds=0.3)
    import_id = begin()
    last = sandbox.requests()[-1]["number"]
    ended(waiting(import_id))
    assert {row["method"] for row in sandbox.requests(since=last)} == {"GET"}


# -- beside others on one loop -------------------------------------------------------------------------------------


async def ticks_while(is_so: Callable[[], bool], work: Any) -> int:
    """Do something, and count how often the loop got to anything else while something was so."""
    ticks, done = 0, asyncio.Event()

    async def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            await asyncio.sleep(0.01)
            ticks += is_so()

    ticking = asyncio.create_task(tick())
    await work
    done.set()
    await ticking
    return ticks


def test_a_service_that_hangs_does_not_hold_the_loop(sandbox: Sandbox, begin: Callable[[], str]) -> None:
    sandbox.set(import_seconds=0.0)
    import_id = begin()
    sandbox.fault("delay", "GET", "*/importstatus/*", seconds=3.0)

    def hangs() -> bool:
        return bool(sandbox.open_requests())

    # Were the loop held, it would tick once or twice; on an idle machine it ticks some 300 times.
    assert asyncio.run(ticks_while(hangs, event(waiting(import_id)))) > 5


def test_waits_of_one_account_share_its_connections(sandbox: Sandbox, begin: Callable[[], str]) -> None:
    sandbox.set(import_seconds=1.0)
    import_ids = [begin() for _ in range(3)]
    last = sandbox.requests()[-1]["number"]

    async def all_of_them() -> list[dict[str, Any]]:
        return await asyncio.gather(*(event(waiting(*import_ids, poll_interval=0.2)) for _ in range(15)))

    assert {told["status"] for told in asyncio.run(all_of_them())} == {"done"}
    asked = sandbox.requests("*/importstatus/*", since=last)
    assert len(asked) >= 15 * 3
    assert len({row["connection"] for row in asked}) <= 15


@pytest.fixture
def look_ups(connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of connections, as they are looked up."""
    asked: list[str] = []
    look_up = EspHook.afor_connection

    async def counted(conn_id: str) -> EspHook:
        asked.append(conn_id)
        await asyncio.sleep(0.05)
        return await look_up(conn_id)

    monkeypatch.setattr(EspHook, "afor_connection", counted)
    return asked


def test_waits_that_begin_together_look_up_their_connection_once(look_ups: list[str]) -> None:
    async def begin_all() -> list[EspHook]:
        together = asyncio.gather(*(hook_for("esputnik_default") for _ in range(50)), hook_for("sendpulse_default"))
        return [*await together, await hook_for("esputnik_default")]

    hooks = asyncio.run(begin_all())
    assert sorted(look_ups) == ["esputnik_default", "sendpulse_default"]
    assert len(set(map(id, hooks))) == 2
    asyncio.run(begin_all())
    assert len(look_ups) == 4  # another loop knows nothing of it


def test_a_wait_that_is_cancelled_while_it_looks_up_takes_none_with_it(look_ups: list[str]) -> None:
    async def one_leaves() -> EspHook:
        first, second = (asyncio.create_task(hook_for("esputnik_default")) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        return await second

    assert asyncio.run(one_leaves()).esp_conn_id == "esputnik_default"
    assert look_ups == ["esputnik_default"]


def test_a_connection_that_is_changed_or_mended_is_read_again(
    look_ups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def while_it_changes() -> tuple[str, str]:
        monkeypatch.setenv("AIRFLOW_CONN_CHANGING", "sqlite://")
        with pytest.raises(TypeError, match="is not one to an email service"):
            await hook_for("changing")
        monkeypatch.setenv("AIRFLOW_CONN_CHANGING", "esputnik://:sandbox-key@one.example")
        old = await hook_for("changing")
        monkeypatch.setenv("AIRFLOW_CONN_CHANGING", "esputnik://:sandbox-key@two.example")
        monkeypatch.setattr(hooks, "_SECONDS", 0.0)
        return old.settings.base_url, (await hook_for("changing")).settings.base_url

    assert asyncio.run(while_it_changes()) == ("https://one.example/api", "https://two.example/api")


def test_the_triggerers_collector_is_left_alone_unless_its_owner_allows_it(
    begin: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen: list[bool] = []

    def set_aside() -> AbstractContextManager[None]:
        frozen.append(True)
        return nullcontext()

    monkeypatch.setattr(_polling, "set_aside", set_aside)
    for allowed in ("False", "True"):
        monkeypatch.setenv("AIRFLOW__ESP__FREEZE_TRIGGERER_HEAP", allowed)
        _polling._freezes_heap.cache_clear()
        assert asyncio.run(event(waiting(begin())))["status"] == "done"
        assert bool(frozen) is (allowed == "True")
    _polling._freezes_heap.cache_clear()
