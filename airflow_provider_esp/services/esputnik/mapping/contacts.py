"""Contacts, imports and segments: between the words both services share and eSputnik's own.

What a bulk update does with fields that a contact does not carry decides how it is written here: a field that is
named in the request and not carried by a contact is erased, and a request that names no fields means all of
them. So every upload names exactly the fields its contacts carry, and all contacts of one carry the same.
Messages and events are translated in `translate_messages`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType

from airflow_provider_esp.core import models
from airflow_provider_esp.core.calls import Call, Flow
from airflow_provider_esp.services.esputnik.api import general, imports, reading
from airflow_provider_esp.services.esputnik.api.models import Address, Channel, ContactField, ContactUpdate
from airflow_provider_esp.services.esputnik.api.paging import MOST_ROWS
from airflow_provider_esp.services.esputnik.api.reading import plain_address
from airflow_provider_esp.services.esputnik.datetimes import stamp

T = TypeVar("T")

CONTACT_FIELDS = {
    "email": "email",
    "phone": "sms",
    "external_id": "externalCustomerId",
    "first_name": "firstName",
    "last_name": "lastName",
    "language": "languageCode",
    "time_zone": "timeZone",
    "address": "address",
    "town": "town",
    "region": "region",
    "postcode": "postcode",
}
"""Standard fields: our word, and the word of the API's ``contactFields``."""

NO_IMPORT = "eSputnik refused other contacts of the request and began no import"
"""Reason for contacts that were not refused themselves, where the answer names no import."""

DEDUPE: dict[str, imports.DedupeOn] = {
    "email": "email",
    "phone": "sms",
    "email_or_phone": "email_or_sms",
    "external_id": "externalCustomerId",
}
_IDENTITY = {"email_or_phone": ("email", "phone")}
_CUSTOM = "custom."


def carried(contact: models.Contact) -> frozenset[str]:
    """Return the fields a contact carries, erased ones included; additional fields as ``custom.KEY``."""
    standard = (name for name in CONTACT_FIELDS if getattr(contact, name) is not UNSET)
    return frozenset([*standard, *(f"{_CUSTOM}{key}" for key in contact.custom)])


def group_by_fields(contacts: Sequence[models.Contact]) -> list[list[int]]:
    """Sort contacts by the fields they carry, so that each group can be uploaded in one request.

    :return: groups of positions, in the order in which their first contact comes.
    """
    groups: dict[frozenset[str], list[int]] = defaultdict(list)
    for position, contact in enumerate(contacts):
        groups[carried(contact)].append(position)
    return list(groups.values())


def contact_wire(contact: models.Contact, custom_field_ids: Mapping[str, int]) -> ContactUpdate:
    """Write a contact in the API's words.

    What is not given is left out; None is written as null (or, for a channel, by its absence), which erases it
    in a bulk update. What null does in `POST v1/contact` and `PUT v1/contact/{id}` is not documented.

    :param custom_field_ids: ids of additional fields by key, from `custom_fields`.
    :raises ValueError: an additional field that the account does not have, or a value it cannot hold.
    """
    channels = [
        Channel(type=kind, value=value)
        for kind, value in (("email", contact.email), ("sms", contact.phone))
        if isinstance(value, str)
    ]
    postal = {name: getattr(contact, name) for name in ("region", "town", "address", "postcode")}
    fields = [
        ContactField(id=_field_id(key, custom_field_ids), value=_field_text(key, value))
        for key, value in contact.custom.items()
    ]
    if len({one.id for one in fields}) < len(fields):
        raise ValueError(f"Two keys name one additional field: {', '.join(sorted(contact.custom))}.")
    return ContactUpdate(
        channels=channels,
        external_customer_id=contact.external_id,
        first_name=contact.first_name,
        last_name=contact.last_name,
        language_code=contact.language,
        time_zone=contact.time_zone,
        address=UNSET if all(value is UNSET for value in postal.values()) else Address(**postal),
        fields=fields or UNSET,
    )


def bulk_upload(
    contacts: Sequence[models.Contact],
    *,
    dedupe_on: str = "email",
    custom_field_ids: Mapping[str, int] | None = None,
    segments: Sequence[str] = (),
    segments_exclude: Sequence[str] = (),
    restore_deleted: bool = False,
    event_key_for_new_contacts: str | None = None,
) -> Call[imports.BulkResult]:
    """Upload contacts that all carry the same fields: `POST v1/contacts`. See `group_by_fields`, `submitted`.

    Exactly the fields the contacts carry are written, and of those a None erases what is there. If the contacts
    carry an external id, the service matches on that first, whatever `dedupe_on` says.

    :param contacts: 1 to 3000.
    :param dedupe_on: email, phone, email_or_phone, external_id, or the key of an additional field.
    :param custom_field_ids: from `custom_fields`; needed where a contact has additional fields.
    :param segments: names of segments to add the contacts to; the service creates those that are missing.
    :param segments_exclude: names of segments to take them out of.
    :param restore_deleted: bring deleted contacts back; otherwise the service skips them.
    :param event_key_for_new_contacts: an event to generate for each new contact; the call is then not repeatable.
    :raises ValueError: contacts carry different fields, or one lacks what it would be recognised by; or there is
        nothing to write but additional fields, which the API has no safe way to say.
    """
    ids = custom_field_ids or {}
    names = _same_fields(contacts)
    _check_identity(contacts, dedupe_on)
    contact_fields = [theirs for ours, theirs in CONTACT_FIELDS.items() if ours in names]
    if not contact_fields:
        raise ValueError(
            "The contacts carry additional fields only: the service reads an empty list of standard fields as all of "
            "them, and would erase those. Give each contact its e-mail address, phone or external id as well."
        )
    return imports.bulk_update(
        [contact_wire(contact, ids) for contact in contacts],
        dedupe_on=DEDUPE.get(dedupe_on, "fieldId"),
        field_id=None if dedupe_on in DEDUPE else _field_id(dedupe_on, ids),
        contact_fields=contact_fields,
        custom_fields_ids=[_field_id(key, ids) for key in contacts[0].custom],
        group_names=segments,
        group_names_exclude=segments_exclude,
        restore_deleted=restore_deleted,
        event_key_for_new_contacts=event_key_for_new_contacts,
    )


def submitted(
    result: imports.BulkResult, contacts: Sequence[models.Contact], dedupe_on: str = "email"
) -> models.Submitted:
    """Read the answer to `bulk_upload`: which import to ask for, and which contacts were refused at once.

    The service names a refused contact by its addresses. One that cannot be recognised by them is not in the
    result; it will be missing from the import's `done` as well.

    :param contacts: those that were uploaded, in the same order.
    :return: no import, and every contact rejected, where the service refused the whole or began no import.
    """
    if result.error_message:
        return models.Submitted(rejected=dict.fromkeys(range(len(contacts)), result.error_message))
    rejected, unplaced = _place_failures(result.failed_contacts, contacts, dedupe_on)
    rest = [index for index in range(len(contacts)) if index not in rejected]
    if len(unplaced) == len(rest):  # every contact failed, so it does not matter which reason is whose
        rejected.update(zip(rest, unplaced, strict=True))
    elif not result.async_session_id:
        rejected.update(dict.fromkeys(rest, NO_IMPORT))
    return models.Submitted(import_id=result.async_session_id, rejected=rejected)


def import_state(session_id: str) -> Flow[models.Import]:
    """Ask how far an import is: `GET v1/importstatus/{sessionId}`.

    :return: DONE when it is FINISHED without an error message, FAILED with ERROR or an error message, and RUNNING
        otherwise, a status word we do not know included; `problem` then quotes it. `done` has the import's
        mapping, each contact's value of what it was matched on. The older serializer leaves an empty list out, so an
        import that finished without a mapping has written nobody.
    """
    told = yield from imports.import_status(session_id)
    problem = told.error_message or told.description or ""
    done = tuple(pair.dedupe_value for pair in told.mapping or ())
    match told.status.upper():
        case "FINISHED" if not told.error_message:
            state, problem = models.ImportState.DONE, ""
        case "FINISHED" | "ERROR":
            state, problem = models.ImportState.FAILED, problem or "the service gives no reason"
        case "STARTED" | "IMPORTING":
            state, problem = models.ImportState.RUNNING, ""
        case word:
            state, problem = models.ImportState.RUNNING, f"a status that is not documented: {word!r}"
    return models.Import(id=session_id, state=state, done=done, problem=problem)


def custom_fields() -> Flow[dict[str, int]]:
    """Look up the account's additional fields: one `GET v1/addressbooks`.

    :return: ids by ``profileKey.fieldKey``, and by ``fieldKey`` alone where only one field has it.
    """
    return {key: one.id for key, one in (yield from additional_fields()).items()}


def additional_fields() -> Flow[dict[str, general.Field]]:
    """Look up what `custom_fields` does, with all that is known of each field."""
    books = yield from general.address_books()
    full: dict[str, general.Field] = {}
    bare: dict[str, dict[int, general.Field]] = defaultdict(dict)
    for group in (group for book in books.address_book for group in book.field_groups):
        for one in group.fields:
            if one.field_key and group.profile_key:
                full[f"{group.profile_key}.{one.field_key}"] = one
            if one.field_key:
                bare[one.field_key][one.id] = one
    return {**{key: next(iter(same.values())) for key, same in bare.items() if len(same) == 1}, **full}


def segment_names() -> Flow[set[str]]:
    """Read the names of all segments of the account: `GET v1/groups`, as many pages as it takes."""
    names: set[str] = set()
    index = 1
    while True:
        page = yield from reading.groups(start_index=index)
        names.update(segment.name for segment in page)
        if len(page) < MOST_ROWS:
            return names
        index += len(page)


def _place_failures(
    failures: Sequence[imports.FailedContact], contacts: Sequence[models.Contact], dedupe_on: str
) -> tuple[dict[int, str], list[str]]:
    """Find out which contacts were refused.

    :return: reasons by position, and the reasons of those that cannot be recognised.
    """
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, contact in enumerate(contacts):
        for key in _keys(contact.email, contact.phone, contact.external_id):
            places[key].append(index)
    first = {"phone": "sms", "external_id": "external"}.get(dedupe_on, "email")
    rejected: dict[int, str] = {}
    unplaced: list[str] = []
    for failed in failures:
        values = {channel.type: channel.value for channel in failed.channels}
        keys = _keys(values.get("email"), values.get("sms"), failed.external_customer_id)
        keys.sort(key=lambda key: key[0] != first)
        reason = failed.error or "refused without a reason"
        place = next((index for key in keys for index in places.get(key, ()) if index not in rejected), None)
        if place is None:
            unplaced.append(reason)
        else:
            rejected[place] = reason
    return rejected, unplaced


def _same_fields(contacts: Sequence[models.Contact]) -> frozenset[str]:
    if not contacts:
        raise ValueError("No contacts were given.")
    names = carried(contacts[0])
    for index, contact in enumerate(contacts):
        if (others := carried(contact)) != names:
            raise ValueError(
                f"Contacts 0 and {index} do not carry the same fields ({', '.join(sorted(names ^ others))}), and the "
                "service would erase what is missing: upload them in groups, see group_by_fields."
            )
    return names


def _check_identity(contacts: Sequence[models.Contact], dedupe_on: str) -> None:
    """Refuse a contact that the service could recognise by nothing, and would add a second time."""
    for index, contact in enumerate(contacts):
        if dedupe_on in DEDUPE:
            values = [getattr(contact, name) for name in _IDENTITY.get(dedupe_on, (dedupe_on,))]
        else:
            values = [contact.custom.get(dedupe_on)]
        if not any(_filled(value) for value in (*values, contact.external_id)):
            raise ValueError(f"Contact {index} has no {dedupe_on}, which contacts are recognised by.")


def _filled(value: Any) -> bool:
    return value is not None and value is not UNSET and value != ""


def _keys(
    email: str | UnsetType | None, phone: str | UnsetType | None, external_id: str | UnsetType | None
) -> list[tuple[str, str]]:
    """Return what a contact may be recognised by in a response."""
    keys = [(kind, plain_address(value)) for kind, value in (("email", email), ("sms", phone)) if value]
    return [*keys, ("external", external_id)] if external_id else keys


def _field_id(key: str, ids: Mapping[str, int]) -> int:
    try:
        return ids[key]
    except KeyError:
        known = ", ".join(sorted(ids)) or "none"
        raise ValueError(
            f"The account has no additional field {key!r}, or more than one of that name. Known: {known}."
        ) from None


def _field_text(key: str, value: Any) -> str | None:
    """Write an additional field's value, which the API takes as text; booleans as true and false (our choice).

    :raises ValueError: something else, or a datetime with a zone: additional fields are on the account's clock.
    """
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case datetime() if value.tzinfo is None and value.second:
            return value.isoformat(timespec="seconds")
        case date():
            return stamp(value)
    raise ValueError(f"The additional field {key} takes text, numbers and dates, not a {type(value).__name__}.")
