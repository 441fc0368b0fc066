"""Events in every way they can be sent, the flows they start, and the statistics of these."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.sendpulse.seed import EVENTS
from airflow_provider_esp.sandbox.sendpulse.settings import USER_ID

PURCHASE = f"events/id/{EVENTS['purchase']}/{USER_ID}"
ANNA = "anna@example.com"


def post(sandbox: Sandbox, path: str = PURCHASE, **request: Any) -> httpx.Response:
    """Send an event without a credential."""
    return httpx.post(f"{sandbox.sendpulse_url}/{path}", **request)


def refusal(answer: httpx.Response) -> tuple[int, str, int]:
    return answer.status_code, answer.json()["message"], answer.json()["error_code"]


@pytest.mark.parametrize(
    "request_body",
    [
        {"json": {"email": ANNA, "order_id": "7", "items": [{"name": "cup"}, {"name": "tea"}]}},
        {"data": {"email": ANNA, "order_id": "7", "items[0][name]": "cup", "items[1][name]": "tea"}},
        {"files": {"email": (None, ANNA), "order_id": (None, "7"), "items[][name]": (None, "cup")}},
    ],
    ids=["json", "urlencoded", "multipart"],
)
def test_an_event_by_its_url_needs_no_credential_and_takes_every_encoding(
    sandbox: Sandbox, request_body: dict[str, Any]
) -> None:
    answer = post(sandbox, **request_body)
    assert (answer.status_code, answer.json()) == (200, {"result": True})
    (event,) = sandbox.rows("sendpulse", "events")
    assert (event["email"], event["params"]["order_id"]) == (ANNA, "7")
    assert event["params"]["items"][0] == {"name": "cup"}


def test_an_event_by_name_needs_a_credential(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    assert post(sandbox, "events/name/purchase", json={"email": ANNA}).status_code == 401
    assert sendpulse.post("events/name/purchase", json={"email": ANNA}).json() == {"result": True}
    assert [row["event"] for row in sandbox.rows("sendpulse", "events")] == ["purchase"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Argument email or phone missing"),
        ({"email": "", "phone": ""}, "Argument email or phone missing"),
        ({"email": 5}, "Argument email must be string"),
        ({"phone": 380501112233}, "Argument phone must be string"),
        ({"email": "nonsense"}, "Argument email is invalid"),
        ({"phone": "nonsense"}, "Argument phone is invalid"),
        ({"email": ANNA, "automation_id": "120002"}, "Argument automation_id must be integer"),
        ({"email": ANNA, "automation_id": [120002]}, "Argument automation_id must be integer"),
    ],
)
def test_an_event_without_somebody_or_with_wrong_types_is_refused(
    sandbox: Sandbox, body: dict[str, Any], text: str
) -> None:
    assert refusal(post(sandbox, json=body)) == (422, text, 422)
    assert sandbox.rows("sendpulse", "events") == []


def test_one_of_email_and_phone_is_enough(sandbox: Sandbox) -> None:
    for body in ({"email": ANNA, "phone": ""}, {"phone": "+380501112233"}, {"email": "", "phone": "380501112233"}):
        assert post(sandbox, json=body).json() == {"result": True}


def test_a_list_of_events_and_broken_json_are_refused(sandbox: Sandbox) -> None:
    for content in (b'[{"email": "anna@example.com"}]', b"{"):
        assert refusal(post(sandbox, content=content))[2] == 21356


def test_a_wrong_event_url_is_not_found(sandbox: Sandbox) -> None:
    good = EVENTS["purchase"]
    for path in (f"events/id/{good}/1", f"events/id/{good[:-1]}/{USER_ID}", f"events/id/{good.upper()}/{USER_ID}"):
        assert refusal(post(sandbox, path, json={"email": ANNA}))[:2] == (404, "Event not found")


def test_every_event_exists_unless_the_switch_names_those_that_do(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    assert sendpulse.post("events/name/anything", json={"email": ANNA}).status_code == 200
    sandbox.set(sendpulse__events=["purchase"])
    assert refusal(sendpulse.post("events/name/anything", json={"email": ANNA}))[:2] == (404, "Event not found")
    assert sendpulse.post("events/name/purchase", json={"email": ANNA}).status_code == 200


def test_an_event_starts_the_flow_that_waits_for_it_by_name_and_by_url(
    sandbox: Sandbox, sendpulse: httpx.Client
) -> None:
    post(sandbox, json={"email": ANNA, "first_name": "Anna", "order_id": 7})
    sendpulse.post("events/name/registration", json={"phone": "+380501112233"})
    sms, mail = sandbox.messages()
    assert (sms["channel"], sms["to"], sms["text"]) == ("sms", "380501112233", "Welcome: see your mail.")
    assert (mail["channel"], mail["to"]) == ("email", ANNA)
    assert "Thank you, Anna. Your order 7" in mail["html"]


def test_an_automation_id_starts_that_flow_alone(sandbox: Sandbox) -> None:
    post(sandbox, json={"email": ANNA, "automation_id": 120001})
    assert sandbox.messages() == []
    post(sandbox, data={"email": ANNA, "automation_id": "120002"})
    assert len(sandbox.messages()) == 1


def test_a_flows_statistics_count_what_its_events_started(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    sandbox.set(delivery_seconds=60)
    for email in (ANNA, "boris+click@example.com", "bounce@example.com"):
        post(sandbox, json={"email": email})
    assert sendpulse.get("a360/autoresponders/120002").json()["in_queue"] == 3
    sandbox.advance(600)
    listed = {row["id"]: row for row in sendpulse.get("a360/autoresponders/list").json()["data"]}
    assert listed[120002]["status"] == 1
    flow = sendpulse.get("a360/autoresponders/120002").json()
    assert (flow["autoresponder"]["id"], flow["starts"], flow["in_queue"], flow["end_count"]) == (120002, 3, 0, 3)
    assert (flow["send_messages"], flow["conversions"]) == (3, 1)
    elements = {row["af_type"]: row["id"] for row in flow["flows"]}

    def figures(kind: str) -> dict[str, Any]:
        data: dict[str, Any] = sendpulse.get(f"a360/stats/{kind}/{elements[kind]}/group-stat").json()["data"]
        assert data.pop("flow_id") == elements[kind]
        data.pop("last_send", None)
        return data

    mail = figures("email")
    assert mail.pop("task")["address_book_id"] == 0
    assert mail == {
        "sent": 3,
        "delivered": 2,
        "opened": 2,
        "clicked": 1,
        "errors": 1,
        "unsubscribed": 0,
        "marked_as_spam": 0,
    }
    assert figures("main-trigger") == {"executed": 3, "deleted": 0}
    assert figures("sms") == {
        "executed": 3,
        "sent": 0,
        "delivered": 0,
        "errors": 0,
        "opened": None,
        "clicked": None,
    }
    assert figures("push") == {"sent": 0, "delivered": 0, "clicked": 0, "errors": 0}
    assert figures("messenger") == {"executed": 3, "sent": 0}
    assert figures("filter") == figures("trigger") == figures("action") == {"executed": 3}
    assert sendpulse.get("a360/autoresponders/120002/total-stats").json()["data"]["sent"] == 3
    assert sendpulse.get("a360/autoresponders/120002/conversions").json()["data"]["total_conversions"] == 1
    conversions = sendpulse.get("a360/autoresponders/120002/conversions/list/all").json()
    assert [row["email"] for row in conversions["items"]] == ["boris+click@example.com"]


def test_unknown_flows_and_elements_are_not_found(sendpulse: httpx.Client) -> None:
    for path in ("a360/autoresponders/1", "a360/stats/email/5000010/group-stat", "a360/stats/nothing/1/group-stat"):
        assert sendpulse.get(path).status_code == 404


def test_events_can_be_deleted_from_the_log(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    post(sandbox, json={"email": ANNA})
    (event,) = sandbox.rows("sendpulse", "events")
    assert sendpulse.post("a360/events/delete-log", json={}).json() == {"result": True}
    assert len(sandbox.rows("sendpulse", "events")) == 1
    sendpulse.post("a360/events/delete-log", json={"ids": [event["id"]]})
    assert sandbox.rows("sendpulse", "events") == []


def test_events_have_a_limit_of_their_own(sandbox: Sandbox) -> None:
    sandbox.limit("sendpulse.events", 3, 60)
    answers = [post(sandbox, json={"email": ANNA}).status_code for _ in range(4)]
    assert answers == [200] * 3 + [429]


def test_the_page_for_people_shows_events_and_what_they_sent(sandbox: Sandbox) -> None:
    post(sandbox, json={"email": ANNA, "order_id": 7})
    page = httpx.get(f"{sandbox.url}/").text
    assert "SendPulse: events" in page
    assert page.index("Your order") < page.index(EVENTS["purchase"])
    assert "&quot;order_id&quot;" in page or "order_id" in page
