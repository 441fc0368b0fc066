"""What the page asks for: each route knows its caller, asks what that person may see, and reads that."""

from __future__ import annotations

import time
from typing import Annotated, Any

from airflow.utils.session import create_session
from fastapi import APIRouter, HTTPException, Query

from airflow_provider_esp.plugins.page import account_routes, consent_routes, row_routes
from airflow_provider_esp.plugins.page.access import Caller
from airflow_provider_esp.plugins.page.operators import CAMPAIGNS
from airflow_provider_esp.plugins.page.records import Wanted, read_day, read_page

router = APIRouter()
for _part in (row_routes, account_routes, consent_routes):
    router.include_router(_part.router)
Text = Annotated[str | None, Query(max_length=250)]


@router.get("/api/runs")
def runs(
    person: Caller,
    *,
    dag_id: Text = None,
    run_id: Text = None,
    task_id: Text = None,
    operator: Text = None,
    state: Text = None,
    campaigns: bool = False,
    cursor: Text = None,
) -> dict[str, Any]:
    """List task instances of this provider's operators, in the DAGs that the caller may read.

    :param campaigns: only what sends, or waits for what is sent.
    :returns: ``runs``, ``next`` (the cursor of the next page) and ``at``, when they were read.
    """
    operators = (operator,) if operator else CAMPAIGNS if campaigns else ()
    wanted = Wanted(person.dags(dag_id), run_id, task_id, operators, state, cursor)
    try:
        with create_session(scoped=False) as session:
            found = read_page(session, wanted)
    except ValueError:
        raise HTTPException(400, "The cursor is none of this list.") from None
    return {**found, "at": time.time()}


@router.get("/api/today")
def today(person: Caller) -> dict[str, Any]:
    """Sum up the last 24 hours of the DAGs that the caller may read, for the card on the dashboard.

    :returns: ``tasks``, ``counts`` of rows by outcome, ``waiting``, ``failed``; ``partial`` where there were more tasks
        than are summed up.
    """
    with create_session(scoped=False) as session:
        return {**read_day(session, person.dags(), time.time()), "at": time.time()}
