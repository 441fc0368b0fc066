"""Events, past events and orders."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox


def param(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "value": value}


def event(**more: Any) -> dict[str, Any]:
    return {"eventTypeKey": "cart", "params": [param("email", "anna@example.com")], **more}


def ago(sandbox: Sandbox, **how_long: float) -> str:
    moment = datetime.fromtimestamp(sandbox.state.clock.now(), ZoneInfo("Europe/Kyiv")) - timedelta(**how_long)
    return moment.strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_event_is_answered_with_nothing_at_all(sandbox: Sandbox, esputnik: httpx.Client, version: str) -> None:
    answer = esputnik.post(f"/{version}/event", json=event(keyValue="k1"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert "Content-Type" not in answer.headers
    (kept,) = sandbox.rows("esputnik", "events")
    assert (kept["type"], kept["key"], kept["source"]) == ("cart", "k1", version)
    assert kept["params"] == {"email": "anna@example.com"}


def test_the_second_version_takes_any_json_and_makes_missing_contacts(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    rich = event(params=[param("email", "anna@example.com"), param("items", [{"id": 1}])])
    assert esputnik.post("/v1/event", json=rich).status_code == 400
    assert sandbox.counts()["esputnik"]["contacts"] == 0
    assert esputnik.post("/v2/event", json=rich).status_code == 200
    assert sandbox.counts()["esputnik"]["contacts"] == 1
    assert sandbox.rows("esputnik", "events")[0]["contact_id"] == sandbox.rows("esputnik", "contacts")[0]["id"]


@pytest.mark.parametrize(
    "name", ["Email", "EmailAddress", "userEmail", "PHONE", "contact_id", "PushToken", "ContactKey"]
)
def test_the_contact_may_be_named_in_many_ways(esputnik: httpx.Client, name: str) -> None:
    assert esputnik.post("/v1/event", json=event(params=[param(name, "380501112233")])).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        event(params=[param("total", 5)]),
        event(params=[param("total", 5)], keyValue="order-17"),
        event(params=[param("externalCustomerId", "null")]),
        event(eventTypeKey=""),
        event(eventTypeKey="a;b"),
        event(eventTypeKey="x" * 101),
        event(keyValue="x" * 301),
        event(params=[param("email", "a@example.com"), param("email", "b@example.com")]),
        event(params=[param("email", "a@example.com"), param("x" * 101, 1)]),
        event(params=[param("email", "a@example.com"), param("note", "x" * 20_480)]),
        {"params": []},
    ],
)
def test_an_event_that_breaks_a_rule_is_400(sandbox: Sandbox, esputnik: httpx.Client, body: dict[str, Any]) -> None:
    assert esputnik.post("/v2/event", json=body).status_code == 400
    assert sandbox.counts()["esputnik"]["events"] == 0


def test_required_params_are_named_in_the_refusal(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.set(esputnik__event_params={"cart": ["total"]})
    answer = esputnik.post("/v2/event", json=event())
    assert answer.text == 'The event should have the following params: [{"name":"total","required":true}]'


def test_repeated_events_are_kept_or_ignored_as_switched(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    for _ in range(2):
        esputnik.post("/v2/event", json=event(keyValue="k1"))
    assert sandbox.counts()["esputnik"]["events"] == 2
    sandbox.set(esputnik__ignore_repeated_events=True)
    esputnik.post("/v2/event", json=event(keyValue="k1"))
    esputnik.post("/v2/event", json=event(keyValue="k2"))
    assert sandbox.counts()["esputnik"]["events"] == 3


def test_past_events_get_a_status_each_by_position(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    past = [
        {"eventTypeKey": "cart", "keyValue": "anna@example.com", "occurred": when}
        for when in (ago(sandbox, days=1), None, "yesterday", ago(sandbox, days=-2), "2001-01-01")
    ]
    answer = esputnik.post("/v2/past_events", json={"events": past}).json()
    assert [result["status"] for result in answer["results"]] == [
        "ACCEPTED",
        "OCCURRED_DATE_IS_REQUIRED",
        "INCORRECT_OCCURRED_DATE_FORMAT",
        "OCCURRED_TIME_IN_FUTURE",
        "OCCURRED_TIME_TOO_DEPTH",
    ]
    assert (answer["successCount"], answer["errorCount"]) == (1, 4)
    one = esputnik.post("/v1/past_events", json={"events": past[:1]}).json()
    assert one["results"] == {"status": "ACCEPTED"}
    sandbox.set(esputnik__event_segmentation=False)
    off = esputnik.post("/v1/past_events", json={"events": past[:1]}).json()
    assert off["results"]["status"] == "EVENT_SEGMENTATION_DISABLED"
    assert esputnik.post("/v2/past_events", json={"events": past[:1] * 501}).status_code == 400


def test_past_events_are_deleted_by_period_where_that_is_switched_on(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    for days in (1, 10):
        past = {"eventTypeKey": "cart", "keyValue": "anna@example.com", "occurred": ago(sandbox, days=days)}
        esputnik.post("/v2/past_events", json={"events": [past]})
    period = {"from": ago(sandbox, days=2), "to": ago(sandbox, days=0)}
    refused = esputnik.request("DELETE", "/v1/past_events", json=period)
    assert (refused.status_code, "Contact support" in refused.text) == (400, True)
    sandbox.set(esputnik__delete_past_events=True)
    assert esputnik.request("DELETE", "/v1/past_events", json=period).status_code == 200
    assert sandbox.counts()["esputnik"]["events"] == 1
    backwards = {"from": period["to"], "to": period["from"]}
    assert esputnik.request("DELETE", "/v1/past_events", json=backwards).status_code == 400


def order(number: str, **more: Any) -> dict[str, Any]:
    return {
        "externalOrderId": number,
        "totalCost": 12.5,
        "status": "INITIALIZED",
        "date": "2025-05-14T10:11:10+03:00",
        "currency": "UAH",
        "email": "anna@example.com",
        "items": [{"externalItemId": "I1", "quantity": 1}],
        **more,
    }


def test_orders_are_upserted_and_raise_events(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    assert esputnik.post("/v1/orders", json={"orders": [order("O1")]}).json() == {}
    esputnik.post("/v1/orders", json={"orders": [order("O1", status="DELIVERED", firstName="Not written")]})
    (kept,) = sandbox.rows("esputnik", "orders")
    assert (kept["status"], kept["total"]) == ("DELIVERED", "12.5 UAH")
    assert [row["type"] for row in sandbox.rows("esputnik", "events")] == ["orderDELIVERED", "orderINITIALIZED"]
    (customer,) = sandbox.rows("esputnik", "contacts")
    assert (customer["email"], customer["name"]) == ("anna@example.com", "")


def test_a_wrong_order_comes_back_with_a_reason_while_the_others_are_taken(
    sandbox: Sandbox, esputnik: httpx.Client
) -> None:
    answer = esputnik.post("/v1/orders", json={"orders": [order("O1"), order("O2", status="LOST")]}).json()
    assert answer["failedOrders"]["order"]["externalOrderId"] == "O2"
    assert "status should be one of" in answer["failedOrders"]["error"]
    wrong = [order(""), order("O3", totalCost="x"), order("O4", date="soon"), order("O5", items=[{}])]
    assert len(esputnik.post("/v1/orders", json={"orders": wrong}).json()["failedOrders"]) == 4
    assert sandbox.counts()["esputnik"]["orders"] == 1
    assert esputnik.post("/v1/orders", json={"orders": [order("O")] * 1001}).status_code == 400


def test_promo_codes_are_added_counted_and_taken(esputnik: httpx.Client) -> None:
    body = {"promocodes": ["A1", "B2"], "expirationDate": "2199-01-01", "discount": 10, "type": "spring"}
    assert esputnik.post("/v1/promocodes", json=body).json() == body
    assert esputnik.get("/v1/promocodes/count?type=spring").json() == 2
    taken = {esputnik.get("/v1/promocodes?discount=10&inUse=true").json() for _ in range(2)}
    assert taken == {"A1", "B2"}
    assert esputnik.get("/v1/promocodes").status_code == 404
    assert esputnik.post("/v1/promocodes", json={**body, "expirationDate": "never"}).status_code == 400
