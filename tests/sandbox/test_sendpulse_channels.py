"""SMS, Viber and web push: sending, and what became of it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

ANNA, BORIS, NOBODY = "380501112233", "48601112233", "380500000000"


@pytest.fixture
def book(sendpulse: httpx.Client) -> int:
    return int(sendpulse.post("addressbooks", json={"bookName": "Phones"}).json()["id"])


def add(sendpulse: httpx.Client, book: int, *phones: Any) -> Any:
    return sendpulse.post("sms/numbers", json={"addressBookId": book, "phones": phones}).json()


def test_phones_are_added_counted_and_become_active(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    sandbox.set(import_seconds=60)
    counters = {"added": 2, "exceptions": 1, "exists": 0}
    assert add(sendpulse, book, ANNA, f"+{BORIS}", "nonsense") == {"result": True, "counters": counters}
    assert add(sendpulse, book, ANNA)["counters"] == {"added": 0, "exceptions": 0, "exists": 1}
    (read,) = sendpulse.get(f"addressbooks/{book}").json()
    assert (read["new_phones_quantity"], read["active_phones_quantity"], read["all_email_qty"]) == (2, 0, 0)
    sandbox.advance(60)
    (read,) = sendpulse.get(f"addressbooks/{book}").json()
    assert (read["new_phones_quantity"], read["active_phones_quantity"]) == (0, 2)
    assert sendpulse.get(f"addressbooks/{book}/emails").json() == []


def test_variables_come_in_a_double_array_and_a_single_one_breaks_the_service(
    sendpulse: httpx.Client, book: int
) -> None:
    variables = [{"name": "city", "type": "string", "value": "Lviv"}]
    double = {"addressBookId": book, "phones": {ANNA: [variables]}}
    assert sendpulse.post("sms/numbers/variables", json=double).json()["counters"]["added"] == 1
    found = sendpulse.get(f"sms/numbers/info/{book}/{ANNA}").json()
    assert (found["result"], found["data"]["variables"]) == (True, {"city": "Lviv"})
    single = {"addressBookId": book, "phones": {ANNA: variables}}
    answer = sendpulse.post("sms/numbers/variables", json=single)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (500, "text/html")


def test_variables_of_phones_are_changed(sendpulse: httpx.Client, book: int) -> None:
    add(sendpulse, book, ANNA, BORIS)
    body = {"addressBookId": book, "phones": [ANNA, NOBODY], "variables": [{"name": "a", "type": "number", "value": 1}]}
    assert sendpulse.put("sms/numbers", json=body).json()["counters"] == {"updated": 1}
    one = {"phone": BORIS, "variables": [{"name": "a", "value": 2}]}
    assert sendpulse.post(f"addressbooks/{book}/phones/variable", json=one).json() == {"result": True}
    found = [sendpulse.get(f"sms/numbers/info/{book}/{phone}").json()["data"]["variables"] for phone in (ANNA, BORIS)]
    assert found == [{"a": 1}, {"a": 2}]


def test_deleting_a_phone_leaves_the_address_it_belonged_to(sendpulse: httpx.Client, book: int) -> None:
    people = [{"email": "anna@example.com", "variables": {"Phone": ANNA}}]
    sendpulse.post(f"addressbooks/{book}/emails", json={"emails": people})
    add(sendpulse, book, BORIS)
    body = {"addressBookId": book, "phones": [ANNA, BORIS]}
    assert sendpulse.request("DELETE", "sms/numbers", json=body).json()["counters"] == {"deleted": 2}
    (row,) = sendpulse.get(f"addressbooks/{book}/emails").json()
    assert (row["email"], row.get("phone")) == ("anna@example.com", None)
    assert sendpulse.get(f"sms/numbers/info/{book}/{ANNA}").status_code == 404


def test_some_answers_come_in_an_array_if_the_switch_says_so(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    add(sendpulse, book, ANNA)
    plain = sendpulse.get(f"sms/numbers/info/{book}/{ANNA}").json()
    sandbox.set(sendpulse__sms_in_array=True)
    assert sendpulse.get(f"sms/numbers/info/{book}/{ANNA}").json() == [plain]


def test_an_sms_is_sent_and_its_phones_reach_a_state(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    sandbox.set(delivery_seconds=60)
    body = {"sender": "Sandbox", "phones": [ANNA, NOBODY, "x"], "body": "Hello"}
    answer = sendpulse.post("sms/send", json=body).json()
    assert (answer["result"], answer["counters"]) == (True, {"exceptions": 1, "sends": 2})

    def phones() -> dict[int, tuple[int, str]]:
        data = sendpulse.get(f"sms/campaigns/info/{answer['campaign_id']}").json()["data"]
        return {one["phone"]: (one["status"], one["country_code"]) for one in data["task_phones_info"]}

    assert phones() == {int(ANNA): (1, "UA"), int(NOBODY): (1, "UA")}
    sandbox.advance(60)
    assert phones() == {int(ANNA): (2, "UA"), int(NOBODY): (12, "UA")}
    assert [row["text"] for row in sandbox.messages()] == ["Hello", "Hello"]
    sandbox.set(sendpulse__cyrillic_country_code=True)
    data = sendpulse.get(f"sms/campaigns/info/{answer['campaign_id']}").json()["data"]
    assert data["task_phones_info"][0]["\u0441ountry_code"] == "UA"


def test_a_trial_run_sends_nothing(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    body = {"sender": "Sandbox", "phones": [ANNA], "body": "Hello", "emulate": True}
    answer = sendpulse.post("sms/send", json=body).json()
    assert answer == {"result": True, "counters": {"exceptions": 0, "sends": 1}}
    assert sandbox.messages() == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sender": ""}, "Argument sender missing"),
        ({"sender": "twelve chars"}, "Argument sender may not be greater than 11 characters"),
        ({"body": None}, "Argument body missing"),
        ({"phones": None}, "Argument phones missing"),
        ({"phones": "x"}, "Argument phones must be array"),
        ({"phones": ["x"]}, "Recipients not found"),
        ({"date": "2020-01-01 00:00:00"}, "Date is wrong or in the past"),
    ],
)
def test_a_wrong_sms_is_refused(sandbox: Sandbox, sendpulse: httpx.Client, change: dict[str, Any], text: str) -> None:
    body = {"sender": "Sandbox", "phones": [ANNA], "body": "Hello", **change}
    answer = sendpulse.post("sms/send", json=body)
    assert (answer.status_code, answer.json()["message"]) == (422, text)
    assert sandbox.messages() == []


def test_an_sms_campaign_to_a_book_is_personal_and_can_be_cancelled(
    sandbox: Sandbox, sendpulse: httpx.Client, book: int
) -> None:
    variables = [{"name": "name", "type": "string", "value": "Anna"}]
    sendpulse.post("sms/numbers/variables", json={"addressBookId": book, "phones": {ANNA: [variables]}})
    body = {"sender": "Sandbox", "addressBookId": book, "body": "Hello, {{name}}", "date": "2090-01-01 10:00:00"}
    waiting = sendpulse.post("sms/campaigns", json=body).json()["campaign_id"]
    sent = sendpulse.post("sms/campaigns", json={**body, "date": None}).json()["campaign_id"]
    assert sendpulse.put(f"sms/campaigns/cancel/{waiting}").json() == {"result": True}
    assert sendpulse.put(f"sms/campaigns/cancel/{sent}").status_code == 422
    assert [row["text"] for row in sandbox.messages()] == ["Hello, Anna"]
    assert [row["id"] for row in sendpulse.get("sms/campaigns/list").json()["data"]] == [sent, waiting]
    assert sendpulse.request("DELETE", "sms/campaigns", json={"id": sent}).json() == {"result": True}
    assert [row["id"] for row in sendpulse.get("sms/campaigns/list").json()["data"]] == [waiting]
    cost = sendpulse.get(f"sms/campaigns/cost?sender=S&body=x&addressBookId={book}").json()
    assert cost["data"] == {"price": 0.05, "currency": "USD"}


def test_a_blacklisted_phone_gets_no_sms(sandbox: Sandbox, sendpulse: httpx.Client, book: int) -> None:
    add(sendpulse, book, ANNA, BORIS)
    sendpulse.post("sms/black_list", json={"phones": [ANNA], "description": "asked"})
    assert [row["phone"] for row in sendpulse.get("sms/black_list").json()["data"]] == [int(ANNA)]
    assert sendpulse.get(f"addressbooks/{book}").json()[0]["exc_phones_quantity"] == 1
    sendpulse.post("sms/campaigns", json={"sender": "S", "addressBookId": book, "body": "Hello"})
    assert [row["to"] for row in sandbox.messages()] == [BORIS]
    sendpulse.request("DELETE", "sms/black_list", json={"phones": [ANNA]})
    assert sendpulse.get("sms/black_list").json()["data"] == []


VIBER = {"message_type": 2, "sender_id": 1, "message_live_time": 600, "send_date": "now", "message": "Hello"}


def test_a_viber_task_is_sent_and_counted(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    body = {**VIBER, "recipients": [int(ANNA), int(NOBODY)], "task_name": "News"}
    task = sendpulse.post("viber", json=body).json()["data"]["task_id"]
    sandbox.advance(5)
    found = sendpulse.get(f"viber/task/{task}").json()
    assert (found["name"], found["status"]) == ("News", "send")
    assert found["statistic"] == {
        "sent": 2,
        "delivered": 1,
        "read": 1,
        "redirected": 0,
        "undelivered": 1,
        "errors": 0,
    }
    people = sendpulse.get(f"viber/task/{task}/recipients").json()["recipients"]
    assert {one["phone"]: one["status"] for one in people} == {int(ANNA): "read", int(NOBODY): "not delivered"}


@pytest.mark.parametrize(
    "change",
    [
        {"message_type": 1},
        {"message_live_time": 59},
        {"message_live_time": 86401},
        {"sender_id": 2},
        {"send_date": "2020-01-01 00:00:00"},
        {"message": "x" * 1001},
        {"stretch_time": 6},
        {"recipients": ["x"]},
        {"recipients": None},
    ],
)
def test_a_wrong_viber_task_is_refused(sandbox: Sandbox, sendpulse: httpx.Client, change: dict[str, Any]) -> None:
    answer = sendpulse.post("viber", json={**VIBER, "recipients": [int(ANNA)], **change})
    assert answer.status_code in (404, 422)
    assert sandbox.messages() == []


def test_a_scheduled_viber_task_is_in_moderation_and_the_excluded_get_none(
    sandbox: Sandbox, sendpulse: httpx.Client
) -> None:
    exceptions = "v2/viber-service/phone-exception"
    assert sendpulse.post(exceptions, json={"phones": [BORIS]}).json()["success"] is True
    body = {**VIBER, "recipients": [int(ANNA), int(BORIS)], "send_date": "2090-01-01 10:00:00"}
    sendpulse.post("viber", json=body)
    assert [row["status"] for row in sendpulse.get("viber/task").json()] == ["moderation"]
    assert [row["to"] for row in sandbox.messages()] == [ANNA]
    wrong = sendpulse.post(exceptions, json={"phones": []})
    assert (wrong.status_code, wrong.json()["success"]) == (422, False)


PUSH = {"title": "News", "website_id": 53, "body": "Read them", "ttl": 3600, "link": "https://sandbox.example/"}


def test_a_push_goes_to_the_active_subscribers_of_a_site(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    sandbox.set(delivery_seconds=60)
    sendpulse.post("push/subscriptions/state", json={"id": 2, "state": 0})
    task = sendpulse.post("push/tasks", json=PUSH).json()["id"]
    assert sendpulse.get(f"push/tasks/{task}").json()["status"] == 13
    sandbox.advance(120)
    assert sendpulse.get(f"push/tasks/{task}").json() == {
        "id": task,
        "message": {"title": "News", "text": "Read them", "link": "https://sandbox.example/"},
        "website": "https://sandbox.example",
        "website_id": 53,
        "status": 3,
        "send": "2",
        "delivered": 2,
        "redirect": 0,
    }
    assert {row["to"] for row in sandbox.messages()} == {"subscriber-1", "subscriber-3"}


def test_subscribers_are_listed_by_the_day_they_came(sendpulse: httpx.Client) -> None:
    at = "push/websites/53/subscriptions"
    assert [row["id"] for row in sendpulse.get(f"{at}?limit=2&offset=1").json()] == [2, 3]
    assert sendpulse.get(f"{at}?subscription_date_to=2020-01-01").json() == []
    assert len(sendpulse.get(f"{at}?subscription_date_from=2020-01-01").json()) == 3


def test_one_push_a_site_in_fifteen_minutes(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    assert sendpulse.post("push/tasks", json=PUSH).status_code == 200
    answer = sendpulse.post("push/tasks", json=PUSH)
    assert (answer.status_code, answer.json()["error_code"]) == (429, 711)
    sandbox.advance(900)
    assert sendpulse.post("push/tasks", json=PUSH).status_code == 200


@pytest.mark.parametrize("change", [{"title": ""}, {"website_id": 1}, {"ttl": 86401}, {"body": 5}])
def test_a_wrong_push_is_refused(sandbox: Sandbox, sendpulse: httpx.Client, change: dict[str, Any]) -> None:
    assert sendpulse.post("push/tasks", json={**PUSH, **change}).status_code in (404, 422)
    assert sandbox.messages() == []
