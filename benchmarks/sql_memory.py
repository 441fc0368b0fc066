"""What reading a query costs in memory, and how fast it goes: n rows against a tenth of them.

    python benchmarks/sql_memory.py [--n 1000000] [--postgres URI] [--limit 1.1] [--above 120]

A table of 12 columns is made in PostgreSQL and read through `SqlSource` and Airflow's `PostgresHook`: as the query
comes, ordered by its key, and copied into part files first. Each figure is the peak of a fresh process (its resident
memory, the system's own count), next to that of a process that only stands ready to read. With ``--limit`` the command
fails where n rows take more than so many times the memory of a tenth; with ``--above`` where they take more
megabytes than that over the idle process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TABLE = "esp_sql_memory"
MODES = ("query", "key", "spool")

COLUMNS = """
    id, 'user' || id || '@example.org' AS email, '+38050' || lpad((id % 10000000)::text, 7, '0') AS phone,
    'Name' || id % 5000 AS first_name, 'Surname' || id % 90000 AS last_name, 'uk' AS language,
    'Kyiv' AS town, (id % 100000)::text AS postcode, id / 100.0 AS spent, id % 40 AS orders,
    date '2026-01-01' + (id % 300)::int AS since, id % 2 = 0 AS vip
"""


def read(mode: str, rows: int) -> None:
    """Read so many rows in this process, and print what it took."""
    from airflow.providers.common.compat.sdk import BaseHook

    from airflow_provider_esp.sources.sql import SqlSource

    for name in ("query", "spool"):
        importlib.import_module(f"airflow_provider_esp.core.{name}")
    BaseHook.get_hook("bench").get_conn().close()  # what any task that reads from PostgreSQL has loaded
    idle = megabytes("VmRSS")
    began, seen = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        source = SqlSource(
            "bench",
            f"SELECT * FROM {TABLE} WHERE id <= %s",  # noqa: S608  # the table's name stands above
            [rows],
            key=None if mode == "query" else "id",
            spool_path=folder if mode == "spool" else None,
        )
        if mode != "idle":
            with source.open() as table:
                for _ in table.rows:
                    seen += 1
            assert seen == rows, f"{seen} rows of {rows}"
    seconds = time.perf_counter() - began
    print(json.dumps({"idle": idle, "peak": megabytes("VmHWM"), "rate": seen / seconds}))


def megabytes(name: str) -> float:
    """Read a figure of this process from the system."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def measure(mode: str, rows: int, environment: dict[str, str]) -> dict[str, float]:
    """Run a fresh process, and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--read", mode, "--n", str(rows)],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    told: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000, help="rows")
    parser.add_argument(
        "--postgres", default="postgresql://postgres@127.0.0.1:5432/postgres", help="where to make the table"
    )
    parser.add_argument("--limit", type=float, help="most that n rows may take, in peaks of n/10")
    parser.add_argument("--above", type=float, help="most megabytes over the idle process")
    parser.add_argument("--read", choices=("idle", *MODES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read, options.n)
        return 0
    import psycopg

    with psycopg.connect(options.postgres, autocommit=True) as connection, tempfile.TemporaryDirectory() as home:
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        connection.execute(
            f"CREATE UNLOGGED TABLE {TABLE} AS SELECT {COLUMNS} FROM generate_series(1, {options.n}) AS id"  # noqa: S608  # nothing here comes from outside
        )
        connection.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        connection.execute(f"ANALYZE {TABLE}")
        environment = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW_CONN_BENCH": options.postgres}
        try:
            failed = tell(options, environment)
        finally:
            connection.execute(f"DROP TABLE {TABLE}")
    return failed


def tell(options: argparse.Namespace, environment: dict[str, str]) -> int:
    """Print the table of figures; 1 where one is over its limit."""
    import airflow

    few = max(1, options.n // 10)
    measure("idle", 1, environment)  # the first run compiles
    print(f"Airflow {airflow.__version__}, Python {platform.python_version()}, {platform.machine()}, 12 columns")
    print(f"  {'':8}{few:>13,} rows{options.n:>13,} rows    ratio   over idle        rows/s")
    failed = 0
    for mode in MODES:
        small, large = (measure(mode, rows, environment) for rows in (few, options.n))
        ratio, above = large["peak"] / small["peak"], large["peak"] - large["idle"]
        peaks = f"{small['peak']:>15.1f} MB{large['peak']:>15.1f} MB"
        print(f"  {mode:8}{peaks}{ratio:>9.3f}{above:>9.1f} MB{large['rate']:>14,.0f}")
        failed |= options.limit is not None and ratio > options.limit
        failed |= options.above is not None and above > options.above
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
