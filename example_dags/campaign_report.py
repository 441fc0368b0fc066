"""What became of yesterday's messages: the activity as a file, a table to plot, a picture and a page of the funnel.

Every night it exports the day's activity from eSputnik (without addresses), counts how many recipients of each message
got how far, and writes beside one another: `activity.ndjson` for the warehouse, `funnel.csv` for any plotting tool,
`funnel.png` and `report.html` for people. The picture needs the extra `report`.

To try it with the sandbox, put some activity there, then trigger the DAG with the period that you want to see:

    curl --json '{"rows": 12000, "mixed": true}' http://127.0.0.1:8025/_sandbox/esputnik/make_activity
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, Param, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_esp.operators.exports import ExportActivityOperator

WORK = os.environ.get("ESP_DEMO_DIR", str(Path(tempfile.gettempdir()) / "esp-demo"))
WHEN = "; without a zone on the account's clock; empty for the run's own day"

with DAG(
    "campaign_report",
    start_date=datetime(2026, 1, 1),
    # Airflow 3 gives a cron expression alone no data interval: this one has the day that has ended.
    schedule=CronDataIntervalTimetable("0 1 * * *", timezone="UTC"),
    catchup=False,
    params={
        "start": Param(None, type=["null", "string"], description=f"From, e.g. 2026-01-31T00:00{WHEN}"),
        "end": Param(None, type=["null", "string"], description=f"To{WHEN}"),
    },
    tags=["example", "esputnik"],
    doc_md=__doc__,
) as dag:
    activity = ExportActivityOperator(
        task_id="export_activity",
        esp_conn_id="esputnik_default",
        path=WORK + "/{{ run_id }}/activity.ndjson",
        start="{{ params.start or data_interval_start }}",
        end="{{ params.end or data_interval_end }}",
        addresses=False,
    )

    @task
    def make_table(exported: dict[str, str]) -> str:
        """Count how many recipients of each message got how far: a table with one row for each stage."""
        from airflow_provider_esp.analytics import funnel

        path = Path(exported["path"])
        with path.open("rb") as file:
            rows = funnel.funnel(funnel.read_activity(file))
        table = path.with_name("funnel.csv")
        table.write_text(funnel.as_csv(rows), "utf-8")
        for row in funnel.total(rows):
            print(f"{row.stage:<14}{row.recipients:>12,}{row.share_of_sent:>9.1%}")
        return str(table)

    @task
    def draw_report(exported: dict[str, str], table: str) -> dict[str, str]:
        """Draw the funnel of all messages as a picture, and put it on a page with a line for each message."""
        from airflow_provider_esp.analytics import funnel
        from airflow_provider_esp.analytics import render as drawing

        rows = funnel.from_csv(Path(table).read_text("utf-8"))
        everything = funnel.total(rows)
        start, end = (datetime.fromisoformat(exported[name]) for name in ("start", "end"))
        period = f"{start:%-d %B %Y, %H:%M} to {end:%-d %B %Y, %H:%M} UTC"
        picture = drawing.png(everything, f"What became of {everything[0].recipients:,} messages", period)
        files = {"picture": Path(table).with_name("funnel.png"), "page": Path(table).with_name("report.html")}
        files["picture"].write_bytes(picture)
        files["page"].write_text(drawing.page(rows, picture, "Campaign report", period), "utf-8")
        return {name: str(path) for name, path in files.items()}

    draw_report(activity.output, make_table(activity.output))


if __name__ == "__main__":
    dag.test()
