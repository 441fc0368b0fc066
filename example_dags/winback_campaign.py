"""Win customers back: 10,000 rows become contacts, the best hear from us, and we know who got the message.

Runs as it is against the sandbox (`make run`). With connections `esputnik_default` and `sendpulse_default` to real
accounts it would write to real people: try it with a list of your own addresses first.
"""

from __future__ import annotations

import csv
import os
import tempfile
from datetime import datetime
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sources import FileSource

CUSTOMERS = Path(__file__).parent / "data" / "customers.csv"
WORK = os.environ.get("ESP_DEMO_DIR", str(Path(tempfile.gettempdir()) / "esp-demo"))
WIN_BACK_MESSAGE = 1001
GOOD_CUSTOMER_POINTS = 9_950

with DAG(
    "winback_campaign",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "esputnik", "sendpulse"],
    doc_md=__doc__,
) as dag:
    upload = UploadContactsOperator(
        task_id="upload_contacts",
        esp_conn_id="esputnik_default",
        source=FileSource(str(CUSTOMERS)),
        columns={
            "email": "email",
            "phone": "phone",
            "customer_id": "external_id",
            "first_name": "first_name",
            "last_name": "last_name",
            "language": "language",
            "town": "town",
            "tier": "LOYALTY.TIER",
            "points": "LOYALTY.POINTS",
            "last_order": "LOYALTY.LAST_ORDER",
        },
        segments=["Win-back"],
        create_segments=True,
        max_rejects="1%",
        report_path=WORK + "/reports",
        deferrable=True,
        poll_interval=2,
    )

    @task
    def choose_best(run_id: str | None = None) -> str:
        """Write the customers with the most points to a file: people's addresses do not belong into an XCom."""
        folder = Path(WORK) / str(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "best.csv"
        with CUSTOMERS.open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as target:
            writer = csv.writer(target)
            writer.writerow(["email", "name", "points", "discount"])
            for row in csv.DictReader(source):
                if row["points"].isdigit() and int(row["points"]) >= GOOD_CUSTOMER_POINTS:
                    writer.writerow([row["email"], row["first_name"], row["points"], "20 %"])
        return str(path)

    best = choose_best()

    event = SendEventsOperator(
        task_id="tell_sendpulse",
        esp_conn_id="sendpulse_default",
        event="winback",
        source=best,
        report_path=WORK + "/reports",
    )

    message = SmartSendOperator(
        task_id="send_message",
        esp_conn_id="esputnik_default",
        message_id=WIN_BACK_MESSAGE,
        source=best,
        data={"name": "name", "discount": "discount"},
        wait_for_delivery=True,
        deferrable=True,
        poll_interval=2,
        report_path=WORK + "/reports",
    )

    @task
    def tell(results: list[dict[str, object]]) -> None:
        """Log what happened, as a table."""
        names = ("contacts to eSputnik", "events to SendPulse", "messages by eSputnik")
        columns = ("rows", "accepted", "rejected", "invalid", "duplicate")
        print(f"{'':<22}" + "".join(f"{column:>11}" for column in columns))
        for name, result in zip(names, results, strict=True):
            print(f"{name:<22}" + "".join(f"{result[column]:>11,}" for column in columns))
        sent = results[2]
        print(f"Delivery: {sent['delivered']:,} delivered, {sent['failed']:,} failed, {sent['pending']:,} pending.")
        print(f"Rows that were not accepted, with the reasons: {results[0]['report_path']}")

    upload >> best
    [event, message] >> tell([upload.output, event.output, message.output])


if __name__ == "__main__":
    dag.test()
