"""Webhooks of the e-mail service: where it reports openings, bounces, new addresses and the like."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.sendpulse.api._request import call, given

ACTIONS = (
    "delivered",
    "open",
    "redirect",
    "unsubscribe",
    "new_emails",
    "delete",
    "spam",
    "task_status_update",
    "soft_bounces",
    "hard_bounces",
)
"""What can be reported."""


class Webhook(msgspec.Struct, frozen=True):
    """One action's report; an address for several actions is several webhooks."""

    id: int
    url: str = ""
    action: str = ""
    user_id: int | None = None


class Webhooks(msgspec.Struct, frozen=True):
    """Webhooks, in the answer's wrapping."""

    data: list[Webhook] = []
    success: bool = True


class OneWebhook(msgspec.Struct, frozen=True):
    """A webhook, in the answer's wrapping."""

    data: Webhook
    success: bool = True


class Changed(msgspec.Struct, frozen=True):
    """The answer to a change: a list of one yes."""

    data: list[bool] = []
    success: bool = True


def webhooks() -> Call[Webhooks]:
    """List the webhooks: `GET v2/email-service/webhook`."""
    return call("GET", "v2/email-service/webhook", Webhooks)


def webhook(webhook_id: int) -> Call[OneWebhook]:
    """Read a webhook: `GET v2/email-service/webhook/{id}`."""
    return call("GET", "v2/email-service/webhook/{id}", OneWebhook, webhook_id)


def webhook_create(url: str, actions: Sequence[str]) -> Call[Webhooks]:
    """Have actions reported to an address: `POST v2/email-service/webhook`.

    :param actions: of `ACTIONS`.
    :returns: one webhook for each action.
    """
    return call("POST", "v2/email-service/webhook", Webhooks, body={"url": url, "actions": list(actions)})


def webhook_change(webhook_id: int, url: str | None = None, *, actions: Sequence[str] = ()) -> Call[Changed]:
    """Report to another address, or report other actions: `PUT v2/email-service/webhook/{id}`.

    :param url: the new address; None keeps it.
    :param actions: of `ACTIONS`; none keeps them. The vendor's specification has `url` alone, its newer guides both.
    :raises ValueError: nothing would change.
    """
    if url is None and not actions:
        raise ValueError("A webhook is changed by its url, its actions, or both: neither is given.")
    body = given(url=url, actions=list(actions) or None)
    return call("PUT", "v2/email-service/webhook/{id}", Changed, webhook_id, body=body)


def webhook_delete(webhook_id: int) -> Call[Changed]:
    """Stop reporting: `DELETE v2/email-service/webhook/{id}`."""
    return call("DELETE", "v2/email-service/webhook/{id}", Changed, webhook_id)
