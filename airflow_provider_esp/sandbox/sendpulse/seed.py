"""What a fresh sandbox has on the SendPulse side: a sender, templates, and a flow for each of two events.

Numbers of campaigns, SMS campaigns, Viber tasks, push tasks and flow elements begin far apart, for the outbox knows
a broadcast by one number.
"""

from __future__ import annotations

from ..state import SandboxState
from . import templates

SENDER = "sender@sandbox.example"

EVENTS = {
    "registration": "5eed0000000000000000000000000001",
    "purchase": "5eed0000000000000000000000000002",
}
"""Events that flows wait for: names and hashes. Every other name and hash is taken as well, and starts nothing."""

_FIRST = {
    "books": 500_000,
    "templates": 700_000,
    "campaigns": 1_000_000,
    "sms": 2_000_000,
    "viber": 3_000_000,
    "push": 4_000_000,
    "elements": 5_000_000,
    "flows": 120_000,
    "events": 0,
}

_KINDS = ("main-trigger", "filter", "email", "sms", "push", "messenger", "trigger", "action", "goal")

_WELCOME = '<h1>Welcome, {{first_name}}!</h1><p><a href="https://sandbox.example/start">Have a look around</a></p>'
_ORDER = "<p>Thank you, {{first_name}}. Your order {{order_id}} is on its way.</p>"


def seed(state: SandboxState) -> None:
    """Fill the fresh tables."""
    store, now = state.store, state.clock.now()
    for table, number in _FIRST.items():
        store.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", f"sendpulse_{table}", number)
    store.run("INSERT INTO sendpulse_settled VALUES (?)", now)
    store.run("INSERT INTO sendpulse_senders VALUES (?, 'Sandbox', 1, '', 0)", SENDER)
    store.run("INSERT INTO sendpulse_domains (domain) VALUES ('sandbox.example')")
    templates.add(store, now, "Welcome", _WELCOME)
    templates.add(store, now, "Order confirmation", _ORDER)
    templates.add(store, now, "Made in the editor", _WELCOME, structure=1)
    templates.add(store, now, "Gallery: Welcome", _WELCOME, owner="sendpulse")
    store.run("INSERT INTO sendpulse_sites (id, url, added) VALUES (53, 'https://sandbox.example', ?)", now)
    for number in (1, 2, 3):
        store.run("INSERT INTO sendpulse_subscriptions VALUES (?, 53, 1, ?)", number, now)
    for name, subject, body in (
        ("registration", "Welcome", _WELCOME),
        ("purchase", "Your order", _ORDER),
    ):
        _flow(state, name, subject, body)


def _flow(state: SandboxState, event: str, subject: str, body: str) -> None:
    """Add a flow with one element of every kind."""
    store, now = state.store, state.clock.now()
    flow = store.run(
        "INSERT INTO sendpulse_flows (name, event, hash, sender_email, sender_name, created) "
        "VALUES (?, ?, ?, ?, 'Sandbox', ?)",
        f"After {event}",
        event,
        EVENTS[event],
        SENDER,
        now,
    )
    for kind in _KINDS:
        text = {"email": body, "sms": f"{subject}: see your mail."}.get(kind, "")
        store.run(
            "INSERT INTO sendpulse_elements (flow_id, kind, subject, body, created) VALUES (?, ?, ?, ?, ?)",
            flow,
            kind,
            subject,
            text,
            now,
        )
