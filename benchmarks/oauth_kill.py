"""A process dies between getting new tokens and saving them, at a random moment; what the next one finds.

    python benchmarks/oauth_kill.py --store file --n 30

Each time a process renews a token that is due (in even rounds it still works, in odd ones it has ended) and is killed
with SIGKILL up to 80 ms after the server has answered, saving being slowed down a little so that most moments fall
before or into it. Then the next process makes a call. It must either go on or report the one clear error, ask the
server for tokens at most twice, and leave the stored tokens alone unless it has newer ones.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LIFETIME = 172_800


def settings_of(place: dict[str, str]) -> Any:
    from airflow_provider_esp.connections import parse
    from airflow_provider_esp.sandbox.oauth import registry

    extra = {
        "client_id": registry.CLIENT_ID,
        "client_secret": registry.CLIENT_SECRET,
        "auth_server": place["auth_server"],
        "ca_bundle": place["ca_file"],
    }
    return parse("esputnik", host=place["api"], extra=extra)


def store_of(place: dict[str, str], slow: bool = False) -> Any:
    """Return the store; a slow one waits up to 100 ms before it saves."""
    from airflow_provider_esp.core.auth.token_store import FileTokens
    from airflow_provider_esp.stores.tokens import VariableTokens

    if place["store"] == "file":
        store: Any = FileTokens(place["path"], settings_of(place).oauth.client_secret)
    else:  # with a short lease, so that the next process need not wait for the dead one's to end
        store = VariableTokens("esp_oauth_token_killed", lease_seconds=4.0, settle=1.0)
    if slow:
        save = store.save

        def slowly(grant: Any) -> Any:
            time.sleep(random.uniform(0, 0.1))
            return save(grant)

        store.save = slowly
    return store


def call(place: dict[str, str], moved: float, slow: bool, told: Any) -> None:
    """Make one call with the stored tokens, and tell how it went."""
    import logging

    from airflow_provider_esp.cli import authorize
    from airflow_provider_esp.core.auth.refresher import TokenRefresher
    from airflow_provider_esp.exceptions import EspError
    from airflow_provider_esp.hooks.credentials import application

    logging.disable(logging.WARNING)
    settings = settings_of(place)
    app, store = application(settings.oauth, settings.ca_bundle), store_of(place, slow)
    renewing = TokenRefresher(app, store, "esputnik_default", lambda: time.time() + moved, wait_for_save=2.0)
    told.send(("ready", ""))
    try:
        token = renewing.fetch(None)
        kept = store.load()
        authorize.prove(settings, kept)
    except EspError as error:
        told.send((type(error).__name__, str(error)))
    else:
        told.send(("went on", "" if token.value == kept.access_token else "with another token than the stored one"))


def run(context: Any, place: dict[str, str], moved: float, slow: bool) -> tuple[Any, Any]:
    """Start a process that makes the call, and wait until it begins."""
    ours, theirs = context.Pipe()
    process = context.Process(target=call, args=(place, moved, slow, theirs))
    process.start()
    if not ours.poll(120):
        raise SystemExit("a process did not begin within two minutes")
    ours.recv()
    return process, ours


def kill(context: Any, sandbox: Any, place: dict[str, str], moved: float, asked: int) -> bool:
    """Have a process renew the tokens and kill it just after; tell whether it had saved them."""
    process, pipe = run(context, place, moved, slow=True)
    while len(sandbox.requests("*/oauth/token")) == asked and not pipe.poll(0):
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.08))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    newest = sandbox.state.store.value("SELECT access FROM uaa_tokens ORDER BY id DESC LIMIT 1")
    kept = store_of(place).load()
    return kept is not None and kept.access_token == newest


def soak(store: str, rounds: int) -> dict[str, Any]:
    """Run all rounds and count."""
    from airflow_provider_esp.cli import authorize
    from airflow_provider_esp.core.auth import oauth
    from airflow_provider_esp.hooks.credentials import application
    from airflow_provider_esp.sandbox import Sandbox
    from airflow_provider_esp.sandbox.oauth import registry
    from airflow_provider_esp.sandbox.tls_server import AuthorisationServer

    context = multiprocessing.get_context("spawn")
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox, AuthorisationServer(sandbox) as uaa:
        place = {"api": sandbox.esputnik_url, "auth_server": uaa.url, "ca_file": str(uaa.ca_file), "store": store}
        place["path"] = str(Path(folder) / "tokens.json")
        settings = settings_of(place)
        app, kept = application(settings.oauth, settings.ca_bundle), store_of(place)
        moved = 0.0

        def consent() -> None:
            code = uaa.consent(registry.CLIENT_ID, registry.CALLBACK)
            authorize.keep(kept, oauth.exchange_code(app, code, lambda: time.time() + moved))

        consent()
        for number in range(rounds):
            step = LIFETIME * 0.8 if number % 2 == 0 else LIFETIME + 60.0
            sandbox.advance(step)
            moved += step
            asked = len(sandbox.requests("*/oauth/token"))
            saved = kill(context, sandbox, place, moved, asked)
            between = kept.load()
            asked = len(sandbox.requests("*/oauth/token"))
            process, pipe = run(context, place, moved, slow=False)
            if not pipe.poll(60):
                wrong.append(f"round {number}: the next process did not come to an end")
                process.kill()
                continue
            outcome, said = pipe.recv()
            process.join()
            after = kept.load()
            seen[f"{'saved' if saved else 'lost'}, token {'due' if number % 2 == 0 else 'ended'}: {outcome}"] += 1
            if said and (outcome != "ConsentRequired" or "authorize --conn-id esputnik_default" not in said):
                wrong.append(f"round {number}: {outcome} {said}")
            if len(sandbox.requests("*/oauth/token")) - asked > 2:
                wrong.append(f"round {number}: the next process asked for tokens more than twice")
            if (
                after is None
                or after.issued_at < between.issued_at
                or (outcome == "ConsentRequired" and after != between)
            ):
                wrong.append(f"round {number}: the stored tokens were lost or replaced by older ones")
            if not saved:
                consent()
        kept.forget()
    return {"store": store, "kills": rounds, "what_came_of_it": dict(sorted(seen.items())), "wrong": wrong}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("file", "variable"), default="file")
    parser.add_argument("--n", type=int, default=30)
    chosen = parser.parse_args()
    if chosen.store == "variable":
        if "AIRFLOW_HOME" not in os.environ:
            parser.error("AIRFLOW_HOME must name a folder of its own: its Variables are written")
        from airflow.utils.db import initdb

        initdb()
    machine = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "cpus": os.cpu_count(), "python": platform.python_version()}
    result = soak(chosen.store, chosen.n)
    print(json.dumps({**machine, **result, "passed": not result["wrong"]}))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
