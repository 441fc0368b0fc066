"""Phone numbers through real tasks: who was written to, by the sandbox's own record, and what the task said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.events import SendEventOperator, SendEventsOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

CODE = 2001
ANN, BOB = "380971112233", "380951112233"
SERVICES = pytest.mark.parametrize("service", ["esputnik", "sendpulse"])


def send(source: Any, **arguments: Any) -> SmartSendOperator:
    return SmartSendOperator(
        task_id="send",
        esp_conn_id="esputnik_default",
        message_id=CODE,
        source=source,
        recipient_column="phone",
        **arguments,
    )


def upload(service: str, source: Any, **arguments: Any) -> UploadContactsOperator:
    if service == "sendpulse":
        arguments = {"segments": ["Customers"], "create_segments": True, **arguments}
    return UploadContactsOperator(
        task_id="upload", esp_conn_id=f"{service}_default", source=source, poll_interval=0.05, **arguments
    )


def event(service: str, **arguments: Any) -> SendEventOperator:
    return SendEventOperator(task_id="event", esp_conn_id=f"{service}_default", event="purchase", **arguments)


def events(service: str, source: Any, **arguments: Any) -> SendEventsOperator:
    return SendEventsOperator(
        task_id="event", esp_conn_id=f"{service}_default", event="purchase", source=source, **arguments
    )


def written_to(sandbox: Sandbox) -> list[str]:
    return sorted(message["to"].lstrip("+") for message in sandbox.messages())


def body_text(sandbox: Sandbox) -> str:
    return "\n".join(str(row.get("body")) for row in sandbox.requests(method="POST"))


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Everything that was logged so far, whichever way this Airflow logs."""

    def read() -> str:
        return "\n".join([*capfd.readouterr(), caplog.text])

    return read


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    """Write a Parquet file of columns; gives its path."""
    arrow = pytest.importorskip("pyarrow")

    def make(columns: dict[str, Any]) -> str:
        path = tmp_path / "people.parquet"
        pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), path)
        return str(path)

    return make


# -- a number that was once a float -------------------------------------------------------------------------------


def test_the_zero_of_a_float_is_no_digit(
    run: Run, sandbox: Sandbox, write: Write, said: Callable[[], str], people_line: Any
) -> None:
    source = write("a.csv", f"phone,code\n{ANN}.0,1\n{BOB}.00,2\n3.80671112233E+11,3\n{ANN}.5,4\n2026-01-31,5\n")
    ran = run(send(source, max_rejects=2))
    assert written_to(sandbox) == sorted([ANN, BOB, "380671112233"])
    assert {name: ran.value[name] for name in ("accepted", "invalid")} == {"accepted": 3, "invalid": 2}
    log = said()
    assert log.count("the zeros were dropped") >= 1
    assert "3 values in 'phone' were whole numbers written as decimals" in log
    people_line("number was a float", "380971112233.0", people_line.sent(of=5), "the zeros were dropped", log)


def test_floats_decimals_and_integers_of_a_list_are_their_digits(run: Run, sandbox: Sandbox) -> None:
    phones = [
        float(ANN),
        Decimal(f"{BOB}.00"),
        380671112233,
        Decimal("380631112233.50"),
        380501112233.25,
        -380501112244,
        Decimal("3.80505E+11"),  # the last digits are lost; written out it would be somebody's number
    ]
    ran = run(send([{"phone": phone, "code": at} for at, phone in enumerate(phones)], max_rejects=4))
    assert written_to(sandbox) == sorted([ANN, BOB, "380671112233"])
    assert ran.value["invalid"] == 4


def test_a_decimal_that_has_lost_digits_is_no_opt_out_that_can_be_read(
    run: Run, sandbox: Sandbox, people_line: Any
) -> None:
    ran = run(send([{"phone": f"+{ANN}", "code": 1}], suppress=[Decimal("3.80971E+11")]))
    assert ran.state == "failed"
    assert "1 of 1 entries contain no email, phone or id" in ran.error
    people_line("opt-out not read", "3.80971E+11", people_line.sent(of=1), "Nothing was sent.", ran.error)


def test_numbers_of_a_parquet_file_are_their_digits(
    run: Run, sandbox: Sandbox, parquet: Callable[[dict[str, Any]], str]
) -> None:
    run(send(parquet({"phone": [float(ANN), None, float(BOB)], "code": [1, 2, 3]}), max_rejects=1))
    assert written_to(sandbox) == sorted([ANN, BOB])


@SERVICES
def test_the_zero_of_a_float_is_no_digit_of_a_contact_or_an_event(
    service: str, run: Run, sandbox: Sandbox, write: Write
) -> None:
    source = write("a.csv", f"email,phone\nann@example.com,{ANN}.0\n")
    assert run(upload(service, source)).state == "success"
    assert run(events(service, source)).state == "success"
    assert run(event(service, contact_phone=f"{BOB}.0")).state == "success"
    assert f'"{ANN}"' in body_text(sandbox)
    assert f'"{BOB}"' in body_text(sandbox)
    assert f"{ANN}0" not in body_text(sandbox)
    assert ".0" not in body_text(sandbox)


def test_an_id_with_and_without_zero_is_one_person(run: Run, sandbox: Sandbox, write: Write) -> None:
    source = write("a.csv", "external_id,email\n1001,ann@example.com\n1001.0,ann@example.com\n1002,bob@example.com\n")
    ran = run(upload("esputnik", source, dedupe_on="external_id", suppress=[{"external_id": "1002.0"}]))
    assert {name: ran.value[name] for name in ("accepted", "duplicate", "suppressed")} == {
        "accepted": 1,
        "duplicate": 1,
        "suppressed": 1,
    }


# -- a national number without its country ------------------------------------------------------------------------

NATIONAL = ["951112233", "9111112233", "8800555353", "0951112233", "89161234567", "2025550123", "15112345678"]


def test_a_national_number_is_nobodys_unless_its_country_is_said(
    run: Run, sandbox: Sandbox, write: Write, said: Callable[[], str], people_line: Any
) -> None:
    source = write("a.csv", "phone,code\n" + "".join(f"{phone},1\n" for phone in [*NATIONAL, ANN, f"+{BOB}"]))
    ran = run(send(source, max_rejects="100%"))
    assert written_to(sandbox) == sorted([ANN, BOB])
    assert ran.value["invalid"] == len(NATIONAL)
    log = said()
    sentence = f"{len(NATIONAL)} phone numbers in 'phone' so far have no country code"
    assert sentence in log
    assert "default_country=" in log
    assert "phone_format=" in log
    people_line("number, no country", "951112233", people_line.sent(of=9), "have no country code", log)


def test_the_sentence_comes_before_the_first_request(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_esp.operators._values import ValueNotes

    requests_then: list[int] = []
    tell = ValueNotes._tell_no_country

    def told(notes: ValueNotes, when: str) -> None:
        requests_then.append(len(sandbox.messages()))
        tell(notes, when)

    monkeypatch.setattr(ValueNotes, "_tell_no_country", told)
    run(send([{"phone": ANN, "code": 1}, {"phone": "951112233", "code": 1}], max_rejects=1))
    assert requests_then[0] == 0
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize(
    "written", ["951112233", "0951112233", "80951112233", "380951112233", "095 111-22-33", "+380951112233"]
)
def test_the_country_that_an_operator_names_makes_a_number_whole(run: Run, sandbox: Sandbox, written: str) -> None:
    run(send([{"phone": written, "code": 1}], default_country="{{ 'UA' }}"))
    assert written_to(sandbox) == [BOB]


def test_an_operator_goes_before_its_connection(
    run: Run, sandbox: Sandbox, connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.loads(connections["esputnik_default"]) | {"extra": {"default_country": "UA"}}
    monkeypatch.setenv("AIRFLOW_CONN_UKRAINE", json.dumps(told))
    source = [{"phone": "951112233", "code": 1}]
    of_ukraine = SmartSendOperator(
        task_id="send", esp_conn_id="ukraine", message_id=CODE, source=source, recipient_column="phone"
    )
    assert run(of_ukraine).state == "success"
    assert written_to(sandbox) == [BOB]
    source = [{"phone": "66812345678", "code": 1}]
    foreign = SmartSendOperator(
        task_id="send",
        esp_conn_id="ukraine",
        message_id=CODE,
        source=source,
        recipient_column="phone",
        phone_format="international",
    )
    assert run(foreign).state == "success"
    assert written_to(sandbox) == [BOB, "66812345678"]


@SERVICES
def test_contacts_and_events_know_the_country_too(service: str, run: Run, sandbox: Sandbox, write: Write) -> None:
    source = write("a.csv", "email,phone\nann@example.com,0951112233\n")
    assert run(upload(service, source, default_country="UA")).state == "success"
    assert run(events(service, source, default_country="UA")).state == "success"
    assert run(event(service, contact_phone="0951112233", default_country="UA")).state == "success"
    assert body_text(sandbox).count(f'"{BOB}"') == 3


@SERVICES
def test_a_single_event_of_a_national_number_is_refused(service: str, run: Run, sandbox: Sandbox) -> None:
    ran = run(event(service, contact_phone="951112233"))
    assert ran.state == "failed"
    assert "default_country= or phone_format=" in ran.error
    assert "951112233" not in ran.error
    assert sandbox.requests(method="POST", path="*event*") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"default_country": "Ukraine"}, "default_country must be a country of two capital letters"),
        ({"phone_format": "national"}, "phone_format must be 'international'"),
        ({"default_country": "UA", "phone_format": "international"}, "not both"),
    ],
)
def test_a_country_that_does_not_exist_is_refused_before_anything_is_sent(
    run: Run, sandbox: Sandbox, arguments: dict[str, str], words: str
) -> None:
    ran = run(send([{"phone": ANN, "code": 1}], **arguments))
    assert (ran.state, written_to(sandbox)) == ("failed", [])
    assert words in ran.error
