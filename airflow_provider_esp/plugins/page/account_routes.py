"""The routes about connections: what is known of each, and a check of one, where the administrator allows it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from airflow.utils.session import create_session
from fastapi import APIRouter, Body, Depends, HTTPException, Request

from airflow_provider_esp.plugins.page.access import Caller, audit, own_request
from airflow_provider_esp.plugins.page.accounts import Checks, check, last_met, read_accounts
from airflow_provider_esp.plugins.page.consent_routes import callback_address
from airflow_provider_esp.plugins.page.records import Wanted, read_page

router = APIRouter()
_checks = Checks()


@router.get("/api/accounts")
def accounts(person: Caller, request: Request) -> dict[str, Any]:
    """List the connections of this provider that the caller may read, and names that runs have used besides.

    :raises HTTPException: 403, the caller may not read connections.
    """
    if not person.may_read_connections():
        raise HTTPException(403, "This view needs access to connections")
    with create_session(scoped=False) as session:
        met = last_met(read_page(session, Wanted(person.dags()))["runs"])
        found = read_accounts(session, person.connections())
    known = {account["conn_id"] for account in found}
    others = [
        {"conn_id": conn_id, "service": facts["service"], "where": "outside of the database"}
        for conn_id, facts in sorted(met.items())
        if conn_id not in known and not _is_in_database(conn_id)
    ]
    tests = may_test()
    shown = [
        {
            **account,
            "met": met.get(account["conn_id"]),
            "may_edit": (may_edit := person.may_edit_connection(account["conn_id"])),
            "may_check": tests and may_edit,
        }
        for account in [*found, *others]
    ]
    return {"accounts": shown, "callback": callback_address(request), "at": time.time()}


@router.post("/api/check", dependencies=[Depends(own_request)])
def check_now(person: Caller, conn_id: Annotated[str, Body(embed=True, max_length=250)]) -> dict[str, Any]:
    """Try a connection, where ``[core] test_connection`` is enabled and the caller may edit it.

    :raises HTTPException: 403, one of the two is not so; 429, it was tried a moment ago.
    """
    if not may_test():
        raise HTTPException(403, "[core] test_connection is not enabled on this Airflow")
    if not person.may_edit_connection(conn_id):
        raise HTTPException(403, "You need the right to edit this connection")
    left = _checks.wait_for(conn_id)
    if left:
        raise HTTPException(429, f"It was checked a moment ago; again in {left:.0f} s.")
    audit(person, "esp_check", extra=conn_id)
    works, said = check(conn_id)
    return {"works": works, "said": said, "at": time.time()}


def may_test() -> bool:
    """Check whether the administrator lets people test connections."""
    from airflow.providers.common.compat.sdk import conf

    return str(conf.get("core", "test_connection", fallback="Disabled")).strip().lower() == "enabled"


def _is_in_database(conn_id: str) -> bool:
    """Check whether there is a connection that this person only may not see."""
    from airflow.models.connection import Connection
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return session.scalar(select(Connection.id).where(Connection.conn_id == conn_id)) is not None
