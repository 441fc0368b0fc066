"""Who may what on the page: each answer is the auth manager's, asked with the person's own session.

Airflow authenticates nobody for an app that a plugin brings. So every route depends on `Person`, which knows the
caller by the same cookie or token as Airflow's own API does, and asks before it reads. Where this Airflow has no such
checks, importing this module fails, and the app refuses everything.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, Request


class Person:
    """Somebody who is logged in.

    :param user: the auth manager's.
    """

    def __init__(self, user: Any) -> None:
        self.user = user

    @property
    def id(self) -> str:
        """By what the auth manager tells people apart."""
        return str(self.user.get_id())

    @property
    def name(self) -> str:
        """As the audit log names people."""
        return str(self.user.get_name())

    def dags(self, dag_id: str | None = None) -> set[str]:
        """Return the DAGs whose task instances and XComs this person may read.

        :param dag_id: the only one that is meant.
        """
        if not all(self._may_read(entity) for entity in (DagAccessEntity.TASK_INSTANCE, DagAccessEntity.XCOM)):
            return set()
        readable: set[str] = get_auth_manager().get_authorized_dag_ids(user=self.user, method="GET")
        return readable if dag_id is None else readable & {dag_id}

    def may_read_log(self, dag_id: str) -> bool:
        """Check whether this person may read the DAG and the logs of its tasks."""
        return dag_id in self.dags(dag_id) and self._may_read(DagAccessEntity.TASK_LOGS, dag_id)

    def may_edit_dag(self, dag_id: str) -> bool:
        """Check whether this person may change the DAG."""
        manager = get_auth_manager()
        return bool(manager.is_authorized_dag(method="PUT", details=_dag_details(dag_id), user=self.user))

    def may_read_connections(self) -> bool:
        """Check whether this person may read connections at all."""
        return bool(get_auth_manager().is_authorized_connection(method="GET", user=self.user))

    def connections(self) -> set[str]:
        """Return the connections of the metadata database that this person may read."""
        manager = get_auth_manager()
        if hasattr(manager, "get_authorized_connections"):  # since Airflow 3.2
            found: set[str] = manager.get_authorized_connections(user=self.user, method="GET")
            return found
        return {conn_id for conn_id in _connection_ids() if self._may_connection("GET", conn_id)}

    def may_edit_connection(self, conn_id: str) -> bool:
        """Check whether this person may change a connection, of whichever team it is."""
        return self._may_connection("PUT", conn_id)

    def _may_connection(self, method: Literal["GET", "PUT"], conn_id: str) -> bool:
        from airflow.models.connection import Connection

        details = ConnectionDetails(conn_id=conn_id, team_name=Connection.get_team_name(conn_id))
        return bool(get_auth_manager().is_authorized_connection(method=method, details=details, user=self.user))

    def _may_read(self, entity: DagAccessEntity, dag_id: str | None = None) -> bool:
        allowed = get_auth_manager().is_authorized_dag(
            method="GET", access_entity=entity, details=_dag_details(dag_id), user=self.user
        )
        return bool(allowed)


def audit(person: Person, event: str, *, extra: str = "", **where: Any) -> None:
    """Write a row into Airflow's audit log.

    :param event: what was done, e.g. ``esp_show_rows``.
    :param extra: to what; no secret and no address.
    :param where: ``dag_id``, ``run_id``, ``task_id`` and ``map_index`` of a task instance, if it is about one.
    """
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        session.add(Log(event=event, owner=person.name, owner_display_name=person.name, extra=extra, **where))


def _connection_ids() -> list[str]:
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        return [conn_id for conn_id in session.scalars(select(Connection.conn_id)) if conn_id]


def _dag_details(dag_id: str | None) -> DagDetails:
    """Describe a DAG to the auth manager, with its team."""
    from airflow.models.dag import DagModel

    if dag_id is None:
        return DagDetails()
    return DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))


def person(user: GetUserDep) -> Person:
    """Know the caller, or refuse: 401 without a valid session."""
    return Person(user)


def own_request(request: Request) -> None:
    """Refuse a change that another site's form could have sent: forms cannot send JSON.

    :raises HTTPException: 415, the request does not carry JSON.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send application/json.")


Caller = Annotated[Person, Depends(person)]
