"""Tasks are killed with SIGKILL and started again: what becomes of 30,000 contacts, and of 5,000 messages.

    python benchmarks/kills.py --store file --n 200
    python benchmarks/kills.py --store variable --n 200
    python benchmarks/kills.py --store task_state --n 200 --seed 7

A job is an upload or, in turn, a send in batches of 100, by the package's own operators (`kill_tasks.py`) to the
sandbox in this process. It is killed up to six times, at moments that are drawn after its first intent (its first
request); about half of them the moment that the sandbox has a request open. Then it is started until it ends.

An upload has to succeed; the contacts at the sandbox are those of the input, and the rows of the report and the
accepted ones add up. A send has to succeed or to stop with SendOutcomeUnknown; whoever was written to and does not
stand as accepted in the report stands in it as unknown, nobody is written to twice, and with on_unknown="skip" it goes
on to its end. `--store variable` and `task_state` keep the ledger in the metadata database of an Airflow that
AIRFLOW_HOME and AIRFLOW__DATABASE__SQL_ALCHEMY_CONN name; without them one is made on SQLite for the run. A task's
state is kept by Airflow's own backend, as its API server calls it, without the server and the supervisor between.

The seed of each job is drawn from --seed; a job that went wrong is run again by --replay and its seed: at the same
moments, as far as a machine is as fast twice.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from typing import Any

import kill_tasks

CONTACTS, MESSAGES = 30_000, 5_000
PATHS = {"upload": "*/v1/contacts", "send": "*/smartsend"}
MOST_KILLS = 6
LONGEST = 120.0
MOST_WRONG = 5
RESULTS = Path(__file__).parent / "results" / "kills.jsonl"


@dataclass
class Tally:
    """What happened in all jobs."""

    jobs: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    stops: int = 0
    unknown: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Job:
    """One upload or send, from its first try to its end.

    :param seed: draws the moments.
    :param most: kills at the most.
    """

    def __init__(self, kind: str, seed: int, most: int, stage: Stage) -> None:
        self.kind, self.seed = kind, seed
        self.draw = random.Random(seed)
        self.kills_left = min(most, self.draw.randint(2, MOST_KILLS))
        self.stage = stage
        self.tally = stage.tally
        self.place = stage.place(kind, f"{kind}-{seed}")
        self.needed = stage.size(kind) // kill_tasks.BATCH

    def run(self) -> None:
        """Try until it has ended, and judge the end."""
        self.tally.jobs[self.kind] += 1
        self.stage.prepare()
        on_unknown = "stop"
        tries = 0
        while True:
            tries += 1
            if tries > 3 * MOST_KILLS:
                return self._wrong("it did not end")
            ended = self._try(on_unknown, first=tries == 1)
            if ended is None:
                on_unknown = "stop"
                continue
            error, said, counts = ended
            if error == "SendOutcomeUnknown" and on_unknown == "stop":
                self.tally.stops += 1
                self._check_sent("stopped")
                on_unknown = "skip"
                continue
            if error not in ("", "AlreadySent"):  # killed when all was done and written down
                return self._wrong(f"{error}: {said.splitlines()[0]}")
            self.tally.requests[self.kind] += len(self.stage.sandbox.requests(PATHS[self.kind], "POST"))
            return self._check_upload(counts) if self.kind == "upload" else self._check_sent("ended")

    def _try(self, on_unknown: str, *, first: bool) -> Any:
        """Make one try; gives how it ended, or None where it was killed."""
        ours, theirs = self.stage.context.Pipe(duplex=False)
        process = self.stage.context.Process(
            target=kill_tasks.attempt, args=(self.kind, self.place, on_unknown, theirs), daemon=True
        )
        process.start()
        theirs.close()
        if not ours.poll(LONGEST):
            raise SystemExit("a process did not begin within two minutes")
        ours.recv()
        killed = self.kills_left > 0 and self._kill(process, ours, first=first)
        try:
            ended = ours.recv() if ours.poll(0 if killed else LONGEST) else None
        except EOFError:
            ended = None
        if killed is False and ended is None:
            process.kill()
            self._wrong(f"a try ended without a word (exit code {process.exitcode})")
        process.join()
        if not killed:
            return ended or ("Silence", "see above", {})
        if ended is not None:  # it had ended already
            return ended
        self.kills_left -= 1
        self.tally.kills[self.kind] += 1
        return None

    def _kill(self, process: Any, ours: Any, *, first: bool) -> bool:
        """Kill a try at a moment that is drawn; tells whether it came so far."""
        sandbox, path = self.stage.sandbox, PATHS[self.kind]
        begun = len(sandbox.requests(path, "POST"))
        in_a_request = self.draw.random() < 0.55
        if first or in_a_request:
            share = self.draw.random() / max(1, self.kills_left)
            answered = begun + int(share * max(0, self.needed - begun))
            until = lambda: len(sandbox.requests(path, "POST")) >= answered and sandbox.open_requests(path, "POST")  # noqa: E731
            while not until():
                if ours.poll(0.0005):
                    return False
        if not in_a_request:
            time.sleep(self.draw.uniform(0, self.stage.seconds[self.kind] / max(1, self.kills_left)))
        before = set(sandbox.open_requests(path, "POST"))
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has just ended by itself
            return False
        if before & set(sandbox.open_requests(path, "POST")):  # open before and after, so at the moment itself
            self.tally.in_flight[self.kind] += 1
        process.join()
        self.stage.settle(path)
        return True

    def _check_upload(self, counts: dict[str, int]) -> None:
        rows = self.stage.report(self.kind)
        known = set(self.stage.addresses("SELECT key FROM esputnik_channels WHERE type = 'email'"))
        if known != set(self.stage.people(self.kind)):
            self._wrong(f"{len(known):,} contacts at the sandbox")
        numbers = {row["row"] for row in rows}
        accepted = counts.get("accepted", 0)
        if len(numbers) != len(rows) or len(rows) + accepted != self.stage.size(self.kind) or not rows:
            self._wrong(f"{len(rows):,} rows in the report ({len(numbers):,} of them different), {accepted:,} accepted")

    def _check_sent(self, when: str) -> None:
        got = Counter(self.stage.addresses("SELECT recipient FROM outbox_messages"))
        twice = sum(times > 1 for times in got.values())
        if twice:
            self._wrong(f"{twice:,} people were written to twice")
        people = self.stage.people(self.kind)
        rows = {row["row"]: row["outcome"] for row in self.stage.report(self.kind)}
        accepted = {people[row - 1] for row, outcome in rows.items() if outcome == "accepted"}
        unknown = {people[row - 1] for row, outcome in rows.items() if outcome == "unknown"}
        if set(got) - accepted - unknown or accepted - set(got):
            self._wrong(
                f"{when}: {len(set(got) - accepted - unknown):,} were written to and are not reported as unknown"
            )
        if when == "stopped" and not unknown:
            self._wrong("stopped, and the report names nobody as unknown")
        if when == "ended":
            self.tally.unknown += len(unknown)
            if sorted(rows) != list(range(1, len(people) + 1)) or accepted | unknown != set(people):
                self._wrong(f"ended with {len(rows):,} rows reported, {len(accepted | unknown):,} accepted or unknown")

    def _wrong(self, what: str) -> None:
        self.tally.wrong.append(f"{self.kind}, --replay {self.kind}:{self.seed}: {what}")


class Stage:
    """The sandbox, the sources, and where ledgers and reports are kept."""

    def __init__(self, folder: Path, store: str, sandbox: Any, context: Any, tally: Tally) -> None:
        self.folder, self.store, self.sandbox, self.context, self.tally = folder, store, sandbox, context, tally
        self.seconds = {"upload": 4.0, "send": 2.0}
        for kind, count in (("upload", CONTACTS), ("send", MESSAGES)):
            lines = [f"p{number}@example.com,Ann" for number in range(count)]
            if kind == "upload":  # some rows that cannot go, so that the report has something to say
                lines[50::1000] = ["nobody,Ann"] * len(lines[50::1000])
            (folder / f"{kind}.csv").write_text("\n".join(["email,first_name", *lines, ""]))

    def size(self, kind: str) -> int:
        """Rows of the source."""
        return CONTACTS if kind == "upload" else MESSAGES

    def people(self, kind: str) -> list[str]:
        """Who is in the source and can be reached."""
        lines = (self.folder / f"{kind}.csv").read_text().split()[1:]
        return [line.partition(",")[0] for line in lines if "@" in line]

    def place(self, kind: str, run_id: str) -> dict[str, str]:
        """Return where a job finds and leaves things."""
        self._report = self.folder / f"report-{run_id}"
        if self.store == "task_state":
            kill_tasks.make_run(run_id)
        connection = {"conn_type": "esputnik", "host": self.sandbox.esputnik_url, "password": "sandbox-key"}
        return {
            "store": self.store,
            "run_id": run_id,
            "source": str(self.folder / f"{kind}.csv"),
            "report": str(self._report),
            "ledger": str(self.folder / f"ledger-{run_id}.json"),
            "connection": json.dumps(connection),
        }

    def prepare(self) -> None:
        """Make the sandbox fresh; each request takes a few milliseconds before it is worked off."""
        self.sandbox.reset()
        self.sandbox.set(import_seconds=0.1, delivery_seconds=1000.0)
        for bucket in ("esputnik.default", "esputnik.contacts.search"):
            self.sandbox.limit(bucket, None)
        for path in PATHS.values():
            self.sandbox.fault("delay", "POST", path, times=None, seconds=0.008)

    def settle(self, path: str) -> None:
        """Wait until the sandbox has worked off what the dead process had asked for."""
        end = time.monotonic() + LONGEST
        while self.sandbox.open_requests(path, "POST") and time.monotonic() < end:
            time.sleep(0.002)

    def addresses(self, sql: str) -> list[str]:
        """Ask the sandbox's own database."""
        return [row[0] for row in self.sandbox.state.store.all(sql)]

    def report(self, kind: str) -> list[dict[str, Any]]:
        """Read all parts of the job's report."""
        parts = sorted(self._report.rglob("part-*.ndjson"))
        return [json.loads(line) for part in parts for line in part.read_bytes().splitlines()]


def soak(store: str, kills: int, seed: int, replay: str | None) -> Tally:
    """Run jobs until so many kills have been made."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*kill_tasks.PRELOAD, *(kill_tasks.PRELOAD_DATABASE if store != "file" else ())])
    draw, tally = random.Random(seed), Tally()
    from airflow_provider_esp.sandbox import Sandbox

    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        stage = Stage(Path(folder), store, sandbox, context, tally)
        if replay:
            kind, _, number = replay.partition(":")
            Job(kind, int(number), MOST_KILLS, stage).run()
        while not replay and tally.kills.total() < kills and len(tally.wrong) < MOST_WRONG:
            kind = "upload" if tally.kills["upload"] <= tally.kills["send"] else "send"
            most = min(kills - tally.kills.total(), max(1, kills // 2))
            Job(kind, draw.randrange(10**9), most, stage).run()
            print(f"\r{tally.kills.total()} kills", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return tally


def table(tally: Tally) -> str:
    lines = [f"{'':<30}{'upload':>12}{'send':>12}"]
    for name, numbers in (
        ("jobs", tally.jobs),
        ("kills", tally.kills),
        ("  while a request was open", tally.in_flight),
    ):
        lines.append(f"{name:<30}{numbers['upload']:>12,}{numbers['send']:>12,}")
    per_job = [tally.requests[kind] / max(1, tally.jobs[kind]) for kind in PATHS]
    lines.append(f"{'requests in a job':<30}{per_job[0]:>12,.1f}{per_job[1]:>12,.1f}")
    lines.append(f"{'  without any kill':<30}{CONTACTS // 100:>12,}{MESSAGES // 100:>12,}")
    lines.append(f"{'stops at the unknown':<30}{'':>12}{tally.stops:>12,}")
    lines.append(f"{'recipients left as unknown':<30}{'':>12}{tally.unknown:>12,}")
    lines.append(f"{'jobs that went wrong':<30}{len(tally.wrong):>12,}")
    return "\n".join([*lines, *tally.wrong])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("file", "variable", "task_state"), default="file")
    parser.add_argument("--n", type=int, default=200, help="kills")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--replay", metavar="KIND:SEED", help="only this job")
    parser.add_argument("--no-record", action="store_true", help="do not add a line to benchmarks/results")
    chosen = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"--store {chosen.store} --n {chosen.n} --seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("AIRFLOW_HOME", home)
        os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        # Not before: looking for the module imports Airflow, which then has a home already.
        if chosen.store == "task_state" and util.find_spec("airflow.state") is None:
            parser.error("tasks have a state of their own since Airflow 3.3")
        if chosen.store != "file":
            from airflow.utils.db import initdb

            initdb()
        began = time.monotonic()
        tally = soak(chosen.store, chosen.n, seed, chosen.replay)
        seconds = time.monotonic() - began
    print(table(tally))
    result = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "airflow": metadata.version("apache-airflow"),
        "store": chosen.store,
        "seed": seed,
        "kills": tally.kills.total(),
        "in_flight": tally.in_flight.total(),
        "jobs": dict(tally.jobs),
        "stops_at_the_unknown": tally.stops,
        "seconds": round(seconds, 1),
        "wrong": tally.wrong,
    }
    print(json.dumps(result))
    if not chosen.replay and not chosen.no_record:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
