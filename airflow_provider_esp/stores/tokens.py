"""OAuth tokens kept by Airflow: in a Variable, or in the connection itself; and the list of authorised connections.

A Variable is the one thing that tasks of Airflow 2 and 3 and triggers may all write. Fernet encrypts it, and ``token``
in its name makes Airflow hide it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.connections.oauth import OAuthSettings
from airflow_provider_esp.core.auth.token_set import TokenSet, grant_from_json, slot_name
from airflow_provider_esp.core.auth.variable_lock import VariableLock
from airflow_provider_esp.exceptions import StoreShadowed, StoreUnusable, TokensUnreadable
from airflow_provider_esp.stores.airflow_variables import VariableSlot, connection, hide, in_task

if TYPE_CHECKING:
    from airflow_provider_esp.core.auth.token_store import TokenStore

FIELD = "oauth_token"
_LIST = "esp_oauth_connections"
_LOOK_AGAIN = 0.2


class VariableTokens:
    """Keeps tokens in an Airflow Variable; turns are taken by a lease in a second one.

    :param name: of the Variable, see `slot_name`.
    :param lease_seconds: after which a turn is over, whatever became of its holder.
    :param settle: see `VariableLock`.
    """

    locked = False

    def __init__(self, name: str, lease_seconds: float = 90.0, settle: float = 2.0) -> None:
        self.title = f"the Airflow Variable {name}"
        self._slot = VariableSlot(name, "OAuth tokens of an email service. Written by airflow-provider-esp.")
        lease = VariableSlot(f"{name}_lease", "Who renews the tokens. Written by airflow-provider-esp.")
        self._lease = VariableLock(lease, lease_seconds, settle)

    def load(self) -> TokenSet | None:
        """Return what is kept."""
        text = self._slot.read()
        if not text:
            return None
        grant = grant_from_json(text, self.title)
        hide(grant.secrets)
        return grant

    def save(self, grant: TokenSet) -> TokenSet:
        """Keep a grant, unless a newer one is there, and read it back.

        :raises StoreShadowed: something else than what was written is read.
        """
        hide(grant.secrets)
        kept = self.load()
        if kept is not None and kept.issued_at > grant.issued_at:
            return kept
        self._slot.write(grant.to_json())
        kept = self.load()
        if kept is None or kept.issued_at < grant.issued_at:
            raise _shadowed(self.title, f"variable {self._slot.name}")
        return kept

    def forget(self) -> None:
        """Remove the Variable."""
        self._slot.delete()

    def turn(self, enough: Callable[[], bool], patience: float) -> AbstractContextManager[bool]:
        """Wait for the turn to refresh; see `TokenStore.turn`."""
        return self._lease.turn(enough, patience)


class ConnectionTokens:
    """Keeps tokens in the extra of their connection, under the lock of its row in the metadata database.

    Tasks of Airflow 3 can read them and cannot refresh them: they have no way to write to a connection.

    :param conn_id: the connection.
    :param name: of the place, see `slot_name`; tokens of another application in the same field are none.
    """

    locked = True

    def __init__(self, conn_id: str, name: str) -> None:
        self.title = f"the connection {conn_id!r}"
        self._conn_id = conn_id
        self._name = name
        self._session: Any = None

    def load(self) -> TokenSet | None:
        """Return what is kept."""
        return self._read(connection(self._conn_id).extra_dejson)

    def _read(self, extra: dict[str, Any]) -> TokenSet | None:
        text = extra.get(FIELD)
        if not text:
            return None
        try:
            kept = json.loads(text)
            name, record = kept["slot"], kept["tokens"]
        except (ValueError, KeyError, TypeError):
            raise TokensUnreadable(f"the extra {FIELD} of {self.title} is not a record of tokens") from None
        if name != self._name:
            return None
        grant = grant_from_json(record, self.title)
        hide(grant.secrets)
        return grant

    def save(self, grant: TokenSet) -> TokenSet:
        """Keep a grant, unless a newer one is there, and read it back.

        :raises StoreUnusable: the connection is not in the metadata database, or that is out of reach.
        :raises StoreShadowed: something else than what was written is read.
        """
        hide(grant.secrets)
        with self._row() as row:
            extra = row.extra_dejson
            kept = self._read(extra)
            if kept is not None and kept.issued_at > grant.issued_at:
                return kept
            record = json.dumps({"slot": self._name, "tokens": grant.to_json()})
            row.extra = json.dumps({**extra, FIELD: record})
        back = self.load()
        if back is None or back.issued_at < grant.issued_at:
            raise _shadowed(self.title, f"connection {self._conn_id!r}")
        return back

    def forget(self) -> None:
        """Take the tokens out of the connection."""
        with self._row() as row:
            extra = row.extra_dejson
            if extra.pop(FIELD, None) is not None:
                row.extra = json.dumps(extra)

    @contextmanager
    def _row(self) -> Iterator[Any]:
        """Lend the connection's row, in the session of our turn where we have one; written at the end."""
        if self._session is not None:
            yield self._locked_row(self._session)
            self._session.commit()
            return
        with _session() as session:
            yield self._locked_row(session)
            session.commit()

    def _locked_row(self, session: Any) -> Any:
        from airflow.models.connection import Connection

        # An update that changes nothing takes the row's lock on every database, SQLite included, where FOR UPDATE
        # does not exist.
        chosen = Connection.conn_id == self._conn_id
        session.query(Connection).filter(chosen).update(
            {Connection.conn_id: Connection.conn_id}, synchronize_session=False
        )
        row = session.query(Connection).filter(chosen).populate_existing().one_or_none()
        if row is None:
            raise StoreUnusable(
                f"{self.title} is not in Airflow's metadata database, so tokens cannot be kept in it",
                advice="Keep them in a Variable or a file: see oauth_store in the connection.",
            )
        return row

    @contextmanager
    def turn(self, enough: Callable[[], bool], patience: float) -> Iterator[bool]:
        """Wait for the turn to refresh; see `TokenStore.turn`."""
        with _session() as session:
            mine = self._wait(session, enough, patience)
            if mine:
                self._session = session
            try:
                yield mine
            finally:
                if mine:
                    self._session = None

    def _wait(self, session: Any, enough: Callable[[], bool], patience: float) -> bool:
        from sqlalchemy.exc import OperationalError

        end = time.monotonic() + patience
        while True:
            try:
                self._locked_row(session)
            except OperationalError:  # another one has it, and the database would not wait longer
                session.rollback()
            else:
                return True
            if time.monotonic() >= end or enough():
                return False
            time.sleep(_LOOK_AGAIN)


@contextmanager
def _session() -> Iterator[Any]:
    if in_task():
        raise StoreUnusable(
            "a task of Airflow 3 cannot write to a connection, so tokens that are kept in one cannot be renewed here",
            advice="Empty oauth_store in the connection, then authorize again: tokens then go into a Variable.",
        )
    from airflow.utils.session import create_session
    from sqlalchemy.orm import Session

    with create_session() as shared:
        database = shared.get_bind()
    # A session of our own: Airflow's reading of connections commits and closes the one that a thread shares.
    with Session(database) as session:
        yield session


def _shadowed(title: str, what: str) -> StoreShadowed:
    return StoreShadowed(
        f"what was written to {title} is not what is read from it: a secrets backend or an environment variable "
        f"answers in its place",
        advice=f"Remove {what} there: tokens change at every refresh, so they must live where tasks can write.",
    )


def token_store(settings: OAuthSettings, conn_id: str) -> TokenStore:
    """Return the store that a connection names.

    :param conn_id: the connection's id, of use only where tokens are kept in the connection.
    """
    name = slot_name(settings.token_url, settings.client_id, settings.token_key)
    match settings.oauth_store:
        case "variable":
            return VariableTokens(name)
        case "connection":
            return ConnectionTokens(conn_id, name)
        case path:
            from airflow_provider_esp.core.auth.token_store import FileTokens

            return FileTokens(path, settings.client_secret)


def authorised_connections() -> list[str]:
    """Return the ids of the connections that were authorised: a task has no other way to find them."""
    return list(json.loads(_list().read() or "[]"))


def remember(conn_id: str) -> None:
    """Add a connection to those that were authorised."""
    known = authorised_connections()
    if conn_id not in known:
        _list().write(json.dumps(sorted([*known, conn_id])))


def dismiss(conn_id: str) -> None:
    """Take a connection off the list of those that were authorised."""
    known = authorised_connections()
    if conn_id in known:
        _list().write(json.dumps([name for name in known if name != conn_id]))


def _list() -> VariableSlot:
    return VariableSlot(_LIST, "Connections authorised by OAuth, for the task that keeps their tokens.")
