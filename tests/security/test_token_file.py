"""The file that tokens are kept in, and what another user of the machine may do beside it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_esp.cli import authorize
from airflow_provider_esp.core.auth import token_store
from airflow_provider_esp.core.auth.token_set import TokenSet
from airflow_provider_esp.core.auth.token_store import FileTokens
from airflow_provider_esp.exceptions import StoreUnusable, TokensUnreadable

Refused = Callable[[str, str, str], None]
SECRET = "client-secret"


def grant(issued_at: float) -> TokenSet:
    return TokenSet(f"access-{issued_at}", f"refresh-{issued_at}", issued_at, issued_at + 10, issued_at + 100)


@pytest.fixture
def store(tmp_path: Path) -> FileTokens:
    store = FileTokens(tmp_path / "tokens.json", SECRET)
    store.save(grant(1000.0))
    return store


def test_an_older_file_that_is_put_back_is_not_taken(store: FileTokens, tmp_path: Path, refused: Refused) -> None:
    old = (tmp_path / "tokens.json").read_bytes()
    store.save(grant(2000.0))
    (tmp_path / "tokens.json").write_bytes(old)
    for reader in (store, FileTokens(tmp_path / "tokens.json", SECRET)):
        with pytest.raises(TokensUnreadable, match="restored from an old copy"):
            reader.load()
    authorize.keep(store, grant(1500.0))  # a person has consented anew
    assert store.load() == grant(1500.0)
    refused("token file", "an older file put back", "refused by name")


@pytest.mark.parametrize("content", ["", "x", "9e9 nothing", "9e999 0", "\u00e9 \u00e9", "5000 " + "0" * 64])
def test_a_lock_file_that_somebody_has_changed_decides_nothing(content: str, store: FileTokens, tmp_path: Path) -> None:
    (tmp_path / "tokens.json.lock").write_text(content)
    assert store.load() == grant(1000.0)


@pytest.mark.parametrize("name", ["tokens.json", "tokens.json.lock", "tokens.json.turn"])
def test_a_named_pipe_holds_nobody_up(name: str, store: FileTokens, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name, 0o600)
    with pytest.raises(StoreUnusable, match="plain file"):  # noqa: PT012  # whichever of them meets the pipe
        store.load()
        with store.turn(lambda: False, 0):
            pass
        store.save(grant(2000.0))
    refused("token file", f"a named pipe, {name[6:]}", "refused at once")


@pytest.mark.parametrize("seal", ["\\u00e9" * 64, "", "\\ud800"])
def test_an_odd_seal_is_an_error_of_ours(seal: str, store: FileTokens, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "tokens.json").write_text(f'{{"seal": "{seal}", "tokens": "x"}}')
    with pytest.raises(TokensUnreadable):
        store.load()
    refused("token file", "a seal that is not ASCII", "an error of our tree")


def test_a_lock_that_is_never_let_go_is_named(
    store: FileTokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr(token_store, "_LONGEST_CHANGE", 0.1)
    with (tmp_path / "tokens.json.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreUnusable, match=r"another process has held .*tokens\.json\.lock"):
            store.save(grant(2000.0))
    assert store.save(grant(2000.0)) == grant(2000.0)
    refused("token file", "a lock held for ever", "named after a minute")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_lock_of_another_user_is_refused(store: FileTokens, tmp_path: Path, refused: Refused) -> None:
    os.chown(tmp_path / "tokens.json.lock", 65534, 65534)
    with pytest.raises(StoreUnusable, match="belongs to another user"):
        store.save(grant(2000.0))
    refused("token file", "a lock of another user", "refused at once")
