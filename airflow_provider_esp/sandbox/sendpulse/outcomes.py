"""The outcome of messages: the fate of an address (see `outbox.fate`) in the vendor's statuses.

Besides the common rules, an address whose local part begins with ``bounce`` does not exist, and a phone that ends
in ``0000`` is never reached.
"""

from __future__ import annotations

from typing import Any

from .. import outbox
from ..state import SandboxState
from ..store import Row
from .status_codes import FAILED, RECIPIENT, RECIPIENT_CODE

SCHEMA = "CREATE TABLE sendpulse_settled (at REAL);"

Steps = list[tuple[float, str, str]]

_ACCEPTED = "250 2.0.0 OK"
_REFUSED = "550 5.1.1 The email account that you tried to reach does not exist"

_EMAIL: dict[str, tuple[str, ...]] = {
    "stuck": (),
    "bounced": ("No such e-mail",),
    "delivered": ("Delivered",),
    "read": ("Delivered", "Opened"),
    "clicked": ("Delivered", "Opened", "Link redirected"),
    "spam": ("Delivered", "Marked as spam"),
    "unsubscribed": ("Delivered", "Opened", "User unsubscribed"),
}
_NOTES = {"Delivered": _ACCEPTED, "No such e-mail": _REFUSED}


def fate(state: SandboxState, address: str) -> str:
    """Return what becomes of mail to an address: one of `settings.FATES`."""
    if address.lower().startswith("bounce") and address not in state.settings["outcomes"]:
        return "bounced"
    return outbox.fate(state.settings, address)


def reads(state: SandboxState, address: str) -> bool:
    """Check whether mail to an address is read."""
    return fate(state, address) in ("read", "clicked")


def email(state: SandboxState, address: str, start: float) -> Steps:
    """Return the planned statuses of one e-mail that leaves at `start`."""
    pace = state.settings["delivery_seconds"]
    words = _EMAIL[fate(state, address)]
    later = [(start + (n + 1) * pace, word, _NOTES.get(word, "")) for n, word in enumerate(words)]
    return [(start, "Sent", ""), *later]


def refused_email(state: SandboxState, start: float) -> Steps:
    """Return the planned statuses of an e-mail to an address that takes none."""
    pace = state.settings["delivery_seconds"]
    return [(start, "Sent", ""), (start + pace, "Already unsubscribed", "550 5.7.1 The recipient is unsubscribed")]


def phone(state: SandboxState, number: str, start: float, opened: str = "") -> Steps:
    """Return the planned statuses of one SMS or Viber message.

    :param opened: the word for a message that was read, where the channel knows that.
    """
    pace, wanted = state.settings["delivery_seconds"], outbox.fate(state.settings, number)
    steps = [(start, "Sent", "")]
    if wanted == "stuck":
        return steps
    if wanted == "bounced" or (number.endswith("0000") and number not in state.settings["outcomes"]):
        return [*steps, (start + pace, "Not delivered", "Absent subscriber")]
    steps.append((start + pace, "Delivered", ""))
    if opened and wanted in ("read", "clicked", "unsubscribed"):
        steps.append((start + 2 * pace, opened, ""))
    return steps


def reached(state: SandboxState, broadcasts: list[int]) -> dict[int, dict[str, int]]:
    """Return how many messages of each broadcast have reached each status by now, in the status's word."""
    rows = state.store.all(
        "SELECT m.broadcast_id AS broadcast, s.status AS status, count(*) AS messages FROM outbox_messages m "
        "JOIN outbox_steps s ON s.message_id = m.id WHERE m.service = 'sendpulse' AND s.at <= ? "
        "AND m.broadcast_id IN (SELECT value FROM json_each(?)) GROUP BY 1, 2",
        state.clock.now(),
        f"[{','.join(map(str, broadcasts))}]",
    )
    found: dict[int, dict[str, int]] = {number: {} for number in broadcasts}
    for row in rows:
        found[row["broadcast"]][row["status"]] = row["messages"]
    return found


def has_set_out(state: SandboxState, broadcast: int) -> bool:
    """Check whether any message of a broadcast is in the outbox."""
    found = state.store.value(
        "SELECT 1 FROM outbox_messages WHERE service = 'sendpulse' AND broadcast_id = ? LIMIT 1", broadcast
    )
    return found is not None


def errors(counts: dict[str, int]) -> int:
    """Return how many of a broadcast's e-mails did not arrive, by the counts of `reached`."""
    return sum(counts.get(RECIPIENT[code], 0) for code in FAILED)


def settle(state: SandboxState) -> None:
    """Unsubscribe and record, as the vendor would, who unsubscribed or complained since the last time."""
    store, now = state.store, state.clock.now()
    last = store.value("SELECT at FROM sendpulse_settled") or 0.0
    if now <= last:
        return
    store.run("UPDATE sendpulse_settled SET at = ?", now)
    # CROSS JOIN keeps SQLite at this order: the few new steps first, not all messages.
    gone = store.all(
        "SELECT m.*, s.at, s.status FROM outbox_steps s CROSS JOIN outbox_messages m ON m.id = s.message_id "
        "WHERE s.at > ? AND s.at <= ? AND s.status IN ('User unsubscribed', 'Marked as spam') "
        "AND m.service = 'sendpulse'",
        last,
        now,
    )
    for row in gone:
        _leave(state, row)


def _leave(state: SandboxState, row: Row) -> None:
    store = state.store
    if row["broadcast_id"] is None:
        store.run(
            "INSERT OR IGNORE INTO sendpulse_smtp_unsubscribed VALUES (?, ?, 0, ?, '', ?)",
            row["recipient"].partition(", ")[0],
            int(row["status"] == "User unsubscribed"),
            int(row["status"] == "Marked as spam"),
            row["at"],
        )
    else:
        store.run("UPDATE sendpulse_contacts SET status = 4, due = NULL WHERE id = ?", row["contact_id"])


def code(status: str) -> int:
    """Return the number of a recipient's state; 0 (in queue) before the first."""
    return RECIPIENT_CODE.get(status, 0)


def tally(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Return the counts of `reached` in the vendor's form; a recipient counts under every state it has reached."""
    return [
        {"code": code, "count": counts[explain], "explain": explain}
        for code, explain in RECIPIENT.items()
        if explain in counts
    ]
