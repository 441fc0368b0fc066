"""Messages, deliveries and events: between the words both services share and eSputnik's own.

The other half of `translate`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Literal, cast

from airflow_provider_esp.core import models
from airflow_provider_esp.core.calls import Call, Flow, json_body
from airflow_provider_esp.core.models import DeliveryState
from airflow_provider_esp.services.esputnik.api import events, messages
from airflow_provider_esp.services.esputnik.api.reading import plain_address

UNANSWERED = "eSputnik's answer does not mention this recipient: whether the message goes out is unknown"
"""Reason of a `SendResult` for a recipient the service said nothing about."""

DELIVERY_STATES = {
    "IN_QUEUE": DeliveryState.PENDING,
    "PENDING": DeliveryState.PENDING,
    "DELIVERED": DeliveryState.DELIVERED,
    "READ": DeliveryState.DELIVERED,
    "CLICKED": DeliveryState.DELIVERED,
    # A complaint comes from somebody who got the message (our reading; the vendor says "reported as spam").
    "SPAM": DeliveryState.DELIVERED,
    "UNDELIVERED": DeliveryState.FAILED,
    "BLACKLISTED": DeliveryState.FAILED,
    "NOT_CONFIRMED": DeliveryState.FAILED,
    # "Unsubscribed email": stands among the reasons not to send (our reading).
    "UNSUBSCRIBED": DeliveryState.FAILED,
    "NO_MONEY": DeliveryState.FAILED,
    "ERROR": DeliveryState.FAILED,
    "SMS_UNDELIVERED_STATE": DeliveryState.FAILED,
    "EXPIRED": DeliveryState.FAILED,
    "VIBER_UNKNOWN_USER": DeliveryState.FAILED,
    "VIBER_UNDELIVERED_STATE": DeliveryState.FAILED,
    "VIBER_EXPIRED_STATE": DeliveryState.FAILED,
    "BOT_SEND_ERROR": DeliveryState.FAILED,
}
"""The status words of `GET v1/message/status`. They count only where the answer's flags say nothing."""

_WORDS = {
    "READ": "read",
    "CLICKED": "clicked",
    "SPAM": "complained",
    "UNSUBSCRIBED": "unsubscribed",
    **dict.fromkeys(("UNDELIVERED", "SMS_UNDELIVERED_STATE", "VIBER_UNDELIVERED_STATE"), "bounced"),
    **dict.fromkeys(("EXPIRED", "VIBER_EXPIRED_STATE", "VIBER_UNKNOWN_USER"), "bounced"),
    **dict.fromkeys(("BLACKLISTED", "NOT_CONFIRMED", "NO_MONEY", "ERROR", "BOT_SEND_ERROR"), "refused"),
}
"""The same words in those that both services share, where they say more than the state (our reading)."""

_EMAIL_NAMES = frozenset({"email", "emailaddress", "useremail", "contactemail"})
_PHONE_NAMES = frozenset({"phone", "sms", "phonenumber"})
_OTHER_NAMES = frozenset({"contactid", "contact_id", "externalcustomerid", "pushtoken", "contactkey", "contact_key"})


def smart_send(
    message_id: int,
    recipients: Sequence[models.Recipient],
    *,
    external_request_id: str | None = None,
    from_name: str | None = None,
) -> Flow[list[models.SendResult]]:
    """Send a prepared message to people: `POST v1/message/{id}/smartsend`.

    :param recipients: 1 to 1000, all by e-mail or none.
    :param external_request_id: a label for those recipients who have no `request_id` of their own.
    :param from_name: sender name to use instead of the message's.
    :return: one result for each recipient, in their order. One the answer does not mention is not accepted, with
        the reason `UNANSWERED`.
    :raises ValueError: none or too many recipients, or addresses of different channels.
    """
    by_email = {"@" in recipient.locator for recipient in recipients}
    if len(by_email) > 1:
        raise ValueError("E-mail addresses and phone numbers do not go into one message: send to them apart.")
    answer = yield from messages.smart_send(
        message_id,
        [_smart_recipient(recipient, external_request_id) for recipient in recipients],
        email=True in by_email,
        from_name=from_name,
    )
    return match_results(recipients, answer.results)


def match_results(
    recipients: Sequence[models.Recipient], results: Sequence[messages.SendResult]
) -> list[models.SendResult]:
    """Return each recipient its result, found by address; the same address twice takes results in their order.

    When one recipient and one result are left over, they belong together however the address is spelled.
    """
    waiting: dict[str, deque[messages.SendResult]] = defaultdict(deque)
    for result in results:
        waiting[plain_address(result.locator or "")].append(result)
    found: list[messages.SendResult | None] = []
    for recipient in recipients:
        queue = waiting[plain_address(recipient.locator)]
        found.append(queue.popleft() if queue else None)
    left = [result for queue in waiting.values() for result in queue]
    if len(left) == 1 and found.count(None) == 1:
        found[found.index(None)] = left[0]
    return [_send_result(result) for result in found]


def deliveries(request_ids: Sequence[str]) -> Flow[list[models.Delivery]]:
    """Ask what became of messages: `GET v1/message/status`, a hundred at a time.

    :param request_ids: from `SendResult.request_id`.
    :return: one for each id, in their order. One the service does not mention, as happens in the first minutes,
        is pending with an empty status; so is a status word we do not know, with that word.
    """
    told: dict[str, messages.MessageStatus] = {}
    for start in range(0, len(request_ids), messages.STATUS_BATCH):
        for answer in (yield from messages.status(request_ids[start : start + messages.STATUS_BATCH])):
            told.update((status.request_id.lower(), status) for status in answer.results)
    return [_delivery(request_id, told.get(request_id.lower())) for request_id in request_ids]


def event(event: models.Event, version: int = 2) -> Call[None]:
    """Tell the service what a person did: `POST v2/event`, or `POST v1/event`.

    The person's e-mail address and phone become parameters ``email`` and ``phone``, by which the service
    recognises the contact, unless the parameters have them already. The event's key becomes ``keyValue`` as it
    is: the vendor's pages disagree on whether it tells whose event it is or which event it is, so the contact is
    named besides.

    :raises ValueError: nothing says whose event it is, or two things say different; a key or name breaks the
        vendor's rules; the event has more than 20 kB; a version that does not exist.
    """
    if version not in (1, 2):
        raise ValueError(f"eSputnik has versions 1 and 2 of its event method, not {version}.")
    params = dict(event.params)
    for name, spellings, address in (("email", _EMAIL_NAMES, event.email), ("phone", _PHONE_NAMES, event.phone)):
        given = [value for key, value in params.items() if key.lower() in spellings and value]
        if address and not given:
            params = {name: address, **{key: value for key, value in params.items() if key.lower() != name}}
        elif address and any(plain_address(str(value)) != plain_address(address) for value in given):
            raise ValueError(f"The event {event.name} has one {name} of its own and another in its parameters.")
    identifying = _EMAIL_NAMES | _PHONE_NAMES | _OTHER_NAMES
    if event.key is None and not any(key.lower() in identifying and value for key, value in params.items()):
        raise ValueError(
            f"Nothing says whose event {event.name} is: give an e-mail address, a phone, a key, or one of the "
            "parameters contactId, externalCustomerId, pushToken."
        )
    return events.event(event.name, params, key_value=event.key, version=cast(Literal[1, 2], version))


def _smart_recipient(recipient: models.Recipient, label: str | None) -> messages.SmartRecipient:
    return messages.SmartRecipient(
        locator=recipient.locator,
        external_customer_id=recipient.external_id,
        json_param=json_body(recipient.data).decode() if recipient.data else None,
        language_code=recipient.language,
        external_request_id=recipient.request_id or label,
    )


def _send_result(result: messages.SendResult | None) -> models.SendResult:
    if result is None:
        return models.SendResult(accepted=False, reason=UNANSWERED, unknown=True)
    accepted = result.status.upper() == "OK"
    reason = "" if accepted else result.message or f"the service answers {result.status or 'no status'}"
    return models.SendResult(accepted=accepted, request_id=result.request_id, reason=reason)


def _delivery(request_id: str, told: messages.MessageStatus | None) -> models.Delivery:
    if told is None:
        return models.Delivery(request_id=request_id, state=DeliveryState.PENDING)
    if told.failed:
        state = DeliveryState.FAILED
    elif told.delivered:
        state = DeliveryState.DELIVERED
    else:
        state = DELIVERY_STATES.get(told.status.upper(), DeliveryState.PENDING)
    status = told.status.upper()
    return models.Delivery(request_id=request_id, state=state, status=told.status, word=_WORDS.get(status, ""))
