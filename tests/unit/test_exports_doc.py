"""What `docs/exports.md` says of the files: every column with its type, and SQL that runs."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from airflow_provider_esp.core.export import schema as exports
from airflow_provider_esp.core.export.writer import column_types

DOC = (Path(__file__).parents[2] / "docs" / "exports.md").read_text("utf-8")


@pytest.mark.parametrize(
    "kind", [exports.ActivityRow, exports.ContactRow, exports.BroadcastStatsRow, exports.VerifiedRow]
)
def test_the_columns_are_those_of_the_file_in_its_order(kind: type[exports.Row]) -> None:
    (table,) = re.findall(rf"<!-- columns: {kind.__name__} -->\n\n(.*?)\n\n", DOC, re.DOTALL)
    told = re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)
    assert told == [(name, of + ("" if null else ", never null")) for name, (of, null) in column_types(kind).items()]


def test_the_sql_gives_the_funnel() -> None:
    (sql,) = re.findall(r"```sql\n(.*?)```", DOC, re.DOTALL)
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    ways = {"1": ("delivered", "read", "clicked", "clicked"), "2": ("delivered", "unsubscribed"), "3": ("undelivered",)}
    rows = [
        exports.ActivityRow(
            occurred_at=noon + timedelta(days=days, seconds=place),
            status=status,
            service_status=status.upper(),
            contact_id=person,
            message_name="Win-back",
            service="esputnik",
        )
        for days in (0, 60)
        for person, way in ways.items()
        for place, status in enumerate(way)
    ]
    columns = list(column_types(exports.ActivityRow))
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE esp_activity ({', '.join(columns)})")
    for row in rows:
        told = msgspec.to_builtins(row)
        values = [str(told[name]) if isinstance(told[name], list) else told[name] for name in columns]
        database.execute(f"INSERT INTO esp_activity VALUES ({', '.join('?' * len(columns))})", values)  # noqa: S608  # our own names
    assert database.execute(sql).fetchall() == [("Win-back", 3, 2, 1, 1, 1, 50.0)]
    database.close()
