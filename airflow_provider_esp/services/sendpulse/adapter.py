"""`SendPulseAdapter`: what SendPulse can do for operators; see `ServiceAdapter` for what each method promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Protocol

from airflow_provider_esp.core.adapter import ServiceAdapter, Verifier
from airflow_provider_esp.services.sendpulse.service import SENDPULSE

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
        UploadOptions,
    )
    from airflow_provider_esp.core.notification_model import Notification
    from airflow_provider_esp.core.pricing import Estimate, Pricing
    from airflow_provider_esp.core.send.run import SendTarget
    from airflow_provider_esp.core.send.sent_lookup import AskSent
    from airflow_provider_esp.core.sync.membership import Membership, MembershipOptions
    from airflow_provider_esp.core.upload.run import UploadTarget


class _Settings(Protocol):
    @property
    def timezone(self) -> tzinfo:
        """The account's time zone."""

    @property
    def event_url(self) -> str | None:
        """Where events go without a credential."""

    @property
    def sender_name(self) -> str | None:
        """The sender of messages that name none."""

    @property
    def sender_email(self) -> str | None:
        """The sender's address for messages that name none."""


class SendPulseAdapter(ServiceAdapter[_Settings]):
    """What SendPulse can do.

    :param settings: the connection's.
    """

    service = SENDPULSE

    def account_name(self) -> Flow[str]:
        """Ask whose account it is: `GET user/info`."""
        from airflow_provider_esp.services.sendpulse.api import account

        user = yield from account.user_info()
        return user.name or str(user.id)

    def account_watcher(self, options: WatchOptions) -> AccountWatcher:
        """Poll the account by its campaigns: `GET campaigns`."""
        from airflow_provider_esp.services.sendpulse.mapping.account_events import AccountWatch

        return AccountWatch(options, self.settings.timezone)

    def upload(self, options: UploadOptions) -> Flow[UploadTarget]:
        """Prepare an upload by `POST addressbooks/{id}/emails`."""
        from airflow_provider_esp.services.sendpulse import targets

        return (yield from targets.upload(options))

    def import_state(self, import_id: str) -> Flow[Import]:
        """Refuse: SendPulse has no imports that could be asked about."""
        from airflow_provider_esp.services.sendpulse import targets

        return targets.no_imports()

    def unsubscribed(self, take: Callable[[str], object], segment: str | None = None) -> Flow[None]:
        """Read who has unsubscribed: from transactional mail, from mailing lists, and whom the blacklist names."""
        from airflow_provider_esp.services.sendpulse.mapping import unsubscribed

        return unsubscribed.everybody(take, segment)

    def count_recipients(self, segments: Sequence[str], excluded: Sequence[str] = ()) -> Flow[int]:
        """Refuse: a campaign's status says when it is finished."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts

        return broadcasts.count_recipients(segments, excluded)

    def membership(self, options: MembershipOptions) -> Membership:
        """Return what takes people out of a mailing list."""
        from airflow_provider_esp.services.sendpulse.mapping.membership import ListMembership

        return ListMembership(options)

    def exporter(self) -> Exporter:
        """Return what reads rows for files."""
        from airflow_provider_esp.services.sendpulse.mapping.exports import Exports

        return Exports(self.settings.timezone)

    def verifier(self) -> Verifier:
        """Return what verifies addresses: `POST verifier-service/send-list-to-verify`."""
        from airflow_provider_esp.services.sendpulse.mapping.verification import Verification

        return Verification(self.settings.timezone)

    def send_messages(self, options: MessageOptions) -> SendTarget[Recipient]:
        """Prepare sending a template by `POST smtp/emails`."""
        from airflow_provider_esp.services.sendpulse import targets

        return targets.messages(options, self.settings.sender_name, self.settings.sender_email)

    def sent_lookup(self, options: MessageOptions) -> AskSent[Recipient]:
        """Refuse: a message carries no label of the sender's."""
        raise self._unsupported(
            'tell which messages went out (on_unknown="lookup")',
            "A message carries no label of its sender's, so one to somebody cannot be told from another.",
        )

    def send_events(self, options: EventOptions) -> SendTarget[Event]:
        """Prepare sending events by name, or to the connection's event URL."""
        from airflow_provider_esp.services.sendpulse import targets

        return targets.events(options, self.settings.event_url)

    def deliveries(self, request_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far messages are: `POST smtp/emails/info`."""
        from airflow_provider_esp.services.sendpulse.mapping import contacts

        return contacts.deliveries(request_ids)

    def sms_deliveries(self, campaign_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far text messages are, phone by phone: `GET sms/campaigns/info/{id}`."""
        from airflow_provider_esp.services.sendpulse.mapping import contacts

        return contacts.sms_deliveries(campaign_ids)

    def message_pricing(self, options: MessageOptions) -> Flow[Pricing]:
        """Ask what is left of the plan for SMTP: `GET user/balance/detail`."""
        from airflow_provider_esp.services.sendpulse.mapping import pricing

        return pricing.of_message()

    def send_notification(self, notification: Notification) -> Flow[list[SendResult]]:
        """Send a few words: `POST smtp/emails` or `POST sms/send`."""
        from airflow_provider_esp.services.sendpulse.mapping import notifications

        return notifications.send(notification, self.settings.sender_name, self.settings.sender_email)

    def prepare_broadcast(self, options: BroadcastOptions) -> Flow[BroadcastTarget]:
        """Prepare a campaign by `POST campaigns`."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts

        settings = self.settings
        return (yield from broadcasts.prepare(options, settings.timezone, settings.sender_name, settings.sender_email))

    def estimate_broadcast(self, options: BroadcastOptions, target: BroadcastTarget) -> Flow[Estimate]:
        """Ask what a campaign costs: `GET addressbooks/{id}/cost`."""
        from airflow_provider_esp.services.sendpulse.mapping import pricing

        return pricing.of_campaign(target.segments, options.segment_id)

    def get_broadcast(self, broadcast_id: str) -> Flow[Broadcast]:
        """Read how far a campaign is: `GET campaigns/{id}`."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts

        return broadcasts.read(broadcast_id, self.settings.timezone)

    def find_broadcasts(self, marker: str) -> Flow[list[Broadcast]]:
        """Find campaigns by a text in their name: `GET campaigns`."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts

        return broadcasts.find(marker, self.settings.timezone)

    def cancel_broadcast(self, broadcast_id: str) -> Flow[None]:
        """Cancel a campaign that has not begun to send: `DELETE campaigns/{id}`."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts

        return broadcasts.cancel(broadcast_id)

    def broadcast_watcher(self, broadcast_id: str, goal: BroadcastGoal) -> BroadcastWatch:
        """Prepare polling a campaign's status by `GET campaigns/{id}`."""
        from airflow_provider_esp.services.sendpulse.mapping.broadcasts import BroadcastWatch

        return BroadcastWatch(broadcast_id, goal, self.settings.timezone)
