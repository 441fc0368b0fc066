"""How a wait polls: out of step with others, patient with failures that pass, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from airflow_provider_esp.core.transport import shared_clients as sharing
from airflow_provider_esp.core.waits import VerificationEnded, WaitStatus
from airflow_provider_esp.exceptions import NotFound, ServerFailed
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.triggers import _polling
from airflow_provider_esp.triggers._polling import PollTrigger
from airflow_provider_esp.triggers.waits import ImportTrigger
from airflow_provider_esp.version_compat import IS_AIRFLOW_2

pytestmark = pytest.mark.usefixtures("connections")


class Scripted(PollTrigger):
    """A wait whose looks end as a script says."""

    def __init__(self, looks: Callable[[int], Any], **waiting: Any) -> None:
        told = {"esp_conn_id": "esputnik_default", "end_time": time.time() + 600, "poll_interval": 0.02, **waiting}
        super().__init__(**told)
        self.looks = looks
        self.number = 0

    def arguments(self) -> dict[str, Any]:
        return {}

    def event_type(self) -> type[VerificationEnded]:
        return VerificationEnded

    async def look(self, hook: EspHook) -> VerificationEnded | None:
        self.number += 1
        outcome: Any = self.looks(self.number)
        if isinstance(outcome, Exception):
            raise outcome
        return VerificationEnded(status=WaitStatus.DONE, processed=int(outcome)) if outcome else None


def ended(trigger: PollTrigger) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        (event,) = [told async for told in trigger.run()]
        found: dict[str, Any] = event.payload
        return found

    return asyncio.run(run())


# -- failures that pass ---------------------------------------------------------------------------------------------


def test_a_look_that_works_gives_the_wait_its_whole_budget_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(_polling, "time", SimpleNamespace(monotonic=lambda: now, time=time.time))

    def looks(number: int) -> Any:
        nonlocal now
        now += 10.0
        if number > 20:
            return number
        # More than the budget in all, and never so long at a time: every fifth look works.
        return None if number % 5 == 0 else ServerFailed("down")

    trigger = Scripted(looks, error_budget=60.0)
    assert ended(trigger)["status"] == "done"
    assert trigger.number == 21


def test_without_one_that_works_the_budget_is_spent() -> None:
    told = ended(Scripted(lambda number: ServerFailed("down"), error_budget=0.3))
    assert (told["status"], "down" in told["message"]) == ("error", True)


@pytest.mark.parametrize("error", [NotFound("no such import"), ValueError("a bug"), KeyError("another")])
def test_what_would_fail_just_the_same_is_not_tried_again(error: Exception) -> None:
    trigger = Scripted(lambda number: error, error_budget=60.0)
    assert ended(trigger)["status"] == "error"
    assert trigger.number == 1


# -- when it looks --------------------------------------------------------------------------------------------------


def test_waits_that_begin_together_do_not_stay_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(_polling, "asyncio", SimpleNamespace(sleep=note))  # the sandbox sleeps in this process as well
    trigger = Scripted(lambda number: number == 200, poll_interval=10.0, end_time=time.time() + 1e6)
    assert ended(trigger)["status"] == "done"
    assert len(set(pauses)) > 190
    assert 8.5 <= min(pauses) < 9.0
    assert 11.0 < max(pauses) <= 11.5


def test_a_pause_ends_with_the_wait() -> None:
    began = time.monotonic()
    assert ended(Scripted(lambda number: None, poll_interval=600.0, end_time=time.time() + 0.3))["status"] == "timeout"
    assert time.monotonic() - began < 300


# -- what it leaves behind ------------------------------------------------------------------------------------------


@pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 has no page, and nothing is left for one")
def test_how_far_a_wait_is_is_left_on_change_and_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    left: list[str] = []
    trigger = Scripted(lambda number: None)
    monkeypatch.setattr(type(trigger), "task_instance", object(), raising=False)
    monkeypatch.setattr(_polling, "leave_wait", lambda ti, far: left.append(far))
    monkeypatch.setattr(_polling, "time", mock.Mock(monotonic=lambda: now))

    async def look(how_far: str) -> None:
        trigger.how_far = how_far
        await trigger._tell()

    for seconds, how_far in [(0, ""), (0, "1 of 9"), (5, "2 of 9"), (61, "3 of 9"), (200, "3 of 9"), (201, "9 of 9")]:
        now = 1000.0 + seconds
        asyncio.run(look(how_far))
    assert left == ["1 of 9", "3 of 9", "9 of 9"]


@pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow 2 has no page, and nothing is left for one")
def test_a_wait_goes_on_where_airflow_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log = mock.Mock()
    monkeypatch.setattr(Scripted, "log", log)
    trigger = Scripted(lambda number: None if number < 3 else number)
    trigger.how_far = "1 of 9"
    monkeypatch.setattr(type(trigger), "task_instance", object(), raising=False)
    monkeypatch.setattr(_polling, "leave_wait", mock.Mock(side_effect=ConnectionError("Airflow is away")))
    assert ended(trigger)["status"] == "done"
    ((sentence, why),) = [call.args for call in log.warning.call_args_list]
    assert sentence % why == "The page in Airflow does not show how far this wait is: Airflow is away"


def open_clients() -> int:
    return len(sharing._clients.get(asyncio.get_running_loop(), {}))


def test_the_shared_connections_live_as_long_as_one_wait_needs_them(sandbox: Sandbox) -> None:
    async def run() -> tuple[int, int]:
        all_wait, over = asyncio.Event(), asyncio.Event()

        def looks(number: int) -> Any:
            if all(trigger.number for trigger in triggers):
                all_wait.set()
            return over.is_set()

        triggers = [Scripted(looks) for _ in range(5)]
        waits = [asyncio.create_task(_drained(trigger)) for trigger in triggers]
        await all_wait.wait()
        meanwhile = open_clients()
        over.set()
        await asyncio.gather(*waits)
        return meanwhile, open_clients()

    assert asyncio.run(run()) == (1, 0)


async def _drained(trigger: PollTrigger) -> list[Any]:
    return [event async for event in trigger.run()]


@pytest.mark.parametrize("within", ["a look", "a pause"])
def test_a_cancelled_wait_says_nothing_and_gives_its_connections_back(sandbox: Sandbox, within: str) -> None:
    sandbox.fault("hang", "GET", "*/importstatus/*", times=None)
    trigger = ImportTrigger(
        import_ids=["a"],
        esp_conn_id="esputnik_default",
        end_time=time.time() + 60,
        poll_interval=0.01 if within == "a look" else 60.0,
    )

    async def run() -> int:
        wait = asyncio.create_task(_drained(trigger))
        await asyncio.sleep(1.0)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        return open_clients()

    assert asyncio.run(run()) == 0
    assert len(sandbox.requests("*/importstatus/*")) <= 1


@pytest.mark.skipif(not hasattr(PollTrigger, "on_kill"), reason="Airflow tells triggers of a kill since 3.3")
def test_a_person_who_ends_a_task_cancels_nothing_that_the_author_did_not_name(sandbox: Sandbox) -> None:
    trigger = ImportTrigger(import_ids=["a"], esp_conn_id="esputnik_default", end_time=time.time() + 60)
    asyncio.run(trigger.on_kill())
    assert sandbox.requests() == []


def test_a_wait_survives_being_stored_with_its_deadline(connections: Mapping[str, str]) -> None:
    end = time.time() + 1234.5
    trigger = ImportTrigger(import_ids=["a"], esp_conn_id="esputnik_default", end_time=end, state={"rows": 1})
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_esp.triggers.waits.ImportTrigger"
    assert (arguments["end_time"], arguments["state"]) == (end, {"rows": 1})
