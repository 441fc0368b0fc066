"""One event and one for each row, run by Airflow against the sandbox: both services, every way an event can go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_esp.operators.events import SendEventOperator, SendEventsOperator
from airflow_provider_esp.options import EsputnikEvent, SendPulseEvent
from airflow_provider_esp.sandbox import Sandbox

Run = Callable[..., Any]
Write = Callable[[str, str | bytes], str]

ANN, BEN, PHONE = "ann@example.com", "ben@example.com", "+447700900001"
PURCHASE = "5eed0000000000000000000000000002"
FLOW = 120_002


def send(**arguments: Any) -> SendEventOperator:
    return SendEventOperator(task_id="send", **{"event": "purchase", "esp_conn_id": "esputnik_default", **arguments})


def send_rows(source: Any, **arguments: Any) -> SendEventsOperator:
    told = {"event": "purchase", "esp_conn_id": "esputnik_default", **arguments}
    return SendEventsOperator(task_id="send", source=source, **told)


def pulse(**arguments: Any) -> SendEventOperator:
    return send(**{"esp_conn_id": "sendpulse_default", **arguments})


def events(sandbox: Sandbox, service: str) -> list[dict[str, Any]]:
    return sandbox.rows(service, "events")[::-1]


def sent(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Requests that carry events, to either service."""
    return [row for row in sandbox.requests(method="POST") if "event" in row["path"]]


@pytest.fixture
def event_url(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """Connection `event_url`, which has nothing but the URL of the event "purchase"; gives that URL's path."""
    path = f"/events/id/{PURCHASE}/7043663"
    told = {
        "conn_type": "sendpulse",
        "host": sandbox.sendpulse_url,
        "extra": {"secret_event_url": sandbox.sendpulse_url + path},
    }
    monkeypatch.setenv("AIRFLOW_CONN_EVENT_URL", json.dumps(told))
    return f"/sendpulse{path}"


# -- eSputnik -----------------------------------------------------------------------------------------------------


def test_one_event_goes_to_esputnik_by_version_2(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(contact_email=ANN, key="order-1", data={"total": 99.5, "items": [{"sku": "a1"}]}))
    assert (ran.state, ran.value["rows"], ran.value["accepted"]) == ("success", 1, 1)
    (event,) = events(sandbox, "esputnik")
    assert (event["type"], event["key"], event["source"]) == ("purchase", "order-1", "v2")
    assert event["params"] == {"email": ANN, "total": 99.5, "items": [{"sku": "a1"}]}


def test_one_event_goes_to_esputnik_by_version_1_where_the_author_says_so(run: Run, sandbox: Sandbox) -> None:
    assert run(send(contact_phone=PHONE, data={"total": "99.5"}, options=EsputnikEvent(version=1))).state == "success"
    (event,) = events(sandbox, "esputnik")
    assert (event["source"], event["params"]) == ("v1", {"phone": PHONE, "total": "99.5"})


def test_each_row_of_a_source_is_an_event(run: Run, sandbox: Sandbox, write: Write) -> None:
    path = write("orders.csv", f"mail,order,total,internal\n{ANN},o1,10,x\n{BEN},o2,20,y\n{ANN},o3,30,z\n")
    ran = run(send_rows(path, email_column="mail", key_column="order", data={"total": "sum"}))
    assert (ran.state, ran.value["rows"], ran.value["accepted"], ran.value["duplicate"]) == ("success", 3, 3, 0)
    told = sorted(
        (event["key"], event["params"]["email"], event["params"]["sum"]) for event in events(sandbox, "esputnik")
    )
    assert told == [("o1", ANN, "10"), ("o2", BEN, "20"), ("o3", ANN, "30")]
    assert all(set(event["params"]) == {"email", "sum"} for event in events(sandbox, "esputnik"))


def test_columns_that_nobody_names_become_parameters_under_their_own_names(run: Run, sandbox: Sandbox) -> None:
    run(send_rows([{"email": ANN, "total": 5, "gift": True}]))
    assert events(sandbox, "esputnik")[0]["params"] == {"email": ANN, "total": 5, "gift": True}


# -- SendPulse, in all its ways -----------------------------------------------------------------------------------


def test_an_event_goes_to_the_event_url_as_json_without_authorisation(
    run: Run, sandbox: Sandbox, event_url: str
) -> None:
    told = {"products": [{"name": "Tea", "price": 3}], "order_id": 17}
    options = SendPulseEvent(to_event_url=True, automation_id=FLOW)
    ran = run(pulse(esp_conn_id="event_url", options=options, contact_email=ANN, data=told))
    assert ran.state == "success", ran.error
    (request,) = sandbox.requests(method="POST")
    assert (request["path"], request["credential"]) == (event_url, None)
    assert json.loads(request["body"]) == {"email": ANN, "automation_id": FLOW, **told}
    (event,) = events(sandbox, "sendpulse")
    assert (event["way"], event["email"], event["automation_id"]) == ("JSON", ANN, FLOW)


def test_an_event_goes_to_the_event_url_as_form_data_without_authorisation(
    run: Run, sandbox: Sandbox, event_url: str
) -> None:
    told = {"products": [{"name": "Tea", "price": 3}], "order_id": 17}
    options = SendPulseEvent(to_event_url=True, form=True, automation_id=FLOW)
    ran = run(pulse(esp_conn_id="event_url", options=options, contact_email=ANN, data=told))
    assert ran.state == "success", ran.error
    (request,) = sandbox.requests(method="POST")
    assert (request["path"], request["credential"]) == (event_url, None)
    assert parse_qs(request["body"]) == {
        "email": [ANN],
        "automation_id": [str(FLOW)],
        "products[0][name]": ["Tea"],
        "products[0][price]": ["3"],
        "order_id": ["17"],
    }
    (event,) = events(sandbox, "sendpulse")
    assert (event["way"], event["email"], event["automation_id"]) == ("form", ANN, FLOW)


def test_an_event_goes_by_its_name_with_a_token(run: Run, sandbox: Sandbox) -> None:
    ran = run(pulse(contact_phone=PHONE, data={"order_id": 17}, options=SendPulseEvent(automation_id=FLOW)))
    assert ran.state == "success", ran.error
    (request,) = [row for row in sandbox.requests("*/events/*") if row["status"] == 200]  # not with an old token
    assert (request["path"], request["credential"]) == ("/sendpulse/events/name/purchase", "bearer")
    assert json.loads(request["body"]) == {"phone": PHONE, "automation_id": FLOW, "order_id": 17}
    (event,) = events(sandbox, "sendpulse")
    assert (event["event"], event["way"], event["automation_id"]) == ("purchase", "JSON", FLOW)


def test_a_connection_with_a_credential_keeps_it_to_itself_at_the_event_url(
    run: Run, sandbox: Sandbox, event_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "conn_type": "sendpulse",
        "host": sandbox.sendpulse_url,
        "login": "sandbox-id",
        "password": "sandbox-secret",
        "extra": {"secret_event_url": sandbox.url + event_url},
    }
    monkeypatch.setenv("AIRFLOW_CONN_BOTH", json.dumps(told))
    assert (
        run(pulse(esp_conn_id="both", options=SendPulseEvent(to_event_url=True), contact_email=ANN)).state == "success"
    )
    (request,) = sandbox.requests(method="POST")
    assert (request["path"], request["credential"]) == (event_url, None)


@pytest.mark.parametrize("way", [{}, {"to_event_url": True}, {"to_event_url": True, "form": True}])
def test_many_events_go_in_every_way(run: Run, sandbox: Sandbox, event_url: str, way: dict[str, Any]) -> None:
    source = [{"email": ANN, "total": 1}, {"phone": PHONE, "total": 2}]
    ran = run(send_rows(source, esp_conn_id="event_url" if way else "sendpulse_default", options=SendPulseEvent(**way)))
    assert (ran.state, ran.value["accepted"]) == ("success", 2)
    told = {(event["email"], event["phone"], str(event["params"]["total"])) for event in events(sandbox, "sendpulse")}
    assert told == {(ANN, "", "1"), ("", PHONE, "2")}


def test_an_event_starts_the_flow_that_waits_for_it(run: Run, sandbox: Sandbox) -> None:
    run(
        pulse(contact_email=ANN, data={"first_name": "Ann", "order_id": 17}, options=SendPulseEvent(automation_id=FLOW))
    )
    assert any(ANN in message["to"] and "17" in message["html"] for message in sandbox.messages(service="sendpulse"))


# -- whose event it is --------------------------------------------------------------------------------------------

SERVICES = pytest.mark.parametrize("conn_id", ["esputnik_default", "sendpulse_default"])


@SERVICES
@pytest.mark.parametrize(
    ("who", "told"),
    [
        ({}, "neither email nor phone"),
        ({"contact_email": ""}, "neither email nor phone"),
        ({"contact_email": " ", "contact_phone": ""}, "neither email nor phone"),
        ({"contact_phone": 447700900001}, "contact_phone must be text, not a int: put it in quotes"),
        ({"contact_email": "ann at example"}, "the e-mail address is not valid"),
        ({"contact_phone": "12"}, "the phone number is not valid"),
    ],
)
def test_one_event_without_an_owner_is_not_sent_and_the_error_says_what_is_missing(
    run: Run, sandbox: Sandbox, conn_id: str, who: dict[str, Any], told: str
) -> None:
    ran = run(send(esp_conn_id=conn_id, **who))
    assert (ran.state, sent(sandbox)) == ("failed", [])
    assert told in ran.error


@SERVICES
def test_of_many_events_one_without_an_owner_is_invalid_and_the_others_go(
    run: Run, sandbox: Sandbox, conn_id: str, tmp_path: Path
) -> None:
    source = [{"email": ANN}, {"email": "", "phone": None}, {"email": "nobody"}, {"phone": PHONE}]
    ran = run(send_rows(source, esp_conn_id=conn_id, max_rejects=2, report_path=str(tmp_path / "report")))
    assert (ran.state, ran.value["accepted"], ran.value["invalid"]) == ("success", 2, 2)
    assert len(events(sandbox, conn_id.removesuffix("_default"))) == 2
    lines = [line for part in (tmp_path / "report").rglob("*.ndjson") for line in part.read_text().splitlines()]
    rows = list(map(json.loads, lines))
    told = {row["row"]: row.get("reason") for row in rows if row["outcome"] == "invalid"}
    assert told == {2: "neither email nor phone is there", 3: "the e-mail address is not valid: it has no @"}


@SERVICES
def test_max_rejects_decides_whether_events_without_an_owner_fail_the_task(
    run: Run, sandbox: Sandbox, conn_id: str
) -> None:
    ran = run(send_rows([{"email": ANN}, {"email": ""}], esp_conn_id=conn_id))
    assert ran.state == "failed"
    assert "1 of 2 rows were refused and max_rejects allows 0: neither email nor phone is there (1)." in ran.error
    assert len(events(sandbox, conn_id.removesuffix("_default"))) == 1


def test_rows_without_any_column_that_names_an_owner_are_refused_as_a_whole(run: Run, sandbox: Sandbox) -> None:
    ran = run(send_rows([{"mail": ANN}]))
    assert (ran.state, sent(sandbox)) == ("failed", [])
    assert "an event needs an email or phone column" in ran.error


# -- what Airflow keeps of it -------------------------------------------------------------------------------------


def test_whose_event_it_is_stands_nowhere_in_airflow(
    worker: Any, sandbox: Sandbox, whole_database: Callable[[], str]
) -> None:
    who = {"contact_email": "dora.known@example.com", "contact_phone": "+447700900877", "key": "dora-key-7"}
    told: dict[str, Any] = {name: f"{{{{ var.value.event_{name} }}}}" for name in who}
    with worker.dag() as dag:
        send(**who, data={"note": "dora-note-7"})
        SendEventOperator(
            task_id="rendered",
            esp_conn_id="esputnik_default",
            event="purchase",
            **told,
            data={"note": "{{ var.value.event_key }}"},
        )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in who.items():
            patch.setenv(f"AIRFLOW_VAR_EVENT_{name.upper()}", value)
        ran = worker.run_dag(dag)
    assert [ran["send"].state, ran["rendered"].state] == ["success", "success"]
    first, second = events(sandbox, "esputnik")
    assert {event["params"]["note"] for event in (first, second)} == {"dora-note-7", "dora-key-7"}
    assert first["params"]["email"] == second["params"]["email"] == who["contact_email"]
    kept = whole_database()
    assert dag.dag_id in kept
    assert not [value for value in (*who.values(), "dora-note-7") if value in kept]


# -- limits, and what only one of the services has ----------------------------------------------------------------


def test_an_event_of_more_than_20_kb_is_not_sent(run: Run, sandbox: Sandbox) -> None:
    ran = run(send(contact_email=ANN, data={"text": "x" * 21_000}))
    assert (ran.state, sent(sandbox)) == ("failed", [])
    assert "bytes: the service takes 20000" in ran.error


def test_of_many_events_one_of_more_than_20_kb_is_invalid_and_the_others_go(run: Run, sandbox: Sandbox) -> None:
    ran = run(send_rows([{"email": ANN, "text": "x" * 21_000}, {"email": BEN, "text": "x"}], max_rejects=1))
    assert (ran.state, ran.value["invalid"], ran.value["accepted"]) == ("success", 1, 1)
    assert len(sent(sandbox)) == 1


@pytest.mark.parametrize("asked", [{"automation_id": 5}, {"to_event_url": True}, {"form": True}])
def test_esputnik_says_what_only_sendpulse_has(run: Run, sandbox: Sandbox, asked: dict[str, Any]) -> None:
    ran = run(send(contact_email=ANN, options=SendPulseEvent(**asked)))
    assert (ran.state, sent(sandbox)) == ("failed", [])
    assert ran.error.startswith("eSputnik cannot take options=SendPulseEvent(")
    assert next(iter(asked)) in ran.error


@pytest.mark.parametrize("asked", [{"options": EsputnikEvent(version=1)}, {"key": "order-1"}])
def test_sendpulse_says_what_only_esputnik_has(run: Run, sandbox: Sandbox, asked: dict[str, Any]) -> None:
    ran = run(pulse(contact_email=ANN, **asked))
    assert (ran.state, sent(sandbox)) == ("failed", [])
    assert "SendPulse cannot " in ran.error


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"key": "k", "options": SendPulseEvent(form=True)}, "key (eSputnik) and options=SendPulseEvent (SendPulse)"),
    ],
)
def test_what_no_service_has_together_is_refused_when_the_dag_is_parsed(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match="cannot be combined") as raised:
        send(contact_email=ANN, **asked)
    assert str(raised.value) == f"These arguments cannot be combined: {named}."


def test_what_no_service_has_together_is_refused_of_rows_as_well() -> None:
    with pytest.raises(ValueError, match="cannot be combined") as raised:
        send_rows([{"email": ANN}], key_column="order", options=SendPulseEvent(form=True))
    assert str(raised.value) == (
        "These arguments cannot be combined: key_column (eSputnik) and options=SendPulseEvent (SendPulse)."
    )


def test_a_person_beside_a_source_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises((AirflowException, TypeError), match="contact_email"):
        send_rows([{"email": ANN}], contact_email=BEN)


@pytest.mark.parametrize("about_rows", ["source", "email_column", "max_rejects", "max_recipients", "on_empty"])
def test_one_event_takes_nothing_that_is_about_rows(about_rows: str) -> None:
    with pytest.raises((AirflowException, TypeError), match=about_rows):
        send(contact_email=ANN, **{about_rows: "1"})


def test_an_event_that_the_service_refuses_is_no_row(run: Run, sandbox: Sandbox) -> None:
    sandbox.fault("status", "POST", "*/v2/event", status=400)
    ran = run(send(contact_email=ANN))
    assert (ran.state, ran.value["rejected"]) == ("failed", 1)
    assert ran.error.startswith("The event was refused: ")
    assert ran.error.endswith(" correct what is wrong and clear this task, which then starts over.")
    assert "rows" not in ran.error


def test_an_event_url_that_the_connection_does_not_have_is_missed(run: Run, sandbox: Sandbox) -> None:
    ran = run(pulse(contact_email=ANN, options=SendPulseEvent(to_event_url=True)))
    assert (ran.state, sent(sandbox)) == ("failed", [])
    assert "The connection has no event URL" in ran.error
