"""The rows of exported files: the same columns, names and types for every service.

A file is read by a warehouse for years, so a column that is here stays, keeps its type, and is in every row, null
where nothing is known. Ids are text: the services' are numbers today, and text survives the day they are not. Times
are moments, in UTC in the file. The order of the fields is that of the columns, and rows are sorted by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from airflow_provider_esp.core.calls import Pages

R = TypeVar("R")
S = TypeVar("S")


class Row(msgspec.Struct, frozen=True):
    """A row of a file; it is about a person, so a log may say no more than what it is."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class ActivityRow(Row, frozen=True, kw_only=True):
    """Something a person did with a message, or that happened to it.

    :ivar occurred_at: to the second; null where the service's time cannot be read.
    :ivar status: ``delivered``, ``undelivered``, ``read``, ``clicked``, ``unsubscribed``, ``complained``,
        ``subscription_changed``, or what else the service says, in small letters.
    :ivar service_status: the service's own word for it.
    :ivar channel: ``email``, ``sms``, ``viber``, ``mobilepush``, ``webpush`` …
    :ivar address: the e-mail address, phone number or push token.
    :ivar interaction_id: of the message to this person.
    :ivar label: the sender's own (``external_request_id`` of the send).
    :ivar reason: why it was not delivered, in the words of the recipient's side.
    :ivar hard_bounce: whether the address is no good for ever.
    :ivar link: what was clicked.
    :ivar view_link: where the message can be looked at.
    :ivar subscriptions: the categories the person has kept, where the row is about them.
    """

    occurred_at: datetime | None
    status: str
    service_status: str
    channel: str | None = None
    contact_id: str | None = None
    external_id: str | None = None
    address: str | None = None
    interaction_id: str | None = None
    message_id: str | None = None
    message_name: str | None = None
    message_tag: str | None = None
    message_language: str | None = None
    message_instance_id: str | None = None
    broadcast_id: str | None = None
    workflow_id: str | None = None
    workflow_instance_id: str | None = None
    workflow_block_id: str | None = None
    event_type: str | None = None
    event_key: str | None = None
    label: str | None = None
    sender: str | None = None
    reason: str | None = None
    hard_bounce: bool | None = None
    link: str | None = None
    view_link: str | None = None
    subscriptions: list[str] | None = None
    service: str


class ContactRow(Row, frozen=True, kw_only=True):
    """A contact as the service has it.

    :ivar segment: the segment (SendPulse: mailing list) that was read, by name or id; null for the whole account.
    :ivar contact_id: null at SendPulse, which knows people by their address.
    :ivar status: SendPulse's word for the contact's state in the list; null at eSputnik.
    :ivar added_at: SendPulse: when it came into the list.
    :ivar segments: eSputnik: names of the static segments it is in; null where the service does not show them.
    :ivar fields: additional fields (SendPulse: variables) by key, as a JSON object in text.
    """

    segment: str | None
    contact_id: str | None
    email: str | None
    phone: str | None = None
    external_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    region: str | None = None
    town: str | None = None
    address: str | None = None
    postcode: str | None = None
    status: str | None = None
    added_at: datetime | None = None
    segments: list[str] | None = None
    fields: str = "{}"
    service: str


class BroadcastStatsRow(Row, frozen=True, kw_only=True):
    """How a broadcast (SendPulse: a campaign) went, in numbers of people.

    :ivar state: ``running``, ``done``, ``failed`` or ``needs a person``; null where the service gives no status.
    :ivar status: the service's own status with its meaning.
    :ivar starts_at: when it is, or was, to start.
    :ivar recipients: whom it was meant for; null where the service does not say.
    :ivar sent: who was sent it; where it is counted: who has it, and whom it did not reach.
    :ivar undelivered: who was not reached.
    :ivar complained: who called it spam; null where the service does not say.
    :ivar counted_from: ``service``: the service's own figures, of all time; ``activity``: counted here from the rows of
        the period, each person once for each status.
    :ivar period_start: with `period_end`: what was counted; null for the service's own figures.
    """

    broadcast_id: str
    name: str | None = None
    state: str | None = None
    status: str | None = None
    starts_at: datetime | None = None
    recipients: int | None = None
    sent: int = 0
    delivered: int = 0
    undelivered: int = 0
    read: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    complained: int | None = None
    counted_from: str
    period_start: datetime | None = None
    period_end: datetime | None = None
    service: str


class VerifiedRow(Row, frozen=True, kw_only=True):
    """An address that a verification did not find to be what the author accepts.

    :ivar status: ``invalid``, ``unconfirmed`` or ``unverified``; ``valid`` where that is not accepted; another status
        of the service's by its number.
    :ivar reason: the service's own words for it.
    :ivar checked_at: when the service looked at it.
    :ivar segment: the mailing list that was verified, by name or id; null for rows of a source.
    """

    email: str
    status: str
    reason: str | None = None
    checked_at: datetime | None = None
    segment: str | None = None
    service: str


class Period(msgspec.Struct, frozen=True):
    """A span of time, its end not in it; both aware."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime | None) -> bool:
        """Whether a moment lies in it; one that is not known does."""
        return moment is None or self.start <= moment < self.end


class Exporter(Protocol):
    """What a service can hand out."""

    counts_broadcasts: bool
    """Whether `broadcasts` has the figures; otherwise they are to be counted from the activity."""

    def activity(
        self, period: Period, *, statuses: Sequence[str] = (), message_tag: str | None = None
    ) -> Pages[ActivityRow]:
        """Read what people did in a period, in no promised order; a row may come twice.

        :param statuses: of `ActivityRow.status`; empty for all.
        :raises Unsupported: the service has no list of it.
        """

    def contacts(self, segment: str | None) -> Pages[ContactRow]:
        """Read the contacts of a segment, by name or id, or of the account; one may come twice if it changes meanwhile.

        :raises ObjectNotFound: there is no such segment.
        """

    def broadcasts(self) -> Pages[BroadcastStatsRow]:
        """Read the list of broadcasts."""
