"""Two tries of one send at once, in every order of their steps: nobody gets two messages, whatever keeps the ledger.

A process is frozen at one of its steps (a request, or a read or write of the ledger). While it is, later tries run;
then it wakes and goes on as if nothing had happened. Processes are killed as well, rows are corrected and put in
another order between tries.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core import tries as tries_module
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.ledger import Ledger, RecordStore
from airflow_provider_esp.core.models import Recipient, SendResult
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send import run as send_module
from airflow_provider_esp.core.send.refused_rows import REFUSED
from airflow_provider_esp.core.send.run import OnUnknown, SendRun
from airflow_provider_esp.core.tries import Tries
from airflow_provider_esp.exceptions import (
    AlreadySent,
    AudienceChanged,
    LedgerMismatch,
    SendOutcomeUnknown,
    SendTakenOver,
)
from airflow_provider_esp.stores import airflow_variables
from airflow_provider_esp.stores.ledgers import TaskStateLedger
from airflow_provider_esp.stores.tries import FileTries, VariableTries
from tests.unit.test_send_kills import Killed, mapper

EXAMPLES = int(os.environ.get("ESP_EXAMPLES", "100"))


@dataclass(frozen=True)
class Life:
    """One process.

    :ivar frozen_at: its step at which it is frozen while all later processes run.
    :ivar killed_at: its step at which it is killed.
    :ivar effect_first: whether the step takes effect before.
    :ivar change: what the author does to the audience before.
    """

    batch_size: int = 3
    frozen_at: int | None = None
    killed_at: int | None = None
    effect_first: bool = False
    faults: Sequence[str] = ()
    change: str = "none"
    too_many: bool = False


class World:
    """What outlives a process: the service, the ledger and the report."""

    def __init__(self, kind: str, folder: Path, lives: Sequence[Life], audience: list[str]) -> None:
        self.kind = kind
        self.folder = folder
        self.lives = list(lives)
        self.audience = audience
        self.sent: Counter[str] = Counter()
        self.running: list[Process] = []
        self.variables: dict[str, str] = {}
        self.state: dict[str, str] = {}
        self.latest_try = 0

    def store(self, number: int) -> RecordStore | Tries:
        if self.kind == "file":
            return Stepping(FileTries(str(self.folder / "ledger.json"), number), self)
        if self.kind == "variables":
            return VariableTries("esp_ledger_x", number)
        return TaskStateLedger(State(self, number))

    def step(self, effect: Callable[[], Any]) -> Any:
        return self.running[-1].step(effect)


class Stepping:
    """A store whose every call is a step."""

    def __init__(self, store: FileTries, world: World) -> None:
        self._store = store
        self._world = world

    def claim(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._world.step(self._store.claim)
        return found

    def save(self, record: dict[str, Any]) -> None:
        self._world.step(lambda: self._store.save(record))

    def is_owner(self) -> bool:
        return bool(self._world.step(self._store.is_owner))

    def others(self) -> list[dict[str, Any]]:
        return self._store.others()


class Variables:
    """Airflow's `Variable`, whose every call is a step."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, name: str, default: Any) -> Any:
        return self._world.step(lambda: self._world.variables.get(name, default))

    def set(self, name: str, value: str, description: str) -> None:
        self._world.step(lambda: self._world.variables.__setitem__(name, value))

    def delete(self, name: str) -> None:
        self._world.step(lambda: self._world.variables.pop(name, None))


class State:
    """A task's own state: an earlier try is not let in any more."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number
        world.latest_try = max(world.latest_try, number)

    def get(self, key: str) -> Any:
        kept = self._world.step(lambda: self._world.state.get(key))
        return json.loads(kept) if kept else None

    def set(self, key: str, value: Any, *, retention: Any) -> None:
        def keep() -> None:
            if self._number < self._world.latest_try:
                raise ConnectionError("404")
            self._world.state[key] = json.dumps(value)

        self._world.step(keep)

    def delete(self, key: str) -> None:
        raise AssertionError("the record of a send stays")


class Process:
    """One try, until it is killed; while it is frozen the later ones run."""

    def __init__(self, world: World, number: int, life: Life, on_unknown: OnUnknown) -> None:
        self.world = world
        self.number = number
        self.life = life
        self.on_unknown: OnUnknown = on_unknown
        self.batch_size = life.batch_size
        self.steps = self.requests = 0
        self.dead = False
        self.parts: list[str] = []

    def step(self, effect: Callable[[], Any]) -> Any:
        if self.dead:
            raise Killed
        mine, self.steps = self.steps, self.steps + 1
        if mine == self.life.frozen_at:
            result = effect() if self.life.effect_first else None
            run_from(self.world, self.number, self.on_unknown)
            return result if self.life.effect_first else effect()
        if mine == self.life.killed_at:
            self.dead = True
            if self.life.effect_first:
                effect()
            raise Killed
        return effect()

    def send(self, items: Sequence[Recipient]) -> Flow[list[SendResult]]:
        yield from ()
        return self.take([item.locator for item in items])

    def take(self, people: list[str]) -> list[SendResult]:
        fault = self.life.faults[self.requests] if self.requests < len(self.life.faults) else "none"
        self.requests += 1
        if fault == "wrong key":
            raise exceptions.Unauthenticated("the key is wrong")
        self.world.sent.update(person for person in people if not person.startswith("refused"))
        if fault == "lost":
            raise exceptions.ConnectionLost("broke", outcome_unknown=True)
        return [SendResult(accepted=not person.startswith("refused"), request_id=f"id-{person}") for person in people]

    def perform(self, work: Flow[Any]) -> Any:
        def effect() -> Any:
            try:
                next(work)
            except StopIteration as end:
                return end.value
            raise AssertionError("this service needs no calls")

        return self.step(effect)

    def live(self) -> Counts | None:
        """Run to the end, however it comes; gives the counts if all rows were dealt with."""
        world = self.world
        audience = changed(world.audience, self.life.change)
        run = SendRun(
            target=self,
            perform=self.perform,
            ledger=Ledger(world.store(self.number), patience=0),
            report=Report(world.folder / "report"),
            on_unknown=self.on_unknown,
            concurrency=1,
            awaits_delivery=True,
        )
        world.running.append(self)
        try:
            run.run(Table(("who",), iter([(person,) for person in audience]), "people"), mapper())
            counts = run.counts
            run.ledger.end(too_many_refused=self.life.too_many and counts.refused > 0)
            self.parts = run.parts.names(run.record.send)
        except (AlreadySent, AudienceChanged, SendOutcomeUnknown, SendTakenOver, ConnectionError, Killed):
            return None
        except exceptions.EspError:
            return None
        finally:
            world.running.remove(self)
        world.audience = audience
        return counts


def changed(audience: list[str], change: str) -> list[str]:
    if change == "reversed":
        return audience[::-1]
    if change == "corrected":
        return [person.replace("bad", "ok").replace("refused", "ok") for person in audience]
    return audience


def run_from(world: World, number: int, on_unknown: OnUnknown) -> None:
    """Run the processes after one of them, as far as no other has done so."""
    while number < len(world.lives):
        life = world.lives[number]
        number = len(world.lives) - len(world.lives[number:]) + 1
        if life is None:
            continue
        world.lives[number - 1] = None  # type: ignore[call-overload]  # it is run
        Process(world, number, life, on_unknown).live()


lives = st.builds(
    Life,
    batch_size=st.sampled_from([1, 2, 5]),
    frozen_at=st.none() | st.integers(0, 25),
    killed_at=st.none() | st.integers(0, 25),
    effect_first=st.booleans(),
    faults=st.lists(st.sampled_from(["none", "none", "lost", "wrong key"]), max_size=6),
    change=st.sampled_from(["none", "none", "none", "reversed", "corrected"]),
    too_many=st.booleans(),
)
audiences = st.lists(
    st.tuples(st.sampled_from(["ok", "ok", "ok", "bad", "refused"]), st.integers(0, 9)).map(
        lambda pair: f"{pair[0]}-{pair[1]}"
    ),
    max_size=16,
)


@pytest.mark.parametrize("on_unknown", ["stop", "skip"])
@pytest.mark.parametrize("kind", ["file", "variables", "task state"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(audience=audiences, past=st.lists(lives, min_size=1, max_size=5))
@example(audience=["ok-0"], past=[Life(1, frozen_at=4), Life(1, killed_at=12)])  # neither saw the other's record
@example(audience=["ok-0", "ok-1", "bad-0"], past=[Life(2, killed_at=4, change="reversed")])  # a refused row is another
def test_however_tries_overlap_nobody_is_written_to_twice(
    kind: str, on_unknown: OnUnknown, audience: list[str], past: list[Life]
) -> None:
    with TemporaryDirectory() as folder, mock.patch.object(send_module, "SINGLES_IN_A_BLOCK", 4):
        world = World(kind, Path(folder), past, list(audience))
        with (
            mock.patch.object(airflow_variables, "_variables", return_value=Variables(world)),
            mock.patch.object(airflow_variables, "LOOKS", ()),
            # One process's lock does not hold up another process, which here is another frame of one thread or two.
            mock.patch.object(airflow_variables, "LOCK", contextlib.nullcontext()),
            mock.patch.object(os, "fsync"),
        ):
            run_from(world, 0, on_unknown)
            assert max(world.sent.values(), default=0) <= 1
            world.lives.append(Life())
            last = Process(world, len(world.lives), Life(), "skip")
            counts = last.live()
        assert max(world.sent.values(), default=0) <= 1
        if counts is not None:
            assert counts.rows == len(world.audience)
            report = list(Report(world.folder / "report").read(last.parts))
            assert [row.row for row in report] == list(range(1, len(report) + 1))
            # A row that an earlier try refused may hold somebody else by now: the report says that it was refused.
            refused = {row.row for row in report if row.outcome in REFUSED}
            there = {person for number, person in enumerate(world.audience, 1) if number not in refused}
            never = {person for person in there if person.startswith("ok")} - set(world.sent)
            assert len(never) <= counts[Outcome.UNKNOWN]  # nobody is lost without a word


# -- waiting for an earlier try --


@pytest.fixture(params=["file", "variables"])
def tries(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Tries]:
    kept: dict[str, str] = {}

    class Plain:
        get = staticmethod(kept.get)
        set = staticmethod(lambda name, value, description: kept.__setitem__(name, value))
        delete = staticmethod(kept.pop)

    monkeypatch.setattr(airflow_variables, "_variables", lambda: Plain)
    monkeypatch.setattr(airflow_variables, "LOOKS", ())
    if request.param == "file":
        return lambda number: FileTries(str(tmp_path / "ledger.json"), number)
    return lambda number: VariableTries("esp_ledger_x", number)


class Slow:
    """A service that answers when it is told to."""

    batch_size = 10

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.asked, self.answer = threading.Event(), threading.Event()

    def send(self, items: Sequence[Recipient]) -> Flow[list[SendResult]]:
        yield from ()
        self.sent.update(item.locator for item in items)
        self.asked.set()
        assert self.answer.wait(120)
        return [SendResult(accepted=True, request_id=f"id-{item.locator}") for item in items]


def perform(work: Flow[Any]) -> Any:
    try:
        next(work)
    except StopIteration as end:
        return end.value
    raise AssertionError("this service needs no calls")


def people(count: int) -> Table:
    return Table(("who",), iter([(f"p{number}",) for number in range(count)]), "people")


def run_of(service: Slow, store: Tries, patience: float = 0, on_unknown: OnUnknown = "stop") -> SendRun[Recipient]:
    return SendRun(service, perform, Ledger(store, patience=patience), Report(None), on_unknown=on_unknown)


def test_the_answers_of_a_try_that_still_runs_are_waited_for(
    tries: Callable[[int], Tries], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries_module, "_PAUSE", 0.01)
    service, ended = Slow(), []
    first, second = run_of(service, tries(1)), run_of(service, tries(2), patience=60)

    def live() -> None:
        try:
            first.run(people(25), mapper())
        except SendTakenOver as taken:
            ended.append(taken)

    thread = threading.Thread(target=live)
    thread.start()
    assert service.asked.wait(120)
    threading.Timer(0.1, service.answer.set).start()
    second.run(people(25), mapper())
    thread.join()
    assert second.counts.as_dict()["accepted"] == 25
    assert set(service.sent.values()) == {1}
    assert len(ended) == 1


def test_what_is_not_answered_in_time_is_unknown_and_the_first_try_sends_nothing_more(
    tries: Callable[[int], Tries],
) -> None:
    service = Slow()
    first, second = run_of(service, tries(1)), run_of(service, tries(2), on_unknown="skip")
    thread = threading.Thread(target=lambda: suppress_taken_over(first))
    thread.start()
    assert service.asked.wait(120)
    other = Slow()
    other.answer.set()
    second.target = other
    second.run(people(25), mapper())
    service.answer.set()
    thread.join()
    assert second.counts.as_dict() | {"accepted": 15, "unknown": 10} == second.counts.as_dict()
    assert set((service.sent + other.sent).values()) == {1}


def suppress_taken_over(run: SendRun[Recipient]) -> None:
    with suppress(SendTakenOver):
        run.run(people(25), mapper())


def test_an_earlier_try_does_not_take_over_from_a_later_one(tries: Callable[[int], Tries]) -> None:
    tries(3).claim()
    with pytest.raises(SendTakenOver, match="Try 3 of this task has taken over from try 2"):
        tries(2).claim()


def test_a_try_of_a_process_that_has_ended_is_not_waited_for(
    tries: Callable[[int], Tries], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tries(1)
    first.claim()
    host = tries_module.this_process().partition(":")[0]
    first.save({"version": 2, "stamp": {"turn": 1, "step": 1, "leaving": True, "process": f"{host}:{2**22 + 1}:77"}})

    def fail(seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(time, "sleep", fail)
    Ledger(tries(2)).load()


def test_the_record_of_another_task_is_refused_with_both_names(tries: Callable[[int], Tries]) -> None:
    mine = Ledger(tries(1), "task 'a' of DAG 'd'")
    mine.save(mine.load())
    with pytest.raises(LedgerMismatch, match="that of task 'a' of DAG 'd', and this is task 'b' of DAG 'd'"):
        Ledger(tries(1), "task 'b' of DAG 'd'").load()
