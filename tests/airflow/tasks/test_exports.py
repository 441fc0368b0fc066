"""Exports, run by Airflow against the sandbox: what is in the files, and what is not in Airflow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import pytest

from airflow_provider_esp.operators.exports import (
    ExportActivityOperator,
    ExportBroadcastStatsOperator,
    ExportContactsOperator,
)
from airflow_provider_esp.sandbox import Sandbox

Run = Callable[..., Any]
IS_AIRFLOW_2 = airflow.__version__.startswith("2.")


@pytest.fixture(autouse=True)
def _one_clock(worker: Any, sandbox: Sandbox) -> None:
    """Let the account's clock be that of the connection, which says nothing and so means UTC."""
    sandbox.set(esputnik__time_zone="UTC")


def rows(path: Path | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def period(sandbox: Sandbox, **back: float) -> dict[str, Any]:
    now = datetime.fromtimestamp(sandbox.state.clock.now(), UTC)
    return {"start": (now - timedelta(**back)).isoformat(), "end": (now + timedelta(minutes=1)).isoformat()}


def activity(path: Path | str, **arguments: Any) -> ExportActivityOperator:
    return ExportActivityOperator(task_id="export", esp_conn_id="esputnik_default", path=str(path), **arguments)


# -- activity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", ["works", "repeats", "ignored", "loses", "ends"])
def test_every_row_of_the_period_is_in_the_file_once_whatever_the_cursor_does_and_the_same_again(
    run: Run, sandbox: Sandbox, tmp_path: Path, cursor: str
) -> None:
    sandbox.set(esputnik__activity_cursor=cursor)
    made = sandbox.do("esputnik", "make_activity", rows=4000, seconds=3 * 86_400, mixed=True, name="Spring")["rows"]
    sandbox.advance(10)
    told = [run(activity(tmp_path / name, **period(sandbox, days=4))).value for name in ("a.ndjson", "b.ndjson")]
    found = rows(tmp_path / "a.ndjson")
    assert len(found) == told[0]["rows"] == made
    assert len({(row["address"], row["status"]) for row in found}) == made
    assert told[0]["statuses"] == Counter(row["status"] for row in found)
    assert told[0]["sha256"] == told[1]["sha256"]
    assert (tmp_path / "a.ndjson").read_bytes() == (tmp_path / "b.ndjson").read_bytes()


def test_a_service_that_gives_fewer_rows_than_asked_for_loses_none(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.set(esputnik__activity_most=70, esputnik__activity_cursor="ignored")
    sandbox.do("esputnik", "make_activity", rows=900, seconds=86_400)
    assert run(activity(tmp_path / "a.ndjson", **period(sandbox, days=2))).value["rows"] == 900


def test_the_data_interval_is_exported_by_default(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    from airflow.providers.common.compat.sdk import DAG
    from airflow.timetables.interval import CronDataIntervalTimetable

    sandbox.do("esputnik", "make_activity", rows=10, seconds=60)
    daily = CronDataIntervalTimetable("0 0 * * *", timezone="UTC")
    with DAG("daily_export", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=daily, catchup=False) as dag:
        activity(tmp_path / "{{ data_interval_start | ds }}.ndjson")
    ran = worker.run_dag(dag)["export"]
    assert ran.state == "success"
    start, end = (datetime.fromisoformat(ran.value[name]) for name in ("start", "end"))
    assert end - start == timedelta(days=1)
    asked = sandbox.requests("*/contacts/activity")
    assert len(asked) >= 12
    assert ran.value["rows"] == 0  # nothing happened that day
    assert (tmp_path / f"{start:%Y-%m-%d}.ndjson").read_bytes() == b""


def test_a_run_without_a_data_interval_says_what_to_do(run: Run, tmp_path: Path) -> None:
    ran = run(activity(tmp_path / "a.ndjson"))
    assert ran.state == "failed"
    assert "Give start= and end=" in ran.error
    assert not list(tmp_path.iterdir())


def test_times_without_a_zone_are_on_the_accounts_clock(
    run: Run, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"}
    monkeypatch.setenv("AIRFLOW_CONN_ESPUTNIK_DEFAULT", json.dumps({**told, "extra": {"timezone": "Europe/Kyiv"}}))
    ran = run(activity(tmp_path / "a.ndjson", start="2026-01-10", end="2026-01-10T12:00"))
    assert (ran.value["start"], ran.value["end"]) == ("2026-01-09T22:00:00+00:00", "2026-01-10T10:00:00+00:00")
    (first, *_) = sandbox.requests("*/contacts/activity")
    assert "dateFrom=2026-01-09T23%3A59" in first["query"]


@pytest.mark.parametrize("addresses", [True, False])
def test_addresses_are_in_the_file_if_the_author_wants_them_and_nowhere_else(
    run: Run,
    sandbox: Sandbox,
    tmp_path: Path,
    whole_database: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
    addresses: bool,
) -> None:
    sandbox.do("esputnik", "make_activity", rows=20, seconds=600, mixed=True)
    sandbox.advance(10)
    ran = run(activity(tmp_path / "a.ndjson", addresses=addresses, **period(sandbox, days=1)))
    assert ran.value["rows"] > 0
    people = [message["to"] for message in sandbox.messages()]
    written, kept = (tmp_path / "a.ndjson").read_text(), whole_database()
    assert all((address in written) is addresses for address in people)
    assert not [address for address in people if address in kept or address in caplog.text]


def test_an_account_without_activity_is_told_in_the_services_words(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.set(esputnik__activity=False)
    ran = run(activity(tmp_path / "a.ndjson", **period(sandbox, days=1), retries=2))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "Contact support to enable ContactActivity" in ran.error
    assert not list(tmp_path.iterdir())


def test_sendpulse_says_that_it_has_no_activity(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    ran = run(
        ExportActivityOperator(
            task_id="export",
            esp_conn_id="sendpulse_default",
            path=str(tmp_path / "a.ndjson"),
            **period(sandbox, days=1),
        )
    )
    assert (ran.state, "ExportBroadcastStatsOperator" in ran.error) == ("failed", True)


def test_a_format_that_nothing_tells_is_refused_before_anything_is_read(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    ran = run(activity(tmp_path / "activity", **period(sandbox, days=1)))
    assert (ran.state, "'ndjson' or 'parquet'" in ran.error) == ("failed", True)
    assert not sandbox.requests("*/contacts/activity")


# -- contacts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("segment", [None, "Readers"])
def test_contacts_of_a_segment_or_of_the_account_are_in_the_file(
    run: Run, sandbox: Sandbox, tmp_path: Path, segment: str | None
) -> None:
    sandbox.do("esputnik", "make_contacts", count=1203, segment="Readers")
    sandbox.do("esputnik", "make_contacts", count=5, segment="Others")
    operator = ExportContactsOperator(
        task_id="export", esp_conn_id="esputnik_default", path=str(tmp_path / "a.parquet"), segment=segment
    )
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run(operator).value["rows"] == 1203
    table = parquet.read_table(tmp_path / "a.parquet")
    assert len(set(table["email"].to_pylist())) == 1203
    assert set(table["segment"].to_pylist()) == {segment}


def test_contacts_of_a_mailing_list_are_in_the_file(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.limit("sendpulse.second", None)
    book = sandbox.do("sendpulse", "make_contacts", count=250)["book"]
    operator = ExportContactsOperator(
        task_id="export", esp_conn_id="sendpulse_default", path=str(tmp_path / "a.ndjson"), segment=book
    )
    assert run(operator).value["rows"] == 250
    found = rows(tmp_path / "a.ndjson")
    assert {row["segment"] for row in found} == {str(book)}
    assert found[0]["first_name"].startswith("Reader")


# -- figures of broadcasts -----------------------------------------------------------------------------------------


def test_esputniks_broadcasts_are_counted_from_the_activity(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.do("esputnik", "make_activity", rows=1000, seconds=600, mixed=True, broadcast=7)
    sandbox.do("esputnik", "make_activity", rows=10, seconds=600, broadcast=8)
    sandbox.advance(10)
    told = {"esp_conn_id": "esputnik_default", **period(sandbox, days=1)}
    all_of_them = ExportBroadcastStatsOperator(task_id="export", path=str(tmp_path / "a.ndjson"), **told)
    ran = run(all_of_them)
    assert (ran.value["rows"], ran.value["sent"]) == (2, 1010)
    seven, eight = rows(tmp_path / "a.ndjson")
    assert (seven["broadcast_id"], seven["sent"], seven["counted_from"]) == ("7", 1000, "activity")
    assert seven["delivered"] + seven["undelivered"] == 1000
    assert seven["delivered"] > seven["read"] > seven["clicked"] > seven["unsubscribed"] > 0
    assert (eight["sent"], eight["read"]) == (10, 0)
    one = ExportBroadcastStatsOperator(task_id="one", path=str(tmp_path / "b.ndjson"), broadcast_ids=[8], **told)
    assert run(one).value["sent"] == 10


def test_sendpulses_campaigns_have_its_own_figures(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    from airflow_provider_esp.hooks.sendpulse import SendPulseHook
    from airflow_provider_esp.services.sendpulse.api import campaigns

    book = sandbox.do("sendpulse", "make_contacts", count=20)["book"]
    hook = SendPulseHook("sendpulse_default")
    made = hook.run(
        campaigns.create(
            campaigns.NewCampaign("Shop", "sender@sandbox.example", "Spring", html="<p>Hi</p>", list_ids=(book,))
        )
    )
    hook.close()
    sandbox.advance(3600)
    operator = ExportBroadcastStatsOperator(
        task_id="export", esp_conn_id="sendpulse_default", path=str(tmp_path / "a.ndjson"), broadcast_ids=made.id
    )
    ran = run(operator)
    assert (ran.value["rows"], ran.value["sent"], ran.value["delivered"], ran.value["read"]) == (1, 20, 20, 20)
    (row,) = rows(tmp_path / "a.ndjson")
    assert (row["broadcast_id"], row["state"], row["counted_from"]) == (str(made.id), "done", "service")


def test_a_broadcast_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    operator = ExportBroadcastStatsOperator(
        task_id="export", esp_conn_id="sendpulse_default", path=str(tmp_path / "a.ndjson"), broadcast_ids="12345"
    )
    ran = run(operator)
    assert (ran.state, "SendPulse lists no broadcast 12345" in ran.error) == ("failed", True)
    assert not list(tmp_path.iterdir())


# -- other stores --------------------------------------------------------------------------------------------------


def test_an_object_store_gets_the_file_under_its_name_only_when_it_is_complete(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

    from airflow_provider_esp.utils.paths import storage_path

    sandbox.do("esputnik", "make_activity", rows=50, seconds=600)
    store = MemoryFileSystem()
    attached(store)
    assert storage_path("memory://bucket/a.ndjson").protocol == "memory"
    ran = run(activity("memory://bucket/out/a.ndjson", **period(sandbox, days=1)))
    assert ran.state == "success"
    assert [path for path in store.find("/") if "out" in path] == ["/bucket/out/a.ndjson"]
    assert len(store.cat("/bucket/out/a.ndjson").splitlines()) == 50


def attached(store: Any) -> None:
    module = "airflow.io.store" if IS_AIRFLOW_2 else "airflow.sdk.io"
    import_module(module).attach("memory", fs=store)
