"""The connections of this provider as a person may see them: what is known of each without asking its service."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from airflow_provider_esp.connections import TYPES, EsputnikSettings, Settings, parse
from airflow_provider_esp.core.auth.token_set import grant_from_json, slot_name
from airflow_provider_esp.exceptions import ConnectionInvalid, EspError, headline
from airflow_provider_esp.stores import airflow_variables
from airflow_provider_esp.stores.airflow_variables import VariableSlot
from airflow_provider_esp.stores.tokens import ConnectionTokens

CHECK_WITHIN, CHECK_AGAIN = 10.0, 30.0
"""Seconds that a check may take, and that have to pass until the next one."""

_FIELDS = ("login", "password", "host", "schema", "port", "extra")


def read_accounts(session: Any, readable: Collection[str]) -> list[dict[str, Any]]:
    """Describe the connections of the metadata database, by their ids.

    :param readable: ids of connections that the person may read.
    """
    from airflow.models.connection import Connection
    from sqlalchemy import select

    statement = select(Connection).where(Connection.conn_type.in_(TYPES), Connection.conn_id.in_(readable))
    return [described(found) for found in session.scalars(statement.order_by(Connection.conn_id))]


def described(connection: Any) -> dict[str, Any]:
    """Describe one connection: no credential and no address is in it.

    :param connection: Airflow's.
    """
    told = {"conn_id": connection.conn_id, "service": connection.conn_type, "where": "database"}
    try:
        settings = parse(connection.conn_type, **{name: getattr(connection, name) for name in _FIELDS})
    except ConnectionInvalid as invalid:
        return {**told, "credential": "incomplete", "problem": headline(invalid)}
    shares = {"rate_share": settings.rate_share, "limits": dict(settings.rate_limits)}
    return {**told, "credential": _kind(settings), **shares, **_tokens(settings, connection.conn_id)}


def _kind(settings: Settings) -> str:
    if isinstance(settings, EsputnikSettings):
        return "OAuth" if settings.oauth else "API key"
    return "client ID and secret" if getattr(settings, "client_id", None) else "API key or event address"


def _tokens(settings: Settings, conn_id: str) -> dict[str, Any]:
    """Say how long the tokens of an OAuth connection are good for; empty for another one."""
    oauth = settings.oauth if isinstance(settings, EsputnikSettings) else None
    if oauth is None:
        return {}
    told: dict[str, Any] = {"scope": oauth.right, "oauth": "not connected", "kept_in": oauth.oauth_store}
    if oauth.oauth_store not in ("variable", "connection"):
        return {**told, "oauth": "unknown", "kept_in": "a file of the workers"}
    name = slot_name(oauth.token_url, oauth.client_id, oauth.token_key)
    try:
        if oauth.oauth_store == "connection":
            grant = ConnectionTokens(conn_id, name).load()
        else:
            text = VariableSlot(name, "").glance()
            grant = grant_from_json(text, f"the Airflow Variable {name}") if text else None
    except EspError as error:
        return {**told, "oauth": "unreadable", "problem": headline(error)}
    if grant is None:
        return told
    state = "connected" if grant.refresh_expires_at > time.time() else "ended"
    return {
        **told,
        "oauth": state,
        "granted": grant.scope,
        "access_ends": grant.expires_at,
        "refresh_ends": grant.refresh_expires_at,
    }


def last_met(runs: Collection[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Say what the newest task of each connection has met.

    :param runs: as `records.read_page` gives them, the newest first.
    :returns: by connection: ``ok``, ``said`` and ``at``, and whose task it was.
    """
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        record = run["record"]
        conn_id = record.get("conn_id")
        if not isinstance(conn_id, str) or conn_id in found or run["state"] not in ("success", "failed", "deferred"):
            continue
        found[conn_id] = {
            "ok": run["state"] != "failed",
            "said": record.get("said") if run["state"] == "failed" else None,
            "at": record.get("at") or run["end"],
            "service": record.get("service"),
            "task": f"{run['dag_id']} · {run['task_id']}",
        }
    return found


class Checks:
    """Tries connections now and then, each no more often than every half a minute, and for ten seconds at most.

    :param clock: gives seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait_for(self, conn_id: str) -> float:
        """Take the turn to check a connection; gives the seconds that have to pass before, 0 where it may begin."""
        now = self._clock()
        with self._lock:
            left = self._begun.get(conn_id, now - CHECK_AGAIN) + CHECK_AGAIN - now
            if left > 0:
                return left
            self._begun[conn_id] = now
        return 0.0


def check(conn_id: str) -> tuple[bool, str]:
    """Ask a connection's service one thing, as Airflow's own *Test* does.

    The hook finds the connection as Airflow's test has it found: in the environment, under a random name for so long.

    :returns: whether it worked, and a sentence.
    """
    from concurrent.futures import ThreadPoolExecutor
    from concurrent.futures import TimeoutError as TooLong

    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_esp.hooks.esp import EspHook

    def ask() -> tuple[bool, str]:
        name = f"esp_check_{secrets.token_hex(8)}"
        variable = f"AIRFLOW_CONN_{name.upper()}"
        try:
            found = airflow_variables.connection(conn_id)
            if found.conn_type not in TYPES:
                return False, "The connection is of another provider's type."
            os.environ[variable] = found.as_json()
            with EspHook.for_connection(name) as hook:
                return hook.test_connection()
        except AirflowNotFoundException:
            return False, "There is no such connection."
        except (EspError, ConnectionInvalid) as error:
            return False, headline(error).replace(name, conn_id)
        finally:
            os.environ.pop(variable, None)

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(ask).result(CHECK_WITHIN)
    except TooLong:
        return False, f"The service did not answer within {CHECK_WITHIN:g} s."
    finally:
        pool.shutdown(wait=False)
