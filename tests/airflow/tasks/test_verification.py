"""`VerifyContactsOperator`, run by Airflow against the sandbox: what is in the file, and who is left out by it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.operators.verification import VerifyContactsOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sources import SqlSource

Run = Callable[..., Any]
GOOD, BAD, WAITS = "ann@example.com", "bounce@example.com", "bob@example.com"
ROWS = [{"email": GOOD, "city": "Lviv"}, {"email": BAD, "city": "Kyiv"}, {"email": WAITS, "city": "Odesa"}]
PEOPLE = [{"email": row["email"]} for row in ROWS]


@pytest.fixture(autouse=True)
def _verifier(worker: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    people = {"conn_type": "sqlite", "host": str(tmp_path / "people.db")}
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", json.dumps(people))
    sandbox.set(outcomes={WAITS: "stuck"}, sendpulse__verify_seconds=1.0)
    sandbox.limit("sendpulse.second", None)


def verify(path: Path | str, **arguments: Any) -> VerifyContactsOperator:
    given = {"source": ROWS, "poll_interval": 0.1, **arguments}
    if given["source"] is None:
        del given["source"]
    return VerifyContactsOperator(task_id="verify", esp_conn_id="sendpulse_default", path=str(path), **given)


def left_out(path: Path | str) -> dict[str, str]:
    return {row["email"]: row["status"] for row in map(json.loads, Path(path).read_text().splitlines())}


def books(sandbox: Sandbox) -> list[str]:
    return [row["name"] for row in sandbox.rows("sendpulse", "books")]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (("valid",), {BAD: "invalid", WAITS: "unconfirmed"}),
        (("valid", "unconfirmed"), {BAD: "invalid"}),
        ("unverified", {GOOD: "valid", BAD: "invalid", WAITS: "unconfirmed"}),
    ],
)
def test_whatever_is_not_accepted_is_in_the_file(
    run: Run, sandbox: Sandbox, tmp_path: Path, deferrable: bool, accept: Any, expected: Mapping[str, str]
) -> None:
    before = books(sandbox)
    path = tmp_path / "out" / "left-out.ndjson"
    ran = run(verify(path, accept=accept, deferrable=deferrable))
    assert left_out(path) == expected
    assert ran.value["checked"] == 3
    assert ran.value["left_out"] == len(expected)
    assert ran.value["statuses"] == {"invalid": 1, "unconfirmed": 1, "valid": 1}
    assert ran.value["accepted"] == 3
    assert books(sandbox) == before
    uploads = sandbox.requests("*/addressbooks/*/emails", "POST")
    assert [set(json.loads(row["body"])) for row in uploads] == [{"emails", "disable_webhook"}]
    assert "Lviv" not in uploads[0]["body"]


@pytest.mark.parametrize("name", ["left-out.ndjson", "left-out.ndjson.gz", "left-out.parquet"])
def test_an_upload_and_a_send_leave_out_whom_the_file_names(
    worker: Any, sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    dag = worker.dag()
    with dag:
        check = verify(tmp_path / name)
        upload = UploadContactsOperator(
            task_id="upload",
            esp_conn_id="sendpulse_default",
            source=PEOPLE,
            segments=["Customers"],
            create_segments=True,
            suppress=check.output if name.endswith("gz") else [check.output],
        )
        send = SmartSendOperator(
            task_id="send",
            esp_conn_id="esputnik_default",
            source=PEOPLE,
            message_id=1001,
            suppress="{{ ti.xcom_pull('verify')['path'] }}",
            wait_for_delivery=False,
        )
        check >> upload >> send
    ran = worker.run_dag(dag)
    assert (ran["upload"].value["accepted"], ran["upload"].value["suppressed"]) == (1, 2)
    assert {row["email"] for row in sandbox.rows("sendpulse", "contacts")} == {GOOD}
    assert (ran["send"].value["accepted"], ran["send"].value["suppressed"]) == (1, 2)
    assert {message["to"] for message in sandbox.messages(service="esputnik")} == {GOOD}


def test_an_empty_file_leaves_nobody_out(run: Run, worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "left-out.ndjson"
    check = verify(path, source=[{"email": GOOD}])
    upload = UploadContactsOperator(
        task_id="upload",
        esp_conn_id="sendpulse_default",
        source=[{"email": GOOD}],
        segments=["Customers"],
        create_segments=True,
        suppress=str(path),
        on_empty_suppression="continue",
    )
    ran = run(check, upload)
    assert path.read_text() == ""
    assert (ran.value["accepted"], ran.value["suppressed"]) == (1, 0)


def test_a_verification_that_was_skipped_lets_nobody_in(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    dag = worker.dag()
    with dag:
        check = verify(tmp_path / "left-out.ndjson", source=[])
        for service, upload_to in (("sendpulse", ["Customers"]), ("esputnik", ["Readers"])):
            upload = UploadContactsOperator(
                task_id=service,
                esp_conn_id=f"{service}_default",
                source=PEOPLE,
                segments=upload_to,
                create_segments=True,
                suppress=check.output,
                trigger_rule="none_failed",
            )
            check >> upload
    ran = worker.run_dag(dag)
    assert ran["verify"].state == "skipped"
    for service in ("sendpulse", "esputnik"):
        assert ran[service].state == "failed"
        assert "so it would suppress nobody. Nothing was sent" in ran[service].error
        assert sandbox.rows(service, "contacts") == []


def book(sandbox: Sandbox, run: Run, name: str = "Customers") -> None:
    upload = UploadContactsOperator(
        task_id="upload",
        esp_conn_id="sendpulse_default",
        source=PEOPLE,
        segments=[name],
        create_segments=True,
    )
    assert run(upload).state == "success"


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_mailing_list_is_verified_stays_and_is_read_again_without_another_verification(
    run: Run, sandbox: Sandbox, tmp_path: Path, deferrable: bool
) -> None:
    book(sandbox, run)
    for name in ("first.ndjson", "second.ndjson"):
        ran = run(verify(tmp_path / name, source=None, segment="Customers", deferrable=deferrable))
        assert left_out(tmp_path / name) == {BAD: "invalid", WAITS: "unconfirmed"}
        assert ran.value["rows"] == 0
    assert "Customers" in books(sandbox)
    started = [row["status"] for row in sandbox.requests("*/verifier-service/send-list-to-verify", "POST")]
    assert started == [200, 422]


def test_a_list_that_a_campaign_has_used_is_refused_in_the_vendors_words(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    book(sandbox, run)
    sandbox.fault("status", "POST", "*/verifier-service/send-list-to-verify", status=422, body=json.dumps(
        {"message": "The address book was used in a campaign", "error_code": 422}
    ))  # fmt: skip
    ran = run(verify(tmp_path / "left-out.ndjson", source=None, segment="Customers"))
    assert "was used in a campaign" in ran.error
    assert not (tmp_path / "left-out.ndjson").exists()


def test_an_address_without_a_result_was_not_verified(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    answer = {"id": 1, "status": 1, "email_addresses": [], "email_addresses_total": 0}
    sandbox.fault("status", "GET", "*/verifier-service/check", status=200, body=json.dumps(answer))
    path = tmp_path / "left-out.ndjson"
    run(verify(path))
    assert left_out(path) == {GOOD: "unverified", BAD: "unverified", WAITS: "unverified"}


def test_a_result_with_fewer_addresses_than_it_says_is_no_result(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    answer = {"id": 1, "status": 1, "email_addresses": [], "email_addresses_total": 3}
    sandbox.fault("status", "GET", "*/verifier-service/check", status=200, body=json.dumps(answer))
    ran = run(verify(tmp_path / "left-out.ndjson"))
    assert "3 addresses were verified, and lists 0" in ran.error
    assert not (tmp_path / "left-out.ndjson").exists()


def test_nothing_is_verified_where_the_service_did_not_take_every_address(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    refusal = json.dumps({"message": "Argument emails is invalid", "error_code": 422})
    sandbox.fault("status", "POST", "*/addressbooks/*/emails", times=None, status=422, body=refusal)
    before = books(sandbox)
    ran = run(verify(tmp_path / "left-out.ndjson", max_rejects="100%"))
    assert books(sandbox) == before
    assert "3 addresses did not reach the service, so nothing was verified" in ran.error
    assert sandbox.requests("*/verifier-service/*") == []


def test_what_is_no_address_counts_as_invalid_and_goes_into_the_report(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    source = [*ROWS, {"email": "nobody"}, {"email": GOOD.upper()}]
    path = tmp_path / "left-out.ndjson"
    ran = run(verify(path, source=source, max_rejects=1, report_path=str(tmp_path / "report")))
    assert (ran.value["invalid"], ran.value["duplicate"], ran.value["accepted"]) == (1, 1, 3)
    before = books(sandbox)
    assert run(verify(path, source=source)).state == "failed"
    assert books(sandbox) == before


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "sql"])
def test_addresses_come_from_any_source_by_the_name_of_their_column(
    run: Run, sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "left-out.ndjson"
    ran = run(verify(path, source=source_of(kind, tmp_path), email_column="mail", max_rejects=1))
    assert left_out(path) == {BAD: "invalid", WAITS: "unconfirmed"}
    assert ran.value["checked"] == 3


def source_of(kind: str, folder: Path) -> Any:
    rows = [{"mail": row["email"], "city": row["city"]} for row in ROWS]
    if kind == "csv":
        lines = ["mail;city", *(";".join(row.values()) for row in rows)]
        (folder / "people.csv").write_text("\n".join(lines))
    elif kind == "ndjson":
        (folder / "people.ndjson").write_text("\n".join(map(json.dumps, rows)))
    elif kind == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        import_module("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), folder / "people.parquet")
    else:
        pytest.importorskip("airflow.providers.sqlite.hooks.sqlite", reason="Airflow's sqlite provider is missing")
        database = sqlite3.connect(folder / "people.db")
        database.execute("CREATE TABLE people (mail TEXT, city TEXT)")
        database.executemany("INSERT INTO people VALUES (:mail, :city)", rows)
        database.commit()
        database.close()
        return SqlSource("people_db", "SELECT mail, city FROM people", key="mail")
    return str(folder / f"people.{kind}")


def test_a_column_that_is_not_there_is_said_before_anything_leaves(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    ran = run(verify(tmp_path / "left-out.ndjson", email_column="mail"))
    assert "mail" in ran.error
    assert [row for row in sandbox.requests("*addressbooks*") if row["method"] != "GET"] == []


def test_people_who_are_left_out_are_not_even_verified(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "left-out.ndjson"
    ran = run(verify(path, suppress=[BAD]))
    assert (ran.value["suppressed"], ran.value["checked"]) == (1, 2)
    assert BAD not in sandbox.requests("*/addressbooks/*/emails", "POST")[0]["body"]


def test_a_source_of_people_who_are_all_left_out_makes_an_empty_file(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    before = books(sandbox)
    ran = run(verify(tmp_path / "left-out.ndjson", suppress=[GOOD, BAD, WAITS]))
    assert (ran.value["checked"], ran.value["left_out"]) == (0, 0)
    assert books(sandbox) == before
    assert sandbox.requests("*/verifier-service/*") == []


def test_a_dry_run_reads_and_checks_and_writes_nothing(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    ran = run(verify(tmp_path / "left-out.ndjson", dry_run=True))
    assert ran.value["dry_run"] is True
    assert {row["method"] for row in sandbox.requests("*sendpulse*")} <= {"GET", "POST"}
    assert [row for row in sandbox.requests("*addressbooks*") if row["method"] != "GET"] == []
    assert sandbox.requests("*/verifier-service/*") == []
    assert not (tmp_path / "left-out.ndjson").exists()
    book(sandbox, run)
    ran = run(verify(tmp_path / "left-out.ndjson", source=None, segment="Customers", dry_run=True))
    assert ran.value["requests_held_back"] == 1
    assert sandbox.requests("*/verifier-service/*") == []


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_verification_that_takes_too_long_is_told_and_the_next_try_deletes_what_it_left(
    run: Run, worker: Any, sandbox: Sandbox, tmp_path: Path, deferrable: bool
) -> None:
    sandbox.set(sendpulse__verify_seconds=10_000.0)
    before = books(sandbox)
    dag = worker.dag()
    dag.add_task(verify(tmp_path / "left-out.ndjson", deferrable=deferrable, timeout=0.5))
    ran = worker.run_dag(dag)
    assert "had not ended after 0.5 s" in ran["verify"].error
    assert len(books(sandbox)) == len(before) + 1
    sandbox.set(sendpulse__verify_seconds=0.1)
    dag.get_task("verify").timeout = 60
    assert worker.clear(dag)["verify"].state == "success"
    assert books(sandbox) == before


def test_esputnik_verifies_nothing(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    task = VerifyContactsOperator(
        task_id="verify", esp_conn_id="esputnik_default", path=str(tmp_path / "x.ndjson"), source=ROWS
    )
    assert "eSputnik cannot verify addresses. SendPulse can" in run(task).error
    assert sandbox.requests("*/esputnik/*") == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "either source= .rows. or segment="),
        ({"source": ROWS, "segment": "Customers"}, "either source= .rows. or segment="),
        ({"segment": "Customers", "suppress": [GOOD]}, "verified as a whole"),
        ({"source": ROWS, "accept": ()}, "accept must be"),
        ({"source": ROWS, "accept": ("invalid",)}, "accept must be"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_where_the_dag_is_written(
    arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        VerifyContactsOperator(task_id="verify", esp_conn_id="sendpulse_default", path="x.ndjson", **arguments)


def test_no_address_is_kept_by_airflow(run: Run, worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    ran = run(verify(tmp_path / "left-out.ndjson", deferrable=True))
    assert "@" not in json.dumps(ran.value)
