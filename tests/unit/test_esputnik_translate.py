"""Neutral contacts and imports to eSputnik's and back: nothing is erased that was not named."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.core.models import STANDARD_FIELDS, Contact, ImportState
from airflow_provider_esp.exceptions import DecodingError
from airflow_provider_esp.services.esputnik.api import general, imports
from airflow_provider_esp.services.esputnik.api.models import Channel, Segment
from airflow_provider_esp.services.esputnik.mapping import contacts as contact_mapping

FIELD_IDS = {"SHOP.TIER": 11, "TIER": 11, "SHOP.CARD": 12}
ANN = "ann@x.example"


def answer(flow: Generator[Any, Any, Any], *replies: Any) -> tuple[Any, list[Call[Any]]]:
    """Run a flow with these replies: what it returns, and its calls."""
    calls = [next(flow)]
    for reply in replies:
        try:
            calls.append(flow.send(reply))
        except StopIteration as end:
            assert len(calls) == len(replies), "a reply was not asked for"
            return end.value, calls
    raise AssertionError("the flow asks for more")


def body(call: Call[Any]) -> Any:
    return msgspec.json.decode(call.content or b"")


def wire(contact: Contact) -> Any:
    return msgspec.json.decode(msgspec.json.encode(contact_mapping.contact_wire(contact, FIELD_IDS)))


# -- contacts --------------------------------------------------------------------------------------------------


def test_a_contact_is_written_in_the_apis_words() -> None:
    contact = Contact(
        email=ANN,
        phone="380501112233",
        external_id="c-1",
        first_name="Ann",
        last_name="Lee",
        language="uk",
        time_zone="Europe/Kyiv",
        address="Street 1",
        town="Lviv",
        region="LV",
        postcode="79000",
        custom={"SHOP.TIER": "gold", "SHOP.CARD": 5},
    )
    assert wire(contact) == {
        "channels": [{"type": "email", "value": ANN}, {"type": "sms", "value": "380501112233"}],
        "externalCustomerId": "c-1",
        "firstName": "Ann",
        "lastName": "Lee",
        "languageCode": "uk",
        "timeZone": "Europe/Kyiv",
        "address": {"address": "Street 1", "town": "Lviv", "region": "LV", "postcode": "79000"},
        "fields": [{"id": 11, "value": "gold"}, {"id": 12, "value": "5"}],
    }


def test_what_was_not_given_is_not_written_and_none_is_null() -> None:
    assert wire(Contact(email=ANN)) == {"channels": [{"type": "email", "value": ANN}]}
    erased = Contact(email=ANN, phone=None, first_name=None, town=None, custom={"TIER": None})
    assert wire(erased) == {
        "channels": [{"type": "email", "value": ANN}],
        "firstName": None,
        "address": {"town": None},
        "fields": [{"id": 11, "value": None}],
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (5, "5"),
        (2.5, "2.5"),
        (Decimal("1E+2"), "100"),
        (True, "true"),
        (date(2025, 3, 1), "2025-03-01"),
        (datetime(2025, 3, 1, 9, 5, 59), "2025-03-01T09:05:59"),
        (datetime(2025, 3, 1, 9, 5), "2025-03-01T09:05"),
        (None, None),
    ],
)
def test_an_additional_field_is_written_as_text(value: object, text: str | None) -> None:
    assert wire(Contact(email=ANN, custom={"TIER": value}))["fields"] == [{"id": 11, "value": text}]


@pytest.mark.parametrize("value", [["a"], {"a": 1}, datetime(2025, 3, 1, tzinfo=UTC)])
def test_a_value_that_an_additional_field_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"additional field TIER|on_account_clock"):
        wire(Contact(email=ANN, custom={"TIER": value}))


def test_an_additional_field_that_the_account_lacks_is_named_with_those_it_has() -> None:
    with pytest.raises(ValueError, match=r"no additional field 'COLOUR'.*Known: SHOP\.CARD, SHOP\.TIER, TIER\."):
        wire(Contact(email=ANN, custom={"COLOUR": "red"}))


def test_one_field_under_two_keys_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Two keys name one additional field: SHOP\.TIER, TIER\."):
        wire(Contact(email=ANN, custom={"TIER": "a", "SHOP.TIER": "b"}))


# -- bulk upload -------------------------------------------------------------------------------------------------


def test_an_upload_names_exactly_the_fields_its_contacts_carry() -> None:
    people = [
        Contact(email=ANN, first_name="Ann", town=None, custom={"SHOP.CARD": "1"}),
        Contact(email="bob@x.example", first_name=None, town="Kyiv", custom={"SHOP.CARD": None}),
    ]
    sent = body(contact_mapping.bulk_upload(people, custom_field_ids=FIELD_IDS, segments=["a"], segments_exclude=["b"]))
    assert sent["contactFields"] == ["email", "firstName", "town"]
    assert sent["customFieldsIDs"] == [12]
    assert sent["dedupeOn"] == "email"
    assert sent["groupNames"] == ["a"]
    assert sent["groupNamesExclude"] == ["b"]
    assert sent["restoreDeleted"] is False
    assert "fieldId" not in sent
    assert sent["contacts"] == [
        {
            "channels": [{"type": "email", "value": ANN}],
            "firstName": "Ann",
            "address": {"town": None},
            "fields": [{"id": 12, "value": "1"}],
        },
        {
            "channels": [{"type": "email", "value": "bob@x.example"}],
            "firstName": None,
            "address": {"town": "Kyiv"},
            "fields": [{"id": 12, "value": None}],
        },
    ]


def test_both_lists_of_fields_are_sent_even_when_one_is_empty() -> None:
    sent = body(contact_mapping.bulk_upload([Contact(email=ANN)]))
    assert sent["contactFields"] == ["email"]
    assert sent["customFieldsIDs"] == []


FIELD_VALUES: dict[str, Any] = dict.fromkeys(STANDARD_FIELDS, st.sampled_from([None, "a", "b"]))
LOOSE_CONTACTS = st.builds(
    lambda given, custom: Contact(**{"external_id": "c", **given}, custom=custom),
    st.fixed_dictionaries({}, optional=FIELD_VALUES),
    st.dictionaries(st.sampled_from(["TIER", "SHOP.CARD"]), st.sampled_from([None, "x", 1])),
)


@given(st.lists(LOOSE_CONTACTS, max_size=12))
def test_groups_hold_every_contact_once_in_order_and_each_can_be_uploaded(people: list[Contact]) -> None:
    groups = contact_mapping.group_by_fields(people)
    assert sorted(position for group in groups for position in group) == list(range(len(people)))
    assert all(group == sorted(group) for group in groups)
    for group in groups:
        some = [people[position] for position in group]
        if any(not contact.external_id for contact in some):
            with pytest.raises(ValueError, match="recognised by"):
                contact_mapping.bulk_upload(some, dedupe_on="external_id", custom_field_ids=FIELD_IDS)
            continue
        sent = body(contact_mapping.bulk_upload(some, dedupe_on="external_id", custom_field_ids=FIELD_IDS))
        named = {ours for ours, theirs in contact_mapping.CONTACT_FIELDS.items() if theirs in sent["contactFields"]}
        for contact in some:
            assert named == {name for name in STANDARD_FIELDS if getattr(contact, name) is not UNSET}
            assert set(sent["customFieldsIDs"]) == {FIELD_IDS[key] for key in contact.custom}


@given(LOOSE_CONTACTS, LOOSE_CONTACTS)
def test_contacts_that_carry_different_fields_are_refused_together(one: Contact, other: Contact) -> None:
    together = [msgspec.structs.replace(contact, external_id="c") for contact in (one, other)]
    if contact_mapping.carried(together[0]) == contact_mapping.carried(together[1]):
        assert contact_mapping.bulk_upload(together, custom_field_ids=FIELD_IDS).content
    else:
        with pytest.raises(ValueError, match="Contacts 0 and 1 do not carry the same fields"):
            contact_mapping.bulk_upload(together, custom_field_ids=FIELD_IDS)


def test_every_neutral_field_has_a_word_of_the_api() -> None:
    assert tuple(contact_mapping.CONTACT_FIELDS) == STANDARD_FIELDS


@pytest.mark.parametrize(
    ("dedupe_on", "theirs", "field_id"),
    [
        ("email", "email", None),
        ("phone", "sms", None),
        ("email_or_phone", "email_or_sms", None),
        ("external_id", "externalCustomerId", None),
        ("SHOP.CARD", "fieldId", 12),
    ],
)
def test_what_contacts_are_matched_on_is_said_in_the_apis_words(
    dedupe_on: str, theirs: str, field_id: int | None
) -> None:
    person = Contact(email=ANN, phone="1", external_id="c", custom={"SHOP.CARD": "7"})
    sent = body(contact_mapping.bulk_upload([person], dedupe_on=dedupe_on, custom_field_ids=FIELD_IDS))
    assert (sent["dedupeOn"], sent.get("fieldId")) == (theirs, field_id)
    assert theirs in get_args(imports.DedupeOn)


@pytest.mark.parametrize(
    ("contact", "dedupe_on"),
    [
        (Contact(phone="1"), "email"),
        (Contact(email=None, phone="1"), "email"),
        (Contact(email=""), "email"),
        (Contact(email=ANN), "phone"),
        (Contact(first_name="Ann"), "email_or_phone"),
        (Contact(email=ANN), "external_id"),
        (Contact(email=ANN, custom={"SHOP.CARD": None}), "SHOP.CARD"),
    ],
)
def test_a_contact_that_nothing_would_recognise_is_refused(contact: Contact, dedupe_on: str) -> None:
    with pytest.raises(ValueError, match="Contact 0 has no") as refused:
        contact_mapping.bulk_upload([contact], dedupe_on=dedupe_on, custom_field_ids=FIELD_IDS)
    assert ANN not in str(refused.value)


def test_an_external_id_is_enough_because_the_service_looks_at_it_first() -> None:
    assert contact_mapping.bulk_upload([Contact(external_id="c", first_name="Ann")], dedupe_on="email").content


def test_additional_fields_alone_are_refused_because_the_rest_would_be_erased() -> None:
    with pytest.raises(ValueError, match="additional fields only"):
        contact_mapping.bulk_upload(
            [Contact(custom={"SHOP.CARD": "7"})], dedupe_on="SHOP.CARD", custom_field_ids=FIELD_IDS
        )


def test_an_upload_may_repeat_unless_it_makes_events() -> None:
    assert contact_mapping.bulk_upload([Contact(email=ANN)]).repeatable
    assert not contact_mapping.bulk_upload([Contact(email=ANN)], event_key_for_new_contacts="new").repeatable
    with pytest.raises(ValueError, match="No contacts"):
        contact_mapping.bulk_upload([])


# -- what a bulk update answers ----------------------------------------------------------------------------------

PEOPLE = [
    Contact(email="Ann@x.example", phone="+38 050"),
    Contact(email="bob@x.example", phone="38051"),
    Contact(email="cid@x.example", external_id="c-3"),
]


def failed(error: str, email: str = "", phone: str = "", external_id: str | None = None) -> imports.FailedContact:
    channels = [Channel(type=kind, value=value) for kind, value in (("email", email), ("sms", phone)) if value]
    return imports.FailedContact(channels=channels, external_customer_id=external_id, error=error)


def result(*failures: imports.FailedContact, session: str | None = "s-1") -> imports.BulkResult:
    return imports.BulkResult(async_session_id=session, failed_contacts=list(failures))


def test_refused_contacts_are_found_by_their_addresses() -> None:
    answered = result(failed("bad phone", phone="38050"), failed("bad id", external_id="c-3"))
    told = contact_mapping.submitted(answered, PEOPLE)
    assert told.import_id == "s-1"
    assert told.rejected == {0: "bad phone", 2: "bad id"}


def test_the_address_that_contacts_are_matched_on_is_looked_at_first() -> None:
    mixed = result(failed("bad", email="ann@x.example", phone="38051"))
    assert contact_mapping.submitted(mixed, PEOPLE, "email").rejected == {0: "bad"}
    assert contact_mapping.submitted(mixed, PEOPLE, "phone").rejected == {1: "bad"}


def test_two_failures_of_one_address_reject_two_contacts() -> None:
    twice = [Contact(email=ANN), Contact(email=ANN), Contact(email="bob@x.example")]
    told = contact_mapping.submitted(result(failed("a", ANN), failed("b", ANN)), twice)
    assert told.rejected == {0: "a", 1: "b"}


def test_a_whole_request_that_failed_rejects_everybody() -> None:
    told = contact_mapping.submitted(imports.BulkResult(error_message="no", async_session_id="s"), PEOPLE)
    assert (told.import_id, told.rejected) == (None, {0: "no", 1: "no", 2: "no"})


def test_when_everybody_failed_it_does_not_matter_who_is_recognised() -> None:
    told = contact_mapping.submitted(
        result(failed("a"), failed("b", "bob@x.example"), failed(""), session=None), PEOPLE
    )
    assert told.rejected == {0: "a", 1: "b", 2: "refused without a reason"}


def test_without_an_import_nobody_counts_as_taken() -> None:
    told = contact_mapping.submitted(result(failed("a", "ann@x.example"), session=None), PEOPLE)
    assert told.import_id is None
    assert told.rejected == {0: "a", 1: contact_mapping.NO_IMPORT, 2: contact_mapping.NO_IMPORT}


@pytest.mark.parametrize("content", [b"", b"{}", b'{"id":0}', b'{"failedContacts":[]}', b'{"asyncSessionId":null}'])
def test_an_answer_that_names_neither_import_nor_failure_is_no_success(content: bytes) -> None:
    with pytest.raises(DecodingError):
        decode(content, imports.BulkResult)


def test_a_lone_failed_contact_is_read_with_its_lone_channel() -> None:
    told = decode(
        b'{"id":"0","asyncSessionId":"s","failedContacts":{"firstName":"A","channels":{"type":"email",'
        b'"value":"ann@x.example"},"addressBookId":"1","error":"bad"}}',
        imports.BulkResult,
    )
    assert contact_mapping.submitted(told, PEOPLE).rejected == {0: "bad"}


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_every_failure_with_an_address_finds_its_contact(fails: list[bool]) -> None:
    people = [Contact(email=f"p{number}@x.example") for number in range(len(fails))]
    failures = [failed(str(number), f"P{number}@x.example") for number, fail in enumerate(fails) if fail]
    told = contact_mapping.submitted(result(*reversed(failures)), people)
    assert told.rejected == {number: str(number) for number, fail in enumerate(fails) if fail}


# -- imports, fields, segments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "state", "done", "problem"),
    [
        (b'{"status":"STARTED"}', ImportState.RUNNING, (), ""),
        (b'{"status":"IMPORTING","description":"busy"}', ImportState.RUNNING, (), ""),
        (b'{"status":"FINISHED"}', ImportState.DONE, (), ""),
        (b'{"status":"FINISHED","mapping":[]}', ImportState.DONE, (), ""),
        (b'{"status":"FINISHED","mapping":{"dedupeValue":"a@b","contactId":"5"}}', ImportState.DONE, ("a@b",), ""),
        (
            b'{"status":"finished","mapping":[{"dedupeValue":380,"contactId":5},{"dedupeValue":"b"}]}',
            ImportState.DONE,
            ("380", "b"),
            "",
        ),
        (b'{"status":"FINISHED","errorMessage":"half"}', ImportState.FAILED, (), "half"),
        (b'{"status":"ERROR","description":"bad file"}', ImportState.FAILED, (), "bad file"),
        (b'{"status":"ERROR"}', ImportState.FAILED, (), "the service gives no reason"),
        (b'{"status":"RESTING"}', ImportState.RUNNING, (), "a status that is not documented: 'RESTING'"),
    ],
)
def test_an_imports_words_become_a_state(
    content: bytes, state: ImportState, done: tuple[str, ...], problem: str
) -> None:
    told, calls = answer(contact_mapping.import_state("s-1"), decode(content, imports.ImportStatus))
    assert (told.id, told.state, told.done, told.problem) == ("s-1", state, done, problem)
    assert [call.path for call in calls] == ["v1/importstatus/s-1"]


def test_additional_fields_are_known_by_full_key_and_by_a_bare_key_that_is_unique() -> None:
    books = decode(
        b'{"addressBook":{"addressBookId":"1","name":"x","fieldGroups":[{"name":"g","profileKey":"SHOP","fields":'
        b'[{"id":"11","name":"n","fieldKey":"TIER","description":{"type":"textfield","required":"false"}},'
        b'{"id":"12","name":"n","fieldKey":"CARD"}]},{"name":"h","profileKey":"GAME","fields":'
        b'{"id":"13","name":"n","fieldKey":"TIER"}},{"name":"i","fields":{"id":"14","fieldKey":"LOOSE"}}]}}',
        general.AddressBooks,
    )
    ids, calls = answer(contact_mapping.custom_fields(), books)
    assert ids == {"SHOP.TIER": 11, "SHOP.CARD": 12, "GAME.TIER": 13, "CARD": 12, "LOOSE": 14}
    assert [call.name for call in calls] == ["GET v1/addressbooks"]


def test_the_names_of_all_segments_are_read_page_by_page() -> None:
    page = [Segment(id=number, name=f"s{number}") for number in range(500)]
    names, calls = answer(contact_mapping.segment_names(), page, [Segment(id=7, name="last")])
    assert names == {f"s{number}" for number in range(500)} | {"last"}
    assert [call.query["startindex"] for call in calls] == [1, 501]
