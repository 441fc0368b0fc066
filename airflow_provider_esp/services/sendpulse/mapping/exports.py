"""What SendPulse can hand out for a file: the contacts of mailing lists, and campaigns with their figures.

There is no list of what people did: figures of campaigns are the service's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from functools import partial
from typing import Any

import msgspec

from airflow_provider_esp.core.calls import Pages
from airflow_provider_esp.core.export.schema import ActivityRow, BroadcastStatsRow, ContactRow, Period
from airflow_provider_esp.core.models import STANDARD_FIELDS
from airflow_provider_esp.core.paging import for_each, map_pages
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.services.sendpulse.api import addressbooks, campaigns
from airflow_provider_esp.services.sendpulse.api._request import moment
from airflow_provider_esp.services.sendpulse.api.campaign_models import Campaign
from airflow_provider_esp.services.sendpulse.mapping import broadcasts as broadcast_mapping
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping
from airflow_provider_esp.services.sendpulse.service import SENDPULSE

_DELETED = 1
_FROM_VARIABLES = tuple(name for name in STANDARD_FIELDS if name not in ("email", "phone"))


class Exports:
    """Reads what goes into files.

    :param zone: the account's.
    """

    counts_broadcasts = True

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def activity(
        self, period: Period, *, statuses: Sequence[str] = (), message_tag: str | None = None
    ) -> Pages[ActivityRow]:
        """Refuse: there is no such list.

        :raises Unsupported: always.
        """
        raise Unsupported(
            SENDPULSE.title,
            "list what people did with messages",
            "Its figures by campaign: ExportBroadcastStatsOperator.",
        )

    def contacts(self, segment: str | None) -> Pages[ContactRow]:
        """Read the contacts of one mailing list, or of all: `GET addressbooks/{id}/emails`."""
        lists: list[tuple[int, str]] = []
        if segment is None:
            yield from for_each(
                addressbooks.all_books(),
                lambda book: None if book.status == _DELETED else lists.append((book.id, book.name)),
            )
        else:
            lists.append(((yield from contact_mapping.book_id(segment)), segment))
        for number, name in lists:
            yield from map_pages(addressbooks.all_emails(number), partial(self._contact, name))

    def broadcasts(self) -> Pages[BroadcastStatsRow]:
        """Read campaigns with their figures: `GET campaigns`."""
        return map_pages(campaigns.all_campaigns(), self._broadcast)

    def _contact(self, name: str, told: addressbooks.BookEmail) -> ContactRow:
        variables = told.variables
        standard: dict[str, Any] = {
            field: str(variables[field]) for field in _FROM_VARIABLES if variables.get(field) not in (None, "")
        }
        return ContactRow(
            segment=name,
            contact_id=None,
            email=told.email,
            phone=told.phone or _phone(variables),
            **standard,
            status=told.status_explain or str(told.status),
            added_at=moment(told.add_date, self._zone),
            fields=msgspec.json.encode(
                {key: value for key, value in variables.items() if key not in standard}, order="sorted"
            ).decode(),
            service=SENDPULSE.name,
        )

    def _broadcast(self, told: Campaign) -> BroadcastStatsRow | None:
        if told.is_sms or told.is_viber:
            return None
        known = broadcast_mapping.broadcast(told.id, told.name, told.status, told.send_date, self._zone)
        figures = told.statistics
        return BroadcastStatsRow(
            broadcast_id=known.id,
            name=known.title or None,
            state=known.state.value,
            status=known.status or None,
            starts_at=None if known.starts_at is None else known.starts_at.astimezone(UTC),
            recipients=told.all_email_qty,
            sent=figures.sent,
            delivered=figures.delivered,
            undelivered=figures.error,
            read=figures.opening,
            clicked=figures.link_redirected,
            unsubscribed=figures.unsubscribe,
            counted_from="service",
            service=SENDPULSE.name,
        )


def _phone(variables: Mapping[str, object]) -> str | None:
    value = variables.get(contact_mapping.PHONE_VARIABLE)
    return None if value in (None, "") else str(value)
