"""Single contacts, segments, subscriptions and unsubscribed addresses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox


def person(name: str, **more: Any) -> dict[str, Any]:
    return {"channels": [{"type": "email", "value": f"{name}@example.com"}], **more}


def add(esputnik: httpx.Client, name: str, **more: Any) -> int:
    answer = esputnik.post("/v1/contact", json=person(name, **more))
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["id"]
    return number


def test_a_contact_is_added_and_then_updated_in_what_was_sent(esputnik: httpx.Client) -> None:
    number = add(esputnik, "anna", firstName="Anna", lastName="K", fields=[{"id": 79810, "value": "gold"}])
    assert add(esputnik, "anna", firstName="Hanna", externalCustomerId="E1", groups=[{"name": "Shop"}]) == number
    found = esputnik.get(f"/v1/contact/{number}").json()
    group = found.pop("groups")
    assert group[0]["name"] == "Shop"
    assert found == {
        "firstName": "Hanna",
        "lastName": "K",
        "channels": [{"type": "email", "value": "anna@example.com"}],
        "fields": [{"id": 79810, "value": "gold"}],
        "addressBookId": 7200,
        "id": number,
        "externalCustomerId": "E1",
    }


def test_the_same_request_within_a_minute_is_409(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    number = add(esputnik, "anna")
    repeated = esputnik.post("/v1/contact", json=person("anna"))
    assert (repeated.status_code, repeated.text) == (409, "Duplicated request")
    put = f"/v1/contact/{number}"
    assert [esputnik.put(put, json={"firstName": "A"}).status_code for _ in range(2)] == [200, 409]
    subscriber = {"contact": person("anna")}
    assert [esputnik.post("/v1/contact/subscribe", json=subscriber).status_code for _ in range(2)] == [200, 409]
    sandbox.advance(61)
    assert esputnik.post("/v1/contact", json=person("anna")).status_code == 200


def test_a_refused_request_does_not_count_as_the_first_of_two(esputnik: httpx.Client) -> None:
    assert [esputnik.post("/v1/contact", json={"channels": []}).status_code for _ in range(2)] == [400, 400]


def test_an_update_answers_a_sentence_that_calls_itself_json(esputnik: httpx.Client) -> None:
    number = add(esputnik, "anna")
    answer = esputnik.put(f"/v1/contact/{number}", json={"lastName": "L"})
    assert answer.text == f"Contact with id='{number}' has been updated"
    assert answer.headers["Content-Type"].startswith("application/json")


def test_an_update_restores_a_deleted_contact(esputnik: httpx.Client) -> None:
    number = add(esputnik, "anna")
    assert esputnik.delete(f"/v1/contact/{number}").text == f"Contact with id='{number}' has been deleted"
    assert esputnik.get(f"/v1/contact/{number}").status_code == 404
    esputnik.put(f"/v1/contact/{number}", json={"lastName": "L"})
    assert esputnik.get(f"/v1/contact/{number}").json()["lastName"] == "L"


def test_an_external_id_of_somebody_else_is_refused(esputnik: httpx.Client) -> None:
    add(esputnik, "anna", externalCustomerId="E1")
    other = add(esputnik, "boris")
    assert esputnik.put(f"/v1/contact/{other}", json={"externalCustomerId": "E1"}).status_code == 400


def test_erasing_leaves_no_trace_and_no_way_back(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    number = add(esputnik, "anna", groups=[{"name": "Shop"}])
    esputnik.post(
        "/v2/event", json={"eventTypeKey": "seen", "params": [{"name": "email", "value": "anna@example.com"}]}
    )
    esputnik.post("/v1/message/1001/smartsend", json={"recipients": [{"locator": "anna@example.com"}]})
    assert sandbox.counts()["esputnik"]["events"] == 1
    assert esputnik.delete(f"/v1/contact/{number}?erase=true").status_code == 200
    counts = sandbox.counts()["esputnik"]
    assert (counts["contacts"], counts["events"], counts["messages"]) == (0, 0, 0)
    assert esputnik.put(f"/v1/contact/{number}", json={"lastName": "L"}).status_code == 404
    assert add(esputnik, "anna", firstName="Anew") > number


def test_deleting_by_external_id_says_not_found_the_second_time(esputnik: httpx.Client) -> None:
    add(esputnik, "anna", externalCustomerId="E 1/2")
    path = "/v1/contact?externalCustomerId=E%201%2F2"
    assert esputnik.delete(path).status_code == 200
    again = esputnik.delete(path)
    assert (again.status_code, "not found" in again.text) == (404, True)
    assert esputnik.delete(f"{path}&erase=true").status_code == 200
    assert esputnik.delete("/v1/contact").status_code == 400


def test_a_search_gives_the_short_form_and_a_total(esputnik: httpx.Client) -> None:
    number = add(esputnik, "anna", externalCustomerId="E1", address={"town": "Lviv"})
    add(esputnik, "boris")
    answer = esputnik.get("/v1/contacts", params={"externalCustomerId": "E1"})
    assert answer.headers["TotalCount"] == "1"
    assert answer.json() == [
        {"channels": [{"type": "email", "value": "anna@example.com"}], "addressBookId": 7200, "id": number}
    ]


def test_a_search_by_email_finds_parts_too(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    add(esputnik, "anna")
    add(esputnik, "hanna")
    assert len(esputnik.get("/v1/contacts?email=anna@example.com").json()) == 2
    sandbox.set(esputnik__search_exactly=True)
    assert len(esputnik.get("/v1/contacts?email=ANNA@example.com").json()) == 1


def test_the_total_can_be_made_to_lie(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_contacts", count=20)
    sandbox.set(esputnik__total_count=False)
    answer = esputnik.get("/v1/contacts?maxrows=20")
    assert (answer.headers["TotalCount"], len(answer.json())) == ("2", 20)


def test_an_export_pages_through_everybody_by_id(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_contacts", count=1100)
    seen: list[int] = []
    while page := esputnik.get(f"/v1/contacts?sortBy=contactId&startindex={len(seen) + 1}").json():
        seen += [one["id"] for one in page]
    assert len(set(seen)) == 1100
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    "query",
    [
        "maxrows=501",
        "maxrows=x",
        "startindex=0",
        "sortBy=name",
        "sortBy=contactId&email=a",
        "externalCustomerId=E1&email=a",
    ],
)
def test_a_search_that_is_not_allowed_is_400(esputnik: httpx.Client, query: str) -> None:
    assert esputnik.get(f"/v1/contacts?{query}").status_code == 400


def test_emails_by_id_collapse_to_an_object_for_one(esputnik: httpx.Client) -> None:
    one, two = add(esputnik, "anna"), add(esputnik, "boris")
    assert esputnik.get(f"/v1/contacts/email?ids={one}").json() == {
        "results": {"contactId": str(one), "email": "anna@example.com"}
    }
    assert len(esputnik.get(f"/v1/contacts/email?ids={one},{two},1").json()["results"]) == 2
    assert esputnik.get("/v1/contacts/email?ids=1").json() == {}
    assert esputnik.get("/v1/contacts/email?ids=x").status_code == 400


def segment(sandbox: Sandbox, esputnik: httpx.Client, count: int = 3) -> int:
    sandbox.do("esputnik", "make_contacts", count=count, segment="Readers")
    number: int = esputnik.get("/v1/groups?name=Readers").json()[0]["id"]
    return number


def members(esputnik: httpx.Client, number: int, query: str = "") -> list[int]:
    return [one["id"] for one in esputnik.get(f"/v1/group/{number}/contacts?{query}").json()]


def test_contacts_are_attached_and_detached_by_either_id(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    number = segment(sandbox, esputnik)
    new = add(esputnik, "anna", externalCustomerId="E1")
    path = f"/v1/group/{number}/contacts"
    assert esputnik.post(f"{path}/attach", json={"externalCustomerIds": ["E1"]}).text == "Contacts were attached"
    assert new in members(esputnik, number)
    assert esputnik.post(f"{path}/detach", json={"contactIds": [new]}).text == "Contacts were detached"
    assert len(members(esputnik, number)) == 3


@pytest.mark.parametrize("body", [None, {}, {"contactIds": []}])
def test_detaching_nobody_in_particular_empties_the_segment(
    sandbox: Sandbox, esputnik: httpx.Client, body: dict[str, Any] | None
) -> None:
    number = segment(sandbox, esputnik)
    assert esputnik.post(f"/v1/group/{number}/contacts/detach", json=body).status_code == 200
    assert members(esputnik, number) == []


def test_moving_contacts_has_its_limits(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    number = segment(sandbox, esputnik)
    path = f"/v1/group/{number}/contacts"
    both = {"contactIds": [1], "externalCustomerIds": ["E1"]}
    for body in (both, {"contactIds": list(range(501))}, {"contactIds": [2**70]}):
        assert esputnik.post(f"{path}/detach", json=body).status_code == 400
    assert esputnik.post(f"{path}/attach", json={}).status_code == 400
    assert esputnik.post("/v1/group/1/contacts/detach", json={"contactIds": [1]}).status_code == 404
    assert esputnik.post("/v1/group/3601002/contacts/detach", json={"contactIds": [1]}).status_code == 400


def test_a_segments_contacts_are_whole_and_in_the_order_asked_for(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    number = segment(sandbox, esputnik)
    assert "groups" in esputnik.get(f"/v1/group/{number}/contacts").json()[0]
    first = members(esputnik, number)
    assert members(esputnik, number, "asc=false") == first[::-1]
    late = add(esputnik, "late", groups=[{"name": "Readers"}])
    assert members(esputnik, number, "orderByTs=true&asc=false&maxrows=1") == [late]
    assert esputnik.get(f"/v1/group/{number}/contacts?asc=maybe").status_code == 400


def test_a_dynamic_segment_holds_everybody(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    segment(sandbox, esputnik)
    assert len(members(esputnik, 3601002)) == 3


def test_a_new_subscriber_needs_confirmation_and_a_known_one_keeps_its_channels(
    sandbox: Sandbox, esputnik: httpx.Client
) -> None:
    contact = person("anna", firstName="Anna")
    body = {"contact": contact, "groups": ["Web"], "subscriptions": ["news"], "formType": "footer"}
    new = esputnik.post("/v1/contact/subscribe", json=body).json()
    assert (new["emailStatus"], new["new"]) == ("NEED_CONFIRMATION", True)
    known = add(esputnik, "boris")
    contact = person("boris", firstName="Boris")
    contact["channels"].append({"type": "sms", "value": "380501112233"})
    old = esputnik.post("/v1/contact/subscribe", json={"contact": contact}).json()
    assert old == {"id": known, "emailStatus": "ALREADY_SUBSCRIBED", "new": False}
    (row,) = sandbox.rows("esputnik", "contacts", q="boris@")
    assert (row["name"], row["phone"]) == ("Boris", None)
    kinds = [event["type"] for event in sandbox.rows("esputnik", "events")]
    assert kinds == ["subscribeUpdateFromApi", "subscribeFromApi-footer"]


def test_subscriptions_are_replaced_as_a_whole(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    number = add(esputnik, "anna")
    path = f"/v1/contact/{number}/subscriptions"
    esputnik.put(path, json={"subscriptions": ["news", "offers"]})
    esputnik.put(path, json={"subscriptions": ["digest"]})
    assert [item["key"] for item in esputnik.get(path).json()] == ["digest"]
    counts = {item["key"]: item["contactsCount"] for item in esputnik.get("/v1/subscriptions").json()}
    assert counts == {"news": 0, "offers": 0, "digest": 1}
    sandbox.set(esputnik__subscriptions_as_list=False)
    assert esputnik.get(path).json()["key"] == "digest"
    assert esputnik.put(path, json={"subscriptions": ["nonsense"]}).status_code == 400


def test_unsubscribed_addresses_are_kept_and_let_go(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    assert esputnik.post("/v1/emails/unsubscribed/add", json={"emails": ["Anna@example.com"]}).content == b""
    assert [row["email"] for row in sandbox.rows("esputnik", "unsubscribed")] == ["anna@example.com"]
    answer = esputnik.post("/v1/contact/subscribe", json={"contact": person("anna")}).json()
    assert answer["emailStatus"] == "BLACKLISTED"
    esputnik.post("/v1/emails/unsubscribed/delete", json={"emails": ["anna@example.com"]})
    assert sandbox.rows("esputnik", "unsubscribed") == []


def test_a_push_token_has_an_owner_and_a_switch(esputnik: httpx.Client) -> None:
    device = {"type": "mobilepush", "value": "token1", "device": {"appId": "app1"}}
    number = esputnik.post("/v1/contact", json={"channels": [device]}).json()["id"]
    assert esputnik.get("/v1/contact/token/app1/token1/contactId").json() == {"id": number}
    path = "/v1/contact/token/activated/app1/token1"
    assert esputnik.get(path).json() == {"active": True}
    assert esputnik.put(path, json={"active": False}).json() == {"active": False}
    assert esputnik.get(path).json() == {"active": False}
    assert esputnik.get("/v1/contact/token/activated/app1/nobody").status_code == 404


def test_an_interaction_is_taken_with_an_empty_answer(esputnik: httpx.Client) -> None:
    body = {"token": "t", "status": "OPENED", "time": "2023-09-15T14:30:00+02:00"}
    answer = esputnik.put("/v1/interactions/abc/status", json=body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert esputnik.put("/v1/interactions/abc/status", json={**body, "status": "EATEN"}).status_code == 400
