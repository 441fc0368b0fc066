"""Mailing lists (the vendor's paths call them address books) and the contacts in one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import msgspec

from airflow_provider_esp.core.calls import Call, Flow, Pages
from airflow_provider_esp.services.sendpulse.api._request import (
    Done,
    Quiet,
    Total,
    Variable,
    at_most,
    call,
    flag,
    given,
    paged,
)
from airflow_provider_esp.services.sendpulse.limits import EMAILS_CHANGED, PAGE

Order = Literal["asc", "desc"]
Value = str | int | float

_DELETED = 1


class Book(msgspec.Struct, frozen=True):
    """A mailing list.

    :ivar status: 0 active, 1 deleted, 3 awaiting clarification, 4 blocked, 5 blocked for some time.
    :ivar new_phones_quantity: phones the service has not activated yet; it lags behind uploads.
    """

    id: int
    name: str
    all_email_qty: int = 0
    active_email_qty: int = 0
    inactive_email_qty: int = 0
    new_phones_quantity: int = 0
    active_phones_quantity: int = 0
    exc_phones_quantity: int = 0
    creationdate: str = ""
    status: int = 0
    status_explain: str = ""


class BookMade(msgspec.Struct, frozen=True):
    """The new mailing list's id."""

    id: int


class BookVariable(msgspec.Struct, frozen=True):
    """A variable that a mailing list's contacts have; `type` is ``string``, ``number`` or ``date``."""

    name: str
    type: str = ""


class BookCost(msgspec.Struct, frozen=True):
    """What one campaign to the list would cost, in `cur`."""

    cur: str = ""
    sent_emails_qty: int = 0
    overdraft_price: float = msgspec.field(name="overdraftAllEmailsPrice", default=0.0)
    from_balance: int = msgspec.field(name="addressesDeltaFromBalance", default=0)
    from_tariff: int = msgspec.field(name="addressesDeltaFromTariff", default=0)
    max_emails_per_task: int | None = None
    result: bool = True


class BookCampaign(msgspec.Struct, frozen=True):
    """A campaign that went to a mailing list; `campaigns.progress` reads its status."""

    task_id: int
    task_name: str = ""
    task_status: int | None = None


class BookEmail(Quiet, frozen=True):
    """A contact as a list of them shows it.

    :ivar status: 0 new, 1 active, 2 confirmation requested, 3 activation requested, 4 unsubscribed, 5 rejected by
        the administrator, 6 unsubscribed from all, 7 activation mail sent, 8 and above not reachable.
    """

    email: str
    status: int = 0
    status_explain: str = ""
    phone: str = ""
    add_date: str = ""
    variables: dict[str, Any] = msgspec.field(default_factory=dict)


class BookEmailDetail(Quiet, frozen=True):
    """One contact read by its address; `status` as in `BookEmail`."""

    email: str
    abook_id: int | None = None
    phone: str = ""
    status: int = 0
    status_explain: str = ""
    variables: list[Variable] = msgspec.field(default_factory=list)


class NewContact(Quiet, frozen=True, omit_defaults=True):
    """A contact to upload.

    :ivar variables: by name: strings, numbers, and dates as ``YYYY-MM-DD``; ``Phone`` is the vendor's own.
    """

    email: str
    variables: dict[str, Value | Decimal] = msgspec.field(default_factory=dict)


def book_create(name: str) -> Call[BookMade]:
    """Make a mailing list: `POST addressbooks`.

    A name that is in use is refused (code 203), so a lost answer may be asked for again: if the first attempt
    did make the list, it is found by its name.
    """
    made = call("POST", "addressbooks", BookMade, body={"bookName": name}, repeatable=True)
    return replace(made, when_done=lambda: _made(name))


def _made(name: str) -> Flow[BookMade]:
    found = yield from find(name)
    if found is None:
        raise LookupError(f"SendPulse says that a mailing list {name!r} exists, but does not list it.")
    return BookMade(found)


def find(name: str) -> Flow[int | None]:
    """Find a list's id by its exact name, deleted ones aside: `GET addressbooks`, page by page."""
    offset = 0
    while True:
        page = yield from books(PAGE, offset)
        for candidate in page:
            if candidate.name == name and candidate.status != _DELETED:
                return candidate.id
        if len(page) < PAGE:
            return None
        offset += PAGE


def books(limit: int = 100, offset: int = 0) -> Call[list[Book]]:
    """Read a page of mailing lists: `GET addressbooks`.

    :param limit: from 1 to 100.
    """
    return call("GET", "addressbooks", list[Book], query={"limit": limit, "offset": offset})


def all_books() -> Pages[Book]:
    """Read every mailing list: `GET addressbooks`, page by page."""
    return paged(books)


def book(book_id: int) -> Call[list[Book]]:
    """Read one mailing list, which the service puts into a list of one: `GET addressbooks/{id}`."""
    return call("GET", "addressbooks/{id}", list[Book], book_id)


def book_rename(book_id: int, name: str) -> Call[Done]:
    """Rename a mailing list: `PUT addressbooks/{id}`."""
    return call("PUT", "addressbooks/{id}", Done, book_id, body={"name": name})


def book_delete(book_id: int) -> Call[Done]:
    """Delete a mailing list with its contacts: `DELETE addressbooks/{id}`."""
    return call("DELETE", "addressbooks/{id}", Done, book_id)


def book_variables(book_id: int) -> Call[list[BookVariable]]:
    """List the variables that a list's contacts have: `GET addressbooks/{id}/variables`."""
    return call("GET", "addressbooks/{id}/variables", list[BookVariable], book_id)


def book_cost(book_id: int) -> Call[BookCost]:
    """Ask what a campaign to the list would cost: `GET addressbooks/{id}/cost`."""
    return call("GET", "addressbooks/{id}/cost", BookCost, book_id)


def book_campaigns(book_id: int, limit: int = 100, offset: int = 0) -> Call[list[BookCampaign]]:
    """Read a page of the campaigns that went to a list: `GET addressbooks/{id}/campaigns`."""
    query = {"limit": limit, "offset": offset}
    return call("GET", "addressbooks/{id}/campaigns", list[BookCampaign], book_id, query=query)


def all_book_campaigns(book_id: int) -> Pages[BookCampaign]:
    """Read every campaign that went to a list: `GET addressbooks/{id}/campaigns`, page by page."""
    return paged(lambda limit, offset: book_campaigns(book_id, limit, offset))


def upload(
    book_id: int,
    contacts: Sequence[NewContact | str],
    *,
    confirmation: Literal["force"] | None = None,
    sender_email: str | None = None,
    message_lang: str | None = None,
    template_id: str | None = None,
    tags: Sequence[int] | None = None,
    disable_webhook: bool | None = None,
    dont_update: bool | None = None,
    check_emails: bool | None = None,
) -> Call[Done]:
    """Add contacts to a list, or update those that are in it: `POST addressbooks/{id}/emails`.

    The service answers for the whole batch only; whether it took each address shows in the list later.

    :param contacts: plain addresses, or addresses with variables. The vendor documents no limit for one request;
        `limits.BOOK_UPLOAD` is ours.
    :param confirmation: ``force`` mails every address a request to confirm (double opt-in); None adds them as they are.
    :param sender_email: an active sender, needed for the confirmation's mail.
    :param message_lang: language of that mail: ``en``, ``ru``, ``ua``, ``tr``, ``es`` or ``pt``.
    :param template_id: template of that mail.
    :param tags: ids of tags to set (larger plans only).
    :param disable_webhook: do not report the new addresses to the account's webhooks.
    :param dont_update: leave the variables of addresses that are in the list alone.
    :param check_emails: known from the vendor's validation messages only.
    :raises ValueError: there is no contact, or a confirmation without its sender.
    """
    if not contacts:
        raise ValueError("An upload needs at least one contact.")
    if confirmation is not None and not sender_email:
        raise ValueError("An upload with confirmation needs sender_email: the sender of the mail that asks for it.")
    body = given(
        emails=list(contacts),
        confirmation=confirmation,
        sender_email=sender_email,
        message_lang=message_lang,
        template_id=template_id,
        tags=None if tags is None else list(tags),
        disable_webhook=disable_webhook,
        dont_update=dont_update,
        check_emails=check_emails,
    )
    # An upsert, but a confirmation asks people again.
    return call("POST", "addressbooks/{id}/emails", Done, book_id, body=body, repeatable=confirmation is None)


def emails(
    book_id: int,
    limit: int = 100,
    offset: int = 0,
    *,
    order: Order | None = None,
    active: bool | None = None,
    not_active: bool | None = None,
) -> Call[list[BookEmail]]:
    """Read a page of a list's contacts: `GET addressbooks/{id}/emails`.

    :param limit: from 1 to 100.
    """
    query = {
        "limit": limit,
        "offset": offset,
        "order": order,
        "active": flag(active),
        "not_active": flag(not_active),
    }
    return call("GET", "addressbooks/{id}/emails", list[BookEmail], book_id, query=query)


def all_emails(
    book_id: int, *, order: Order | None = None, active: bool | None = None, not_active: bool | None = None
) -> Pages[BookEmail]:
    """Read every contact of a list: `GET addressbooks/{id}/emails`, page by page.

    A list that changes meanwhile may show a contact twice or not at all: pages are cut by position.
    """
    return paged(
        lambda limit, offset: emails(book_id, limit, offset, order=order, active=active, not_active=not_active)
    )


def emails_total(book_id: int, *, active: bool | None = None) -> Call[Total]:
    """Count a list's contacts: `GET addressbooks/{id}/emails/total`."""
    return call("GET", "addressbooks/{id}/emails/total", Total, book_id, query={"active": flag(active)})


def email(book_id: int, address: str) -> Call[BookEmailDetail]:
    """Read one contact of a list: `GET addressbooks/{id}/emails/{email}`."""
    return call("GET", "addressbooks/{id}/emails/{email}", BookEmailDetail, book_id, address)


def emails_by_variable(book_id: int, variable: str, value: str | int) -> Call[list[BookEmail]]:
    """Find contacts by a variable's value: `GET addressbooks/{id}/variables/{variableName}/{searchValue}`."""
    label = "addressbooks/{id}/variables/{variableName}/{searchValue}"
    return call("GET", label, list[BookEmail], book_id, variable, value)


def variables_set(book_id: int, address: str, variables: Mapping[str, Value]) -> Call[Done]:
    """Set variables of one contact: `POST addressbooks/{id}/emails/variable`.

    :raises ValueError: there is no variable.
    """
    if not variables:
        raise ValueError("There is no variable to set.")
    pairs = [{"name": name, "value": value} for name, value in variables.items()]
    body = {"email": address, "variables": pairs}
    return call("POST", "addressbooks/{id}/emails/variable", Done, book_id, body=body, repeatable=True)


def phone_set(book_id: int, address: str, phone: str) -> Call[Done]:
    """Change one contact's phone number: `PUT addressbooks/{id}/phone`."""
    return call("PUT", "addressbooks/{id}/phone", Done, book_id, body={"email": address, "phone": phone})


def unsubscribe(book_id: int, addresses: Sequence[str]) -> Call[Done]:
    """Unsubscribe contacts from a list: `POST addressbooks/{id}/emails/unsubscribe`.

    :param addresses: from 1 to 100.
    :raises ValueError: there are none or too many.
    """
    body = {"emails": at_most(EMAILS_CHANGED, addresses, "addresses to unsubscribe")}
    return call("POST", "addressbooks/{id}/emails/unsubscribe", Done, book_id, body=body, repeatable=True)


def emails_delete(book_id: int, addresses: Sequence[str]) -> Call[Done]:
    """Delete contacts from a list: `DELETE addressbooks/{id}/emails`.

    :param addresses: from 1 to 100.
    :raises ValueError: there are none or too many.
    """
    body = {"emails": at_most(EMAILS_CHANGED, addresses, "addresses to delete")}
    return call("DELETE", "addressbooks/{id}/emails", Done, book_id, body=body)
