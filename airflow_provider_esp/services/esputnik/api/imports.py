"""Adding and updating contacts in bulk, in the background.

Belongs to the vendor's second group of methods. The answer of `bulk_update` and `upload_file` only names an
import, whose fate `import_status` tells; requests may overtake each other there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import field

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.esputnik.api._request import check_size, get, given, request
from airflow_provider_esp.services.esputnik.api.bulk import EncodedContacts
from airflow_provider_esp.services.esputnik.api.models import Channel, ContactField, ContactUpdate, Model
from airflow_provider_esp.services.esputnik.scopes import MethodGroup

DedupeOn: TypeAlias = Literal["email", "sms", "push", "webpush", "email_or_sms", "id", "externalCustomerId", "fieldId"]
"""How an import recognises a contact that is there already."""

FileDedupeOn: TypeAlias = Literal["email", "sms", "email_or_sms", "id"]
"""The same, for an import from a file."""

MOST_CONTACTS = 3000
"""Contacts a bulk update takes."""

_GROUP = MethodGroup.UPDATING


class FailedContact(Model, frozen=True, kw_only=True):
    """A contact that a bulk update refused at once, and why."""

    id: int | None = None
    channels: list[Channel] = field(default_factory=list)
    fields: list[ContactField] = field(default_factory=list)
    external_customer_id: str | None = None
    contact_key: str | None = None
    error: str = ""


class BulkResult(Model, frozen=True, kw_only=True):
    """What a bulk update answers at once; it has succeeded only when its import has FINISHED.

    :ivar async_session_id: the import, for `import_status`.
    :ivar error_message: set where the whole request failed, in spite of its status 200.
    """

    _shown: ClassVar[tuple[str, ...]] = ("async_session_id",)

    async_session_id: str | None = None
    failed_contacts: list[FailedContact] = field(default_factory=list)
    error_message: str | None = None

    def __post_init__(self) -> None:
        # Raised while the answer is decoded: contacts must not count as taken when nothing can be asked about them.
        if not (self.async_session_id or self.failed_contacts or self.error_message):
            raise ValueError("neither asyncSessionId nor failedContacts nor errorMessage")


class FileResult(Model, frozen=True, kw_only=True):
    """What an import from a file answers at once.

    The vendor's pages name the import's id in two ways, so both are read: see `session_id`.
    """

    _shown: ClassVar[tuple[str, ...]] = ("session_id", "valid")

    valid: bool = False
    message: str = ""
    import_id: str | None = None
    async_session_id: str | None = None
    file_id: str | None = None

    @property
    def session_id(self) -> str | None:
        """The import, for `import_status`."""
        return self.import_id or self.async_session_id


class DedupeMapping(Model, frozen=True, kw_only=True, gc=False):
    """One contact that an import has written; there are thousands in an answer, and no cycle goes through any."""

    _shown: ClassVar[tuple[str, ...]] = ("contact_id",)

    dedupe_value: str
    contact_id: int | None = None


class ImportStatus(Model, frozen=True, kw_only=True):
    """How far an import is.

    :ivar status: STARTED, IMPORTING, FINISHED or ERROR.
    :ivar timestamp: when it came to that, as the service writes it.
    :ivar mapping: contacts that were written, or None where the answer does not say.
    """

    _shown: ClassVar[tuple[str, ...]] = ("status",)

    status: str
    timestamp: str | None = None
    description: str | None = None
    error_message: str | None = None
    mapping: list[DedupeMapping] | None = None


def bulk_update(
    contacts: Sequence[ContactUpdate] | EncodedContacts,
    *,
    dedupe_on: DedupeOn,
    field_id: int | None = None,
    contact_fields: Sequence[str] | None = None,
    custom_fields_ids: Sequence[int] | None = None,
    group_names: Sequence[str] = (),
    group_names_exclude: Sequence[str] = (),
    restore_deleted: bool = False,
    event_key_for_new_contacts: str | None = None,
) -> Call[BulkResult]:
    """Add or update contacts in the background: `POST v1/contacts`.

    Requests may be worked off in another order than they were sent. If any contact carries an external id,
    contacts are matched on that first, whatever `dedupe_on` says. New contacts count as confirmed.

    :param contacts: 1 to 3000; those of `bulk.encode_contacts` are ready to be sent.
    :param dedupe_on: what recognises a contact; this field itself is not updated.
    :param field_id: the additional field to match on, with ``dedupe_on="fieldId"``.
    :param contact_fields: standard fields to write. **None writes all of them, and erases those a contact does
        not carry**; a named field that a contact does not carry is erased as well.
    :param custom_fields_ids: additional fields to write, by id.
    :param group_names: segments to add the contacts to; created if missing.
    :param group_names_exclude: segments to take them out of.
    :param restore_deleted: bring deleted contacts back; otherwise they are skipped.
    :param event_key_for_new_contacts: an event to generate for each new contact, 100 characters at most. With it
        the call is not repeatable: a repetition may start a workflow again.
    :raises ValueError: none or more than 3000 contacts; `field_id` and `dedupe_on` do not go together.
    """
    check_size(contacts, MOST_CONTACTS, "contacts")
    if (dedupe_on == "fieldId") != (field_id is not None):
        raise ValueError('field_id goes with dedupe_on="fieldId", and only with it.')
    body = given(
        contacts=contacts.json if isinstance(contacts, EncodedContacts) else contacts,
        dedupeOn=dedupe_on,
        fieldId=field_id,
        contactFields=contact_fields,
        customFieldsIDs=custom_fields_ids,
        **_import_options(group_names, group_names_exclude, restore_deleted, event_key_for_new_contacts),
    )
    return request(
        "POST",
        "v1/contacts",
        answer=BulkResult,
        body=body,
        group=_GROUP,
        repeatable=event_key_for_new_contacts is None,
    )


def upload_file(
    link: str,
    *,
    dedupe_on: FileDedupeOn,
    group_names: Sequence[str] = (),
    group_names_exclude: Sequence[str] = (),
    restore_deleted: bool = False,
    event_key_for_new_contacts: str | None = None,
) -> Call[FileResult]:
    """Import contacts from a CSV file that the service fetches from a URL: `POST v1/contacts/upload`.

    :param link: http(s) address of the file (UTF-8, comma separated, 100 MB at most); may hold a login.
    :param dedupe_on: what recognises a contact.

    Other arguments as in `bulk_update`.
    """
    body = {
        "link": link,
        "dedupeOn": dedupe_on,
        **_import_options(group_names, group_names_exclude, restore_deleted, event_key_for_new_contacts),
    }
    return request(
        "POST",
        "v1/contacts/upload",
        answer=FileResult,
        body=body,
        group=_GROUP,
        repeatable=event_key_for_new_contacts is None,
    )


def _import_options(
    group_names: Sequence[str], group_names_exclude: Sequence[str], restore_deleted: bool, event_key: str | None
) -> dict[str, Any]:
    if event_key is not None and not 1 <= len(event_key) <= 100:
        raise ValueError(f"The event key for new contacts has {len(event_key)} characters: it takes 1 to 100.")
    return given(
        groupNames=list(group_names) or None,
        groupNamesExclude=list(group_names_exclude) or None,
        restoreDeleted=restore_deleted,
        eventKeyForNewContacts=event_key,
    )


def import_status(session_id: str) -> Call[ImportStatus]:
    """Ask how far an import is: `GET v1/importstatus/{sessionId}`."""
    return get("v1/importstatus/{sessionId}", session_id, answer=ImportStatus, group=_GROUP)
