"""A service with one list, and a place for state, for tests of syncs: both can be cut off between any two steps."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Self

from airflow_provider_esp.core.calls import Flow, Page, Pages
from airflow_provider_esp.core.contact_columns import ContactColumns, FieldRule
from airflow_provider_esp.core.models import Import, ImportState, Submitted
from airflow_provider_esp.core.readers.table import read_mappings
from airflow_provider_esp.core.row_keys import RowKeys
from airflow_provider_esp.core.sync.comparing import RowComparison
from airflow_provider_esp.core.sync.generations import StateFolder
from airflow_provider_esp.core.sync.keys import StateKey
from airflow_provider_esp.core.sync.membership import Member, Person
from airflow_provider_esp.core.sync.pipeline import Pipeline, TakenAsSent
from airflow_provider_esp.core.sync.plan import Guards, Rules, Work
from airflow_provider_esp.core.sync.run import Run, Settings, SyncRun, current
from airflow_provider_esp.core.sync.sending import SyncReport
from airflow_provider_esp.core.validation.batch import BatchValidator
from airflow_provider_esp.exceptions import ConnectionLost, InvalidRequest

SECRET = "a secret of the tests that is long enough"
KEY = StateKey(SECRET)
COLUMNS = {"email": "email", "name": "first_name"}
NO_GUARDS = Guards(None, None)


class Killed(BaseException):
    """The process is killed: nothing of it goes on."""


class Steps:
    """Counts what a process does that others can see, and kills it at one of these steps."""

    def __init__(self) -> None:
        self.kill_at: int | None = None
        self.done = 0
        self.dead = False
        self.lock = threading.Lock()

    def take(self) -> None:
        """Take a step.

        :raises Killed: it was the last.
        """
        with self.lock:
            self.done += 1
            if self.dead or self.done == self.kill_at:
                self.dead = True
                raise Killed

    def begin(self, kill_at: int | None = None) -> None:
        """Begin another process."""
        self.done, self.kill_at, self.dead = 0, kill_at, False


class MemoryFolder:
    """A folder of files in memory, which appear whole."""

    def __init__(self, files: dict[str, bytes], steps: Steps, path: str = "memory:") -> None:
        self.files = files
        self.steps = steps
        self.path = path

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> MemoryFolder:
        return MemoryFolder(self.files, self.steps, self.path.rpartition("/")[0])

    def __truediv__(self, name: str) -> MemoryFolder:
        return MemoryFolder(self.files, self.steps, f"{self.path}/{name}")

    def __str__(self) -> str:
        return self.path

    @contextmanager
    def open(self, mode: str) -> Iterator[IO[bytes]]:
        if mode == "rb":
            if self.path not in self.files:
                raise FileNotFoundError(self.path)
            yield io.BytesIO(self.files[self.path])
            return
        file = io.BytesIO()
        yield file
        self.steps.take()
        self.files[self.path] = file.getvalue()
        self.steps.take()

    def iterdir(self) -> Iterator[MemoryFolder]:
        below = {path.removeprefix(self.path + "/").partition("/")[0] for path in self.files if self._has(path)}
        return iter([self / name for name in sorted(below)])

    def _has(self, path: str) -> bool:
        return path.startswith(self.path + "/")

    def unlink(self) -> None:
        self.steps.take()
        del self.files[self.path]

    def rmdir(self) -> None:
        assert not any(map(self._has, self.files))

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None:
        pass


class Service:
    """Takes contacts into one list and out of it, and remembers everything.

    :ivar listed: who is in the list: address to first name.
    :ivar sent: (run, address) of everybody in a request.
    """

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.batch_size = 3
        self.identity: Sequence[str] = ("email",)
        self.names: Sequence[str] = ("email",)
        self.rules: Mapping[str, FieldRule] = {}
        self.handles: Sequence[str] = ("email",)
        self.looks_up = False
        self.listed: dict[str, str | None] = {}
        self.rejects: set[str] = set()
        self.loses: set[str] = set()
        self.keeps: set[str] = set()
        self.run = ""
        self.sent: list[tuple[str, str]] = []
        self.taken_out: list[str] = []
        self.listings = 0
        self.lock = threading.Lock()

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        return contacts.by_fields()

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        yield from ()
        people = [str(email) for email in contacts.standard["email"]]
        names = contacts.standard.get("first_name") or [None] * len(people)
        self.steps.take()
        with self.lock:
            rejected = {at: "the service says no" for at, person in enumerate(people) if person in self.rejects}
            self.sent += [(self.run, person) for person in people]
            accepted = {people[at]: names[at] for at in range(len(people)) if at not in rejected}
            self.listed.update({person: name if isinstance(name, str) else None for person, name in accepted.items()})
            lost = self.loses & set(people)
            self.loses -= lost
        if lost:
            raise ConnectionLost("the connection broke", outcome_unknown=True)
        self.steps.take()
        return Submitted(f"import-{len(self.sent)}", rejected)

    def import_state(self, import_id: str) -> Flow[Import]:
        yield from ()
        return Import(import_id, ImportState.DONE, done=tuple(self.listed))

    def is_looked_up(self, name: str) -> bool:
        return self.looks_up

    def members(self) -> Pages[Member]:
        if False:
            yield Page([])
        self.listings += 1
        people = list(self.listed)
        for at in range(0, len(people), 2):
            yield Page([Member(person, (f"email:{person}",)) for person in people[at : at + 2]])

    def take_out(self, people: Sequence[Person]) -> Flow[None]:
        yield from ()
        assert 0 < len(people) <= self.batch_size
        gone = [person.name.removeprefix("email:") for person in people]
        self.steps.take()
        if self.keeps & set(gone):
            raise InvalidRequest("it cannot be taken out")
        for person in gone:
            self.taken_out.append(person)
            self.listed.pop(person, None)
        self.steps.take()


def perform(work: Flow[Any]) -> Any:
    """Carry out a flow that needs no calls."""
    try:
        next(work)
    except StopIteration as end:
        return end.value
    raise AssertionError("this service needs no calls")


@dataclass
class World:
    """A service, a place for state, and runs of one sync between them."""

    steps: Steps = field(default_factory=Steps)
    files: dict[str, bytes] = field(default_factory=dict)
    now: float = 1000.0
    number: int = 0

    def __post_init__(self) -> None:
        self.service = Service(self.steps)
        self.folder: Any = MemoryFolder(self.files, self.steps)
        self.report = SyncReport(None)
        self.membership: Any = self.service
        self.counts: Counter[Work] = Counter()
        self.outcomes: dict[str, int] = {}
        self.removed = 0

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder, KEY)

    def sync(
        self,
        rows: Sequence[Mapping[str, Any]],
        run: str | None = None,
        *,
        mode: Any = "mirror",
        guards: Guards = NO_GUARDS,
        kill_at: int | None = None,
        adopt: bool = True,
        max_tries: int = 5,
        logical_date: str = "",
        dry: bool = False,
        **settings: Any,
    ) -> Self:
        """Run the sync once, as its operator does."""
        self.steps.begin(kill_at)
        if run is None:
            self.number += 1
            run = f"run-{self.number}"
        self.service.run = run
        which = Run(run, logical_date)
        told = Settings(Rules(mode, max_tries=max_tries), guards, **settings)
        table = read_mappings(rows, "rows", ("id", "email", "name"))
        base = current(self.state, told, which, dry=dry)
        self.report = SyncReport(None)
        comparison = RowComparison(KEY, (1, 2), 0, "id", "rows", run_bytes=400)
        with comparison, SyncRun(self.state, base, told, which, dry, clock=lambda: self.now, run_bytes=400) as one:
            if one.nothing_to_do:
                one.end(base)  # type: ignore[arg-type]
                return self
            one.load()
            if base is None and not adopt:
                one.note_who_was_there(self.membership, perform)
            comparison.take(1, list(table.rows))
            plan = one.compare(comparison, "rows")
            self.counts = Counter(plan.counts)
            if dry:
                return self
            target = TakenAsSent(self.service) if told.reset == "take_as_sent" else self.service
            pipeline = Pipeline(
                target=target,
                membership=self.membership,
                perform=perform,
                columns=("email", "name", "id"),
                checker=lambda table: BatchValidator(table, COLUMNS, ("email",)),
                report=self.report,
                row_keys=RowKeys(("email", "name", "id"), "id", ()),
                concurrency=1,
                poll_interval=0,
            )
            upload = pipeline.send(one, comparison)
            assert upload.wait()
            self.outcomes = {outcome: rows for outcome, rows in upload.counts.as_dict().items() if rows}
            removing = pipeline.remove(one) if mode == "mirror" and not plan.on_trial else None
            self.removed = removing.removed if removing else 0
            one.end(one.commit(len(rows), {"rows": len(rows)}))
        return self

    def try_to(self, rows: Sequence[Mapping[str, Any]], **arguments: Any) -> BaseException | None:
        """Run the sync once; return what ended it."""
        try:
            self.sync(rows, **arguments)
        except (Killed, Exception) as error:  # noqa: BLE001  # whatever it is, the test looks at it
            return error
        return None


def row(key: object, email: str, name: str = "Ann") -> dict[str, Any]:
    """Make a row of the source."""
    return {"id": key, "email": email, "name": name}


def people(*numbers: int, name: str = "Ann") -> list[dict[str, Any]]:
    """Make rows of people with these numbers."""
    return [row(number, f"p{number}@example.com", name) for number in numbers]
