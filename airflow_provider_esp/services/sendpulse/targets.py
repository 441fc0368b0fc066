"""Where uploads, messages and events go at SendPulse: what the delivery of rows needs to know of this service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.contact_columns import ContactColumns, FieldRule
from airflow_provider_esp.core.models import (
    Event,
    EventOptions,
    Import,
    MessageOptions,
    Recipient,
    SendResult,
    Submitted,
    UploadOptions,
)
from airflow_provider_esp.exceptions import ObjectNotFound, Unsupported
from airflow_provider_esp.services.sendpulse.limits import BOOK_UPLOAD
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping
from airflow_provider_esp.services.sendpulse.service import SENDPULSE

_NOT_MADE = 0
"""In place of the id of a list that a dry run does not make."""


@dataclass(frozen=True, slots=True)
class Upload:
    """`POST addressbooks/{id}/emails` with the author's options.

    The service answers only for a request as a whole: accepted contacts are unverified.
    """

    book_id: int
    options: UploadOptions
    identity: tuple[str, ...] = ("email",)

    @property
    def batch_size(self) -> int:
        """Contacts in a request; the vendor names no limit, so the usual one is our choice."""
        return self.options.batch_size or BOOK_UPLOAD

    @property
    def rules(self) -> Mapping[str, FieldRule]:
        """What the service asks of single fields: nothing is documented."""
        return {}

    @property
    def names(self) -> tuple[str, ...]:
        """The fields by which an import may name a contact: there are no imports."""
        return ()

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        """Keep all together: each contact brings variables of its own."""
        return [range(len(contacts))] if len(contacts) else []

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        """Hand contacts over."""
        yield from contact_mapping.book_upload(
            self.book_id, contacts.contacts(), confirmation=self.options.confirmation
        )
        return Submitted()

    def import_state(self, import_id: str) -> Flow[Import]:
        """Refuse: SendPulse has no imports that could be asked about."""
        return no_imports()


def no_imports() -> Flow[Import]:
    """Say that there is no import to ask about.

    :raises Unsupported: always.
    """
    raise Unsupported(SENDPULSE.title, "tell how far an import is", "It takes contacts at once.")


def upload(options: UploadOptions) -> Flow[Upload]:
    """Prepare an upload: find the mailing list, or make it.

    :raises ObjectNotFound: there is no such list.
    :raises Unsupported: the options ask for what only eSputnik can do.
    """
    if options.dedupe_on not in (None, "email"):
        raise Unsupported(SENDPULSE.title, f"know contacts by {options.dedupe_on}", "It knows them by email.")
    for asked, feature in (
        (options.segments_exclude, "take contacts out of segments in an upload (segments_exclude)"),
        (options.restore_deleted, "restore deleted contacts (restore_deleted)"),
        (options.event_key_for_new_contacts, "make events of new contacts (event_key_for_new_contacts)"),
    ):
        if asked:
            raise Unsupported(SENDPULSE.title, feature)
    if len(options.segments) != 1:
        raise ValueError("SendPulse takes contacts into one mailing list: give its name or id as the one of segments=.")
    try:
        create = options.create_segments and not options.dry_run
        book_id = yield from contact_mapping.book_id(options.segments[0], create=create)
    except LookupError as missing:
        if not options.create_segments:
            raise ObjectNotFound(str(missing)) from None
        book_id = _NOT_MADE
    return Upload(book_id, options)


@dataclass(frozen=True, slots=True)
class Messages:
    """`POST smtp/emails` with a template: one person in a request, so that nobody sees another's address."""

    template_id: str
    sender_name: str
    sender_email: str
    subject: str
    batch_size: int = 1

    def send(self, items: Sequence[Recipient]) -> Flow[list[SendResult]]:
        """Send the template to one person."""
        sent = yield from contact_mapping.smtp_template_send(
            self.template_id,
            items[0],
            sender_name=self.sender_name,
            sender_email=self.sender_email,
            subject=self.subject,
        )
        return [SendResult(accepted=True, request_id=sent.id)]


def messages(options: MessageOptions, sender_name: str | None, sender_email: str | None) -> Messages:
    """Prepare sending a template.

    :param sender_name: the connection's, for options that name none.
    :param sender_email: the connection's, for options that name none.
    :raises ValueError: sender or subject is missing.
    :raises Unsupported: the options ask for what only eSputnik has.
    """
    if options.external_request_id is not None:
        raise Unsupported(SENDPULSE.title, "label a message (external_request_id)")
    name, email = options.sender_name or sender_name, options.sender_email or sender_email
    if not email:
        raise ValueError("SendPulse needs a sender: give sender_email=, or put it into the connection's extra.")
    if not options.subject:
        raise ValueError("SendPulse's templates have no subject of their own: give subject=.")
    return Messages(options.message_id, name or email, email, options.subject)


@dataclass(frozen=True, slots=True)
class Events:
    """Events by name with a token, or to the connection's event URL without one; one event in a request."""

    options: EventOptions
    event_url: str | None
    batch_size: int = 1

    def send(self, items: Sequence[Event]) -> Flow[list[SendResult]]:
        """Tell the service of one event."""
        done = yield from contact_mapping.event(
            items[0], event_url=self.event_url, form=self.options.form, automation_id=self.options.automation_id
        )
        return [SendResult(accepted=done.result)]


def events(options: EventOptions, event_url: str | None) -> Events:
    """Prepare sending events.

    :param event_url: the connection's.
    :raises ValueError: the event URL is asked for, and the connection has none.
    :raises Unsupported: a version is asked for; the service has one.
    """
    if options.version != 2:
        raise Unsupported(SENDPULSE.title, "take events in an older version", "Leave version out.")
    if not options.to_event_url:
        return Events(options, None)
    if not event_url:
        raise ValueError("The connection has no event URL: put it into its extra, or send the event by name.")
    return Events(options, event_url)
