"""Notices at SendPulse: e-mails over its SMTP service and text messages."""

from __future__ import annotations

from email.utils import parseaddr

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.models import SendResult
from airflow_provider_esp.core.notification_model import Notification
from airflow_provider_esp.services.sendpulse.api import sms, smtp


def send(notice: Notification, sender_name: str | None, sender_email: str | None) -> Flow[list[SendResult]]:
    """Send a notice: `POST smtp/emails`, one person in a message, or `POST sms/send`.

    :param sender_name: the connection's, for a notice that names no sender.
    :param sender_email: the connection's, for a notice that names no sender.
    :returns: one result for each address; one for all numbers.
    :raises ValueError: neither the notice nor the connection names a sender.
    """
    if not notice.emails:
        if not notice.sender:
            raise ValueError("SendPulse needs a sender for a text message: give sender=, up to 11 characters.")
        made = yield from sms.send(notice.sender, notice.phones, notice.text)
        return [SendResult(made.result, None if made.campaign_id is None else str(made.campaign_id))]
    name, address = parseaddr(notice.sender) if notice.sender else (sender_name or "", sender_email or "")
    if not address:
        raise ValueError(
            "SendPulse needs a sender: give sender='\"Data team\" <data@example.com>', or put sender_email into the "
            "connection's extra."
        )
    results = []
    for person in notice.emails:
        sent = yield from smtp.send(
            sender=smtp.Person(address, name or None),
            to=[smtp.Person(person)],
            subject=notice.subject,
            html=notice.html,
            text=notice.text,
        )
        results.append(SendResult(accepted=True, request_id=sent.id))
    return results
