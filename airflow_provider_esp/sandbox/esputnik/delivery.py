"""The delivery of an eSputnik message: its statuses by channel, and whether they mean delivered or failed."""

from __future__ import annotations

from collections.abc import Mapping

from ..outbox import fate
from ..state import SandboxState

_FAILED = {
    "email": "UNDELIVERED",
    "sms": "SMS_UNDELIVERED_STATE",
    "viber": "VIBER_UNDELIVERED_STATE",
    "telegram": "BOT_SEND_ERROR",
}

DELIVERED = frozenset({"DELIVERED", "READ", "CLICKED", "SPAM", "UNSUBSCRIBED"})
WAITING = frozenset({"IN_QUEUE", "PENDING"})

# The steps after IN_QUEUE, by what becomes of a message.
_EMAIL: Mapping[str, tuple[str, ...]] = {
    "read": ("DELIVERED", "READ"),
    "delivered": ("DELIVERED",),
    "clicked": ("DELIVERED", "READ", "CLICKED"),
    "spam": ("DELIVERED", "SPAM"),
    "unsubscribed": ("DELIVERED", "READ", "UNSUBSCRIBED"),
}

ACTIVITY = {
    # How GET contacts/activity calls a status; what is missing is no activity.
    "DELIVERED": "DELIVERED",
    "READ": "READ",
    "CLICKED": "CLICKED",
    "SPAM": "SPAM",
    "UNSUBSCRIBED": "UNSUBSCRIBED",
    "UNDELIVERED": "UNDELIVERED",
    "SMS_UNDELIVERED_STATE": "UNDELIVERED",
    "VIBER_UNDELIVERED_STATE": "UNDELIVERED",
    "BOT_SEND_ERROR": "UNDELIVERED",
}


def way(state: SandboxState, channel: str, recipient: str, start: float) -> list[tuple[float, str, str]]:
    """Return the planned statuses of a message: (Unix time, status, note).

    :param start: when it is put into the queue.
    """
    pace = state.settings["delivery_seconds"]
    wanted = fate(state.settings, recipient)
    steps = [(start, "IN_QUEUE", "")]
    if wanted == "stuck":
        return steps
    if wanted == "bounced":
        return [*steps, (start + pace, _FAILED.get(channel, "UNDELIVERED"), "550 mailbox unavailable")]
    names = _EMAIL[wanted]
    if channel == "sms":
        steps.append((start, "PENDING", ""))
        names = ("DELIVERED",)
    elif channel not in ("email", "viber"):
        names = tuple(name for name in names if name in ("DELIVERED", "CLICKED"))
    elif channel == "viber":
        names = tuple(name for name in names if name in ("DELIVERED", "READ", "CLICKED"))
    return steps + [(start + pace * number, name, "") for number, name in enumerate(names, start=1)]
