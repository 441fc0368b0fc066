"""eSputnik's instant messages: smartsend, the older send, and e-mail, SMS and Viber written on the spot.

Every recipient gets a result of its own: OK with a request id, or ERROR with a sentence. An address of no contact
becomes one. Each accepted message goes to the sandbox's outbox, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from ..responses import Refused
from ..routing import Incoming, Routes
from . import contacts_store, segments, templates
from .contacts_store import Person
from .outgoing import Post, Refusal, address_kind
from .schemas import Int, as_list, text

routes = Routes(right="messages")

MOST = 1000


class Recipient(msgspec.Struct, rename="camel"):
    """One recipient of a smartsend."""

    contact_id: Int | None = None
    external_customer_id: Any = None
    locator: str | None = None
    email: Any = None  # what older clients call the locator; some put a flag there, as the body has one
    json_param: str | None = None
    language_code: str | None = None
    external_request_id: str | None = None


class SmartSend(msgspec.Struct, rename="camel"):
    """The body of ``POST message/{id}/smartsend``."""

    recipients: list[Recipient] | Recipient
    email: Any = None
    from_name: str | None = None
    campaign_id: Int | None = None
    allow_unconfirmed: bool | None = None


def _template(incoming: Incoming) -> dict[str, Any]:
    template = templates.find(incoming.store, incoming.id())
    if template is None:
        raise Refused(404, f"Message with id='{incoming.id()}' not found")
    return template


@routes("POST", "v1/message/{id}/smartsend")
def smartsend(incoming: Incoming) -> Response:
    """Send a template to up to a thousand recipients, each with data of its own."""
    template = _template(incoming)
    body = incoming.decode(SmartSend)
    recipients = as_list(body.recipients)
    if not 1 <= len(recipients) <= MOST:
        raise Refused(400, f"recipients should hold 1 to {MOST} items")
    post = Post(incoming, template["channel"])
    for recipient in recipients:
        said = templates.in_language(template, recipient.language_code)
        sender = f'"{body.from_name}"' if body.from_name else said.get("from", "")
        locator = recipient.locator or (recipient.email if isinstance(recipient.email, str) else "") or ""
        try:
            person = _addressee(incoming, recipient)
            post.add(
                locator or (person.channel(address_kind(template["channel"])) if person else "") or "",
                content={**said, "from": sender},
                data=_data(recipient.json_param),
                person=person,
                label=recipient.external_request_id,
                language=recipient.language_code,
            )
        except Refusal as refusal:
            post.refuse(locator, str(refusal))
    return post.answer()


def _addressee(incoming: Incoming, recipient: Recipient) -> Person | None:
    if recipient.contact_id is not None:
        person = contacts_store.get(incoming.store, recipient.contact_id)
        if person is None:
            raise Refusal(f"Contact with id='{recipient.contact_id}' not found")
        return person
    external = text(recipient.external_customer_id)
    if external:
        directory = contacts_store.Directory(incoming.store, incoming.now)
        directory.look_up("externalCustomerId", [external])
        found = [person for person in directory.having("externalCustomerId", external) if not person.deleted]
        if not found:
            raise Refusal(f"Contact with externalCustomerId='{external}' not found")
        return found[0]
    return None


def _data(param: str | None) -> Mapping[str, Any]:
    if not param:
        return {}
    try:
        return msgspec.json.decode(param, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise Refusal("jsonParam is not valid JSON") from None


class OldParam(msgspec.Struct):
    """A template's variable, as the older send names it."""

    key: str
    value: Any = None


class OldSend(msgspec.Struct, rename="camel"):
    """The body of ``POST message/{id}/send``."""

    recipients: list[str] | str | None = None
    group_id: Int | None = None
    contact_id: Int | None = None
    params: list[OldParam] | OldParam | None = None
    from_name: str | None = None
    campaign_id: Int | None = None
    allow_unconfirmed: bool | None = None
    external_request_id: str | None = None


@routes("POST", "v1/message/{id}/send")
def send(incoming: Incoming) -> Response:
    """Send a template the old way: the same data for addresses, for one contact, or for a segment."""
    template = _template(incoming)
    body = incoming.decode(OldSend)
    post = Post(incoming, template["channel"])
    data = {param.key: param.value for param in as_list(body.params)}
    chosen = _chosen(incoming, post, as_list(body.recipients), body.group_id, body.contact_id)
    post.add_all(chosen, content=template, data=data, label=body.external_request_id)
    return post.answer()


class Email(msgspec.Struct, rename="camel"):
    """The body of ``POST message/email``."""

    from_: str = msgspec.field(name="from")
    subject: str
    html_text: str
    emails: list[str] | str
    plain_text: str | None = None
    tags: list[str] | str | None = None
    external_request_id: str | None = None
    campaign_id: Int | None = None


@routes("POST", "v1/message/email")
def email(incoming: Incoming) -> Response:
    """Send an e-mail written on the spot."""
    body = incoming.decode(Email)
    for name, value in (("from", body.from_), ("subject", body.subject), ("htmlText", body.html_text)):
        if not value.strip():
            raise Refused(400, f"{name} should not be empty")
    post = Post(incoming, "email")
    content: dict[str, Any] = {"from": body.from_, "subject": body.subject, "htmlText": body.html_text}
    content |= {"text": body.plain_text or "", "tags": as_list(body.tags)}
    chosen = _chosen(incoming, post, as_list(body.emails), None, None)
    post.add_all(chosen, content=content, label=body.external_request_id)
    return post.answer()


class Short(msgspec.Struct, rename="camel"):
    """The body of ``POST message/sms`` and ``message/viber``."""

    text: str
    from_: str | None = msgspec.field(name="from", default=None)
    phone_numbers: list[str] | str | None = None
    group_id: Int | None = None
    tags: list[str] | str | None = None
    external_request_id: str | None = None
    ios_expirity_text: str | None = None


@routes("POST", "v1/message/sms")
def sms(incoming: Incoming) -> Response:
    """Send an SMS written on the spot, to numbers or to a segment."""
    body = incoming.decode(Short)
    if not text(body.from_):
        raise Refused(400, "from should not be empty")
    return _short(incoming, "sms", body)


@routes("POST", "v1/message/viber")
def viber(incoming: Incoming) -> Response:
    """Send a Viber message written on the spot, to numbers or to a segment."""
    body = incoming.decode(Short)
    if not text(body.ios_expirity_text):
        raise Refused(400, "iosExpirityText should not be empty")
    return _short(incoming, "viber", body)


def _short(incoming: Incoming, channel: str, body: Short) -> Response:
    if not body.text.strip():
        raise Refused(400, "text should not be empty")
    post = Post(incoming, channel)
    content = {"from": body.from_ or "SHOP", "text": body.text, "tags": as_list(body.tags)}
    chosen = _chosen(incoming, post, as_list(body.phone_numbers), body.group_id, None)
    post.add_all(chosen, content=content, label=body.external_request_id)
    return post.answer()


def _chosen(
    incoming: Incoming, post: Post, addresses: list[str], group: int | None, contact: int | None
) -> list[tuple[str, Person | None]]:
    """Return the recipients of a request, which names them in one of three ways.

    :raises Refused: 400, in none or several of them; 404, the segment or contact does not exist.
    """
    group, contact = group or None, contact or None  # 0 is what clients send for none
    if sum((bool(addresses), group is not None, contact is not None)) != 1:
        raise Refused(400, "exactly one kind of recipients should be given")
    if len(addresses) > MOST:
        raise Refused(400, f"at most {MOST} recipients are allowed")
    if addresses:
        return [(address, None) for address in addresses]
    if contact is not None:
        person = contacts_store.get(incoming.store, contact)
        if person is None:
            raise Refused(404, f"Contact with id='{contact}' not found")
        return [(person.channel(address_kind(post.channel)) or "", person)]
    if incoming.store.one("SELECT 1 FROM esputnik_segments WHERE id = ?", group) is None:
        raise Refused(404, f"Group with id='{group}' not found")
    found = [contacts_store.get(incoming.store, number) for number in segments.members(incoming.store, group or 0)]
    reachable = [(person.channel(address_kind(post.channel)), person) for person in found if person]
    return [(address, person) for address, person in reachable if address]
