"""Where uploads, messages and events go at eSputnik: what the delivery of rows needs to know of this service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
from airflow_provider_esp.services.esputnik.api import bulk, imports
from airflow_provider_esp.services.esputnik.mapping import contacts as contact_mapping
from airflow_provider_esp.services.esputnik.mapping import field_rules
from airflow_provider_esp.services.esputnik.mapping import messages as message_mapping
from airflow_provider_esp.services.esputnik.service import ESPUTNIK

MOST_CONTACTS = 3000
MOST_RECIPIENTS = 1000
FILE_DEDUPE: Mapping[str, imports.FileDedupeOn] = {"email": "email", "phone": "sms", "email_or_phone": "email_or_sms"}
"""By what the contacts of a file can be matched: our word, and the API's."""


@dataclass(frozen=True, slots=True)
class Upload:
    """`POST v1/contacts` with the author's options.

    :param field_ids: ids of additional fields by key.
    :param rules: what the service asks of names and additional fields; it takes others and drops their values in
        silence, so they are refused here.
    """

    options: UploadOptions
    field_ids: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, FieldRule] = field(default_factory=lambda: field_rules.NAMES)

    @property
    def batch_size(self) -> int:
        """Contacts in a request."""
        return self.options.batch_size or MOST_CONTACTS

    @property
    def identity(self) -> tuple[str, ...]:
        """The fields of which a contact needs one."""
        return ("email", "phone") if self._dedupe_on == "email_or_phone" else (self._dedupe_on,)

    @property
    def _dedupe_on(self) -> str:
        return self.options.dedupe_on or "email"

    @property
    def names(self) -> tuple[str, ...]:
        """The fields by which an import may name a contact: with an external id, that is looked at first."""
        return ("email", "phone", "external_id")

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        """Divide contacts by the fields they carry: a field named for one that lacks it would be erased."""
        return contacts.by_fields()

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        """Hand contacts over that all carry the same fields."""
        options, carried = self.options, contacts.carried()
        custom_key = None if self._dedupe_on in contact_mapping.DEDUPE else self._dedupe_on
        result = yield from imports.bulk_update(
            bulk.encode_contacts(carried, self.field_ids),
            dedupe_on=contact_mapping.DEDUPE.get(self._dedupe_on, "fieldId"),
            field_id=None if custom_key is None else self.field_ids[custom_key],
            # Always sent, and never empty: the API takes no list for "all fields", and erases those not there.
            contact_fields=[contact_mapping.CONTACT_FIELDS[name] for name in carried.standard],
            custom_fields_ids=[self.field_ids[key] for key in carried.custom],
            group_names=options.segments,
            group_names_exclude=options.segments_exclude,
            restore_deleted=options.restore_deleted,
            event_key_for_new_contacts=options.event_key_for_new_contacts,
        )
        if result.async_session_id and not (result.failed_contacts or result.error_message):
            return Submitted(result.async_session_id)
        return contact_mapping.submitted(result, contacts.contacts(), self._dedupe_on)

    def import_state(self, import_id: str) -> Flow[Import]:
        """Ask how far an import is."""
        return contact_mapping.import_state(import_id)


def upload(options: UploadOptions) -> Flow[Upload]:
    """Prepare an upload: look up additional fields and segments that it names.

    :raises ObjectNotFound: the account has no such field or segment.
    :raises Unsupported: the options ask for what only another service can do.
    """
    _refuse_confirmation(options)
    if not 1 <= (options.batch_size or 1) <= MOST_CONTACTS:
        raise ValueError(f"batch_size must be 1 to {MOST_CONTACTS} for eSputnik, not {options.batch_size}.")
    standard = (*contact_mapping.CONTACT_FIELDS, "email_or_phone")
    custom = {*options.custom_fields, *({options.dedupe_on} - {None, *standard})}
    there = (yield from contact_mapping.additional_fields()) if custom else {}
    unknown = sorted(str(key) for key in custom if key not in there)
    if unknown:
        raise ObjectNotFound(
            f"eSputnik has no additional field {', '.join(map(repr, unknown))}: make it in the account first, or "
            f"correct the key in columns=. It has {', '.join(sorted(there)) or 'none'}."
        )
    yield from _check_segments(options)
    ids = {key: one.id for key, one in there.items()}
    return Upload(options, ids, {**field_rules.NAMES, **field_rules.rules(there)})


def import_from_url(url: str, options: UploadOptions) -> Flow[Submitted]:
    """Have contacts imported from a file that the service fetches: `POST v1/contacts/upload`.

    :return: the import, or where it is not begun the service's words in place of a row's.
    :raises ObjectNotFound: the account has no such segment.
    :raises Unsupported: the options ask for what only another service, or only an upload of rows can do.
    """
    _refuse_confirmation(options)
    dedupe_on = FILE_DEDUPE.get(options.dedupe_on or "email")
    if dedupe_on is None:
        raise Unsupported(
            ESPUTNIK.title,
            f"match the contacts of a file by {options.dedupe_on}",
            f"It can by {', '.join(FILE_DEDUPE)}; UploadContactsOperator can by others.",
        )
    yield from _check_segments(options)
    result = yield from imports.upload_file(
        url,
        dedupe_on=dedupe_on,
        group_names=options.segments,
        group_names_exclude=options.segments_exclude,
        restore_deleted=options.restore_deleted,
        event_key_for_new_contacts=options.event_key_for_new_contacts,
    )
    if result.session_id:
        return Submitted(result.session_id)
    return Submitted(rejected={0: result.message or "it says neither why nor names an import"})


def _refuse_confirmation(options: UploadOptions) -> None:
    if options.confirmation:
        raise Unsupported(
            ESPUTNIK.title,
            "ask people in an upload to confirm",
            "Contacts added in bulk count as confirmed; use POST v1/contact/subscribe for a double opt-in.",
        )


def _check_segments(options: UploadOptions) -> Flow[None]:
    if not options.segments or options.create_segments:
        return
    missing = sorted(set(options.segments) - (yield from contact_mapping.segment_names()))
    if missing:
        raise ObjectNotFound(
            f"eSputnik has no segment {', '.join(map(repr, missing))}: correct the name, or say "
            "create_segments=True to have it made."
        )


@dataclass(frozen=True, slots=True)
class Messages:
    """`POST v1/message/{id}/smartsend` with the author's options."""

    message_id: int
    options: MessageOptions
    batch_size: int = MOST_RECIPIENTS

    def send(self, items: Sequence[Recipient]) -> Flow[list[SendResult]]:
        """Send the message to people, each with data of their own."""
        return message_mapping.smart_send(
            self.message_id,
            items,
            external_request_id=self.options.external_request_id,
            from_name=self.options.sender_name,
        )


def messages(options: MessageOptions) -> Messages:
    """Prepare sending a message.

    :raises Unsupported: the options ask for what the message itself holds at eSputnik.
    :raises ValueError: the message's id is not a number.
    """
    if options.subject is not None:
        raise Unsupported(ESPUTNIK.title, "give a prepared message another subject", "Change it in the message.")
    if options.sender_email is not None:
        raise Unsupported(ESPUTNIK.title, "send a prepared message from another address", "Change it in the message.")
    if not options.message_id.strip().isdecimal():
        raise ValueError(f"eSputnik's message_id is a number, not {options.message_id!r}.")
    return Messages(int(options.message_id), options)


@dataclass(frozen=True, slots=True)
class Events:
    """`POST v2/event` (or v1), one event in a request."""

    options: EventOptions
    batch_size: int = 1

    def send(self, items: Sequence[Event]) -> Flow[list[SendResult]]:
        """Tell the service of one event."""
        yield from message_mapping.event(items[0], self.options.version)
        return [SendResult(accepted=True)]


def events(options: EventOptions) -> Events:
    """Prepare sending events.

    :raises Unsupported: the options ask for what only SendPulse has.
    """
    if options.automation_id is not None:
        raise Unsupported(ESPUTNIK.title, "send an event to one flow only (automation_id)", "Use another event name.")
    if options.form or options.to_event_url:
        raise Unsupported(ESPUTNIK.title, "take events at an event URL", "Send them by name.")
    return Events(options)
