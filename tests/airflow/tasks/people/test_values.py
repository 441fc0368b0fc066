"""Values through real tasks: what the service saves of a row, what it would drop, and how a type is spelled."""

from __future__ import annotations

import datetime
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

WIN_BACK, WELCOME = 1001, 700_001
POINTS, LAST_ORDER, SPENT, LAST_VISIT = 79811, 79812, 79813, 79815
FIELDS = {
    "points": "LOYALTY.POINTS",
    "ordered": "LOYALTY.LAST_ORDER",
    "spent": "LOYALTY.SPENT",
    "visited": "PERSONAL.LAST_VISIT",
}
EVENTS = {"esputnik": "*/v2/event", "sendpulse": "*/events/name/*"}
KYIV = datetime.timezone(datetime.timedelta(hours=2))
SERVICES = pytest.mark.parametrize("service", ["esputnik", "sendpulse"])


@pytest.fixture
def in_kyiv(connections: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both connections are to accounts in Kyiv."""
    for conn_id, fields in connections.items():
        told = json.loads(fields) | {"extra": {"timezone": "Europe/Kyiv"}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(told))


def upload(service: str, source: Any, **arguments: Any) -> UploadContactsOperator:
    if service == "sendpulse":
        arguments = {"segments": ["Customers"], "create_segments": True, **arguments}
    return UploadContactsOperator(
        task_id="upload", esp_conn_id=f"{service}_default", source=source, poll_interval=0.05, **arguments
    )


def saved(sandbox: Sandbox) -> dict[str, dict[int, str]]:
    rows = sandbox.rows("esputnik", "contacts")
    return {row["email"]: {field["id"]: field["value"] for field in row.get("fields", ())} for row in rows}


def reasons(folder: Path) -> dict[int, str]:
    parts = sorted(folder.rglob("*.ndjson"))
    rows = [json.loads(line) for part in parts for line in part.read_text().splitlines()]
    return {row["row"]: row["reason"] for row in rows if row["outcome"] == "invalid"}


def bodies(sandbox: Sandbox, path: str) -> list[str]:
    return [str(row.get("body")) for row in sandbox.requests(path, "POST")]


# -- what the service would drop ----------------------------------------------------------------------------------

DROPPED = {
    "Ann_B": "holds U+005F (low line) at 4",
    "«Ann»": "holds U+00AB",
    "Ann \N{GRINNING FACE}": "holds U+1F600 (grinning face) at 5",
    "A\x07nn": "holds a control character U+0007 at 2",
    "Ann\u200b": "holds an invisible character U+200B at 4",
}


def test_a_name_that_would_be_dropped_is_invalid_and_says_why(
    run: Run, sandbox: Sandbox, tmp_path: Path, people_line: Any
) -> None:
    people = [{"email": f"p{at}@example.com", "first_name": name} for at, name in enumerate(DROPPED)]
    kept = {"email": "ann@example.com", "first_name": "Anne-Marie O\u2019Neil Jr."}
    ran = run(upload("esputnik", [*people, kept], max_rejects="100%", report_path=str(tmp_path / "report")))
    told = reasons(tmp_path / "report")
    for row, words in enumerate(DROPPED.values(), 1):
        assert words in told[row]
    assert {row["email"]: row["firstName"] for row in sandbox.rows("esputnik", "contacts")} == {
        "ann@example.com": "Anne-Marie O\u2019Neil Jr."
    }
    assert ran.value["invalid"] == len(DROPPED)
    people_line("value service drops", "Ann_B", "invalid", "holds U+005F (low line)", told[1])


def test_what_a_field_does_not_take_is_invalid(run: Run, sandbox: Sandbox, write: Write, tmp_path: Path) -> None:
    source = write(
        "a.csv",
        "email;ordered;spent;tier\nann@example.com;2025-02-30;1;gold\nbob@example.com;2025-02-28;1 234,50;gold\n"
        "cid@example.com;2024-02-29;1234.50;\ndan@example.com;0000-00-00;1;\neve@example.com;;1;tin\n",
    )
    columns = {"email": "email", "ordered": FIELDS["ordered"], "spent": FIELDS["spent"], "tier": "LOYALTY.TIER"}
    run(upload("esputnik", source, columns=columns, max_rejects=3, report_path=str(tmp_path / "report")))
    told = reasons(tmp_path / "report")
    assert told == {
        1: "LOYALTY.LAST_ORDER is no date such as 2026-01-31",
        2: "LOYALTY.SPENT is no decimal number such as 1234.50",
        5: "LOYALTY.TIER is none of the values that it allows",
    }
    assert saved(sandbox) == {
        "cid@example.com": {LAST_ORDER: "2024-02-29", SPENT: "1234.50"},
        "dan@example.com": {SPENT: "1"},
    }


@SERVICES
def test_a_control_character_is_invalid_and_removed_where_the_author_says_so(
    service: str, run: Run, sandbox: Sandbox, write: Write, capfd: Any, caplog: Any
) -> None:
    source = write("a.csv", "email,town\nann@example.com\u200b,Ky\x07iv\nbob@example.com,Lviv\n")
    ran = run(upload(service, source, max_rejects=1))
    assert ran.value["invalid"] == 1
    ran = run(upload(service, source, clean_text="{{ True }}"))
    assert (ran.state, ran.value["accepted"]) == ("success", 2)
    assert (
        "2 values in 'email', 'town' held control or invisible characters" in "".join(capfd.readouterr()) + caplog.text
    )
    sent = "\n".join(bodies(sandbox, "*"))
    assert '"Kyiv"' in sent
    assert '"ann@example.com"' in sent


@SERVICES
def test_a_message_says_nothing_of_invisible_characters_where_they_are_removed(
    service: str, run: Run, sandbox: Sandbox, in_kyiv: None
) -> None:
    source = [{"email": "ann@example.com\u200e", "name": "A\u200bnn"}]
    for clean in (False, True):
        operator = SendEventsOperator(
            task_id="event",
            esp_conn_id=f"{service}_default",
            event="purchase",
            source=source,
            clean_text=clean,
            max_rejects=1,
        )
        assert run(operator).value["accepted"] == int(clean)
    body = bodies(sandbox, EVENTS[service])[-1]
    assert "ann@example.com" in body
    assert "Ann" in body


# -- how a type is spelled ----------------------------------------------------------------------------------------


def test_fields_take_what_can_be_written_as_they_are(
    run: Run, sandbox: Sandbox, in_kyiv: None, people_line: Any
) -> None:
    midnight, moment = datetime.datetime(2026, 1, 31), datetime.datetime(2026, 1, 31, 9, 30, 15, 250)
    source = [
        {"email": "a@example.com", "points": 7.0, "ordered": midnight, "visited": moment},
        {"email": "b@example.com", "points": Decimal("7.00"), "ordered": "2026-01-31 00:00:00", "visited": midnight},
        {
            "email": "c@example.com",
            "points": "7.0",
            "ordered": midnight.replace(tzinfo=KYIV),
            "visited": moment.replace(tzinfo=datetime.UTC),
        },
        {"email": "d@example.com", "points": b"\x07", "ordered": "0000-00-00", "visited": "2026-01-31 09:30:15+00"},
    ]
    columns = {"email": "email", **{name: FIELDS[name] for name in ("points", "ordered", "visited")}}
    ran = run(upload("esputnik", source, columns=columns))
    assert ran.state == "success", ran.error
    assert saved(sandbox) == {
        "a@example.com": {POINTS: "7", LAST_ORDER: "2026-01-31", LAST_VISIT: "2026-01-31T09:30:15"},
        "b@example.com": {POINTS: "7", LAST_ORDER: "2026-01-31", LAST_VISIT: "2026-01-31T00:00"},
        "c@example.com": {POINTS: "7", LAST_ORDER: "2026-01-31", LAST_VISIT: "2026-01-31T11:30:15"},
        "d@example.com": {POINTS: "7", LAST_VISIT: "2026-01-31T11:30:15"},
    }


def data() -> dict[str, Any]:
    numpy = pytest.importorskip("numpy")
    return {
        "whole": 7.0,
        "sum": Decimal("12.50"),
        "exact": Decimal("0.1234567890123456789"),
        "zero": Decimal("7.00"),
        "moment": datetime.datetime(2026, 1, 31, 9, 30, 15),
        "zoned": datetime.datetime(2026, 1, 31, 9, 30, 15, tzinfo=datetime.UTC),
        "span": datetime.timedelta(hours=1, minutes=2, seconds=3),
        "integer": numpy.int64(7),
        "float32": numpy.float32(0.5),
        "flag": numpy.bool_(True),
        "never": numpy.datetime64("NaT"),
        "nanoseconds": numpy.datetime64("2026-01-31T09:30:15.000000000"),
        "bit": b"\x01",
        "no_day": "0000-00-00",
        "deep": [{"price": Decimal("9.90"), "count": 2.0}],
    }


SPELLED = {
    "whole": "7",
    "sum": "12.50",
    "exact": "0.1234567890123456789",
    "zero": "7",
    "moment": '"2026-01-31T09:30:15"',
    "zoned": '"2026-01-31T11:30:15+02:00"',
    "span": '"01:02:03"',
    "integer": "7",
    "float32": "0.5",
    "flag": "true",
    "nanoseconds": '"2026-01-31T09:30:15"',
    "bit": "1",
    "deep": '[{"price":9.90,"count":2}]',
}


@SERVICES
@pytest.mark.parametrize("single", [True, False], ids=["one event", "rows"])
def test_an_events_data_is_spelled_without_loss(
    service: str, single: bool, run: Run, sandbox: Sandbox, in_kyiv: None, people_line: Any
) -> None:
    common: dict[str, Any] = {"task_id": "event", "esp_conn_id": f"{service}_default", "event": "purchase"}
    if single:
        ran = run(SendEventOperator(contact_email="ann@example.com", data=data(), **common))
    else:
        ran = run(SendEventsOperator(source=[{"email": "ann@example.com", **data()}], **common))
    assert ran.state == "success", ran.error
    body = bodies(sandbox, EVENTS[service])[-1]
    for name, spelled in SPELLED.items():
        named = f'"{name}":{spelled}' if service == "sendpulse" else f'{{"name":"{name}","value":{spelled}}}'
        assert named in body, name
    assert "NaT" not in body
    people_line(
        "precision and types", 'Decimal("12.50")', "1 event", '"value":12.50', body.replace('"sum":', '"value":')
    )


def test_a_messages_data_is_spelled_without_loss(run: Run, sandbox: Sandbox, in_kyiv: None) -> None:
    of_sendpulse = {"message_id": WELCOME, "subject": "Hello", "sender_email": "sender@sandbox.example"}
    for service, arguments in (("esputnik", {"message_id": WIN_BACK}), ("sendpulse", of_sendpulse)):
        source = [{"email": "ann@example.com", **data()}]
        run(SmartSendOperator(task_id="send", esp_conn_id=f"{service}_default", source=source, **arguments))
    first = bodies(sandbox, "*smartsend*")[-1]
    told = json.loads(first)["recipients"][0]["jsonParam"]
    second = bodies(sandbox, "*smtp/emails")[-1]
    for name, spelled in SPELLED.items():
        assert f'"{name}":{spelled}' in told, name
        assert f'"{name}":{spelled}' in second, name


@SERVICES
def test_what_python_writes_for_no_number_and_for_the_end_of_a_file_loses_nobody(
    service: str, run: Run, sandbox: Sandbox, write: Write, people_line: Any
) -> None:
    rows = "".join(
        json.dumps({"email": f"{name}@example.com", "sum": float("nan")}) + "\n" for name in ("ann", "ben", "cid")
    )
    source = write("people.ndjson", rows + "\x1a\r\n")
    arguments: dict[str, Any] = {"message_id": WIN_BACK}
    if service == "sendpulse":
        arguments = {"message_id": WELCOME, "subject": "Hello", "sender_email": "sender@sandbox.example"}
    ran = run(SmartSendOperator(task_id="send", esp_conn_id=f"{service}_default", source=source, **arguments))
    assert (ran.state, ran.error, ran.value["rows"]) == ("success", "", 3)
    people_line("precision and types", "NaN, Ctrl-Z", people_line.sent(of=3), "'accepted': 3", str(ran.value))


# -- rows that cannot be found ------------------------------------------------------------------------------------


def test_a_reason_says_what_is_wrong(run: Run, sandbox: Sandbox, tmp_path: Path, people_line: Any) -> None:
    emails = {
        "ann@example.com\u200b": "the e-mail address holds an invisible character U+200B at 16",
        "ann example.com": "the e-mail address is not valid: it has no @",
        "ann@bob@example.com": "the e-mail address is not valid: it has 2 @",
        "ann @example.com": "the e-mail address is not valid: it has a blank at 4",
    }
    source = [{"email": email} for email in emails]
    ran = run(upload("esputnik", source, report_path=str(tmp_path / "report")))
    assert "(1), and 1 more" in ran.error
    told = reasons(tmp_path / "report")
    assert list(told.values()) == list(emails.values())
    people_line("row cannot be found", "ann@…com U+200B", "invalid", "U+200B at 16", told[1])
