"""A task's process is killed after `POST broadcast` left and before the answer is written down: never two broadcasts.

    python benchmarks/broadcast_kills.py --n 50
    python benchmarks/broadcast_kills.py --store task_state --n 50 --seed 7

Each run is a task of its own, by `CreateBroadcastOperator`, in turn to eSputnik and to SendPulse in the sandbox in this
process. Its process gets SIGKILL while the sandbox holds the creating request open; the ledger must hold the intent and
no id then. What the sandbox has made of that request is drawn:

- listed: the broadcast is there and listed; the next try has to find it;
- late: it is there, and listed 50 s later; the next try has to stop with BroadcastOutcomeUnknown, and the one that a
  person starts a minute later has to find it;
- lost: the request came to nothing; the next try has to stop by name as well, the one a minute later creates it;
- moment: the request is answered as usual, and the process is killed up to 30 ms later, whatever is written down by
  then; the next try has to end with the right id.

At no time may two broadcasts of a run be there. `--store` is as in `kills.py`. Each run adds nothing to the others:
marker, ledger and broadcast are its own. One line is added to benchmarks/results/broadcast_kills.jsonl.
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
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kill_tasks

SERVICES = {"esputnik": ("*/v1/broadcast", "broadcasts", "title"), "sendpulse": ("*/campaigns", "campaigns", "name")}
FATES = ("listed", "late", "lost", "moment")
LONGEST = 120.0
MINUTE = 61.0
RESULTS = Path(__file__).parent / "results" / "broadcast_kills.jsonl"
PRELOAD = [
    "airflow_provider_esp.operators.broadcasts",
    "airflow_provider_esp.core.broadcasts.create",
    "airflow_provider_esp.core.broadcasts.wait",
    "airflow_provider_esp.hooks.esputnik",
    "airflow_provider_esp.hooks.sendpulse",
    "airflow_provider_esp.services.esputnik.mapping.broadcasts",
    "airflow_provider_esp.services.sendpulse.mapping.broadcasts",
    "airflow_provider_esp.stores.ledgers",
    "airflow_provider_esp.core.transport.client",
]


def operator_of(place: dict[str, Any]) -> Any:
    """Make the task's operator; the broadcast is for another year, so that nothing goes out."""
    from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
    from airflow_provider_esp.options import SendPulseCampaign

    shared = {
        "task_id": "task",
        "esp_conn_id": "kills",
        "title": "Spring sale",
        "segments": place["segment"],
        "start": "2099-01-01T09:00",
        "ledger_path": place["ledger"] if place["store"] == "file" else None,
    }
    if place["service"] == "esputnik":
        return CreateBroadcastOperator(**shared, message_id=1003)
    options = SendPulseCampaign(sender_email="sender@sandbox.example")
    return CreateBroadcastOperator(**shared, subject="Sale", body="<b>Sale</b>", options=options)


def attempt(place: dict[str, Any], moved: float, told: Any) -> None:
    """Make one try at so many seconds from now, and tell how it ended: the error's kind and words, and the id."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what tasks log is Airflow's to show
    os.dup2(nowhere, 2)
    os.environ["AIRFLOW_CONN_KILLS"] = place["connection"]
    from airflow_provider_esp.hooks.esp import EspHook

    EspHook.clock = staticmethod(lambda: time.time() + moved)
    operator = operator_of(place)
    context = kill_tasks.context_of(place["store"], place["run_id"])
    told.send("ready")
    try:
        value = operator.execute(context)
    except Exception as error:  # noqa: BLE001  # whatever it is, the parent judges it
        told.send((type(error.__cause__ or error).__name__, str(error).splitlines()[0], ""))
    else:
        told.send(("", value["resolution"], value["broadcast_id"]))


def ledger_of(place: dict[str, Any]) -> dict[str, Any]:
    """Read what is written down by now."""
    from airflow_provider_esp.stores.ledgers import ledger_store

    path = place["ledger"] if place["store"] == "file" else None
    return ledger_store(kill_tasks.context_of(place["store"], place["run_id"]), path).load() or {}


class Round:
    """One task, from its first try to its end."""

    def __init__(self, stage: Stage, number: int, service: str, fate: str) -> None:
        self.stage, self.service, self.fate = stage, service, fate
        self.place = stage.place(f"run{number}", service)
        self.path, self.section, self.title = SERVICES[service]
        self.before = len(self.made())
        self.asked = len(stage.sandbox.requests(self.path, "POST"))
        self.moved = 0.0

    def made(self) -> list[dict[str, Any]]:
        """What the sandbox has by now, of all runs."""
        return self.stage.sandbox.rows(self.service, self.section, limit=100_000)

    def run(self) -> str:
        """Kill the first try, and judge how it goes on; gives what was wrong, or nothing."""
        self._prepare()
        wrong = self._kill()
        self.stage.sandbox.clear_faults()
        if wrong:
            return wrong
        wrong = self._judge(self._try(), first=True)
        if not wrong and self.fate in ("late", "lost"):
            self.moved += MINUTE
            self.stage.sandbox.advance(MINUTE)
            wrong = self._judge(self._try(), first=False)
        return wrong

    def _prepare(self) -> None:
        sandbox = self.stage.sandbox
        late = 50.0 if self.fate == "late" else 0.0
        sandbox.set(esputnik__broadcasts_delay_seconds=late, sendpulse__list_delay=late)
        if self.fate == "moment":
            sandbox.fault("delay", "POST", self.path, seconds=0.005)
        else:
            sandbox.fault("hang", "POST", self.path, processed=self.fate != "lost", seconds=LONGEST)

    def _kill(self) -> str:
        sandbox = self.stage.sandbox
        process, ours = self._start()
        end = time.monotonic() + LONGEST
        while not self._is_under_way():
            if time.monotonic() > end or (self.fate != "moment" and ours.poll(0)):
                process.kill()
                return f"it never came to the request: {ours.recv() if ours.poll(0) else 'silence'}"
            time.sleep(0.001)
        if self.fate == "moment":
            time.sleep(self.stage.draw.uniform(0, 0.03))
        with suppress(ProcessLookupError):  # it may have ended by itself a moment ago
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        kept = ledger_of(self.place)
        if kept.get("intended_at") is None:
            return "the request left before the intent was written down"
        if self.fate != "moment" and kept.get("broadcast_id"):
            return "the id was written down although no answer came"
        self.stage.seen[f"{self.fate}: killed {'after' if kept.get('broadcast_id') else 'before'} the id was kept"] += 1
        end = time.monotonic() + LONGEST
        while self.fate == "moment" and sandbox.open_requests(self.path, "POST") and time.monotonic() < end:
            time.sleep(0.002)  # the request of the dead goes on being worked off
        return ""

    def _is_under_way(self) -> bool:
        """Check whether the creating request has come to the sandbox, and what it was to do there is done."""
        if self.fate == "moment":
            return bool(self.stage.sandbox.open_requests(self.path, "POST")) or len(self.made()) > self.before
        came = len(self.stage.sandbox.requests(self.path, "POST")) > self.asked
        return came and (self.fate == "lost" or len(self.made()) > self.before)

    def _start(self) -> tuple[Any, Any]:
        ours, theirs = self.stage.context.Pipe(duplex=False)
        process = self.stage.context.Process(target=attempt, args=(self.place, self.moved, theirs), daemon=True)
        process.start()
        theirs.close()
        if not ours.poll(LONGEST):
            raise SystemExit("a process did not begin within two minutes")
        ours.recv()
        return process, ours

    def _try(self) -> tuple[str, str, str]:
        process, ours = self._start()
        try:
            ended = ours.recv() if ours.poll(LONGEST) else ("Silence", "the try did not end", "")
        except EOFError:
            ended = ("Silence", "the try ended without a word", "")
        process.kill() if ended[0] == "Silence" else None
        process.join()
        told: tuple[str, str, str] = ended
        return told

    def _judge(self, ended: tuple[str, str, str], *, first: bool) -> str:
        error, said, broadcast_id = ended
        mine = self.made()[: len(self.made()) - self.before]  # newest first
        self.stage.seen[f"{self.fate}, {'next try' if first else 'a minute later'}: {error or said}"] += 1
        if len(mine) > 1:
            return f"{len(mine)} broadcasts"
        stops = first and self.fate in ("late", "lost")
        if stops:
            return "" if error == "BroadcastOutcomeUnknown" else f"it did not stop by name: {error or said} {said}"
        if error == "AlreadySent" and self.fate == "moment":  # killed when all was done and written down
            return "" if mine and f"broadcast is {mine[0]['id']};" in said else f"another id: {said}"
        if error:
            return f"{error}: {said}"
        if not mine or broadcast_id != str(mine[0]["id"]):
            return f"it ended with the id {broadcast_id!r}, and the sandbox has {[row['id'] for row in mine]}"
        return ""


class Stage:
    """The sandbox, and where ledgers are kept."""

    def __init__(self, folder: Path, store: str, sandbox: Any, context: Any, seed: int) -> None:
        self.folder, self.store, self.sandbox, self.context = folder, store, sandbox, context
        self.draw = random.Random(seed)
        self.seen: Counter[str] = Counter()
        sandbox.limit("sendpulse.campaigns", None)
        sandbox.set(esputnik__time_zone="UTC", sendpulse__time_zone="UTC")
        sandbox.do("esputnik", "make_contacts", count=3, segment="Readers")
        self.connections = {
            "esputnik": {"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"},
            "sendpulse": {
                "conn_type": "sendpulse",
                "host": sandbox.sendpulse_url,
                "extra": {"api_key": "sandbox-apikey", "rate_limits": {"sendpulse.campaigns": 1000}},
            },
        }
        self.segments = {"esputnik": "Readers", "sendpulse": self._book()}

    def _book(self) -> str:
        from airflow_provider_esp.hooks.esp import EspHook
        from airflow_provider_esp.services.sendpulse.api import addressbooks

        os.environ["AIRFLOW_CONN_KILLS"] = json.dumps(self.connections["sendpulse"])
        hook = EspHook.for_connection("kills")
        book = hook.run(addressbooks.book_create("Readers")).id
        hook.run(addressbooks.upload(book, [addressbooks.NewContact("ann@example.com", {})]))
        hook.close()
        return str(book)

    def place(self, run_id: str, service: str) -> dict[str, str]:
        """Return where a run finds and leaves things."""
        if self.store == "task_state":
            kill_tasks.make_run(run_id)
        return {
            "store": self.store,
            "run_id": run_id,
            "service": service,
            "segment": self.segments[service],
            "ledger": str(self.folder / f"{run_id}.json"),
            "connection": json.dumps(self.connections[service]),
        }


def soak(store: str, rounds: int, seed: int) -> dict[str, Any]:
    """Make so many runs, each with one kill, and count."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, *(kill_tasks.PRELOAD_DATABASE if store != "file" else ())])
    from airflow_provider_esp.sandbox import Sandbox

    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        stage = Stage(Path(folder), store, sandbox, context, seed)
        for number in range(rounds):
            service, fate = list(SERVICES)[number % 2], FATES[number // 2 % len(FATES)]
            if problem := Round(stage, number, service, fate).run():
                wrong.append(f"run {number}, {service}, {fate}: {problem}")
            print(f"\r{number + 1} kills", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        most = Counter(row["title"] for row in sandbox.rows("esputnik", "broadcasts", limit=100_000))
        most.update(row["name"] for row in sandbox.rows("sendpulse", "campaigns", limit=100_000))
    return {
        "kills": rounds,
        "broadcasts": most.total(),
        "most_of_one_run": max(most.values(), default=0),
        "what_came_of_it": dict(sorted(stage.seen.items())),
        "wrong": wrong,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("file", "variable", "task_state"), default="file")
    parser.add_argument("--n", type=int, default=50, help="runs, each with one kill")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--no-record", action="store_true", help="do not add a line to benchmarks/results")
    chosen = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"--store {chosen.store} --n {chosen.n} --seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("AIRFLOW_HOME", home)
        os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        if chosen.store != "file":
            from airflow.utils.db import initdb

            initdb()
        began = time.monotonic()
        told = soak(chosen.store, chosen.n, seed)
        seconds = time.monotonic() - began
    result = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "store": chosen.store,
        "seed": seed,
        **told,
        "seconds": round(seconds, 1),
        "passed": not told["wrong"] and told["most_of_one_run"] <= 1,
    }
    print(json.dumps(result))
    if not chosen.no_record:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
