"""Which folder a task's report is in: the author's, and below it one for each task instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_esp.utils.task_identity import current_task_identity

if TYPE_CHECKING:
    from airflow_provider_esp.core.row_report import Report

AnyReport = TypeVar("AnyReport", bound="Report")

DRY_RUN = "dry-run"


def report_base(report_path: Any) -> str | None:
    """Read ``report_path``: templates give ``None`` and nothing as text.

    :param report_path: the author's argument, rendered.
    :returns: the base of reports; None where there are to be none.
    :raises ValueError: no path can hold what stands in it.
    """
    base = "" if report_path is None else str(report_path).strip()
    if base in ("", "None"):
        return None
    if "\0" in base:
        raise ValueError("report_path holds a NUL, which no path can: correct what its template is filled in with.")
    return base


def folder_of_this_task(report_path: Any, *, dry_run: bool) -> str | None:
    """Return the folder of the running task instance's report.

    :param report_path: the author's argument, rendered: a base that any number of tasks and runs may share.
    :param dry_run: whether this is a dry run, whose report stands apart from what really happened.
    :returns: ``<report_path>/<dag_id>/<run_id>/<task_id>[/<map_index>][/loop-<n>]``; outside of a task the base itself;
        None without a base.
    """
    base = report_base(report_path)
    if base is None:
        return None
    identity = current_task_identity()
    below = [part for part in (identity.folder if identity else "", DRY_RUN if dry_run else "") if part]
    return "/".join([base.rstrip("/"), *below]) if below else base


def open_report(
    folder: str | None,
    base: Any,
    *,
    dry_run: bool,
    trial: bool,
    stopped: Callable[[], bool] = lambda: False,
    kind: type[AnyReport] | None = None,
) -> AnyReport:
    """Open the report in a folder; without a folder it keeps nothing.

    :param folder: what `folder_of_this_task` returned.
    :param base: the author's argument.
    :param dry_run: whether to begin with an empty folder.
    :param trial: whether to find out with a real write that the folder can be written.
    :param stopped: returns whether the task is being ended; then a part that cannot be written is not tried again.
    :param kind: of report; None for the usual one.
    :raises ValueError: the folder leads upwards.
    :raises SourceError: no installed provider knows its scheme.
    :raises StorageUnwritable: the trial failed.
    """
    from airflow_provider_esp.core.patience import Patience
    from airflow_provider_esp.core.row_report import Report
    from airflow_provider_esp.utils.paths import private_path

    make: Callable[..., Any] = kind or Report
    root = report_base(base)
    if folder is None or root is None:
        nothing: AnyReport = make(None)
        return nothing
    below = folder.removeprefix(root.rstrip("/")).strip("/")
    path = private_path(root, "report_path")
    for part in below.split("/") if below else ():
        path = path / part
    report: AnyReport = make(path, Patience(stopped=stopped))
    if trial:
        report.check_writable()
    if dry_run:
        report.clear()
    return report
