"""One upload in a process of its own: ours, or one of the two loops that it is measured against.

    python benchmarks/uploads.py KIND PORT FILE
    python benchmarks/uploads.py PORT

The second form reads lines ``KIND FILE`` from its input and answers each, so that imports are made once. It
prints a JSON object: rows a second, seconds, seconds of processor time, and the peak of memory. Ours is the operator
as a DAG runs it, on a file, with every check, a report and a ledger in a file; what does not belong to it (a
scheduler, the task's process) is left out of both sides. Each kind uploads a few rows before the clock starts,
so that what is imported once is not measured.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import people
from discard_server import FIELDS

BATCH = 3000
THREADS = 4
WARM_UP = 50
POLL_EVERY = 1.0
MOST_OPEN = 500

OURS, HTTPHOOK, HAND, MIXED = "ours", "httphook", "hand", "mixed"


def ours(port: int, path: Path) -> dict[str, int]:
    """Upload with the operator of this provider."""
    from airflow_provider_esp.operators.contacts import UploadContactsOperator

    del port  # stands in the connection
    with tempfile.TemporaryDirectory() as folder:
        told: dict[str, Any] = UploadContactsOperator(
            task_id="upload",
            esp_conn_id="bench",
            source=str(path),
            columns=people.COLUMNS,
            report_path=f"{folder}/report",
            ledger_path=f"{folder}/ledger.json",
            max_rejects=len(people.BROKEN),
            batch_size=BATCH,
            concurrency=THREADS,
            # A service that imports at once has no need of long pauses between two looks.
            poll_interval=POLL_EVERY,
            max_open_imports=MOST_OPEN,
        ).execute({})
        refused = [
            json.loads(line)["row"]
            for part in sorted(Path(folder, "report").rglob("*.ndjson"))
            for line in part.read_text().splitlines()
        ]
    expected = people.broken_rows(told["rows"])
    assert sorted(refused) == expected, f"refused are rows {sorted(refused)}, broken are {expected}"
    assert told["invalid"] == len(expected), told
    assert told["accepted"] == told["rows"] - len(expected), told
    return {"rows": told["rows"]}


def mixed(port: int, path: Path) -> dict[str, int]:
    """Upload the mixed file with the operator of this provider."""
    from airflow_provider_esp.operators.contacts import UploadContactsOperator

    del port
    with tempfile.TemporaryDirectory() as folder:
        told: dict[str, Any] = UploadContactsOperator(
            task_id="upload",
            esp_conn_id="bench",
            source=str(path),
            columns=people.COLUMNS,
            default_country=people.COUNTRY,
            report_path=f"{folder}/report",
            ledger_path=f"{folder}/ledger.json",
            batch_size=BATCH,
            concurrency=THREADS,
            poll_interval=POLL_EVERY,
            max_open_imports=MOST_OPEN,
        ).execute({})
    assert told["accepted"] == told["rows"], told
    return {"rows": told["rows"]}


def httphook(port: int, path: Path) -> dict[str, int]:
    """Upload as DAGs do it today: a dictionary for each row, and the http provider's hook in a loop."""
    from airflow.providers.http.hooks.http import HttpHook

    del port
    hook, rows = HttpHook(method="POST", http_conn_id="bench_http"), 0
    with path.open(newline="", encoding="utf-8") as file:
        batch: list[dict[str, Any]] = []
        for row in csv.DictReader(file):
            batch.append(_as_dictionary(row))
            if len(batch) == BATCH:
                hook.run("/api/v1/contacts", json={"contacts": batch, "dedupeOn": "email"})
                rows, batch = rows + len(batch), []
        if batch:
            hook.run("/api/v1/contacts", json={"contacts": batch, "dedupeOn": "email"})
    return {"rows": rows + len(batch)}


def _as_dictionary(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "firstName": row["first_name"],
        "lastName": row["last_name"],
        "externalCustomerId": row["external_id"],
        "languageCode": row["language"],
        "channels": [{"type": "email", "value": row["email"]}, {"type": "sms", "value": row["phone"]}],
        "address": {"town": row["town"], "region": row["region"], "postcode": row["postcode"]},
        "fields": [{"id": number, "value": row[name]} for name, number in FIELDS.items()],
    }


def hand(port: int, path: Path) -> dict[str, int]:
    """Upload as fast as a careful engineer makes it by hand for this one file: nothing checked, nothing remembered."""
    import httpx
    import msgspec

    class Channel(msgspec.Struct):
        type: str
        value: str

    class Field(msgspec.Struct):
        id: int
        value: str

    class Address(msgspec.Struct):
        town: str
        region: str
        postcode: str

    class Contact(msgspec.Struct, rename="camel"):
        first_name: str
        last_name: str
        external_customer_id: str
        language_code: str
        channels: list[Channel]
        address: Address
        fields: list[Field]

    class Body(msgspec.Struct, rename="camel"):
        contacts: list[Contact]
        dedupe_on: str

    encoder = msgspec.json.Encoder()
    rows = 0

    def batches() -> Iterator[list[Contact]]:
        batch: list[Contact] = []
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            next(reader)
            while True:
                try:
                    for mail, tel, first, last, own, lang, town, region, code, tier, points, order in reader:
                        fields = [Field(1, tier), Field(2, points), Field(3, order)]
                        channels = [Channel("email", mail), Channel("sms", tel)]
                        batch.append(Contact(first, last, own, lang, channels, Address(town, region, code), fields))
                        if len(batch) == BATCH:
                            yield batch
                            batch = []
                except ValueError:  # a row of another length
                    continue
                break
        if batch:
            yield batch

    with (
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ThreadPoolExecutor(THREADS) as pool,
    ):

        def send(body: bytes) -> None:
            headers = {"Content-Type": "application/json"}
            client.post("/api/v1/contacts", content=body, headers=headers).raise_for_status()

        waiting = []
        for batch in batches():
            rows += len(batch)
            waiting.append(pool.submit(send, encoder.encode(Body(batch, "email"))))
            if len(waiting) > THREADS:
                waiting.pop(0).result()
        for future in waiting:
            future.result()
    return {"rows": rows}


KINDS = {OURS: ours, HTTPHOOK: httphook, HAND: hand}
FILES = {MIXED: (mixed, people.write_mixed), **{kind: (upload, people.write) for kind, upload in KINDS.items()}}
"""What uploads a file, and what writes one of that kind."""


def measure(kind: str, port: int, path: Path) -> dict[str, float]:
    """Upload a few rows, then the file, and tell what the file took."""
    upload, write = FILES[kind]
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder, "few.csv")
        write(few, WARM_UP)
        upload(port, few)
    began, used = time.perf_counter(), _processor()
    rows = upload(port, path)["rows"]
    seconds, processor = time.perf_counter() - began, _processor() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "rate": rows / seconds, "seconds": seconds, "processor": processor, "peak_mb": peak}


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def environment(home: str, port: int) -> dict[str, str]:
    """Return the environment of such a process: an Airflow of its own, and its connections."""
    account = {"conn_type": "esputnik", "host": f"http://127.0.0.1:{port}/api", "password": "any"}
    return {
        **os.environ,
        "AIRFLOW_HOME": home,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW_CONN_BENCH": json.dumps(account),
        "AIRFLOW_CONN_BENCH_HTTP": f"http://127.0.0.1:{port}",
        "NO_PROXY": "127.0.0.1",
    }


def serve(port: int) -> None:
    """Measure what is asked for, line by line."""
    for line in sys.stdin:
        kind, path = line.split()
        print(json.dumps(measure(kind, port, Path(path))), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(int(sys.argv[1]))
    else:
        kind, port, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
        print(json.dumps(measure(kind, port, path)))
