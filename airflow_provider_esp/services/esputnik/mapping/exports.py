"""What eSputnik can hand out for a file: activity, contacts, and the list of broadcasts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from airflow_provider_esp.core.calls import Pages
from airflow_provider_esp.core.export.schema import ActivityRow, BroadcastStatsRow, ContactRow, Period
from airflow_provider_esp.core.paging import map_pages
from airflow_provider_esp.services.esputnik.api import activity, activity_pages, reading
from airflow_provider_esp.services.esputnik.api.broadcasts import Broadcast, broadcast_pages
from airflow_provider_esp.services.esputnik.api.models import Contact
from airflow_provider_esp.services.esputnik.datetimes import on_account_clock
from airflow_provider_esp.services.esputnik.mapping import broadcasts as broadcast_mapping
from airflow_provider_esp.services.esputnik.mapping import contacts as contact_mapping
from airflow_provider_esp.services.esputnik.service import ESPUTNIK

_STATUSES: dict[str, activity.Status] = {
    "delivered": "DELIVERED",
    "undelivered": "UNDELIVERED",
    "read": "READ",
    "clicked": "CLICKED",
    "unsubscribed": "UNSUBSCRIBED",
    "complained": "SPAM",
}
_WORDS: dict[str, str] = {own: word for word, own in _STATUSES.items()}
_MARGIN = timedelta(minutes=1)


class Exports:
    """Reads what goes into files.

    :param zone: the account's.
    """

    counts_broadcasts = False

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def activity(
        self, period: Period, *, statuses: Sequence[str] = (), message_tag: str | None = None
    ) -> Pages[ActivityRow]:
        """Read what people did in a period: `GET v2/contacts/activity`.

        A minute more is read on either side, because it is not documented whether the bounds belong to the period; rows
        are then chosen by their time. The account's clock strikes one hour twice in autumn, and a row does not say
        which of the two it is: it counts as the first.
        """
        start, end = (on_account_clock(moment, self._zone) for moment in (period.start, period.end))
        end = max(end, start + (period.end - period.start))  # in the hour that comes twice the clock goes back

        def make(row: activity.Activity) -> ActivityRow | None:
            made = activity_row(row, self._zone)
            return made if period.holds(made.occurred_at) and (not statuses or made.status in statuses) else None

        pages = activity_pages.activity_pages(
            start - _MARGIN,
            end + _MARGIN,
            message_tag=message_tag,
            activity_status=_STATUSES.get(statuses[0]) if len(statuses) == 1 else None,
        )
        return map_pages(pages, make)

    def contacts(self, segment: str | None) -> Pages[ContactRow]:
        """Read contacts: `GET v1/group/{id}/contacts`, or `GET v1/contacts` for the whole account.

        The latter shows no address, segments and external id.
        """
        keys = {one.id: key for key, one in (yield from contact_mapping.additional_fields()).items()}
        if segment is None:
            yield from map_pages(reading.contact_pages(), lambda contact: contact_row(contact, None, keys))
            return
        ((group_id,),) = yield from broadcast_mapping.segment_ids([segment])
        yield from map_pages(
            reading.group_contact_pages(int(group_id)), lambda contact: contact_row(contact, segment, keys)
        )

    def broadcasts(self) -> Pages[BroadcastStatsRow]:
        """Read the list of broadcasts: `GET v1/broadcasts`, which has no figures."""
        return map_pages(broadcast_pages(), self._broadcast)

    def _broadcast(self, told: Broadcast) -> BroadcastStatsRow:
        known = broadcast_mapping.broadcast(told, self._zone)
        return BroadcastStatsRow(
            broadcast_id=known.id,
            name=known.title or None,
            state=known.state.value if known.status else None,
            status=known.status or None,
            starts_at=None if known.starts_at is None else known.starts_at.astimezone(UTC),
            counted_from="activity",
            service=ESPUTNIK.name,
        )


def activity_row(row: activity.Activity, zone: tzinfo) -> ActivityRow:
    """Put a row of activity into the columns of the file."""
    own = row.activity_status or ""
    change = row.status_data.subscription if row.status_data else None
    return ActivityRow(
        occurred_at=_moment(row.activity_date_time, zone),
        status=_WORDS.get(own.upper(), own.lower()),
        service_status=own,
        channel=row.media_type,
        contact_id=_text(row.contact_id),
        external_id=row.external_customer_id,
        address=row.email or row.sms or row.mob_push_token or row.web_push_token,
        interaction_id=row.iid,
        message_id=_text(row.message_id),
        message_name=row.message_name,
        message_tag=row.message_tag,
        message_language=row.message_language_code,
        message_instance_id=_text(row.message_instance_id),
        broadcast_id=_text(row.broadcast_id),
        workflow_id=_text(row.workflow_id),
        workflow_instance_id=row.workflow_instance_id,
        workflow_block_id=row.workflow_block_id,
        event_type=row.source_event_type_key,
        event_key=row.source_event_key,
        label=row.external_request_id,
        sender=row.from_,
        reason=row.status_description,
        hard_bounce=row.hard_bounce,
        link=row.click_event_link,
        view_link=row.view_message_link,
        subscriptions=None if change is None else sorted(change.subscriptions),
        service=ESPUTNIK.name,
    )


def contact_row(contact: Contact, segment: str | None, keys: dict[int, str]) -> ContactRow:
    """Put a contact into the columns of the file.

    :param segment: as the author named it.
    :param keys: of additional fields by id; a field without one goes by its id.
    """
    channels = {channel.type: channel.value for channel in reversed(contact.channels)}
    where = contact.address
    fields = {keys.get(one.id, str(one.id)): one.value or None for one in contact.fields}
    return ContactRow(
        segment=segment,
        contact_id=str(contact.id),
        email=channels.get("email"),
        phone=channels.get("sms"),
        external_id=contact.external_customer_id,
        first_name=contact.first_name,
        last_name=contact.last_name,
        language=contact.language_code,
        time_zone=contact.time_zone,
        region=where.region or None if where else None,
        town=where.town or None if where else None,
        address=where.address or None if where else None,
        postcode=where.postcode or None if where else None,
        segments=sorted(group.name for group in contact.groups) or None,
        fields=msgspec.json.encode(fields, order="sorted").decode(),
        service=ESPUTNIK.name,
    )


def _moment(written: str | None, zone: tzinfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
