"""Transactional mail: sending one message, and what became of it.

The service keeps no status of a message but the answer of the recipient's mail server, `Email.smtp_answer_code`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.sendpulse.api._request import (
    Done,
    Quiet,
    Total,
    at_most,
    base64_text,
    call,
    given,
    paged,
)
from airflow_provider_esp.services.sendpulse.limits import ACCOUNT, RESUBSCRIBE, SMTP_RECORDS


class Person(Quiet, frozen=True, omit_defaults=True):
    """Whom a message is from or goes to."""

    email: str
    name: str | None = None


class Sent(Done, frozen=True):
    """The message's id; the service has taken it, no more."""

    id: str


class Click(Quiet, frozen=True):
    """One click or opening."""

    url: str = ""
    browser: str = ""
    os: str = ""
    screen_resolution: str = ""
    ip: str = ""
    country: str = ""
    action_date: str = ""


class Tracking(msgspec.Struct, frozen=True):
    """What the recipient did with a message."""

    click: int = 0
    open: int = 0
    link: list[Click] = []
    client_info: list[Click] = []


class Email(Quiet, frozen=True):
    """One message to one recipient.

    :ivar smtp_answer_code: of the recipient's mail server, a number or its digits; see `answer_code`.
    """

    id: str
    sender: str = ""
    recipient: str | None = None
    subject: str = ""
    total_size: int | str | None = None
    sender_ip: str = ""
    used_ip: str = ""
    smtp_answer_code: int | str | None = None
    smtp_answer_code_explain: str = ""
    smtp_answer_subcode: str = ""
    smtp_answer_data: str = ""
    send_date: str = ""
    tracking: Tracking = Tracking()

    @property
    def answer_code(self) -> int | None:
        """The mail server's answer: 250 delivered, 5xx refused for good; None, 0 or 4xx while nothing is settled."""
        code = self.smtp_answer_code
        return int(code) if isinstance(code, int) or (code is not None and code.isdecimal()) else None


class Bounce(Quiet, frozen=True):
    """A message that came back."""

    email_to: str
    sender: str = ""
    send_date: str = ""
    subject: str = ""
    smtp_answer_code: int | None = None
    smtp_answer_subcode: str = ""
    smtp_answer_data: str = ""


class Bounces(msgspec.Struct, frozen=True):
    """A page of a day's bounces.

    :ivar total: of the day.
    :ivar request_limit: the most rows the service hands out at once.
    """

    total: int = 0
    emails: list[Bounce] = []
    request_limit: int | None = None
    found: int | None = None


class Unsubscribed(Quiet, frozen=True):
    """A person who gets no more transactional mail, and why."""

    email: str
    unsubscribe_by_link: bool = False
    unsubscribe_by_user: bool = False
    spam_complaint: bool = False
    date: str = ""


class Answered(msgspec.Struct, frozen=True):
    """A yes or a no."""

    result: bool


class DomainChecks(msgspec.Struct, frozen=True):
    """Which records of a domain are as they should be."""

    check_dkim: bool = False
    check_spf: bool = False
    check_dmarc: bool = False
    all_checks: bool = False
    spf_txt_needed: str = ""


class Domain(msgspec.Struct, frozen=True):
    """A domain that mail may be sent from; `status` is 1 where active."""

    id: int
    service_value: str = ""
    status: int = 0
    is_default: bool = False
    user_id: int | None = None
    service_type: int | None = None
    ssl_type: int | None = None
    checks: DomainChecks = DomainChecks()


class DomainList(msgspec.Struct, frozen=True):
    """The domains, inside the answer's inner wrapping."""

    data: list[Domain] = []
    result: bool = True


class Domains(msgspec.Struct, frozen=True):
    """The domains, in the answer's outer wrapping."""

    data: DomainList


class DomainAdded(msgspec.Struct, frozen=True):
    """The answer to a new domain."""

    data: Answered


def send(
    *,
    sender: Person,
    to: Sequence[Person],
    subject: str,
    html: str | None = None,
    text: str | None = None,
    template_id: str | int | None = None,
    variables: Mapping[str, Any] | None = None,
    auto_plain_text: bool | None = None,
    reply_to: Person | None = None,
    cc: Sequence[Person] = (),
    bcc: Sequence[Person] = (),
    attachments: Mapping[str, str] | None = None,
    attachments_binary: Mapping[str, bytes] | None = None,
) -> Call[Sent]:
    """Send one message: `POST smtp/emails`. Never repeatable: each sending is a message.

    :param sender: its address stands for a name it does not have: the service wants one.
    :param to: everybody here sees the others' addresses.
    :param html: the body, plain; it is Base64-encoded here.
    :param text: the body without markup. The vendor wants one beside the HTML: None leaves it empty and lets the
        service make it, unless `auto_plain_text` says otherwise.
    :param template_id: a template instead of `html`.
    :param variables: what the template is filled with, the same for everybody in `to`.
    :param auto_plain_text: let the service make the text from the HTML.
    :param attachments: texts by file name.
    :param attachments_binary: bytes by file name; they are Base64-encoded here.
    :raises ValueError: nobody to send to, or not exactly one of `html` and `template_id`.
    """
    if not to:
        raise ValueError("A message needs at least one recipient.")
    if (html is None) == (template_id is None):
        raise ValueError("A message needs either html or template_id, and not both.")
    template = None if template_id is None else {"id": template_id, "variables": dict(variables or {})}
    files = {name: b64encode(data).decode() for name, data in (attachments_binary or {}).items()}
    if html is not None and text is None:
        text, auto_plain_text = "", auto_plain_text is not False
    message = given(
        subject=subject,
        to=list(to),
        html=None if html is None else base64_text(html),
        text=text,
        template=template,
        auto_plain_text=auto_plain_text,
        reply_to=reply_to,
        cc=list(cc) or None,
        bcc=list(bcc) or None,
        attachments=attachments,
        attachments_binary=files or None,
    )
    named = Person(sender.email, sender.name or sender.email)
    return call("POST", "smtp/emails", Sent, body={"email": {"from": named, **message}})


def email(email_id: str) -> Call[Email]:
    """Read one message: `GET smtp/emails/{id}`. One that the service does not list (yet) is HTTP 400, code 14."""
    return call("GET", "smtp/emails/{id}", Email, email_id)


def emails(
    limit: int = 100,
    offset: int = 0,
    *,
    date_from: str | None = None,
    date_to: str | None = None,
    sender: str | None = None,
    recipient: str | None = None,
    countries: bool = True,
) -> Call[list[Email]]:
    """Read a page of messages: `GET smtp/emails`.

    :param date_from: ``YYYY-MM-DD``, in the account's time zone.
    :param countries: False leaves out where clicks came from, which is faster.
    """
    query = {
        "limit": limit,
        "offset": offset,
        "from": date_from,
        "to": date_to,
        "sender": sender,
        "recipient": recipient,
        "country": None if countries else "off",
    }
    return call("GET", "smtp/emails", list[Email], query=query)


def all_emails(
    *,
    date_from: str | None = None,
    date_to: str | None = None,
    sender: str | None = None,
    recipient: str | None = None,
    countries: bool = True,
) -> Pages[Email]:
    """Read every message of a span of days: `GET smtp/emails`, page by page."""
    return paged(
        lambda limit, offset: emails(
            limit,
            offset,
            date_from=date_from,
            date_to=date_to,
            sender=sender,
            recipient=recipient,
            countries=countries,
        )
    )


def emails_total() -> Call[Total]:
    """Count the messages sent: `GET smtp/emails/total`."""
    return call("GET", "smtp/emails/total", Total)


def info(email_ids: Sequence[str]) -> Call[list[Email]]:
    """Read several messages: `POST smtp/emails/info`. Where it knows none of them: HTTP 400, code 14.

    :param email_ids: from 1 to 500.
    :raises ValueError: there are none or too many.
    """
    body = {"emails": at_most(SMTP_RECORDS, email_ids, "message ids")}
    return call("POST", "smtp/emails/info", list[Email], body=body, repeatable=True)


def bounces(date: str | None = None, limit: int = 100, offset: int = 0) -> Call[Bounces]:
    """Read a page of a day's bounces: `GET smtp/bounces/day`.

    :param date: ``YYYY-MM-DD``, or None for the last 24 hours.
    """
    return call("GET", "smtp/bounces/day", Bounces, query={"date": date, "limit": limit, "offset": offset})


def bounces_total() -> Call[Total]:
    """Count the bounces of the last 24 hours: `GET smtp/bounces/day/total`."""
    return call("GET", "smtp/bounces/day/total", Total)


def unsubscribe(addresses: Sequence[str], *, comment: str | None = None) -> Call[Done]:
    """Stop transactional mail to people: `POST smtp/unsubscribe`.

    The vendor's specification shows a bare list where its own clients wrap it in ``emails``; this sends the latter.
    """
    if not addresses:
        raise ValueError("There is no address to unsubscribe.")
    body = {"emails": [given(email=address, comment=comment) for address in addresses]}
    return call("POST", "smtp/unsubscribe", Done, body=body, repeatable=True)


def unsubscribe_undo(addresses: Sequence[str]) -> Call[Done]:
    """Take people off the unsubscribed: `DELETE smtp/unsubscribe`; the body as in `unsubscribe`."""
    if not addresses:
        raise ValueError("There is no address to take off the unsubscribed.")
    return call("DELETE", "smtp/unsubscribe", Done, body={"emails": list(addresses)})


def unsubscribed(date: str | None = None, limit: int = 100, offset: int = 0) -> Call[list[Unsubscribed]]:
    """Read a page of people who get no transactional mail: `GET smtp/unsubscribe`.

    :param date: ``YYYY-MM-DD`` of their leaving, or None for all.
    """
    query = {"date": date, "limit": limit, "offset": offset}
    return call("GET", "smtp/unsubscribe", list[Unsubscribed], query=query)


def all_unsubscribed(date: str | None = None) -> Pages[Unsubscribed]:
    """Read everybody who gets no transactional mail: `GET smtp/unsubscribe`, page by page."""
    return paged(lambda limit, offset: unsubscribed(date, limit, offset))


def is_unsubscribed(address: str) -> Call[Answered]:
    """Ask whether a person is unsubscribed: `GET smtp/unsubscribe/search`."""
    return call("GET", "smtp/unsubscribe/search", Answered, query={"email": address})


def resubscribe(address: str, sender: str, *, lang: str | None = None) -> Call[Sent]:
    """Mail a person a request to subscribe again, at most five times a day: `POST smtp/resubscribe`."""
    body = given(email=address, sender=sender, lang=lang)
    return call("POST", "smtp/resubscribe", Sent, body=body, buckets=(*ACCOUNT, RESUBSCRIBE))


def senders() -> Call[list[str]]:
    """List the senders that SMTP may use: `GET smtp/senders`."""
    return call("GET", "smtp/senders", list[str])


def ips() -> Call[list[str]]:
    """List the addresses that the account's mail leaves from: `GET smtp/ips`."""
    return call("GET", "smtp/ips", list[str])


def domains() -> Call[Domains]:
    """List the domains that SMTP may use: `GET v2/email-service/smtp/sender_domains`."""
    return call("GET", "v2/email-service/smtp/sender_domains", Domains)


def domain_add(domain: str) -> Call[DomainAdded]:
    """Add a domain: `POST v2/email-service/smtp/sender_domains/{domain}`."""
    return call("POST", "v2/email-service/smtp/sender_domains/{domain}", DomainAdded, domain)


def old_domains() -> Call[list[str]]:
    """List the domains that SMTP may use the old way, each as ``@domain``: `GET smtp/domains`. Prefer `domains`."""
    return call("GET", "smtp/domains", list[str])


def old_domain_add(address: str) -> Call[Done]:
    """Add the domain of an address the old way: `POST smtp/domains`. Prefer `domain_add`."""
    return call("POST", "smtp/domains", Done, body={"email": address}, repeatable=True)


def old_domain_verify(address: str) -> Call[Done]:
    """Have the domain of an address verified: `GET smtp/domains/{email}`, as the vendor's older clients do."""
    return call("GET", "smtp/domains/{email}", Done, address)
