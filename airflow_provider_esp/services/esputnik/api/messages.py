"""Messages to single people: sending them, and learning what became of them.

The vendor's sixth group of methods, without broadcasts. Every sending method puts messages into a queue and
answers an id for each; no method has a key that would make a repetition safe, so none of them is repeatable.
`external_request_id` is but a label, to find a message by in the contacts' activity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from msgspec import field

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.esputnik.api._request import check_size, get, given, request
from airflow_provider_esp.services.esputnik.api.models import Model
from airflow_provider_esp.services.esputnik.scopes import MethodGroup

MOST_RECIPIENTS = 1000
"""Recipients of a prepared message, per request."""

STATUS_BATCH = 100
"""Ids to ask the status of at once: what is known to work; the vendor documents no limit."""

_GROUP = MethodGroup.MESSAGES

T = TypeVar("T")


class SmartRecipient(Model, frozen=True, kw_only=True):
    """One recipient of a prepared message; one of the first three is needed.

    :ivar locator: e-mail address, phone number, push token or chat id.
    :ivar json_param: what the message may use, a JSON object written as a string.
    :ivar external_request_id: a label to find the message by later.
    """

    locator: str | None = None
    contact_id: int | None = None
    external_customer_id: str | None = None
    json_param: str | None = None
    language_code: str | None = None
    external_request_id: str | None = None


class SendResult(Model, frozen=True, kw_only=True):
    """What became of the request to send to one recipient.

    :ivar status: OK (queued) or ERROR.
    :ivar request_id: to ask the delivery status with; only where it was queued.
    :ivar message: what is wrong, with ERROR.
    """

    _shown: ClassVar[tuple[str, ...]] = ("status", "request_id")

    locator: str | None = None
    status: str = ""
    request_id: str | None = None
    message: str | None = None


class SendResults(Model, frozen=True, kw_only=True):
    """What became of a request to send, one result per recipient."""

    results: list[SendResult]


class MessageStatus(Model, frozen=True, kw_only=True):
    """What became of a message to one recipient.

    :ivar status: the service's word, see `translate.deliveries`.
    :ivar failed: it has not been delivered, and will not be.
    :ivar delivered: it has been delivered.
    """

    _shown: ClassVar[tuple[str, ...]] = ("request_id", "status")

    request_id: str
    status: str = ""
    failed: bool = False
    delivered: bool = False


class MessageStatuses(Model, frozen=True, kw_only=True):
    """What became of messages."""

    results: list[MessageStatus] = field(default_factory=list)


def smart_send(
    message_id: int,
    recipients: Sequence[SmartRecipient],
    *,
    email: bool,
    from_name: str | None = None,
    campaign_id: int | None = None,
    allow_unconfirmed: bool | None = None,
) -> Call[SendResults]:
    """Send a prepared message to people: `POST v1/message/{id}/smartsend`.

    An address that no contact has becomes a new, confirmed contact.

    :param message_id: of a message of any channel.
    :param recipients: 1 to 1000.
    :param email: whether it is an e-mail.
    :param from_name: sender name to use instead of the message's.
    :param campaign_id: of a campaign that the message counts towards; like the next one known from the service's
        older clients only.
    :param allow_unconfirmed: whether contacts who have not confirmed their address get the message too; None for the
        service's own choice.
    :raises ValueError: none or too many recipients, or one that names nobody.
    """
    check_size(recipients, MOST_RECIPIENTS, "recipients")
    for index, one in enumerate(recipients):
        if not (one.locator or one.contact_id or one.external_customer_id):
            raise ValueError(f"Recipient {index} has no locator, no contact id and no external id.")
    body = given(
        recipients=recipients,
        email=email,
        fromName=from_name,
        campaignId=campaign_id,
        allowUnconfirmed=allow_unconfirmed,
    )
    return _send("v1/message/{id}/smartsend", body, message_id)


def send(
    message_id: int,
    *,
    email: bool,
    recipients: Sequence[str] = (),
    group_id: int | None = None,
    contact_id: int | None = None,
    params: Mapping[str, str] | None = None,
    from_name: str | None = None,
    external_request_id: str | None = None,
    campaign_id: int | None = None,
    allow_unconfirmed: bool | None = None,
) -> Call[SendResults]:
    """Send a prepared message the old way: `POST v1/message/{id}/send`. Prefer `smart_send`.

    The vendor's specification no longer has this method; the body is known from its users.

    :param recipients: addresses, 1 to 1000 (the limit of `smart_send`), or
    :param group_id: a segment, or
    :param contact_id: a contact.
    :param params: what the message may use, the same for all, by name.
    :param campaign_id: and `allow_unconfirmed` as in `smart_send`.
    :raises ValueError: not exactly one of recipients, segment and contact; too many recipients.
    """
    _one_of(recipients=recipients, group_id=group_id, contact_id=contact_id)
    if recipients:
        check_size(recipients, MOST_RECIPIENTS, "recipients")
    body = given(
        recipients=list(recipients) or None,
        groupId=group_id,
        contactId=contact_id,
        params=[{"key": key, "value": value} for key, value in params.items()] if params else None,
        email=email,
        fromName=from_name,
        externalRequestId=external_request_id,
        campaignId=campaign_id,
        allowUnconfirmed=allow_unconfirmed,
    )
    return _send("v1/message/{id}/send", body, message_id)


def send_email(
    emails: Sequence[str],
    *,
    sender: str,
    subject: str,
    html_text: str,
    plain_text: str | None = None,
    amp_html_text: str | None = None,
    tags: Sequence[str] = (),
    subscriptions_keys: Sequence[str] = (),
    external_request_id: str | None = None,
    skip_personalisation: bool | None = None,
    track_urls: bool | None = None,
    campaign_id: int | None = None,
) -> Call[SendResults]:
    """Send an e-mail that is not prepared: `POST v1/message/email`.

    :param emails: at least one address, 1000 at most (our choice: the vendor documents no limit).
    :param sender: one of the account's senders, ``"Name" <address>``.
    :param tags: to find the message by.
    :param subscriptions_keys: subscription categories it belongs to.
    :param external_request_id: a label, the same for all recipients.
    :param track_urls: whether links are tracked; None for the service's own choice, which is yes.
    :param campaign_id: as in `smart_send`.
    """
    check_size(emails, MOST_RECIPIENTS, "recipients")
    body = given(
        emails=list(emails),
        subject=subject,
        htmlText=html_text,
        plainText=plain_text,
        ampHtmlText=amp_html_text,
        skipPersonalisation=skip_personalisation,
        campaignId=campaign_id,
        **{"from": sender},
        **_common(tags, subscriptions_keys, external_request_id, track_urls),
    )
    return _send("v1/message/email", body)


def send_sms(
    text: str,
    *,
    sender: str,
    phone_numbers: Sequence[str] = (),
    group_id: int | None = None,
    tags: Sequence[str] = (),
    subscriptions_keys: Sequence[str] = (),
    external_request_id: str | None = None,
    track_urls: bool | None = None,
) -> Call[SendResults]:
    """Send a text message: `POST v1/message/sms`.

    :param sender: one of the account's alpha names.
    :param phone_numbers: 1 to 1000 (our choice: the vendor documents no limit), or
    :param group_id: a segment.
    :param track_urls: whether links are tracked; None for the service's own choice, which is no.

    Other arguments as in `send_email`.
    """
    body = given(
        text=text,
        **{"from": sender},
        **_phones(phone_numbers, group_id),
        **_common(tags, subscriptions_keys, external_request_id, track_urls),
    )
    return _send("v1/message/sms", body)


def send_viber(
    text: str,
    *,
    ios_expiry_text: str,
    phone_numbers: Sequence[str] = (),
    group_id: int | None = None,
    sender: str | None = None,
    ttl_seconds: int | None = None,
    image_url: str | None = None,
    button_caption: str | None = None,
    button_url: str | None = None,
    tags: Sequence[str] = (),
    subscriptions_keys: Sequence[str] = (),
    external_request_id: str | None = None,
    track_urls: bool | None = None,
) -> Call[SendResults]:
    """Send a Viber message: `POST v1/message/viber`.

    :param ios_expiry_text: what an iPhone shows when the message has expired.
    :param sender: needed where the account has several.
    :param ttl_seconds: how long to try; None for the service's own choice, a day.

    Other arguments as in `send_sms`.
    """
    body = given(
        text=text,
        ttlSeconds=ttl_seconds,
        img=image_url,
        caption=button_caption,
        action=button_url,
        **{"from": sender, "iosExpirityText": ios_expiry_text},  # spelled so by the API
        **_phones(phone_numbers, group_id),
        **_common(tags, subscriptions_keys, external_request_id, track_urls),
    )
    return _send("v1/message/viber", body)


def status(request_ids: Sequence[str]) -> Call[list[MessageStatuses]]:
    """Ask what became of messages of any channel: `GET v1/message/status`.

    The specification promises a list of answers and the service was seen to give one: both are read as a list.

    :param request_ids: at least one, from `SendResult.request_id`. See `STATUS_BATCH`.
    """
    return _status("v1/message/status", request_ids, list[MessageStatuses])


def email_status(request_ids: Sequence[str]) -> Call[MessageStatuses]:
    """Ask what became of e-mails, the old way: `GET v1/message/email/status`. Prefer `status`."""
    return _status("v1/message/email/status", request_ids, MessageStatuses)


def sms_status(request_ids: Sequence[str]) -> Call[MessageStatuses]:
    """Ask what became of text messages, the old way: `GET v1/message/sms/status`. Prefer `status`."""
    return _status("v1/message/sms/status", request_ids, MessageStatuses)


def viber_status(request_ids: Sequence[str]) -> Call[MessageStatuses]:
    """Ask what became of Viber messages, the old way: `GET v1/message/viber/status`. Prefer `status`."""
    return _status("v1/message/viber/status", request_ids, MessageStatuses)


def _send(label: str, body: dict[str, Any], *values: int) -> Call[SendResults]:
    return request("POST", label, *values, answer=SendResults, body=body, group=_GROUP, repeatable=False)


def _status(label: str, request_ids: Sequence[str], answer: type[T]) -> Call[T]:
    if not request_ids:
        raise ValueError("No request ids were given.")
    return get(label, answer=answer, query={"ids": ",".join(request_ids)}, group=_GROUP)


def _common(
    tags: Sequence[str], subscriptions_keys: Sequence[str], external_request_id: str | None, track_urls: bool | None
) -> dict[str, Any]:
    return given(
        tags=list(tags) or None,
        subscriptionsKeys=list(subscriptions_keys) or None,
        externalRequestId=external_request_id,
        trackUrls=track_urls,
    )


def _phones(phone_numbers: Sequence[str], group_id: int | None) -> dict[str, Any]:
    _one_of(phone_numbers=phone_numbers, group_id=group_id)
    if phone_numbers:
        check_size(phone_numbers, MOST_RECIPIENTS, "recipients")
    return given(phoneNumbers=list(phone_numbers) or None, groupId=group_id)


def _one_of(**ways: object) -> None:
    said = [name for name, value in ways.items() if value]
    if len(said) != 1:
        raise ValueError(f"Say who gets the message by exactly one of {', '.join(ways)}.")
