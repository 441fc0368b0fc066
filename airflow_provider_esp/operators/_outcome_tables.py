"""What a task's log and errors say of the outcomes of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_esp.core.outcomes import Counts
    from airflow_provider_esp.core.row_report import Report

_MOST_REASONS_TOLD = 5
_MOST_REASONS_IN_LINE = 3


def outcome_table(counts: Counts, report: Report, report_path: str | None) -> str:
    """Draw the outcomes of a run's rows as a table of at most 80 columns."""
    lines = ["Row outcomes:", *(f"  {name:<12} {rows:>12,}" for name, rows in counts.as_dict().items())]
    lines.append(f"  {'rows read':<12} {counts.rows:>12,}")
    if report.reasons:
        lines.append("Why rows were not accepted:")
        first, more, others = report.first_reasons(_MOST_REASONS_TOLD)
        lines += [f"  {rows:>8,}  {_short(reason, 66)}" for reason, rows in first]
        lines += [f"  {others:>8,}  for other reasons: and {more:,} more"] if more else []
    if report_path and report.kept:
        lines.append(f"Report: {report_path}")
    return "\n".join(lines)


def main_reasons(report: Report) -> str:
    """Name the most frequent reasons why rows were refused, and how many rows have another."""
    first, _, others = report.first_reasons(_MOST_REASONS_IN_LINE)
    told = "; ".join(f"{reason.rstrip('.')} ({rows:,})" for reason, rows in first)
    return (told or "no reason was given") + (f", and {others:,} more" if others else "")


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
