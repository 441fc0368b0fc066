"""`EsputnikAdapter`: what eSputnik can do for operators; see `ServiceAdapter` for what each method promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Protocol

from airflow_provider_esp.core.adapter import ServiceAdapter, Work
from airflow_provider_esp.services.esputnik.service import ESPUTNIK

if TYPE_CHECKING:
    from airflow_provider_esp.core.account_events import AccountWatcher, WatchOptions
    from airflow_provider_esp.core.broadcasts.create import BroadcastTarget
    from airflow_provider_esp.core.broadcasts.wait import BroadcastWatch
    from airflow_provider_esp.core.calls import Flow
    from airflow_provider_esp.core.export.schema import Exporter
    from airflow_provider_esp.core.models import (
        Broadcast,
        BroadcastGoal,
        BroadcastOptions,
        Delivery,
        Event,
        EventOptions,
        Import,
        MessageOptions,
        Recipient,
        SendResult,
        Submitted,
        UploadOptions,
    )
    from airflow_provider_esp.core.notification_model import Notification
    from airflow_provider_esp.core.pricing import Estimate, Pricing
    from airflow_provider_esp.core.send.run import SendTarget
    from airflow_provider_esp.core.send.sent_lookup import AskSent
    from airflow_provider_esp.core.sync.membership import Membership, MembershipOptions
    from airflow_provider_esp.core.upload.run import UploadTarget


class _Application(Protocol):
    @property
    def right(self) -> str:
        """What the application may do, one of `scopes.RIGHTS`."""


class _Settings(Protocol):
    @property
    def timezone(self) -> tzinfo:
        """The account's time zone."""

    @property
    def oauth(self) -> _Application | None:
        """The application that a person consented to; None for an API key."""


class EsputnikAdapter(ServiceAdapter[_Settings]):
    """What eSputnik can do.

    :param settings: the connection's.
    """

    service = ESPUTNIK

    def account_name(self) -> Flow[str]:
        """Ask for the organisation's name: `GET v1/account/info`."""
        from airflow_provider_esp.services.esputnik.api import general

        return (yield from general.account_info()).organisation_name

    def check_access(self, work: Sequence[Work], conn_id: str) -> None:
        """Compare the method groups of the work with what the connection's application may do.

        An API key has rights as well, but a connection does not say which.
        """
        from airflow_provider_esp.services.esputnik import scopes

        if self.settings.oauth is not None:
            scopes.check([scopes.GROUPS[name] for name in work], self.settings.oauth.right, conn_id)

    def account_watcher(self, options: WatchOptions) -> AccountWatcher:
        """Poll the account by its contacts' activity: `GET v2/contacts/activity`."""
        from airflow_provider_esp.services.esputnik.mapping.account_events import AccountWatch

        return AccountWatch(options, self.settings.timezone)

    def upload(self, options: UploadOptions) -> Flow[UploadTarget]:
        """Prepare an upload by `POST v1/contacts`."""
        from airflow_provider_esp.services.esputnik import targets

        return (yield from targets.upload(options))

    def import_from_url(self, url: str, options: UploadOptions) -> Flow[Submitted]:
        """Have contacts imported from a CSV file by `POST v1/contacts/upload`."""
        from airflow_provider_esp.services.esputnik import targets

        return targets.import_from_url(url, options)

    def import_state(self, import_id: str) -> Flow[Import]:
        """Ask how far an import is: `GET v1/importstatus/{sessionId}`."""
        from airflow_provider_esp.services.esputnik.mapping import contacts

        return contacts.import_state(import_id)

    def unsubscribed(self, take: Callable[[str], object], segment: str | None = None) -> Flow[None]:
        """Refuse: eSputnik has methods that add to the unsubscribed and take off them, and none that lists them."""
        raise self._unsupported(
            'list who has unsubscribed (suppress="unsubscribed")',
            "It has methods to add to that list, to take off it, and to read what contacts did in a period, if its "
            "support has switched that on. Keep the list yourself and give it as a source.",
        )

    def count_recipients(self, segments: Sequence[str], excluded: Sequence[str] = ()) -> Flow[int]:
        """Count the contacts of segments: `GET v1/group/{id}/contacts`, page by page."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts

        return broadcasts.count_recipients(segments, excluded)

    def membership(self, options: MembershipOptions) -> Membership:
        """Return what takes people out of segments."""
        from airflow_provider_esp.services.esputnik.mapping.membership import SegmentMembership

        return SegmentMembership(options)

    def exporter(self) -> Exporter:
        """Return what reads rows for files."""
        from airflow_provider_esp.services.esputnik.mapping.exports import Exports

        return Exports(self.settings.timezone)

    def send_messages(self, options: MessageOptions) -> SendTarget[Recipient]:
        """Prepare sending a prepared message by `POST v1/message/{id}/smartsend`."""
        from airflow_provider_esp.services.esputnik import targets

        return targets.messages(options)

    def sent_lookup(self, options: MessageOptions) -> AskSent[Recipient]:
        """Prepare looking messages up by their label: `GET v2/contacts/activity`."""
        from airflow_provider_esp.services.esputnik.mapping import sent_lookup

        return sent_lookup.messages(options, self.settings.timezone)

    def send_events(self, options: EventOptions) -> SendTarget[Event]:
        """Prepare sending events by `POST v2/event`."""
        from airflow_provider_esp.services.esputnik import targets

        return targets.events(options)

    def deliveries(self, request_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far messages are: `GET v1/message/status`."""
        from airflow_provider_esp.services.esputnik.mapping import messages

        return messages.deliveries(request_ids)

    def message_url(self, message_id: str) -> Flow[str]:
        """Ask where an e-mail can be looked at: `GET v1/messages/email/{id}/viewLink`, 500 times an hour at most."""
        from airflow_provider_esp.services.esputnik.api import templates

        return (yield from templates.email_link(message_id)).link

    def message_pricing(self, options: MessageOptions) -> Flow[Pricing]:
        """Ask what text messages cost, and what the account has: `GET v1/balance` and its history."""
        from airflow_provider_esp.services.esputnik.mapping import pricing

        return pricing.of_message(options.message_id, self._today(self.settings.timezone))

    def send_notification(self, notification: Notification) -> Flow[list[SendResult]]:
        """Send a few words: `POST v1/message/email` or `POST v1/message/sms`."""
        from airflow_provider_esp.services.esputnik.mapping import notifications

        return notifications.send(notification)

    def prepare_broadcast(self, options: BroadcastOptions) -> Flow[BroadcastTarget]:
        """Prepare a broadcast by `POST v1/broadcast`."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts

        return (yield from broadcasts.prepare(options, self.settings.timezone))

    def estimate_broadcast(self, options: BroadcastOptions, target: BroadcastTarget) -> Flow[Estimate]:
        """Count the contacts of the segments, and ask what a text message costs each of them at least."""
        from airflow_provider_esp.core.pricing import estimate, filled, sms_parts
        from airflow_provider_esp.services.esputnik.mapping import pricing

        price = yield from pricing.of_message(options.message_id or "", self._today(self.settings.timezone))
        recipients = yield from self.count_recipients(target.segments, target.excluded)
        return estimate(price, recipients, recipients * sms_parts(filled(price.text or "", {})))

    def get_broadcast(self, broadcast_id: str) -> Flow[Broadcast]:
        """Read a broadcast: `GET v1/broadcast/{broadcast_id}`."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts

        return broadcasts.read(broadcast_id, self.settings.timezone)

    def find_broadcasts(self, marker: str) -> Flow[list[Broadcast]]:
        """Find broadcasts by a text in their title: `GET v1/broadcasts`."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts

        return broadcasts.find(marker, self.settings.timezone)

    def cancel_broadcast(self, broadcast_id: str) -> Flow[None]:
        """Cancel a broadcast that has not started: `DELETE v1/broadcast/{broadcast_id}`."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts

        return broadcasts.cancel(broadcast_id)

    def broadcast_watcher(self, broadcast_id: str, goal: BroadcastGoal) -> BroadcastWatch:
        """Prepare polling a broadcast by `GET v2/contacts/activity`."""
        from airflow_provider_esp.services.esputnik.mapping.broadcast_progress import BroadcastWatch

        return BroadcastWatch(broadcast_id, goal, self.settings.timezone)
