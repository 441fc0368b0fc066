"""Notices at eSputnik: e-mails and text messages that are not prepared in the account."""

from __future__ import annotations

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.models import SendResult
from airflow_provider_esp.core.notification_model import Notification
from airflow_provider_esp.services.esputnik.api import messages


def send(notice: Notification) -> Flow[list[SendResult]]:
    """Send a notice: `POST v1/message/email` or `POST v1/message/sms`.

    :returns: one result for each address or number.
    :raises ValueError: it names no sender, and this API has no usual one.
    """
    if not notice.sender:
        raise ValueError(
            "eSputnik needs a sender: give sender=, one of the account's e-mail senders or SMS names, such as "
            "'\"Data team\" <data@example.com>' or 'MyShop'."
        )
    if notice.emails:
        told = yield from messages.send_email(
            notice.emails,
            sender=notice.sender,
            subject=notice.subject,
            html_text=notice.html,
            plain_text=notice.text,
            skip_personalisation=True,  # a $ in a notice is a $
            track_urls=False,
        )
    else:
        told = yield from messages.send_sms(notice.text, sender=notice.sender, phone_numbers=notice.phones)
    return [SendResult(one.status == "OK", one.request_id, one.message or one.status) for one in told.results]
