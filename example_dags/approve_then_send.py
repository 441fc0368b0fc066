"""A person looks before many people are written to: upload, rehearse, show, and send only what was approved.

The rehearsal (`dry_run=True`) counts the audience and sends nothing. What the person sees in Airflow under *Required
Actions* is the count, the subject, the first message as it will read, and the service's own view of it. Needs Airflow
3.1 or later, whose human-in-the-loop operators this uses. Runs as it is against the sandbox (`make up`).
"""

from __future__ import annotations

import csv
import html
import os
import re
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, task

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator

CUSTOMERS = Path(__file__).parent / "data" / "customers.csv"
WORK = os.environ.get("ESP_DEMO_DIR", str(Path(tempfile.gettempdir()) / "esp-demo"))
MESSAGE = 1001
DATA = {"name": "name", "discount": "discount"}

with DAG(
    "approve_then_send",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    tags=["example", "esputnik"],
    doc_md=__doc__,
) as dag:

    @task
    def choose(run_id: str | None = None) -> str:
        """Write the audience to a file: people's addresses do not belong into an XCom."""
        folder = Path(WORK) / str(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "audience.csv"
        with CUSTOMERS.open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as target:
            writer = csv.writer(target)
            writer.writerow(["email", "name", "discount"])
            for row in csv.DictReader(source):
                if row["points"].isdigit() and int(row["points"]) >= 9_950:
                    writer.writerow([row["email"], row["first_name"], "20 %"])
        return str(path)

    audience = choose()

    upload = UploadContactsOperator(
        task_id="upload",
        esp_conn_id="esputnik_default",
        source=audience,
        columns={"email": "email", "name": "first_name"},
        max_rejects="1%",
        deferrable=True,
        poll_interval=2,
    )

    rehearsal = SmartSendOperator(
        task_id="rehearsal",
        esp_conn_id="esputnik_default",
        message_id=MESSAGE,
        source=audience,
        data=DATA,
        dry_run=True,
    )

    @task
    def preview(path: str, counted: dict[str, Any]) -> str:
        """Describe in Markdown what is about to be sent; the first person's name is in it, and no address."""
        from airflow_provider_esp.hooks.esputnik import EsputnikHook
        from airflow_provider_esp.services.esputnik.api import templates

        with EsputnikHook("esputnik_default") as hook:
            message = hook.run(templates.email(MESSAGE))
            link = hook.run(templates.email_link(MESSAGE)).link
        with Path(path).open(encoding="utf-8") as file:
            first = next(csv.DictReader(file))

        def fill(text: str | None) -> str:  # looking values up is enough for a preview; the link shows the rest
            return re.sub(r"\$!data\.get\('(\w+)'\)", lambda found: first.get(found[1], ""), text or "")

        paragraphs = re.split(r"</(?:h\d|p|div|li)>|<br\s*/?>", fill(message.html_text))
        words = [html.unescape(re.sub(r"<[^>]+>", "", paragraph)).strip() for paragraph in paragraphs]
        people = counted["rows"] - counted["invalid"] - counted["duplicate"] - counted["suppressed"]
        return "\n\n".join(
            [
                f"**{people:,} people** will get *{message.name}*: of {counted['rows']:,} rows "
                f"{counted['invalid']:,} are invalid, {counted['duplicate']:,} double, "
                f"{counted['suppressed']:,} left out.",
                f"**Subject:** {fill(message.subject)}",
                *(f"> {line}" for line in words if line),
                f"[The message at the service]({link})",
            ]
        )

    approval = ApprovalOperator(
        task_id="approval",
        subject="Send the win-back message?",
        body="{{ ti.xcom_pull(task_ids='preview') }}",
        response_timeout=timedelta(hours=12),
    )

    send = SmartSendOperator(
        task_id="send",
        esp_conn_id="esputnik_default",
        message_id=MESSAGE,
        source=audience,
        data=DATA,
        max_recipients=500,
        report_path=WORK + "/reports",
    )

    upload >> rehearsal
    preview(audience, rehearsal.output) >> approval >> send
