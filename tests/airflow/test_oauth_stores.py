"""One suite for every token store, over a real Airflow, and what is special about Airflow's two."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.auth.token_set import TokenSet
from airflow_provider_esp.core.auth.token_store import FileTokens, MemoryTokens, TokenStore
from airflow_provider_esp.exceptions import StoreShadowed, StoreUnusable, TokensUnreadable
from airflow_provider_esp.stores import tokens
from airflow_provider_esp.stores.airflow_variables import hide
from airflow_provider_esp.stores.tokens import ConnectionTokens, VariableTokens

GRANT = TokenSet("access-one", "refresh-one", issued_at=1000.0, expires_at=173_800.0, refresh_expires_at=2_593_000.0)
NEWER = TokenSet("access-two", "refresh-two", issued_at=2000.0, expires_at=174_800.0, refresh_expires_at=2_594_000.0)
NAME = "esp_oauth_token_suite"
CONN_ID = "kept_in_itself"


@pytest.fixture
def kept_connection(airflow_db: Path) -> Iterator[str]:
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        made = Connection(conn_id=CONN_ID, conn_type="esputnik", extra=json.dumps({"client_id": "the-client"}))
        session.add(made)
    yield CONN_ID
    with create_session() as session:
        session.query(Connection).filter(Connection.conn_id == CONN_ID).delete()


@pytest.fixture
def variable(airflow_db: Path) -> Iterator[VariableTokens]:
    store = VariableTokens(NAME, settle=0.3)
    yield store
    store.forget()


@pytest.fixture(params=["memory", "file", "variable", "connection"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    match request.param:
        case "memory":
            return MemoryTokens()
        case "file":
            return FileTokens(tmp_path / "tokens.json", "the-secret")
        case "variable":
            made: TokenStore = request.getfixturevalue("variable")
            return made
        case _:
            return ConnectionTokens(request.getfixturevalue("kept_connection"), NAME)


def never() -> bool:
    return False


def test_nothing_is_kept_at_first(store: TokenStore) -> None:
    assert store.load() is None


def test_what_was_saved_is_what_is_read(store: TokenStore) -> None:
    assert store.save(GRANT) == GRANT
    assert store.load() == GRANT


def test_a_newer_grant_replaces_an_older_one(store: TokenStore) -> None:
    store.save(GRANT)
    assert store.save(NEWER) == NEWER
    assert store.load() == NEWER


def test_an_older_grant_never_replaces_a_newer_one_and_the_newer_one_is_given_back(store: TokenStore) -> None:
    store.save(NEWER)
    assert store.save(GRANT) == NEWER
    assert store.load() == NEWER


def test_what_is_forgotten_is_gone_and_may_be_forgotten_twice(store: TokenStore) -> None:
    store.save(NEWER)
    store.forget()
    store.forget()
    assert store.load() is None
    assert store.save(GRANT) == GRANT


def test_one_at_a_time_has_the_turn_and_may_save_in_it(store: TokenStore) -> None:
    with store.turn(never, 0) as first:
        assert first
        with store.turn(never, 0) as second:
            assert not second
        store.save(GRANT)
    with store.turn(never, 0) as third:
        assert third


def test_whoever_waits_stops_when_there_is_nothing_left_to_wait_for(store: TokenStore) -> None:
    with store.turn(never, 0), store.turn(lambda: True, 120) as mine:
        assert not mine


def test_the_turn_goes_to_whoever_waits_for_it(store: TokenStore) -> None:
    got = threading.Event()

    def wait() -> None:
        with store.turn(never, 120) as mine:
            assert mine
            got.set()

    with store.turn(never, 0):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not got.wait(0.2)
    assert got.wait(120)
    thread.join()


def test_the_turn_ends_with_an_error_inside_it(store: TokenStore) -> None:
    with pytest.raises(ZeroDivisionError), store.turn(never, 0):
        raise ZeroDivisionError
    with store.turn(never, 0) as mine:
        assert mine


# -- a Variable


def stored_variable(name: str) -> Any:
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        row = session.query(Variable).filter(Variable.key == name).one()
        return row._val, row.is_encrypted


def test_a_variable_is_encrypted_in_the_database(variable: VariableTokens) -> None:
    variable.save(GRANT)
    raw, encrypted = stored_variable(NAME)
    assert encrypted
    assert "access-one" not in raw
    assert "refresh-one" not in raw


def test_airflow_hides_the_variable_and_the_tokens_in_it(variable: VariableTokens) -> None:
    from airflow.providers.common.compat.sdk import redact

    variable.save(GRANT)
    assert redact({NAME: "anything"}) == {NAME: "***"}
    assert variable.load() == GRANT
    assert redact("it says access-one and refresh-one") == "it says *** and ***"


def test_a_variable_that_something_else_answers_for_is_an_error_of_its_own(
    variable: VariableTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable.save(GRANT)
    monkeypatch.setenv(f"AIRFLOW_VAR_{NAME.upper()}", GRANT.to_json())
    with pytest.raises(StoreShadowed) as caught:
        variable.save(NEWER)
    assert NAME in str(caught.value)
    assert "environment variable" in str(caught.value)
    assert "access" not in str(caught.value)


def test_a_variable_that_somebody_edited_is_refused(variable: VariableTokens) -> None:
    from airflow.models.variable import Variable

    Variable.set(NAME, "nonsense")
    with pytest.raises(TokensUnreadable, match=NAME):
        variable.load()


def test_tokens_are_hidden_one_by_one() -> None:
    from airflow.providers.common.compat.sdk import redact

    hide(["a-token-of-this-test"])
    assert redact("see a-token-of-this-test") == "see ***"


# -- the connection itself


def test_tokens_in_a_connection_leave_its_other_fields_alone(kept_connection: str) -> None:
    from airflow.models.connection import Connection

    store = ConnectionTokens(kept_connection, NAME)
    store.save(GRANT)
    extra = Connection.get_connection_from_secrets(kept_connection).extra_dejson
    assert extra["client_id"] == "the-client"
    assert set(extra) == {"client_id", tokens.FIELD}
    store.forget()
    assert Connection.get_connection_from_secrets(kept_connection).extra_dejson == {"client_id": "the-client"}


def test_tokens_of_another_application_in_a_connection_are_none(kept_connection: str) -> None:
    ConnectionTokens(kept_connection, NAME).save(GRANT)
    assert ConnectionTokens(kept_connection, "esp_oauth_token_other").load() is None


def test_a_connection_outside_the_database_is_refused_before_anything_is_refreshed(
    airflow_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FROM_OUTSIDE", json.dumps({"conn_type": "esputnik"}))
    store = ConnectionTokens("from_outside", NAME)
    assert store.load() is None
    with pytest.raises(StoreUnusable, match="not in Airflow's metadata database"), store.turn(never, 0):
        pass
    with pytest.raises(StoreUnusable, match="not in Airflow's metadata database"):
        store.save(GRANT)


def test_a_connection_that_something_else_answers_for_is_an_error_of_its_own(
    kept_connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps({"conn_type": "esputnik"}))
    with pytest.raises(StoreShadowed, match=CONN_ID):
        ConnectionTokens(kept_connection, NAME).save(GRANT)


def test_what_is_no_record_in_a_connection_is_refused(kept_connection: str) -> None:
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        row = session.query(Connection).filter(Connection.conn_id == CONN_ID).one()
        row.extra = json.dumps({tokens.FIELD: "nonsense"})
    with pytest.raises(TokensUnreadable, match=CONN_ID):
        ConnectionTokens(kept_connection, NAME).load()


# -- the list of connections


def test_connections_are_remembered_and_dismissed(airflow_db: Path) -> None:
    assert tokens.authorised_connections() == []
    tokens.remember("second")
    tokens.remember("first")
    tokens.remember("second")
    assert tokens.authorised_connections() == ["first", "second"]
    tokens.dismiss("second")
    tokens.dismiss("unknown")
    assert tokens.authorised_connections() == ["first"]
    tokens.dismiss("first")
