"""Reports of transactional messages: records, bounces; and the senders, addresses and domains they leave from."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from ..state import SandboxState
from ..store import Row
from . import datetimes
from .arguments import Arguments, body
from .errors import invalid, not_found
from .settings import USER_ID
from .status_codes import FAILED, RECIPIENT

SCHEMA = "CREATE TABLE sendpulse_domains (id INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT UNIQUE);"

AT_ONCE = 500
"""The most ids in one request for records."""

BOUNCES = 1000
"""The most bounces handed out at once."""

_DAY = 86400.0
_REFUSALS = tuple(RECIPIENT[code] for code in sorted(FAILED))

routes = Routes()


@routes("GET", "smtp/emails")
def emails(incoming: Incoming) -> Response:
    """Return a page of records, newest first."""
    state = incoming.state
    given = Arguments.of(incoming)
    limit, offset = given.loose_page()
    begin = datetimes.day(state, given.get("from"))
    end = datetimes.day(state, given.get("to"))
    found = incoming.store.named(
        "SELECT * FROM sendpulse_smtp WHERE created >= :begin AND created < :end AND created <= :seen "
        "AND (:sender = '' OR sender = :sender) AND (:recipient = '' OR recipient = :recipient) "
        "AND id NOT IN (SELECT value FROM json_each(:hidden)) ORDER BY number DESC LIMIT :limit OFFSET :offset",
        {
            "begin": begin[0] if begin else 0.0,
            "end": end[1] if end else incoming.now + 1,
            "seen": incoming.now - state.settings["sendpulse.list_delay"],
            "sender": given.string("sender"),
            "recipient": given.string("recipient"),
            "hidden": msgspec.json.encode([str(one) for one in state.settings["sendpulse.hidden"]]).decode(),
            "limit": limit,
            "offset": offset,
        },
    )
    return responses.json([_record(state, row) for row in found])


@routes("GET", "smtp/emails/total")
def total(incoming: Incoming) -> Response:
    """Return how many messages were sent."""
    return responses.json({"total": incoming.store.value("SELECT count(*) FROM sendpulse_smtp")})


@routes("GET", "smtp/emails/{id}")
def email(incoming: Incoming) -> Response:
    """Return one record."""
    row = incoming.store.one("SELECT * FROM sendpulse_smtp WHERE id = ?", incoming.params["id"])
    if row is None or not _is_seen(incoming.state, row):
        raise Refused(400, "No such email", 14)
    return responses.json(_record(incoming.state, row))


@routes("POST", "smtp/emails/info")
def info(incoming: Incoming) -> Response:
    """Return several records; what is not known is left out."""
    ids = Arguments.of(incoming).structure("emails")
    if not isinstance(ids, list) or not 0 < len(ids) <= AT_ONCE or not all(isinstance(one, str) for one in ids):
        raise Refused(400, "Emails param empty or incorrect", 832)
    found = incoming.store.all(
        "SELECT * FROM sendpulse_smtp WHERE id IN (SELECT value FROM json_each(?)) ORDER BY number",
        msgspec.json.encode(ids).decode(),
    )
    records = [_record(incoming.state, row) for row in found if _is_seen(incoming.state, row)]
    if not records:
        raise Refused(400, "No such emails", 14)
    return responses.json(records)


@routes("GET", "smtp/bounces/day")
def bounces(incoming: Incoming) -> Response:
    """Return a page of the bounces of a day; of the last 24 hours by default."""
    given = Arguments.of(incoming)
    limit, offset = given.loose_page()
    limit = min(limit, BOUNCES)
    found = _bounced(incoming, given.get("date"))
    rows = found[offset : offset + limit]
    return responses.json(
        {
            "total": len(found),
            "emails": [_bounce(incoming.state, row) for row in rows],
            "request_limit": BOUNCES,
            "found": len(rows),
        }
    )


@routes("GET", "smtp/bounces/day/total")
def bounces_total(incoming: Incoming) -> Response:
    """Return how many bounces the last 24 hours had."""
    return responses.json({"total": len(_bounced(incoming, None))})


@routes("GET", "smtp/ips")
def ips(incoming: Incoming) -> Response:
    """Return the addresses that mail leaves from."""
    return responses.json(["192.0.2.25"])


@routes("GET", "smtp/senders")
def senders(incoming: Incoming) -> Response:
    """Return the senders that transactional mail may come from."""
    found = incoming.store.all("SELECT email FROM sendpulse_senders WHERE active ORDER BY rowid")
    return responses.json([row["email"] for row in found])


@routes("GET", "smtp/domains")
def old_domains(incoming: Incoming) -> Response:
    """Return the domains that mail may come from, as the older clients read them."""
    return responses.json([f"@{row['domain']}" for row in _domains(incoming)])


@routes("POST", "smtp/domains")
def add_old_domain(incoming: Incoming) -> Response:
    """Add the domain of an address, as the older clients do."""
    given = Arguments.of(incoming)
    given.need("email")
    return _add_domain(incoming, given.string("email").rpartition("@")[2])


@routes("GET", "smtp/domains/{email}")
def verify_old_domain(incoming: Incoming) -> Response:
    """Check a domain's records again, by an address of it."""
    domain = incoming.params["email"].rpartition("@")[2].lower()
    if not any(row["domain"] == domain for row in _domains(incoming)):
        raise not_found("Domain not found")
    return responses.json({"result": True})


@routes("GET", "v2/email-service/smtp/sender_domains", "v2/email-service/smtp/sender_domains/{domain}")
def domains(incoming: Incoming) -> Response:
    """Return the domains that mail may come from, or one of them."""
    wanted = incoming.params.get("domain")
    rows = [row for row in _domains(incoming) if wanted in (None, row["domain"])]
    return responses.json({"data": {"result": True, "data": [_domain(row) for row in rows]}})


@routes("POST", "v2/email-service/smtp/sender_domains/{domain}")
def add_domain(incoming: Incoming) -> Response:
    """Add a domain; in the sandbox it is verified at once."""
    body(incoming)
    _add_domain(incoming, incoming.params["domain"])
    return responses.json({"data": {"result": True}})


def _add_domain(incoming: Incoming, domain: str) -> Response:
    if "." not in domain:
        raise invalid("Argument domain is invalid")
    incoming.store.run("INSERT OR IGNORE INTO sendpulse_domains (domain) VALUES (?)", domain.lower())
    return responses.json({"result": True})


def _domains(incoming: Incoming) -> list[Row]:
    return incoming.store.all("SELECT * FROM sendpulse_domains ORDER BY id")


def _domain(row: Row) -> dict[str, Any]:
    checks = {"check_dkim": True, "check_spf": True, "check_dmarc": True, "all_checks": True, "spf_txt_needed": ""}
    return {
        "id": row["id"],
        "user_id": USER_ID,
        "service_type": 2,
        "service_value": row["domain"],
        "status": 1,
        "is_default": row["id"] == 1,
        "ssl_type": 1,
        "checks": checks,
    }


def _bounced(incoming: Incoming, date: Any) -> list[Row]:
    day = datetimes.day(incoming.state, date)
    begin, end = day or (incoming.now - _DAY, incoming.now)
    return incoming.store.named(
        "SELECT r.*, s.note FROM sendpulse_smtp r JOIN outbox_steps s ON s.message_id = r.message_id "
        "WHERE s.status IN (SELECT value FROM json_each(:refusals)) AND s.at <= :now "
        "AND s.at >= :begin AND s.at <= :end ORDER BY r.number DESC",
        {"refusals": msgspec.json.encode(_REFUSALS).decode(), "now": incoming.now, "begin": begin, "end": end},
    )


def _bounce(state: SandboxState, row: Row) -> dict[str, Any]:
    code, subcode, text = _answer(row["note"])
    return {
        "email_to": row["recipient"],
        "sender": row["sender"],
        "send_date": datetimes.stamp(state, row["created"]),
        "subject": row["subject"],
        "smtp_answer_code": code,
        "smtp_answer_subcode": subcode,
        "smtp_answer_data": text,
    }


def _is_seen(state: SandboxState, row: Row) -> bool:
    """Check whether a record is there already: by a setting it is not before the recipient's server has answered."""
    return state.settings["sendpulse.smtp_pending"] != "absent" or _note(state, row) != ""


def _note(state: SandboxState, row: Row) -> str:
    """Return what the recipient's mail server has answered by now; "" before it did."""
    return next((step["note"] for step in state.outbox.way(row["message_id"]) if step["note"]), "")


def _answer(note: str) -> tuple[int, str, str]:
    code, subcode, text = note.split(" ", 2)
    return int(code), subcode, text


def _record(state: SandboxState, row: Row) -> dict[str, Any]:
    code, subcode, text = _answer(_note(state, row) or "0  ")
    pending = 0 if state.settings["sendpulse.smtp_pending"] == "zero" else None
    shown = str(code) if code and state.settings["sendpulse.string_codes"] else code or pending
    return {
        "id": row["id"],
        "sender": row["sender"],
        "total_size": row["size"],
        "sender_ip": "192.0.2.10",
        "smtp_answer_code": shown,
        "smtp_answer_code_explain": {0: "", 250: "Delivered"}.get(code, "Not delivered"),
        "smtp_answer_subcode": subcode,
        "smtp_answer_data": text,
        "used_ip": "192.0.2.25",
        "recipient": None if state.settings["sendpulse.smtp_no_recipient"] else row["recipient"],
        "subject": row["subject"],
        "send_date": datetimes.stamp(state, row["created"]),
        "tracking": _tracking(state, row),
    }


def _tracking(state: SandboxState, row: Row) -> dict[str, Any]:
    client = {"browser": "Sandbox", "os": "Sandbox", "ip": "192.0.2.50", "country": "Ukraine"}
    opens, clicks = [], []
    for step in state.outbox.way(row["message_id"]):
        seen = {**client, "action_date": datetimes.stamp(state, step["at"])}
        if step["status"] == "Opened":
            opens.append(seen)
        elif step["status"] == "Link redirected":
            clicks.append({"url": "https://sandbox.example/", "screen_resolution": "1280x720", **seen})
    return {"click": len(clicks), "open": len(opens), "link": clicks, "client_info": opens}
