"""Tasks run as Airflow runs them: DAGs on a real database, by `dag.test()`, in this process and over real sockets."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import airflow
import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.stores.run_records import KEY as RECORD
from tests.airflow.tasks.leaks import LeakSearch, record_deferrals, recorded_output

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
_finalize: Any = None if IS_AIRFLOW_2 else import_module("airflow.sdk.execution_time.task_runner").finalize
START = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = itertools.count(1)


@dataclass
class Ran:
    """How one task ended.

    :ivar value: what it returned, read back from Airflow's database.
    :ivar errors: what each failed try raised.
    """

    task_id: str
    state: str
    value: Any
    errors: list[BaseException] = field(default_factory=list)

    @property
    def error(self) -> str:
        """What the last failed try said."""
        return str(self.errors[-1]) if self.errors else ""


@dataclass
class DagRan:
    """How one run of a DAG ended.

    :ivar all: every task instance, mapped ones apart.
    """

    id: str
    all: list[Ran]

    def __getitem__(self, task_id: str) -> Ran:
        (found,) = [ran for ran in self.all if ran.task_id == task_id]
        return found


class Worker:
    """Runs DAGs in this process, triggers included."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._last = START
        self.dags: list[Any] = []

    def dag(self) -> Any:
        """Make an empty DAG."""
        from airflow.providers.common.compat.sdk import DAG

        return DAG(f"dag{next(_numbers)}", start_date=START, schedule=None)

    def run(self, *operators: Any) -> Ran:
        """Run operators one after the other in a DAG of their own, and tell how the last one ended."""
        dag = self.dag()
        for one in operators:
            dag.add_task(one)
        for before, after in itertools.pairwise(operators):
            before >> after
        return self.run_dag(dag)[operators[-1].task_id]

    def run_dag(self, dag: Any, conf: dict[str, Any] | None = None) -> DagRan:
        """Run a DAG to its end."""
        self._last = START + timedelta(minutes=next(_numbers))
        return self._run(dag, conf)

    def clear(self, dag: Any) -> DagRan:
        """Clear all tasks of the last run, as a person does in the UI, and run them again."""
        home = (
            "airflow.models.dag._get_or_create_dagrun" if IS_AIRFLOW_2 else "airflow.models.dagrun.get_or_create_dagrun"
        )
        with self._monkeypatch.context() as patch:
            # `dag.test()` clears the tasks of a run that it finds, but then replaces that run by a new one.
            patch.setattr(home, _last_run)
            return self._run(dag, None)

    def _run(self, dag: Any, conf: dict[str, Any] | None) -> DagRan:
        errors: dict[tuple[str, int], list[BaseException]] = defaultdict(list)
        self.dags.append(dag)

        def note(context: Any) -> None:
            errors[context["ti"].task_id, context["ti"].map_index].append(context["exception"])

        for task in dag.tasks:
            if not hasattr(task, "partial_kwargs"):  # mapped
                own = task.on_failure_callback or []
                task.on_failure_callback = [note, *(own if isinstance(own, list) else [own])]
                task.on_retry_callback = [note]
        dag_run = self._test(dag, conf)
        return DagRan(
            dag_run.run_id,
            [
                Ran(
                    ti.task_id,
                    str(ti.state),
                    ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index),
                    errors[ti.task_id, ti.map_index],
                )
                for ti in dag_run.get_task_instances()
            ],
        )

    def _test(self, dag: Any, conf: dict[str, Any] | None) -> Any:
        if IS_AIRFLOW_2:
            return dag.test(execution_date=self._last, run_conf=conf)
        from airflow.dag_processing.bundles.manager import DagBundlesManager

        home = "airflow.dag_processing.dagbag"
        dagbag = import_module(home if find_spec(home) else "airflow.models.dagbag")  # the latter before Airflow 3.2

        # Airflow 3 runs what is serialised in its database, and the tests' DAGs stand in no file.
        DagBundlesManager().sync_bundles_to_db()
        bag = dagbag.DagBag(dag_folder=os.devnull)
        bag.bag_dag(dag)
        dagbag.sync_bag_to_db(bag, "dags-folder", None)
        with self._monkeypatch.context() as patch:
            patch.setattr("airflow.sdk.execution_time.task_runner.finalize", _finalize_with_exception)
            return dag.test(logical_date=self._last, run_conf=conf)


def _finalize_with_exception(ti: Any, state: Any, context: Any, log: Any, error: BaseException | None = None) -> None:
    """Give callbacks the exception, which `dag.test()` forgets before Airflow 3.3."""
    if error is not None:
        context["exception"] = error
    _finalize(ti, state, context, log, error)


def _last_run(*, dag: Any, session: Any, **told: Any) -> Any:
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState

    (found,) = DagRun.find(dag_id=dag.dag_id, session=session)
    found.state, found.dag = DagRunState.RUNNING, dag
    session.commit()
    return found


@pytest.fixture(scope="session")
def _quick_execution_api() -> Iterator[None]:
    """Let `dag.test()` resolve the dependencies of the execution API's routes once, not with each request.

    FastAPI inspects every function anew for an application with overrides, which that of `dag.test()` is and that of an
    API server is not: half of the processor time of a task's run.
    """
    if IS_AIRFLOW_2:
        yield
        return
    from fastapi.dependencies import utils

    inspect, solve = utils.get_dependant, utils.solve_dependencies.__code__
    known: dict[Any, Any] = {}

    def get_dependant(**asked: Any) -> Any:
        if sys._getframe(1).f_code is not solve:
            return inspect(**asked)
        key = tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in asked.items())
        if key not in known:
            known[key] = inspect(**asked)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "get_dependant", get_dependant)
        yield


@pytest.fixture
def worker(
    _quick_execution_api: None,
    airflow_db: Path,
    connections: Mapping[str, str],
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Worker:
    """Runs DAGs against a fresh, quick sandbox."""
    sandbox.set(import_seconds=0.1, delivery_seconds=0.05)
    return Worker(monkeypatch)


@pytest.fixture
def run(worker: Worker) -> Callable[..., Ran]:
    """Run operators one after the other, and tell how the last one ended."""
    return worker.run


@pytest.fixture
def end_after_looks(sandbox: Sandbox) -> Iterator[Callable[[int], None]]:
    """Let imports end only when somebody has asked for them so many times, however slow the machine is."""
    threads: list[threading.Thread] = []
    over = threading.Event()

    def go(looks: int) -> None:
        sandbox.set(import_seconds=1000.0)

        def watch() -> None:
            while len(sandbox.requests("*/importstatus/*")) < looks:
                if over.wait(0.02):
                    return
            sandbox.advance(1001)

        threads.append(threading.Thread(target=watch))
        threads[-1].start()

    yield go
    over.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def kept_state(airflow_db: Path) -> Callable[[], list[str]]:
    """What Airflow keeps for tasks now, as text: the tasks' own state where it has one, else its variables.

    What tasks leave for the page in Airflow is not meant.
    """

    def read() -> list[str]:
        from airflow.utils.session import create_session

        with create_session() as session:
            try:
                from airflow.models.task_state_store import TaskStateStoreModel
            except ImportError:  # before Airflow 3.3
                from airflow.models.variable import Variable

                return [str(variable.val) for variable in session.query(Variable)]
            kept = session.query(TaskStateStoreModel).filter(TaskStateStoreModel.key != RECORD)
            return [row.value for row in kept]

    return read


@pytest.fixture
def whole_database(airflow_db: Path) -> Callable[[], str]:
    """Everything that stands in Airflow's database, as text."""

    def read() -> str:
        with contextlib.closing(sqlite3.connect(f"file:{airflow_db}/airflow.db?mode=ro", uri=True)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            cells = [cell for table in tables for row in db.execute(f'SELECT * FROM "{table}"') for cell in row]  # noqa: S608  # the database's own names
        return "\n".join(cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell) for cell in cells)

    return read


@pytest.fixture
def leaks(
    request: pytest.FixtureRequest,
    worker: Worker,
    airflow_db: Path,
    tmp_path: Path,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LeakSearch]:
    """Search database, logs, rendered fields and triggers for the addresses of a test; `check` says where they are."""
    with recorded_output(request, monkeypatch) as output:
        search = LeakSearch(airflow_db, tmp_path, sandbox, output, worker.dags)
        record_deferrals(monkeypatch, search.deferred)
        yield search


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    """Write a file; gives its path."""

    def make(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return make
