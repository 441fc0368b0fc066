"""Several tasks that send under one key, in every order of their steps: nobody gets two messages.

As in `test_send_takeovers`, a process is frozen or killed at one of its steps; here a step is also each file that is
read, written, listed or removed in the folder of the key, and between processes somebody may remove the file that says
who sends, although that task is only frozen.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.ledger import Ledger, RecordStore
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.patience import Patience
from airflow_provider_esp.core.readers.table import Table
from airflow_provider_esp.core.row_report import Report
from airflow_provider_esp.core.send import run as send_module
from airflow_provider_esp.core.send import send_key as key_module
from airflow_provider_esp.core.send.key_folder import KeyFolder
from airflow_provider_esp.core.send.run import OnUnknown, SendRun
from airflow_provider_esp.core.send.send_key import ReachedBefore, SendKey
from airflow_provider_esp.core.tries import Tries
from airflow_provider_esp.stores import airflow_variables
from airflow_provider_esp.stores.ledgers import TaskStateLedger
from airflow_provider_esp.stores.tries import FileTries, VariableTries
from tests.unit.test_send_kills import Killed
from tests.unit.test_send_kills import mapper as plain_mapper
from tests.unit.test_send_takeovers import Life, Process, State, Stepping, Variables, World, changed

EXAMPLES = int(os.environ.get("ESP_EXAMPLES", "34"))
"""Of each of six combinations: 200 in all."""
TASKS = 3


@dataclass(frozen=True)
class KeyLife(Life):
    """One process of one of several tasks.

    :ivar task: which.
    :ivar frees: whether somebody removes the owner's file before.
    """

    task: int = 0
    frees: bool = False


class Stepped:
    """A folder whose every access is a step of whoever runs."""

    def __init__(self, world: KeyWorld, path: str = "") -> None:
        self._world = world
        self._path = path

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def __truediv__(self, name: str) -> Stepped:
        return Stepped(self._world, f"{self._path}/{name}")

    @contextmanager
    def open(self, mode: str) -> Iterator[IO[bytes]]:
        files = self._world.files
        if mode == "rb":
            content = self._world.step(lambda: files.get(self._path))
            if content is None:
                raise FileNotFoundError(self._path)
            yield io.BytesIO(content)
            return
        buffer = io.BytesIO()
        yield buffer
        self._world.step(lambda: files.__setitem__(self._path, buffer.getvalue()))

    def iterdir(self) -> list[Stepped]:
        names: list[str] = self._world.step(lambda: list(self._world.files))
        return [Stepped(self._world, name) for name in names if name.startswith(self._path)]

    def unlink(self) -> None:
        if self._world.step(lambda: self._world.files.pop(self._path, None)) is None:
            raise FileNotFoundError(self._path)

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        """There is nothing to make."""


class KeyWorld(World):
    """What outlives the processes of several tasks."""

    def __init__(self, kind: str, folder: Path, lives: Sequence[Life], audience: list[str]) -> None:
        super().__init__(kind, folder, lives, audience)
        self.files: dict[str, bytes] = {}
        self.audiences = [audience[task:] + audience[:task] for task in range(TASKS)]  # the same people in other rows
        self.states: list[dict[str, str]] = [{} for _ in range(TASKS)]
        self.latest = [0] * TASKS

    def store_of(self, task: int, number: int) -> RecordStore | Tries:
        if self.kind == "file":
            return Stepping(FileTries(str(self.folder / f"ledger-{task}.json"), number), self)
        if self.kind == "variables":
            return VariableTries(f"esp_ledger_{task}", number)
        return TaskStateLedger(OwnState(self, task, number))

    def free(self) -> None:
        """Do what the message advises where a task was killed and does not come back."""
        for name in [name for name in self.files if name.endswith("owner.json")]:
            del self.files[name]


class OwnState(State):
    """The state of one of several tasks."""

    def __init__(self, world: KeyWorld, task: int, number: int) -> None:
        self._keys = world
        self._task = task
        world.latest[task] = max(world.latest[task], number)
        super().__init__(world, number)

    def get(self, key: str) -> Any:
        self._world.state, self._world.latest_try = self._keys.states[self._task], self._keys.latest[self._task]
        return super().get(key)

    def set(self, key: str, value: Any, *, retention: Any) -> None:
        self._world.state, self._world.latest_try = self._keys.states[self._task], self._keys.latest[self._task]
        super().set(key, value, retention=retention)


class KeyProcess(Process):
    """One try of one task."""

    def live(self) -> Counts | None:
        world, life = self.world, self.life
        assert isinstance(world, KeyWorld)
        assert isinstance(life, KeyLife)
        if life.frees:
            world.free()
        audience = changed(world.audiences[life.task], life.change)
        held: SendKey | None = None
        world.running.append(self)
        try:
            ledger = Ledger(world.store_of(life.task, self.number), patience=0)
            folder = KeyFolder(Stepped(world), "spring", Patience(0))
            held = SendKey(folder, "spring", f"task {life.task}", f"{life.task:016x}", timedelta(days=90), wait=0)
            held.take(ledger.load())
            run = SendRun(
                target=self,
                perform=self.perform,
                ledger=ledger,
                report=Report(world.folder / f"report-{life.task}"),
                on_unknown=self.on_unknown,
                concurrency=1,
                awaits_delivery=True,
                suppression=ReachedBefore(held, None),
                send_key=held,
            )
            run.run(Table(("who",), iter([(person,) for person in audience]), "people"), plain_mapper())
            counts = run.counts
            ledger.end(too_many_refused=life.too_many and counts.refused > 0)
        except (exceptions.EspException, ConnectionError, Killed):
            return None
        finally:
            if held is not None:
                with contextlib.suppress(Killed):
                    held.release()
            world.running.remove(self)
        world.audiences[life.task] = audience
        return counts


def run_from(world: World, number: int, on_unknown: OnUnknown) -> None:
    """Run the processes after one of them, as far as no other has done so."""
    while number < len(world.lives):
        life, number = world.lives[number], number + 1
        if life is not None:
            world.lives[number - 1] = None  # type: ignore[call-overload]  # it is run
            KeyProcess(world, number, life, on_unknown).live()


lives = st.builds(
    KeyLife,
    task=st.integers(0, TASKS - 1),
    frees=st.booleans(),
    batch_size=st.sampled_from([1, 2, 5]),
    frozen_at=st.none() | st.integers(0, 40),
    killed_at=st.none() | st.integers(0, 40),
    effect_first=st.booleans(),
    faults=st.lists(st.sampled_from(["none", "none", "lost", "wrong key"]), max_size=6),
    change=st.sampled_from(["none", "none", "none", "reversed", "corrected"]),
    too_many=st.booleans(),
)
audiences = st.lists(
    st.tuples(st.sampled_from(["ok", "ok", "ok", "bad", "refused"]), st.integers(0, 9)).map(
        lambda pair: f"{pair[0]}-{pair[1]}"
    ),
    max_size=12,
)


@pytest.mark.parametrize("on_unknown", ["stop", "skip"])
@pytest.mark.parametrize("kind", ["file", "variables", "task state"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(audience=audiences, past=st.lists(lives, min_size=1, max_size=6))
@example(audience=["ok-0", "ok-1"], past=[KeyLife(1, frozen_at=9), KeyLife(1, task=1, frees=True)])
def test_however_tasks_that_share_a_key_overlap_nobody_is_written_to_twice(
    kind: str, on_unknown: OnUnknown, audience: list[str], past: list[KeyLife]
) -> None:
    with (
        TemporaryDirectory() as folder,
        mock.patch.object(send_module, "SINGLES_IN_A_BLOCK", 4),
        mock.patch.object(key_module, "_MOST_IN_FILE", 3),
    ):
        world = KeyWorld(kind, Path(folder), past, list(audience))
        with (
            mock.patch.object(airflow_variables, "_variables", return_value=Variables(world)),
            mock.patch.object(airflow_variables, "LOOKS", ()),
            # One process's lock does not hold up another process, which here is another frame of one thread or two.
            mock.patch.object(airflow_variables, "LOCK", contextlib.nullcontext()),
            mock.patch.object(os, "fsync"),
            mock.patch("tests.unit.test_send_takeovers.run_from", run_from),
        ):
            run_from(world, 0, on_unknown)
            assert max(world.sent.values(), default=0) <= 1
            ended: list[Counts | None] = []
            for task in range(TASKS):
                world.lives.append(KeyLife(task=task))
                ended.append(KeyProcess(world, len(world.lives), KeyLife(task=task, frees=True), "skip").live())
        assert max(world.sent.values(), default=0) <= 1
        if None not in ended:  # all tasks came to their end: nobody is lost without a word
            unknown = sum(counts[Outcome.UNKNOWN] for counts in ended if counts is not None)
            everybody = {person for people in world.audiences for person in people if person.startswith("ok")}
            refused_once = {person.replace("bad", "ok").replace("refused", "ok") for person in audience} - set(audience)
            never = everybody - set(world.sent) - refused_once
            assert len(never) <= unknown
        assert Counter(world.sent.values()).keys() <= {1}
