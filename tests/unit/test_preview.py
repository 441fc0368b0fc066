"""Dry runs: what reads is carried out, what writes is kept back, and what is shown of it names nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_esp.core.calls import FORM, Call, Flow, form_body, json_body
from airflow_provider_esp.core.contact_columns import ContactColumns
from airflow_provider_esp.core.models import Event, EventOptions, MessageOptions, Recipient, UploadOptions
from airflow_provider_esp.core.simulation import DrySend, DryUpload, Preview, masked, only_reads
from airflow_provider_esp.exceptions import DryRunWrite, EspError
from airflow_provider_esp.services.esputnik import targets as esputnik
from airflow_provider_esp.services.sendpulse import targets as sendpulse
from airflow_provider_esp.services.sendpulse.api import account

ANN, PHONE = "ann@example.com", "+447700900001"

READ = Call("esputnik", "GET", "v1/groups", str, repeatable=True)
WRITE = Call("esputnik", "POST", "v1/contacts", str, content=json_body({"a": 1}))


def carry_out(work: Flow[Any], answer: Any = "answer") -> tuple[list[str], Any]:
    """Carry a flow out with one answer to everything; gives the calls that were made, and the flow's own answer."""
    made = []
    try:
        call = next(work)
        while True:
            made.append(call.name)
            call = work.throw(answer) if isinstance(answer, Exception) else work.send(answer)
    except StopIteration as end:
        return made, end.value


def both() -> Flow[str]:
    first = yield from READ
    second = yield from WRITE
    return first + second


def reading() -> Flow[str]:
    try:
        return (yield from READ)
    except EspError:
        return "refused"


def test_a_flow_that_only_reads_is_carried_out() -> None:
    assert carry_out(only_reads(reading())) == (["GET v1/groups"], "answer")
    assert carry_out(only_reads(READ)) == (["GET v1/groups"], "answer")
    assert carry_out(only_reads(reading()), EspError("failed")) == (["GET v1/groups"], "refused")


def test_a_flow_that_writes_is_refused_before_it_does() -> None:
    work = only_reads(both())
    assert next(work) is READ
    with pytest.raises(DryRunWrite, match=r"The dry run came to POST v1/contacts, which writes: nothing was sent\."):
        work.send("answer")


def test_a_get_by_its_verb_only_writes() -> None:
    mails_a_code = account.sender_code("ann@example.com")
    with pytest.raises(DryRunWrite, match=r"GET senders/\{email\}/code, which writes"):
        carry_out(only_reads(mails_a_code))
    preview = Preview()
    assert carry_out(preview.of(mails_a_code)) == ([], None)
    assert preview.requests == 1


def test_a_preview_reads_and_keeps_back_what_writes() -> None:
    preview = Preview()
    assert preview.shown() == "Dry run: no request would have been made."
    assert carry_out(preview.of(both())) == (["GET v1/groups"], None)
    assert carry_out(preview.of(WRITE)) == ([], None)
    assert carry_out(preview.of(reading())) == (["GET v1/groups"], None)
    assert preview.requests == 2
    assert preview.shown() == ('Dry run: the first request would have been POST v1/contacts\n{\n  "a": "<number>"\n}')


def test_a_request_without_a_body_is_shown_by_its_name() -> None:
    preview = Preview()
    carry_out(preview.of(Call("esputnik", "DELETE", "v1/broadcast/7", str, label="v1/broadcast/{id}")))
    assert preview.shown() == "Dry run: the first request would have been DELETE v1/broadcast/{id}."


def contacts(*emails: str) -> ContactColumns:
    count = len(emails)
    return ContactColumns(
        count,
        {"email": list(emails), "phone": [PHONE] * count, "first_name": ["Ann"] * count},
        {"LOYALTY.TIER": ["gold"] * count},
    )


def test_an_upload_is_made_and_kept_back() -> None:
    preview = Preview()
    real = esputnik.Upload(UploadOptions(segments=("Newsletter",)), {"LOYALTY.TIER": 17})
    dry = DryUpload(real, preview)
    assert (dry.batch_size, dry.identity, dry.names) == (real.batch_size, real.identity, real.names)
    assert dry.rules == real.rules
    assert list(map(list, dry.groups(contacts(ANN)))) == [[0]]
    made, answer = carry_out(dry.submit(contacts(ANN, "ben@example.com", "cid@example.com")))
    assert (made, answer.held_back, answer.import_id) == ([], True, None)
    shown = preview.shown()
    body = json.loads(shown.partition("\n")[2])
    assert body == {
        "contacts": [
            {
                "channels": [{"type": "email", "value": "<text>"}, {"type": "sms", "value": "<text>"}],
                "firstName": "<text>",
                "fields": [{"id": 17, "value": "<text>"}],
            },
            "… and 2 more",
        ],
        "dedupeOn": "email",
        "contactFields": ["email", "sms", "firstName"],
        "customFieldsIDs": [17],
        "groupNames": ["Newsletter"],
        "restoreDeleted": False,
    }


@pytest.mark.parametrize(
    ("target", "item"),
    [
        (esputnik.messages(MessageOptions("7")), Recipient(ANN, {"name": "Ann Lee", "code": 4417})),
        (esputnik.events(EventOptions()), Event("bought", {"name": "Ann Lee", "code": 4417}, email=ANN, phone=PHONE)),
        (
            sendpulse.messages(MessageOptions("7", subject="Hello"), "Shop", "shop@example.com"),
            Recipient(ANN, {"name": "Ann Lee", "code": 4417}),
        ),
        (
            sendpulse.events(EventOptions(), None),
            Event("bought", {"name": "Ann Lee", "code": 4417}, email=ANN, phone=PHONE),
        ),
        (
            sendpulse.events(EventOptions(form=True, to_event_url=True), "https://events.example/id/secret/7"),
            Event("bought", {"name": "Ann Lee", "code": 4417}, email=ANN, phone=PHONE),
        ),
    ],
    ids=["smartsend", "event", "smtp", "event by name", "event by URL"],
)
def test_what_is_shown_of_a_send_names_nobody(target: Any, item: Any) -> None:
    preview = Preview()
    made, answers = carry_out(DrySend(target, preview).send([item]))
    assert (made, preview.requests) == ([], 1)
    assert [(answer.held_back, answer.accepted) for answer in answers] == [(True, False)]
    shown = preview.shown()
    assert "code" in shown
    for told in ("ann@", "Ann", "Lee", "4417", "7700900001", "secret", "shop@example.com"):
        assert told not in shown


def test_the_json_inside_a_text_is_looked_into() -> None:
    assert masked({"jsonParam": '{"name": "Ann", "items": [1, 2]}'}) == {
        "jsonParam": {"name": "<text>", "items": ["<number>", "… and 1 more"]}
    }
    assert masked({"jsonParam": "{Ann"}) == {"jsonParam": "<text>"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({ANN: 1}, {"[address]": "<number>"}),
        ({"phones": {"447700900001": []}}, {"phones": {"[number]": []}}),
        ({"vip": True, "gone": None}, {"vip": "<true or false>", "gone": None}),
        ({"to": [{"name": "Ann", "email": ANN}]}, {"to": [{"name": "<text>", "email": "<text>"}]}),
        ({"groupNames": ["A", "B"]}, {"groupNames": ["A", "B"]}),
        ({"params": [{"name": "size", "value": "M"}]}, {"params": [{"name": "size", "value": "<text>"}]}),
        ([], []),
    ],
)
def test_structure_is_shown_and_people_are_not(value: Any, shown: Any) -> None:
    assert masked(value) == shown


def test_what_is_no_json_is_not_shown() -> None:
    preview = Preview()
    carry_out(preview.of(Call("sendpulse", "POST", "x", str, content=b"\xff ann@example.com")))
    assert "bytes that are not JSON" in preview.shown()
    assert "ann" not in preview.shown()
    preview = Preview()
    carry_out(preview.of(Call("sendpulse", "POST", "x", str, content=form_body({"email": ANN}), content_type=FORM)))
    assert json.loads(preview.shown().partition("\n")[2]) == {"email": "<text>"}
