"""Many processes find the same expired token at the same moment, again and again; every call must succeed.

    python benchmarks/oauth_race.py --store file --switch reuse_revokes_family --rounds 50 --processes 20

Each round moves the sandbox's clock past the end of the access token. In even rounds the processes see from their own
clock that it has ended, in odd ones the service's 401 tells them. What counts: calls that failed, refreshes for each
round, families revoked, and whether the store ends with the server's newest token. With ``--store variable`` the
Variables are those of a real Airflow, in the metadata database that AIRFLOW_HOME names (it is migrated first).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SWITCHES = ("neither", "reuse_revokes_family", "refresh_ends_access", "both")
LIFETIME = 172_800


@dataclass(frozen=True)
class Place:
    """Everything a process must know."""

    api: str
    auth_server: str
    ca_file: str
    store: str
    path: str


def settings_of(place: Place) -> Any:
    from airflow_provider_esp.connections import parse
    from airflow_provider_esp.sandbox.oauth import registry

    extra = {
        "client_id": registry.CLIENT_ID,
        "client_secret": registry.CLIENT_SECRET,
        "auth_server": place.auth_server,
        "ca_bundle": place.ca_file,
        "oauth_store": place.path if place.store == "file" else "variable",
    }
    return parse("esputnik", host=place.api, extra=extra)


def work(place: Place, rounds: int, barrier: Any, shift: Any, outcomes: Any) -> None:
    """Call the API once in each round, with a clock that the parent moves."""
    import logging

    from airflow_provider_esp.core.transport.account import Account, Credential
    from airflow_provider_esp.core.transport.client import Client
    from airflow_provider_esp.core.transport.throttle import shared_throttle
    from airflow_provider_esp.core.transport.tokens import TokenSource
    from airflow_provider_esp.hooks.credentials import renewal
    from airflow_provider_esp.services.esputnik.api import general
    from airflow_provider_esp.services.esputnik.service import ESPUTNIK

    logging.disable(logging.WARNING)
    settings = settings_of(place)

    def clock() -> float:
        return time.time() + float(shift.value)

    source = TokenSource(renewal(settings.oauth, settings.ca_bundle, "esputnik_default", clock).fetch, clock=clock)
    credential = Credential(identity="race", tokens=source)
    account = Account(ESPUTNIK, settings.base_url, credential, shared_throttle(settings.base_url, "race", 1.0, {}))
    with Client(account) as client:
        for _ in range(rounds):
            barrier.wait()
            began = time.monotonic()
            try:
                client.run(general.version())
            except Exception as error:  # noqa: BLE001  # whatever it is, the round goes on and the run has failed
                outcomes.put(("failed", time.monotonic() - began, str(error)))
            else:
                outcomes.put(("ok", time.monotonic() - began, ""))
            barrier.wait()


def race(store: str, switch: str, rounds: int, processes: int) -> dict[str, Any]:
    """Run all rounds and count."""
    from airflow_provider_esp.cli import authorize
    from airflow_provider_esp.core.auth import oauth
    from airflow_provider_esp.hooks.credentials import application
    from airflow_provider_esp.sandbox import Sandbox
    from airflow_provider_esp.sandbox.oauth import registry
    from airflow_provider_esp.sandbox.tls_server import AuthorisationServer
    from airflow_provider_esp.stores.tokens import token_store

    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox, AuthorisationServer(sandbox) as uaa:
        for name in ("reuse_revokes_family", "refresh_ends_access"):
            sandbox.set(**{f"uaa__{name}": switch in (name, "both")})
        place = Place(sandbox.esputnik_url, uaa.url, str(uaa.ca_file), store, str(Path(folder) / "tokens.json"))
        settings = settings_of(place)
        code = uaa.consent(registry.CLIENT_ID, registry.CALLBACK)
        kept = token_store(settings.oauth, "esputnik_default")
        kept.forget()
        authorize.keep(kept, oauth.exchange_code(application(settings.oauth, settings.ca_bundle), code))
        barrier, shift, outcomes = context.Barrier(processes + 1, timeout=400), context.Value("d", 0.0), context.Queue()
        workers = [
            context.Process(target=work, args=(place, rounds, barrier, shift, outcomes)) for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        failures: list[str] = []
        seconds: list[float] = []
        refreshes: list[int] = []
        for number in range(rounds):
            sandbox.advance(LIFETIME + 60)
            # Not all of it in odd rounds: the processes then believe that the token is good, and are told otherwise.
            shift.value += LIFETIME + 60 if number % 2 == 0 else 3600
            before = len(sandbox.requests("*/oauth/token"))
            barrier.wait()
            barrier.wait()
            refreshes.append(len(sandbox.requests("*/oauth/token")) - before)
            for _ in range(processes):
                outcome, took, said = outcomes.get()
                seconds.append(took)
                if outcome != "ok":
                    failures.append(said)
        for worker in workers:
            worker.join()
        newest = sandbox.state.store.value("SELECT access FROM uaa_tokens ORDER BY id DESC LIMIT 1")
        revoked = sandbox.state.store.value("SELECT count(*) FROM uaa_tokens WHERE revoked != ''")
        last = kept.load()
        kept.forget()
        return {
            "store": store,
            "switch": switch,
            "rounds": rounds,
            "processes": processes,
            "calls": rounds * processes,
            "failed_calls": len(failures),
            "refreshes_per_round": round(sum(refreshes) / rounds, 3),
            "most_refreshes_in_a_round": max(refreshes),
            "tokens_revoked": revoked,
            "store_has_newest_token": last is not None and last.access_token == newest,
            "slowest_call_seconds": round(max(seconds), 2),
            "median_call_seconds": round(sorted(seconds)[len(seconds) // 2], 2),
            "first_failure": failures[0] if failures else "",
        }


def passed(result: dict[str, Any]) -> bool:
    """Check whether a run counts as good: a revoked family is a failure, whatever the calls say."""
    return not result["failed_calls"] and not result["tokens_revoked"] and bool(result["store_has_newest_token"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("file", "variable"), default="file")
    parser.add_argument("--switch", choices=(*SWITCHES, "each"), default="each")
    parser.add_argument("--rounds", "--n", type=int, default=50)
    parser.add_argument("--processes", type=int, default=20)
    chosen = parser.parse_args()
    if chosen.store == "variable":
        if "AIRFLOW_HOME" not in os.environ:
            parser.error("AIRFLOW_HOME must name a folder of its own: its Variables are written")
        from airflow.utils.db import initdb

        initdb()
    machine = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "cpus": os.cpu_count(), "python": platform.python_version()}
    good = True
    for switch in SWITCHES[1:3] if chosen.switch == "each" else (chosen.switch,):
        result = race(chosen.store, switch, chosen.rounds, chosen.processes)
        good = good and passed(result)
        print(json.dumps({**machine, **result, "passed": passed(result)}), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
