"""Automation flows: what an event starts in them, for the statistics to have something to count.

A flow is a list of elements. One that an event starts runs at once: its e-mail goes to the event's address and its
SMS to the event's phone, where there are such.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..outbox import Message
from ..state import SandboxState
from ..store import Row
from . import outcomes
from .arguments import phone_of

SCHEMA = """
CREATE TABLE sendpulse_flows (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, event TEXT, hash TEXT, sender_email TEXT, sender_name TEXT,
  created REAL);
CREATE TABLE sendpulse_elements (
  id INTEGER PRIMARY KEY AUTOINCREMENT, flow_id INTEGER, kind TEXT, subject TEXT, body TEXT, created REAL);
CREATE TABLE sendpulse_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, flow_id INTEGER, event_id INTEGER, email TEXT, phone TEXT, at REAL);
CREATE INDEX sendpulse_runs_flow ON sendpulse_runs (flow_id, at);
"""


@dataclass(frozen=True)
class Event:
    """An event that was taken.

    :ivar name: its name or its hash.
    :ivar only: the one flow that shall run, or None for all that wait for it.
    :ivar params: the whole body, which fills the messages.
    """

    number: int
    name: str
    email: str
    phone: str
    only: int | None
    params: Mapping[str, Any]


def start(state: SandboxState, event: Event) -> None:
    """Run every flow that waits for an event."""
    waiting = state.store.all(
        "SELECT * FROM sendpulse_flows WHERE (event = ? OR hash = ?) AND (? IS NULL OR id = ?)",
        event.name,
        event.name,
        event.only,
        event.only,
    )
    for flow in waiting:
        run = state.store.run(
            "INSERT INTO sendpulse_runs (flow_id, event_id, email, phone, at) VALUES (?, ?, ?, ?, ?)",
            flow["id"],
            event.number,
            event.email,
            event.phone,
            state.clock.now(),
        )
        messages = (_message(state, flow, element, event) for element in elements(state, flow["id"]))
        for message in messages:
            if message is not None:
                message.label = str(run)
                state.outbox.add([message])


def elements(state: SandboxState, flow_id: int) -> list[Row]:
    """Return the elements of a flow, in their order."""
    return state.store.all("SELECT * FROM sendpulse_elements WHERE flow_id = ? ORDER BY id", flow_id)


def _message(state: SandboxState, flow: Row, element: Row, event: Event) -> Message | None:
    """Return what an element sends for an event; None where it sends nothing."""
    now, digits = state.clock.now(), phone_of(event.phone)
    if element["kind"] == "email" and event.email:
        return Message(
            service="sendpulse",
            channel="email",
            recipient=event.email,
            sender=f"{flow['sender_name']} <{flow['sender_email']}>",
            subject=element["subject"],
            html=element["body"],
            data=event.params,
            name=flow["name"],
            broadcast_id=element["id"],
            steps=outcomes.email(state, event.email, now),
        )
    if element["kind"] == "sms" and digits:
        return Message(
            service="sendpulse",
            channel="sms",
            recipient=digits,
            sender=flow["sender_name"],
            text=element["body"],
            data=event.params,
            name=flow["name"],
            broadcast_id=element["id"],
            steps=outcomes.phone(state, digits, now),
        )
    return None
