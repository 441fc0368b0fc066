"""Reading contacts and segments: the vendor's third group of methods.

A search by address is not exact, and shows neither external id nor address nor segments of a contact:
`find_contact` deals with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec import field

from airflow_provider_esp.core.calls import Call, Flow, Pages
from airflow_provider_esp.services.esputnik import limits
from airflow_provider_esp.services.esputnik.api._request import get
from airflow_provider_esp.services.esputnik.api.models import Contact, Model, Segment
from airflow_provider_esp.services.esputnik.api.paging import MOST_ROWS, by_index
from airflow_provider_esp.services.esputnik.scopes import MethodGroup

_GROUP = MethodGroup.READING


class ContactEmail(Model, frozen=True, kw_only=True):
    """A contact's e-mail address."""

    _shown: ClassVar[tuple[str, ...]] = ("contact_id",)

    contact_id: int
    email: str | None = None


class ContactEmails(Model, frozen=True, kw_only=True):
    """E-mail addresses of contacts."""

    results: list[ContactEmail] = field(default_factory=list)


class ContactSubscription(Model, frozen=True, kw_only=True):
    """A category that a contact is subscribed to."""

    _shown: ClassVar[tuple[str, ...]] = ("id", "key", "name")

    id: int | None = None
    key: str = ""
    group_id: int | None = None
    name: str = ""


def contacts(
    *,
    email: str | None = None,
    sms: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    external_customer_id: str | None = None,
    start_index: int = 1,
    max_rows: int = MOST_ROWS,
    sort_by_id: bool = False,
) -> Call[list[Contact]]:
    """Search for contacts: `GET v1/contacts`.

    The rows carry no address, segments and external id.

    :param email: an e-mail address; like the next three it also finds what is merely similar.
    :param external_customer_id: cannot be combined with other conditions.
    :param start_index: index of the first row; the first of all is 1.
    :param max_rows: most rows to answer, 500 at most.
    :param sort_by_id: order by contact id instead of the time of update; without conditions only.
    :raises ValueError: conditions that do not go together.
    """
    conditions = {"email": email, "sms": sms, "firstname": first_name, "lastname": last_name}
    used = [name for name, value in conditions.items() if value is not None]
    if external_customer_id is not None and used:
        raise ValueError(f"external_customer_id cannot be combined with {', '.join(used)}.")
    if sort_by_id and (used or external_customer_id is not None):
        raise ValueError("sort_by_id is for reading all contacts: it cannot be combined with conditions.")
    query = {
        **conditions,
        "externalCustomerId": external_customer_id,
        "startindex": start_index,
        "maxrows": max_rows,
        "sortBy": "contactId" if sort_by_id else None,
    }
    return get("v1/contacts", answer=list[Contact], query=query, buckets=(limits.CONTACTS_SEARCH,), group=_GROUP)


def contact_pages(
    *,
    email: str | None = None,
    sms: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    external_customer_id: str | None = None,
) -> Pages[Contact]:
    """Read all contacts, or all that a search finds, page by page. Conditions as in `contacts`.

    Without conditions the order is by contact id, which stays as it is while contacts are being updated; a search
    is ordered by the time of update, so contacts that are updated meanwhile may be missed or come twice.
    """
    everything = not any((email, sms, first_name, last_name, external_customer_id))
    return by_index(
        lambda index: contacts(
            email=email,
            sms=sms,
            first_name=first_name,
            last_name=last_name,
            external_customer_id=external_customer_id,
            start_index=index,
            sort_by_id=everything,
        ),
        MOST_ROWS,
    )


def contact(contact_id: int) -> Call[Contact]:
    """Read a contact with all it has: `GET v1/contact/{id}`."""
    return get("v1/contact/{id}", contact_id, answer=Contact, group=_GROUP)


def contact_emails(contact_ids: Sequence[int]) -> Call[ContactEmails]:
    """Read the e-mail addresses of contacts: `GET v1/contacts/email`.

    :param contact_ids: at least one; how many the service takes is not documented.
    """
    if not contact_ids:
        raise ValueError("No contact ids were given.")
    query = {"ids": ",".join(map(str, contact_ids))}
    return get("v1/contacts/email", answer=ContactEmails, query=query, group=_GROUP)


def contact_subscriptions(contact_id: int) -> Call[list[ContactSubscription]]:
    """Read what a contact is subscribed to: `GET v1/contact/{id}/subscriptions`."""
    return get("v1/contact/{id}/subscriptions", contact_id, answer=list[ContactSubscription], group=_GROUP)


def groups(name: str | None = None, start_index: int = 1, max_rows: int = MOST_ROWS) -> Call[list[Segment]]:
    """Read a page of the account's segments: `GET v1/groups`.

    :param name: part of the name.
    :param start_index: index of the first row; the first of all is 1.
    :param max_rows: most rows to answer, 500 at most.
    """
    query = {"name": name, "startindex": start_index, "maxrows": max_rows}
    return get("v1/groups", answer=list[Segment], query=query, group=_GROUP)


def group_pages(name: str | None = None) -> Pages[Segment]:
    """Read all segments, page by page. Arguments as in `groups`."""
    return by_index(lambda index: groups(name, index), MOST_ROWS)


def group_contacts(
    group_id: int,
    start_index: int = 1,
    max_rows: int = MOST_ROWS,
    *,
    by_time_added: bool = False,
    ascending: bool = True,
) -> Call[list[Contact]]:
    """Read a page of a segment's contacts, with all they have: `GET v1/group/{id}/contacts`.

    :param start_index: index of the first row; the first of all is 1.
    :param max_rows: most rows to answer, 500 at most.
    :param by_time_added: order by when they came into the segment.
    :param ascending: the first first.
    """
    query = {"startindex": start_index, "maxrows": max_rows, "orderByTs": by_time_added, "asc": ascending}
    return get("v1/group/{id}/contacts", group_id, answer=list[Contact], query=query, group=_GROUP)


def group_contact_pages(group_id: int) -> Pages[Contact]:
    """Read all of a segment's contacts, page by page."""
    return by_index(lambda index: group_contacts(group_id, index), MOST_ROWS)


def find_contact(
    *, external_id: str | None = None, email: str | None = None, phone: str | None = None
) -> Flow[int | None]:
    """Find the contact that has exactly this external id, or else this e-mail address, or else this phone.

    Several contacts may share an address: the first the service shows is taken. Only the first 500 rows of a
    search are looked at.

    :return: the contact's id, or None where there is none.
    :raises ValueError: nothing to look for.
    """
    if not (external_id or email or phone):
        raise ValueError("Nothing to look for: give an external id, an e-mail address or a phone number.")
    if external_id:
        for row in (yield from contacts(external_customer_id=external_id)):
            whole = yield from contact(row.id)  # a search does not show the external id
            if whole.external_customer_id == external_id:
                return row.id
    if email and (found := _holder((yield from contacts(email=email)), "email", email)) is not None:
        return found
    if phone and (found := _holder((yield from contacts(sms=phone)), "sms", phone)) is not None:
        return found
    return None


def _holder(rows: Sequence[Contact], kind: str, address: str) -> int | None:
    """Return the first contact of a search, which is not exact, that has exactly this address."""
    for row in rows:
        if any(channel.type == kind and same_address(channel.value or "", address) for channel in row.channels):
            return row.id
    return None


def same_address(one: str, other: str) -> bool:
    """Check whether two spellings mean the same e-mail address or phone number. See `plain_address`."""
    return plain_address(one) == plain_address(other)


def plain_address(address: str) -> str:
    """Spell an address so that it can be compared: an e-mail address in lower case, a phone's digits alone.

    >>> plain_address("+38 (050) 111-22-33")
    '380501112233'
    """
    if "@" in address:
        return address.strip().casefold()
    return "".join(filter(str.isdigit, address)) or address.strip().casefold()
