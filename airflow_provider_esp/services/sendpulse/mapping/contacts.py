"""From the words both services share to SendPulse's, and back: what operators use.

SendPulse knows a contact by e-mail address within a mailing list; everything else about a person is a variable of that
list. What it cannot do is refused as `Unsupported` and never left out in silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import UNSET

from airflow_provider_esp.core.calls import Call, Flow
from airflow_provider_esp.core.models import STANDARD_FIELDS, Contact, Delivery, DeliveryState, Event, Recipient
from airflow_provider_esp.exceptions import EspError, ObjectNotFound, Unsupported
from airflow_provider_esp.services.sendpulse.api import addressbooks, events, sms, smtp
from airflow_provider_esp.services.sendpulse.api._request import Done
from airflow_provider_esp.services.sendpulse.limits import SMTP_RECORDS
from airflow_provider_esp.services.sendpulse.service import SENDPULSE

PHONE_VARIABLE = "Phone"
"""The vendor's own variable for the number that SMS and Viber use."""

_NO_SUCH_EMAIL = "14"


def book_upload(
    book_id: int,
    contacts: Sequence[Contact],
    *,
    confirmation: str | None = None,
    message_lang: str | None = None,
    template_id: str | None = None,
    tags: Sequence[int] | None = None,
) -> Call[Done]:
    """Add contacts to a mailing list or update them: `POST addressbooks/{id}/emails`.

    :param contacts: each with an e-mail address; see `new_contact` for how the rest is spelled, and `problem` to
        sort out beforehand what cannot be uploaded.
    :param confirmation: an active sender whose address mails every contact a request to confirm (double opt-in);
        with it the call is not repeatable.
    :param message_lang: language of that mail.
    :param template_id: template of that mail.
    :param tags: ids of tags to set.
    :raises ValueError: a contact cannot be uploaded, or there is none.
    :raises Unsupported: a contact asks for a value to be erased.
    """
    return addressbooks.upload(
        book_id,
        [new_contact(contact) for contact in contacts],
        confirmation=None if confirmation is None else "force",
        sender_email=confirmation,
        message_lang=message_lang,
        template_id=template_id,
        tags=tags,
    )


def new_contact(contact: Contact) -> addressbooks.NewContact:
    """Spell one contact in SendPulse's way.

    The phone goes into the vendor's variable `Phone`. The vendor has no variables of its own for the rest, so
    ``first_name``, ``last_name``, ``town`` and so on go into variables of just these names, which is our choice;
    who has others in the list gives them as custom fields, whose names are taken as they are. A field left unset
    is not written.

    :raises ValueError: there is no address, a variable is there twice, or its value is neither a text nor a number.
    :raises Unsupported: a value is None, which means erase. The vendor documents no way to erase a variable; where
        it is a text, an empty string can be given instead.
    """
    if contact.email is UNSET or contact.email is None or not contact.email.strip():
        raise ValueError("The contact has no email, which is what SendPulse knows contacts by.")
    fields: dict[str, Any] = {}
    for name in STANDARD_FIELDS:
        value = getattr(contact, name)
        if name != "email" and value is not UNSET:
            fields[PHONE_VARIABLE if name == "phone" else name] = value
    twice = sorted(fields.keys() & contact.custom.keys())
    if twice:
        raise ValueError(f"The variable {twice[0]!r} is given twice: as a standard and as a custom field.")
    variables = {name: _variable(name, value) for name, value in {**fields, **contact.custom}.items()}
    return addressbooks.NewContact(contact.email.strip(), variables)


def problem(contact: Contact) -> str | None:
    """Return why a contact cannot be uploaded, without quoting its values; None where it can."""
    try:
        new_contact(contact)
    except (ValueError, Unsupported) as reason:
        return str(reason)
    return None


def _variable(name: str, value: object) -> addressbooks.Value | Decimal:
    if value is None:
        raise Unsupported(
            SENDPULSE.title, f"erase the variable {name!r}", "Leave it out, or give an empty string if it is a text."
        )
    value = plain(value)
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise ValueError(f"The variable {name!r} is not a number that can be sent.")
    if isinstance(value, bool):
        return int(value)  # variables are texts, numbers or dates: 1 and 0 are our choice for yes and no
    if isinstance(value, str | int | float | Decimal):
        return value
    raise ValueError(f"The variable {name!r} is neither a text nor a number but {type(value).__name__}.")


def plain(value: object) -> Any:
    """Spell what a database hands out as JSON has it: decimals as numbers, dates as ``YYYY-MM-DD``.

    A moment becomes ``YYYY-MM-DDThh:mm:ss`` with its offset, if it has one, as everywhere in this package; the vendor's
    date variables take days only.
    """
    match value:
        case Decimal():
            return int(value) if value.is_finite() and value == value.to_integral_value() else value
        case date():
            return value.isoformat()
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return value


def find_book(name: str) -> Flow[int | None]:
    """Find a mailing list's id by its exact name: `GET addressbooks`, page by page.

    :returns: the id, or None where no list has that name.
    """
    return (yield from addressbooks.find(name))


def book_id(name_or_id: str | int, *, create: bool = False) -> Flow[int]:
    """Return the id of a mailing list that is known by id or name.

    :param name_or_id: digits are taken for an id (our choice: templated fields are strings).
    :param create: make a list of that name where there is none.
    :raises ObjectNotFound: there is none, and none may be made.
    """
    name = str(name_or_id).strip()
    if name.isascii() and name.isdigit():
        return int(name)
    if not name:
        raise ValueError("The mailing list's name is empty.")
    found = yield from addressbooks.find(name)
    if found is not None:
        return found
    if not create:
        raise ObjectNotFound(
            f"{SENDPULSE.title} has no mailing list {name!r}. Check the name, or let it be made (create_segments)."
        )
    made = yield from addressbooks.book_create(name)
    return made.id


def event(
    event: Event, *, event_url: str | None = None, form: bool = False, automation_id: int | None = None
) -> Call[Done]:
    """Send an event: `POST events/name/{event_name}`, or to its own URL without a credential.

    :param event_url: the event's own address, which stands for its name; None sends by name.
    :param form: send form data instead of JSON; to the event's own address only.
    :param automation_id: the one flow that shall start, or None for all that wait for the event.
    :raises ValueError: neither ``email`` nor ``phone`` is there, or `form` without `event_url`.
    :raises Unsupported: the event has a key: SendPulse takes every event for a new one.
    """
    if event.key is not None:
        raise Unsupported(SENDPULSE.title, "tell a repeated event by its key", "Leave the key out.")
    params = plain(event.params)
    if event_url is None:
        if form:
            raise ValueError("Form data goes to an event URL only; give the connection one, or leave form out.")
        return events.event_by_name(
            event.name, params, email=event.email, phone=event.phone, automation_id=automation_id
        )
    return events.event_by_url(
        event_url, params, email=event.email, phone=event.phone, automation_id=automation_id, form=form
    )


def smtp_template_send(
    template_id: str | int, recipient: Recipient, *, sender_name: str, sender_email: str, subject: str
) -> Call[smtp.Sent]:
    """Send a template to one person: `POST smtp/emails`.

    One request for each person: variables belong to the message, and everybody in ``to`` would see the others'
    addresses. The service gives the message its id itself, so `Recipient.request_id` and `Recipient.external_id`,
    which are labels elsewhere, have no place in it.

    :param recipient: its data fills the template.
    :raises ValueError: the locator is no e-mail address.
    :raises Unsupported: a language is asked for; a template has one.
    """
    if "@" not in recipient.locator:
        raise ValueError("The recipient's locator is not an e-mail address.")
    if recipient.language is not None:
        raise Unsupported(SENDPULSE.title, "choose a template's language by recipient", "Use a template for each.")
    return smtp.send(
        sender=smtp.Person(sender_email, sender_name),
        to=[smtp.Person(recipient.locator.strip())],
        subject=subject,
        template_id=template_id,
        variables=plain(recipient.data),
    )


def deliveries(email_ids: Sequence[str]) -> Flow[list[Delivery]]:
    """Ask what became of messages: `POST smtp/emails/info`, 500 at a time.

    :returns: one for each id, in their order. Delivered is 2xx (250) of the recipient's mail server, failed 5xx;
        no code, 0, 4xx, and a message the service does not list (yet) are pending.
    """
    records: dict[str, smtp.Email] = {}
    for start in range(0, len(email_ids), SMTP_RECORDS):
        for record in (yield from _records(email_ids[start : start + SMTP_RECORDS])):
            records[record.id] = record
    return [_delivery(email_id, records.get(email_id)) for email_id in email_ids]


def _records(email_ids: Sequence[str]) -> Flow[list[smtp.Email]]:
    try:
        return (yield from smtp.info(email_ids))
    except EspError as refused:
        if refused.code != _NO_SUCH_EMAIL:
            raise
        return []


def _delivery(email_id: str, record: smtp.Email | None) -> Delivery:
    if record is None:
        return Delivery(email_id, DeliveryState.PENDING, "not listed yet")
    code = record.answer_code
    state, word = DeliveryState.PENDING, ""
    if code is not None and 200 <= code < 300:
        state, did = DeliveryState.DELIVERED, record.tracking
        word = "clicked" if did.click else "read" if did.open else ""
    elif code is not None and 500 <= code < 600:
        state, word = DeliveryState.FAILED, "bounced"
    # The mail server's own words (smtp_answer_data) often quote the address; its code and the vendor's word do not.
    status = " ".join(part for part in (str(code or ""), record.smtp_answer_code_explain) if part)
    return Delivery(email_id, state, status, word)


def sms_deliveries(campaign_ids: Sequence[str]) -> Flow[list[Delivery]]:
    """Ask what became of text messages: `GET sms/campaigns/info/{id}`, one call for each campaign.

    :param campaign_ids: from `SmsMade.campaign_id`.
    :returns: one for each phone of each campaign, under the campaign's id. A campaign without phones is pending.
    :raises ValueError: an id is no number.
    """
    found: list[Delivery] = []
    for campaign_id in campaign_ids:
        if not campaign_id.isdecimal():
            raise ValueError(f"The id of an SMS campaign at SendPulse is a number, not {campaign_id!r}.")
        phones = [
            phone for answer in (yield from sms.campaign(int(campaign_id))) for phone in answer.data.task_phones_info
        ]
        if not phones:
            found.append(Delivery(campaign_id, DeliveryState.PENDING, "no phones listed yet"))
        for phone in phones:
            status = " ".join(part for part in (str(phone.status or ""), phone.status_explain) if part)
            word = "bounced" if phone.state is DeliveryState.FAILED else ""
            found.append(Delivery(campaign_id, phone.state, status, word))
    return found
