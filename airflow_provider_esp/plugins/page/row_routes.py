"""The routes that give rows of a task's report: masked to who may read the task's log, whole to very few."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.utils.session import create_session
from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response

from airflow_provider_esp.plugins.page.access import Caller, audit
from airflow_provider_esp.plugins.page.records import Where, read_one
from airflow_provider_esp.plugins.page.reports import (
    ReportReader,
    ReportRefused,
    as_shown,
    report_roots,
    shows_whole_rows,
)
from airflow_provider_esp.utils.task_identity import TaskIdentity

router = APIRouter()
Id = Annotated[str, Query(max_length=250)]


class _Report:
    """The report of the task instance that is asked about, once the caller is known to be allowed to read it."""

    def __init__(self, where: Where, found: dict[str, Any], *, whole_allowed: bool) -> None:
        self.where = where
        self.record: dict[str, Any] = found["record"]
        folder = self.record.get("report") or found["result"].get("report_path")
        if not isinstance(folder, str) or not folder:
            raise ReportRefused("This task keeps no report: give it report_path=.")
        self.reader = ReportReader(folder, TaskIdentity(*where), report_roots())
        self.whole_allowed = whole_allowed

    @property
    def audited(self) -> dict[str, Any]:
        """The task instance, as the audit log names it."""
        return dict(zip(("dag_id", "run_id", "task_id", "map_index"), self.where, strict=True))


def _report(person: Caller, dag_id: Id, run_id: Id, task_id: Id, map_index: int = -1) -> _Report:
    """Find the report of a task instance, or refuse.

    :raises HTTPException: 403, the caller may not read the DAG and the logs of its tasks; 404, there is no report to
        be read, and the sentence says why.
    """
    if not person.may_read_log(dag_id):
        raise HTTPException(403, "You need the right to read this DAG and the logs of its tasks")
    where = (dag_id, run_id, task_id, map_index)
    with create_session(scoped=False) as session:
        found = read_one(session, where)
    if found is None:
        raise HTTPException(404, "There is no such task of this provider.")
    try:
        return _Report(where, found, whole_allowed=shows_whole_rows() and person.may_edit_dag(dag_id))
    except ReportRefused as refused:
        raise HTTPException(404, str(refused)) from None


Asked = Annotated[_Report, Depends(_report)]


@router.get("/api/rows")
def rows(
    person: Caller,
    report: Asked,
    *,
    reason: Annotated[str | None, Query(max_length=1000)] = None,
    cursor: Annotated[str, Query(max_length=250)] = "",
    whole: bool = False,
) -> dict[str, Any]:
    """Give rows that were not accepted, masked unless the caller may see them whole and asks for that.

    :returns: ``rows``, ``next``, ``reasons`` with their counts, ``may_show_whole``, and ``parts`` for who may.
    """
    if whole and not report.whole_allowed:
        raise HTTPException(403, "Rows are shown whole only with [esp] show_rows, to who may edit the DAG")
    try:
        found, following = report.reader.rows(reason, cursor)
        names = report.reader.names() if report.whole_allowed else []
    except ReportRefused as refused:
        raise HTTPException(404, str(refused)) from None
    if whole:
        audit(person, "esp_show_rows", extra=f"{len(found)} rows", **report.audited)
    return {
        "rows": [as_shown(row, whole=whole) for row in found],
        "next": following,
        "reasons": report.record.get("reasons", []),
        "other_reasons": report.record.get("other_reasons"),
        "may_show_whole": report.whole_allowed,
        "parts": names,
    }


@router.get("/api/part")
def part(person: Caller, report: Asked, name: Id) -> Response:
    """Give one part file of a report, as it is, to who may see rows whole."""
    if not report.whole_allowed:
        raise HTTPException(403, "Parts are given only with [esp] show_rows, to who may edit the DAG")
    try:
        content = report.reader.read(name)
    except ReportRefused as refused:
        raise HTTPException(404, str(refused)) from None
    audit(person, "esp_download_part", extra=name, **report.audited)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/x-ndjson", headers=headers)
