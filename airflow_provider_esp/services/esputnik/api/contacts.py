"""Adding, updating, subscribing and removing contacts, and moving them in and out of segments.

The vendor's second group of methods, as far as they act at once; `imports` has those that work in the background.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from types import NoneType
from typing import Any, ClassVar

from msgspec import UNSET

from airflow_provider_esp.core.calls import Call, Flow
from airflow_provider_esp.services.esputnik.api._request import check_size, given, request
from airflow_provider_esp.services.esputnik.api.models import ContactUpdate, Model
from airflow_provider_esp.services.esputnik.api.reading import find_contact
from airflow_provider_esp.services.esputnik.scopes import MethodGroup

MOST_IDS = 500
"""Contacts a request may move in or out of a segment."""

_GROUP = MethodGroup.UPDATING


class ContactId(Model, frozen=True, kw_only=True):
    """The contact that was written."""

    _shown: ClassVar[tuple[str, ...]] = ("id",)

    id: int


class Subscribed(Model, frozen=True, kw_only=True):
    """What became of a subscription.

    :ivar email_status: NEED_CONFIRMATION, SUBSCRIBED, ALREADY_SUBSCRIBED or BLACKLISTED; None where not told.
    :ivar new: whether the contact is new; None where not told.
    """

    _shown: ClassVar[tuple[str, ...]] = ("id", "email_status")

    id: int
    email_status: str | None = None
    new: bool | None = None


def upsert(contact: ContactUpdate) -> Call[ContactId]:
    """Add a contact or update the one that matches: `POST v1/contact`.

    Matched by external id first, then by channel. The service refuses a repetition within a minute; where that
    was our own, the contact's id is looked up.
    """

    def look_up() -> Flow[ContactId]:
        return ContactId(id=(yield from _find(contact)))

    return request(
        "POST",
        "v1/contact",
        answer=ContactId,
        body=contact,
        group=_GROUP,
        repeatable=True,
        when_done=look_up,
    )


def update(contact_id: int, contact: ContactUpdate) -> Call[str]:
    """Update a contact: `PUT v1/contact/{id}`. **This restores a contact that was deleted.**

    The service refuses a repetition within a minute, and refuses an external id that another contact has.

    :return: a call answered with the service's sentence.
    :raises ValueError: the contact names segments, which this method does not take: see `attach` and `detach`.
    """
    if contact.groups is not UNSET:
        raise ValueError("An update does not change a contact's segments: use attach and detach, or leave groups out.")

    def done() -> Generator[Call[Any], Any, str]:
        yield from ()
        return "accepted by an earlier attempt"

    return request(
        "PUT",
        "v1/contact/{id}",
        contact_id,
        answer=str,
        body=contact,
        group=_GROUP,
        repeatable=True,
        when_done=done,
    )


def delete(contact_id: int, *, erase: bool = False) -> Call[str]:
    """Delete a contact: `DELETE v1/contact/{id}`.

    :param erase: remove profile, activity and tracking for good. **There is no way back.**
    :return: a call answered with the service's sentence.
    """
    return request(
        "DELETE", "v1/contact/{id}", contact_id, answer=str, query={"erase": erase}, group=_GROUP, repeatable=True
    )


def delete_by_external_id(external_customer_id: str, *, erase: bool = False) -> Call[str]:
    """Delete a contact known by its external id: `DELETE v1/contact`. Arguments as in `delete`."""
    if not external_customer_id:
        raise ValueError("An empty external id names no contact.")
    return request(
        "DELETE",
        "v1/contact",
        answer=str,
        query={"externalCustomerId": external_customer_id, "erase": erase},
        group=_GROUP,
        repeatable=True,
    )


def set_subscriptions(contact_id: int, keys: Sequence[str]) -> Call[str]:
    """Set the categories a contact is subscribed to: `PUT v1/contact/{id}/subscriptions`.

    That the list replaces what was there is our reading; the vendor says "update".

    :param keys: keys of `general.subscription_categories`; empty unsubscribes from all.
    """
    return request(
        "PUT",
        "v1/contact/{id}/subscriptions",
        contact_id,
        answer=str,
        body={"subscriptions": list(keys)},
        group=_GROUP,
        repeatable=True,
    )


def subscribe(
    contact: ContactUpdate,
    *,
    groups: Sequence[str] = (),
    subscriptions: Sequence[str] = (),
    form_type: str | None = None,
) -> Call[Subscribed]:
    """Subscribe a contact as a form would, with confirmation: `POST v1/contact/subscribe`.

    A new contact is unconfirmed. Each call emits an event that may start a workflow, so it is not repeatable.

    :param groups: names of segments; created if missing.
    :param subscriptions: keys of subscription categories.
    :param form_type: becomes part of the event's name.
    """

    def look_up() -> Flow[Subscribed]:
        return Subscribed(id=(yield from _find(contact)))

    body = given(
        contact=contact, groups=list(groups) or None, subscriptions=list(subscriptions) or None, formType=form_type
    )
    return request(
        "POST",
        "v1/contact/subscribe",
        answer=Subscribed,
        body=body,
        group=_GROUP,
        repeatable=False,
        when_done=look_up,
    )


def unsubscribe_emails(emails: Sequence[str]) -> Call[None]:
    """Stop bulk mail to addresses, whichever contacts have them: `POST v1/emails/unsubscribed/add`."""
    return _unsubscribed("v1/emails/unsubscribed/add", emails)


def resubscribe_emails(emails: Sequence[str]) -> Call[None]:
    """Allow bulk mail to addresses again: `POST v1/emails/unsubscribed/delete`."""
    return _unsubscribed("v1/emails/unsubscribed/delete", emails)


def _unsubscribed(label: str, emails: Sequence[str]) -> Call[None]:
    if not emails:
        raise ValueError("No e-mail addresses were given.")
    body = {"emails": list(emails)}
    return request("POST", label, answer=NoneType, body=body, group=_GROUP, repeatable=True)


def attach(group_id: int, *, contact_ids: Sequence[int] = (), external_customer_ids: Sequence[str] = ()) -> Call[str]:
    """Add contacts to a static segment: `POST v1/group/{id}/contacts/attach`.

    :param contact_ids: 1 to 500 contacts by id, or
    :param external_customer_ids: 1 to 500 by external id.
    :raises ValueError: none, too many, or both kinds.
    """
    body = _members(contact_ids, external_customer_ids)
    label = "v1/group/{id}/contacts/attach"
    return request("POST", label, group_id, answer=str, body=body, group=_GROUP, repeatable=True)


def detach(
    group_id: int,
    *,
    contact_ids: Sequence[int] = (),
    external_customer_ids: Sequence[str] = (),
    all_contacts: bool = False,
) -> Call[str]:
    """Take contacts out of a static segment: `POST v1/group/{id}/contacts/detach`.

    :param contact_ids: 1 to 500 contacts by id, or
    :param external_customer_ids: 1 to 500 by external id.
    :param all_contacts: empty the segment. The service does that when no ids are given, so a list that happens
        to be empty is refused here.
    :raises ValueError: no ids without `all_contacts`, too many, both kinds, or ids with `all_contacts`.
    """
    if not all_contacts:
        if not contact_ids and not external_customer_ids:
            raise ValueError(
                "No contacts were given, and the service would then take all of them out of the segment. "
                "If that is what you want, say all_contacts=True."
            )
        body = _members(contact_ids, external_customer_ids)
    elif contact_ids or external_customer_ids:
        raise ValueError("Give either ids or all_contacts=True, not both.")
    else:
        body = {}
    label = "v1/group/{id}/contacts/detach"
    return request("POST", label, group_id, answer=str, body=body, group=_GROUP, repeatable=True)


def _members(contact_ids: Sequence[int], external_customer_ids: Sequence[str]) -> dict[str, Any]:
    if contact_ids and external_customer_ids:
        raise ValueError("Give contact_ids or external_customer_ids, not both: one request takes one kind.")
    ids = contact_ids or external_customer_ids
    check_size(ids, MOST_IDS, "contacts")
    return {"contactIds" if contact_ids else "externalCustomerIds": list(ids)}


def _find(contact: ContactUpdate) -> Flow[int]:
    """Find the contact that a repeated request must have written.

    :raises LookupError: the service does not have it.
    """
    values = {channel.type: channel.value for channel in reversed(contact.channels)}
    found = yield from find_contact(
        external_id=contact.external_customer_id or None, email=values.get("email"), phone=values.get("sms")
    )
    if found is None:
        raise LookupError(
            "eSputnik took the contact at an earlier attempt, whose answer was lost, and does not find it now. "
            "It may still be working on it: look for the contact in the account before sending it again."
        )
    return found
