"""The arguments that operators of this provider inherit, for type checkers and editors.

Each ``...Arguments`` holds everything that the ``...Operator`` of the same name takes. Imported for types only: a DAG
file does not pay for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Required, TypedDict

from airflow_provider_esp.options import EsputnikEvent, SendPulseEvent
from airflow_provider_esp.utils.operator_arguments import BaseOperatorArguments


class EspArguments(BaseOperatorArguments, total=False):
    """See `EspOperator`."""

    esp_conn_id: Required[str]


class ChangingArguments(EspArguments, total=False):
    """See `ChangingOperator`."""

    dry_run: bool | str


class ExportArguments(EspArguments, total=False):
    """See `ExportOperator`."""

    path: Required[str]
    format: Literal["ndjson", "parquet"] | None
    file_mode: str | int | None


class PeriodArguments(ExportArguments, total=False):
    """See `PeriodOperator`."""

    start: datetime | str | None
    end: datetime | str | None


class _ReportingPart(TypedDict, total=False):
    report_path: str | None
    suppress: Any
    suppress_column: str | Sequence[str] | None
    on_unreadable_suppression: str
    on_empty_suppression: str
    max_suppression_shrink: float | str | None
    min_suppressed: int | str | None
    default_country: str | None
    phone_format: str | None
    clean_text: bool | str


class ReportingArguments(ChangingArguments, _ReportingPart, total=False):
    """See `ReportingOperator`."""


class _RowOptionsPart(TypedDict, total=False):
    report_rows: bool
    max_rejects: int | str
    on_empty: Literal["skip", "fail", "continue"]


class _RowsPart(_RowOptionsPart, total=False):
    source: Required[Any]


class RowOptions(ReportingArguments, _RowOptionsPart, total=False):
    """What `RowsOperator` takes, but for the rows."""


class RowsArguments(ReportingArguments, _RowsPart, total=False):
    """See `RowsOperator`."""


class TimedSendArguments(ChangingArguments, total=False):
    """See `TimedSendOperator`."""

    max_lateness: timedelta | float | str | None
    on_late: Literal["fail", "skip"] | str
    allow_backfill: bool | str
    send_window: Sequence[str] | str | None
    on_outside_window: Literal["wait", "fail"] | str


class StartArguments(TimedSendArguments, total=False):
    """See `StartOperator`."""

    start: datetime | str | None
    start_grace: timedelta | float | str
    start_in_past: Literal["fail", "send_now"] | str


class TimedReportingArguments(TimedSendArguments, _ReportingPart, total=False):
    """What both `TimedSendOperator` and `ReportingOperator` take."""


class AtMostOnceArguments(TimedReportingArguments, total=False):
    """See `AtMostOnceOperator`."""

    on_unknown: Literal["stop", "skip", "resend", "lookup"] | str
    resend: bool | str
    ledger_path: str | None
    send_key: str | None
    sent_path: str | None
    sent_retention: timedelta
    ledger_patience: timedelta | float


class AtMostOnceRowsArguments(AtMostOnceArguments, _RowsPart, total=False):
    """What both `AtMostOnceOperator` and `RowsOperator` take."""


class SendArguments(AtMostOnceRowsArguments, total=False):
    """See `SendOperator`."""

    concurrency: int
    max_recipients: int | str | None


class _EventPart(TypedDict, total=False):
    event: Required[str]
    options: EsputnikEvent | SendPulseEvent | None


class EventArguments(AtMostOnceArguments, _EventPart, total=False):
    """See `EventOperator`."""


class EventsArguments(SendArguments, _EventPart, total=False):
    """What both `EventOperator` and `SendOperator` take."""
