"""A send that is killed at any moment and tried again: nobody twice, nobody lost, and every doubt is named.

The service counts what each person got. A process is killed at one of its steps (a request or a write to the ledger),
before or after the step took effect; from then on nothing that it does has any effect.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.ledger import Ledger
from airflow_provider_esp.core.models import Recipient, SendResult
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_report import Report, RowReport
from airflow_provider_esp.core.send import run as send_module
from airflow_provider_esp.core.send.run import OnUnknown, SendRun
from airflow_provider_esp.core.validation.mapper import Mapper
from airflow_provider_esp.exceptions import AlreadySent, InvalidValue, SendOutcomeUnknown


class Killed(BaseException):
    """The process is no more."""


@dataclass(frozen=True)
class Life:
    """One process: at which of its steps it is killed, if at any, and what goes wrong before."""

    batch_size: int
    killed_at: int | None
    effect_first: bool
    faults: Sequence[str]
    concurrency: int


class World:
    """What outlives a process: the service, the ledger and the report."""

    def __init__(self, folder: Path) -> None:
        self.sent: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.record: dict[str, Any] | None = None
        self.folder = folder
        self.lock = threading.Lock()

    def rows(self) -> list[RowReport]:
        report = Report(self.folder)
        return list(report.read(report.names("sent")))


class Process:
    """Carries out requests and keeps the ledger, until it is killed."""

    def __init__(self, world: World, life: Life) -> None:
        self.world = world
        self.life = life
        self.steps = self.requests = 0
        self.dead = False
        self.batch_size = life.batch_size

    def step(self, effect: Any) -> Any:
        with self.world.lock:
            if self.dead:
                raise Killed
            mine = self.steps == self.life.killed_at
            self.steps += 1
            self.dead = mine
            if mine and not self.life.effect_first:
                raise Killed
            result = effect()
            if mine:
                raise Killed
            return result

    def load(self) -> dict[str, Any] | None:
        return self.world.record

    def save(self, record: dict[str, Any]) -> None:
        def keep() -> None:
            self.world.record = json.loads(json.dumps(record))

        self.step(keep)

    def clear(self) -> None:
        raise AssertionError("the record of a send stays")

    def send(self, items: Sequence[Recipient]) -> Flow[list[SendResult]]:
        people = [item.locator for item in items]
        if any(person.startswith("unsendable") for person in people):
            raise ValueError("cannot be told")
        yield from ()
        return self.take(people)

    def take(self, people: list[str]) -> list[SendResult]:
        fault = self.life.faults[self.requests] if self.requests < len(self.life.faults) else "none"
        self.requests += 1
        if fault == "never left":
            raise exceptions.ConnectionFailed("no connection")
        if fault == "wrong key":
            raise exceptions.Unauthenticated("the key is wrong")
        if fault == "lost before":
            raise exceptions.ConnectionLost("broke", outcome_unknown=True)
        if any(person.startswith("halving") for person in people):
            raise exceptions.InvalidRequest("one of them is not valid")
        out = people[-1] if fault == "left out" else None
        results = [
            SendResult(
                accepted=not person.startswith("refused") and person != out,
                request_id=f"id-{person}",
                unknown=person == out,
            )
            for person in people
        ]
        self.world.sent.update(person for person in people if not person.startswith("refused"))
        if fault == "lost after":
            raise exceptions.ConnectionLost("broke", outcome_unknown=True)
        if fault == "bug":
            raise KeyError("a bug")
        return results

    def perform(self, work: Flow[Any]) -> Any:
        def effect() -> Any:
            try:
                next(work)
            except StopIteration as end:
                return end.value
            raise AssertionError("this service needs no calls")

        return self.step(effect)


def mapper() -> Mapper[Recipient]:
    def build(row: Sequence[Any]) -> Recipient:
        if row[0].startswith("bad"):
            raise InvalidValue("not a person")
        return Recipient(row[0])

    return Mapper(build, lambda recipient: recipient.locator)


def live(world: World, life: Life, audience: Sequence[str], on_unknown: OnUnknown) -> Counts:
    """Run one process to its end, however it ends, and count the rows if it came to the end of them."""
    process = Process(world, life)
    run = SendRun(
        target=process,
        perform=process.perform,
        ledger=Ledger(process),
        report=Report(world.folder),
        on_unknown=on_unknown,
        concurrency=life.concurrency,
    )
    with suppress(AlreadySent):  # it was killed right after it had written down that all is done
        run.run(Table(("who",), iter([(person,) for person in audience]), "people"), mapper())
    return run.counts


KINDS = ("ok", "ok", "ok", "ok", "bad", "refused", "halving", "unsendable")
FAULTS = ("none", "none", "none", "lost before", "lost after", "wrong key", "never left", "left out", "bug")

audiences = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 12)).map(lambda pair: f"{pair[0]}-{pair[1]}"), max_size=24
)
lives = st.builds(
    Life,
    batch_size=st.sampled_from([1, 2, 5]),
    killed_at=st.none() | st.integers(0, 14),
    effect_first=st.booleans(),
    faults=st.lists(st.sampled_from(FAULTS), max_size=8),
    concurrency=st.sampled_from([1, 3]),
)
CALM = Life(batch_size=3, killed_at=None, effect_first=False, faults=(), concurrency=2)


@pytest.mark.parametrize("on_unknown", ["stop", "skip", "resend"])
@settings(max_examples=300, deadline=None)
@given(audience=audiences, past=st.lists(lives, max_size=5))
def test_whenever_a_send_is_killed_nobody_is_written_to_twice_and_nobody_is_lost(
    on_unknown: OnUnknown, audience: list[str], past: list[Life]
) -> None:
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(send_module, "SINGLES_IN_A_BLOCK", 4):
        world = World(Path(folder))
        for life in past:
            try:
                counts = live(world, life, audience, on_unknown)
                break
            except SendOutcomeUnknown as stopped:
                event("stopped at the unknown")
                assert on_unknown == "stop" or "left out" in life.faults
                check_doubts(world, audience, stopped)
                check_once(world, on_unknown)
            except Killed:
                event("killed")
                check_once(world, on_unknown)
            except (exceptions.EspError, KeyError):
                check_once(world, on_unknown)
        else:
            # The author has looked the doubtful ones up, and says to go on without them.
            counts = live(world, CALM, audience, "resend" if on_unknown == "resend" else "skip")
        check_end(world, audience, counts, on_unknown)


def check_once(world: World, on_unknown: OnUnknown) -> None:
    assert on_unknown == "resend" or not [person for person, times in world.sent.items() if times > 1]


def check_doubts(world: World, audience: Sequence[str], stopped: SendOutcomeUnknown) -> None:
    """Everybody who was written to and of whom the report does not say so is among those named as unknown."""
    by_outcome: dict[str, set[str]] = {}
    for row in world.rows():
        by_outcome.setdefault(row.outcome, set()).add(audience[row.row - 1])
    unknown = by_outcome.get("unknown", set())
    assert unknown
    assert str(stopped).startswith(f"Of {len(unknown)} ")
    assert set(world.sent) <= by_outcome.get("accepted", set()) | unknown
    assert not by_outcome.get("accepted", set()) - set(world.sent)


def check_end(world: World, audience: Sequence[str], counts: Counts, on_unknown: OnUnknown) -> None:
    rows = world.rows()
    assert [row.row for row in rows] == list(range(1, len(audience) + 1))
    reported = Counter(row.outcome for row in rows)
    assert reported == Counter({name: count for name, count in counts.as_dict().items() if count})
    assert counts.rows == len(audience)
    assert not reported["not_reached"]
    check_once(world, on_unknown)

    for row in rows:
        person = audience[row.row - 1]
        match row.outcome:
            case "accepted":
                assert person.startswith("ok")
                assert world.sent[person] >= 1
                assert row.request_id == f"id-{person}" or on_unknown == "resend" or not row.request_id
            case "rejected":
                assert person.startswith(("refused", "halving"))
                assert person not in world.sent
            case "invalid":
                assert person.startswith(("bad", "unsendable"))
            case "duplicate":
                # Mostly of an earlier row; a refused one that is tried once more may be a duplicate of a later one,
                # which stood for the person meanwhile.
                assert any(audience[other.row - 1] == person and other.outcome != "duplicate" for other in rows)
            case "unknown":
                assert on_unknown != "resend"
            case _:
                raise AssertionError(row.outcome)
    if on_unknown == "resend":
        assert {person for person in audience if person.startswith("ok")} == set(world.sent)
    assert world.record is not None
    assert world.record["sent_at"]
    assert world.record["intent"] is None
    # A run by which nobody was reached is no finished send.
    assert bool(world.record["finished_at"]) == bool(counts[Outcome.ACCEPTED] or counts[Outcome.UNKNOWN])
