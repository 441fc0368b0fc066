"""Whom a message went out to, as eSputnik's activity shows it: by the label that the send gave, person by person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.models import MessageOptions, Recipient, SendResult
from airflow_provider_esp.services.esputnik.api import activity
from airflow_provider_esp.services.esputnik.api.reading import plain_address
from airflow_provider_esp.services.esputnik.datetimes import on_account_clock

# Two clocks are compared, to the minute; and an account whose zone the connection does not say may be hours ahead.
_BEFORE = timedelta(minutes=2)
_AFTER = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class SentMessages:
    """Asks `GET v2/contacts/activity` for messages that carry a label.

    :param label: the ``externalRequestId`` of recipients that have none of their own.
    :param zone: of the account.
    """

    label: str
    zone: tzinfo

    def __call__(self, items: Sequence[Recipient], since: datetime) -> Flow[list[SendResult | None]]:
        """Return for each person whether a message with the label is shown; None where there is none (yet).

        Any activity of a message shows that it was sent, a bounce included.

        :param since: an aware moment; earlier activity is not of this send.
        """
        begin = on_account_clock(since - _BEFORE, self.zone)
        end = on_account_clock(datetime.now(UTC) + _AFTER, self.zone)
        found = []
        for item in items:
            by_email = "@" in item.locator
            rows = yield from activity.activity(
                begin,
                end,
                email=item.locator if by_email else None,
                sms=None if by_email else item.locator,
            )
            label, address = item.request_id or self.label, plain_address(item.locator)
            row = next(
                (
                    row
                    for row in rows
                    if row.external_request_id == label
                    and plain_address((row.email if by_email else row.sms) or "") == address
                ),
                None,
            )
            # The vendor calls `iid` the id of the sent message; that it is what its sending gave is our reading.
            found.append(None if row is None else SendResult(accepted=True, request_id=row.iid))
        return found


def messages(options: MessageOptions, zone: tzinfo) -> SentMessages:
    """Prepare looking messages up.

    :raises ValueError: there is no label to look for.
    """
    if not (options.external_request_id or "").strip():
        raise ValueError(
            "Messages can be looked up at eSputnik by external_request_id only: give one that no other run has."
        )
    return SentMessages(options.external_request_id or "", zone)
