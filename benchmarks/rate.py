"""How much of a rate limit is used, and how often it is broken: eight threads and four tasks on one event loop.

    python benchmarks/rate.py --seconds 20

Two runs against SendPulse's sandbox, which is a process of its own and counts requests in a sliding window. In the
first it allows the documented ten requests a second. What counts: answers within the seconds as a part of all that
were allowed, and refusals (429), of which there should be none. In the second the account is stricter than its
documentation, which nobody has told us: three a second. What counts: calls given up, of which there should be none,
and how refusals and answers develop from quarter to quarter while the pace settles.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
from results import Figure, exit_code

from airflow_provider_esp.core.transport.account import Account, Credential
from airflow_provider_esp.core.transport.async_client import AsyncClient
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.core.transport.throttle import Throttle
from airflow_provider_esp.exceptions import EspError
from airflow_provider_esp.services.sendpulse.api import account
from airflow_provider_esp.services.sendpulse.service import SENDPULSE

THREADS, TASKS = 8, 4
DOCUMENTED, STRICT = 10, 3
MINUTE = "sendpulse.minute"
QUARTERS = 4
LEAST_USED = 0.95


@contextmanager
def sandbox() -> Iterator[str]:
    """Run a sandbox in a process of its own; gives its address."""
    command = [sys.executable, "-m", "airflow_provider_esp.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1].rstrip("/")
        finally:
            process.terminate()


def work_for(seconds: float, base_url: str) -> tuple[int, list[str]]:
    """Call as often as the throttle lets us.

    :returns: calls answered, and what became of those given up.
    """
    # The quota a minute is another limit, and would end a longer run early.
    throttle = Throttle(limits={MINUTE: 1e6})
    credential = Credential("rate", header="Bearer sandbox-apikey")
    whose = Account(SENDPULSE, base_url, credential, throttle)
    begin = threading.Barrier(THREADS + 1)
    end = [0.0]
    given_up: list[str] = []

    def in_a_thread(client: Client) -> int:
        begin.wait()
        answered = 0
        while time.monotonic() < end[0]:
            try:
                client.run(account.user_info())
                answered += 1
            except EspError as error:
                given_up.append(str(error))
        return answered

    async def in_a_task(client: AsyncClient) -> int:
        answered = 0
        while time.monotonic() < end[0]:
            try:
                await client.run(account.user_info())
                answered += 1
            except EspError as error:
                given_up.append(str(error))
        return answered

    async def on_a_loop() -> int:
        async with AsyncClient(whose) as client:
            begin.wait()
            return sum(await asyncio.gather(*(in_a_task(client) for _ in range(TASKS))))

    with Client(whose) as client, ThreadPoolExecutor(THREADS + 1) as pool:
        end[0] = time.monotonic() + seconds
        work = [pool.submit(in_a_thread, client) for _ in range(THREADS)]
        work.append(pool.submit(asyncio.run, on_a_loop()))
        return sum(done.result() for done in work), given_up


def measure(seconds: float, allowed: int) -> dict[str, Any]:
    """Run against a sandbox that allows so many requests a second, and count what its log says."""
    with sandbox() as url, httpx.Client(base_url=f"{url}/_sandbox", trust_env=False) as control:
        control.post("/limits", json={"sendpulse.second": allowed, MINUTE: None}).raise_for_status()
        answered, given_up = work_for(seconds, f"{url}/sendpulse")
        log = control.get("/requests", params={"path": "*/user/info", "limit": 20_000}).json()["requests"]
    moments = [datetime.fromisoformat(row["time"]).timestamp() for row in log]
    first = min(moments)
    within = [(at - first, row["status"]) for at, row in zip(moments, log, strict=True) if at - first < seconds]

    def count(status: int, quarter: int) -> int:
        begin, end = (seconds * part / QUARTERS for part in (quarter, quarter + 1))
        return sum(begin <= at < end and said == status for at, said in within)

    return {
        "seconds": seconds,
        "allowed_per_second": allowed,
        "answered": answered,
        "given_up": len(given_up),
        "used": round(sum(status == 200 for _, status in within) / (allowed * seconds), 4),
        "refused": sum(row["status"] == 429 for row in log),
        "used_by_quarter": [round(count(200, n) / (allowed * seconds / QUARTERS), 3) for n in range(QUARTERS)],
        "refused_by_quarter": [count(429, n) for n in range(QUARTERS)],
    }


def documented(result: dict[str, Any]) -> list[Figure]:
    """Tell of the run against the documented limit."""
    return [
        Figure(
            f"of {result['allowed_per_second']} requests a second used over {result['seconds']:g} s",
            f"{result['used']:.1%} (given up: {result['given_up']})",
            f"at least {LEAST_USED:.0%}, none given up",
            result["used"] >= LEAST_USED and not result["given_up"],
        ),
        Figure("refusals (429)", f"{result['refused']}", "none", result["refused"] == 0),
    ]


def strict(result: dict[str, Any]) -> list[Figure]:
    """Tell of the run against a limit that nobody has told us."""
    refused, used = result["refused_by_quarter"], result["used_by_quarter"]
    return [
        Figure(
            f"calls given up where only {result['allowed_per_second']} a second are allowed",
            f"{result['given_up']} (answered: {result['answered']})",
            "none",
            result["given_up"] == 0 and result["answered"] > 0,
        ),
        Figure(
            "refusals in each quarter of that run, and how much was used",
            f"{', '.join(map(str, refused))}; {', '.join(f'{part:.0%}' for part in used)}",
            "fewer at the end than at the beginning",
            refused[-1] < refused[0],
        ),
    ]


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    figures = documented(measure(chosen.seconds, DOCUMENTED)) + strict(measure(chosen.seconds, STRICT))
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())
