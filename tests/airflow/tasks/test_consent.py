"""Who is left out, how many may be written to, and dry runs: as tasks, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventOperator, SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sources import FileSource

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

ANN, BEN, CID, DOT = "ann@example.com", "ben@example.com", "cid@example.com", "dot@example.com"
PEOPLE = [{"email": ANN}, {"email": BEN}, {"email": CID}, {"email": DOT}]
LIST = "Readers"
OPTED_OUT = f"mail,note\n{BEN.upper()},phoned us\n"


def upload(source: Any = PEOPLE, **arguments: Any) -> UploadContactsOperator:
    told = {"esp_conn_id": "esputnik_default", "poll_interval": 0.05, **arguments}
    return UploadContactsOperator(task_id="upload", source=source, **told)


def upload_to_list(source: Any = PEOPLE, **arguments: Any) -> UploadContactsOperator:
    return upload(source, **{"esp_conn_id": "sendpulse_default", "segments": [LIST], **arguments})


def send(source: Any = PEOPLE, **arguments: Any) -> SmartSendOperator:
    told = {"esp_conn_id": "esputnik_default", "message_id": 1001, "poll_interval": 0.05, **arguments}
    return SmartSendOperator(task_id="send", source=source, **told)


def mail(source: Any = PEOPLE, **arguments: Any) -> SmartSendOperator:
    told = {"message_id": 700_001, "subject": "Hello", "sender_email": "sender@sandbox.example", **arguments}
    return send(source, esp_conn_id="sendpulse_default", **told)


def event(**arguments: Any) -> SendEventOperator:
    return SendEventOperator(task_id="event", **{"esp_conn_id": "esputnik_default", "event": "bought", **arguments})


def events(source: Any, **arguments: Any) -> SendEventsOperator:
    return SendEventsOperator(
        task_id="event", **{"esp_conn_id": "esputnik_default", "event": "bought", "source": source, **arguments}
    )


def report(folder: Path) -> dict[int, dict[str, Any]]:
    lines = [line for part in folder.rglob("*.ndjson") for line in part.read_text().splitlines()]
    return {row["row"]: row for row in map(json.loads, lines)}


def wrote(sandbox: Sandbox) -> list[str]:
    """What was asked of the services that may change something, tokens aside."""
    asked = [row for row in sandbox.requests() if row["method"] != "GET" and "/oauth/" not in row["path"]]
    return [f"{row['method']} {row['path']}" for row in asked]


def contacts(sandbox: Sandbox) -> set[str]:
    return {row["email"] for row in sandbox.rows("esputnik", "contacts")}


def addressees(sandbox: Sandbox) -> list[str]:
    return sorted(message["to"] for message in sandbox.messages())


@pytest.fixture
def sendpulse(sandbox: Sandbox) -> Any:
    """The SendPulse API, as another program would use it."""
    with httpx.Client(base_url=sandbox.sendpulse_url, timeout=60) as client:
        said = {"grant_type": "client_credentials", "client_id": "sandbox-id", "client_secret": "sandbox-secret"}
        token = client.post("/oauth/access_token", json=said).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def esputnik(sandbox: Sandbox) -> Any:
    """The eSputnik API, as another program would use it."""
    with httpx.Client(base_url=sandbox.esputnik_url, timeout=60, auth=("user", "sandbox-key")) as client:
        yield client


def book_of(sendpulse: httpx.Client, name: str, *emails: str) -> str:
    """Make a mailing list of active contacts; gives its path."""
    number = sendpulse.post("/addressbooks", json={"bookName": name}).json()["id"]
    sendpulse.post(f"/addressbooks/{number}/emails", json={"emails": list(emails)})
    return f"/addressbooks/{number}/emails"


# -- leaving people out ---------------------------------------------------------------------------------------------


def test_an_upload_leaves_people_out_and_says_why(run: Run, sandbox: Sandbox, write: Write, tmp_path: Path) -> None:
    optouts = FileSource(write("optouts.csv", OPTED_OUT))
    ran = run(upload(suppress=[optouts, DOT], suppress_column="mail", report_path=str(tmp_path / "report")))
    assert (ran.state, ran.value["accepted"], ran.value["suppressed"]) == ("success", 2, 2)
    assert {ANN, CID} <= contacts(sandbox)
    assert not {BEN, DOT} & contacts(sandbox)
    rows = report(tmp_path / "report")
    assert {number: (row["outcome"], row["reason"]) for number, row in rows.items()} == {
        2: ("suppressed", "left out: stands in optouts.csv"),
        4: ("suppressed", "left out: stands in the list in suppress="),
    }


def test_a_send_leaves_people_out(run: Run, sandbox: Sandbox, write: Write) -> None:
    ran = run(send(suppress=write("optouts.csv", OPTED_OUT), suppress_column=["mail", "tel"]))
    assert (ran.state, ran.value["accepted"], ran.value["suppressed"]) == ("success", 3, 1)
    assert addressees(sandbox) == [ANN, CID, DOT]


def test_events_leave_people_out_by_address_and_by_number(run: Run, sandbox: Sandbox) -> None:
    source = [{"email": ANN, "phone": "+447700900001"}, {"email": BEN, "phone": ""}, {"email": CID, "phone": None}]
    ran = run(events(source, suppress=["44 7700 900001", CID]))
    assert (ran.value["accepted"], ran.value["suppressed"]) == (1, 2)
    ran = run(event(contact_email=ANN, suppress=ANN.upper()))
    assert (ran.state, ran.value["accepted"], ran.value["suppressed"]) == ("success", 0, 1)
    assert len(sandbox.requests("*/event")) == 1


def test_whoever_is_to_be_left_out_is_read_again_at_every_try(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    optouts, ledger = tmp_path / "optouts.csv", str(tmp_path / "ledger.json")
    optouts.write_text("email\n")
    sandbox.fault("status", "POST", "*/smartsend", status=403, skip=1)
    crowd = [{"email": f"p{number}@example.com"} for number in range(1200)]
    with worker.dag() as dag:
        send(crowd, suppress=str(optouts), ledger_path=ledger, on_empty_suppression="continue")
    assert worker.run_dag(dag)["send"].state == "failed"
    assert len(sandbox.messages(limit=5000)) == 1000
    optouts.write_text("email\np1@example.com\np1100@example.com\n")
    again = worker.clear(dag)["send"]
    assert (again.state, again.value["accepted"], again.value["suppressed"]) == ("success", 1199, 1)
    assert len(sandbox.messages("p1@", limit=5)) == 1
    assert sandbox.messages("p1100@", limit=5) == []


def test_people_to_leave_out_come_through_an_xcom(worker: Any, sandbox: Sandbox) -> None:
    from airflow.providers.common.compat.sdk import task

    with worker.dag() as dag:

        @task
        def optouts() -> list[str]:
            return [ANN, BEN]

        send(suppress=[optouts(), DOT])
    ran = worker.run_dag(dag)["send"]
    assert (ran.state, ran.value["accepted"], ran.value["suppressed"]) == ("success", 1, 3)
    assert addressees(sandbox) == [CID]


def test_mapped_tasks_leave_people_out(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    optouts = tmp_path / "optouts.csv"
    optouts.write_text(f"email\n{BEN}\n")
    with worker.dag() as dag:
        told: dict[str, Any] = {"task_id": "send", "esp_conn_id": "esputnik_default", "message_id": 1001}
        parts = [[{"email": ANN}], [{"email": BEN}]]
        SmartSendOperator.partial(**told, suppress=str(optouts), dry_run="{{ False }}").expand(source=parts)
    ran = worker.run_dag(dag)
    assert sorted((one.value["accepted"], one.value["suppressed"]) for one in ran.all) == [(0, 1), (1, 0)]
    assert addressees(sandbox) == [ANN]


def test_people_who_are_left_out_never_stand_in_airflows_database(
    worker: Any, sandbox: Sandbox, whole_database: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    someone, number = "kept.to.ourselves@example.com", "+447700900987"
    with worker.dag() as dag:
        send(suppress=[someone, number, FileSource("/no/{{ dag_run.conf['name'] }}.csv")])
    ran = worker.run_dag(dag, {"name": "optouts"})["send"]
    assert ran.state == "failed"
    assert "/no/optouts.csv: there is no such file" in ran.error
    assert addressees(sandbox) == []
    kept = whole_database()
    assert "2 people" in kept
    for told in (kept, caplog.text):
        assert someone not in told
        assert number[1:] not in told


@pytest.mark.parametrize("suppress", ["['ann@example.com', 'ben@example']", [ANN, "s3://crm/optouts.csv"], 17, ""])
def test_what_cannot_be_read_as_people_stops_the_task(run: Run, sandbox: Sandbox, suppress: Any) -> None:
    ran = run(send(suppress=suppress, retries=2))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "suppress=" in ran.error
    assert "@" not in ran.error
    assert wrote(sandbox) == []


# -- the service's own list -----------------------------------------------------------------------------------------


def test_sendpulse_is_asked_who_has_unsubscribed(run: Run, sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    own, other = book_of(sendpulse, LIST, ANN, BEN), book_of(sendpulse, "Others", CID)
    sandbox.advance(60)
    sendpulse.post("/smtp/unsubscribe", json={"emails": [{"email": DOT.upper()}]})
    sendpulse.post(f"{own}/unsubscribe", json={"emails": [BEN]})
    sendpulse.post(f"{other}/unsubscribe", json={"emails": [CID]})
    ran = run(mail(suppress=["unsubscribed"]))
    assert (ran.state, ran.value["accepted"], ran.value["suppressed"]) == ("success", 1, 3)
    assert addressees(sandbox) == [ANN]
    # Who left another list may be added to this one.
    ran = run(upload_to_list(suppress="unsubscribed"))
    assert (ran.state, ran.value["accepted"], ran.value["suppressed"]) == ("success", 2, 2)


def test_esputnik_says_that_it_cannot_be_asked_who_has_unsubscribed(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(suppress="unsubscribed", retries=1))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert ran.error.startswith('eSputnik cannot list who has unsubscribed (suppress="unsubscribed").')
    assert wrote(sandbox) == []


def test_nobody_who_has_unsubscribed_is_subscribed_by_an_upload_or_a_send(
    run: Run, sandbox: Sandbox, sendpulse: httpx.Client, esputnik: httpx.Client
) -> None:
    own = book_of(sendpulse, LIST, ANN, BEN)
    sandbox.advance(60)
    sendpulse.post(f"{own}/unsubscribe", json={"emails": [ANN]})
    sendpulse.post("/smtp/unsubscribe", json={"emails": [{"email": ANN}]})
    run(upload())
    esputnik.post("/v1/emails/unsubscribed/add", json={"emails": [ANN]})
    for task in (upload(), send(), upload_to_list(), mail()):
        assert run(task).state == "success"
    sandbox.advance(60)
    assert [row["email"] for row in sandbox.rows("esputnik", "unsubscribed")] == [ANN]
    assert sendpulse.get(f"{own}/{ANN}").json()["status"] == 4
    assert sendpulse.get("/smtp/unsubscribe/search", params={"email": ANN}).json() == {"result": True}
    asked = {path.rpartition("/")[2] for path in wrote(sandbox)}
    assert not asked & {"delete", "resubscribe", "subscribe"}


# -- how many -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [2, "{{ 1 + 1 }}"])
def test_a_send_to_more_people_than_its_author_thought_is_refused(
    run: Run, sandbox: Sandbox, write: Write, most: Any
) -> None:
    path = write("people.csv", "email\n" + "".join(f"{row['email']}\n" for row in PEOPLE))
    ran = run(send(path, max_recipients=most, retries=2))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "people.csv has more than 2 recipients, which max_recipients allows: row 3 holds the next one." in ran.error
    assert wrote(sandbox) == []


def test_who_gets_nothing_is_no_recipient(run: Run, sandbox: Sandbox) -> None:
    source = [*PEOPLE, {"email": ANN.upper()}, {"email": "nobody"}]
    ran = run(send(source, suppress=[BEN], max_recipients=3, max_rejects=1))
    assert (ran.state, ran.value["accepted"]) == ("success", 3)
    ran = run(send(source, suppress=[BEN], max_recipients=2, max_rejects=1))
    assert "the list of rows has more than 2 recipients" in ran.error
    assert "row 4 of 6 rows holds the next one" in ran.error


def test_events_count_one_by_one(run: Run, sandbox: Sandbox) -> None:
    ran = run(events([{"email": ANN}] * 3, max_recipients=2))
    assert "row 3 of 3 rows holds the next one" in ran.error
    assert wrote(sandbox) == []


# -- dry runs -------------------------------------------------------------------------------------------------------

SOURCE = [*PEOPLE, {"email": "nobody"}, {"email": ANN}]
DRY = {"dry_run": "{{ dag_run.conf['dry'] }}", "suppress": [BEN], "max_rejects": 1}
COLUMNS = {"columns": {"email": "email"}}


@pytest.mark.parametrize(
    ("make", "arguments", "first"),
    [
        (upload, COLUMNS, "POST v1/contacts"),
        (upload, {**COLUMNS, "segments": ["New"], "create_segments": True}, "POST v1/contacts"),
        (upload_to_list, {"create_segments": True}, "POST addressbooks/{id}/emails"),
        (send, {"wait_for_delivery": True, "deferrable": True}, "POST v1/message/{id}/smartsend"),
        (mail, {}, "POST smtp/emails"),
        (events, {}, "POST v2/event"),
    ],
    ids=["upload", "upload to a new segment", "upload to a new list", "smartsend", "smtp", "events"],
)
def test_a_dry_run_counts_and_shows_and_writes_nothing(
    worker: Any,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    kept_state: Callable[[], list[str]],
    make: Callable[..., Any],
    arguments: dict[str, Any],
    first: str,
) -> None:
    before = kept_state()
    with worker.dag() as dag:
        task = make(source=SOURCE, report_path=str(tmp_path), **DRY, **arguments)
    ran = worker.run_dag(dag, {"dry": "yes"})[task.task_id]
    assert ran.state == "success"
    assert wrote(sandbox) == []
    assert kept_state() == before
    doubles = 0 if make is events else 1
    told = {name: ran.value[name] for name in ("rows", "accepted", "invalid", "suppressed", "duplicate", "not_reached")}
    assert told == {
        "rows": 6,
        "accepted": 0,
        "invalid": 1,
        "suppressed": 1,
        "duplicate": doubles,
        "not_reached": 4 - doubles,
    }
    assert ran.value["dry_run"] is True
    assert ran.value["requests_held_back"] >= 1
    folder = Path(ran.value["report_path"])
    assert folder.is_relative_to(tmp_path / dag.dag_id)
    assert folder.parts[-2:] == (task.task_id, "dry-run")
    outcomes = {number: row["outcome"] for number, row in report(folder).items()}
    assert (outcomes[2], outcomes[5]) == ("suppressed", "invalid")
    out = capsys.readouterr()
    logged = caplog.text + out.out + out.err
    assert f"Dry run: the first request would have been {first}" in logged
    assert "ann@" not in logged


def test_a_dry_run_does_not_keep_the_real_one_from_sending(worker: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.json"
    with worker.dag() as dag:
        send(dry_run="{{ dag_run.conf['dry'] }}", ledger_path=str(ledger), report_path=str(tmp_path / "report"))
    assert worker.run_dag(dag, {"dry": True})["send"].value["not_reached"] == 4
    assert not ledger.exists()
    ran = worker.run_dag(dag, {"dry": False})["send"]
    assert (ran.value["accepted"], "dry_run" in ran.value) == (4, False)
    assert addressees(sandbox) == [ANN, BEN, CID, DOT]


def test_a_dry_run_that_says_neither_yes_nor_no_does_nothing(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(dry_run="{{ 'perhaps' }}"))
    assert ran.state == "failed"
    assert "dry_run must be True or False, not 'perhaps'." in ran.error
    assert wrote(sandbox) == []


def test_airflows_own_dry_run_of_a_task_still_shows_its_templates(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    send("people.csv", external_request_id="run {{ run_id }}", dry_run=True).dry_run()
    out = capsys.readouterr()
    assert "external_request_id" in caplog.text + out.out + out.err


# -- somebody who stands twice --------------------------------------------------------------------------------------


def test_who_stands_twice_in_a_batch_is_uploaded_once_and_the_last_row_wins(run: Run, sandbox: Sandbox) -> None:
    columns = {"columns": {"email": "email", "name": "first_name"}}
    source = [{"email": ANN, "name": "Old"}, {"email": BEN, "name": "Ben"}, {"email": ANN.upper(), "name": "New"}]
    ran = run(upload(source, **columns))
    assert (ran.value["accepted"], ran.value["duplicate"]) == (2, 1)
    (person,) = [row for row in sandbox.rows("esputnik", "contacts") if row["email"].lower() == ANN]
    assert person["name"].startswith("New")


def test_who_stands_in_two_batches_is_uploaded_twice(run: Run, sandbox: Sandbox) -> None:
    columns = {"columns": {"email": "email", "name": "first_name"}, "batch_size": 2}
    source = [{"email": ANN, "name": "Old"}, {"email": BEN, "name": "Ben"}, {"email": ANN, "name": "New"}]
    ran = run(upload(source, **columns, concurrency=1))
    assert (ran.value["accepted"], ran.value["duplicate"]) == (3, 0)
    sent = [json.loads(row["body"])["contacts"] for row in sandbox.requests("*/v1/contacts", "POST")]
    assert [len(batch) for batch in sent] == [2, 1]
