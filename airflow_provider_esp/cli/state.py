"""``state``: what a sync remembers, for a person: shown, checked, exported, and one person forgotten.

The key is that of the state's Variable, or what the environment variable ESP_STATE_KEY holds: no option takes a secret.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from airflow_provider_esp.core.sync.entries import Entry, Flag, key_of, unpack
from airflow_provider_esp.core.sync.errors import SyncRefused
from airflow_provider_esp.core.sync.generations import Facts, Pointer, StateFolder
from airflow_provider_esp.core.sync.journal import Journal, counted
from airflow_provider_esp.core.sync.keys import StateKey
from airflow_provider_esp.core.validation.mapper import same_key

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_VARIABLE: Final = "ESP_STATE_KEY"


def run(chosen: argparse.Namespace) -> None:
    """Carry out ``state``.

    :raises SyncStateUnusable: the state is lost, damaged, newer, or written with another key.
    :raises SyncRefused: what was asked for cannot be done.
    """
    actions: dict[str, Callable[[StateFolder, argparse.Namespace], None]] = {
        "show": _show,
        "verify": _verify,
        "export": _export,
        "forget": _forget,
    }
    actions[chosen.action](_state(chosen.state_path), chosen)


def _state(state_path: str) -> StateFolder:
    from airflow_provider_esp.stores.syncs import state_key
    from airflow_provider_esp.utils.paths import private_path

    given = os.environ.get(KEY_VARIABLE)
    key = StateKey(given) if given else state_key(state_path, None, keep=False)
    return StateFolder(private_path(state_path, "--state-path"), key)


def _pointer(state: StateFolder) -> Pointer:
    pointer = state.pointer()
    if pointer is None:
        raise SyncRefused(f"There is no state in {state.folder}: no run of the sync has come to its end there.")
    return pointer


def _show(state: StateFolder, chosen: argparse.Namespace) -> None:
    pointer = _pointer(state)
    facts = pointer.facts
    at = datetime.fromtimestamp(facts.at, UTC).isoformat(timespec="seconds")
    print(f"Generation {pointer.generation}, committed {at} by {', '.join(facts.run.splitlines())}")
    print(f"  people held        {facts.held:>12,}")
    print(f"  keys known         {facts.entries:>12,}")
    print(f"  rows of the source {facts.rows:>12,}")
    print(f"  generations kept   {len(state.generations()):>12,}")
    print(f"  parts of the journal since then: {len(state.journal(pointer.generation)):,}")
    if not facts.complete:
        print("  On trial, or begun anew: not all rows have been dealt with.")


def _entries(state: StateFolder) -> Iterator[Entry]:
    with Journal(state, _pointer(state)).load() as journal:
        yield from map(unpack, journal.entries())


def _verify(state: StateFolder, chosen: argparse.Namespace) -> None:
    counts: Counter[str] = Counter()
    for entry in _entries(state):
        counts["entries"] += 1
        for flag in Flag:
            counts[str(flag.name).lower()] += bool(entry.flags & flag)
        counts["refused"] += bool(entry.tries)
        if entry.handle:
            state.key.open(entry.handle)
    print(
        f"The state is whole: {counts.pop('entries', 0):,} keys, every part is what was written (key {state.key.id})."
    )
    for name, number in counts.items():
        print(f"  {name:<12} {number:>12,}")


def _export(state: StateFolder, chosen: argparse.Namespace) -> None:
    if not chosen.out:
        raise SyncRefused("export writes people's addresses: say --out FILE, which only you can read.")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    number = 0
    with os.fdopen(os.open(Path(chosen.out).expanduser(), flags, 0o600), "wb") as file:
        for entry in _entries(state):
            file.write(msgspec.json.encode(_told(state.key, entry)) + b"\n")
            number += 1
    print(f"{number:,} keys are in {chosen.out}: digests of keys, and people as the service knows them.")


def _told(key: StateKey, entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key.hex(),
        "known_as": key.open(entry.handle) if entry.handle else None,
        "flags": [str(flag.name).lower() for flag in Flag if entry.flags & flag],
        "tries": entry.tries,
    }


def _forget(state: StateFolder, chosen: argparse.Namespace) -> None:
    """Write the current generation anew without a key, and remove those that hold it."""
    name = sys.stdin.readline().strip()
    if not name:
        raise SyncRefused("No key came on standard input, which says whom to forget: echo 4711 | … state forget …")
    pointer, key = _pointer(state), state.key.digest(same_key(name).encode("utf-8", "surrogatepass"))
    found = 0

    def look(raw: bytes) -> None:
        nonlocal found
        found += key_of(raw) == key

    with Journal(state, pointer).load() as journal:
        for _ in counted(journal.entries(), look):
            pass
        if not found:
            print("The state knows nobody of this key.")
            return
        journal.forget(key)
        facts = msgspec.convert(msgspec.to_builtins(pointer.facts), Facts)
        facts.entries = facts.held = 0

        def count(raw: bytes) -> None:
            facts.entries += 1
            facts.held += bool(unpack(raw).flags & Flag.HELD)

        number = pointer.generation + 1
        file = state.write(number, counted(journal.entries(), count), facts)
    forgotten = Pointer(generation=number, file=file, ended=True, facts=facts)
    state.point(forgotten)
    state.prune(1, forgotten)
    print(f"Forgotten, and the older generations are gone: generation {number} is current.")
    print("Not touched: the contact at the service, reports, exports, and the source, which would send it again.")
