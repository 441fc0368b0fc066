"""What an upload costs in memory: many rows against a tenth of them, and over a task that stands idle.

    python benchmarks/memory.py [--rows 1000000] [--postgres URI]

The operator uploads from a CSV file, from a Parquet file and from a table in PostgreSQL (ordered by its key, read over
a named cursor), with a report and a ledger, to a server that discards everything. Each figure is the peak resident
memory of a fresh process. The idle task is a process that has imported Airflow, the operator and the connection's
hook, as any task has before its first row. Bars: all rows take at most 1.1 times the memory of a tenth of them, and at
most 120 MB (Parquet: 250 MB) more than the idle task.

Where no PostgreSQL answers its part is left out and said to be; with ``CI=true`` that is a failure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import discard_server
import people
import uploads
from results import Figure, exit_code, required

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
TABLE = "esp_memory"
MOST_TIMES = 1.1
MOST_OVER_IDLE = {"csv": 120, "parquet": 250, "sql": 120}


def upload(source: str, place: str, rows: int) -> None:
    """Upload in this process, and print the idle task's memory and the peak."""
    from airflow.providers.common.compat.sdk import BaseHook

    from airflow_provider_esp.operators.contacts import UploadContactsOperator
    from airflow_provider_esp.sources import FileSource
    from airflow_provider_esp.sources.sql import SqlSource

    BaseHook.get_hook("bench")
    if source == "sql":
        BaseHook.get_hook("bench_sql")
    idle = megabytes("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        told: dict[str, Any] = UploadContactsOperator(
            task_id="upload",
            esp_conn_id="bench",
            source=SqlSource("bench_sql", _select(place, rows), key="id") if source == "sql" else FileSource(place),
            columns=people.COLUMNS,
            report_path=f"{folder}/report",
            ledger_path=f"{folder}/ledger.json",
            max_rejects=len(people.BROKEN),
            poll_interval=uploads.POLL_EVERY,
        ).execute({})
    assert told["rows"] == rows, told
    print(json.dumps({"idle": idle, "peak": megabytes("VmHWM")}))


def _select(table: str, rows: int) -> str:
    names = ", ".join(people.HEADER)
    return f"SELECT id, {names} FROM {table} WHERE id <= {rows}"  # noqa: S608  # both are ours


def megabytes(name: str) -> float:
    """Read a figure of this process from the system."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def measure(source: str, place: str, rows: int, environment: dict[str, str]) -> dict[str, float]:
    """Upload in a fresh process.

    :raises SystemExit: it failed; what it said is shown.
    """
    command = [sys.executable, "-W", "ignore", __file__, "--upload", source, place, "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{source} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    told: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def write_parquet(path: Path, rows: int) -> None:
    """Write the good rows of the file as Parquet, in groups as warehouses write them."""
    import random

    import pyarrow as pa
    from pyarrow import parquet

    schema, chance = pa.schema([(name, pa.string()) for name in people.HEADER]), random.Random(7)
    with parquet.ParquetWriter(path, schema) as writer:
        for first in range(1, rows + 1, 100_000):
            some = [people.good(number, chance) for number in range(first, min(first + 100_000, rows + 1))]
            columns = [pa.array(column) for column in zip(*some, strict=True)]
            writer.write_table(pa.table(columns, schema=schema))


def make_table(postgres: Any, rows: int) -> None:
    """Make a table of so many rows in PostgreSQL."""
    columns = ", ".join(f"{name} text" for name in people.HEADER)
    postgres.execute(f"DROP TABLE IF EXISTS {TABLE}")
    postgres.execute(f"CREATE UNLOGGED TABLE {TABLE} (id bigint PRIMARY KEY, {columns})")
    postgres.execute(
        f"INSERT INTO {TABLE} SELECT id, 'user' || id || '@example.com', '+38050' || lpad(id::text, 7, '0'), 'Ann', "  # noqa: S608
        f"'Doe', 'c' || id, 'uk', 'Kyiv', 'Kyiv', '01001', 'gold', (id % 10000)::text, '2026-01-02' "
        f"FROM generate_series(1, {rows}) AS id"
    )
    postgres.execute(f"ANALYZE {TABLE}")


def compare(source: str, place: dict[int, str], rows: int, environment: dict[str, str]) -> list[Figure]:
    """Upload a tenth of the rows, then all of them."""
    few, many = (measure(source, place[n], n, environment) for n in (rows // 10, rows))
    times, over = many["peak"] / few["peak"], many["peak"] - few["idle"]
    return [
        Figure(
            f"{source}: peak at {rows:,} rows to that at {rows // 10:,}",
            f"{times:.2f} ({many['peak']:.0f} and {few['peak']:.0f} MB)",
            f"at most {MOST_TIMES:g}",
            times <= MOST_TIMES,
        ),
        Figure(
            f"{source}: peak at {rows:,} rows over an idle task",
            f"{over:.0f} MB (idle: {few['idle']:.0f} MB)",
            f"at most {MOST_OVER_IDLE[source]} MB",
            over <= MOST_OVER_IDLE[source],
        ),
    ]


def files(rows: int, home: str, environment: dict[str, str]) -> list[Figure]:
    """Upload from CSV and from Parquet."""
    figures = []
    for source, write in (("csv", people.write), ("parquet", write_parquet)):
        paths = {n: Path(home, f"{n}.{source}") for n in (rows // 10, rows)}
        for n, path in paths.items():
            write(path, n)
        figures += compare(source, {n: str(path) for n, path in paths.items()}, rows, environment)
    return figures


def sql(rows: int, postgres: str, environment: dict[str, str]) -> list[Figure]:
    """Upload from PostgreSQL, if there is one."""
    import psycopg

    try:
        connection = psycopg.connect(postgres, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        why = f"no PostgreSQL answers: {str(error).strip().splitlines()[0]}"
        return [Figure("sql", why, "measured", False if required() else None)]
    with connection:
        make_table(connection, rows)
        try:
            return compare(
                "sql", {rows // 10: TABLE, rows: TABLE}, rows, {**environment, "AIRFLOW_CONN_BENCH_SQL": postgres}
            )
        finally:
            connection.execute(f"DROP TABLE {TABLE}")


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--postgres", default=POSTGRES, help="where to make a table")
    parser.add_argument("--upload", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.upload:
        upload(*options.upload, options.rows)
        return 0
    with discard_server.running() as port, tempfile.TemporaryDirectory() as home:
        environment = uploads.environment(home, port)
        figures = files(options.rows, home, environment) + sql(options.rows, options.postgres, environment)
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())
