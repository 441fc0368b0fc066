"""What contacts did with messages: delivered, read, clicked, unsubscribed, complained.

The vendor's fourth group of methods, which eSputnik's support must switch on for an account. Reading much of it
needs care: `activity_pages` has it.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal, TypeAlias

from msgspec import field

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.esputnik import limits
from airflow_provider_esp.services.esputnik.api._request import get
from airflow_provider_esp.services.esputnik.api.models import Model
from airflow_provider_esp.services.esputnik.api.paging import by_index
from airflow_provider_esp.services.esputnik.datetimes import stamp
from airflow_provider_esp.services.esputnik.scopes import MethodGroup

Status: TypeAlias = Literal["DELIVERED", "UNDELIVERED", "READ", "UNSUBSCRIBED", "CLICKED", "SPAM"]
"""What activity may be searched for; rows may also be SUBSCRIPTION_CHANGED."""

PAGE_ROWS = 1000
"""Rows to ask for: more is known to misbehave, though 25,000 is the service's own choice."""

MOST_MESSAGES = 100
"""Rows `GET v2/contacts/messages` answers at most."""

_GROUP = MethodGroup.ACTIVITY


class SubscriptionChange(Model, frozen=True, kw_only=True):
    """The categories a contact has kept."""

    subscriptions: list[str] = field(default_factory=list)


class StatusData(Model, frozen=True, kw_only=True):
    """What belongs to a changed subscription."""

    subscription: SubscriptionChange | None = None


class Activity(Model, frozen=True, kw_only=True):
    """Something a contact did with a message, or that happened to it.

    :ivar activity_date_time: ``YYYY-MM-DDTHH:mm:ss`` on the account's clock.
    :ivar offset: the cursor: what comes after this row.
    """

    _shown: ClassVar[tuple[str, ...]] = ("activity_status", "media_type", "activity_date_time")

    iid: str | None = None
    external_request_id: str | None = None
    contact_id: int | None = None
    external_customer_id: str | None = None
    email: str | None = None
    web_push_token: str | None = None
    mob_push_token: str | None = None
    sms: str | None = None
    media_type: str | None = None
    activity_status: str | None = None
    message_id: int | None = None
    message_instance_id: int | None = None
    message_name: str | None = None
    message_tag: str | None = None
    activity_date_time: str | None = None
    status_description: str | None = None
    hard_bounce: bool | None = None
    view_message_link: str | None = None
    click_event_link: str | None = None
    status_data: StatusData | None = None
    offset: str | None = None
    message_language_code: str | None = None
    source_event_key: str | None = None
    source_event_type_key: str | None = None
    workflow_block_id: str | None = None
    workflow_id: int | None = None
    workflow_instance_id: str | None = None
    broadcast_id: int | None = None
    from_: str | None = field(name="from", default=None)


class ContactMessage(Model, frozen=True, kw_only=True):
    """A message a contact was sent; ids are 0 for tests and single messages."""

    _shown: ClassVar[tuple[str, ...]] = ("message_id", "channel_type", "activity_status")

    contact_id: int | None = None
    email: str | None = None
    phone: str | None = None
    message_id: int | None = None
    message_instance_id: int | None = None
    message_tags: list[str] = field(default_factory=list)
    channel_type: str | None = None
    sent_date_time: str | None = None
    activity_status: str | None = None
    from_: str | None = field(name="from", default=None)
    subject: str | None = None
    text: str | None = None
    view_message_link: str | None = None


def activity(
    date_from: date,
    date_to: date,
    *,
    email: str | None = None,
    sms: str | None = None,
    web_push_token: str | None = None,
    mob_push_token: str | None = None,
    message_tag: str | None = None,
    activity_status: Status | None = None,
    offset: str | None = None,
    max_rows: int = PAGE_ROWS,
    version: Literal[1, 2] = 2,
) -> Call[list[Activity]]:
    """Read a page of contacts' activity: `GET v2/contacts/activity`.

    :param date_from: start of the period, a date or a datetime on the account's clock, to the minute.
    :param date_to: its end. Whether the bounds belong to the period is not documented.
    :param email: of one contact only; so are the next three.
    :param message_tag: of messages that have this tag.
    :param activity_status: of this sort.
    :param offset: `Activity.offset` of the last row that is known already.
    :param max_rows: most rows to answer.
    :param version: 1 for `GET v1/contacts/activity`, which the vendor names and describes nowhere.
    """
    query = {
        "dateFrom": stamp(date_from),
        "dateTo": stamp(date_to),
        "email": email,
        "sms": sms,
        "webPushToken": web_push_token,
        "mobPushToken": mob_push_token,
        "messageTag": message_tag,
        "activityStatus": activity_status,
        "offset": offset,
        "maxrows": max_rows,
    }
    return get(f"v{version}/contacts/activity", answer=list[Activity], query=query, group=_GROUP)


def contact_messages(
    date_from: date,
    date_to: date,
    *,
    contact_id: int | None = None,
    external_customer_id: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    channel_types: tuple[str, ...] = (),
    offset: int = 0,
    max_rows: int = MOST_MESSAGES,
) -> Call[list[ContactMessage]]:
    """Read a page of the messages one contact was sent: `GET v2/contacts/messages`.

    :param date_from: start of the period, a date or a datetime on the account's clock, to the minute.
    :param date_to: its end.
    :param contact_id: whose messages; or one of the next three.
    :param channel_types: email, sms, viber, …; empty for all.
    :param offset: how many rows to pass over.
    :param max_rows: most rows to answer, 100 at most.
    :raises ValueError: not exactly one contact is named.
    """
    who = {"contactId": contact_id, "externalCustomerId": external_customer_id, "email": email, "phone": phone}
    if sum(value is not None for value in who.values()) != 1:
        raise ValueError("Name the contact by exactly one of contact_id, external_customer_id, email and phone.")
    query = {
        "dateFrom": stamp(date_from),
        "dateTo": stamp(date_to),
        **who,
        "channelTypes": ",".join(channel_types) or None,
        "offset": offset,
        "maxrows": max_rows,
    }
    return get(
        "v2/contacts/messages",
        answer=list[ContactMessage],
        query=query,
        buckets=(limits.CONTACTS_MESSAGES,),
        group=_GROUP,
    )


def contact_message_pages(
    date_from: date,
    date_to: date,
    *,
    contact_id: int | None = None,
    external_customer_id: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    channel_types: tuple[str, ...] = (),
) -> Pages[ContactMessage]:
    """Read all messages one contact was sent in a period, page by page. Arguments as in `contact_messages`."""
    return by_index(
        lambda offset: contact_messages(
            date_from,
            date_to,
            contact_id=contact_id,
            external_customer_id=external_customer_id,
            email=email,
            phone=phone,
            channel_types=channel_types,
            offset=offset,
        ),
        MOST_MESSAGES,
        first=0,
    )
