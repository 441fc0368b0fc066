"""Viber: campaigns to a mailing list's phones or to given ones, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.sendpulse.api._request import Done, Quiet, call, given, paged

PROMOTION, SYSTEM = 2, 3
"""The kinds of messages (``message_type``)."""

_LONGEST_MESSAGE = 1000


class SmsFallback(msgspec.Struct, frozen=True):
    """The SMS for those whom Viber does not reach."""

    sms_text: str
    sms_sender_name: str
    status: bool = True


class NewViber(Quiet, frozen=True):
    """A Viber campaign to create.

    :ivar message_type: `PROMOTION` or `SYSTEM`.
    :ivar message_live_time: seconds that delivery is tried for, from 60 to 86400.
    :ivar send_date: ``now`` or ``Y-m-d H:i:s`` in the account's time zone.
    :ivar address_book: mailing list; either this or `recipients`.
    :ivar recipients: phone numbers, digits only.
    :ivar stretch_time: hours over which the sending is spread, up to 5.
    """

    sender_id: int
    message: str
    message_type: int = PROMOTION
    message_live_time: int = 86400
    send_date: str = "now"
    address_book: int | None = None
    recipients: tuple[int, ...] = ()
    task_name: str | None = None
    stretch_time: int | None = None
    button_text: str | None = None
    button_link: str | None = None
    image_link: str | None = None
    resend_sms: SmsFallback | None = None


class ViberTask(msgspec.Struct, frozen=True):
    """The new campaign's id, among what else the vendor may tell."""

    task_id: int


class ViberMade(Done, frozen=True):
    """The new campaign, in the answer's wrapping."""

    data: ViberTask


class ViberCampaign(msgspec.Struct, frozen=True):
    """A campaign in a list; `status` is a word (``moderation``, ``send``), not a number, or None."""

    id: int
    name: str = ""
    message: str = ""
    sender_name: str = ""
    send_date: str = ""
    status: str | None = None
    created: str = ""


class ViberFigures(msgspec.Struct, frozen=True):
    """A campaign's figures."""

    sent: int = 0
    delivered: int = 0
    read: int = 0
    redirected: int = 0
    undelivered: int = 0
    errors: int = 0


class ViberStats(msgspec.Struct, frozen=True):
    """A campaign and its figures."""

    id: int
    statistic: ViberFigures = ViberFigures()
    name: str = ""
    status: str | None = None


class ViberRecipients(Quiet, frozen=True):
    """A campaign's recipients, whose fields the vendor does not document."""

    task_id: int
    recipients: list[dict[str, Any]] = msgspec.field(default_factory=list)


class ViberSender(msgspec.Struct, frozen=True):
    """A sender's name.

    :ivar countries: where it may be used; the vendor's specification has one `country` instead.
    :ivar owner: not in the specification, but recorded.
    """

    id: int
    status: str = ""
    name: str = ""
    service_type: str = ""
    web_site: str = ""
    description: str = ""
    country: str = ""
    countries: list[str] = []
    traffic_type: str = ""
    admin_comment: str | None = None
    owner: str = ""


def send(campaign: NewViber) -> Call[ViberMade]:
    """Create a Viber campaign: `POST viber`. Never repeatable.

    :raises ValueError: not exactly one of `address_book` and `recipients`, half a button, or a message too long.
    """
    if (campaign.address_book is None) == (not campaign.recipients):
        raise ValueError("A Viber campaign needs either address_book or recipients, and not both.")
    if len(campaign.message) > _LONGEST_MESSAGE:
        raise ValueError(f"A Viber message has up to {_LONGEST_MESSAGE} characters, not {len(campaign.message)}.")
    if (campaign.button_text is None) != (campaign.button_link is None):
        raise ValueError("A Viber button needs both its text and its link.")
    if not 60 <= campaign.message_live_time <= 86400:
        raise ValueError(f"A Viber message lives from 60 to 86400 seconds, not {campaign.message_live_time}.")
    additional = given(
        button=given(text=campaign.button_text, link=campaign.button_link) or None,
        image=None if campaign.image_link is None else {"link": campaign.image_link},
        resend_sms=campaign.resend_sms,
    )
    body = given(
        task_name=campaign.task_name,
        message_type=campaign.message_type,
        sender_id=campaign.sender_id,
        message_live_time=campaign.message_live_time,
        send_date=campaign.send_date,
        address_book=campaign.address_book,
        recipients=campaign.recipients or None,
        message=campaign.message,
        stretch_time=campaign.stretch_time,
        additional=additional or None,
    )
    return call("POST", "viber", ViberMade, body=body)


def update(task_id: int, campaign: NewViber) -> Call[Done]:
    """Change a Viber campaign that has not begun: `POST viber/update`, known from clients alone.

    The body has no nesting, and no SMS for those whom Viber does not reach.

    :param campaign: all of it anew; `address_book` None keeps the recipients.
    :raises ValueError: it has `recipients`, `resend_sms` or `stretch_time`, which cannot be changed.
    """
    if campaign.recipients or campaign.resend_sms is not None or campaign.stretch_time is not None:
        raise ValueError("recipients, resend_sms and stretch_time of a Viber campaign cannot be changed.")
    body = given(
        main_task_id=task_id,
        task_name=campaign.task_name,
        message=campaign.message,
        message_type=campaign.message_type,
        button_text=campaign.button_text,
        button_link=campaign.button_link,
        image_link=campaign.image_link,
        address_book=campaign.address_book,
        sender_id=campaign.sender_id,
        message_live_time=campaign.message_live_time,
        send_date=campaign.send_date,
    )
    return call("POST", "viber/update", Done, body=body, repeatable=True)


def campaigns(limit: int = 100, offset: int = 0) -> Call[list[ViberCampaign]]:
    """Read a page of Viber campaigns: `GET viber/task`."""
    return call("GET", "viber/task", list[ViberCampaign], query={"limit": limit, "offset": offset})


def all_campaigns() -> Pages[ViberCampaign]:
    """Read every Viber campaign: `GET viber/task`, page by page."""
    return paged(campaigns)


def campaign(task_id: int) -> Call[ViberStats]:
    """Read a Viber campaign's figures: `GET viber/task/{id}`."""
    return call("GET", "viber/task/{id}", ViberStats, task_id)


def recipients(task_id: int) -> Call[ViberRecipients]:
    """List a Viber campaign's recipients: `GET viber/task/{id}/recipients`."""
    return call("GET", "viber/task/{id}/recipients", ViberRecipients, task_id)


def senders() -> Call[list[ViberSender]]:
    """List the senders' names: `GET viber/senders`."""
    return call("GET", "viber/senders", list[ViberSender])


def sender(sender_id: int) -> Call[ViberSender]:
    """Read a sender's name: `GET viber/senders/{id}`."""
    return call("GET", "viber/senders/{id}", ViberSender, sender_id)


def blacklist(limit: int = 100, offset: int = 0) -> Call[dict[str, Any]]:
    """Read a page of the numbers that never get a message: `GET v2/viber-service/phone-exception`.

    :returns: an object with ``data``, whose shape the vendor does not document.
    """
    query = {"limit": limit, "offset": offset}
    return call("GET", "v2/viber-service/phone-exception", dict[str, Any], query=query)


def blacklist_add(phones: Sequence[str], description: str) -> Call[dict[str, Any]]:
    """Put numbers on the blacklist: `POST v2/viber-service/phone-exception`."""
    body = {"phones": list(phones), "description": description}
    return call("POST", "v2/viber-service/phone-exception", dict[str, Any], body=body, repeatable=True)


def blacklist_remove(phones: Sequence[str]) -> Call[dict[str, Any]]:
    """Take numbers off the blacklist: `DELETE v2/viber-service/phone-exception`."""
    return call("DELETE", "v2/viber-service/phone-exception", dict[str, Any], body={"phones": list(phones)})
