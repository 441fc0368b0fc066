"""A segment that is what a query returns: three days of a shop's customers, mirrored into eSputnik.

Trigger it three times, with day 1, 2 and 3, against the sandbox:

* day 1: 10,000 people are new; 20 of them have an address that cannot be sent, and are refused;
* day 2: 300 have another name, 50 have left, the 20 are right now: 320 rows are sent and 50 people taken out;
* day 3: nothing has changed, and nothing is sent.

In place of `make_customers` there is a query in your DAG: `source=SqlSource("warehouse", "SELECT …")`.
"""

from __future__ import annotations

import csv
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_esp.operators.sync import SyncContactsOperator

WORK = os.environ.get("ESP_DEMO_DIR", str(Path(tempfile.gettempdir()) / "esp-demo"))

with DAG(
    "mirror_segment",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    max_active_runs=1,
    params={
        "day": Param(1, type="integer", minimum=1, maximum=3, description="Which of the three days it is"),
        "people": Param(10_000, type="integer", minimum=1000, description="How many customers there are"),
        "dry_run": Param(False, type="boolean", description="Only say what would be done"),
    },
    tags=["example", "esputnik"],
    doc_md=__doc__,
) as dag:

    @task
    def make_customers(params: dict[str, Any] | None = None) -> str:
        """Write the customers of a day, as a query would return them."""
        given = params or {}
        day, people = int(given.get("day", 1)), int(given.get("people", 10_000))
        path = Path(WORK) / f"customers-{day}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "email", "name"])
            for number in range(1, people + 1):
                if day > 1 and number > people - 50:
                    continue  # left
                wrong = day == 1 and number <= 20
                email = f"customer{number}@@example" if wrong else f"customer{number}@example.com"
                rows.writerow([number, email, "Benjamin" if day > 1 and 100 < number <= 400 else "Ben"])
        return str(path)

    SyncContactsOperator(
        task_id="mirror",
        esp_conn_id="esputnik_default",
        source=make_customers(),
        key="id",
        columns={"id": "external_id", "email": "email", "name": "first_name"},
        target="Customers",
        create_target=True,
        mode="mirror",
        state_path=WORK + "/mirror-state",
        report_path=WORK + "/mirror-report",
        max_rejects=20,
        poll_interval=1,
        dry_run="{{ params.dry_run }}",
    )
