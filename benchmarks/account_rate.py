"""How much of one account's rate several processes use together, and how often they break it.

    python benchmarks/account_rate.py [--store redis|postgres|folder|none] [--rate 20] [--seconds 60] [--runs 3]
        [--kill] [--wrong-clock]

Four worker processes of four threads and two processes of two tasks on an event loop (triggerers) call one method of
SendPulse's sandbox, which is a process of its own and counts requests in a sliding window. What counts: answers
within the seconds as a part of all that were allowed, and refusals (429).

``--store none`` shows what each process's own limiter does, with a sixth of the rate each. With ``--kill`` the store
goes away after a third of the time for a sixth of it: then a refusal may come, and every call must be answered in
the end. With ``--wrong-clock`` one worker's clock is an hour ahead (Debian's package faketime). The Redis server is
this benchmark's own; PostgreSQL is ESP_TEST_POSTGRES, with a database of this benchmark's own.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from rate import MINUTE, sandbox
from results import Figure, exit_code

WORKERS, THREADS = 4, 4
TRIGGERERS, TASKS = 2, 2
LEAST_USED = 0.95
POSTGRES = os.environ.get("ESP_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")

WORK = """
import asyncio, json, sys, threading, time
kind, many, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
from airflow_provider_esp.exceptions import EspError
from airflow_provider_esp.hooks.esp import EspHook
from airflow_provider_esp.hooks.sendpulse import SendPulseHook
from airflow_provider_esp.services.sendpulse.api import account
import airflow_provider_esp.core.transport.async_client, airflow_provider_esp.core.transport.client
answered, given_up = [], []

def worker(hook, end):
    while time.monotonic() < end:
        try:
            hook.run(account.user_info())
            answered.append(1)
        except EspError as error:
            given_up.append(str(error))

async def triggerer():
    hook = await EspHook.afor_connection("account")
    async def task(end):
        while time.monotonic() < end:
            try:
                await hook.arun(account.user_info())
                answered.append(1)
            except EspError as error:
                given_up.append(str(error))
    async with hook.keep_open():
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        end = time.monotonic() + seconds
        await asyncio.gather(*(task(end) for _ in range(many)))

if kind == "triggerer":
    asyncio.run(triggerer())
else:
    with SendPulseHook("account") as hook:
        hook.account
        print("ready", flush=True)
        sys.stdin.readline()
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=worker, args=(hook, end)) for _ in range(many)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
print(json.dumps({"answered": len(answered), "given_up": given_up[:3], "many_given_up": len(given_up)}), flush=True)
"""


class Server(Protocol):
    """A store's server that can go away and come back."""

    def stop(self) -> None:
        """Let nobody reach it."""

    def start(self) -> None:
        """Let everybody reach it."""


class Redis:
    """A Redis server of our own, that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        told = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [shutil.which("redis-server") or "redis-server", *told], stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + 30
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Database:
    """A database of our own in a PostgreSQL that is there; away is who may not connect."""

    def __init__(self) -> None:
        self.name = f"esp_rates_{secrets.token_hex(6)}"
        self._ask(f"CREATE DATABASE {self.name}")

    def start(self) -> None:
        """Let everybody in."""
        self._ask(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")

    def stop(self) -> None:
        """Let nobody in, and send everybody away."""
        self._ask(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self._ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", self.name)

    def drop(self) -> None:
        """Drop it."""
        self._ask(f"DROP DATABASE {self.name} WITH (FORCE)")

    @staticmethod
    def _ask(sql: str, *parameters: str) -> None:
        import psycopg

        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(sql, parameters)


@contextmanager
def store(kind: str, folder: Path) -> Iterator[tuple[dict[str, str], dict[str, str], Server | None]]:
    """Give what the connection's extra says of a store, the environment that goes with it, and its server."""
    if kind == "redis":
        server = Redis(folder)
        server.start()
        try:
            yield {"rate_store": "rates"}, {"AIRFLOW_CONN_RATES": f"redis://127.0.0.1:{server.port}"}, server
        finally:
            server.stop()
    elif kind == "postgres":
        database = Database()
        address = urlsplit(POSTGRES)._replace(path=f"/{database.name}").geturl()
        try:
            yield {"rate_store": "rates"}, {"AIRFLOW_CONN_RATES": address}, database
        finally:
            database.drop()
    elif kind == "folder":
        yield {"rate_store": f"file://{folder}/rates"}, {}, None
    else:
        yield {}, {}, None


def work(
    folder: Path, chosen: argparse.Namespace, server: Server | None, environment: dict[str, str]
) -> tuple[int, int]:
    """Let all processes call for so many seconds.

    :returns: calls answered, and calls given up.
    """
    told = {"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    kinds = [("worker", THREADS)] * WORKERS + [("triggerer", TASKS)] * TRIGGERERS
    processes = []
    for number, (kind, many) in enumerate(kinds):
        ahead = ["faketime", "-f", "+1h"] if chosen.wrong_clock and number == 0 else []
        command = [*ahead, sys.executable, "-W", "ignore", "-c", WORK, kind, str(many), str(chosen.seconds)]
        processes.append(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**told, **environment}
            )
        )
    for process in processes:
        assert process.stdout is not None
        if not any(line == "ready\n" for line in process.stdout):
            raise RuntimeError("a process did not start")
    away = threading.Timer(chosen.seconds / 3, lambda: server and server.stop())
    back = threading.Timer(chosen.seconds / 2, lambda: server and server.start())
    for timer in (away, back) if chosen.kill else ():
        timer.start()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [json.loads(process.communicate(timeout=chosen.seconds + 300)[0].split("\n")[-2]) for process in processes]
    return sum(end["answered"] for end in ends), sum(end["many_given_up"] for end in ends)


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Run once, and count what the sandbox's log says."""
    folder = Path(tempfile.mkdtemp(prefix="esp-account-rate-"))
    try:
        with (
            sandbox() as url,
            httpx.Client(base_url=f"{url}/_sandbox", trust_env=False) as control,
            store(chosen.store, folder) as (says, environment, server),
        ):
            control.post("/limits", json={"sendpulse.second": chosen.rate, MINUTE: None}).raise_for_status()
            extra = {"api_key": "sandbox-apikey", "rate_limits": {"sendpulse.second": chosen.rate, MINUTE: 1e6}, **says}
            if chosen.store == "none":
                extra["rate_share"] = round(1 / (WORKERS + TRIGGERERS), 4)
            account = {"conn_type": "sendpulse", "host": f"{url}/sendpulse", "extra": extra}
            environment["AIRFLOW_CONN_ACCOUNT"] = json.dumps(account)
            answered, given_up = work(folder, chosen, server, environment)
            log = control.get("/requests", params={"path": "*/user/info", "limit": 100_000}).json()["requests"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    moments = [datetime.fromisoformat(row["time"]).timestamp() for row in log]
    begin = min(moments)
    within = [row["status"] for at, row in zip(moments, log, strict=True) if at - begin < chosen.seconds]
    return {
        "used": within.count(200) / (chosen.rate * chosen.seconds),
        "refused": sum(row["status"] == 429 for row in log),
        "answered": answered,
        "given_up": given_up,
    }


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=["redis", "postgres", "folder", "none"], default="redis")
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--wrong-clock", action="store_true")
    chosen = parser.parse_args()
    figures = []
    for number in range(1, chosen.runs + 1):
        result = measure(chosen)
        strict = chosen.store != "none" and not chosen.kill
        what = f"run {number}, {chosen.store}: of {chosen.rate:g} a second used over {chosen.seconds:g} s"
        figures.append(
            Figure(
                what,
                f"{result['used']:.1%}, {result['refused']} refused, {result['given_up']} given up",
                f"at least {LEAST_USED:.0%}, no 429, none given up" if strict else "none given up",
                result["given_up"] == 0 and (not strict or (result["used"] >= LEAST_USED and not result["refused"])),
            )
        )
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())
