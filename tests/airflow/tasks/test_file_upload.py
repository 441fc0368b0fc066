"""A file that the service fetches itself: handed over, awaited, and never shown with its secrets."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_esp.operators.contacts_file import FileUrl, ImportContactsFromUrlOperator, check_url
from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.utils.masking import without_secrets

Run = Callable[..., Any]

SECRET = "s3cr3t-signature"
PEOPLE = b"Email,First name,Unknown\nann@example.com,Ann,x\nben@example.com,Ben,y\n"


@pytest.fixture
def files() -> Iterator[str]:
    """A server with one file behind a signature: its address, without the query."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == f"/people.csv?sig={SECRET}"
            self.send_response(200 if found else 403)
            self.end_headers()
            if found:
                self.wfile.write(PEOPLE)

        def log_message(self, *args: Any) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/people.csv"
        server.shutdown()


def upload(url: Any, **arguments: Any) -> ImportContactsFromUrlOperator:
    return ImportContactsFromUrlOperator(
        task_id="upload", url=url, **{"esp_conn_id": "esputnik_default", "poll_interval": 0.1, **arguments}
    )


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])
def test_a_file_is_handed_over_and_its_import_awaited(
    run: Run,
    whole_database: Callable[[], str],
    sandbox: Sandbox,
    files: str,
    deferrable: bool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox.set(import_seconds=0.5)
    ran = run(upload(f"{files}?sig={SECRET}", segments=["VIP"], create_segments=True, deferrable=deferrable))
    assert ran.state == "success"
    assert (ran.value["accepted"], ran.value["rows"], ran.value["imports_total"]) == (2, 2, 1)
    (request,) = sandbox.requests("*/contacts/upload")
    assert request["body"].count(SECRET) == 1
    told = "".join(capfd.readouterr()) + caplog.text
    assert "people.csv?*** submitted" in told
    assert SECRET not in told
    assert SECRET not in str(ran.value)
    assert SECRET not in whole_database()


def test_an_address_may_be_made_by_a_template(run: Run, sandbox: Sandbox, files: str) -> None:
    ran = run(upload(files + "?sig={{ ['s3cr3t', 'signature'] | join('-') }}"))
    assert (ran.state, ran.value["accepted"]) == ("success", 2)


def test_a_file_that_cannot_be_fetched_fails_with_the_services_words_and_no_secret(
    run: Run, sandbox: Sandbox, files: str
) -> None:
    ran = run(upload(f"{files}?sig=wrong-{SECRET}"))
    assert ran.state == "failed"
    assert "the file cannot be fetched: status 403" in ran.error
    assert f"{files}?***" in ran.error
    assert SECRET not in ran.error


def test_an_import_that_fails_says_so(run: Run, sandbox: Sandbox, files: str) -> None:
    sandbox.set(esputnik__import_outcome="error")
    ran = run(upload(f"{files}?sig={SECRET}"))
    assert ran.state == "failed"
    assert "The service did not import" in ran.error


def test_an_import_that_takes_too_long_is_told_by_its_id(run: Run, sandbox: Sandbox, files: str) -> None:
    sandbox.set(import_seconds=60)
    ran = run(upload(f"{files}?sig={SECRET}", timeout=0.3))
    assert "had not ended after 0.3 s" in ran.error


def test_nobody_has_to_wait(run: Run, sandbox: Sandbox, files: str) -> None:
    sandbox.set(import_seconds=60)
    ran = run(upload(f"{files}?sig={SECRET}", wait_for_completion=False))
    assert (ran.state, ran.value["accepted"], len(ran.value["imports"])) == ("success", 0, 1)


def test_a_dry_run_hands_nothing_over_and_shows_no_secret(
    run: Run, sandbox: Sandbox, files: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ran = run(upload(f"{files}?sig={SECRET}", dry_run=True))
    assert (ran.state, ran.value["dry_run"], ran.value["requests_held_back"]) == ("success", True, 1)
    assert sandbox.requests("*/contacts/upload") == []
    told = "".join(capfd.readouterr()) + caplog.text
    assert "POST v1/contacts/upload" in told
    assert SECRET not in told


def test_a_segment_that_is_not_there_is_refused_before(run: Run, sandbox: Sandbox, files: str) -> None:
    ran = run(upload(f"{files}?sig={SECRET}", segments=["Nowhere"]))
    assert "eSputnik has no segment 'Nowhere'" in ran.error
    assert sandbox.requests("*/contacts/upload") == []


@pytest.mark.parametrize("key", ["external_id", "LOYALTY.TIER"])
def test_a_file_is_matched_by_what_the_method_takes(run: Run, sandbox: Sandbox, files: str, key: str) -> None:
    assert f"match the contacts of a file by {key}" in run(upload(f"{files}?sig={SECRET}", dedupe_on=key)).error


def test_sendpulse_fetches_nothing(run: Run, sandbox: Sandbox, files: str) -> None:
    ran = run(upload(files, esp_conn_id="sendpulse_default"))
    assert "SendPulse cannot fetch contacts from a URL" in ran.error


@pytest.mark.parametrize(
    "arguments",
    [
        {"source": "people.csv"},
        {"columns": {"a": "email"}},
        {"report_path": "/tmp/x"},
        {"max_rejects": 3},
        {"suppress": ["ann@example.com"]},
        {"blank_values": "clear"},
        {"batch_size": 10},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_what_is_about_rows_does_not_go_with_a_file(arguments: dict[str, Any]) -> None:
    with pytest.raises((AirflowException, TypeError), match=next(iter(arguments))):
        upload("https://example.com/people.csv", **arguments)


@pytest.mark.parametrize("url", ["http://example.com/a.csv", "ftp://example.com/a.csv", "people.csv", "https://", ""])
def test_only_https_is_taken(url: str) -> None:
    with pytest.raises(ValueError, match="takes the https address"):
        upload(url)


def test_an_address_that_a_template_made_wrong_is_refused(run: Run, sandbox: Sandbox) -> None:
    ran = run(upload(f"{{{{ 'http' }}}}://example.com/a.csv?sig={SECRET}"))
    assert "takes the https address of a file, not 'http://example.com/a.csv?***'" in ran.error
    assert SECRET not in ran.error


@pytest.mark.parametrize("url", ["https://example.com/a.csv?x=1", "http://127.0.0.1:8025/a", "http://[::1]:8/a"])
def test_https_and_this_machine_are_fine(url: str) -> None:
    check_url(url)


def test_an_address_is_shown_without_login_and_query() -> None:
    url = FileUrl(f"https://ann:{SECRET}@example.com/a.csv?sig={SECRET}#x")
    assert str(url) == repr(url) == "https://***@example.com/a.csv?***"
    assert str(FileUrl(f"HTTPS://U:{SECRET}@example.com/a.csv")) == "HTTPS://***@example.com/a.csv"
    told = f"cannot fetch 'https://b:{SECRET}@example.com/a?x={SECRET}' (twice)"
    assert without_secrets(told) == "cannot fetch 'https://***@example.com/a?***' (twice)"


def test_airflow_stores_an_address_without_its_secrets() -> None:
    operator = upload(f"https://example.com/{{{{ ds }}}}.csv?sig={SECRET}")
    stored = str(serialize_template_field(operator.url, "url"))
    assert "https://example.com/{{ ds }}.csv?***" in stored
    assert SECRET not in stored
