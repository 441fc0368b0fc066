"""The types of eSputnik's calls, flows and pages reach their users: checked by mypy, and run to be sure."""

from __future__ import annotations

from datetime import datetime
from typing import assert_type

import pytest

from airflow_provider_esp.core.calls import Call, Flow, Pages
from airflow_provider_esp.core.models import Contact as NeutralContact
from airflow_provider_esp.core.models import Delivery, Event, Import, Recipient, SendResult, Submitted
from airflow_provider_esp.services.esputnik.api import (
    activity,
    activity_pages,
    contacts,
    events,
    general,
    imports,
    messages,
    reading,
)
from airflow_provider_esp.services.esputnik.api.models import Contact, ContactUpdate, Segment
from airflow_provider_esp.services.esputnik.mapping import contacts as contact_mapping
from airflow_provider_esp.services.esputnik.mapping import messages as message_mapping

NOON = datetime(2025, 3, 1, 12)


def test_calls_know_their_answers() -> None:
    assert_type(general.version(), Call[general.Version])
    assert_type(general.email_senders(), Call[list[general.Sender]])
    assert_type(contacts.upsert(ContactUpdate(channels=[])), Call[contacts.ContactId])
    assert_type(contacts.delete(5), Call[str])
    assert_type(reading.groups(), Call[list[Segment]])
    assert_type(events.event("t", {}, key_value="k"), Call[None])
    assert_type(messages.status(["r"]), Call[list[messages.MessageStatuses]])
    assert_type(contact_mapping.bulk_upload([NeutralContact(email="a@b.example")]), Call[imports.BulkResult])
    assert_type(message_mapping.event(Event("t", key="k")), Call[None])


def test_flows_and_pages_know_what_they_give() -> None:
    assert_type(contact_mapping.import_state("s"), Flow[Import])
    assert_type(contact_mapping.custom_fields(), Flow[dict[str, int]])
    assert_type(contact_mapping.segment_names(), Flow[set[str]])
    assert_type(message_mapping.smart_send(5, [Recipient("a@b.example")]), Flow[list[SendResult]])
    assert_type(message_mapping.deliveries(["r"]), Flow[list[Delivery]])
    assert_type(reading.find_contact(email="a@b.example"), Flow[int | None])
    assert_type(reading.contact_pages(), Pages[Contact])
    assert_type(activity_pages.activity_pages(NOON, NOON), Pages[activity.Activity])


def test_an_answer_inside_a_flow_has_its_type() -> None:
    def upload() -> Flow[Submitted]:
        people = [NeutralContact(email="a@b.example")]
        answer = yield from contact_mapping.bulk_upload(people)
        assert_type(answer, imports.BulkResult)
        return contact_mapping.submitted(answer, people)

    flow = upload()
    assert next(flow).name == "POST v1/contacts"
    with pytest.raises(StopIteration) as end:
        flow.send(imports.BulkResult(async_session_id="s"))
    assert end.value.value == Submitted(import_id="s")
