"""What the authorisation server keeps: applications, who is logged in, codes, and tokens in families.

A family is everything that came from one consent: each refresh adds an access token and a refresh token to it. The
vendor gives an access token 172,800 s and a refresh token 2,592,000 s, and a new refresh token at every refresh. Two
things it does not document are settings: whether the second use of a refresh token revokes its family, and whether a
refresh ends the access token before it at once.
"""

from __future__ import annotations

import secrets
from typing import Any

from ..service import table
from ..settings import Setting
from ..state import SandboxState
from ..store import Row, Store

ACCESS_SECONDS = 172_800
REFRESH_SECONDS = 2_592_000

RIGHTS = {
    "full": "Full API access",
    "events": "Access to events",
    "events and contacts": "Access to events and contacts",
    "messages": "Access to messages",
}
"""What an application may be given, as the vendor's registration form offers it."""

CLIENT_ID, CLIENT_SECRET = "sandbox-app", "sandbox-app-secret"
CALLBACK = "http://127.0.0.1:8765/callback"
USER, PASSWORD = "api-user1@sandbox.example", "sandbox-password"

SQL = """
CREATE TABLE uaa_applications (client_id TEXT PRIMARY KEY, secret TEXT, name TEXT, callback TEXT, scope TEXT, at REAL);
CREATE TABLE uaa_logins (session TEXT PRIMARY KEY, user TEXT, form TEXT, expires REAL);
CREATE TABLE uaa_codes (code TEXT PRIMARY KEY, client_id TEXT, user TEXT, redirect_uri TEXT, expires REAL,
  challenge TEXT DEFAULT '', used INTEGER DEFAULT 0);
CREATE TABLE uaa_tokens (id INTEGER PRIMARY KEY, family TEXT, client_id TEXT, user TEXT, access TEXT UNIQUE,
  refresh TEXT UNIQUE, issued REAL, access_ends REAL, refresh_ends REAL, refreshed INTEGER DEFAULT 0,
  revoked TEXT DEFAULT '');
CREATE INDEX uaa_tokens_family ON uaa_tokens (family);
"""

SETTINGS = {
    "uaa.reuse_revokes_family": Setting(
        False, "whether a refresh token's second use revokes everything that came from the same consent"
    ),
    "uaa.refresh_ends_access": Setting(False, "whether a refresh ends the access token before it at once"),
    "uaa.code_seconds": Setting(300.0, "how long an authorization code may be exchanged", lambda value: value > 0),
}

APPLICATIONS = table(
    "applications",
    "Applications",
    ("name", "client_id", "callback", "scope"),
    rows="SELECT name, client_id, callback, scope FROM uaa_applications WHERE (:all OR name LIKE :q ESCAPE '!')"
    " ORDER BY at DESC LIMIT :limit OFFSET :offset",
    count="SELECT count(*) FROM uaa_applications WHERE (:all OR name LIKE :q ESCAPE '!')",
)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    seconds = row.pop("seconds")
    return {**row, "seconds_left": max(0, round(seconds)), "refreshed": bool(row["refreshed"])}


GRANTS = table(
    "grants",
    "Grants",
    ("id", "application", "user", "family", "seconds_left", "refreshed", "revoked"),
    rows="SELECT id, client_id AS application, user, substr(family, 1, 6) AS family, access_ends - :now AS seconds,"
    " refreshed, revoked FROM uaa_tokens WHERE (:all OR client_id LIKE :q ESCAPE '!')"
    " ORDER BY id DESC LIMIT :limit OFFSET :offset",
    count="SELECT count(*) FROM uaa_tokens WHERE (:all OR client_id LIKE :q ESCAPE '!')",
    shape=_told,
)


def seed(state: SandboxState) -> None:
    """Create the one application of a fresh sandbox, which may do everything."""
    add(state, "Airflow", callback=CALLBACK, scope="full", client_id=CLIENT_ID, secret=CLIENT_SECRET)


def add(
    state: SandboxState,
    name: str,
    *,
    callback: str,
    scope: str,
    client_id: str | None = None,
    secret: str | None = None,
) -> tuple[str, str]:
    """Register an application.

    :param callback: the only address that codes are sent to.
    :param scope: a key of `RIGHTS`.
    :return: its client id and secret.
    """
    if scope not in RIGHTS:
        raise ValueError(f"No right {scope!r}; there are: {', '.join(RIGHTS)}")
    client_id, secret = client_id or secrets.token_hex(16), secret or secrets.token_hex(32)
    state.store.run(
        "INSERT INTO uaa_applications (client_id, secret, name, callback, scope, at) VALUES (?, ?, ?, ?, ?, ?)",
        client_id,
        secret,
        name,
        callback,
        scope,
        state.clock.now(),
    )
    return client_id, secret


def application(store: Store, client_id: str) -> Row | None:
    """Return an application by its client id."""
    return store.one("SELECT * FROM uaa_applications WHERE client_id = ?", client_id)


def new_code(state: SandboxState, client_id: str, user: str, redirect_uri: str, challenge: str = "") -> str:
    """Create a code for a person's consent; it works once.

    :param challenge: the hash of what the exchange has to show (PKCE, S256); empty where none was sent.
    """
    code = secrets.token_urlsafe(24)
    ends = state.clock.now() + state.settings["uaa.code_seconds"]
    state.store.run(
        "INSERT INTO uaa_codes (code, client_id, user, redirect_uri, challenge, expires) VALUES (?, ?, ?, ?, ?, ?)",
        code,
        client_id,
        user,
        redirect_uri,
        challenge,
        ends,
    )
    return code


def living(state: SandboxState, client_id: str, user: str) -> Row | None:
    """Return the newest token of a person for an application, if it works."""
    return state.store.one(
        "SELECT * FROM uaa_tokens WHERE client_id = ? AND user = ? AND revoked = '' AND refreshed = 0"
        " AND access_ends > ? ORDER BY id DESC LIMIT 1",
        client_id,
        user,
        state.clock.now(),
    )


def new_tokens(state: SandboxState, client_id: str, user: str, family: str | None = None) -> Row:
    """Create an access token and a refresh token.

    :param family: whose they are; None begins a family.
    """
    now = state.clock.now()
    number = state.store.run(
        "INSERT INTO uaa_tokens (family, client_id, user, access, refresh, issued, access_ends, refresh_ends)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        family or secrets.token_hex(16),
        client_id,
        user,
        secrets.token_urlsafe(32),
        secrets.token_urlsafe(32),
        now,
        now + ACCESS_SECONDS,
        now + REFRESH_SECONDS,
    )
    made = state.store.one("SELECT * FROM uaa_tokens WHERE id = ?", number)
    if made is None:
        raise RuntimeError("a row just written is not there")
    return made


def scope_of(state: SandboxState, access_token: str) -> str | None:
    """Return the scope of an access token, a key of `RIGHTS`; None where the token does not work (any more)."""
    found: str | None = state.store.value(
        "SELECT a.scope FROM uaa_tokens t JOIN uaa_applications a USING (client_id)"
        " WHERE t.access = ? AND t.revoked = '' AND t.access_ends > ?",
        access_token,
        state.clock.now(),
    )
    return found
