"""Keeping tokens: what is special about the record, the file and the lease; all stores share a suite elsewhere."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.auth.token_set import TokenSet, grant_from_json, slot_name
from airflow_provider_esp.core.auth.token_store import FileTokens
from airflow_provider_esp.core.auth.variable_lock import VariableLock
from airflow_provider_esp.exceptions import StoreUnusable, TokensUnreadable

GRANT = TokenSet("access-1", "refresh-1", issued_at=1000.0, expires_at=173_800.0, refresh_expires_at=2_593_000.0)
NEWER = TokenSet("access-2", "refresh-2", issued_at=2000.0, expires_at=174_800.0, refresh_expires_at=2_594_000.0)


def never() -> bool:
    return False


# -- the record


def test_no_token_shows_in_a_repr() -> None:
    shown = repr(replace(GRANT, code="the-code"))
    assert not any(secret in shown for secret in ("access-1", "refresh-1", "the-code"))


def test_a_grant_is_read_as_it_was_written() -> None:
    grant = replace(GRANT, scope="UseRestApi", code="the-code")
    assert grant_from_json(grant.to_json(), "here") == grant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "null",
        "{}",
        '{"version": 2}',
        json.dumps({"version": 1, "access_token": "a"}),
        GRANT.to_json().replace('"refresh-1"', "null"),
        GRANT.to_json().replace('"refresh-1"', '""'),
        GRANT.to_json().replace("1000.0", '"soon"'),
        GRANT.to_json().replace("1000.0", "true"),
    ],
)
def test_what_is_no_record_of_tokens_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(TokensUnreadable) as caught:
        grant_from_json(text, "the place")
    assert "the place" in str(caught.value)
    assert "access-1" not in str(caught.value)


def test_the_place_is_named_by_the_application_and_hidden_by_airflow() -> None:
    name = slot_name("https://uaa/token", "client", "")
    assert "token" in name
    assert "client" not in name
    assert name != slot_name("https://uaa/token", "client", "second")
    assert name != slot_name("https://uaa/token", "other", "")
    assert name != slot_name("https://elsewhere/token", "client", "")


# -- the file


def test_the_file_is_private_and_leaves_no_other_with_tokens_behind(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "tokens.json"
    old = os.umask(0)
    try:
        FileTokens(path, "the-secret").save(GRANT)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {file.name for file in path.parent.iterdir() if GRANT.refresh_token in file.read_text()} == {"tokens.json"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o700 | 0o011])
def test_a_file_that_others_may_use_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "tokens.json"
    store = FileTokens(path, "the-secret")
    store.save(GRANT)
    path.chmod(mode)
    with pytest.raises(StoreUnusable) as caught:
        store.load()
    assert f"mode {mode:04o}" in str(caught.value)
    assert f"chmod 600 {path}" in str(caught.value)


@pytest.mark.parametrize("position", range(0, 280, 7))
def test_a_file_that_was_changed_anywhere_is_refused(tmp_path: Path, position: int) -> None:
    path = tmp_path / "tokens.json"
    store = FileTokens(path, "the-secret")
    store.save(GRANT)
    text = path.read_text()
    changed = "1" if text[position] != "1" else "2"
    path.write_text(text[:position] + changed + text[position + 1 :])
    with pytest.raises(TokensUnreadable) as caught:
        store.load()
    assert str(path) in str(caught.value)
    assert "revoke" in str(caught.value)
    with pytest.raises(TokensUnreadable):
        store.save(NEWER)


@pytest.mark.parametrize("length", [0, 1, 50, 200])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "tokens.json"
    FileTokens(path, "the-secret").save(GRANT)
    path.write_text(path.read_text()[:length])
    with pytest.raises(TokensUnreadable, match="cut off"):
        FileTokens(path, "the-secret").load()


def test_tokens_saved_while_the_file_is_read_are_no_sign_of_an_old_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = FileTokens(tmp_path / "tokens", "secret"), FileTokens(tmp_path / "tokens", "secret")
    store.save(GRANT)
    # The file is open, and before its content is read another process replaces it.
    monkeypatch.setattr(store, "_check", lambda status: other.save(NEWER))
    assert store.load() == GRANT


def test_a_file_made_with_another_client_secret_is_refused(tmp_path: Path) -> None:
    FileTokens(tmp_path / "tokens.json", "the-secret").save(GRANT)
    with pytest.raises(TokensUnreadable, match="another application or client secret"):
        FileTokens(tmp_path / "tokens.json", "another").load()


def test_a_link_in_the_files_place_is_not_followed(tmp_path: Path) -> None:
    FileTokens(tmp_path / "real.json", "the-secret").save(GRANT)
    (tmp_path / "tokens.json").symlink_to(tmp_path / "real.json")
    with pytest.raises(StoreUnusable, match="cannot be opened"):
        FileTokens(tmp_path / "tokens.json", "the-secret").load()


def test_a_folder_that_is_a_file_is_said_before_a_token_is_refreshed(tmp_path: Path) -> None:
    (tmp_path / "in the way").touch()
    store = FileTokens(tmp_path / "in the way" / "tokens.json", "the-secret")
    with pytest.raises(StoreUnusable, match="nothing can be written"), store.turn(never, 0):
        pass


def _count(path: Path, rounds: int) -> None:
    store = FileTokens(path, "the-secret")
    for _ in range(rounds):
        with store.turn(never, 60) as mine:
            assert mine
            kept = store.load() or GRANT
            store.save(replace(kept, issued_at=kept.issued_at + 1))


def test_processes_take_turns_at_the_file_and_none_of_their_work_is_lost(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(tmp_path / "tokens.json", 10)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    last = FileTokens(tmp_path / "tokens.json", "the-secret").load()
    assert last is not None
    assert last.issued_at == GRANT.issued_at + 40


# -- the lease, over a place that can only be read and written


class Register:
    """A place for a text that takes its time."""

    def __init__(self, delay: Callable[[], float] = lambda: 0.0) -> None:
        self.text: str | None = None
        self._delay = delay

    def read(self) -> str | None:
        time.sleep(self._delay())
        text = self.text
        time.sleep(self._delay())
        return text

    glance = read

    def write(self, text: str) -> None:
        time.sleep(self._delay())
        self.text = text
        time.sleep(self._delay())


def test_of_many_who_want_the_lease_at_once_never_two_have_it() -> None:
    import random

    register = Register(lambda: random.uniform(0, 0.02))
    inside: list[str] = []
    most = 0
    turns = 0

    def contend(name: str) -> None:
        nonlocal most, turns
        for _ in range(2):
            with VariableLock(register, settle=0.1).turn(never, 60) as mine:
                assert mine
                inside.append(name)
                most = max(most, len(inside))
                turns += 1
                time.sleep(0.01)
                inside.remove(name)

    threads = [threading.Thread(target=contend, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, turns) == (1, 16)


def test_whoever_was_too_slow_does_not_take_the_turn_it_seems_to_have() -> None:
    delays = iter([0.0, 0.0, 0.0, 0.0, 0.3, 0.0, *[0.0] * 100])
    register = Register(lambda: next(delays))
    began = time.monotonic()
    with VariableLock(register, settle=0.1).turn(never, 5) as mine:
        assert mine
    assert time.monotonic() - began > 0.4  # the slow try, a pause, and a second try


def test_a_lease_whose_holder_died_ends_by_itself() -> None:
    register = Register()
    dead = VariableLock(register, seconds=0.5, settle=0.01).turn(never, 1)
    assert dead.__enter__()
    with VariableLock(register, seconds=0.5, settle=0.01).turn(never, 0) as mine:
        assert not mine
    with VariableLock(register, seconds=0.5, settle=0.01).turn(never, 5) as mine:
        assert mine


@pytest.mark.parametrize(
    "nonsense", ["", "{}", "[]", "null", "broken", '{"holder": null}', '{"holder": "x", "until": "y"}']
)
def test_nonsense_in_the_leases_place_is_a_free_lease(nonsense: str) -> None:
    register = Register()
    register.text = nonsense
    with VariableLock(register, settle=0.01).turn(never, 1) as mine:
        assert mine


def test_a_lease_taken_over_is_not_given_back_by_its_former_holder() -> None:
    register = Register()
    slow: Any = VariableLock(register, seconds=0.1, settle=0.01).turn(never, 1)
    assert slow.__enter__()
    time.sleep(0.15)
    with VariableLock(register, settle=0.01).turn(never, 1) as mine:
        assert mine
        held = register.text
        slow.__exit__(None, None, None)
        assert register.text == held
