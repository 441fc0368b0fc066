"""The words both services share: contacts, recipients, events, imports, deliveries, broadcasts.

Operators speak these; each service translates them into its own calls. A field left `UNSET` is one the
author did not give, and nothing that was not given is ever written; None means *erase*.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType


class Contact(msgspec.Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True):
    """One person, in the words of both services.

    :ivar custom: additional fields (eSputnik: by key, e.g. ``LOYALTY.TIER``) or variables (SendPulse: by name).
    """

    email: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET
    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    language: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    address: str | UnsetType | None = UNSET
    town: str | UnsetType | None = UNSET
    region: str | UnsetType | None = UNSET
    postcode: str | UnsetType | None = UNSET
    custom: dict[str, Any] = {}

    def __repr__(self) -> str:
        # A contact is a person: what a log may say of it is which fields it carries.
        given = [name for name in self.__struct_fields__ if name != "custom" and getattr(self, name) is not UNSET]
        return f"<Contact with {', '.join([*given, *self.custom])}>"


STANDARD_FIELDS = tuple(name for name in Contact.__struct_fields__ if name != "custom")
"""The names a column may be mapped to besides custom fields."""


class Recipient(msgspec.Struct, frozen=True):
    """One person a message goes to, and the data its template is filled with.

    :ivar locator: e-mail address or phone number.
    :ivar data: what the message may use, JSON-able.
    """

    locator: str
    data: dict[str, Any] = {}
    external_id: str | None = None
    language: str | None = None
    request_id: str | None = None

    def __repr__(self) -> str:
        return "<Recipient>"


class Event(msgspec.Struct, frozen=True):
    """Something a person did.

    :ivar name: eSputnik's ``eventTypeKey``; SendPulse's event name.
    :ivar key: what makes the event unique (eSputnik's ``keyValue``).
    :ivar params: the event's data, JSON-able.
    """

    name: str
    params: dict[str, Any] = {}
    email: str | None = None
    phone: str | None = None
    key: str | None = None

    def __repr__(self) -> str:
        return f"<Event {self.name}>"


class ImportState(enum.Enum):
    """How far an import is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Import(msgspec.Struct, frozen=True):
    """What a service says of an import.

    :ivar done: keys (as the import's ``dedupe_on`` names them) of the contacts that were written; None where the
        service does not say.
    :ivar problem: the service's words when it failed.
    """

    id: str
    state: ImportState
    done: tuple[str, ...] | None = None
    problem: str = ""

    def __repr__(self) -> str:
        return f"<Import {self.id}: {self.state.value}>"


class DeliveryState(enum.Enum):
    """How a message to one recipient ended, or that it has not ended yet."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


DELIVERY_WORDS = (
    *("pending", "delivered", "failed"),
    *("read", "clicked", "unsubscribed", "complained", "bounced", "refused"),
)
"""What a message may be called, whatever the service: the states, and what is known beyond them."""


class Delivery(msgspec.Struct, frozen=True):
    """What a service says of one message to one recipient.

    :ivar status: the service's own word, e.g. ``READ``.
    :ivar word: what is known beyond the state, one of `DELIVERY_WORDS`: ``bounced`` by the recipient's side,
        ``refused`` by the service, and what a recipient did with the message; empty where it is nothing more.
    """

    request_id: str
    state: DeliveryState
    status: str = ""
    word: str = ""


class Submitted(msgspec.Struct, frozen=True):
    """What a service said at once about contacts that were handed to it.

    :ivar import_id: to ask for the import's progress; None where the service answers for the whole at once.
    :ivar rejected: reason by position, for the contacts that were refused at once.
    :ivar held_back: nothing was handed over: it is a dry run.
    """

    import_id: str | None = None
    rejected: dict[int, str] = {}
    held_back: bool = False

    def __repr__(self) -> str:
        return f"<Submitted {self.import_id}: {len(self.rejected)} rejected>"


class SendResult(msgspec.Struct, frozen=True):
    """What a service said about a message or an event for one person.

    :ivar accepted: whether the service took it.
    :ivar request_id: to ask for its delivery; None where the service gives none.
    :ivar reason: the service's words where it did not take it.
    :ivar unknown: the service may have taken it: its response leaves this recipient out.
    :ivar held_back: nothing was sent: it is a dry run.
    """

    accepted: bool
    request_id: str | None = None
    reason: str = ""
    unknown: bool = False
    held_back: bool = False


class UploadOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an author may ask of an upload; each service says which of it it cannot do.

    :ivar custom_fields: keys of the additional fields (SendPulse: variables) that the contacts carry.
    :ivar dedupe_on: neutral field by which contacts are matched; None for the service's usual one.
    :ivar segments: names of segments (SendPulse: one address book, by name or id) that contacts are added to.
    :ivar segments_exclude: names of segments that contacts are removed from.
    :ivar create_segments: whether a segment that does not exist is created instead of refused.
    :ivar restore_deleted: whether deleted contacts come back.
    :ivar event_key_for_new_contacts: event type generated for each new contact; starts workflows.
    :ivar confirmation: SendPulse's double opt-in by e-mail: sender address; each upload mails the people again.
    :ivar batch_size: contacts in a request; None for the service's own maximum.
    :ivar dry_run: nothing is uploaded in the end, so nothing may be made for it.
    """

    custom_fields: tuple[str, ...] = ()
    dedupe_on: str | None = None
    segments: tuple[str, ...] = ()
    segments_exclude: tuple[str, ...] = ()
    create_segments: bool = False
    restore_deleted: bool = False
    event_key_for_new_contacts: str | None = None
    confirmation: str | None = None
    batch_size: int | None = None
    dry_run: bool = False


class MessageOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an author may ask of a message to many; each service says which of it it cannot do.

    :ivar message_id: eSputnik's prepared message, SendPulse's template.
    :ivar external_request_id: label that eSputnik's activity shows (a look-up key, no protection against repeats).
    :ivar subject: SendPulse's SMTP messages carry their own; eSputnik's are part of the message.
    :ivar sender_name: overrides the message's (eSputnik) or the connection's (SendPulse).
    :ivar sender_email: SendPulse only.
    """

    message_id: str
    external_request_id: str | None = None
    subject: str | None = None
    sender_name: str | None = None
    sender_email: str | None = None


class EventOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an author may ask of events; each service says which of it it cannot do.

    :ivar version: of eSputnik's method: 2, or 1 for the older one.
    :ivar automation_id: SendPulse: the one flow that is meant, sent as a top-level integer.
    :ivar form: SendPulse: form data instead of JSON, to the event URL.
    :ivar to_event_url: SendPulse: use the connection's event URL, without authorisation, instead of the event's name.
    """

    version: int = 2
    automation_id: int | None = None
    form: bool = False
    to_event_url: bool = False


class BroadcastState(enum.Enum):
    """How far a broadcast is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    ACTION_REQUIRED = "action_required"


class Broadcast(msgspec.Struct, frozen=True):
    """What a service says of a broadcast (SendPulse: a campaign).

    :ivar state: RUNNING also where the service gives no status, or one that nobody has documented.
    :ivar status: the service's own status with its meaning, e.g. ``3 (sent)``; empty where it gives none.
    :ivar documented: whether that status is one that its documentation knows; True where there is none.
    :ivar started: whether the status says that it is being sent, or was; None where it does not say.
    :ivar cancelled: whether the status says that somebody cancelled it.
    :ivar starts_at: when it is to start, aware; None where the service does not say.
    :ivar segments: ids of the segments that the service names; it may leave some out.
    """

    id: str
    title: str = ""
    state: BroadcastState = BroadcastState.RUNNING
    status: str = ""
    documented: bool = True
    started: bool | None = None
    cancelled: bool = False
    starts_at: datetime | None = None
    segments: tuple[str, ...] = ()


class BroadcastOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an author may ask of a broadcast; each service says which of it it cannot do.

    :ivar message_id: eSputnik's prepared message, SendPulse's template.
    :ivar segments: names or ids of segments (SendPulse: of mailing lists).
    :ivar segments_exclude: names or ids of segments whose contacts get nothing.
    :ivar start: when, aware; None for at once.
    :ivar batch_size: messages per `batch_interval`, to send slowly.
    :ivar batch_interval: eSputnik's unit for that.
    :ivar domain: of eSputnik's web push broadcast.
    :ivar app_id: of eSputnik's mobile push or Telegram broadcast.
    :ivar segment_id: SendPulse's segment, in place of mailing lists.
    :ivar body: SendPulse: HTML, in place of a template.
    :ivar is_test: SendPulse: to the account's owner alone.
    :ivar draft: SendPulse: somebody launches it by hand.
    """

    message_id: str | None = None
    segments: tuple[str, ...] = ()
    segments_exclude: tuple[str, ...] = ()
    start: datetime | None = None
    batch_size: int | None = None
    batch_interval: Literal["MINUTE", "HOUR", "DAY", "MONTH"] | None = None
    domain: str | None = None
    app_id: str | None = None
    sender_name: str | None = None
    sender_email: str | None = None
    subject: str | None = None
    body: str | None = None
    segment_id: int | None = None
    is_test: bool = False
    draft: bool = False

    def __repr__(self) -> str:
        # What a message says is long, and may be meant for its readers alone.
        return f"<BroadcastOptions of message {self.message_id}>"


class BroadcastGoal(msgspec.Struct, frozen=True):
    """What a wait for a broadcast waits for; all of it can be written as JSON.

    :ivar until: what counts as finished where the service gives no status: ``started``; ``settled``, no new result for
        `settle_time`; or the share of `expected` recipients that have a result. None is the service's usual: its
        status, or ``settled``.
    :ivar settle_time: in seconds.
    :ivar expected: recipients, which a share is measured by.
    :ivar since: Unix time from which on it may have been sent, for a service that does not say when it starts; None
        for a day ago.
    :ivar warned: whether somebody was told already of a status that is not documented.
    """

    until: Literal["started", "settled"] | float | None = None
    settle_time: float = 600.0
    expected: int | None = None
    since: float | None = None
    warned: bool = False


class BroadcastLook(msgspec.Struct, frozen=True):
    """What one look at a broadcast has found.

    :ivar state: how far it is, by the author's measure.
    :ivar status: the service's own status with its meaning; empty where it gives none.
    :ivar reason: what was seen that says so, for a person.
    :ivar delivered: messages that were seen delivered, where they are counted.
    :ivar undelivered: messages that were seen not delivered, where they are counted.
    :ivar behind: there is more to read already: the next look need not wait.
    :ivar warning: what somebody should know, said once.
    """

    state: BroadcastState
    status: str = ""
    reason: str = ""
    delivered: int = 0
    undelivered: int = 0
    behind: bool = False
    warning: str = ""
