"""What thousands of waits cost one triggerer.

    python benchmarks/waiting.py [--n 5000] [--poll 15] [--seconds 60] [--idle]

So many deferred tasks, each waiting for an import of its own, are put straight into the metadata database of a new
Airflow and taken by one real ``airflow triggerer`` with that capacity. The sandbox, a process of its own, has the
imports and counts requests and connections. Once every wait has looked for the first time, the processor time of the
process that runs the triggers is taken over ``--seconds`` and divided by the looks in them; then the imports end, a
hundredth of them each second. Bars: 1.5 ms of processor time a look, Airflow's own overhead included; no more than
100 ms in which the event loop was blocked, from the first look to the last; connections are reused; each task is
resumed with its import's end.

The account has no rate limit to speak of, neither in the sandbox nor in its connection: what is measured is the price
of a look, and not of standing in line for it.

How long the loop was blocked is what Airflow's own watchdog says of it: a sleep of 0.1 s that took longer. While the
triggerer takes waits up, Airflow blocks its loop itself: it writes a line of log for each into a pipe whose other end
is busy. So that time is told apart, and ``--idle`` measures the same with triggers that do nothing but sleep: what
Airflow takes without us.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from results import Figure, exit_code

MOST_MILLISECONDS = 1.5
LONGEST_BLOCK = 0.1
LEAST_POLLS_PER_CONNECTION = 20
STEPS = 100
"""In so many groups imports begin and end, an hour of the sandbox's clock apart."""
HOUR = 3600.0
DAG = "waits"
DAG_FILE = f"""
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("{DAG}", start_date=datetime(2026, 1, 1), schedule=None):
    EmptyOperator(task_id="wait")
"""
IDLE_FILE = """
import asyncio, os, random
from airflow.plugins_manager import AirflowPlugin
from airflow.triggers.base import BaseTrigger, TriggerEvent

class IdleTrigger(BaseTrigger):
    def __init__(self, poll, until):
        super().__init__()
        self.poll, self.until = poll, until

    def serialize(self):
        return "waits_idle.IdleTrigger", {"poll": self.poll, "until": self.until}

    async def run(self):
        while not os.path.exists(self.until):
            await asyncio.sleep(self.poll * random.uniform(0.85, 1.15))
        yield TriggerEvent({"status": "done"})
"""
"""What a trigger costs that asks nobody: it sleeps as long as ours and looks whether a file is there."""
_WATCHED = 0.15
"""Airflow's threshold, which counts the sleep of 0.1 s: what blocks for 50 ms is told."""
_BLOCKED = re.compile(r"blocked for ([0-9.]+) seconds")


@contextlib.contextmanager
def sandbox() -> Iterator[str]:
    """Run a sandbox in a process of its own; gives its address."""
    command = [sys.executable, "-m", "airflow_provider_esp.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1].rstrip("/")
        finally:
            process.terminate()


def group(number: int, n: int) -> int:
    """Say in which of the groups a wait is."""
    return number * min(STEPS, n) // n


def begin_imports(url: str, control: httpx.Client, n: int) -> list[str]:
    """Begin so many imports, each group an hour after the one before."""
    control.post("/settings", json={"import_seconds": 2 * STEPS * HOUR}).raise_for_status()
    key = base64.b64encode(b"any:sandbox-key").decode()
    with (
        httpx.Client(base_url=url, trust_env=False, headers={"Authorization": f"Basic {key}"}, timeout=60) as client,
        ThreadPoolExecutor(4) as pool,
    ):

        def one(number: int) -> str:
            contact = {"channels": [{"type": "email", "value": f"user{number}@example.com"}]}
            body = {"contacts": [contact], "dedupeOn": "email", "contactFields": ["email"]}
            answer = client.post("/esputnik/api/v1/contacts", json=body).raise_for_status()
            return str(answer.json()["asyncSessionId"])

        ids: list[str] = []
        for _, numbers in itertools.groupby(range(n), lambda number: group(number, n)):
            ids += pool.map(one, numbers)
            control.post("/clock", json={"advance": HOUR}).raise_for_status()
        return ids


def end_imports(control: httpx.Client, n: int) -> Iterator[None]:
    """End one group after the other, one with each step."""
    groups = min(STEPS, n)
    control.post("/clock", json={"advance": (2 * STEPS - groups) * HOUR}).raise_for_status()
    for _ in range(groups):
        yield
        control.post("/clock", json={"advance": HOUR}).raise_for_status()


def end_idle(folder: Path, n: int) -> Iterator[None]:
    """Do the same with triggers that do nothing."""
    for number in range(min(STEPS, n)):
        (folder / str(number)).touch()
        yield


def put_in(ids: list[str], poll: float, idle_until: str | None) -> None:
    """Write a deferred task and its trigger for each import into the metadata database, in this process.

    :param idle_until: None for our own triggers, or the folder whose files end those which do nothing.
    """
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    from airflow_provider_esp.triggers.waits import ImportTrigger

    now = datetime.now(UTC)
    with create_session() as session:
        run = DagRun(
            dag_id=DAG,
            run_id="bench",
            logical_date=now,
            run_after=now,
            start_date=now,
            state="running",
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            bundle_version=None,
        )
        session.add(run)
        session.flush()
        version = DagVersion.get_latest_version(DAG, session=session)
        assert version is not None
        task = EmptyOperator(task_id="wait")  # noqa: AIR001  # the trigger is the wait
        for number, import_id in enumerate(ids):
            if idle_until:
                until = os.path.join(idle_until, str(group(number, len(ids))))
                trigger = Trigger(classpath="waits_idle.IdleTrigger", kwargs={"poll": poll, "until": until})
            else:
                wait = ImportTrigger(
                    import_ids=[import_id], esp_conn_id="bench", end_time=time.time() + 7200, poll_interval=poll
                )
                trigger = Trigger.from_object(wait)
            session.add(trigger)
            session.flush()
            one = TaskInstance(task, dag_version_id=version.id, run_id="bench", state="deferred", map_index=number)
            one.dag_id, one.trigger_id, one.next_method = DAG, trigger.id, "resume"
            session.add(one)


class Triggerer:
    """A new Airflow of which one triggerer runs.

    :param home: its folder.
    :param url: of the sandbox.
    :param n: capacity.
    """

    def __init__(self, home: Path, url: str, n: int) -> None:
        self._home = home
        self.ended = home / "ended"
        self.ended.mkdir()
        account = {
            "conn_type": "esputnik",
            "host": f"{url}/esputnik/api",
            "password": "sandbox-key",
            "extra": {"rate_limits": {"esputnik.default": 10_000}},  # 5,000 waits every 15 s are more than 200 a second
        }
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__TRIGGERER__BLOCKED_MAIN_THREAD_WARNING_THRESHOLD": str(_WATCHED),
            "AIRFLOW__ESP__FREEZE_TRIGGERER_HEAP": "True",
            "AIRFLOW_CONN_BENCH": json.dumps(account),
        }
        self._capacity = n
        self._out = home / "triggerer.out"
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self, ids: list[str], poll: float, idle: bool) -> None:
        """Make the database and what is to be waited for."""
        plugins = self._home / "plugins"
        plugins.mkdir()
        (plugins / "waits_idle.py").write_text(IDLE_FILE)
        folder = self._home / "dags"
        folder.mkdir()
        (folder / "waits.py").write_text(DAG_FILE)
        (self._home / "ids.json").write_text(json.dumps(ids))
        self._run("-m", "airflow", "db", "migrate")
        self._run("-m", "airflow", "dags", "reserialize")
        until = ["--idle-until", str(self.ended)] if idle else []
        self._run(__file__, "--put-in", str(self._home / "ids.json"), "--poll", str(poll), *until)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            env=self.environment,
            cwd=self._home,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start it, and end it with all its processes."""
        command = [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs", "--capacity", str(self._capacity)]
        with self._out.open("wb") as out:
            self._process = subprocess.Popen(
                command, env=self.environment, cwd=self._home, stdout=out, stderr=out, start_new_session=True
            )
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)

    def processor(self) -> tuple[float, float]:
        """Return seconds of processor time: of the process that runs the triggers, and of all."""
        import psutil

        assert self._process is not None
        whole = psutil.Process(self._process.pid)
        children = whole.children(recursive=True)
        times = {process.pid: sum(process.cpu_times()[:2]) for process in [whole, *children]}
        # Airflow 3 runs the triggers in a process of their own; it is the one that works.
        runner = max((times[child.pid] for child in children), default=times[whole.pid])
        return runner, sum(times.values())

    def count(self, where: str) -> int:
        """Count tasks."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self._home}/airflow.db?mode=ro", uri=True, timeout=60)
        ) as database:
            select = f"SELECT count(*) FROM task_instance WHERE dag_id = '{DAG}' AND {where}"  # noqa: S608
            return int(database.execute(select).fetchone()[0])

    def taken_up(self) -> int:
        """Count waits that have begun: Airflow has written the first line of their logs."""
        return sum(1 for _ in (self._home / "logs").rglob("*.trigger.*.log"))

    def wait_until(self, what: Callable[[], bool], seconds: float, why: str) -> None:
        """Look again and again.

        :raises SystemExit: it took too long.
        """
        end = time.monotonic() + seconds
        while not what():
            assert self._process is not None
            if time.monotonic() > end or self._process.poll() is not None:
                sys.exit(f"{why} did not come about\n{self._out.read_text(errors='replace')[-4000:]}")
            time.sleep(0.5)

    def blocks(self, since: float, until: float) -> list[float]:
        """List the times for which the loop was blocked, as far as the watchdog tells of them, the longest first.

        :param since: seconds since the epoch.
        :param until: the same.
        """
        found = []
        for line in self._out.read_text(errors="replace").splitlines():
            long, told = _BLOCKED.search(line), re.search(r"\d{4}-\d\d-\d\dT[0-9:.]+", line)
            if long and told and since <= datetime.fromisoformat(told[0]).replace(tzinfo=UTC).timestamp() < until:
                found.append(float(long[1]) - 0.1)
        return sorted(found, reverse=True)


class Looks:
    """What the sandbox has seen of the waits' looks.

    :param control: the sandbox's control API.
    """

    def __init__(self, control: httpx.Client) -> None:
        self._control = control
        self._since = 0
        self.total = 0
        self.counted = 0
        self.waits: set[str] = set()
        self.connections: set[int] = set()
        self.first = 0.0

    def read(self) -> Looks:
        """Take in what is new."""
        asked = {"path": "*/importstatus/*", "since": self._since}
        for row in self._control.get("/requests", params=asked).raise_for_status().json()["requests"]:
            self._since = max(self._since, row["number"])
            self.total += 1
            self.waits.add(row["path"])
            self.connections.add(row["connection"])
            self.first = self.first or datetime.fromisoformat(row["time"]).timestamp()
        return self


@dataclass
class Times:
    """When what happened, in seconds since the epoch, and the processor time of the minute in the middle."""

    first: float
    taken_up: float
    ending: float
    gone: float
    own: float
    whole: float


def watch(triggerer: Triggerer, n: int, seconds: float, looks: Looks | None, end: Iterator[None]) -> Times:
    """Let all waits be taken up and look, take the processor time of a while, and let them end group by group."""
    started = time.time()
    triggerer.wait_until(lambda: triggerer.taken_up() == n, 600, "the beginning of every wait")
    taken_up = time.time()
    if looks:
        triggerer.wait_until(lambda: len(looks.read().waits) == n, 600, "the first look of every wait")
    before, began = triggerer.processor(), time.monotonic()
    if looks:
        looks.counted = -looks.read().total
    while time.monotonic() - began < seconds:
        time.sleep(1)
        if looks:
            looks.read()  # the sandbox keeps the latest requests only
    after = triggerer.processor()
    if looks:
        looks.counted += looks.read().total
    ending = time.time()
    for _ in end:
        time.sleep(1)
        if looks:
            looks.read()
    triggerer.wait_until(
        lambda: (looks is None or bool(looks.read())) and not triggerer.count("state = 'deferred'"), 600, "the end"
    )
    own, whole = (after[at] - before[at] for at in (0, 1))
    return Times(looks.first if looks else started, taken_up, ending, time.time(), own, whole)


def measure(n: int, poll: float, seconds: float) -> list[Figure]:
    """Let one triggerer wait, and tell what it took."""
    with (
        sandbox() as url,
        httpx.Client(base_url=f"{url}/_sandbox", trust_env=False, timeout=60) as control,
        tempfile.TemporaryDirectory() as home,
    ):
        control.post("/limits", json={"esputnik.default": None}).raise_for_status()
        triggerer, looks = Triggerer(Path(home), url, n), Looks(control)
        triggerer.prepare(begin_imports(url, control, n), poll, idle=False)
        with triggerer.running():
            times = watch(triggerer, n, seconds, looks, end_imports(control, n))
            resumed = triggerer.count("state = 'scheduled' AND next_kwargs LIKE '%\"done\"%'")
            blocks = _blocks(triggerer, times)
    own, whole = (took / max(1, looks.counted) * 1000 for took in (times.own, times.whole))
    reuse = looks.total / max(1, len(looks.connections))
    return [
        Figure(
            f"processor time a look ({n:,} waits, {looks.counted:,} looks in {seconds:g} s)",
            f"{own:.2f} ms (the triggerer's other process included: {whole:.2f} ms)",
            f"at most {MOST_MILLISECONDS:g} ms",
            own <= MOST_MILLISECONDS and looks.counted > 0,
        ),
        *blocks,
        Figure(
            "looks over one connection",
            f"{reuse:,.0f} ({looks.total:,} looks, {len(looks.connections):,} connections)",
            f"reused: at least {LEAST_POLLS_PER_CONNECTION}",
            reuse >= min(LEAST_POLLS_PER_CONNECTION, n / 10),
        ),
        Figure("tasks resumed with their import's end", f"{resumed:,} of {n:,}", "all", resumed == n),
    ]


def measure_idle(n: int, poll: float, seconds: float) -> list[Figure]:
    """Let one triggerer hold as many triggers that do nothing: what Airflow takes without us."""
    with tempfile.TemporaryDirectory() as home:
        triggerer = Triggerer(Path(home), "http://127.0.0.1:1", n)
        triggerer.prepare([str(number) for number in range(n)], poll, idle=True)
        with triggerer.running():
            times = watch(triggerer, n, seconds, None, end_idle(triggerer.ended, n))
            blocks = _blocks(triggerer, times)
    own = times.own / (n / poll * seconds) * 1000
    return [
        Figure(f"idle triggers: processor time each time that one wakes up ({n:,})", f"{own:.2f} ms"),
        *(replace(block, what=f"idle triggers: {block.what}", bar="", held=True) for block in blocks),
    ]


def _blocks(triggerer: Triggerer, times: Times) -> list[Figure]:
    quiet = max(times.first, times.taken_up)
    waiting, ending = triggerer.blocks(quiet, times.ending), triggerer.blocks(times.ending, times.gone)
    return [
        Figure(
            f"longest time for which the event loop was blocked while {when}",
            _longest(blocks),
            f"at most {LONGEST_BLOCK * 1000:.0f} ms",
            not blocks or blocks[0] <= LONGEST_BLOCK + 0.005,  # told to a hundredth of a second
        )
        for when, blocks in (("all waited", waiting), ("they ended", ending))
    ] + [
        Figure(
            "the same, from the first look until Airflow had taken all up",
            _longest(triggerer.blocks(times.first, quiet)),
        )
    ]


def _longest(blocks: list[float]) -> str:
    told = f"{(_WATCHED - 0.1) * 1000:.0f} ms"
    return f"{blocks[0] * 1000:.0f} ms; {len(blocks)} of over {told}" if blocks else f"below {told}"


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=5000, help="waits")
    parser.add_argument(
        "--poll", type=float, default=15.0, help="seconds between two looks (15: as ImportSensor looks)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="over which processor time is taken")
    parser.add_argument("--idle", action="store_true", help="triggers that do nothing, to compare with")
    parser.add_argument("--put-in", help=argparse.SUPPRESS)
    parser.add_argument("--idle-until", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.put_in:
        put_in(json.loads(Path(options.put_in).read_text()), options.poll, options.idle_until)
        return 0
    return exit_code((measure_idle if options.idle else measure)(options.n, options.poll, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
