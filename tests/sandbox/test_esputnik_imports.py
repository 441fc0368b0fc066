"""POST v1/contacts and importstatus: what is checked at once, what happens when the import runs, and what is erased."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

Upload = Callable[..., dict[str, Any]]


def person(name: str, **more: Any) -> dict[str, Any]:
    return {"channels": [{"type": "email", "value": f"{name}@example.com"}], **more}


def stored(sandbox: Sandbox, name: str) -> dict[str, Any]:
    (row,) = sandbox.rows("esputnik", "contacts", q=f"{name}@")
    return row


def submit(esputnik: httpx.Client, contacts: list[Any], **options: Any) -> httpx.Response:
    return esputnik.post("/v1/contacts", json={"contacts": contacts, "dedupeOn": "email", **options})


def test_an_import_is_started_then_importing_then_finished(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.set(import_seconds=8)
    session = submit(esputnik, [person("anna")]).json()["asyncSessionId"]
    seen = []
    for _ in range(3):
        status = esputnik.get(f"/v1/importstatus/{session}").json()
        seen.append((status["status"], sandbox.counts()["esputnik"]["contacts"]))
        sandbox.advance(4)
    assert seen == [("STARTED", 0), ("IMPORTING", 0), ("FINISHED", 1)]


def test_a_mapping_of_one_is_an_object_and_of_two_a_list(sandbox: Sandbox, upload: Upload) -> None:
    one = upload([person("anna")])["mapping"]
    assert one == {"dedupeValue": "anna@example.com", "contactId": str(stored(sandbox, "anna")["id"])}
    two = upload([person("anna"), person("boris")])["mapping"]
    assert [item["dedupeValue"] for item in two] == ["anna@example.com", "boris@example.com"]
    assert two[0]["contactId"] == one["contactId"]


def test_segments_named_in_an_import_appear_when_it_runs(
    sandbox: Sandbox, esputnik: httpx.Client, upload: Upload
) -> None:
    upload([person("anna")], groupNames=["Old"])
    submit(esputnik, [person("anna")], groupNames=["Fresh"], groupNamesExclude=["Old"])
    assert esputnik.get("/v1/groups?name=Fresh").json() == []
    sandbox.advance(2)
    (group,) = esputnik.get("/v1/groups?name=Fresh").json()
    assert [one["id"] for one in esputnik.get(f"/v1/group/{group['id']}/contacts").json()] == [
        stored(sandbox, "anna")["id"]
    ]
    assert stored(sandbox, "anna")["segments"] == ["Fresh"]


def test_contacts_that_cannot_be_taken_come_back_at_once(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    bad = {"channels": [{"type": "email", "value": "nobody"}], "firstName": "No"}
    answer = submit(esputnik, [person("anna"), bad]).json()
    assert answer["id"] == "0"
    assert answer["failedContacts"]["error"] == "'nobody' is not valid email"
    assert answer["failedContacts"]["firstName"] == "No"
    many = submit(esputnik, [bad, {"channels": []}, {"channels": {"type": "pigeon", "value": "x"}}]).json()
    assert [failed["error"] for failed in many["failedContacts"]] == [
        "'nobody' is not valid email",
        "contact should have at least one channel",
        "'pigeon' is not valid channel type",
    ]
    sandbox.advance(2)
    assert esputnik.get(f"/v1/importstatus/{many['asyncSessionId']}").json()["status"] == "FINISHED"


def test_a_submit_without_failures_does_not_name_them(esputnik: httpx.Client) -> None:
    assert set(submit(esputnik, [person("anna")]).json()) == {"id", "asyncSessionId"}


@pytest.mark.parametrize(
    "body",
    [
        {"contacts": [], "dedupeOn": "email"},
        {"contacts": [person("a")] * 3001, "dedupeOn": "email"},
        {"contacts": [person("a")], "dedupeOn": "name"},
        {"contacts": [person("a")], "dedupeOn": "fieldId"},
        {"contacts": [person("a")], "dedupeOn": "email", "contactFields": ["firstname"]},
        {"contacts": [person("a")], "dedupeOn": "email", "eventKeyForNewContacts": "x" * 101},
        {"contacts": [person("a")]},
        {"dedupeOn": "email"},
        {"contacts": "a", "dedupeOn": "email"},
    ],
)
def test_a_submit_that_makes_no_sense_as_a_whole_is_400(esputnik: httpx.Client, body: dict[str, Any]) -> None:
    assert esputnik.post("/v1/contacts", json=body).status_code == 400


def test_without_contact_fields_everything_that_was_not_sent_is_erased(sandbox: Sandbox, upload: Upload) -> None:
    phone = {"type": "sms", "value": "380501112233"}
    full = person("anna", firstName="Anna", lastName="K", languageCode="uk", address={"town": "Lviv"})
    full["channels"].append(phone)
    upload([full])
    assert stored(sandbox, "anna")["phone"] == "380501112233"
    upload([person("anna", lastName="L")])
    after = stored(sandbox, "anna")
    assert (after["name"], after["phone"]) == ("L", None)
    assert "languageCode" not in after
    assert "address" not in after


def test_named_fields_are_written_or_erased_and_others_left_alone(sandbox: Sandbox, upload: Upload) -> None:
    upload([person("anna", firstName="Anna", lastName="K", externalCustomerId="E1")])
    upload([person("anna", firstName="Hanna")], contactFields=["firstName", "lastName"])
    after = stored(sandbox, "anna")
    assert (after["name"], after["external_id"]) == ("Hanna", "E1")


def test_additional_fields_are_written_only_where_named(sandbox: Sandbox, upload: Upload) -> None:
    upload([person("anna", fields=[{"id": 79810, "value": "gold"}, {"id": 79811, "value": "5"}])])
    assert stored(sandbox, "anna")["custom"] == {"LOYALTY.TIER": "gold", "LOYALTY.POINTS": "5"}
    upload([person("anna", fields=[{"id": 79810, "value": "silver"}, {"id": 79811, "value": "6"}])])
    assert stored(sandbox, "anna")["custom"] == {"LOYALTY.TIER": "gold", "LOYALTY.POINTS": "5"}
    upload([person("anna", fields=[{"id": 79810, "value": "silver"}])], customFieldsIDs=[79810, 79811])
    assert stored(sandbox, "anna")["custom"] == {"LOYALTY.TIER": "silver"}


@pytest.mark.parametrize(
    ("number", "good", "bad"),
    [
        (79810, "gold", "platinum"),
        (79811, "-12", "1.5"),
        (79812, "31.12.2025", "2025-13-01"),
        (79813, "12.50", "much"),
        (79815, "2025-01-02T03:04", "2025-01-02"),
        (79818, "x" * 1000, "x" * 1001),
    ],
)
def test_a_value_that_a_field_does_not_take_is_not_saved(
    sandbox: Sandbox, upload: Upload, number: int, good: str, bad: str
) -> None:
    for value in (good, bad):
        upload([person("anna", fields=[{"id": number, "value": value}])], customFieldsIDs=[number])
    assert list(stored(sandbox, "anna")["custom"].values()) == [good]


def test_a_name_that_breaks_the_rules_is_not_saved(sandbox: Sandbox, upload: Upload) -> None:
    upload([person("anna", firstName="Anna")])
    for name in ("x" * 41, "R2D2 C3PO 77", "<b>"):
        upload([person("anna", firstName=name)])
        assert stored(sandbox, "anna")["name"] == "Anna"


def test_the_external_id_is_looked_for_first(sandbox: Sandbox, upload: Upload) -> None:
    upload([person("anna", externalCustomerId="E1"), person("boris", externalCustomerId="E2")])
    upload([person("boris", externalCustomerId="E1", firstName="Who")], contactFields=["firstName"])
    assert stored(sandbox, "anna")["name"] == "Who"
    assert stored(sandbox, "boris")["name"] == ""


def test_an_unknown_external_id_goes_to_the_contact_with_that_email_if_it_has_none(
    sandbox: Sandbox, upload: Upload
) -> None:
    upload([person("anna")])
    upload([person("anna", externalCustomerId="E1")], contactFields=["firstName"])
    assert stored(sandbox, "anna")["external_id"] == "E1"
    upload([person("anna", externalCustomerId="E2")])
    assert sorted(row["external_id"] for row in sandbox.rows("esputnik", "contacts", q="anna@")) == ["E1", "E2"]


def test_of_several_contacts_with_one_email_the_last_updated_wins(sandbox: Sandbox, upload: Upload) -> None:
    upload([person("anna", externalCustomerId="E1"), person("anna", externalCustomerId="E2")])
    upload([person("x", externalCustomerId="E1", firstName="First")], contactFields=["firstName"])
    upload([person("anna", firstName="Last")], contactFields=["firstName"])
    names = {row["external_id"]: row["name"] for row in sandbox.rows("esputnik", "contacts")}
    assert names == {"E1": "Last", "E2": ""}


@pytest.mark.parametrize(
    ("rule", "contact", "value"),
    [
        ("sms", {"channels": [{"type": "sms", "value": "+380 50 111-22-33"}]}, "+380 50 111-22-33"),
        ("push", {"channels": [{"type": "mobilepush", "value": "token1"}]}, "token1"),
        ("externalCustomerId", person("anna", externalCustomerId="E1"), "E1"),
        ("fieldId", person("anna", fields=[{"id": 79818, "value": "S1"}]), "S1"),
    ],
)
def test_every_dedupe_rule_finds_the_same_contact_again(
    sandbox: Sandbox, upload: Upload, rule: str, contact: dict[str, Any], value: str
) -> None:
    options = {"dedupeOn": rule, "fieldId": 79818} if rule == "fieldId" else {"dedupeOn": rule}
    first = upload([contact], **options)["mapping"]
    second = upload([contact], **options)["mapping"]
    assert first == second
    assert first["dedupeValue"] == value
    assert sandbox.counts()["esputnik"]["contacts"] == 1


def test_email_or_sms_looks_for_the_phone_first(sandbox: Sandbox, upload: Upload) -> None:
    phone = {"type": "sms", "value": "380501112233"}
    upload([{"channels": [phone], "firstName": "Phone"}], dedupeOn="sms")
    upload([person("anna", firstName="Mail")])
    both = person("anna", firstName="Both")
    both["channels"].append(phone)
    assert upload([both], dedupeOn="email_or_sms")["mapping"]["dedupeValue"] == "380501112233"
    by_phone = {row["phone"]: row["name"] for row in sandbox.rows("esputnik", "contacts")}
    assert by_phone == {"380501112233": "Both", None: "Mail"}


def test_dedupe_by_id_updates_that_contact(sandbox: Sandbox, upload: Upload) -> None:
    upload([person("anna")])
    number = stored(sandbox, "anna")["id"]
    upload([person("hanna", id=number)], dedupeOn="id")
    assert stored(sandbox, "hanna")["id"] == number


def test_a_row_repeated_in_a_batch_updates_what_the_first_one_made(sandbox: Sandbox, upload: Upload) -> None:
    upload([person("anna", firstName="One"), person("ANNA", firstName="Two")])
    assert stored(sandbox, "anna")["name"] == "Two"


def test_a_deleted_contact_is_skipped_or_restored(sandbox: Sandbox, esputnik: httpx.Client, upload: Upload) -> None:
    upload([person("anna")])
    esputnik.delete(f"/v1/contact/{stored(sandbox, 'anna')['id']}")
    assert "mapping" not in upload([person("anna")])
    assert sandbox.counts()["esputnik"]["contacts"] == 0
    assert "mapping" in upload([person("anna")], restoreDeleted=True)
    assert sandbox.counts()["esputnik"]["contacts"] == 1


def test_only_new_contacts_raise_the_event(sandbox: Sandbox, upload: Upload) -> None:
    upload([person("anna")])
    upload([person("anna"), person("boris")], eventKeyForNewContacts="newOne")
    (event,) = sandbox.rows("esputnik", "events")
    assert (event["type"], event["key"]) == ("newOne", "boris@example.com")
    assert event["params"] == {
        "contactId": stored(sandbox, "boris")["id"],
        "EmailAddress": "boris@example.com",
        "SMS": "",
    }


def test_addresses_can_be_made_to_be_missing_from_the_mapping(sandbox: Sandbox, upload: Upload) -> None:
    sandbox.set(esputnik__import_missing=["anna@example.com"])
    assert upload([person("anna"), person("boris")])["mapping"]["dedupeValue"] == "boris@example.com"
    assert sandbox.counts()["esputnik"]["contacts"] == 1


def test_an_import_can_be_made_to_fail_or_never_to_end(sandbox: Sandbox, upload: Upload) -> None:
    sandbox.set(esputnik__import_outcome="error")
    failed = upload([person("anna")])
    assert (failed["status"], failed["description"]) == ("ERROR", "Import failed")
    sandbox.set(esputnik__import_outcome="never")
    assert upload([person("anna")])["status"] == "IMPORTING"
    assert sandbox.counts()["esputnik"]["contacts"] == 0


def test_an_unknown_session_is_404(esputnik: httpx.Client) -> None:
    assert esputnik.get("/v1/importstatus/nobody").status_code == 404


def test_three_thousand_contacts_are_taken_in_well_under_a_second(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    fields = [{"id": 79810, "value": "gold"}, {"id": 79811, "value": "7"}]
    contacts = [person(f"p{number}", firstName="P", fields=fields) for number in range(3000)]
    esputnik.get("/v1/account/info")
    begin = time.perf_counter()
    session = submit(esputnik, contacts, customFieldsIDs=[79810, 79811], groupNames=["Big"]).json()["asyncSessionId"]
    taken = time.perf_counter() - begin
    sandbox.state.clock.advance(2)
    begin = time.perf_counter()
    status = esputnik.get(f"/v1/importstatus/{session}").json()
    ran = time.perf_counter() - begin
    assert len(status["mapping"]) == 3000
    # Generous: a fraction of this is usual, and a busy machine should not fail the test.
    assert taken < 1.0
    assert ran < 2.0
