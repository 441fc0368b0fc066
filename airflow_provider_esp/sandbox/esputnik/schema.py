"""eSputnik's tables, and what a fresh account holds: two segments, a few templates, subscription categories."""

from __future__ import annotations

import msgspec

from ..state import SandboxState
from ..store import Store

SQL = """
CREATE TABLE esputnik_tokens (token TEXT PRIMARY KEY, scope TEXT, expires REAL);
CREATE TABLE esputnik_counters (name TEXT PRIMARY KEY, last INTEGER);
CREATE TABLE esputnik_repeats (digest TEXT PRIMARY KEY, at REAL);

CREATE TABLE esputnik_contacts (
  id INTEGER PRIMARY KEY, external_id TEXT, data TEXT, updated REAL, created REAL, deleted INTEGER, confirmed INTEGER);
CREATE INDEX esputnik_contacts_external ON esputnik_contacts (external_id);
CREATE INDEX esputnik_contacts_updated ON esputnik_contacts (updated);
CREATE TABLE esputnik_channels (contact_id INTEGER, type TEXT, key TEXT);
CREATE INDEX esputnik_channels_key ON esputnik_channels (type, key);
CREATE INDEX esputnik_channels_contact ON esputnik_channels (contact_id);

CREATE TABLE esputnik_segments (id INTEGER PRIMARY KEY, name TEXT UNIQUE, type TEXT);
CREATE TABLE esputnik_members (
  segment_id INTEGER, contact_id INTEGER, added REAL, PRIMARY KEY (segment_id, contact_id)) WITHOUT ROWID;
CREATE INDEX esputnik_members_contact ON esputnik_members (contact_id);

CREATE TABLE esputnik_imports (
  id TEXT PRIMARY KEY, kind TEXT, request BLOB, rows INTEGER, submitted REAL, due REAL, outcome TEXT,
  state TEXT, changed REAL, description TEXT, mapping TEXT, written INTEGER);
CREATE INDEX esputnik_imports_due ON esputnik_imports (state, due);

CREATE TABLE esputnik_categories (id INTEGER PRIMARY KEY, key TEXT UNIQUE, name TEXT, created REAL, updated REAL);
CREATE TABLE esputnik_subscriptions (contact_id INTEGER, key TEXT, PRIMARY KEY (contact_id, key)) WITHOUT ROWID;
CREATE TABLE esputnik_unsubscribed (email TEXT PRIMARY KEY, at REAL);

CREATE TABLE esputnik_events (
  id INTEGER PRIMARY KEY, type TEXT, key TEXT, params TEXT, contact_id INTEGER, source TEXT, occurred REAL,
  received REAL);
CREATE INDEX esputnik_events_key ON esputnik_events (type, key);

CREATE TABLE esputnik_templates (id INTEGER PRIMARY KEY, channel TEXT, data TEXT);
CREATE TABLE esputnik_broadcasts (
  id INTEGER PRIMARY KEY, data TEXT, start REAL, state TEXT, recipients INTEGER, created REAL);
CREATE TABLE esputnik_sites (domain TEXT PRIMARY KEY, push TEXT);
CREATE TABLE esputnik_orders (external_id TEXT PRIMARY KEY, data TEXT, contact_id INTEGER, updated REAL);
CREATE TABLE esputnik_device_tokens (app TEXT, token TEXT, active INTEGER, PRIMARY KEY (app, token)) WITHOUT ROWID;
CREATE TABLE esputnik_interactions (id INTEGER PRIMARY KEY, interaction TEXT, token TEXT, status TEXT, time TEXT);
CREATE TABLE esputnik_promocodes (
  code TEXT PRIMARY KEY, type TEXT, discount INTEGER, expires TEXT, in_use INTEGER);
"""

_FROM = '"Sandbox Shop" <shop@sandbox.example>'

TEMPLATES: dict[int, tuple[str, dict[str, object]]] = {
    1001: (
        "email",
        {
            "name": "Win-back",
            "from": _FROM,
            "subject": "$!data.get('name'), we have missed you",
            "htmlText": "<h1>Hello, $!data.get('name')</h1><p>Here is $!data.get('discount') off your next order.</p>",
            "tags": ["win-back"],
            "languageCode": "en",
            "translations": [
                {
                    "name": "Win-back",
                    "from": _FROM,
                    "subject": "$!data.get('name'), ми сумували",
                    "htmlText": "<h1>Вітаємо, $!data.get('name')</h1><p>Ваша знижка: $!data.get('discount').</p>",
                    "languageCode": "uk",
                }
            ],
        },
    ),
    1002: (
        "email",
        {
            "name": "Order receipt",
            "from": _FROM,
            "subject": "Your order $!data.get('order')",
            "htmlText": "<p>Thank you, $!data.get('name'). Total: $!data.get('total').</p>",
            "tags": ["transactional"],
            "languageCode": "en",
        },
    ),
    1003: (
        "email",
        {
            "name": "Weekly digest",
            "from": _FROM,
            "subject": "This week at the shop",
            "htmlText": "<h1>This week</h1><p>New things for you.</p>",
            "tags": ["digest"],
            "languageCode": "en",
        },
    ),
    2001: ("sms", {"name": "Code", "from": "SHOP", "text": "Your code: $!data.get('code')", "languageCode": "en"}),
    3001: ("viber", {"name": "Offer", "from": "SHOP", "text": "Hi, $!data.get('name')!", "languageCode": "en"}),
}

SEGMENTS = {3601001: ("Newsletter", "Static"), 3601002: ("Everybody", "Dynamic")}

CATEGORIES = {501: ("news", "News"), 502: ("offers", "Offers"), 503: ("digest", "Weekly digest")}


COUNTERS = {"contact": 95_064_000, "segment": 3_601_002, "template": 3_001, "broadcast": 700_000, "instance": 800_000}


def next_id(store: Store, name: str) -> int:
    """Return the next id of a kind of thing; ids of things that were removed do not come back."""
    row = store.one("UPDATE esputnik_counters SET last = last + 1 WHERE name = ? RETURNING last", name)
    if row is None:
        raise KeyError(name)
    return int(row[0])


def seed(state: SandboxState) -> None:
    """Fill a fresh account."""
    store, now = state.store, state.clock.now()
    store.many("INSERT INTO esputnik_counters VALUES (?, ?)", COUNTERS.items())
    store.many(
        "INSERT INTO esputnik_templates VALUES (?, ?, ?)",
        ((number, channel, msgspec.json.encode(data).decode()) for number, (channel, data) in TEMPLATES.items()),
    )
    store.many(
        "INSERT INTO esputnik_segments VALUES (?, ?, ?)", ((number, *segment) for number, segment in SEGMENTS.items())
    )
    store.many(
        "INSERT INTO esputnik_categories VALUES (?, ?, ?, ?, ?)",
        ((number, *category, now, now) for number, category in CATEGORIES.items()),
    )
