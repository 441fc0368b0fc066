"""What authors, files and services get wrong: each ends the task with one sentence that says what to change."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventOperator, SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

ANN = "ann@example.com"


def upload(source: Any, **arguments: Any) -> UploadContactsOperator:
    told = {"esp_conn_id": "esputnik_default", "poll_interval": 0.05, "retries": 2, "retry_delay": timedelta(0)}
    return UploadContactsOperator(task_id="upload", source=source, **{**told, **arguments})


def send(source: Any, **arguments: Any) -> SmartSendOperator:
    told = {"esp_conn_id": "esputnik_default", "message_id": 1001, "poll_interval": 0.05}
    return SmartSendOperator(task_id="send", source=source, **{**told, **arguments})


def event(**arguments: Any) -> SendEventOperator:
    told = {"esp_conn_id": "esputnik_default", "event": "purchase"}
    return SendEventOperator(task_id="event", **{**told, **arguments})


def events(source: Any) -> SendEventsOperator:
    return SendEventsOperator(task_id="event", esp_conn_id="esputnik_default", event="purchase", source=source)


def only_error(ran: Any) -> str:
    """The sentence a task failed with: for good, so at its first try."""
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    first: str = ran.error.splitlines()[0]
    assert first.endswith(".")
    assert ANN not in ran.error
    return first


def written(sandbox: Sandbox) -> list[Any]:
    return [row for row in sandbox.requests(method="POST") if "/oauth/" not in row["path"]]


@pytest.fixture
def reconnect(connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change fields of a connection: ``reconnect("esputnik_default", password="x")``."""

    def change(conn_id: str, **fields: Any) -> None:
        told = {**json.loads(connections[conn_id]), **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(told))

    return change


# -- columns ------------------------------------------------------------------------------------------------------


def test_an_unknown_column_is_named(run: Run, sandbox: Sandbox, write: Write) -> None:
    told = only_error(run(upload(write("people.csv", f"email,shoe_size\n{ANN},38\n"))))
    assert told.startswith("people.csv: unknown column 'shoe_size'; give columns= to say what each is (email, phone,")
    assert not written(sandbox)


def test_a_column_that_the_source_does_not_have_is_named(run: Run, sandbox: Sandbox, write: Write) -> None:
    told = only_error(run(upload(write("people.csv", f"mail\n{ANN}\n"), columns={"email": "email"})))
    assert told == "people.csv: columns= names 'email', which the source does not have; it has 'mail'."
    assert not written(sandbox)


def test_a_custom_field_that_the_account_does_not_have_is_named(run: Run, sandbox: Sandbox) -> None:
    columns = {"email": "email", "size": "SHOE.SIZE"}
    told = only_error(run(upload([{"email": ANN, "size": 38}], columns=columns)))
    assert told.startswith("eSputnik has no additional field 'SHOE.SIZE'")
    assert not written(sandbox)


def test_a_source_without_a_column_for_identity_is_refused(run: Run, sandbox: Sandbox, write: Write) -> None:
    told = only_error(run(upload(write("people.csv", "first_name\nAnn\n"))))
    assert told == "people.csv: no column is email, which tells whose row it is."
    assert not written(sandbox)


def test_rows_without_identity_are_invalid_by_their_number(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    rows = [{"email": ANN}, {"first_name": "Ben"}]
    told = only_error(run(upload(rows, report_path=str(tmp_path / "report"))))
    assert told.startswith("1 of 2 rows were refused and max_rejects allows 0: no email (1).")
    (row,) = [json.loads(line) for part in (tmp_path / "report").rglob("*.ndjson") for line in part.open()]
    assert (row["row"], row["outcome"], row["reason"]) == (2, "invalid", "no email")


def test_a_header_that_names_a_column_twice_is_refused(run: Run, write: Write) -> None:
    assert "the header names 'email' twice" in only_error(run(upload(write("people.csv", "email,email\na,b\n"))))


def test_an_audience_without_the_column_of_addresses_is_refused(run: Run, sandbox: Sandbox, write: Write) -> None:
    told = only_error(run(send(write("people.csv", f"mail,name\n{ANN},Ann\n"))))
    assert told == "people.csv: no column 'email'; it has 'mail', 'name'."
    assert not written(sandbox)


# -- files --------------------------------------------------------------------------------------------------------

EMPTY = pytest.mark.parametrize(
    ("name", "content"),
    [("none.csv", "email\n"), ("void.csv", ""), ("void.ndjson", "\n\n")],
    ids=["header", "csv", "ndjson"],
)


@EMPTY
def test_a_source_without_rows_skips_the_task_and_the_log_says_so(
    run: Run,
    sandbox: Sandbox,
    write: Write,
    name: str,
    content: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert run(upload(write(name, content))).state == "skipped"
    told = "".join(capfd.readouterr()) + caplog.text
    assert f"{name} has no rows, so there is nothing to do (on_empty='skip')." in told
    assert not written(sandbox)


@EMPTY
def test_a_source_without_rows_fails_the_task_where_the_author_says_so(
    run: Run, write: Write, name: str, content: str
) -> None:
    assert only_error(run(upload(write(name, content), on_empty="fail"))) == f"{name} has no rows."


@EMPTY
def test_a_source_without_rows_is_no_matter_where_the_author_says_so(
    run: Run, sandbox: Sandbox, write: Write, name: str, content: str
) -> None:
    ran = run(upload(write(name, content), on_empty="continue"))
    assert (ran.state, ran.value["rows"], ran.value["accepted"]) == ("success", 0, 0)
    assert not written(sandbox)


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_audience_of_nobody_needs_no_wait(run: Run, sandbox: Sandbox, deferrable: bool) -> None:
    ran = run(send([], on_empty="continue", wait_for_delivery=True, deferrable=deferrable))
    assert (ran.state, ran.value["rows"], ran.value["delivered"]) == ("success", 0, 0)
    assert not written(sandbox)


def test_events_of_nobody_skip_the_task(run: Run, sandbox: Sandbox) -> None:
    assert run(events([])).state == "skipped"
    assert not written(sandbox)


def test_a_file_that_is_not_utf_8_is_named_with_the_line(run: Run, sandbox: Sandbox, write: Write) -> None:
    told = only_error(run(upload(write("people.csv", f"email,first_name\n{ANN},An\xef\n".encode("latin-1")))))
    assert told.startswith("people.csv: ")
    assert "line 2" in told
    assert "save the file as UTF-8, or say what it is in" in told
    assert not written(sandbox)


@pytest.mark.parametrize(
    ("broken", "what"),
    [("{not json", "a JSON object"), ('["a list"]', "a JSON object"), ('{"email": "\udcff"}', "UTF-8")],
)
def test_a_broken_line_of_ndjson_is_named_by_its_number_and_the_others_go(
    run: Run, sandbox: Sandbox, write: Write, broken: str, what: str
) -> None:
    good = [f'{{"email": "{name}@example.com"}}' for name in ("a", "b")]
    content = "\n".join([good[0], "", broken, good[1], ""]).encode("utf-8", "surrogateescape")
    ran = run(upload(write("people.ndjson", content)))
    assert f"1 of 3 rows were refused and max_rejects allows 0: line 3 is not {what} (1)." in only_error(ran)
    assert len(sandbox.rows("esputnik", "contacts")) == 2


def test_a_row_of_csv_with_too_many_cells_is_named_by_its_line(run: Run, sandbox: Sandbox, write: Write) -> None:
    ran = run(upload(write("people.csv", f"email,first_name\n{ANN},Ann,extra\nben@example.com,Ben\n")))
    assert "line 2 has 3 cells and the header has 2 (1)" in only_error(ran)
    assert len(sandbox.rows("esputnik", "contacts")) == 1


def test_a_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    told = only_error(run(upload(str(tmp_path / "gone.csv"))))
    assert told == f"{tmp_path}/gone.csv: there is no such file; check the path, and that this worker sees it."


def test_a_file_whose_name_does_not_tell_its_format_is_named(run: Run, write: Write) -> None:
    assert "its name does not tell its format" in only_error(run(upload(write("people.dat", "email\n"))))


def test_a_source_that_is_no_source_is_refused(run: Run) -> None:
    assert "source= takes a path, a FileSource" in only_error(run(upload({"email": ANN})))


# -- connections and services --------------------------------------------------------------------------------------


def test_a_wrong_key_says_where_to_correct_it(run: Run, sandbox: Sandbox, reconnect: Callable[..., None]) -> None:
    reconnect("esputnik_default", password="not-the-key")
    ran = run(upload([{"email": ANN}]))
    assert only_error(ran).startswith("eSputnik POST v1/contacts: ")
    assert "Check the connection's API key" in ran.error
    assert "HTTP status 401" in ran.error
    assert "not-the-key" not in ran.error


def test_a_wrong_client_secret_says_where_to_correct_it(
    run: Run, sandbox: Sandbox, reconnect: Callable[..., None]
) -> None:
    reconnect("sendpulse_default", password="not-the-secret")
    told = only_error(run(event(esp_conn_id="sendpulse_default", contact_email=ANN)))
    assert told.startswith("SendPulse POST oauth/access_token: ")
    assert "client" in told
    assert "not-the-secret" not in told


def test_a_wrong_host_says_so(run: Run, reconnect: Callable[..., None]) -> None:
    reconnect("esputnik_default", host="http://127.0.0.1:9/api")
    ran = run(upload([{"email": ANN}], retries=0))
    assert (ran.state, len(ran.errors)) == ("failed", 1)
    assert "no connection to 127.0.0.1:9" in ran.error
    assert "Check the connection's host" in ran.error


def test_a_host_that_is_not_https_is_refused_before_anything_is_sent(run: Run, reconnect: Callable[..., None]) -> None:
    reconnect("esputnik_default", host="http://esputnik.example/api")
    assert "the host must begin with https://" in only_error(run(upload([{"email": ANN}])))


@pytest.mark.parametrize("status", [200, 404])
def test_a_service_that_answers_html_is_not_taken_for_the_api(run: Run, sandbox: Sandbox, status: int) -> None:
    sandbox.fault("html", "POST", "*/v1/contacts", status=status, times=None)
    ran = run(upload([{"email": ANN}], retries=0))
    assert ran.state == "failed"
    assert "eSputnik POST v1/contacts: " in ran.error
    assert "502 Bad Gateway" in ran.error
    assert "<" not in ran.error


def test_a_service_that_hangs_is_given_up_and_the_limit_is_named(
    run: Run, sandbox: Sandbox, reconnect: Callable[..., None]
) -> None:
    reconnect("esputnik_default", extra={"request_timeout": 0.2})
    sandbox.fault("hang", "POST", "*/v1/contacts", times=None)
    ran = run(upload([{"email": ANN}], retries=0))
    assert ran.state == "failed"
    assert "eSputnik POST v1/contacts: no answer within 0.2 s. The service is slow or hangs" in ran.error


def test_a_service_that_hangs_over_an_event_leaves_its_outcome_unknown_with_the_limit_named(
    run: Run, sandbox: Sandbox, reconnect: Callable[..., None]
) -> None:
    reconnect("esputnik_default", extra={"request_timeout": 0.2})
    sandbox.fault("hang", "POST", "*/v2/event")
    told = only_error(run(event(contact_email=ANN)))
    assert "it is unknown whether they were reached" in told
    assert "no answer within 0.2 s" in told


def test_a_message_that_does_not_exist_is_named(run: Run, sandbox: Sandbox) -> None:
    told = only_error(run(send([{"email": ANN}], message_id=99)))
    assert "Message with id='99' not found" in told
    assert not sandbox.messages()


def test_a_message_whose_id_is_no_number_is_refused(run: Run, sandbox: Sandbox) -> None:
    assert "message_id is a number, not 'win-back'" in only_error(run(send([{"email": ANN}], message_id="win-back")))


def test_a_connection_of_another_type_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FILES", '{"conn_type": "fs"}')
    ran = run(upload([{"email": ANN}], esp_conn_id="files", retries=0))
    assert ran.state == "failed"
    assert "'files'" in ran.error
    assert "esputnik or sendpulse" in ran.error


def test_a_connection_that_does_not_exist_is_named(run: Run) -> None:
    ran = run(upload([{"email": ANN}], esp_conn_id="nowhere", retries=0))
    assert ran.state == "failed"
    assert "nowhere" in ran.error
